/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel ABI as headers other than ours declare it: what entries 48 and 49 of the argument
 * array point to, and how a kernel names the conditions for the completion of its task. Nothing of
 * pto/kernel.h is used, so that what is written here holds whatever is written there.
 */
#ifndef PUBLIC_KERNEL_H
#define PUBLIC_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#define PUBLIC_INVALID	101
#define PUBLIC_OVERFLOW	102

/**
 * struct public_entry - a condition, 32 bytes
 * @addr: the counter
 * @cookie: of the engine
 * @expected: value of the counter
 * @engine: who raises it
 * @type: 0, a counter
 * @pad: 0
 */
struct public_entry {
	uint64_t addr;
	uint64_t cookie;
	uint32_t expected;
	uint32_t engine;
	int32_t type;
	uint32_t pad;
};

/**
 * struct public_local - what entry 48 points to
 * @block_idx: block
 * @block_num: blocks
 * @count: conditions named
 * @error: error word
 * @entries: conditions
 * @capacity: how many there can be
 * @token: the task, UINT64_MAX: not deferred
 */
struct public_local {
	int32_t block_idx;
	int32_t block_num;
	volatile uint32_t *count;
	volatile int32_t *error;
	volatile struct public_entry *entries;
	uint32_t capacity;
	uint64_t token;
};

/**
 * struct public_global - what entry 49 points to
 * @sub_block_id: AIV core of the cluster
 * @dma_workspace: memory of the engines, 0: none
 */
struct public_global {
	int32_t sub_block_id;
	uint64_t dma_workspace[2];
};

_Static_assert(sizeof(struct public_entry) == 32, "layout");
_Static_assert(__builtin_offsetof(struct public_entry, expected) == 16, "layout");
_Static_assert(__builtin_offsetof(struct public_entry, type) == 24, "layout");
_Static_assert(__builtin_offsetof(struct public_local, count) == 8, "layout");
_Static_assert(__builtin_offsetof(struct public_local, error) == 16, "layout");
_Static_assert(__builtin_offsetof(struct public_local, entries) == 24, "layout");
_Static_assert(__builtin_offsetof(struct public_local, capacity) == 32, "layout");
_Static_assert(__builtin_offsetof(struct public_local, token) == 40, "layout");
_Static_assert(__builtin_offsetof(struct public_global, dma_workspace) == 8, "layout");

static inline const struct public_local *public_local(const int64_t *args)
{
	return (const struct public_local *)(uintptr_t)args[48];
}

static inline const struct public_global *public_global(const int64_t *args)
{
	return (const struct public_global *)(uintptr_t)args[49];
}

/* Names a condition of any kind. Return: false if there is no room, or nobody looks */
static inline bool public_name(const int64_t *args, uint64_t addr, uint32_t expected, int32_t type)
{
	const struct public_local *local = public_local(args);
	volatile struct public_entry *entry;

	if (local->token == UINT64_MAX || !local->count || !local->entries)
		return false;
	if (*local->count >= local->capacity) {
		*local->error = PUBLIC_OVERFLOW;
		return false;
	}
	entry = &local->entries[*local->count];
	entry->addr = addr;
	entry->cookie = ~UINT64_C(0);
	entry->expected = expected;
	entry->engine = 3;
	entry->type = type;
	entry->pad = 0;
	*local->count = *local->count + 1;
	return true;
}

/* Names a counter. */
static inline bool public_expect(const int64_t *args, const uint32_t *counter, uint32_t expected)
{
	return public_name(args, (uint64_t)(uintptr_t)counter, expected, 0);
}

/* Says that something is wrong. */
static inline void public_error(const int64_t *args, int32_t error)
{
	*public_local(args)->error = error;
}

#endif /* PUBLIC_KERNEL_H */
