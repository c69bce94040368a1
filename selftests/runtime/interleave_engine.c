// SPDX-License-Identifier: GPL-2.0
/*
 * Model check of how the engine's threads sleep, wake each other and share cohorts: the real
 * sources of the workers, the orchestrator and the cohorts (sim/device), over the real
 * runtime, compiled against the explorer. Futexes and locks are this program's, and
 * nobody ever wakes because time has passed: a wake-up that is lost is a thread that waits
 * for ever.
 *
 * Checked in every order: each unit of each task runs once, and as part of the cohort that
 * it was claimed for; kernels that wait for each other all begin, and those of the crew not before
 * all threads for them have been made; a task that a crew thread ends is completed although
 * nobody else has anything to do; the orchestrator sees the end of its run, and workers the end
 * of the engine; at the end nobody is counted as asleep, and no token is left. Then the same with
 * operations that misbehave.
 *
 *	interleave_engine [LIMIT]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sim/device/engine_internal.h>

#include "explore_arena.h"
#include "explore_suite.h"

#define MAX_WORKERS	2
#define MAX_OTHERS	2
#define MAX_TASKS	8
#define MAX_UNITS	4
#define WINDOW		16

enum { FUNC_AIV, FUNC_AIC, FUNC_NOBODYS, FUNC_COUNT };

static struct {
	struct explore_arena arena;
	uint32_t epoch;
	struct pto_engine engine;
	struct pto_core cores[MAX_WORKERS + 1];
	struct pto_queue queues[MAX_WORKERS + 1];
	struct pto_slot nobodys;	/* what a cohort has before its first task */
	const struct explore_scenario *scenario;

	uint32_t submitted;		/* tasks, and units of each */
	uint32_t units[MAX_TASKS];
	uint32_t ran[MAX_TASKS][MAX_UNITS];
	uint32_t begun;			/* units of those that meet */
	uint32_t meet;			/* units that there are of those */

	const void *sleeps_on[EXPLORE_THREADS];
	uint64_t looked[EXPLORE_THREADS];
	bool locked;
	struct other {
		void *(*body)(void *arg);	/* a crew thread's, or NULL */
		void *arg;
		struct pto_slot *slot;		/* a task to end, or NULL */
	} others[MAX_OTHERS];
	uint32_t crew_count;
	uint32_t crew_busy;		/* crew threads in a kernel */
	uint32_t left_count;
	bool over;
	uint64_t clock;
} m;

/* --- programs ------------------------------------------------------------ */

/* How a task is made. */
#define MIXED	1	/* two parts */
#define TWICE	2	/* two blocks */
#define SYNC	4	/* that start together */
#define MEETS	8	/* each unit waits until all of the units that meet have begun */
#define BUSY	16	/* it waits until a task has ended */
#define LATER	32	/* it ends when another thread says so */
#define LONG	64	/* others can do a lot meanwhile */
#define THRICE	128	/* three blocks */

static uint32_t blocks_of(uint32_t how)
{
	if (how & THRICE)
		return 3;
	return how & TWICE ? 2 : 1;
}

static void submit(struct pto_rt *rt, uint32_t how)
{
	uint32_t units = (how & MIXED ? 2 : 1) * blocks_of(how);
	struct pto_task_args args;

	pto_task_args_init(&args);
	pto_add_scalar(&args, m.submitted);
	pto_add_scalar(&args, how);
	pto_set_block_num(&args, blocks_of(how));
	pto_set_sync_start(&args, !!(how & SYNC));
	m.units[m.submitted++] = units;
	pto_submit_mixed(rt, how & MIXED ? FUNC_AIC : PTO_FUNC_NONE, FUNC_AIV, PTO_FUNC_NONE,
			 &args);
}

/* As a program waits for an element: the orchestrator helps, and sleeps. */
static void await(struct pto_rt *rt)
{
	while (pto_sched_done(&m.engine.sched) != m.submitted)
		m.engine.rt.env->wait(&m.engine.rt);
}

static uint64_t done(void)
{
	uint64_t sum = 0, one;
	uint32_t i;

	for (i = 0; i <= m.scenario->workers; i++) {
		memcpy(&one, (const void *)&m.queues[i].done, sizeof(one));
		sum += one;
	}
	return sum;
}

static bool some_done(const void *count)
{
	return done() >= *(const uint32_t *)count;
}

/* As a program that has something else to do. */
static void look_on(void)
{
	explore_until(some_done, &m.submitted);
}

