/* SPDX-License-Identifier: MIT */
/*
 * The engine of one hardware context: AICPU and AICore threads that execute a loaded callable in
 * an arena. It adds threads to the task runtime (libpto/runtime, which has none). It does not
 * depend on queues, on loading or on other contexts.
 */
#ifndef PTO_SIM_ENGINE_H
#define PTO_SIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pto_device.h>
#include <pto/orch.h>

struct pto_engine;

#define PTO_ENGINE_SCHED_TIMEOUT_NS	10000000000ULL
#define PTO_ENGINE_OP_TIMEOUT_NS	45000000000ULL
#define PTO_ENGINE_TENSOR_WAIT_NS	15000000000ULL
#define PTO_ENGINE_ENOUGH		16

/**
 * struct pto_engine_config - the machine that programs see, and its threads
 * @arch: PTO_ARCH_*
 * @cluster_count: clusters (1 AIC and 2 AIV each)
 * @aicpu_threads: control processor threads that programs see
 * @workers: OS threads that execute kernels; at least 1
 * @default_timeout_ns: how long a run without a bound for the whole run may make no progress,
 *	whether a kernel runs or not
 * @default_sched_timeout_ns: default bound for a time without progress in which no kernel runs;
 *	0: PTO_ENGINE_SCHED_TIMEOUT_NS
 * @default_op_timeout_ns: default bound for the duration of a kernel;
 *	0: PTO_ENGINE_OP_TIMEOUT_NS
 * @tensor_wait_ns: bound for such a time while an orchestration waits for an element;
 *	0: PTO_ENGINE_TENSOR_WAIT_NS
 * @enough: backlog for each worker from which the orchestrator executes the tasks itself that it
 *	submits; 0: PTO_ENGINE_ENOUGH
 * @progress: incremented now and then while a run makes progress or a kernel runs; or NULL
 * @lost: set to 1 when code does not end and cannot be left, which the orchestrator's thread
 *	cannot report if it is executing that code; or NULL
 * @call_progress: as @progress, of calls; or NULL
 * @call_lost: as @lost, of calls; or NULL
 */
struct pto_engine_config {
	uint32_t arch;
	uint32_t cluster_count;
	uint32_t aicpu_threads;
	uint32_t workers;
	uint64_t default_timeout_ns;
	uint64_t default_sched_timeout_ns;
	uint64_t default_op_timeout_ns;
	uint64_t tensor_wait_ns;
	uint32_t enough;
	uint32_t *progress;
	uint32_t *lost;
	uint32_t *call_progress;
	uint32_t *call_lost;
};

/** pto_kernel_fn - a kernel: "void kernel_entry(int64_t *args)" */
typedef void (*pto_kernel_fn)(int64_t *args);

/**
 * struct pto_engine_kernel - a loaded kernel
 * @fn: its entry, NULL if the callable has no kernel of this func_id
 * @core_type: PTO_CORE_*
 */
struct pto_engine_kernel {
	pto_kernel_fn fn;
	uint32_t core_type;
};

/**
 * struct pto_engine_range - addresses
 * @begin: the first
 * @end: the first one behind them
 */
struct pto_engine_range {
	uint64_t begin;
	uint64_t end;
};

/**
 * struct pto_engine_callable - a loaded callable, immutable while a run uses it
 * @name: what it is, for the report of a crash, or NULL
 * @entry: the orchestration's entry; NULL if its runs have graphs
 * @config: its configuration function, or NULL
 * @kernels: table of @kernel_count, indexed by func_id
 * @kernel_count: highest func_id + 1
 * @objects: where its objects are loaded, @object_count ranges
 * @object_count: its orchestration, if that is on the device, and its kernels
 */
struct pto_engine_callable {
	const char *name;
	pto_orch_entry_fn entry;
	pto_orch_config_fn config;
	const struct pto_engine_kernel *kernels;
	uint32_t kernel_count;
	const struct pto_engine_range *objects;
	uint32_t object_count;
};

/**
 * struct pto_engine_run - one run
 * @callable: what to run
 * @args: the arguments, a private copy whose tensors have been checked, or NULL for none
 * @arena: a bound arena
 * @epoch: as in struct pto_dev_cmd_run
 * @graph: the graph (struct pto_dev_graph) if the callable has no entry, else NULL; the
 *	application may write to it meanwhile
 * @graph_size: bytes of it
 * @covers: may the run read, or also write, this memory? NULL: all memory. Called by any thread
 * @cookie: first argument of @covers
 * @timeout_ns: bound for the whole run; 0: only the engine's default for a run without progress
 *	applies
 * @sched_timeout_ns: bound for a time without progress in which no kernel runs, 0 for the
 *	engine's default
 * @op_timeout_ns: bound for the duration of one kernel, 0 for the engine's default
 *
 * The bounds are checked every few milliseconds.
 */
struct pto_engine_run {
	const struct pto_engine_callable *callable;
	const struct pto_run_args *args;
	void *arena;
	uint32_t epoch;
	const void *graph;
	uint64_t graph_size;
	bool (*covers)(const void *cookie, uint64_t addr, uint64_t size, bool write);
	const void *cookie;
	uint64_t timeout_ns;
	uint64_t sched_timeout_ns;
	uint64_t op_timeout_ns;
};

/**
 * pto_engine_create() - create an engine and its worker threads
 *
 * Measures what it costs to hand a task over to a worker, which takes a fraction of a millisecond.
 * Return: 0 or -errno
 */
int pto_engine_create(const struct pto_engine_config *config, struct pto_engine **out);

