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
 */
#ifndef PTO_KERNEL_H
#define PTO_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include <pto/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PTO_KERNEL_ARGS		50	/* entries of the argument array */
#define PTO_KERNEL_ARG_LOCAL	48	/* entry that points to the local context */
#define PTO_KERNEL_ARG_GLOBAL	49	/* entry that points to the global context */

/**
 * struct pto_local_context - what a core knows about the block that it runs
 * @block_idx: index of the block, from 0
 * @block_num: blocks of the task
 */
struct pto_local_context {
	int32_t block_idx;
	int32_t block_num;
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

PTO_ABI_OFFSET(pto_local_context, block_idx, 0);
PTO_ABI_OFFSET(pto_local_context, block_num, 4);
PTO_ABI_OFFSET(pto_global_context, sub_block_id, 0);

#ifdef __cplusplus
}
#endif

#endif /* PTO_KERNEL_H */
