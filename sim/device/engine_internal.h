/* SPDX-License-Identifier: MIT */
/*
 * Interfaces between the files of the engine.
 *
 * Threads: thread 0 is the orchestrator, which is the thread that calls pto_engine_run(); 1 to
 * worker_count are the engine's workers. All of them execute tasks, the orchestrator when it has
 * to wait. The core after those is the thread that calls pto_engine_call(), which executes none.
 * Besides there are the monitor (engine_monitor.c), and crew threads (engine_cohort.c),
 * which are created when kernels wait for kernels that have not begun.
 *
 * Workers have no state of the run. They take tasks from the queues, and all other data that they
 * need are in the task's slot, or were written before the task was queued. So a run that submits
 * nothing wakes no worker, and accesses no data of workers.
 */
#ifndef PTO_SIM_ENGINE_INTERNAL_H
#define PTO_SIM_ENGINE_INTERNAL_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>

#include "../../libpto/runtime/fpstate.h"
#include "../../libpto/runtime/runtime.h"
#include "engine.h"
#include "patience.h"

#define ENGINE_NO_FUNC		UINT32_MAX
#define ENGINE_CONDITIONS	4096	/* counter conditions that an engine can wait for */

/**
 * struct pto_cohort - units of a task that has begun, which may wait for each other
 * @claim: generation << 32 | next unit << 16 | number of units. A unit is claimed by
 *	incrementing the next unit with compare-and-swap
 * @slot: the task
 * @first: number of the first unit
 * @urgent: generation of which the crew may claim units
 *
 * Each core has one, for the task that it has taken from a queue. The core claims one unit after
 * the other until there are none, and other threads may do so, too. A generation begins when
 * @claim is written, after @slot and @first. A successful swap proves that these belong to the
 * generation, and the unit then keeps the task alive.
 */
struct pto_cohort {
	_Atomic uint64_t claim;
	_Atomic(struct pto_slot *) slot;
	_Atomic uint32_t first;
	_Atomic uint32_t urgent;
};

/**
 * struct pto_watch - the monitor's data about a core; used by the monitor only
 * @state: pto_core.state at the last look
 * @since: time of the first look with this state, by pto_monitor.patience
 * @claim: pto_cohort.claim at the last look
 * @asked: when the core was first asked to leave its kernel, 0 if it was not
 */
struct pto_watch {
	uint64_t state;
	uint64_t since;
	uint64_t claim;
	uint64_t asked;
};

#define CORE_WORDS	8	/* words of kernels that a core remembers */

/**
 * struct pto_core - an OS thread that acts as a core
 * @rt: the kernel's view; first member, because calls of the kernel pass it
 * @args: argument array of the kernel that runs
 * @local: its local context
 * @global: its global context
 * @named: number of conditions that the kernel has written to @entries
 * @async_error: error of the kernel about a condition, or 0
 * @state: number of kernels begun or ended << 32 | func_id that runs, or ENGINE_NO_FUNC
 * @task: task that runs; valid while @state has a func_id
 * @leave: the state in which the thread shall leave the kernel
 * @asked: 1: the signal to leave has been sent, and not handled yet
 * @slot: task that runs, or ran last; used by the thread only
 * @member: cohort of the unit that runs, or NULL; used by the thread only
 * @generation: generation of @member
 * @inside: 1 while the kernel is in a call of the engine, which must not be left; used by the
 *	thread only
 * @expects: the unit has registered conditions; used by the thread only
 * @blocked: 1: the unit, whose kernel has returned, waits until there is room for a condition
 * @crew: it is a crew thread, which has no queue
 * @coming: it is counted in pto_crew.coming; used by the thread only
 * @index: thread number, and for all but the crew number of its queue
 * @engine: the engine
 * @thread: OS thread
 * @escape: where the thread continues when it leaves a kernel
 * @mask: signals that the thread blocks then
 * @words: the thread's floating-point control words before the kernel
 * @next: next crew thread
 * @entries: the kernel's record of conditions
 * @known: words that kernels of the run @known_run may use, see core_word(); used by the thread
 *	only, like what follows
 * @known_run: pto_engine.runs of that run
 * @cohort: units that other threads may run, too
 * @watch: the monitor's data
 */
