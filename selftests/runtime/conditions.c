// SPDX-License-Identifier: GPL-2.0
/*
 * Completion by counters: a task is complete when its kernels have returned and all counters
 * that they have named are high enough.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <pto/kernel.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "engine_fixture.h"

#define MS 1000000ULL

enum { FUNC_EXPECT, FUNC_RAISE, FUNC_CHECK, FUNC_BAD, FUNC_GATE, FUNC_COUNT };

#define FLOOD_TASKS		100
#define FLOOD_CONDITIONS	50

static uint32_t counters[FLOOD_TASKS * FLOOD_CONDITIONS], begun[FLOOD_TASKS], seen, result;
static int errors[3];
static int64_t *_Atomic late_args;
static uint32_t gate;
static pthread_t submitter;
static _Atomic uint32_t at_once;

/* Registers conditions: scalars are the first counter, how many, and the value expected. */
static void kernel_expect(int64_t *args)
{
	uint32_t first = (uint32_t)pto_arg_u64(args, 1) + (uint32_t)pto_block_idx(args);
	uint32_t count = (uint32_t)pto_arg_u64(args, 2);
	int ret;

	late_args = args;
	if (!__atomic_load_n(&gate, __ATOMIC_RELAXED) && pthread_equal(pthread_self(), submitter))
		at_once++;
	for (uint32_t i = 0; i < count; i++) {
		ret = pto_async_expect(args, &counters[first + i],
				       (uint32_t)pto_arg_u64(args, 3));
		if (ret)
			__atomic_store_n(&errors[0], ret, __ATOMIC_RELAXED);
	}
	__atomic_store_n((uint32_t *)pto_arg_data(args, 0), 1, __ATOMIC_RELEASE);
}

/* Raises counters, from the last to the first. */
static void kernel_raise(int64_t *args)
{
	uint32_t first = (uint32_t)pto_arg_u64(args, 0);

	for (uint32_t i = (uint32_t)pto_arg_u64(args, 1); i--;)
		pto_notify(args, &counters[first + i], 1);
}

/* Runs behind the task with conditions: how many counters are high enough? */
static void kernel_check(int64_t *args)
{
	uint32_t first = (uint32_t)pto_arg_u64(args, 1);
	uint32_t high = 0;

	for (uint32_t i = (uint32_t)pto_arg_u64(args, 2); i--;)
		high += __atomic_load_n(&counters[first + i], __ATOMIC_RELAXED) > 0;
	*(uint32_t *)pto_arg_data(args, 0) += high;
}

/* Conditions that cannot be. */
static void kernel_bad(int64_t *args)
{
	static const uintptr_t addresses[] = { 0, 1 };
	uint64_t which = pto_arg_u64(args, 0);
	char *p = (char *)counters + addresses[which];

	errors[1] = pto_async_expect(args, which ? (uint32_t *)p : NULL, 1);
}

/* Holds a worker back. The orchestrator, which opens the gate, may also come here. */
static void kernel_gate(int64_t *args)
{
	if (!pthread_equal(pthread_self(), submitter))
		pto_wait_ge(args, &gate, 1);
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_EXPECT] = { kernel_expect, PTO_CORE_AIV },
	[FUNC_RAISE] = { kernel_raise, PTO_CORE_AIV },
	[FUNC_CHECK] = { kernel_check, PTO_CORE_AIV },
	[FUNC_BAD] = { kernel_bad, PTO_CORE_AIV },
	[FUNC_GATE] = { kernel_gate, PTO_CORE_AIV },
};

FIXTURE(conditions)
{
	struct machine machine;
	struct pto_dev_report failed;
};

FIXTURE_SETUP(conditions)
{
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, 2, kernels, FUNC_COUNT));
	memset(counters, 0, sizeof(counters));
	memset(errors, 0, sizeof(errors));
	memset(begun, 0, sizeof(begun));
	result = 0;
	seen = 0;
}

FIXTURE_TEARDOWN(conditions)
{
	machine_stop(&self->machine);
}

static struct pto_tensor word(uint32_t *p)
{
	uint32_t one = 1;
	struct pto_tensor t;

	pto_external(&t, (uintptr_t)p, PTO_DTYPE_UINT32, 1, &one, 0, 0);
	return t;
}

