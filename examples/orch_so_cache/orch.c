// SPDX-License-Identifier: MIT
/*
 * orch_so_cache: out = (a OP b) OP b, where OP is whatever kernel has func_id 0. Arguments: a, b,
 * out of float32, of one length.
 */
#include <pto/orch.h>

enum { FUNC_OP };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 3 };

	(void)args;
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *a = pto_orch_tensor(args, 0);
	struct pto_create_info like_a = pto_create(a->dtype, a->ndims, a->shapes);
	struct pto_task_args task;
	struct pto_task once;

	pto_task_args_init(&task);
	pto_add_input(&task, a);
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output(&task, &like_a);
	once = pto_submit_aiv(rt, FUNC_OP, &task);

	pto_task_args_init(&task);
	pto_add_input(&task, pto_task_output(&once, 0));
	pto_add_input(&task, pto_orch_tensor(args, 1));
	pto_add_output_existing(&task, pto_orch_tensor(args, 2));
	pto_submit_aiv(rt, FUNC_OP, &task);
}
