// SPDX-License-Identifier: GPL-2.0
/*
 * Handles that are used up, objects that have been freed, and contexts and streams that are closed
 * and destroyed beside calls of other threads.
 *
 * Threads are brought together where the library calls this program: ioctl(), in which a call can
 * be held, and nanosleep(), which it calls while it waits for another thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <linux/pto.h>

#include <pto/pto.h>

#include "../device/orch_host.h"
#include "pttest.h"

#define ROUNDS	200
#define KEPT	32	/* freed objects of each kind that are recognised */

FIXTURE(misuse) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *empty;
	struct pto_callable *gate;
	struct pto_buffer *words;
	struct pto_args *args;
	int cid;
	int gate_cid;
};

FIXTURE_SETUP(misuse)
{
	struct pto_tensor tensor;

	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &self->empty));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_gate"), &self->gate));
	ASSERT_EQ(0, pto_callable_add_kernel(self->gate, 0, PTO_CORE_AIV, pt_object("kernel_add")));
	self->cid = pto_register(self->ctx, self->empty);
	ASSERT_GE(self->cid, 0);
	self->gate_cid = pto_register(self->ctx, self->gate);
	ASSERT_GE(self->gate_cid, 0);
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &self->words));
	tensor = pt_tensor(pto_buffer_device_addr(self->words), PTO_DTYPE_UINT32,
			   sizeof(uint32_t), 2);
	self->args = pto_args_new();
	ASSERT_EQ(0, pto_args_add_device(self->args, &tensor));
}

FIXTURE_TEARDOWN(misuse)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_callable_free(self->gate);
	pto_callable_free(self->empty);
	pto_close(self->ctx);
}

PT_TEST_F(misuse, handle_is_good_for_one_wait)
{
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_run_handle *old = NULL, *run;
	struct pto_result result;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, pto_submit(stream, self->cid, NULL, NULL, &run));
		EXPECT_NE(old, run);
		/* The memory of the run before serves this one: its handle must not. */
		if (old)
			EXPECT_EQ(-EBADF, pto_wait(old, PTO_FOREVER, NULL));
		result.id = 1;
		ASSERT_EQ(0, pto_wait(run, PTO_FOREVER, &result));
		EXPECT_NE(0, result.id);
		EXPECT_EQ(-EBADF, pto_wait(run, PTO_FOREVER, &result));
		EXPECT_EQ(0, result.id);
		old = run;
	}
}

PT_TEST_F(misuse, handle_ends_with_its_stream_and_its_context)
{
	struct pto_run_handle *run, *other;
	struct pto_stream *stream;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream));
	ASSERT_EQ(0, pto_submit(stream, self->cid, NULL, NULL, &run));
	ASSERT_EQ(0, pto_stream_destroy(stream));
	EXPECT_EQ(-EBADF, pto_wait(run, PTO_FOREVER, NULL));
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->cid, NULL, NULL, &other));
	pto_close(self->ctx);
	self->ctx = NULL;
	EXPECT_EQ(-EBADF, pto_wait(other, PTO_FOREVER, NULL));
	EXPECT_EQ(-EBADF, pto_wait(run, PTO_FOREVER, NULL));
}

PT_TEST_F(misuse, what_is_no_handle_is_refused)
{
	struct pto_run_handle *odd = (struct pto_run_handle *)(uintptr_t)0x123456789abcdef1u;

	EXPECT_EQ(-EINVAL, pto_wait(NULL, 0, NULL));
	EXPECT_EQ(-EBADF, pto_wait((struct pto_run_handle *)self, 0, NULL));
	EXPECT_EQ(-EBADF, pto_wait(odd, 0, NULL));
}

struct waiter {
	FIXTURE_DATA(misuse) *self;
	struct pto_run_handle *run;
	int rc;
};

static void *wait_handle(void *arg)
{
	struct waiter *w = arg;

	w->rc = pto_wait(w->run, PTO_FOREVER, NULL);
	return NULL;
}

