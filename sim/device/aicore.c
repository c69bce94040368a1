// SPDX-License-Identifier: MIT
/*
 * The AICore side: threads that take ready tasks and run their kernels.
 *
 * Sleeping and waking of workers is an exact count. A worker that finds nothing adds itself
 * to sleepers, looks once more, and sleeps until it gets a token. Who wants to wake one
 * takes one off sleepers and puts a token in. A worker that finds work on its last look
 * takes itself off again; if it has been claimed meanwhile, a token is on its way and it
 * takes that. So nobody is woken twice, and with no sleepers no system call is made.
 */
#include "engine_internal.h"

#define WORKER_ROUNDS	256		/* looks for work before a worker sleeps */
#define WORKER_SLEEP_NS	5000000000ULL	/* then it looks again */

/* Takes one off a count that is not 0. */
static bool take_one(_Atomic uint32_t *count)
{
	uint32_t n = atomic_load(count);

	while (n)
		if (atomic_compare_exchange_weak(count, &n, n - 1))
			return true;
	return false;
}

/** core_wake_worker() - wake a worker if one sleeps */
void core_wake_worker(struct pto_engine *engine)
{
	if (!atomic_load_explicit(&engine->sleepers, memory_order_relaxed) ||
	    !take_one(&engine->sleepers))
		return;
	atomic_fetch_add(&engine->tokens, 1);
	engine_futex_wake(&engine->tokens);
}

/* --- kernels ------------------------------------------------------------- */

/* Lays the argument array out as the kernel ABI wants it. */
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
	core->local.block_idx = (int32_t)block;
	core->local.block_num = (int32_t)slot->block_num;
	core->local.rt = &core->rt;
	core->global.sub_block_id = part == 2;
	core->args[PTO_KERNEL_ARG_LOCAL] = (int64_t)(uintptr_t)&core->local;
	core->args[PTO_KERNEL_ARG_GLOBAL] = (int64_t)(uintptr_t)&core->global;
}

static void run_unit(struct pto_core *core, const struct pto_slot *slot, uint32_t unit)
{
	uint32_t index = unit % slot->part_count;
	uint32_t func = slot->func[index];

	load_args(core, slot, unit / slot->part_count, slot->part[index]);
	atomic_store_explicit(&core->task, slot->id, memory_order_relaxed);
	atomic_store_explicit(&core->func, func, memory_order_release);
	core->engine->kernels[func].fn(core->args);
	atomic_store_explicit(&core->func, ENGINE_NO_FUNC, memory_order_release);
}

/*
 * Claims the next unit of a task whose token the caller holds, and passes the token on if
 * there are more. Then, if this leaves work in the queue, wakes somebody for it.
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

/* Does its predicate say that a task, of which nothing has begun, shall not run? */
static bool skipped(struct pto_engine *engine, const struct pto_slot *slot)
{
	return slot->flags & PTO_SLOT_PREDICATE && !slot->next_unit &&
	       !pto_rt_fatal_code(&engine->rt) && !pto_predicate_holds(slot);
}

static struct pto_slot *complete(struct pto_core *core, struct pto_slot *slot)
{
	slot = pto_sched_complete(&core->engine->sched, core->index, slot);
	if (core->index)
		aicpu_notify(core->engine);
	return slot;
}

/**
 * core_execute() - run one unit of a task
 * @core: the calling thread's core
 * @slot: the task, whose token the caller holds
 *
 * Once the run has failed tasks end without running their kernels, so that all of them
 * come to an end. Return: a task to go on with, or NULL.
 */
struct pto_slot *core_execute(struct pto_core *core, struct pto_slot *slot)
{
	struct pto_engine *engine = core->engine;
	uint32_t unit;

	if (skipped(engine, slot))
		return complete(core, slot);
	unit = claim_unit(core, slot);
	if (!pto_rt_fatal_code(&engine->rt))
		run_unit(core, slot, unit);
	if (slot->block_num * slot->part_count != 1 &&
	    atomic_fetch_sub_explicit(&slot->units_left, 1, memory_order_acq_rel) != 1)
		return NULL;
	return complete(core, slot);
}

/* --- workers ------------------------------------------------------------- */

static void worker_sleep(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	bool work = false;
	uint32_t i;

	atomic_fetch_add(&engine->sleepers, 1);
	for (i = 0; i < engine->sched.queue_count && !work; i++)
		work = pto_sched_queued(&engine->sched, i) != 0;
	if (!work && !atomic_load(&engine->stop))
		engine_futex_wait(&engine->tokens, 0, WORKER_SLEEP_NS);
	/* Not claimed: nobody counts on us. Claimed: the token comes, or is there. */
	while (!take_one(&engine->tokens) && !take_one(&engine->sleepers))
		engine_pause(UINT32_MAX);
}

/** core_worker() - main function of a worker thread */
void *core_worker(void *arg)
{
	struct pto_core *core = arg;
	struct pto_engine *engine = core->engine;
	struct pto_slot *slot;
	uint32_t round = 0;

	while (!atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
		slot = pto_sched_take(&engine->sched, core->index);
		if (slot) {
			round = 0;
			while (slot)
				slot = core_execute(core, slot);
		} else if (round < WORKER_ROUNDS) {
			engine_pause(round++);
		} else {
			worker_sleep(core);
			round = 0;
		}
	}
	return NULL;
}

/** core_stop_all() - make all workers end; no run is executing */
void core_stop_all(struct pto_engine *engine)
{
	uint32_t i;

	atomic_store(&engine->stop, 1);
	for (i = 0; i < engine->worker_count; i++)
		core_wake_worker(engine);
}
