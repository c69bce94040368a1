// SPDX-License-Identifier: MIT
/* z = x * y. Arguments: matrices x, y [n, n] of half, z [n, n] of float32. */
#include <pto/kernel.h>

#include "../common/half.h"

void kernel_entry(int64_t *args)
{
	uint32_t n = pto_arg_tensor(args, 0)->shapes[0];
	const uint16_t *x = pto_arg_data(args, 0);
	const uint16_t *y = pto_arg_data(args, 1);
	float *z = pto_arg_data(args, 2);

	for (uint32_t r = 0; r < n; r++, x += n, z += n) {
		for (uint32_t c = 0; c < n; c++)
			z[c] = 0;
		for (uint32_t k = 0; k < n; k++) {
			float factor = half_to_float(x[k]);

			for (uint32_t c = 0; c < n; c++)
				z[c] += factor * half_to_float(y[k * n + c]);
		}
	}
}
