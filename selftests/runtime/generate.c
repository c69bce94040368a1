// SPDX-License-Identifier: GPL-2.0
/*
 * Makes random programs. What is random stands here, what is allowed in rules.c: an
 * operation that is not allowed becomes a smaller one, or another one is tried.
 */
#include <string.h>

#include "rules.h"

struct generator {
	struct program *program;
	uint64_t rng;
	struct rules rules;
	struct pto_tensor last[MAX_BASES];	/* views, the latest of each base */
};

static const uint8_t dtypes[] = {
	PTO_DTYPE_UINT8, PTO_DTYPE_INT16, PTO_DTYPE_FLOAT32, PTO_DTYPE_UINT64, PTO_DTYPE_INT32,
	PTO_DTYPE_UINT8, PTO_DTYPE_INT16, PTO_DTYPE_FLOAT32, PTO_DTYPE_UINT64, PTO_DTYPE_INT32,
	PTO_DTYPE_FLOAT16, PTO_DTYPE_INT8, PTO_DTYPE_BFLOAT16, PTO_DTYPE_INT64, PTO_DTYPE_UINT16,
	PTO_DTYPE_UINT32, PTO_DTYPE_BOOL, PTO_DTYPE_FP8E4M3FN, PTO_DTYPE_FP8E8M0,
	PTO_DTYPE_FP4E2M1,
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

static uint8_t random_dtype(struct generator *g)
{
	return dtypes[pick(g, sizeof(dtypes))];
}

/* --- the frame ----------------------------------------------------------- */

static void make_rings(struct generator *g)
{
	struct pto_dev_arena_plan *plan = &g->program->rings;
	uint32_t i;

	plan->size = sizeof(*plan);
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = 4ULL << pick(g, chance(g, 5) ? 8 : 5);
		plan->heap[i] = 1024ULL << pick(g, 8);
	}
}

static void make_externals(struct generator *g)
{
	struct pto_tensor *t = g->program->external;
	uint32_t i, elements, shapes[2];
	uint8_t dtype;

	g->program->external_count = 1 + pick(g, MAX_EXTERNALS);
	for (i = 0; i < g->program->external_count; i++) {
		dtype = random_dtype(g);
		elements = EXTERNAL_BYTES * 8 / pto_dtype_bits(dtype);
		shapes[0] = 1u << pick(g, 7);
		shapes[1] = elements / shapes[0];
		pto_tensor_make(&t[i], 0, dtype, 2, shapes);
	}
}

/* --- views --------------------------------------------------------------- */

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

static int random_permutation(struct generator *g, struct pto_tensor *t)
{
	uint32_t order[PTO_MAX_TENSOR_DIMS], i, k, swap;

	for (i = 0; i < t->ndims; i++) {
		k = pick(g, i + 1);
		swap = k < i ? order[k] : i;
		order[i] = swap;
		order[k] = i;
	}
	return pto_tensor_permute(t, order, t);
}

static int random_slice(struct generator *g, struct pto_tensor *t)
{
	uint32_t dim = pick(g, t->ndims);
	uint32_t from = pick(g, t->shapes[dim] + 1);
	uint32_t to = from + pick(g, t->shapes[dim] - from + 1);

	/* Empty ones are rare. */
	if (from == to && !chance(g, 10))
		return -1;
	return pto_tensor_slice(t, dim, from, to, 1 + pick(g, 3), t);
}

/* The product of the shapes stays; a contiguous tensor is needed, else nothing happens. */
static int random_reshape(struct generator *g, struct pto_tensor *t)
{
	uint32_t shapes[PTO_MAX_TENSOR_DIMS], ndims = 1 + pick(g, PTO_MAX_TENSOR_DIMS);
	uint64_t count;
	uint32_t i, part;

	if (pto_tensor_elements(t, &count) || !count || count > 2 * EXTERNAL_BYTES)
		return -1;
	for (i = 0; i + 1 < ndims; i++) {
		part = 1 + pick(g, 4);
		shapes[i] = count % part ? 1 : part;
		count /= shapes[i];
	}
	shapes[i] = (uint32_t)count;
	return pto_tensor_reshape(t, ndims, shapes, t);
}

static int random_box(struct generator *g, struct pto_tensor *t)
{
	uint32_t shapes[PTO_MAX_TENSOR_DIMS], offsets[PTO_MAX_TENSOR_DIMS];
	uint32_t i;

	for (i = 0; i < t->ndims; i++) {
		offsets[i] = pick(g, t->shapes[i] + 1);
		shapes[i] = t->shapes[i] - offsets[i];
		shapes[i] -= shapes[i] ? pick(g, shapes[i]) : 0;
		if (chance(g, 60)) {
			offsets[i] = 0;
			shapes[i] = t->shapes[i];
		}
	}
	return pto_tensor_view(t, shapes, offsets, t);
}

/* One random step from a tensor to a view of it; steps that are not possible do nothing. */
static int random_step(struct generator *g, struct pto_tensor *t)
{
	switch (pick(g, 7)) {
	case 0:
		return pto_tensor_transpose(t, pick(g, t->ndims), pick(g, t->ndims), t);
	case 1:
		return random_permutation(g, t);
	case 2:
		return random_slice(g, t);
	case 3:
		return random_reshape(g, t);
	default:
		return random_box(g, t);
	}
}

