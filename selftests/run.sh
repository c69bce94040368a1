#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run selftests and report in TAP. Needs a POSIX shell, awk, timeout and /proc (busybox will do).
#
#   run.sh [PROGRAM...]     default: every program of the list beside this script
#
#   PTO_SELFTEST=sim|kernel   on the simulator (default) or on /dev/pto*
#   PTO_LIB=DIR               where libpto.so and libptosim.so are; default: lib beside the
#                             folder of this script
#   PTO_PRELOAD=FILE          preload this before the simulator: a sanitizer's runtime
#   PTO_SELFTEST_JOBS=N       run so many programs at a time, default 1. Each program has a
#                             simulator of its own; on a kernel they would share the devices.
#   PTO_SELFTEST_TIMEOUT=S    seconds for each program, default 600
#   PTO_SELFTEST_PATIENCE=S   seconds that what a program has started may live longer than the
#                             program, default 30
#   PTO_SIM_DEVICES, PTO_SIM_ARCH   the simulator's devices, default one of each
#                             architecture
#
# Exits with 0 only if every program passed or was skipped. The last line counts single
# test cases.
#
# Nothing that a program has started outlives the run: a process that is still there after the
# patience is killed, and the program has failed. All of them are found by a mark in their
# environment, whatever group or session they are in.

here=$(cd "$(dirname "$0")" && pwd)
mode=${PTO_SELFTEST:-sim}
limit=${PTO_SELFTEST_TIMEOUT:-600}
patience=${PTO_SELFTEST_PATIENCE:-30}
jobs=${PTO_SELFTEST_JOBS:-1}

if [ $# -eq 0 ]; then
	while read -r name; do
		set -- "$@" "$here/$name"
	done < "$here/list"
fi

# $(O)/selftests/run.sh or the source tree's: the programs tell where the build is.
lib=${PTO_LIB:-$(dirname "$1")/../../lib}
lib=$(cd "$lib" 2>/dev/null && pwd) || {
	echo "Bail out! there is no folder ${PTO_LIB:-lib beside that of $1}: run make, or set PTO_LIB"
	exit 1
}

case $mode in
sim)
	preload=$lib/libptosim.so
	if [ ! -f "$preload" ]; then
		echo "Bail out! $preload is missing: build it, or set PTO_LIB"
		exit 1
	fi
	preload="${PTO_PRELOAD:+$PTO_PRELOAD }$preload"
	export PTO_SIM_DEVICES="${PTO_SIM_DEVICES:-2}"
	export PTO_SIM_ARCH="${PTO_SIM_ARCH:-a2a3,a5}"
	;;
kernel)
	preload=
	;;
*)
	echo "Bail out! PTO_SELFTEST is $mode, not sim or kernel"
	exit 1
	;;
esac
export PTO_SELFTEST="$mode"
export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

work=$(mktemp -d) || exit 1
run=$(basename "$work")
workers=

