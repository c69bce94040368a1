# SPDX-License-Identifier: MIT
#
# Merges what "gcov -t" says of any number of objects, for kmod/core, libpto, libpto/runtime and
# sim/device: a line counts once however many objects have it, and as executed if it was in one of
# them. Writes the lines that were not to the file "list".

/^ *-: *0:Source:/ {
	file = $0
	sub(/^ *-: *0:Source:/, "", file)
	wanted = file !~ /selftests\// && match(file, /(kmod\/core\/[a-z]+|libpto|libpto\/runtime|sim\/device)\/[^\/]*\.[ch]$/)
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

function show(name, lines, executed)
{
	return sprintf("%-36s %6d lines %6d executed %6.1f %%", name, lines, executed,
		       100 * executed / lines)
}

END {
	sorter = "sort"
	for (file in total) {
		print show(file, total[file], hit[file]) | sorter
		folder = file
		sub(/[^\/]*$/, "", folder)
		lines[folder] += total[file]
		executed[folder] += hit[file]
	}
	close(sorter)
	for (folder in lines)
		print show(folder, lines[folder], executed[folder]) | sorter
	close(sorter)
	sorter = "sort >" list
	for (key in known)
		if (!known[key])
			print key ":" text[key] | sorter
	close(sorter)
}
