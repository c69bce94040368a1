// SPDX-License-Identifier: MIT
/*
 * The engine: creation, destruction, and the interface to execute runs.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

/* --- making and end ------------------------------------------------------ */

static void *zalloc_lines(size_t bytes)
{
	size_t rounded = (bytes + PTO_CACHE_LINE - 1) & ~(size_t)(PTO_CACHE_LINE - 1);
	void *p = aligned_alloc(PTO_CACHE_LINE, rounded);

	if (p)
		memset(p, 0, rounded);
	return p;
}

static void engine_free(struct pto_engine *engine)
{
	free(engine->conditions.list);
	free(engine->sched.queues);
	free(engine->cores);
	free(engine);
}

/* Backlog that keeps all workers busy; it must fit into the queue. */
static uint32_t enough_tasks(const struct pto_engine_config *config)
{
	uint32_t tasks = config->workers * (config->enough ? config->enough : PTO_ENGINE_ENOUGH);

	return tasks < PTO_QUEUE_SIZE / 4 ? tasks : PTO_QUEUE_SIZE / 4;
}

static struct pto_engine *engine_alloc(const struct pto_engine_config *config)
{
	struct pto_engine *engine = zalloc_lines(sizeof(*engine));
	uint32_t threads = config->workers + 1;
	struct pto_queue *queues;
	uint32_t i;

	if (!engine)
		return NULL;
	engine->config = *config;
	if (!config->tensor_wait_ns)
		engine->config.tensor_wait_ns = PTO_ENGINE_TENSOR_WAIT_NS;
	engine->worker_count = config->workers;
	engine->cores = zalloc_lines((threads + 1) * sizeof(*engine->cores));
	queues = zalloc_lines(threads * sizeof(*queues));
	pto_sched_init(&engine->sched, queues, threads, enough_tasks(config));
	if (!engine->cores || !queues || async_init(engine)) {
		engine_free(engine);
		return NULL;
	}
	for (i = 0; i <= threads; i++)
		core_init(&engine->cores[i], engine, i);
	engine->callers[CALLER_RUNS].core = &engine->cores[0];
	engine->callers[CALLER_OTHER].core = &engine->cores[threads];
	cohort_init(engine);
	pto_runtime_init(&engine->rt, &aicpu_env, &engine->sched, config->arch,
			 config->cluster_count);
	return engine;
}

/**
 * engine_thread_create() - create a thread of the engine
 * @thread: the thread
 * @body: its function
 * @arg: argument of @body
 * @kernels: it executes kernels, so it can be asked to leave one
 *
 * The thread blocks signals, which are for the threads of the application, except those for faults
 * of the thread itself: their handlers must see the faults of kernels.
 * Return: 0 or a negative errno
 */
int engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool kernels)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t all, old;
	size_t i;
	int ret;

	sigfillset(&all);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (kernels)
		escape_unblock();
	ret = pthread_create(thread, NULL, body, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

static void *worker_main(void *arg)
{
	struct pto_core *core = arg;

	if (core->index == 1)
		cost_answer(core->engine);
	return core_worker(core);
}

int pto_engine_create(const struct pto_engine_config *config, struct pto_engine **out)
{
	struct pto_engine *engine;
	struct pto_core *core;
	int ret = 0;

	if (config->workers < 1 || config->workers > 1024 || !config->cluster_count)
		return -EINVAL;
	escape_init();
	engine = engine_alloc(config);
	if (!engine)
		return -ENOMEM;
	while (engine->started < config->workers && !ret) {
		core = &engine->cores[engine->started + 1];
		ret = engine_thread_create(&core->thread, worker_main, core, true);
		engine->started += !ret;
	}
	if (!ret)
		ret = monitor_start(engine);
	if (ret) {
		pto_engine_destroy(engine);
		return ret;
	}
	cost_measure(engine);
	*out = engine;
	return 0;
}

void pto_engine_enter(void)
{
	escape_unblock();
}

void pto_engine_nudge(struct pto_engine *engine)
{
	core_nudge_all(engine);
	cohort_nudge(engine);
}

void pto_engine_destroy(struct pto_engine *engine)
{
	uint32_t i;

	if (!engine)
		return;
	core_stop_all(engine);
	cohort_stop(engine);
	monitor_stop(engine);
	/* A lost thread may return at any time, and then needs the engine in order to end. */
	if (pto_engine_lost(engine))
		return;
	cohort_free(engine);
	if (engine_core && engine_core->engine == engine)
		engine_core = NULL;
	for (i = 1; i <= engine->started; i++)
		pthread_join(engine->cores[i].thread, NULL);
	engine_free(engine);
}

bool pto_engine_lost(const struct pto_engine *engine)
{
	return atomic_load(&engine->lost);
}

bool pto_engine_current(const struct pto_engine *engine, uint32_t *func_id, uint64_t *task)
{
	const struct pto_core *core = engine_core;

	if (!core || core->engine != engine)
		return false;
	*func_id = core_func(atomic_load(&core->state));
	*task = atomic_load(&core->task);
	return *func_id != ENGINE_NO_FUNC;
}

static bool in_call(const struct pto_caller *caller, const struct pto_core *core)
{
	return caller->core == core &&
	       atomic_load_explicit(&caller->call, memory_order_relaxed);
}

bool pto_engine_here(struct pto_engine_place *place)
{
	const struct pto_core *core = engine_core;
	const struct pto_engine *engine;
	const struct pto_engine_callable *callable;

	if (!core)
		return false;
	engine = core->engine;
	*place = (struct pto_engine_place){
		.func_id = core_func(atomic_load(&core->state)),
		.task = atomic_load(&core->task),
	};
	if (in_call(&engine->callers[CALLER_OTHER], core)) {
		place->what = PTO_PLACE_CALL;
		return true;
	}
	/* In a run, whose callable stays until it has ended. */
	callable = engine->callable;
	if (place->func_id != ENGINE_NO_FUNC) {
		place->what = PTO_PLACE_KERNEL;
		place->entry = (uintptr_t)engine->kernels[place->func_id].fn;
	} else if (core == engine->cores && atomic_load(&engine->in_entry)) {
		place->what = PTO_PLACE_ENTRY;
		place->entry = (uintptr_t)callable->entry;
	} else if (in_call(&engine->callers[CALLER_RUNS], core)) {
		place->what = PTO_PLACE_CONFIG;
		place->entry = (uintptr_t)callable->config;
	} else {
		return false;
	}
	place->callable = callable->name;
	return true;
}

static void abort_call(struct pto_caller *caller)
{
	atomic_store(&caller->abort, atomic_load(&caller->call));
}

void pto_engine_abort_run(struct pto_engine *engine)
{
	abort_call(&engine->callers[CALLER_RUNS]);
	pto_rt_abort(&engine->rt);
	aicpu_notify(engine);
	monitor_wake(engine);
}

void pto_engine_abort_call(struct pto_engine *engine)
{
	abort_call(&engine->callers[CALLER_OTHER]);
	monitor_wake(engine);
}

void pto_engine_abort(struct pto_engine *engine)
{
	abort_call(&engine->callers[CALLER_OTHER]);
	pto_engine_abort_run(engine);
}

/* --- calls --------------------------------------------------------------- */

/* Makes the calling thread the orchestrator, or who calls what is no run. */
static void become_core(struct pto_core *core)
{
	if (engine_core == core)
		return;
	core->thread = pthread_self();
	escape_become(core);
}

/* Numbers the next call, never 0, and lets the monitor see it. */
static void begin_call(struct pto_caller *caller, uint64_t bound)
{
	caller->calls += caller->calls + 1 ? 1 : 2;
	atomic_store_explicit(&caller->bound, bound, memory_order_relaxed);
	atomic_store(&caller->call, caller->calls);
	monitor_arm(caller->core->engine);
}

/* Once this has returned nobody may jump into it any more. Return: the call has returned, too */
static bool call_returns(struct pto_caller *caller, void (*fn)(void *arg), void *arg,
			 uint64_t bound)
{
	if (!sigsetjmp(caller->escape, 0)) {
		begin_call(caller, bound);
		fn(arg);
		atomic_store_explicit(&caller->call, 0, memory_order_release);
		return true;
	}
	escape_landed(caller->core);
	atomic_store_explicit(&caller->call, 0, memory_order_release);
	return false;
}

static int call_bounded(struct pto_caller *caller, void (*fn)(void *arg), void *arg, uint64_t bound)
{
	struct pto_fpstate words;
	bool returned;

	become_core(caller->core);
	pto_fpstate_begin(&words);
	returned = call_returns(caller, fn, arg, bound);
	pto_fpstate_set(&words);
	if (returned)
		return 0;
	return atomic_load(&caller->abort) == caller->calls ? -ECANCELED : -ETIMEDOUT;
}

int pto_engine_call(struct pto_engine *engine, void (*fn)(void *arg), void *arg,
		    uint64_t bound_ns)
{
	int ret = call_bounded(&engine->callers[CALLER_OTHER], fn, arg, bound_ns);

	if (engine->config.call_progress)
		__atomic_fetch_add(engine->config.call_progress, 1, __ATOMIC_RELAXED);
	return ret;
}

void pto_engine_calls_end(struct pto_engine *engine)
{
	while (atomic_load(&engine->callers[CALLER_OTHER].asking))
		sched_yield();
}

uint64_t pto_engine_call_bound(const struct pto_engine *engine)
{
	const struct pto_engine_config *config = &engine->config;
	uint64_t bound = config->default_sched_timeout_ns ? config->default_sched_timeout_ns :
							    PTO_ENGINE_SCHED_TIMEOUT_NS;

	return bound < config->default_timeout_ns ? bound : config->default_timeout_ns;
}

/* --- runs ---------------------------------------------------------------- */

__attribute__((format(printf, 3, 4)))
static uint32_t refuse(struct pto_dev_report *report, uint32_t status, const char *fmt, ...)
{
	va_list ap;

	memset(report, 0, sizeof(*report));
	report->core = UINT32_MAX;
	report->task = UINT64_MAX;
	report->func_id = UINT32_MAX;
	va_start(ap, fmt);
	vsnprintf((char *)report->text, sizeof(report->text), fmt, ap);
	va_end(ap);
	return status;
}

/* The arguments of the entry. */
static struct pto_orch_args view_args(const struct pto_run_args *args)
{
	struct pto_orch_args view = { .size = sizeof(view) };

	if (!args)
		return view;
	view.tensor_count = args->tensor_count;
	view.scalar_count = args->scalar_count;
	view.tensors = (const struct pto_tensor *)((const uint8_t *)args + sizeof(*args));
	view.scalars = (const uint64_t *)(view.tensors + view.tensor_count);
	return view;
}

static uint32_t check_run(const struct pto_engine *engine, const struct pto_engine_run *run,
			  const struct pto_orch_args *args, struct pto_dev_report *report)
{
	const struct pto_arena *arena = run->arena;
	uint32_t i;

	if (pto_engine_lost(engine))
		return refuse(report, PTO_DEV_ABORTED,
			      "a kernel of an earlier run never ended; the context must be reset");
	if (!arena || arena->magic != PTO_ARENA_MAGIC || arena->version != PTO_ARENA_VERSION)
		return refuse(report, PTO_DEV_INVALID, "there is no bound arena at %p",
			      run->arena);
	if (!run->callable->entry != !!run->graph)
		return refuse(report, PTO_DEV_INVALID,
			      run->graph ? "a graph for a callable of kind DEVICE_ORCH" :
					   "no graph for a callable of kind HOST_GRAPH");
	for (i = 0; i < args->tensor_count; i++)
		if (args->tensors[i].owner_task != PTO_NO_TASK)
			return refuse(report, PTO_DEV_INVALID,
				      "tensor argument %u belongs to a task of another run", i);
	return PTO_DEV_OK;
}

/* A call of the configuration function. */
struct config_call {
	pto_orch_config_fn fn;
	const struct pto_orch_args *args;
	struct pto_orch_config config;
};

static void call_config(void *arg)
{
	struct config_call *call = arg;

	call->config = call->fn(call->args);
}

/* Report a stall of the configuration function, before the monitor can watch the run. */
static uint32_t config_hung(struct pto_dev_report *report, uint64_t bound)
{
	refuse(report, 0, "the configuration function has not returned for %llu ms",
	       (unsigned long long)(bound / 1000000));
	report->code = PTO_FATAL_SCHEDULER_TIMEOUT;
	report->subcode = PTO_STALL_ORCH;
	return PTO_DEV_TIMEOUT;
}

/* Check the number of arguments with the callable's configuration function. */
static uint32_t check_args(struct pto_engine *engine, const struct pto_engine_run *run,
			   const struct pto_orch_args *args, struct pto_dev_report *report)
{
	uint64_t sched = atomic_load_explicit(&engine->bounds.sched, memory_order_relaxed);
	uint64_t whole = atomic_load_explicit(&engine->bounds.run, memory_order_relaxed);
	struct config_call call = { .fn = run->callable->config, .args = args };
	uint64_t bound = sched < whole ? sched : whole;
	int ret;

	if (!call.fn)
		return PTO_DEV_OK;
	ret = call_bounded(&engine->callers[CALLER_RUNS], call_config, &call, bound);
	if (ret == -ECANCELED)
		return refuse(report, PTO_DEV_ABORTED, "the run was aborted");
	if (ret)
		return config_hung(report, bound);
	if (call.config.expected_arg_count == args->tensor_count + args->scalar_count)
		return PTO_DEV_OK;
	return refuse(report, PTO_DEV_INVALID,
		      "the orchestration expects %u arguments, the run has %u tensors and %u scalars",
		      call.config.expected_arg_count, args->tensor_count, args->scalar_count);
}

/* Set the bounds of the run. */
static void set_bounds(struct pto_engine *engine, const struct pto_engine_run *run)
{
	const struct pto_engine_config *config = &engine->config;
	uint64_t sched = run->sched_timeout_ns ? run->sched_timeout_ns :
						 config->default_sched_timeout_ns;
	uint64_t op = run->op_timeout_ns ? run->op_timeout_ns : config->default_op_timeout_ns;
	uint64_t still = run->timeout_ns ? UINT64_MAX : config->default_timeout_ns;

	if (!sched)
		sched = PTO_ENGINE_SCHED_TIMEOUT_NS;
	if (sched > still)
		sched = still;
	atomic_store_explicit(&engine->bounds.run,
			      run->timeout_ns ? run->timeout_ns : UINT64_MAX,
			      memory_order_relaxed);
	atomic_store_explicit(&engine->bounds.still, still, memory_order_relaxed);
	atomic_store_explicit(&engine->bounds.sched, sched, memory_order_relaxed);
	atomic_store_explicit(&engine->bounds.op, op ? op : PTO_ENGINE_OP_TIMEOUT_NS,
			      memory_order_relaxed);
}

static uint32_t conclude(struct pto_engine *engine, struct pto_dev_report *report)
{
	struct pto_runtime *rt = &engine->rt;
	uint32_t code = pto_rt_close(rt);

	if (!code)
		return PTO_DEV_OK;
	if (code == PTO_RT_ABORTED)
		return refuse(report, PTO_DEV_ABORTED, "the run was aborted");
	refuse(report, 0, "%s", rt->fatal_text);
	report->code = code;
	report->subcode = rt->fatal_subcode;
	report->task = rt->fatal_task;
	report->func_id = rt->fatal_func;
	report->core = rt->fatal_core;
	return code == PTO_FATAL_SCHEDULER_TIMEOUT ? PTO_DEV_TIMEOUT : PTO_DEV_PROGRAM;
}

uint32_t pto_engine_run(struct pto_engine *engine, const struct pto_engine_run *run,
			struct pto_dev_report *report)
{
	struct pto_orch_args args = view_args(run->args);
	uint32_t status = check_run(engine, run, &args, report);

	if (status != PTO_DEV_OK)
		return status;
	set_bounds(engine, run);
	engine->callable = run->callable;
	status = check_args(engine, run, &args, report);
	if (status != PTO_DEV_OK)
		return status;
	engine->kernels = run->callable->kernels;
	engine->kernel_count = run->callable->kernel_count;
	engine->runs++;
	memset(engine->covered, 0, sizeof(engine->covered));
	engine->graph = (struct pto_graph_source){
		.data = run->graph,
		.size = run->graph_size,
		.covers = run->covers,
		.cookie = run->cookie,
	};
	become_core(&engine->cores[0]);
	pto_runtime_start(&engine->rt, run->arena, run->epoch);
	monitor_arm(engine);
	aicpu_run(engine, run->graph ? NULL : run->callable->entry, &args);
	return conclude(engine, report);
}
