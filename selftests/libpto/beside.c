// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that use a context while a run takes its time, which ends when the test lets it: what
 * they call returns before. Calls are counted that return while the run cannot end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pto/pto.h>

#include "pttest.h"

#define CID_GATE	0
#define CID_EMPTY	1
#define LARGE		(4u << 20)

FIXTURE(beside) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_buffer *words;
	uint32_t *gate;
	struct pto_args *args;
	struct pto_args *large;
	void *data;
};

static int prepare(struct pto_context *ctx, int cid, const char *orch)
{
	struct pto_callable *callable;
	int rc;

	rc = pto_callable_load(pt_object(orch), &callable);
	if (!rc)
		rc = cid < 0 ? pto_register(ctx, callable) : pto_prepare(ctx, cid, callable);
	pto_callable_free(callable);
	return rc;
}

FIXTURE_SETUP(beside)
{
	uint32_t many[1] = { LARGE };
	struct pto_tensor words;

	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, prepare(self->ctx, CID_GATE, "orch_gate"));
	ASSERT_EQ(0, prepare(self->ctx, CID_EMPTY, "orch_empty"));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &self->words));
	self->gate = pto_buffer_map(self->words);
	ASSERT_NE(NULL, self->gate);
	self->args = pto_args_new();
	words = pt_tensor(pto_buffer_device_addr(self->words), PTO_DTYPE_UINT32,
			  sizeof(uint32_t), 3);
	ASSERT_EQ(0, pto_args_add_device(self->args, &words));
	self->data = calloc(1, LARGE);
	self->large = pto_args_new();
	ASSERT_EQ(0, pto_args_add_host(self->large, PTO_IN, self->data, PTO_DTYPE_UINT8, 1, many));
}

FIXTURE_TEARDOWN(beside)
{
	if (self->fd < 0)
		return;
	__atomic_store_n(&self->gate[0], 1, __ATOMIC_RELEASE);
	pto_args_free(self->args);
	pto_args_free(self->large);
	pto_close(self->ctx);
	free(self->data);
}

/* Until the nth run of the gate has begun. */
static void until_begun(FIXTURE_DATA(beside) *self, uint32_t nth)
{
	while (__atomic_load_n(&self->gate[2], __ATOMIC_ACQUIRE) < nth)
		pt_pause();
}

/* Return: had no run passed the gate? It is open then. */
static bool open_gate(FIXTURE_DATA(beside) *self)
{
	bool held = !__atomic_load_n(&self->gate[1], __ATOMIC_ACQUIRE);

	__atomic_store_n(&self->gate[0], 1, __ATOMIC_RELEASE);
	return held;
}

PT_TEST_F(beside, calls_that_need_the_device)
{
	struct pto_ring_config rings = { 0 };
	struct pto_run_handle *run, *other;
	struct pto_buffer *buffer;
	int served;

	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), CID_GATE, self->args, NULL, &run));
	until_begun(self, 1);
	for (served = 0; served < 4; served++) {
		if (pto_buffer_alloc(self->ctx, LARGE, PTO_PLACE_DEVICE, &buffer))
			break;
		pto_buffer_free(buffer);
		if (prepare(self->ctx, -1, "orch_empty") < 2)
			break;
		rings.heap[0] = 8192 << served;
		if (pto_prewarm(self->ctx, &rings))
			break;
	}
	EXPECT_EQ(4, served) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	/* Host tensors that do not fit what is there: it grows. */
	EXPECT_EQ(0, pto_submit(pto_default_stream(self->ctx), CID_EMPTY, self->large, NULL,
				&other));
	EXPECT_TRUE(open_gate(self));
	EXPECT_EQ(0, pto_wait(run, PTO_FOREVER, NULL));
	EXPECT_EQ(0, pto_wait(other, PTO_FOREVER, NULL));
}

struct waiter {
	struct pto_context *ctx;
	struct pto_args *args;
	struct pto_run_handle *run;
	int how;
	int rc;
};

