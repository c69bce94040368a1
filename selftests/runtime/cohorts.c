// SPDX-License-Identifier: GPL-2.0
/*
 * Cohorts: kernels that wait for each other, with the calls for that and by merely spinning,
 * with fewer threads than cores.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <pto/kernel.h>
#include <sim/device/engine.h>

#include "harness.h"
#include "engine_fixture.h"
#include "ptotest.h"

#define SECOND 1000000000ULL
enum { AIC_RELAY, AIV_RELAY, AIC_SPIN, AIV_SPIN, AIV_COUNT, AIC_COUNT, FUNC_COUNT };

static uint32_t relay[2], arrived, total;

/* Passes a ball around: part @i of @n raises the word when it is i modulo n, @rounds times. */
static void pass(const int64_t *args, uint32_t i, uint32_t n)
{
	uint32_t *word = pto_arg_data(args, 0);
	uint32_t rounds = (uint32_t)pto_arg_u64(args, 1);

	for (uint32_t r = 0; r < rounds; r++) {
		pto_wait_ge(args, word, r * n + i);
		pto_notify(args, word, 1);
	}
}

static void kernel_aic_relay(int64_t *args)
{
	pass(args, 0, 3);
}

static void kernel_aiv_relay(int64_t *args)
{
	pass(args, 1 + (uint32_t)pto_sub_block_id(args), 3);
}

/*
 * Spins until a word has risen to @value. (ThreadSanitizer has a lock for loads that acquire: many
 * of them keep writers out.)
 */
static void spin_until(const uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_RELAXED) < value)
		;
	(void)__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* The same with nothing but loads and stores. */
static void spin(const int64_t *args, uint32_t i, uint32_t n)
{
	uint32_t *word = pto_arg_data(args, 0);
	uint32_t rounds = (uint32_t)pto_arg_u64(args, 1);

	for (uint32_t r = 0; r < rounds; r++) {
		spin_until(word, r * n + i);
		__atomic_store_n(word, r * n + i + 1, __ATOMIC_RELEASE);
	}
}

static void kernel_aic_spin(int64_t *args)
{
	spin(args, 0, 3);
}

static void kernel_aiv_spin(int64_t *args)
{
	spin(args, 1 + (uint32_t)pto_sub_block_id(args), 3);
}

/* All parts of all blocks arrive, and each waits for all: the scalar says how many. */
static void kernel_count(int64_t *args)
{
	uint32_t *word = pto_arg_data(args, 0);
	uint32_t all = (uint32_t)pto_arg_u64(args, 2);

	pto_notify(args, word, 1);
	if (pto_arg_u64(args, 1))
		pto_wait_ge(args, word, all);
	else
		spin_until(word, all);
	__atomic_fetch_add(&total, 1, __ATOMIC_RELAXED);
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[AIC_RELAY] = { kernel_aic_relay, PTO_CORE_AIC },
	[AIV_RELAY] = { kernel_aiv_relay, PTO_CORE_AIV },
	[AIC_SPIN] = { kernel_aic_spin, PTO_CORE_AIC },
	[AIV_SPIN] = { kernel_aiv_spin, PTO_CORE_AIV },
	[AIV_COUNT] = { kernel_count, PTO_CORE_AIV },
	[AIC_COUNT] = { kernel_count, PTO_CORE_AIC },
};

FIXTURE(cohorts)
{
	struct machine machine;
};

FIXTURE_VARIANT(cohorts)
{
	uint32_t arch;
	uint32_t workers;
};

FIXTURE_VARIANT_ADD(cohorts, a2a3_1) { .arch = PTO_ARCH_A2A3, .workers = 1 };
FIXTURE_VARIANT_ADD(cohorts, a2a3_2) { .arch = PTO_ARCH_A2A3, .workers = 2 };
FIXTURE_VARIANT_ADD(cohorts, a2a3_3) { .arch = PTO_ARCH_A2A3, .workers = 3 };
FIXTURE_VARIANT_ADD(cohorts, a5_1) { .arch = PTO_ARCH_A5, .workers = 1 };
FIXTURE_VARIANT_ADD(cohorts, a5_3) { .arch = PTO_ARCH_A5, .workers = 3 };

