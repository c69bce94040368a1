// SPDX-License-Identifier: MIT
/*
 * Online softmax: merge one block into what the blocks before it gave. Arguments, all of
 * float32: tensors m', l' [rows] and o' [rows, d] of the block; m, l, o, which hold the blocks
 * so far; out [rows, d]; scalars: is it the first block, is it the last.
 *
 * Each side's sums are relative to its own maximum, so both are brought to the common one.
 */
#include <math.h>

#include <pto/kernel.h>

struct rows {
	float *m;
	float *l;
	float *o;
};

static void merge_row(const struct rows *sum, const struct rows *block, uint32_t r, uint32_t d)
{
	float m = fmaxf(sum->m[r], block->m[r]);
	float old = expf(sum->m[r] - m);
	float new = expf(block->m[r] - m);

	sum->m[r] = m;
	sum->l[r] = old * sum->l[r] + new * block->l[r];
	for (uint32_t i = r * d; i < (r + 1) * d; i++)
		sum->o[i] = old * sum->o[i] + new * block->o[i];
}

static void copy_row(const struct rows *sum, const struct rows *block, uint32_t r, uint32_t d)
{
	sum->m[r] = block->m[r];
	sum->l[r] = block->l[r];
	for (uint32_t i = r * d; i < (r + 1) * d; i++)
		sum->o[i] = block->o[i];
}

void kernel_entry(int64_t *args)
{
	struct rows block = { pto_arg_data(args, 0), pto_arg_data(args, 1), pto_arg_data(args, 2) };
	struct rows sum = { pto_arg_data(args, 3), pto_arg_data(args, 4), pto_arg_data(args, 5) };
	const struct pto_tensor *shape = pto_arg_tensor(args, 5);
	uint32_t d = shape->shapes[1];
	float *out = pto_arg_data(args, 6);
	int first = pto_arg_u64(args, 7), last = pto_arg_u64(args, 8);

	for (uint32_t r = 0; r < shape->shapes[0]; r++) {
		if (first)
			copy_row(&sum, &block, r, d);
		else
			merge_row(&sum, &block, r, d);
		for (uint32_t i = r * d; last && i < (r + 1) * d; i++)
			out[i] = sum.o[i] / sum.l[r];
	}
}
