# SPDX-License-Identifier: MIT
#
# Read mutants (*.mut, see usage() in run) and do what `mode` says:
#
#   check   print what is wrong with them, a line each; the exit status says whether anything is
#   list    print "id file test expected" of each, separated by tabs; expected is found or argued
#   why     print what is said about the mutant `id`
#   apply   print the file of the mutant `id` with the fault in it
#
# Paths in records are relative to `root`. Lines of code are compared without the blanks at
# their ends.

function complain(text)
{
	print where ": " text > "/dev/stderr"
	wrong = 1
}

function trim(text)
{
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

function flush_record()
{
	if (!id)
		return
	if (!said[id])
		complain(id ": nothing is said about it")
	for (h = 1; h <= hunks[id]; h++)
		if (!changed[id, h])
			complain(id ": a change that changes nothing")
	if (!hunks[id])
		complain(id ": no change")
	id = ""
}

function new_hunk()
{
	h = ++hunks[id]
	old_count[id, h] = new_count[id, h] = 0
}

# The lines of a file. Return: how many.
function load(file,    path, n, line)
{
	if (file in loaded)
		return loaded[file]
	path = root "/" file
	while ((getline line < path) > 0)
		source[file, ++n] = line
	close(path)
	loaded[file] = n + 0
	return n
}

function matches(file, at, key,    i)
{
	for (i = 1; i <= old_count[key]; i++)
		if (trim(source[file, at + i - 1]) != old[key, i])
			return 0
	return 1
}

# Where a hunk applies: the line, 0 for nowhere, -1 for more than one place.
function place(name, h,    file, n, at, found)
{
	file = file_of[name]
	n = load(file)
	for (at = 1; at + old_count[name, h] - 1 <= n; at++)
		if (matches(file, at, name SUBSEP h)) {
			if (found)
				return -1
			found = at
		}
	return found + 0
}

function check_test(name,    part, path, unit, line, found)
{
	if (split(test_of[name], part, /[\/:]/) < 2) {
		complain(name ": \"" test_of[name] "\" is not FOLDER/PROGRAM or FOLDER/PROGRAM:CASE")
		return
	}
	path = root "/selftests/" part[1] "/" part[2] ".c"
	unit = test_of[name]
	if (!sub(/.*[:.]/, "", unit))
		unit = ""
	while ((getline line < path) > 0)
		if (!unit || line ~ "^(PT_)?TEST[A-Z_]*\\((.*, *)?" unit "[,)]")
			found = 1
	close(path)
	if (!found)
		complain(name ": there is no test " test_of[name])
}

function check_all(    i, h, at)
{
	for (i = 1; i <= count; i++) {
		where = place_of[order[i]]
		if (!load(file_of[order[i]])) {
			complain(order[i] ": there is no file " file_of[order[i]])
			continue
		}
		for (h = 1; h <= hunks[order[i]]; h++) {
			at = place(order[i], h)
			if (at < 1)
				complain(order[i] ": \"" old[order[i], h, 1] "\" is " \
					 (at ? "more than once" : "not") " in " file_of[order[i]])
		}
		check_test(order[i])
	}
}

function apply(name,    file, n, h, at, i, skip)
{
	file = file_of[name]
	n = load(file)
	for (h = 1; h <= hunks[name]; h++) {
		at = place(name, h)
		if (at < 1)
			return 0
		start[at] = h
	}
	for (at = 1; at <= n; at++) {
		if (at in start) {
			h = start[at]
			for (i = 1; i <= new_count[name, h]; i++)
				print new[name, h, i]
			skip = old_count[name, h]
		}
		if (skip > 0)
			skip--
		else
			print source[file, at]
	}
	return 1
}

FNR == 1 { flush_record() }

{ where = FILENAME ":" FNR }

/^$/ { flush_record(); next }

/^= / {
	flush_record()
	id_seen = $2
	if (NF != 4)
		complain("a mutant begins with \"= ID FILE TEST\"")
	if (id_seen in file_of)
		complain(id_seen ": there is another one of this name")
	id = id_seen
	order[++count] = id
	file_of[id] = $3
	test_of[id] = $4
	place_of[id] = where
	hunks[id] = 0
	new_hunk()
	next
}

!id && /^#/ { next }

!id { complain("this belongs to no mutant"); next }

/^# / { said[id] = said[id] (said[id] ? " " : "") substr($0, 3); next }

/^~ / { argued[id] = argued[id] (argued[id] ? " " : "") substr($0, 3); next }

/^\.\.\.$/ { new_hunk(); next }

/^[-+ ]/ {
	text = trim(substr($0, 2))
	if (/^[- ]/)
		old[id, h, ++old_count[id, h]] = text
	if (/^[+ ]/)
		new[id, h, ++new_count[id, h]] = text
	if (/^[-+]/)
		changed[id, h] = 1
	next
}

{ complain("not a line of a mutant") }

END {
	flush_record()
	if (mode == "check")
		check_all()
	else if (mode == "list")
		for (i = 1; i <= count; i++)
			print order[i] "\t" file_of[order[i]] "\t" test_of[order[i]] "\t" \
				(argued[order[i]] ? "argued" : "found")
	else if (mode == "why")
		print said[name] (argued[name] ? " [" argued[name] "]" : "")
	else if (mode == "apply" && !apply(name))
		wrong = 1
	exit wrong
}
