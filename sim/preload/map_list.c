// SPDX-License-Identifier: MIT
/*
 * The list of address ranges that map buffer objects. A range keeps its buffer alive and its
 * context open, as the kernel's mappings keep their file.
 *
 * Only munmap(), mremap(), shmat() and mmap() with MAP_FIXED can replace or remove such a range,
 * so these check the list. sim_map_low and sim_map_high bound all ranges; a call outside of them
 * need not take the lock.
 */
#include "map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "raw.h"

/* Protects the list and the two bounds, and is held across the system call that a change makes. */
static pthread_mutex_t map_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *maps;
_Atomic(uintptr_t) sim_map_low = UINTPTR_MAX;
_Atomic(uintptr_t) sim_map_high;

/* Set while this thread holds the lock: a signal handler may interrupt it then and fork. */
static __thread bool map_locked __attribute__((tls_model("initial-exec")));

static void lock(void)
{
	pthread_mutex_lock(&map_lock);
	map_locked = true;
}

static void unlock(void)
{
	map_locked = false;
	pthread_mutex_unlock(&map_lock);
}

static void update_bounds(void)
{
	uintptr_t low = UINTPTR_MAX, high = 0;
	struct map *map;

	for (map = maps; map; map = map->next) {
		low = map->start < low ? map->start : low;
		high = map->end > high ? map->end : high;
	}
	atomic_store_explicit(&sim_map_low, low, memory_order_relaxed);
	atomic_store_explicit(&sim_map_high, high, memory_order_relaxed);
}

static void free_fresh(struct map_change *change)
{
	unsigned int i;

	for (i = 0; i < MAP_FRESH; i++)
		free(change->fresh[i]);
}

/* Keep a parent's range and its buffer reachable, so that a leak checker does not report them. */
static void keep(struct map *map)
{
	static struct map *_Atomic kept;

	map->next = atomic_load(&kept);
	while (!atomic_compare_exchange_weak(&kept, &map->next, map))
		;
}

static void put_all(struct map *map)
{
	struct map *next;

	for (; map; map = next) {
		next = map->next;
		if (map->inherited) {
			keep(map);
			continue;
		}
		if (map->memory) {
			pto_memory_put(map->memory);
		} else {
			pto_bo_unmapped(map->bo);
			sim_file_put(map->file);
		}
		free(map);
	}
}

int map_begin(struct map_change *change)
{
	bool complete = true;
	unsigned int i;

	sim_fork_check();
	change->gone = NULL;
	for (i = 0; i < MAP_FRESH; i++) {
		change->fresh[i] = malloc(sizeof(*change->fresh[i]));
		complete = complete && change->fresh[i];
	}
	if (!complete) {
		free_fresh(change);
		return -ENOMEM;
	}
	lock();
	return 0;
}

long map_end(struct map_change *change, long ret)
{
	update_bounds();
	unlock();
	put_all(change->gone);
	free_fresh(change);
	return ret;
}

struct map *map_first(uintptr_t start, uintptr_t end,
		      bool (*match)(const struct map *map, int arg), int arg)
{
	struct map *map, *first = NULL;

	for (map = maps; map; map = map->next)
		if (map->start < end && start < map->end && (!match || match(map, arg)) &&
		    (!first || map->start < first->start))
			first = map;
	return first;
}

bool sim_map_search(uintptr_t start, uintptr_t end)
{
	bool found;

	lock();
	found = map_first(start, end, NULL, 0);
	unlock();
	return found;
}

void map_get(const struct map *map)
{
	if (map->inherited)
		return;
	if (map->memory) {
		pto_memory_get(map->memory);
		return;
	}
	sim_file_hold(map->file);
	pto_bo_mapped(map->bo);
}

void map_insert(struct map_change *change, uintptr_t start, uintptr_t end,
		const struct map *like)
{
	struct map *map = NULL;
	unsigned int i;

	for (i = 0; !map; i++) {
		map = change->fresh[i];
		change->fresh[i] = NULL;
	}
	*map = *like;
	map->start = start;
	map->end = end;
	map->next = maps;
	maps = map;
}

void map_split(struct map_change *change, uintptr_t addr)
{
	struct map *map;

	for (map = maps; map; map = map->next) {
		if (map->start >= addr || addr >= map->end)
			continue;
		map_get(map);
		map_insert(change, addr, map->end, map);
		map->end = addr;
		return;
	}
}

void map_cut(struct map_change *change, uintptr_t start, uintptr_t end)
{
	struct map **link = &maps, *map;

	map_split(change, start);
	map_split(change, end);
	while ((map = *link)) {
		if (start <= map->start && map->end <= end) {
			*link = map->next;
			map->next = change->gone;
			change->gone = map;
		} else {
			link = &map->next;
		}
	}
}

/* --- the end of the process, and its children ------------------------------------------- */

void sim_map_end(void)
{
	struct map *gone;

	lock();
	gone = maps;
	maps = NULL;
	update_bounds();
	unlock();
	put_all(gone);
}

void sim_map_fork_prepare(void)
{
	if (!map_locked)
		pthread_mutex_lock(&map_lock);
}

void sim_map_fork_parent(void)
{
	if (!map_locked)
		pthread_mutex_unlock(&map_lock);
}

void sim_map_fork_child(void)
{
	struct map **link = &maps, *map;

	/* A signal handler has interrupted this thread with the lock held, and forked. */
	if (map_locked)
		pthread_mutex_init(&map_lock, NULL);
	else
		pthread_mutex_unlock(&map_lock);
	map_locked = false;
	while ((map = *link)) {
		map->inherited = true;
		if (map->dontfork) {
			*link = map->next;
			keep(map);
		} else {
			link = &map->next;
		}
	}
	update_bounds();
}
