// SPDX-License-Identifier: GPL-2.0
/* Handles that are used up, and contexts that are closed beside threads that wait. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/pto.h>

#include <pto/pto.h>

#include "pttest.h"

#define ROUNDS 200

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
static unsigned int waits, runs;	/* atomic */

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

TEST_HARNESS_MAIN
