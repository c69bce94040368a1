#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# compare.sh SIMULATOR KERNEL: the two tables that "PTO_TABLE=FILE table" wrote must be the
# same, byte for byte.

if [ $# -ne 2 ]; then
	echo "usage: $0 SIMULATOR-TABLE KERNEL-TABLE" >&2
	exit 2
fi

echo "TAP version 13"
echo "1..1"
rows=$(wc -l < "$1")
if [ "$rows" -gt 0 ] && cmp -s "$1" "$2"; then
	echo "ok 1 uapi: simulator and kernel agree in all $rows rows"
	exit 0
fi
diff -u "$1" "$2" | sed 's/^/# /'
echo "not ok 1 uapi: simulator and kernel differ"
exit 1
