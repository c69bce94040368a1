// SPDX-License-Identifier: GPL-2.0
/*
 * What does not move: kernels and orchestrations that hang are left, the run says what it was,
 * and the engine is as good as new. What is bounded never ends. The bounds are short at first
 * and grow if a busy machine did not get as far as to the hang within them.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <pto/kernel.h>
#include <sim/device/engine_internal.h>

#include "harness.h"
#include "engine_fixture.h"

#define MS 1000000ULL

enum { FUNC_SPIN, FUNC_SLEEP, FUNC_WAIT, FUNC_ADD, FUNC_COUNT };

static uint32_t never, counter;
static _Atomic int spinning;

/*
 * ThreadSanitizer keeps a signal back until the thread calls a function that it knows, so
 * there what spins has to call one.
 */
static void step(void)
{
#ifdef __SANITIZE_THREAD__
	const struct timespec ts = { .tv_nsec = 1 };

	nanosleep(&ts, NULL);
#endif
}

static void kernel_spin(int64_t *args)
{
	spinning++;
	for (;;)
		step();
}

static void kernel_sleep(int64_t *args)
{
	const struct timespec ts = { .tv_sec = 1000 };

	spinning++;
	for (;;)
		nanosleep(&ts, NULL);
}

static void kernel_wait(int64_t *args)
{
	pto_wait_ge(args, &never, 1);
}

static void kernel_add(int64_t *args)
{
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_SPIN] = { kernel_spin, PTO_CORE_AIV },
	[FUNC_SLEEP] = { kernel_sleep, PTO_CORE_AIV },
	[FUNC_WAIT] = { kernel_wait, PTO_CORE_AIV },
	[FUNC_ADD] = { kernel_add, PTO_CORE_AIV },
};

FIXTURE(stalls)
{
	struct machine machine;
};

FIXTURE_SETUP(stalls)
{
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A5, 2, kernels, FUNC_COUNT));
	spinning = 0;
}

/* With another bound for elements, and for runs in which nothing moves. */
#define RESTART_BOUNDED(ns, whole) do { \
	machine_stop(&self->machine); \
	self->machine.tensor_wait_ns = ns; \
	self->machine.default_timeout_ns = whole; \
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A5, 2, kernels, FUNC_COUNT)); \
} while (0)

#define RESTART(ns) RESTART_BOUNDED(ns, 0)

FIXTURE_TEARDOWN(stalls)
{
	EXPECT_FALSE(pto_engine_lost(self->machine.engine));
	machine_stop(&self->machine);
}

static struct pto_task submit(struct pto_rt *rt, int32_t func, uint32_t blocks)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_set_block_num(&task, blocks);
	return pto_submit_aiv(rt, func, &task);
}

static void entry_good(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (int i = 0; i < 500; i++)
		submit(rt, FUNC_ADD, 2);
}

/* The engine is as good as new. */
#define EXPECT_GOOD_RUN() do { \
	self->machine.run.timeout_ns = 0; \
	self->machine.run.sched_timeout_ns = 0; \
	self->machine.run.op_timeout_ns = 0; \
	counter = 0; \
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_good)); \
	EXPECT_EQ(1000, counter); \
} while (0)

#define FIRST_BOUND (60 * MS)
#define LAST_BOUND (60000 * MS)

/* Runs with @bound, a field of the run, growing until the run ends as it should. */
static void run_stalled(struct machine *m, pto_orch_entry_fn entry, uint64_t *bound, uint32_t class,
			uint32_t func)
{
	for (*bound = FIRST_BOUND; *bound < LAST_BOUND; *bound *= 2) {
		if (machine_run(m, entry) != PTO_DEV_TIMEOUT || pto_engine_lost(m->engine) ||
		    (m->report.subcode == class && m->report.func_id == func))
			return;
	}
}

#define EXPECT_STALL(entry, bound, class, func) do { \
	const struct pto_dev_report *r_ = &self->machine.report; \
	run_stalled(&self->machine, entry, &self->machine.run.bound, class, func); \
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, r_->code); \
	EXPECT_EQ(class, r_->subcode); \
	EXPECT_EQ(func, r_->func_id); \
	TH_LOG("%s", r_->text); \
} while (0)

static int32_t hanging;
static uint32_t hanging_blocks;

/* More than there are threads: the workers' and the orchestrator's hang, some have not begun. */
static void entry_hang(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit(rt, FUNC_ADD, 1);
	submit(rt, hanging, hanging_blocks);
}

