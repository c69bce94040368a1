// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory against a model: random buffers of two contexts come and go; no two of them
 * overlap, each begins as zeros, all of it is accounted for, and the device never has what it
 * was told to give up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE	4096u
#define MANY	60
#define STEPS	1500

struct buffer {
	uint32_t id;
	uint64_t addr;
	uint64_t length;
};

FIXTURE(memory) {
	struct rig *rig;
	struct pto_ctx *ctx[2];
	struct pto_device_usage usage;
	struct buffer buffers[2][MANY];
	int count[2];
	uint64_t used;
	unsigned int first;
	long memory;
};

static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

FIXTURE_SETUP(memory)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	struct pto_ioc_bo_create bo;
	int i;

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_open(self->rig, &self->ctx[i]));
		ASSERT_EQ(0, rig_ready(self->ctx[i], &bo));
	}
	ASSERT_EQ(0, rig_usage(self->ctx[0], &self->usage));
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx[0]);
	rig_close(self->ctx[1]);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static char *at(struct rig *rig, uint64_t addr)
{
	return rig->window + (addr - rig->ident->memory_base);
}

static bool is_zero(const char *bytes, uint64_t length)
{
	return !*bytes && !memcmp(bytes, bytes + 1, length - 1);
}

static bool overlaps(FIXTURE_DATA(memory) *self, const struct buffer *new)
{
	int c, i;

	for (c = 0; c < 2; c++)
		for (i = 0; i < self->count[c]; i++)
			if (self->buffers[c][i].addr < new->addr + new->length &&
			    new->addr < self->buffers[c][i].addr + self->buffers[c][i].length)
				return true;
	return false;
}

static int create(FIXTURE_DATA(memory) *self, int c)
{
	uint64_t asked = 1 + below(4) * PAGE + below(3), length;
	struct pto_ioc_bo_create arg;
	struct buffer *new = &self->buffers[c][self->count[c]];
	int err = rig_bo(self->ctx[c], asked, &arg);

	if (err)
		return err;
	length = (asked + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	*new = (struct buffer){ arg.id, arg.device_addr, length };
	if (!arg.id || arg.device_addr % PAGE || overlaps(self, new) ||
	    !is_zero(at(self->rig, new->addr), length))
		return -EBADMSG;
	/* For who gets it next. */
	memset(at(self->rig, new->addr), 0xa5, length);
	self->count[c]++;
	self->used += length;
	return 0;
}

static int destroy(FIXTURE_DATA(memory) *self, int c)
{
	struct buffer *buffer = &self->buffers[c][below(self->count[c])];
	int err = rig_bo_destroy(self->ctx[c], buffer->id);

	if (err || rig_bo_destroy(self->ctx[c], buffer->id) != -ENOENT)
		return -EBADMSG;
	rig_settle();
	/* For the next one: with the transport's help, or page by page. */
	self->rig->clear_fails = below(2);
	self->used -= buffer->length;
	*buffer = self->buffers[c][--self->count[c]];
	return 0;
}

static int check_usage(FIXTURE_DATA(memory) *self)
{
	struct pto_device_usage now;
	struct pto_context_stats stats;
	int err = rig_usage(self->ctx[0], &now);
	int c;

	if (err || now.memory_used != self->usage.memory_used + self->used)
		return -EBADMSG;
	for (c = 0; c < 2; c++)
		/* And the one of rig_ready(). */
		if (rig_stats(self->ctx[c], &stats) ||
		    stats.bo_live != (uint64_t)self->count[c] + 1)
			return -EBADMSG;
	return 0;
}

TEST_F(memory, random_buffers)
{
	int i, c, err;

	for (i = 0; i < STEPS; i++) {
		c = below(2);
		if (self->count[c] < MANY && (!self->count[c] || below(2)))
			err = create(self, c);
		else
			err = destroy(self, c);
		ASSERT_EQ(0, err) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(0, check_usage(self));
	}
	while (self->count[0])
		ASSERT_EQ(0, destroy(self, 0));
	while (self->count[1])
		ASSERT_EQ(0, destroy(self, 1));
	EXPECT_EQ(0, check_usage(self));
}

/* What an earlier device's contexts have left in its memory */
static void leave_data(struct rig *rig)
{
	memset(rig->window + rig->ident->heap_offset, 0xa5,
	       rig->ident->window_size - rig->ident->heap_offset);
}

/* The whole of the memory is cleared, with the transport's help or page by page. */
TEST(of_an_earlier_device)
{
	struct rig *rig;
	int round;

	for (round = 0; round < 2; round++) {
		rig = rig_new();
		leave_data(rig);
		rig->clear_fails = round;
		ASSERT_EQ(0, rig_start(rig));
		EXPECT_TRUE(is_zero(rig->window + rig->ident->heap_offset,
				    rig->ident->window_size - rig->ident->heap_offset));
		rig_free(rig);
	}
}

TEST(of_an_earlier_device_that_cannot_be_cleared)
{
	struct rig *rig = rig_new();

	leave_data(rig);
	rig->clear_fails = true;
	rig_fail(rig, RIG_ACCESS, 100, 1);
	EXPECT_EQ(-ENODEV, rig_start(rig));
	/* The next attempt may. */
	EXPECT_EQ(0, rig_start(rig));
	rig_free(rig);
}

/* A device that keeps the driver from clearing memory is no use to anybody. */
TEST_F(memory, that_cannot_be_cleared)
{
	struct pto_context_stats stats;

	ASSERT_EQ(0, create(self, 0));
	self->rig->clear_fails = true;
	rig_fail(self->rig, RIG_ACCESS, 0, 1);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx[0], self->buffers[0][0].id));
	rig_settle();
	ASSERT_EQ(0, rig_stats(self->ctx[1], &stats));
	EXPECT_EQ(PTO_CTX_GONE, stats.state);
}

