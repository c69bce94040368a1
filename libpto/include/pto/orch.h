/* SPDX-License-Identifier: MIT */
/*
 * The orchestration API: with these functions an orchestration object builds its graph of tasks.
 *
 * An orchestration object defines aicpu_orchestration_entry() and may define
 * aicpu_orchestration_config(). It links against no library of PTO: every function that is not
 * inline is reached through the function table at the beginning of struct pto_rt.
 *
 * Rules
 *
 *  - Only the thread that runs the entry may use the handle, and only until the entry returns.
 *  - The entry runs in an AUTO scope of depth 0. Documentation/dependencies.rst tells which
 *    tasks wait for which.
 *  - The first error is latched: see pto_is_fatal(). All later calls do nothing and return
 *    empty results, so a program need not check each call; it should check pto_is_fatal() in
 *    loops that depend on values it reads. The run ends with that error.
 *  - Tensors, shapes and lists passed to a call must live until it returns (those put
 *    into a struct pto_task_args: until it is submitted; those put into a struct
 *    pto_owned_args are copied). Tensors that a call returns live until the scope of the
 *    call ends; copy the descriptor to keep it longer.
 *  - C99 and C++11.
 *
 * Compatibility: objects and runtimes of different versions work together. Functions are appended
 * to struct pto_rt_ops, whose size tells which ones there are. struct pto_task, which is returned
 * by value, never changes: a longer one would be the result of new functions. The other structs
 * grow at their end if they carry their size, and else in their reserved fields, which must be 0;
 * a new item of pto_rt_ops.query then tells whether the runtime knows the field.
 */
#ifndef PTO_ORCH_H
#define PTO_ORCH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/pto.h>
#include <pto/log.h>
#include <pto/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pto_rt;

#define PTO_TASK_MAX_TENSORS	32	/* tensors of a task */
#define PTO_TASK_MAX_SCALARS	16	/* scalars of a task */
#define PTO_TASK_OWN_DEPS	64	/* pto_add_dep() calls of a task */
#define PTO_MAX_SCOPE_DEPTH	64	/* open scopes, the entry's included */
#define PTO_FUNC_NONE		(-1)	/* no kernel on this core */

/* --- the entry ------------------------------------------- */

/**
 * struct pto_orch_args - arguments of the run
 * @size: sizeof(struct pto_orch_args)
 * @tensor_count: tensors
 * @scalar_count: scalars
 * @pad: 0
 * @tensors: the tensors, with device addresses; each a buffer from outside the run
 * @scalars: the scalars
 */
struct pto_orch_args {
	uint32_t size;
	uint32_t tensor_count;
	uint32_t scalar_count;
	uint32_t pad;
	const struct pto_tensor *tensors;
	const uint64_t *scalars;
};

/**
 * struct pto_orch_config - properties of an orchestration
 * @expected_arg_count: tensors plus scalars that it takes; a run with another number
 *	fails with EINVAL before the entry is called
 * @pad: 0
 */
struct pto_orch_config {
	uint32_t expected_arg_count;
	uint32_t pad[7];
};

/** pto_orch_entry_fn - the entry of an orchestration */
typedef void (*pto_orch_entry_fn)(struct pto_rt *rt, const struct pto_orch_args *args);

/** pto_orch_config_fn - the configuration function of an orchestration */
typedef struct pto_orch_config (*pto_orch_config_fn)(const struct pto_orch_args *args);

/** PTO_ORCH_EXPORT: makes a function of the object visible to the loader. */
#define PTO_ORCH_EXPORT __attribute__((visibility("default")))

/** aicpu_orchestration_entry() - the default entry symbol; defined by the program */
PTO_ORCH_EXPORT void aicpu_orchestration_entry(struct pto_rt *rt,
					       const struct pto_orch_args *args);

/** aicpu_orchestration_config() - the default configuration symbol; may be absent */
PTO_ORCH_EXPORT struct pto_orch_config
aicpu_orchestration_config(const struct pto_orch_args *args);

/* --- types and constants of calls ------------------------------------------- */

/* Types of a tensor argument. */
#define PTO_ARG_INPUT		0	/* read */
#define PTO_ARG_OUTPUT		1	/* written; the runtime allocates it */
#define PTO_ARG_INOUT		2	/* read and written */
#define PTO_ARG_OUTPUT_EXISTING	3	/* written; memory that exists */
#define PTO_ARG_NO_DEP		4	/* used, without any dependency */

/* Modes of a scope. */
#define PTO_SCOPE_AUTO		0	/* tensors order tasks */
#define PTO_SCOPE_MANUAL	1	/* only explicit dependencies order tasks */

