// SPDX-License-Identifier: MIT
/*
 * The AICPU side: runs the orchestration, helps with tasks while it waits, and notices
 * when nothing moves any more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

#define ORCH_ROUNDS	1024		/* steps of waiting before it sleeps */
#define ORCH_SLEEP_NS	20000000ULL	/* then it looks at the clock */

static struct pto_engine *engine_of(struct pto_runtime *rt)
{
	return (struct pto_engine *)rt;
}

/* --- progress ------------------------------------------------------------ */

/* Sub-class of a time-out (seed runtime, sub-classes S1 to S5). */
#define STALL_RUNNING	1
#define STALL_READY	3
#define STALL_DEPS	4

static void report_stall(struct pto_engine *engine)
{
	unsigned long long left = engine->rt.submitted - pto_sched_done(&engine->sched);
	unsigned long long ms = engine->timeout_ns / 1000000;
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++) {
		struct pto_core *core = &engine->cores[i];
		uint32_t func = atomic_load_explicit(&core->func, memory_order_acquire);
		uint64_t task = atomic_load_explicit(&core->task, memory_order_relaxed);

		if (func == ENGINE_NO_FUNC)
			continue;
		if (pto_rt_fatal(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, STALL_RUNNING, task,
				 "sub_class=S1: no task has completed for %llu ms, %llu are unfinished, func_id %u runs in task %llx",
				 ms, left, func, (unsigned long long)task))
			engine->rt.fatal_func = func;
		return;
	}
	for (i = 0; i <= engine->worker_count; i++) {
		if (!pto_sched_queued(&engine->sched, i))
			continue;
		pto_rt_fatal(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, STALL_READY, PTO_NO_TASK,
			     "sub_class=S3: %llu tasks are ready and nobody runs them", left);
		return;
	}
	pto_rt_fatal(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, STALL_DEPS, PTO_NO_TASK,
		     "sub_class=S4: %llu tasks wait and none runs", left);
}

/* Nothing to do. Return: false when nothing has moved for too long. */
static bool wait_step(struct pto_engine *engine, uint64_t bound)
{
	uint64_t done = pto_sched_done(&engine->sched);
	uint64_t now;

	if (done != engine->seen_done) {
		engine->seen_done = done;
		engine->seen_ns = 0;
		engine->idle = 0;
	}
	if (engine->idle < ORCH_ROUNDS) {
		engine_pause(engine->idle++);
		return true;
	}
	now = engine_now();
	if (!engine->seen_ns)
		engine->seen_ns = now;
	else if (now - engine->seen_ns > bound)
		return false;
	atomic_store(&engine->orch_sleeps, 1);
	if (pto_sched_done(&engine->sched) == done)
		engine_futex_wait(&engine->orch_sleeps, 1, ORCH_SLEEP_NS);
	atomic_store(&engine->orch_sleeps, 0);
	return true;
}

/** aicpu_notify() - a worker has completed a task, or the run is to end */
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

/* One task the orchestrator will run itself when it waits; more are worth waking for. */
static void env_ready(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);

	if (atomic_load_explicit(&engine->sleepers, memory_order_relaxed) &&
	    pto_sched_queued(&engine->sched, 0) > 1)
		core_wake_worker(engine);
}

static void env_wait(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);
	struct pto_slot *slot = pto_sched_take(&engine->sched, 0);

	if (!slot) {
		if (!wait_step(engine, engine->timeout_ns))
			report_stall(engine);
		return;
	}
	/* What the program waits for may have come: do not go on with what follows. */
	slot = core_execute(&engine->cores[0], slot);
	if (slot)
		pto_sched_push(&engine->sched, 0, slot);
}

static bool env_busy(struct pto_runtime *rt)
{
	struct pto_engine *engine = engine_of(rt);
	uint32_t i;

	for (i = 0; i <= engine->worker_count; i++)
		if (atomic_load_explicit(&engine->cores[i].func, memory_order_relaxed) !=
		    ENGINE_NO_FUNC)
			return true;
	return false;
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

const struct pto_rt_env aicpu_env = {
	.kernel_type = env_kernel_type,
	.ready = env_ready,
	.wait = env_wait,
	.busy = env_busy,
	.now = engine_now,
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
 * Until all tasks have ended. After an error they end without running their kernels; if one
 * that runs does not, the engine is lost.
 */
static void drain(struct pto_engine *engine)
{
	struct pto_slot *slot;
	bool failed;

	while (pto_sched_done(&engine->sched) != engine->rt.submitted) {
		slot = pto_sched_take(&engine->sched, 0);
		while (slot)
			slot = core_execute(&engine->cores[0], slot);
		if (pto_sched_done(&engine->sched) == engine->rt.submitted)
			return;
		failed = pto_rt_fatal_code(&engine->rt) != 0;
		if (wait_step(engine, failed ? ENGINE_GRACE_NS : engine->timeout_ns))
			continue;
		if (failed) {
			engine->lost = true;
			return;
		}
		report_stall(engine);
		engine->seen_ns = 0;
	}
}

/** aicpu_run() - execute a run that has been started, to its end */
void aicpu_run(struct pto_engine *engine, pto_orch_entry_fn entry, const struct pto_orch_args *args)
{
	engine->seen_ns = 0;
	engine->idle = 0;
	entry(&engine->rt.rt, args);
	check_scopes(&engine->rt);
	drain(engine);
}
