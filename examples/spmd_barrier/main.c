// SPDX-License-Identifier: MIT
/* spmd_barrier: running sums by blocks that wait for each other; see orch.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

static bool run_once(struct example *ex, int cid, const struct pto_args *args, int64_t *x,
		     const int64_t *y)
{
	int64_t sum = 0;

	for (unsigned long i = 0; i < ex->size; i++)
		x[i] = (int64_t)example_below(ex, UINT32_MAX) - INT32_MAX;
	example_run(ex, cid, args);
	for (unsigned long i = 0; i < ex->size; i++) {
		sum += x[i];
		if (y[i] == sum)
			continue;
		fprintf(stderr,
			"spmd_barrier: y[%lu] is %" PRId64 " and should be %" PRId64 " (seed %lu)\n",
			i, y[i], sum, ex->seed);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "spmd_barrier",
		.about = "Sums a vector by blocks that start together and wait for each other.",
		.repetitions = 5,
		.size = 100000,
		.min_size = 1,
	};
	struct pto_device_info info;
	struct pto_callable *callable;
	struct pto_args *args;
	bool good = true;
	uint32_t shape[1];
	int64_t *x, *y;
	int cid;

	example_start(&ex, argc, argv);
	if (pto_query_device(ex.ctx, &info))
		example_fail(&ex, "%s", pto_context_error(ex.ctx));
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_scan.so");
	cid = example_register(&ex, callable);
	x = example_alloc(&ex, ex.size, sizeof(*x));
	y = example_alloc(&ex, ex.size, sizeof(*y));
	shape[0] = ex.size;
	args = example_args(&ex);
	example_tensor(&ex, args, PTO_IN, x, PTO_DTYPE_INT64, 1, shape);
	example_tensor(&ex, args, PTO_OUT, y, PTO_DTYPE_INT64, 1, shape);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		good = run_once(&ex, cid, args, x, y);
	if (good)
		printf("spmd_barrier: %lu runs of %lu elements in %u blocks, all right\n",
		       ex.repetitions, ex.size, info.aiv_count);
	pto_args_free(args);
	pto_callable_free(callable);
	free(x);
	free(y);
	pto_close(ex.ctx);
	return !good;
}
