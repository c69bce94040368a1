// SPDX-License-Identifier: MIT
/*
 * Cohorts: units that may wait for each other. They are the parts of a block of a mixed task, or
 * all blocks of a task with a common start.
 *
 * There are fewer threads than cores, so any thread without other work runs units of a cohort, one
 * after the other if necessary. That is sufficient while their kernels do not wait. When a kernel
 * waits, or the monitor finds that a cohort has stalled, the units that have not begun go to the
 * crew. The crew are threads that run only such units. They are created when none is idle, and
 * exist as long as the engine. From then on all units of the cohort have a thread, and the
 * operating system schedules all of them, even those that spin.
 *
 * Threads that spin compete for the processor with new threads and with the thread that creates
 * them. So all missing threads are created before the first of them may begin a unit, and then all
 * are called at once. Then the work that competes with spinning threads is the same for each unit,
 * however many units there are.
 *
 * The claim word of struct pto_cohort alone decides who claims a unit; the invariants are
 *
 *  1. Only the core's own thread begins a generation, and only when all units of the one
 *     before have been claimed. It writes slot and first before the claim.
 *  2. A unit is claimed by a compare-and-swap that increments the next unit. If it succeeds, the
 *     generation is still the one that was loaded, so slot and first, which were loaded in
 *     between, belong to the unit. Before that, nothing that they point to is accessed.
 *  3. A task cannot end while a claimed unit of it has not ended. So its slot is not reused while
 *     a thread runs a unit of it.
 *  4. When one thread is counted as a sleeper and then looks for cohorts, and another claims a
 *     unit and then looks for sleepers because more units are left, one of them sees the other.
 *     The orchestrator is not woken; it looks again when a task ends, or after a while.
 *  5. When one thread makes a cohort urgent and then reads the number of coming crew threads, and
 *     a crew thread decrements that number and then looks for urgent cohorts, one of them sees the
 *     other.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../libpto/runtime/thread_exit.h"
#include "engine_internal.h"

#define CLAIM_UNIT		(1u << 16)
#define CLAIM_GENERATION(claim)	((uint32_t)((claim) >> 32))
#define CLAIM_NEXT(claim)	((uint32_t)(claim) >> 16)
#define CLAIM_COUNT(claim)	((uint32_t)(claim) & 0xffff)

#define CALL_ALL		(1u << 31)	/* more than there are threads */
#define SLEEP_NS		5000000000ULL	/* longest sleep of a crew thread */

/* Number of units that have not been claimed. */
static uint32_t unclaimed(uint64_t claim)
{
	return CLAIM_COUNT(claim) - CLAIM_NEXT(claim);
}

/* --- units --------------------------------------------------------------- */

/* Run a unit of a cohort, if there is one. @next: result as of core_execute() */
static bool run_one(struct pto_core *core, struct pto_cohort *cohort, struct pto_slot **next)
{
	uint64_t claim = atomic_load_explicit(&cohort->claim, memory_order_acquire);
	struct pto_slot *slot;
	uint32_t unit;

	do {
		if (!unclaimed(claim))
			return false;
		slot = atomic_load_explicit(&cohort->slot, memory_order_relaxed);
		unit = atomic_load_explicit(&cohort->first, memory_order_relaxed) +
		       CLAIM_NEXT(claim);
	} while (!atomic_compare_exchange_weak_explicit(&cohort->claim, &claim, claim + CLAIM_UNIT,
							memory_order_acq_rel,
							memory_order_acquire));
	if (unclaimed(claim) > 1)
		core_wake_worker(core->engine);
	core->member = cohort;
	core->generation = CLAIM_GENERATION(claim);
	core_unit(core, slot, unit);
	*next = core_unit_end(core, slot);
	return true;
}

/* Make the next units of a task the core's cohort, and pass the rest of the task on. */
static void begin(struct pto_core *core, struct pto_slot *slot)
{
	struct pto_cohort *cohort = &core->cohort;
	uint64_t generation = CLAIM_GENERATION(atomic_load(&cohort->claim)) + UINT64_C(1);
	uint32_t units = slot->block_num * slot->part_count;
	uint32_t count = slot->flags & PTO_SLOT_SYNC_START ? units : slot->part_count;
	uint32_t first = slot->next_unit;

	slot->next_unit = first + count;
	atomic_store_explicit(&cohort->slot, slot, memory_order_relaxed);
	atomic_store_explicit(&cohort->first, first, memory_order_relaxed);
	atomic_store_explicit(&cohort->claim, generation << 32 | count, memory_order_release);
	/* The task cannot end meanwhile, because it has further units. */
	if (first + count < units)
		pto_sched_push(&core->engine->sched, core->index, slot);
}

