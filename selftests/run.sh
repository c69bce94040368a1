#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run selftests and report in TAP. Needs a POSIX shell, awk and timeout (busybox will do).
#
#   run.sh [PROGRAM...]     default: every program of the list beside this script
#
#   PTO_SELFTEST=sim|kernel   on the simulator (default) or on /dev/pto*
#   PTO_LIB=DIR               where libpto.so and libptosim.so are; default: lib beside the
#                             folder of this script
#   PTO_PRELOAD=FILE          preload this before the simulator: a sanitizer's runtime
#   PTO_SELFTEST_TIMEOUT=S    seconds for each program, default 600
#   PTO_SIM_DEVICES, PTO_SIM_ARCH   the simulator's devices, default one of each
#                             architecture
#
# Exits with 0 only if every program passed or was skipped. The last line counts single
# test cases.

here=$(cd "$(dirname "$0")" && pwd)
mode=${PTO_SELFTEST:-sim}
limit=${PTO_SELFTEST_TIMEOUT:-600}

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

counts=$(mktemp) || exit 1
trap 'rm -f "$counts" "$counts".rc' EXIT

# Nest a program's TAP as comments, and count its cases.
nest()
{
	awk -v counts="$counts" '
		{ print "# " $0; fflush() }
		/^ok / { if ($0 ~ /# SKIP/) skip++; else pass++ }
		/^not ok / { fail++ }
		END { print pass + 0, fail + 0, skip + 0 >> counts }'
}

echo "TAP version 13"
echo "1..$#"
failed=0
number=0
for program in "$@"; do
	number=$((number + 1))
	case $program in
	/*) ;;
	*) program=$PWD/$program ;;
	esac
	label="selftests: $(basename "$(dirname "$program")"): $(basename "$program")"
	echo "# $label"
	start=$(date +%s)
	{
		(
			cd "$(dirname "$program")" || exit 1
			if [ -n "$preload" ]; then
				timeout -k 5 "$limit" env LD_PRELOAD="$preload" "$program" 2>&1
			else
				timeout -k 5 "$limit" "$program" 2>&1
			fi
		)
		echo $? > "$counts".rc
	} | nest
	rc=$(cat "$counts".rc)
	echo "# $(($(date +%s) - start)) s: $label"
	case $rc in
	0) echo "ok $number $label" ;;
	4) echo "ok $number $label # SKIP" ;;
	124|143) failed=1; echo "not ok $number $label # TIMEOUT $limit seconds" ;;
	*) failed=1; echo "not ok $number $label # exit=$rc" ;;
	esac
done

awk '{ pass += $1; fail += $2; skip += $3 }
	END { printf "# Cases: pass:%d fail:%d skip:%d\n", pass, fail, skip }' "$counts"
exit $failed
