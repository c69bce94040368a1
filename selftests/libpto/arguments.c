// SPDX-License-Identifier: GPL-2.0
/*
 * Argument lists against an oracle: random tensors in a small piece of memory, so that they are
 * the same, overlap, touch. What of it is refused; and what the device gets to see of the rest,
 * looked at when the run is submitted (rehearsal.h), and what comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>

#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define POOL		48u	/* floats that arguments may be of */
#define TENSORS		40u
#define SCALARS		10u
#define LISTS		400
#define DATA_ALIGN	1024u	/* of a tensor's data on the device */
#define BLOCK_ALIGN	64u

/**
 * struct slot - the oracle's view of a piece of memory
 * @start: first float
 * @count: floats
 * @direction: PTO_IN, PTO_OUT or PTO_INOUT
 * @addr: where the device has it
 */
struct slot {
	uint32_t start;
	uint32_t count;
	int direction;
	uint64_t addr;
};

/**
 * struct list - the oracle's view of an argument list
 * @slots: pieces of memory
 * @slot_count: how many
 * @tensors: the tensors
 * @slot_of: the piece that each shows, -1 for device memory
 * @tensor_count: how many
 * @scalars: the scalars
 * @scalar_count: how many
 * @sent: the memory when the run was submitted
 * @returned: what the device has made of it
 * @refused: errno of the first tensor that must be refused, or 0
 * @seen: the run was looked at
 * @wrong: what was not as it should be, or NULL
 */
struct list {
	struct slot slots[TENSORS];
	uint32_t slot_count;
	struct pto_tensor tensors[TENSORS];
	int slot_of[TENSORS];
	uint32_t tensor_count;
	uint64_t scalars[SCALARS];
	uint32_t scalar_count;
	int refused;
	float sent[POOL];
	float returned[POOL];
	bool seen;
	const char *wrong;
};

static struct list list;
static float pool[POOL];
static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

/* --- the oracle -------------------------------------------------------------------- */

/* What adding a tensor must return; *which: the piece of memory that it shows. */
static int judge(uint32_t start, uint32_t count, int direction, int *which)
{
	uint32_t i;

	*which = -1;
	for (i = 0; count && i < list.slot_count; i++) {
		const struct slot *s = &list.slots[i];

		if (s->start == start && s->count == count)
			*which = (int)i;
		else if (start < s->start + s->count && s->start < start + count &&
			 (direction != PTO_IN || s->direction != PTO_IN))
			return -EINVAL;
	}
	return 0;
}

static void note(uint32_t start, uint32_t count, int direction, int which)
{
	struct pto_tensor *t = &list.tensors[list.tensor_count];

	if (which < 0) {
		which = (int)list.slot_count++;
		list.slots[which] = (struct slot){ start, count, direction, 0 };
	} else if (list.slots[which].direction != direction) {
		list.slots[which].direction = PTO_INOUT;
	}
	pto_tensor_make(t, 0, PTO_DTYPE_FLOAT32, 1, &count);
	list.slot_of[list.tensor_count++] = which;
}

static void check(bool ok, const char *what)
{
	if (!ok && !list.wrong)
		list.wrong = what;
}

/* Pieces of memory are in the run's buffer, apart from each other, and have what they should. */
static void look_at_slot(uint32_t i)
{
	const struct slot *s = &list.slots[i], *other;
	uint64_t bytes = s->count * sizeof(float);
	float *data = rehearsal_at(s->addr, bytes ? bytes : 1);
	uint32_t j;

	check(data, "data outside of the device's memory");
	check(s->addr % DATA_ALIGN == 0, "data is not aligned");
	for (j = 0; j < i; j++) {
		other = &list.slots[j];
		check(s->addr != other->addr && (s->addr >= other->addr +
		      other->count * sizeof(float) || other->addr >= s->addr + bytes),
		      "different memory has one place");
	}
	for (j = 0; data && j < s->count; j++) {
		uint32_t want = 0, got;

		if (s->direction != PTO_OUT)
			memcpy(&want, &list.sent[s->start + j], sizeof(want));
		memcpy(&got, &data[j], sizeof(got));
		check(got == want, s->direction == PTO_OUT ? "an output is not zero" :
		      "an input is not what it was");
	}
}

