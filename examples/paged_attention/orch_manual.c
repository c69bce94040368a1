// SPDX-License-Identifier: MIT
/*
 * paged_attention with explicit dependencies: the same tasks as orch.c, in one MANUAL scope for
 * each tile. There tensors order nothing, so looking them up costs nothing, and every task
 * names what it waits for. A named task's outputs also stay as long as who names it needs them;
 * that is why the merge names the softmax, which it would not have to wait for (it waits for
 * the values, which waited for it), and why the last one names the task that owns the sums.
 */
#include "attention.h"

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 7 };

	(void)args;
	return config;
}

/* Returns: the merge, which that of the next block waits for */
static uint64_t run_block(const struct attention *at, const struct tile *tile, uint32_t number,
			  uint64_t before)
{
	struct pto_task qk, softmax, pv, update;
	uint64_t update_waits[4];
	struct block block;

	if (!block_start(at, tile, number, &block))
		return PTO_NO_TASK;
	qk = submit_qk(at, tile, &block);
	softmax = submit_softmax(at, tile, &block, &qk, &qk.id, 1);
	pv = submit_pv(at, tile, &block, &softmax, &softmax.id, 1);
	update_waits[0] = softmax.id;
	update_waits[1] = pv.id;
	update_waits[2] = before;
	update_waits[3] = block.last ? tile->owner : PTO_NO_TASK;
	update = submit_update(at, tile, &block, &softmax, &pv, update_waits, 4);
	return update.id;
}

static void run_tile(const struct attention *at, uint32_t sequence, uint32_t head)
{
	uint64_t before = PTO_NO_TASK;
	struct tile tile;

	PTO_MANUAL_SCOPE(at->rt) {
		if (!tile_start(at, sequence, head, &tile))
			return;
		for (uint32_t i = 0; i < block_count(at, &tile) && !pto_is_fatal(at->rt); i++)
			before = run_block(at, &tile, i, before);
	}
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct attention at;

	if (attention_start(rt, args, &at))
		run_tiles(&at, run_tile);
}
