// SPDX-License-Identifier: MIT
/*
 * matmul_diamond: two products of one matrix, on AIC cores, between two vector tasks:
 *
 *	        b = sqrt(log(A))
 *	       /                \
 *	c = b * W1            d = b * W2
 *	       \                /
 *	        F = exp(c + d)
 *
 * Arguments: A, W1, W2 [n, n] of half, F [n, n] of float32.
 */
#include <pto/orch.h>

enum { FUNC_SQRT_LOG, FUNC_MATMUL, FUNC_EXP_SUM };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = 4 };

	(void)args;
	return config;
}

static struct pto_task sqrt_log(struct pto_rt *rt, const struct pto_tensor *a)
{
	struct pto_create_info like_a = pto_create(a->dtype, a->ndims, a->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, a);
	pto_add_output(&task, &like_a);
	return pto_submit_aiv(rt, FUNC_SQRT_LOG, &task);
}

static struct pto_task matmul(struct pto_rt *rt, const struct pto_tensor *b,
			      const struct pto_tensor *w)
{
	struct pto_create_info product = pto_create(PTO_DTYPE_FLOAT32, w->ndims, w->shapes);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, b);
	pto_add_input(&task, w);
	pto_add_output(&task, &product);
	return pto_submit_aic(rt, FUNC_MATMUL, &task);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task b = sqrt_log(rt, pto_orch_tensor(args, 0));
	struct pto_task c = matmul(rt, pto_task_output(&b, 0), pto_orch_tensor(args, 1));
	struct pto_task d = matmul(rt, pto_task_output(&b, 0), pto_orch_tensor(args, 2));
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_task_output(&c, 0));
	pto_add_input(&task, pto_task_output(&d, 0));
	pto_add_output_existing(&task, pto_orch_tensor(args, 3));
	pto_submit_aiv(rt, FUNC_EXP_SUM, &task);
}
