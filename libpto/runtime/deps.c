// SPDX-License-Identifier: MIT
/*
 * The dependency rules: which task waits for which. Only this file implements them;
 * Documentation/dependencies.rst specifies them.
 *
 * There are two kinds of dependency. WAIT: the consumer does not start before the producer has
 * completed. RETAIN: the producer's slot and outputs are not reclaimed before the consumer has
 * completed. Explicit dependencies and dependencies on owners are both. Dependencies found in the
 * tensor map are WAIT only, because the owner holds the memory.
 */
#include "runtime.h"

/* A task that is being wired, that is, for which edges to its producers are being added. */
struct wiring {
	struct pto_runtime *rt;
	struct pto_slot *slot;
	uint32_t unmet;
	uint32_t region[PTO_TASK_MAX_TENSORS + 1];	/* of each argument, 0: not tracked */
};

/*
 * Add an edge to the producer's fan-out list. Only the orchestrator adds edges, and only the
 * completing thread closes the list. So if the swap fails, the producer has completed.
 */
static bool fanout_push(const struct wiring *w, struct pto_slot *producer, struct pto_edge *e)
{
	uint64_t head = atomic_load_explicit(&producer->fanout, memory_order_acquire);

	if (head == PTO_FANOUT_CLOSED)
		return false;
	e->next = head;
	return atomic_compare_exchange_strong_explicit(&producer->fanout, &head,
						       pto_offset_of(w->rt, e),
						       memory_order_release, memory_order_acquire);
}

static void retain(const struct wiring *w, struct pto_slot *producer, struct pto_edge *e)
{
	if (e->producer)
		return;
	e->producer = pto_offset_of(w->rt, producer);
	producer->retained++;
	w->slot->keeps++;
}

/* Make the task depend on a producer, by one edge at most. There is room for an edge. */
static void tie(struct wiring *w, struct pto_slot *producer, bool keep)
{
	struct pto_edge *e;
	bool waits;

	if (producer->stamp == w->rt->stamp) {
		if (keep && !w->rt->graph)
			retain(w, producer,
			       pto_edge_at(w->rt->arena, w->slot, producer->stamp_edge));
		return;
	}
	if (w->rt->graph) {
		pto_graph_tie(w->rt, producer);
		return;
	}
	e = pto_edge_at(w->rt->arena, w->slot, w->slot->edge_count);
	e->task = pto_offset_of(w->rt, w->slot);
	e->producer = 0;
	waits = fanout_push(w, producer, e);
	if (!waits && !keep)
		return;
	if (keep)
		retain(w, producer, e);
	w->unmet += waits;
	producer->stamp = w->rt->stamp;
	producer->stamp_edge = w->slot->edge_count++;
}

static bool room(struct wiring *w)
{
	return pto_edge_room(w->rt, w->slot) || pto_edge_reserve(w->rt, w->slot);
}

/* --- explicit dependencies ----------------------------------------------- */

static bool tie_explicit(struct wiring *w, uint64_t id)
{
	struct pto_slot *producer;

	if (id == PTO_NO_TASK)
		return true;
	if (!room(w))
		return false;
	switch (pto_task_find(w->rt, id, &producer)) {
	case PTO_TASK_RECLAIMED:
		return true;
	case PTO_TASK_LIVE:
		if (producer != w->slot) {
			tie(w, producer, true);
			return true;
		}
		break;
	case PTO_TASK_UNKNOWN:
		break;
	}
	pto_rt_fatal(w->rt, PTO_FATAL_INVALID_ARGS, 0, w->slot->id,
		     "dependency on task 0x%llx, which was never submitted",
		     (unsigned long long)id);
	return false;
}

static bool tie_list(struct wiring *w, const uint64_t *ids, uint32_t count)
{
	uint32_t i;

	/* Read once: the list of a graph is in memory that the application may write. */
	for (i = 0; i < count; i++)
		if (!tie_explicit(w, __atomic_load_n(&ids[i], __ATOMIC_RELAXED)))
			return false;
	return true;
}

/* --- owners -------------------------------------------------------------- */

