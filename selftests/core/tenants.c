// SPDX-License-Identifier: GPL-2.0
/*
 * What contexts of one device share, images and arena images, is made by one of them. The others
 * go on meanwhile, but for those who want the very same, and these do not depend on him.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

#define ADMIN	0	/* queue pair of the commands that build arena images */
#define PAGE	4096
#define CONFIGURATIONS	20	/* that are kept: four in use and sixteen idle ones */

FIXTURE(tenants) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ctx *other;
	struct pto_device_usage usage;
	long memory;
};

/* What the others do when one is interrupted. */
static struct pto_ctx *others;
static int said;

FIXTURE_SETUP(tenants)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_open(self->rig, &self->other));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
	others = self->other;
	said = 1;
}

FIXTURE_TEARDOWN(tenants)
{
	rig_close(self->other);
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* Configuration number @n. Return: the arena's id, or what the driver says. */
static int64_t prewarm(struct pto_ctx *ctx, unsigned int n)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { 1024 + n } };
	int err = rig_ioctl(ctx, PTO_PREWARM, &arg);

	return err ? err : (int64_t)arg.arena;
}

#define EXPECT_USAGE(self, field, value) do { \
	struct pto_device_usage now_; \
	rig_settle(); \
	ASSERT_EQ(0, rig_usage((self)->other, &now_)); \
	EXPECT_EQ(value, now_.field); \
} while (0)

/* --- others ----------------------------------------------------------------------- */

/* All that concerns images, of other contents than those that are being written or cleared. */
static void others_use_images(struct rig *rig)
{
	uint32_t first, second;

	rig->accessing = NULL;
	rig->clearing = NULL;
	said = rig_image(others, "another's", &first);
	if (!said)
		said = rig_image(others, "another's", &second);
	if (!said)
		said = rig_prepare(others, 3, second);
	if (!said)
		said = rig_unprepare(others, 3);
	if (!said)
		said = rig_image_destroy(others, first);
	if (!said)
		said = rig_image_destroy(others, second);
	if (!said && prewarm(others, 7) <= 0)
		said = -EPROTO;
}

static void others_while_written(struct rig *rig, uint64_t offset)
{
	others_use_images(rig);
}

TEST_F(tenants, image_is_written)
{
	uint32_t image;

	self->rig->accessing = others_while_written;
	ASSERT_EQ(0, rig_image(self->ctx, "one's", &image));
	EXPECT_EQ(0, said);
}

TEST_F(tenants, image_is_cleared)
{
	uint32_t image;

	ASSERT_EQ(0, rig_image(self->ctx, "one's", &image));
	self->rig->clearing = others_use_images;
	ASSERT_EQ(0, rig_image_destroy(self->ctx, image));
	EXPECT_EQ(0, said);
	EXPECT_USAGE(self, images, 0);
}

/* Also the same contents: they are brought again. */
static void others_bring_the_same(struct rig *rig)
{
	uint32_t image;

	rig->clearing = NULL;
	said = rig_image(others, "one's", &image);
}

TEST_F(tenants, same_image_is_cleared)
{
	uint32_t image;

	ASSERT_EQ(0, rig_image(self->ctx, "one's", &image));
	self->rig->clearing = others_bring_the_same;
	ASSERT_EQ(0, rig_image_destroy(self->ctx, image));
	EXPECT_EQ(0, said);
	EXPECT_USAGE(self, images, 1);
}

/* --- the same image --------------------------------------------------------------- */

/**
 * struct bringer - a thread that brings the contents which another one is writing
 * @thread: it
 * @image: what it got
 * @result: what the driver said
 */
static struct bringer {
	struct rig_thread thread;
	struct pto_ioc_image_create image;
	int result;
} bringer;

static void bring(void *unused)
{
	bringer.image = (struct pto_ioc_image_create){
		.size = sizeof(bringer.image),
		.data_ptr = (uintptr_t)"the same",
		.length = 8,
	};
	bringer.result = rig_ioctl(others, PTO_IMAGE_CREATE, &bringer.image);
}

/* When this returns it waits. */
static void bring_the_same(struct rig *rig, uint64_t offset)
{
	rig->accessing = NULL;
	rig_thread(&bringer.thread, bring, NULL);
	rig_settle();
	said = bringer.thread.ended;
}

TEST_F(tenants, same_image_is_written_once)
{
	uint32_t image;

	self->rig->accessing = bring_the_same;
	self->rig->accessed = 0;
	ASSERT_EQ(0, rig_image(self->ctx, "the same", &image));
	rig_join(&bringer.thread);
	EXPECT_EQ(0, said);
	EXPECT_EQ(0, bringer.result);
	EXPECT_EQ(1, bringer.image.shared);
	EXPECT_EQ(8, self->rig->accessed);
	EXPECT_USAGE(self, images, 1);
	/* It is his as well. */
	EXPECT_EQ(0, rig_image_destroy(self->ctx, image));
	EXPECT_EQ(0, rig_prepare(self->other, 0, bringer.image.id));
	EXPECT_EQ(0, rig_unprepare(self->other, 0));
	EXPECT_EQ(0, rig_image_destroy(self->other, bringer.image.id));
	EXPECT_USAGE(self, images, 0);
}

