// SPDX-License-Identifier: MIT
/*
 * mixed_example: tasks of every combination of cores. A cluster has one AIC core, for matrices,
 * and two AIV cores, for vectors; a mixed task runs a kernel on several cores of one cluster,
 * all with the same arguments. Five tasks an iteration, each of which could run beside the others:
 *
 *	1	AIC, AIV0, AIV1		C = A * B, F = D + E, I = G x H
 *	2	AIC			J = A * B
 *	3	AIV			K = D + E
 *	4	AIV0, AIV1		L = D + E, M = G x H
 *	5	AIC, AIV0		N = A * B, O = D + E
 *
 * Arguments: tensors A to O of float32. A and B are matrices [n, n], D, E, G and H have n * n
 * elements, the others n * n for each iteration.
 */
#include <pto/orch.h>

enum { FUNC_MATMUL, FUNC_ADD_3, FUNC_MUL_6, FUNC_ADD_0, FUNC_MUL_3 };
enum { A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, TENSORS };

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = { .expected_arg_count = TENSORS };

	(void)args;
	return config;
}

/**
 * struct iteration - the tensors of one iteration
 * @in: the inputs, the same in all
 * @out: this iteration's part of the outputs
 */
struct iteration {
	const struct pto_tensor *in[TENSORS];
	struct pto_tensor out[TENSORS];
};

static void add_triple(struct pto_task_args *task, const struct iteration *it, int x, int y, int z)
{
	pto_add_input(task, it->in[x]);
	pto_add_input(task, it->in[y]);
	pto_add_output_existing(task, &it->out[z]);
}

static void submit_five(struct pto_rt *rt, const struct iteration *it)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	add_triple(&task, it, A, B, C);
	add_triple(&task, it, D, E, F);
	add_triple(&task, it, G, H, I);
	pto_submit_mixed(rt, FUNC_MATMUL, FUNC_ADD_3, FUNC_MUL_6, &task);

	pto_task_args_init(&task);
	add_triple(&task, it, A, B, J);
	pto_submit_aic(rt, FUNC_MATMUL, &task);

	pto_task_args_init(&task);
	add_triple(&task, it, D, E, K);
	pto_submit_aiv(rt, FUNC_ADD_0, &task);

	pto_task_args_init(&task);
	add_triple(&task, it, D, E, L);
	add_triple(&task, it, G, H, M);
	pto_submit_mixed(rt, PTO_FUNC_NONE, FUNC_ADD_0, FUNC_MUL_3, &task);

	pto_task_args_init(&task);
	add_triple(&task, it, A, B, N);
	add_triple(&task, it, D, E, O);
	pto_submit_mixed(rt, FUNC_MATMUL, FUNC_ADD_3, PTO_FUNC_NONE, &task);
}

static void iterate(struct pto_rt *rt, const struct pto_orch_args *args, uint32_t number,
		    uint32_t elements)
{
	uint32_t first = number * elements;
	struct iteration it;

	for (int i = 0; i < TENSORS; i++) {
		it.in[i] = pto_orch_tensor(args, i);
		if ((i == C || i == F || i >= I) &&
		    pto_tensor_view(it.in[i], &elements, &first, &it.out[i])) {
			pto_report_fatal(rt, PTO_FATAL_INVALID_ARGS, "tensor %d is too short", i);
			return;
		}
	}
	PTO_SCOPE(rt)
		submit_five(rt, &it);
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t elements = pto_orch_tensor(args, D)->shapes[0];
	uint32_t iterations = pto_orch_tensor(args, C)->shapes[0] / elements;

	for (uint32_t i = 0; i < iterations && !pto_is_fatal(rt); i++)
		iterate(rt, args, i, elements);
}