/* Nothing else moves: S1. */
TEST_F(stalls, kernels)
{
	for (hanging = FUNC_SPIN; hanging <= FUNC_WAIT; hanging++) {
		for (hanging_blocks = 1; hanging_blocks <= 8; hanging_blocks += 7) {
			EXPECT_STALL(entry_hang, op_timeout_ns, 1, (uint32_t)hanging);
			EXPECT_NE(UINT32_MAX, self->machine.report.core);
			EXPECT_EQ(1, self->machine.report.task);
			EXPECT_NE(NULL, strstr((char *)self->machine.report.text,
					       "ring 0: 2/1024 tasks")) {
				TH_LOG("%s", self->machine.report.text);
			}
			EXPECT_GOOD_RUN();
		}
	}
}

/* What waits for the one that hangs comes after it, without its kernel. */
static void entry_behind(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, 4);
	struct pto_task_args task;
	struct pto_task hung;

	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	hung = pto_submit_aiv(rt, FUNC_SPIN, &task);
	pto_task_args_init(&task);
	pto_add_input(&task, pto_task_output(&hung, 0));
	pto_submit_aiv(rt, FUNC_ADD, &task);
}

TEST_F(stalls, kernel_before_another)
{
	EXPECT_STALL(entry_behind, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_GOOD_RUN();
}

/* Other tasks complete for ever. */
static void entry_busy(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit(rt, FUNC_SPIN, 1);
	submit(rt, FUNC_ADD, 1);
	while (!pto_is_fatal(rt))
		PTO_SCOPE(rt)
			submit(rt, FUNC_ADD, 1);
}

TEST_F(stalls, kernel_beside_others)
{
	EXPECT_STALL(entry_busy, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, "a kernel has been running for"));
	EXPECT_GOOD_RUN();
}

/* The device's bound for a run without one counts kernels that run, too. */
TEST_F(stalls, device_bound)
{
	RESTART_BOUNDED(0, 600 * MS);
	hanging = FUNC_SPIN;
	hanging_blocks = 1;
	EXPECT_EQ(PTO_DEV_TIMEOUT, machine_run(&self->machine, entry_hang));
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text,
			       "nothing has moved for 600 ms")) {
		TH_LOG("%s", self->machine.report.text);
	}
}

/* The run as a whole. */
TEST_F(stalls, run_too_long)
{
	EXPECT_STALL(entry_busy, timeout_ns, 1, FUNC_SPIN);
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, "the run has not ended within"));
	EXPECT_GOOD_RUN();
}

/* --- the orchestration --------------------------------------------------- */

static int behind;

static void entry_spin(struct pto_rt *rt, const struct pto_orch_args *args)
{
	behind = 0;
	submit(rt, FUNC_ADD, 1);
	for (;;)
		step();
	behind = 1;
}

/* Calls that have no effect any more are no progress; they are not left either. */
static void entry_deaf(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "stop");
	for (;;) {
		step();
		submit(rt, FUNC_ADD, 1);
	}
}

static int queued;

/* Takes no signals for a while; then those that are waiting are counted. */
static void entry_blocks(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct timespec nap = { .tv_nsec = 100 * MS }, none = { 0 };
	sigset_t all, old, waiting;
	int i, signal = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "stop");
	while (!signal) {
		sigpending(&waiting);
		for (i = SIGRTMIN; i <= SIGRTMAX; i++)
			if (sigismember(&waiting, i))
				signal = i;
		nanosleep(&nap, NULL);
	}
	sigemptyset(&all);
	sigaddset(&all, signal);
	for (queued = 0; sigtimedwait(&all, NULL, &none) == signal; queued++)
		;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* A thread that blocks it is not sent one signal after the other. */
TEST_F(stalls, signals_do_not_queue_up)
{
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry_blocks));
	EXPECT_EQ(1, queued);
	EXPECT_GOOD_RUN();
}

TEST_F(stalls, orchestration)
{
	EXPECT_STALL(entry_spin, sched_timeout_ns, 5, UINT32_MAX);
	EXPECT_EQ(0, behind);
	EXPECT_GOOD_RUN();
}

TEST_F(stalls, deaf_orchestration)
{
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry_deaf));
	EXPECT_EQ(PTO_FATAL_EXPLICIT, self->machine.report.code);
	EXPECT_GOOD_RUN();
}