/* Whatever became of the one who wrote it: he who waited has brought it himself. */
static void expect_brought(struct __test_metadata *_metadata, FIXTURE_DATA(tenants) *self)
{
	struct pto_context_stats stats;

	rig_join(&bringer.thread);
	EXPECT_EQ(0, said);
	EXPECT_EQ(0, bringer.result);
	EXPECT_EQ(0, bringer.image.shared);
	EXPECT_USAGE(self, images, 1);
	EXPECT_USAGE(self, image_bytes, 8);
	EXPECT_USAGE(self, memory_used, self->usage.memory_used + PAGE);
	ASSERT_EQ(0, rig_stats(self->other, &stats));
	EXPECT_EQ(1, stats.image_uploads);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.image_uploads);
	EXPECT_EQ(0, stats.images_live);
}

static void bring_the_same_and_be_killed(struct rig *rig, uint64_t offset)
{
	bring_the_same(rig, offset);
	rig_kill_after(1);
}

TEST_F(tenants, image_of_one_who_is_killed)
{
	uint32_t image;

	self->rig->accessing = bring_the_same_and_be_killed;
	EXPECT_EQ(-EINTR, rig_image(self->ctx, "the same", &image));
	expect_brought(_metadata, self);
}

TEST_F(tenants, image_of_one_who_fails)
{
	uint32_t image;

	self->rig->accessing = bring_the_same;
	rig_fail(self->rig, RIG_ACCESS, 0, 1);
	EXPECT_EQ(-EIO, rig_image(self->ctx, "the same", &image));
	expect_brought(_metadata, self);
}

static void bring_the_same_and_kill(struct rig *rig, uint64_t offset)
{
	bring_the_same(rig, offset);
	rig_kill(&bringer.thread);
	rig_join(&bringer.thread);
}

TEST_F(tenants, image_for_one_who_is_killed)
{
	uint32_t image;

	self->rig->accessing = bring_the_same_and_kill;
	ASSERT_EQ(0, rig_image(self->ctx, "the same", &image));
	EXPECT_EQ(0, said);
	EXPECT_EQ(-EINTR, bringer.result);
	EXPECT_EQ(0, rig_image_destroy(self->ctx, image));
	EXPECT_USAGE(self, images, 0);
	EXPECT_USAGE(self, memory_used, self->usage.memory_used);
}

/* --- arena images ----------------------------------------------------------------- */

/**
 * struct asker - a thread that asks for a configuration
 * @thread: it
 * @ctx: its context
 * @config: the configuration's number
 * @result: the arena's id, or what the driver said
 */
struct asker {
	struct rig_thread thread;
	struct pto_ctx *ctx;
	unsigned int config;
	int64_t result;
};

static void ask(void *arg)
{
	struct asker *asker = arg;

	asker->result = prewarm(asker->ctx, asker->config);
}

/* When this returns it waits. */
static void start(struct asker *asker, struct pto_ctx *ctx, unsigned int config)
{
	asker->ctx = ctx;
	asker->config = config;
	rig_thread(&asker->thread, ask, asker);
	rig_settle();
}

/* Commands that the device has not begun. */
static unsigned int builds_waiting(const struct rig *rig)
{
	return rig_queue((struct rig *)rig, ADMIN)->sq_tail - rig->next[ADMIN];
}

static void go_on(struct rig *rig)
{
	rig->held = 0;
	rig_release(rig, ADMIN, RIG_DEPTH);
	rig_interrupt(rig);
}

TEST_F(tenants, arena_images_are_built_beside_each_other)
{
	struct asker one, two;
	int64_t known;
	uint32_t image;

	known = prewarm(self->ctx, 0);
	ASSERT_GT(known, 0);
	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	/* One that exists, and other things of other people. */
	EXPECT_GT(prewarm(self->other, 0), 0);
	EXPECT_EQ(0, rig_image(self->other, "another's", &image));
	start(&two, self->other, 2);
	EXPECT_EQ(2, builds_waiting(self->rig));
	go_on(self->rig);
	rig_join(&one.thread);
	rig_join(&two.thread);
	EXPECT_GT(one.result, 0);
	EXPECT_GT(two.result, 0);
	EXPECT_USAGE(self, arena_images, 3);
}

