# SPDX-License-Identifier: MIT
#
# Merges what "gcov -t" says of any number of objects, for libpto/runtime and sim/device: a line
# counts once however many objects have it, and as executed if it was in one of them. Writes the
# lines that were not to the file "list".

/^ *-: *0:Source:/ {
	file = $0
	sub(/^ *-: *0:Source:/, "", file)
	wanted = match(file, /(libpto\/runtime|sim\/device)\/[^\/]*\.[ch]$/)
	file = substr(file, RSTART)
	next
}

wanted {
	split($0, part, ":")
	gsub(/[ *]/, "", part[1])
	line = part[2] + 0
	if (part[1] == "-" || !line)
		next
	key = sprintf("%s:%05d", file, line)
	if (!(key in known)) {
		known[key] = 0
		total[file]++
		text[key] = substr($0, index($0, part[2]) + length(part[2]) + 1)
	}
	if (part[1] !~ /^[#=]/ && !known[key]) {
		known[key] = 1
		hit[file]++
	}
}

END {
	sorter = "sort"
	for (file in total) {
		printf "%-36s %6d lines %6d executed %6.1f %%\n", file, total[file], hit[file],
			100 * hit[file] / total[file] | sorter
		all += total[file]
		executed += hit[file]
	}
	close(sorter)
	if (all)
		printf "%-36s %6d lines %6d executed %6.1f %%\n", "all", all, executed, 100 * executed / all
	sorter = "sort >" list
	for (key in known)
		if (!known[key])
			print key ":" text[key] | sorter
	close(sorter)
}