/* What was used before, once more or a little beside: views of one grid. */
static struct pto_tensor similar_view(struct generator *g, uint32_t base)
{
	struct pto_tensor t = g->last[base];
	uint32_t dim = pick(g, t.ndims);

	if (chance(g, 60))
		t.start_offset += pick(g, 2) ? t.strides[dim] : 1;
	if (chance(g, 30))
		random_box(g, &t);
	t.is_contiguous = (uint8_t)pto_tensor_contiguous(&t);
	return pto_tensor_check(&t) ? g->last[base] : t;
}

static struct pto_tensor fresh_view(struct generator *g, uint32_t base)
{
	struct pto_tensor t = g->rules.base[base].shape;
	uint32_t steps = chance(g, 40) ? 0 : 1 + pick(g, 3);
	uint64_t size = t.size;
	uint32_t elements;

	/* The same memory as another type; what fills no element is left out. */
	if (chance(g, 8)) {
		uint8_t dtype = random_dtype(g);

		elements = (uint32_t)(t.extent * pto_dtype_bits(t.dtype) / pto_dtype_bits(dtype));
		if (elements)
			pto_tensor_make(&t, 0, dtype, 1, &elements);
		t.size = size;
	}
	while (steps--)
		random_step(g, &t);
	if (chance(g, 5))
		t.version = (int32_t)pick(g, 5) - 2;
	return t;
}

static struct pto_tensor random_view(struct generator *g, uint32_t base)
{
	bool similar = g->last[base].ndims && chance(g, 40);

	g->last[base] = similar ? similar_view(g, base) : fresh_view(g, base);
	return g->last[base];
}

/* --- tasks --------------------------------------------------------------- */

static uint32_t recent(struct generator *g, uint32_t count)
{
	return count - 1 - pick(g, count < 12 ? count : 12);
}

/* Prefer recent ones; external ones are always there. */
static bool random_base(struct generator *g, uint32_t *base)
{
	uint32_t tries = 20;

	while (tries--) {
		*base = chance(g, 50) ? pick(g, g->program->external_count) :
					recent(g, g->rules.base_count);
		if (g->rules.base[*base].alive)
			return true;
	}
	return false;
}

static void random_new(struct generator *g, struct arg *arg, uint32_t base)
{
	uint32_t shapes[PTO_MAX_TENSOR_DIMS], ndims;
	uint8_t dtype = random_dtype(g);

	random_shape(g, 96, &ndims, shapes);
	/* Half of the last byte would be nobody's. */
	if (!pto_dtype_size(dtype))
		shapes[ndims - 1] += shapes[ndims - 1] & 1;
	arg->type = PTO_ARG_OUTPUT;
	arg->base = base;
	arg->create = pto_create(dtype, ndims, shapes);
	arg->create.initial_value = mix(g->rng);
	arg->create.has_initial_value = chance(g, 10);
}

/* Return: false if there is no tensor */
static bool random_existing(struct generator *g, struct arg *arg)
{
	static const uint8_t types[] = {
		PTO_ARG_INPUT, PTO_ARG_INPUT, PTO_ARG_INPUT, PTO_ARG_INOUT, PTO_ARG_INOUT,
		PTO_ARG_OUTPUT_EXISTING, PTO_ARG_OUTPUT_EXISTING, PTO_ARG_NO_DEP,
	};

	arg->type = types[pick(g, sizeof(types))];
	if (!random_base(g, &arg->base))
		return false;
	arg->view = random_view(g, arg->base);
	arg->view.manual_dep = arg->type != PTO_ARG_NO_DEP && chance(g, 3);
	return true;
}

/* Names some earlier tasks for no reason. */
static void random_deps(struct generator *g, struct op *op)
{
	uint32_t count = chance(g, 10) ? pick(g, MAX_EXTRA_DEPS) : pick(g, 4);

	while (count-- && g->program->op_count)
		op->dep[op->extra_count++] = pick(g, g->program->op_count);
}

static void random_index(struct generator *g, const struct pto_tensor *t, uint32_t *index)
{
	uint32_t i;

	for (i = 0; i < t->ndims; i++)
		index[i] = pick(g, t->shapes[i]);
}

static int64_t random_value(struct generator *g, uint8_t dtype)
{
	uint64_t bits = mix(g->rng);

	switch (dtype) {
	case PTO_DTYPE_BOOL:
		return bits & 1;
	case PTO_DTYPE_INT8:
		return (int8_t)bits;
	case PTO_DTYPE_INT16:
		return (int16_t)bits;
	case PTO_DTYPE_INT32:
		return (int32_t)bits;
	case PTO_DTYPE_UINT8:
		return (uint8_t)bits;
	case PTO_DTYPE_UINT16:
		return (uint16_t)bits;
	case PTO_DTYPE_UINT32:
		return (uint32_t)bits;
	default:
		return (int64_t)bits;
	}
}