FIXTURE_SETUP(cohorts)
{
	ASSERT_EQ(0, machine_start(&self->machine, variant->arch, variant->workers, kernels,
				   FUNC_COUNT));
	self->machine.run.timeout_ns = PT_TIMEOUT * SECOND;
	self->machine.run.sched_timeout_ns = PT_TIMEOUT * SECOND;
	self->machine.run.op_timeout_ns = PT_TIMEOUT * SECOND;
	total = 0;
}

FIXTURE_TEARDOWN(cohorts)
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

static void submit_relay(struct pto_rt *rt, uint32_t *p, int32_t aic, int32_t aiv, uint32_t rounds)
{
	struct pto_tensor t = word(p);
	struct pto_task_args task;

	*p = 0;
	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, rounds);
	pto_submit_mixed(rt, aic, aiv, aiv, &task);
}

static void entry_relay(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_relay(rt, &relay[0], AIC_RELAY, AIV_RELAY, 200);
	submit_relay(rt, &relay[1], AIC_RELAY, AIV_RELAY, 200);
}

/* The parts of mixed tasks wait for each other, two tasks at a time. */
TEST_F(cohorts, mixed)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_relay));
	EXPECT_EQ(600, relay[0]);
	EXPECT_EQ(600, relay[1]);
}

static void entry_spin(struct pto_rt *rt, const struct pto_orch_args *args)
{
	submit_relay(rt, &relay[0], AIC_SPIN, AIV_SPIN, 3);
	submit_relay(rt, &relay[1], AIC_SPIN, AIV_SPIN, 3);
}

TEST_F(cohorts, mixed_spinning)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_spin));
	EXPECT_EQ(9, relay[0]);
	EXPECT_EQ(9, relay[1]);
}

/* --- common start -------------------------------------------------------- */

static uint32_t polite, parts;

/* As wide as the device; @parts: AIV alone, AIC alone, or all of a cluster. */
static void entry_wide(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t clusters = pto_available_clusters(rt);
	uint32_t blocks = parts == 2 ? clusters * 2 : clusters;
	struct pto_tensor t = word(&arrived);
	struct pto_task_args task;

	arrived = 0;
	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, polite);
	pto_add_scalar(&task, parts == 3 ? blocks * 3 : blocks);
	pto_set_block_num(&task, blocks);
	pto_set_sync_start(&task, 1);
	pto_submit_mixed(rt, parts & 1 ? AIC_COUNT : PTO_FUNC_NONE,
			 parts & 2 ? AIV_COUNT : PTO_FUNC_NONE,
			 parts == 3 ? AIV_COUNT : PTO_FUNC_NONE, &task);
}

TEST_F(cohorts, sync_start)
{
	uint32_t clusters = variant->arch == PTO_ARCH_A5 ? 36 : 24;
	const uint32_t units[] = { 0, clusters, 2 * clusters, 3 * clusters };

	polite = 1;
	for (parts = 1; parts <= 3; parts++) {
		total = 0;
		ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_wide)) {
			TH_LOG("%s", self->machine.report.text);
		}
		EXPECT_EQ(units[parts], arrived);
		EXPECT_EQ(units[parts], total);
	}
}

/*
 * Where threads come late, because those that spin are before them, there are no more of them. (How
 * long it takes is a matter for one_cpu.)
 */
TEST_F(cohorts, sync_start_spinning)
{
	uint32_t clusters = variant->arch == PTO_ARCH_A5 ? 36 : 24;
	uint32_t threads = pt_threads();

	polite = 0;
	parts = 3;
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_wide)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(3 * clusters, total);
	EXPECT_GE(threads + 3 * clusters, pt_threads());
}

/* How many threads can still be made. */
static _Atomic int threads_left = 1000;

int __real_engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool leaves);
int __wrap_engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool leaves);

int __wrap_engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool leaves)
{
	if (atomic_fetch_sub(&threads_left, 1) <= 0)
		return -EAGAIN;
	return __real_engine_thread_create(thread, body, arg, leaves);
}

