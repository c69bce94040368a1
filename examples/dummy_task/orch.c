// SPDX-License-Identifier: MIT
/*
 * dummy_task: tasks without a kernel. They execute nothing, but have dependencies like other
 * tasks, so they join and fork chains of dependencies. In each case a value is written to X[0],
 * and copied to Y[0] after one or more dummies:
 *
 *	1	one dummy that has X as INOUT
 *	2	four of them, one after the other
 *	3	a barrier: a dummy that waits for two writers, and the copy for it
 *	4	eighteen dummies that wait for the writer, and the copy for all of them
 *
 * Arguments: tensors X, Y, W of float32; scalar, the case.
 */
#include <pto/orch.h>

enum { FUNC_WRITE, FUNC_COPY };

#define FAN 18

struct run {
	struct pto_rt *rt;
	const struct pto_tensor *x;
	const struct pto_tensor *y;
	const struct pto_tensor *w;
};

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 4 };

	(void)args;
	return config;
}

static uint64_t write_value(const struct run *run, const struct pto_tensor *t)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, t);
	return pto_submit_aiv(run->rt, FUNC_WRITE, &task).id;
}

static uint64_t dummy_on_tensor(const struct run *run, const struct pto_tensor *t)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, t);
	return pto_submit_dummy(run->rt, &task).id;
}

static uint64_t dummy_on_tasks(const struct run *run, const uint64_t *ids, uint32_t count)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_set_dependencies(&task, ids, count);
	return pto_submit_dummy(run->rt, &task).id;
}

static void copy(const struct run *run, const uint64_t *ids, uint32_t count)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, run->x);
	pto_add_inout(&task, run->y);
	pto_set_dependencies(&task, ids, count);
	pto_submit_aiv(run->rt, FUNC_COPY, &task);
}

static void chain(const struct run *run, int dummies)
{
	write_value(run, run->x);
	while (dummies--)
		dummy_on_tensor(run, run->x);
	copy(run, NULL, 0);
}

static void barrier(const struct run *run)
{
	uint64_t writers[] = { write_value(run, run->x), write_value(run, run->w) };
	uint64_t dummy = dummy_on_tasks(run, writers, 2);

	copy(run, &dummy, 1);
}

static void fan(const struct run *run)
{
	uint64_t writer = write_value(run, run->x), dummies[FAN];

	for (int i = 0; i < FAN; i++)
		dummies[i] = dummy_on_tasks(run, &writer, 1);
	copy(run, dummies, FAN);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct run run = {
		rt, pto_orch_tensor(args, 0), pto_orch_tensor(args, 1), pto_orch_tensor(args, 2),
	};
	uint64_t number = pto_orch_scalar(args, 0);

	switch (number) {
	case 1:
		chain(&run, 1);
		break;
	case 2:
		chain(&run, 4);
		break;
	case 3:
		barrier(&run);
		break;
	case 4:
		fan(&run);
		break;
	default:
		pto_report_fatal(rt, PTO_FATAL_INVALID_ARGS, "there is no case %llu",
				 (unsigned long long)number);
	}
}