/* The device writes to what it may write to. */
static void execute_slot(const struct slot *s)
{
	float *data = rehearsal_at(s->addr, s->count * sizeof(float));
	uint32_t i;

	if (s->direction == PTO_IN)
		return;
	for (i = 0; i < s->count; i++) {
		data[i] = (float)below(1 << 20);
		list.returned[s->start + i] = data[i];
	}
}

static void look_at_tensor(uint32_t i, const struct pto_tensor *seen)
{
	struct pto_tensor want = list.tensors[i];

	if (list.slot_of[i] >= 0) {
		struct slot *s = &list.slots[list.slot_of[i]];

		check(!s->addr || s->addr == seen->addr, "one memory has two places");
		s->addr = seen->addr;
		want.addr = seen->addr;
	}
	check(!memcmp(&want, seen, sizeof(want)), "a tensor is not the one that was added");
}

static void look_at_run(const struct pto_run_entry *entry)
{
	uint64_t size = PTO_RUN_ARGS_SIZE(list.tensor_count, list.scalar_count);
	const struct pto_run_args *args;
	const struct pto_tensor *tensors;
	uint32_t i;

	list.seen = true;
	if (!list.tensor_count && !list.scalar_count) {
		check(!entry->args_bo && !entry->args_size && !entry->args_offset,
		      "arguments where there are none");
		return;
	}
	args = rehearsal_memory(entry->args_bo, entry->args_offset, size);
	check(args && entry->args_size == size && entry->args_offset % BLOCK_ALIGN == 0 &&
	      args->tensor_count == list.tensor_count && args->scalar_count == list.scalar_count,
	      "the block is not one");
	if (list.wrong)
		return;
	tensors = (const struct pto_tensor *)(const void *)(args + 1);
	for (i = 0; i < list.tensor_count; i++)
		look_at_tensor(i, &tensors[i]);
	check(!memcmp(tensors + list.tensor_count, list.scalars,
		      list.scalar_count * sizeof(list.scalars[0])), "scalars");
	for (i = 0; i < list.slot_count && !list.wrong; i++)
		look_at_slot(i);
	for (i = 0; i < list.slot_count && !list.wrong; i++)
		execute_slot(&list.slots[i]);
}

/* --- random lists ------------------------------------------------------------------- */

static int add_host(struct pto_args *args)
{
	static const int directions[] = { PTO_IN, PTO_IN, PTO_OUT, PTO_INOUT };
	uint32_t count = below(8) ? 1 + below(6) : 0, start = below(POOL - count);
	int direction = directions[below(4)], which, want, got;
	const struct slot *again;

	if (list.slot_count && !below(3)) {
		again = &list.slots[below(list.slot_count)];
		start = again->start;
		count = again->count;
	}
	want = judge(start, count, direction, &which);
	/* What is refused spoils the list: not too often. */
	if (want && below(16))
		return 0;
	if (want && !list.refused)
		list.refused = want;
	got = pto_args_add_host(args, direction, &pool[start], PTO_DTYPE_FLOAT32, 1, &count);
	if (!want && !got)
		note(start, count, direction, which);
	return got == want ? 0 : -EBADMSG;
}

static int add_device(struct pto_args *args)
{
	struct pto_tensor t = pt_tensor(REHEARSED_BASE + 64 * below(100), PTO_DTYPE_UINT8, 1,
					1 + below(100));

	list.tensors[list.tensor_count] = t;
	list.slot_of[list.tensor_count++] = -1;
	return pto_args_add_device(args, &t);
}

static int add_scalar(struct pto_args *args)
{
	float value = (float)below(1000) / 8;
	uint32_t bits;

	if (list.scalar_count == SCALARS)
		return 0;
	if (below(2)) {
		list.scalars[list.scalar_count] = (uint64_t)below(1000) << 40;
		return pto_args_add_scalar(args, list.scalars[list.scalar_count++]);
	}
	memcpy(&bits, &value, sizeof(bits));
	list.scalars[list.scalar_count++] = bits;
	return pto_args_add_f32(args, value);
}

