// SPDX-License-Identifier: MIT
/*
 * Submitting tasks: check, allocate, fill in, wire, publish.
 */
#include "runtime.h"

static const char * const args_errors[] = {
	[PTO_ARGS_OK] = "",
	[PTO_ARGS_TOO_MANY_TENSORS] = "more than 32 tensors",
	[PTO_ARGS_TOO_MANY_SCALARS] = "more than 16 scalars",
	[PTO_ARGS_TENSOR_AFTER_SCALAR] = "a tensor after a scalar",
	[PTO_ARGS_NULL_TENSOR] = "a tensor that is NULL",
	[PTO_ARGS_NULL_DEPS] = "a list of dependencies that is NULL",
	[PTO_ARGS_TOO_MANY_DEPS] = "more than 64 added dependencies",
	[PTO_ARGS_BAD_PREDICATE] = "a predicate with a NULL, too many indices or no such comparison",
};

/* --- checks -------------------------------------------------------------- */

__attribute__((cold, format(printf, 2, 3)))
static bool bad(struct pto_runtime *rt, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	rt->env->format(text, sizeof(text), fmt, ap);
	va_end(ap);
	pto_rt_fatal(rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK, "submit: %s", text);
	return false;
}

/*
 * Check the description of an output. Return: bytes of heap that it takes, not 0 even for an empty
 * tensor, so that addresses differ; 0 if the description is not valid.
 */
static uint64_t heap_bytes(const struct pto_create_info *info)
{
	uint64_t elements = 1, bytes;
	bool empty = false;
	uint32_t i;

	if (info->ndims < 1 || info->ndims > PTO_MAX_TENSOR_DIMS || info->manual_dep > 1)
		return 0;
	for (i = info->ndims; i-- > 0;) {
		if (elements > UINT32_MAX)	/* the stride of this dimension */
			return 0;
		elements *= info->shapes[i] ? info->shapes[i] : 1;
		empty |= !info->shapes[i];
	}
	if (pto_dtype_bytes(info->dtype, empty ? 1 : elements, &bytes))
		return 0;
	if (bytes > UINT64_MAX - PTO_HEAP_ALIGN)
		return UINT64_MAX;
	return (bytes + PTO_HEAP_ALIGN - 1) & ~(uint64_t)(PTO_HEAP_ALIGN - 1);
}

/* Check the tensors. Adds the bytes of heap that they take to @heap, which saturates. */
static bool check_tensors(struct pto_runtime *rt, const struct pto_task_args *args, uint64_t *heap)
{
	const struct pto_tensor *t;
	uint64_t bytes;
	uint32_t i;

	for (i = 0; i < args->tensor_count; i++) {
		if (args->types[i] == PTO_ARG_OUTPUT) {
			bytes = heap_bytes(args->tensors[i]);
			if (!bytes)
				return bad(rt, "tensor argument %u: the output's description is not valid",
					   i);
			if (__builtin_add_overflow(*heap, bytes, heap))
				*heap = UINT64_MAX;	/* no heap is that large */
			continue;
		}
		t = args->tensors[i];
		if (args->types[i] > PTO_ARG_NO_DEP)
			return bad(rt, "tensor argument %u has an unknown type", i);
		if (pto_tensor_check(t))
			return bad(rt, "tensor argument %u is not a valid tensor", i);
		if (!t->addr || t->address_space != PTO_SPACE_DEVICE)
			return bad(rt, "tensor argument %u is not in device memory", i);
		if (!pto_rt_covers(rt, t, false))
			return bad(rt, "tensor argument %u: its buffer at 0x%llx, %llu bytes, is not memory of this context",
				   i, (unsigned long long)t->addr, (unsigned long long)t->size);
	}
	return true;
}