/*
 * The task that owns a tensor's memory. Its scope must be open, else the memory is invalid. The
 * program can change a tensor's address, which must be one of memory that tasks own.
 */
static struct pto_slot *find_owner(struct pto_runtime *rt, const struct pto_tensor *t)
{
	struct pto_slot *owner = NULL;

	if (pto_task_find(rt, t->owner_task, &owner) != PTO_TASK_LIVE ||
	    !pto_scope_holds(rt, owner)) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, t->owner_task,
			     "a tensor is used after the scope in which this task allocated it has ended");
		return NULL;
	}
	if (pto_ring_heap_has(rt, &rt->ring[owner->ring], t->addr, t->size))
		return owner;
	pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, t->owner_task,
		     "a tensor of this task: its buffer at 0x%llx, %llu bytes, is not in the heap of ring %u",
		     (unsigned long long)t->addr, (unsigned long long)t->size, owner->ring);
	return NULL;
}

static bool tie_owner(struct wiring *w, const struct pto_tensor *t, bool automatic)
{
	struct pto_slot *owner;

	if (t->owner_task == PTO_NO_TASK)
		return true;
	owner = find_owner(w->rt, t);
	if (!owner || !automatic)
		return owner;
	if (!room(w))
		return false;
	tie(w, owner, true);
	return true;
}

/* --- overlap ------------------------------------------------------------- */

/*
 * Make the task depend on the tasks of one list. Removes accesses of completed tasks, and accesses
 * that the task's own access covers: a later access that overlaps them overlaps the covering one,
 * too. Waiting for room for an edge may change the list, so it is processed from the start then;
 * edges added before are recognised.
 */
static bool tie_accesses(struct wiring *w, const uint64_t *list, bool covers, int32_t version)
{
	uint64_t at = *list;

	while (at) {
		struct pto_access *a = (struct pto_access *)(w->rt->base + at);
		struct pto_slot *task = (struct pto_slot *)(w->rt->base + a->task);

		at = a->next;
		if (pto_slot_completed(task)) {
			pto_map_forget(w->rt, a);
		} else if (pto_edge_room(w->rt, w->slot)) {
			tie(w, task, false);
			if (covers && version <= a->version)
				pto_map_forget(w->rt, a);
		} else {
			if (!pto_edge_reserve(w->rt, w->slot))
				return false;
			at = *list;
		}
	}
	return true;
}

/* A reader waits for writers, a writer for writers and readers. */
static bool tie_region(struct wiring *w, const struct pto_region *r, bool writes, bool covers,
		       int32_t version)
{
	covers &= writes;
	return tie_accesses(w, &r->list[PTO_MAP_WRITER], covers, version) &&
	       (!writes || tie_accesses(w, &r->list[PTO_MAP_READER], covers, version));
}

/* tie_near() for a region with more neighbours than it can store. */
static bool tie_many(struct wiring *w, const struct pto_region *r, bool writes, int32_t version)
{
	const struct pto_map *map = &w->rt->map;
	uint32_t at = pto_tree_first(map, pto_map_root(&w->rt->map, r->addr), r, !writes);
	int overlap;

	for (; at; at = pto_tree_next(map, at, r, !writes)) {
		overlap = pto_region_overlap(r, &map->regions[at]);
		if (&map->regions[at] != r && overlap != PTO_OVERLAP_NONE &&
		    !tie_region(w, &map->regions[at], writes, overlap == PTO_OVERLAP_COVERED,
				version))
			return false;
	}
	return true;
}

static bool tie_near(struct wiring *w, const struct pto_region *r, bool writes, int32_t version)
{
	const struct pto_map *map = &w->rt->map;
	uint32_t i;

	if (r->near_count == PTO_NEAR_MANY)
		return tie_many(w, r, writes, version);
	for (i = 0; i < r->near_count; i++)
		if (!tie_region(w, &map->regions[r->near[i] & ~PTO_NEAR_COVERED], writes,
				r->near[i] & PTO_NEAR_COVERED, version))
			return false;
	return true;
}