/* Comparisons of a predicate: element OP value. */
#define PTO_PREDICATE_EQ	0
#define PTO_PREDICATE_NE	1
#define PTO_PREDICATE_LT	2
#define PTO_PREDICATE_LE	3
#define PTO_PREDICATE_GT	4
#define PTO_PREDICATE_GE	5

/* Flags of a struct pto_task_args. */
#define PTO_TASK_SYNC_START	1u	/* see pto_set_sync_start() */
#define PTO_TASK_PREDICATE	2u	/* see pto_set_predicate() */

/* Misuses of a struct pto_task_args; pto_submit_task() reports the first one. */
#define PTO_ARGS_OK			0
#define PTO_ARGS_TOO_MANY_TENSORS	1
#define PTO_ARGS_TOO_MANY_SCALARS	2
#define PTO_ARGS_TENSOR_AFTER_SCALAR	3
#define PTO_ARGS_NULL_TENSOR		4
#define PTO_ARGS_NULL_DEPS		5
#define PTO_ARGS_TOO_MANY_DEPS		6
#define PTO_ARGS_BAD_PREDICATE		7

/* Items of pto_rt_ops.query. */
#define PTO_RT_CLUSTERS		0	/* clusters that this run has */
#define PTO_RT_AIC		1	/* AIC cores */
#define PTO_RT_AIV		2	/* AIV cores */
#define PTO_RT_ARCH		3	/* PTO_ARCH_* */

/**
 * struct pto_create_info - a tensor that the runtime shall allocate
 * @initial_value: bits of one element, in the low bytes; written to all elements if
 *	@has_initial_value is set
 * @has_initial_value: 0: the initial content is undefined
 * @dtype: PTO_DTYPE_*
 * @manual_dep: as in struct pto_tensor
 * @pad: 0
 * @ndims: dimensions
 * @version: as in struct pto_tensor
 * @shapes: elements in each dimension
 * @pad2: 0
 */
struct pto_create_info {
	uint64_t initial_value;
	uint8_t has_initial_value;
	uint8_t dtype;
	uint8_t manual_dep;
	uint8_t pad;
	uint32_t ndims;
	int32_t version;
	uint32_t shapes[PTO_MAX_TENSOR_DIMS];
	uint32_t pad2[6];
};

/**
 * struct pto_func_ids - the kernels of a task, one part each
 * @aic: func_id for the AIC core of a cluster, or PTO_FUNC_NONE
 * @aiv0: func_id for its first AIV core, or PTO_FUNC_NONE
 * @aiv1: func_id for its second AIV core, or PTO_FUNC_NONE
 * @pad: 0
 */
struct pto_func_ids {
	int32_t aic;
	int32_t aiv0;
	int32_t aiv1;
	int32_t pad;
};

/**
 * struct pto_task_args - arguments of a task; filled by pto_add_*(), read by pto_submit_task()
 * @size: sizeof(struct pto_task_args)
 * @error: first misuse, PTO_ARGS_*
 * @tensor_count: tensors
 * @scalar_count: scalars
 * @block_num: how often each part of the task runs, with block indices from 0
 * @own_dep_count: entries of @own_deps
 * @dep_count: entries of @deps
 * @flags: PTO_TASK_*
 * @deps: borrowed list of pto_set_dependencies()
 * @tensors: a struct pto_create_info for PTO_ARG_OUTPUT, else a struct pto_tensor
 * @scalars: raw scalars
 * @types: PTO_ARG_* of each tensor
 * @own_deps: tasks of pto_add_dep()
 * @predicate: tensor of pto_set_predicate(), borrowed
 * @predicate_value: the value that the element is compared with
 * @predicate_index: index of the element in each dimension
 * @predicate_ndims: entries of @predicate_index
 * @predicate_op: PTO_PREDICATE_*
 * @pad: not used
 *
 * Do not fill it by hand. Only the parts that the counts and flags cover are ever
 * initialised. Fields are only appended; @size tells which fields the object was compiled with.
 */
struct pto_task_args {
	uint32_t size;
	uint32_t error;
	uint32_t tensor_count;
	uint32_t scalar_count;
	uint32_t block_num;
	uint32_t own_dep_count;
	uint32_t dep_count;
	uint32_t flags;
	const uint64_t *deps;
	const void *tensors[PTO_TASK_MAX_TENSORS];
	uint64_t scalars[PTO_TASK_MAX_SCALARS];
	uint8_t types[PTO_TASK_MAX_TENSORS];
	uint64_t own_deps[PTO_TASK_OWN_DEPS];
	const struct pto_tensor *predicate;
	int64_t predicate_value;
	uint32_t predicate_index[PTO_MAX_TENSOR_DIMS];
	uint32_t predicate_ndims;
	uint32_t predicate_op;
	uint32_t pad;
};

