#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Build a test kernel from Debian's kernel source: allnoconfig and the fragments in config/.
#
#   build-kernel.sh uml | debug-6.1 | debug-6.12 [--config-only]
#
# The result is PTO_CACHE/built/<name>-<release>.tar.zst, in the form of a ready build:
# linux.uml or bzImage, and linux/, a tree to build modules against. On two cores it takes
# about 6 minutes for uml and 15 for a debug kernel; ccache is used if it is there. An
# interrupted build goes on where it was.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../setup/lib.sh
. "$here/../setup/lib.sh"

name=${1:-}
case $name in
uml) series=6.1 arch=um fragment=uml images=linux target=(linux modules) ;;
debug-6.1 | debug-6.12) series=${name#*-} arch=x86_64 fragment=debug images=arch/x86/boot/bzImage target=(bzImage modules) ;;
*) sed -n 's/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

"$PTO_TOP/tools/setup/deps.sh" build kernel
source=$("$PTO_TOP/tools/setup/kernel.sh" "full-$series")
tree=$PTO_CACHE/build-$name
mkdir -p "$PTO_CACHE/built"
exec 9>"$tree.lock"
flock 9

# A copy of its own for each kernel, built in place: a tree for modules that was built
# beside its source would be tied to that path. (Hard links: nothing is written twice.)
if [ "$(cat "$tree/.source" 2>/dev/null)" != "$source" ]; then
	rm -rf "$tree"
	cp -al "$source" "$tree.tmp"
	echo "$source" >"$tree.tmp/.source"
	mv "$tree.tmp" "$tree"
fi

compiler=gcc-12
! command -v ccache >/dev/null || compiler="ccache gcc-12"
run_make()
{
	env -u MAKEFLAGS -u MAKEOVERRIDES -u O make -s -C "$tree" ARCH=$arch CC="$compiler" HOSTCC=gcc \
		KBUILD_BUILD_USER=pto KBUILD_BUILD_HOST=pto "$@"
}

say "building $name in $tree"
cat "$here/config/common.config" "$here/config/$fragment.config" >"$tree/.fragment"
if ! cmp -s "$tree/.fragment" "$tree/.fragment.used"; then
	run_make KCONFIG_ALLCONFIG="$tree/.fragment" allnoconfig
	cp "$tree/.fragment" "$tree/.fragment.used"
fi
# What was asked for and cannot be had (a series may lack an option) is worth a word.
grep -E '^CONFIG_.*=[ym]$' "$tree/.fragment" | while IFS= read -r line; do
	grep -qxF "$line" "$tree/.config" || say "  not set: $line"
done
[ "${2:-}" != --config-only ] || exit 0
run_make -j"$(nproc)" "${target[@]}"

release=$(run_make kernelrelease)
stage=$tree.stage
rm -rf "$stage"
mkdir -p "$stage/linux"
case $name in
uml) cp "$tree/$images" "$stage/linux.uml" ;;
*) cp "$tree/$images" "$stage/bzImage" ;;
esac
# What an external module's build reads
(
	cd "$tree"
	{
		printf '%s\n' Makefile .config Module.symvers
		find include scripts -type f ! -name '*.o' ! -name '.*.cmd'
		find arch/x86 arch/um \( -name 'Makefile*' -o -name '*.h' -o -path '*/include/*' \) -type f ! -name '.*.cmd'
		find scripts -name module.lds -o -name module-common.o
		find tools/objtool -name objtool -type f
	} | sort -u | tar -c -T - | tar -x -C "$stage/linux"
)
result=$PTO_CACHE/built/${name%%-*}-$release.tar.zst
tar -c -C "$stage" . | zstd -q -T0 -f -o "$result.tmp"
mv "$result.tmp" "$result"
rm -rf "$stage"
say "built $result"