static void submit_expect(struct pto_rt *rt, uint32_t *p, uint32_t first, uint32_t count,
			  uint32_t blocks, uint32_t value)
{
	struct pto_tensor t = word(p);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_output_existing(&task, &t);
	pto_add_scalar(&task, first);
	pto_add_scalar(&task, count);
	pto_add_scalar(&task, value);
	pto_set_block_num(&task, blocks);
	pto_submit_aiv(rt, FUNC_EXPECT, &task);
}

static void submit_raise(struct pto_rt *rt, uint32_t first, uint32_t count)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_scalar(&task, first);
	pto_add_scalar(&task, count);
	pto_submit_aiv(rt, FUNC_RAISE, &task);
}

static void submit_check(struct pto_rt *rt, uint32_t *p, uint32_t first, uint32_t count)
{
	struct pto_tensor t = word(p);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, first);
	pto_add_scalar(&task, count);
	pto_submit_aiv(rt, FUNC_CHECK, &task);
}

/* --- completion ---------------------------------------------------------- */

/* All that a task can have, over and over; nothing orders who raises the counters. */
static void entry_expect(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (uint32_t i = 0; i < 30; i++) {
		submit_expect(rt, &result, i * 64, 64, 1, 1);
		submit_check(rt, &result, i * 64, 64);
		submit_raise(rt, i * 64, 64);
	}
}

TEST_F(conditions, all_must_hold)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_expect)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(0, errors[0]);
	/* The last task set it to 1, and its check found 64 more. */
	EXPECT_EQ(65, result);
}

/* The blocks of a task share its conditions; some hold when they are registered. */
static void entry_blocks(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (uint32_t i = 0; i < 32; i += 2)
		counters[i] = 1;
	submit_expect(rt, &result, 0, 2, 32, 1);
	submit_check(rt, &result, 0, 33);
	submit_raise(rt, 0, 33);
}

TEST_F(conditions, blocks)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_blocks)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(34, result);
}

/*
 * While workers are held back the queue fills, and tasks are executed when they are submitted;
 * they are completed by somebody else, after others have been tied to them.
 */
static void entry_at_once(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;
	uint32_t i;

	submitter = pthread_self();
	for (i = 0; i < 2; i++) {
		pto_task_args_init(&task);
		pto_submit_aiv(rt, FUNC_GATE, &task);
	}
	for (i = 0; i < 100; i++) {
		submit_expect(rt, &begun[i], 2 * i, 2, 1, 1);
		submit_check(rt, &begun[i], 2 * i, 2);
	}
	__atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
	submit_raise(rt, 0, 200);
}

TEST_F(conditions, at_once)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_at_once)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(0, errors[0]);
	EXPECT_LT(0, at_once);
	for (uint32_t i = 0; i < 100; i++)
		EXPECT_EQ(3, begun[i]);
}

/* Somebody outside raises the counter, while the orchestration waits for the task. */
static void *raise_later(void *arg)
{
	const struct timespec ts = { .tv_nsec = 5 * MS };

	while (!__atomic_load_n(&result, __ATOMIC_ACQUIRE))
		nanosleep(&ts, NULL);
	nanosleep(&ts, NULL);
	__atomic_store_n(&counters[0], 7, __ATOMIC_RELEASE);
	return NULL;
}

static void entry_outside(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(&result);

	submit_expect(rt, &result, 0, 1, 1, 7);
	pto_get_u32(rt, &t, 0);
	seen = __atomic_load_n(&counters[0], __ATOMIC_RELAXED);
}

TEST_F(conditions, outside)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, raise_later, NULL));
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_outside));
	pthread_join(thread, NULL);
	EXPECT_EQ(7, seen);
}

/* --- errors -------------------------------------------------------------- */

static void entry_too_many(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_expect(rt, &result, 0, 65, 1, 1);
}

static uint64_t which;

static void entry_bad(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_scalar(&task, which);
	pto_submit_aiv(rt, FUNC_BAD, &task);
}

/* More than the device can wait for at a time, of tasks that each have fewer than they may. */
static void entry_flood(struct pto_rt *rt, const struct pto_orch_args *args)
{
	for (uint32_t i = 0; i < FLOOD_TASKS; i++)
		submit_expect(rt, &begun[i], i * FLOOD_CONDITIONS, FLOOD_CONDITIONS, 1, 1);
}

/* What a kernel kept beyond its end is good for nothing. */
static void entry_late(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(&result);

	submit_expect(rt, &result, 0, 0, 1, 0);
	pto_get_u32(rt, &t, 0);
	errors[2] = pto_async_expect(late_args, &counters[0], 1);
}