static bool tracked(const struct pto_tensor *t, uint8_t type)
{
	return type != PTO_ARG_OUTPUT && type != PTO_ARG_NO_DEP && !t->manual_dep && t->extent;
}

/* Make the task depend on the tasks that its @i-th argument conflicts with. */
static bool tie_tensor(struct wiring *w, const struct pto_tensor *t, uint8_t type, uint32_t i)
{
	bool writes = type != PTO_ARG_INPUT;
	const struct pto_region *r;

	w->region[i] = 0;
	if (!tie_owner(w, t, true))
		return false;
	if (!tracked(t, type))
		return true;
	w->region[i] = pto_map_region(w->rt, w->slot, t, writes);
	if (!w->region[i])
		return false;
	r = &w->rt->map.regions[w->region[i]];
	return tie_region(w, r, writes, true, t->version) && tie_near(w, r, writes, t->version);
}

/* The tensor of a predicate, which counts as an INPUT; NULL if there is none. */
static const struct pto_tensor *predicate_tensor(const struct pto_task_args *args)
{
	return args->flags & PTO_TASK_PREDICATE ? args->predicate : NULL;
}

static bool tie_tensors(struct wiring *w, const struct pto_task_args *args)
{
	const struct pto_tensor *t = predicate_tensor(args);
	uint32_t i;

	if (t && !tie_tensor(w, t, PTO_ARG_INPUT, args->tensor_count))
		return false;
	for (i = 0; i < args->tensor_count; i++)
		if (args->types[i] != PTO_ARG_OUTPUT &&
		    !tie_tensor(w, args->tensors[i], args->types[i], i))
			return false;
	return true;
}

/* In a MANUAL scope a task does not depend on owners, but their memory must be valid. */
static bool check_owners(struct wiring *w, const struct pto_task_args *args)
{
	const struct pto_tensor *t = predicate_tensor(args);
	uint32_t i;

	if (t && !tie_owner(w, t, false))
		return false;
	for (i = 0; i < args->tensor_count; i++)
		if (args->types[i] != PTO_ARG_OUTPUT && !tie_owner(w, args->tensors[i], false))
			return false;
	return true;
}

static void track(struct wiring *w, const struct pto_tensor *t, uint8_t type, uint32_t i)
{
	if (w->region[i])
		pto_map_insert(w->rt, w->slot, w->region[i],
			       type == PTO_ARG_INPUT ? PTO_MAP_READER : PTO_MAP_WRITER, t->version);
}

/* Add the dependencies by tensors. Then track the task, so that it does not find itself. */
static bool follow_tensors(struct wiring *w, const struct pto_task_args *args)
{
	const struct pto_tensor *t = predicate_tensor(args);
	uint32_t i;

	if (w->rt->scope[w->rt->depth].mode != PTO_SCOPE_AUTO)
		return check_owners(w, args);
	if (!tie_tensors(w, args))
		return false;
	for (i = 0; i < args->tensor_count; i++)
		if (args->types[i] != PTO_ARG_OUTPUT)
			track(w, args->tensors[i], args->types[i], i);
	if (t)
		track(w, t, PTO_ARG_INPUT, args->tensor_count);
	return true;
}

/**
 * pto_deps_wire() - add the edges from a task to all its producers
 * @rt: the run
 * @slot: the task, the youngest of its ring
 * @args: its arguments
 * @unmet: out: number of producers that had not completed when their edge was added
 *
 * The guard keeps pto_slot.pending above 0 until the caller removes it.
 * Return: false after an error; the task will never run then.
 */
bool pto_deps_wire(struct pto_runtime *rt, struct pto_slot *slot, const struct pto_task_args *args,
		   uint32_t *unmet)
{
	struct wiring w;
	uint32_t edges;

	w.rt = rt;
	w.slot = slot;
	w.unmet = 0;
	rt->stamp++;
	if ((args->dep_count && !tie_list(&w, args->deps, args->dep_count)) ||
	    (args->own_dep_count && !tie_list(&w, args->own_deps, args->own_dep_count)) ||
	    !follow_tensors(&w, args))
		return false;
	edges = slot->edge_count;
	if (edges > PTO_SLOT_EDGES + PTO_SIDE_EDGES)
		rt->ring[slot->ring].pool_head = slot->dep_first + edges - PTO_SLOT_EDGES -
						 PTO_SIDE_EDGES;
	*unmet = w.unmet;
	return true;
}

