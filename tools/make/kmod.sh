#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Build pto.ko for one kernel, in a copy, so that the source tree stays clean.
#
#   kmod.sh KDIR OUT [MAKE ARGUMENTS...]     builds OUT/<kernel release>/pto.ko and prints its path
#
# KDIR is the kernel's build tree. If it has a sibling "extra" (tools/setup/kernel.sh) with
# modules that stand in for what that kernel lacks, their symbols are known to the build.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 2 ] || { sed -n 's/^# \{0,1\}//p' "$0" >&2; exit 2; }
kdir=$(readlink -e "$1") || { echo "kmod.sh: no kernel build tree at $1" >&2; exit 1; }
out=$2 extra=$1/../extra/Module.symvers
shift 2

release=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h" 2>/dev/null) ||
	{ echo "kmod.sh: $kdir is not prepared for building modules" >&2; exit 1; }
copy=$out/$release
mkdir -p "$copy/kmod" "$copy/uapi"
copy=$(readlink -e "$copy")

(
	flock 9
	# What the source tree does not have any more must not be built any more.
	cd "$copy"
	find kmod uapi -name '*.[ch]' ! -name '*.mod.c' | while read -r file; do
		[ -f "$top/$file" ] || rm "$file"
	done
	cd "$top"
	cp -pu Kbuild "$copy"
	find kmod uapi \( -name '*.[ch]' -o -name Kbuild -o -name Makefile \) \
		-exec cp -pu --parents -t "$copy" {} +

	args=(-C "$kdir" M="$copy")
	[ ! -f "$extra" ] || args+=(KBUILD_EXTRA_SYMBOLS="$(readlink -e "$extra")")
	! grep -qs '^CONFIG_UML=y' "$kdir/.config" || args+=(ARCH=um)
	# Our own make's variables, O above all, mean something else to the kernel's. What is
	# filtered out is said about every module that is built outside a kernel's tree.
	{
		env -u MAKEFLAGS -u MAKEOVERRIDES -u MAKELEVEL -u O -u V -u CC -u CFLAGS -u LDFLAGS \
			make -s -j"$(nproc)" "${args[@]}" "$@" modules 2>&1 || touch "$copy/.failed"
	} | grep -vE '^Skipping BTF generation|^warning: the compiler differs|^  (The kernel was|You are using)' >&2 || :
	! rm "$copy/.failed" 2>/dev/null
) 9>"$copy/.lock"
echo "$copy/pto.ko"
