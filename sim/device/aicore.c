// SPDX-License-Identifier: MIT
/*
 * The AICore side: threads that take ready tasks and run their kernels.
 *
 * Sleeping and waking of workers uses exact counts. A worker without work increments sleepers,
 * looks for work once more, and sleeps until it gets a token. A thread that wants to wake a worker
 * decrements sleepers, adds a token, and wakes one. A worker that finds work at its last look
 * decrements sleepers again; if sleepers is 0 then, a token is on its way, and the worker takes
 * that. So no worker is woken twice, and without sleepers there is no system call. The invariants
 * are
 *
 *  1. The number of workers in worker_sleep() is the sum of sleepers, tokens, and threads that
 *     have decremented sleepers and not yet added the token.
 *  2. A token makes one worker look for work: a worker that sleeps, or was about to, takes a token
 *     first. A worker that has found work, or the end of the engine, takes a token only if
 *     sleepers is 0.
 *  3. When one thread adds work and then reads sleepers, and another increments sleepers and then
 *     looks for work, one of them sees the other, if both use sequentially consistent operations.
 *     That holds for finished tasks and the end of the engine. It need not hold for the queues.
 *     Their owners read sleepers without waiting for their own stores, and execute the remaining
 *     tasks themselves. If that takes long, the monitor, which looks at all queues, wakes a
 *     worker.
 *
 * selftests/runtime/interleave_engine executes this file, aicpu.c and engine_cohort.c in all
 * orders of small programs; its mutants are the operations on which the invariants of the three
 * files depend.
 */
#include <string.h>

#include "../../libpto/runtime/thread_exit.h"
#include "engine_internal.h"

#ifndef WORKER_ROUNDS
#define WORKER_ROUNDS	256		/* looks for work before a worker sleeps; 1 in tests */
#endif
#define WORKER_SLEEP_NS	5000000000ULL	/* longest sleep */
#define WORKER_LOOK_NS	1000000ULL	/* longest sleep while tasks wait for counters */

/* Decrement a count unless it is 0. Return: false if it is 0 */
static bool take_one(_Atomic uint32_t *count)
{
	uint32_t n = atomic_load(count);

	while (n)
		if (atomic_compare_exchange_weak(count, &n, n - 1))
			return true;
	return false;
}

/** core_wake_worker() - wake a worker if one sleeps. Return: true if one was woken */
bool core_wake_worker(struct pto_engine *engine)
{
	if (!take_one(&engine->sleepers))
		return false;
	atomic_fetch_add(&engine->tokens, 1);
	engine_futex_wake(&engine->tokens);
	return true;
}

/* --- kernels ------------------------------------------------------------- */

/* Fill in the contexts of the kernel, with an empty record of conditions. */
static void load_contexts(struct pto_core *core, const struct pto_slot *slot, uint32_t block,
			  uint32_t part)
{
	core->named = 0;
	core->async_error = 0;
	core->local = (struct pto_local_context){
		.block_idx = (int32_t)block,
		.block_num = (int32_t)slot->block_num,
		.async = {
			.count = &core->named,
			.error = &core->async_error,
			.entries = core->entries,
			.capacity = PTO_KERNEL_MAX_CONDITIONS,
			.task_token = slot->id,
		},
		.rt = &core->rt,
	};
	core->global = (struct pto_global_context){ .sub_block_id = part == 2 };
}

/* Fill in the argument array of the kernel ABI. */
static void load_args(struct pto_core *core, const struct pto_slot *slot, uint32_t block,
		      uint32_t part)
{
	struct pto_tensor *t = (struct pto_tensor *)(core->engine->sched.base + slot->tensors);
	int64_t *arg = core->args;
	uint32_t i;

	for (i = 0; i < slot->tensor_count; i++)
		*arg++ = (int64_t)(uintptr_t)&t[i];
	for (i = 0; i < slot->scalar_count; i++)
		*arg++ = (int64_t)slot->scalars[i];
	load_contexts(core, slot, block, part);
	core->args[PTO_KERNEL_ARG_LOCAL] = (int64_t)(uintptr_t)&core->local;
	core->args[PTO_KERNEL_ARG_GLOBAL] = (int64_t)(uintptr_t)&core->global;
}

/* Set the state of the core; the count in it makes every state different. */
static void set_state(struct pto_core *core, uint32_t func)
{
	uint64_t state = atomic_load_explicit(&core->state, memory_order_relaxed) | UINT32_MAX;

	atomic_store_explicit(&core->state, state + 1 + func, memory_order_release);
}