/** PTO_TASK_ARGS_MIN_SIZE: the smallest size that struct pto_task_args ever had. */
#define PTO_TASK_ARGS_MIN_SIZE	offsetof(struct pto_task_args, predicate)

/**
 * struct pto_task - a submitted task
 * @id: for explicit dependencies; PTO_NO_TASK after an error
 * @tensors: its tensors in the order of the arguments
 * @empty: a tensor without dimensions, which every call refuses
 * @output_mask: bit i: the runtime has allocated tensor i
 * @tensor_count: tensors
 */
struct pto_task {
	uint64_t id;
	const struct pto_tensor *tensors;
	const struct pto_tensor *empty;
	uint32_t output_mask;
	uint32_t tensor_count;
};

/* --- the function table ------------------------------------------- */

#define PTO_RT_OPS_VERSION	1

/**
 * struct pto_rt_ops - functions of the runtime for orchestrations
 * @version: PTO_RT_OPS_VERSION; raised only if an existing member changes its meaning
 * @size: bytes of the table; functions are appended, so a longer one is compatible
 * @submit: see pto_submit_task()
 * @alloc: see pto_alloc_tensors()
 * @scope_begin: see pto_scope_begin()
 * @scope_end: see pto_scope_end()
 * @get: see pto_get_element()
 * @set: see pto_set_element()
 * @is_fatal: see pto_is_fatal()
 * @report_fatal: see pto_report_fatal()
 * @log: see pto_log()
 * @query: the value of an item PTO_RT_*; 0 for an unknown item
 */
struct pto_rt_ops {
	uint32_t version;
	uint32_t size;
	struct pto_task (*submit)(struct pto_rt *rt, const struct pto_func_ids *funcs,
				  const struct pto_task_args *args);
	struct pto_task (*alloc)(struct pto_rt *rt, const struct pto_create_info *infos,
				 uint32_t count);
	void (*scope_begin)(struct pto_rt *rt, uint32_t mode);
	void (*scope_end)(struct pto_rt *rt);
	int (*get)(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
		   const uint32_t *index, void *value, size_t bytes);
	int (*set)(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
		   const uint32_t *index, const void *value, size_t bytes);
	int (*is_fatal)(struct pto_rt *rt);
	void (*report_fatal)(struct pto_rt *rt, uint32_t code, const char *fmt, va_list ap);
	void (*log)(struct pto_rt *rt, uint32_t level, const char *fmt, va_list ap);
	uint32_t (*query)(struct pto_rt *rt, uint32_t item);
};

/**
 * struct pto_rt - a run; the rest of the struct is private to the runtime
 * @ops: the function table
 */
struct pto_rt {
	const struct pto_rt_ops *ops;
};

/* --- arguments of the run ------------------------------------------- */

/** pto_orch_tensor() - tensor @i of the run. Return: NULL if there is no such tensor */
static inline const struct pto_tensor *pto_orch_tensor(const struct pto_orch_args *args, uint32_t i)
{
	return i < args->tensor_count ? &args->tensors[i] : NULL;
}

/** pto_orch_scalar() - scalar @i of the run. Return: 0 if there is no such scalar */
static inline uint64_t pto_orch_scalar(const struct pto_orch_args *args, uint32_t i)
{
	return i < args->scalar_count ? args->scalars[i] : 0;
}

/** pto_orch_scalar_f32() - scalar @i of the run, a float in the low half */
static inline float pto_orch_scalar_f32(const struct pto_orch_args *args, uint32_t i)
{
	uint32_t bits = (uint32_t)pto_orch_scalar(args, i);
	float value;

	__builtin_memcpy(&value, &bits, sizeof(value));
	return value;
}

/* --- tensors ------------------------------------------- */

/**
 * pto_external() - wrap memory from outside the run
 * @out: the tensor
 * @addr: first byte, as the device sees it
 * @dtype: PTO_DTYPE_*
 * @ndims: dimensions
 * @shapes: elements in each
 * @manual_dep: 1: it does not order tasks
 * @version: orders uses; see struct pto_tensor
 *
 * Two tensors belong to one buffer, and can overlap, if their @addr is the same.
 * Return: 0; as pto_tensor_make().
 */
static inline int pto_external(struct pto_tensor *out, uint64_t addr, uint8_t dtype, uint32_t ndims,
			       const uint32_t *shapes, int manual_dep, int32_t version)
{
	int ret = pto_tensor_make(out, addr, dtype, ndims, shapes);

	if (ret)
		return ret;
	out->manual_dep = manual_dep != 0;
	out->version = version;
	return 0;
}

/**
 * pto_view_1d() - consecutive elements of a tensor of one dimension
 * @t: the tensor
 * @first: index of the first element
 * @count: how many; 0 is allowed
 *
 * Return: the view. If @t has more than one dimension or lacks some of the elements, the result
 * is a tensor without dimensions, which every call refuses. A struct pto_task_args borrows it:
 * see pto_add_input().
 */
