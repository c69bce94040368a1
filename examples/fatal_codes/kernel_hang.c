// SPDX-License-Identifier: MIT
/* Never returns. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	volatile int forever = 1;

	(void)args;
	while (forever)
		;
}
