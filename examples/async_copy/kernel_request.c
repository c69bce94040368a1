// SPDX-License-Identifier: MIT
/*
 * Requests a chunk of data, and returns. Arguments: tensor chunk, which the program on the host
 * fills; tensors asked and done of uint32, a word for each chunk; scalars: index of the chunk,
 * turn.
 *
 * The core is free as soon as the kernel returns. The task completes when the word in done has
 * reached the turn; then the task that reads the chunk begins. The answer may come at any moment,
 * also before the kernel returns.
 */
#include <pto/kernel.h>

void kernel_entry(int64_t *args)
{
	uint32_t *asked = pto_arg_data(args, 1);
	const uint32_t *done = pto_arg_data(args, 2);
	uint64_t chunk = pto_arg_u64(args, 3);
	uint32_t turn = pto_arg_u64(args, 4);

	pto_async_expect(args, &done[chunk], turn);
	__atomic_store_n(&asked[chunk], turn, __ATOMIC_RELEASE);
}
