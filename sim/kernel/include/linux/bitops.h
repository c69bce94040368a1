/* SPDX-License-Identifier: MIT */
#include <linux/bitmap.h>