TEST_F(tenants, arena_image_is_built_once)
{
	struct pto_context_stats stats;
	struct asker one, two;

	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	start(&two, self->other, 1);
	said = two.thread.ended;
	EXPECT_EQ(0, said);
	EXPECT_EQ(1, builds_waiting(self->rig));
	go_on(self->rig);
	rig_join(&one.thread);
	rig_join(&two.thread);
	EXPECT_GT(one.result, 0);
	EXPECT_GT(two.result, 0);
	/* The first try only finds out how large it is. */
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_ARENA_BUILD, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(1, stats.arena_builds);
	ASSERT_EQ(0, rig_stats(self->other, &stats));
	EXPECT_EQ(0, stats.arena_builds);
	EXPECT_EQ(1, stats.arena_rebinds);
	EXPECT_USAGE(self, arena_images, 1);
}

static void expect_built(struct __test_metadata *_metadata, FIXTURE_DATA(tenants) *self,
			 const struct asker *two)
{
	struct pto_context_stats stats;

	EXPECT_GT(two->result, 0);
	ASSERT_EQ(0, rig_stats(self->other, &stats));
	EXPECT_EQ(1, stats.arena_builds);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.arena_builds);
	EXPECT_USAGE(self, arena_images, 1);
	EXPECT_USAGE(self, arena_image_bytes, 2 * PAGE);
	EXPECT_USAGE(self, memory_used, self->usage.memory_used + 2 * PAGE + RIG_ARENA_SIZE);
}

TEST_F(tenants, arena_image_of_one_who_fails)
{
	static const struct rig_rule refuse = {
		.opcode = PTO_DEV_ARENA_BUILD, .times = 1, .status = PTO_DEV_NOMEM,
	};
	struct asker one, two;

	rig_rule(self->rig, &refuse);
	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	start(&two, self->other, 1);
	go_on(self->rig);
	rig_join(&one.thread);
	rig_join(&two.thread);
	EXPECT_EQ(-ENOMEM, one.result);
	expect_built(_metadata, self, &two);
}

TEST_F(tenants, arena_image_of_one_who_is_killed)
{
	struct asker one, two;

	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	start(&two, self->other, 1);
	rig_kill(&one.thread);
	rig_join(&one.thread);
	EXPECT_LT(one.result, 0);
	/* The device still works for him. */
	rig_settle();
	EXPECT_EQ(2, builds_waiting(self->rig));
	go_on(self->rig);
	rig_join(&two.thread);
	expect_built(_metadata, self, &two);
}

TEST_F(tenants, arena_image_for_one_who_is_killed)
{
	struct asker one, two;

	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	start(&two, self->other, 1);
	rig_kill(&two.thread);
	rig_join(&two.thread);
	EXPECT_EQ(-EINTR, two.result);
	go_on(self->rig);
	rig_join(&one.thread);
	EXPECT_GT(one.result, 0);
	/* With his arena the image has no users, and becomes idle; it goes with the last one. */
	rig_close(self->ctx);
	self->ctx = NULL;
	EXPECT_USAGE(self, arena_images, 1);
	EXPECT_USAGE(self, memory_used, self->usage.memory_used + 2 * PAGE);
	EXPECT_GT(prewarm(self->other, 1), 0);
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_ARENA_BUILD, 0));
}

TEST_F(tenants, device_goes_while_an_arena_image_is_built)
{
	struct asker one, two;

	self->rig->held = 1u << ADMIN;
	start(&one, self->ctx, 1);
	start(&two, self->other, 1);
	rig_gone(self->rig);
	rig_join(&one.thread);
	rig_join(&two.thread);
	EXPECT_EQ(-ENODEV, one.result);
	EXPECT_EQ(-ENODEV, two.result);
}

/* --- buckets ---------------------------------------------------------------------- */

#define MANY 1500

/*
 * Applications choose contents and Build-IDs. With a few thousand buckets a handful of 1500 meet
 * by chance; whoever knew how they are chosen could have all of them meet.
 */
TEST_F(tenants, buckets_cannot_be_chosen)
{
	struct rig *second = rig_new();
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		struct pto_ioc_image_create image = {
			.size = sizeof(image),
			.data_ptr = (uintptr_t)"all the same",
			.length = 12,
			.build_id_len = 20,
		};

		memcpy(image.build_id + 16, &i, sizeof(i));
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &image));
		ASSERT_EQ(0, image.shared);
	}
	EXPECT_LE(inside_longest_bucket(self->rig->pdev), 16);
	ASSERT_EQ(0, rig_start(second));
	EXPECT_NE(inside_hash_key(self->rig->pdev), inside_hash_key(second->pdev));
	rig_free(second);
}

/* Nor does who asks for configurations that are nearly the same. */
TEST_F(tenants, configurations_that_differ_in_one_size)
{
	int64_t first;
	unsigned int i;

	for (i = 0; i < CONFIGURATIONS; i++) {
		first = prewarm(self->ctx, 64 * i);
		ASSERT_LT(0, first);
	}
	EXPECT_USAGE(self, arena_images, CONFIGURATIONS);
	EXPECT_LE(inside_longest_arena_bucket(self->rig->pdev), 4);
}

TEST_HARNESS_MAIN
