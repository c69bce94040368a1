// SPDX-License-Identifier: GPL-2.0
/* Crashes as scalar 0 says. */
#include <pto/kernel.h>

#define CRASH_HERE
#include "crash.h"

void kernel_entry(int64_t *args)
{
	crash((uint64_t)args[0]);
}
