// SPDX-License-Identifier: MIT
/*
 * vector_example: f = (a + b + 1)(a + b + 2) + (a + b), in five tasks and two scopes.
 *
 *	t0: c = a + b		outer scope
 *	t1: d = c + 1		inner scope, as all that follow
 *	t2: e = c + 2
 *	t3: g = d * e
 *	t4: f = g + c
 *
 * What the tensors say makes six dependencies: t0-t1, t0-t2, t1-t3, t2-t3, t3-t4, t0-t4.
 *
 * Arguments: tensors a, b (in) and f (out), float32, one dimension, of one length.
 * Kernels, all AIV: func_id 0 kernel_add, 1 kernel_add_scalar, 2 kernel_mul.
 */
#include <pto/orch.h>

enum { FUNC_ADD, FUNC_ADD_SCALAR, FUNC_MUL };

#define ARGUMENTS 3	/* the last scalar of the kernels that take one */

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 3 };

	(void)args;
	return config;
}

static struct pto_task add_scalar(struct pto_rt *rt, const struct pto_tensor *x, float s)
{
	struct pto_create_info like_x = pto_create(x->dtype, x->ndims, x->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, x);
	pto_add_output(&task, &like_x);
	pto_add_f32(&task, s);
	pto_add_scalar(&task, ARGUMENTS);
	return pto_submit_aiv(rt, FUNC_ADD_SCALAR, &task);
}

static struct pto_task multiply(struct pto_rt *rt, const struct pto_tensor *x,
				const struct pto_tensor *y)
{
	struct pto_create_info like_x = pto_create(x->dtype, x->ndims, x->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, x);
	pto_add_input(&task, y);
	pto_add_output(&task, &like_x);
	pto_add_scalar(&task, ARGUMENTS);
	return pto_submit_aiv(rt, FUNC_MUL, &task);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *a = pto_orch_tensor(args, 0);
	const struct pto_tensor *b = pto_orch_tensor(args, 1);
	const struct pto_tensor *f = pto_orch_tensor(args, 2);
	struct pto_create_info like_a = pto_create(a->dtype, a->ndims, a->shapes);
	struct pto_task t0, t1, t2, t3;
	const struct pto_tensor *c;
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, a);
	pto_add_input(&task, b);
	pto_add_output(&task, &like_a);
	t0 = pto_submit_aiv(rt, FUNC_ADD, &task);
	c = pto_task_output(&t0, 0);

	PTO_SCOPE(rt) {
		t1 = add_scalar(rt, c, 1.0f);
		t2 = add_scalar(rt, c, 2.0f);
		t3 = multiply(rt, pto_task_output(&t1, 0), pto_task_output(&t2, 0));

		pto_task_args_init(&task);
		pto_add_input(&task, pto_task_output(&t3, 0));
		pto_add_input(&task, c);
		pto_add_output_existing(&task, f);
		pto_submit_aiv(rt, FUNC_ADD, &task);
	}
}
