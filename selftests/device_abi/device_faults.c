// SPDX-License-Identifier: GPL-2.0
/*
 * What the device asks of the system fails: each call by itself, one after the other, while the
 * device is made, and while it carries out commands. Then the command fails, with a report, and
 * nothing is different; or nothing was lost with the call. The device lives on.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "homes.h"
#include "../../sim/device/device.h"
#include "../../sim/device/internal.h"

#define ENTRY "aicpu_orchestration_entry"
#define MOST_CALLS 300
#define HOUR_NS 3600000000000ULL

/* Shared with the processes that the device makes. */
static struct {
	_Atomic long left;	/* calls until one fails, 0: none does */
	_Atomic long failed;
	_Atomic bool uncounted;	/* nobody knows how many processors there are */
	_Atomic bool old_linux;	/* there is no MFD_NOEXEC_SEAL */
	_Atomic bool signals;	/* each other pread() is interrupted by one */
	_Atomic bool orphans;	/* new contexts lose the supervisor at once */
	_Atomic bool stillborn;	/* the supervisor ends at once */
	_Atomic bool undying;	/* a process that is killed does not end */
	_Atomic long fickle;	/* so often the driver takes back what is just fetched */
	_Atomic long looks;	/* looks at a clock until an hour is lost, 0: none is */
	_Atomic bool stalls;	/* STALL_NS are lost before each look at clock_ns() */
	_Atomic long stalled;	/* so often they were */
	struct ctx_page *held;	/* its lock is dropped after HOLDER_STALLS, NULL: nobody's is */
	_Atomic uint64_t lost_ns; /* what has been lost */
	_Atomic long met;	/* calls that were made otherwise for one of these */
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
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1, ENOSPC)
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

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	va_list ap;
	long arg[6];
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	/* The others sleep, or wake somebody. */
	if (number == SYS_pidfd_open && fails(EMFILE))
		return -1;
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* Is this call one that @when is about? */
static bool meets(const _Atomic bool *when, int error)
{
	if (!inject || !atomic_load(when))
		return false;
	atomic_fetch_add(&inject->met, 1);
	errno = error;
	return true;
}

#define MEMFD_ARGS (const char *name, unsigned int flags)
int __real_memfd_create MEMFD_ARGS;
int __wrap_memfd_create MEMFD_ARGS;

int __wrap_memfd_create MEMFD_ARGS
{
	const unsigned int known = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (flags & ~known && meets(&inject->old_linux, EINVAL))
		return -1;
	return fails(EMFILE) ? -1 : __real_memfd_create(name, flags);
}

#define PREAD_ARGS (int fd, void *p, size_t size, off_t offset)
ssize_t __real_pread PREAD_ARGS;
ssize_t __wrap_pread PREAD_ARGS;

ssize_t __wrap_pread PREAD_ARGS
{
	static _Thread_local bool again;

	again = !again && meets(&inject->signals, EINTR);
	if (again)
		return -1;
	return fails(EIO) ? -1 : __real_pread(fd, p, size, offset);
}

int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	if (meets(&inject->uncounted, EINVAL))
		return -1;
	return __real_sched_getaffinity(pid, size, set);
}

#define STALL_NS	1000000000ULL
#define HOLDER_STALLS	100

/* The machine is so busy that a moment goes by for each thing that is done. */
static void stall(void)
{
	if (!inject || !atomic_load(&inject->stalls))
		return;
	atomic_fetch_add(&inject->lost_ns, STALL_NS);
	if (atomic_fetch_add(&inject->stalled, 1) == HOLDER_STALLS && inject->held)
		ctx_page_unlock(inject->held);
}

/* A new context comes as far as here, and goes on when there were so many stalls. */
static void await_stalls(void)
{
	unsigned int tries = 0;

	while (atomic_load(&inject->stalls) && atomic_load(&inject->stalled) < HOLDER_STALLS)
		rig_pause(&tries);
}

static bool orphaned;	/* this process is about to find out that it is one */

int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);

int __wrap_prctl(int option, ...)
{
	va_list ap;
	long arg;

	va_start(ap, option);
	arg = va_arg(ap, long);
	va_end(ap);
	/* Contexts ask for SIGKILL, the supervisor for another one. */
	if (option == PR_SET_PDEATHSIG && arg == SIGKILL) {
		orphaned = meets(&inject->orphans, 0);
		await_stalls();
	}
	if (option == PR_SET_PDEATHSIG && arg != SIGKILL && meets(&inject->stillborn, 0))
		_exit(1);
	return __real_prctl(option, arg);
}

