// SPDX-License-Identifier: MIT
/* early_exit: square roots by an iteration that ends when nothing changes; see orch.c. */
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

#define MOST_STEPS 60

struct roots {
	float *a;
	float *x;
	float *want;
	int32_t state[2];
};

/* Inputs from a thousandth to a million; anything above the root is a start. */
static void make_inputs(struct example *ex, struct roots *r)
{
	for (unsigned long i = 0; i < ex->size; i++) {
		r->a[i] = example_uniform(ex, 0.001f, 1);
		for (uint32_t digits = example_below(ex, 7); digits; digits--)
			r->a[i] *= 10;
		r->x[i] = r->a[i] > 1 ? r->a[i] : 1;
	}
	r->state[0] = 1;
	r->state[1] = 0;
}

/* The same steps in plain C. Returns: how many */
static int oracle(const struct example *ex, const struct roots *r)
{
	bool changing = true;
	int steps = 0;

	for (unsigned long i = 0; i < ex->size; i++)
		r->want[i] = r->x[i];
	for (; changing && steps < MOST_STEPS; steps++) {
		changing = false;
		for (unsigned long i = 0; i < ex->size; i++) {
			float next = (r->want[i] + r->a[i] / r->want[i]) / 2;

			changing |= next < r->want[i];
			r->want[i] = next < r->want[i] ? next : r->want[i];
		}
	}
	return steps;
}

static bool run_once(struct example *ex, int cid, const struct pto_args *args, struct roots *r)
{
	int steps;

	make_inputs(ex, r);
	steps = oracle(ex, r);
	example_run(ex, cid, args);
	if (r->state[1] != steps) {
		fprintf(stderr, "early_exit: %d steps ran, %d should have (seed %lu)\n",
			r->state[1], steps, ex->seed);
		return false;
	}
	return example_check(ex, "x", r->x, r->want, ex->size);
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "early_exit",
		.about = "Iterates on the device until nothing changes, by tasks with predicates.",
		.repetitions = 5,
		.size = 4096,
		.min_size = 1,
	};
	const uint32_t two[] = { 2 };
	struct pto_callable *callable;
	struct pto_args *args;
	struct roots r;
	bool good = true;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_step.so");
	cid = example_register(&ex, callable);
	args = example_args(&ex);
	r.a = example_alloc(&ex, ex.size, sizeof(float));
	r.x = example_alloc(&ex, ex.size, sizeof(float));
	r.want = example_alloc(&ex, ex.size, sizeof(float));
	example_host(&ex, args, PTO_IN, r.a, ex.size);
	example_host(&ex, args, PTO_INOUT, r.x, ex.size);
	example_tensor(&ex, args, PTO_INOUT, r.state, PTO_DTYPE_INT32, 1, two);
	pto_args_add_scalar(args, MOST_STEPS);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, &r);
	if (good)
		printf("early_exit: %lu runs of %lu roots, all right; the last took %d of %d steps\n",
		       ex.repetitions, ex.size, r.state[1], MOST_STEPS);
	pto_args_free(args);
	pto_callable_free(callable);
	free(r.a);
	free(r.x);
	free(r.want);
	pto_close(ex.ctx);
	return !good;
}
