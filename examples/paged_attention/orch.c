// SPDX-License-Identifier: MIT
/*
 * paged_attention: for each page of each sequence, scores -> softmax -> values -> merge. The
 * tensors say which task waits for which: within a page one after the other, pages of a
 * tile at the merge, tiles not at all. What a page needs is given back when its scope has ended
 * and its tasks have completed, so memory does not grow with the length of the sequences.
 *
 * Arguments: query [batch, heads, d], key cache and value cache [pages, block size, 1, d] of
 * bfloat16; block table [batch, pages of a sequence] and context lengths [batch] of int32; out
 * [batch, heads, d] of float32; scalar scale (f32).
 */
#include "attention.h"

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 7 };

	(void)args;
	return config;
}

static void run_block(const struct attention *at, const struct tile *tile, uint32_t number)
{
	struct pto_task qk, softmax, pv;
	struct block block;

	if (!block_start(at, tile, number, &block))
		return;
	qk = submit_qk(at, tile, &block);
	softmax = submit_softmax(at, tile, &block, &qk, NULL, 0);
	pv = submit_pv(at, tile, &block, &softmax, NULL, 0);
	submit_update(at, tile, &block, &softmax, &pv, NULL, 0);
}

static void run_tile(const struct attention *at, uint32_t sequence, uint32_t head)
{
	struct tile tile;

	PTO_SCOPE(at->rt) {
		if (!tile_start(at, sequence, head, &tile))
			return;
		for (uint32_t i = 0; i < block_count(at, &tile) && !pto_is_fatal(at->rt); i++) {
			PTO_SCOPE(at->rt)
				run_block(at, &tile, i);
		}
	}
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct attention at;

	if (attention_start(rt, args, &at))
		run_tiles(&at, run_tile);
}