static void *run_gate(void *arg)
{
	struct waiter *w = arg;

	w->rc = pto_run(w->self->ctx, w->self->gate_cid, w->self->args, NULL, NULL);
	return NULL;
}

/* libpto calls this ioctl(): calls that have come so far that only the driver keeps them. */
static unsigned int waits, runs, resets;	/* atomic */

/* The next ioctl of number @held_cmd is held until @released; atomic */
static unsigned long held_cmd;
static unsigned int held, released;

static _Thread_local bool watched;	/* its pauses are counted, and take no time */
static unsigned int pauses;		/* atomic */

int nanosleep(const struct timespec *duration, struct timespec *left)
{
	if (!watched)
		return clock_nanosleep(CLOCK_MONOTONIC, 0, duration, left) ? -1 : 0;
	__atomic_add_fetch(&pauses, 1, __ATOMIC_RELEASE);
	pt_pause();
	return 0;
}

static void hold(unsigned long cmd)
{
	unsigned long expected = cmd;

	if (watched || !__atomic_compare_exchange_n(&held_cmd, &expected, 0, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&held, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
		pt_pause();
}

static void hold_next(unsigned long cmd)
{
	__atomic_store_n(&held, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&released, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&held_cmd, cmd, __ATOMIC_RELEASE);
}

static void release(void)
{
	__atomic_store_n(&released, 1, __ATOMIC_RELEASE);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	static int (*next)(int fd, unsigned long cmd, ...);
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!__atomic_load_n(&next, __ATOMIC_RELAXED))
		__atomic_store_n(&next, (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"),
				 __ATOMIC_RELAXED);
	if (cmd == PTO_WAIT)
		__atomic_add_fetch(&waits, 1, __ATOMIC_RELEASE);
	if (cmd == PTO_RUN)
		__atomic_add_fetch(&runs, 1, __ATOMIC_RELEASE);
	if (cmd == PTO_CTX_RESET)
		__atomic_add_fetch(&resets, 1, __ATOMIC_RELEASE);
	hold(cmd);
	return next(fd, cmd, arg);
}

static void until_called(const unsigned int *calls, unsigned int count)
{
	while (__atomic_load_n(calls, __ATOMIC_ACQUIRE) < count)
		pt_pause();
}

PT_TEST_F(misuse, two_threads_wait_for_one_handle)
{
	struct waiter w[2] = { { .self = self }, { .self = self } };
	pthread_t threads[2];
	uint32_t *words = pto_buffer_map(self->words);
	int i, ended = 0, refused = 0;

	ASSERT_NE(NULL, words);
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->gate_cid, self->args, NULL,
				&w[0].run));
	w[1].run = w[0].run;
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_handle, &w[i]));
	until_called(&waits, 2);
	__atomic_store_n(words, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		ended += w[i].rc == 0;
		refused += w[i].rc == -EBADF;
	}
	EXPECT_EQ(1, ended);
	EXPECT_EQ(1, refused);
}

/* The gate stays shut: without the close nobody would come back. */
PT_TEST_F(misuse, close_ends_who_waits_for_a_handle)
{
	struct waiter w = { .self = self };
	pthread_t thread;

	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->gate_cid, self->args, NULL,
				&w.run));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_handle, &w));
	until_called(&waits, 1);
	pto_close(self->ctx);
	self->ctx = NULL;
	pthread_join(thread, NULL);
	EXPECT_EQ(-ENODEV, w.rc);
	EXPECT_EQ(-EBADF, pto_wait(w.run, 0, NULL));
}

static void close_beside_run(struct __test_metadata *_metadata, FIXTURE_DATA(misuse) *self,
			     const unsigned int *calls)
{
	struct waiter w = { .self = self };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_gate, &w));
	until_called(calls, 1);
	pto_close(self->ctx);
	self->ctx = NULL;
	pthread_join(thread, NULL);
	EXPECT_EQ(-ENODEV, w.rc);
}