/* Check the arguments of a task, and add up the bytes of heap that its outputs take. */
static inline bool check_args(struct pto_runtime *rt, const struct pto_task_args *args,
			      uint64_t *heap)
{
	*heap = 0;
	if (!args || args->size < PTO_TASK_ARGS_MIN_SIZE)
		return bad(rt, "arguments that were not initialised");
	if (args->error)
		return bad(rt, "%s", args->error <= PTO_ARGS_BAD_PREDICATE ?
				     args_errors[args->error] : "misuse of arguments");
	if (args->tensor_count > PTO_TASK_MAX_TENSORS ||
	    args->scalar_count > PTO_TASK_MAX_SCALARS || args->own_dep_count > PTO_TASK_OWN_DEPS ||
	    args->flags & ~(PTO_TASK_SYNC_START | PTO_TASK_PREDICATE) ||
	    (args->flags & PTO_TASK_PREDICATE && args->size < sizeof(*args)))
		return bad(rt, "arguments that were not initialised");
	if (args->block_num < 1 || args->block_num > INT16_MAX)
		return bad(rt, "%u blocks, and the number of blocks is 1 to 32767",
			   args->block_num);
	if (args->tensor_count && !check_tensors(rt, args, heap))
		return false;
	return !(args->flags & PTO_TASK_PREDICATE) || pto_predicate_check(rt, args);
}

__attribute__((cold))
static bool bad_kernel(struct pto_runtime *rt, int32_t func, int have)
{
	if (have < 0)
		return bad(rt, "the callable has no kernel of func_id %d", func);
	return bad(rt, "the kernel of func_id %d is for the other type of core", func);
}

/* Add a part, unless @func is PTO_FUNC_NONE. */
static inline bool add_part(struct pto_runtime *rt, struct pto_slot *slot, int32_t func,
			    uint32_t part)
{
	int type = part ? PTO_CORE_AIV : PTO_CORE_AIC;
	int have = -1;

	if (func == PTO_FUNC_NONE)
		return true;
	if (func >= 0 && func < PTO_MAX_FUNC_ID)
		have = rt->env->kernel_type(rt, (uint32_t)func);
	if (have != type)
		return bad_kernel(rt, func, have);
	slot->func[slot->part_count] = (uint16_t)func;
	slot->part[slot->part_count++] = (uint8_t)part;
	return true;
}

/* Fill in the parts; a single AIV1 part runs as AIV0. */
static bool set_parts(struct pto_runtime *rt, struct pto_slot *slot,
		      const struct pto_func_ids *funcs)
{
	slot->part_count = 0;
	if (!funcs)
		return bad(rt, "no list of kernels");
	return add_part(rt, slot, funcs->aic, 0) && add_part(rt, slot, funcs->aiv0, 1) &&
	       add_part(rt, slot, funcs->aiv1, slot->part_count ? 2 : 1);
}

/* Set the flag for blocks that start together. Fails if there are not enough cores. */
static bool set_sync_start(struct pto_runtime *rt, struct pto_slot *slot, uint32_t blocks)
{
	bool clusters = slot->part_count > 1 || !slot->part[0];
	uint32_t limit = clusters ? rt->clusters : rt->clusters * 2;

	slot->flags |= PTO_SLOT_SYNC_START;
	if (blocks <= limit)
		return true;
	pto_rt_fatal(rt, PTO_FATAL_REQUIRE_SYNC_START_INVALID, 0, slot->id,
		     "submit: %u blocks shall start together, each on %s, and there are %u",
		     blocks, clusters ? "a cluster" : "an AIV core", limit);
	return false;
}

/* Set the flags of the slot. Its parts are set already. */
static inline bool set_flags(struct pto_runtime *rt, struct pto_slot *slot,
			     const struct pto_task_args *args)
{
	slot->flags = slot->part_count > 1 ? PTO_SLOT_MIXED : 0;
	if (args->flags & PTO_TASK_PREDICATE)
		pto_predicate_set(slot, args);
	if (!(args->flags & PTO_TASK_SYNC_START) || args->block_num < 2 || !slot->part_count)
		return true;
	return set_sync_start(rt, slot, args->block_num);
}