/* --- elements ------------------------------------------------------------ */

/* Has @slot completed, and for a writer, also all tasks that retain it? */
static bool quiet(struct pto_slot *slot, bool write)
{
	return pto_slot_completed(slot) &&
	       (!write || atomic_load_explicit(&slot->released, memory_order_acquire) ==
				  slot->retained);
}

/* The first unfinished task of a list; removes accesses of finished ones. */
static struct pto_slot *find_unfinished(struct pto_runtime *rt, uint64_t list)
{
	while (list) {
		struct pto_access *a = (struct pto_access *)(rt->base + list);
		struct pto_slot *task = (struct pto_slot *)(rt->base + a->task);

		if (!pto_slot_completed(task))
			return task;
		list = a->next;
		pto_map_forget(rt, a);
	}
	return NULL;
}

/* The first unfinished task that a reader, or a writer, of @t has to wait for. */
static struct pto_slot *find_busy(struct pto_runtime *rt, const struct pto_tensor *t, bool write)
{
	struct pto_map *map = pto_map_get(rt);
	struct pto_slot *task = NULL;
	struct pto_region element;
	uint32_t at;

	pto_region_describe(&element, t);
	at = pto_tree_first(map, pto_map_root(map, t->addr), &element, !write);
	for (; at && !task; at = pto_tree_next(map, at, &element, !write)) {
		const struct pto_region *r = &map->regions[at];

		if (pto_region_overlap(&element, r) == PTO_OVERLAP_NONE)
			continue;
		task = find_unfinished(rt, r->list[PTO_MAP_WRITER]);
		if (!task && write)
			task = find_unfinished(rt, r->list[PTO_MAP_READER]);
	}
	return task;
}

/* The task that an access of the orchestration has to wait for next, NULL if none. */
static struct pto_slot *blocker(struct pto_runtime *rt, const struct pto_tensor *t,
				struct pto_slot *owner, bool write)
{
	if (owner && !quiet(owner, write))
		return owner;
	return t->manual_dep ? NULL : find_busy(rt, t, write);
}

/* One step of waiting for a task that accesses an element. Return: false after an error. */
static bool wait_for(struct pto_runtime *rt, const struct pto_slot *slot, struct pto_stall *stall)
{
	bool waited;

	atomic_store_explicit(&rt->awaited, slot->id, memory_order_relaxed);
	waited = pto_rt_wait(rt, stall, PTO_TENSOR_WAIT_NS, true);
	atomic_store_explicit(&rt->awaited, PTO_NO_TASK, memory_order_relaxed);
	if (!waited)
		pto_rt_fatal(rt, PTO_FATAL_TENSOR_WAIT_TIMEOUT, 0, slot->id,
			     "no task has completed for %llu ms while the orchestration waited for an element that this one accesses",
			     PTO_TENSOR_WAIT_NS / 1000000ULL);
	return !pto_rt_fatal_code(rt);
}

/**
 * pto_deps_wait() - wait until the orchestration may access a region itself
 * @rt: the run
 * @t: the region, not empty
 * @write: the access is a write
 *
 * Time in which a kernel runs or a counter is awaited does not count here. The monitor covers it;
 * it sees this wait in pto_runtime.awaited. Return: false after an error.
 */
bool pto_deps_wait(struct pto_runtime *rt, const struct pto_tensor *t, bool write)
{
	struct pto_slot *owner = NULL;
	struct pto_stall stall = { 0 };
	struct pto_slot *slot;

	if (t->owner_task != PTO_NO_TASK) {
		owner = find_owner(rt, t);
		if (!owner)
			return false;
	}
	while ((slot = blocker(rt, t, owner, write))) {
		if (rt->graph)
			return pto_graph_busy(rt, slot, write);
		if (!wait_for(rt, slot, &stall))
			return false;
	}
	return true;
}