/* Each time everybody has gone to sleep before. */
static void sleepy(struct pto_rt *rt)
{
	submit(rt, 0);
	await(rt);
	submit(rt, 0);
	submit(rt, 0);
}

static void blocks(struct pto_rt *rt)
{
	submit(rt, TWICE);
	submit(rt, TWICE);
}

/* More than one thread can run: the others have to be woken. */
static void parallel(struct pto_rt *rt)
{
	m.meet = m.scenario->workers + 1;
	while (m.submitted < m.meet)
		submit(rt, MEETS);
}

/* Who comes to one cohort finds the next one of the same thread. */
static void mixed(struct pto_rt *rt)
{
	submit(rt, MIXED);
	await(rt);
	submit(rt, MIXED);
	submit(rt, MIXED);
}

/* Who comes to the second one may have seen the first. */
static void mixed_long(struct pto_rt *rt)
{
	submit(rt, MIXED | LONG);
	await(rt);
	submit(rt, MIXED | LONG);
}

static void mixed_blocks(struct pto_rt *rt)
{
	submit(rt, MIXED | TWICE);
}

static void sync_start(struct pto_rt *rt)
{
	submit(rt, SYNC | TWICE);
	submit(rt, SYNC | TWICE);
}

/* One thread for all but the crew. */
static void hurry(struct pto_rt *rt)
{
	m.meet = 2;
	submit(rt, MIXED | MEETS);
}

/* More than one. */
static void hurry_two(struct pto_rt *rt)
{
	m.meet = 3;
	submit(rt, SYNC | THRICE | MEETS);
}

static bool crew_sleeps(const void *arg)
{
	uint32_t i;

	for (i = 0; i < EXPLORE_THREADS; i++)
		if (m.sleeps_on[i] == &m.engine.crew.calls)
			return true;
	return false;
}

/* Twice the crew, which has slept between. */
static void hurry_again(struct pto_rt *rt)
{
	hurry(rt);
	await(rt);
	m.begun = 0;
	submit(rt, MIXED | MEETS);
}

/* Nobody but workers completes what the crew has ended. */
static void hurry_alone(struct pto_rt *rt)
{
	m.meet = 2;
	submit(rt, MIXED | MEETS);
	/* The orchestrator would run it, and is not there to do so. */
	core_wake_worker(&m.engine);
	look_on();
}

/* The crew has been called before. */
static void hurry_alone_again(struct pto_rt *rt)
{
	hurry_alone(rt);
	m.begun = 0;
	hurry_alone(rt);
}

/* What the crew was called for is behind it, and it sleeps: it needs no more threads. */
static void hurry_idle(struct pto_rt *rt)
{
	hurry(rt);
	await(rt);
	explore_until(crew_sleeps, NULL);
	m.begun = 0;
	submit(rt, MIXED | MEETS);
}

/* It needs one more. */
static void hurry_more(struct pto_rt *rt)
{
	hurry_alone(rt);
	m.begun = 0;
	m.meet = 3;
	submit(rt, SYNC | THRICE | MEETS);
	core_wake_worker(&m.engine);
	look_on();
}

/* Nobody but the orchestrator does. */
static void hurry_busy(struct pto_rt *rt)
{
	m.meet = 2;
	submit(rt, MIXED | MEETS);
	submit(rt, BUSY);
}

/* Two tasks end on threads that have no queue. */
static void later(struct pto_rt *rt)
{
	submit(rt, LATER);
	submit(rt, LATER);
}

static const struct explore_scenario scenarios[] = {
	{ .name = "sleepy", .entry = sleepy, .workers = 1 },
	{ .name = "sleepy_two", .entry = sleepy, .workers = 2 },
	{ .name = "blocks", .entry = blocks, .workers = 2 },
	{ .name = "parallel", .entry = parallel, .workers = 1, .no_stale = true },
	{ .name = "parallel_two", .entry = parallel, .workers = 2, .no_stale = true },
	{ .name = "mixed", .entry = mixed, .workers = 1 },
	{ .name = "mixed_two", .entry = mixed, .workers = 2 },
	{ .name = "mixed_long", .entry = mixed_long, .workers = 1 },
	{ .name = "mixed_blocks", .entry = mixed_blocks, .workers = 2 },
	{ .name = "sync_start", .entry = sync_start, .workers = 1 },
	{ .name = "hurry", .entry = hurry, .workers = 1, .others = 1 },
	{ .name = "hurry_two", .entry = hurry_two, .workers = 0, .others = 2 },
	{ .name = "hurry_again", .entry = hurry_again, .workers = 1, .others = 2 },
	{ .name = "hurry_alone", .entry = hurry_alone, .workers = 1, .others = 1 },
	{ .name = "hurry_alone_again", .entry = hurry_alone_again, .workers = 1, .others = 2,
	  .no_stale = true },
	{ .name = "hurry_idle", .entry = hurry_idle, .workers = 0, .others = 1 },
	{ .name = "hurry_more", .entry = hurry_more, .workers = 1, .others = 2, .no_stale = true },
	{ .name = "hurry_busy", .entry = hurry_busy, .workers = 1, .others = 1, .no_stale = true },
	{ .name = "later", .entry = later, .workers = 1, .others = 2 },
	{ .name = "at_once", .entry = sleepy, .workers = 1, .at_once = 2 },
	{ .name = "at_once_later", .entry = later, .workers = 1, .others = 2, .at_once = 1 },
};