/* --- outputs ------------------------------------------------------------- */

/** pto_tensor_fill() - write one element's bits to all elements of a new buffer */
void pto_tensor_fill(const struct pto_tensor *t, uint64_t value)
{
	uint8_t *p = (uint8_t *)(uintptr_t)t->addr;
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint64_t i;

	if (!bytes) {
		value &= 0xf;
		value |= value << 4;
		bytes = 1;
	}
	if (bytes == 1) {
		__builtin_memset(p, (int)(value & 0xff), t->size);
		return;
	}
	for (i = 0; i < t->size; i += bytes)
		__builtin_memcpy(p + i, &value, bytes);
}

/* Set shape, row-major strides, extent and size from a description that has been checked. */
static void lay_out(struct pto_tensor *t, const struct pto_create_info *info)
{
	uint64_t elements = 1;
	bool empty = false;
	uint32_t i;

	for (i = PTO_MAX_TENSOR_DIMS; i-- > info->ndims;) {
		t->shapes[i] = 0;
		t->strides[i] = 0;
	}
	for (i = info->ndims; i-- > 0;) {
		t->shapes[i] = info->shapes[i];
		t->strides[i] = (uint32_t)elements;
		elements *= info->shapes[i] ? info->shapes[i] : 1;
		empty |= !info->shapes[i];
	}
	t->extent = empty ? 0 : elements;
	pto_dtype_bytes(info->dtype, t->extent, &t->size);
}

/* Create output @t in place, from @info, with its memory at @addr. */
static void make_output(const struct pto_create_info *info, uint64_t addr, uint64_t owner,
			bool fill, struct pto_tensor *t)
{
	t->addr = addr;
	t->owner_task = owner;
	t->start_offset = 0;
	t->version = info->version;
	t->ndims = info->ndims;
	t->dtype = info->dtype;
	t->manual_dep = info->manual_dep;
	t->is_contiguous = 1;
	t->address_space = PTO_SPACE_DEVICE;
	lay_out(t, info);
	__builtin_memset(t->pad, 0, sizeof(t->pad));
	if (info->has_initial_value && fill)
		pto_tensor_fill(t, info->initial_value);
}

/* Copy the tensors into the task and create the outputs. Return: mask of outputs. */
static uint32_t fill_tensors(struct pto_runtime *rt, struct pto_slot *slot,
			     const struct pto_task_args *args, uint64_t heap)
{
	struct pto_tensor *t;
	uint32_t mask = 0;
	uint32_t i;

	/* choose_slot() has set the place for up to PTO_SLOT_TENSORS tensors. */
	if (args->tensor_count > PTO_SLOT_TENSORS)
		slot->tensors = rt->arena->ring[slot->ring].large +
				pto_slot_number(rt->arena, slot) * PTO_TASK_MAX_TENSORS *
				sizeof(struct pto_tensor);
	t = (struct pto_tensor *)(rt->base + slot->tensors);
	for (i = 0; i < args->tensor_count; i++, t++) {
		if (args->types[i] == PTO_ARG_OUTPUT) {
			make_output(args->tensors[i], heap, slot->id, !rt->graph, t);
			heap += heap_bytes(args->tensors[i]);
			mask |= 1u << i;
		} else {
			*t = *(const struct pto_tensor *)args->tensors[i];
		}
	}
	return mask;
}

/* Copies the arguments into the task. Return: mask of outputs. */
static inline uint32_t fill_args(struct pto_runtime *rt, struct pto_slot *slot,
				 const struct pto_task_args *args, uint64_t heap)
{
	uint32_t i;

	slot->tensor_count = (uint8_t)args->tensor_count;
	slot->scalar_count = (uint8_t)args->scalar_count;
	for (i = 0; i < args->scalar_count; i++)
		slot->scalars[i] = args->scalars[i];
	return args->tensor_count ? fill_tensors(rt, slot, args, heap) : 0;
}

