// SPDX-License-Identifier: GPL-2.0
/*
 * The prepared callable of kind HOST_GRAPH: its orchestration is loaded in this process, once for
 * each prepare, and is never mixed up. Every test runs on both architectures.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pto/pto.h>

#include "../device/orch_host.h"
#include "../device/fp.h"
#include "../device/threads.h"
#include "pttest.h"

#define COUNT 100

FIXTURE(host) {
	int fd;	/* only says whether there is a device */
	struct pto_context *ctx;
	struct pto_callable *callable;
	struct pto_args *args;
	float a[COUNT];
	float b[COUNT];
	float f[COUNT];
	int loads;
	int unloads;
};

FIXTURE_VARIANT(host) {
	uint32_t arch;
};

FIXTURE_VARIANT_ADD(host, a2a3) { .arch = PTO_ARCH_A2A3 };
FIXTURE_VARIANT_ADD(host, a5) { .arch = PTO_ARCH_A5 };

static int counted(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

static struct pto_callable *load(const char *orch)
{
	struct pto_callable *callable;

	if (pto_callable_load(pt_object(orch), &callable))
		return NULL;
	if (pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_add")) ||
	    pto_callable_set_kind(callable, PTO_KIND_HOST_GRAPH)) {
		pto_callable_free(callable);
		return NULL;
	}
	return callable;
}

FIXTURE_SETUP(host)
{
	uint32_t shape[1] = { COUNT };
	char path[32];

	PT_FIND(self->fd, variant->arch, path);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	self->callable = load("orch_host");
	ASSERT_NE(NULL, self->callable) {
		TH_LOG("%s", pto_callable_error());
	}
	self->args = pto_args_new();
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->a, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->b, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, self->f, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_scalar(self->args, HOST_GRAPH));
	self->loads = counted(HOST_LOADS);
	self->unloads = counted(HOST_UNLOADS);
}

FIXTURE_TEARDOWN(host)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_callable_free(self->callable);
	pto_close(self->ctx);
	EXPECT_EQ(counted(HOST_LOADS), counted(HOST_UNLOADS));
}

/* Runs @cid and checks each element: f = 2a + b. */
static void run_right(struct __test_metadata *_metadata, FIXTURE_DATA(host) *self, int cid)
{
	static int round;
	int i;

	round++;
	for (i = 0; i < COUNT; i++) {
		self->a[i] = i + round % 7;
		self->b[i] = i * 3;
		self->f[i] = -1;
	}
	ASSERT_EQ(0, pto_run(self->ctx, cid, self->args, NULL, NULL)) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(2 * self->a[i] + self->b[i], self->f[i]);
}

/* Loads that really happened, those that are counted, and none on the device. */
static void expect_loads(struct __test_metadata *_metadata, FIXTURE_DATA(host) *self, int loads)
{
	struct pto_context_stats stats;

	ASSERT_EQ(0, pto_query_stats(self->ctx, &stats));
	EXPECT_EQ(loads, counted(HOST_LOADS) - self->loads);
	EXPECT_EQ(loads, stats.host_dlopen_count);
	EXPECT_EQ(0, stats.aicpu_dlopen_count);
}

/* Mappings of objects of this name in this process. */
static int mappings_of(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	while (maps && fgets(line, sizeof(line), maps))
		count += !!strstr(line, name);
	if (maps)
		fclose(maps);
	return count;
}

/* Mappings of orchestrations that the library has loaded. */
static int mappings(void)
{
	return mappings_of("pto-host-orch");
}

#define PATIENCE_MS	60000

/*
 * Mappings of objects, the simulated device's included, once there are no more than @limit: a
 * device drops what went when it gets to it. Return: how many there are in the end
 */
static int settled_mappings(int limit)
{
	int now, ms;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		now = mappings() + mappings_of("pto-object");
		if (now <= limit)
			break;
		usleep(1000);
	}
	return now;
}

/* What an object of the same names must not meet. */
int scale(void);
extern int scale_data;

int scale_data = 99;

