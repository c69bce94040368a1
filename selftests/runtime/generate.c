// SPDX-License-Identifier: GPL-2.0
/*
 * Makes random programs that must succeed, and whose result must be that of executing their
 * tasks one after the other: Documentation/dependencies.rst read as a list of duties.
 *
 *  - What the rules do not order (MANUAL scopes, manual_dep) the program orders with
 *    explicit dependencies.
 *  - Units of one task write nothing that another unit accesses.
 *  - Tensors are used while the scope that allocated them is open.
 *  - Rings are as small as they can be without a deadlock; the bounds are computed here.
 */
#include <string.h>

#include "program.h"

#define MAX_DEPTH 7

/* What is known of a base while the program is made. */
struct base_info {
	struct pto_tensor shape;
	uint32_t depth;			/* of its scope */
	bool owned;			/* allocated by the runtime, for operation @owner */
	uint32_t owner;
	bool dead;
	bool manual;			/* accessed by a task that the rules do not order */
	bool untraceable;		/* too many accessors to name */
	uint32_t accessor_count;
	uint32_t accessor[MAX_DEPS];	/* operations whose tasks a manual access must follow */
};

struct generator {
	struct program *program;
	uint64_t rng;
	uint32_t base_count;
	uint32_t depth;
	uint32_t mode[MAX_DEPTH + 1];
	uint64_t tasks[PTO_RING_DEPTHS];	/* that an open scope may hold */
	uint64_t heap[PTO_RING_DEPTHS];		/* bytes that an open scope may hold */
	struct base_info base[MAX_BASES];
};

static const uint8_t dtypes[] = {
	PTO_DTYPE_UINT8, PTO_DTYPE_INT16, PTO_DTYPE_FLOAT32, PTO_DTYPE_UINT64, PTO_DTYPE_INT32,
};

uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint32_t pick(struct generator *g, uint32_t n)
{
	g->rng += 0x9e3779b97f4a7c15ULL;
	return (uint32_t)((mix(g->rng) >> 32) * n >> 32);
}

static bool chance(struct generator *g, uint32_t percent)
{
	return pick(g, 100) < percent;
}

/* --- rings --------------------------------------------------------------- */

static void make_rings(struct generator *g)
{
	struct pto_dev_arena_plan *plan = &g->program->rings;
	uint64_t tasks = 0;
	uint32_t i;

	plan->size = sizeof(*plan);
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = 4ULL << pick(g, 5);
		plan->heap[i] = 1024ULL << pick(g, 8);
		tasks += plan->task_window[i];
	}
	/* Dependencies of a task that fit into no slot need the pool. */
	for (i = 0; i < PTO_RING_DEPTHS; i++)
		plan->dep_pool[i] = tasks <= 64 ? 4 : 16384;
}

static uint32_t ring_of(const struct generator *g)
{
	return g->depth < PTO_RING_DEPTHS ? g->depth : PTO_RING_DEPTHS - 1;
}

/*
 * Is there certainly room for one more task with @bytes of outputs, whatever has been
 * reclaimed? Held tasks count in full, and a heap with a wrap in it is used half.
 */
static bool room(const struct generator *g, uint64_t bytes)
{
	const struct pto_dev_arena_plan *plan = &g->program->rings;
	uint32_t ring = ring_of(g);

	if (g->tasks[ring] + 1 >= plan->task_window[ring])
		return false;
	if (!bytes || (!g->heap[ring] && bytes <= plan->heap[ring]))
		return true;
	return 2 * (g->heap[ring] + bytes) <= plan->heap[ring];
}

static void take_room(struct generator *g, uint64_t bytes)
{
	g->tasks[ring_of(g)]++;
	g->heap[ring_of(g)] += bytes;
}

/* --- tensors ------------------------------------------------------------- */

static void random_shape(struct generator *g, uint32_t max, uint32_t *ndims, uint32_t *shapes)
{
	uint32_t left = 1 + pick(g, max);
	uint32_t i;

	*ndims = 1 + pick(g, chance(g, 10) ? PTO_MAX_TENSOR_DIMS : 3);
	for (i = 0; i + 1 < *ndims; i++) {
		shapes[i] = 1 + pick(g, left < 8 ? left : 8);
		left /= shapes[i];
	}
	shapes[i] = left ? left : 1;
}