/** pto_engine_costs() - the costs by which the orchestrator decides what it executes itself */
void pto_engine_costs(const struct pto_engine *engine, struct pto_dev_costs *costs);

/**
 * pto_engine_nudge() - let its threads call their destructors of retired objects
 *
 * Threads that sleep are woken for that; the others do it when they are idle.
 */
void pto_engine_nudge(struct pto_engine *engine);

/** pto_engine_destroy() - stop its threads and free it; no run is executing */
void pto_engine_destroy(struct pto_engine *engine);

/**
 * pto_engine_enter() - prepare the calling thread for pto_engine_run()
 *
 * For threads that block signals: unblocks the signal that makes a thread leave code that hangs.
 */
void pto_engine_enter(void);

/**
 * pto_engine_run() - execute a run on the calling thread and the workers
 * @engine: the engine; one run at a time
 * @run: the run
 * @report: filled in when the run fails (code, sub-class, task, function, core, text)
 *
 * Return: PTO_DEV_OK, PTO_DEV_PROGRAM, PTO_DEV_TIMEOUT, PTO_DEV_ABORTED or PTO_DEV_INVALID.
 */
uint32_t pto_engine_run(struct pto_engine *engine, const struct pto_engine_run *run,
			struct pto_dev_report *report);

/**
 * pto_engine_lost() - has a kernel outlived its run?
 *
 * Such a kernel could not be left, because it blocks signals, or because the application uses the
 * signal itself. It may still access the arena, the arguments and the callable of its run. Further
 * runs are refused with PTO_DEV_ABORTED, and pto_engine_destroy() does not wait for the threads.
 */
bool pto_engine_lost(const struct pto_engine *engine);

/**
 * pto_engine_current() - which kernel does the calling thread execute?
 * @engine: the engine; the thread is its worker, or the one that called pto_engine_run()
 * @func_id: the kernel
 * @task: the task
 *
 * For the signal handler of a crash. Return: false if the thread executes no kernel.
 */
bool pto_engine_current(const struct pto_engine *engine, uint32_t *func_id, uint64_t *task);

/* struct pto_engine_place.what */
#define PTO_PLACE_KERNEL	0
#define PTO_PLACE_ENTRY		1	/* the orchestration */
#define PTO_PLACE_CONFIG	2	/* the configuration function */
#define PTO_PLACE_CALL		3	/* what pto_engine_call() has called */

/**
 * struct pto_engine_place - code of a program that a thread executes
 * @what: PTO_PLACE_*
 * @func_id: the kernel
 * @task: its task
 * @callable: pto_engine_callable.name of the run, or NULL
 * @entry: address of the function, 0 if it is not known
 */
struct pto_engine_place {
	uint32_t what;
	uint32_t func_id;
	uint64_t task;
	const char *callable;
	uint64_t entry;
};

/**
 * pto_engine_here() - which code of a program does the calling thread execute, for any engine?
 * @place: what it is
 *
 * For the signal handler of a crash. Return: false if the thread executes none.
 */
bool pto_engine_here(struct pto_engine_place *place);

/**
 * pto_engine_call() - call code of a program outside of a run, with a bound
 * @engine: the engine; one call at a time, beside runs or between two of them
 * @fn: the code
 * @arg: its argument
 * @bound_ns: how long it may take
 *
 * If the code does not return in time, the thread leaves it by a jump, as in a run that hangs;
 * locks that the code holds stay held. If it cannot be left, this does not return, and
 * config.call_lost is set. Return: 0 if the code has returned; -ETIMEDOUT; -ECANCELED if it has
 * not returned a second after pto_engine_abort().
 */
int pto_engine_call(struct pto_engine *engine, void (*fn)(void *arg), void *arg,
		    uint64_t bound_ns);

/** pto_engine_call_bound() - how long constructors and destructors may take, in ns */
uint64_t pto_engine_call_bound(const struct pto_engine *engine);

/**
 * pto_engine_calls_end() - the thread that called pto_engine_call() is about to end
 *
 * It has no call, and begins none: when this returns the engine signals it no more.
 */
void pto_engine_calls_end(struct pto_engine *engine);

/**
 * pto_engine_abort() - make the current run and the current call end soon; any thread
 *
 * A run ends with PTO_DEV_ABORTED.
 */
void pto_engine_abort(struct pto_engine *engine);

/** pto_engine_abort_run() - the same for the run only */
void pto_engine_abort_run(struct pto_engine *engine);

/** pto_engine_abort_call() - the same for the call only */
void pto_engine_abort_call(struct pto_engine *engine);

/**
 * pto_arena_plan() - sizes of the arena and the image of a ring configuration
 * @plan: in: the resolved configuration; out: arena_size, image_size
 *
 * A pure function. Return: 0; -EINVAL beyond the limits of struct pto_ioc_prewarm,
 * -EOVERFLOW.
 */
int pto_arena_plan(struct pto_dev_arena_plan *plan);

/** pto_arena_build() - write the image of @plan (offsets, no pointers), image_size bytes */
void pto_arena_build(const struct pto_dev_arena_plan *plan, void *image);

/**
 * pto_arena_bind() - make zeroed arena memory ready for its first run
 * @arena: arena_size bytes of zeroed memory, page aligned
 * @arena_size: bytes
 * @image: the image
 * @image_size: bytes
 *
 * Return: 0; -EINVAL if image and arena do not fit each other.
 */
int pto_arena_bind(void *arena, uint64_t arena_size, const void *image, uint64_t image_size);

#endif /* PTO_SIM_ENGINE_H */
