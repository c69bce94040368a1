// SPDX-License-Identifier: MIT
/*
 * matmul_diamond: exp(sqrt(log(A)) * W1 + sqrt(log(A)) * W2) in half precision; see orch.c. The
 * first run has A = e^4 and W1 = W2 = 1/n/2, which gives e^2 everywhere.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"
#include "../common/half.h"

#define TOLERANCE 0.01

struct problem {
	uint16_t *a;
	uint16_t *w1;
	uint16_t *w2;
	float *f;
	double *want;
};

static void make_inputs(struct example *ex, const struct problem *p, bool random)
{
	size_t elements = ex->size * ex->size;

	for (size_t i = 0; i < elements; i++) {
		float a = random ? example_uniform(ex, 1.5f, 100) : expf(4);
		float w1 = random ? example_uniform(ex, -1, 1) : 0.5f;
		float w2 = random ? example_uniform(ex, -1, 1) : 0.5f;

		p->a[i] = float_to_half(a);
		p->w1[i] = float_to_half(w1 / ex->size);
		p->w2[i] = float_to_half(w2 / ex->size);
	}
}

/* In double. Only the elements that a task stores as half are rounded to it. */
static void oracle(const struct example *ex, const struct problem *p)
{
	size_t n = ex->size;

	memset(p->want, 0, n * n * sizeof(double));
	for (size_t r = 0; r < n; r++) {
		for (size_t k = 0; k < n; k++) {
			double b = sqrt(log(half_to_float(p->a[r * n + k])));

			b = half_to_float(float_to_half(b));
			for (size_t c = 0; c < n; c++)
				p->want[r * n + c] += b * half_to_float(p->w1[k * n + c]) +
						      b * half_to_float(p->w2[k * n + c]);
		}
		for (size_t c = 0; c < n; c++)
			p->want[r * n + c] = exp(p->want[r * n + c]);
	}
}

static bool run_once(struct example *ex, int cid, const struct pto_args *args,
		     const struct problem *p, bool random)
{
	make_inputs(ex, p, random);
	oracle(ex, p);
	example_run(ex, cid, args);
	return example_near(ex, "F", p->f, p->want, ex->size * ex->size, TOLERANCE, NULL) >= 0;
}

static struct pto_args *make_problem(struct example *ex, struct problem *p)
{
	const uint32_t shape[] = { ex->size, ex->size };
	size_t elements = ex->size * ex->size;
	struct pto_args *args = example_args(ex);

	p->a = example_alloc(ex, elements, sizeof(uint16_t));
	p->w1 = example_alloc(ex, elements, sizeof(uint16_t));
	p->w2 = example_alloc(ex, elements, sizeof(uint16_t));
	p->f = example_alloc(ex, elements, sizeof(float));
	p->want = example_alloc(ex, elements, sizeof(double));
	example_tensor(ex, args, PTO_IN, p->a, PTO_DTYPE_FLOAT16, 2, shape);
	example_tensor(ex, args, PTO_IN, p->w1, PTO_DTYPE_FLOAT16, 2, shape);
	example_tensor(ex, args, PTO_IN, p->w2, PTO_DTYPE_FLOAT16, 2, shape);
	example_tensor(ex, args, PTO_OUT, p->f, PTO_DTYPE_FLOAT32, 2, shape);
	return args;
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "matmul_diamond",
		.about = "Multiplies matrices of half precision in a graph of four tasks.",
		.repetitions = 3,
		.size = 128,
		.min_size = 1,
		.max_size = 4096,
		.size_what = "rows and columns",
	};
	struct pto_callable *callable;
	struct pto_args *args;
	struct problem p;
	bool good = true;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_sqrt_log.so");
	example_kernel(&ex, callable, 1, PTO_CORE_AIC, "kernel_matmul.so");
	example_kernel(&ex, callable, 2, PTO_CORE_AIV, "kernel_exp_sum.so");
	cid = example_register(&ex, callable);
	args = make_problem(&ex, &p);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, &p, i > 0);
	if (good)
		printf("matmul_diamond: %lu runs of %lu x %lu elements, all right\n",
		       ex.repetitions, ex.size, ex.size);
	pto_args_free(args);
	pto_callable_free(callable);
	free(p.a);
	free(p.w1);
	free(p.w2);
	free(p.f);
	free(p.want);
	pto_close(ex.ctx);
	return !good;
}
