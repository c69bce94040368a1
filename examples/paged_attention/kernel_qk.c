// SPDX-License-Identifier: MIT
/*
 * Scores of one block of keys: s = q * transpose(k). Arguments: tensors q [rows, d] and
 * k [keys, d] of bfloat16, s [rows, keys] of float32, all contiguous.
 */
#include <pto/kernel.h>

#include "../common/half.h"

static float dot(const uint16_t *x, const uint16_t *y, uint32_t n)
{
	float sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += bfloat_to_float(x[i]) * bfloat_to_float(y[i]);
	return sum;
}

void kernel_entry(int64_t *args)
{
	const struct pto_tensor *shape = pto_arg_tensor(args, 2);
	uint32_t rows = shape->shapes[0], keys = shape->shapes[1];
	uint32_t d = pto_arg_tensor(args, 0)->shapes[1];
	const uint16_t *q = pto_arg_data(args, 0);
	const uint16_t *k = pto_arg_data(args, 1);
	float *s = pto_arg_data(args, 2);

	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < keys; c++)
			s[r * keys + c] = dot(q + r * d, k + c * d, d);
}
