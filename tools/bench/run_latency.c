// SPDX-License-Identifier: MIT
/*
 * run_latency: what running by cid costs, next to the floor that the machine sets.
 *
 * All figures come from one process and one run, in interleaved rounds, because machines
 * differ and drift: the ratios are the result, the nanoseconds only explain them.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pto/pto.h>

#include "counters.h"
#include "pingpong.h"

#define ROUNDS 40
#define BURST 1000
#define SINGLES 250		/* operations of a round that are timed one by one */
#define PREPARES 50
#define COUNTED_RUNS 1000
#define VECTOR_ELEMENTS 16

const char *argp_program_version = "run_latency " PTO_VERSION;

static struct argp_option options[] = {
	{ "device", 'd', "PATH", 0, "Device node (default: $PTO_DEVICE, else /dev/pto0)", 0 },
	{ "runs", 'n', "N", 0, "Runs per round (default 2000)", 0 },
	{ "kind", 'k', "KIND", 0, "Where orchestrations run: device (default) or host", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ "csv", 'c', NULL, 0, "Print a line per figure, with commas between", 0 },
	{ 0 }
};

struct settings {
	const char *device;
	long runs;
	uint32_t kind;
	bool json;
	bool csv;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;
	char *end;

	switch (key) {
	case 'd':
		s->device = arg;
		return 0;
	case 'k':
		s->kind = strcmp(arg, "host") ? PTO_KIND_DEVICE_ORCH : PTO_KIND_HOST_GRAPH;
		if (strcmp(arg, "host") && strcmp(arg, "device"))
			argp_error(state, "--kind takes device or host, not '%s'", arg);
		return 0;
	case 'n':
		s->runs = strtol(arg, &end, 10);
		if (*end || s->runs < 1 || s->runs > 10000000)
			argp_error(state, "--runs takes 1 to 10000000, not '%s'", arg);
		return 0;
	case 'j':
		s->json = true;
		return 0;
	case 'c':
		s->csv = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	options, parse, NULL,
	"Measures running by cid: an empty orchestration, a five-task graph, bursts and prepare.\v"
	"Run it on the simulator with LD_PRELOAD=libptosim.so. Exit status: 0 measured, 1 failed.",
	NULL, NULL, NULL
};

struct bench {
	struct pto_context *ctx;
	struct pto_callable *empty;
	struct pto_callable *vector;
	struct pto_args *vector_args;
	uint32_t kind;
	int empty_cid;
	int vector_cid;
	float in_a[VECTOR_ELEMENTS];
	float in_b[VECTOR_ELEMENTS];
	float out[VECTOR_ELEMENTS];
	char dir[PATH_MAX];
};

/*
 * One figure, in nanoseconds per operation. A sample is the mean of a round. The tail shows
 * only in operations that are timed one by one, and these carry the cost of two clock
 * readings, so they serve for nothing else.
 */
struct figure {
	const char *name;
	const char *key;
	double sample[ROUNDS];
	int count;
	double single[ROUNDS * SINGLES];
	int singles;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void add_sample(struct figure *f, uint64_t start, uint64_t end, long operations)
{
	if (f->count < ROUNDS)
		f->sample[f->count++] = (double)(end - start) / (double)operations;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void add_single(struct figure *f, uint64_t start, uint64_t end)
{
	if (f->singles < ROUNDS * SINGLES)
		f->single[f->singles++] = (double)(end - start);
}

static double quantile_of(double *samples, int count, double q)
{
	if (!count)
		return 0;
	qsort(samples, count, sizeof(samples[0]), compare);
	return samples[(int)(q * (count - 1))];
}

static double quantile(struct figure *f, double q)
{
	return quantile_of(f->sample, f->count, q);
}

/* 0 if the operations of this figure are not timed one by one. */
static double p99(struct figure *f)
{
	return quantile_of(f->single, f->singles, 0.99);
}

/* --- preparation ----------------------------------------------------------------- */

static int fail(struct bench *b, const char *what, int err)
{
	const char *text = b->ctx ? pto_context_error(b->ctx) : pto_open_error();

	fprintf(stderr, "run_latency: %s: %s (%s)\n", what, text, strerror(-err));
	return err;
}

static int load(struct bench *b, const char *name, struct pto_callable **out)
{
	char path[PATH_MAX + 64];
	int err;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	err = pto_callable_load(path, out);
	if (!err)
		err = pto_callable_set_kind(*out, b->kind);
	if (err)
		fprintf(stderr, "run_latency: %s\n", pto_callable_error());
	return err;
}

static int add_kernel(struct bench *b, uint32_t func_id, const char *name)
{
	char path[PATH_MAX + 64];
	int err;

	snprintf(path, sizeof(path), "%s/../examples/vector_example/%s", b->dir, name);
	err = pto_callable_add_kernel(b->vector, func_id, PTO_CORE_AIV, path);
	if (err)
		fprintf(stderr, "run_latency: %s\n", pto_callable_error());
	return err;
}

static int add_vector(struct bench *b, int direction, float *data)
{
	uint32_t shape = VECTOR_ELEMENTS;

	return pto_args_add_host(b->vector_args, direction, data, PTO_DTYPE_FLOAT32, 1, &shape);
}

static int make_vector_args(struct bench *b)
{
	int err, i;

	for (i = 0; i < VECTOR_ELEMENTS; i++) {
		b->in_a[i] = 2;
		b->in_b[i] = 3;
	}
	b->vector_args = pto_args_new();
	if (!b->vector_args)
		return -ENOMEM;
	err = add_vector(b, PTO_IN, b->in_a);
	if (!err)
		err = add_vector(b, PTO_IN, b->in_b);
	if (!err)
		err = add_vector(b, PTO_OUT, b->out);
	return err;
}

static int load_callables(struct bench *b)
{
	int err;

	err = load(b, "empty_orch.so", &b->empty);
	if (!err)
		err = load(b, "../examples/vector_example/orch.so", &b->vector);
	if (!err)
		err = add_kernel(b, 0, "kernel_add.so");
	if (!err)
		err = add_kernel(b, 1, "kernel_add_scalar.so");
	if (!err)
		err = add_kernel(b, 2, "kernel_mul.so");
	if (!err)
		err = make_vector_args(b);
	return err;
}

static int find_directory(struct bench *b)
{
	ssize_t n = readlink("/proc/self/exe", b->dir, sizeof(b->dir) - 16);
	char *slash;

	if (n < 0)
		return -errno;
	b->dir[n] = 0;
	slash = strrchr(b->dir, '/');
	strcpy(slash, "/../bench");
	return 0;
}

/* --- measurements ------------------------------------------------------------------ */

static int measure_prepare(struct bench *b, struct figure *first, struct figure *again)
{
	uint64_t start, end;
	int i;

	start = now_ns();
	b->empty_cid = pto_register(b->ctx, b->empty);
	end = now_ns();
	if (b->empty_cid < 0)
		return fail(b, "prepare", b->empty_cid);
	add_sample(first, start, end, 1);
	for (i = 0; i < PREPARES; i++) {
		int cid;

		start = now_ns();
		cid = pto_register(b->ctx, b->empty);
		end = now_ns();
		if (cid < 0)
			return fail(b, "prepare", cid);
		add_sample(again, start, end, 1);
		pto_unprepare(b->ctx, cid);
	}
	b->vector_cid = pto_register(b->ctx, b->vector);
	return b->vector_cid < 0 ? fail(b, "prepare", b->vector_cid) : 0;
}

static int measure_runs(struct bench *b, int cid, const struct pto_args *args, long runs,
			struct figure *f)
{
	uint64_t start;
	long i;
	int err;

	/* Wake everybody and warm the caches: the last round measured something else. */
	for (i = 0; i < 50; i++) {
		err = pto_run(b->ctx, cid, args, NULL, NULL);
		if (err)
			return fail(b, "run", err);
	}
	start = now_ns();
	for (i = 0; i < runs; i++) {
		err = pto_run(b->ctx, cid, args, NULL, NULL);
		if (err)
			return fail(b, "run", err);
	}
	add_sample(f, start, now_ns(), runs);
	for (i = 0; i < SINGLES; i++) {
		start = now_ns();
		err = pto_run(b->ctx, cid, args, NULL, NULL);
		add_single(f, start, now_ns());
		if (err)
			return fail(b, "run", err);
	}
	return 0;
}

static int measure_burst(struct bench *b, struct figure *f)
{
	struct pto_stream *stream = pto_default_stream(b->ctx);
	static struct pto_run_handle *handle[BURST];
	uint64_t start = now_ns();
	int err, i;

	for (i = 0; i < BURST; i++) {
		err = pto_submit(stream, b->empty_cid, NULL, NULL, &handle[i]);
		if (err)
			return fail(b, "submit", err);
	}
	for (i = 0; i < BURST; i++) {
		err = pto_wait(handle[i], PTO_FOREVER, NULL);
		if (err)
			return fail(b, "wait", err);
	}
	add_sample(f, start, now_ns(), BURST);
	return 0;
}

static int measure_floor(struct pingpong *pp, long runs, struct figure *f)
{
	uint64_t start;
	long i;

	for (i = 0; i < 50; i++)
		pingpong_round(pp);
	start = now_ns();
	for (i = 0; i < runs; i++)
		pingpong_round(pp);
	add_sample(f, start, now_ns(), runs);
	for (i = 0; i < SINGLES; i++) {
		start = now_ns();
		pingpong_round(pp);
		add_single(f, start, now_ns());
	}
	pingpong_park(pp);
	return 0;
}

struct counted {
	struct bench *b;
	int cid;
	const struct pto_args *args;
	int err;
};

static void counted_runs(void *arg)
{
	struct counted *c = arg;
	int i;

	for (i = 0; i < COUNTED_RUNS && !c->err; i++)
		c->err = pto_run(c->b->ctx, c->cid, c->args, NULL, NULL);
}

/*
 * Counts of warm runs. The system calls of the calling thread: a wait that was too long to
 * be spun through, because the machine took a processor away, shows as a fraction here.
 */
static int measure_counts(struct bench *b, int cid, const struct pto_args *args, double *syscalls,
			  double *allocs)
{
	struct counted c = { b, cid, args, 0 };
	uint64_t before;
	int64_t calls;

	counted_runs(&c);
	before = alloc_count();
	counted_runs(&c);
	*allocs = (double)(alloc_count() - before) / COUNTED_RUNS;
	calls = count_syscalls(counted_runs, &c);
	*syscalls = calls < 0 ? -1 : (double)calls / COUNTED_RUNS;
	return c.err ? fail(b, "run", c.err) : 0;
}

/* --- report -------------------------------------------------------------------------- */

enum { FLOOR, EMPTY, VECTOR, BURST_RUN, PREPARE_FIRST, PREPARE_AGAIN, FIGURES };

struct report {
	struct figure figure[FIGURES];
	double empty_syscalls, empty_allocs;
	double vector_syscalls, vector_allocs;
	struct pto_device_info info;
	struct pto_context_stats stats;
};

static void print_text(struct report *r)
{
	double floor = quantile(&r->figure[FLOOR], 0.5);
	double best = quantile(&r->figure[FLOOR], 0);
	int i;

	printf("device: %.32s, %.16s, %u worker threads\n\n", (const char *)r->info.name,
	       (const char *)r->info.arch_name, r->info.worker_threads);
	printf("%-40s %12s %10s %12s %10s %10s\n", "", "median ns", "best ns", "p99 ns",
	       "x floor", "best x");
	for (i = 0; i < FIGURES; i++) {
		struct figure *f = &r->figure[i];

		printf("%-40s %12.0f %10.0f ", f->name, quantile(f, 0.5), quantile(f, 0));
		if (f->singles)
			printf("%12.0f ", p99(f));
		else
			printf("%12s ", "-");
		printf("%10.1f %10.1f\n", quantile(f, 0.5) / floor, quantile(f, 0) / best);
	}
	printf("\n%-40s %12s %12s\n", "per warm run, counted", "system calls", "allocations");
	printf("%-40s %12.3f %12.3f\n", "empty run", r->empty_syscalls, r->empty_allocs);
	printf("%-40s %12.3f %12.3f\n", "five tasks", r->vector_syscalls, r->vector_allocs);
	printf("\nimage uploads: %" PRIu64 " (%" PRIu64 " bytes), found on the device: %" PRIu64
	       "\n",
	       (uint64_t)r->stats.image_uploads, (uint64_t)r->stats.image_upload_bytes,
	       (uint64_t)r->stats.image_dedup_hits);
}

static void print_json(struct report *r)
{
	double floor = quantile(&r->figure[FLOOR], 0.5);
	int i;

	printf("{");
	for (i = 0; i < FIGURES; i++) {
		struct figure *f = &r->figure[i];

		printf("\"%s\": {\"median_ns\": %.1f, \"best_ns\": %.1f, \"ratio\": %.3f", f->key,
		       quantile(f, 0.5), quantile(f, 0), quantile(f, 0.5) / floor);
		if (f->singles)
			printf(", \"p99_ns\": %.1f", p99(f));
		printf("}, ");
	}
	printf("\"empty_syscalls\": %.3f, \"empty_allocations\": %.3f, ", r->empty_syscalls,
	       r->empty_allocs);
	printf("\"vector_syscalls\": %.3f, \"vector_allocations\": %.3f, ", r->vector_syscalls,
	       r->vector_allocs);
	printf("\"image_uploads\": %" PRIu64 ", \"image_dedup_hits\": %" PRIu64 "}\n",
	       (uint64_t)r->stats.image_uploads, (uint64_t)r->stats.image_dedup_hits);
}

static void print_csv(struct report *r)
{
	double floor = quantile(&r->figure[FLOOR], 0.5);
	int i;

	printf("figure,median_ns,best_ns,p99_ns,ratio,syscalls,allocations\n");
	for (i = 0; i < FIGURES; i++) {
		struct figure *f = &r->figure[i];

		printf("%s,%.1f,%.1f,", f->key, quantile(f, 0.5), quantile(f, 0));
		if (f->singles)
			printf("%.1f", p99(f));
		printf(",%.3f,", quantile(f, 0.5) / floor);
		if (i == EMPTY)
			printf("%.3f,%.3f", r->empty_syscalls, r->empty_allocs);
		else if (i == VECTOR)
			printf("%.3f,%.3f", r->vector_syscalls, r->vector_allocs);
		else
			printf(",");
		printf("\n");
	}
}

static int measure(struct bench *b, const struct settings *s, struct report *r)
{
	struct pingpong *pp = pingpong_start();
	int err, round;

	if (!pp)
		return -ENOMEM;
	pingpong_park(pp);
	err = measure_prepare(b, &r->figure[PREPARE_FIRST], &r->figure[PREPARE_AGAIN]);
	for (round = 0; round < ROUNDS && !err; round++) {
		err = measure_floor(pp, s->runs, &r->figure[FLOOR]);
		if (!err)
			err = measure_runs(b, b->empty_cid, NULL, s->runs, &r->figure[EMPTY]);
		if (!err)
			err = measure_runs(b, b->vector_cid, b->vector_args, s->runs / 4 + 1,
					   &r->figure[VECTOR]);
		if (!err)
			err = measure_burst(b, &r->figure[BURST_RUN]);
	}
	if (!err)
		err = measure_counts(b, b->empty_cid, NULL, &r->empty_syscalls, &r->empty_allocs);
	if (!err)
		err = measure_counts(b, b->vector_cid, b->vector_args, &r->vector_syscalls,
				     &r->vector_allocs);
	pingpong_stop(pp);
	return err;
}

int main(int argc, char **argv)
{
	struct settings s = { .runs = 2000, .kind = PTO_KIND_DEVICE_ORCH };
	static struct bench b = { .empty_cid = -1, .vector_cid = -1 };
	static struct report r = { .figure = {
		[FLOOR] = { "floor: two threads, one cache line", "floor", .count = 0 },
		[EMPTY] = { "empty run, synchronous", "empty_run", .count = 0 },
		[VECTOR] = { "five tasks of 16 elements, synchronous", "vector_run", .count = 0 },
		[BURST_RUN] = { "burst of 1000 empty runs, per run", "burst_run", .count = 0 },
		[PREPARE_FIRST] = { "prepare, first of the context", "prepare_first", .count = 0 },
		[PREPARE_AGAIN] = { "prepare, image on the device", "prepare_again", .count = 0 },
	} };
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	b.kind = s.kind;
	err = find_directory(&b);
	if (!err)
		err = load_callables(&b);
	if (!err) {
		err = pto_open(s.device, &b.ctx);
		if (err)
			fail(&b, "open", err);
	}
	if (!err)
		err = measure(&b, &s, &r);
	if (!err)
		err = pto_query_device(b.ctx, &r.info);
	if (!err)
		err = pto_query_stats(b.ctx, &r.stats);
	if (!err) {
		if (s.json)
			print_json(&r);
		else if (s.csv)
			print_csv(&r);
		else
			print_text(&r);
	}
	pto_args_free(b.vector_args);
	pto_close(b.ctx);
	pto_callable_free(b.vector);
	pto_callable_free(b.empty);
	return err ? 1 : 0;
}
