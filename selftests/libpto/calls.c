// SPDX-License-Identifier: GPL-2.0
/*
 * Which ioctls the library makes of a run, and what it makes of their answers. They come by
 * here: this program's ioctl() is the one that the library calls. So they can be counted
 * wherever this runs, and a driver be rehearsed that is old, interrupted or mute.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include <pto/pto.h>

#include "pttest.h"

#define RUNS	1000
#define MSEC	1000000ull

/* What the driver is like. */
enum manner {
	HONEST,
	OLD,		/* it knows the first struct pto_ioc_run only */
	INTERRUPTED,	/* a signal comes as soon as something waits with a run */
	MUTE,		/* nothing that is waited for comes, and nothing moves */
	SLOW,		/* it comes in the end, and until then something moves */
};

/**
 * struct driver - what passes by here
 * @manner: what to make of it
 * @depth: stream_depth that is announced, 0 for the true one
 * @calls: ioctls of each number
 * @moves: SLOW: how often something will have moved before all goes well
 * @deadline: of the latest wait that ended without a result
 * @asked: when that began
 */
static struct driver {
	enum manner manner;
	uint32_t depth;
	unsigned int calls[64];
	unsigned int moves;
	uint64_t deadline;
	uint64_t asked;
} driver;

static int real_ioctl(int fd, unsigned long nr, void *arg)
{
	static int (*next)(int fd, unsigned long nr, ...);

	if (!next)
		next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	return next(fd, nr, arg);
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static bool answers(void)
{
	return driver.manner < MUTE || (driver.manner == SLOW && !driver.moves);
}

static void no_result(const struct pto_ioc_wait *wait)
{
	driver.deadline = wait->timeout_ns;
	driver.asked = pt_now();
}

static int run(int fd, struct pto_ioc_run *arg)
{
	struct pto_ioc_wait *wait = (struct pto_ioc_wait *)(uintptr_t)arg->wait_ptr;
	int ret;

	if (driver.manner == OLD && (arg->wait_ptr || arg->wait_error || arg->pad))
		return fail(E2BIG);
	if (!wait || driver.manner == HONEST || (driver.manner == SLOW && answers())) {
		/* The calls are counted, however slow the machine: do not give up the stream. */
		if (wait)
			wait->timeout_ns = PTO_WAIT_FOREVER;
		return real_ioctl(fd, PTO_RUN, arg);
	}
	arg->wait_ptr = 0;
	ret = real_ioctl(fd, PTO_RUN, arg);
	arg->wait_error = driver.manner == INTERRUPTED ? -EINTR : -ETIMEDOUT;
	no_result(wait);
	return ret;
}

static int wait_for(int fd, struct pto_ioc_wait *arg)
{
	if (answers())
		return real_ioctl(fd, PTO_WAIT, arg);
	no_result(arg);
	return fail(ETIMEDOUT);
}

static int query(int fd, struct pto_ioc_query *arg)
{
	int ret = real_ioctl(fd, PTO_QUERY, arg);

	if (arg->item == PTO_QUERY_DEVICE) {
		struct pto_device_info *info = (void *)(uintptr_t)arg->data_ptr;

		if (driver.manner == OLD)
			info->features &= ~PTO_FEATURE_RUN_WAIT;
		if (driver.depth)
			info->stream_depth = driver.depth;
	} else if (arg->item == PTO_QUERY_CONTEXT) {
		struct pto_context_stats *stats = (void *)(uintptr_t)arg->data_ptr;

		if (driver.manner == MUTE)
			stats->progress = 1;
		if (driver.manner == SLOW)
			stats->progress = driver.moves -= !!driver.moves;
	}
	return ret;
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long nr, ...)
{
	va_list args;
	void *arg;

	va_start(args, nr);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(nr) == PTO_IOC_TYPE && _IOC_NR(nr) < ARRAY_SIZE(driver.calls))
		driver.calls[_IOC_NR(nr)]++;
	switch (nr) {
	case PTO_RUN:
		return run(fd, arg);
	case PTO_WAIT:
		return wait_for(fd, arg);
	case PTO_QUERY:
		return query(fd, arg);
	default:
		return real_ioctl(fd, nr, arg);
	}
}

FIXTURE(calls) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *empty;
	struct pto_callable *fatal;
	int cid;
};

FIXTURE_SETUP(calls)
{
	memset(&driver, 0, sizeof(driver));
	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &self->empty));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_fatal"), &self->fatal));
}

FIXTURE_TEARDOWN(calls)
{
	if (self->fd < 0)
		return;
	driver.manner = HONEST;
	pto_close(self->ctx);
	pto_callable_free(self->fatal);
	pto_callable_free(self->empty);
}

/* A context of a driver that is like that, warm; from now on its calls are counted. */
static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(calls) *self,
		  enum manner manner)
{
	driver.manner = manner;
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	self->cid = pto_register(self->ctx, self->empty);
	ASSERT_GE(self->cid, 0);
	ASSERT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	memset(driver.calls, 0, sizeof(driver.calls));
}

static unsigned int calls(unsigned long nr)
{
	return driver.calls[_IOC_NR(nr)];
}

static unsigned int all_calls(void)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(driver.calls); i++)
		sum += driver.calls[i];
	return sum;
}

PT_TEST_F(calls, run_is_one_call)
{
	struct pto_result result;
	int i;

	begin(_metadata, self, HONEST);
	for (i = 0; i < RUNS; i++)
		ASSERT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	EXPECT_NE(0, result.id);
	EXPECT_LE(result.start_ns, result.end_ns);
	EXPECT_EQ(RUNS, calls(PTO_RUN));
	EXPECT_EQ(RUNS, all_calls());
}