/* The orchestration goes on behind a kernel that it executed itself and that was left. */
static void entry_wait(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, 4);
	struct pto_task_args task;
	struct pto_task hung;

	behind = 0;
	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	pto_set_block_num(&task, 8);
	hung = pto_submit_aiv(rt, FUNC_SPIN, &task);
	pto_get_i32(rt, pto_task_output(&hung, 0), 0);
	behind = pto_is_fatal(rt);
}

TEST_F(stalls, element)
{
	EXPECT_STALL(entry_wait, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_EQ(1, behind);
	EXPECT_LT(1, atomic_load(&spinning));
	EXPECT_GOOD_RUN();
}

/* A task that writes an element and waits for a counter that nobody raises. */
static void kernel_expect(int64_t *args)
{
	pto_async_expect(args, &never, 1);
}

/* With a longer bound of the scheduler it is the wait for the element that ends. */
TEST_F(stalls, element_first)
{
	static const struct pto_engine_kernel expects[FUNC_COUNT] = {
		[FUNC_SPIN] = { kernel_expect, PTO_CORE_AIV },
	};
	const struct pto_dev_report *r = &self->machine.report;

	RESTART(FIRST_BOUND);
	self->machine.callable.kernels = expects;
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry_wait));
	EXPECT_EQ(PTO_FATAL_TENSOR_WAIT_TIMEOUT, r->code);
	EXPECT_EQ(0, r->subcode);
	EXPECT_EQ(0, r->task);
	EXPECT_NE(NULL, strstr((char *)r->text, " while the orchestration waited for an element")) {
		TH_LOG("%s", r->text);
	}
	EXPECT_EQ(1, behind);
	self->machine.callable.kernels = kernels;
	EXPECT_GOOD_RUN();
}

/* While the kernel that writes the element runs, it is the kernel's bound that counts. */
TEST_F(stalls, element_of_a_kernel)
{
	RESTART(FIRST_BOUND);
	self->machine.run.op_timeout_ns = 10 * FIRST_BOUND;
	EXPECT_EQ(PTO_DEV_TIMEOUT, machine_run(&self->machine, entry_wait));
	EXPECT_EQ(PTO_STALL_RUNNING, self->machine.report.subcode);
	EXPECT_EQ(FUNC_SPIN, self->machine.report.func_id);
	EXPECT_EQ(1, behind);
	EXPECT_GOOD_RUN();
}

/* Both workers hang and the queue fills, so the orchestration executes one at its submit. */
static void entry_at_once(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (behind = 0; behind < 100 && !pto_is_fatal(rt); behind++)
		submit(rt, FUNC_SPIN, 1);
}

TEST_F(stalls, at_once)
{
	EXPECT_STALL(entry_at_once, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_LT(0, behind);
	EXPECT_GT(100, behind);
	EXPECT_GOOD_RUN();
}

/* --- progress ------------------------------------------------------------ */

/* Takes many times the bound, and never rests for as long as that. */
static void kernel_nap(int64_t *args)
{
	const struct timespec ts = { .tv_nsec = 20 * MS };

	nanosleep(&ts, NULL);
}

static void entry_naps(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit(rt, FUNC_WAIT, 60);
}

TEST_F(stalls, progress)
{
	static const struct pto_engine_kernel naps[FUNC_COUNT] = {
		[FUNC_WAIT] = { kernel_nap, PTO_CORE_AIV },
	};

	self->machine.callable.kernels = naps;
	self->machine.run.sched_timeout_ns = 200 * MS;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_naps));
	self->machine.callable.kernels = kernels;
	EXPECT_GOOD_RUN();
}

static uint32_t told;

/* Takes many times the bound, alone. */
static void kernel_long(int64_t *args)
{
	const struct timespec ts = { .tv_nsec = 600 * MS };

	nanosleep(&ts, NULL);
}

static void entry_alone(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit(rt, FUNC_WAIT, 1);
}

/*
 * Nothing moves while it runs, nor within the scheduler's bound: a kernel has its own. That it
 * runs is told all the time.
 */
