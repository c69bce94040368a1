/* SPDX-License-Identifier: MIT */
/*
 * The kernel API: how a kernel reads its arguments. Layout: seed runtime, the dispatch
 * payload; it is an ABI, so kernels written for it run unchanged.
 *
 * A kernel object defines kernel_entry() and links against nothing of ours. The argument
 * array holds the task's tensors (pointers to descriptors), then its scalars, both in the
 * order in which the orchestration added them; all parts of a mixed task get the same.
 * Entries 48 and 49 point to the contexts below. A kernel takes its identity from there,
 * not from the core it happens to run on. C99 and C++11.
 *
 * What a kernel can ask the device for is reached through a function table that the local
 * context leads to. It belongs to the kernel that got it, until that returns.
 *
 * Kernels that run together, a cohort, may wait for each other: the parts of one block of a
 * mixed task, and with pto_set_sync_start() the parts of all its blocks. Others may not: one
 * may begin only after the other has ended.
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

#define PTO_KERNEL_MAX_CONDITIONS	64	/* pto_async_expect() calls of a task */

struct pto_kernel_rt;

#define PTO_KERNEL_OPS_VERSION	1

/**
 * struct pto_kernel_ops - the device as a kernel sees it
 * @version: PTO_KERNEL_OPS_VERSION; raised only if what exists changes its meaning
 * @size: bytes of the table; functions are appended, so a longer one is compatible
 * @wait_ge: see pto_wait_ge()
 * @notify: see pto_notify()
 * @async_expect: see pto_async_expect()
 */
struct pto_kernel_ops {
	uint32_t version;
	uint32_t size;
	void (*wait_ge)(struct pto_kernel_rt *rt, const uint32_t *word, uint32_t value);
	void (*notify)(struct pto_kernel_rt *rt, uint32_t *word, uint32_t add);
	int (*async_expect)(struct pto_kernel_rt *rt, const uint32_t *counter, uint32_t expected);
};

/**
 * struct pto_kernel_rt - a core; the rest of it is the device's own
 * @ops: the function table
 */
struct pto_kernel_rt {
	const struct pto_kernel_ops *ops;
};

/**
 * struct pto_local_context - what a core knows about the block that it runs
 * @block_idx: index of the block, from 0
 * @block_num: blocks of the task
 * @rt: leads to the function table; where the seed runtime has its context of
 *	asynchronous completion
 */
struct pto_local_context {
	int32_t block_idx;
	int32_t block_num;
	struct pto_kernel_rt *rt;
};

/**
 * struct pto_global_context - what a core knows about itself
 * @sub_block_id: 0 on the first AIV core of a cluster (and on the AIC core), 1 on the second
 */
struct pto_global_context {
	int32_t sub_block_id;
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

/** pto_arg_u64() - argument @i, which is a scalar: tensors count too */
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
 * @word: the word, in device memory; read with acquire semantics
 * @value: compared without sign
 *
 * For kernels of one cohort; gives the processor away while it waits. If the run fails
 * meanwhile it does not return: the kernel ends there.
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
 * pto_notify() - add to a word, and wake who waits for it
 * @args: the kernel's argument array
 * @word: the word, in device memory; added to with release semantics
 * @add: what to add
 */
static inline void pto_notify(const int64_t *args, uint32_t *word, uint32_t add)
{
	struct pto_kernel_rt *rt = pto_kernel_rt_(args);

	rt->ops->notify(rt, word, add);
}

/**
 * pto_async_expect() - the task is complete only when a counter has reached a value
 * @args: the kernel's argument array
 * @counter: the counter, in device memory; somebody else raises it
 * @expected: value, compared without sign
 *
 * The kernel goes on and returns; its task completes when all its kernels have returned and
 * all these conditions hold, each since some moment after it was registered. The run fails
 * with PTO_FATAL_ASYNC_COMPLETION_INVALID if @counter is NULL or not aligned or no kernel
 * calls, PTO_FATAL_ASYNC_WAIT_OVERFLOW beyond PTO_KERNEL_MAX_CONDITIONS for one task. If
 * the device awaits as many as it can, the call waits until one of them holds; when nothing
 * moves for the scheduler's time-out the run fails with PTO_FATAL_ASYNC_REGISTRATION_FAILED.
 * Return: 0; -EINVAL or -ENOSPC then; -ENOSYS if the device cannot do this.
 */
static inline int pto_async_expect(const int64_t *args, const uint32_t *counter, uint32_t expected)
{
	struct pto_kernel_rt *rt = pto_kernel_rt_(args);

	if (rt->ops->size <= offsetof(struct pto_kernel_ops, async_expect))
		return -ENOSYS;
	return rt->ops->async_expect(rt, counter, expected);
}

PTO_ABI_OFFSET(pto_local_context, block_idx, 0);
PTO_ABI_OFFSET(pto_local_context, block_num, 4);
PTO_ABI_OFFSET(pto_local_context, rt, 8);
PTO_ABI_OFFSET(pto_global_context, sub_block_id, 0);

#ifdef __cplusplus
}
#endif

#endif /* PTO_KERNEL_H */
