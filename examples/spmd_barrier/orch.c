// SPDX-License-Identifier: MIT
/*
 * spmd_barrier: one task of as many blocks as the device can run at once, which wait for each other
 * in the middle. That is why they have to start together.
 *
 * Arguments: x and y of int64, of one length.
 */
#include <pto/orch.h>

enum { FUNC_SCAN };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 2 };

	(void)args;
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t blocks = pto_available_aiv(rt);
	struct pto_create_info infos[] = {
		pto_create_1d(PTO_DTYPE_INT64, blocks),
		pto_create_1d(PTO_DTYPE_UINT32, 1),
	};
	struct pto_task_args task;
	struct pto_task alloc;

	pto_create_set_value(&infos[1], 0);
	alloc = pto_alloc_tensors(rt, infos, 2);
	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_output_existing(&task, pto_orch_tensor(args, 1));
	pto_add_inout(&task, pto_task_output(&alloc, 0));
	pto_add_inout(&task, pto_task_output(&alloc, 1));
	pto_set_block_num(&task, blocks);
	pto_set_sync_start(&task, 1);
	pto_submit_aiv(rt, FUNC_SCAN, &task);
}