struct pto_core {
	struct pto_kernel_rt rt;
	int64_t args[PTO_KERNEL_ARGS] __attribute__((aligned(PTO_CACHE_LINE)));
	struct pto_local_context local;
	struct pto_global_context global;
	uint32_t named;
	int32_t async_error;
	_Atomic uint64_t state;
	_Atomic uint64_t task;
	_Atomic uint64_t leave;
	_Atomic uint32_t asked;
	_Atomic uint32_t blocked;
	struct pto_slot *slot;
	struct pto_cohort *member;
	uint32_t generation;
	volatile sig_atomic_t inside;
	bool expects;
	bool crew;
	bool coming;
	uint32_t index;
	struct pto_engine *engine;
	pthread_t thread;
	sigjmp_buf escape;
	sigset_t mask;
	struct pto_fpstate words;
	struct pto_core *next;
	struct pto_async_entry entries[PTO_KERNEL_MAX_CONDITIONS];
	uint64_t known[CORE_WORDS];
	uint64_t known_run;
	struct pto_cohort cohort __attribute__((aligned(PTO_CACHE_LINE)));
	struct pto_watch watch __attribute__((aligned(PTO_CACHE_LINE)));
};

/**
 * struct pto_crew - threads for units of urgent cohorts
 * @lock: held to call or create threads
 * @count: number of threads (@lock)
 * @idle: threads that sleep, or are about to, and have not been called, including new ones;
 *	decremented under @lock
 * @calls: threads that have been called and have not woken yet; futex that they sleep on
 * @coming: threads that have been called and have not looked for a unit yet; incremented under
 *	@lock
 * @list: the threads; new ones are prepended, none is removed
 */
struct pto_crew {
	pthread_mutex_t lock;
	uint32_t count;
	_Atomic uint32_t idle;
	_Atomic uint32_t calls;
	_Atomic uint32_t coming;
	_Atomic(struct pto_core *) list;
};

/**
 * struct pto_condition - a counter that the completion of a task waits for
 * @counter: the counter
 * @slot: the task
 * @task: its id
 * @expected: value that the counter has to reach
 */
struct pto_condition {
	const uint32_t *counter;
	struct pto_slot *slot;
	uint64_t task;
	uint32_t expected;
};

/**
 * struct pto_conditions - conditions that did not hold at the last look
 * @count: number of conditions; written with @lock held
 * @lock: 1: a thread adds a condition, or polls
 * @ended: number of conditions of all runs that have been met; written with @lock held
 * @list: the conditions
 */
struct pto_conditions {
	_Atomic uint32_t count;
	_Atomic uint32_t lock;
	_Atomic uint64_t ended;
	struct pto_condition *list;
};

/**
 * struct pto_monitor - the thread that detects stalls
 * @awake: 0 while it sleeps until it is woken; futex it sleeps on
 * @thread: OS thread
 * @started: the thread exists
 * @idle: number of consecutive looks without an active run
 * @patience: the clock of its bounds; the following times except @begun are times of it
 * @run: the run at the last look, as in pto_engine.leave
 * @begun: when that run began, as seen by the monitor, by engine_now()
 * @progress: measure of the run's progress, see measure()
 * @since: time of the first look with this @progress
 * @idle_since: time of the last look with progress, or at which a kernel ran
 * @awaited: pto_runtime.awaited at the last look
 * @awaited_since: time of the first look with this @awaited
 * @failed: time of the first look at which the run had failed, 0 if it has not
 * @crew_error: errno if threads for a cohort could not be created at the last look
 *
 * The monitor alone uses the members behind @started.
 */
struct pto_monitor {
	_Atomic uint32_t awake;
	pthread_t thread;
	bool started;
	uint32_t idle;
	struct patience patience;
	uint32_t run;
	uint64_t begun;
	uint64_t progress;
	uint64_t since;
	uint64_t idle_since;
	uint64_t awaited;
	uint64_t awaited_since;
	uint64_t failed;
	int crew_error;
};

/**
 * struct pto_probe - the measurement of what handing a task over costs (engine_cost.c)
 * @ask: number of the hand-over; written by the engine's creator, like what follows but @answer
 * @sleeps: the creator sleeps, or is about to, until @answer is written
 * @over: the measurement is over
 * @hand_overs: hand-overs that counted; the creator's
 * @answer: the same number, written by worker 1
 */
struct pto_probe {
	_Atomic uint32_t ask __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t sleeps;
	_Atomic uint32_t over;
	uint32_t hand_overs;
	_Atomic uint32_t answer __attribute__((aligned(PTO_CACHE_LINE)));
};

