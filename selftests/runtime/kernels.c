// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels for random programs: what they write is a function of everything they read, so
 * a task that runs too early or too late leaves another result.
 *
 * Tensors are read (inputs), updated (old value goes in) or written. Units of one task, its
 * parts and its blocks, run side by side: they share the elements that are written among
 * themselves.
 */
#include <sched.h>

#include "program.h"

struct unit {
	uint64_t hash;
	uint32_t number;	/* of all units of the task */
	uint32_t count;
};

/* Calls @fn for each element, in the order of the indices. */
static void for_each(const struct pto_tensor *t, struct unit *u, bool updates,
		     void (*fn)(struct unit *u, void *p, uint32_t bytes, uint64_t n, bool updates))
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint32_t index[PTO_MAX_TENSOR_DIMS] = { 0 };
	uint64_t n = 0;
	uint32_t d;

	if (!t->extent)
		return;
	for (;;) {
		fn(u, pto_tensor_element(t, t->ndims, index), bytes, n++, updates);
		for (d = t->ndims; d-- > 0;) {
			if (++index[d] < t->shapes[d])
				break;
			index[d] = 0;
		}
		if (d == UINT32_MAX)
			return;
	}
}

static void read_one(struct unit *u, void *p, uint32_t bytes, uint64_t n, bool updates)
{
	u->hash = mix(u->hash ^ load_element(p, bytes));
}

static void write_one(struct unit *u, void *p, uint32_t bytes, uint64_t n, bool updates)
{
	uint64_t old = updates ? load_element(p, bytes) : 0;

	if (n % u->count == u->number)
		store_element(p, bytes, mix(u->hash ^ mix(n) ^ mix(old + 1)));
}

/* Only its own elements: those of others are being written. */
static void update_one(struct unit *u, void *p, uint32_t bytes, uint64_t n, bool updates)
{
	if (n % u->count == u->number)
		write_one(u, p, bytes, n, updates);
}

static void run(int64_t *args, uint32_t part, uint32_t tensors)
{
	uint64_t salt = pto_arg_u64(args, tensors + SCALAR_SALT);
	uint64_t reads = pto_arg_u64(args, tensors + SCALAR_READS);
	uint64_t writes = pto_arg_u64(args, tensors + SCALAR_WRITES);
	uint64_t updates = pto_arg_u64(args, tensors + SCALAR_UPDATES);
	uint32_t parts = (uint32_t)pto_arg_u64(args, tensors + SCALAR_PARTS);
	uint32_t before = (uint32_t)__builtin_popcount(parts & ((1u << part) - 1));
	struct unit u = { .hash = salt };
	uint32_t i;

	u.count = (uint32_t)__builtin_popcount(parts) * (uint32_t)pto_block_num(args);
	u.number = before * (uint32_t)pto_block_num(args) + (uint32_t)pto_block_idx(args);
	u.hash += (uint64_t)pto_sub_block_id(args);
	for (i = 0; i < salt % 4; i++)
		sched_yield();
	for (i = 0; i < tensors; i++)
		if (reads >> i & 1)
			for_each(pto_arg_tensor(args, i), &u, false, read_one);
	for (i = 0; i < tensors; i++)
		if ((writes | updates) >> i & 1)
			for_each(pto_arg_tensor(args, i), &u, updates >> i & 1, update_one);
}

#define KERNEL(part, tensors) \
static void kernel_##part##_##tensors(int64_t *args) \
{ \
	run(args, part, tensors); \
}

#define KERNELS(part) \
	KERNEL(part, 0) KERNEL(part, 1) KERNEL(part, 2) KERNEL(part, 3) KERNEL(part, 4) \
	KERNEL(part, 5) KERNEL(part, 6) KERNEL(part, 7) KERNEL(part, 8)
#define NAMES(part) { \
	kernel_##part##_0, kernel_##part##_1, kernel_##part##_2, kernel_##part##_3, \
	kernel_##part##_4, kernel_##part##_5, kernel_##part##_6, kernel_##part##_7, \
	kernel_##part##_8 }

KERNELS(0)
KERNELS(1)
KERNELS(2)

const kernel_fn kernels[PARTS][MAX_ARGS + 1] = { NAMES(0), NAMES(1), NAMES(2) };
