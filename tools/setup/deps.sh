#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Install the Debian packages that a target needs. Does nothing, at once, when all are there.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

usage()
{
	cat <<'USAGE'
usage: tools/setup/deps.sh GROUP...

Installs with apt what is missing of the groups, as root or through sudo:
  build   compile libpto, the simulator, the tools and the examples
  module  compile the module, for Debian's kernels or our own
  fetch   get kernels and pieces of their source (tools/setup/kernel.sh)
  test    run the tests on the simulator
  vm      run the tests in QEMU and user-mode Linux
  style   make check-style
  bench   build the task runtimes that ours is measured beside (make bench)
  kernel  build the debug and user-mode kernels (tools/vm/build-kernel.sh)
  fresh   run something on a fresh system (tools/test/fresh-root)
USAGE
}

# The packages of a group
packages()
{
	case $1 in
	build) echo gcc libc6-dev make pkg-config libelf-dev nettle-dev libdrm-dev ;;
	# (kernel.sh unpacks the kernels' packages, so what they depend on is not installed with them.)
	module) echo gcc-12 make libelf-dev pahole ;;
	fetch) echo binutils xz-utils zstd ;;
	test) echo gcc g++ clang perl xz-utils zstd libc6-dev busybox-static procps valgrind ;;
	vm) echo qemu-system-x86 busybox-static cpio xz-utils zstd gcc-12 binutils perl ;;
	style) echo abigail-tools sparse shellcheck mandoc perl clang gcc g++ gcc-multilib git xz-utils ;;
	bench) echo gcc libgomp1 clang libomp-dev libstarpu-dev ;;
	kernel) echo gcc-12 make bc flex bison libelf-dev perl xz-utils zstd ;;
	fresh) echo mmdebstrap mount git ;;
	*) return 1 ;;
	esac
}

# Why a group is wanted, for the person who reads what is about to happen
reason()
{
	case $1 in
	build) echo "to compile (libelf reads callables, nettle has SHA-256, libdrm shares buffers)" ;;
	module) echo "to compile the module" ;;
	fetch) echo "to unpack kernels" ;;
	test) echo "to run the tests on the simulator" ;;
	vm) echo "to run the tests in virtual machines" ;;
	style) echo "to check style, headers, scripts and man pages" ;;
	bench) echo "to measure our task runtime beside libgomp, libomp and StarPU" ;;
	kernel) echo "to build test kernels" ;;
	fresh) echo "to make a fresh Debian system to run in" ;;
	esac
}

# One a line, of those that are asked for (dpkg-query fails if it does not know one)
installed()
{
	dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || :
}

# Does apt know all of these? Not on a machine whose package lists were never fetched.
all_known()
{
	[ "$(apt-cache show --no-all-versions "$@" 2>/dev/null | grep -c '^Package: ')" -ge $# ]
}

declare -A missing=()
reasons=
[ $# -gt 0 ] || { usage >&2; exit 2; }
for group in "$@"; do
	[ "$group" != --help ] || { usage; exit 0; }
	list=$(packages "$group") || { usage >&2; exit 2; }
	# shellcheck disable=SC2086 # words
	there=$(installed $list)
	for package in $list; do
		[[ $'\n'$there$'\n' != *$'\n'$package$'\n'* ]] || continue
		missing[$package]=1
		case $reasons in
		*"$(reason "$group")"*) ;;
		*) reasons="$reasons${reasons:+; }$(reason "$group")" ;;
		esac
	done
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
	die "needs the packages ${!missing[*]}, and this machine has no apt to install them with"
say "Installing with apt: ${!missing[*]}"
say "  $reasons"
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# try COMMAND...: quiet if it works
try()
{
	as_root "$@" >"$log" 2>&1
}

install_missing()
{
	try "${apt[@]}" install --no-install-recommends "${!missing[@]}"
}

if ! all_known "${!missing[@]}" || ! install_missing; then
	say "  fetching the package lists (apt-get update)"
	try "${apt[@]}" update || { cat "$log" >&2; die "apt-get update failed"; }
	install_missing || { cat "$log" >&2; die "apt-get install failed"; }
fi