int scale(void)
{
	return 99;
}

/* The next count of the statics of @cid. */
static int next_count(struct pto_context *ctx, int cid)
{
	uint32_t shape[1] = { 1 };
	struct pto_args *args = pto_args_new();
	float result = -1;
	int rc = pto_args_add_host(args, PTO_OUT, &result, PTO_DTYPE_FLOAT32, 1, shape);

	if (!rc)
		rc = pto_run(ctx, cid, args, NULL, NULL);
	pto_args_free(args);
	return rc ? rc : (int)result;
}

/* Statics of C++ are a cid's own, on the host as on the device, and so are its names. */
PT_TEST_F(host, statics_of_cxx_are_each_cids_own)
{
	static const uint32_t kinds[] = { PTO_KIND_HOST_GRAPH, PTO_KIND_DEVICE_ORCH };
	struct pto_callable *callable;
	int before, i, kind;

	ASSERT_EQ(198, scale() + scale_data);
	for (kind = 0; kind < 2; kind++) {
		callable = load("orch_statics");
		ASSERT_NE(NULL, callable);
		ASSERT_EQ(0, pto_callable_set_kind(callable, kinds[kind]));
		ASSERT_EQ(0, pto_prepare(self->ctx, 0, callable));
		EXPECT_EQ(1, next_count(self->ctx, 0));
		before = mappings() + mappings_of("pto-object");
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, pto_prepare(self->ctx, 1, callable));
			EXPECT_EQ(1, next_count(self->ctx, 1));
			EXPECT_EQ(2, next_count(self->ctx, 1));
			EXPECT_EQ(2 + i, next_count(self->ctx, 0));
			ASSERT_EQ(0, pto_unprepare(self->ctx, 1));
			ASSERT_EQ(before, settled_mappings(before));
		}
		ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
		EXPECT_EQ(0, mappings());
		pto_callable_free(callable);
	}
}

/* --- thread_local objects ----------------------------------------------------- */

static int words[THREADS_WORDS];

static int word(int which)
{
	return __atomic_load_n(&words[which], __ATOMIC_SEQ_CST);
}

static struct pto_callable *load_threads(uint32_t kind)
{
	struct pto_callable *callable;

	if (pto_callable_load(pt_object("orch_threads"), &callable))
		return NULL;
	if (pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_threads")) ||
	    pto_callable_set_kind(callable, kind)) {
		pto_callable_free(callable);
		return NULL;
	}
	memset(words, 0, sizeof(words));
	return callable;
}

static int run_threads(struct pto_context *ctx, uint64_t tasks)
{
	struct pto_args *args = pto_args_new();
	int rc = pto_args_add_scalar(args, (uintptr_t)words);

	if (!rc)
		rc = pto_args_add_scalar(args, tasks);
	if (!rc)
		rc = pto_run(ctx, 0, args, NULL, NULL);
	pto_args_free(args);
	return rc;
}

/* Runs cid 0, tells that it has, and stays until it may end. */
struct stayer {
	struct pto_context *ctx;
	int rc;
	pthread_barrier_t ran;
	pthread_barrier_t end;
};

static void *stay(void *arg)
{
	struct stayer *s = arg;

	s->rc = run_threads(s->ctx, 0);
	pthread_barrier_wait(&s->ran);
	pthread_barrier_wait(&s->end);
	return NULL;
}