static inline struct pto_tensor pto_view_1d(const struct pto_tensor *t, uint32_t first,
					    uint32_t count)
{
	struct pto_tensor view;

	if (!t || t->ndims != 1 || pto_tensor_view(t, &count, &first, &view))
		__builtin_memset(&view, 0, sizeof(view));
	return view;
}

/**
 * pto_create() - describe a tensor for the runtime to allocate
 * @dtype: PTO_DTYPE_*
 * @ndims: dimensions, 1 to PTO_MAX_TENSOR_DIMS
 * @shapes: elements in each
 *
 * A wrong value is reported when the description is used.
 */
static inline struct pto_create_info pto_create(uint8_t dtype, uint32_t ndims,
						const uint32_t *shapes)
{
	struct pto_create_info info;
	uint32_t i;

	__builtin_memset(&info, 0, sizeof(info));
	info.dtype = dtype;
	info.ndims = ndims;
	for (i = 0; i < ndims && i < PTO_MAX_TENSOR_DIMS; i++)
		info.shapes[i] = shapes[i];
	return info;
}

/** pto_create_1d() - pto_create() of one dimension */
static inline struct pto_create_info pto_create_1d(uint8_t dtype, uint32_t elements)
{
	return pto_create(dtype, 1, &elements);
}

/** pto_create_set_value() - initialise all elements with these bits of one element */
static inline void pto_create_set_value(struct pto_create_info *info, uint64_t bits)
{
	info->initial_value = bits;
	info->has_initial_value = 1;
}

/** pto_create_set_f32() - initialise all elements with a float; the type must be FLOAT32 */
static inline void pto_create_set_f32(struct pto_create_info *info, float value)
{
	uint32_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	pto_create_set_value(info, bits);
}

/* --- arguments of a task ------------------------------------------- */

/** pto_task_args_init() - make the list empty, with one block and no dependencies */
static inline void pto_task_args_init(struct pto_task_args *args)
{
	args->size = sizeof(*args);
	args->error = PTO_ARGS_OK;
	args->tensor_count = 0;
	args->scalar_count = 0;
	args->block_num = 1;
	args->own_dep_count = 0;
	args->dep_count = 0;
	args->flags = 0;
	args->deps = NULL;
}

static inline void pto_task_args_error_(struct pto_task_args *args, uint32_t error)
{
	if (!args->error)
		args->error = error;
}

static inline void pto_add_tensor_(struct pto_task_args *args, const void *tensor, uint8_t type)
{
	uint32_t i = args->tensor_count;

	if (!tensor) {
		pto_task_args_error_(args, PTO_ARGS_NULL_TENSOR);
	} else if (args->scalar_count) {
		pto_task_args_error_(args, PTO_ARGS_TENSOR_AFTER_SCALAR);
	} else if (i >= PTO_TASK_MAX_TENSORS) {
		pto_task_args_error_(args, PTO_ARGS_TOO_MANY_TENSORS);
	} else {
		args->tensors[i] = tensor;
		args->types[i] = type;
		args->tensor_count = i + 1;
	}
}

/**
 * pto_add_input() - a tensor that the task reads
 * @args: the list
 * @t: the tensor; borrowed until the task is submitted, as by all functions that add one.
 *	It must not be a variable of a block that ends earlier. pto_owned_input() copies it
 */
static inline void pto_add_input(struct pto_task_args *args, const struct pto_tensor *t)
{
	pto_add_tensor_(args, t, PTO_ARG_INPUT);
}

/** pto_add_inout() - a tensor that the task reads and writes */
static inline void pto_add_inout(struct pto_task_args *args, const struct pto_tensor *t)
{
	pto_add_tensor_(args, t, PTO_ARG_INOUT);
}

/**
 * pto_add_output() - a tensor that the runtime allocates and the task writes
 *
 * It lives until the scope of the submit has ended and its last user has finished.
 * pto_task_output() returns it.
 */
static inline void pto_add_output(struct pto_task_args *args, const struct pto_create_info *info)
{
	pto_add_tensor_(args, info, PTO_ARG_OUTPUT);
}

/** pto_add_output_existing() - a tensor that the task writes and does not read */
static inline void pto_add_output_existing(struct pto_task_args *args, const struct pto_tensor *t)
{
	pto_add_tensor_(args, t, PTO_ARG_OUTPUT_EXISTING);
}

/** pto_add_no_dep() - a tensor that the task uses and that does not order it */
static inline void pto_add_no_dep(struct pto_task_args *args, const struct pto_tensor *t)
{
	pto_add_tensor_(args, t, PTO_ARG_NO_DEP);
}

