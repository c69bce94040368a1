// SPDX-License-Identifier: GPL-2.0
/*
 * Executes a program through the orchestration API, whatever runtime is behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define SINGLE_DEPS 8	/* dependencies named one by one; the others with a list */

/** execution_init() - memory for the executions of programs */
void execution_init(struct execution *ex)
{
	uint32_t i;

	for (i = 0; i < MAX_EXTERNALS; i++) {
		ex->external[i] = malloc(EXTERNAL_BYTES);
		if (!ex->external[i])
			abort();
	}
}

/** execution_free() - undo execution_init() */
void execution_free(struct execution *ex)
{
	uint32_t i;

	for (i = 0; i < MAX_EXTERNALS; i++)
		free(ex->external[i]);
}

/** execution_reset() - everything as before the first operation */
void execution_reset(struct execution *ex, const struct program *program)
{
	uint32_t i, k;

	ex->program = program;
	ex->get_count = 0;
	ex->state = program->seed;
	for (i = 0; i < program->external_count; i++)
		for (k = 0; k < EXTERNAL_BYTES; k++)
			ex->external[i][k] = (uint8_t)mix(program->seed + i * EXTERNAL_BYTES + k);
	memset(ex->words, 0, program->word_count * sizeof(ex->words[0]));
}

/** execution_same() - has an execution left and seen what it should have? */
bool execution_same(const struct execution *actual, const struct execution *expected, char *why,
		    size_t size)
{
	uint32_t i, k;

	if (actual->get_count != expected->get_count) {
		snprintf(why, size, "%u values read, not %u", actual->get_count,
			 expected->get_count);
		return false;
	}
	for (i = 0; i < actual->get_count; i++) {
		if (actual->get[i] != expected->get[i]) {
			snprintf(why, size, "value %u read is wrong", i);
			return false;
		}
	}
	for (i = 0; i < actual->program->external_count; i++) {
		for (k = 0; k < EXTERNAL_BYTES; k++) {
			if (actual->external[i][k] != expected->external[i][k]) {
				snprintf(why, size, "byte %u of external tensor %u is wrong", k, i);
				return false;
			}
		}
	}
	return true;
}

/* --- tasks --------------------------------------------------------------- */

/* The descriptor of an argument: the view's shape at the base's place. */
static struct pto_tensor place(const struct execution *ex, const struct arg *arg)
{
	const struct program *program = ex->program;
	const struct pto_tensor *base = &ex->base[arg->base];
	struct pto_tensor t = arg->view;

	if (arg->base < program->external_count) {
		t.addr = (uint64_t)(uintptr_t)ex->external[arg->base];
		t.size = EXTERNAL_BYTES;
		t.owner_task = PTO_NO_TASK;
	} else {
		t.addr = base->addr;
		t.size = base->size;
		t.owner_task = base->owner_task;
	}
	return t;
}

/* Remembers the tensors that the runtime has allocated. */
static void keep_outputs(struct execution *ex, const struct op *op, const struct pto_task *task)
{
	uint32_t i, output = 0;

	for (i = 0; i < op->arg_count; i++)
		if (op->arg[i].type == PTO_ARG_OUTPUT)
			ex->base[op->arg[i].base] = *pto_task_output(task, output++);
}

static void add_args(const struct execution *ex, const struct op *op, struct pto_tensor *views,
		     struct pto_task_args *args)
{
	uint32_t i;

	for (i = 0; i < op->arg_count; i++) {
		const struct arg *arg = &op->arg[i];

		if (arg->type != PTO_ARG_OUTPUT)
			views[i] = place(ex, arg);
		switch (arg->type) {
		case PTO_ARG_INPUT:
			pto_add_input(args, &views[i]);
			break;
		case PTO_ARG_OUTPUT:
			pto_add_output(args, &arg->create);
			break;
		case PTO_ARG_INOUT:
			pto_add_inout(args, &views[i]);
			break;
		case PTO_ARG_OUTPUT_EXISTING:
			pto_add_output_existing(args, &views[i]);
			break;
		default:
			pto_add_no_dep(args, &views[i]);
		}
	}
}