/**
 * cohort_execute() - begin a cohort, and run units of it until all are claimed
 * @core: the calling thread's core
 * @slot: the task, whose token the caller holds
 *
 * Return: a task to execute next, or NULL.
 */
struct pto_slot *cohort_execute(struct pto_core *core, struct pto_slot *slot)
{
	struct pto_slot *next = NULL;
	struct pto_slot *ready;

	begin(core, slot);
	while (run_one(core, &core->cohort, &ready))
		next = ready ? ready : next;
	return next;
}

/**
 * cohort_join() - run a unit of another core's cohort
 * @core: the calling thread's core
 * @next: out: a task to execute next, or NULL
 *
 * Return: false if there is no unit.
 */
bool cohort_join(struct pto_core *core, struct pto_slot **next)
{
	struct pto_engine *engine = core->engine;
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++)
		if (run_one(core, &engine->cores[i].cohort, next))
			return true;
	return false;
}

/** cohort_joinable() - is there a unit that cohort_join() would run? */
bool cohort_joinable(struct pto_engine *engine)
{
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++)
		if (unclaimed(atomic_load(&engine->cores[i].cohort.claim)))
			return true;
	return false;
}

/* --- the crew ------------------------------------------------------------ */

/* Run a unit of an urgent cohort. Return: false if there is none */
static bool crew_work(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	struct pto_slot *none;
	uint64_t claim;
	uint32_t i;

	/* See invariant 5. */
	if (core->coming)
		atomic_fetch_sub(&engine->crew.coming, 1);
	core->coming = false;
	for (i = 0; i <= engine->worker_count; i++) {
		struct pto_cohort *cohort = &engine->cores[i].cohort;

		claim = atomic_load(&cohort->claim);
		if (atomic_load(&cohort->urgent) == CLAIM_GENERATION(claim) &&
		    run_one(core, cohort, &none))
			return true;
	}
	return false;
}

/* Sleep until called; the thread counts as idle already. Return: false when the engine stops */
static bool crew_sleep(struct pto_core *core)
{
	struct pto_crew *crew = &core->engine->crew;
	uint32_t calls;

	do {
		pto_thread_tidy();
		calls = atomic_load(&crew->calls);
		if (!calls)
			engine_futex_wait(&crew->calls, 0, SLEEP_NS);
	} while (!calls || !atomic_compare_exchange_weak(&crew->calls, &calls, calls - 1));
	core->coming = true;
	return !atomic_load(&core->engine->stop);
}

/* Run units while there are any; then the thread is idle. */
static void crew_serve(struct pto_core *core)
{
	while (crew_work(core))
		;
	atomic_fetch_add(&core->engine->crew.idle, 1);
}

static void *crew_main(void *arg)
{
	struct pto_core *core = arg;

	escape_become(core);
	if (sigsetjmp(core->escape, 0)) {
		core_recover(core);
		crew_serve(core);
	}
	while (crew_sleep(core))
		crew_serve(core);
	return NULL;
}

/* Create one more thread, which is idle. The lock is held. Return: 0 or a negative errno */
static int crew_grow(struct pto_engine *engine)
{
	struct pto_crew *crew = &engine->crew;
	struct pto_core *core = aligned_alloc(PTO_CACHE_LINE, sizeof(*core));
	int ret;

	if (!core)
		return -ENOMEM;
	core_init(core, engine, engine->worker_count + 1 + crew->count);
	core->crew = true;
	core->next = atomic_load(&crew->list);
	ret = engine_thread_create(&core->thread, crew_main, core, true);
	if (ret) {
		free(core);
		return ret;
	}
	crew->count++;
	atomic_store(&crew->list, core);
	atomic_fetch_add(&crew->idle, 1);
	return 0;
}