/* --- submit -------------------------------------------------------------- */

/*
 * A scope holds its tasks with outputs until it ends, and with the first of them all that follow
 * it in the ring. If they are as many as the ring has slots, but one, there can be no other.
 */
static inline struct pto_slot *alloc_slot(struct pto_runtime *rt, uint64_t bytes, uint64_t *heap)
{
	struct pto_scope *scope = &rt->scope[rt->depth];
	struct pto_ring *ring = scope->ring;
	struct pto_slot *slot;

	if (!ring) {
		ring = pto_ring_get(rt, pto_ring_index(rt, rt->depth));
		scope->ring = ring;
	}
	if (scope->held >= ring->mask) {
		pto_rt_fatal(rt, PTO_FATAL_SCOPE_DEADLOCK, 0, PTO_NO_TASK,
			     "ring %u: one scope holds %llu tasks, window of %llu", ring->index,
			     (unsigned long long)scope->held,
			     (unsigned long long)ring->mask + 1);
		return NULL;
	}
	slot = pto_ring_alloc(rt, ring, bytes, heap);
	if (slot)
		scope->held += bytes || scope->held || rt->graph || rt->replays;
	return slot;
}

/*
 * Wait up to pto_sched.catch_up until a task's producers have completed, and execute ready tasks
 * meanwhile. The guard is still in pending, so no other thread takes the task.
 */
static bool catch_up(struct pto_runtime *rt, struct pto_slot *slot, uint32_t unmet)
{
	const uint32_t met = PTO_PENDING_GUARD - unmet;
	uint64_t end = 0, now;

	while (atomic_load_explicit(&slot->pending, memory_order_acquire) != met) {
		now = rt->env->now();
		if (!end)
			end = now + rt->sched->catch_up;
		if (now >= end || pto_rt_fatal_code(rt)) {
			pto_sched_end_batch(rt->sched);
			return false;
		}
		rt->env->help(rt);
	}
	return true;
}

/* Shall the orchestrator execute a task itself, at once? Only tasks of a single kernel. */
static bool executes(struct pto_runtime *rt, struct pto_slot *slot, uint32_t unmet)
{
	return !slot->flags && slot->block_num * slot->part_count == 1 &&
	       pto_sched_executes(rt->sched, rt->env->now) &&
	       (!unmet || catch_up(rt, slot, unmet));
}