/* A thread that has thread_local objects of an orchestration is a user of it until it ends. */
PT_TEST_F(host, thread_locals_go_before_their_object)
{
	struct pto_callable *callable = load_threads(PTO_KIND_HOST_GRAPH);
	struct stayer s = { .ctx = self->ctx };
	pthread_t thread;
	int i;

	ASSERT_NE(NULL, callable);
	pthread_barrier_init(&s.ran, NULL, 2);
	pthread_barrier_init(&s.end, NULL, 2);
	for (i = 1; i <= 10; i++) {
		ASSERT_EQ(0, pto_prepare(self->ctx, 0, callable));
		ASSERT_EQ(0, run_threads(self->ctx, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, stay, &s));
		pthread_barrier_wait(&s.ran);
		EXPECT_EQ(0, s.rc);
		EXPECT_EQ(4 * i, word(THREADS_MADE));
		ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
		EXPECT_EQ(4 * i - 2, word(THREADS_GONE));
		EXPECT_EQ(i - 1, word(THREADS_TORN));
		EXPECT_LT(0, mappings());
		pthread_barrier_wait(&s.end);
		pthread_join(thread, NULL);
		EXPECT_EQ(4 * i, word(THREADS_GONE));
		EXPECT_EQ(i, word(THREADS_TORN));
		EXPECT_EQ(0, mappings());
	}
	EXPECT_EQ(0, word(THREADS_LATE));
	pthread_barrier_destroy(&s.ran);
	pthread_barrier_destroy(&s.end);
	pto_callable_free(callable);
}

/* Runs cid 0 once more at the end. */
static void *stay_and_run(void *arg)
{
	struct stayer *s = arg;

	stay(s);
	s->rc += run_threads(s->ctx, 0);
	pthread_barrier_wait(&s->ran);
	pthread_barrier_wait(&s->end);
	return NULL;
}

/* A thread that goes on leaves what was unprepared when it executes the next orchestration. */
PT_TEST_F(host, thread_that_goes_on_leaves_what_went)
{
	struct pto_callable *callable = load_threads(PTO_KIND_HOST_GRAPH);
	struct stayer s = { .ctx = self->ctx };
	pthread_t thread;
	int before;

	ASSERT_NE(NULL, callable);
	pthread_barrier_init(&s.ran, NULL, 2);
	pthread_barrier_init(&s.end, NULL, 2);
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, callable));
	before = mappings();
	ASSERT_EQ(0, pthread_create(&thread, NULL, stay_and_run, &s));
	pthread_barrier_wait(&s.ran);
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, callable));
	EXPECT_EQ(2 * before, mappings());
	pthread_barrier_wait(&s.end);
	pthread_barrier_wait(&s.ran);
	EXPECT_EQ(0, s.rc);
	EXPECT_EQ(before, mappings());
	EXPECT_EQ(1, word(THREADS_TORN));
	EXPECT_EQ(4, word(THREADS_MADE));
	EXPECT_EQ(2, word(THREADS_GONE));
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	pthread_barrier_wait(&s.end);
	pthread_join(thread, NULL);
	EXPECT_EQ(4, word(THREADS_GONE));
	EXPECT_EQ(2, word(THREADS_TORN));
	EXPECT_EQ(0, word(THREADS_LATE));
	EXPECT_EQ(0, mappings());
	pthread_barrier_destroy(&s.ran);
	pthread_barrier_destroy(&s.end);
	pto_callable_free(callable);
}

/* The device's threads live as long as the context, and leave what is unloaded. */
PT_TEST_F(host, thread_locals_of_the_device_go_before_their_object)
{
	struct pto_callable *callable = load_threads(PTO_KIND_DEVICE_ORCH);
	struct pto_device_info info = { .size = sizeof(info) };
	int before, i;

	ASSERT_NE(NULL, callable);
	ASSERT_EQ(0, pto_query_device(self->ctx, &info));
	if (info.features & PTO_FEATURE_ISOLATED) {
		pto_callable_free(callable);
		SKIP(return, "the device is another process");
	}
	before = mappings_of("pto-object");
	for (i = 1; i <= 20; i++) {
		ASSERT_EQ(0, pto_prepare(self->ctx, 0, callable));
		ASSERT_EQ(0, run_threads(self->ctx, 50));
		EXPECT_LT(0, word(THREADS_MADE));
		ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
		ASSERT_EQ(before, settled_mappings(before));
		EXPECT_EQ(word(THREADS_MADE), word(THREADS_GONE));
		EXPECT_EQ(2 * i, word(THREADS_TORN));
	}
	EXPECT_EQ(0, word(THREADS_LATE));
	pto_callable_free(callable);
}