static void add_scalars(struct execution *ex, const struct op *op, struct pto_task_args *args)
{
	uint64_t mask[3] = { 0 };	/* reads, writes, updates */
	uint32_t i;

	for (i = 0; i < op->arg_count; i++) {
		uint8_t type = op->arg[i].type;

		if (type == PTO_ARG_INPUT)
			mask[0] |= 1ULL << i;
		else if (type == PTO_ARG_INOUT)
			mask[2] |= 1ULL << i;
		else if (type != PTO_ARG_NO_DEP)
			mask[1] |= 1ULL << i;
	}
	pto_add_scalar(args, op->salt ^ ex->state);
	pto_add_scalar(args, mask[0]);
	pto_add_scalar(args, mask[1]);
	pto_add_scalar(args, mask[2]);
	pto_add_scalar(args, op->parts);
	pto_add_scalar(args, op->ways);
	pto_add_scalar(args, (uint64_t)(uintptr_t)&ex->words[op->words]);
}

/* @deps is borrowed by @args. */
static void add_deps(const struct execution *ex, const struct op *op, uint64_t *deps,
		     struct pto_task_args *args)
{
	uint32_t i;

	for (i = 0; i < op->dep_count; i++) {
		deps[i] = ex->task[op->dep[i]];
		if (i < SINGLE_DEPS)
			pto_add_dep(args, deps[i]);
	}
	if (op->dep_count > SINGLE_DEPS)
		pto_set_dependencies(args, deps + SINGLE_DEPS, op->dep_count - SINGLE_DEPS);
}

static void submit(struct pto_rt *rt, struct execution *ex, const struct op *op)
{
	uint32_t number = (uint32_t)(op - ex->program->op);
	struct pto_tensor views[MAX_ARGS], condition;
	struct pto_task_args args;
	uint64_t deps[MAX_DEPS];
	struct pto_task task;

	pto_task_args_init(&args);
	add_args(ex, op, views, &args);
	add_scalars(ex, op, &args);
	add_deps(ex, op, deps, &args);
	pto_set_block_num(&args, op->blocks);
	pto_set_sync_start(&args, op->ways & WAY_SYNC);
	if (op->conditional) {
		condition = place(ex, &op->condition);
		pto_set_predicate(&args, &condition, condition.ndims, op->index, op->compare,
				  op->value);
	}
	task = pto_submit_mixed(rt, op->parts & 1 ? (int)FUNC_ID(0, op->arg_count) : PTO_FUNC_NONE,
				op->parts & 2 ? (int)FUNC_ID(1, op->arg_count) : PTO_FUNC_NONE,
				op->parts & 4 ? (int)FUNC_ID(2, op->arg_count) : PTO_FUNC_NONE,
				&args);
	ex->task[number] = task.id;
	keep_outputs(ex, op, &task);
}

static void alloc(struct pto_rt *rt, struct execution *ex, const struct op *op)
{
	struct pto_create_info infos[MAX_ARGS];
	struct pto_task task;
	uint32_t i;

	for (i = 0; i < op->arg_count; i++)
		infos[i] = op->arg[i].create;
	task = pto_alloc_tensors(rt, infos, op->arg_count);
	ex->task[op - ex->program->op] = task.id;
	keep_outputs(ex, op, &task);
}

static void access_element(struct pto_rt *rt, struct execution *ex, const struct op *op)
{
	struct pto_tensor t = place(ex, &op->arg[0]);
	uint32_t bytes = pto_dtype_size(t.dtype);
	uint64_t value = op->salt;

	if (op->kind == OP_SET) {
		pto_set_element(rt, &t, t.ndims, op->index, &value, bytes);
		return;
	}
	value = 0;
	pto_get_element(rt, &t, t.ndims, op->index, &value, bytes);
	ex->get[ex->get_count++] = value;
	ex->state = mix(ex->state ^ value);
}

/** execute_program() - carry all operations out */
void execute_program(struct pto_rt *rt, struct execution *ex)
{
	const struct program *program = ex->program;
	uint32_t i;

	for (i = 0; i < program->op_count && !pto_is_fatal(rt); i++) {
		const struct op *op = &program->op[i];

		switch (op->kind) {
		case OP_NONE:
			break;
		case OP_SUBMIT:
			submit(rt, ex, op);
			break;
		case OP_ALLOC:
			alloc(rt, ex, op);
			break;
		case OP_GET:
		case OP_SET:
			access_element(rt, ex, op);
			break;
		case OP_BEGIN:
			pto_scope_begin(rt, op->mode);
			break;
		case OP_END:
			pto_scope_end(rt);
			break;
		}
	}
}
