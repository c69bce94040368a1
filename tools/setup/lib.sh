# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts of tools/ share. To be sourced.

PTO_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where downloaded and unpacked kernel material is kept between runs.
PTO_CACHE=${PTO_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pto}
# Where ready test kernels are looked for before one is built.
PTO_KERNELS=${PTO_KERNELS:-$PTO_TOP/../shared/kernels}

# No script ends without a word.
set -E
trap 'on_error $LINENO "$BASH_COMMAND"' ERR

on_error()
{
	[ "$BASH_SUBSHELL" -gt 0 ] || say "${0##*/}: line $1: this failed: ${2%%$'\n'*}"
}

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit "${die_status:-1}"
}

# as_root COMMAND...: run a command as root, through sudo if need be
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "must run as root: $* (this user is not root, and there is no sudo)"
	fi
}

# helper SOURCE DIR: print the path of a small program of ours in DIR, built if need be
helper()
{
	local program
	program=$2/$(basename "$1" .c)
	if [ "$program" -ot "$1" ]; then
		mkdir -p "$2"
		gcc -std=gnu11 -O2 -Wall -Wextra -o "$program.$$" "$1" ||
			die "cannot build $1: tools/setup/deps.sh build"
		mv "$program.$$" "$program"
	fi
	echo "$program"
}
