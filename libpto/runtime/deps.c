// SPDX-License-Identifier: MIT
/*
 * The dependency rules: which task waits for which. This is the one file that holds them;
 * Documentation/dependencies.rst says the same in words.
 *
 * Two kinds of bond tie a consumer to a producer. WAIT: the consumer does not start before
 * the producer has completed. RETAIN: the producer's slot and outputs are not reclaimed
 * before the consumer has completed. Explicit dependencies and owners are both; what the
 * tensor map finds is WAIT alone, because it is the owner that holds the memory.
 */
#include "runtime.h"

#define TENSOR_WAIT_NS	15000000000ULL	/* seed runtime: get and set of elements */

/* What a task is to its producers while it is being wired. */
struct wiring {
	struct pto_runtime *rt;
	struct pto_slot *slot;
	uint32_t unmet;
};

/*
 * Puts an edge on the producer's fan-out list. Only the orchestrator pushes and only the
 * completing thread closes, so a swap that fails means: completed.
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
}

/* Ties the task to a producer; there is room for an edge. One edge for each producer. */
static void tie(struct wiring *w, struct pto_slot *producer, bool keep)
{
	struct pto_edge *e;
	bool waits;

	if (producer->stamp == w->rt->stamp) {
		if (keep)
			retain(w, producer, producer->stamp_edge);
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
	w->slot->edge_count++;
	producer->stamp = w->rt->stamp;
	producer->stamp_edge = e;
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
		     "dependency on task %llx, which was never submitted", (unsigned long long)id);
	return false;
}

static bool tie_list(struct wiring *w, const uint64_t *ids, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (!tie_explicit(w, ids[i]))
			return false;
	return true;
}

/* --- owners -------------------------------------------------------------- */

/* The task that owns a tensor's memory; its scope must be open, or the memory is void. */
static struct pto_slot *find_owner(struct pto_runtime *rt, const struct pto_tensor *t)
{
	struct pto_slot *owner = NULL;

	if (pto_task_find(rt, t->owner_task, &owner) == PTO_TASK_LIVE && pto_scope_holds(rt, owner))
		return owner;
	pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, t->owner_task,
		     "a tensor is used after the scope in which task %llx allocated it has ended",
		     (unsigned long long)t->owner_task);
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
 * Ties the task to the tasks of one list whose regions @t overlaps. Entries of completed
 * tasks are dropped on the way; so are, for a writer, those that it covers: whoever
 * overlaps them later overlaps this task's region too. Waiting for room for an edge may
 * change the list, so it is begun again then: ties made before are recognised.
 */
static bool tie_overlaps(struct wiring *w, const struct pto_tensor *t, uint32_t kind, bool writes)
{
	struct pto_map *map = pto_map_get(w->rt);
	uint32_t bucket = pto_map_bucket(map, t->addr);
	uint32_t index = pto_map_first(map, bucket, kind);

	while (index) {
		const struct pto_map_entry *e = &map->entries[index];
		struct pto_slot *task = (struct pto_slot *)(w->rt->base + e->task);
		uint32_t next = e->next;
		int overlap = pto_map_overlap(t, e);

		if (overlap != PTO_OVERLAP_NONE && pto_slot_completed(task)) {
			pto_map_remove(w->rt, index);
		} else if (overlap != PTO_OVERLAP_NONE) {
			if (!pto_edge_room(w->rt, w->slot)) {
				if (!pto_edge_reserve(w->rt, w->slot))
					return false;
				index = pto_map_first(map, bucket, kind);
				continue;
			}
			tie(w, task, false);
			if (writes && overlap == PTO_OVERLAP_COVERED)
				pto_map_remove(w->rt, index);
		}
		index = next;
	}
	return true;
}

static bool tracked(const struct pto_tensor *t, uint8_t type)
{
	return type != PTO_ARG_OUTPUT && type != PTO_ARG_NO_DEP && !t->manual_dep && t->extent;
}

/* A reader waits for writers, a writer for writers and readers. */
static bool tie_tensor(struct wiring *w, const struct pto_tensor *t, uint8_t type)
{
	bool writes = type != PTO_ARG_INPUT;

	if (!tie_owner(w, t, true))
		return false;
	if (!tracked(t, type))
		return true;
	return tie_overlaps(w, t, PTO_MAP_WRITER, writes) &&
	       (!writes || tie_overlaps(w, t, PTO_MAP_READER, true));
}

/* The tensor that a predicate reads, or NULL: the rules take it for an INPUT. */
static const struct pto_tensor *predicate_tensor(const struct pto_task_args *args)
{
	return args->flags & PTO_TASK_PREDICATE ? args->predicate : NULL;
}

