// SPDX-License-Identifier: MIT
/*
 * The AICPU side: runs the orchestration, and executes tasks while it waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

#ifndef ORCH_ROUNDS
#define ORCH_ROUNDS	1024		/* steps before it sleeps; 1 in tests */
#endif
#define ORCH_SLEEP_NS	20000000ULL	/* longest sleep */
#define ORCH_LOOK_NS	500000ULL	/* longest sleep while tasks wait for counters */

static struct pto_engine *engine_of(struct pto_runtime *rt)
{
	return (struct pto_engine *)rt;
}

/* --- waiting ------------------------------------------------------------- */

/*
 * Execute a task, or a unit of another core's cohort. If the program waits, a task that becomes
 * ready by this is queued and not executed at once, because the program may be able to continue.
 * Return: false if there was nothing to execute
 */
static bool help(struct pto_engine *engine, bool program_waits)
{
	struct pto_core *core = &engine->cores[0];
	struct pto_slot *slot;
	bool busy;

	if (sigsetjmp(core->escape, 0)) {
		core_recover(core);
		return true;
	}
	slot = core_collect(core);
	if (!slot)
		slot = pto_sched_take(&engine->sched, 0);
	busy = slot || cohort_join(core, &slot);
	while (slot) {
		slot = core_execute(core, slot);
		if (!slot || !program_waits)
			continue;
		pto_sched_push(&engine->sched, 0, slot);
		break;
	}
	return busy;
}

/*
 * One step of waiting when there is nothing to execute. The monitor ends a run without progress.
 *
 * The orchestrator sets orch_sleeps and then checks whether a task has ended. A thread that ends a
 * task counts it and then reads orch_sleeps. All of these operations are sequentially consistent,
 * so the orchestrator does not sleep past the last task of a run.
 */
static void wait_step(struct pto_engine *engine)
{
	uint64_t done = pto_sched_done(&engine->sched);

	if (done != engine->seen_done) {
		engine->seen_done = done;
		engine->idle = 0;
	}
	async_poll(engine);
	if (engine->idle < ORCH_ROUNDS) {
		engine_pause(engine->idle++);
		return;
	}
	monitor_arm(engine);
	atomic_store(&engine->orch_sleeps, 1);
	if (pto_sched_done(&engine->sched) == done && !atomic_load(&engine->finished) &&
	    !atomic_load(&engine->lost))
		engine_futex_wait(&engine->orch_sleeps, 1,
				  atomic_load(&engine->conditions.count) ? ORCH_LOOK_NS :
									   ORCH_SLEEP_NS);
	atomic_store(&engine->orch_sleeps, 0);
}

/** aicpu_notify() - wake the orchestrator: a task has completed, or the run has to end */
void aicpu_notify(struct pto_engine *engine)
{
	if (atomic_load(&engine->orch_sleeps) && atomic_exchange(&engine->orch_sleeps, 0))
		engine_futex_wake(&engine->orch_sleeps);
}

/* --- the runtime's environment ------------------------------------------- */

static int env_kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	const struct pto_engine *engine = engine_of(rt);

	if (func_id >= engine->kernel_count || !engine->kernels[func_id].fn)
		return -1;
	return (int)engine->kernels[func_id].core_type;
}

/*
 * A single task does not wake a worker, because the orchestrator will run it itself when it waits.
 * If it does not wait soon, the monitor wakes a worker.
 */
static void env_ready(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);

	if (atomic_load_explicit(&engine->sleepers, memory_order_relaxed) &&
	    pto_sched_queued(&engine->sched, 0) > 1)
		core_wake_worker(engine);
}

static void env_execute(struct pto_runtime *rt, struct pto_slot *slot)
{
	core_execute_new(&engine_of(rt)->cores[0], slot);
}

static bool env_help(struct pto_runtime *rt)
{
	return help(engine_of(rt), true);
}

static void env_wait(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);

	if (!help(engine, true))
		wait_step(engine);
}

static void env_pause(void)
{
	engine_pause(UINT32_MAX);
}

