// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "minimise.h"
#include "rules.h"

#define RACE_TRIES	30	/* executions after which a race counts as gone */
#define MAX_TRIALS	4000	/* then what has been reached is good enough */

/**
 * struct hunt - a program that is being made smaller
 * @t: where it is tried
 * @best: the smallest one that failed
 * @plan: the next one, before the rules have been applied
 * @next: the next one
 * @v: how @best failed
 * @rules: for making @next
 * @trials: trials so far
 * @progress: something could be taken away in this round
 */
struct hunt {
	struct trial *t;
	struct program *best;
	struct program plan;
	struct program next;
	struct verdict *v;
	struct rules rules;
	uint32_t trials;
	bool progress;
};

/* Makes @next of @plan. Return: false if the scopes of @plan do not fit each other */
static bool apply_rules(struct hunt *h)
{
	static const struct op none;
	uint32_t i;

	h->next = h->plan;
	rules_begin(&h->rules, &h->next);
	for (i = 0; i < h->plan.op_count; i++) {
		const struct op *op = &h->plan.op[i];

		if (rules_add(&h->rules, op))
			continue;
		if (op->kind == OP_BEGIN || op->kind == OP_END)
			return false;
		rules_add(&h->rules, &none);
	}
	if (h->rules.depth)
		return false;
	rules_end(&h->rules);
	return true;
}

static uint64_t weight(const struct program *p)
{
	uint64_t sum = p->workers;
	uint32_t i, k;

	for (i = 0; i < p->op_count; i++) {
		const struct op *op = &p->op[i];

		if (op->kind == OP_NONE)
			continue;
		sum += 1000 + 100 * op->arg_count + 10 * (uint32_t)__builtin_popcount(op->parts) *
		       op->blocks + op->dep_count + 10 * op->conditional + op->ways + op->mode;
		for (k = 0; k < op->arg_count; k++)
			sum += op->arg[k].type == PTO_ARG_OUTPUT || op->arg[k].view.extent > 1;
	}
	return sum;
}

/* Tries @plan; it becomes the best one if it is smaller and fails. Then @plan stays. */
static bool try_plan(struct hunt *h)
{
	bool shuffled = h->v->shuffled;
	struct verdict v;

	if (h->trials++ >= MAX_TRIALS || !apply_rules(h) || weight(&h->next) >= weight(h->best)) {
		h->plan = *h->best;
		return false;
	}
	v = trial_run(h->t, &h->next, shuffled ? SHUFFLES : 0, shuffled ? 0 : RACE_TRIES);
	if (v.good) {
		h->plan = *h->best;
		return false;
	}
	*h->best = h->next;
	*h->v = v;
	h->plan = *h->best;
	h->progress = true;
	return true;
}

/* --- what can be taken away ---------------------------------------------- */

/* Operations but scopes, in runs of @size. */
static void drop_ops(struct hunt *h, uint32_t size)
{
	uint32_t at, i, dropped;

	for (at = 0; at < h->best->op_count; at += size) {
		dropped = 0;
		for (i = at; i < at + size && i < h->best->op_count; i++) {
			struct op *op = &h->plan.op[i];

			if (op->kind == OP_NONE || op->kind == OP_BEGIN || op->kind == OP_END)
				continue;
			op->kind = OP_NONE;
			dropped++;
		}
		if (dropped)
			try_plan(h);
	}
}

static uint32_t end_of(const struct program *p, uint32_t begin)
{
	uint32_t depth = 0, i;

	for (i = begin; i < p->op_count; i++) {
		depth += p->op[i].kind == OP_BEGIN;
		if (p->op[i].kind == OP_END && !--depth)
			break;
	}
	return i;
}