/* One random step from a tensor to a view of it; steps that are not possible do nothing. */
static void random_step(struct generator *g, struct pto_tensor *t)
{
	uint32_t shapes[PTO_MAX_TENSOR_DIMS], offsets[PTO_MAX_TENSOR_DIMS];
	uint32_t dim = pick(g, t->ndims);
	uint32_t i, from, to;
	uint64_t count;

	switch (pick(g, 6)) {
	case 0:
		if (pto_tensor_transpose(t, dim, pick(g, t->ndims), t))
			return;
		break;
	case 1:
		from = pick(g, t->shapes[dim] + 1);
		to = from + pick(g, t->shapes[dim] - from + 1);
		if ((from == to && !chance(g, 10)) ||
		    pto_tensor_slice(t, dim, from, to, 1 + pick(g, 3), t))
			return;
		break;
	case 2:
		if (pto_tensor_elements(t, &count) || !count || count > 1024)
			return;
		shapes[0] = 1 + pick(g, (uint32_t)count);
		shapes[1] = (uint32_t)count / shapes[0];
		if (pto_tensor_reshape(t, 2, shapes, t))
			return;
		break;
	default:
		for (i = 0; i < t->ndims; i++) {
			offsets[i] = pick(g, t->shapes[i] + 1);
			shapes[i] = t->shapes[i] - offsets[i];
			shapes[i] -= shapes[i] ? pick(g, shapes[i]) : 0;
			if (chance(g, 60)) {
				offsets[i] = 0;
				shapes[i] = t->shapes[i];
			}
		}
		if (pto_tensor_view(t, shapes, offsets, t))
			return;
	}
}

static struct pto_tensor random_view(struct generator *g, uint32_t base)
{
	struct pto_tensor t = g->base[base].shape;
	uint32_t steps = chance(g, 40) ? 0 : 1 + pick(g, 3);
	uint32_t elements;

	if (base < g->program->external_count && chance(g, 10)) {
		uint8_t dtype = dtypes[pick(g, sizeof(dtypes))];

		elements = EXTERNAL_BYTES / pto_dtype_size(dtype);
		pto_tensor_make(&t, 0, dtype, 1, &elements);
	}
	while (steps--)
		random_step(g, &t);
	return t;
}

static void make_externals(struct generator *g)
{
	uint32_t i, elements, shapes[2];
	uint8_t dtype;

	g->program->external_count = 1 + pick(g, MAX_EXTERNALS);
	for (i = 0; i < g->program->external_count; i++) {
		dtype = dtypes[pick(g, sizeof(dtypes))];
		elements = EXTERNAL_BYTES / pto_dtype_size(dtype);
		shapes[0] = 1u << pick(g, 7);
		shapes[1] = elements / shapes[0];
		pto_tensor_make(&g->base[i].shape, 0, dtype, 2, shapes);
	}
	g->base_count = i;
}

/* Describes a new base. Return: heap bytes that it takes. */
static uint64_t make_base(struct generator *g, struct arg *arg, bool filled, uint32_t op)
{
	struct base_info *info = &g->base[g->base_count];
	uint32_t shapes[PTO_MAX_TENSOR_DIMS], ndims;
	uint8_t dtype = dtypes[pick(g, sizeof(dtypes))];

	random_shape(g, 96, &ndims, shapes);
	arg->type = PTO_ARG_OUTPUT;
	arg->base = g->base_count;
	arg->create = pto_create(dtype, ndims, shapes);
	if (filled || chance(g, 10))
		pto_create_set_value(&arg->create, mix(g->rng));
	memset(info, 0, sizeof(*info));
	pto_tensor_make(&info->shape, 0, dtype, ndims, shapes);
	info->depth = g->depth;
	info->owned = true;
	info->owner = op;
	info->accessor[0] = op;
	info->accessor_count = 1;
	return (info->shape.size + 1023) & ~1023ULL;
}

