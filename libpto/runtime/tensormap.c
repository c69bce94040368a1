// SPDX-License-Identifier: MIT
/*
 * The tensor map: which tasks access which regions of which buffers.
 *
 * A region is the part of a buffer that a tensor selects. All accesses with the same view share a
 * region. It has two lists of accesses, writers and readers. A hash of the view leads to it, so an
 * access with a known view, the usual case, has a constant cost. The regions of a buffer form a
 * tree ordered by address (regiontree.c), which is searched when a region is new: the regions that
 * overlap it become its neighbours, and it theirs. From then on an access checks the region itself
 * and its neighbours.
 *
 * Neighbours: for any two regions that overlap, at least one of which has been written since its
 * creation, each is in the list of the other, unless the list's owner has had more than PTO_NEAR.
 * Then every access searches the tree, until there are fewer.
 *
 * A region without accesses is kept, because programs use their views again. It is freed when a
 * region is needed, or when it makes a neighbour's list too long.
 *
 * Only the orchestrator uses the map. deps.c decides how accesses order tasks.
 */
#include "runtime.h"

#define HASH_FACTOR	0x9E3779B97F4A7C15ULL
#define BEGIN_FACTOR	0xC2B2AE3D27D4EB4FULL
#define REST_FACTOR	0x165667B19E3779F9ULL
#define KEEP_REGIONS	4096	/* regions in use before idle ones are freed */
#define LOOK_AT		8	/* regions that are checked when one is needed */
#define SWEEP_TASKS	64	/* completions before all regions are checked again */

/*
 * An epoch tells the buckets of this run from those of earlier runs. Epochs increase and may wrap.
 * The first run after a wrap clears the buckets, which may have its epoch from 2^32 runs ago.
 */
static void start_epoch(struct pto_runtime *rt, uint32_t epoch)
{
	struct pto_arena *arena = rt->arena;
	struct pto_map_bucket *buckets = (struct pto_map_bucket *)(rt->base + arena->buckets);

	if (epoch <= arena->last_epoch)
		__builtin_memset(buckets, 0, sizeof(*buckets) << (64 - arena->bucket_shift));
	arena->last_epoch = epoch;
}

/** pto_map_get() - the tensor map, set up at its first use in a run */
struct pto_map *pto_map_get(struct pto_runtime *rt)
{
	struct pto_map *map = &rt->map;

	if (!map->buckets) {
		start_epoch(rt, map->epoch);
		map->arena = rt->arena;
		map->buckets = (struct pto_map_bucket *)(rt->base + rt->arena->buckets);
		map->regions = (struct pto_region *)(rt->base + rt->arena->regions);
		/* Region 0 means no region: its maxima are 0. */
		map->regions[0].max_end = 0;
		map->regions[0].max_written = 0;
		map->free = 0;
		map->fresh = 1;
		map->hand = 1;
	}
	return map;
}

/* --- hashing ------------------------------------------------------------- */

static uint32_t bucket_of(struct pto_map *map, uint64_t key)
{
	uint32_t index = (uint32_t)((key * HASH_FACTOR) >> map->arena->bucket_shift);
	struct pto_map_bucket *b = &map->buckets[index];

	if (b->epoch != map->epoch)
		*b = (struct pto_map_bucket){ .epoch = map->epoch };
	return index;
}

/** pto_map_buffer() - bucket of a buffer, cleared if it is of an earlier run */
uint32_t pto_map_buffer(struct pto_map *map, uint64_t addr)
{
	return bucket_of(map, addr);
}

/* Bucket of a region. A region that is the whole buffer has the buffer's bucket. */
static uint32_t region_bucket(struct pto_map *map, const struct pto_tensor *t, uint64_t begin,
			      uint64_t end)
{
	return bucket_of(map, t->addr ^ begin * BEGIN_FACTOR ^ (t->size - end) * REST_FACTOR);
}

/** pto_map_root() - root of the tree of a buffer, 0 if it has no regions */
uint32_t pto_map_root(struct pto_map *map, uint64_t addr)
{
	uint32_t index = map->buckets[pto_map_buffer(map, addr)].root;

	while (index && map->regions[index].addr != addr)
		index = map->regions[index].root_next;
	return index;
}