/* --- floating-point control words ---------------------------------------------- */

/* Runs cid 0. Return: how often a word was not what it had to be; negative if the run failed */
static int run_fp(struct pto_context *ctx, bool wait)
{
	uint32_t shape[1] = { 1 };
	struct pto_args *args = pto_args_new();
	float orch = -1, kernels = 0;
	int rc = pto_args_add_host(args, PTO_OUT, &orch, PTO_DTYPE_FLOAT32, 1, shape);

	if (!rc)
		rc = pto_args_add_host(args, PTO_INOUT, &kernels, PTO_DTYPE_FLOAT32, 1, shape);
	if (!rc)
		rc = pto_args_add_scalar(args, wait);
	if (!rc)
		rc = pto_run(ctx, 0, args, NULL, NULL);
	pto_args_free(args);
	return rc ? rc : (int)orch + (int)kernels;
}

/* Prepares, runs, and unprepares in a thread whose control words are @own, which have to stay. */
static void keep_words(struct __test_metadata *_metadata, struct pto_context *ctx,
		       const struct pto_callable *callable, bool wait, uint32_t own)
{
	int i;

	fp_set(own);
	ASSERT_EQ(0, pto_prepare(ctx, 0, callable));
	EXPECT_EQ(own, fp_get());
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, run_fp(ctx, wait));
		EXPECT_EQ(own, fp_get());
	}
	ASSERT_EQ(0, pto_unprepare(ctx, 0));
	EXPECT_EQ(own, fp_get());
	fp_set(FP_DEFAULT);
}

/* All code of callables begins with the default words, and changes nobody else's. */
PT_TEST_F(host, control_words_are_each_calls_own)
{
	struct pto_callable *callable;
	int kind;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_fp"), &callable));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_fp")));
	for (kind = 0; kind < 2; kind++) {
		ASSERT_EQ(0, pto_callable_set_kind(callable, kind ? PTO_KIND_DEVICE_ORCH :
								    PTO_KIND_HOST_GRAPH));
		keep_words(_metadata, self->ctx, callable, kind, FP_DEFAULT);
		keep_words(_metadata, self->ctx, callable, kind, FP_SPOILT);
	}
	pto_callable_free(callable);
}

#define ALONE_THREADS	4
#define ALONE_RUNS	20

/* Runs cid 0 on a stream of its own. Return: NULL if all runs were alone in it */
static void *run_alone(void *arg)
{
	struct pto_context *ctx = arg;
	struct pto_args *args = pto_args_new();
	struct pto_run_handle *run;
	struct pto_stream *stream;
	void *failed = NULL;
	int i;

	if (pto_args_add_scalar(args, HOST_ALONE) || pto_stream_create(ctx, &stream))
		return ctx;
	for (i = 0; i < ALONE_RUNS; i++)
		if (pto_submit(stream, 0, args, NULL, &run) ||
		    pto_wait(run, PTO_WAIT_FOREVER, NULL))
			failed = ctx;
	pto_stream_destroy(stream);
	pto_args_free(args);
	return failed;
}

/* Threads that run one cid at once execute its orchestration one after the other. */
PT_TEST_F(host, one_thread_at_a_time)
{
	pthread_t threads[ALONE_THREADS];
	void *failed;
	int i;

	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	for (i = 0; i < ALONE_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_alone, self->ctx));
	for (i = 0; i < ALONE_THREADS; i++) {
		pthread_join(threads[i], &failed);
		EXPECT_EQ(NULL, failed);
	}
}

PT_TEST_F(host, same_cid_five_times_loads_once)
{
	int i;

	ASSERT_EQ(0, pto_prepare(self->ctx, 3, self->callable));
	expect_loads(_metadata, self, 1);
	for (i = 0; i < 5; i++)
		run_right(_metadata, self, 3);
	expect_loads(_metadata, self, 1);
}

