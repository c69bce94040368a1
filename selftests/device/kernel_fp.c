// SPDX-License-Identifier: GPL-2.0
/* Changes the floating-point control words; tensor 0 counts when they were not the default ones. */
#include <pto/kernel.h>

#include "fp.h"

__attribute__((constructor)) static void begin(void)
{
	fp_set(FP_SPOILT);
}

void kernel_entry(int64_t *args)
{
	float *count = pto_arg_data(args, 0);

	*count += (float)fp_spoil();
}