TEST_F(stalls, kernel_alone)
{
	static const struct pto_engine_kernel alone[FUNC_COUNT] = {
		[FUNC_WAIT] = { kernel_long, PTO_CORE_AIV },
	};

	machine_stop(&self->machine);
	self->machine.progress = &told;
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A5, 2, kernels, FUNC_COUNT));
	self->machine.callable.kernels = alone;
	self->machine.run.sched_timeout_ns = FIRST_BOUND;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_alone)) {
		TH_LOG("%s", self->machine.report.text);
	}
	/* A look every 4 ms; those at its beginning and its end are told at any rate. */
	EXPECT_LT(6, __atomic_load_n(&told, __ATOMIC_RELAXED));
	self->machine.callable.kernels = kernels;
	EXPECT_GOOD_RUN();
}

/* The element of a task that takes many times the bound. */
static void entry_naps_element(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_create_info info = pto_create_1d(PTO_DTYPE_INT32, 4);
	struct pto_task_args task;
	struct pto_task naps;

	pto_task_args_init(&task);
	pto_add_output(&task, &info);
	pto_set_block_num(&task, 60);
	naps = pto_submit_aiv(rt, FUNC_WAIT, &task);
	pto_get_i32(rt, pto_task_output(&naps, 0), 0);
}

TEST_F(stalls, progress_while_an_element_is_awaited)
{
	static const struct pto_engine_kernel naps[FUNC_COUNT] = {
		[FUNC_WAIT] = { kernel_nap, PTO_CORE_AIV },
	};

	RESTART(200 * MS);
	self->machine.callable.kernels = naps;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_naps_element)) {
		TH_LOG("%s", self->machine.report.text);
	}
	self->machine.callable.kernels = kernels;
	EXPECT_GOOD_RUN();
}

/* --- threads that the system lets wait ------------------------------------ */

static void short_nap(void)
{
	const struct timespec nap = { .tv_nsec = MS / 10 };

	nanosleep(&nap, NULL);
}

static struct pto_engine *held_engine;	/* NULL: nobody is held */

/* A thread that has taken a task and does not get as far as to its kernel. */
bool __real_pto_predicate_holds(const struct pto_slot *slot);
bool __wrap_pto_predicate_holds(const struct pto_slot *slot);

bool __wrap_pto_predicate_holds(const struct pto_slot *slot)
{
	while (held_engine && !pto_rt_fatal_code(&held_engine->rt))
		short_nap();
	return __real_pto_predicate_holds(slot);
}

static int held_tasks;

/* Whoever takes one of them is held: the orchestrator, too, when the entry has returned. */
static void entry_held(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t one = 1, zero = 0;
	struct pto_task_args task;
	struct pto_tensor t;
	int i;

	pto_external(&t, (uintptr_t)&counter, PTO_DTYPE_UINT32, 1, &one, 0, 0);
	for (i = 0; i < held_tasks; i++) {
		pto_task_args_init(&task);
		pto_set_predicate(&task, &t, 1, &zero, PTO_PREDICATE_GE, 0);
		pto_submit_aiv(rt, FUNC_ADD, &task);
	}
}

#define EXPECT_HELD(class, says) do { \
	held_engine = self->machine.engine; \
	EXPECT_STALL(entry_held, sched_timeout_ns, class, UINT32_MAX); \
	held_engine = NULL; \
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, says)); \
} while (0)

/* S4: a task has not ended, none is ready, no kernel runs and no counter is awaited. */
TEST_F(stalls, between_queue_and_kernel)
{
	held_tasks = 1;
	EXPECT_HELD(PTO_STALL_DEPS, "; 1 task unfinished, and no kernel runs;");
	EXPECT_GOOD_RUN();
}

/* S3: more are ready than there are threads, all of which are held. */
TEST_F(stalls, nobody_runs_what_is_ready)
{
	held_tasks = 8;
	EXPECT_HELD(PTO_STALL_READY, " tasks ready, and nobody runs them");
	EXPECT_GOOD_RUN();
}

static struct pto_engine *sleepy_engine;
static uint64_t woken_after;

/* One task is ready, all workers sleep, and the program has something else to do. */
static void entry_sleepy(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint64_t begun;

	while (atomic_load(&sleepy_engine->sleepers) != sleepy_engine->worker_count)
		short_nap();
	begun = engine_now();
	submit(rt, FUNC_ADD, 2);
	while (__atomic_load_n(&counter, __ATOMIC_RELAXED) < 2)
		short_nap();
	woken_after = engine_now() - begun;
}

/* Somebody is woken for it, before they would look by themselves (after 5 s). */
TEST_F(stalls, one_task_and_a_busy_program)
{
	counter = 0;
	sleepy_engine = self->machine.engine;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_sleepy)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_GT(3000 * MS, woken_after);
	EXPECT_GOOD_RUN();
}

