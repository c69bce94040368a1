// SPDX-License-Identifier: MIT
/*
 * vector_add: one task.
 *
 * Arguments: tensors a, b (in) and out (out), float32, one dimension, of one length.
 * Kernels: func_id 0 kernel_add (AIV).
 */
#include <pto/orch.h>

enum { FUNC_ADD };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 3 };

	(void)args;
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, 0));
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, FUNC_ADD, &task);
}
