// SPDX-License-Identifier: MIT
/*
 * early_exit: an iteration with as many steps as are needed. Their number becomes known only on
 * the device, during the computation. Reading a value after each step would wait for each. Instead
 * the orchestration submits the highest possible number of steps, each with the predicate that the
 * step before it has changed something. Steps after the end complete without running.
 *
 * Arguments: a and x of float32, x at least the roots of a; state, two int32: 1, 0 at first;
 * scalar, the most steps.
 */
#include <pto/orch.h>

enum { FUNC_STEP };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 4 };

	(void)args;
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *state = pto_orch_tensor(args, 2);
	uint64_t steps = pto_orch_scalar(args, 0);
	struct pto_task_args task;
	uint32_t changing = 0;

	while (steps--) {
		pto_task_args_init(&task);
		pto_add_input(&task, pto_orch_tensor(args, 0));
		pto_add_inout(&task, pto_orch_tensor(args, 1));
		pto_add_inout(&task, state);
		pto_set_predicate(&task, state, 1, &changing, PTO_PREDICATE_NE, 0);
		pto_submit_aiv(rt, FUNC_STEP, &task);
	}
}