/* Number of units of urgent cohorts that have not been claimed. */
static uint32_t crew_units(struct pto_engine *engine)
{
	uint32_t units = 0;
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++) {
		const struct pto_cohort *cohort = &engine->cores[i].cohort;
		uint64_t claim = atomic_load(&cohort->claim);

		if (atomic_load(&cohort->urgent) == CLAIM_GENERATION(claim))
			units += unclaimed(claim);
	}
	return units;
}

/*
 * Call @count threads, or as many as can be created. The lock is held.
 * Return: 0 or a negative errno
 */
static int crew_call(struct pto_engine *engine, uint32_t count)
{
	struct pto_crew *crew = &engine->crew;
	uint32_t idle;
	int ret = 0;

	while (atomic_load(&crew->idle) < count && !ret)
		ret = crew_grow(engine);
	idle = atomic_load(&crew->idle);
	if (idle < count)
		count = idle;
	atomic_fetch_sub(&crew->idle, count);
	atomic_fetch_add(&crew->coming, count);
	atomic_fetch_add(&crew->calls, count);
	engine_futex_wake_all(&crew->calls);
	return ret;
}

/*
 * Make sure that there is a thread for each unit of an urgent cohort. Threads that have been
 * called and have not come yet count: on a busy machine they come late, and more threads would
 * make that worse.
 *
 * Return: 0 or a negative errno
 */
static int crew_suffice(struct pto_engine *engine)
{
	struct pto_crew *crew = &engine->crew;
	uint32_t coming, units;
	int ret = 0;

	pthread_mutex_lock(&crew->lock);
	units = crew_units(engine);
	coming = atomic_load(&crew->coming);
	if (coming < units)
		ret = crew_call(engine, units - coming);
	pthread_mutex_unlock(&crew->lock);
	return ret;
}

/**
 * cohort_hurry() - give units that have not been claimed to the crew
 * @engine: the engine
 * @cohort: the cohort
 * @claim: its claim, as read by the caller
 *
 * Return: 0; a negative errno if threads could not be created. Then the monitor calls again.
 */
int cohort_hurry(struct pto_engine *engine, struct pto_cohort *cohort, uint64_t claim)
{
	if (!unclaimed(claim))
		return 0;
	atomic_store(&cohort->urgent, CLAIM_GENERATION(claim));
	return crew_suffice(engine);
}

/** cohort_wait() - called when the kernel of a core begins to wait */
void cohort_wait(struct pto_core *core)
{
	struct pto_cohort *cohort = core->member;
	uint64_t claim;

	if (!cohort)
		return;
	claim = atomic_load(&cohort->claim);
	if (CLAIM_GENERATION(claim) == core->generation &&
	    atomic_load(&cohort->urgent) != core->generation)
		cohort_hurry(core->engine, cohort, claim);
}

/** cohort_crew_runs() - does a crew thread run a kernel? */
bool cohort_crew_runs(struct pto_engine *engine)
{
	const struct pto_core *core;

	for (core = atomic_load(&engine->crew.list); core; core = core->next)
		if (core_func(atomic_load(&core->state)) != ENGINE_NO_FUNC)
			return true;
	return false;
}

/** cohort_init() - prepare the crew, which has no threads yet */
void cohort_init(struct pto_engine *engine)
{
	pthread_mutex_init(&engine->crew.lock, NULL);
}

/** cohort_nudge() - wake crew threads that sleep, so that they leave retired objects */
void cohort_nudge(struct pto_engine *engine)
{
	struct pto_crew *crew = &engine->crew;

	pthread_mutex_lock(&crew->lock);
	crew_call(engine, atomic_load(&crew->idle));
	pthread_mutex_unlock(&crew->lock);
}

/** cohort_stop() - tell the crew to end; pto_engine.stop has been set */
void cohort_stop(struct pto_engine *engine)
{
	atomic_store(&engine->crew.calls, CALL_ALL);
	engine_futex_wake_all(&engine->crew.calls);
}

/** cohort_free() - wait for the crew's end, and free it */
void cohort_free(struct pto_engine *engine)
{
	struct pto_core *core = atomic_load(&engine->crew.list);
	struct pto_core *next;

	for (; core; core = next) {
		next = core->next;
		pthread_join(core->thread, NULL);
		free(core);
	}
	pthread_mutex_destroy(&engine->crew.lock);
}
