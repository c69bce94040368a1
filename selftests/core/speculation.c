// SPDX-License-Identifier: GPL-2.0
/*
 * Indices that applications give. A processor may go on with one before it has compared it with
 * the length of its table, so each is bounded once more, in a way that needs no branch. Here
 * the rendering of array_index_nospec() notes what it is asked to bound.
 *
 * Ids of buffers, images and streams are looked up in xarrays. These mask each part of an id, and
 * so do the driver's rings with what a device says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define CIDS	PTO_MAX_CALLABLES
#define PAGE	4096u

FIXTURE(speculation) {
	struct rig *rig;
	struct pto_ctx *ctx;
	uint32_t image;
	long memory;
};

FIXTURE_SETUP(speculation)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_image(self->ctx, "an object", &self->image));
}

FIXTURE_TEARDOWN(speculation)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

TEST_F(speculation, number_of_an_ioctl)
{
	/* As many as there are: the last one is PTO_CTX_RESET. */
	unsigned long count = (PTO_CTX_RESET & 0xff) + 1;
	struct pto_context_stats stats;

	ASSERT_EQ(0, rig_bounded(PTO_QUERY & 0xff, count));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(1, rig_bounded(PTO_QUERY & 0xff, count));
}

TEST_F(speculation, cid_of_prepare)
{
	ASSERT_EQ(0, rig_bounded(5, CIDS));
	ASSERT_EQ(0, rig_prepare(self->ctx, 5, self->image));
	EXPECT_EQ(1, rig_bounded(5, CIDS));
	/* One that the driver chooses is none that an application gives. */
	ASSERT_EQ(0, rig_prepare(self->ctx, -1, self->image));
	EXPECT_EQ(0, rig_bounded(0, CIDS));
}

TEST_F(speculation, cid_of_unprepare)
{
	ASSERT_EQ(0, rig_unprepare(self->ctx, 7));
	EXPECT_EQ(1, rig_bounded(7, CIDS));
}

TEST_F(speculation, cid_of_a_run)
{
	uint64_t id;

	ASSERT_EQ(0, rig_prepare(self->ctx, 5, self->image));
	ASSERT_EQ(0, rig_run(self->ctx, 5, 0, &id));
	EXPECT_EQ(2, rig_bounded(5, CIDS));
}

TEST_F(speculation, func_id)
{
	struct pto_kernel kernels[] = { { .func_id = 700, .image = self->image },
					{ .func_id = 701, .image = self->image } };
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = self->image,
		.kernels_ptr = (uintptr_t)kernels,
		.kernel_count = 2,
		.kernel_stride = sizeof(kernels[0]),
	};

	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	EXPECT_EQ(1, rig_bounded(700, PTO_MAX_FUNC_ID));
	EXPECT_EQ(1, rig_bounded(701, PTO_MAX_FUNC_ID));
	/* A number that appears twice is refused as before. */
	kernels[1].func_id = 700;
	arg.cid = -1;
	EXPECT_EQ(-EINVAL, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
}

static int copy(struct pto_ctx *ctx, uint32_t direction, uint32_t dst, uint32_t src, char *user)
{
	struct pto_ioc_bo_copy arg = {
		.size = sizeof(arg),
		.direction = direction,
		.dst_id = dst,
		.src_id = src,
		.dst_offset = dst ? 123 : 0,
		.src_offset = src ? 456 : 0,
		.user_ptr = (uintptr_t)user,
		.length = 8,
	};

	return rig_ioctl(ctx, PTO_BO_COPY, &arg);
}

TEST_F(speculation, offsets_of_copies)
{
	struct pto_ioc_bo_create dst, src;
	char bytes[8] = "";

	ASSERT_EQ(0, rig_bo(self->ctx, 2 * PAGE, &dst));
	ASSERT_EQ(0, rig_bo(self->ctx, 3 * PAGE, &src));
	ASSERT_EQ(0, copy(self->ctx, PTO_COPY_TO_DEVICE, dst.id, 0, bytes));
	EXPECT_EQ(1, rig_bounded(123, 2 * PAGE));
	ASSERT_EQ(0, copy(self->ctx, PTO_COPY_FROM_DEVICE, 0, src.id, bytes));
	EXPECT_EQ(1, rig_bounded(456, 3 * PAGE));
	ASSERT_EQ(0, copy(self->ctx, PTO_COPY_DEVICE, dst.id, src.id, NULL));
	EXPECT_EQ(2, rig_bounded(123, 2 * PAGE));
	EXPECT_EQ(2, rig_bounded(456, 3 * PAGE));
}

TEST_HARNESS_MAIN
