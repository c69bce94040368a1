/* SPDX-License-Identifier: MIT */
/*
 * The kernel API: how a kernel reads its arguments. The layout is an ABI: it is that of the
 * dispatch payload of the seed runtime, for which the first PTO kernels were written, and these
 * kernels run unchanged.
 *
 * A kernel object defines kernel_entry() and links against no library of PTO. The argument
 * array holds the task's tensors (pointers to descriptors), then its scalars, both in the
 * order in which the orchestration added them; all parts of a mixed task get the same.
 * Entries 48 and 49 point to the contexts below. A kernel reads its block and core indices
 * there; the core that executes it says nothing about them. C99 and C++11.
 *
 * The functions of the device are reached through a table, by way of the local context. The
 * table is valid for the kernel that got it, until that returns.
 *
 * The kernels of a cohort run at the same time and may wait for each other: they are the parts
 * of one block of a mixed task, and with pto_set_sync_start() the parts of all its blocks. Other
 * kernels must not wait for each other: one may begin only after the other has ended.
 */
#ifndef PTO_KERNEL_H
#define PTO_KERNEL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <pto/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTO_KERNEL_ARGS		50	/* entries of the argument array */
#define PTO_KERNEL_ARG_LOCAL	48	/* entry that points to the local context */
#define PTO_KERNEL_ARG_GLOBAL	49	/* entry that points to the global context */

#define PTO_KERNEL_MAX_CONDITIONS	64	/* conditions of one task */

#define PTO_ASYNC_COUNTER		0	/* condition: a uint32_t reaches a value */
#define PTO_ASYNC_NO_TOKEN		UINT64_MAX	/* nobody reads the record */

/* Values that a kernel writes to the error word of its record: see struct pto_async_context. */
#define PTO_ASYNC_ERROR_INVALID		101
#define PTO_ASYNC_ERROR_OVERFLOW	102

struct pto_kernel_rt;

#define PTO_KERNEL_OPS_VERSION	2

/**
 * struct pto_kernel_ops - functions of the device for kernels
 * @version: PTO_KERNEL_OPS_VERSION; raised only if an existing member changes its meaning
 * @size: bytes of the table; functions are appended, so a longer one is compatible
 * @wait_ge: see pto_wait_ge()
 * @notify: see pto_notify()
 */
struct pto_kernel_ops {
	uint32_t version;
	uint32_t size;
	void (*wait_ge)(struct pto_kernel_rt *rt, const uint32_t *word, uint32_t value);
	void (*notify)(struct pto_kernel_rt *rt, uint32_t *word, uint32_t add);
};

/**
 * struct pto_kernel_rt - a core; the rest of the struct is private to the device
 * @ops: the function table
 */
struct pto_kernel_rt {
	const struct pto_kernel_ops *ops;
};

/**
 * struct pto_async_entry - a condition for the completion of a task
 * @addr: the counter, a uint32_t in device memory
 * @cookie: for engines that need one; a counter needs none
 * @expected: value that the counter must reach, compared as unsigned
 * @engine: the engine that raises the counter; ignored
 * @type: PTO_ASYNC_COUNTER
 * @pad: 0
 */
struct pto_async_entry {
	uint64_t addr;
	uint64_t cookie;
	uint32_t expected;
	uint32_t engine;
	int32_t type;
	uint32_t pad;
};

/**
 * struct pto_async_context - the record in which a kernel names the conditions of its task
 * @count: number of conditions that the kernel has named; initially 0
 * @error: 0, or PTO_ASYNC_ERROR_*: why the kernel could not name one
 * @entries: the conditions
 * @capacity: the highest possible *@count
 * @pad: 0
 * @task_token: id of the task; with PTO_ASYNC_NO_TOKEN the device does not read the record
 *
 * The layout is that of the seed runtime. Each unit of a task, that is a part of one of its
 * blocks, has its own record. The device reads it when the unit's kernel has returned.
 */
