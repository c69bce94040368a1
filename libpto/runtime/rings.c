// SPDX-License-Identifier: MIT
/*
 * The rings: task slots, heap blocks and pool edges, which are allocated and reclaimed in order.
 *
 * A ring determines the order of tasks, not their slots. A new task gets the slot that was freed
 * last, because its lines are likely to be in the cache. So a program whose tasks end soon uses
 * few slots, however large the window is. Only if no slot is free, it gets one that the run has
 * not used.
 *
 * Only the orchestrator uses this file. Memory of a task is reclaimed when the task is the oldest
 * of its ring, it and all tasks that retain it have completed, and, if it has outputs, its scope
 * has ended: the program may pass the outputs on until then. The orchestrator reclaims every few
 * submits, and when it needs room.
 *
 * When there is no room it waits, except if waiting cannot help. Tasks depend on earlier tasks
 * only, so they complete whatever the state of the rings. Hence only a scope that is still open
 * can hold the oldest task for ever while the orchestrator waits. Then the run fails at once.
 */
#include "runtime.h"

/*
 * Choose slot @number for the next task. Every submit writes the lines of the slot and of its
 * first tensor, and they may be in another core's cache: prefetch them. (always_inline, because
 * GCC removes calls of a function that only prefetches.)
 */
static inline __attribute__((always_inline))
void choose_slot(const struct pto_runtime *rt, struct pto_ring *ring, uint32_t number)
{
	struct pto_slot *slot = &ring->slots[number];
	const uint8_t *tensors;

	ring->next = number;
	slot->tensors = ring->layout->small +
			number * PTO_SLOT_TENSORS * sizeof(struct pto_tensor);
	tensors = rt->base + slot->tensors;
	__builtin_prefetch(&slot->fanout, 1);
	__builtin_prefetch(&slot->scalars, 1);
	__builtin_prefetch(&slot->heap_end, 1);
	__builtin_prefetch(tensors, 1);
	__builtin_prefetch(tensors + PTO_CACHE_LINE, 1);
}

static uint64_t slot_room(const struct pto_ring *ring)
{
	return ring->mask - (ring->head - ring->tail);
}

static void set_spare(struct pto_ring *ring)
{
	uint64_t room = slot_room(ring);

	ring->spare = room < PTO_RECLAIM_INTERVAL ? (uint32_t)room : PTO_RECLAIM_INTERVAL;
}

/** pto_ring_set_up() - prepare a ring for the run; see pto_ring_get() */
void pto_ring_set_up(struct pto_runtime *rt, uint32_t index)
{
	struct pto_ring *ring = &rt->ring[index];

	*ring = (struct pto_ring){ .layout = &rt->arena->ring[index], .index = index };
	ring->slots = (struct pto_slot *)(rt->base + ring->layout->slots);
	ring->order = (uint32_t *)(rt->base + ring->layout->order);
	ring->mask = ring->layout->window - 1;
	set_spare(ring);
	choose_slot(rt, ring, ring->fresh++);
}

static struct pto_slot *ring_slot(const struct pto_ring *ring, uint64_t local)
{
	return &ring->slots[ring->order[local & ring->mask]];
}

/** pto_scope_holds() - is the scope of @slot still open? */
bool pto_scope_holds(const struct pto_runtime *rt, const struct pto_slot *slot)
{
	return slot->depth <= rt->depth &&
	       pto_task_local(slot->id) >= rt->scope[slot->depth].start;
}

/** pto_task_find() - find the state and the slot of the task with id @id */
enum pto_liveness pto_task_find(struct pto_runtime *rt, uint64_t id, struct pto_slot **slot)
{
	uint32_t index = pto_task_ring(id);
	uint64_t local = pto_task_local(id);
	const struct pto_ring *ring;

	if (!rt->ring[index].layout)
		return PTO_TASK_UNKNOWN;
	ring = &rt->ring[index];
	if (local >= ring->head)
		return PTO_TASK_UNKNOWN;
	if (local < ring->tail)
		return PTO_TASK_RECLAIMED;
	*slot = ring_slot(ring, local);
	return PTO_TASK_LIVE;
}

