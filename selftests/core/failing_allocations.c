// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of the driver fails once, in a life that uses all of it: calls fail with
 * ENOMEM and leave everything as it was, and nothing leaks.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

/* What a step says when an allocation in it fails. */
static bool fine(int err)
{
	return !err || err == -ENOMEM;
}

static int stream(struct pto_ctx *ctx)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &create);

	if (err)
		return err;
	destroy.id = create.id;
	return rig_ioctl(ctx, PTO_STREAM_DESTROY, &destroy);
}

static int prewarm(struct pto_ctx *ctx, uint64_t heap)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { heap, heap, heap, heap } };

	return rig_ioctl(ctx, PTO_PREWARM, &arg);
}

/* More configurations than the context keeps arenas for, twice: built, then bound again. */
static int turns(struct pto_ctx *ctx)
{
	int err = 0;
	int i;

	for (i = 0; i < 10 && !err; i++)
		err = prewarm(ctx, 4096 << i % 5);
	return err;
}

static int run(struct pto_ctx *ctx, uint32_t bo)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int err = rig_run(ctx, 0, bo, &id);

	return err ? err : rig_wait(ctx, id, PTO_WAIT_FOREVER, &wait);
}

/* Each step is tried until it works: one failure must not stand in its way. */
#define STEP(call) do { \
	int step_err = (call); \
	EXPECT_TRUE(fine(step_err)) { \
		TH_LOG("allocation %ld: %s: %d", nth, #call, step_err); \
	} \
	if (step_err) \
		EXPECT_EQ(0, (call)) { \
			TH_LOG("allocation %ld, once more: %s", nth, #call); \
		} \
} while (0)

static void live(struct __test_metadata *_metadata, struct pto_ctx *ctx, long nth)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_ioc_bo_create bo;
	uint32_t image;

	STEP(rig_image(ctx, "an orchestration", &image));
	STEP(rig_prepare(ctx, 0, image));
	STEP(rig_bo(ctx, 8192, &bo));
	STEP(prewarm(ctx, 1024));
	STEP(turns(ctx));
	STEP(stream(ctx));
	STEP(run(ctx, bo.id));
	STEP(rig_ioctl(ctx, PTO_CTX_RESET, &reset));
	STEP(run(ctx, bo.id));
	STEP(rig_unprepare(ctx, 0));
	STEP(rig_bo_destroy(ctx, bo.id));
}

TEST(every_allocation_once)
{
	long before = rig_memory();
	bool pending;
	long nth = 0;

	do {
		struct rig *rig = rig_new();
		struct pto_ctx *ctx = NULL;

		rig_fail_nth(++nth);
		STEP(rig_start(rig));
		STEP(rig_open(rig, &ctx));
		live(_metadata, ctx, nth);
		rig_close(ctx);
		pending = rig_fail_pending();
		rig_fail_nth(0);
		rig_free(rig);
		ASSERT_EQ(before, rig_memory()) {
			TH_LOG("allocation %ld", nth);
		}
	} while (!pending);
	EXPECT_GT(nth, 20);
	TH_LOG("%ld allocations", nth - 1);
}

/* A device that cannot be created: the reason is told, and its transport is its owner's. */
static void expect_not_created(struct __test_metadata *_metadata, struct rig *rig)
{
	EXPECT_EQ(-ENOMEM, rig_start(rig));
	EXPECT_EQ(NULL, rig->pdev);
	EXPECT_EQ(0, rig->released);
	EXPECT_EQ(0, rig->mapped);
}

TEST(creation_of_a_device)
{
	long before = rig_memory(), nth;

	/* The device itself, its sections, the pool and its map, two sets of numbers, replies */
	for (nth = 1; nth <= 7; nth++) {
		struct rig *rig = rig_new();

		rig_fail_nth(nth);
		expect_not_created(_metadata, rig);
		EXPECT_FALSE(rig_fail_pending()) {
			TH_LOG("allocation %ld", nth);
		}
		rig_fail_nth(0);
		ASSERT_EQ(before, rig_memory()) {
			TH_LOG("allocation %ld", nth);
		}
		/* What has failed has left nothing in the way. */
		EXPECT_EQ(0, rig_start(rig));
		rig_free(rig);
		ASSERT_EQ(before, rig_memory());
	}
}

TEST(creation_of_a_device_has_no_other_allocation)
{
	struct rig *rig = rig_new();

	rig_fail_nth(8);
	EXPECT_EQ(0, rig_start(rig));
	EXPECT_TRUE(rig_fail_pending());
	rig_fail_nth(0);
	rig_free(rig);
}

/* The identification page, and the admin queue */
TEST(window_that_cannot_be_mapped)
{
	long before = rig_memory();
	unsigned int nth;

	for (nth = 0; nth < 2; nth++) {
		struct rig *rig = rig_new();

		rig_fail(rig, RIG_MAP, nth, 1);
		expect_not_created(_metadata, rig);
		EXPECT_EQ(nth + 1, rig->calls[RIG_MAP]);
		EXPECT_EQ(0, rig_start(rig));
		rig_free(rig);
		ASSERT_EQ(before, rig_memory());
	}
}

/* Two contexts with everything in them; the device does not give the second one up. */
static void fill(struct __test_metadata *_metadata, struct rig *rig, struct pto_ctx *ctx[2])
{
	static const struct rig_rule keeps = {
		.opcode = PTO_DEV_CTX_DESTROY,
		.skip = 1,
		.status = PTO_DEV_INVALID,
	};
	struct pto_ioc_bo_create bo;
	int i;

	ASSERT_EQ(0, rig_start(rig));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_open(rig, &ctx[i]));
		ASSERT_EQ(0, rig_ready(ctx[i], &bo));
		ASSERT_EQ(0, prewarm(ctx[i], 4096));
		ASSERT_EQ(0, run(ctx[i], bo.id));
	}
	rig_rule(rig, &keeps);
}

/* Nobody can be told then: the device goes out of service where it must, and all is freed. */
TEST(end_of_a_device)
{
	long before = rig_memory(), nth = 0;
	struct pto_ctx *ctx[2];
	bool pending;

	do {
		struct rig *rig = rig_new();

		fill(_metadata, rig, ctx);
		rig_fail_nth(++nth);
		rig_close(ctx[0]);
		rig_close(ctx[1]);
		rig_settle();
		rig_free(rig);
		pending = rig_fail_pending();
		rig_fail_nth(0);
		ASSERT_EQ(before, rig_memory()) {
			TH_LOG("allocation %ld", nth);
		}
	} while (!pending);
	/* What the second context has is set aside, piece by piece. */
	EXPECT_LT(3, nth);
	TH_LOG("%ld allocations", nth - 1);
}

TEST_HARNESS_MAIN