#define WAITS_FOR_RUN		0
#define WAITS_FOR_STREAM	1
#define RUNS			2

static void *waits(void *arg)
{
	struct waiter *w = arg;

	if (w->how == WAITS_FOR_RUN)
		w->rc = pto_wait(w->run, PTO_FOREVER, NULL);
	else if (w->how == WAITS_FOR_STREAM)
		w->rc = pto_stream_wait(pto_default_stream(w->ctx), PTO_FOREVER);
	else
		w->rc = pto_run(w->ctx, CID_GATE, w->args, NULL, NULL);
	return NULL;
}

/* However somebody waits, others submit to the stream, and wait for what they have submitted. */
static void submit_beside(struct __test_metadata *_metadata, FIXTURE_DATA(beside) *self, int how)
{
	struct waiter w = { .ctx = self->ctx, .args = self->args, .how = how };
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_run_handle *runs[8];
	pthread_t thread;
	int served;

	if (how != RUNS)
		ASSERT_EQ(0, pto_submit(stream, CID_GATE, self->args, NULL, &w.run));
	ASSERT_EQ(0, pthread_create(&thread, NULL, waits, &w));
	until_begun(self, 1);
	for (served = 0; served < 8; served++)
		if (pto_submit(stream, CID_EMPTY, NULL, NULL, &runs[served]))
			break;
	EXPECT_EQ(8, served);
	/* A wait that gives up does so although the other one goes on. */
	EXPECT_EQ(-ETIME, pto_wait(runs[0], 1, NULL));
	EXPECT_EQ(-ETIME, pto_stream_wait(stream, 1));
	EXPECT_TRUE(open_gate(self));
	while (served--)
		EXPECT_EQ(0, pto_wait(runs[served], PTO_FOREVER, NULL));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, w.rc);
	if (how == WAITS_FOR_STREAM)
		EXPECT_EQ(0, pto_wait(w.run, PTO_FOREVER, NULL));
}

PT_TEST_F(beside, submit_while_another_waits_for_a_run)
{
	submit_beside(_metadata, self, WAITS_FOR_RUN);
}

PT_TEST_F(beside, submit_while_another_waits_for_the_stream)
{
	submit_beside(_metadata, self, WAITS_FOR_STREAM);
}

PT_TEST_F(beside, submit_while_another_runs)
{
	submit_beside(_metadata, self, RUNS);
}

/* Every wait of libpto for a run begins here. */
static uint32_t waits_begun;	/* atomic */

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long nr, ...)
{
	static int (*next)(int fd, unsigned long nr, ...);
	va_list args;
	void *arg;

	va_start(args, nr);
	arg = va_arg(args, void *);
	va_end(args);
	if (!__atomic_load_n(&next, __ATOMIC_ACQUIRE))
		__atomic_store_n(&next, (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"),
				 __ATOMIC_RELEASE);
	if (nr == PTO_WAIT)
		__atomic_add_fetch(&waits_begun, 1, __ATOMIC_RELEASE);
	return next(fd, nr, arg);
}

/* A run that comes while a thread waits for the stream does not keep that thread. */
PT_TEST_F(beside, stream_wait_is_for_earlier_runs)
{
	struct waiter w = { .ctx = self->ctx, .how = WAITS_FOR_STREAM };
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_args *later_args = pto_args_new();
	uint32_t *later_gate = self->gate + 16;
	struct pto_run_handle *run, *later;
	struct pto_tensor words;
	struct timespec patience;
	pthread_t thread;
	int late;

	words = pt_tensor(pto_buffer_device_addr(self->words) + 64, PTO_DTYPE_UINT32,
			  sizeof(uint32_t), 3);
	ASSERT_EQ(0, pto_args_add_device(later_args, &words));
	ASSERT_EQ(0, pto_submit(stream, CID_GATE, self->args, NULL, &run));
	__atomic_store_n(&waits_begun, 0, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, waits, &w));
	while (!__atomic_load_n(&waits_begun, __ATOMIC_ACQUIRE))
		pt_pause();
	EXPECT_EQ(0, pto_submit(stream, CID_GATE, later_args, NULL, &later));
	EXPECT_TRUE(open_gate(self));
	/* The later run cannot end: who waits for it waits as long as this is patient. */
	clock_gettime(CLOCK_REALTIME, &patience);
	patience.tv_sec += 30;
	late = pthread_timedjoin_np(thread, NULL, &patience);
	EXPECT_EQ(0, late);
	__atomic_store_n(&later_gate[0], 1, __ATOMIC_RELEASE);
	if (late)
		pthread_join(thread, NULL);
	EXPECT_EQ(0, w.rc);
	EXPECT_EQ(0, pto_wait(run, PTO_FOREVER, NULL));
	EXPECT_EQ(0, pto_wait(later, PTO_FOREVER, NULL));
	pto_args_free(later_args);
}

