// SPDX-License-Identifier: MIT
/*
 * The tensor map: which tasks access which regions of which buffers.
 *
 * A hash of the buffer's address leads to a bucket with two lists, writers and readers.
 * An entry is on its bucket's list and on its task's list, both doubly linked, so that
 * taking it out is O(1): when a later writer covers it, when somebody comes across it after
 * its task has completed, or when its task is reclaimed.
 *
 * The orchestrator's own. What the entries mean for ordering is deps.c's affair.
 */
#include "runtime.h"

#define HASH_FACTOR 0x9E3779B97F4A7C15ULL

/*
 * Epochs recognise what earlier runs left. They count up and may wrap: the first run
 * after a wrap must not meet buckets of 2^32 runs ago.
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
		map->entries = (struct pto_map_entry *)(rt->base + rt->arena->entries);
		map->free = 0;
		map->fresh = 1;
	}
	return map;
}

/** pto_map_bucket() - bucket of a buffer, made empty if it is of another run */
uint32_t pto_map_bucket(const struct pto_map *map, uint64_t addr)
{
	uint32_t index = (uint32_t)((addr * HASH_FACTOR) >> map->arena->bucket_shift);
	struct pto_map_bucket *b = &map->buckets[index];

	if (b->epoch != map->epoch)
		*b = (struct pto_map_bucket){ .epoch = map->epoch };
	return index;
}

/** pto_map_first() - first entry of a bucket's list, 0 if it is empty */
uint32_t pto_map_first(const struct pto_map *map, uint32_t bucket, uint32_t kind)
{
	return map->buckets[bucket].list[kind];
}

/* --- overlap ------------------------------------------------------------- */

/* Byte that holds element @index, and the byte behind the one that holds index - 1. */
static uint64_t byte_of(uint8_t dtype, uint64_t index)
{
	uint32_t bytes = pto_dtype_size(dtype);

	return bytes ? index * bytes : index / 2;
}

static uint64_t byte_end(uint8_t dtype, uint64_t index)
{
	uint32_t bytes = pto_dtype_size(dtype);

	return bytes ? index * bytes : index / 2 + (index & 1);
}

/*
 * Splits the first element's place into an index per dimension, strides descending. The
 * result is sound only if every stride is a multiple of the next one and the box does
 * not run over the end of its row, so that indices and places belong to each other
 * one to one; otherwise false.
 */
static bool split_start(uint64_t start, uint32_t ndims, const uint32_t *shapes,
			const uint32_t *strides, uint64_t *index, uint64_t *rest)
{
	uint32_t i;

	for (i = 0; i < ndims; i++) {
		index[i] = start / strides[i];
		start %= strides[i];
		if (i == 0)
			continue;
		if (strides[i - 1] % strides[i] ||
		    index[i] + shapes[i] > strides[i - 1] / strides[i])
			return false;
	}
	*rest = start;
	return true;
}

/*
 * Boxes of one grid. Two with different rests lie between each other's elements: the
 * last stride divides all others.
 */
static int box_overlap(const struct pto_tensor *t, const struct pto_map_entry *e)
{
	uint64_t a[PTO_MAX_TENSOR_DIMS], b[PTO_MAX_TENSOR_DIMS];
	uint64_t rest_a, rest_b;
	bool covered = true;
	uint32_t i;

	if (!split_start(t->start_offset, t->ndims, t->shapes, t->strides, a, &rest_a) ||
	    !split_start(e->start, e->ndims, e->shapes, e->strides, b, &rest_b))
		return PTO_OVERLAP_PARTIAL;
	if (rest_a != rest_b)
		return PTO_OVERLAP_NONE;
	for (i = 0; i < t->ndims; i++) {
		if (a[i] >= b[i] + e->shapes[i] || b[i] >= a[i] + t->shapes[i])
			return PTO_OVERLAP_NONE;
		if (a[i] > b[i] || a[i] + t->shapes[i] < b[i] + e->shapes[i])
			covered = false;
	}
	return covered ? PTO_OVERLAP_COVERED : PTO_OVERLAP_PARTIAL;
}

static bool same_grid(const struct pto_tensor *t, const struct pto_map_entry *e)
{
	uint32_t i;

	if (t->dtype != e->dtype || t->ndims != e->ndims)
		return false;
	for (i = 0; i < t->ndims; i++)
		if (t->strides[i] != e->strides[i])
			return false;
	return true;
}

static bool same_box(const struct pto_tensor *t, const struct pto_map_entry *e)
{
	uint32_t i;

	if (t->start_offset != e->start)
		return false;
	for (i = 0; i < t->ndims; i++)
		if (t->shapes[i] != e->shapes[i])
			return false;
	return true;
}

/**
 * pto_map_overlap() - how does a new access relate to an older one?
 * @t: the new access, not empty
 * @e: the older one
 *
 * Exact for boxes of one grid and for contiguous regions, otherwise on the safe side.
 * Return: PTO_OVERLAP_*. An access of a higher version covers nothing.
 */