/* --- kernels ------------------------------------------------------------- */

static bool all_begun(const void *arg)
{
	return m.begun >= m.meet;
}

static void meet(struct pto_core *core)
{
	m.begun++;
	m.crew_busy += core->crew;
	if (!all_begun(NULL))
		cohort_wait(core);
	explore_until(all_begun, NULL);
	m.crew_busy -= core->crew;
}

/* As a kernel that registers a condition. */
static void leave_to_others(struct pto_core *core)
{
	core->expects = true;
	atomic_fetch_add_explicit(&core->slot->units_left, 1, memory_order_relaxed);
	m.others[m.left_count++].slot = core->slot;
}

static void run_unit(int64_t *args, uint32_t part, uint32_t parts)
{
	const struct pto_local_context *local;
	static const uint32_t one = 1;
	uint64_t task = (uint64_t)args[0];
	uint32_t unit;

	local = (const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL];
	unit = (uint32_t)local->block_idx * parts + part;
	if (task >= m.submitted || unit >= m.units[task])
		explore_fail("task %u has no unit %u", (uint32_t)task, unit);
	if (m.ran[task][unit]++)
		explore_fail("unit %u of task %u has run twice", unit, (uint32_t)task);
	if (args[1] & MEETS)
		meet((struct pto_core *)local->rt);
	if (args[1] & BUSY)
		explore_until(some_done, &one);
	if (args[1] & LONG)
		explore_yield();
	if (args[1] & LATER)
		leave_to_others((struct pto_core *)local->rt);
}

static void kernel_aic(int64_t *args)
{
	run_unit(args, 0, 2);
}

static void kernel_aiv(int64_t *args)
{
	bool mixed_task = args[1] & MIXED;

	run_unit(args, mixed_task, 1 + mixed_task);
}

static void kernel_nobodys(int64_t *args)
{
	explore_fail("a unit of no task has run");
}

static const struct pto_engine_kernel kernels[FUNC_COUNT] = {
	[FUNC_AIV] = { kernel_aiv, PTO_CORE_AIV },
	[FUNC_AIC] = { kernel_aic, PTO_CORE_AIC },
	[FUNC_NOBODYS] = { kernel_nobodys, PTO_CORE_AIV },
};

/* --- what the sources call ------------------------------------------------ */

static bool woken(const void *arg)
{
	return !*(const void * const *)arg;
}

/* No time passes: who sleeps here is woken or stays. */
void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	uint32_t self = explore_self();

	explore_passed();
	if (atomic_load(word) != value)
		return;
	m.sleeps_on[self] = word;
	explore_until(woken, &m.sleeps_on[self]);
	m.looked[self] = explore_now();
}

/* One of those who sleep, any of them. */
void engine_futex_wake(_Atomic uint32_t *word)
{
	uint32_t list[EXPLORE_THREADS];
	uint32_t count = 0;
	uint32_t i;

	explore_point();
	for (i = 0; i < EXPLORE_THREADS; i++)
		if (m.sleeps_on[i] == word)
			list[count++] = i;
	if (count)
		m.sleeps_on[list[explore_choose(count)]] = NULL;
	explore_passed();
}

void engine_futex_wake_all(_Atomic uint32_t *word)
{
	uint32_t i;

	explore_point();
	for (i = 0; i < EXPLORE_THREADS; i++)
		if (m.sleeps_on[i] == word)
			m.sleeps_on[i] = NULL;
	explore_passed();
}

/* Only who cannot do anything else waits; a step of many before that is none. */
void engine_pause(uint32_t round)
{
	uint32_t self = explore_self();

	if (round != UINT32_MAX)
		return;
	explore_wait(m.looked[self]);
	m.looked[self] = explore_now();
}

