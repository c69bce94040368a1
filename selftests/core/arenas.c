// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of arenas and of their images: what is built, what is bound again, what is kept,
 * what is given back and when. Seen by the commands that the device gets and by the bytes that
 * the driver touches.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define KEPT		4	/* arenas of a context */
#define IDLE		16	/* images that the device keeps without arenas, at most */
#define IDLE_BYTES	(1UL << 20)
#define IMAGE_PAGES	8192	/* RIG_IMAGE_SIZE and a plan, in whole pages */
#define PAGE		4096

FIXTURE(arenas) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	long memory;
};

FIXTURE_SETUP(arenas)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
}

FIXTURE_TEARDOWN(arenas)
{
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

	/* What had to make room is gone. */
	rig_settle();
	return err ? err : (int64_t)arg.arena;
}

/* A run in an arena. Return: 0 or what the driver says */
static int run_in(struct pto_ctx *ctx, uint32_t arena)
{
	struct pto_run_entry entry = { .arena = arena };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	struct pto_ioc_wait wait = { 0 };
	int err = rig_ioctl(ctx, PTO_RUN, &arg);

	if (!err)
		err = rig_wait(ctx, arg.first_id, PTO_WAIT_FOREVER, &wait);
	return err ? err : wait.status;
}

static int reset(struct pto_ctx *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return rig_ioctl(ctx, PTO_CTX_RESET, &arg);
}

static uint64_t images(struct pto_ctx *ctx)
{
	struct pto_device_usage usage = { 0 };

	return rig_usage(ctx, &usage) ? ~0ULL : usage.arena_images;
}

#define EXPECT_COUNTS(ctx, hits, misses, builds, rebinds) do { \
	struct pto_context_stats counts; \
	ASSERT_EQ(0, rig_stats(ctx, &counts)); \
	EXPECT_EQ(hits, counts.arena_hits); \
	EXPECT_EQ(misses, counts.arena_misses); \
	EXPECT_EQ(builds, counts.arena_builds); \
	EXPECT_EQ(rebinds, counts.arena_rebinds); \
} while (0)

static void no_memory(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_NOMEM;
}

TEST_F(arenas, counters)
{
	struct pto_ctx *other;
	int64_t id;

	EXPECT_COUNTS(self->ctx, 0, 1, 1, 0);
	EXPECT_EQ(0, run_in(self->ctx, 0));
	EXPECT_EQ(0, run_in(self->ctx, 0));
	EXPECT_COUNTS(self->ctx, 2, 1, 1, 0);
	id = prewarm(self->ctx, 0);
	ASSERT_GT(id, 0);
	EXPECT_COUNTS(self->ctx, 2, 2, 2, 0);
	EXPECT_EQ(id, prewarm(self->ctx, 0));
	EXPECT_EQ(0, run_in(self->ctx, id));
	EXPECT_COUNTS(self->ctx, 3, 2, 2, 0);
	/* Another context has an arena of its own, of the same image. */
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_GT(prewarm(other, 0), 0);
	EXPECT_COUNTS(other, 0, 1, 0, 1);
	EXPECT_EQ(2, images(other));
	rig_close(other);
	/* An arena that fails is none. Its image was built, and is there for the next one. */
	self->rig->opcode = PTO_DEV_MAP;
	self->rig->spoil = no_memory;
	EXPECT_EQ(-ENOMEM, prewarm(self->ctx, 1));
	self->rig->spoil = NULL;
	EXPECT_COUNTS(self->ctx, 3, 2, 3, 0);
	EXPECT_GT(prewarm(self->ctx, 1), 0);
	EXPECT_COUNTS(self->ctx, 3, 3, 3, 1);
	/* All three arenas are bound again to the new hardware context. */
	EXPECT_EQ(0, reset(self->ctx));
	EXPECT_COUNTS(self->ctx, 3, 3, 3, 4);
}

/* One more than the context keeps: the device builds each once, however often they alternate. */
TEST_F(arenas, more_in_turn_than_are_kept)
{
	unsigned int from, i;

	for (i = 0; i < KEPT + 1; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	EXPECT_COUNTS(self->ctx, 0, 6, 6, 0);
	self->rig->accessed = 0;
	from = self->rig->logged;
	for (i = 0; i < 4 * (KEPT + 1); i++)
		ASSERT_GT(prewarm(self->ctx, i % (KEPT + 1)), 0);
	EXPECT_COUNTS(self->ctx, 0, 26, 6, 20);
	/* Four commands each, two for the arena and two for the one that makes room. No bytes. */
	EXPECT_EQ(0, self->rig->accessed);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ARENA_BUILD, from));
	EXPECT_EQ(20, rig_count(self->rig, PTO_DEV_MAP, from));
	EXPECT_EQ(20, rig_count(self->rig, PTO_DEV_ARENA_BIND, from));
	EXPECT_EQ(20, rig_count(self->rig, PTO_DEV_ARENA_DROP, from));
	EXPECT_EQ(20, rig_count(self->rig, PTO_DEV_UNMAP, from));
	EXPECT_EQ(from + 80, self->rig->logged);
	/* A run in one that is there costs nothing but itself. */
	from = self->rig->logged;
	EXPECT_EQ(0, run_in(self->ctx, prewarm(self->ctx, 2)));
	EXPECT_EQ(from + 1, self->rig->logged);
	EXPECT_EQ(0, self->rig->accessed);
}

