// SPDX-License-Identifier: MIT
/*
 * Our runtime: the engine as the device runs it, in this process. Its orchestrator executes
 * tasks when it waits, so it counts as one of the threads.
 *
 * Compiled twice: each cell a buffer of its own, or (PTO_VIEWS) all cells views of one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <pto/orch.h>
#include <pto/version.h>

#include "../../../sim/device/engine.h"
#include "backend.h"

#define SCOPE_TASKS	1024	/* a scope's tasks stay until it ends */
#define WINDOW		16384	/* the defaults of a run */
#define HEAP		(256ULL << 20)
#define DEP_POOL	16384
#define CLUSTERS	24	/* of an a2a3 */
#define MAX_ARGS	(GRAPH_MAX_INPUTS + 1)

static struct pto_engine *engine;
static void *arena;
static uint32_t epoch;
static const struct graph *graph;
static char (*cells)[CELL_BYTES];
static struct pto_tensor *tensors;
static bench_kernel_fn current;

/* The task's number stands behind its tensors; so there is a kernel for each number of them. */
static void kernel_0(int64_t *args) { current((uint32_t)args[0]); }
static void kernel_1(int64_t *args) { current((uint32_t)args[1]); }
static void kernel_2(int64_t *args) { current((uint32_t)args[2]); }
static void kernel_3(int64_t *args) { current((uint32_t)args[3]); }
static void kernel_4(int64_t *args) { current((uint32_t)args[4]); }
static void kernel_5(int64_t *args) { current((uint32_t)args[5]); }

static const struct pto_engine_kernel kernels[MAX_ARGS + 1] = {
	{ kernel_0, PTO_CORE_AIV }, { kernel_1, PTO_CORE_AIV }, { kernel_2, PTO_CORE_AIV },
	{ kernel_3, PTO_CORE_AIV }, { kernel_4, PTO_CORE_AIV }, { kernel_5, PTO_CORE_AIV },
};

static void make_task(struct pto_rt *rt, const struct graph_task *t, uint32_t number)
{
	struct pto_task_args args;
	uint16_t i;

	pto_task_args_init(&args);
	for (i = 0; i < t->input_count; i++)
		pto_add_input(&args, &tensors[t->input[i]]);
	if (t->output_mode == GRAPH_WRITE)
		pto_add_output_existing(&args, &tensors[t->output]);
	else if (t->output_mode == GRAPH_UPDATE)
		pto_add_inout(&args, &tensors[t->output]);
	pto_add_scalar(&args, number);
	pto_submit_aiv(rt, i + (t->output_mode != GRAPH_NO_OUTPUT), &args);
}

static void orchestrate(struct pto_rt *rt, const struct pto_orch_args *args)
{
	uint32_t i;

	pto_scope_begin(rt, PTO_SCOPE_AUTO);
	for (i = 0; i < graph->task_count; i++) {
		if (i && i % SCOPE_TASKS == 0) {
			pto_scope_end(rt);
			pto_scope_begin(rt, PTO_SCOPE_AUTO);
		}
		make_task(rt, &graph->tasks[i], i);
	}
	pto_scope_end(rt);
}

static int make_arena(void)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };
	void *image;
	int i, ret;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan.task_window[i] = WINDOW;
		plan.heap[i] = HEAP;
		plan.dep_pool[i] = DEP_POOL;
	}
	if (pto_arena_plan(&plan))
		return -1;
	image = malloc(plan.image_size);
	arena = mmap(NULL, plan.arena_size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!image || arena == MAP_FAILED)
		return -1;
	pto_arena_build(&plan, image);
	ret = pto_arena_bind(arena, plan.arena_size, image, plan.image_size);
	free(image);
	return ret;
}

static int start(unsigned int threads)
{
	struct pto_engine_config config = {
		.arch = PTO_ARCH_A2A3, .cluster_count = CLUSTERS, .aicpu_threads = 4,
		.workers = threads - 1, .default_timeout_ns = 60000000000ULL,
	};

	if (threads < 2) {
		fprintf(stderr, "%s: the engine has a worker beside the orchestrator: it takes 2 threads\n",
			backend.name);
		return -1;
	}
	if (make_arena() || pto_engine_create(&config, &engine)) {
		fprintf(stderr, "%s: cannot make an engine\n", backend.name);
		return -1;
	}
	return 0;
}

static void make_tensor(uint32_t i)
{
	uint32_t all = graph->cell_count * CELL_BYTES, one = CELL_BYTES, begin = i * CELL_BYTES;
	struct pto_tensor *t = &tensors[i];

#ifdef PTO_VIEWS
	pto_external(t, (uint64_t)(uintptr_t)cells, PTO_DTYPE_UINT8, 1, &all, 0, 0);
	pto_tensor_view(t, &one, &begin, t);
#else
	(void)all;
	pto_external(t, (uint64_t)(uintptr_t)cells + begin, PTO_DTYPE_UINT8, 1, &one, 0, 0);
#endif
}

static int load(const struct graph *g)
{
	uint32_t i;

	graph = g;
	cells = calloc(g->cell_count + 1ULL, sizeof(*cells));
	tensors = aligned_alloc(sizeof(*tensors), (g->cell_count + 1ULL) * sizeof(*tensors));
	if (!cells || !tensors) {
		fprintf(stderr, "%s: no memory for the cells\n", backend.name);
		return -1;
	}
	for (i = 0; i < g->cell_count; i++)
		make_tensor(i);
	return 0;
}

static int64_t run(bench_kernel_fn kernel)
{
	const struct pto_engine_callable callable = {
		.entry = orchestrate, .kernels = kernels, .kernel_count = MAX_ARGS + 1,
	};
	const struct pto_engine_run request = {
		.callable = &callable, .arena = arena, .epoch = ++epoch,
	};
	struct pto_dev_report report;
	uint64_t begin;
	uint32_t status;

	current = kernel;
	begin = bench_now();
	status = pto_engine_run(engine, &request, &report);
	if (status == PTO_DEV_OK)
		return (int64_t)(bench_now() - begin);
	fprintf(stderr, "%s: %s\n", backend.name, (const char *)report.text);
	return -1;
}

static void unload(void)
{
	free(tensors);
	free(cells);
}

const struct backend backend = {
#ifdef PTO_VIEWS
	.name = "pto-views",
#else
	.name = "pto",
#endif
	.version = PTO_VERSION,
	.start = start,
	.load = load,
	.run = run,
	.unload = unload,
};