static _Atomic int held_back;	/* 1: a worker runs a kernel, 2: and has a task in its queue */

/* A task that has become ready on a worker's thread, whose kernel lasts until somebody runs it. */
static void kernel_hold_back(int64_t *args)
{
	struct pto_core *core = engine_core;
	struct pto_slot *slot = NULL;

	held_back = 1;
	while (!slot && !__atomic_load_n(&counter, __ATOMIC_RELAXED))
		slot = pto_sched_take(&core->engine->sched, core->index);
	if (slot) {
		pto_sched_push(&core->engine->sched, core->index, slot);
		held_back = 2;
	}
	while (!__atomic_load_n(&counter, __ATOMIC_RELAXED))
		short_nap();
}

/* A worker has missed that another was about to sleep, which does so. */
static void entry_held_back(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint64_t begun;

	submit(rt, FUNC_WAIT, 1);
	while (!held_back ||
	       atomic_load(&sleepy_engine->sleepers) != sleepy_engine->worker_count - 1)
		short_nap();
	begun = engine_now();
	submit(rt, FUNC_ADD, 1);
	while (!__atomic_load_n(&counter, __ATOMIC_RELAXED))
		short_nap();
	woken_after = engine_now() - begun;
}

TEST_F(stalls, task_behind_a_long_kernel)
{
	static const struct pto_engine_kernel hold_back[FUNC_COUNT] = {
		[FUNC_WAIT] = { kernel_hold_back, PTO_CORE_AIV },
		[FUNC_ADD] = { kernel_add, PTO_CORE_AIV },
	};
	int tries;

	sleepy_engine = self->machine.engine;
	/* The orchestrator executes nothing at once. */
	sleepy_engine->sched.enough = UINT32_MAX;
	self->machine.callable.kernels = hold_back;
	/* On a busy machine another worker may be the first to look. */
	for (tries = 0; tries < 100 && held_back != 2; tries++) {
		counter = 0;
		held_back = 0;
		ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_held_back)) {
			TH_LOG("%s", self->machine.report.text);
		}
	}
	EXPECT_EQ(2, held_back);
	/* By itself it would look after 5 s. */
	EXPECT_GT(3000 * MS, woken_after);
	self->machine.callable.kernels = kernels;
	EXPECT_GOOD_RUN();
}

static _Atomic int writing;	/* 1: who writes of a stall waits; 2: it does so */
static _Atomic int waited;

/* The monitor, in the middle of an error. */
int __real_vsnprintf(char *text, size_t size, const char *fmt, va_list ap);
int __wrap_vsnprintf(char *text, size_t size, const char *fmt, va_list ap);

static void hold_call(void);

int __wrap_vsnprintf(char *text, size_t size, const char *fmt, va_list ap)
{
	if (!strcmp(fmt, "held"))
		hold_call();
	if (writing == 1 && strstr(fmt, "the orchestration goes on")) {
		writing = 2;
		while (!waited)
			short_nap();
		writing = 0;
	}
	return __real_vsnprintf(text, size, fmt, ap);
}

void __real_engine_pause(uint32_t round);
void __wrap_engine_pause(uint32_t round);

void __wrap_engine_pause(uint32_t round)
{
	if (writing == 2 && engine_core && !engine_core->index)
		waited = 1;
	__real_engine_pause(round);
}

static void entry_until_written(struct pto_rt *rt, const struct pto_orch_args *args)
{
	while (writing != 2)
		short_nap();
}

/* A run that ends while another thread writes what was wrong with it waits for that. */
TEST_F(stalls, error_at_the_end)
{
	const struct pto_dev_report *r = &self->machine.report;

	writing = 1;
	waited = 0;
	self->machine.run.sched_timeout_ns = FIRST_BOUND;
	EXPECT_EQ(PTO_DEV_TIMEOUT, machine_run(&self->machine, entry_until_written));
	EXPECT_EQ(1, waited);
	EXPECT_EQ(PTO_STALL_ORCH, r->subcode);
	EXPECT_NE(NULL, strstr((char *)r->text, "; the orchestration goes on, ")) {
		TH_LOG("%s", r->text);
	}
	EXPECT_GOOD_RUN();
}

