// SPDX-License-Identifier: MIT
/*
 * The monitor: a thread that looks for stalls, a few hundred times a second while runs execute.
 *
 *  - If units of a cohort wait for a thread, they are given to the crew.
 *  - If a run makes no progress, or a kernel or the run exceeds its bound, the run fails. Progress
 *    is measured (tasks submitted and completed, kernels begun and ended, conditions met, calls of
 *    the orchestration while no task is unfinished), so a long run is not taken for a stalled one.
 *    While a kernel runs, the bounds for a time without progress do not count, because kernels
 *    have a bound of their own; but the device's default bound, for runs without one for the whole
 *    run, does.
 *  - If a run has failed, and a kernel or an orchestration does not end, its thread is made to
 *    leave it. The same holds for other code of a program that takes too long (pto_engine_call()).
 *    If even that fails, the engine is lost.
 *
 * All data of other threads that it reads are atomic, and may be slightly outdated. The monitor
 * may also be late. So its actions refer to the run, or the kernel, that it has seen. The time
 * since the last look counts only up to LOOK_NS, except for the bound of the whole run, which
 * belongs to the caller.
 */
#include <errno.h>
#include <stdio.h>

#include "engine_internal.h"

#define NS_PER_MS		1000000ULL
#define TICK_NS			4000000ULL	/* between two looks */
#define LOOK_NS			(25 * TICK_NS)	/* limit for the time between two that counts */
#define IDLE_TICKS		128		/* looks without a run before it sleeps */
#define SLEEP_NS		5000000000ULL	/* longest sleep */
#define KERNEL_GRACE_NS		100000000ULL	/* for a kernel of a failed run to end */
#define ENTRY_GRACE_NS		1000000000ULL	/* for its orchestration to end */
#define LOST_NS			3000000000ULL	/* for a thread to leave a kernel */

/* --- figures ------------------------------------------------------------- */

/* The next core that has a thread; the first if @core is NULL; NULL behind the last. */
static struct pto_core *next_core(struct pto_engine *engine, const struct pto_core *core)
{
	if (!core)
		return &engine->cores[0];
	if (core->crew)
		return core->next;
	if (core < &engine->cores[engine->worker_count])
		return &engine->cores[core->index + 1];
	return atomic_load(&engine->crew.list);
}

static uint64_t unfinished(struct pto_engine *engine)
{
	uint64_t done = pto_sched_done(&engine->sched);

	return atomic_load_explicit(&engine->rt.submitted, memory_order_relaxed) - done;
}

/* Tasks in all queues. */
static uint64_t ready(struct pto_engine *engine)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < engine->sched.queue_count; i++)
		sum += pto_sched_queued(&engine->sched, i);
	return sum;
}

/* Does a kernel run? One that has returned, whose unit waits for room for conditions, does not. */
static bool kernel_runs(struct pto_engine *engine)
{
	struct pto_core *core = NULL;

	while ((core = next_core(engine, core)))
		if (core_func(core->watch.state) != ENGINE_NO_FUNC &&
		    !atomic_load_explicit(&core->blocked, memory_order_relaxed))
			return true;
	return false;
}

/* A number that changes with progress. */
static uint64_t measure(struct pto_engine *engine)
{
	uint64_t sum = pto_sched_done(&engine->sched) +
		       atomic_load_explicit(&engine->rt.submitted, memory_order_relaxed) +
		       atomic_load_explicit(&engine->conditions.ended, memory_order_relaxed);
	struct pto_core *core = NULL;

	while ((core = next_core(engine, core)))
		sum += atomic_load_explicit(&core->state, memory_order_relaxed) >> 32;
	if (!unfinished(engine))
		sum += atomic_load_explicit(&engine->rt.entered, memory_order_relaxed);
	return sum;
}

/** monitor_tell() - tell the device that there is progress, or that a kernel runs; any thread */
void monitor_tell(struct pto_engine *engine)
{
	uint32_t *progress = engine->config.progress;

	if (progress)
		__atomic_fetch_add(progress, 1, __ATOMIC_RELAXED);
}

/* --- reports ------------------------------------------------------------- */

