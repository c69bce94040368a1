/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Host-built graphs without a device: an orchestration is executed here, and what comes of it
 * can be given to an engine as pto_engine_run.graph.
 */
#ifndef PTO_TEST_HOSTED_H
#define PTO_TEST_HOSTED_H

#include <libpto/runtime/runtime.h>
#include <sim/device/engine.h>

/**
 * struct hosted - a host that builds graphs
 * @rt: its runtime; first, so that the runtime's calls lead back here
 * @sched: what no task ever gets to
 * @graph: the graph that was built last
 * @limits: how large graphs may get
 * @arena: memory of the runtime
 * @arena_size: bytes of it
 * @epoch: counts the graphs
 * @kernels: kernels by func_id, as the engine has them
 * @kernel_count: how many
 * @no_room: there is no more memory for a graph
 */
struct hosted {
	struct pto_runtime rt;
	struct pto_sched sched;
	struct pto_graph graph;
	struct pto_graph_limits limits;
	void *arena;
	uint64_t arena_size;
	uint32_t epoch;
	const struct pto_engine_kernel *kernels;
	uint32_t kernel_count;
	bool no_room;
};

/** hosted_init() - for graphs that fit into the first ring of @rings. Return: 0 or -errno */
int hosted_init(struct hosted *h, const struct pto_dev_arena_plan *rings,
		const struct pto_engine_kernel *kernels, uint32_t kernel_count);
void hosted_free(struct hosted *h);

/** hosted_build() - execute an orchestration. Return: false: see pto_rt_fatal_code(&h->rt) */
bool hosted_build(struct hosted *h, pto_orch_entry_fn entry, const struct pto_orch_args *args);

#endif /* PTO_TEST_HOSTED_H */
