// SPDX-License-Identifier: GPL-2.0
/*
 * Has as many of something as scalar 1 says: see orch_limits.h. Tensor 0 is u32, of kernel_limits.
 */
#include <pto/orch.h>

#include "orch_limits.h"

static void many_scopes(struct pto_rt *rt, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		pto_scope_begin(rt, PTO_SCOPE_AUTO);
	for (uint32_t i = 1; i < count; i++)
		pto_scope_end(rt);
}

static void many_outputs(struct pto_rt *rt, uint32_t count)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_UINT8, 1);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	for (uint32_t i = 0; i < count && !pto_is_fatal(rt); i++)
		pto_submit_dummy(rt, &task);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);
	uint32_t what = (uint32_t)pto_orch_scalar(args, 0);
	uint32_t count = (uint32_t)pto_orch_scalar(args, 1);
	struct pto_task_args task;
	uint32_t i;

	pto_task_args_init(&task);
	for (i = 0; i < (what == LIMIT_TENSORS ? count : 1); i++)
		pto_add_input(&task, t);
	for (i = 0; i < (what == LIMIT_SCALARS ? count : 1); i++)
		pto_add_scalar(&task, what == LIMIT_CONDITIONS ? count : 0);
	for (i = 0; what == LIMIT_ADDED_DEPS && i < count; i++)
		pto_add_dep(&task, PTO_NO_TASK);
	if (what == LIMIT_BLOCKS || what == LIMIT_SYNC_START)
		pto_set_block_num(&task, count);
	pto_set_sync_start(&task, what == LIMIT_SYNC_START);
	if (what == LIMIT_SCOPES)
		many_scopes(rt, count);
	else if (what == LIMIT_OUTPUTS)
		many_outputs(rt, count);
	else
		pto_submit_aiv(rt, 0, &task);
}