PT_TEST_F(misuse, close_ends_who_submits_and_waits)
{
	close_beside_run(_metadata, self, &runs);
}

PT_TEST_F(misuse, close_ends_who_runs)
{
	close_beside_run(_metadata, self, &waits);
}

/* --- beside a close --------------------------------------------------------------------- */

/**
 * struct ender - a thread that closes the context or destroys a stream
 * @ctx: to be closed, or
 * @stream: to be destroyed
 * @done: it has returned; atomic
 * @rc: with what
 */
struct ender {
	struct pto_context *ctx;
	struct pto_stream *stream;
	unsigned int done;
	int rc;
};

static void *end_it(void *arg)
{
	struct ender *e = arg;

	watched = true;
	if (e->stream)
		e->rc = pto_stream_destroy(e->stream);
	else
		pto_close(e->ctx);
	__atomic_store_n(&e->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* It has waited for another thread @count times, or it has not waited at all. */
static void until_paused(const struct ender *e, unsigned int count)
{
	while (__atomic_load_n(&pauses, __ATOMIC_ACQUIRE) < count &&
	       !__atomic_load_n(&e->done, __ATOMIC_ACQUIRE))
		pt_pause();
}

static bool is_done(const struct ender *e)
{
	return __atomic_load_n(&e->done, __ATOMIC_ACQUIRE);
}

/**
 * struct call - a call in another thread
 * @self: what there is
 * @fn: makes the call
 * @stream: a stream for it
 * @rc: how it ended
 */
struct call {
	FIXTURE_DATA(misuse) *self;
	int (*fn)(struct call *c);
	struct pto_stream *stream;
	int rc;
};

static void *make_call(void *arg)
{
	struct call *c = arg;

	c->rc = c->fn(c);
	return NULL;
}

static int call_prepare(struct call *c)
{
	return pto_prepare(c->self->ctx, 7, c->self->empty);
}

static int call_register(struct call *c)
{
	return pto_register(c->self->ctx, c->self->empty);
}

static int call_unprepare(struct call *c)
{
	return pto_unprepare(c->self->ctx, c->self->cid);
}

static int call_alloc(struct call *c)
{
	struct pto_buffer *buf;

	return pto_buffer_alloc(c->self->ctx, 4096, PTO_PLACE_DEVICE, &buf);
}

static int call_free(struct call *c)
{
	pto_buffer_free(c->self->words);
	return -ENODEV;
}

static int call_write(struct call *c)
{
	return pto_buffer_write(c->self->words, 0, "", 1);
}

static int call_read(struct call *c)
{
	char byte;

	return pto_buffer_read(c->self->words, 0, &byte, 1);
}

static int call_copy(struct call *c)
{
	return pto_buffer_copy(c->self->words, 0, c->self->words, 64, 8);
}

static int call_create(struct call *c)
{
	struct pto_stream *stream;

	return pto_stream_create(c->self->ctx, &stream);
}

static int call_destroy(struct call *c)
{
	return pto_stream_destroy(c->stream);
}

static int call_query_device(struct call *c)
{
	struct pto_device_info info;

	return pto_query_device(c->self->ctx, &info);
}

static int call_query_stats(struct call *c)
{
	struct pto_context_stats stats;

	return pto_query_stats(c->self->ctx, &stats);
}

static int call_query_usage(struct call *c)
{
	struct pto_device_usage usage;

	return pto_query_usage(c->self->ctx, &usage);
}

static int call_prewarm(struct call *c)
{
	struct pto_ring_config rings = { .task_window = { 64, 64, 64, 64 } };

	return pto_prewarm(c->self->ctx, &rings);
}

static int call_reset(struct call *c)
{
	return pto_reset(c->self->ctx);
}

static int call_submit(struct call *c)
{
	return pto_submit(c->stream, c->self->gate_cid, c->self->args, NULL, NULL);
}

static int call_stream_wait(struct call *c)
{
	return pto_stream_wait(c->stream, PTO_FOREVER);
}

static const struct {
	const char *name;
	int (*fn)(struct call *c);
	unsigned long cmd;	/* the ioctl in which it is held */
	bool busy;		/* the stream has a run that does not end */
} closed_calls[] = {
	{ "pto_prepare", call_prepare, PTO_PREPARE, false },
	{ "pto_register", call_register, PTO_IMAGE_CREATE, false },
	{ "pto_unprepare", call_unprepare, PTO_UNPREPARE, false },
	{ "pto_buffer_alloc", call_alloc, PTO_BO_CREATE, false },
	{ "pto_buffer_alloc", call_alloc, PTO_BO_INFO, false },
	{ "pto_buffer_free", call_free, PTO_BO_DESTROY, false },
	{ "pto_buffer_write", call_write, PTO_BO_COPY, false },
	{ "pto_buffer_read", call_read, PTO_BO_COPY, false },
	{ "pto_buffer_copy", call_copy, PTO_BO_COPY, false },
	{ "pto_stream_create", call_create, PTO_STREAM_CREATE, false },
	{ "pto_stream_destroy", call_destroy, PTO_WAIT, true },
	{ "pto_query_device", call_query_device, PTO_QUERY, false },
	{ "pto_query_stats", call_query_stats, PTO_QUERY, false },
	{ "pto_query_usage", call_query_usage, PTO_QUERY, false },
	{ "pto_prewarm", call_prewarm, PTO_PREWARM, false },
	{ "pto_reset", call_reset, PTO_CTX_RESET, false },
	{ "pto_submit", call_submit, PTO_RUN, false },
	{ "pto_stream_wait", call_stream_wait, PTO_WAIT, true },
};

#define CLOSED_CALLS (sizeof(closed_calls) / sizeof(closed_calls[0]))

/* The close begins while a call is with the driver, and comes back after it. */
static void close_beside_call(struct __test_metadata *_metadata, FIXTURE_DATA(misuse) *self,
			      unsigned int n)
{
	struct call c = { .self = self, .fn = closed_calls[n].fn };
	struct ender e = { .ctx = self->ctx };
	unsigned int before = __atomic_load_n(&pauses, __ATOMIC_ACQUIRE);
	pthread_t caller, closer;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &c.stream));
	if (closed_calls[n].busy)
		ASSERT_EQ(0, pto_submit(c.stream, self->gate_cid, self->args, NULL, NULL));
	hold_next(closed_calls[n].cmd);
	ASSERT_EQ(0, pthread_create(&caller, NULL, make_call, &c));
	until_called(&held, 1);
	ASSERT_EQ(0, pthread_create(&closer, NULL, end_it, &e));
	until_paused(&e, before + 1);
	EXPECT_FALSE(is_done(&e)) {
		TH_LOG("pto_close() has not waited for %s()", closed_calls[n].name);
	}
	release();
	pthread_join(caller, NULL);
	pthread_join(closer, NULL);
	EXPECT_EQ(-ENODEV, c.rc) {
		TH_LOG("%s()", closed_calls[n].name);
	}
}

