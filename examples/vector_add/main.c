// SPDX-License-Identifier: MIT
/* vector_add: one task on one AIV core, out = a + b, on random inputs. */
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

struct vectors {
	float *a;
	float *b;
	float *out;
	float *want;
};

static bool run_once(struct example *ex, int cid, const struct pto_args *args,
		     const struct vectors *v)
{
	example_random(ex, v->a, ex->size);
	example_random(ex, v->b, ex->size);
	for (unsigned long i = 0; i < ex->size; i++)
		v->want[i] = v->a[i] + v->b[i];
	example_run(ex, cid, args);
	return example_check(ex, "out", v->out, v->want, ex->size);
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "vector_add",
		.about = "Adds two random vectors in one task on an AIV core.",
		.repetitions = 10,
		.size = 16384,
		.min_size = 1,
	};
	struct pto_callable *callable;
	struct pto_args *args;
	bool good = true;
	struct vectors v;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_add.so");
	cid = example_register(&ex, callable);
	v.a = example_alloc(&ex, ex.size, sizeof(float));
	v.b = example_alloc(&ex, ex.size, sizeof(float));
	v.out = example_alloc(&ex, ex.size, sizeof(float));
	v.want = example_alloc(&ex, ex.size, sizeof(float));
	args = pto_args_new();
	if (!args)
		example_fail(&ex, "no memory for arguments");
	example_host(&ex, args, PTO_IN, v.a, ex.size);
	example_host(&ex, args, PTO_IN, v.b, ex.size);
	example_host(&ex, args, PTO_OUT, v.out, ex.size);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, &v);
	if (good)
		printf("vector_add: %lu runs of %lu elements, all right\n", ex.repetitions,
		       ex.size);
	pto_args_free(args);
	pto_callable_free(callable);
	free(v.a);
	free(v.b);
	free(v.out);
	free(v.want);
	pto_close(ex.ctx);
	return !good;
}
