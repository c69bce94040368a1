// SPDX-License-Identifier: MIT
/* dummy_task: tasks that only order others, in four arrangements; see orch.c. */
#include <stdio.h>

#include "../common/example.h"

#define ELEMENTS 16
#define CASES 4

static void fill(float *data)
{
	for (int i = 0; i < ELEMENTS; i++)
		data[i] = -1;
}

static void run_with(struct example *ex, int cid, float *x, float *y, float *w, uint64_t number,
		     struct pto_result *result)
{
	struct pto_args *args = example_args(ex);
	int rc;

	fill(x);
	fill(y);
	fill(w);
	example_host(ex, args, PTO_INOUT, x, ELEMENTS);
	example_host(ex, args, PTO_INOUT, y, ELEMENTS);
	example_host(ex, args, PTO_INOUT, w, ELEMENTS);
	pto_args_add_scalar(args, number);
	rc = pto_run(ex->ctx, cid, args, NULL, result);
	pto_args_free(args);
	if (rc && number <= CASES)
		example_fail(ex, "%s", pto_context_error(ex->ctx));
}

static bool run_case(struct example *ex, int cid, uint64_t number)
{
	float x[ELEMENTS], y[ELEMENTS], w[ELEMENTS], other[ELEMENTS], written[ELEMENTS];
	struct pto_result result;

	fill(other);
	fill(written);
	written[0] = 42;
	run_with(ex, cid, x, y, w, number, &result);
	return example_check(ex, "X", x, written, ELEMENTS) &&
	       example_check(ex, "Y", y, written, ELEMENTS) &&
	       example_check(ex, "W", w, number == 3 ? written : other, ELEMENTS);
}

/* The orchestration reports an error for case 5; nothing is copied back then. */
static bool run_wrong_case(struct example *ex, int cid)
{
	float x[ELEMENTS], y[ELEMENTS], w[ELEMENTS], other[ELEMENTS];
	struct pto_result result;

	fill(other);
	run_with(ex, cid, x, y, w, CASES + 1, &result);
	if (result.code != PTO_FATAL_INVALID_ARGS) {
		fprintf(stderr, "dummy_task: case %d ended with code %u, not %u\n", CASES + 1,
			result.code, PTO_FATAL_INVALID_ARGS);
		return false;
	}
	return example_check(ex, "Y", y, other, ELEMENTS);
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "dummy_task",
		.about = "Orders tasks by tasks that have no kernel.",
		.repetitions = 10,
	};
	struct pto_callable *callable;
	bool good = true;
	int cid;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_write.so");
	example_kernel(&ex, callable, 1, PTO_CORE_AIV, "kernel_copy.so");
	cid = example_register(&ex, callable);
	for (unsigned long i = 0; i < ex.repetitions && good; i++)
		for (uint64_t number = 1; number <= CASES && good; number++)
			good = run_case(&ex, cid, number);
	good = good && run_wrong_case(&ex, cid);
	if (good)
		printf("dummy_task: %lu runs of %d cases, all right; a wrong case is refused\n",
		       ex.repetitions, CASES);
	pto_callable_free(callable);
	pto_close(ex.ctx);
	return !good;
}