static void open_again(struct __test_metadata *_metadata, FIXTURE_DATA(misuse) *self)
{
	struct pto_tensor tensor;

	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	self->cid = pto_register(self->ctx, self->empty);
	self->gate_cid = pto_register(self->ctx, self->gate);
	ASSERT_GE(self->gate_cid, 0);
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &self->words));
	tensor = pt_tensor(pto_buffer_device_addr(self->words), PTO_DTYPE_UINT32,
			   sizeof(uint32_t), 2);
	pto_args_clear(self->args);
	ASSERT_EQ(0, pto_args_add_device(self->args, &tensor));
}

PT_TEST_F(misuse, close_ends_every_call)
{
	for (unsigned int n = 0; n < CLOSED_CALLS; n++) {
		close_beside_call(_metadata, self, n);
		open_again(_metadata, self);
	}
}

/* The run comes after the first resets. Its gate stays shut, so a later one has to end it. */
PT_TEST_F(misuse, close_ends_a_run_that_begins_after_a_reset)
{
	struct ender e = { .ctx = self->ctx };
	struct waiter w = { .self = self };
	pthread_t caller, closer;

	hold_next(PTO_RUN);
	ASSERT_EQ(0, pthread_create(&caller, NULL, run_gate, &w));
	until_called(&held, 1);
	ASSERT_EQ(0, pthread_create(&closer, NULL, end_it, &e));
	until_called(&resets, 2);
	until_paused(&e, 2);
	release();
	pthread_join(caller, NULL);
	pthread_join(closer, NULL);
	self->ctx = NULL;
	EXPECT_EQ(-ENODEV, w.rc);
}