static int make_list(struct pto_args *args)
{
	uint32_t steps = below(TENSORS), i;
	int rc = 0;

	memset(&list, 0, sizeof(list));
	pto_args_clear(args);
	for (i = 0; i < steps && !rc; i++) {
		if (!below(5))
			rc = add_scalar(args);
		else if (!below(5))
			rc = add_device(args);
		else
			rc = add_host(args);
	}
	return rc;
}

static void fill_pool(void)
{
	uint32_t i;

	for (i = 0; i < POOL; i++)
		pool[i] = (float)below(1 << 20) + 0.5f;
}

/* What the memory has to be when the run has ended, if it was @now before that. */
static bool pool_is_right(const float *now)
{
	uint32_t i, j;
	bool output;

	for (i = 0; i < POOL; i++) {
		output = false;
		for (j = 0; j < list.slot_count; j++)
			output |= list.slots[j].direction != PTO_IN &&
				  i - list.slots[j].start < list.slots[j].count;
		if (pool[i] != (output ? list.returned[i] : now[i]))
			return false;
	}
	return true;
}

/* --- the tests ------------------------------------------------------------------------ */

FIXTURE(arguments) {
	struct pto_context *ctx;
	struct pto_args *args;
	int cid;
};

FIXTURE_SETUP(arguments)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	struct pto_callable *callable;

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	rehearsal_begin();
	rehearsal.on_run = look_at_run;
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	self->cid = pto_register(self->ctx, callable);
	ASSERT_LE(0, self->cid);
	pto_callable_free(callable);
	fence_begin();
	self->args = pto_args_new();
	fence_end();
	ASSERT_NE(NULL, self->args);
	memset(&list, 0, sizeof(list));
}

FIXTURE_TEARDOWN(arguments)
{
	pto_args_free(self->args);
	pto_close(self->ctx);
}

TEST_F(arguments, random_lists)
{
	struct pto_run_handle *run;
	unsigned int first = seed;
	float now[POOL];
	int i, rc;

	for (i = 0; i < LISTS; i++) {
		fill_pool();
		fence_begin();
		rc = make_list(self->args);
		ASSERT_EQ(0, rc) {
			TH_LOG("seed %u, list %d", first, i);
		}
		memcpy(list.sent, pool, sizeof(pool));
		rc = pto_submit(pto_default_stream(self->ctx), self->cid, self->args, NULL, &run);
		fence_end();
		ASSERT_EQ(list.refused, rc);
		if (rc)
			continue;
		ASSERT_TRUE(list.seen);
		ASSERT_EQ(NULL, list.wrong) {
			TH_LOG("seed %u, list %d: %s", first, i, list.wrong);
		}
		/* What happens to inputs from now on is no concern of the run. */
		fill_pool();
		memcpy(now, pool, sizeof(pool));
		fence_begin();
		rc = pto_wait(run, PTO_FOREVER, NULL);
		fence_end();
		ASSERT_EQ(0, rc);
		ASSERT_TRUE(pool_is_right(now)) {
			TH_LOG("seed %u, list %d", first, i);
		}
	}
	/* The largest run is of 46 KiB: no list takes what those before it took. */
	EXPECT_LE(rehearsal.buffer_bytes, 256 << 10);
}

/* A list that was cleared is like a new one; submitting it again costs nothing new. */
TEST_F(arguments, cleared_lists_take_no_more)
{
	uint32_t shape[1] = { 4 };
	long before;
	int i;

	rehearsal.on_run = NULL;
	for (i = 0; i < 10; i++) {
		pto_args_clear(self->args);
		ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, &pool[0], PTO_DTYPE_FLOAT32, 1,
					       shape));
		ASSERT_EQ(0, pto_args_add_host(self->args, PTO_INOUT, &pool[8], PTO_DTYPE_FLOAT32,
					       1, shape));
		before = fence_count();
		fence_begin();
		EXPECT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
		fence_end();
		EXPECT_TRUE(!i || fence_count() == before);
	}
}

