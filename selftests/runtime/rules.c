// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "rules.h"

#define OWN_EDGES 64	/* dependencies that need no pool */

/* --- rings --------------------------------------------------------------- */

static uint32_t ring_of(const struct rules *r)
{
	if (r->program->kind == KIND_HOST)
		return 0;
	return r->depth < PTO_RING_DEPTHS ? r->depth : PTO_RING_DEPTHS - 1;
}

/*
 * Is there certainly room for one more task with @bytes of outputs, whatever has been
 * reclaimed? Held tasks count in full, and a heap with a wrap in it is used half. A graph of
 * the host gets the rings that it needs.
 */
static bool room(const struct rules *r, uint64_t bytes)
{
	const struct pto_dev_arena_plan *plan = &r->program->rings;
	uint32_t ring = ring_of(r);

	if (r->program->kind == KIND_HOST)
		return true;
	if (r->tasks[ring] + 1 >= plan->task_window[ring])
		return false;
	if (!bytes || (!r->heap[ring] && bytes <= plan->heap[ring]))
		return true;
	return 2 * (r->heap[ring] + bytes) <= plan->heap[ring];
}

/* Dependencies that a task may have beyond its own: at most one for each task alive. */
static uint64_t most_spilled(const struct rules *r, const struct op *op)
{
	uint64_t most = r->total_tasks, alive = 0;
	uint32_t i;

	for (i = 0; i < PTO_RING_DEPTHS; i++)
		alive += r->program->rings.task_window[i];
	if (r->program->kind == KIND_DEVICE && most > alive)
		most = alive;
	return op->kind == OP_ALLOC || most <= OWN_EDGES ? 0 : most - OWN_EDGES;
}

static void take_room(struct rules *r, const struct op *op, uint64_t bytes)
{
	uint32_t ring = ring_of(r);

	/* A scope holds its first task with outputs, and with it all that follow. */
	r->tasks[ring] += bytes || r->tasks[ring];
	r->heap[ring] += bytes;
	r->spill[ring] += most_spilled(r, op);
	if (r->pool[ring] < r->spill[ring])
		r->pool[ring] = r->spill[ring];
	r->total_tasks++;
	r->total_heap += bytes;
}

/* --- order --------------------------------------------------------------- */

static bool add_dep(struct op *op, uint32_t dep)
{
	uint32_t i;

	for (i = 0; i < op->dep_count; i++)
		if (op->dep[i] == dep)
			return true;
	if (op->dep_count == MAX_DEPS)
		return false;
	op->dep[op->dep_count++] = dep;
	return true;
}

/*
 * Adds the tasks that touched the base to the dependencies, and the one that owns it, which
 * keeps its memory. Return: false if they are too many.
 */
static bool follow(const struct base_info *info, struct op *op)
{
	uint32_t i;

	for (i = 0; i < info->accessor_count; i++)
		if (!add_dep(op, info->accessor[i]))
			return false;
	return !info->owned || add_dep(op, info->owner);
}

/* Orders a task's access where the rules do not do it, and remembers it. */
static bool order_access(struct rules *r, struct op *op, const struct arg *arg)
{
	struct base_info *info = &r->base[arg->base];
	bool manual = r->mode[r->depth] == PTO_SCOPE_MANUAL || arg->view.manual_dep;
	uint32_t number = r->program->op_count;
	uint32_t before = op->dep_count;

	/* The same task again; it follows everybody if one of its accesses is manual. */
	if (info->accessor_count && info->accessor[info->accessor_count - 1] == number)
		return manual == info->manual;
	if (manual || info->manual) {
		if (info->untraceable || !follow(info, op)) {
			op->dep_count = before;
			return false;
		}
		info->manual = true;
		info->accessor_count = 0;
	}
	info->touched = true;
	if (info->accessor_count == MAX_DEPS)
		info->untraceable = true;
	else
		info->accessor[info->accessor_count++] = number;
	return true;
}

/* --- tensors ------------------------------------------------------------- */

