// SPDX-License-Identifier: MIT
/* y = sqrt(log(x)). Arguments: tensors x, y of half, contiguous, of one length. */
#include <math.h>

#include <pto/kernel.h>

#include "../common/half.h"

void kernel_entry(int64_t *args)
{
	const uint16_t *x = pto_arg_data(args, 0);
	uint16_t *y = pto_arg_data(args, 1);
	uint64_t n = pto_arg_tensor(args, 1)->extent;

	for (uint64_t i = 0; i < n; i++)
		y[i] = float_to_half(sqrtf(logf(half_to_float(x[i]))));
}