/* Some threads are made, and no more: the run says so, and the next one has them. */
TEST_F(cohorts, threads_that_cannot_be_made)
{
	uint32_t clusters = variant->arch == PTO_ARCH_A5 ? 36 : 24;

	polite = 1;
	parts = 3;
	threads_left = 5;
	self->machine.run.op_timeout_ns = SECOND / 2;
	EXPECT_NE(PTO_DEV_OK, machine_run(&self->machine, entry_wide));
	EXPECT_NE(NULL, strstr((const char *)self->machine.report.text,
			       "threads for its cohort could not be made")) {
		TH_LOG("%s", self->machine.report.text);
	}
	threads_left = 1000;
	total = 0;
	self->machine.run.op_timeout_ns = PT_TIMEOUT * SECOND;
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_wide)) {
		TH_LOG("%s", self->machine.report.text);
	}
	EXPECT_EQ(3 * clusters, total);
}

/* --- many ---------------------------------------------------------------- */

#define CHAIN 300

/* Cohorts that depend on each other, among plain tasks; most do not wait. */
static void entry_chain(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(&arrived);
	struct pto_task_args task;

	arrived = 0;
	for (uint32_t i = 0; i < CHAIN; i++) {
		pto_task_args_init(&task);
		pto_add_inout(&task, &t);
		pto_add_scalar(&task, 1);
		pto_add_scalar(&task, i % 10 ? 0 : i * 6 + 6);
		pto_set_block_num(&task, 2);
		pto_set_sync_start(&task, 1);
		pto_submit_mixed(rt, AIC_COUNT, AIV_COUNT, AIV_COUNT, &task);
	}
}

TEST_F(cohorts, chain)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_chain));
	EXPECT_EQ(6 * CHAIN, arrived);
	EXPECT_EQ(6 * CHAIN, total);
}

/* Many blocks, each of which is a cohort of its own. */
static void entry_blocks(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(&arrived);
	struct pto_task_args task;

	arrived = 0;
	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, 1);
	pto_add_scalar(&task, 0);
	pto_set_block_num(&task, 1000);
	pto_submit_mixed(rt, AIC_COUNT, AIV_COUNT, AIV_COUNT, &task);
}

TEST_F(cohorts, blocks)
{
	ASSERT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_blocks));
	EXPECT_EQ(3000, arrived);
	EXPECT_EQ(3000, total);
}

/* --- failure ------------------------------------------------------------- */

/* A member that never comes: the run ends, those that wait are left, the next run works. */
static void entry_alone(struct pto_rt *rt, const struct pto_orch_args *args)
{
	struct pto_tensor t = word(&arrived);
	struct pto_task_args task;

	arrived = 0;
	pto_task_args_init(&task);
	pto_add_inout(&task, &t);
	pto_add_scalar(&task, 1);
	pto_add_scalar(&task, 5);
	pto_set_block_num(&task, 4);
	pto_set_sync_start(&task, 1);
	pto_submit_aiv(rt, AIV_COUNT, &task);
}

TEST_F(cohorts, incomplete)
{
	/* The bound grows until a busy machine has begun all members within it. */
	self->machine.run.op_timeout_ns = 50000000;
	while (machine_run(&self->machine, entry_alone) == PTO_DEV_TIMEOUT && arrived != 4 &&
	       self->machine.run.op_timeout_ns < SECOND * 60)
		self->machine.run.op_timeout_ns *= 2;
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, self->machine.report.code);
	EXPECT_EQ(1, self->machine.report.subcode);
	EXPECT_EQ(AIV_COUNT, self->machine.report.func_id);
	EXPECT_FALSE(pto_engine_lost(self->machine.engine));
	EXPECT_EQ(4, arrived);
	EXPECT_EQ(0, total);
	self->machine.run.op_timeout_ns = 0;
	EXPECT_EQ(PTO_DEV_OK, machine_run(&self->machine, entry_relay));
	EXPECT_EQ(600, relay[0]);
}

TEST_HARNESS_MAIN