/* Memory is cleared in parts, and as many places are looked at. */
static bool cleared(const struct pto_ioc_bo_create *bo, uint64_t length)
{
	const char *memory = (const char *)(uintptr_t)bo->device_addr;
	uint64_t at;

	for (at = 0; at < length; at += PAGE)
		if (memory[at] || memory[at + PAGE - 1])
			return false;
	return true;
}

TEST(a_large_buffer)
{
	const uint64_t length = 40 << 20;
	FIXTURE_DATA(memory) self = { 0 };
	struct pto_ioc_bo_create bo;
	struct pto_ctx *ctx;
	int round;

	self.rig = rig_new();
	self.rig->window_size += RIG_HEAP_MAX - RIG_HEAP;
	self.rig->ident->window_size = self.rig->window_size;
	ASSERT_EQ(0, rig_start(self.rig));
	ASSERT_EQ(0, rig_open(self.rig, &ctx));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, rig_bo(ctx, length, &bo));
		EXPECT_TRUE(cleared(&bo, length));
		memset((void *)(uintptr_t)bo.device_addr, 0xa5, length);
		/* With the transport's help, and without it. */
		self.rig->clear_fails = round == 1;
		ASSERT_EQ(0, rig_bo_destroy(ctx, bo.id));
		rig_settle();
	}
	rig_close(ctx);
	rig_free(self.rig);
}

static int error_while_clearing;
static bool asking;

static void ask_for_memory(struct rig *rig)
{
	if (asking)
		return;
	asking = true;
	error_while_clearing = inside_has_memory(rig->pdev, PAGE);
	asking = false;
}

/* Memory is its old owner's until it has been cleared. */
TEST_F(memory, is_free_when_it_is_clear)
{
	struct pto_ioc_bo_create last, more;

	/* Nothing else is free. */
	while (!rig_bo(self->ctx[0], 16 * PAGE, &more))
		;
	while (!rig_bo(self->ctx[0], PAGE, &more))
		last = more;
	error_while_clearing = 0;
	self->rig->clearing = ask_for_memory;
	EXPECT_EQ(0, rig_bo_destroy(self->ctx[0], last.id));
	rig_settle();
	self->rig->clearing = NULL;
	EXPECT_EQ(-ENOMEM, error_while_clearing);
	EXPECT_EQ(0, rig_bo(self->ctx[1], PAGE, &more));
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx[1], PAGE, &last));
}

/* What does not fit fails, and takes nothing. */
TEST_F(memory, lengths)
{
	static const struct {
		uint64_t length;
		int error;
	} some[] = {
		{ 0, -EINVAL }, { RIG_HEAP, -ENOMEM }, { RIG_HEAP + 1, -ENOMEM },
		{ 1ull << 63, -ENOMEM }, { -4096ull, -ENOMEM }, { -4095ull, -EOVERFLOW },
		{ -1ull, -EOVERFLOW },
	};
	struct pto_ioc_bo_create bo;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		EXPECT_EQ(some[i].error, rig_bo(self->ctx[0], some[i].length, &bo)) {
			TH_LOG("%llu bytes", (unsigned long long)some[i].length);
		}
	}
	EXPECT_EQ(0, check_usage(self));
}

TEST_HARNESS_MAIN
