// SPDX-License-Identifier: MIT
/*
 * run_latency: what running by cid costs, next to the floors that the machine sets.
 *
 * All figures come from one process and one run, in interleaved rounds, because machines
 * differ and drift: the ratios are the result, the nanoseconds only explain them.
 *
 * The floor of the simulator is what its device needs, too: another thread has to see a word that
 * this one writes, and the other way round. Behind a kernel the device is another process, and a
 * run takes at least a call of the driver, and, if the device sleeps, what waking it takes.
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
#include "floors.h"
#include "pingpong.h"

#define ROUNDS 40
#define BURST 1000
#define SINGLES 250		/* operations of a round that are timed one by one, at most */
#define ROUND_NS 20000000	/* a round takes about as long, if nobody says how many runs */
#define MOST_RUNS 2000		/* and has as many at most */
#define WARM_UP 50		/* operations before a round, at most */
#define PREPARES 50
#define COUNTED_RUNS 1000
#define VECTOR_ELEMENTS 16

const char *argp_program_version = "run_latency " PTO_VERSION;

static struct argp_option options[] = {
	{ "device", 'd', "PATH", 0, "Device node (default: $PTO_DEVICE, else /dev/pto0)", 0 },
	{ "runs", 'n', "N", 0, "Runs per round (default: those of 20 ms, 2000 at most)", 0 },
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
	"Run it on the simulator with LD_PRELOAD=libptosim.so; without, on a kernel's device. Exit status: 0 measured, 1 failed.",
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
	long runs;		/* of a round; 0 until that is known */
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

/* An operation that is measured, many times. Return: 0 or a negative errno */
struct operation {
	int (*fn)(void *arg);
	void *arg;
	const char *what;
};

static int repeat(struct bench *b, const struct operation *op, long times)
{
	int err = 0;

	while (times-- > 0 && !err)
		err = op->fn(op->arg);
	return err ? fail(b, op->what, err) : 0;
}

/* How many of them take as long as a round should? */
static int choose_runs(struct bench *b, const struct operation *op, long wanted, struct figure *f)
{
	const long trial = 16;
	uint64_t start;
	int err;

	f->runs = wanted;
	if (wanted)
		return 0;
	err = repeat(b, op, trial);
	start = now_ns();
	if (!err)
		err = repeat(b, op, trial);
	f->runs = (long)((uint64_t)ROUND_NS * trial / (now_ns() - start + 1));
	if (f->runs > MOST_RUNS)
		f->runs = MOST_RUNS;
	if (f->runs < trial)
		f->runs = trial;
	return err;
}

static long at_most(long n, long most)
{
	return n < most ? n : most;
}

/* A round. It wakes everybody and warms the caches: the last one measured something else. */
static int measure_operation(struct bench *b, const struct operation *op, long wanted,
			     struct figure *f)
{
	uint64_t start;
	int err = 0;
	long i;

	if (!f->runs)
		err = choose_runs(b, op, wanted, f);
	if (!err)
		err = repeat(b, op, at_most(f->runs, WARM_UP));
	start = now_ns();
	if (!err)
		err = repeat(b, op, f->runs);
	add_sample(f, start, now_ns(), f->runs);
	for (i = 0; i < at_most(f->runs, SINGLES) && !err; i++) {
		start = now_ns();
		err = repeat(b, op, 1);
		add_single(f, start, now_ns());
	}
	return err;
}

/* A cid and what it is run with. */
struct run {
	struct bench *b;
	int cid;
	const struct pto_args *args;
};

static int run_once(void *arg)
{
	const struct run *run = arg;

	return pto_run(run->b->ctx, run->cid, run->args, NULL, NULL);
}

static int measure_runs(struct bench *b, int cid, const struct pto_args *args, long wanted,
			struct figure *f)
{
	struct run run = { b, cid, args };
	const struct operation op = { run_once, &run, "run" };

