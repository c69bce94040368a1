// SPDX-License-Identifier: GPL-2.0
/* One AIV task of func_id 0 on three vectors: tensors 0 and 1 are read, 2 is written. */
#include <pto/orch.h>

#ifndef LEFT_TENSOR
#define LEFT_TENSOR 0
#endif

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	return (struct pto_orch_config) { .expected_arg_count = 3 };
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_orch_tensor(args, LEFT_TENSOR));
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, 0, &task);
}
