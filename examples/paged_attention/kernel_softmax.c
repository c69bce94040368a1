// SPDX-License-Identifier: MIT
/*
 * Softmax of one block, not yet divided by its sum: for each row m = max(scale * s),
 * p = exp(scale * s - m) rounded to bfloat16, l = sum(p). Arguments: tensors s [rows, valid] of
 * float32, a view whose rows are a whole block apart; p [rows, keys] of bfloat16; m and l
 * [rows] of float32; scalar scale (f32). A block that the sequence ends in has fewer valid
 * keys than p has columns: the others count as minus infinity, so their p is 0.
 */
#include <math.h>

#include <pto/kernel.h>

#include "../common/half.h"

static float maximum(const float *s, uint32_t n, float scale)
{
	float max = scale * s[0];

	for (uint32_t i = 1; i < n; i++)
		max = fmaxf(max, scale * s[i]);
	return max;
}

void kernel_entry(int64_t *args)
{
	const struct pto_tensor *scores = pto_arg_tensor(args, 0);
	uint32_t rows = scores->shapes[0], valid = scores->shapes[1];
	uint32_t keys = pto_arg_tensor(args, 1)->shapes[1];
	const float *s = pto_arg_data(args, 0);
	uint16_t *p = pto_arg_data(args, 1);
	float *m = pto_arg_data(args, 2);
	float *l = pto_arg_data(args, 3);
	float scale = pto_arg_f32(args, 4);

	for (uint32_t r = 0; r < rows; r++) {
		m[r] = maximum(s, valid, scale);
		l[r] = 0;
		for (uint32_t c = 0; c < keys; c++) {
			p[c] = c < valid ? float_to_bfloat(expf(scale * s[c] - m[r])) : 0;
			l[r] += bfloat_to_float(p[c]);
		}
		s += scores->strides[0];
		p += keys;
	}
}