finish()
{
	trap '' HUP INT TERM
	[ -z "$workers" ] || kill $workers 2>/dev/null
	end_started '[0-9]*'
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# marked NUMBER: does the environment on standard input have the mark of this program? An
# expression may stand for several.
marked()
{
	tr '\0' '\n' | grep -qx "PTO_SELFTEST_RUN=$run\\.$1"
}

# started NUMBER: the processes that this program has started, a line each
started()
{
	cat /proc/[0-9]*/environ 2>/dev/null | marked "$1" || return
	for process in /proc/[0-9]*; do
		marked "$1" 2>/dev/null < "$process/environ" && echo "${process#/proc/}"
	done 2>/dev/null
}

end_started()
{
	# Again, for what they may have started meanwhile
	rounds=10
	while [ $rounds -gt 0 ]; do
		rounds=$((rounds - 1))
		pids=$(started "$1")
		[ -n "$pids" ] || return
		kill -9 $pids 2>/dev/null
		sleep 0.1
	done
}

# Nest a program's TAP as comments, and count its cases.
nest()
{
	awk -v counts="$work/counts" '
		{ print "# " $0; fflush() }
		/^ok / { if ($0 ~ /# SKIP/) skip++; else pass++ }
		/^not ok / { fail++ }
		END { print pass + 0, fail + 0, skip + 0 >> counts }'
	: > "$work/read.$1"
}

# await NUMBER SECONDS: until its output has been read to the end and nothing of it runs
await()
{
	pause=0.1
	since=$(date +%s)
	until [ -e "$work/read.$1" ] && [ -z "$(started "$1")" ]; do
		waited=$(($(date +%s) - since))
		[ $waited -le "$2" ] || return
		[ $waited -lt 2 ] || pause=1
		sleep $pause
	done
}

# clear_up NUMBER READER: sets "left" to what the program has left behind, which is ended
clear_up()
{
	left=
	await "$1" "$patience" && return
	for pid in $(started "$1"); do
		left="$left $(cat "/proc/$pid/comm" 2>/dev/null) ($pid)"
	done
	end_started "$1"
	# Whoever has done away with its environment is found by nothing but the output it holds.
	await "$1" 2 || { kill "$2" 2>/dev/null; left="$left who holds its output open"; }
}

# run_program NUMBER PROGRAM. All that is waited for runs in the background, for a shell heeds
# signals only while it waits.
run_program()
{
	label="selftests: $(basename "$(dirname "$2")"): $(basename "$2")"
	echo "# $label"
	start=$(date +%s)
	mkfifo "$work/out.$1"
	nest "$1" < "$work/out.$1" &
	reader=$!
	(
		cd "$(dirname "$2")" || exit 1
		exec env "PTO_SELFTEST_RUN=$run.$1" timeout -k 5 "$limit" \
			env ${preload:+"LD_PRELOAD=$preload"} "$2"
	) > "$work/out.$1" 2>&1 &
	wait $!
	rc=$?
	seconds=$(($(date +%s) - start))
	# Of time-outs, the shells' and busybox' statuses are not the same.
	case $rc in
	124|137|143)
		[ $seconds -lt "$limit" ] || rc=timeout
		end_started "$1"
		;;
	esac
	clear_up "$1" $reader
	echo "# $seconds s: $label"
	case $rc,$left in
	0,) echo "ok $1 $label"; return ;;
	4,) echo "ok $1 $label # SKIP"; return ;;
	timeout,*) echo "not ok $1 $label # TIMEOUT $limit seconds" ;;
	[04],*) echo "not ok $1 $label # left behind:$left" ;;
	*) echo "not ok $1 $label # exit=$rc" ;;
	esac
	: > "$work/failed"
}

# What a worker does: run each program that no other one has begun
work_through()
{
	number=0
	for program in "$@"; do
		number=$((number + 1))
		mkdir "$work/claim.$number" 2>/dev/null || continue
		run_program "$number" "$program" > "$work/report.$number"
		mv "$work/report.$number" "$work/reported.$number"
	done
}

any_worker()
{
	for worker in $workers; do
		kill -0 "$worker" 2>/dev/null && return
	done
	return 1
}

# The workers' reports, in the order of the programs
report()
{
	for number in $(seq "$1"); do
		until [ -e "$work/reported.$number" ]; do
			any_worker || [ -e "$work/reported.$number" ] || {
				echo "Bail out! those who ran the programs have been killed"
				exit 1
			}
			sleep 0.1 &
			wait $!
		done
		cat "$work/reported.$number"
	done
}

for program in "$@"; do
	shift
	case $program in
	/*) set -- "$@" "$program" ;;
	*) set -- "$@" "$PWD/$program" ;;
	esac
done

echo "TAP version 13"
echo "1..$#"
if [ "$jobs" -gt 1 ]; then
	for number in $(seq "$jobs"); do
		work_through "$@" &
		workers="$workers $!"
	done
	report $#
else
	number=0
	for program in "$@"; do
		number=$((number + 1))
		run_program $number "$program"
	done
fi

awk '{ pass += $1; fail += $2; skip += $3 }
	END { printf "# Cases: pass:%d fail:%d skip:%d\n", pass, fail, skip }' "$work/counts"
[ ! -e "$work/failed" ]
