// SPDX-License-Identifier: MIT
/*
 * z = x * y: arguments 0 to 2, of float32; x and y are matrices [n, n], z has n * n elements in any
 * shape.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	uint32_t n = pto_arg_tensor(args, 0)->shapes[0];
	const float *x = pto_arg_data(args, 0);
	const float *y = pto_arg_data(args, 1);
	float *z = pto_arg_data(args, 2);

	for (uint32_t r = 0; r < n; r++, x += n, z += n) {
		for (uint32_t c = 0; c < n; c++)
			z[c] = 0;
		for (uint32_t k = 0; k < n; k++)
			for (uint32_t c = 0; c < n; c++)
				z[c] += x[k] * y[k * n + c];
	}
}
