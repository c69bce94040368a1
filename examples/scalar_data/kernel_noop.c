// SPDX-License-Identifier: MIT
/* Does nothing. Arguments: any. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	(void)args;
}
