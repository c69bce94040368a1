// SPDX-License-Identifier: GPL-2.0
/*
 * Counts its own calls in static data, and writes the count to all elements of the third tensor, of
 * floats. So each load of this object has a count of its own.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	static uint32_t calls;
	float *f = pto_arg_data(args, 2);
	uint32_t count = pto_arg_tensor(args, 2)->shapes[0];

	calls++;
	for (uint32_t i = 0; i < count; i++)
		f[i] = calls;
}