#define EXPECT_FATAL(number, entry, text_part) do { \
	EXPECT_EQ(PTO_DEV_PROGRAM, machine_run(&self->machine, entry)); \
	self->failed = self->machine.report; \
	EXPECT_EQ(number, self->failed.code); \
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text, text_part)) { \
		TH_LOG("%s", self->machine.report.text); \
	} \
	memset(counters, 0, sizeof(counters)); \
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_expect)); \
	memset(counters, 0, sizeof(counters)); \
} while (0)

TEST_F(conditions, errors)
{
	which = 0;
	EXPECT_FATAL(101, entry_bad, "the counter of a condition, at 0x0, is NULL or not aligned");
	EXPECT_EQ(-EINVAL, errors[1]);
	EXPECT_EQ(FUNC_BAD, self->failed.func_id);
	which = 1;
	EXPECT_FATAL(101, entry_bad, "1, is NULL or not aligned");
	EXPECT_FATAL(102, entry_too_many, "more than 64 conditions for one task");
	EXPECT_EQ(-ENOSPC, errors[0]);
}

TEST_F(conditions, late)
{
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_late)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(-ENOSYS, errors[2]);
}

/*
 * More conditions than the device can await, and nobody raises a counter. The bound grows
 * until a busy machine has got as far as that within it.
 */
TEST_F(conditions, no_room)
{
	self->machine.run.sched_timeout_ns = 100 * MS;
	while (machine_run(&self->machine, entry_flood) != PTO_DEV_PROGRAM &&
	       self->machine.run.sched_timeout_ns < 60000 * MS)
		self->machine.run.sched_timeout_ns *= 2;
	EXPECT_EQ(103, self->machine.report.code);
	EXPECT_EQ(FUNC_EXPECT, self->machine.report.func_id);
	EXPECT_NE(UINT64_MAX, self->machine.report.task);
	EXPECT_NE(UINT32_MAX, self->machine.report.core);
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text,
			       " ms; 4096 conditions are awaited, as many as can be")) {
		TH_LOG("%s", self->machine.report.text);
	}
	/* None of them was told of it: they had returned. */
	EXPECT_EQ(0, errors[0]);
	self->machine.run.sched_timeout_ns = 0;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_expect));
}

/* Tasks that have named what they wait for, of those of entry_flood(). */
static uint32_t named(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < FLOOD_TASKS; i++)
		sum += __atomic_load_n(&begun[i], __ATOMIC_ACQUIRE);
	return sum;
}

/* When as many conditions have been named as there can be, raises all. */
static void *raise_all(void *arg)
{
	const struct timespec ts = { .tv_nsec = MS };

	while (named() * FLOOD_CONDITIONS < 4096)
		nanosleep(&ts, NULL);
	for (uint32_t i = 0; i < FLOOD_TASKS * FLOOD_CONDITIONS; i++)
		__atomic_store_n(&counters[i], 1, __ATOMIC_RELEASE);
	return NULL;
}

/* They wait for room, and go on when there is some. */
TEST_F(conditions, room)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, raise_all, NULL));
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_flood)) {
		TH_LOG("%s", self->machine.report.text);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, errors[0]);
	EXPECT_EQ(FLOOD_TASKS, named());
}

/* A counter that nobody raises. */
static void entry_forgotten(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_expect(rt, &result, 100, 3, 1, 4);
	submit_raise(rt, 100, 2);
}

TEST_F(conditions, timeout)
{
	/* The bound grows until the machine gets as far as to the stall within it. */
	self->machine.run.sched_timeout_ns = 60 * MS;
	while (machine_run(&self->machine, entry_forgotten) == PTO_DEV_TIMEOUT &&
	       self->machine.report.subcode != 4 &&
	       self->machine.run.sched_timeout_ns < 60000 * MS) {
		self->machine.run.sched_timeout_ns *= 2;
		memset(counters, 0, sizeof(counters));
	}
	EXPECT_EQ(4, self->machine.report.subcode);
	EXPECT_EQ(0, self->machine.report.task);
	EXPECT_NE(NULL, strstr((char *)self->machine.report.text,
			       "counters awaited, one by this task: it is ")) {
		TH_LOG("%s", self->machine.report.text);
	}
	self->machine.run.sched_timeout_ns = 0;
	memset(counters, 0, sizeof(counters));
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_expect));
}

TEST_HARNESS_MAIN