static uint32_t pool_edges(const struct pto_slot *slot)
{
	const uint32_t own = PTO_SLOT_EDGES + PTO_SIDE_EDGES;

	return slot->edge_count > own ? slot->edge_count - own : 0;
}

/* Does the scope of @slot hold it? */
static bool held(const struct pto_runtime *rt, const struct pto_slot *slot)
{
	return (slot->has_heap || rt->replays) && pto_scope_holds(rt, slot);
}

static bool reclaimable(const struct pto_runtime *rt, struct pto_slot *slot)
{
	return pto_slot_completed(slot) && !held(rt, slot) &&
	       atomic_load_explicit(&slot->released, memory_order_acquire) == slot->retained;
}

/**
 * pto_ring_reclaim() - reclaim the oldest tasks of a ring
 * Return: true if any task was reclaimed.
 */
bool pto_ring_reclaim(struct pto_runtime *rt, struct pto_ring *ring)
{
	uint64_t start = ring->tail;

	while (ring->tail < ring->head && !rt->graph) {
		struct pto_slot *slot = ring_slot(ring, ring->tail);

		if (!reclaimable(rt, slot))
			break;
		if (slot->access_count)
			pto_map_drop_task(rt, slot);
		if (slot->has_heap) {
			ring->heap_tail = slot->heap_end;
			ring->heap_blocks--;
		}
		ring->pool_tail = slot->dep_first + pool_edges(slot);
		slot->stamp_edge = ring->free;
		ring->free = ring->order[ring->tail++ & ring->mask] + 1;
	}
	set_spare(ring);
	return ring->tail != start;
}

/*
 * Find room for @bytes in the heap without allocating it. A block does not wrap around the end.
 * head == tail means empty, so a wrapped head stays below the tail.
 */
static bool heap_place(struct pto_ring *ring, uint64_t bytes, uint64_t *place)
{
	if (!ring->heap_blocks) {
		ring->heap_head = 0;
		ring->heap_tail = 0;
	}
	if (ring->heap_head >= ring->heap_tail) {
		if (ring->layout->heap_size - ring->heap_head >= bytes) {
			*place = ring->heap_head;
			return true;
		}
		*place = 0;
		return ring->heap_tail > bytes;
	}
	*place = ring->heap_head;
	return ring->heap_tail - ring->heap_head > bytes;
}

/*
 * Does a scope hold the oldest task of the ring, which cannot end while the orchestrator waits? A
 * graph that is being built holds all its tasks.
 */
static bool stuck(const struct pto_runtime *rt, const struct pto_ring *ring)
{
	return rt->graph ||
	       (ring->tail < ring->head && held(rt, ring_slot(ring, ring->tail)));
}

/* A wait makes at least this number of checks before it fails. */
#define STALL_LOOKS 64

/*
 * The time since the last completion. The time between two checks counts only up to a limit,
 * because on a machine that stands still no task can complete.
 */
static uint64_t stalled(struct pto_stall *stall, uint64_t now, uint64_t bound)
{
	uint64_t passed = stall->seen ? now - stall->seen : 0;

	stall->seen = now;
	stall->waited += passed < bound / STALL_LOOKS ? passed : bound / STALL_LOOKS;
	return stall->waited;
}

/**
 * pto_rt_wait() - one step of waiting for tasks to complete
 * @rt: the run
 * @stall: this wait
 * @bound: limit, in ns, of the time without a completion
 * @patient: time in which a kernel runs does not count; it has its own bound
 *
 * Return: false if the limit is exceeded.
 */
bool pto_rt_wait(struct pto_runtime *rt, struct pto_stall *stall, uint64_t bound, bool patient)
{
	uint64_t done = pto_sched_done(rt->sched);

	/* Read the clock only if no task has completed. */
	if (done != stall->done) {
		stall->done = done;
		stall->seen = 0;
		stall->waited = 0;
	} else if (stalled(stall, rt->env->now(), bound) >= bound) {
		if (!patient || !rt->env->busy(rt))
			return false;
		stall->waited = 0;
	}
	rt->env->wait(rt);
	return true;
}