struct pto_async_context {
	uint32_t *count __attribute__((aligned(8)));
	int32_t *error __attribute__((aligned(8)));
	struct pto_async_entry *entries __attribute__((aligned(8)));
	uint32_t capacity __attribute__((aligned(8)));
	uint32_t pad;
	uint64_t task_token;
};

/**
 * struct pto_local_context - the block that a kernel executes
 * @block_idx: index of the block, from 0
 * @block_num: blocks of the task
 * @async: record of conditions
 * @rt: leads to the function table
 *
 * The layout of the members before @rt is that of the seed runtime.
 */
struct pto_local_context {
	int32_t block_idx;
	int32_t block_num;
	struct pto_async_context async;
	struct pto_kernel_rt *rt;
};

/**
 * struct pto_global_context - the core that executes a kernel
 * @sub_block_id: 0 on the first AIV core of a cluster (and on the AIC core), 1 on the second
 * @pad: 0
 * @dma_workspace: memory of the DMA engines; 0: there is no such engine
 *
 * The layout is that of the seed runtime.
 */
struct pto_global_context {
	int32_t sub_block_id;
	int32_t pad;
	uint64_t dma_workspace[2];
};

/** kernel_entry() - the kernel; defined by the program */
__attribute__((visibility("default"))) void kernel_entry(int64_t *args);

/** pto_arg_tensor() - argument @i, which is a tensor */
static inline const struct pto_tensor *pto_arg_tensor(const int64_t *args, uint32_t i)
{
	return (const struct pto_tensor *)(uintptr_t)args[i];
}

/** pto_arg_data() - first element of argument @i, which is a tensor */
static inline void *pto_arg_data(const int64_t *args, uint32_t i)
{
	return pto_tensor_data(pto_arg_tensor(args, i));
}

/** pto_arg_u64() - argument @i, which is a scalar; @i counts the tensors, too */
static inline uint64_t pto_arg_u64(const int64_t *args, uint32_t i)
{
	return (uint64_t)args[i];
}

/** pto_arg_i64() - argument @i, a signed scalar */
static inline int64_t pto_arg_i64(const int64_t *args, uint32_t i)
{
	return args[i];
}

/** pto_arg_f32() - argument @i, a float in the low half of a scalar */
static inline float pto_arg_f32(const int64_t *args, uint32_t i)
{
	uint32_t bits = (uint32_t)args[i];
	float value;

	__builtin_memcpy(&value, &bits, sizeof(value));
	return value;
}

/** pto_block_idx() - index of the block that runs, from 0 */
static inline int32_t pto_block_idx(const int64_t *args)
{
	return ((const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL])->block_idx;
}

/** pto_block_num() - blocks of the task */
static inline int32_t pto_block_num(const int64_t *args)
{
	return ((const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL])->block_num;
}

/** pto_sub_block_id() - which AIV core of the cluster runs: 0 or 1 */
static inline int32_t pto_sub_block_id(const int64_t *args)
{
	return ((const struct pto_global_context *)
		(uintptr_t)args[PTO_KERNEL_ARG_GLOBAL])->sub_block_id;
}

static inline struct pto_kernel_rt *pto_kernel_rt_(const int64_t *args)
{
	return ((const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL])->rt;
}

/**
 * pto_wait_ge() - wait until a word is at least a value
 * @args: the kernel's argument array
 * @word: the word, in device memory or static data of the callable; read with acquire semantics
 * @value: compared as unsigned
 *
 * For kernels of one cohort. It yields the processor while it waits. If the run fails in the
 * meantime, it does not return: the kernel ends there. So it does if it would have to wait for a
 * word elsewhere, which fails the run with PTO_FATAL_INVALID_ARGS.
 */
static inline void pto_wait_ge(const int64_t *args, const uint32_t *word, uint32_t value)
{
	struct pto_kernel_rt *rt;

	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) >= value)
		return;
	rt = pto_kernel_rt_(args);
	rt->ops->wait_ge(rt, word, value);
}

/**
 * pto_notify() - add to a word, and wake the kernels that wait for it
 * @args: the kernel's argument array
 * @word: the word, in device memory or static data of the callable; added to, with release
 *	semantics
 * @add: what to add
 *
 * A word elsewhere fails the run with PTO_FATAL_INVALID_ARGS, and the kernel ends there.
 */