/** pto_add_scalar() - 64 bits; after all tensors */
static inline void pto_add_scalar(struct pto_task_args *args, uint64_t value)
{
	if (args->scalar_count >= PTO_TASK_MAX_SCALARS)
		pto_task_args_error_(args, PTO_ARGS_TOO_MANY_SCALARS);
	else
		args->scalars[args->scalar_count++] = value;
}

/** pto_add_f32() - a float, in the low half of a scalar */
static inline void pto_add_f32(struct pto_task_args *args, float value)
{
	uint32_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	pto_add_scalar(args, bits);
}

/**
 * pto_set_dependencies() - tasks that must have finished before the task begins
 * @args: the list
 * @ids: their ids; PTO_NO_TASK is ignored; borrowed until the task is submitted
 * @count: how many; 0 removes an earlier list
 */
static inline void pto_set_dependencies(struct pto_task_args *args, const uint64_t *ids,
					uint32_t count)
{
	if (!ids && count) {
		pto_task_args_error_(args, PTO_ARGS_NULL_DEPS);
		return;
	}
	args->deps = ids;
	args->dep_count = count;
}

/** pto_add_dep() - one more such task, in addition to the list */
static inline void pto_add_dep(struct pto_task_args *args, uint64_t id)
{
	if (args->own_dep_count >= PTO_TASK_OWN_DEPS)
		pto_task_args_error_(args, PTO_ARGS_TOO_MANY_DEPS);
	else
		args->own_deps[args->own_dep_count++] = id;
}

/** pto_set_block_num() - run each part @blocks times (SPMD); at least 1 */
static inline void pto_set_block_num(struct pto_task_args *args, uint32_t blocks)
{
	args->block_num = blocks;
}

/**
 * pto_set_sync_start() - start all blocks of the task together
 * @args: the list
 * @on: 1: together; 0: each when a core is free, the default
 *
 * With it kernels of different blocks may wait for each other, see pto_wait_ge(); without it
 * only the parts of one block may. It matters only for tasks with more than one block. All
 * blocks must fit on the device at once, else the submit fails with
 * PTO_FATAL_REQUIRE_SYNC_START_INVALID. A block takes a cluster if the task has an AIC part or
 * two parts, else an AIV core.
 */
static inline void pto_set_sync_start(struct pto_task_args *args, int on)
{
	if (on)
		args->flags |= PTO_TASK_SYNC_START;
	else
		args->flags &= ~PTO_TASK_SYNC_START;
}

/**
 * pto_set_predicate() - run the task only if an element has a certain value
 * @args: the list
 * @t: the tensor, of an integer type of 8 to 64 bits; borrowed until the task is submitted
 * @ndims: number of indices, that of @t
 * @index: index in each dimension; copied
 * @op: PTO_PREDICATE_*
 * @value: the value to compare with; must be a value of the type (its bits for
 *	PTO_DTYPE_UINT64)
 *
 * The tensor counts as an INPUT of the task, but is no argument of its kernels. The element is
 * read when everything that the task waits for has completed. If the comparison is false, the
 * task completes without running: memory that it would have written keeps its value, and new
 * outputs have their initial value (without one they are undefined). The last call counts.
 */
static inline void pto_set_predicate(struct pto_task_args *args, const struct pto_tensor *t,
				     uint32_t ndims, const uint32_t *index, uint32_t op,
				     int64_t value)
{
	uint32_t i;

	if (!t || !index || ndims > PTO_MAX_TENSOR_DIMS || op > PTO_PREDICATE_GE) {
		pto_task_args_error_(args, PTO_ARGS_BAD_PREDICATE);
		return;
	}
	args->flags |= PTO_TASK_PREDICATE;
	args->predicate = t;
	args->predicate_value = value;
	args->predicate_ndims = ndims;
	args->predicate_op = op;
	for (i = 0; i < ndims; i++)
		args->predicate_index[i] = index[i];
}

/* --- arguments of a task, copied ------------------------------------------- */

/* A copy of an object that a struct pto_task_args would borrow. */
union pto_owned_tensor_ {
	struct pto_tensor tensor;
	struct pto_create_info info;
};

/**
 * struct pto_owned_args - arguments of a task, with copies of everything they refer to
 * @args: takes scalars, blocks, flags and pto_add_dep() as usual
 * @copied: bit i: tensor i of @args is @copies[i]
 * @pad: not used
 * @predicate: copy of the tensor of pto_owned_predicate()
 * @copies: copies of the tensors and descriptions
 *
 * Filled by pto_owned_*(), which copy what pto_add_*() and pto_set_*() borrow. It can be copied
 * itself; what is submitted is pto_owned_task_args() of it.
 */
