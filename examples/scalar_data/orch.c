// SPDX-License-Identifier: MIT
/*
 * scalar_data: elements that the orchestration reads and writes between its tasks.
 *
 * Arguments: tensors a, b (in), result and check (out), float32, one dimension; a, b and
 * result of one length above 100, check of 9 elements. b must be memory that the run may
 * change.
 * Kernels, AIV: func_id 0 kernel_add, 1 kernel_noop.
 */
#include <pto/orch.h>

enum { FUNC_ADD, FUNC_NOOP };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 4 };

	(void)args;
	return config;
}

static struct pto_task add(struct pto_rt *rt, const struct pto_tensor *x,
			   const struct pto_tensor *y)
{
	struct pto_create_info like_x = pto_create(x->dtype, x->ndims, x->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, x);
	pto_add_input(&task, y);
	pto_add_output(&task, &like_x);
	return pto_submit_aiv(rt, FUNC_ADD, &task);
}

/* A value that the runtime fills in, a task that may change it, and the program itself. */
static void use_scalar(struct pto_rt *rt, const struct pto_tensor *c,
		       const struct pto_tensor *check)
{
	struct pto_create_info one = pto_create_1d(PTO_DTYPE_FLOAT32, 1);
	const struct pto_tensor *s;
	struct pto_task_args task;
	struct pto_task alloc;

	pto_create_set_f32(&one, 77.0f);
	alloc = pto_alloc_tensors(rt, &one, 1);
	s = pto_task_output(&alloc, 0);
	pto_set_f32(rt, check, 2, pto_get_f32(rt, s, 0));

	pto_task_args_init(&task);
	pto_add_inout(&task, s);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
	pto_set_f32(rt, check, 3, pto_get_f32(rt, s, 0));
	pto_set_f32(rt, check, 4, pto_get_f32(rt, c, 0) + pto_get_f32(rt, s, 0));

	pto_set_f32(rt, s, 0, 42.0f);
	pto_set_f32(rt, check, 5, pto_get_f32(rt, s, 0));
}

/* A task that reads what the program wrote. */
static void write_before_task(struct pto_rt *rt, const struct pto_tensor *a,
			      const struct pto_tensor *check)
{
	struct pto_create_info like_a = pto_create(a->dtype, a->ndims, a->shapes);
	struct pto_task alloc, sum;
	const struct pto_tensor *d;

	alloc = pto_alloc_tensors(rt, &like_a, 1);
	d = pto_task_output(&alloc, 0);
	pto_set_f32(rt, d, 0, 10.0f);
	sum = add(rt, d, a);
	pto_set_f32(rt, check, 6, pto_get_f32(rt, pto_task_output(&sum, 0), 0));
}

/* Writes of the program that have to wait for a reader, and for a writer. */
static void write_after_task(struct pto_rt *rt, const struct pto_tensor *c,
			     const struct pto_tensor *b, const struct pto_tensor *check)
{
	struct pto_task_args task;

	add(rt, c, b);
	pto_set_f32(rt, c, 0, 88.0f);
	pto_set_f32(rt, check, 7, pto_get_f32(rt, c, 0));

	pto_task_args_init(&task);
	pto_add_output_existing(&task, b);
	pto_submit_aiv(rt, FUNC_NOOP, &task);
	pto_set_f32(rt, b, 0, 55.0f);
	pto_set_f32(rt, check, 8, pto_get_f32(rt, b, 0));
	pto_set_f32(rt, b, 0, 0.0f);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *a = pto_orch_tensor(args, 0);
	const struct pto_tensor *b = pto_orch_tensor(args, 1);
	const struct pto_tensor *result = pto_orch_tensor(args, 2);
	const struct pto_tensor *check = pto_orch_tensor(args, 3);
	const struct pto_tensor *c;
	struct pto_task_args task;
	struct pto_task sum;

	sum = add(rt, a, b);
	c = pto_task_output(&sum, 0);
	pto_set_f32(rt, check, 0, pto_get_f32(rt, c, 0));
	pto_set_f32(rt, check, 1, pto_get_f32(rt, c, 100));
	use_scalar(rt, c, check);
	write_before_task(rt, a, check);
	write_after_task(rt, c, b, check);

	pto_task_args_init(&task);
	pto_add_input(&task, a);
	pto_add_input(&task, b);
	pto_add_output_existing(&task, result);
	pto_submit_aiv(rt, FUNC_ADD, &task);
}
