// SPDX-License-Identifier: GPL-2.0
/* The simulator in a program, and libpto.so. */
#include "archive.c"
