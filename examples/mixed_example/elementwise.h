/* SPDX-License-Identifier: MIT */
/*
 * z = x OP y on float32 tensors that are contiguous and of one length. FIRST is the argument that
 * x is; y and z follow. All parts of a mixed task get the same arguments, so a kernel has to
 * know which of them are its own.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *x = pto_arg_data(args, FIRST);
	const float *y = pto_arg_data(args, FIRST + 1);
	float *z = pto_arg_data(args, FIRST + 2);
	uint64_t n = pto_arg_tensor(args, FIRST + 2)->extent;

	for (uint64_t i = 0; i < n; i++)
		z[i] = x[i] OP y[i];
}