/* --- a stream that is destroyed beside others ---------------------------------------------- */

/* @other waits for the stream's run, and is held in PTO_WAIT. Destroy the stream beside it. */
static void destroy_beside(struct __test_metadata *_metadata, struct ender *e, pthread_t other,
			   uint32_t *words)
{
	pthread_t destroyer;

	until_called(&held, 1);
	ASSERT_EQ(0, pthread_create(&destroyer, NULL, end_it, e));
	until_called(&waits, 2);
	__atomic_store_n(words, 1, __ATOMIC_RELEASE);
	until_paused(e, 3);
	EXPECT_FALSE(is_done(e));
	release();
	pthread_join(other, NULL);
	pthread_join(destroyer, NULL);
	EXPECT_EQ(0, e->rc);
}

PT_TEST_F(misuse, destroyed_beside_who_waits_for_it)
{
	struct call c = { .self = self, .fn = call_stream_wait };
	uint32_t *words = pto_buffer_map(self->words);
	struct ender e = { 0 };
	pthread_t caller;

	ASSERT_NE(NULL, words);
	ASSERT_EQ(0, pto_stream_create(self->ctx, &c.stream));
	e.stream = c.stream;
	ASSERT_EQ(0, pto_submit(c.stream, self->gate_cid, self->args, NULL, NULL));
	hold_next(PTO_WAIT);
	ASSERT_EQ(0, pthread_create(&caller, NULL, make_call, &c));
	destroy_beside(_metadata, &e, caller, words);
	EXPECT_EQ(0, c.rc);
}

/* The run that is being submitted is one of those that are waited for. */
PT_TEST_F(misuse, destroyed_beside_who_submits)
{
	struct call c = { .self = self, .fn = call_submit };
	uint32_t *words = pto_buffer_map(self->words);
	pthread_t caller, destroyer;
	struct ender e = { 0 };

	ASSERT_NE(NULL, words);
	ASSERT_EQ(0, pto_stream_create(self->ctx, &c.stream));
	e.stream = c.stream;
	hold_next(PTO_RUN);
	ASSERT_EQ(0, pthread_create(&caller, NULL, make_call, &c));
	until_called(&held, 1);
	ASSERT_EQ(0, pthread_create(&destroyer, NULL, end_it, &e));
	/* The submitter has the lock. */
	while (pto_stream_wait(c.stream, 0) == -ETIME)
		pt_pause();
	EXPECT_EQ(-EBADF, pto_stream_wait(c.stream, 0));
	release();
	pthread_join(caller, NULL);
	until_called(&waits, 1);
	EXPECT_FALSE(is_done(&e));
	__atomic_store_n(words, 1, __ATOMIC_RELEASE);
	pthread_join(destroyer, NULL);
	EXPECT_EQ(0, c.rc);
	EXPECT_EQ(0, e.rc);
}

