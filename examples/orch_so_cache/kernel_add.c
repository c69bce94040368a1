// SPDX-License-Identifier: MIT
/* z = x + y. Arguments: tensors x, y, z of float32, contiguous, of one length. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *x = pto_arg_data(args, 0);
	const float *y = pto_arg_data(args, 1);
	float *z = pto_arg_data(args, 2);
	uint64_t n = pto_arg_tensor(args, 2)->extent;

	for (uint64_t i = 0; i < n; i++)
		z[i] = x[i] + y[i];
}