/* The core whose kernel has been running longest, NULL if none runs. */
static struct pto_core *slowest(struct pto_engine *engine)
{
	struct pto_core *core = NULL;
	struct pto_core *found = NULL;

	while ((core = next_core(engine, core)))
		if (core_func(core->watch.state) != ENGINE_NO_FUNC &&
		    (!found || core->watch.since < found->watch.since))
			found = core;
	return found;
}

/* The kinds of time-outs, for texts. */
static const char nothing_moves[] = "nothing has moved for";
static const char kernel_goes_on[] = "a kernel has been running for";
static const char run_goes_on[] = "the run has not ended within";

/* Fill in function, core and task of @core's kernel. */
static void locate_kernel(struct pto_fatal_at *at, const struct pto_core *core)
{
	at->func = core_func(core->watch.state);
	at->core = core->index;
	at->task = atomic_load_explicit(&core->task, memory_order_relaxed);
}

static const char *plural(uint64_t number)
{
	return number == 1 ? "" : "s";
}

static void report_kernel(struct pto_engine *engine, struct pto_fatal_at *at,
			  const struct pto_core *core, const char *what, uint64_t ns)
{
	unsigned long long ran = (engine->monitor.patience.ns - core->watch.since) / NS_PER_MS;
	unsigned long long left = unfinished(engine);
	int error = engine->monitor.crew_error;
	char longest[64] = "";

	at->subcode = PTO_STALL_RUNNING;
	locate_kernel(at, core);
	if (what != kernel_goes_on)
		snprintf(longest, sizeof(longest), "this kernel has run longest, for %llu ms; ",
			 ran);
	pto_rt_fatal_at(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, at,
			"%s %llu ms; %s%llu task%s unfinished%s", what,
			(unsigned long long)(ns / NS_PER_MS), longest, left, plural(left),
			error ? "; threads for its cohort could not be made" : "");
}

static void report_waiting(struct pto_engine *engine, struct pto_fatal_at *at, const char *what,
			   uint64_t ns)
{
	unsigned long long left = unfinished(engine);
	unsigned long long ms = ns / NS_PER_MS;
	struct pto_condition c;
	uint32_t count = async_describe(engine, &c);

	at->subcode = PTO_STALL_DEPS;
	if (!count) {
		pto_rt_fatal_at(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, at,
				"%s %llu ms; %llu task%s unfinished, and no kernel runs", what, ms,
				left, plural(left));
		return;
	}
	at->task = c.task;
	pto_rt_fatal_at(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, at,
			"%s %llu ms; %llu task%s unfinished, and no kernel runs; %u counter%s awaited, one by this task: it is %u, not %u",
			what, ms, left, plural(left), count, plural(count),
			__atomic_load_n(c.counter, __ATOMIC_RELAXED), c.expected);
}

static struct pto_fatal_at nowhere(const struct pto_engine *engine)
{
	return (struct pto_fatal_at){
		.func = UINT32_MAX, .core = UINT32_MAX, .claim = engine->monitor.run,
		.task = PTO_NO_TASK,
	};
}

/* Fail the run, and report what has stalled. */
static void report_stall(struct pto_engine *engine, const char *what, uint64_t ns)
{
	struct pto_fatal_at at = nowhere(engine);
	const struct pto_core *core = slowest(engine);
	unsigned long long ms = ns / NS_PER_MS;
	unsigned long long tasks = ready(engine);

	if (core) {
		report_kernel(engine, &at, core, what, ns);
	} else if (tasks) {
		at.subcode = PTO_STALL_READY;
		pto_rt_fatal_at(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, &at,
				"%s %llu ms; %llu task%s ready, and nobody runs %s", what, ms,
				tasks, plural(tasks), tasks == 1 ? "it" : "them");
	} else if (unfinished(engine)) {
		report_waiting(engine, &at, what, ns);
	} else {
		at.subcode = PTO_STALL_ORCH;
		pto_rt_fatal_at(&engine->rt, PTO_FATAL_SCHEDULER_TIMEOUT, &at,
				"%s %llu ms; the orchestration goes on, and no task is unfinished",
				what, ms);
	}
}

