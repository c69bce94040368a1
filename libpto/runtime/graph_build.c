// SPDX-License-Identifier: MIT
/*
 * Graphs that are built on the host: submitted tasks are recorded instead of executed.
 *
 * The orchestration makes the same calls as on the device, and the same code checks them and
 * determines dependencies. The differences: all tasks belong to ring 0, nothing is reclaimed
 * because nothing completes, and outputs have addresses in a heap that does not exist here,
 * PTO_DEV_GRAPH_HEAP plus an offset.
 *
 * A task's record (struct pto_dev_graph_task) is opened when its tensors are known, grows with
 * each dependency while the task is wired, and is closed when the task would be published. It does
 * not change later, so the graph is a list of records. graph_load.c reads it.
 */
#include "runtime.h"

static bool grow(struct pto_runtime *rt, uint64_t bytes)
{
	struct pto_graph *g = rt->graph;

	if (g->size + bytes <= g->room)
		return true;
	if (g->size + bytes > PTO_DEV_GRAPH_MAX_SIZE)
		pto_rt_fatal(rt, PTO_FATAL_FLOW_CONTROL_DEADLOCK, 0, g->task,
			     "a graph of more than %u bytes", PTO_DEV_GRAPH_MAX_SIZE);
	else if (!rt->env->room(rt, g->size + bytes))
		pto_rt_fatal(rt, PTO_FATAL_FLOW_CONTROL_DEADLOCK, 0, g->task,
			     "out of host memory for a graph of %llu bytes",
			     (unsigned long long)(g->size + bytes));
	return !pto_rt_fatal_code(rt);
}

static void put(struct pto_graph *g, const void *data, uint64_t bytes)
{
	__builtin_memcpy(g->data + g->size, data, bytes);
	g->size += bytes;
}

static struct pto_dev_graph_task *record(const struct pto_graph *g)
{
	return (struct pto_dev_graph_task *)(g->data + g->open);
}

/**
 * pto_graph_plan() - plan the arena in which graphs are built
 * @limits: limits of the graphs
 * @plan: out: for pto_arena_plan(): one ring, and a minimal heap
 */
void pto_graph_plan(const struct pto_graph_limits *limits, struct pto_dev_arena_plan *plan)
{
	uint32_t i;

	*plan = (struct pto_dev_arena_plan){ .size = sizeof(*plan) };
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = i ? 4 : limits->window;
		plan->heap[i] = PTO_HEAP_ALIGN;
		plan->dep_pool[i] = 4;
	}
}

/**
 * pto_graph_begin() - begin a run that builds a graph
 * @rt: the runtime, between runs
 * @graph: the graph; its memory is reused
 * @arena: an arena that was planned for a window at least as large
 * @limits: the sizes of the device's first ring
 * @epoch: as for pto_runtime_start()
 */
void pto_graph_begin(struct pto_runtime *rt, struct pto_graph *graph, void *arena,
		     const struct pto_graph_limits *limits, uint32_t epoch)
{
	struct pto_ring_layout *l = &((struct pto_arena *)arena)->ring[0];

	l->window = limits->window;
	l->heap_size = limits->heap & ~(uint64_t)(PTO_HEAP_ALIGN - 1);
	l->dep_pool = limits->dep_pool;
	pto_runtime_start(rt, arena, epoch);
	rt->graph = graph;
	graph->size = 0;
	graph->spilled = 0;
	graph->task = PTO_NO_TASK;
	if (grow(rt, sizeof(struct pto_dev_graph)))
		graph->size = sizeof(struct pto_dev_graph);
}

/**
 * pto_graph_end() - finish the graph; the orchestration has returned
 * @rt: the run
 *
 * Return: false after an error; then there is no graph.
 */
bool pto_graph_end(struct pto_runtime *rt)
{
	struct pto_graph *g = rt->graph;
	struct pto_dev_graph head = {
		.magic = PTO_DEV_GRAPH_MAGIC,
		.version = PTO_DEV_GRAPH_VERSION,
		.size = g->size,
	};

	if (rt->depth && !pto_rt_fatal_code(rt))
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "the entry has returned with %u open scopes", rt->depth);
	if (pto_rt_close(rt))
		return false;
	if (rt->ring[0].layout) {
		head.task_count = (uint32_t)rt->ring[0].head;
		head.heap_bytes = rt->ring[0].heap_head;
	}
	__builtin_memcpy(g->data, &head, sizeof(head));
	return true;
}

/* --- records -------------------------------------------------------------- */