static bool env_busy(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++)
		if (core_func(atomic_load_explicit(&engine->cores[i].state,
						   memory_order_relaxed)) != ENGINE_NO_FUNC)
			return true;
	/* Unclaimed units of a running cohort belong to the crew, or will soon. */
	return cohort_joinable(engine) || atomic_load(&engine->conditions.count) ||
	       atomic_load(&engine->finished) || cohort_crew_runs(engine);
}

static void env_log(struct pto_runtime *rt, uint32_t level, const char *text)
{
	static const char * const names[] = { "error", "warn", "info", "debug" };
	const char *wanted = getenv("PTO_LOG");
	uint32_t limit = PTO_LOG_WARN;
	uint32_t i;

	for (i = 0; wanted && i < 4; i++)
		if (!strcmp(wanted, names[i]))
			limit = i;
	if (wanted && !strcmp(wanted, "none"))
		return;
	if (level <= limit)
		fprintf(stderr, "pto: program: %s: %s\n", names[level], text);
}

/* The last buffers that have been found are remembered: programs use few, and often. */
static bool env_covers(struct pto_runtime *rt, uint64_t addr, uint64_t bytes, bool write)
{
	struct pto_engine *engine = engine_of(rt);
	const struct pto_graph_source *source = &engine->graph;
	struct pto_covered *last = &engine->covered[addr / PTO_CACHE_LINE % ENGINE_COVERED];

	if (last->addr == addr && last->bytes >= bytes && (last->write || !write))
		return true;
	if (source->covers && !source->covers(source->cookie, addr, bytes, write))
		return false;
	*last = (struct pto_covered){ .addr = addr, .bytes = bytes, .write = write };
	return true;
}

const struct pto_rt_env aicpu_env = {
	.covers = env_covers,
	.kernel_type = env_kernel_type,
	.ready = env_ready,
	.execute = env_execute,
	.help = env_help,
	.wait = env_wait,
	.busy = env_busy,
	.now = engine_now,
	.pause = env_pause,
	.format = vsnprintf,
	.log = env_log,
};

/* --- a run --------------------------------------------------------------- */

static void check_scopes(struct pto_runtime *rt)
{
	if (rt->depth && !pto_rt_fatal_code(rt))
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "the entry has returned with %u open scopes", rt->depth);
}

/*
 * Execute tasks until all have ended. After an error, tasks end without running their kernels. If
 * a running kernel does not end and cannot be left, the engine is lost.
 */
static void drain(struct pto_engine *engine)
{
	const _Atomic uint64_t *submitted = &engine->rt.submitted;

	while (pto_sched_done(&engine->sched) !=
	       atomic_load_explicit(submitted, memory_order_relaxed)) {
		if (help(engine, false))
			continue;
		if (atomic_load(&engine->lost))
			return;
		wait_step(engine);
	}
}

/* Call the entry. If it does not end, the thread leaves it by a jump. */
static void run_entry(struct pto_engine *engine, pto_orch_entry_fn entry,
		      const struct pto_orch_args *args)
{
	struct pto_fpstate words;

	pto_fpstate_begin(&words);
	if (!sigsetjmp(engine->escape, 0)) {
		atomic_store_explicit(&engine->in_entry, 1, memory_order_relaxed);
		entry(&engine->rt.rt, args);
	} else {
		escape_landed(engine->cores);
	}
	pto_fpstate_set(&words);
	atomic_store_explicit(&engine->in_entry, 0, memory_order_relaxed);
}

/**
 * aicpu_run() - execute a run that has been started, until it ends
 * @engine: the engine
 * @entry: the orchestration, NULL if the run has a graph
 * @args: its arguments
 */
void aicpu_run(struct pto_engine *engine, pto_orch_entry_fn entry, const struct pto_orch_args *args)
{
	engine->idle = 0;
	if (entry)
		run_entry(engine, entry, args);
	else
		pto_graph_replay(&engine->rt, &engine->graph);
	check_scopes(&engine->rt);
	drain(engine);
}