TEST_F(arenas, evicted_id_is_over)
{
	int64_t ids[KEPT + 1];
	int i;

	for (i = 0; i < KEPT; i++)
		ids[i] = prewarm(self->ctx, i);
	/* The first run again makes it the one that was used last. */
	EXPECT_EQ(0, run_in(self->ctx, ids[0]));
	ids[KEPT] = prewarm(self->ctx, KEPT);
	EXPECT_EQ(0, run_in(self->ctx, ids[0]));
	EXPECT_EQ(-ENOENT, run_in(self->ctx, ids[1]));
	ids[1] = prewarm(self->ctx, 1);
	for (i = 0; i < KEPT; i++)
		EXPECT_NE(ids[i], ids[KEPT]);
	EXPECT_EQ(0, run_in(self->ctx, ids[1]));
	EXPECT_EQ(-ENOENT, run_in(self->ctx, ids[2]));
	EXPECT_COUNTS(self->ctx, 3, 7, 6, 1);
	/* The default arena was the first to go; a run that names none gets it back. */
	EXPECT_EQ(0, run_in(self->ctx, 0));
	rig_settle();
	EXPECT_COUNTS(self->ctx, 4, 8, 6, 2);
}

/* --- idle images ---------------------------------------------------------------- */

TEST_F(arenas, idle_images_are_bounded_in_number)
{
	unsigned int i, last = 2 * (KEPT + IDLE);

	for (i = 0; i <= last; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	EXPECT_EQ(KEPT + IDLE, images(self->ctx));
	EXPECT_COUNTS(self->ctx, 0, last + 2, last + 2, 0);
	/* The oldest that is kept, then the latest that is not. */
	ASSERT_GT(prewarm(self->ctx, last - KEPT - IDLE + 1), 0);
	EXPECT_COUNTS(self->ctx, 0, last + 3, last + 2, 1);
	ASSERT_GT(prewarm(self->ctx, last - KEPT - IDLE), 0);
	EXPECT_COUNTS(self->ctx, 0, last + 4, last + 3, 1);
	EXPECT_EQ(KEPT + IDLE, images(self->ctx));
}

static uint64_t image_bytes;

/* Images of a size of the test's choice. */
static void large_image(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	struct pto_dev_arena_plan *plan;
	struct pto_dev_cmd_arena cmd;

	memcpy(&cmd, &rig_last(rig, PTO_DEV_ARENA_BUILD)->cmd, sizeof(cmd));
	plan = (void *)(rig->window + (cmd.addr - (uintptr_t)rig->window));
	plan->image_size = image_bytes;
	cqe->status = cmd.size < sizeof(*plan) + image_bytes ? PTO_DEV_NOSPACE : PTO_DEV_OK;
}

TEST_F(arenas, idle_images_are_bounded_in_bytes)
{
	const uint64_t base = 2 * IMAGE_PAGES;
	struct pto_device_usage usage;
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	ASSERT_GT(prewarm(self->ctx, KEPT), 0);
	self->rig->opcode = PTO_DEV_ARENA_BUILD;
	self->rig->spoil = large_image;
	image_bytes = IDLE_BYTES / 4 - sizeof(struct pto_dev_arena_plan);
	for (i = 100; i < 110; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	/* Four in use, four idle; the small ones before them had to go. */
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(KEPT + 4, usage.arena_images);
	EXPECT_EQ(IDLE_BYTES * 2, usage.arena_image_bytes);
	/* One that is too large by itself is not kept, and drives nobody out. */
	image_bytes = IDLE_BYTES;
	ASSERT_GT(prewarm(self->ctx, 200), 0);
	self->rig->spoil = NULL;
	for (i = 0; i < KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(KEPT + 4, usage.arena_images);
	EXPECT_EQ(IDLE_BYTES + 2 * base, usage.arena_image_bytes);
}

TEST_F(arenas, idle_images_make_room)
{
	struct pto_device_usage usage;
	struct pto_ioc_bo_create bo;
	unsigned int i, from;
	int err;

	for (i = 0; i < 2 * KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	EXPECT_EQ(2 * KEPT + 1, images(self->ctx));
	do {
		err = rig_bo(self->ctx, PAGE, &bo);
	} while (!err);
	EXPECT_EQ(-ENOMEM, err);
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(KEPT, usage.arena_images);
	EXPECT_EQ(KEPT * IMAGE_PAGES, usage.arena_image_bytes);
	EXPECT_EQ(usage.memory_size, usage.memory_used);
	/* Nothing is free: the arena used longest ago goes, and its image with it. */
	from = self->rig->logged;
	EXPECT_GT(prewarm(self->ctx, 100), 0);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ARENA_DROP, from));
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(KEPT, usage.arena_images);
	EXPECT_EQ(usage.memory_size, usage.memory_used);
	EXPECT_COUNTS(self->ctx, 0, 2 * KEPT + 2, 2 * KEPT + 2, 0);
}

/* As long as anybody has the device open what one leaves is there for another. */
TEST_F(arenas, last_close_leaves_nothing)
{
	struct pto_device_usage usage;
	struct pto_ctx *other;
	unsigned int i;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	for (i = 0; i < 2 * KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	rig_close(self->ctx);
	self->ctx = other;
	ASSERT_EQ(0, rig_usage(other, &usage));
	EXPECT_EQ(2 * KEPT + 1, usage.arena_images);
	EXPECT_EQ(usage.arena_image_bytes, usage.memory_used);
	for (i = 0; i < 2 * KEPT; i++)
		ASSERT_GT(prewarm(other, i), 0);
	EXPECT_COUNTS(other, 0, 2 * KEPT, 0, 2 * KEPT);
	rig_close(other);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(0, usage.arena_images);
	EXPECT_EQ(0, usage.arena_image_bytes);
	EXPECT_EQ(0, usage.memory_used);
}

TEST_F(arenas, device_that_goes_takes_idle_images_with_it)
{
	unsigned int i;
	long before;

	for (i = 0; i < 2 * KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i), 0);
	before = rig_memory();
	rig_gone(self->rig);
	rig_settle();
	EXPECT_EQ(before - KEPT - 1, rig_memory());
	EXPECT_EQ(-ENODEV, prewarm(self->ctx, 0));
	EXPECT_EQ(-ENODEV, prewarm(self->ctx, 2 * KEPT));
	EXPECT_EQ(-ENODEV, run_in(self->ctx, 0));
}

/* --- arenas and the device's state ---------------------------------------------- */

TEST_F(arenas, reset_keeps_arenas_and_their_ids)
{
	int64_t ids[KEPT - 1];
	unsigned int from;
	int i;

	for (i = 0; i < KEPT - 1; i++)
		ids[i] = prewarm(self->ctx, i);
	from = self->rig->logged;
	self->rig->accessed = 0;
	ASSERT_EQ(0, reset(self->ctx));
	EXPECT_EQ(KEPT, rig_count(self->rig, PTO_DEV_ARENA_BIND, from));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ARENA_BUILD, from));
	for (i = 0; i < KEPT - 1; i++) {
		EXPECT_EQ(0, run_in(self->ctx, ids[i]));
		EXPECT_EQ(ids[i], prewarm(self->ctx, i));
	}
	EXPECT_EQ(0, run_in(self->ctx, 0));
	EXPECT_COUNTS(self->ctx, KEPT, KEPT, KEPT, KEPT);
}