PT_TEST_F(misuse, destroyed_beside_who_waits_for_a_handle)
{
	uint32_t *words = pto_buffer_map(self->words);
	struct waiter w = { .self = self };
	struct ender e = { 0 };
	pthread_t waiter;

	ASSERT_NE(NULL, words);
	ASSERT_EQ(0, pto_stream_create(self->ctx, &e.stream));
	ASSERT_EQ(0, pto_submit(e.stream, self->gate_cid, self->args, NULL, &w.run));
	hold_next(PTO_WAIT);
	ASSERT_EQ(0, pthread_create(&waiter, NULL, wait_handle, &w));
	destroy_beside(_metadata, &e, waiter, words);
	EXPECT_EQ(0, w.rc);
	EXPECT_EQ(-EBADF, pto_wait(w.run, 0, NULL));
}

/* Who comes after the destroyer is refused, and does not wait. */
PT_TEST_F(misuse, calls_on_a_stream_that_is_being_destroyed)
{
	uint32_t *words = pto_buffer_map(self->words);
	struct pto_run_handle *run;
	struct ender e = { 0 };
	pthread_t destroyer;

	ASSERT_NE(NULL, words);
	ASSERT_EQ(0, pto_stream_create(self->ctx, &e.stream));
	ASSERT_EQ(0, pto_submit(e.stream, self->gate_cid, self->args, NULL, &run));
	ASSERT_EQ(0, pthread_create(&destroyer, NULL, end_it, &e));
	until_called(&waits, 1);
	EXPECT_EQ(-EBADF, pto_submit(e.stream, self->cid, NULL, NULL, NULL));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "the stream has been freed"));
	EXPECT_EQ(-EBADF, pto_stream_wait(e.stream, PTO_FOREVER));
	EXPECT_EQ(-EBADF, pto_stream_destroy(e.stream));
	EXPECT_EQ(-EBADF, pto_wait(run, PTO_FOREVER, NULL));
	EXPECT_FALSE(is_done(&e));
	__atomic_store_n(words, 1, __ATOMIC_RELEASE);
	pthread_join(destroyer, NULL);
	EXPECT_EQ(0, e.rc);
}

/* --- who does not leave ------------------------------------------------------------ */

static struct {
	unsigned int count;	/* atomic */
	char text[512];
} line;

static void take_line(uint32_t level, const char *text, void *arg)
{
	if (!line.count)
		snprintf(line.text, sizeof(line.text), "%s", text);
	__atomic_add_fetch(&line.count, 1, __ATOMIC_RELEASE);
}

PT_TEST_F(misuse, close_says_that_it_waits_for_a_call)
{
	struct call c = { .self = self, .fn = call_read };
	struct ender e = { .ctx = self->ctx };
	pthread_t caller, closer;
	unsigned int count;

	pto_set_log(self->ctx, take_line, NULL);
	hold_next(PTO_BO_COPY);
	ASSERT_EQ(0, pthread_create(&caller, NULL, make_call, &c));
	until_called(&held, 1);
	ASSERT_EQ(0, pthread_create(&closer, NULL, end_it, &e));
	until_called(&line.count, 1);
	count = __atomic_load_n(&resets, __ATOMIC_ACQUIRE);
	EXPECT_FALSE(is_done(&e));
	release();
	pthread_join(caller, NULL);
	pthread_join(closer, NULL);
	self->ctx = NULL;
	/* After 0, 1, 3, 7, 15, 31, 63 pauses, and then after each 64. The thread has gone on. */
	EXPECT_LE(7 + (1024 - 63) / 64, count);
	EXPECT_GT(1024 / 2, count);
	EXPECT_NE(NULL, strstr(line.text, "pto_close() has waited more than 1024 ms"));
	EXPECT_NE(NULL, strstr(line.text, self->path));
}

static int call_run(struct call *c)
{
	return pto_run(c->self->ctx, 5, c->self->args, NULL, NULL);
}