pid_t __real_getppid(void);
pid_t __wrap_getppid(void);

pid_t __wrap_getppid(void)
{
	return orphaned ? 1 : __real_getppid();
}

#define WAITID_ARGS (idtype_t type, id_t id, siginfo_t *info, int options)
int __real_waitid WAITID_ARGS;
int __wrap_waitid WAITID_ARGS;

int __wrap_waitid WAITID_ARGS
{
	return meets(&inject->undying, 0) ? 0 : __real_waitid(type, id, info, options);
}

/* The driver's part of a race: the device has seen that there is a command. */
#define FETCH_ARGS (struct queue *q, struct pto_dev_cmd *cmd, uint32_t *index)
bool __real_queue_fetch FETCH_ARGS;
bool __wrap_queue_fetch FETCH_ARGS;

bool __wrap_queue_fetch FETCH_ARGS
{
	uint32_t *tail = &q->pair->sq_tail;
	bool fetched;

	if (__atomic_load_n(tail, __ATOMIC_RELAXED) == q->slot->head ||
	    atomic_fetch_sub(&inject->fickle, 1) <= 0)
		return __real_queue_fetch(q, cmd, index);
	__atomic_fetch_sub(tail, 1, __ATOMIC_SEQ_CST);
	fetched = __real_queue_fetch(q, cmd, index);
	__atomic_fetch_add(tail, 1, __ATOMIC_SEQ_CST);
	return fetched;
}

/*
 * The machine stands still, or all of the device is stopped, for an hour: the clocks go on. Before
 * which look at one of them is up to the test.
 */
static uint64_t see_clock(uint64_t ns)
{
	long left = inject ? atomic_load(&inject->looks) : 0;

	while (left > 0)
		if (atomic_compare_exchange_weak(&inject->looks, &left, left - 1))
			break;
	if (left == 1)
		atomic_fetch_add(&inject->lost_ns, HOUR_NS);
	return ns + (inject ? atomic_load(&inject->lost_ns) : 0);
}

#define CLOCK(name, before) \
	uint64_t __real_##name(void); \
	uint64_t __wrap_##name(void); \
	uint64_t __wrap_##name(void) \
	{ \
		before; \
		return see_clock(__real_##name()); \
	}

CLOCK(clock_ns, stall())
CLOCK(engine_now, (void)0)

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

/* A context that is a process ends by itself: one that is killed leaves no coverage. */
#define EACH_CALL(least, attempt, undo) do { \
	long calls_ = each_call(_metadata, &self->ctx, attempt, undo); \
	TH_LOG("%ld calls", calls_); \
	EXPECT_LE(least, calls_); \
	if (variant->isolate) \
		EXPECT_EQ(PTO_DEV_FAULT, rig_run(&self->ctx, 0, PROBE_EXIT, 0, 0)); \
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

static uint64_t second_arena;

static int arena_command(struct rig_ctx *ctx, uint16_t opcode)
{
	struct pto_dev_cmd_arena cmd = {
		.opcode = opcode, .ctx = ctx->id, .addr = second_arena,
		.size = ctx->plan->arena_size,
	};

	if (opcode == PTO_DEV_ARENA_BIND) {
		cmd.image_addr = rig_addr(ctx->rig, ctx->plan + 1);
		cmd.image_size = ctx->plan->image_size;
	}
	return rig_do(ctx->rig, ctx->control, &cmd, NULL);
}

static int bind_arena(struct rig_ctx *ctx)
{
	return arena_command(ctx, PTO_DEV_ARENA_BIND);
}

static void drop_arena(struct rig_ctx *ctx)
{
	arena_command(ctx, PTO_DEV_ARENA_DROP);
}

TEST_F(device, arena_fails)
{
	uint64_t size = (self->ctx.plan->arena_size + 4095) & ~4095ULL;
	void *arena = rig_alloc(&self->rig, size);

	second_arena = rig_addr(&self->rig, arena);
	ASSERT_EQ(0, rig_map(&self->rig, &self->ctx, PTO_DEV_MAP, arena, size));
	EACH_CALL(variant->isolate, bind_arena, drop_arena);
}

/* The page stays mapped for the context then, or it goes. */
static int map_and_unmap(struct rig_ctx *ctx)
{
	int ret = rig_map(ctx->rig, ctx, PTO_DEV_MAP, pages, 4096);

	return ret ? ret : rig_map(ctx->rig, ctx, PTO_DEV_UNMAP, pages, 4096);
}

TEST_F(device, unmap_fails)
{
	pages = rig_alloc(&self->rig, 4096);
	if (!variant->isolate)
		SKIP(return, "nothing is called once the list of maps has grown");
	EACH_CALL(2, map_and_unmap, nothing);
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

/* --- other systems ------------------------------------------------------------------- */

#define EXPECT_MET(when) do { \
	atomic_store(&(when), false); \
	EXPECT_LT(0, atomic_exchange(&inject->met, 0)); \
} while (0)

/* One that has more processors than a set of them has room for. */
TEST(processors_that_cannot_be_counted)
{
	const struct ptodev_config config = {
		.arch = PTO_ARCH_A5, .max_contexts = 1, .memory_size = 64ULL << 20,
	};
	struct ptodev *dev;

	atomic_store(&inject->uncounted, true);
	ASSERT_EQ(0, ptodev_create(&config, &dev));
	EXPECT_MET(inject->uncounted);
	EXPECT_EQ(1, ((const struct pto_dev_ident *)ptodev_window(dev))->worker_threads);
	ptodev_destroy(dev);
}

TEST_F(device, linux_before_6_3)
{
	struct rig rig;

	atomic_store(&inject->old_linux, true);
	ASSERT_EQ(0, rig_create(&rig, PTO_ARCH_A5, 4, variant->isolate));
	rig_destroy(&rig);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 1));
	EXPECT_MET(inject->old_linux);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 1, PROBE_ECHO, 7, 0));
}

