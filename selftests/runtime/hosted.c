// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hosted.h"

static struct hosted *hosted_of(struct pto_runtime *rt)
{
	return (struct hosted *)rt;
}

static int kernel_type(struct pto_runtime *rt, uint32_t func_id)
{
	const struct hosted *h = hosted_of(rt);

	if (func_id >= h->kernel_count || !h->kernels[func_id].fn)
		return -1;
	return (int)h->kernels[func_id].core_type;
}

static void log_line(struct pto_runtime *rt, uint32_t level, const char *text)
{
	printf("# log %u: %s\n", level, text);
}

static bool make_room(struct pto_runtime *rt, uint64_t bytes)
{
	struct pto_graph *g = &hosted_of(rt)->graph;
	void *data = hosted_of(rt)->no_room ? NULL : realloc(g->data, 2 * bytes);

	if (!data)
		return false;
	g->data = data;
	g->room = 2 * bytes;
	return true;
}

/* The device's memory is ours. */
static void *host_view(struct pto_runtime *rt, uint64_t addr, uint64_t bytes)
{
	return (void *)(uintptr_t)addr;
}

static const struct pto_rt_env env = {
	.kernel_type = kernel_type,
	.format = vsnprintf,
	.log = log_line,
	.room = make_room,
	.host_view = host_view,
};

int hosted_init(struct hosted *h, const struct pto_dev_arena_plan *rings,
		const struct pto_engine_kernel *kernels, uint32_t kernel_count)
{
	struct pto_dev_arena_plan plan;
	void *image;
	int ret;

	memset(h, 0, sizeof(*h));
	h->limits = (struct pto_graph_limits){
		rings->task_window[0], rings->heap[0], rings->dep_pool[0],
	};
	h->kernels = kernels;
	h->kernel_count = kernel_count;
	pto_graph_plan(&h->limits, &plan);
	ret = pto_arena_plan(&plan);
	if (ret)
		return ret;
	image = malloc(plan.image_size);
	h->arena = mmap(NULL, plan.arena_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!image || h->arena == MAP_FAILED)
		return -ENOMEM;
	h->arena_size = plan.arena_size;
	pto_arena_build(&plan, image);
	ret = pto_arena_bind(h->arena, plan.arena_size, image, plan.image_size);
	free(image);
	pto_sched_init(&h->sched, NULL, 0, UINT32_MAX);
	pto_runtime_init(&h->rt, &env, &h->sched, PTO_ARCH_A2A3, 24);
	return ret;
}

void hosted_free(struct hosted *h)
{
	munmap(h->arena, h->arena_size);
	free(h->graph.data);
}

bool hosted_build(struct hosted *h, pto_orch_entry_fn entry, const struct pto_orch_args *args)
{
	pto_graph_begin(&h->rt, &h->graph, h->arena, &h->limits, ++h->epoch);
	entry(&h->rt.rt, args);
	return pto_graph_end(&h->rt);
}