struct pto_owned_args {
	struct pto_task_args args;
	uint32_t copied;
	uint32_t pad;
	struct pto_tensor predicate;
	union pto_owned_tensor_ copies[PTO_TASK_MAX_TENSORS];
};

/** pto_owned_init() - as pto_task_args_init() */
static inline void pto_owned_init(struct pto_owned_args *own)
{
	pto_task_args_init(&own->args);
	own->copied = 0;
}

static inline void pto_owned_add_(struct pto_owned_args *own, const void *from, size_t bytes,
				  uint8_t type)
{
	uint32_t i = own->args.tensor_count;

	pto_add_tensor_(&own->args, from, type);
	if (own->args.tensor_count == i || !from)
		return;
	__builtin_memcpy(&own->copies[i], from, bytes);
	own->copied |= 1u << i;
}

/** pto_owned_input() - pto_add_input() of a copy */
static inline void pto_owned_input(struct pto_owned_args *own, const struct pto_tensor *t)
{
	pto_owned_add_(own, t, sizeof(*t), PTO_ARG_INPUT);
}

/** pto_owned_inout() - pto_add_inout() of a copy */
static inline void pto_owned_inout(struct pto_owned_args *own, const struct pto_tensor *t)
{
	pto_owned_add_(own, t, sizeof(*t), PTO_ARG_INOUT);
}

/** pto_owned_output() - pto_add_output() of a copy */
static inline void pto_owned_output(struct pto_owned_args *own, const struct pto_create_info *info)
{
	pto_owned_add_(own, info, sizeof(*info), PTO_ARG_OUTPUT);
}

/** pto_owned_output_existing() - pto_add_output_existing() of a copy */
static inline void pto_owned_output_existing(struct pto_owned_args *own, const struct pto_tensor *t)
{
	pto_owned_add_(own, t, sizeof(*t), PTO_ARG_OUTPUT_EXISTING);
}

/** pto_owned_no_dep() - pto_add_no_dep() of a copy */
static inline void pto_owned_no_dep(struct pto_owned_args *own, const struct pto_tensor *t)
{
	pto_owned_add_(own, t, sizeof(*t), PTO_ARG_NO_DEP);
}

/**
 * pto_owned_dependencies() - tasks that must have finished before
 * @own: the list
 * @ids: their ids; PTO_NO_TASK is ignored; copied
 * @count: how many
 *
 * Calls pto_add_dep() for each: they are added to earlier ones, at most PTO_TASK_OWN_DEPS in
 * all.
 */
static inline void pto_owned_dependencies(struct pto_owned_args *own, const uint64_t *ids,
					  uint32_t count)
{
	uint32_t i;

	if (!ids && count) {
		pto_task_args_error_(&own->args, PTO_ARGS_NULL_DEPS);
		return;
	}
	for (i = 0; i < count; i++)
		if (ids[i] != PTO_NO_TASK)
			pto_add_dep(&own->args, ids[i]);
}

/** pto_owned_predicate() - pto_set_predicate() with a copy of the tensor */
static inline void pto_owned_predicate(struct pto_owned_args *own, const struct pto_tensor *t,
				       uint32_t ndims, const uint32_t *index, uint32_t op,
				       int64_t value)
{
	if (t)
		own->predicate = *t;
	pto_set_predicate(&own->args, t ? &own->predicate : NULL, ndims, index, op, value);
}

/**
 * pto_owned_task_args() - the arguments, for pto_submit_task() and the like
 * @own: the list; it may have been moved
 *
 * Return: its arguments, which are valid until @own is changed, moved or ends.
 */
static inline const struct pto_task_args *pto_owned_task_args(struct pto_owned_args *own)
{
	uint32_t i;

	for (i = 0; i < own->args.tensor_count; i++)
		if (own->copied & 1u << i)
			own->args.tensors[i] = &own->copies[i];
	if (own->args.flags & PTO_TASK_PREDICATE)
		own->args.predicate = &own->predicate;
	return &own->args;
}

/* --- tasks ------------------------------------------- */

/**
 * pto_submit_task() - submit a task
 * @rt: the run
 * @funcs: its kernels; a task without any only orders others
 * @args: its arguments, which all its kernels get
 *
 * Waits while the rings have no room. The task runs when everything it depends on has
 * finished. Errors: PTO_FATAL_INVALID_ARGS, PTO_FATAL_SCOPE_DEADLOCK,
 * PTO_FATAL_HEAP_RING_DEADLOCK, PTO_FATAL_FLOW_CONTROL_DEADLOCK,
 * PTO_FATAL_DEP_POOL_OVERFLOW, PTO_FATAL_TENSORMAP_OVERFLOW,
 * PTO_FATAL_REQUIRE_SYNC_START_INVALID.
 */
