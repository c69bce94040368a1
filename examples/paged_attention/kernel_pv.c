// SPDX-License-Identifier: MIT
/*
 * Values of one block, weighted: o = p * v. Arguments: tensors p [rows, keys] and v [keys, d] of
 * bfloat16, o [rows, d] of float32, all contiguous.
 */
#include <pto/kernel.h>

#include "../common/half.h"

void kernel_entry(int64_t *args)
{
	const struct pto_tensor *shape = pto_arg_tensor(args, 2);
	uint32_t rows = shape->shapes[0], d = shape->shapes[1];
	uint32_t keys = pto_arg_tensor(args, 0)->shapes[1];
	const uint16_t *p = pto_arg_data(args, 0);
	const uint16_t *v = pto_arg_data(args, 1);
	float *o = pto_arg_data(args, 2);

	for (uint32_t r = 0; r < rows; r++, p += keys, o += d) {
		for (uint32_t i = 0; i < d; i++)
			o[i] = 0;
		for (uint32_t c = 0; c < keys; c++)
			for (uint32_t i = 0; i < d; i++)
				o[i] += bfloat_to_float(p[c]) * bfloat_to_float(v[c * d + i]);
	}
}