/* Each look at the clock finds that the orchestrator has lost time, but not for ever. */
uint64_t engine_now(void)
{
	return m.clock += 1000;
}

/* The explorer has its threads before: this tells one of them what to do. */
int engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool takes_kernels)
{
	if (m.crew_count == m.scenario->others)
		explore_fail("more crew threads than there are units to begin");
	explore_point();
	if (m.crew_busy)
		explore_fail("a crew thread waits in its kernel before all have been made");
	m.others[m.crew_count].body = body;
	m.others[m.crew_count++].arg = arg;
	return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);

static bool unlocked(const void *arg)
{
	return !m.locked;
}

/* There is one lock, the crew's. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	explore_point();
	explore_until(unlocked, NULL);
	m.locked = true;
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	m.locked = false;
	return 0;
}

struct pto_slot *__real_pto_sched_complete(struct pto_sched *sched, uint32_t index,
					   struct pto_slot *slot);
struct pto_slot *__wrap_pto_sched_complete(struct pto_sched *sched, uint32_t index,
					   struct pto_slot *slot);

struct pto_slot *__wrap_pto_sched_complete(struct pto_sched *sched, uint32_t index,
					   struct pto_slot *slot)
{
	if (pto_slot_completed(slot))
		explore_fail("a task is completed twice");
	return __real_pto_sched_complete(sched, index, slot);
}

/* What is not there: kernels that are left, conditions, a monitor. */
const struct pto_kernel_ops core_kernel_ops;

void escape_become(struct pto_core *core)
{
}

void escape_landed(const struct pto_core *core)
{
	explore_fail("a kernel has been left");
}

void async_poll(struct pto_engine *engine)
{
}

void async_register(struct pto_core *core)
{
	explore_fail("a kernel has named conditions");
}

void monitor_wake(struct pto_engine *engine)
{
	explore_fail("the monitor is awake");
}

/* --- threads ------------------------------------------------------------- */

static void entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	m.scenario->entry(rt);
}

static void check_units(void)
{
	uint32_t task, unit;

	for (task = 0; task < m.submitted; task++)
		for (unit = 0; unit < m.units[task]; unit++)
			if (!m.ran[task][unit])
				explore_fail("unit %u of task %u has not run", unit, task);
}

static void orchestrate(void)
{
	const struct pto_orch_args args = { .size = sizeof(args) };

	aicpu_run(&m.engine, entry, &args);
	if (pto_rt_fatal_code(&m.engine.rt))
		explore_fail("%s", m.engine.rt.fatal_text);
	check_units();
	core_stop_all(&m.engine);
	cohort_stop(&m.engine);
	m.over = true;
}

static bool wanted(const void *arg)
{
	const struct other *other = arg;

	return other->body || other->slot || m.over;
}

static void help_out(struct other *other)
{
	explore_until(wanted, other);
	if (other->body)
		other->body(other->arg);
	else if (other->slot)
		core_unit_gone(&m.engine, other->slot);
}

static void thread(uint32_t index)
{
	if (!index)
		orchestrate();
	else if (index <= m.scenario->workers)
		core_worker(&m.cores[index]);
	else
		help_out(&m.others[index - m.scenario->workers - 1]);
}

static void ended(void)
{
	uint32_t sleepers = atomic_load(&m.engine.sleepers);
	uint32_t tokens = atomic_load(&m.engine.tokens);

	if (sleepers || tokens)
		explore_fail("nobody sleeps, but %u are counted, and there are %u tokens",
			     sleepers, tokens);
}

/* --- the machine --------------------------------------------------------- */

static bool within(const void *p, const void *begin, size_t bytes)
{
	return (uintptr_t)p - (uintptr_t)begin < bytes;
}

/* The queues, the engine's words, the cohorts, and of a task what its units count down. */
static bool explored(const void *p)
{
	const struct pto_arena *head = (const struct pto_arena *)m.arena.base;
	const struct pto_slot *slots = (const void *)(m.arena.base + head->ring[0].slots);
	uint32_t i;

	if (within(p, m.queues, sizeof(m.queues)) || p == &m.engine.finished ||
	    p == &m.engine.sleepers || p == &m.engine.tokens || p == &m.engine.orch_sleeps ||
	    p == &m.engine.stop || within(p, &m.engine.crew, sizeof(m.engine.crew)))
		return true;
	for (i = 0; i <= m.scenario->workers; i++)
		if (within(p, &m.cores[i].cohort, sizeof(m.cores[i].cohort)))
			return true;
	return within(p, slots, WINDOW * sizeof(*slots)) &&
	       ((uintptr_t)p - (uintptr_t)slots) % sizeof(*slots) ==
		       offsetof(struct pto_slot, units_left);
}