int pto_map_overlap(const struct pto_tensor *t, const struct pto_map_entry *e)
{
	uint64_t begin, end;
	int result = PTO_OVERLAP_PARTIAL;

	if (t->addr != e->addr)
		return PTO_OVERLAP_NONE;
	begin = byte_of(t->dtype, t->start_offset);
	end = byte_end(t->dtype, t->start_offset + t->extent);
	if (begin >= e->end || e->begin >= end)
		return PTO_OVERLAP_NONE;
	if (same_grid(t, e) && same_box(t, e))
		result = PTO_OVERLAP_COVERED;
	else if (!pto_dtype_size(t->dtype))
		result = PTO_OVERLAP_PARTIAL;	/* neighbours share bytes */
	else if (t->is_contiguous && begin <= e->begin && end >= e->end)
		result = PTO_OVERLAP_COVERED;
	else if (same_grid(t, e))
		result = box_overlap(t, e);
	if (result == PTO_OVERLAP_COVERED && t->version > e->version)
		result = PTO_OVERLAP_PARTIAL;
	return result;
}

/* --- entries ------------------------------------------------------------- */

/** pto_map_remove() - take entry @index out of both its lists and free it */
void pto_map_remove(struct pto_runtime *rt, uint32_t index)
{
	struct pto_map *map = &rt->map;
	struct pto_map_entry *e = &map->entries[index];
	struct pto_slot *slot = (struct pto_slot *)(rt->base + e->task);

	if (e->prev)
		map->entries[e->prev].next = e->next;
	else
		map->buckets[e->bucket].list[e->kind] = e->next;
	if (e->next)
		map->entries[e->next].prev = e->prev;
	if (e->task_prev)
		map->entries[e->task_prev].task_next = e->task_next;
	else
		slot->map_head = e->task_next;
	if (e->task_next)
		map->entries[e->task_next].task_prev = e->task_prev;
	e->next = map->free;
	map->free = index;
}

/** pto_map_drop_task() - remove all entries of a task */
void pto_map_drop_task(struct pto_runtime *rt, struct pto_slot *slot)
{
	while (slot->map_head)
		pto_map_remove(rt, slot->map_head);
}

/* Removes entries of tasks that have completed but are held. Return: true if any. */
static bool drop_completed(struct pto_runtime *rt)
{
	bool any = false;
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		struct pto_ring *ring = &rt->ring[i];
		uint64_t local;

		if (!ring->layout)
			continue;
		for (local = ring->tail; local < ring->head; local++) {
			struct pto_slot *slot = &ring->slots[local & (ring->layout->window - 1)];

			if (slot->map_head && pto_slot_completed(slot)) {
				pto_map_drop_task(rt, slot);
				any = true;
			}
		}
	}
	return any;
}

static uint32_t take_entry(struct pto_runtime *rt)
{
	struct pto_map *map = &rt->map;
	uint32_t index = map->free;

	if (index)
		map->free = map->entries[index].next;
	else if (map->fresh < map->arena->entry_count)
		index = map->fresh++;
	return index;
}

/* An entry; waits for tasks to complete while there is none. 0 after an error. */
static uint32_t alloc_entry(struct pto_runtime *rt, const struct pto_slot *slot)
{
	uint32_t index;

	while (!(index = take_entry(rt))) {
		if (pto_rings_reclaim(rt) || drop_completed(rt))
			continue;
		if (pto_sched_done(rt->sched) == rt->submitted) {
			pto_rt_fatal(rt, PTO_FATAL_TENSORMAP_OVERFLOW, 0, slot->id,
				     "all %u entries belong to the task that is submitted",
				     rt->map.arena->entry_count);
			return 0;
		}
		rt->env->wait(rt);
		if (pto_rt_fatal_code(rt))
			return 0;
	}
	return index;
}

static void fill_entry(struct pto_map_entry *e, const struct pto_tensor *t)
{
	e->addr = t->addr;
	e->begin = byte_of(t->dtype, t->start_offset);
	e->end = byte_end(t->dtype, t->start_offset + t->extent);
	e->start = t->start_offset;
	e->version = t->version;
	e->dtype = t->dtype;
	e->ndims = (uint8_t)t->ndims;
	e->is_contiguous = t->is_contiguous;
	__builtin_memcpy(e->shapes, t->shapes, sizeof(e->shapes));
	__builtin_memcpy(e->strides, t->strides, sizeof(e->strides));
}

/**
 * pto_map_insert() - remember that a task accesses a region
 * @rt: the run
 * @slot: the task
 * @t: the region, not empty
 * @kind: PTO_MAP_WRITER or PTO_MAP_READER
 *
 * May wait and reclaim. Return: false after an error.
 */
bool pto_map_insert(struct pto_runtime *rt, struct pto_slot *slot, const struct pto_tensor *t,
		    uint32_t kind)
{
	struct pto_map *map = pto_map_get(rt);
	uint32_t bucket = pto_map_bucket(map, t->addr);
	uint32_t index = alloc_entry(rt, slot);
	struct pto_map_entry *e = &map->entries[index];
	uint32_t *head = &map->buckets[bucket].list[kind];

	if (!index)
		return false;
	fill_entry(e, t);
	e->task = pto_offset_of(rt, slot);
	e->bucket = bucket;
	e->kind = (uint8_t)kind;
	e->prev = 0;
	e->next = *head;
	if (e->next)
		map->entries[e->next].prev = index;
	*head = index;
	e->task_prev = 0;
	e->task_next = slot->map_head;
	if (e->task_next)
		map->entries[e->task_next].task_prev = index;
	slot->map_head = index;
	return true;
}
