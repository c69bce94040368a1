// SPDX-License-Identifier: GPL-2.0
/* f = a * b */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *a = pto_arg_data(args, 0);
	const float *b = pto_arg_data(args, 1);
	float *f = pto_arg_data(args, 2);
	uint32_t count = pto_arg_tensor(args, 2)->shapes[0];
	uint32_t i;

	for (i = 0; i < count; i++)
		f[i] = a[i] * b[i];
}