static bool tie_tensors(struct wiring *w, const struct pto_task_args *args)
{
	bool automatic = w->rt->scope[w->rt->depth].mode == PTO_SCOPE_AUTO;
	const struct pto_tensor *t = predicate_tensor(args);
	uint32_t i;

	if (t && !(automatic ? tie_tensor(w, t, PTO_ARG_INPUT) : tie_owner(w, t, false)))
		return false;

	for (i = 0; i < args->tensor_count; i++) {
		t = args->tensors[i];
		if (args->types[i] == PTO_ARG_OUTPUT)
			continue;
		if (!(automatic ? tie_tensor(w, t, args->types[i]) : tie_owner(w, t, false)))
			return false;
	}
	if (!automatic)
		return true;
	/* Only now, so that a task does not find itself. */
	t = predicate_tensor(args);
	if (t && tracked(t, PTO_ARG_INPUT) && !pto_map_insert(w->rt, w->slot, t, PTO_MAP_READER))
		return false;
	for (i = 0; i < args->tensor_count; i++) {
		if (args->types[i] == PTO_ARG_OUTPUT || !tracked(args->tensors[i], args->types[i]))
			continue;
		if (!pto_map_insert(w->rt, w->slot, args->tensors[i],
				    args->types[i] == PTO_ARG_INPUT ? PTO_MAP_READER :
								      PTO_MAP_WRITER))
			return false;
	}
	return true;
}

/**
 * pto_deps_wire() - tie a task to everything that it depends on
 * @rt: the run
 * @slot: the task, the youngest of its ring
 * @args: its arguments
 *
 * @unmet: producers that had not completed when the task was tied to them
 *
 * The guard keeps pto_slot.pending above 0 until the caller takes it off.
 * Return: false after an error; the task will never run then.
 */
bool pto_deps_wire(struct pto_runtime *rt, struct pto_slot *slot, const struct pto_task_args *args,
		   uint32_t *unmet)
{
	struct wiring w = { .rt = rt, .slot = slot };
	struct pto_ring *ring = &rt->ring[slot->ring];
	uint32_t edges;

	rt->stamp++;
	if (!tie_list(&w, args->deps, args->dep_count) ||
	    !tie_list(&w, args->own_deps, args->own_dep_count) || !tie_tensors(&w, args))
		return false;
	edges = slot->edge_count;
	if (edges > PTO_SLOT_EDGES + PTO_SIDE_EDGES)
		ring->pool_head = slot->dep_first + edges - PTO_SLOT_EDGES - PTO_SIDE_EDGES;
	*unmet = w.unmet;
	return true;
}

/* --- elements ------------------------------------------------------------ */

/* Waits until @slot has completed, for a writer also until all that retain it have. */
static bool quiet(struct pto_slot *slot, bool write)
{
	return pto_slot_completed(slot) &&
	       (!write || atomic_load_explicit(&slot->released, memory_order_acquire) ==
				  slot->retained);
}

/* The first unfinished task in a list whose region @t overlaps; finished ones are dropped. */
static struct pto_slot *find_busy(struct pto_runtime *rt, const struct pto_tensor *t, uint32_t kind)
{
	struct pto_map *map = pto_map_get(rt);
	uint32_t index = pto_map_first(map, pto_map_bucket(map, t->addr), kind);

	while (index) {
		const struct pto_map_entry *e = &map->entries[index];
		struct pto_slot *task = (struct pto_slot *)(rt->base + e->task);
		uint32_t next = e->next;

		if (pto_map_overlap(t, e) != PTO_OVERLAP_NONE) {
			if (!pto_slot_completed(task))
				return task;
			pto_map_remove(rt, index);
		}
		index = next;
	}
	return NULL;
}

/* The task that an access of the orchestration has to wait for next, NULL if none. */
static struct pto_slot *blocker(struct pto_runtime *rt, const struct pto_tensor *t,
				struct pto_slot *owner, bool write)
{
	struct pto_slot *slot;

	if (owner && !quiet(owner, write))
		return owner;
	if (t->manual_dep)
		return NULL;
	slot = find_busy(rt, t, PTO_MAP_WRITER);
	if (!slot && write)
		slot = find_busy(rt, t, PTO_MAP_READER);
	return slot;
}

/**
 * pto_deps_wait() - wait until the orchestration may access a region itself
 * @rt: the run
 * @t: the region, not empty
 * @write: it wants to write
 *
 * Return: false after an error.
 */
bool pto_deps_wait(struct pto_runtime *rt, const struct pto_tensor *t, bool write)
{
	struct pto_slot *owner = NULL;
	struct pto_slot *slot;
	uint64_t done, deadline = 0;

	if (t->owner_task != PTO_NO_TASK) {
		owner = find_owner(rt, t);
		if (!owner)
			return false;
	}
	done = pto_sched_done(rt->sched);
	while ((slot = blocker(rt, t, owner, write))) {
		uint64_t now = rt->env->now();

		if (!deadline || pto_sched_done(rt->sched) != done) {
			done = pto_sched_done(rt->sched);
			deadline = now + TENSOR_WAIT_NS;
		} else if (now > deadline) {
			pto_rt_fatal(rt, PTO_FATAL_TENSOR_WAIT_TIMEOUT, 0, slot->id,
				     "no task has completed for 15 s while an element was waited for");
			return false;
		}
		rt->env->wait(rt);
		if (pto_rt_fatal_code(rt))
			return false;
	}
	return true;
}