/* What an engine has lost may still be in its memory: it executes nothing any more. */
TEST_F(stalls, lost_engine)
{
	atomic_store(&self->machine.engine->lost, true);
	EXPECT_EQ(PTO_DEV_ABORTED, machine_run(&self->machine, entry_good));
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, "the context must be reset"));
	atomic_store(&self->machine.engine->lost, false);
	EXPECT_GOOD_RUN();
}

/* --- the application's signals ------------------------------------------- */

static _Atomic int sent;		/* signals to leave something */
static _Atomic int unsent;		/* those that the system shall refuse first */

int __real_pthread_kill(pthread_t thread, int signal);
int __wrap_pthread_kill(pthread_t thread, int signal);

int __wrap_pthread_kill(pthread_t thread, int signal)
{
	int ret = EAGAIN;

	if (unsent > 0) {
		unsent--;
	} else {
		sent++;
		ret = __real_pthread_kill(thread, signal);
	}
	return ret;
}

/* As when the user has as many signals pending as there may be. */
TEST_F(stalls, signals_that_cannot_be_sent)
{
	hanging = FUNC_SPIN;
	hanging_blocks = 1;
	unsent = 3;
	EXPECT_STALL(entry_hang, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_EQ(0, unsent);
	EXPECT_GOOD_RUN();
}

static int held_to_the_end;

/* Until a second signal has come, which is not sent before the first one has been heeded. */
static void hold_call(void)
{
	int first = sent;

	while (sent < first + 2)
		step();
	held_to_the_end = 1;
}

static void entry_held_in_call(struct pto_rt *rt, const struct pto_orch_args *args)
{
	pto_report_fatal(rt, PTO_FATAL_EXPLICIT, "stop");
	pto_log(rt, PTO_LOG_DEBUG, "held");
	for (;;)
		step();
}

/* An orchestration is not left while it is in a call of the runtime; behind that it is. */
TEST_F(stalls, orchestration_in_a_call)
{
	held_to_the_end = 0;
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry_held_in_call));
	EXPECT_EQ(1, held_to_the_end);
	EXPECT_GOOD_RUN();
}

static _Atomic int signals;

static void application_handler(int signal)
{
	signals++;
}

/*
 * A real-time signal of the application: none of its handlers runs because of a hung
 * kernel, and it gets the ones that it sends itself.
 */
TEST_F(stalls, foreign_signals)
{
	const struct sigaction action = { .sa_handler = application_handler };
	struct sigaction old;
	int taken = 0;
	int s;

	for (s = SIGRTMIN; s <= SIGRTMAX; s++) {
		ASSERT_EQ(0, sigaction(s, NULL, &old));
		taken += old.sa_handler != SIG_DFL;
		if (old.sa_handler == SIG_DFL)
			sigaction(s, &action, NULL);
	}
	/* The engine's own; the harness leaves them all alone. */
	EXPECT_EQ(1, taken);
	hanging = FUNC_SPIN;
	hanging_blocks = 1;
	EXPECT_STALL(entry_hang, op_timeout_ns, 1, FUNC_SPIN);
	EXPECT_EQ(0, atomic_load(&signals));
	raise(SIGRTMIN);
	EXPECT_EQ(1, atomic_load(&signals));
	EXPECT_GOOD_RUN();
}

static void machine_hang(struct machine *m)
{
	hanging = FUNC_SPIN;
	hanging_blocks = 1;
	run_stalled(m, entry_hang, &m->run.op_timeout_ns, PTO_STALL_RUNNING, FUNC_SPIN);
}

/* One that the application has taken before there was an engine stays the application's. */
TEST(signal_that_is_taken)
{
	const struct sigaction action = { .sa_handler = application_handler };
	struct sigaction now;
	struct machine m = { 0 };

	signals = 0;
	ASSERT_EQ(0, sigaction(SIGRTMAX, &action, NULL));
	ASSERT_EQ(0, machine_start(&m, PTO_ARCH_A5, 2, kernels, FUNC_COUNT));
	machine_hang(&m);
	EXPECT_EQ(PTO_STALL_RUNNING, m.report.subcode);
	EXPECT_FALSE(pto_engine_lost(m.engine));
	EXPECT_EQ(0, atomic_load(&signals));
	ASSERT_EQ(0, sigaction(SIGRTMAX, NULL, &now));
	EXPECT_TRUE(now.sa_handler == application_handler);
	raise(SIGRTMAX);
	EXPECT_EQ(1, atomic_load(&signals));
	machine_stop(&m);
}

TEST_HARNESS_MAIN