static void hash_link(struct pto_map *map, uint32_t bucket, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t *head = &map->buckets[bucket].region;

	r->bucket = bucket;
	r->hash_prev = 0;
	r->hash_next = *head;
	if (*head)
		map->regions[*head].hash_prev = index;
	*head = index;
}

static void hash_unlink(struct pto_map *map, uint32_t index)
{
	struct pto_region *r = &map->regions[index];

	if (r->hash_prev)
		map->regions[r->hash_prev].hash_next = r->hash_next;
	else
		map->buckets[r->bucket].region = r->hash_next;
	if (r->hash_next)
		map->regions[r->hash_next].hash_prev = r->hash_prev;
}

/* --- accesses ------------------------------------------------------------ */

/** pto_access_at() - access @i of a task: in the slot or beside it */
struct pto_access *pto_access_at(struct pto_runtime *rt, struct pto_slot *slot, uint32_t i)
{
	const struct pto_ring_layout *l = &rt->arena->ring[slot->ring];

	if (i < PTO_SLOT_ACCESSES)
		return &slot->access[i];
	return (struct pto_access *)(rt->base + l->accesses) +
	       pto_slot_number(rt->arena, slot) * PTO_SIDE_ACCESSES + i - PTO_SLOT_ACCESSES;
}

static struct pto_access *access_of(const struct pto_runtime *rt, uint64_t offset)
{
	return (struct pto_access *)(rt->base + offset);
}

/**
 * pto_map_insert() - track an access of a task to a region
 * @rt: the run
 * @slot: the task
 * @index: the region, as returned by pto_map_region() for the same submit
 * @kind: PTO_MAP_WRITER or PTO_MAP_READER
 * @version: of the tensor
 */
void pto_map_insert(struct pto_runtime *rt, struct pto_slot *slot, uint32_t index, uint32_t kind,
		    int32_t version)
{
	struct pto_access *a = pto_access_at(rt, slot, slot->access_count++);
	uint64_t *head = &rt->map.regions[index].list[kind];

	a->task = pto_offset_of(rt, slot);
	a->region = index;
	a->version = version;
	a->prev = 0;
	a->next = *head;
	*head = pto_offset_of(rt, a);
	if (a->next)
		access_of(rt, a->next)->prev = *head;
}

/** pto_map_forget() - remove an access from its region's list */
void pto_map_forget(struct pto_runtime *rt, struct pto_access *a)
{
	uint64_t *list = rt->map.regions[a->region].list;

	if (a->prev)
		access_of(rt, a->prev)->next = a->next;
	else
		list[list[PTO_MAP_WRITER] == pto_offset_of(rt, a) ? PTO_MAP_WRITER :
								    PTO_MAP_READER] = a->next;
	if (a->next)
		access_of(rt, a->next)->prev = a->prev;
	a->region = 0;
}

/** pto_map_drop_task() - remove all accesses of a task */
void pto_map_drop_task(struct pto_runtime *rt, struct pto_slot *slot)
{
	while (slot->access_count) {
		struct pto_access *a = pto_access_at(rt, slot, --slot->access_count);

		if (a->region)
			pto_map_forget(rt, a);
	}
}

/* --- neighbours ---------------------------------------------------------- */

static void near_add(struct pto_map *map, uint32_t index, uint32_t other)
{
	struct pto_region *r = &map->regions[index];

	if (r->near_count == PTO_NEAR_MANY)
		return;
	if (r->near_count == PTO_NEAR) {
		r->near_count = PTO_NEAR_MANY;
		return;
	}
	if (pto_region_overlap(r, &map->regions[other]) == PTO_OVERLAP_COVERED)
		r->near[r->near_count++] = other | PTO_NEAR_COVERED;
	else
		r->near[r->near_count++] = other;
}

static void near_remove(struct pto_map *map, uint32_t index, uint32_t other)
{
	struct pto_region *r = &map->regions[index];
	uint32_t i;

	if (r->near_count == PTO_NEAR_MANY)
		return;
	for (i = 0; i < r->near_count; i++) {
		if ((r->near[i] & ~PTO_NEAR_COVERED) == other) {
			r->near[i] = r->near[--r->near_count];
			return;
		}
	}
}

