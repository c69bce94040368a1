/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An arena in the memory of a test.
 */
#ifndef ARENA_FIXTURE_H
#define ARENA_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <libpto/runtime/runtime.h>

/* Asks for rings that are all alike. */
static inline struct pto_dev_arena_plan rings_alike(uint64_t window, uint64_t heap, uint64_t pool)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan.task_window[i] = window;
		plan.heap[i] = heap;
		plan.dep_pool[i] = pool;
	}
	return plan;
}

/* Returns an arena such as @want, its sizes in @plan; @old, if there is one, goes. */
static inline void *arena_replace(void *old, struct pto_dev_arena_plan *plan,
				  struct pto_dev_arena_plan want)
{
	void *image, *arena;

	if (old)
		munmap(old, plan->arena_size);
	*plan = want;
	if (pto_arena_plan(plan))
		abort();
	image = malloc(plan->image_size);
	pto_arena_build(plan, image);
	arena = mmap(NULL, plan->arena_size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pto_arena_bind(arena, plan->arena_size, image, plan->image_size))
		abort();
	free(image);
	return arena;
}

#endif /* ARENA_FIXTURE_H */
