// SPDX-License-Identifier: GPL-2.0
/* Never returns. */
#include <unistd.h>

#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	for (;;)
		pause();
}
