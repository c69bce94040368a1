// SPDX-License-Identifier: GPL-2.0
/* The entry points that a fortified program with large files reaches. */
#include "entry_points.c"
