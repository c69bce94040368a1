// SPDX-License-Identifier: GPL-2.0
/* Writes where no page is. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	static volatile uintptr_t nobodys = 16;

	*(volatile uint32_t *)nobodys = 0xdead;
}
