#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Build a module for one kernel, in a copy, so that the source tree stays clean.
#
#   kmod.sh KDIR OUT [MAKE ARGUMENTS...]     builds OUT/<kernel release>/pto.ko and prints its path
#   kmod.sh --module FOLDER NAME KDIR OUT    the same for NAME.ko, all of which is in FOLDER
#
# KDIR is the kernel's build tree. If it has a sibling "extra" (tools/setup/kernel.sh) with
# modules that stand in for what that kernel lacks, their symbols are known to the build.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
tree=$top parts=(Kbuild kmod uapi) name=pto
if [ "${1:-}" = --module ] && [ $# -ge 3 ]; then
	tree=$top/$2 parts=(.) name=$3
	shift 3
fi
[ $# -ge 2 ] || { sed -n 's/^# \{0,1\}//p' "$0" >&2; exit 2; }
kdir=$(readlink -e "$1") || { echo "kmod.sh: no kernel build tree at $1" >&2; exit 1; }
out=$2 extra=$1/../extra/Module.symvers
shift 2

release=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h" 2>/dev/null) ||
	{ echo "kmod.sh: $kdir is not prepared for building modules" >&2; exit 1; }
copy=$out/$release
mkdir -p "$copy"
copy=$(readlink -e "$copy")

failed=
(
	flock 9
	# What the source tree does not have any more must not be built any more.
	cd "$tree"
	find "${parts[@]}" -type f >"$copy/.sources.new"
	if [ -f "$copy/.sources" ]; then
		grep -vxFf "$copy/.sources.new" "$copy/.sources" | (cd "$copy" && xargs -r rm -f) || :
	fi
	xargs cp -pu --parents -t "$copy" <"$copy/.sources.new"
	mv "$copy/.sources.new" "$copy/.sources"

	args=(-C "$kdir" M="$copy")
	[ ! -f "$extra" ] || args+=(KBUILD_EXTRA_SYMBOLS="$(readlink -e "$extra")")
	! grep -qs '^CONFIG_UML=y' "$kdir/.config" || args+=(ARCH=um)
	# Our own make's variables, O above all, mean something else to the kernel's. What is
	# filtered out is said about every module that is built outside a kernel's tree.
	env -u MAKEFLAGS -u MAKEOVERRIDES -u MAKELEVEL -u O -u V -u CC -u CFLAGS -u LDFLAGS \
		make -s -j"$(nproc)" "${args[@]}" "$@" modules >"$copy/.log" 2>&1 || failed=1
	grep -vE '^Skipping BTF generation|^warning: the compiler differs|^  (The kernel was|You are using)' \
		"$copy/.log" >&2 || :
	[ -z "$failed" ] || { echo "kmod.sh: $name.ko does not build for $release" >&2; exit 1; }
) 9>"$copy/.lock"
echo "$copy/$name.ko"