	return measure_operation(b, &op, wanted, f);
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

static int ball_there_and_back(void *arg)
{
	pingpong_round(arg);
	return 0;
}

static int call_nothing(void *arg)
{
	const struct bench *b = arg;

	return null_ioctl(pto_context_fd(b->ctx));
}

static int wake_and_be_woken(void *arg)
{
	return echo_round(arg);
}

struct counted {
	struct run run;
	int err;
};

static void counted_runs(void *arg)
{
	struct counted *c = arg;
	int i;

	for (i = 0; i < COUNTED_RUNS && !c->err; i++)
		c->err = run_once(&c->run);
}

/*
 * Counts of warm runs. The system calls of the calling thread: a wait that was too long to
 * be spun through, because the machine took a processor away, shows as a fraction here.
 */
static int measure_counts(struct bench *b, int cid, const struct pto_args *args, double *syscalls,
			  double *allocs)
{
	struct counted c = { { b, cid, args }, 0 };
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

/* Floors come first, those that are not measured have no samples. */
enum { LINE, IOCTL, EVENTFD, EMPTY, VECTOR, BURST_RUN, PREPARE_FIRST, PREPARE_AGAIN, FIGURES };

#define FLOORS EMPTY

/* What the ratios to a floor are called. */
static const struct {
	const char *text;
	const char *key;
} ratio[FLOORS] = {
	[LINE] = { "x floor", "ratio" },
	[IOCTL] = { "x ioctl", "ratio_ioctl" },
	[EVENTFD] = { "x eventfd", "ratio_eventfd" },
};

struct report {
	struct figure figure[FIGURES];
	double empty_syscalls, empty_allocs;
	double vector_syscalls, vector_allocs;
	struct pto_device_info info;
	struct pto_context_stats stats;
};

/* Floor number @i or the next one that was measured, FLOORS behind the last. */
static int next_floor(struct report *r, int i)
{
	while (i < FLOORS && !r->figure[i].count)
		i++;
	return i;
}

/* How many times as long as a floor, the median or the best. */
static double times(struct report *r, struct figure *f, int floor, double q)
{
	return quantile(f, q) / quantile(&r->figure[floor], q);
}

static void print_row(struct report *r, struct figure *f)
{
	int floor;

	printf("%-45s %12.0f %10.0f ", f->name, quantile(f, 0.5), quantile(f, 0));
	if (f->singles)
		printf("%12.0f", p99(f));
	else
		printf("%12s", "-");
	for (floor = next_floor(r, 0); floor < FLOORS; floor = next_floor(r, floor + 1))
		printf(" %10.2f %10.2f", times(r, f, floor, 0.5), times(r, f, floor, 0));
	printf("\n");
}

/* System calls are not counted where the kernel has no filter for that. */
static void print_counts(const char *name, double syscalls, double allocs)
{
	if (syscalls < 0)
		printf("%-45s %12s %12.3f\n", name, "-", allocs);
	else
		printf("%-45s %12.3f %12.3f\n", name, syscalls, allocs);
}

static void print_text(struct report *r)
{
	int i;

	printf("device: %.32s, %.16s, %u worker threads\n\n", (const char *)r->info.name,
	       (const char *)r->info.arch_name, r->info.worker_threads);
	printf("%-45s %12s %10s %12s", "", "median ns", "best ns", "p99 ns");
	for (i = next_floor(r, 0); i < FLOORS; i = next_floor(r, i + 1))
		printf(" %10s %10s", ratio[i].text, "best x");
	printf("\n");
	for (i = 0; i < FIGURES; i++)
		if (r->figure[i].count)
			print_row(r, &r->figure[i]);
	printf("\n%-45s %12s %12s\n", "per warm run, counted", "system calls", "allocations");
	print_counts("empty run", r->empty_syscalls, r->empty_allocs);
	print_counts("five tasks", r->vector_syscalls, r->vector_allocs);
	printf("\nimage uploads: %" PRIu64 " (%" PRIu64 " bytes), found on the device: %" PRIu64
	       "\n",
	       (uint64_t)r->stats.image_uploads, (uint64_t)r->stats.image_upload_bytes,
	       (uint64_t)r->stats.image_dedup_hits);
}

static void print_json_figure(struct report *r, struct figure *f)
{
	int floor;

	printf("\"%s\": {\"median_ns\": %.1f, \"best_ns\": %.1f", f->key, quantile(f, 0.5),
	       quantile(f, 0));
	for (floor = next_floor(r, 0); floor < FLOORS; floor = next_floor(r, floor + 1))
		printf(", \"%s\": %.3f", ratio[floor].key, times(r, f, floor, 0.5));
	if (f->singles)
		printf(", \"p99_ns\": %.1f", p99(f));
	printf("}, ");
}

static void print_json_counts(const char *key, double syscalls, double allocs)
{
	if (syscalls < 0)
		printf("\"%s_syscalls\": null, ", key);
	else
		printf("\"%s_syscalls\": %.3f, ", key, syscalls);
	printf("\"%s_allocations\": %.3f, ", key, allocs);
}

static void print_json(struct report *r)
{
	int i;

	printf("{");
	for (i = 0; i < FIGURES; i++)
		if (r->figure[i].count)
			print_json_figure(r, &r->figure[i]);
	print_json_counts("empty", r->empty_syscalls, r->empty_allocs);
	print_json_counts("vector", r->vector_syscalls, r->vector_allocs);
	printf("\"image_uploads\": %" PRIu64 ", \"image_dedup_hits\": %" PRIu64 "}\n",
	       (uint64_t)r->stats.image_uploads, (uint64_t)r->stats.image_dedup_hits);
}

static void print_csv_counts(double syscalls, double allocs)
{
	if (syscalls < 0)
		printf(",,%.3f\n", allocs);
	else
		printf(",%.3f,%.3f\n", syscalls, allocs);
}

static void print_csv_figure(struct report *r, struct figure *f)
{
	int floor;

	printf("%s,%.1f,%.1f,", f->key, quantile(f, 0.5), quantile(f, 0));
	if (f->singles)
		printf("%.1f", p99(f));
	for (floor = next_floor(r, 0); floor < FLOORS; floor = next_floor(r, floor + 1))
		printf(",%.3f", times(r, f, floor, 0.5));
	if (f == &r->figure[EMPTY])
		print_csv_counts(r->empty_syscalls, r->empty_allocs);
	else if (f == &r->figure[VECTOR])
		print_csv_counts(r->vector_syscalls, r->vector_allocs);
	else
		printf(",,\n");
}

static void print_csv(struct report *r)
{
	int i;

	printf("figure,median_ns,best_ns,p99_ns");
	for (i = next_floor(r, 0); i < FLOORS; i = next_floor(r, i + 1))
		printf(",%s", ratio[i].key);
	printf(",syscalls,allocations\n");
	for (i = 0; i < FIGURES; i++)
		if (r->figure[i].count)
			print_csv_figure(r, &r->figure[i]);
}

/* --- all of it ------------------------------------------------------------------------- */

/*
 * The other sides of the floors, of the simulator or of a kernel. They are made before the device
 * is opened, or the other process would have it open, too.
 */
struct floors {
	struct pingpong *pp;
	struct echo *echo;
};

static int start_floors(struct floors *floors)
{
	if (on_simulator())
		floors->pp = pingpong_start();
	else
		floors->echo = echo_start();
	if (floors->pp)
		pingpong_park(floors->pp);
	return floors->pp || floors->echo ? 0 : -ENOMEM;
}

static void stop_floors(struct floors *floors)
{
	pingpong_stop(floors->pp);
	echo_stop(floors->echo);
}

static int measure_floors(struct bench *b, const struct floors *floors, long wanted,
			  struct report *r)
{
	const struct operation line = { ball_there_and_back, floors->pp, "floor" };
	const struct operation call = { call_nothing, b, "null ioctl" };
	const struct operation wake = { wake_and_be_woken, floors->echo, "eventfd" };
	int err;

	if (floors->pp) {
		err = measure_operation(b, &line, wanted, &r->figure[LINE]);
		pingpong_park(floors->pp);
		return err;
	}
	err = measure_operation(b, &call, wanted, &r->figure[IOCTL]);
	return err ? err : measure_operation(b, &wake, wanted, &r->figure[EVENTFD]);
}

static int measure_round(struct bench *b, const struct floors *floors, long wanted,
			 struct report *r)
{
	int err = measure_floors(b, floors, wanted, r);

	if (!err)
		err = measure_runs(b, b->empty_cid, NULL, wanted, &r->figure[EMPTY]);
	if (!err)
		err = measure_runs(b, b->vector_cid, b->vector_args,
				   wanted ? wanted / 4 + 1 : 0, &r->figure[VECTOR]);
	if (!err)
		err = measure_burst(b, &r->figure[BURST_RUN]);
	return err;
}

static int measure(struct bench *b, const struct floors *floors, long wanted, struct report *r)
{
	int err, round;

	err = measure_prepare(b, &r->figure[PREPARE_FIRST], &r->figure[PREPARE_AGAIN]);
	for (round = 0; round < ROUNDS && !err; round++)
		err = measure_round(b, floors, wanted, r);
	if (!err)
		err = measure_counts(b, b->empty_cid, NULL, &r->empty_syscalls, &r->empty_allocs);
	if (!err)
		err = measure_counts(b, b->vector_cid, b->vector_args, &r->vector_syscalls,
				     &r->vector_allocs);
	if (!err)
		err = pto_query_device(b->ctx, &r->info);
	if (!err)
		err = pto_query_stats(b->ctx, &r->stats);
	return err;
}

static void print(const struct settings *s, struct report *r)
{
	if (s->json)
		print_json(r);
	else if (s->csv)
		print_csv(r);
	else
		print_text(r);
}

int main(int argc, char **argv)
{
	struct settings s = { .kind = PTO_KIND_DEVICE_ORCH };
	static struct bench b = { .empty_cid = -1, .vector_cid = -1 };
	static struct report r = { .figure = {
		[LINE] = { "floor: two threads, one cache line", "floor", .count = 0 },
		[IOCTL] = { "floor: null ioctl of the device", "null_ioctl", .count = 0 },
		[EVENTFD] = { "floor: eventfds, two processes, round trip", "eventfd", .count = 0 },
		[EMPTY] = { "empty run, synchronous", "empty_run", .count = 0 },
		[VECTOR] = { "five tasks of 16 elements, synchronous", "vector_run", .count = 0 },
		[BURST_RUN] = { "burst of 1000 empty runs, per run", "burst_run", .count = 0 },
		[PREPARE_FIRST] = { "prepare, first of the context", "prepare_first", .count = 0 },
		[PREPARE_AGAIN] = { "prepare, image on the device", "prepare_again", .count = 0 },
	} };
	struct floors floors = { 0 };
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &s);
	b.kind = s.kind;
	err = find_directory(&b);
	if (!err)
		err = load_callables(&b);
	if (!err)
		err = start_floors(&floors);
	if (!err) {
		err = pto_open(s.device, &b.ctx);
		if (err)
			fail(&b, "open", err);
	}
	if (!err)
		err = measure(&b, &floors, s.runs, &r);
	if (!err)
		print(&s, &r);
	stop_floors(&floors);
	pto_args_free(b.vector_args);
	pto_close(b.ctx);
	pto_callable_free(b.vector);
	pto_callable_free(b.empty);
	return err ? 1 : 0;
}
