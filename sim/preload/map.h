/* SPDX-License-Identifier: MIT */
/*
 * The list of address ranges that map buffer objects. map_list.c implements it; map.c and
 * map_rules.c change it together with the kernel's mappings.
 */
#ifndef PTO_SIM_MAP_H
#define PTO_SIM_MAP_H

/*
 * The core's headers first: <stdatomic.h> defines macros that the kernel has under the same names.
 */
#include <pto_core.h>

#include "preload.h"

#define PAGE ((uintptr_t)PTO_DEV_PAGE_SIZE)

/**
 * struct map - a range that maps a buffer object, or a dma-buf
 * @next: the next one, in no order
 * @start: first byte
 * @end: behind its last byte
 * @prot: PROT_*, except for changes that bypassed the C library
 * @readonly: the context was opened O_RDONLY
 * @dontfork: a child does not inherit it
 * @inherited: it comes from the parent process: the same rules apply to it, but what it refers to
 *	is the parent's and must not be used
 * @memory: the memory of a dma-buf, with a reference; NULL: it maps a buffer
 * @file: the context, with a reference; NULL: it maps a dma-buf
 * @bo: the buffer, with a mapping reference
 */
struct map {
	struct map *next;
	uintptr_t start;
	uintptr_t end;
	int prot;
	bool readonly;
	bool dontfork;
	bool inherited;
	struct pto_memory *memory;
	struct sim_file *file;
	struct pto_bo *bo;
};

/* An operation adds at most one range and splits at most two. */
#define MAP_FRESH 3

/**
 * struct map_change - an operation on the list, from map_begin() to map_end()
 * @fresh: ranges allocated before the system call, since nothing may fail after it; an entry
 *	is NULL once it is used
 * @gone: ranges removed from the list; their references are dropped after it is unlocked
 */
struct map_change {
	struct map *fresh[MAP_FRESH];
	struct map *gone;
};

static inline uintptr_t page_align(uintptr_t length)
{
	return (length + PAGE - 1) & ~(PAGE - 1);
}

/** map_begin() - lock the list to change it. Return: 0, or -ENOMEM without the lock */
int map_begin(struct map_change *change);

/** map_end() - unlock the list and drop the references of the removed ranges. Return: @ret */
long map_end(struct map_change *change, long ret);

/**
 * map_first() - the lowest range that overlaps [start, end) and for which @match returns true
 * @start: first byte
 * @end: behind the last byte
 * @match: NULL for any
 * @arg: for @match
 */
struct map *map_first(uintptr_t start, uintptr_t end,
		      bool (*match)(const struct map *map, int arg), int arg);

/** map_cut() - remove [start, end) from the list */
void map_cut(struct map_change *change, uintptr_t start, uintptr_t end);

/** map_insert() - add [start, end) as a copy of @like; takes over the references of @like */
void map_insert(struct map_change *change, uintptr_t start, uintptr_t end,
		const struct map *like);

/** map_get() - take the references that a copy of @map needs */
void map_get(const struct map *map);

/** map_split() - split the range that contains @addr, so that none crosses it */
void map_split(struct map_change *change, uintptr_t addr);

#endif /* PTO_SIM_MAP_H */
