// SPDX-License-Identifier: MIT
/*
 * z = x + s. Arguments: tensors x, z of float32, contiguous, of one length; scalars s (f32) and
 * the number of arguments that matter.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *x = pto_arg_data(args, 0);
	float *z = pto_arg_data(args, 1);
	float s = pto_arg_f32(args, 2);
	uint64_t n = pto_arg_tensor(args, 1)->extent;

	for (uint64_t i = 0; i < n; i++)
		z[i] = x[i] + s;
}
