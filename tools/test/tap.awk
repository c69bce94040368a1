# SPDX-License-Identifier: MIT
#
# Read the TAP of a stage. Prints "passed failed skipped", then a line for each failure.
#
# Kselftest nests: what a program printed is there as comments ("# ok 1 ..."), and its own
# result follows ("ok 1 selftests: ..."). Counted are the cases of a program; the program's
# own result counts only if it says more than they do: it printed none, or it failed with no
# failed case. A plan that is missing or not kept is a failure.

function fail(text)
{
	failed++
	failures = failures "\n" text
}

function result(line, where)
{
	if (line ~ /^not ok/ && line !~ /# *(SKIP|XFAIL)/) {
		fail(where line)
		return 0
	}
	if (line ~ /# *SKIP/)
		skipped++
	else
		passed++
	return 1
}

# The end of a program's cases
function close_inner(label)
{
	if (inner_plan >= 0 && inner_results != inner_plan && inner_bad == 0) {
		fail(label ": planned " inner_plan " cases, reported " inner_results)
		inner_bad++
	}
}

function open_inner()
{
	inner_results = inner_bad = 0
	inner_plan = -1
}

BEGIN { plan = -1; open_inner() }

{ sub(/\r$/, "") }

/^Bail out!/ { fail($0); next }
/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; next }

/^# 1\.\.[0-9]+/ { inner_plan = substr($2, 4) + 0; next }
/^# (not )?ok [0-9]/ {
	inner_results++
	if (!result(substr($0, 3), program))
		inner_bad++
	next
}
/^# Bail out!/ { fail(program substr($0, 3)); inner_bad++; next }
/^# selftests: / { program = substr($0, 14) ": "; open_inner(); next }

/^(not )?ok [0-9]/ {
	results++
	label = $0
	sub(/^(not )?ok [0-9]+ (- )?/, "", label)
	if (inner_results == 0)
		result($0, "")
	else {
		close_inner(label)
		if (/^not ok/ && inner_bad == 0)
			fail($0)
	}
	open_inner()
	program = ""
	next
}

END {
	if (plan < 0)
		fail("no plan")
	else if (results != plan)
		fail("planned " plan " results, reported " results + 0)
	print passed + 0, failed + 0, skipped + 0
	if (failures != "")
		print substr(failures, 2)
}
