/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An engine with an arena, for programs that test it without a device around it.
 */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

#include <stdint.h>
#include <string.h>

#include <pto/orch.h>
#include <sim/device/engine.h>

#include "arena_fixture.h"

/**
 * struct machine - an engine and what a run on it needs
 * @engine: the engine
 * @plan: sizes of @arena
 * @arena: the arena
 * @callable: kernels; machine_run() fills in the entry
 * @run: the next run; to be changed at will
 * @report: of the last run
 * @tensor_wait_ns: as in struct pto_engine_config, like what follows; to be set before
 *	machine_start()
 * @default_timeout_ns: 0: 10 s
 * @progress: or NULL
 */
struct machine {
	struct pto_engine *engine;
	struct pto_dev_arena_plan plan;
	void *arena;
	struct pto_engine_callable callable;
	struct pto_engine_run run;
	struct pto_dev_report report;
	uint64_t tensor_wait_ns;
	uint64_t default_timeout_ns;
	uint32_t *progress;
};

/* Gives it an arena with four rings alike. */
static inline void machine_rings(struct machine *m, uint64_t window, uint64_t heap, uint64_t pool)
{
	m->arena = arena_replace(m->arena, &m->plan, rings_alike(window, heap, pool));
	m->run.arena = m->arena;
}

/* Starts an engine of an architecture. Return: 0 or a negative errno */
static inline int machine_start(struct machine *m, uint32_t arch, uint32_t workers,
				const struct pto_engine_kernel *kernels, uint32_t kernel_count)
{
	struct pto_engine_config config = {
		.arch = arch, .cluster_count = arch == PTO_ARCH_A5 ? 36 : 24,
		.aicpu_threads = arch == PTO_ARCH_A5 ? 5 : 4, .workers = workers,
		.default_timeout_ns = m->default_timeout_ns ?: 10000000000ULL,
		.tensor_wait_ns = m->tensor_wait_ns,
		.progress = m->progress,
	};

	*m = (struct machine){
		.tensor_wait_ns = m->tensor_wait_ns,
		.default_timeout_ns = m->default_timeout_ns,
		.progress = m->progress,
	};
	m->callable.kernels = kernels;
	m->callable.kernel_count = kernel_count;
	m->run.callable = &m->callable;
	machine_rings(m, 1024, 1 << 20, 1024);
	pto_engine_enter();
	return pto_engine_create(&config, &m->engine);
}

/* Ends it; an arena that a lost kernel may touch stays. */
static inline void machine_stop(struct machine *m)
{
	bool lost = pto_engine_lost(m->engine);

	pto_engine_destroy(m->engine);
	if (!lost)
		munmap(m->arena, m->plan.arena_size);
}

static inline uint32_t machine_run(struct machine *m, pto_orch_entry_fn entry)
{
	m->callable.entry = entry;
	m->run.epoch++;
	memset(&m->report, 0, sizeof(m->report));
	return pto_engine_run(m->engine, &m->run, &m->report);
}

#endif /* ENGINE_FIXTURE_H */
