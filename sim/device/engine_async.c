// SPDX-License-Identifier: MIT
/*
 * Conditions: counters that the completion of a task waits for.
 *
 * A kernel writes conditions to its record (struct pto_async_context). When it has returned they
 * are registered: a condition that does not hold then counts as one more unit of its task that has
 * not ended (pto_slot.units_left). A thread that finds that it holds ends it, and if it was the
 * last one, the task is completed as after its last kernel. So the fast path of tasks without
 * conditions only reads two words that the same thread has written.
 *
 * Nothing signals a change of a counter: threads without work poll the counters, one thread at a
 * time. There is room for a fixed number of conditions. A unit that registers one more waits, and
 * its core's state says meanwhile that its kernel runs.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine_internal.h"

#define ROOM_ROUNDS	64		/* looks for room before a unit sleeps */
#define ROOM_SLEEP_NS	500000ULL	/* longest sleep of such a unit */

/** async_init() - make room for the conditions. Return: 0 or -ENOMEM */
int async_init(struct pto_engine *engine)
{
	engine->conditions.list = calloc(ENGINE_CONDITIONS, sizeof(*engine->conditions.list));
	return engine->conditions.list ? 0 : -ENOMEM;
}

static bool holds(const uint32_t *counter, uint32_t expected)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE) >= expected;
}

static bool lock_try(struct pto_conditions *c)
{
	return !atomic_exchange_explicit(&c->lock, 1, memory_order_acquire);
}

/* The lock is held at most while all counters are read once. */
static void lock(struct pto_conditions *c)
{
	uint32_t round = 0;

	while (!lock_try(c))
		engine_pause(round++);
}

static void unlock(struct pto_conditions *c)
{
	atomic_store_explicit(&c->lock, 0, memory_order_release);
}

static bool full(struct pto_conditions *c)
{
	return atomic_load_explicit(&c->count, memory_order_relaxed) == ENGINE_CONDITIONS;
}

/* Add a condition to the list. Return: false if it is full */
static bool append(struct pto_conditions *c, const struct pto_condition *condition)
{
	uint32_t count;

	lock(c);
	count = atomic_load_explicit(&c->count, memory_order_relaxed);
	if (count < ENGINE_CONDITIONS) {
		c->list[count] = *condition;
		atomic_store_explicit(&c->count, count + 1, memory_order_release);
	}
	unlock(c);
	return count < ENGINE_CONDITIONS;
}

/*
 * Wait until a condition on the full list holds. The monitor ends the run if there is no progress.
 * Return: false if the run has failed
 */
static bool wait_room(struct pto_core *core)
{
	struct pto_engine *engine = core->engine;
	struct pto_conditions *c = &engine->conditions;
	uint32_t round = 0;

	atomic_store_explicit(&core->blocked, 1, memory_order_relaxed);
	while (full(c) && !pto_rt_fatal_code(&engine->rt)) {
		async_poll(engine);
		if (!full(c))
			break;
		if (round < ROOM_ROUNDS)
			engine_pause(round++);
		else
			engine_futex_wait(&c->count, ENGINE_CONDITIONS, ROOM_SLEEP_NS);
	}
	atomic_store_explicit(&core->blocked, 0, memory_order_relaxed);
	return !pto_rt_fatal_code(&engine->rt);
}

static bool too_many(struct pto_core *core)
{
	return core_refuse(core, PTO_FATAL_ASYNC_WAIT_OVERFLOW,
			   "more than %u conditions for one task", PTO_KERNEL_MAX_CONDITIONS);
}

/* Report the error word of the record, which the kernel has set. */
static bool report_word(struct pto_core *core)
{
	if (core->async_error == PTO_ASYNC_ERROR_OVERFLOW)
		return too_many(core);
	if (core->async_error == PTO_ASYNC_ERROR_INVALID)
		return core_refuse(core, PTO_FATAL_ASYNC_COMPLETION_INVALID,
				   "the kernel says that a condition is invalid");
	return core_refuse(core, PTO_FATAL_ASYNC_COMPLETION_INVALID,
			   "the error word of the kernel's conditions is %d, which means nothing",
			   core->async_error);
}

