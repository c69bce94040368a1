// SPDX-License-Identifier: MIT
/*
 * fatal_codes: every error that a program can end its run with, and one good run.
 *
 * Arguments: out, a tensor of float32, filled with 42 by the good run; scalar, the case.
 */
#include <pto/orch.h>

#include "cases.h"

enum { FUNC_FILL, FUNC_HANG, FUNC_EXPECT };

#define PRODUCERS 128

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 2 };

	(void)args;
	return config;
}

/* A task without a kernel that has an output of @elements. */
static struct pto_task dummy(struct pto_rt *rt, uint32_t elements)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, elements);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	return pto_submit_dummy(rt, &task);
}

static void good(struct pto_rt *rt, const struct pto_tensor *out)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output_existing(&task, out);
	pto_submit_aiv(rt, FUNC_FILL, &task);
}

/* --- rings ---------------------------------------------------------------- */

/* What a scope holds has to fit into its ring's window. */
static void long_scope(struct pto_rt *rt)
{
	PTO_SCOPE(rt) {
		for (int i = 0; i < 8; i++)
			dummy(rt, 1);
	}
}

/* More open scopes than there can be; the guards close those that were opened. */
static void deep_scopes(struct pto_rt *rt, int depth)
{
	PTO_SCOPE(rt) {
		if (depth)
			deep_scopes(rt, depth - 1);
	}
}

/* Scopes beyond the fourth depth share a ring, whose tasks they all hold. */
static void nested_scopes(struct pto_rt *rt, int depth)
{
	if (!depth)
		return;
	PTO_SCOPE(rt) {
		for (int i = 0; i < 3; i++)
			dummy(rt, 1);
		nested_scopes(rt, depth - 1);
	}
}

static void many_dependencies(struct pto_rt *rt)
{
	uint64_t producers[PRODUCERS];
	struct pto_task_args task;

	for (int i = 0; i < PRODUCERS; i++)
		producers[i] = dummy(rt, 1).id;
	pto_task_args_init(&task);
	pto_set_dependencies(&task, producers, PRODUCERS);
	pto_submit_dummy(rt, &task);
}

/* --- arguments -------------------------------------------------------------- */

static void null_dependencies(struct pto_rt *rt)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_set_dependencies(&task, NULL, 4);
	pto_submit_dummy(rt, &task);
}

/* Blocks that have to start together have to fit on the device together. */
static void wide_sync_start(struct pto_rt *rt, const struct pto_tensor *out)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, out);
	pto_set_block_num(&task, 1000);
	pto_set_sync_start(&task, 1);
	pto_submit_aiv(rt, FUNC_FILL, &task);
}

/* After an error all calls are harmless: they do nothing and give empty results. */
static void reported(struct pto_rt *rt, const struct pto_tensor *out)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_FLOAT32, 1);
	struct pto_task alloc = pto_alloc_tensors(rt, &info, 1);

	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "the program found %d reasons to give up", 3);
	pto_set_f32(rt, pto_task_output(&alloc, 0), 0, 1);
	alloc = pto_alloc_tensors(rt, &info, 1);
	pto_set_f32(rt, pto_task_output(&alloc, 0), 0,
		    pto_get_f32(rt, pto_task_output(&alloc, 0), 0));
	PTO_SCOPE(rt)
		good(rt, out);
}

/* --- what never ends ------------------------------------------------------------ */

static void hang(struct pto_rt *rt)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_FLOAT32, 1);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	pto_submit_aic(rt, FUNC_HANG, &task);
}

/* A task that waits for counters which nobody raises. */
static struct pto_task expect(struct pto_rt *rt, uint64_t conditions, uint64_t bytes_behind)
{
	struct pto_create_info counter = pto_create_1d(PTO_DTYPE_UINT32, 1);
	struct pto_task_args task;

	pto_create_set_value(&counter, 0);
	pto_task_args_init(&task);
	pto_add_output(&task, &counter);
	pto_add_scalar(&task, conditions);
	pto_add_scalar(&task, bytes_behind);
	return pto_submit_aiv(rt, FUNC_EXPECT, &task);
}

/* Reading a value waits for the task that writes it, but not for ever. */
static void read_of_waiting(struct pto_rt *rt)
{
	struct pto_task waiting = expect(rt, 1, 0);

	pto_get_u32(rt, pto_task_output(&waiting, 0), 0);
}

/* The device can await 4096 conditions at once; a kernel that registers one more waits. */
static void many_waiting_tasks(struct pto_rt *rt)
{
	for (int i = 0; i < 65; i++)
		expect(rt, 64, 0);
}

/*
 * Tasks each of which writes 32 elements. On the device, the regions of completed tasks are
 * forgotten, and if there is no room for one more, the orchestration waits. On the host no task
 * completes while the graph is built.
 */
static void many_regions(struct pto_rt *rt, const struct pto_tensor *out)
{
	struct pto_tensor views[PTO_TASK_MAX_TENSORS];
	uint32_t one = 1, next = 0;
	struct pto_task_args task;

	while (next + PTO_TASK_MAX_TENSORS <= out->shapes[0] && !pto_is_fatal(rt)) {
		pto_task_args_init(&task);
		for (int i = 0; i < PTO_TASK_MAX_TENSORS; i++, next++) {
			pto_tensor_view(out, &one, &next, &views[i]);
			pto_add_inout(&task, &views[i]);
		}
		pto_submit_dummy(rt, &task);
	}
}

static void hang_here(void)
{
	volatile int forever = 1;

	while (forever)
		;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *out = pto_orch_tensor(args, 0);

	switch ((enum fatal_case)pto_orch_scalar(args, 0)) {
	case CASE_GOOD:
		good(rt, out);
		break;
	case CASE_LONG_SCOPE:
		long_scope(rt);
		break;
	case CASE_LARGE_OUTPUT:
		dummy(rt, 8192);
		break;
	case CASE_NESTED_SCOPES:
		nested_scopes(rt, 8);
		break;
	case CASE_MANY_DEPENDENCIES:
		many_dependencies(rt);
		break;
	case CASE_NULL_DEPENDENCIES:
		null_dependencies(rt);
		break;
	case CASE_WIDE_SYNC_START:
		wide_sync_start(rt, out);
		break;
	case CASE_READ_OF_WAITING:
		read_of_waiting(rt);
		break;
	case CASE_REPORTED:
		reported(rt, out);
		break;
	case CASE_DEEP_SCOPES:
		deep_scopes(rt, PTO_MAX_SCOPE_DEPTH);
		break;
	case CASE_MANY_REGIONS:
		many_regions(rt, out);
		break;
	case CASE_HUNG_KERNEL:
		hang(rt);
		break;
	case CASE_WAITING_TASK:
		expect(rt, 1, 0);
		break;
	case CASE_HUNG_ORCHESTRATION:
		hang_here();
		break;
	case CASE_WRONG_CONDITION:
		expect(rt, 1, 1);
		break;
	case CASE_MANY_CONDITIONS:
		expect(rt, 65, 0);
		break;
	case CASE_MANY_WAITING_TASKS:
		many_waiting_tasks(rt);
		break;
	}
}
