// SPDX-License-Identifier: MIT
/*
 * vector_example: a graph of five tasks in two scopes,
 *
 *	c = a + b,  d = c + 1,  e = c + 2,  g = d * e,  f = g + c
 *
 * prepared once and run often by its cid. "make demo" runs it.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

static const char * const kernels[] = { "kernel_add.so", "kernel_add_scalar.so", "kernel_mul.so" };

#define KERNELS (sizeof(kernels) / sizeof(kernels[0]))

struct vectors {
	float *a;
	float *b;
	float *f;
	float *want;
};

static void oracle(const struct vectors *v, size_t elements)
{
	for (size_t i = 0; i < elements; i++) {
		float c = v->a[i] + v->b[i];
		float d = c + 1, e = c + 2;
		float g = d * e;

		v->want[i] = g + c;
	}
}

/* --- what there is ------------------------------------------------------------ */

static void show_device(struct example *ex)
{
	struct pto_device_info info;

	if (pto_query_device(ex->ctx, &info))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	printf("Device\n"
	       "  /dev/pto%-10u%.16s, %u clusters: %u AIC + %u AIV cores, %u AICPU threads\n"
	       "  %-18s%.32s, %.1f GiB of memory",
	       info.index, (const char *)info.arch_name, info.cluster_count, info.aic_count,
	       info.aiv_count, info.aicpu_threads, "", (const char *)info.name,
	       (double)info.memory_size / (1 << 30));
	if (info.features & PTO_FEATURE_SIMULATED)
		printf("; %u threads stand in for the cores", info.worker_threads);
	putchar('\n');
}

static void show_build_id(const struct pto_object_info *info)
{
	printf("Build-ID ");
	if (!info->build_id_len)
		printf("none");
	for (unsigned int i = 0; i < info->build_id_len && i < 10; i++)
		printf("%02x", info->build_id[i]);
	printf(info->build_id_len > 10 ? "...\n" : "\n");
}

static void show_kernel(struct example *ex, unsigned int func_id)
{
	struct pto_object_info info;
	char path[PATH_MAX];

	example_path(ex, kernels[func_id], path, sizeof(path));
	if (pto_object_inspect(path, &info, NULL, 0))
		return;
	printf("  %-21s func %u on AIV    ", kernels[func_id], func_id);
	show_build_id(&info);
}

static void show_callable(struct example *ex, const struct pto_callable *callable, int cid,
			  uint64_t prepare_ns)
{
	struct pto_context_stats st = example_stats(ex);
	struct pto_object_info info;

	pto_callable_info(callable, &info);
	printf("\nCallable\n"
	       "  cid %-14dprepared in %.0f us: %" PRIu64 " images with %" PRIu64
	       " bytes went to the device\n"
	       "  %-21s orchestration    ",
	       cid, prepare_ns / 1e3, (uint64_t)st.image_uploads,
	       (uint64_t)st.image_upload_bytes, "orch.so");
	show_build_id(&info);
	for (unsigned int i = 0; i < KERNELS; i++)
		show_kernel(ex, i);
}

/* The same object under a second cid: the device has the images, only loads again. */
static void show_dedup(struct example *ex, const struct pto_callable *callable)
{
	struct pto_context_stats before = example_stats(ex), after;
	uint64_t start = example_now();
	int cid = example_register(ex, callable);
	uint64_t end = example_now();

	after = example_stats(ex);
	printf("  prepared again    as cid %d in %.0f us: %" PRIu64 " images shared, %" PRIu64
	       " bytes moved\n",
	       cid, (end - start) / 1e3,
	       (uint64_t)(after.image_dedup_hits - before.image_dedup_hits),
	       (uint64_t)(after.image_upload_bytes - before.image_upload_bytes));
	if (pto_unprepare(ex->ctx, cid))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
}

/* --- runs ------------------------------------------------------------------------ */

static uint64_t timed_run(struct example *ex, int cid, const struct pto_args *args)
{
	uint64_t start = example_now();

	example_run(ex, cid, args);
	return example_now() - start;
}

static bool first_run(struct example *ex, int cid, const struct pto_args *args,
		      const struct vectors *v, uint64_t *ns)
{
	for (unsigned long i = 0; i < ex->size; i++) {
		v->a[i] = 2;
		v->b[i] = 3;
	}
	oracle(v, ex->size);
	*ns = timed_run(ex, cid, args);
	return example_check(ex, "f", v->f, v->want, ex->size);
}