TEST_F(arguments, as_many_as_a_run_takes)
{
	static char bytes[PTO_RUN_MAX_TENSORS + 1];
	uint32_t shape[1] = { 1 };
	unsigned int i;

	rehearsal.on_run = NULL;
	for (i = 0; i < PTO_RUN_MAX_TENSORS; i++)
		ASSERT_EQ(0, pto_args_add_host(self->args, PTO_INOUT, &bytes[i], PTO_DTYPE_UINT8,
					       1, shape));
	for (i = 0; i < PTO_RUN_MAX_SCALARS; i++)
		ASSERT_EQ(0, pto_args_add_scalar(self->args, i));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	EXPECT_EQ(-ENOSPC, pto_args_add_scalar(self->args, i));
	EXPECT_EQ(-ENOSPC, pto_args_add_f32(self->args, 1));
	EXPECT_EQ(-ENOSPC, pto_args_add_host(self->args, PTO_INOUT, &bytes[i], PTO_DTYPE_UINT8, 1,
					     shape));
	EXPECT_EQ(-ENOSPC, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
}

/* Whoever does not look at what pto_args_add_*() return is told by the run of the first one. */
TEST_F(arguments, the_first_error_is_the_run_s)
{
	const uint32_t four[1] = { 4 };
	struct pto_tensor t = pt_tensor(REHEARSED_BASE, PTO_DTYPE_UINT8, 1, 10);
	struct pto_run_handle *run;
	struct pto_result result;

	rehearsal.on_run = NULL;
	pto_args_add_host(self->args, PTO_IN, pool, PTO_DTYPE_FLOAT32, 1, four);
	EXPECT_STREQ("no failure", pto_args_error(self->args));
	pto_args_add_host(self->args, PTO_IN, pool, 77, 1, four);
	t.extent = 9;
	pto_args_add_device(self->args, &t);
	pto_args_add_scalar(self->args, 1);
	EXPECT_NE(NULL, strstr(pto_args_error(self->args), "tensor 1: "));
	EXPECT_NE(NULL, strstr(pto_args_error(self->args), "data type 77"));
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, self->cid, self->args, NULL, &result));
	EXPECT_EQ(0, result.id);
	EXPECT_NE(NULL, strstr(result.text, pto_args_error(self->args)));
	EXPECT_STREQ(result.text, pto_context_error(self->ctx));
	EXPECT_EQ(-EINVAL, pto_submit(pto_default_stream(self->ctx), self->cid, self->args, NULL,
				      &run));
	pto_args_clear(self->args);
	EXPECT_STREQ("no failure", pto_args_error(self->args));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, self->args, NULL, &result));
	EXPECT_STREQ("", result.text);
}

/* Nothing of it may be touched: that there is nothing is found out before. */
TEST_F(arguments, memory_that_cannot_be)
{
	uint32_t two[1] = { 2 }, huge[5] = { 1u << 31, 1u << 29, 1, 1, 1 };
	struct pto_tensor t = pt_tensor(REHEARSED_BASE, PTO_DTYPE_UINT8, 1, 10), bad;
	char *low = (char *)0x1000;

	EXPECT_EQ(-EOVERFLOW, pto_args_add_host(self->args, PTO_IN, (void *)(UINTPTR_MAX - 3),
						PTO_DTYPE_FLOAT32, 1, two));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_IN, NULL, PTO_DTYPE_FLOAT32, 1, two));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, 77, pool, PTO_DTYPE_FLOAT32, 1, two));
	/* 2^62 bytes are some, twice as many are too many. */
	EXPECT_EQ(0, pto_args_add_host(self->args, PTO_IN, low, PTO_DTYPE_FLOAT32, 5, huge));
	EXPECT_EQ(-EOVERFLOW, pto_args_add_host(self->args, PTO_IN, low + 64, PTO_DTYPE_FLOAT32, 5,
						huge));
	EXPECT_EQ(-EOVERFLOW, pto_run(self->ctx, self->cid, self->args, NULL, NULL));
	EXPECT_EQ(-EINVAL, pto_args_add_device(self->args, NULL));
	bad = t;
	bad.ndims = 0;
	EXPECT_EQ(-EINVAL, pto_args_add_device(self->args, &bad));
	bad = t;
	bad.extent = 9;
	EXPECT_EQ(-EINVAL, pto_args_add_device(self->args, &bad));
	EXPECT_EQ(0, pto_args_add_device(self->args, &t));
}

TEST_HARNESS_MAIN