PT_TEST_F(host, two_cids_alternating_load_twice)
{
	int i;

	ASSERT_EQ(0, pto_register(self->ctx, self->callable));
	ASSERT_EQ(1, pto_register(self->ctx, self->callable));
	for (i = 0; i < 10; i++)
		run_right(_metadata, self, i % 2);
	expect_loads(_metadata, self, 2);
}

PT_TEST_F(host, double_prepare_leaks_no_mapping)
{
	int before;

	ASSERT_EQ(0, pto_prepare(self->ctx, 5, self->callable));
	before = mappings();
	EXPECT_GT(before, 0);
	EXPECT_EQ(-EEXIST, pto_prepare(self->ctx, 5, self->callable));
	EXPECT_EQ(before, mappings());
	EXPECT_EQ(counted(HOST_LOADS) - self->loads, counted(HOST_UNLOADS) - self->unloads + 1);
	run_right(_metadata, self, 5);
	ASSERT_EQ(0, pto_unprepare(self->ctx, 5));
	EXPECT_EQ(0, mappings());
}

PT_TEST_F(host, unprepare_and_prepare_again_loads_once_more)
{
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	run_right(_metadata, self, 0);
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	expect_loads(_metadata, self, 1);
	EXPECT_EQ(-ENOENT, pto_run(self->ctx, 0, self->args, NULL, NULL));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	run_right(_metadata, self, 0);
	expect_loads(_metadata, self, 2);
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	EXPECT_EQ(0, pto_unprepare(self->ctx, 0));
}

PT_TEST_F(host, unprepare_one_run_the_other)
{
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, self->callable));
	run_right(_metadata, self, 0);
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	run_right(_metadata, self, 1);
}

PT_TEST_F(host, missing_symbols_leave_all_as_it_was)
{
	struct pto_context_stats before, after;

	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, pto_callable_set_symbols(self->callable, "no_such_entry", NULL));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 7, self->callable));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "no_such_entry"));
	ASSERT_EQ(0, pto_callable_set_symbols(self->callable, NULL, "no_such_config"));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 7, self->callable));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "no_such_config"));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	EXPECT_EQ(before.host_dlopen_count, after.host_dlopen_count);
	EXPECT_EQ(before.prepares, after.prepares);
	EXPECT_EQ(before.images_live, after.images_live);
	EXPECT_EQ(0, mappings());
	EXPECT_EQ(-ENOENT, pto_run(self->ctx, 7, self->args, NULL, NULL));
	EXPECT_EQ(0, pto_unprepare(self->ctx, 7));
	ASSERT_EQ(0, pto_callable_set_symbols(self->callable, NULL, NULL));
	ASSERT_EQ(0, pto_prepare(self->ctx, 7, self->callable));
	run_right(_metadata, self, 7);
}

PT_TEST_F(host, named_symbols)
{
	struct pto_callable *named = load("orch_named");
	struct pto_args *args = pto_args_new();
	uint32_t value = 0, shape[1] = { 1 };

	ASSERT_NE(NULL, named);
	ASSERT_EQ(0, pto_args_add_host(args, PTO_OUT, &value, PTO_DTYPE_UINT32, 1, shape));
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx, 0, named));
	ASSERT_EQ(0, pto_callable_set_symbols(named, "named_entry", "named_config"));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, named));
	ASSERT_EQ(0, pto_run(self->ctx, 0, args, NULL, NULL));
	EXPECT_EQ(4711, value);
	pto_args_free(args);
	pto_callable_free(named);
}

/* The same bytes under two cids do not share static data. */
PT_TEST_F(host, each_cid_has_static_data_of_its_own)
{
	struct pto_callable *count = load("orch_count");
	struct pto_args *args = pto_args_new();
	uint32_t value = 0, shape[1] = { 1 };
	int i;

	ASSERT_NE(NULL, count);
	ASSERT_EQ(0, pto_args_add_host(args, PTO_OUT, &value, PTO_DTYPE_UINT32, 1, shape));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, count));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, count));
	for (i = 1; i <= 6; i++) {
		ASSERT_EQ(0, pto_run(self->ctx, i % 2, args, NULL, NULL));
		EXPECT_EQ((i + 1) / 2, value);
	}
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, count));
	ASSERT_EQ(0, pto_run(self->ctx, 0, args, NULL, NULL));
	EXPECT_EQ(1, value);
	pto_args_free(args);
	pto_callable_free(count);
}

