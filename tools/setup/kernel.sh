#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Get a kernel to test with, or pieces of the kernel's source, into the cache. Nothing is
# installed on this machine. See usage() below for the names and what is printed.
#
# Every artifact is made in a directory of its own under a lock, and renamed when it is
# complete: an interrupted run is simply repeated, and two runs do not disturb each other.
set -euo pipefail
shopt -s inherit_errexit
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<'USAGE'
usage: tools/setup/kernel.sh [--ready] NAME

Prints the directory that holds what NAME stands for, after getting it if need be.

A kernel:
  stock-6.1 stock-6.12   Debian's kernel, downloaded with apt
  debug-6.1 debug-6.12   with KASAN, lockdep, kmemleak; a ready build in PTO_KERNELS,
  uml                    user-mode Linux                or one by tools/vm/build-kernel.sh
The directory has
  kernel                 what to boot: vmlinux, bzImage or linux.uml
  build                  what to build modules against (KDIR)
  release                uname -r
  modules                its modules (stock kernels only)
  extra                  modules of its own source that our module may need, with
                         extra/Module.symvers; absent when the kernel has all built in

Source:
  src-6.1 src-6.12       parts of the kernel's source: selftests harness, checkpatch, and what
                         is needed for "extra"
  full-6.1 full-6.12     the whole source tree, for building a kernel

--ready: do not build a kernel. Exit status 3 if it is not at hand.

Variables: PTO_CACHE (where to keep things, default ~/.cache/pto), PTO_KERNELS (where ready
builds are, default ../shared/kernels beside the repository).
USAGE
}

# --- Debian packages ------------------------------------------------------------------

# field PACKAGE FIELD: a field of the version that apt would install
field()
{
	apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n "s/^$2: //p" | head -n 1
}

# known PACKAGE: fetch the package lists if apt has never heard of it
known()
{
	[ -n "$(field "$1" Version)" ] && return
	say "fetching the package lists (apt-get update): $1 is not in them"
	as_root apt-get -qq update >&2 || die "apt-get update failed"
	[ -n "$(field "$1" Version)" ] || die "apt knows no package $1"
}

# dependency PACKAGE PATTERN: the first dependency that matches an extended regular expression
dependency()
{
	field "$1" Depends | tr ',' '\n' | sed -E 's/^ *//; s/[ :(].*//' | grep -E -m 1 "^$2\$" ||
		die "package $1 ($(field "$1" Version)) depends on no $2"
}

