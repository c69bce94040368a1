// SPDX-License-Identifier: MIT
/*
 * The rings: task slots, heap blocks and pool edges, given out and taken back in order.
 *
 * A ring is an order of tasks. Which slot a task gets is another matter: the one that was given
 * back last, because its lines are likely to be in the cache still, so that a program whose tasks
 * end soon goes round in few slots however wide the window is. Only if there is none it is one
 * that the run has not used.
 *
 * Everything here belongs to the orchestrator. Memory comes back when the oldest task of
 * a ring has completed, all tasks that retain it have completed, and, if it has outputs,
 * its scope has ended: the program may pass those on until then.
 * The orchestrator looks for that itself: every few submits, and when it needs room.
 *
 * When there is no room it waits, except when waiting is in vain. Tasks complete whatever
 * the rings look like, since they depend on tasks submitted earlier only. So the one thing
 * that can hold the oldest task for ever while the orchestrator waits is a scope that
 * is still open: then the run fails at once.
 */
#include "runtime.h"

/*
 * The next task gets slot @number. Its lines and those of its first tensor, which every submit
 * writes, are asked for now: they may be another thread's. (GCC takes calls of a function that
 * does nothing else for superfluous, unless it has inlined them before it looks.)
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

/** pto_scope_holds() - is the scope in which @slot was submitted still open? */
bool pto_scope_holds(const struct pto_runtime *rt, const struct pto_slot *slot)
{
	return slot->depth <= rt->depth &&
	       pto_task_local(slot->id) >= rt->scope[slot->depth].start;
}

/** pto_task_find() - what has become of the task with id @id? */
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

/* Does the scope in which @slot was submitted hold it? */
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
 * pto_ring_reclaim() - take back what the oldest tasks of a ring held
 * Return: true if any task was taken back.
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
 * Finds room for @bytes in the heap without taking it; a block does not straddle the end.
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
 * Is the oldest task of the ring held by a scope that cannot end while we wait? A graph that
 * is built holds all its tasks.
 */
static bool stuck(const struct pto_runtime *rt, const struct pto_ring *ring)
{
	return rt->graph ||
	       (ring->tail < ring->head && held(rt, ring_slot(ring, ring->tail)));
}

/* So often at least a wait looks before it has been too long. */
#define STALL_LOOKS 64

/*
 * How long has nothing completed? A machine that stands still between two looks gives nobody
 * time to complete anything, so that counts as little.
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
 * @bound: how long, in ns, none may complete
 * @patient: time in which a kernel runs does not count; its own bound ends that
 *
 * Return: false if it has been too long.
 */
bool pto_rt_wait(struct pto_runtime *rt, struct pto_stall *stall, uint64_t bound, bool patient)
{
	uint64_t done = pto_sched_done(rt->sched);

	/* The clock matters only while nothing completes, so it is not looked at before. */
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

/* What the oldest task of a ring waits for, in words. */
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
 * Sees to it that there is a slot, and a place for @bytes in the heap: looks at the tail when that
 * is due, and waits. Away from the usual path.
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

/* Takes the slot that was chosen when the last task came, and chooses another; one stays free. */
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

/* Takes the next slot into use: alive, not completed, without edges. */
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

/* Where the heap begins. That of a graph is the device's, wherever that will have it. */
static uint64_t heap_base(const struct pto_runtime *rt, const struct pto_ring *ring)
{
	if (rt->graph)
		return PTO_DEV_GRAPH_HEAP;
	return (uint64_t)(uintptr_t)(rt->base + ring->layout->heap);
}

/**
 * pto_ring_alloc() - allocate a task slot, and heap for its outputs
 * @rt: the run
 * @ring: where to
 * @heap_bytes: bytes of heap, a multiple of PTO_HEAP_ALIGN, or 0
 * @heap_addr: where the block begins
 *
 * Return: the slot, closed to reclaim because it has not completed; NULL after an error.
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
 * Reclaims, so tasks, entries of the tensor map and positions in its lists that the
 * caller remembers may be gone. Return: false after an error.
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
