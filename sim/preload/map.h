/* SPDX-License-Identifier: MIT */
/*
 * The list of ranges that show buffer objects: map_list.c keeps it, map.c and map_rules.c
 * change it together with what the kernel has mapped.
 */
#ifndef PTO_SIM_MAP_H
#define PTO_SIM_MAP_H

/* The core's headers first: <stdatomic.h> has macros by names that the kernel has too. */
#include <pto_core.h>

#include "preload.h"

#define PAGE ((uintptr_t)PTO_DEV_PAGE_SIZE)

/**
 * struct map - a range that shows a buffer object
 * @next: the next one, in no order
 * @start: first byte
 * @end: behind its last byte
 * @prot: PROT_*, as far as it was changed through the C library
 * @readonly: of a context that may not write
 * @dontfork: a child does not get it
 * @inherited: of a parent: there is the same rule for what may be done with it, but @file and @bo
 *	are the parent's and not to be touched
 * @file: the context, with a reference
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
	struct sim_file *file;
	struct pto_bo *bo;
};

/* An operation makes at most one new range and cuts at most two in two. */
#define MAP_FRESH 3

/**
 * struct map_change - an operation on the list, from map_begin() to map_end()
 * @fresh: ranges allocated before the system call, since nothing may fail after it; NULL where
 *	one has been taken
 * @gone: ranges that are no longer in the list; their references are put when it is unlocked
 */
struct map_change {
	struct map *fresh[MAP_FRESH];
	struct map *gone;
};

static inline uintptr_t page_align(uintptr_t length)
{
	return (length + PAGE - 1) & ~(PAGE - 1);
}

/** map_begin() - lock the list, to change it. Return: 0 or -ENOMEM, and it is not locked */
int map_begin(struct map_change *change);

/** map_end() - unlock it, and give back what is gone. Return: @ret */
long map_end(struct map_change *change, long ret);

/**
 * map_first() - the lowest range that overlaps [start, end) and that @match says is meant
 * @start: first byte
 * @end: behind the last byte
 * @match: NULL for any
 * @arg: for @match
 */
struct map *map_first(uintptr_t start, uintptr_t end,
		      bool (*match)(const struct map *map, int arg), int arg);

/** map_cut() - [start, end) shows nothing of ours any more */
void map_cut(struct map_change *change, uintptr_t start, uintptr_t end);

/** map_insert() - [start, end) shows what @like does; takes the references of @like */
void map_insert(struct map_change *change, uintptr_t start, uintptr_t end,
		const struct map *like);

/** map_get() - take what a copy of @map would need */
void map_get(const struct map *map);

/** map_split() - let no range go across @addr */
void map_split(struct map_change *change, uintptr_t addr);

#endif /* PTO_SIM_MAP_H */
