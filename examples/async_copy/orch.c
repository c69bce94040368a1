// SPDX-License-Identifier: MIT
/*
 * async_copy: for each chunk, a task that requests it from the host and a task that processes it.
 * The first task completes only when the chunk has been filled, so for the second task it is as if
 * the first one had filled it.
 *
 * Arguments: data [chunks, elements] of float32, filled from outside; asked and done [chunks] of
 * uint32; out [chunks, elements] of float32; scalar, the turn.
 */
#include <pto/orch.h>

enum { FUNC_REQUEST, FUNC_USE };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 5 };

	(void)args;
	return config;
}

static void request(struct pto_rt *rt, const struct pto_orch_args *args,
		    const struct pto_tensor *chunk, uint32_t number)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output_existing(&task, chunk);
	pto_add_no_dep(&task, pto_orch_tensor(args, 1));
	pto_add_no_dep(&task, pto_orch_tensor(args, 2));
	pto_add_scalar(&task, number);
	pto_add_scalar(&task, pto_orch_scalar(args, 0));
	pto_submit_aiv(rt, FUNC_REQUEST, &task);
}

static void use(struct pto_rt *rt, const struct pto_tensor *chunk, const struct pto_tensor *out)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, chunk);
	pto_add_output_existing(&task, out);
	pto_submit_aiv(rt, FUNC_USE, &task);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *data = pto_orch_tensor(args, 0);
	const struct pto_tensor *out = pto_orch_tensor(args, 3);
	struct pto_tensor chunk, result;

	for (uint32_t i = 0; i < data->shapes[0]; i++) {
		if (pto_tensor_slice(data, 0, i, i + 1, 1, &chunk) ||
		    pto_tensor_slice(out, 0, i, i + 1, 1, &result)) {
			pto_report_fatal(rt, PTO_FATAL_INVALID_ARGS, "out is too small");
			return;
		}
		request(rt, args, &chunk, i);
		use(rt, &chunk, &result);
	}
}