/** rules_heap_bytes() - heap that a new base takes */
uint64_t rules_heap_bytes(const struct pto_create_info *info)
{
	struct pto_tensor t;

	pto_tensor_make(&t, 0, info->dtype, info->ndims, info->shapes);
	return (t.size + 1023) & ~1023ULL;
}

/* A base that may be used, and a view that lies in it. */
static bool sound(const struct rules *r, const struct arg *arg)
{
	struct pto_tensor t = arg->view;

	if (arg->base >= r->base_count || !r->base[arg->base].alive)
		return false;
	t.size = r->base[arg->base].shape.size;
	return !pto_tensor_check(&t);
}

static bool uses(const struct op *op, uint32_t base)
{
	uint32_t i;

	for (i = 0; i < op->arg_count; i++)
		if (op->arg[i].base == base)
			return true;
	return false;
}

/*
 * An existing tensor. A base of which several units write parts is used once; elements that
 * share a byte are not for several units.
 */
static bool add_existing(struct rules *r, struct op *op, const struct arg *arg, bool shared)
{
	bool writes = arg->type == PTO_ARG_INOUT || arg->type == PTO_ARG_OUTPUT_EXISTING;

	if (!sound(r, arg) || (shared && uses(op, arg->base)) ||
	    (shared && writes && !pto_dtype_size(arg->view.dtype)))
		return false;
	if (arg->type != PTO_ARG_NO_DEP && !order_access(r, op, arg))
		return false;
	op->arg[op->arg_count++] = *arg;
	return true;
}

/* A tensor to be allocated. It is alive when the operation is complete. */
static bool add_new(struct rules *r, struct op *op, const struct arg *arg, bool filled, bool shared,
		    uint64_t *bytes)
{
	uint64_t more = rules_heap_bytes(&arg->create);
	struct base_info *info = &r->base[arg->base];

	if (arg->base >= MAX_BASES || !room(r, *bytes + more) ||
	    (shared && !pto_dtype_size(arg->create.dtype)))
		return false;
	*bytes += more;
	op->arg[op->arg_count++] = *arg;
	if (filled)
		op->arg[op->arg_count - 1].create.has_initial_value = 1;
	memset(info, 0, sizeof(*info));
	pto_tensor_make(&info->shape, 0, arg->create.dtype, arg->create.ndims, arg->create.shapes);
	info->depth = r->depth;
	info->owned = true;
	info->owner = r->program->op_count;
	info->accessor[0] = info->owner;
	info->accessor_count = 1;
	if (r->base_count <= arg->base)
		r->base_count = arg->base + 1;
	return true;
}

static void bring_to_life(struct rules *r, const struct op *op)
{
	uint32_t i;

	for (i = 0; i < op->arg_count; i++)
		if (op->arg[i].type == PTO_ARG_OUTPUT)
			r->base[op->arg[i].base].alive = true;
}

/* --- operations ---------------------------------------------------------- */

/* Dependencies that nobody needs, as far as their tasks are there. */
static void add_extras(const struct rules *r, struct op *op, const struct op *from)
{
	uint32_t i;

	op->dep_count = 0;
	for (i = 0; i < from->extra_count; i++) {
		const struct op *dep = &r->program->op[from->dep[i]];

		if (dep->kind == OP_SUBMIT || dep->kind == OP_ALLOC)
			op->dep[op->dep_count++] = from->dep[i];
	}
	op->extra_count = op->dep_count;
}

static bool add_submit(struct rules *r, struct op *op, const struct op *from)
{
	bool shared = __builtin_popcount(from->parts) * from->blocks > 1;
	bool filled = !from->parts || from->conditional;
	uint64_t bytes = 0;
	uint32_t i;

	if (!room(r, 0))
		return false;
	add_extras(r, op, from);
	op->conditional = from->conditional && sound(r, &from->condition) &&
			  order_access(r, op, &from->condition);
	op->arg_count = 0;
	for (i = 0; i < from->arg_count; i++) {
		if (from->arg[i].type == PTO_ARG_OUTPUT)
			add_new(r, op, &from->arg[i], filled, shared, &bytes);
		else
			add_existing(r, op, &from->arg[i], shared);
	}
	bring_to_life(r, op);
	take_room(r, op, bytes);
	if (op->ways & (WAY_MEET | WAY_LATER)) {
		op->words = r->program->word_count;
		r->program->word_count += TASK_WORDS;
	}
	return true;
}

