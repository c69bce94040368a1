// SPDX-License-Identifier: GPL-2.0
/*
 * Kernels for random programs: what they write is a function of everything they read, so
 * a task that runs too early or too late leaves another result.
 *
 * Tensors are read (inputs), updated (old value goes in) or written. Units of one task, its
 * parts and its blocks, run side by side: they share the elements that are written among
 * themselves. Units that meet tell each other what they have read, so what each writes is
 * a function of that too. Where there is nobody to meet, because units are executed one by one
 * (the oracle does), a unit works out by itself what the others would say.
 */
#include <sched.h>
#include <string.h>

#include "later.h"
#include "public_kernel.h"
#include "program.h"

/* A unit, and its view of the arguments. */
struct unit {
	const int64_t *args;
	uint32_t tensors;
	uint32_t part;
	uint32_t parts;
	uint32_t number;	/* of all units of the task */
	uint32_t count;
	uint64_t hash;
};

static uint64_t scalar(const struct unit *u, uint32_t i)
{
	return pto_arg_u64(u->args, u->tensors + i);
}

/* --- elements ------------------------------------------------------------ */

/** load_element() - the bits of the element @offset of a buffer */
uint64_t load_element(const struct pto_tensor *t, uint64_t offset)
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	const uint8_t *p = (const uint8_t *)(uintptr_t)t->addr;
	uint64_t value = 0;

	if (!bytes)
		return p[offset / 2] >> offset % 2 * 4 & 15;
	memcpy(&value, p + offset * bytes, bytes);
	return value;
}

/** store_element() - set the element @offset of a buffer */
void store_element(const struct pto_tensor *t, uint64_t offset, uint64_t value)
{
	uint32_t bytes = pto_dtype_size(t->dtype);
	uint8_t *p = (uint8_t *)(uintptr_t)t->addr;
	uint32_t shift = offset % 2 * 4;

	if (bytes)
		memcpy(p + offset * bytes, &value, bytes);
	else
		p[offset / 2] = (uint8_t)((p[offset / 2] & 0xf0 >> shift) | (value & 15) << shift);
}

/* Calls @fn for each element, in the order of the indices. */
static void for_each(struct unit *u, const struct pto_tensor *t, bool updates,
		     void (*fn)(struct unit *u, const struct pto_tensor *t, uint64_t offset,
				uint64_t n, bool updates))
{
	uint32_t index[PTO_MAX_TENSOR_DIMS] = { 0 };
	uint64_t n = 0, offset = 0;
	uint32_t d;

	if (!t->extent)
		return;
	for (;;) {
		pto_tensor_offset(t, t->ndims, index, &offset);
		fn(u, t, offset, n++, updates);
		for (d = t->ndims; d-- > 0;) {
			if (++index[d] < t->shapes[d])
				break;
			index[d] = 0;
		}
		if (d == UINT32_MAX)
			return;
	}
}

static void read_one(struct unit *u, const struct pto_tensor *t, uint64_t offset, uint64_t n,
		     bool updates)
{
	u->hash = mix(u->hash ^ load_element(t, offset));
}

/* Only its own elements: those of others are being written. */
static void write_one(struct unit *u, const struct pto_tensor *t, uint64_t offset, uint64_t n,
		      bool updates)
{
	uint64_t old;

	if (n % u->count != u->number)
		return;
	old = updates ? load_element(t, offset) : 0;
	store_element(t, offset, mix(u->hash ^ mix(n) ^ mix(old + 1)));
}

/* --- units --------------------------------------------------------------- */

/* What a part reads: a lone part is the first one to itself. */
static uint64_t read_all(struct unit *u, uint32_t part)
{
	uint64_t reads = scalar(u, SCALAR_READS);
	uint32_t i;

	u->hash = scalar(u, SCALAR_SALT) + (part == 2 && u->parts != 4);
	for (i = 0; i < u->tensors; i++)
		if (reads >> i & 1)
			for_each(u, pto_arg_tensor(u->args, i), false, read_one);
	return u->hash;
}

static void write_all(struct unit *u)
{
	uint64_t writes = scalar(u, SCALAR_WRITES);
	uint64_t updates = scalar(u, SCALAR_UPDATES);
	uint32_t i;

	for (i = 0; i < u->tensors; i++)
		if ((writes | updates) >> i & 1)
			for_each(u, pto_arg_tensor(u->args, i), updates >> i & 1, write_one);
}

/* --- meetings ------------------------------------------------------------ */

