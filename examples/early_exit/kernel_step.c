// SPDX-License-Identifier: MIT
/*
 * One step of Newton's method for square roots: x = (x + a / x) / 2. Arguments: tensors a and x of
 * float32, contiguous, of one length; state, two int32: has this step changed anything, steps so
 * far. From above a root the steps only fall, until rounding makes them stand still or rise.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const float *a = pto_arg_data(args, 0);
	float *x = pto_arg_data(args, 1);
	int32_t *state = pto_arg_data(args, 2);
	uint64_t n = pto_arg_tensor(args, 1)->extent;

	state[0] = 0;
	state[1]++;
	for (uint64_t i = 0; i < n; i++) {
		float next = (x[i] + a[i] / x[i]) / 2;

		if (next < x[i])
			state[0] = 1;
		x[i] = next < x[i] ? next : x[i];
	}
}