/* Fail the run if the kernel that has run longest waits for room. Return: false if not */
static bool report_full(struct pto_engine *engine, const char *what, uint64_t ns)
{
	const struct pto_core *core = slowest(engine);
	struct pto_fatal_at at = nowhere(engine);

	if (!core || !atomic_load_explicit(&core->blocked, memory_order_relaxed))
		return false;
	locate_kernel(&at, core);
	pto_rt_fatal_at(&engine->rt, PTO_FATAL_ASYNC_REGISTRATION_FAILED, &at,
			"%s %llu ms; %u conditions are awaited, as many as can be, and this kernel registers one more",
			what, (unsigned long long)(ns / NS_PER_MS), ENGINE_CONDITIONS);
	return true;
}

/* Fail the run: no progress while the orchestration waits for an element. */
static void report_element(struct pto_engine *engine, uint64_t ns)
{
	struct pto_fatal_at at = nowhere(engine);
	struct pto_core *core = NULL;

	while ((core = next_core(engine, core)))
		if (core_func(core->watch.state) != ENGINE_NO_FUNC &&
		    atomic_load_explicit(&core->task, memory_order_relaxed) ==
			    engine->monitor.awaited)
			locate_kernel(&at, core);
	at.task = engine->monitor.awaited;
	pto_rt_fatal_at(&engine->rt, PTO_FATAL_TENSOR_WAIT_TIMEOUT, &at,
			"nothing has moved for %llu ms while the orchestration waited for an element that this task accesses",
			(unsigned long long)(ns / NS_PER_MS));
}

/* --- a run that executes ------------------------------------------------- */

static void watch_core(struct pto_core *core, uint64_t now)
{
	uint64_t state = atomic_load_explicit(&core->state, memory_order_acquire);

	if (state == core->watch.state && core->watch.since)
		return;
	core->watch.state = state;
	core->watch.since = now;
	core->watch.asked = 0;
}

/* If no unit of a cohort has begun since the last look, make the cohort urgent. */
static void watch_cohort(struct pto_engine *engine, struct pto_core *core)
{
	uint64_t claim = atomic_load(&core->cohort.claim);
	int ret;

	if (claim == core->watch.claim) {
		ret = cohort_hurry(engine, &core->cohort, claim);
		if (ret)
			engine->monitor.crew_error = ret;
	}
	core->watch.claim = claim;
}

/* Was there no progress for too long while the orchestration waits for an element? */
static bool element_overdue(struct pto_engine *engine, uint64_t now)
{
	uint64_t awaited = atomic_load_explicit(&engine->rt.awaited, memory_order_relaxed);
	struct pto_monitor *m = &engine->monitor;

	if (awaited != m->awaited) {
		m->awaited = awaited;
		m->awaited_since = now;
	}
	return awaited != PTO_NO_TASK && now - m->awaited_since >= engine->config.tensor_wait_ns &&
	       now - m->idle_since >= engine->config.tensor_wait_ns;
}

static void watch_time(struct pto_engine *engine, uint64_t now)
{
	uint64_t run = atomic_load_explicit(&engine->bounds.run, memory_order_relaxed);
	uint64_t sched = atomic_load_explicit(&engine->bounds.sched, memory_order_relaxed);
	uint64_t op = atomic_load_explicit(&engine->bounds.op, memory_order_relaxed);
	uint64_t still = atomic_load_explicit(&engine->bounds.still, memory_order_relaxed);
	struct pto_monitor *m = &engine->monitor;
	const struct pto_core *core = slowest(engine);
	bool element = element_overdue(engine, now);

	if (engine_now() - m->begun >= run) {
		report_stall(engine, run_goes_on, run);
	} else if (now - m->idle_since >= sched) {
		if (!report_full(engine, nothing_moves, sched))
			report_stall(engine, nothing_moves, sched);
	} else if (element) {
		report_element(engine, engine->config.tensor_wait_ns);
	} else if (core && now - core->watch.since >= op) {
		if (!report_full(engine, kernel_goes_on, op))
			report_stall(engine, kernel_goes_on, op);
	} else if (now - m->since >= still) {
		report_stall(engine, nothing_moves, still);
	}
}