static void await(const struct unit *u, const uint32_t *word, uint32_t value)
{
	if (!(scalar(u, SCALAR_WAYS) & WAY_SPIN)) {
		pto_wait_ge(u->args, word, value);
		return;
	}
	/* (ThreadSanitizer has a lock for loads that acquire: many of them keep writers out.) */
	while (__atomic_load_n(word, __ATOMIC_RELAXED) < value)
		;
	(void)__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* What the units of the other parts say, one way or the other, by part. */
static void hear(struct unit *u, uint32_t block, uint32_t *said)
{
	uint32_t *words = (uint32_t *)(uintptr_t)scalar(u, SCALAR_WORDS);
	uint32_t *mine = words + MAX_BLOCKS + block * PARTS;
	uint32_t part;

	if (pto_kernel_rt_(u->args)) {
		for (part = 0; part < PARTS; part++)
			said[part] = __atomic_load_n(&mine[part], __ATOMIC_RELAXED);
		return;
	}
	for (part = 0; part < PARTS; part++)
		said[part] = u->parts >> part & 1 ? (uint32_t)read_all(u, part) : 0;
}

/* Says what was read, and waits until everybody of the cohort has. */
static void meet(struct unit *u)
{
	bool all = scalar(u, SCALAR_WAYS) & WAY_SYNC;
	uint32_t *words = (uint32_t *)(uintptr_t)scalar(u, SCALAR_WORDS);
	uint32_t block = (uint32_t)pto_block_idx(u->args);
	uint32_t blocks = (uint32_t)pto_block_num(u->args);
	uint32_t *word = all ? words : &words[block];
	uint32_t cohort = (uint32_t)__builtin_popcount(u->parts) * (all ? blocks : 1);
	uint64_t hash = u->hash;
	uint32_t said[PARTS], i;

	if (pto_kernel_rt_(u->args)) {
		__atomic_store_n(&words[MAX_BLOCKS + block * PARTS + u->part], (uint32_t)hash,
				 __ATOMIC_RELAXED);
		pto_notify(u->args, word, 1);
		await(u, word, cohort);
	}
	/* The next block's, if all are here. */
	hear(u, all ? (block + 1) % blocks : block, said);
	for (i = 0; i < PARTS; i++)
		hash = mix(hash ^ said[i]);
	u->hash = hash;
}

/* --- what is written later ------------------------------------------------- */

/* The tensors stay where they are until the task is complete, so the pointers do. */
struct delayed {
	struct unit unit;
	int64_t args[PTO_KERNEL_ARGS];
	uint32_t *counter;
};

static void write_later(void *data)
{
	struct delayed *d = data;

	d->unit.args = d->args;
	write_all(&d->unit);
	__atomic_fetch_add(d->counter, 1, __ATOMIC_RELEASE);
}

/* In our words, or in those of other headers: it is one mechanism. */
static bool expect_later(const struct unit *u, const uint32_t *counter)
{
	if (u->number % 2)
		return public_expect(u->args, counter, 1);
	return !pto_async_expect(u->args, counter, 1);
}

/* The kernel returns, somebody else writes: then a counter of the unit's own is raised. */
static void delay(const struct unit *u)
{
	uint32_t *words = (uint32_t *)(uintptr_t)scalar(u, SCALAR_WORDS);
	struct delayed d = { .unit = *u, .counter = &words[MEETING_WORDS + u->number] };

	memcpy(d.args, u->args, (u->tensors + SCALARS) * sizeof(d.args[0]));
	if (expect_later(u, d.counter))
		later_post(write_later, &d, sizeof(d));
}

static void run(int64_t *args, uint32_t part, uint32_t tensors)
{
	uint32_t parts = (uint32_t)pto_arg_u64(args, tensors + SCALAR_PARTS);
	uint32_t blocks = (uint32_t)pto_block_num(args);
	uint32_t before = (uint32_t)__builtin_popcount(parts & ((1u << part) - 1));
	struct unit u = { .args = args, .tensors = tensors, .part = part, .parts = parts };
	uint32_t i;

	u.count = (uint32_t)__builtin_popcount(parts) * blocks;
	u.number = before * blocks + (uint32_t)pto_block_idx(args);
	for (i = 0; i < scalar(&u, SCALAR_SALT) % 4; i++)
		sched_yield();
	read_all(&u, part);
	/* Who is told to be the second AIV core by mistake writes something else. */
	if (pto_sub_block_id(args) != (part == 2 && parts != 4))
		u.hash = ~u.hash;
	if (scalar(&u, SCALAR_WAYS) & WAY_MEET)
		meet(&u);
	if (scalar(&u, SCALAR_WAYS) & WAY_LATER && pto_kernel_rt_(args))
		delay(&u);
	else
		write_all(&u);
}

#define KERNEL(part, tensors) \
static void kernel_##part##_##tensors(int64_t *args) \
{ \
	run(args, part, tensors); \
}

#define KERNELS(part) \
	KERNEL(part, 0) KERNEL(part, 1) KERNEL(part, 2) KERNEL(part, 3) KERNEL(part, 4) \
	KERNEL(part, 5) KERNEL(part, 6) KERNEL(part, 7) KERNEL(part, 8) KERNEL(part, 9) \
	KERNEL(part, 10) KERNEL(part, 11) KERNEL(part, 12)
#define NAMES(part) { \
	kernel_##part##_0, kernel_##part##_1, kernel_##part##_2, kernel_##part##_3, \
	kernel_##part##_4, kernel_##part##_5, kernel_##part##_6, kernel_##part##_7, \
	kernel_##part##_8, kernel_##part##_9, kernel_##part##_10, kernel_##part##_11, \
	kernel_##part##_12 }

KERNELS(0)
KERNELS(1)
KERNELS(2)

const kernel_fn kernels[PARTS][MAX_ARGS + 1] = { NAMES(0), NAMES(1), NAMES(2) };