TEST_F(device, reads_that_signals_interrupt)
{
	if (!variant->isolate)
		SKIP(return, "it has the window itself");
	atomic_store(&inject->signals, true);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 1));
	EXPECT_MET(inject->signals);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 1, PROBE_ECHO, 7, 0));
}

/* A context that cannot ask any more to be told of the supervisor's end, since that has come. */
TEST_F(device, context_without_supervisor)
{
	if (!variant->isolate)
		SKIP(return, "there is none");
	atomic_store(&inject->orphans, true);
	EXPECT_EQ(PTO_DEV_NOMEM, open_second(&self->ctx));
	EXPECT_MET(inject->orphans);
	EXPECT_EQ(PTO_DEV_OK, open_second(&self->ctx));
	EXPECT_EQ(PTO_DEV_OK, run(&self->ctx));
}

/* A process that the system does not end within the bound is reaped when it has ended. */
TEST_F(device, process_that_ends_late)
{
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;
	pid_t process;

	if (!variant->isolate)
		SKIP(return, "there is none");
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	process = (pid_t)*self->ctx.page;
	EXPECT_EQ(0, kill(process, 0));
	atomic_store(&inject->undying, true);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	EXPECT_EQ(0, kill(process, 0));
	EXPECT_MET(inject->undying);
	while (!kill(process, 0) && rig_now() < until)
		rig_pause(&tries);
	EXPECT_EQ(-1, kill(process, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
}

/* A command that is gone when it is fetched, and there again then, is executed once. */
TEST_F(device, command_that_is_taken_back)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct pto_dev_queue *pair;
	uint32_t queue;

	for (queue = 1; queue <= 2; queue++) {
		pair = rig_queue(&self->rig, queue);
		atomic_store(&inject->fickle, 100);
		EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, queue, &nop, NULL));
		EXPECT_GE(0, atomic_exchange(&inject->fickle, 0));
		EXPECT_EQ(nop.id + 1, pair->cq_tail);
	}
	EXPECT_EQ(PTO_DEV_OK, run(&self->ctx));
}

TEST_F(device, supervisor_that_ends_at_once)
{
	struct rig rig;

	if (!variant->isolate)
		SKIP(return, "there is none");
	atomic_store(&inject->stillborn, true);
	EXPECT_EQ(-ECHILD, rig_create(&rig, PTO_ARCH_A5, 4, true));
	EXPECT_MET(inject->stillborn);
	close(rig.interrupt_fd);
}