#define ENGINE_COVERED	16

/**
 * struct pto_covered - a buffer that the run may access
 * @addr: its address, 0 if there is none
 * @bytes: so many of it
 * @write: it may also write it
 */
struct pto_covered {
	uint64_t addr;
	uint64_t bytes;
	bool write;
};

/* Of pto_engine.callers */
#define CALLER_RUNS	0	/* the orchestrator, which calls configuration functions */
#define CALLER_OTHER	1	/* whoever calls pto_engine_call() */
#define CALLERS		2

/**
 * struct pto_caller - who calls code of a program that is no run, with a bound
 * @core: the thread
 * @call: number of the call that goes on, 0 if none does
 * @bound: how long it may take
 * @leave: call that the thread shall leave
 * @asking: 1 while the monitor may signal the thread, if it finds that @call goes on
 * @abort: call that pto_engine_abort() or its kin was meant for
 * @calls: number of the last call; its own
 * @escape: where the thread goes on then
 * @seen: @call when the monitor last looked; this and what follows is the monitor's
 * @since: since when it is that
 * @asked: when that was first asked to be left, 0 if it was not
 */
struct pto_caller {
	struct pto_core *core;
	_Atomic uint32_t call;
	_Atomic uint64_t bound;
	_Atomic uint32_t leave;
	_Atomic uint32_t asking;
	_Atomic uint32_t abort;
	uint32_t calls;
	sigjmp_buf escape;
	uint32_t seen;
	uint64_t since;
	uint64_t asked;
};

/**
 * struct pto_engine - the engine of a hardware context
 * @rt: the runtime; first member, see engine_of()
 * @config: as created
 * @sched: ready tasks
 * @cores: threads, worker_count + 1, and that of pto_engine_call()
 * @worker_count: workers
 * @started: workers that have a thread; used by the creator and the destroyer only
 * @runs: number of runs begun
 * @callable: callable of the current run, or of the last one
 * @kernels: kernel table of the current run
 * @kernel_count: its length
 * @covered: buffers that the current run has been found to be allowed to access
 * @graph: graph of the current run, if it has one
 * @seen_done: pto_sched_done() when the orchestrator last saw it change
 * @idle: number of the orchestrator's waits since then
 * @bounds: time-outs of the current run; the monitor reads them
 * @callers: threads that call code outside of a run
 * @in_entry: 1 while the orchestrator is in the entry
 * @leave: run (pto_runtime.fatal_claim without PTO_CLAIM_MASK) whose entry the orchestrator shall
 *	leave
 * @escape: where the orchestrator continues then
 * @lost: a kernel did not end; nothing may run any more
 * @crew: threads for cohorts
 * @conditions: conditions of tasks whose kernels have returned
 * @monitor: the monitor
 * @finished: tasks that have ended on a thread without a queue, to be completed by a thread that
 *	has one; linked by pto_slot.next
 * @waiters: kernels that sleep, or are about to, until pto_notify()
 * @notified: incremented by pto_notify(); futex they sleep on
 * @sleepers: workers that sleep, or are about to, for which there is no token
 * @tokens: workers that shall wake; futex that workers sleep on
 * @orch_sleeps: 1 while the orchestrator sleeps or is about to; futex it sleeps on
 * @stop: workers shall end
 * @probe: what handing a task over costs
 */
struct pto_engine {
	struct pto_runtime rt;
	struct pto_engine_config config;
	struct pto_sched sched;
	struct pto_core *cores;
	uint32_t worker_count;
	uint32_t started;
	uint64_t runs;
	const struct pto_engine_callable *callable;
	const struct pto_engine_kernel *kernels;
	uint32_t kernel_count;
	struct pto_covered covered[ENGINE_COVERED];
	struct pto_graph_source graph;
	uint64_t seen_done;
	uint32_t idle;
	struct {
		_Atomic uint64_t run;
		_Atomic uint64_t sched;
		_Atomic uint64_t op;
		_Atomic uint64_t still;
	} bounds;
	struct pto_caller callers[CALLERS];
	_Atomic uint32_t in_entry;
	_Atomic uint32_t leave;
	sigjmp_buf escape;
	_Atomic bool lost;
	struct pto_crew crew;
	struct pto_conditions conditions __attribute__((aligned(PTO_CACHE_LINE)));
	struct pto_monitor monitor __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic(struct pto_slot *) finished __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t waiters __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t notified;
	_Atomic uint32_t sleepers __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t tokens __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t orch_sleeps __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t stop;
	struct pto_probe probe;
};

