// SPDX-License-Identifier: GPL-2.0
/*
 * Executes a program through the orchestration API, whatever runtime is behind it.
 */
#include <string.h>

#include "program.h"

uint64_t load_element(const void *p, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, p, bytes);
	return value;
}

void store_element(void *p, uint32_t bytes, uint64_t value)
{
	memcpy(p, &value, bytes);
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
}

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

static void add_scalars(const struct execution *ex, const struct op *op, struct pto_task_args *args)
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
}

static void submit(struct pto_rt *rt, struct execution *ex, const struct op *op)
{
	uint32_t number = (uint32_t)(op - ex->program->op);
	struct pto_tensor views[MAX_ARGS];
	struct pto_task_args args;
	uint64_t deps[MAX_DEPS];
	struct pto_task task;
	uint32_t i;

	pto_task_args_init(&args);
	add_args(ex, op, views, &args);
	add_scalars(ex, op, &args);
	for (i = 0; i < op->dep_count; i++) {
		deps[i] = ex->task[op->dep[i]];
		if (op->dep_count < 8)
			pto_add_dep(&args, deps[i]);
	}
	if (op->dep_count >= 8)
		pto_set_dependencies(&args, deps, op->dep_count);
	pto_set_block_num(&args, op->blocks);
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