static void invalid(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
}

/* Whatever has happened to it: an image that is not accepted once is not offered twice. */
TEST_F(arenas, image_that_the_device_refuses)
{
	struct pto_ctx *other;
	unsigned int from;
	int64_t id;

	id = prewarm(self->ctx, 0);
	ASSERT_GT(id, 0);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	self->rig->opcode = PTO_DEV_ARENA_BIND;
	self->rig->spoil = invalid;
	EXPECT_EQ(-EIO, prewarm(other, 0));
	self->rig->spoil = NULL;
	EXPECT_COUNTS(other, 0, 0, 0, 0);
	from = self->rig->logged;
	EXPECT_GT(prewarm(other, 0), 0);
	EXPECT_GE(rig_count(self->rig, PTO_DEV_ARENA_BUILD, from), 1);
	EXPECT_COUNTS(other, 0, 1, 1, 0);
	/* Who had it before has it still, and nobody else does: it goes with him. */
	EXPECT_EQ(0, run_in(self->ctx, id));
	EXPECT_EQ(3, images(other));
	rig_close(self->ctx);
	self->ctx = other;
	EXPECT_EQ(2, images(other));
}

TEST_F(arenas, reset_gives_up_what_the_device_refuses)
{
	int64_t id = prewarm(self->ctx, 0);

	ASSERT_GT(id, 0);
	self->rig->opcode = PTO_DEV_ARENA_BIND;
	self->rig->spoil = invalid;
	EXPECT_EQ(0, reset(self->ctx));
	self->rig->spoil = NULL;
	EXPECT_COUNTS(self->ctx, 0, 2, 2, 0);
	EXPECT_EQ(-ENOENT, run_in(self->ctx, id));
	EXPECT_GT(prewarm(self->ctx, 0), id);
	EXPECT_EQ(0, run_in(self->ctx, 0));
	EXPECT_COUNTS(self->ctx, 1, 4, 4, 0);
	EXPECT_EQ(2, images(self->ctx));
}

