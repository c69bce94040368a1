// SPDX-License-Identifier: GPL-2.0
/*
 * Its last scalar is how many conditions it registers, on element 0 of tensor 0, all of which hold.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const uint32_t *counter = pto_arg_data(args, 0);
	uint64_t count = pto_arg_u64(args, 1);

	/* Of many tensors, the second argument is one, too. */
	for (uint64_t i = 0; count < 1000 && i < count; i++)
		pto_async_expect(args, counter, 0);
}
