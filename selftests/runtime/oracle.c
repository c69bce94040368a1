// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle: the orchestration API over a runtime that executes each task when it is
 * submitted and never reuses memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

struct block {
	struct block *next;
};

struct oracle {
	struct pto_rt rt;
	struct block *blocks;
	struct pto_tensor tensors[MAX_ARGS];
	struct pto_tensor empty;
	uint64_t tasks;
};

static void *allocate(struct oracle *o, size_t bytes)
{
	struct block *b = calloc(1, sizeof(*b) + bytes + 64);

	if (!b)
		abort();
	b->next = o->blocks;
	o->blocks = b;
	return b + 1;
}

static void make(struct oracle *o, const struct pto_create_info *info, struct pto_tensor *t)
{
	uint64_t i;

	if (pto_tensor_make(t, 0, info->dtype, info->ndims, info->shapes))
		abort();
	t->addr = (uint64_t)(uintptr_t)allocate(o, t->size);
	for (i = 0; info->has_initial_value && i < t->extent; i++)
		store_element(t, i, info->initial_value);
	t->owner_task = o->tasks;
	t->manual_dep = info->manual_dep;
}

static struct pto_task result(struct oracle *o, uint32_t count, uint32_t mask)
{
	struct pto_task task = {
		.id = o->tasks++, .tensors = o->tensors, .empty = &o->empty,
		.output_mask = mask, .tensor_count = count,
	};

	return task;
}

static void run_part(struct oracle *o, const struct pto_task_args *args, int32_t func, int sub)
{
	int64_t array[PTO_KERNEL_ARGS];
	struct pto_local_context local = { .block_num = (int32_t)args->block_num };
	struct pto_global_context global = { .sub_block_id = sub };
	uint32_t i, n = 0;

	if (func < 0)
		return;
	for (i = 0; i < args->tensor_count; i++)
		array[n++] = (int64_t)(uintptr_t)&o->tensors[i];
	for (i = 0; i < args->scalar_count; i++)
		array[n++] = (int64_t)args->scalars[i];
	array[PTO_KERNEL_ARG_LOCAL] = (int64_t)(uintptr_t)&local;
	array[PTO_KERNEL_ARG_GLOBAL] = (int64_t)(uintptr_t)&global;
	for (; local.block_idx < local.block_num; local.block_idx++)
		kernels[func / (MAX_ARGS + 1)][func % (MAX_ARGS + 1)](array);
}

/* What a predicate finds, in as many bits as it takes to compare any two values. */
static __int128 load_integer(const struct pto_tensor *t, uint64_t offset)
{
	uint64_t bits = load_element(t, offset);

	switch (t->dtype) {
	case PTO_DTYPE_INT8:
		return (int8_t)bits;
	case PTO_DTYPE_INT16:
		return (int16_t)bits;
	case PTO_DTYPE_INT32:
		return (int32_t)bits;
	case PTO_DTYPE_INT64:
		return (int64_t)bits;
	default:
		return bits;
	}
}

static bool holds(const struct pto_task_args *args)
{
	const struct pto_tensor *t = args->predicate;
	__int128 element, value = args->predicate_value;
	uint64_t offset;

	if (!(args->flags & PTO_TASK_PREDICATE))
		return true;
	if (pto_tensor_offset(t, args->predicate_ndims, args->predicate_index, &offset))
		abort();
	element = load_integer(t, offset);
	if (t->dtype == PTO_DTYPE_UINT64)
		value = (uint64_t)args->predicate_value;
	switch (args->predicate_op) {
	case PTO_PREDICATE_EQ:
		return element == value;
	case PTO_PREDICATE_NE:
		return element != value;
	case PTO_PREDICATE_LT:
		return element < value;
	case PTO_PREDICATE_LE:
		return element <= value;
	case PTO_PREDICATE_GT:
		return element > value;
	default:
		return element >= value;
	}
}

static struct pto_task submit(struct pto_rt *rt, const struct pto_func_ids *funcs,
			      const struct pto_task_args *args)
{
	struct oracle *o = (struct oracle *)rt;
	uint32_t mask = 0;
	uint32_t i;

	for (i = 0; i < args->tensor_count; i++) {
		if (args->types[i] == PTO_ARG_OUTPUT) {
			make(o, args->tensors[i], &o->tensors[i]);
			mask |= 1u << i;
		} else {
			o->tensors[i] = *(const struct pto_tensor *)args->tensors[i];
		}
	}
	if (!holds(args))
		return result(o, args->tensor_count, mask);
	run_part(o, args, funcs->aic, 0);
	run_part(o, args, funcs->aiv0, 0);
	/* A lone AIV1 part is AIV0 to the kernel. */
	run_part(o, args, funcs->aiv1, funcs->aic >= 0 || funcs->aiv0 >= 0);
	return result(o, args->tensor_count, mask);
}

static struct pto_task alloc(struct pto_rt *rt, const struct pto_create_info *infos, uint32_t count)
{
	struct oracle *o = (struct oracle *)rt;
	uint32_t i;

	for (i = 0; i < count; i++)
		make(o, &infos[i], &o->tensors[i]);
	return result(o, count, (1u << count) - 1);
}

static void scope_begin(struct pto_rt *rt, uint32_t mode)
{
}

static void scope_end(struct pto_rt *rt)
{
}

static int get(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims, const uint32_t *index,
	       void *value, size_t bytes)
{
	memcpy(value, pto_tensor_element(t, ndims, index), bytes);
	return 0;
}

static int set(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims, const uint32_t *index,
	       const void *value, size_t bytes)
{
	memcpy(pto_tensor_element(t, ndims, index), value, bytes);
	return 0;
}

static int is_fatal(struct pto_rt *rt)
{
	return 0;
}

static const struct pto_rt_ops ops = {
	.version = PTO_RT_OPS_VERSION,
	.size = sizeof(ops),
	.submit = submit,
	.alloc = alloc,
	.scope_begin = scope_begin,
	.scope_end = scope_end,
	.get = get,
	.set = set,
	.is_fatal = is_fatal,
};

/** oracle_execute() - execute a program serially */
void oracle_execute(struct execution *ex)
{
	struct oracle o = { .rt = { &ops } };
	struct block *b;

	execute_program(&o.rt, ex);
	while ((b = o.blocks)) {
		o.blocks = b->next;
		free(b);
	}
}
