// SPDX-License-Identifier: GPL-2.0
/*
 * The engine, whole, on a machine with one processor that others use too (cpu.h): kernels that wait
 * for each other by spinning take time in proportion to their number. What is counted are steps, so
 * it is the same on every machine.
 */
#include <errno.h>
#include <pthread.h>

#include <pto/kernel.h>
#include <sim/device/engine_internal.h>

#include "kselftest_harness.h"
#include "harness.h"
#include "engine_fixture.h"
#include "cpu.h"

#define CLUSTERS	24
#define KERNEL_STEPS	CPU_SLICE	/* what a kernel does before it waits */
#define HOUR_NS		3600000000000ULL

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

/* Slices that a unit costs at most, all in all; see EXPECT_IN_PROPORTION(). */
#define UNIT_SLICES	20

/* --- what the engine calls ------------------------------------------------- */

__thread struct pto_core *engine_core __attribute__((tls_model("initial-exec")));

void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	cpu_step(1);
	if (atomic_load(word) == value)
		cpu_sleep(word, ns);
}

void engine_futex_wake(_Atomic uint32_t *word)
{
	cpu_step(1);
	cpu_wake(word, false);
}

void engine_futex_wake_all(_Atomic uint32_t *word)
{
	cpu_step(1);
	cpu_wake(word, true);
}

uint64_t engine_now(void)
{
	return cpu_now();
}

void engine_pause(uint32_t round)
{
	if (round < 64)
		cpu_step(1);
	else
		cpu_yield();
}

/* Threads of the machine. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
			  void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
			  void *arg)
{
	int number = cpu_create(body, arg);

	*thread = (pthread_t)number;
	return number < 0 ? EAGAIN : 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	cpu_join((int)thread);
	return 0;
}

/* There is one lock, the crew's. */
static bool locked;

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	while (locked)
		cpu_sleep(lock, HOUR_NS);
	locked = true;
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	locked = false;
	cpu_wake(lock, false);
	return 0;
}

/* Nobody is made to leave a kernel. */
void escape_init(void)
{
}

void escape_unblock(void)
{
}

void escape_become(struct pto_core *core)
{
	engine_core = core;
}

void escape_landed(const struct pto_core *core)
{
}

void escape_ask(struct pto_core *core)
{
}

/* --- programs --------------------------------------------------------------- */

enum { AIC_MEETS, AIV_MEETS, FUNC_COUNT };

static uint32_t words[CLUSTERS], ended;

static uint32_t tasks, blocks, polite;

/* All units of a cohort arrive, and each waits for all. */
static void kernel_meets(int64_t *args)
{
	uint32_t *word = pto_arg_data(args, 0);
	uint32_t all = (uint32_t)pto_arg_u64(args, 1);

	cpu_step(KERNEL_STEPS);
	pto_notify(args, word, 1);
	if (polite)
		pto_wait_ge(args, word, all);
	else
		while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < all)
			cpu_step(1);
	ended++;
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[AIC_MEETS] = { kernel_meets, PTO_CORE_AIC },
	[AIV_MEETS] = { kernel_meets, PTO_CORE_AIV },
};

/* Tasks of as many blocks of three parts; the units of a task start together. */
static void entry_meet(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t one = 1;

	for (uint32_t i = 0; i < tasks; i++) {
		struct pto_task_args task;
		struct pto_tensor t;

		words[i] = 0;
		pto_external(&t, (uintptr_t)&words[i], PTO_DTYPE_UINT32, 1, &one, 0, 0);
		pto_task_args_init(&task);
		pto_add_inout(&task, &t);
		pto_add_scalar(&task, 3 * blocks);
		pto_set_block_num(&task, blocks);
		pto_set_sync_start(&task, 1);
		pto_submit_mixed(rt, AIC_MEETS, AIV_MEETS, AIV_MEETS, &task);
	}
}

FIXTURE(one_cpu)
{
	struct machine machine;
};

FIXTURE_VARIANT(one_cpu)
{
	uint32_t workers;
	uint32_t neighbours;
	bool polite;
};

FIXTURE_VARIANT_ADD(one_cpu, alone) { .workers = 1 };
FIXTURE_VARIANT_ADD(one_cpu, alone_2) { .workers = 2 };
FIXTURE_VARIANT_ADD(one_cpu, busy) { .workers = 1, .neighbours = 3 };
FIXTURE_VARIANT_ADD(one_cpu, busy_2) { .workers = 2, .neighbours = 3 };
FIXTURE_VARIANT_ADD(one_cpu, busy_polite) { .workers = 1, .neighbours = 3, .polite = true };

