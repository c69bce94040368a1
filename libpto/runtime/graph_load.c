// SPDX-License-Identifier: MIT
/*
 * Graphs that were built on the host: the device reads and submits them task by task.
 *
 * A graph is replayed like an orchestration that runs in one MANUAL scope, names its dependencies
 * and has allocated its outputs itself. Ring, edges, queues, workers and the checks of submits are
 * those of every run. Tasks may run while later ones are read.
 *
 * The graph lies in memory that the application can write at any time. So each field is read once,
 * into private memory, and checked there. Only the indices of dependencies are read in place, each
 * once, when they are used. Invalid contents cause a fatal error of this run, and nothing else.
 */
#include "runtime.h"

/**
 * struct reader - a graph that is being read
 * @rt: the run
 * @source: the graph
 * @at: next byte
 * @left: bytes left
 * @heap: bytes of heap that the graph's tensors may use
 * @index: task that is being read
 * @task: its record, a copy
 * @tensors: its tensors, the predicate's last; copies
 * @args: the task, to be submitted
 */
struct reader {
	struct pto_runtime *rt;
	const struct pto_graph_source *source;
	const uint8_t *at;
	uint64_t left;
	uint64_t heap;
	uint32_t index;
	struct pto_dev_graph_task task;
	struct pto_tensor tensors[PTO_TASK_MAX_TENSORS + 1];
	struct pto_task_args args;
};

__attribute__((format(printf, 2, 3)))
static bool bad(struct reader *r, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	r->rt->env->format(text, sizeof(text), fmt, ap);
	va_end(ap);
	pto_rt_fatal(r->rt, PTO_FATAL_INVALID_ARGS, 0, r->index, "graph: task %u: %s", r->index,
		     text);
	return false;
}

static void take(struct reader *r, void *to, uint64_t bytes)
{
	__builtin_memcpy(to, r->at, bytes);
	r->at += bytes;
	r->left -= bytes;
}

/* --- tensors -------------------------------------------------------------- */

/* Set a tensor's address. */
static bool relocate(struct reader *r, struct pto_tensor *t, uint32_t i)
{
	const struct pto_ring_layout *l = &r->rt->arena->ring[0];
	uint64_t offset = t->addr & ~PTO_DEV_GRAPH_HEAP;

	if (!(t->addr & PTO_DEV_GRAPH_HEAP)) {
		if (t->owner_task != PTO_NO_TASK)
			return bad(r, "tensor %u: not in the heap, but of task %llx", i,
				   (unsigned long long)t->owner_task);
		if (r->source->covers &&
		    !r->source->covers(r->source->cookie, t->addr, t->size, false))
			return bad(r, "tensor %u: its buffer at 0x%llx, %llu bytes, is not memory of this context",
				   i, (unsigned long long)t->addr, (unsigned long long)t->size);
		return true;
	}
	if (offset > r->heap || t->size > r->heap - offset)
		return bad(r, "tensor %u: %llu bytes at offset %llu of a heap of %llu", i,
			   (unsigned long long)t->size, (unsigned long long)offset,
			   (unsigned long long)r->heap);
	if (t->owner_task > r->index)
		return bad(r, "tensor %u: of task %llx, which comes later", i,
			   (unsigned long long)t->owner_task);
	t->addr = (uint64_t)(uintptr_t)(r->rt->base + l->heap) + offset;
	return true;
}

static bool read_tensors(struct reader *r)
{
	const bool predicate = r->task.flags & PTO_DEV_TASK_PREDICATE;
	uint32_t count = r->task.tensor_count + predicate;
	struct pto_tensor *t = r->tensors;
	uint32_t i;

	take(r, t, count * sizeof(*t));
	for (i = 0; i < count; i++, t++) {
		if (pto_tensor_check(t))
			return bad(r, "tensor %u is not valid", i);
		if (!relocate(r, t, i))
			return false;
		if (i < r->task.tensor_count)
			pto_add_no_dep(&r->args, t);
	}
	return true;
}

/* Write initial values. Only whole outputs, which are contiguous, can be filled. */
static bool fill_tensors(struct reader *r, const uint8_t *values)
{
	struct pto_ring_layout *l = &r->rt->arena->ring[0];
	uint64_t heap = (uint64_t)(uintptr_t)(r->rt->base + l->heap);
	uint64_t value;
	uint32_t i;

	for (i = 0; i < r->task.tensor_count; i++) {
		const struct pto_tensor *t = &r->tensors[i];
		uint32_t bytes = pto_dtype_size(t->dtype);

		if (!(r->task.fill_mask >> i & 1))
			continue;
		if (t->addr < heap || t->addr - heap > r->heap ||
		    t->size > r->heap - (t->addr - heap) || (bytes && t->size % bytes))
			return bad(r, "tensor %u: no output that can be filled", i);
		__builtin_memcpy(&value, values, sizeof(value));
		values += sizeof(value);
		pto_tensor_fill(t, value);
	}
	return true;
}

/* --- tasks ---------------------------------------------------------------- */