/* --- tasks --------------------------------------------------------------- */

static bool random_base(struct generator *g, uint32_t *base)
{
	uint32_t tries = 20;

	while (tries--) {
		/* Prefer recent ones; external ones are always there. */
		*base = chance(g, 50) ? pick(g, g->program->external_count) :
				       g->base_count - 1 -
					       pick(g, g->base_count < 12 ? g->base_count : 12);
		if (!g->base[*base].dead)
			return true;
	}
	return false;
}

static bool already_used(const struct op *op, uint32_t base)
{
	uint32_t i;

	for (i = 0; i < op->arg_count; i++)
		if (op->arg[i].base == base)
			return true;
	return false;
}

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
static bool order_access(struct generator *g, struct op *op, struct arg *arg)
{
	struct base_info *info = &g->base[arg->base];
	bool manual = g->mode[g->depth] == PTO_SCOPE_MANUAL || arg->view.manual_dep;
	uint32_t number = (uint32_t)(op - g->program->op);

	if (info->accessor_count && info->accessor[info->accessor_count - 1] == number) {
		/* The same task again; it follows everybody if one of its accesses is manual. */
		if (manual != info->manual)
			return false;
		return true;
	}
	if (manual || info->manual) {
		if (info->untraceable || !follow(info, op))
			return false;
		info->manual = true;
		info->accessor_count = 0;
	}
	if (info->accessor_count == MAX_DEPS)
		info->untraceable = true;
	else
		info->accessor[info->accessor_count++] = number;
	return true;
}

/* Adds an argument that exists. Return: false to leave it out. */
static bool random_arg(struct generator *g, struct op *op, bool shared)
{
	static const uint8_t types[] = {
		PTO_ARG_INPUT, PTO_ARG_INPUT, PTO_ARG_INPUT, PTO_ARG_INOUT, PTO_ARG_INOUT,
		PTO_ARG_OUTPUT_EXISTING, PTO_ARG_OUTPUT_EXISTING, PTO_ARG_NO_DEP,
	};
	struct arg *arg = &op->arg[op->arg_count];
	struct op before = *op;

	arg->type = types[pick(g, sizeof(types))];
	if (!random_base(g, &arg->base) || (shared && already_used(op, arg->base)))
		return false;
	arg->view = random_view(g, arg->base);
	arg->view.manual_dep = arg->type != PTO_ARG_NO_DEP && chance(g, 3);
	if (arg->type != PTO_ARG_NO_DEP && !order_access(g, op, arg)) {
		*op = before;
		return false;
	}
	op->arg_count++;
	return true;
}

/* Names some earlier tasks for no reason. */
static void random_deps(struct generator *g, struct op *op)
{
	uint32_t number = (uint32_t)(op - g->program->op);
	uint32_t count = chance(g, 5) ? pick(g, MAX_DEPS) : pick(g, 4);
	uint32_t dep;

	while (count-- && number && op->dep_count < MAX_DEPS) {
		dep = pick(g, number);
		if (g->program->op[dep].kind == OP_SUBMIT || g->program->op[dep].kind == OP_ALLOC)
			op->dep[op->dep_count++] = dep;
	}
}

static bool make_submit(struct generator *g, struct op *op)
{
	static const uint8_t parts[] = { 0, 1, 1, 2, 2, 2, 4, 3, 5, 6, 7 };
	uint32_t number = (uint32_t)(op - g->program->op);
	uint32_t args = pick(g, MAX_ARGS + 1);
	uint32_t outputs = 0;
	uint64_t bytes = 0, more;
	bool shared;

	op->kind = OP_SUBMIT;
	op->parts = parts[pick(g, sizeof(parts))];
	op->blocks = chance(g, 15) ? 1 + pick(g, 5) : 1;
	op->salt = mix(g->rng);
	shared = __builtin_popcount(op->parts) * op->blocks > 1;
	if (!room(g, 0))
		return false;
	while (args--) {
		if (!chance(g, 25)) {
			random_arg(g, op, shared);
			continue;
		}
		more = make_base(g, &op->arg[op->arg_count], !op->parts, number);
		if (g->base_count + 1 >= MAX_BASES || !room(g, bytes + more))
			continue;
		bytes += more;
		g->base_count++;
		/* Not for arguments of the same task. */
		g->base[g->base_count - 1].dead = true;
		outputs++;
		op->arg_count++;
	}
	while (outputs)
		g->base[g->base_count - outputs--].dead = false;
	if (chance(g, 20))
		random_deps(g, op);
	take_room(g, bytes);
	return true;
}

