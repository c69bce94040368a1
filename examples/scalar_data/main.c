// SPDX-License-Identifier: MIT
/*
 * scalar_data: the orchestration reads and writes single elements between tasks, and each
 * access waits for exactly the tasks it depends on. What must come out is computed below
 * step by step as the orchestration does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"

#define CHECKS 9

struct data {
	float *a;
	float *b;
	float *result;
	float *want;
	float check[CHECKS];
};

static void oracle(const struct example *ex, struct data *d, float *want_check)
{
	float c0 = d->a[0] + d->b[0];
	const float checks[CHECKS] = {
		c0, d->a[100] + d->b[100], 77, 77, c0 + 77, 42, 10 + d->a[0], 88, 55,
	};

	memcpy(want_check, checks, sizeof(checks));
	for (unsigned long i = 0; i < ex->size; i++)
		d->want[i] = d->a[i] + (i ? d->b[i] : 0);
}

static bool run_once(struct example *ex, int cid, const struct pto_args *args, struct data *d,
		     unsigned long number)
{
	float want_check[CHECKS];

	for (unsigned long i = 0; i < ex->size; i++) {
		d->a[i] = 2;
		d->b[i] = i;
	}
	if (number) {	/* the first run has the numbers above, the others random ones */
		example_random(ex, d->a, ex->size);
		example_random(ex, d->b, ex->size);
	}
	oracle(ex, d, want_check);
	example_run(ex, cid, args);
	return example_check(ex, "check", d->check, want_check, CHECKS) &&
	       example_check(ex, "result", d->result, d->want, ex->size);
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "scalar_data",
		.about = "Reads and writes elements of tensors in the orchestration.",
		.repetitions = 10,
		.size = 16384,
		.min_size = 101,
	};
	struct pto_callable *callable;
	struct pto_args *args;
	struct data d = { 0 };
	bool good = true;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_add.so");
	example_kernel(&ex, callable, 1, PTO_CORE_AIV, "kernel_noop.so");
	cid = example_register(&ex, callable);
	d.a = example_alloc(&ex, ex.size, sizeof(float));
	d.b = example_alloc(&ex, ex.size, sizeof(float));
	d.result = example_alloc(&ex, ex.size, sizeof(float));
	d.want = example_alloc(&ex, ex.size, sizeof(float));
	args = pto_args_new();
	if (!args)
		example_fail(&ex, "no memory for arguments");
	example_host(&ex, args, PTO_IN, d.a, ex.size);
	example_host(&ex, args, PTO_IN, d.b, ex.size);
	example_host(&ex, args, PTO_OUT, d.result, ex.size);
	example_host(&ex, args, PTO_OUT, d.check, CHECKS);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, &d, i);
	if (good)
		printf("scalar_data: %lu runs, %d checks and %lu elements each, all right\n",
		       ex.repetitions, CHECKS, ex.size);
	pto_args_free(args);
	pto_callable_free(callable);
	free(d.a);
	free(d.b);
	free(d.result);
	free(d.want);
	pto_close(ex.ctx);
	return !good;
}