static bool is_integer(uint8_t dtype)
{
	switch (dtype) {
	case PTO_DTYPE_BOOL:
	case PTO_DTYPE_INT8 ... PTO_DTYPE_UINT8:
	case PTO_DTYPE_INT16:
	case PTO_DTYPE_INT32:
	case PTO_DTYPE_INT64 ... PTO_DTYPE_UINT32:
		return true;
	default:
		return false;
	}
}

static void random_predicate(struct generator *g, struct op *op)
{
	struct arg *arg = &op->condition;

	arg->type = PTO_ARG_INPUT;
	if (!random_base(g, &arg->base))
		return;
	arg->view = random_view(g, arg->base);
	arg->view.manual_dep = chance(g, 3);
	if (!is_integer(arg->view.dtype) || !arg->view.extent)
		return;
	random_index(g, &arg->view, op->index);
	op->compare = pick(g, PTO_PREDICATE_GE + 1);
	op->value = random_value(g, arg->view.dtype);
	op->conditional = true;
}

/* How the kernels of a task with several units, or of one, behave. */
static void random_ways(struct generator *g, struct op *op)
{
	if (op->blocks > 1 && chance(g, 30))
		op->ways |= WAY_SYNC;
	if (op->parts && chance(g, 10))
		op->ways |= WAY_MEET;
	if (op->ways & WAY_MEET && chance(g, 5))
		op->ways |= WAY_SPIN;
	if (op->parts && chance(g, 4))
		op->ways |= WAY_LATER;
}

static void make_submit(struct generator *g, struct op *op)
{
	static const uint8_t parts[] = { 0, 1, 1, 2, 2, 2, 4, 3, 5, 6, 7 };
	uint32_t args = pick(g, chance(g, 10) ? MAX_ARGS + 1 : 7);
	uint32_t base = g->rules.base_count;

	op->kind = OP_SUBMIT;
	op->parts = parts[pick(g, sizeof(parts))];
	op->blocks = chance(g, 15) ? 1 + pick(g, MAX_BLOCKS) : 1;
	op->salt = mix(g->rng);
	random_ways(g, op);
	while (args--) {
		if (chance(g, 25) && base < MAX_BASES)
			random_new(g, &op->arg[op->arg_count++], base++);
		else if (random_existing(g, &op->arg[op->arg_count]))
			op->arg_count++;
	}
	if (chance(g, 20))
		random_deps(g, op);
	if (chance(g, 8))
		random_predicate(g, op);
}

static void make_alloc(struct generator *g, struct op *op)
{
	uint32_t count = 1 + pick(g, 3);
	uint32_t base = g->rules.base_count;

	op->kind = OP_ALLOC;
	while (count-- && base < MAX_BASES)
		random_new(g, &op->arg[op->arg_count++], base++);
}

/* The orchestration itself reads or writes an element. */
static void make_access(struct generator *g, struct op *op)
{
	struct arg *arg = &op->arg[0];

	if (!random_base(g, &arg->base))
		return;
	arg->view = random_view(g, arg->base);
	if (!arg->view.extent)
		return;
	random_index(g, &arg->view, op->index);
	op->kind = chance(g, 50) ? OP_GET : OP_SET;
	op->salt = mix(g->rng);
}

static void make_begin(struct generator *g, struct op *op)
{
	uint32_t outer = g->rules.mode[g->rules.depth];

	op->kind = OP_BEGIN;
	op->mode = chance(g, 20) ? PTO_SCOPE_MANUAL : outer;
}

/* What cannot be made stays OP_NONE. */
static void make_op(struct generator *g, struct op *op)
{
	uint32_t what = pick(g, 100);

	memset(op, 0, sizeof(*op));
	if (what < 62)
		make_submit(g, op);
	else if (what < 68)
		make_alloc(g, op);
	else if (what < 76)
		make_access(g, op);
	else if (what < 88)
		make_begin(g, op);
	else
		op->kind = OP_END;
}

/**
 * generate() - make the program of a seed
 * @program: the program
 * @seed: the seed
 * @kind: what it shall be; KIND_ANY: the seed says
 */
void generate(struct program *program, uint64_t seed, enum program_kind kind)
{
	static _Thread_local struct generator g;
	static _Thread_local struct op op;
	uint32_t ops, tries;

	memset(program, 0, sizeof(*program));
	memset(g.last, 0, sizeof(g.last));
	g.program = program;
	g.rng = mix(seed);
	program->seed = seed;
	program->kind = kind != KIND_ANY ? kind : chance(&g, 20) ? KIND_HOST : KIND_DEVICE;
	program->arch = chance(&g, 50) ? PTO_ARCH_A2A3 : PTO_ARCH_A5;
	program->workers = 1 + pick(&g, MAX_WORKERS);
	make_rings(&g);
	make_externals(&g);
	rules_begin(&g.rules, program);
	ops = 5 + pick(&g, chance(&g, 15) ? MAX_OPS - MAX_DEPTH - 6 : 60);
	for (tries = 0; program->op_count < ops && tries < 2 * MAX_OPS; tries++) {
		make_op(&g, &op);
		if (op.kind != OP_NONE)
			rules_add(&g.rules, &op);
	}
	rules_end(&g.rules);
}