static void set_head(struct pto_dev_graph_task *r, const struct pto_slot *slot,
		     const struct pto_func_ids *funcs, const struct pto_task_args *args)
{
	uint32_t i;

	*r = (struct pto_dev_graph_task){
		.flags = funcs ? 0 : PTO_DEV_TASK_ALLOC,
		.func_id = { PTO_FUNC_NONE, PTO_FUNC_NONE, PTO_FUNC_NONE },
		.block_num = args->block_num,
		.tensor_count = args->tensor_count,
		.scalar_count = args->scalar_count,
	};
	for (i = 0; i < slot->part_count; i++)
		r->func_id[slot->part[i]] = slot->func[i];
	for (i = 0; i < args->tensor_count; i++)
		if (args->types[i] == PTO_ARG_OUTPUT &&
		    ((const struct pto_create_info *)args->tensors[i])->has_initial_value)
			r->fill_mask |= 1u << i;
	if (args->flags & PTO_TASK_SYNC_START)
		r->flags |= PTO_DEV_TASK_SYNC_START;
	if (!(args->flags & PTO_TASK_PREDICATE))
		return;
	r->flags |= PTO_DEV_TASK_PREDICATE;
	r->predicate_op = args->predicate_op;
	r->predicate_ndims = args->predicate_ndims;
	r->predicate_value = args->predicate_value;
	for (i = 0; i < args->predicate_ndims; i++)
		r->predicate_index[i] = args->predicate_index[i];
}

/**
 * pto_graph_open_task() - begin the record of a task
 * @rt: the run
 * @slot: the task, its tensors and parts filled in
 * @funcs: its kernels; NULL: it holds memory only
 * @args: its arguments, checked
 *
 * Return: false after an error.
 */
bool pto_graph_open_task(struct pto_runtime *rt, const struct pto_slot *slot,
			 const struct pto_func_ids *funcs, const struct pto_task_args *args)
{
	struct pto_graph *g = rt->graph;
	struct pto_dev_graph_task r;
	uint32_t i;

	g->task = slot->id;
	g->open = g->size;
	set_head(&r, slot, funcs, args);
	if (!grow(rt, sizeof(r) + (args->tensor_count + 1ULL) * sizeof(struct pto_tensor) +
		      (args->scalar_count + args->tensor_count) * sizeof(uint64_t)))
		return false;
	put(g, &r, sizeof(r));
	put(g, rt->base + slot->tensors, args->tensor_count * sizeof(struct pto_tensor));
	if (r.flags & PTO_DEV_TASK_PREDICATE)
		put(g, args->predicate, sizeof(struct pto_tensor));
	put(g, args->scalars, args->scalar_count * sizeof(uint64_t));
	for (i = 0; i < args->tensor_count; i++)
		if (r.fill_mask >> i & 1)
			put(g, &((const struct pto_create_info *)args->tensors[i])->initial_value,
			    sizeof(uint64_t));
	return true;
}

/** pto_graph_tie() - make the open task wait for @producer, at most once. See tie() */
void pto_graph_tie(struct pto_runtime *rt, struct pto_slot *producer)
{
	struct pto_graph *g = rt->graph;

	/* A task without kernels that only holds memory is complete. */
	if (pto_slot_completed(producer) || !grow(rt, sizeof(uint64_t)))
		return;
	put(g, &producer->id, sizeof(uint64_t));
	record(g)->dep_count++;
	producer->stamp = rt->stamp;
}

/**
 * pto_graph_close_task() - finish the record of the open task
 *
 * Fails the run if the graph's dependencies do not fit into the device's pool.
 */
void pto_graph_close_task(struct pto_runtime *rt)
{
	const struct pto_ring_layout *l = rt->ring[0].layout;
	const uint32_t own = PTO_SLOT_EDGES + PTO_SIDE_EDGES;
	struct pto_graph *g = rt->graph;
	struct pto_dev_graph_task *r = record(g);

	r->size = (uint32_t)(g->size - g->open);
	if (r->dep_count > own)
		g->spilled += r->dep_count - own;
	if (g->spilled > l->dep_pool)
		pto_rt_fatal(rt, PTO_FATAL_DEP_POOL_OVERFLOW, 0, g->task,
			     "ring 0: %u dependencies of one task, all tasks of a host-built graph take %llu from a pool of %llu",
			     r->dep_count, (unsigned long long)g->spilled,
			     (unsigned long long)l->dep_pool);
}

/* --- elements ------------------------------------------------------------- */

/**
 * pto_graph_busy() - report an access to an element that @task uses
 *
 * On the device the orchestration would wait. Return: false.
 */
bool pto_graph_busy(struct pto_runtime *rt, const struct pto_slot *task, bool write)
{
	return !pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, task->id,
			     "cannot %s an element that this task of the graph uses: it runs on the device, after the host has built the graph; kind DEVICE_ORCH can",
			     write ? "set" : "get") && false;
}

/**
 * pto_graph_view() - the host's address of an element
 * @rt: the run
 * @addr: its device address
 * @bytes: its size
 *
 * Return: NULL after an error: the host cannot access it.
 */
void *pto_graph_view(struct pto_runtime *rt, uint64_t addr, uint64_t bytes)
{
	void *view = NULL;

	if (addr & PTO_DEV_GRAPH_HEAP) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "element access: memory that the runtime has allocated exists on the device only; kind DEVICE_ORCH can access it");
		return NULL;
	}
	view = rt->env->host_view(rt, addr, bytes);
	if (!view && !pto_rt_fatal_code(rt))
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "element access: the host does not see address 0x%llx: neither a host tensor of this run nor a mapped buffer",
			     (unsigned long long)addr);
	return view;
}