struct submitter {
	struct pto_context *ctx;
	uint32_t waited;	/* 1: it stops; atomic */
	uint32_t submitted;	/* atomic */
	int rc;
};

/* There is a run in flight always. */
static void *submits(void *arg)
{
	struct pto_run_handle *run, *before = NULL;
	struct submitter *s = arg;

	while (!s->rc && !__atomic_load_n(&s->waited, __ATOMIC_ACQUIRE)) {
		s->rc = pto_submit(pto_default_stream(s->ctx), CID_EMPTY, NULL, NULL, &run);
		__atomic_add_fetch(&s->submitted, 1, __ATOMIC_RELEASE);
		if (!s->rc && before)
			s->rc = pto_wait(before, PTO_FOREVER, NULL);
		before = run;
	}
	if (!s->rc)
		s->rc = pto_wait(before, PTO_FOREVER, NULL);
	return NULL;
}

/* A wait for the stream is for the runs that are in flight when it begins, not for later ones. */
PT_TEST_F(beside, stream_wait_ends_beside_a_submitter)
{
	struct submitter s = { .ctx = self->ctx };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, submits, &s));
	while (__atomic_load_n(&s.submitted, __ATOMIC_ACQUIRE) < 2)
		pt_pause();
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, pto_stream_wait(pto_default_stream(self->ctx), PTO_FOREVER));
	__atomic_store_n(&s.waited, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, s.rc);
}

/* Threads that run, submit and wait on one stream: each gets its own result, and none is lost. */

#define THREADS	4
#define ROUNDS	200

static void *runs_and_waits(void *arg)
{
	struct waiter *w = arg;
	struct pto_stream *stream = pto_default_stream(w->ctx);
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_result result;
	int i;

	for (i = 0; i < ROUNDS && !w->rc; i++) {
		options.user_data = (uint64_t)w->how << 32 | i;
		if (i % 3 == 0) {
			w->rc = pto_run(w->ctx, CID_EMPTY, NULL, &options, &result);
		} else {
			w->rc = pto_submit(stream, CID_EMPTY, NULL, &options, &w->run);
			if (!w->rc)
				w->rc = pto_wait(w->run, PTO_FOREVER, &result);
		}
		if (!w->rc && result.user_data != options.user_data)
			w->rc = -EBADMSG;
	}
	return NULL;
}

PT_TEST_F(beside, threads_on_one_stream)
{
	struct waiter w[THREADS];
	pthread_t threads[THREADS];
	struct pto_context_stats stats;
	int i;

	for (i = 0; i < THREADS; i++) {
		w[i] = (struct waiter){ .ctx = self->ctx, .how = i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, runs_and_waits, &w[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, w[i].rc);
	}
	ASSERT_EQ(0, pto_query_stats(self->ctx, &stats));
	EXPECT_EQ(THREADS * ROUNDS, stats.runs_completed);
}

TEST_HARNESS_MAIN