static bool more_runs(struct example *ex, int cid, const struct pto_args *args,
		      const struct vectors *v, uint64_t *ns)
{
	for (unsigned long i = 0; i < ex->repetitions; i++) {
		example_random(ex, v->a, ex->size);
		example_random(ex, v->b, ex->size);
		oracle(v, ex->size);
		ns[i] = timed_run(ex, cid, args);
		if (!example_check(ex, "f", v->f, v->want, ex->size))
			return false;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void show_result(struct example *ex, const struct vectors *v, uint64_t first_ns,
			uint64_t *ns)
{
	unsigned long n = ex->repetitions;

	qsort(ns, n, sizeof(*ns), compare);
	printf("\nResult\n"
	       "  %-18s%lu of %lu elements are right: a = 2, b = 3 give (a+b+1)(a+b+2) + (a+b) = 47\n"
	       "  %-18s%lu runs on random numbers: %lu of %lu elements are right\n"
	       "\nLatency of a run, host tensors there and back included\n"
	       "  %-18s%.1f us\n"
	       "  %-18s%.1f us median, %.1f us p99\n",
	       "first run", ex->size, ex->size, "later runs", n, n * ex->size, n * ex->size,
	       "first", first_ns / 1e3, "later", ns[n / 2] / 1e3, ns[n * 99 / 100] / 1e3);
}

static void show_counters(struct example *ex, uint64_t streams_at_open)
{
	struct pto_context_stats st = example_stats(ex);

	printf("\nCounters\n"
	       "  %-18s%" PRIu64 " for %" PRIu64 " runs\n"
	       "  %-18s%" PRIu64 "\n"
	       "  %-18s%" PRIu64 " when the device was opened, %" PRIu64 " since\n"
	       "  %-18s%" PRIu64 " hits, %" PRIu64 " misses\n",
	       "AICPU dlopen", (uint64_t)st.aicpu_dlopen_count, (uint64_t)st.runs_completed,
	       "kernels loaded", (uint64_t)st.kernel_load_count,
	       "streams created", streams_at_open, (uint64_t)st.streams_created - streams_at_open,
	       "arena", (uint64_t)st.arena_hits, (uint64_t)st.arena_misses);
}

static struct pto_args *make_args(struct example *ex, struct vectors *v)
{
	struct pto_args *args = pto_args_new();

	if (!args)
		example_fail(ex, "no memory for arguments");
	v->a = example_alloc(ex, ex->size, sizeof(float));
	v->b = example_alloc(ex, ex->size, sizeof(float));
	v->f = example_alloc(ex, ex->size, sizeof(float));
	v->want = example_alloc(ex, ex->size, sizeof(float));
	example_host(ex, args, PTO_IN, v->a, ex->size);
	example_host(ex, args, PTO_IN, v->b, ex->size);
	example_host(ex, args, PTO_OUT, v->f, ex->size);
	return args;
}

static bool demonstrate(struct example *ex, const struct pto_callable *callable)
{
	uint64_t *ns = example_alloc(ex, ex->repetitions, sizeof(*ns));
	uint64_t streams = example_stats(ex).streams_created;
	uint64_t start = example_now(), prepared, first_ns;
	struct pto_args *args;
	struct vectors v;
	bool good;
	int cid;

	cid = example_register(ex, callable);
	prepared = example_now() - start;
	show_device(ex);
	show_callable(ex, callable, cid, prepared);
	args = make_args(ex, &v);
	good = first_run(ex, cid, args, &v, &first_ns) && more_runs(ex, cid, args, &v, ns);
	if (good) {
		show_result(ex, &v, first_ns, ns);
		show_counters(ex, streams);
		show_dedup(ex, callable);
	}
	pto_args_free(args);
	free(v.a);
	free(v.b);
	free(v.f);
	free(v.want);
	free(ns);
	return good;
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "vector_example",
		.about = "Prepares a graph of five tasks once, runs it often by its cid, checks each element.",
		.repetitions = 1000,
		.size = 16384,
		.min_size = 1,
	};
	struct pto_callable *callable;
	bool good;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	for (size_t i = 0; i < KERNELS; i++)
		example_kernel(&ex, callable, i, PTO_CORE_AIV, kernels[i]);
	good = demonstrate(&ex, callable);
	pto_callable_free(callable);
	pto_close(ex.ctx);
	return !good;
}