/* Run one part of one block; see core_unit(). */
static inline void run_part(struct pto_core *core, struct pto_slot *slot, uint32_t block,
			    uint32_t index)
{
	struct pto_engine *engine = core->engine;
	uint32_t func = slot->func[index];

	core->expects = false;
	if (pto_rt_fatal_code(&engine->rt))
		return;
	monitor_arm(engine);
	core->slot = slot;
	load_args(core, slot, block, slot->part[index]);
	atomic_store_explicit(&core->task, slot->id, memory_order_relaxed);
	set_state(core, func);
	pto_fpstate_begin(&core->words);
	engine->kernels[func].fn(core->args);
	pto_fpstate_set(&core->words);
	core->local.async.task_token = PTO_ASYNC_NO_TOKEN;
	if (core->named || core->async_error)
		async_register(core);
	set_state(core, ENGINE_NO_FUNC);
}

/**
 * core_unit() - run a unit of a task
 * @core: the calling thread's core; its @member is the unit's cohort
 * @slot: the task
 * @unit: number of the unit, which the caller has claimed
 *
 * Once the run has failed, units end without running their kernels. The caller must call
 * core_unit_end(). While the state says that a kernel runs, the thread may be made to leave the
 * kernel (engine_escape.c). Then this function does not return; the thread continues at
 * pto_core.escape, with core_recover().
 */
void core_unit(struct pto_core *core, struct pto_slot *slot, uint32_t unit)
{
	if (slot->part_count > 1)
		run_part(core, slot, unit / slot->part_count, unit % slot->part_count);
	else
		run_part(core, slot, unit, 0);
}

/**
 * core_recover() - continue after the calling thread has left a kernel
 * @core: its core
 *
 * The thread owned nothing else: it had passed on the token of the task, and other threads can
 * claim the units of its cohort.
 */
void core_recover(struct pto_core *core)
{
	struct pto_slot *next;

	escape_landed(core);
	pto_fpstate_set(&core->words);
	set_state(core, ENGINE_NO_FUNC);
	next = core_unit_end(core, core->slot);
	if (next)
		pto_sched_push(&core->engine->sched, core->index, next);
}

/* --- the end of tasks ---------------------------------------------------- */

static struct pto_slot *complete(struct pto_core *core, struct pto_slot *slot)
{
	slot = pto_sched_complete(&core->engine->sched, core->index, slot);
	if (core->index)
		aicpu_notify(core->engine);
	return slot;
}

/* A unit or a condition of a task has ended. Return: true if it was the last one */
static bool unit_gone(struct pto_slot *slot)
{
	return (atomic_fetch_sub_explicit(&slot->units_left, 1, memory_order_acq_rel) &
		PTO_UNITS_MASK) == 1;
}

/**
 * core_unit_gone() - end a unit or a condition of a task, on a thread that has no queue
 *
 * If it was the last one, a thread with a queue will complete the task.
 */
void core_unit_gone(struct pto_engine *engine, struct pto_slot *slot)
{
	struct pto_slot *head = atomic_load_explicit(&engine->finished, memory_order_relaxed);

	if (!unit_gone(slot))
		return;
	do {
		slot->next = head ? (uint64_t)((uint8_t *)head - engine->sched.base) : 0;
	} while (!atomic_compare_exchange_weak(&engine->finished, &head, slot));
	if (!core_wake_worker(engine))
		aicpu_notify(engine);
}

/**
 * core_unit_end() - end a unit of a task
 * @core: the core that ran it
 * @slot: the task; must not be accessed afterwards
 *
 * Return: a task to execute next, or NULL.
 */
struct pto_slot *core_unit_end(struct pto_core *core, struct pto_slot *slot)
{
	if (core->crew) {
		core_unit_gone(core->engine, slot);
		return NULL;
	}
	if ((slot->block_num * slot->part_count != 1 || core->expects) && !unit_gone(slot))
		return NULL;
	return complete(core, slot);
}

/** core_complete_all() - see core_collect() */
struct pto_slot *core_complete_all(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	struct pto_slot *slot = atomic_exchange(&engine->finished, NULL);
	struct pto_slot *ready, *next = NULL;
	uint64_t offset;

	while (slot) {
		offset = slot->next;
		ready = complete(core, slot);
		if (ready && next)
			pto_sched_push(&engine->sched, core->index, next);
		next = ready ? ready : next;
		slot = offset ? (struct pto_slot *)(engine->sched.base + offset) : NULL;
	}
	return next;
}

/* --- tasks --------------------------------------------------------------- */

/*
 * Claim the next unit of a task whose token the caller holds, and pass the token on if there are
 * more. Then wake a worker if there is work in the queue.
 */