static void watch_run(struct pto_engine *engine, uint64_t now)
{
	struct pto_monitor *m = &engine->monitor;
	struct pto_core *core = NULL;
	uint64_t progress;

	m->crew_error = 0;
	while ((core = next_core(engine, core))) {
		watch_core(core, now);
		watch_cohort(engine, core);
	}
	progress = measure(engine);
	if (progress != m->progress) {
		m->progress = progress;
		m->since = now;
	}
	if (m->since == now || kernel_runs(engine)) {
		m->idle_since = now;
		monitor_tell(engine);
	}
	/*
	 * All threads that would poll the counters may be busy or asleep. The only task in the
	 * orchestrator's queue wakes no worker, but the program may not wait for a long time. And
	 * a worker that has filled its queue may not have seen a sleeper (see aicore.c), and may
	 * then run a long kernel before it executes the remaining tasks.
	 */
	if (atomic_load_explicit(&engine->conditions.count, memory_order_relaxed) || ready(engine))
		core_wake_worker(engine);
	watch_time(engine, now);
}

/* --- a run that has failed ----------------------------------------------- */

static void lose(struct pto_engine *engine)
{
	atomic_store(&engine->lost, true);
	if (engine->config.lost)
		__atomic_store_n(engine->config.lost, 1, __ATOMIC_RELAXED);
	aicpu_notify(engine);
}

/* Make a core leave its kernel. */
static void end_kernel(struct pto_engine *engine, struct pto_core *core, uint64_t now)
{
	watch_core(core, now);
	if (core_func(core->watch.state) == ENGINE_NO_FUNC ||
	    now - core->watch.since < KERNEL_GRACE_NS)
		return;
	if (!core->watch.asked) {
		core->watch.asked = now;
		/* An earlier kernel may have changed the handling of the signal. */
		atomic_store(&core->asked, 0);
	} else if (now - core->watch.asked >= LOST_NS) {
		lose(engine);
	}
	atomic_store(&core->leave, core->watch.state);
	escape_ask(core);
}

/* Make the orchestrator leave the entry. If that fails, the device ends the context. */
static void end_entry(struct pto_engine *engine, uint64_t now)
{
	struct pto_monitor *m = &engine->monitor;

	if (now - m->failed < ENTRY_GRACE_NS ||
	    !atomic_load_explicit(&engine->in_entry, memory_order_relaxed))
		return;
	atomic_store(&engine->leave, m->run);
	escape_ask(&engine->cores[0]);
}

static void end_run(struct pto_engine *engine, uint64_t now)
{
	struct pto_core *core = NULL;

	if (!engine->monitor.failed) {
		engine->monitor.failed = now;
		atomic_store(&engine->cores[0].asked, 0);
	}
	while ((core = next_core(engine, core)))
		end_kernel(engine, core, now);
	end_entry(engine, now);
}

/* --- a call that is no run ------------------------------------------------ */

static bool call_overdue(struct pto_caller *caller, uint64_t now)
{
	uint64_t ran = now - caller->since;

	if (atomic_load(&caller->abort) == caller->seen && ran >= ENTRY_GRACE_NS)
		return true;
	return ran >= atomic_load_explicit(&caller->bound, memory_order_relaxed);
}

/* The thread cannot leave the call. If it is not the orchestrator, runs go on. */
static void lose_call(struct pto_caller *caller)
{
	struct pto_engine *engine = caller->core->engine;

	if (caller == &engine->callers[CALLER_RUNS])
		lose(engine);
	else if (engine->config.call_lost)
		__atomic_store_n(engine->config.call_lost, 1, __ATOMIC_RELAXED);
}

/* Makes the thread leave the call. */
static void end_call(struct pto_caller *caller, uint64_t now)
{
	if (!caller->asked) {
		caller->asked = now;
		atomic_store(&caller->core->asked, 0);
	} else if (now - caller->asked >= LOST_NS) {
		lose_call(caller);
	}
	atomic_store(&caller->leave, caller->seen);
	atomic_store(&caller->asking, 1);
	if (atomic_load(&caller->call) == caller->seen)
		escape_ask(caller->core);
	atomic_store(&caller->asking, 0);
}

