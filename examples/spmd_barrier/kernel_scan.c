// SPDX-License-Identifier: MIT
/*
 * Running sums of a vector by blocks that work side by side: y[i] = x[0] + ... + x[i]. Arguments:
 * tensors x and y of int64, contiguous, of one length; sums of int64, one for each block; arrived,
 * one uint32, 0 at first.
 *
 * Each block sums its own part. When all have done so, each adds what the blocks before it
 * have in sum. The step in between is the barrier: say that you are there, wait until all are.
 */
#include <pto/kernel.h>

static int64_t scan(const int64_t *x, int64_t *y, uint64_t begin, uint64_t end)
{
	int64_t sum = 0;

	for (uint64_t i = begin; i < end; i++) {
		sum += x[i];
		y[i] = sum;
	}
	return sum;
}

void kernel_entry(int64_t *args)
{
	uint64_t block = pto_block_idx(args), blocks = pto_block_num(args);
	uint64_t n = pto_arg_tensor(args, 0)->extent;
	uint64_t begin = n * block / blocks, end = n * (block + 1) / blocks;
	int64_t *y = pto_arg_data(args, 1);
	int64_t *sums = pto_arg_data(args, 2), before = 0;
	uint32_t *arrived = pto_arg_data(args, 3);

	sums[block] = scan(pto_arg_data(args, 0), y, begin, end);

	pto_notify(args, arrived, 1);
	pto_wait_ge(args, arrived, blocks);

	for (uint64_t i = 0; i < block; i++)
		before += sums[i];
	for (uint64_t i = begin; i < end; i++)
		y[i] += before;
}