static bool add_alloc(struct rules *r, struct op *op, const struct op *from)
{
	uint64_t bytes = 0;
	uint32_t i;

	if (!room(r, 0))
		return false;
	op->arg_count = 0;
	for (i = 0; i < from->arg_count; i++)
		add_new(r, op, &from->arg[i], true, false, &bytes);
	bring_to_life(r, op);
	take_room(r, op, bytes);
	return true;
}

/*
 * The orchestration itself reads or writes an element; what MANUAL scopes wrote is not for
 * it. The host can do so before any task accesses the tensor, if that is from outside.
 */
static bool add_access(const struct rules *r, const struct op *op)
{
	const struct base_info *info = &r->base[op->arg[0].base];
	uint64_t offset;

	if (!sound(r, &op->arg[0]) || info->manual || !pto_dtype_size(op->arg[0].view.dtype) ||
	    pto_tensor_offset(&op->arg[0].view, op->arg[0].view.ndims, op->index, &offset))
		return false;
	return r->program->kind == KIND_DEVICE || (!info->touched && !info->owned);
}

static bool add_begin(struct rules *r, const struct op *op)
{
	if (r->depth == MAX_DEPTH ||
	    (r->mode[r->depth] == PTO_SCOPE_MANUAL && op->mode != PTO_SCOPE_MANUAL))
		return false;
	r->mode[++r->depth] = op->mode;
	return true;
}

static bool add_end(struct rules *r)
{
	uint32_t i;

	if (!r->depth)
		return false;
	for (i = r->program->external_count; i < r->base_count; i++)
		if (r->base[i].depth == r->depth)
			r->base[i].alive = false;
	/* Deeper scopes share the last ring: all of it is free when the first of them ends. */
	if (r->depth < PTO_RING_DEPTHS && r->program->kind == KIND_DEVICE) {
		r->tasks[r->depth] = 0;
		r->heap[r->depth] = 0;
		r->spill[r->depth] = 0;
	}
	r->depth--;
	return true;
}

/** rules_add() - take over @op as the next operation. Return: false if it is not allowed */
bool rules_add(struct rules *r, const struct op *from)
{
	struct op *op = &r->program->op[r->program->op_count];
	bool good = true;

	*op = *from;
	switch (from->kind) {
	case OP_NONE:
		break;
	case OP_SUBMIT:
		good = add_submit(r, op, from);
		break;
	case OP_ALLOC:
		good = add_alloc(r, op, from);
		break;
	case OP_GET:
	case OP_SET:
		good = add_access(r, op);
		break;
	case OP_BEGIN:
		good = add_begin(r, op);
		break;
	case OP_END:
		good = add_end(r);
		break;
	}
	if (good)
		r->program->op_count++;
	return good;
}

/** rules_begin() - a program without operations, whose externals, kind and rings are set */
void rules_begin(struct rules *r, struct program *program)
{
	uint32_t i;

	memset(r, 0, sizeof(*r));
	r->program = program;
	program->op_count = 0;
	program->word_count = 0;
	for (i = 0; i < program->external_count; i++) {
		r->base[i].shape = program->external[i];
		r->base[i].alive = true;
	}
	r->base_count = i;
}

/** rules_end() - close the open scopes, set the sizes that follow from the operations */
void rules_end(struct rules *r)
{
	struct pto_dev_arena_plan *plan = &r->program->rings;
	static const struct op end = { .kind = OP_END };
	uint32_t i;

	while (r->depth)
		rules_add(r, &end);
	for (i = 0; i < PTO_RING_DEPTHS; i++)
		plan->dep_pool[i] = r->pool[i] < 4 ? 4 : r->pool[i];
	if (r->program->kind == KIND_DEVICE)
		return;
	plan->heap[0] = r->total_heap < 1024 ? 1024 : r->total_heap;
	plan->task_window[0] = 4;
	while (plan->task_window[0] < r->total_tasks + 2)
		plan->task_window[0] *= 2;
}