/* Return: true if a call is being executed */
static bool watch_call(struct pto_caller *caller, uint64_t now)
{
	uint32_t call = atomic_load(&caller->call);

	if (!call)
		return false;
	if (call != caller->seen) {
		caller->seen = call;
		caller->since = now;
		caller->asked = 0;
	}
	if (call_overdue(caller, now))
		end_call(caller, now);
	return true;
}

static bool watch_calls(struct pto_engine *engine, uint64_t now)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < CALLERS; i++)
		any |= watch_call(&engine->callers[i], now);
	return any;
}

/* --- the thread ---------------------------------------------------------- */

static void begin_run(struct pto_engine *engine, uint32_t run, uint64_t now)
{
	struct pto_monitor *m = &engine->monitor;
	struct pto_core *core = NULL;

	m->run = run;
	m->begun = engine_now();
	m->since = now;
	m->idle_since = now;
	m->progress = measure(engine);
	m->awaited = PTO_NO_TASK;
	monitor_tell(engine);
	m->failed = 0;
	while ((core = next_core(engine, core)))
		core->watch.since = 0;
}

/* Return: true if a run or a call is being executed */
static bool look(struct pto_engine *engine)
{
	uint32_t claim = atomic_load_explicit(&engine->rt.fatal_claim, memory_order_acquire);
	uint64_t now = patience_look(&engine->monitor.patience, engine_now(), LOOK_NS);

	bool calls = watch_calls(engine, now);

	if ((claim & PTO_CLAIM_MASK) == PTO_CLAIM_CLOSED)
		return calls;
	if (engine->monitor.run != (claim & ~PTO_CLAIM_MASK))
		begin_run(engine, claim & ~PTO_CLAIM_MASK, now);
	if (pto_rt_fatal_code(&engine->rt))
		end_run(engine, now);
	else
		watch_run(engine, now);
	return true;
}

static bool executes(struct pto_engine *engine)
{
	uint32_t i;

	for (i = 0; i < CALLERS; i++)
		if (atomic_load(&engine->callers[i].call))
			return true;
	return (atomic_load(&engine->rt.fatal_claim) & PTO_CLAIM_MASK) != PTO_CLAIM_CLOSED;
}

/*
 * Sleep until a run needs the monitor. A run that begins at this moment may not see that it
 * sleeps; its kernels will. After it has been woken it stays awake for a while, otherwise it
 * continues to sleep.
 */
static void monitor_sleep(struct pto_engine *engine)
{
	atomic_store(&engine->monitor.awake, 0);
	if (!atomic_load(&engine->stop) && !executes(engine))
		engine_futex_wait(&engine->monitor.awake, 0, SLEEP_NS);
	if (atomic_exchange(&engine->monitor.awake, 1) || executes(engine))
		engine->monitor.idle = 0;
}

static void *monitor_main(void *arg)
{
	struct pto_engine *engine = arg;

	engine->monitor.idle = IDLE_TICKS;
	while (!atomic_load(&engine->stop)) {
		if (look(engine))
			engine->monitor.idle = 0;
		if (engine->monitor.idle++ < IDLE_TICKS)
			engine_futex_wait(&engine->stop, 0, TICK_NS);
		else
			monitor_sleep(engine);
	}
	return NULL;
}

/** monitor_wake() - wake the monitor for a run or the engine's end; also in signal handlers */
void monitor_wake(struct pto_engine *engine)
{
	int saved = errno;

	if (!atomic_exchange(&engine->monitor.awake, 1))
		engine_futex_wake(&engine->monitor.awake);
	errno = saved;
}

/** monitor_start() - create the monitor. Return: 0 or a negative errno */
int monitor_start(struct pto_engine *engine)
{
	int ret = engine_thread_create(&engine->monitor.thread, monitor_main, engine, false);

	engine->monitor.started = !ret;
	return ret;
}

/** monitor_stop() - wait until the monitor ends; pto_engine.stop has been set */
void monitor_stop(struct pto_engine *engine)
{
	if (!engine->monitor.started)
		return;
	monitor_wake(engine);
	engine_futex_wake_all(&engine->stop);
	pthread_join(engine->monitor.thread, NULL);
}