/*
 * Is the region without accesses? Removes accesses of completed tasks at the heads of its lists.
 */
static bool idle(struct pto_runtime *rt, struct pto_region *r)
{
	struct pto_access *a;
	uint32_t kind;

	for (kind = 0; kind < 2; kind++) {
		while (r->list[kind]) {
			a = access_of(rt, r->list[kind]);
			if (!pto_slot_completed((struct pto_slot *)(rt->base + a->task)))
				return false;
			pto_map_forget(rt, a);
		}
	}
	return true;
}

/* Free an idle region. */
static void give_up(struct pto_map *map, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t i;

	if (r->near_count != PTO_NEAR_MANY) {
		for (i = 0; i < r->near_count; i++)
			near_remove(map, r->near[i] & ~PTO_NEAR_COVERED, index);
	} else {
		i = pto_tree_first(map, pto_map_root(map, r->addr), r, false);
		for (; i; i = pto_tree_next(map, i, r, false))
			near_remove(map, i, index);
	}
	hash_unlink(map, index);
	pto_tree_remove(map, index);
	r->addr = 0;
	r->hash_next = map->free;
	map->free = index;
}

/* The task that is being submitted uses this region: it must stay. */
static bool pinned(const struct pto_runtime *rt, const struct pto_region *r)
{
	return r->pin == (uint32_t)rt->stamp;
}

static bool try_give_up(struct pto_runtime *rt, uint32_t index)
{
	struct pto_region *r = &rt->map.regions[index];

	if (pinned(rt, r) || !idle(rt, r))
		return false;
	give_up(&rt->map, index);
	return true;
}

/*
 * Find the neighbours of a region, and add each to the list of the other, except those that are in
 * the lists already. If there are many, idle ones are freed.
 */
static void meet_neighbours(struct pto_runtime *rt, uint32_t index, bool written, bool unwritten)
{
	struct pto_map *map = &rt->map;
	struct pto_region *r = &map->regions[index];
	uint32_t at, next;

	at = pto_tree_first(map, pto_map_root(map, r->addr), r, !unwritten);
	for (; at; at = next) {
		next = pto_tree_next(map, at, r, !unwritten);
		if (at == index || (!written && map->regions[at].wrote) ||
		    pto_region_overlap(r, &map->regions[at]) == PTO_OVERLAP_NONE ||
		    (r->near_count >= PTO_NEAR && try_give_up(rt, at)))
			continue;
		near_add(map, index, at);
		near_add(map, at, index);
	}
}

/* Free idle neighbours of a region that has had too many, and rebuild its list. */
static void thin_out(struct pto_runtime *rt, uint32_t index)
{
	struct pto_map *map = &rt->map;
	struct pto_region *r = &map->regions[index];
	bool only_written = !r->wrote;
	uint32_t at, next;

	r->near_count = 0;
	at = pto_tree_first(map, pto_map_root(map, r->addr), r, only_written);
	for (; at && r->near_count != PTO_NEAR_MANY; at = next) {
		next = pto_tree_next(map, at, r, only_written);
		if (at != index &&
		    pto_region_overlap(r, &map->regions[at]) != PTO_OVERLAP_NONE &&
		    !try_give_up(rt, at))
			near_add(map, index, at);
	}
}

/* --- regions ------------------------------------------------------------- */

/* Free an idle region among the next @count. */
static bool sweep(struct pto_runtime *rt, uint32_t count)
{
	struct pto_map *map = &rt->map;

	while (count--) {
		if (map->hand >= map->fresh)
			map->hand = 1;
		if (map->regions[map->hand].addr && try_give_up(rt, map->hand))
			return true;
		map->hand++;
	}
	return false;
}

/*
 * Take a region that is not in use. In this order: a freed one; a new one, while there are few; an
 * idle one among the next LOOK_AT; a new one; any idle one. Return: 0 if all are in use.
 */
static uint32_t take_region(struct pto_runtime *rt)
{
	struct pto_map *map = &rt->map;
	uint32_t index;

	if (!map->free && map->fresh >= KEEP_REGIONS)
		sweep(rt, LOOK_AT);
	if (!map->free && map->fresh < map->arena->region_count)
		return map->fresh++;
	if (!map->free)
		sweep(rt, map->fresh);
	index = map->free;
	if (index)
		map->free = map->regions[index].hash_next;
	return index;
}