static inline struct pto_task pto_submit_task(struct pto_rt *rt, const struct pto_func_ids *funcs,
					      const struct pto_task_args *args)
{
	return rt->ops->submit(rt, funcs, args);
}

/** pto_submit_mixed() - a task with up to three parts; PTO_FUNC_NONE leaves one out */
static inline struct pto_task pto_submit_mixed(struct pto_rt *rt, int32_t aic, int32_t aiv0,
					       int32_t aiv1, const struct pto_task_args *args)
{
	struct pto_func_ids funcs = { aic, aiv0, aiv1, 0 };

	return rt->ops->submit(rt, &funcs, args);
}

/** pto_submit_aic() - a task of one AIC kernel */
static inline struct pto_task pto_submit_aic(struct pto_rt *rt, int32_t func,
					     const struct pto_task_args *args)
{
	return pto_submit_mixed(rt, func, PTO_FUNC_NONE, PTO_FUNC_NONE, args);
}

/** pto_submit_aiv() - a task of one AIV kernel */
static inline struct pto_task pto_submit_aiv(struct pto_rt *rt, int32_t func,
					     const struct pto_task_args *args)
{
	return pto_submit_mixed(rt, PTO_FUNC_NONE, func, PTO_FUNC_NONE, args);
}

/** pto_submit_dummy() - a task without a kernel, which only orders others */
static inline struct pto_task pto_submit_dummy(struct pto_rt *rt, const struct pto_task_args *args)
{
	return pto_submit_mixed(rt, PTO_FUNC_NONE, PTO_FUNC_NONE, PTO_FUNC_NONE, args);
}

/**
 * pto_alloc_tensors() - allocate tensors that no task produces
 * @rt: the run
 * @infos: descriptions
 * @count: how many, at most PTO_TASK_MAX_TENSORS
 *
 * They belong to a task that has finished when the call returns. They live until the
 * current scope has ended and their last user has finished. Errors: as for pto_submit_task().
 */
static inline struct pto_task pto_alloc_tensors(struct pto_rt *rt,
						const struct pto_create_info *infos, uint32_t count)
{
	return rt->ops->alloc(rt, infos, count);
}

/**
 * pto_task_output() - a tensor that the runtime allocated for a task
 * @task: the task
 * @i: which of its outputs, counted from 0
 *
 * Return: the tensor, or a tensor without dimensions, which every call refuses, if there is no
 * such output or the run has failed. Never NULL.
 */
static inline const struct pto_tensor *pto_task_output(const struct pto_task *task, uint32_t i)
{
	uint32_t mask = task->output_mask;

	while (i-- && mask)
		mask &= mask - 1;
	return mask ? &task->tensors[__builtin_ctz(mask)] : task->empty;
}

/* --- scopes ------------------------------------------- */

/**
 * pto_scope_begin() - open a scope
 * @rt: the run
 * @mode: PTO_SCOPE_AUTO or PTO_SCOPE_MANUAL
 *
 * Outputs of tasks submitted in it can be reclaimed after it has ended. Each of the first
 * four depths has its own rings; deeper scopes share those of the fourth. An AUTO scope within
 * a MANUAL one is PTO_FATAL_INVALID_ARGS.
 */
static inline void pto_scope_begin(struct pto_rt *rt, uint32_t mode)
{
	rt->ops->scope_begin(rt, mode);
}

/** pto_scope_end() - close the innermost scope; does not wait for its tasks */
static inline void pto_scope_end(struct pto_rt *rt)
{
	rt->ops->scope_end(rt);
}

/* State of PTO_SCOPE(): the cleanup attribute closes the scope whichever way it is left. */
struct pto_scope_guard_ {
	struct pto_rt *rt;
	int once;
};

static inline struct pto_scope_guard_ pto_scope_enter_(struct pto_rt *rt, uint32_t mode)
{
	struct pto_scope_guard_ guard = { rt, 1 };

	pto_scope_begin(rt, mode);
	return guard;
}

static inline void pto_scope_leave_(struct pto_scope_guard_ *guard)
{
	pto_scope_end(guard->rt);
}

#define PTO_SCOPE_NAME__(number) pto_scope_##number
#define PTO_SCOPE_NAME_(number) PTO_SCOPE_NAME__(number)
#define PTO_SCOPE_(rt, mode, guard) \
	for (struct pto_scope_guard_ guard __attribute__((cleanup(pto_scope_leave_))) = \
		     pto_scope_enter_(rt, mode); guard.once; guard.once = 0)

/**
 * PTO_SCOPE() - the block that follows is an AUTO scope
 *
 * It is closed whichever way the block is left: at its end, by break, continue, return or goto.
 * break and continue leave the scope, not a loop around it.
 */
