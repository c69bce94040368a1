// SPDX-License-Identifier: MIT
/*
 * Leaves, but its task shall complete only when counters have become 1. Arguments: tensor of one
 * uint32, the counter; scalars: how many conditions it registers, and how many bytes behind the
 * counter's address it puts them.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	const char *counter = pto_arg_data(args, 0);
	uint64_t conditions = pto_arg_u64(args, 1);

	counter += pto_arg_u64(args, 2);
	while (conditions--)
		pto_async_expect(args, (const void *)counter, 1);
}