/* --- addresses ------------------------------------------------------------------ */

static bool in_heap(const struct rig *rig, uint64_t addr, uint64_t size)
{
	uint64_t base = rig->ident->memory_base;

	return addr >= base + rig->ident->heap_offset && size &&
	       size <= base + rig->ident->window_size - addr;
}

/* The MAP command before log entry @at that covers an arena, if no UNMAP undid it. */
static bool is_mapped(const struct rig *rig, unsigned int at, uint64_t addr, uint64_t size)
{
	struct pto_dev_cmd_map map;
	bool mapped = false;
	unsigned int i;

	for (i = 0; i < at; i++) {
		memcpy(&map, &rig->log[i].cmd, sizeof(map));
		if (map.addr != addr || map.length < size)
			continue;
		if (map.opcode == PTO_DEV_MAP)
			mapped = map.prot == (PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE);
		else if (map.opcode == PTO_DEV_UNMAP)
			mapped = false;
	}
	return mapped;
}

/* Every base that the driver hands out is one: aligned, of the device's memory, and mapped. */
TEST_F(arenas, bases)
{
	struct pto_dev_cmd_arena bind;
	unsigned int i, binds = 0;

	for (i = 0; i < 3 * KEPT; i++)
		ASSERT_GT(prewarm(self->ctx, i % (KEPT + 2)), 0);
	ASSERT_EQ(0, reset(self->ctx));
	ASSERT_LE(self->rig->logged, RIG_LOG);
	for (i = 0; i < self->rig->logged; i++) {
		memcpy(&bind, &self->rig->log[i].cmd, sizeof(bind));
		if (bind.opcode != PTO_DEV_ARENA_BIND)
			continue;
		binds++;
		EXPECT_EQ(0, bind.addr % PTO_DEV_PAGE_SIZE);
		EXPECT_EQ(RIG_ARENA_SIZE, bind.size);
		EXPECT_TRUE(in_heap(self->rig, bind.addr, bind.size));
		EXPECT_TRUE(is_mapped(self->rig, i, bind.addr, bind.size));
		EXPECT_EQ(0, bind.image_addr % 8);
		EXPECT_EQ(RIG_IMAGE_SIZE, bind.image_size);
		EXPECT_TRUE(in_heap(self->rig, bind.image_addr, bind.image_size));
	}
	EXPECT_EQ(1 + 3 * KEPT + KEPT, binds);
}

#define HOLE 8	/* pages, enough for an image and an arena */

/* Nothing is free. Then the buffer that is made first is given up. Return: 0 or -errno */
static int leave_a_hole(struct pto_ctx *ctx)
{
	struct pto_ioc_bo_create hole, bo;
	int err = rig_bo(ctx, HOLE * PAGE, &hole);

	if (err)
		return err;
	while (!rig_bo(ctx, 64 * PAGE, &bo))
		;
	while (!rig_bo(ctx, PAGE, &bo))
		;
	err = rig_bo_destroy(ctx, hole.id);
	rig_settle();
	return err;
}

/* Memory that is neither an image's nor free. */
static uint64_t other_memory(struct pto_ctx *ctx)
{
	struct pto_device_usage usage = { 0 };

	return rig_usage(ctx, &usage) ? ~0ULL : usage.memory_used - usage.arena_image_bytes;
}

/* When there is room for its image only, that is kept for the next one, and nothing else. */
TEST_F(arenas, no_memory_for_it)
{
	unsigned int pages, images_only = 0;
	struct pto_context_stats before, after;
	struct pto_ioc_bo_create bo;
	uint64_t used, built;
	int64_t id = -ENOMEM;

	ASSERT_EQ(0, leave_a_hole(self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &before));
	used = other_memory(self->ctx);
	for (pages = 1; pages < HOLE && id == -ENOMEM; pages++) {
		built = images(self->ctx);
		ASSERT_EQ(0, rig_bo(self->ctx, (HOLE - pages) * PAGE, &bo));
		id = prewarm(self->ctx, 1);
		if (id == -ENOMEM)
			images_only += images(self->ctx) > built;
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
		rig_settle();
		EXPECT_EQ(used + (id > 0 ? RIG_ARENA_SIZE : 0), other_memory(self->ctx));
		ASSERT_EQ(0, rig_stats(self->ctx, &after));
		EXPECT_EQ(before.arena_misses + (id > 0), after.arena_misses);
	}
	EXPECT_LT(0, id);
	EXPECT_EQ(1, images_only);
}

TEST_HARNESS_MAIN