# download PACKAGE: print the path of its .deb
download()
{
	local dir
	dir=$(mktemp -d "$work/deb.XXXXXX")
	say "  downloading $1 $(field "$1" Version)"
	(
		cd "$dir"
		[ "$(id -u)" -ne 0 ] || set -- "$1" -o APT::Sandbox::User=root
		apt-get -qq "${@:2}" download "$1" >&2
	) || die "cannot download $1"
	echo "$dir"/*.deb
}

# unpack PACKAGE DIR [PATTERN...]: unpack the files that match, or all
unpack()
{
	local deb
	deb=$(download "$1")
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2" --wildcards "${@:3}"
	rm -r "${deb%/*}"
}

# --- the cache ------------------------------------------------------------------------

# cached NAME FUNCTION ARGUMENTS...: print $PTO_CACHE/NAME; if it does not exist, have it
# filled by "FUNCTION DIR ARGUMENTS..."
cached()
{
	local final=$PTO_CACHE/$1 work
	if [ ! -d "$final" ]; then
		mkdir -p "$PTO_CACHE"
		(
			flock 9
			[ ! -d "$final" ] || exit 0
			rm -rf "$PTO_CACHE/tmp.$1"
			work=$PTO_CACHE/tmp.$1
			mkdir -p "$work/out"
			"$PTO_TOP/tools/setup/deps.sh" fetch
			say "preparing $1 in $PTO_CACHE"
			"$2" "$work/out" "${@:3}"
			mv "$work/out" "$final"
			rm -rf "$work"
		) 9>"$PTO_CACHE/$1.lock"
	fi
	echo "$final"
}

# --- stock kernels --------------------------------------------------------------------

# meta SERIES image|headers: the meta package of a series
meta()
{
	case $1 in
	6.1) echo "linux-$2-amd64" ;;
	*) echo "linux-$2-$1-amd64" ;;
	esac
}

# The modules that ours, or a test, may want
stock_modules=(lib crypto drivers/uio drivers/gpu/drm)

# stock DIR SERIES: fill DIR with the stock kernel
stock()
{
	local dir=$1 series=$2 image headers release package root=$1/root
	local patterns=('./boot/vmlinuz-*')
	image=$(dependency "$(meta "$series" image)" "linux-image-$series\..*-amd64")
	headers=$(dependency "$(meta "$series" headers)" "linux-headers-$series\..*-amd64")
	release=${image#linux-image-}
	[ "${headers#linux-headers-}" = "$release" ] ||
		die "apt offers $image but $headers: apt-get update may help"
	for package in "${stock_modules[@]}"; do
		patterns+=("./lib/modules/$release/kernel/$package/*")
	done
	mkdir "$root"
	unpack "$image" "$root" "${patterns[@]}"
	for package in "$headers" "$(dependency "$headers" "linux-headers-.*-common")" \
		"$(dependency "$headers" "linux-kbuild-.*")"; do
		unpack "$package" "$root"
	done
	# The headers are made for /usr/src: say where the other half is relative to this half.
	# shellcheck disable=SC2016 # make's variables, not the shell's
	sed -i -E 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' \
		"$root/usr/src/$headers/Makefile"
	! grep -rIl '^include /usr/src/' "$root/usr/src/$headers/Makefile" ||
		die "the Makefile of $headers is not as expected"

	boot_image "$root/boot/vmlinuz-$release" "$dir/kernel"
	rm -r "${root:?}/boot"
	ln -s "root/usr/src/$headers" "$dir/build"
	ln -s "root/lib/modules/$release/kernel" "$dir/modules"
	echo "$release" >"$dir/release"
}

# number FILE OFFSET BYTES: a little-endian number in a file
number()
{
	od -A n -j "$2" -N "$3" -t "u$3" "$1" | tr -d ' '
}

# boot_image BZIMAGE OUT: booting the vmlinux inside saves seconds under TCG, but only a kernel
# that has an entry for it (a PVH note) can be booted so. Where the compressed kernel lies is
# said by the x86 boot protocol: setup_sects at 0x1f1, payload offset and length at 0x248. It
# ends with four bytes of uncompressed size, which are gzip's own, and foreign to the others.
boot_image()
{
	local start length packed=$2.packed
	start=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
	length=$(number "$1" 588 4)
	dd if="$1" of="$packed" iflag=skip_bytes,count_bytes skip="$start" count="$length" status=none
	case $(number "$packed" 0 4) in
	1484404733) xz -dc --single-stream "$packed" ;;
	4247762216) head -c -4 "$packed" | zstd -qdc ;;
	*) gzip -dc "$packed" ;;
	esac >"$2" || die "cannot uncompress $1"
	rm "$packed"
	readelf -n "$2" 2>/dev/null | grep -qi 'xen.*0x00000012' || cp "$1" "$2"
}

# --- ready and self-built kernels -----------------------------------------------------

# ready FAMILY: print the path of the newest ready build, such as uml-6.1.*.tar.zst
ready()
{
	local dir
	for dir in "$PTO_KERNELS" "$PTO_CACHE/built"; do
		[ ! -d "$dir" ] || find "$dir/" -maxdepth 1 -name "$1.*.tar.zst"
	done | sort -V | tail -n 1
}

# own DIR NAME SERIES SOURCE: fill DIR from SOURCE, a ready build (tar.zst)
own()
{
	local dir=$1 name=$2 series=$3
	tar -I zstd -x -f "$4" -C "$dir"
	ln -s linux "$dir/build"
	cp "$dir/linux/include/config/kernel.release" "$dir/release"
	if [ "$name" = uml ]; then
		mv "$dir/linux.uml" "$dir/kernel"
	else
		boot_image "$dir/bzImage" "$dir/kernel"
		rm "$dir/bzImage"
	fi
	extra "$dir" "$name" "$series"
}

# Symbols that our module may use and a small kernel may lack: symbol, source file, module
extra_modules="sha256 lib/crypto/sha256.c libsha256
gen_pool_create lib/genalloc.c genalloc"

# extra DIR NAME SERIES: build what the kernel lacks as modules, from its own source
extra()
{
	local dir=$1 name=$2 src symbol file module arch=()
	[ "$name" != uml ] || arch=(ARCH=um)
	while read -r symbol file module; do
		! grep -qP "\t$symbol\t" "$dir/build/Module.symvers" || continue
		src=$("$0" "src-$3")
		mkdir -p "$dir/extra"
		cp "$src/$file" "$dir/extra/$module-main.c"
		echo 'MODULE_LICENSE("GPL");' >>"$dir/extra/$module-main.c"
		printf 'obj-m += %s.o\n%s-y := %s-main.o\n' "$module" "$module" "$module" >>"$dir/extra/Kbuild"
	done <<<"$extra_modules"
	[ -d "$dir/extra" ] || return 0
	"$PTO_TOP/tools/setup/deps.sh" module
	env -u MAKEFLAGS -u MAKEOVERRIDES make -s -C "$dir/build/" "${arch[@]}" M="$(realpath "$dir/extra")" \
		modules >"$dir/extra/.log" 2>&1 || {
		cat "$dir/extra/.log" >&2
		die "cannot build for $name what it lacks: $(sed -n 's/.*+= //p' "$dir/extra/Kbuild" | xargs)"
	}
}

# own_kernel NAME SERIES
own_kernel()
{
	local file
	file=$(ready "${1%-*}-$2")
	if [ -z "$file" ]; then
		if [ -n "$ready_only" ]; then
			die_status=3
			die "no ready build of $1 in $PTO_KERNELS or $PTO_CACHE/built"
		fi
		"$PTO_TOP/tools/vm/build-kernel.sh" "$1" >&2
		file=$(ready "${1%-*}-$2")
	fi
	cached "$1-$(stat -c %Y-%s "$file")" own "$1" "$2" "$file"
}

# --- source ---------------------------------------------------------------------------

source_parts=(
	tools/testing/selftests/kselftest.h tools/testing/selftests/kselftest_harness.h
	tools/testing/selftests/lib.mk tools/testing/selftests/kselftest
	tools/testing/selftests/kselftest_deps.sh tools/testing/selftests/run_kselftest.sh
	tools/scripts/Makefile.arch tools/build/Build.include
	scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch
	scripts/subarch.include scripts/kernel-doc
	lib/crypto/sha256.c lib/genalloc.c
)

# source_tree DIR SERIES PATHS...: fill DIR with PATHS of the source, or with all of it
source_tree()
{
	local dir=$1 series=$2 deb tarball=linux-source-$2
	shift 2
	deb=$(download "$tarball")
	dpkg-deb --fsys-tarfile "$deb" | tar -x -O "./usr/src/$tarball.tar.xz" | xz -dc |
		tar -x -C "$dir" --strip-components=1 --no-anchored "${@/#/$tarball/}"
	rm -r "${deb%/*}"
}

ready_only=
case ${1:-} in
--ready) ready_only=1; shift ;;
--help) usage; exit ;;
esac
[ $# -eq 1 ] || { usage >&2; exit 2; }
series=${1#*-}
case $1 in
stock-6.1 | stock-6.12)
	known "$(meta "$series" image)"
	cached "$1-$(field "$(meta "$series" headers)" Version)" stock "$series"
	;;
debug-6.1 | debug-6.12) own_kernel "$1" "$series" ;;
uml) own_kernel uml 6.1 ;;
src-6.1 | src-6.12)
	known "linux-source-$series"
	cached "$1-$(field "linux-source-$series" Version)" source_tree "$series" "${source_parts[@]}"
	;;
full-6.1 | full-6.12)
	known "linux-source-$series"
	cached "$1-$(field "linux-source-$series" Version)" source_tree "$series"
	;;
*) usage >&2; exit 2 ;;
esac