PT_TEST_F(host, both_kinds_of_one_callable)
{
	struct pto_context_stats stats;
	int i;

	ASSERT_EQ(0, pto_register(self->ctx, self->callable));
	EXPECT_EQ(-EINVAL, pto_callable_set_kind(self->callable, 0));
	EXPECT_EQ(-EINVAL, pto_callable_set_kind(self->callable, 3));
	ASSERT_EQ(0, pto_callable_set_kind(self->callable, PTO_KIND_DEVICE_ORCH));
	ASSERT_EQ(1, pto_register(self->ctx, self->callable));
	for (i = 0; i < 4; i++)
		run_right(_metadata, self, i % 2);
	ASSERT_EQ(0, pto_query_stats(self->ctx, &stats));
	EXPECT_EQ(1, stats.host_dlopen_count);
	EXPECT_EQ(1, stats.aicpu_dlopen_count);
	/* Each cid can become what the other was. */
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	ASSERT_EQ(0, pto_unprepare(self->ctx, 1));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	ASSERT_EQ(0, pto_callable_set_kind(self->callable, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 1, self->callable));
	for (i = 0; i < 4; i++)
		run_right(_metadata, self, i % 2);
}

/* The hardware context is a new one afterwards; the host's part need not be. */
PT_TEST_F(host, reset_keeps_it)
{
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	run_right(_metadata, self, 0);
	ASSERT_EQ(0, pto_reset(self->ctx));
	run_right(_metadata, self, 0);
	expect_loads(_metadata, self, 1);
}

/* Who goes past the library, on its descriptor, is not mistaken for what was there. */
PT_TEST_F(host, cid_that_was_refilled_behind_the_library)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	int fd = pto_context_fd(self->ctx);

	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	ASSERT_EQ(0, pt_unprepare(fd, 0));
	EXPECT_EQ(-ENOENT, pto_run(self->ctx, 0, self->args, NULL, NULL));
	ASSERT_EQ(0, pt_prepare(fd, 0, &empty, NULL));
	EXPECT_EQ(-ENOENT, pto_run(self->ctx, 0, self->args, NULL, NULL));
	ASSERT_EQ(0, pto_unprepare(self->ctx, 0));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	run_right(_metadata, self, 0);
}

/* A child's close frees memory, and leaves what the parent has loaded alone. */
PT_TEST_F(host, close_in_a_forked_child)
{
	int status = -1;
	pid_t child;

	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		int before = mappings();

		if (pto_run(self->ctx, 0, self->args, NULL, NULL) != -ENODEV)
			_exit(1);
		pto_close(self->ctx);
		_exit(mappings() == before ? 0 : 2);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	run_right(_metadata, self, 0);
}

/* Descriptors that are used up are no fault of the object. */
PT_TEST_F(host, descriptors_are_used_up)
{
	struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
	int all[64], count = 0, left, cid = -1;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	while (count < 64 && (all[count] = dup(STDERR_FILENO)) >= 0)
		count++;
	EXPECT_EQ(EMFILE, errno);
	/* One for the copy of the object, and one for the dynamic loader; none for the driver. */
	for (left = 0; left < 2; left++) {
		EXPECT_EQ(-EMFILE, pto_register(self->ctx, self->callable)) {
			TH_LOG("%d left: %s", left, pto_context_error(self->ctx));
		}
		ASSERT_EQ(0, close(all[--count]));
	}
	while (count && cid < 0 && left++ < 8) {
		ASSERT_EQ(0, close(all[--count]));
		cid = pto_register(self->ctx, self->callable);
	}
	EXPECT_LE(0, cid) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	run_right(_metadata, self, cid);
}

TEST_HARNESS_MAIN