/* Why the oldest task of a ring is not reclaimed, as text. */
static const char *holder(const struct pto_runtime *rt, const struct pto_ring *ring)
{
	struct pto_slot *slot = ring_slot(ring, ring->tail);

	if (rt->graph)
		return "is held by the graph, all of which has to fit";
	if (held(rt, slot))
		return "is held by an open scope";
	if (!pto_slot_completed(slot))
		return "does not complete";
	return "is retained by tasks that do not complete";
}

static void report_full(struct pto_runtime *rt, const struct pto_ring *ring, uint64_t bytes)
{
	uint64_t task = pto_task_id(ring->index, ring->tail);

	if (!slot_room(ring))
		pto_rt_fatal(rt, PTO_FATAL_FLOW_CONTROL_DEADLOCK, 0, task,
			     "ring %u: its window is full (one slot stays free), the oldest task %s",
			     ring->index, holder(rt, ring));
	else
		pto_rt_fatal(rt, PTO_FATAL_HEAP_RING_DEADLOCK, 0, task,
			     "ring %u: its heap has no room for %llu bytes, the oldest task %s",
			     ring->index, (unsigned long long)bytes, holder(rt, ring));
}

/*
 * Make room for a slot and for @bytes in the heap: reclaim when that is due, and wait if
 * necessary. noinline, because this is not the usual path.
 */
__attribute__((noinline))
static bool make_room(struct pto_runtime *rt, struct pto_ring *ring, uint64_t bytes,
		      uint64_t *place)
{
	struct pto_stall stall = { 0 };

	if (!ring->spare)
		pto_ring_reclaim(rt, ring);
	while (!ring->spare || (bytes && !heap_place(ring, bytes, place))) {
		if (pto_ring_reclaim(rt, ring))
			continue;
		if (stuck(rt, ring) || !pto_rt_wait(rt, &stall, PTO_BACKSTOP_NS, true)) {
			report_full(rt, ring, bytes);
			return false;
		}
		if (pto_rt_fatal_code(rt))
			return false;
	}
	return true;
}

/* Take the slot that was chosen before, and choose the next one. One slot always stays free. */
static struct pto_slot *take_slot(const struct pto_runtime *rt, struct pto_ring *ring)
{
	struct pto_slot *slot = &ring->slots[ring->next];
	uint32_t number = ring->free;

	ring->order[ring->head & ring->mask] = ring->next;
	if (number--)
		ring->free = ring->slots[number].stamp_edge;
	else
		number = ring->fresh++;
	choose_slot(rt, ring, number);
	return slot;
}

/* Initialise the next slot: not completed, without edges. */
static struct pto_slot *open_slot(struct pto_runtime *rt, struct pto_ring *ring)
{
	struct pto_slot *slot = take_slot(rt, ring);

	atomic_store_explicit(&slot->fanout, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->pending, PTO_PENDING_GUARD, memory_order_relaxed);
	atomic_store_explicit(&slot->released, 0, memory_order_relaxed);
	slot->id = pto_task_id(ring->index, ring->head++);
	slot->ring = (uint8_t)ring->index;
	slot->depth = rt->depth;
	slot->retained = 0;
	slot->edge_count = 0;
	slot->keeps = 0;
	slot->access_count = 0;
	slot->stamp = 0;
	slot->dep_first = ring->pool_head;
	return slot;
}

/* Address of the heap. The heap of a graph exists on the device only. */
static uint64_t heap_base(const struct pto_runtime *rt, const struct pto_ring *ring)
{
	if (rt->graph)
		return PTO_DEV_GRAPH_HEAP;
	return (uint64_t)(uintptr_t)(rt->base + ring->layout->heap);
}

/** pto_ring_heap_has() - is this memory in the heap of a ring that is set up? */
bool pto_ring_heap_has(const struct pto_runtime *rt, const struct pto_ring *ring, uint64_t addr,
		       uint64_t bytes)
{
	uint64_t offset = addr - heap_base(rt, ring);

	return offset <= ring->layout->heap_size && bytes <= ring->layout->heap_size - offset;
}