/* Remove the guard. The thread that brings pending to 0 owns the task. */
static void publish(struct pto_runtime *rt, struct pto_slot *slot, uint32_t unmet)
{
	uint32_t guard = PTO_PENDING_GUARD - unmet;

	atomic_store_explicit(&rt->submitted,
			      atomic_load_explicit(&rt->submitted, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	pto_sched_credit(rt->sched, slot->tensor_count);
	if (executes(rt, slot, unmet)) {
		rt->env->execute(rt, slot);
		return;
	}
	if (unmet &&
	    atomic_fetch_sub_explicit(&slot->pending, guard, memory_order_acq_rel) != guard)
		return;
	if (!slot->part_count) {
		pto_sched_complete(rt->sched, 0, slot);
		return;
	}
	pto_sched_push(rt->sched, 0, slot);
	rt->env->ready(rt);
}

/* Contents of a struct pto_task. */
struct handle {
	uint64_t id;
	const struct pto_tensor *tensors;
	uint32_t output_mask;
	uint32_t tensor_count;
};

static struct handle handle_of(const struct pto_runtime *rt, const struct pto_slot *slot,
			       uint32_t output_mask)
{
	return (struct handle){
		.id = slot->id,
		.tensors = (const struct pto_tensor *)(rt->base + slot->tensors),
		.output_mask = output_mask,
		.tensor_count = slot->tensor_count,
	};
}

/*
 * Leave the runtime with a task, or with none if @done is false. The result is built here, as the
 * last step. Copying a struct that was built before would use wider loads than its stores, and
 * such a load waits for all stores before it, also for those to lines of other cores.
 */
static struct pto_task leave(struct pto_runtime *rt, bool done, const struct handle *handle)
{
	pto_rt_cross(rt);
	return (struct pto_task){
		.id = done ? handle->id : PTO_NO_TASK,
		.tensors = done ? handle->tensors : &rt->empty,
		.empty = &rt->empty,
		.output_mask = done ? handle->output_mask : 0,
		.tensor_count = done ? handle->tensor_count : 0,
	};
}

/* Can a task have dependencies on other tasks, or others on it? */
static bool follows(const struct pto_task_args *args)
{
	return args->tensor_count | args->dep_count | args->own_dep_count |
	       (args->flags & PTO_TASK_PREDICATE);
}

static bool submit(struct pto_runtime *rt, const struct pto_func_ids *funcs,
		   const struct pto_task_args *args, struct handle *handle)
{
	uint64_t bytes, heap = 0;
	struct pto_slot *slot;
	uint32_t unmet = 0;

	if (pto_rt_fatal_code(rt) || !check_args(rt, args, &bytes))
		return false;
	slot = alloc_slot(rt, bytes, &heap);
	if (!slot || !set_parts(rt, slot, funcs) || !set_flags(rt, slot, args))
		return false;
	slot->block_num = args->block_num;
	slot->next_unit = 0;
	atomic_store_explicit(&slot->units_left, args->block_num * slot->part_count,
			      memory_order_relaxed);
	*handle = handle_of(rt, slot, fill_args(rt, slot, args, heap));
	if ((rt->graph && !pto_graph_open_task(rt, slot, funcs, args)) ||
	    (follows(args) && !pto_deps_wire(rt, slot, args, &unmet)))
		return false;
	if (rt->graph)
		pto_graph_close_task(rt);
	else
		publish(rt, slot, unmet);
	return true;
}

/** pto_rt_submit() - see pto_submit_task() */
struct pto_task pto_rt_submit(struct pto_rt *rt, const struct pto_func_ids *funcs,
			      const struct pto_task_args *args)
{
	struct handle handle;
	bool done;

	pto_rt_cross(pto_runtime_of(rt));
	done = submit(pto_runtime_of(rt), funcs, args, &handle);
	return leave(pto_runtime_of(rt), done, &handle);
}

static bool alloc(struct pto_runtime *rt, const struct pto_create_info *infos, uint32_t count,
		  struct handle *handle)
{
	struct pto_task_args args;
	uint64_t bytes, heap = 0;
	struct pto_slot *slot;
	uint32_t i;

	if (pto_rt_fatal_code(rt))
		return false;
	pto_task_args_init(&args);
	for (i = 0; i < count && infos; i++)
		pto_add_output(&args, &infos[i]);
	if (!infos && count)
		args.error = PTO_ARGS_NULL_TENSOR;
	if (!check_args(rt, &args, &bytes))
		return false;
	slot = alloc_slot(rt, bytes, &heap);
	if (!slot)
		return false;
	slot->part_count = 0;
	slot->flags = 0;
	*handle = handle_of(rt, slot, fill_args(rt, slot, &args, heap));
	atomic_store_explicit(&slot->fanout, PTO_FANOUT_CLOSED, memory_order_release);
	if (rt->graph && pto_graph_open_task(rt, slot, NULL, &args))
		pto_graph_close_task(rt);
	return true;
}

/** pto_rt_alloc() - see pto_alloc_tensors() */
struct pto_task pto_rt_alloc(struct pto_rt *rt, const struct pto_create_info *infos, uint32_t count)
{
	struct handle handle;
	bool done;

	pto_rt_cross(pto_runtime_of(rt));
	done = alloc(pto_runtime_of(rt), infos, count, &handle);
	return leave(pto_runtime_of(rt), done, &handle);
}
