// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that an application can make long end soon when it is being killed, and leave nothing
 * behind. What they still do is counted, in entries, bytes and commands.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

FIXTURE(killed) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	long memory;
};

FIXTURE_SETUP(killed)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
}

FIXTURE_TEARDOWN(killed)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

#define CHUNK 16	/* runs between two looks, at most */

static void run_many(struct __test_metadata *_metadata, FIXTURE_DATA(killed) *self, uint32_t stride)
{
	struct pto_context_stats stats;
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = RIG_DEPTH,
		.stride = stride,
	};
	char *entries = calloc(RIG_DEPTH, stride);

	ASSERT_NE(NULL, entries);
	run.entries_ptr = (uintptr_t)entries;
	rig_kill_after(2);
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_RUN, &run));
	EXPECT_GE(run.accepted, 2);
	EXPECT_LE(run.accepted, 2 * CHUNK);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(run.accepted, stats.runs_submitted);
	free(entries);
}

TEST_F(killed, who_submits_many_runs)
{
	run_many(_metadata, self, sizeof(struct pto_run_entry));
}

TEST_F(killed, who_submits_long_entries)
{
	run_many(_metadata, self, 4096);
}

/* The call cannot begin again: the run has been submitted. */
TEST_F(killed, who_waits_for_what_he_has_submitted)
{
	uint32_t stream = rig_last_bound(self->rig);
	struct pto_context_stats stats;
	struct pto_ioc_run run;

	self->rig->held = 1u << stream;
	rig_kill_after(1);
	EXPECT_EQ(0, rig_run_and_wait(self->ctx, 0, &run));
	EXPECT_EQ(1, run.accepted);
	EXPECT_EQ(-EINTR, run.wait_error);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(1, stats.runs_submitted);
	self->rig->held = 0;
	rig_release(self->rig, stream, 1);
}

TEST_F(killed, who_prepares_many_kernels)
{
	struct pto_kernel kernels[PTO_MAX_FUNC_ID] = {};
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare),
		.cid = 1,
		.kind = PTO_KIND_DEVICE_ORCH,
		.kernel_count = PTO_MAX_FUNC_ID,
		.kernel_stride = sizeof(kernels[0]),
		.kernels_ptr = (uintptr_t)kernels,
	};
	struct pto_device_usage before, after;
	unsigned int i, from;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	ASSERT_EQ(0, rig_image(self->ctx, "a kernel", &prepare.image));
	for (i = 0; i < PTO_MAX_FUNC_ID; i++)
		kernels[i] = (struct pto_kernel){ .func_id = i, .image = prepare.image };
	from = self->rig->logged;
	self->rig->accessed = 0;
	rig_kill_after(5);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_PREPARE, &prepare));
	EXPECT_EQ(from, self->rig->logged);
	/* Not even the description has been written. */
	EXPECT_EQ(0, self->rig->accessed);
	/* No reference is left, and the cid is free. */
	EXPECT_EQ(0, rig_prepare(self->ctx, 1, prepare.image));
	EXPECT_EQ(0, rig_unprepare(self->ctx, 1));
	EXPECT_EQ(0, rig_image_destroy(self->ctx, prepare.image));
	rig_settle();
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
}

#define LARGE (2UL << 20)

TEST_F(killed, who_copies)
{
	char *bytes = calloc(1, LARGE);
	struct pto_ioc_bo_copy copy = {
		.size = sizeof(copy),
		.direction = PTO_COPY_TO_DEVICE,
		.user_ptr = (uintptr_t)bytes,
		.length = LARGE,
	};
	struct pto_ioc_bo_create bo;

	ASSERT_NE(NULL, bytes);
	ASSERT_EQ(0, rig_bo(self->ctx, 2 * LARGE, &bo));
	copy.dst_id = bo.id;
	self->rig->accessed = 0;
	rig_kill_after(2);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_BO_COPY, &copy));
	EXPECT_LE(self->rig->accessed, LARGE / 8);
	copy.direction = PTO_COPY_DEVICE;
	copy.src_id = bo.id;
	copy.src_offset = LARGE;
	copy.user_ptr = 0;
	self->rig->accessed = 0;
	rig_kill_after(2);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_BO_COPY, &copy));
	EXPECT_LE(self->rig->accessed, LARGE / 8);
	free(bytes);
}

#define LOOKS_OF_A_COPY (LARGE / 65536)

/* In the middle of copying the bytes from the application, and of writing them to the device. */
TEST_F(killed, who_brings_an_image)
{
	static char bytes[LARGE];
	struct pto_ioc_image_create image = {
		.size = sizeof(image),
		.data_ptr = (uintptr_t)bytes,
		.length = LARGE,
	};
	struct pto_device_usage before, after;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->accessed = 0;
	rig_kill_after(2);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &image));
	EXPECT_EQ(0, self->rig->accessed);
	rig_kill_after(LOOKS_OF_A_COPY + 5);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &image));
	EXPECT_GT(self->rig->accessed, 0);
	EXPECT_LE(self->rig->accessed, LARGE / 8);
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &image));
	EXPECT_EQ(0, image.shared);
}

#define BUFFERS 300

/* Each buffer is a command, which the device answers before anybody sleeps. */
TEST_F(killed, who_resets_a_context_with_many_buffers)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_ioc_bo_create bo;
	unsigned int from;
	uint64_t id;
	int i;

	for (i = 0; i < BUFFERS; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, 4096, &bo));
	from = self->rig->logged;
	rig_kill_after(10);
	EXPECT_EQ(-EINTR, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_LE(rig_count(self->rig, PTO_DEV_MAP, from), BUFFERS / 10);
	EXPECT_EQ(-EIO, rig_run(self->ctx, 0, bo.id, &id));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(0, rig_run(self->ctx, 0, bo.id, &id));
}

TEST_HARNESS_MAIN