/**
 * pto_ring_alloc() - allocate a task slot, and heap for its outputs
 * @rt: the run
 * @ring: the ring
 * @heap_bytes: bytes of heap, a multiple of PTO_HEAP_ALIGN, or 0
 * @heap_addr: out: address of the block
 *
 * Return: the slot, which is not reclaimed before it has completed; NULL after an error.
 */
struct pto_slot *pto_ring_alloc(struct pto_runtime *rt, struct pto_ring *ring, uint64_t heap_bytes,
				uint64_t *heap_addr)
{
	struct pto_slot *slot;
	uint64_t place = 0;

	if (heap_bytes > ring->layout->heap_size) {
		pto_rt_fatal(rt, PTO_FATAL_HEAP_RING_DEADLOCK, 0, PTO_NO_TASK,
			     "ring %u: outputs of %llu bytes in a heap of %llu", ring->index,
			     (unsigned long long)heap_bytes,
			     (unsigned long long)ring->layout->heap_size);
		return NULL;
	}
	if ((heap_bytes || !ring->spare) && !make_room(rt, ring, heap_bytes, &place))
		return NULL;
	ring->spare--;
	slot = open_slot(rt, ring);
	slot->has_heap = heap_bytes != 0;
	if (heap_bytes) {
		slot->heap_end = place + heap_bytes;
		ring->heap_head = slot->heap_end;
		ring->heap_blocks++;
		*heap_addr = heap_base(rt, ring) + place;
	}
	return slot;
}

/** pto_edge_at() - edge @i of a task: in the slot, beside it, or in the pool */
struct pto_edge *pto_edge_at(const struct pto_arena *arena, struct pto_slot *slot, uint32_t i)
{
	const struct pto_ring_layout *l = &arena->ring[slot->ring];
	uint8_t *base = (uint8_t *)(uintptr_t)arena;

	if (i < PTO_SLOT_EDGES)
		return &slot->edges[i];
	i -= PTO_SLOT_EDGES;
	if (i < PTO_SIDE_EDGES)
		return (struct pto_edge *)(base + l->side) +
		       pto_slot_number(arena, slot) * PTO_SIDE_EDGES + i;
	i -= PTO_SIDE_EDGES;
	return (struct pto_edge *)(base + l->pool) + (slot->dep_first + i) % l->dep_pool;
}

/** pto_edge_room() - can @slot, the youngest task of its ring, take another edge at once? */
bool pto_edge_room(struct pto_runtime *rt, const struct pto_slot *slot)
{
	const struct pto_ring *ring = &rt->ring[slot->ring];

	return slot->edge_count < PTO_SLOT_EDGES + PTO_SIDE_EDGES ||
	       slot->dep_first + pool_edges(slot) - ring->pool_tail < ring->layout->dep_pool;
}

static void report_pool(struct pto_runtime *rt, const struct pto_slot *slot)
{
	const struct pto_ring *ring = &rt->ring[slot->ring];

	pto_rt_fatal(rt, PTO_FATAL_DEP_POOL_OVERFLOW, 0, slot->id,
		     "ring %u: a task with %u dependencies so far, %llu of a pool of %llu in use, the oldest task %s",
		     slot->ring, slot->edge_count,
		     (unsigned long long)(slot->dep_first + pool_edges(slot) - ring->pool_tail),
		     (unsigned long long)ring->layout->dep_pool, holder(rt, ring));
}

/**
 * pto_edge_reserve() - wait until pto_edge_room()
 *
 * This reclaims: pointers of the caller to tasks, to entries of the tensor map and into its lists
 * may become invalid. Return: false after an error.
 */
bool pto_edge_reserve(struct pto_runtime *rt, struct pto_slot *slot)
{
	struct pto_ring *ring = &rt->ring[slot->ring];
	struct pto_stall stall = { 0 };

	while (!pto_edge_room(rt, slot)) {
		if (pto_ring_reclaim(rt, ring))
			continue;
		if (ring->pool_tail == slot->dep_first || stuck(rt, ring) ||
		    !pto_rt_wait(rt, &stall, PTO_BACKSTOP_NS, true)) {
			report_pool(rt, slot);
			return false;
		}
		if (pto_rt_fatal_code(rt))
			return false;
	}
	return true;
}