#define PTO_SCOPE(rt) PTO_SCOPE_(rt, PTO_SCOPE_AUTO, PTO_SCOPE_NAME_(__COUNTER__))

/** PTO_MANUAL_SCOPE() - as PTO_SCOPE(), MANUAL */
#define PTO_MANUAL_SCOPE(rt) PTO_SCOPE_(rt, PTO_SCOPE_MANUAL, PTO_SCOPE_NAME_(__COUNTER__))

/* --- elements ------------------------------------------- */

/**
 * pto_get_element() - read an element in the orchestration
 * @rt: the run
 * @t: the tensor
 * @ndims: number of indices, that of @t
 * @index: index in each dimension
 * @value: the destination; zeroed on failure
 * @bytes: bytes of one element
 *
 * Waits for the tasks that write it. Errors: PTO_FATAL_INVALID_ARGS (an index out of range,
 * a size that is not the type's, a 4-bit type). Return: 0 or -EINVAL.
 */
static inline int pto_get_element(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
				  const uint32_t *index, void *value, size_t bytes)
{
	return rt->ops->get(rt, t, ndims, index, value, bytes);
}

/**
 * pto_set_element() - write an element in the orchestration
 *
 * Waits for the tasks that read or write it; tasks submitted later see the value.
 * Arguments, errors and result as pto_get_element().
 */
static inline int pto_set_element(struct pto_rt *rt, const struct pto_tensor *t, uint32_t ndims,
				  const uint32_t *index, const void *value, size_t bytes)
{
	return rt->ops->set(rt, t, ndims, index, value, bytes);
}

#define PTO_ELEMENT_HELPERS_(name, type) \
/** pto_get_##name() - read element @index of a 1-D tensor. Return: 0 on failure */ \
static inline type pto_get_##name(struct pto_rt *rt, const struct pto_tensor *t, uint32_t index) \
{ \
	type value; \
\
	pto_get_element(rt, t, 1, &index, &value, sizeof(value)); \
	return value; \
} \
/** pto_set_##name() - write element @index of a 1-D tensor */ \
static inline void pto_set_##name(struct pto_rt *rt, const struct pto_tensor *t, uint32_t index, \
				  type value) \
{ \
	pto_set_element(rt, t, 1, &index, &value, sizeof(value)); \
}

PTO_ELEMENT_HELPERS_(f32, float)
PTO_ELEMENT_HELPERS_(i8, int8_t)
PTO_ELEMENT_HELPERS_(u8, uint8_t)
PTO_ELEMENT_HELPERS_(i16, int16_t)
PTO_ELEMENT_HELPERS_(u16, uint16_t)
PTO_ELEMENT_HELPERS_(i32, int32_t)
PTO_ELEMENT_HELPERS_(u32, uint32_t)
PTO_ELEMENT_HELPERS_(i64, int64_t)
PTO_ELEMENT_HELPERS_(u64, uint64_t)

/* --- errors, logging, the machine ------------------------------------------- */

/** pto_is_fatal() - has the run failed? If so, later calls have no effect */
static inline int pto_is_fatal(struct pto_rt *rt)
{
	return rt->ops->is_fatal(rt);
}

/**
 * pto_report_fatal() - end the run with an error
 * @rt: the run
 * @code: PTO_FATAL_EXPLICIT, or a PTO_FATAL_* that is more precise; 0 counts as EXPLICIT
 * @fmt: printf format of the text that the application gets
 *
 * Only the first error of a run is kept.
 */
__attribute__((format(printf, 3, 4), unused))
static inline void pto_report_fatal(struct pto_rt *rt, uint32_t code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rt->ops->report_fatal(rt, code, fmt, ap);
	va_end(ap);
}

/**
 * pto_log() - write a line to the device's log
 * @rt: the run
 * @level: PTO_LOG_*
 * @fmt: printf format, without a newline
 */
__attribute__((format(printf, 3, 4), unused))
static inline void pto_log(struct pto_rt *rt, uint32_t level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rt->ops->log(rt, level, fmt, ap);
	va_end(ap);
}

/** pto_available_clusters() - clusters that this run has: one AIC and two AIV each */
static inline uint32_t pto_available_clusters(struct pto_rt *rt)
{
	return rt->ops->query(rt, PTO_RT_CLUSTERS);
}

/** pto_available_aic() - AIC cores that this run has */
static inline uint32_t pto_available_aic(struct pto_rt *rt)
{
	return rt->ops->query(rt, PTO_RT_AIC);
}

/** pto_available_aiv() - AIV cores that this run has */
static inline uint32_t pto_available_aiv(struct pto_rt *rt)
{
	return rt->ops->query(rt, PTO_RT_AIV);
}

#ifdef __cplusplus
}
#endif

#endif /* PTO_ORCH_H */
