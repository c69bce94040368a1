/* SPDX-License-Identifier: GPL-2.0 */
/* An arena for programs that are explored. */
#ifndef PTO_TEST_EXPLORE_ARENA_H
#define PTO_TEST_EXPLORE_ARENA_H

#include <stdint.h>

/**
 * struct explore_arena - a bound arena
 * @base: it
 * @size: its bytes
 */
struct explore_arena {
	uint8_t *base;
	uint64_t size;
};

void explore_arena_make(struct explore_arena *arena, uint64_t window, uint64_t heap, uint64_t pool);

#endif /* PTO_TEST_EXPLORE_ARENA_H */