static uint32_t claim_unit(struct pto_core *core, struct pto_slot *slot)
{
	struct pto_engine *engine = core->engine;
	uint32_t unit = slot->next_unit++;

	if (unit + 1 < slot->block_num * slot->part_count)
		pto_sched_push(&engine->sched, core->index, slot);
	if (atomic_load_explicit(&engine->sleepers, memory_order_relaxed) &&
	    pto_sched_queued(&engine->sched, core->index))
		core_wake_worker(engine);
	return unit;
}

/* Is the task skipped, because no unit has begun and its predicate is false? */
static bool skipped(struct pto_engine *engine, const struct pto_slot *slot)
{
	return slot->flags & PTO_SLOT_PREDICATE && !slot->next_unit &&
	       !pto_rt_fatal_code(&engine->rt) && !pto_predicate_holds(slot);
}

/**
 * core_execute() - run one unit of a task, or those units of its cohort that the core can claim
 * @core: the calling thread's core
 * @slot: the task, whose token the caller holds
 *
 * Return: a task to execute next, or NULL.
 */
struct pto_slot *core_execute(struct pto_core *core, struct pto_slot *slot)
{
	if (slot->flags) {
		if (skipped(core->engine, slot))
			return complete(core, slot);
		if (slot->flags & (PTO_SLOT_SYNC_START | PTO_SLOT_MIXED))
			return cohort_execute(core, slot);
	}
	core->member = NULL;
	core_unit(core, slot, claim_unit(core, slot));
	return core_unit_end(core, slot);
}

/**
 * core_execute_new() - run a task of one unit that no other thread accesses
 *
 * Unlike core_unit() it returns if the thread has been made to leave the kernel.
 */
void core_execute_new(struct pto_core *core, struct pto_slot *slot)
{
	if (sigsetjmp(core->escape, 0)) {
		core_recover(core);
		return;
	}
	core->member = NULL;
	slot->next_unit = 1;
	run_part(core, slot, 0, 0);
	if (!core->expects || unit_gone(slot))
		pto_sched_complete_new(&core->engine->sched, slot);
}

/* --- workers ------------------------------------------------------------- */

static bool worker_has_work(struct pto_engine *engine)
{
	uint32_t i;

	for (i = 0; i < engine->sched.queue_count; i++)
		if (pto_sched_queued(&engine->sched, i))
			return true;
	return atomic_load(&engine->finished) || cohort_joinable(engine);
}

static void worker_sleep(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	_Atomic uint32_t *first = &engine->sleepers;
	_Atomic uint32_t *second = &engine->tokens;

	atomic_fetch_add(&engine->sleepers, 1);
	if (!worker_has_work(engine) && !atomic_load(&engine->stop)) {
		engine_futex_wait(&engine->tokens, 0,
				  atomic_load(&engine->conditions.count) ? WORKER_LOOK_NS :
									   WORKER_SLEEP_NS);
		first = &engine->tokens;
		second = &engine->sleepers;
	}
	while (!take_one(first) && !take_one(second))
		engine_pause(UINT32_MAX);
}

/* Execute work of any kind. Return: false if there was none */
static bool worker_work(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	struct pto_slot *slot = core_collect(core);
	bool busy;

	if (!slot)
		slot = pto_sched_take(&engine->sched, core->index);
	busy = slot || cohort_join(core, &slot);
	while (slot)
		slot = core_execute(core, slot);
	if (!busy)
		async_poll(engine);
	return busy;
}

/** core_worker() - main function of a worker thread */
void *core_worker(void *arg)
{
	struct pto_core *core = arg;
	struct pto_engine *engine = core->engine;
	uint32_t round;

	escape_become(core);
	if (sigsetjmp(core->escape, 0))
		core_recover(core);
	round = 0;
	while (!atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
		if (worker_work(core)) {
			round = 0;
		} else if (round < WORKER_ROUNDS) {
			engine_pause(round++);
		} else {
			pto_thread_tidy();
			worker_sleep(core);
			round = 0;
		}
	}
	return NULL;
}

/** core_init() - initialise a core that has no thread yet */
void core_init(struct pto_core *core, struct pto_engine *engine, uint32_t index)
{
	memset(core, 0, sizeof(*core));
	core->rt.ops = &core_kernel_ops;
	core->engine = engine;
	core->index = index;
	atomic_init(&core->state, ENGINE_NO_FUNC);
	core->watch.state = ENGINE_NO_FUNC;
}

/** core_nudge_all() - wake workers that sleep, so that they leave retired objects */
void core_nudge_all(struct pto_engine *engine)
{
	uint32_t i;

	for (i = 0; i < engine->worker_count; i++)
		core_wake_worker(engine);
}

/** core_stop_all() - make all workers end; no run is executing */
void core_stop_all(struct pto_engine *engine)
{
	atomic_store(&engine->stop, 1);
	core_nudge_all(engine);
}
