// SPDX-License-Identifier: MIT
/*
 * orch_so_cache: what preparing a callable loads, and that running it loads nothing. Two callables
 * share one orchestration object and use the same func_id for different kernels. An image that
 * the device has is not uploaded again, and stays as long as any cid uses it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

/* The cids, chosen by this program. */
enum { SUM = 3, PRODUCT = 7, SUM_TOO = 40 };

/**
 * struct demo - the program
 * @ex: device and options
 * @sum: callable with OP = +
 * @product: callable with OP = *
 * @args: a, b, out
 * @a: input
 * @b: input
 * @out: output
 * @want: what it should be
 * @before: the counters before the step that is going on
 */
struct demo {
	struct example *ex;
	struct pto_callable *sum;
	struct pto_callable *product;
	struct pto_args *args;
	float *a;
	float *b;
	float *out;
	float *want;
	struct pto_context_stats before;
};

/* --- counting ------------------------------------------------------------------- */

static uint64_t orchestrations_loaded(const struct demo *d, const struct pto_context_stats *st)
{
	return d->ex->kind == PTO_KIND_HOST_GRAPH ? st->host_dlopen_count : st->aicpu_dlopen_count;
}

static void count_from_here(struct demo *d)
{
	d->before = example_stats(d->ex);
}

/* Prints what the step took; complains if it is not what it should take. */
static void step(struct demo *d, const char *what, uint64_t loads, bool uploads)
{
	struct pto_context_stats now = example_stats(d->ex);
	uint64_t loaded = orchestrations_loaded(d, &now) - orchestrations_loaded(d, &d->before);
	uint64_t bytes = now.image_upload_bytes - d->before.image_upload_bytes;
	uint64_t runs = now.runs_completed - d->before.runs_completed;
	uint64_t kernels = now.kernel_load_count - d->before.kernel_load_count;
	uint64_t shared = now.image_dedup_hits - d->before.image_dedup_hits;

	printf("  %-42s%6" PRIu64 "%9" PRIu64 "%9" PRIu64 "%8" PRIu64 "%10" PRIu64 "\n", what,
	       runs, loaded, kernels, shared, bytes);
	if (loaded != loads || !bytes == uploads)
		example_fail(d->ex, "that should load %" PRIu64 " orchestrations and upload %s",
			     loads, uploads ? "something" : "nothing");
}

/* --- what is counted --------------------------------------------------------------- */

static void prepare(struct demo *d, int cid, const struct pto_callable *callable)
{
	count_from_here(d);
	if (pto_prepare(d->ex->ctx, cid, callable))
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
}

static void unprepare(struct demo *d, int cid)
{
	count_from_here(d);
	if (pto_unprepare(d->ex->ctx, cid))
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
}

static void run(struct demo *d, int cid)
{
	example_random(d->ex, d->a, d->ex->size);
	example_random(d->ex, d->b, d->ex->size);
	for (unsigned long i = 0; i < d->ex->size; i++)
		d->want[i] = cid == PRODUCT ? d->a[i] * d->b[i] * d->b[i] :
					      d->a[i] + d->b[i] + d->b[i];
	example_run(d->ex, cid, d->args);
	if (!example_check(d->ex, "out", d->out, d->want, d->ex->size))
		example_fail(d->ex, "cid %d is wrong", cid);
}

static void run_in_turn(struct demo *d, int first, int second)
{
	count_from_here(d);
	for (unsigned long i = 0; i < d->ex->repetitions; i++) {
		run(d, first);
		run(d, second);
	}
}

/* A cid that is in use stays what it is. */
static void prepare_used(struct demo *d)
{
	int rc;

	count_from_here(d);
	rc = pto_prepare(d->ex->ctx, SUM, d->product);
	if (rc != -EEXIST)
		example_fail(d->ex, "prepare under a cid in use gave %d, not %d", rc, -EEXIST);
	run(d, SUM);
}

static void demonstrate(struct demo *d)
{
	printf("  %-42s%6s%9s%9s%8s%10s\n", "", "runs", "orch.s", "kernels", "shared", "bytes");
	printf("  %-42s%6s%9s%9s%8s%10s\n", "", "", "loaded", "loaded", "images", "uploaded");
	prepare(d, SUM, d->sum);
	step(d, "prepare the sum as cid 3", 1, true);
	prepare(d, PRODUCT, d->product);
	step(d, "prepare the product as cid 7", 1, true);
	run_in_turn(d, SUM, PRODUCT);
	step(d, "run both in turn", 0, false);
	prepare(d, SUM_TOO, d->sum);
	step(d, "prepare the sum as cid 40, too", 1, false);
	unprepare(d, SUM);
	step(d, "unprepare cid 3", 0, false);
	run_in_turn(d, SUM_TOO, PRODUCT);
	step(d, "run cids 40 and 7 in turn", 0, false);
	prepare(d, SUM, d->sum);
	step(d, "prepare the sum as cid 3 again", 1, false);
	prepare_used(d);
	step(d, "prepare the product as cid 3: refused", 0, false);
	run_in_turn(d, SUM, PRODUCT);
	step(d, "run both in turn", 0, false);
}

static struct pto_callable *load(struct example *ex, const char *kernel)
{
	struct pto_callable *callable = example_load(ex, "orch.so");

	example_kernel(ex, callable, 0, PTO_CORE_AIV, kernel);
	return callable;
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "orch_so_cache",
		.about = "Shows what preparing loads, and that running by cid loads nothing.",
		.repetitions = 5,
		.size = 1024,
		.min_size = 1,
	};
	struct demo d = { .ex = &ex };

	example_start(&ex, argc, argv);
	d.sum = load(&ex, "kernel_add.so");
	d.product = load(&ex, "kernel_mul.so");
	d.args = example_args(&ex);
	d.a = example_alloc(&ex, ex.size, sizeof(float));
	d.b = example_alloc(&ex, ex.size, sizeof(float));
	d.out = example_alloc(&ex, ex.size, sizeof(float));
	d.want = example_alloc(&ex, ex.size, sizeof(float));
	example_host(&ex, d.args, PTO_IN, d.a, ex.size);
	example_host(&ex, d.args, PTO_IN, d.b, ex.size);
	example_host(&ex, d.args, PTO_OUT, d.out, ex.size);
	demonstrate(&d);
	pto_args_free(d.args);
	pto_callable_free(d.sum);
	pto_callable_free(d.product);
	free(d.a);
	free(d.b);
	free(d.out);
	free(d.want);
	pto_close(ex.ctx);
	return 0;
}