PT_TEST_F(calls, run_is_two_calls_of_an_old_driver)
{
	struct pto_result result;
	int i;

	begin(_metadata, self, OLD);
	for (i = 0; i < RUNS; i++)
		ASSERT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	EXPECT_NE(0, result.id);
	EXPECT_EQ(RUNS, calls(PTO_RUN));
	EXPECT_EQ(RUNS, calls(PTO_WAIT));
	EXPECT_EQ(2 * RUNS, all_calls());
}

PT_TEST_F(calls, submit_does_not_wait)
{
	struct pto_run_handle *handle;

	begin(_metadata, self, HONEST);
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->cid, NULL, NULL, &handle));
	EXPECT_EQ(1, all_calls());
	EXPECT_EQ(0, pto_wait(handle, PTO_FOREVER, NULL));
	EXPECT_EQ(1, calls(PTO_WAIT));
	EXPECT_EQ(2, all_calls());
}

/* Results are read in order: the older run's comes first. */
PT_TEST_F(calls, run_behind_another)
{
	struct pto_result older, newer;
	struct pto_run_handle *handle;

	begin(_metadata, self, HONEST);
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->cid, NULL, NULL, &handle));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &newer));
	EXPECT_EQ(2, calls(PTO_RUN));
	EXPECT_EQ(2, calls(PTO_WAIT));
	EXPECT_EQ(0, pto_wait(handle, 0, &older));
	EXPECT_EQ(older.id + 1, newer.id);
	EXPECT_EQ(4, all_calls());
}

PT_TEST_F(calls, failure_is_one_call)
{
	struct pto_result result;
	int cid;

	begin(_metadata, self, HONEST);
	cid = pto_register(self->ctx, self->fatal);
	ASSERT_GE(cid, 0);
	memset(driver.calls, 0, sizeof(driver.calls));
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, cid, NULL, NULL, &result));
	EXPECT_EQ(-EREMOTEIO, result.status);
	EXPECT_EQ(PTO_FATAL_EXPLICIT, result.code);
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "failed as it was told to"));
	EXPECT_EQ(1, all_calls());
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
}

/* What a signal has ended is waited for again, not submitted again. */
PT_TEST_F(calls, interrupted_run)
{
	struct pto_result result;

	begin(_metadata, self, INTERRUPTED);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	EXPECT_NE(0, result.id);
	EXPECT_EQ(1, calls(PTO_RUN));
	EXPECT_EQ(1, calls(PTO_WAIT));
	EXPECT_EQ(2, all_calls());
}

static void set_bounds(struct pto_run_options *options)
{
	options->sched_timeout_ns = 1000 * MSEC;
	options->timeout_ns = 100000 * MSEC;
}

/* The device may take its time to end the run: only then is it given up. */
PT_TEST_F(calls, run_on_a_mute_device)
{
	const uint64_t patience = 105000 * MSEC;
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_result result;
	uint64_t before;

	begin(_metadata, self, HONEST);
	driver.manner = MUTE;
	set_bounds(&options);
	before = pt_now();
	EXPECT_EQ(-ETIME, pto_run(self->ctx, self->cid, NULL, &options, &result));
	EXPECT_EQ(-ETIME, result.status);
	EXPECT_EQ(0, result.code);
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "has not answered for 105000 ms"));
	EXPECT_EQ(1, calls(PTO_RUN));
	EXPECT_LE(2, calls(PTO_QUERY));
	EXPECT_LE(before + patience, driver.deadline);
	EXPECT_GE(driver.asked + patience, driver.deadline);

	/* It was only late: what comes next waits for it, and then for its own. */
	driver.manner = HONEST;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	memset(driver.calls, 0, sizeof(driver.calls));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, &result));
	EXPECT_EQ(1, all_calls());
}

PT_TEST_F(calls, submit_to_a_mute_device)
{
	struct pto_stream *stream;
	struct pto_run_handle *handle;
	int i;

	driver.depth = 2;
	begin(_metadata, self, HONEST);
	stream = pto_default_stream(self->ctx);
	driver.manner = MUTE;
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, pto_submit(stream, self->cid, NULL, NULL, NULL));
	EXPECT_EQ(-ETIME, pto_submit(stream, self->cid, NULL, NULL, &handle));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "nothing moves in the context"));
	EXPECT_EQ(2, calls(PTO_RUN));
	driver.manner = HONEST;
	ASSERT_EQ(0, pto_submit(stream, self->cid, NULL, NULL, &handle));
	EXPECT_EQ(0, pto_wait(handle, PTO_FOREVER, NULL));
}

/* A wait says what it was told to, and the handle stays. */
PT_TEST_F(calls, wait_on_a_mute_device)
{
	struct pto_run_handle *handle;

	begin(_metadata, self, HONEST);
	ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), self->cid, NULL, NULL, &handle));
	driver.manner = MUTE;
	EXPECT_EQ(-ETIME, pto_wait(handle, 1000 * MSEC, NULL));
	EXPECT_EQ(1, calls(PTO_WAIT));
	driver.manner = HONEST;
	EXPECT_EQ(0, pto_wait(handle, PTO_FOREVER, NULL));
}

/* However long it takes, as long as something moves. */
PT_TEST_F(calls, run_that_outlasts_every_bound_but_moves)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_result result;

	begin(_metadata, self, HONEST);
	driver.manner = SLOW;
	driver.moves = 100;
	set_bounds(&options);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, &result));
	EXPECT_EQ(0, driver.moves);
	EXPECT_EQ(100, calls(PTO_QUERY));
	EXPECT_EQ(1, calls(PTO_RUN));
	EXPECT_NE(0, result.id);
}

TEST_HARNESS_MAIN
