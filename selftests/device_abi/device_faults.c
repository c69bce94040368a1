// SPDX-License-Identifier: GPL-2.0
/*
 * What the device asks of the system fails: each call by itself, one after the other, while the
 * device is made, and while it carries out commands. Then the command fails, with a report, and
 * nothing is different; or nothing was lost with the call. The device lives on.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "homes.h"

#define ENTRY "aicpu_orchestration_entry"
#define MOST_CALLS 300

/* Shared with the processes that the device makes. */
static struct {
	_Atomic long left;	/* calls until one fails, 0: none does */
	_Atomic long failed;
} *inject;

__attribute__((constructor)) static void share(void)
{
	inject = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (inject == MAP_FAILED)
		abort();
}

/* Is this the call that fails? */
static bool fails(int error)
{
	long left = inject ? atomic_load(&inject->left) : 0;

	while (left > 0)
		if (atomic_compare_exchange_weak(&inject->left, &left, left - 1))
			break;
	if (left != 1)
		return false;
	atomic_fetch_add(&inject->failed, 1);
	errno = error;
	return true;
}

/* --- the calls ------------------------------------------------------------------------ */

#define WRAP(type, name, args, values, failure, error) \
	type __real_##name args; \
	type __wrap_##name args; \
	type __wrap_##name args \
	{ \
		return fails(error) ? (failure) : __real_##name values; \
	}

WRAP(void *, malloc, (size_t size), (size), NULL, ENOMEM)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *p, size_t size), (p, size), NULL, ENOMEM)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), NULL, ENOMEM)
#define MMAP_ARGS (void *p, size_t size, int prot, int flags, int fd, off_t offset)
WRAP(void *, mmap, MMAP_ARGS, (p, size, prot, flags, fd, offset), MAP_FAILED, ENOMEM)
WRAP(int, munmap, (void *p, size_t size), (p, size), -1, ENOMEM)
WRAP(int, memfd_create, (const char *name, unsigned int flags), (name, flags), -1, EMFILE)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1, ENOSPC)
WRAP(ssize_t, pread, (int fd, void *p, size_t size, off_t offset), (fd, p, size, offset), -1, EIO)
WRAP(pid_t, fork, (void), (), -1, EAGAIN)
#define THREAD_ARGS (pthread_t *t, const pthread_attr_t *attr, void *(*body)(void *), void *arg)
WRAP(int, pthread_create, THREAD_ARGS, (t, attr, body, arg), EAGAIN, EAGAIN)

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);

int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return fails(EBUSY) ? -1 : __real_fcntl(fd, cmd, arg);
}

/* --- the tests ------------------------------------------------------------------------ */

static void arm(long calls)
{
	atomic_store(&inject->failed, 0);
	atomic_store(&inject->left, calls);
}

/* Return: has one failed? */
static bool disarm(void)
{
	atomic_store(&inject->left, 0);
	return atomic_load(&inject->failed);
}

static struct rig_object probe, kernel;

static int load(struct rig_ctx *ctx)
{
	struct pto_dev_kernel list = { 5, PTO_CORE_AIV, kernel.addr, kernel.size, kernel.id };

	return rig_load(ctx, 1, &probe, ENTRY, &list, 1, NULL);
}

static void unload(struct rig_ctx *ctx)
{
	rig_unload(ctx, 1);
}

/* Nothing is asked of it: a queue that a process could not map is not served. */
static int open_second(struct rig_ctx *ctx)
{
	rig_queue_reset(ctx->rig, 3);
	return rig_bind(ctx->rig, PTO_DEV_CTX_CREATE, 2, 3);
}

static void close_second(struct rig_ctx *ctx)
{
	rig_simple(ctx->rig, 0, PTO_DEV_CTX_DESTROY, 2);
}

static char *pages;

static int map(struct rig_ctx *ctx)
{
	return rig_map(ctx->rig, ctx, PTO_DEV_MAP, pages, 4096);
}

static void unmap(struct rig_ctx *ctx)
{
	rig_map(ctx->rig, ctx, PTO_DEV_UNMAP, pages, 4096);
}

static int run(struct rig_ctx *ctx)
{
	return rig_run(ctx, 0, PROBE_ECHO, 7, 0);
}

static void nothing(struct rig_ctx *ctx)
{
}

/*
 * Lets each call fail that is made while @attempt is carried out, and goes on until all
 * succeed. Return: how many there were.
 */
static long each_call(struct __test_metadata *_metadata, struct rig_ctx *ctx,
		      int (*attempt)(struct rig_ctx *ctx), void (*undo)(struct rig_ctx *ctx))
{
	bool failed = true;
	long calls;
	int ret;

	for (calls = 0; failed && calls < MOST_CALLS; calls++) {
		arm(calls + 1);
		ret = attempt(ctx);
		failed = disarm();
		EXPECT_TRUE(!ret || (failed && (ret == PTO_DEV_NOMEM || ret == PTO_DEV_NOEXEC ||
						ret == PTO_DEV_INVALID))) {
			TH_LOG("call %ld: %d", calls + 1, ret);
		}
		undo(ctx);
		EXPECT_EQ(PTO_DEV_OK, run(ctx));
	}
	EXPECT_GT(MOST_CALLS, calls);
	return calls - 1;
}

#define EACH_CALL(least, attempt, undo) do { \
	long calls_ = each_call(_metadata, &self->ctx, attempt, undo); \
	TH_LOG("%ld calls", calls_); \
	EXPECT_LE(least, calls_); \
} while (0)

TEST_F(device, load_fails)
{
	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	ASSERT_EQ(0, rig_object(&self->rig, "kernel.so", &kernel));
	EACH_CALL(10, load, unload);
}

TEST_F(device, context_fails)
{
	EACH_CALL(5, open_second, close_second);
}

TEST_F(device, map_fails)
{
	pages = rig_alloc(&self->rig, 4096);
	if (!variant->isolate)
		SKIP(return, "nothing is called once the list of maps has grown");
	EACH_CALL(1, map, unmap);
}

TEST_F(device, run_does_not_fail)
{
	EACH_CALL(0, run, nothing);
}

/* The device itself. */
TEST_F(device, create_fails)
{
	bool failed = true;
	struct rig rig;
	long calls;
	int ret;

	for (calls = 0; failed && calls < MOST_CALLS; calls++) {
		arm(calls + 1);
		ret = rig_create(&rig, PTO_ARCH_A5, 4, variant->isolate);
		failed = disarm();
		EXPECT_TRUE(ret < 0 || (!ret && (!failed || variant->isolate))) {
			TH_LOG("call %ld: %d", calls + 1, ret);
		}
		if (ret)
			close(rig.interrupt_fd);
		else
			rig_destroy(&rig);
	}
	TH_LOG("%ld calls", calls - 1);
	EXPECT_LE(6, calls - 1);
	EXPECT_GT(MOST_CALLS, calls);
	EXPECT_EQ(PTO_DEV_OK, run(&self->ctx));
}

TEST_HARNESS_MAIN