/* Wait until some tasks have completed. Return: false after an error. */
static bool wait_tasks(struct pto_runtime *rt, const struct pto_slot *slot)
{
	uint64_t target = pto_sched_done(rt->sched) + SWEEP_TASKS;
	struct pto_stall stall = { 0 };
	uint64_t done;

	for (;;) {
		done = pto_sched_done(rt->sched);
		if (done >= target || done == rt->submitted)
			return true;
		if (!pto_rt_wait(rt, &stall, PTO_BACKSTOP_NS, true)) {
			pto_rt_fatal(rt, PTO_FATAL_TENSORMAP_OVERFLOW, 0, slot->id,
				     "no task has completed for %llu ms, and all %u regions are accessed by unfinished ones",
				     PTO_BACKSTOP_NS / 1000000ULL,
				     rt->map.arena->region_count - 1);
			return false;
		}
		if (pto_rt_fatal_code(rt))
			return false;
	}
}

/*
 * Wait for tasks to complete until there is a region that is not in use. When all have completed
 * there is one, because the task that is being submitted uses fewer regions than there are. Tasks
 * of a graph never complete.
 */
static uint32_t wait_region(struct pto_runtime *rt, const struct pto_slot *slot)
{
	uint32_t index;

	while (!(index = take_region(rt))) {
		if (rt->graph) {
			pto_rt_fatal(rt, PTO_FATAL_TENSORMAP_OVERFLOW, 0, slot->id,
				     "all %u regions are accessed by tasks of the graph, all of which has to fit",
				     rt->map.arena->region_count - 1);
			return 0;
		}
		if (!wait_tasks(rt, slot))
			return 0;
	}
	return index;
}

static uint32_t find_region(const struct pto_map *map, uint32_t bucket, const struct pto_tensor *t,
			    uint64_t begin, uint64_t end)
{
	uint32_t index = map->buckets[bucket].region;

	while (index && !pto_region_is(&map->regions[index], t, begin, end))
		index = map->regions[index].hash_next;
	return index;
}

static uint32_t make_region(struct pto_runtime *rt, const struct pto_slot *slot,
			    const struct pto_tensor *t, uint32_t bucket, bool writes)
{
	uint32_t index = take_region(rt);
	struct pto_map *map = &rt->map;
	struct pto_region *r;

	if (!index)
		index = wait_region(rt, slot);
	if (!index)
		return 0;
	r = &map->regions[index];
	pto_region_describe(r, t);
	r->list[PTO_MAP_WRITER] = 0;
	r->list[PTO_MAP_READER] = 0;
	r->wrote = writes;
	r->near_count = 0;
	r->pin = (uint32_t)rt->stamp;
	meet_neighbours(rt, index, true, writes);
	pto_tree_insert(map, pto_map_root(map, r->addr), index);
	hash_link(map, bucket, index);
	return index;
}

/**
 * pto_map_region() - the region that a tensor selects, created if there is none yet
 * @rt: the run
 * @slot: the task that is being submitted
 * @t: the tensor, not empty
 * @writes: the task writes it
 *
 * It stays until the next submit. May wait and reclaim. Return: 0 after an error.
 */
uint32_t pto_map_region(struct pto_runtime *rt, const struct pto_slot *slot,
			const struct pto_tensor *t, bool writes)
{
	struct pto_map *map = pto_map_get(rt);
	uint64_t begin = pto_tensor_begin(t), end = pto_tensor_end(t);
	uint32_t bucket = region_bucket(map, t, begin, end);
	uint32_t index = find_region(map, bucket, t, begin, end);
	struct pto_region *r = &map->regions[index];

	if (!index)
		return make_region(rt, slot, t, bucket, writes);
	r->pin = (uint32_t)rt->stamp;
	if (writes && !r->wrote) {
		meet_neighbours(rt, index, false, true);
		pto_tree_written(map, index);
	}
	if (r->near_count == PTO_NEAR_MANY)
		thin_out(rt, index);
	return index;
}