/* An orchestration in this process that does not come back */
PT_TEST_F(misuse, close_names_the_orchestration_that_it_waits_for)
{
	struct call c = { .self = self, .fn = call_run };
	struct ender e = { .ctx = self->ctx };
	struct pto_callable *host;
	pthread_t caller, closer;
	int words[2] = { 0 };

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_host"), &host));
	ASSERT_EQ(0, pto_callable_add_kernel(host, 0, PTO_CORE_AIV, pt_object("kernel_add")));
	ASSERT_EQ(0, pto_callable_set_kind(host, PTO_KIND_HOST_GRAPH));
	ASSERT_EQ(0, pto_prepare(self->ctx, 5, host));
	pto_callable_free(host);
	pto_args_clear(self->args);
	ASSERT_EQ(0, pto_args_add_scalar(self->args, HOST_GATE));
	ASSERT_EQ(0, pto_args_add_scalar(self->args, (uintptr_t)words));
	pto_set_log(self->ctx, take_line, NULL);
	ASSERT_EQ(0, pthread_create(&caller, NULL, make_call, &c));
	while (!__atomic_load_n(&words[0], __ATOMIC_ACQUIRE))
		pt_pause();
	ASSERT_EQ(0, pthread_create(&closer, NULL, end_it, &e));
	until_called(&line.count, 1);
	__atomic_store_n(&words[1], 1, __ATOMIC_RELEASE);
	pthread_join(caller, NULL);
	pthread_join(closer, NULL);
	self->ctx = NULL;
	EXPECT_EQ(-ENODEV, c.rc);
	EXPECT_NE(NULL, strstr(line.text, "in the orchestration of cid 5")) {
		TH_LOG("%s", line.text);
	}
}

/* --- freed objects ------------------------------------------------------------ */

PT_TEST_F(misuse, freed_buffers)
{
	struct pto_buffer *buf, *other;
	char byte = 0;

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &buf));
	pto_buffer_free(buf);
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &other));
	EXPECT_NE(buf, other);
	EXPECT_EQ(-EBADF, pto_buffer_write(buf, 0, &byte, 1));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "the buffer has been freed"));
	EXPECT_EQ(-EBADF, pto_buffer_read(buf, 0, &byte, 1));
	EXPECT_EQ(-EBADF, pto_buffer_copy(buf, 0, other, 0, 1));
	EXPECT_EQ(-EBADF, pto_buffer_copy(other, 0, buf, 0, 1));
	EXPECT_EQ(NULL, pto_buffer_map(buf));
	EXPECT_EQ(0, pto_buffer_size(buf));
	EXPECT_EQ(0, pto_buffer_device_addr(buf));
	EXPECT_EQ(0, pto_buffer_id(buf));
	pto_buffer_free(buf);
	EXPECT_EQ(0, pto_buffer_write(other, 0, &byte, 1));
	pto_buffer_free(other);
	pto_buffer_free(other);
}