/* Check the record's header, and that the record lies within the graph. */
static bool check_head(struct reader *r)
{
	const struct pto_dev_graph_task *t = &r->task;
	const uint32_t known = PTO_DEV_TASK_SYNC_START | PTO_DEV_TASK_PREDICATE |
			       PTO_DEV_TASK_ALLOC;
	uint64_t tensors = t->tensor_count + !!(t->flags & PTO_DEV_TASK_PREDICATE);
	uint64_t words;

	if (t->flags & ~known || t->pad)
		return bad(r, "unknown flags 0x%x", t->flags & ~known);
	if (t->flags & PTO_DEV_TASK_ALLOC && (t->flags != PTO_DEV_TASK_ALLOC || t->dep_count))
		return bad(r, "memory with flags 0x%x and %u dependencies", t->flags,
			   t->dep_count);
	if (t->tensor_count > PTO_TASK_MAX_TENSORS || t->scalar_count > PTO_TASK_MAX_SCALARS)
		return bad(r, "%u tensors and %u scalars", t->tensor_count, t->scalar_count);
	if (t->tensor_count < 32 && t->fill_mask >> t->tensor_count)
		return bad(r, "values 0x%x for %u tensors", t->fill_mask, t->tensor_count);
	words = (uint64_t)t->scalar_count + (uint32_t)__builtin_popcount(t->fill_mask) +
		t->dep_count;
	if (t->size != sizeof(*t) + tensors * sizeof(struct pto_tensor) + words * sizeof(uint64_t))
		return bad(r, "%u tensors, %u scalars and %u dependencies are not a record of %u bytes",
			   t->tensor_count, t->scalar_count, t->dep_count, t->size);
	if (t->size - sizeof(*t) > r->left)
		return bad(r, "a record of %u bytes, %llu are left", t->size,
			   (unsigned long long)(r->left + sizeof(*t)));
	return true;
}

static void set_args(struct reader *r)
{
	const struct pto_dev_graph_task *t = &r->task;
	struct pto_task_args *args = &r->args;

	pto_task_args_init(args);
	args->block_num = t->block_num;
	if (t->flags & PTO_DEV_TASK_SYNC_START)
		args->flags |= PTO_TASK_SYNC_START;
}

static void set_predicate(struct reader *r)
{
	const struct pto_dev_graph_task *t = &r->task;

	if (t->flags & PTO_DEV_TASK_PREDICATE)
		pto_set_predicate(&r->args, &r->tensors[t->tensor_count], t->predicate_ndims,
				  t->predicate_index, t->predicate_op, t->predicate_value);
}

static bool submit(struct reader *r)
{
	const struct pto_dev_graph_task *t = &r->task;
	const struct pto_func_ids funcs = { t->func_id[0], t->func_id[1], t->func_id[2], 0 };
	struct pto_rt *rt = &r->rt->rt;
	struct pto_task task;

	if (t->flags & PTO_DEV_TASK_ALLOC)
		task = pto_rt_alloc(rt, NULL, 0);
	else
		task = pto_rt_submit(rt, &funcs, &r->args);
	return task.id == r->index;
}

static bool read_task(struct reader *r)
{
	const uint8_t *words;

	if (r->left < sizeof(r->task))
		return bad(r, "%llu bytes are no record", (unsigned long long)r->left);
	take(r, &r->task, sizeof(r->task));
	if (!check_head(r))
		return false;
	set_args(r);
	if (!read_tensors(r))
		return false;
	set_predicate(r);
	take(r, r->args.scalars, r->task.scalar_count * sizeof(uint64_t));
	r->args.scalar_count = r->task.scalar_count;
	words = r->at;
	r->at += (uint32_t)__builtin_popcount(r->task.fill_mask) * sizeof(uint64_t);
	r->args.deps = (const uint64_t *)r->at;
	r->args.dep_count = r->task.dep_count;
	r->at += r->task.dep_count * sizeof(uint64_t);
	r->left -= (uint64_t)(r->at - words);
	return fill_tensors(r, words) && submit(r);
}

/* --- the graph ------------------------------------------------------------ */

/**
 * pto_graph_replay() - submit the tasks of a graph; replaces the entry of the orchestration
 * @rt: the run, just started
 * @source: the graph
 */
void pto_graph_replay(struct pto_runtime *rt, const struct pto_graph_source *source)
{
	struct pto_dev_graph head = { 0 };
	struct reader r;	/* not zeroed as a whole, because it is large */

	rt->replays = true;
	rt->scope[0].mode = PTO_SCOPE_MANUAL;
	if (source->size >= sizeof(head))
		__builtin_memcpy(&head, source->data, sizeof(head));
	if (head.magic != PTO_DEV_GRAPH_MAGIC || head.version != PTO_DEV_GRAPH_VERSION ||
	    head.flags || head.size < sizeof(head) || head.size > source->size) {
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "graph: no graph of version %u is at 0x%llx, %llu bytes",
			     PTO_DEV_GRAPH_VERSION,
			     (unsigned long long)(uintptr_t)source->data,
			     (unsigned long long)source->size);
		return;
	}
	if (head.heap_bytes > rt->arena->ring[0].heap_size) {
		pto_rt_fatal(rt, PTO_FATAL_HEAP_RING_DEADLOCK, 0, PTO_NO_TASK,
			     "ring 0: a graph with %llu bytes of tensors in a heap of %llu",
			     (unsigned long long)head.heap_bytes,
			     (unsigned long long)rt->arena->ring[0].heap_size);
		return;
	}
	r.rt = rt;
	r.source = source;
	r.index = 0;
	r.heap = head.heap_bytes;
	r.at = (const uint8_t *)source->data + sizeof(head);
	r.left = head.size - sizeof(head);
	while (r.index < head.task_count && read_task(&r))
		r.index++;
	if (r.left && r.index == head.task_count)
		pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "graph: %llu bytes behind its last task", (unsigned long long)r.left);
}