FIXTURE_SETUP(one_cpu)
{
	const char *where = getenv("PTO_SELFTEST");

	if (where && !strcmp(where, "kernel"))
		SKIP(return, "no kernel takes part in it");
	if (THREAD_SANITIZER)
		SKIP(return, "ThreadSanitizer cannot follow its stacks");
	polite = variant->polite;
}

FIXTURE_TEARDOWN(one_cpu)
{
}

/* One run, on an engine that has run @before of the same. Return: the slices that it took, or 0 */
static uint64_t slices(struct machine *m, uint32_t workers, uint32_t neighbours, uint32_t before)
{
	uint64_t used = 0;

	cpu_begin();
	if (machine_start(m, PTO_ARCH_A2A3, workers, kernels, FUNC_COUNT))
		return 0;
	while (neighbours--)
		cpu_neighbour();
	m->run.timeout_ns = HOUR_NS;
	m->run.sched_timeout_ns = HOUR_NS;
	m->run.op_timeout_ns = HOUR_NS;
	for (uint32_t i = 0; i <= before; i++) {
		used = cpu_used();
		ended = 0;
		if (machine_run(m, entry_meet) != PTO_DEV_OK || ended != 3 * blocks * tasks) {
			printf("# %u units have ended; %s\n", ended, m->report.text);
			return 0;
		}
	}
	used = cpu_used() - used;
	machine_stop(m);
	cpu_end();
	return used / CPU_SLICE;
}

/*
 * The same for a quarter, half and all of the units. Threads have to be made for most of them: each
 * takes 1.5 slices to make and as many to start, while those of the orchestrator and of the workers
 * spin; then a unit gets to where it waits in two, and sees in one more that all are there.
 */
#define EXPECT_IN_PROPORTION(cost, all)						\
	do {									\
		TH_LOG("%llu, %llu, %llu slices", (unsigned long long)(cost)[0],	\
		       (unsigned long long)(cost)[1], (unsigned long long)(cost)[2]);	\
		EXPECT_NE(0, (cost)[0]);					\
		EXPECT_GE((cost)[0] * 5 / 2, (cost)[1]);			\
		EXPECT_GE((cost)[1] * 5 / 2, (cost)[2]);			\
		EXPECT_GE((uint64_t)(all) * UNIT_SLICES, (cost)[2]);		\
	} while (0)

/* A hand-over needs a scheduling here, which is not what is to be measured. */
TEST_F(one_cpu, costs_are_assumed)
{
	struct pto_dev_costs costs;
	uint32_t i;

	cpu_begin();
	for (i = 0; i < variant->neighbours; i++)
		cpu_neighbour();
	ASSERT_EQ(0, machine_start(&self->machine, PTO_ARCH_A2A3, variant->workers, kernels,
				   FUNC_COUNT));
	pto_engine_costs(self->machine.engine, &costs);
	machine_stop(&self->machine);
	cpu_end();
	EXPECT_EQ(0, costs.hand_overs);
	EXPECT_EQ(PTO_HAND_OVER_NS, costs.hand_over_ns);
}

/* One task, all units of which start together. */
TEST_F(one_cpu, sync_start)
{
	uint64_t cost[3];

	tasks = 1;
	for (uint32_t i = 0; i < 3; i++) {
		blocks = CLUSTERS >> (2 - i);
		cost[i] = slices(&self->machine, variant->workers, variant->neighbours, 0);
	}
	EXPECT_IN_PROPORTION(cost, 3 * CLUSTERS);
}

/* The threads are there from the run before. */
TEST_F(one_cpu, sync_start_again)
{
	uint64_t cost[3];

	tasks = 1;
	for (uint32_t i = 0; i < 3; i++) {
		blocks = CLUSTERS >> (2 - i);
		cost[i] = slices(&self->machine, variant->workers, variant->neighbours, 1);
	}
	EXPECT_IN_PROPORTION(cost, 3 * CLUSTERS);
}

/* Two tasks: threads for one may be missing while those of the other spin. */
TEST_F(one_cpu, sync_start_twice)
{
	uint64_t cost[3];

	tasks = 2;
	for (uint32_t i = 0; i < 3; i++) {
		blocks = CLUSTERS >> (2 - i);
		cost[i] = slices(&self->machine, variant->workers, variant->neighbours, 0);
	}
	EXPECT_IN_PROPORTION(cost, 2 * 3 * CLUSTERS);
}

/* Many tasks, the parts of each wait for each other. */
TEST_F(one_cpu, mixed)
{
	uint64_t cost[3];

	blocks = 1;
	for (uint32_t i = 0; i < 3; i++) {
		tasks = CLUSTERS >> (2 - i);
		cost[i] = slices(&self->machine, variant->workers, variant->neighbours, 0);
	}
	EXPECT_IN_PROPORTION(cost, 3 * CLUSTERS);
}

TEST_HARNESS_MAIN
