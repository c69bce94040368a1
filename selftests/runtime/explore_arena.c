// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <sys/mman.h>

#include <libpto/runtime/runtime.h>

#include "explore_arena.h"

/** explore_arena_make() - make an arena with four rings alike */
void explore_arena_make(struct explore_arena *arena, uint64_t window, uint64_t heap, uint64_t pool)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };
	uint8_t image[4096];
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan.task_window[i] = window;
		plan.heap[i] = heap;
		plan.dep_pool[i] = pool;
	}
	if (pto_arena_plan(&plan) || plan.image_size > sizeof(image))
		abort();
	pto_arena_build(&plan, image);
	arena->size = plan.arena_size;
	arena->base = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->base == MAP_FAILED ||
	    pto_arena_bind(arena->base, arena->size, image, plan.image_size))
		abort();
}