PT_TEST_F(misuse, destroyed_streams)
{
	struct pto_stream *stream, *other;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream));
	ASSERT_EQ(0, pto_stream_destroy(stream));
	ASSERT_EQ(0, pto_stream_create(self->ctx, &other));
	EXPECT_NE(stream, other);
	EXPECT_EQ(-EBADF, pto_submit(stream, self->cid, NULL, NULL, NULL));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "the stream has been freed"));
	EXPECT_EQ(-EBADF, pto_stream_wait(stream, 0));
	EXPECT_EQ(-EBADF, pto_stream_destroy(stream));
	EXPECT_EQ(0, pto_submit(other, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(0, pto_stream_destroy(other));
	EXPECT_EQ(-EINVAL, pto_submit(NULL, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(-EINVAL, pto_stream_wait(NULL, 0));
}

PT_TEST_F(misuse, freed_callables)
{
	struct pto_object_info info;
	struct pto_callable *callable;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	pto_callable_free(callable);
	EXPECT_EQ(-EBADF, pto_callable_add_kernel(callable, 0, PTO_CORE_AIV,
						  pt_object("kernel_add")));
	EXPECT_STREQ("the callable has been freed", pto_callable_error());
	EXPECT_EQ(-EBADF, pto_callable_add_kernel_memory(callable, 0, PTO_CORE_AIV, "", 1, "x"));
	EXPECT_EQ(-EBADF, pto_callable_set_symbols(callable, NULL, NULL));
	EXPECT_EQ(-EBADF, pto_callable_set_kind(callable, PTO_KIND_HOST_GRAPH));
	EXPECT_EQ(-EBADF, pto_callable_info(callable, &info));
	EXPECT_EQ(-EBADF, pto_prepare(self->ctx, 9, callable));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "the callable has been freed"));
	EXPECT_EQ(-EBADF, pto_register(self->ctx, callable));
	pto_callable_free(callable);
}

PT_TEST_F(misuse, freed_arguments)
{
	struct pto_args *args = pto_args_new();
	struct pto_result result;
	struct pto_tensor tensor = pt_tensor(4096, PTO_DTYPE_UINT32, sizeof(uint32_t), 2);
	uint32_t shape = 1;

	ASSERT_EQ(0, pto_args_add_device(args, &tensor));
	pto_args_free(args);
	EXPECT_EQ(-EBADF, pto_args_add_scalar(args, 1));
	EXPECT_EQ(-EBADF, pto_args_add_f32(args, 1));
	EXPECT_EQ(-EBADF, pto_args_add_device(args, &tensor));
	EXPECT_EQ(-EBADF, pto_args_add_host(args, PTO_IN, &shape, PTO_DTYPE_UINT32, 1, &shape));
	EXPECT_STREQ("the argument list has been freed", pto_args_error(args));
	pto_args_clear(args);
	EXPECT_EQ(-EBADF, pto_run(self->ctx, self->cid, args, NULL, &result));
	EXPECT_NE(NULL, strstr(result.text, "the argument list has been freed"));
	EXPECT_EQ(-EBADF, pto_submit(pto_default_stream(self->ctx), self->cid, args, NULL, NULL));
	pto_args_free(args);
}

PT_TEST_F(misuse, closed_contexts)
{
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_context *ctx = self->ctx;
	struct call c = { .self = self };
	struct pto_result result;

	pto_close(ctx);
	for (unsigned int n = 0; n < CLOSED_CALLS; n++) {
		c.stream = stream;
		c.rc = closed_calls[n].fn(&c);
		EXPECT_EQ(closed_calls[n].fn == call_free ? -ENODEV : -EBADF, c.rc) {
			TH_LOG("%s()", closed_calls[n].name);
		}
	}
	EXPECT_EQ(-EBADF, pto_run(ctx, self->cid, NULL, NULL, &result));
	EXPECT_NE(NULL, strstr(result.text, "the context has been freed"));
	EXPECT_NE(NULL, strstr(pto_context_error(ctx), "the context has been freed"));
	EXPECT_EQ(NULL, pto_default_stream(ctx));
	EXPECT_EQ(-EBADF, pto_context_fd(ctx));
	EXPECT_EQ(NULL, pto_buffer_map(self->words));
	pto_set_log(ctx, take_line, NULL);
	pto_close(ctx);
	self->ctx = NULL;
}

/* As many as the library says that it recognises */
PT_TEST_F(misuse, freed_a_while_ago)
{
	struct pto_args *args = pto_args_new();
	struct pto_buffer *first, *buf;
	int i;

	pto_args_free(args);
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &first));
	pto_buffer_free(first);
	for (i = 1; i < KEPT; i++) {
		pto_args_free(pto_args_new());
		ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_DEVICE, &buf));
		pto_buffer_free(buf);
	}
	EXPECT_EQ(-EBADF, pto_args_add_scalar(args, 1));
	EXPECT_EQ(-EBADF, pto_buffer_read(first, 0, &i, 1));
}

TEST_HARNESS_MAIN
