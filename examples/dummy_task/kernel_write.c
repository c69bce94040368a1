// SPDX-License-Identifier: MIT
/* x[0] = 42. Arguments: tensor x of float32. */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	*(float *)pto_arg_data(args, 0) = 42;
}