static bool check_entry(struct pto_core *core, const struct pto_async_entry *e)
{
	if (e->type != PTO_ASYNC_COUNTER)
		return core_refuse(core, PTO_FATAL_ASYNC_COMPLETION_INVALID,
				   "a condition is of type %d, and the device has no engine for any but counters (%d)",
				   e->type, PTO_ASYNC_COUNTER);
	if (!e->addr || e->addr % sizeof(uint32_t))
		return core_refuse(core, PTO_FATAL_ASYNC_COMPLETION_INVALID,
				   "the counter of a condition, at 0x%llx, is NULL or not aligned",
				   (unsigned long long)e->addr);
	if (core_word(core, e->addr, false))
		return true;
	return core_refuse(core, PTO_FATAL_ASYNC_COMPLETION_INVALID,
			   "the counter of a condition, at 0x%llx, is memory of neither this context nor the callable",
			   (unsigned long long)e->addr);
}

/* Check the record. */
static bool check_record(struct pto_core *core)
{
	const struct pto_async_entry *e = core->entries;

	if (core->async_error)
		return report_word(core);
	if (core->named > PTO_KERNEL_MAX_CONDITIONS)
		return too_many(core);
	for (; e < core->entries + core->named; e++)
		if (!check_entry(core, e))
			return false;
	return true;
}

/* Return: false if the run has failed */
static bool register_one(struct pto_core *core, const struct pto_async_entry *entry)
{
	const struct pto_condition condition = {
		(const uint32_t *)(uintptr_t)entry->addr, core->slot, core->slot->id,
		entry->expected
	};
	_Atomic uint32_t *units = &core->slot->units_left;
	bool met = holds(condition.counter, condition.expected);
	uint32_t cost = PTO_UNITS_CONDITION + !met;
	uint32_t before;

	before = atomic_fetch_add_explicit(units, cost, memory_order_relaxed);
	core->expects = true;
	if (before / PTO_UNITS_CONDITION >= PTO_KERNEL_MAX_CONDITIONS) {
		atomic_fetch_sub_explicit(units, cost, memory_order_relaxed);
		return too_many(core);
	}
	if (met)
		return true;
	while (!append(&core->engine->conditions, &condition)) {
		if (wait_room(core))
			continue;
		atomic_fetch_sub_explicit(units, cost, memory_order_relaxed);
		return false;
	}
	return true;
}

/**
 * async_register() - register the conditions that a kernel has written to its record
 * @core: the calling thread's core, whose kernel has returned and whose state says that it runs
 *
 * Waits while the engine's list of conditions is full. Fails the run if the record is invalid, or
 * if the task has too many conditions.
 */
void async_register(struct pto_core *core)
{
	uint32_t i;

	core->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (check_record(core)) {
		for (i = 0; i < core->named && register_one(core, &core->entries[i]); i++)
			;
		/* A thread has to poll, but all may sleep, or be busy for long. */
		if (atomic_load_explicit(&core->engine->conditions.count, memory_order_relaxed))
			core_wake_worker(core->engine);
	}
	atomic_signal_fence(memory_order_seq_cst);
	core->inside = 0;
}

/* Remove a condition; its task is complete if nothing else is left to wait for. */
static void end_condition(struct pto_engine *engine, uint32_t index)
{
	struct pto_conditions *c = &engine->conditions;
	uint32_t last = atomic_load_explicit(&c->count, memory_order_relaxed) - 1;
	struct pto_slot *slot = c->list[index].slot;

	c->list[index] = c->list[last];
	atomic_store_explicit(&c->count, last, memory_order_relaxed);
	atomic_store_explicit(&c->ended,
			      atomic_load_explicit(&c->ended, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	core_unit_gone(engine, slot);
}

/**
 * async_poll() - poll the counters, unless another thread does
 *
 * Tasks without further conditions are put on pto_engine.finished. Once the run has failed, all
 * conditions count as held.
 */
void async_poll(struct pto_engine *engine)
{
	struct pto_conditions *c = &engine->conditions;
	bool failed;
	uint32_t i;

	if (!atomic_load_explicit(&c->count, memory_order_relaxed) || !lock_try(c))
		return;
	failed = pto_rt_fatal_code(&engine->rt) != 0;
	i = atomic_load_explicit(&c->count, memory_order_relaxed);
	while (i--)
		if (failed || holds(c->list[i].counter, c->list[i].expected))
			end_condition(engine, i);
	unlock(c);
}

/** async_describe() - get one of the conditions. Return: the number of conditions */
uint32_t async_describe(struct pto_engine *engine, struct pto_condition *condition)
{
	struct pto_conditions *c = &engine->conditions;
	uint32_t count;

	lock(c);
	count = atomic_load_explicit(&c->count, memory_order_relaxed);
	if (count)
		*condition = c->list[0];
	unlock(c);
	return count;
}
