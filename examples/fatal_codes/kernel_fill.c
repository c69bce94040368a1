// SPDX-License-Identifier: MIT
/* x = 42. Arguments: tensor x of float32, contiguous. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	float *x = pto_arg_data(args, 0);
	uint64_t n = pto_arg_tensor(args, 0)->extent;

	for (uint64_t i = 0; i < n; i++)
		x[i] = 42;
}