static bool make_alloc(struct generator *g, struct op *op)
{
	uint32_t count = 1 + pick(g, 3);
	uint64_t bytes = 0, more;

	op->kind = OP_ALLOC;
	while (count-- && g->base_count + 1 < MAX_BASES) {
		more = make_base(g, &op->arg[op->arg_count], true,
				 (uint32_t)(op - g->program->op));
		if (!room(g, bytes + more))
			break;
		bytes += more;
		g->base_count++;
		op->arg_count++;
	}
	if (!op->arg_count)
		return false;
	take_room(g, bytes);
	return true;
}

/* An element, through the view of a base on which all tasks are ordered by the rules. */
static bool make_access(struct generator *g, struct op *op)
{
	struct arg *arg = &op->arg[0];
	uint32_t i;

	op->kind = chance(g, 50) ? OP_GET : OP_SET;
	op->salt = mix(g->rng);
	if (!random_base(g, &arg->base) || g->base[arg->base].manual)
		return false;
	arg->view = random_view(g, arg->base);
	if (!arg->view.extent)
		return false;
	for (i = 0; i < arg->view.ndims; i++)
		op->index[i] = pick(g, arg->view.shapes[i]);
	return true;
}

/* --- scopes -------------------------------------------------------------- */

static bool make_begin(struct generator *g, struct op *op)
{
	uint32_t manual = g->mode[g->depth] == PTO_SCOPE_MANUAL || chance(g, 20);

	if (g->depth == MAX_DEPTH)
		return false;
	op->kind = OP_BEGIN;
	op->mode = manual ? PTO_SCOPE_MANUAL : PTO_SCOPE_AUTO;
	g->mode[++g->depth] = op->mode;
	return true;
}

static bool make_end(struct generator *g, struct op *op)
{
	uint32_t i;

	if (!g->depth)
		return false;
	op->kind = OP_END;
	for (i = 0; i < g->base_count; i++)
		if (i >= g->program->external_count && g->base[i].depth == g->depth)
			g->base[i].dead = true;
	/* Deeper scopes share the last ring: all of it is free when the first of them ends. */
	if (g->depth < PTO_RING_DEPTHS) {
		g->tasks[g->depth] = 0;
		g->heap[g->depth] = 0;
	}
	g->depth--;
	return true;
}

static bool make_op(struct generator *g, struct op *op)
{
	uint32_t what = pick(g, 100);

	memset(op, 0, sizeof(*op));
	if (what < 62)
		return make_submit(g, op);
	if (what < 68)
		return make_alloc(g, op);
	if (what < 76)
		return make_access(g, op);
	return what < 88 ? make_begin(g, op) : make_end(g, op);
}

/**
 * generate() - make the program of a seed
 * @program: the program
 * @seed: the seed
 * @max_ops: operations at most; a shorter program of a seed is the beginning of a longer one
 */
void generate(struct program *program, uint64_t seed, uint32_t max_ops)
{
	static _Thread_local struct generator g;
	uint32_t ops, tries;

	memset(&g, 0, sizeof(g));
	memset(program, 0, sizeof(*program));
	g.program = program;
	g.rng = mix(seed);
	program->seed = seed;
	make_rings(&g);
	make_externals(&g);
	ops = 5 + pick(&g, chance(&g, 20) ? MAX_OPS - MAX_DEPTH - 6 : 60);
	if (ops > max_ops)
		ops = max_ops;
	for (tries = 0; program->op_count < ops && tries < 4 * MAX_OPS; tries++)
		if (make_op(&g, &program->op[program->op_count]))
			program->op_count++;
	while (g.depth)
		make_end(&g, &program->op[program->op_count++]);
}