static inline void pto_notify(const int64_t *args, uint32_t *word, uint32_t add)
{
	struct pto_kernel_rt *rt = pto_kernel_rt_(args);

	rt->ops->notify(rt, word, add);
}

/**
 * pto_async_expect() - let the task complete only when a counter has reached a value
 * @args: the kernel's argument array
 * @counter: the counter, in device memory or static data of the callable; something else than this
 *	kernel raises it
 * @expected: value, compared as unsigned
 *
 * The kernel continues and returns. Its task completes when all its kernels have returned and
 * each of these conditions has held at some moment since. The condition is appended to the record
 * that struct pto_async_context describes, which belongs to the thread that executes the kernel.
 *
 * The run fails, once the kernel has returned, with PTO_FATAL_ASYNC_COMPLETION_INVALID if @counter
 * is NULL, not aligned, or in memory of neither the context nor the callable's objects, and with
 * PTO_FATAL_ASYNC_WAIT_OVERFLOW if a task has more than PTO_KERNEL_MAX_CONDITIONS. If the device
 * cannot await more conditions, the task waits until one of those awaited holds; if the run stalls
 * for the scheduler's time-out, it fails with PTO_FATAL_ASYNC_REGISTRATION_FAILED.
 *
 * Return: 0; -EINVAL if @counter is NULL or not aligned, -ENOSPC in the second case; -ENOSYS if the
 * device does not read the record, as after the kernel has returned.
 */
static inline int pto_async_expect(const int64_t *args, const uint32_t *counter, uint32_t expected)
{
	const struct pto_async_context *async =
		&((const struct pto_local_context *)(uintptr_t)args[PTO_KERNEL_ARG_LOCAL])->async;
	struct pto_async_entry *entry;

	if (!async->count || async->task_token == PTO_ASYNC_NO_TOKEN)
		return -ENOSYS;
	if (*async->count >= async->capacity) {
		*async->error = PTO_ASYNC_ERROR_OVERFLOW;
		return -ENOSPC;
	}
	entry = &async->entries[*async->count];
	entry->addr = (uint64_t)(uintptr_t)counter;
	entry->cookie = 0;
	entry->expected = expected;
	entry->engine = 0;
	entry->type = PTO_ASYNC_COUNTER;
	entry->pad = 0;
	++*async->count;
	return counter && (uintptr_t)counter % sizeof(*counter) == 0 ? 0 : -EINVAL;
}

PTO_ABI_OFFSET(pto_async_entry, addr, 0);
PTO_ABI_OFFSET(pto_async_entry, cookie, 8);
PTO_ABI_OFFSET(pto_async_entry, expected, 16);
PTO_ABI_OFFSET(pto_async_entry, engine, 20);
PTO_ABI_OFFSET(pto_async_entry, type, 24);
PTO_ABI_OFFSET(pto_async_entry, pad, 28);
PTO_ABI_OFFSET(pto_async_context, count, 0);
PTO_ABI_OFFSET(pto_async_context, error, 8);
PTO_ABI_OFFSET(pto_async_context, entries, 16);
PTO_ABI_OFFSET(pto_async_context, capacity, 24);
PTO_ABI_OFFSET(pto_async_context, pad, 28);
PTO_ABI_OFFSET(pto_async_context, task_token, 32);
PTO_ABI_OFFSET(pto_local_context, block_idx, 0);
PTO_ABI_OFFSET(pto_local_context, block_num, 4);
PTO_ABI_OFFSET(pto_local_context, async, 8);
PTO_ABI_OFFSET(pto_local_context, rt, 48);
PTO_ABI_OFFSET(pto_global_context, sub_block_id, 0);
PTO_ABI_OFFSET(pto_global_context, pad, 4);
PTO_ABI_OFFSET(pto_global_context, dma_workspace, 8);

#ifdef __cplusplus
}
#endif

#endif /* PTO_KERNEL_H */
