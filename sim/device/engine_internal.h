/* SPDX-License-Identifier: MIT */
/*
 * What the files of the engine share.
 *
 * Threads: thread 0 is whoever calls pto_engine_run(), the orchestrator; 1 to worker_count
 * are the engine's workers. All of them execute tasks: the orchestrator when it has to wait.
 *
 * Workers do not know of runs. They take tasks from the queues, and what they need besides
 * is either in the task's slot or was written before the task was queued. So a run that
 * submits nothing wakes nobody and touches nothing of theirs.
 */
#ifndef PTO_SIM_ENGINE_INTERNAL_H
#define PTO_SIM_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../libpto/runtime/runtime.h"
#include "engine.h"

#define ENGINE_GRACE_NS		1000000000ULL	/* for kernels to end after a fatal error */
#define ENGINE_NO_FUNC		UINT32_MAX

/**
 * struct pto_core - an OS thread in the role of a core
 * @rt: what a kernel sees of it; first, so that its calls lead back here
 * @args: argument array of the kernel that runs
 * @local: its local context
 * @global: its global context
 * @func: func_id that runs, or ENGINE_NO_FUNC; for reports
 * @task: task that runs; for reports
 * @engine: the engine
 * @index: thread number
 * @thread: OS thread of a worker
 */
struct pto_core {
	struct pto_kernel_rt rt;
	int64_t args[PTO_KERNEL_ARGS] __attribute__((aligned(PTO_CACHE_LINE)));
	struct pto_local_context local;
	struct pto_global_context global;
	_Atomic uint32_t func;
	_Atomic uint64_t task;
	struct pto_engine *engine;
	uint32_t index;
	pthread_t thread;
};

/**
 * struct pto_engine - the engine of a hardware context
 * @rt: the runtime; first, so that the runtime's calls lead back here
 * @config: as created
 * @sched: ready tasks
 * @cores: threads, worker_count + 1
 * @worker_count: workers
 * @kernels: kernel table of the current run
 * @kernel_count: its length
 * @graph: graph of the current run, if it brings one
 * @timeout_ns: bound of the current run
 * @lost: a kernel did not end; nothing may run any more
 * @seen_done: pto_sched_done() when the orchestrator last saw it change
 * @seen_ns: when it began to wait for the next change, 0 if it does not
 * @idle: how often it has waited since
 * @sleepers: workers that are about to sleep or do, and that nobody has claimed to wake
 * @tokens: workers that have been claimed; futex that workers sleep on
 * @orch_sleeps: 1 while the orchestrator sleeps or is about to; futex it sleeps on
 * @stop: workers shall end
 */
struct pto_engine {
	struct pto_runtime rt;
	struct pto_engine_config config;
	struct pto_sched sched;
	struct pto_core *cores;
	uint32_t worker_count;
	const struct pto_engine_kernel *kernels;
	uint32_t kernel_count;
	struct pto_graph_source graph;
	uint64_t timeout_ns;
	bool lost;
	uint64_t seen_done;
	uint64_t seen_ns;
	uint32_t idle;
	_Atomic uint32_t sleepers __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t tokens __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t orch_sleeps __attribute__((aligned(PTO_CACHE_LINE)));
	_Atomic uint32_t stop;
};

/* aicore.c */
struct pto_slot *core_execute(struct pto_core *core, struct pto_slot *slot);
void *core_worker(void *core);
void core_stop_all(struct pto_engine *engine);
void core_wake_worker(struct pto_engine *engine);

/* aicpu.c */
extern const struct pto_rt_env aicpu_env;
void aicpu_run(struct pto_engine *engine, pto_orch_entry_fn entry,
	       const struct pto_orch_args *args);
void aicpu_notify(struct pto_engine *engine);

/* kernel_ops.c */
extern const struct pto_kernel_ops core_kernel_ops;

/* engine_wait.c */
void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns);
void engine_futex_wake(_Atomic uint32_t *word);
uint64_t engine_now(void);
void engine_pause(uint32_t round);

#endif /* PTO_SIM_ENGINE_INTERNAL_H */