static void free_crew(void)
{
	uint32_t i;

	for (i = 0; i < m.crew_count; i++)
		free(m.others[i].arg);
}

static void make_engine(void)
{
	struct pto_engine *engine = &m.engine;
	uint32_t i;

	engine->worker_count = m.scenario->workers;
	engine->cores = m.cores;
	engine->kernels = kernels;
	engine->kernel_count = FUNC_COUNT;
	atomic_init(&engine->monitor.awake, 1);
	pto_sched_init(&engine->sched, m.queues, m.scenario->workers + 1,
		       explore_enough(m.scenario));
	m.nobodys = (struct pto_slot){ .block_num = 1, .part_count = 1, .func = { FUNC_NOBODYS } };
	for (i = 0; i <= m.scenario->workers; i++) {
		core_init(&m.cores[i], engine, i);
		atomic_init(&m.cores[i].cohort.slot, &m.nobodys);
	}
	pto_runtime_init(&engine->rt, &aicpu_env, &engine->sched, PTO_ARCH_A2A3, 4);
	pto_runtime_start(&engine->rt, m.arena.base, m.epoch);
}

static void reset(const struct explore_scenario *scenario)
{
	struct explore_arena arena = m.arena;
	uint32_t epoch = m.epoch + 1;

	free_crew();
	memset(&m, 0, sizeof(m));
	m.arena = arena;
	m.epoch = epoch;
	m.scenario = scenario;
	make_engine();
}

/* --- the checks ---------------------------------------------------------- */

static const struct explore_mutant mutants[] = {
	{ "take_one", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "take_one", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "core_wake_worker", EXPLORE_ADD, EXPLORE_DROP },
	{ "core_wake_worker", EXPLORE_ADD, EXPLORE_LATE },
	{ "worker_sleep", EXPLORE_ADD, EXPLORE_DROP },
	{ "worker_sleep", EXPLORE_ADD, EXPLORE_LATE },
	{ "worker_sleep", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "worker_sleep", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "worker_has_work", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "worker_has_work", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "pto_sched_queued", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "core_stop_all", EXPLORE_STORE, EXPLORE_LATE },
	{ "wait_step", EXPLORE_STORE, EXPLORE_LATE },
	{ "wait_step", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "pto_sched_done", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "aicpu_notify", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "aicpu_notify", EXPLORE_SWAP, EXPLORE_DROP },
	{ "unit_gone", EXPLORE_SUB, EXPLORE_SPLIT },
	{ "core_unit_gone", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "core_complete_all", EXPLORE_SWAP, EXPLORE_SPLIT },
	{ "core_complete_all", EXPLORE_SWAP, EXPLORE_DROP },
	{ "run_one", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "run_one", EXPLORE_CAS, EXPLORE_DROP },
	{ "run_one", EXPLORE_LOAD, EXPLORE_RELAX },
	{ "begin", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "begin", EXPLORE_STORE, EXPLORE_RELAX },
	{ "cohort_hurry", EXPLORE_STORE, EXPLORE_DROP },
	{ "crew_sleep", EXPLORE_LOAD, EXPLORE_BLIND },
	{ "crew_sleep", EXPLORE_CAS, EXPLORE_SPLIT },
	{ "crew_serve", EXPLORE_ADD, EXPLORE_DROP },
	{ "crew_grow", EXPLORE_ADD, EXPLORE_DROP },
	{ "crew_work", EXPLORE_SUB, EXPLORE_DROP },
	{ "crew_call", EXPLORE_ADD, EXPLORE_DROP },
	{ "crew_call", EXPLORE_SUB, EXPLORE_DROP },
};

static const struct explore_suite suite = {
	.scenarios = scenarios,
	.scenario_count = sizeof(scenarios) / sizeof(scenarios[0]),
	.mutants = mutants,
	.mutant_count = sizeof(mutants) / sizeof(mutants[0]),
	.limit = 7000,
	.reset = reset,
	.test = {
		.thread = thread,
		.explored = explored,
		.ended = ended,
	},
};

int main(int argc, char **argv)
{
	if (explore_skipped("interleave_engine"))
		return 4;
	explore_arena_make(&m.arena, WINDOW, 2 * PTO_HEAP_ALIGN, 4);
	return explore_suite(&suite, argc > 1 ? argv[1] : NULL);
}