/* --- lost time ------------------------------------------------------------------------ */

/* A device, a context, something that it executes; all of it comes to an end. */
static int live(struct __test_metadata *_metadata, bool isolate)
{
	struct rig_ctx ctx;
	struct rig rig;
	int ret;

	ret = rig_create(&rig, PTO_ARCH_A2A3, 4, isolate);
	if (ret) {
		TH_LOG("the device: %d", ret);
		close(rig.interrupt_fd);
		return ret;
	}
	ret = rig_ctx_open(&rig, &ctx, 1);
	if (!ret)
		ret = rig_ctx_probe(&ctx, 0);
	if (!ret)
		ret = rig_run(&ctx, 0, PROBE_BLOCKS, KERNEL_DOUBLE, 0);
	if (!ret)
		ret = rig_unload(&ctx, 0);
	if (!ret)
		ret = rig_ctx_close(&ctx);
	if (ret)
		TH_LOG("what it was asked for: %d", ret);
	rig_destroy(&rig);
	return ret;
}

/* An hour is lost before each of the first looks at a clock: bounds are for those who get on. */
TEST_F(device, time_lost_anywhere)
{
	uint64_t before = atomic_load(&inject->lost_ns);
	long looks;

	for (looks = 1; looks <= 60; looks++) {
		atomic_store(&inject->looks, looks);
		EXPECT_EQ(0, live(_metadata, variant->isolate)) {
			TH_LOG("an hour was lost before look %ld", looks);
		}
	}
	atomic_store(&inject->looks, 0);
	EXPECT_LE(30 * HOUR_NS, atomic_load(&inject->lost_ns) - before);
}

/*
 * A machine that stalls before each look at a clock: who is waited for gets a little further each
 * time, and is waited for. A context's process, when it begins:
 */
TEST_F(device, machine_that_stalls)
{
	struct rig_ctx ctx;

	atomic_store(&inject->stalled, 0);
	atomic_store(&inject->stalls, true);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &ctx, 2));
	atomic_store(&inject->stalls, false);
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&ctx));
}

/* Whoever holds the lock that a context shares with the admin: */
TEST_F(device, machine_that_stalls_while_a_lock_is_held)
{
	inject->held = ptodev_page(self->rig.dev, 1);
	ASSERT_TRUE(ctx_page_trylock(inject->held, RIG_BOUND_NS));
	/* As if a thread of the context had it. */
	if (self->rig.dev->config.isolate)
		atomic_store(&inject->held->lock, self->rig.dev->contexts[1].pid);
	atomic_store(&inject->stalled, 0);
	atomic_store(&inject->stalls, true);
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, 20));
	atomic_store(&inject->stalls, false);
	inject->held = NULL;
	EXPECT_EQ(PTO_DEV_OK, run(&self->ctx)) {
		TH_LOG("%s", rig_why(&self->rig, self->ctx.stream, 0));
	}
}

/* Waits until the admin has gone round so often: that is what the driver sees of it, too. */
static void await_heartbeats(const struct rig *rig, uint32_t count)
{
	uint32_t begin = __atomic_load_n(&rig->ident->heartbeat, __ATOMIC_RELAXED);
	unsigned int tries = 0;

	while (__atomic_load_n(&rig->ident->heartbeat, __ATOMIC_RELAXED) - begin < count)
		rig_pause(&tries);
}

/* It is lost while a program executes, which then has all of its time. */
TEST_F(device, time_lost_in_a_run)
{
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	uint64_t *page = self->ctx.page;
	struct pto_dev_cqe cqe;
	uint32_t id;

	*page = 0;
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	/* Whoever watches it has seen it. */
	await_heartbeats(&self->rig, 2);
	atomic_fetch_add(&inject->lost_ns, HOUR_NS);
	await_heartbeats(&self->rig, 6);
	__atomic_store_n(page, 99, __ATOMIC_RELEASE);
	ASSERT_EQ(0, rig_wait(&self->rig, self->ctx.stream, id, &cqe));
	EXPECT_EQ(PTO_DEV_OK, cqe.status) {
		TH_LOG("%s", rig_why(&self->rig, self->ctx.stream, id));
	}
	EXPECT_EQ(PTO_DEV_OK, run(&self->ctx));
}

TEST_HARNESS_MAIN