/* A scope, or that it is a MANUAL one. */
static void drop_scopes(struct hunt *h)
{
	uint32_t i, end;

	for (i = 0; i < h->best->op_count; i++) {
		if (h->plan.op[i].kind != OP_BEGIN)
			continue;
		end = end_of(&h->plan, i);
		h->plan.op[i].kind = OP_NONE;
		h->plan.op[end].kind = OP_NONE;
		if (try_plan(h) || h->plan.op[i].mode == PTO_SCOPE_AUTO)
			continue;
		h->plan.op[i].mode = PTO_SCOPE_AUTO;
		try_plan(h);
	}
}

static void drop_arg(struct op *op, uint32_t i)
{
	memmove(&op->arg[i], &op->arg[i + 1], (op->arg_count - i - 1) * sizeof(op->arg[0]));
	op->arg_count--;
}

static void drop_args(struct hunt *h, uint32_t number)
{
	struct op *op = &h->plan.op[number];
	uint32_t i;

	for (i = op->arg_count; i-- > 0 && op->arg_count > (op->kind == OP_ALLOC);) {
		drop_arg(op, i);
		try_plan(h);
		if (i > op->arg_count)
			i = op->arg_count;
	}
}

static void drop_extra_deps(struct hunt *h, uint32_t number)
{
	struct op *op = &h->plan.op[number];
	uint32_t i;

	if (op->extra_count) {
		op->extra_count = 0;
		try_plan(h);
	}
	for (i = op->extra_count; i-- > 0;) {
		if (i >= op->extra_count)
			continue;
		op->dep[i] = op->dep[--op->extra_count];
		try_plan(h);
	}
}

/* What makes a task more than a plain one. */
static void make_plain(struct hunt *h, uint32_t number)
{
	struct op *op = &h->plan.op[number];
	uint32_t bit;

	if (op->conditional) {
		op->conditional = false;
		try_plan(h);
	}
	if (op->ways) {
		op->ways = 0;
		try_plan(h);
	}
	if (op->blocks > 1) {
		op->blocks = 1;
		try_plan(h);
	}
	for (bit = 1; bit <= 4; bit *= 2) {
		if (op->parts == bit || !(op->parts & bit))
			continue;
		op->parts &= ~bit;
		try_plan(h);
	}
}

/* One element instead of several. */
static void shrink_shapes(struct hunt *h, uint32_t number)
{
	static const uint32_t origin[PTO_MAX_TENSOR_DIMS];
	static const uint32_t ones[PTO_MAX_TENSOR_DIMS] = { 1, 1, 1, 1, 1 };
	struct op *op = &h->plan.op[number];
	uint32_t i;

	for (i = 0; i < op->arg_count; i++) {
		struct pto_tensor *t = &op->arg[i].view;

		if (op->arg[i].type == PTO_ARG_OUTPUT || t->extent <= 1 ||
		    pto_tensor_view(t, ones, origin, t))
			continue;
		try_plan(h);
	}
}

static void drop_workers(struct hunt *h)
{
	uint32_t workers;

	for (workers = 1; workers < h->best->workers; workers++) {
		h->plan.workers = workers;
		if (try_plan(h))
			return;
	}
}

static void shrink_op(struct hunt *h, uint32_t number)
{
	enum op_kind kind = h->best->op[number].kind;

	if (kind != OP_SUBMIT && kind != OP_ALLOC)
		return;
	drop_args(h, number);
	if (kind == OP_ALLOC)
		return;
	drop_extra_deps(h, number);
	make_plain(h, number);
	shrink_shapes(h, number);
}

/** minimise() - make a failing program smaller */
void minimise(struct trial *t, struct program *program, struct verdict *v)
{
	static struct hunt h;
	uint32_t size, i;

	h.t = t;
	h.best = program;
	h.plan = *program;
	h.v = v;
	h.trials = 0;
	do {
		h.progress = false;
		drop_workers(&h);
		for (size = program->op_count; size; size /= 2)
			drop_ops(&h, size);
		drop_scopes(&h);
		for (i = 0; i < program->op_count; i++)
			shrink_op(&h, i);
	} while (h.progress && h.trials < MAX_TRIALS);
}
