// SPDX-License-Identifier: GPL-2.0
/* A kernel that does nothing. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
}
