// SPDX-License-Identifier: MIT
/* y = 2 * x + 1. Arguments: tensors x, y of float32, contiguous, of one length. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *x = pto_arg_data(args, 0);
	float *y = pto_arg_data(args, 1);
	uint64_t n = pto_arg_tensor(args, 1)->extent;

	for (uint64_t i = 0; i < n; i++)
		y[i] = 2 * x[i] + 1;
}
