// SPDX-License-Identifier: MIT
/* mixed_example: tasks that run on several cores of a cluster; see orch.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"

#define SIDE 128
#define ELEMENTS (SIDE * SIDE)
#define TENSORS 15
#define TOLERANCE 0.001

/* What a tensor holds: an input, or what is computed from the inputs. */
enum content { INPUT, PRODUCT, SUM, ELEMENTWISE, CONTENTS };

/* Of A to O. */
static const enum content contents[TENSORS] = {
	INPUT, INPUT, PRODUCT, INPUT, INPUT, SUM, INPUT, INPUT, ELEMENTWISE,
	PRODUCT, SUM, SUM, ELEMENTWISE, PRODUCT, SUM,
};

struct problem {
	float *tensor[TENSORS];
	double *want[CONTENTS];
};

/* A normal distribution, from two uniform numbers (Box and Muller). */
static float normal(struct example *ex)
{
	double radius = sqrt(-2 * log(1 - (double)example_uniform(ex, 0, 1)));

	return radius * cos(2 * M_PI * example_uniform(ex, 0, 1)) * 0.01;
}

static void oracle(const struct problem *p)
{
	const float *a = p->tensor[0], *b = p->tensor[1], *d = p->tensor[3], *e = p->tensor[4];
	const float *g = p->tensor[6], *h = p->tensor[7];

	memset(p->want[PRODUCT], 0, ELEMENTS * sizeof(double));
	for (int r = 0; r < SIDE; r++)
		for (int k = 0; k < SIDE; k++)
			for (int c = 0; c < SIDE; c++)
				p->want[PRODUCT][r * SIDE + c] +=
					(double)a[r * SIDE + k] * b[k * SIDE + c];
	for (int i = 0; i < ELEMENTS; i++) {
		p->want[SUM][i] = (double)d[i] + e[i];
		p->want[ELEMENTWISE][i] = (double)g[i] * h[i];
	}
}

static struct pto_args *make_problem(struct example *ex, struct problem *p)
{
	const uint32_t matrix[] = { SIDE, SIDE };
	struct pto_args *args = example_args(ex);

	for (int i = 0; i < TENSORS; i++) {
		bool input = contents[i] == INPUT;
		size_t count = ELEMENTS * (input ? 1 : ex->size);

		p->tensor[i] = example_alloc(ex, count, sizeof(float));
		if (i < 2)
			example_tensor(ex, args, PTO_IN, p->tensor[i], PTO_DTYPE_FLOAT32, 2,
				       matrix);
		else
			example_host(ex, args, input ? PTO_IN : PTO_OUT, p->tensor[i], count);
	}
	for (int i = INPUT + 1; i < CONTENTS; i++)
		p->want[i] = example_alloc(ex, ELEMENTS, sizeof(double));
	return args;
}

static void free_problem(struct problem *p)
{
	for (int i = 0; i < TENSORS; i++)
		free(p->tensor[i]);
	for (int i = 0; i < CONTENTS; i++)
		free(p->want[i]);
}

static bool check(struct example *ex, const struct problem *p)
{
	for (int i = 0; i < TENSORS; i++) {
		char name[] = { 'A' + i, '\0' };

		for (unsigned long k = 0; contents[i] != INPUT && k < ex->size; k++)
			if (example_near(ex, name, p->tensor[i] + k * ELEMENTS,
					 p->want[contents[i]], ELEMENTS, TOLERANCE, NULL) < 0)
				return false;
	}
	return true;
}

static bool run_once(struct example *ex, int cid, const struct pto_args *args, struct problem *p)
{
	for (int i = 0; i < TENSORS; i++)
		for (int k = 0; contents[i] == INPUT && k < ELEMENTS; k++)
			p->tensor[i][k] = normal(ex);
	oracle(p);
	example_run(ex, cid, args);
	return check(ex, p);
}

int main(int argc, char **argv)
{
	static const char * const kernels[] = {
		"kernel_matmul.so", "kernel_add_3.so", "kernel_mul_6.so", "kernel_add_0.so",
		"kernel_mul_3.so",
	};
	struct example ex = {
		.name = "mixed_example",
		.about = "Runs tasks of every combination of AIC and AIV cores.",
		.repetitions = 3,
		.size = 4,
		.min_size = 1,
		.max_size = 1000,
		.size_what = "iterations",
	};
	struct pto_callable *callable;
	struct problem p = { 0 };
	struct pto_args *args;
	bool good = true;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	for (int i = 0; i < 5; i++)
		example_kernel(&ex, callable, i, i ? PTO_CORE_AIV : PTO_CORE_AIC, kernels[i]);
	cid = example_register(&ex, callable);
	args = make_problem(&ex, &p);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, &p);
	if (good)
		printf("mixed_example: %lu runs of %lu iterations, 5 tasks and 9 tensors each, all right\n",
		       ex.repetitions, ex.size);
	free_problem(&p);
	pto_args_free(args);
	pto_callable_free(callable);
	pto_close(ex.ctx);
	return !good;
}