static inline uint32_t core_func(uint64_t state)
{
	return (uint32_t)state;
}

/* engine.c */
int engine_thread_create(pthread_t *thread, void *(*body)(void *), void *arg, bool kernels);

/* aicore.c */
void core_init(struct pto_core *core, struct pto_engine *engine, uint32_t index);
struct pto_slot *core_execute(struct pto_core *core, struct pto_slot *slot);
void core_execute_new(struct pto_core *core, struct pto_slot *slot);
void core_unit(struct pto_core *core, struct pto_slot *slot, uint32_t unit);
struct pto_slot *core_unit_end(struct pto_core *core, struct pto_slot *slot);
void core_unit_gone(struct pto_engine *engine, struct pto_slot *slot);
struct pto_slot *core_complete_all(struct pto_core *core);
void core_recover(struct pto_core *core);
void *core_worker(void *core);
void core_nudge_all(struct pto_engine *engine);
void core_stop_all(struct pto_engine *engine);
bool core_wake_worker(struct pto_engine *engine);

/* Complete the tasks on pto_engine.finished. Return: a task to execute next, or NULL */
static inline struct pto_slot *core_collect(struct pto_core *core)
{
	if (!atomic_load_explicit(&core->engine->finished, memory_order_relaxed))
		return NULL;
	return core_complete_all(core);
}

/* engine_cohort.c */
void cohort_init(struct pto_engine *engine);
void cohort_nudge(struct pto_engine *engine);
void cohort_stop(struct pto_engine *engine);
void cohort_free(struct pto_engine *engine);
struct pto_slot *cohort_execute(struct pto_core *core, struct pto_slot *slot);
bool cohort_join(struct pto_core *core, struct pto_slot **next);
bool cohort_joinable(struct pto_engine *engine);
bool cohort_crew_runs(struct pto_engine *engine);
void cohort_wait(struct pto_core *core);
int cohort_hurry(struct pto_engine *engine, struct pto_cohort *cohort, uint64_t claim);

/* engine_async.c */
int async_init(struct pto_engine *engine);
void async_register(struct pto_core *core);
void async_poll(struct pto_engine *engine);
uint32_t async_describe(struct pto_engine *engine, struct pto_condition *condition);

/* engine_monitor.c */
int monitor_start(struct pto_engine *engine);
void monitor_stop(struct pto_engine *engine);
void monitor_wake(struct pto_engine *engine);
void monitor_tell(struct pto_engine *engine);

/* The monitor sleeps only between runs, so this usually only reads a word. */
static inline void monitor_arm(struct pto_engine *engine)
{
	if (!atomic_load_explicit(&engine->monitor.awake, memory_order_relaxed))
		monitor_wake(engine);
}

/* engine_escape.c */
extern __thread struct pto_core *engine_core __attribute__((tls_model("initial-exec")));
void escape_init(void);
void escape_become(struct pto_core *core);
void escape_landed(const struct pto_core *core);
void escape_unblock(void);
void escape_ask(struct pto_core *core);

/* engine_word.c */
__attribute__((format(printf, 3, 4)))
bool core_refuse(struct pto_core *core, uint32_t code, const char *fmt, ...);
bool core_word(struct pto_core *core, uint64_t addr, bool write);

/* engine_cost.c */
void cost_answer(struct pto_engine *engine);
void cost_measure(struct pto_engine *engine);

/* aicpu.c */
extern const struct pto_rt_env aicpu_env;
void aicpu_run(struct pto_engine *engine, pto_orch_entry_fn entry,
	       const struct pto_orch_args *args);
void aicpu_notify(struct pto_engine *engine);

/* engine_ops.c */
extern const struct pto_kernel_ops core_kernel_ops;
_Noreturn void core_leave(struct pto_core *core);

/* engine_wait.c */
void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns);
void engine_futex_wake(_Atomic uint32_t *word);
void engine_futex_wake_all(_Atomic uint32_t *word);
uint64_t engine_now(void);
void engine_pause(uint32_t round);

#endif /* PTO_SIM_ENGINE_INTERNAL_H */
