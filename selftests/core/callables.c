// SPDX-License-Identifier: GPL-2.0
/*
 * The table of callables: what a prepare takes (a cid, a handle, references to images), and that
 * all of it comes back, after a success and after every kind of failure.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

#define ROUNDS	(PTO_DEV_MAX_HANDLES + 10)	/* more than there are of anything */

FIXTURE(callables) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	struct pto_context_stats before;
	struct pto_device_usage usage;
	long memory;
};

FIXTURE_SETUP(callables)
{
	uint32_t id;

	self->memory = rig_memory();
	self->rig = rig_new();
	self->rig->ident->features |= PTO_FEATURE_HOST_GRAPH;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	ASSERT_EQ(0, rig_image(self->ctx, "a kernel", &id));
	ASSERT_EQ(2, id);
	ASSERT_EQ(0, rig_stats(self->ctx, &self->before));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
}

FIXTURE_TEARDOWN(callables)
{
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* With two kernels. Return: the cid, or what the driver says. */
static int prepare(struct pto_ctx *ctx, int cid, uint32_t kind, uint32_t last_image)
{
	struct pto_kernel kernels[] = {
		{ 0, PTO_CORE_AIV, 2, 0 }, { 1, PTO_CORE_AIV, last_image, 0 },
	};
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = cid,
		.kind = kind,
		.image = kind == PTO_KIND_DEVICE_ORCH ? 1 : 0,
		.kernel_count = 2,
		.kernel_stride = sizeof(kernels[0]),
		.kernels_ptr = (uintptr_t)kernels,
	};
	int err = rig_ioctl(ctx, PTO_PREPARE, &arg);

	return err ? err : arg.cid;
}

static int prepare_device(FIXTURE_DATA(callables) *self, int cid)
{
	return prepare(self->ctx, cid, PTO_KIND_DEVICE_ORCH, 2);
}

/* All that can be filled can be filled, and nothing else is in use. */
#define EXPECT_ALL_FREE(self) do { \
	struct pto_device_usage now; \
	int cid_; \
	ASSERT_EQ(0, rig_usage((self)->ctx, &now)); \
	EXPECT_EQ((self)->usage.memory_used, now.memory_used); \
	EXPECT_EQ((self)->usage.images, now.images); \
	for (cid_ = 1; cid_ < PTO_MAX_CALLABLES; cid_++) \
		ASSERT_EQ(cid_, prepare_device(self, -1)); \
	EXPECT_EQ(-ENOSPC, prepare_device(self, -1)); \
	for (cid_ = 1; cid_ < PTO_MAX_CALLABLES; cid_++) \
		ASSERT_EQ(0, rig_unprepare((self)->ctx, cid_)); \
} while (0)

TEST_F(callables, prepared_and_unprepared)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(1, prepare_device(self, -1));
		ASSERT_EQ(-EEXIST, prepare_device(self, 1));
		ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
	}
	EXPECT_ALL_FREE(self);
}

static int prepare_empty(struct pto_ctx *ctx, uint32_t image)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg), .cid = 0, .kind = PTO_KIND_DEVICE_ORCH, .image = image,
	};

	return rig_ioctl(ctx, PTO_PREPARE, &arg);
}

TEST_F(callables, of_images_that_do_not_exist)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(-ENOENT, prepare(self->ctx, -1, PTO_KIND_DEVICE_ORCH, 77));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(-ENOENT, prepare_empty(self->ctx, 77));
	ASSERT_EQ(0, prepare_empty(self->ctx, 1));
	EXPECT_ALL_FREE(self);
}

TEST_F(callables, refused_by_the_device)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_LOAD, .status = PTO_DEV_NOEXEC };
	int i;

	rig_rule(self->rig, &rule);
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(-ENOEXEC, prepare_device(self, -1));
	/* The device has none of them: there is nothing to unload. */
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	rig_no_rules(self->rig);
	EXPECT_ALL_FREE(self);
}

/* Loaded, but the answer cannot be written. */
TEST_F(callables, that_nobody_can_be_told_of)
{
	static const struct pto_ioc_prepare arg = {
		.size = sizeof(arg), .cid = -1, .kind = PTO_KIND_DEVICE_ORCH, .image = 1,
	};
	int i;

	for (i = 0; i < ROUNDS / 8; i++)
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_PREPARE, (void *)&arg));
	while (rig_count(self->rig, PTO_DEV_UNLOAD, 0) != ROUNDS / 8)
		sched_yield();
	EXPECT_ALL_FREE(self);
}

/* Every handle is that of a callable that still runs. */
TEST_F(callables, without_a_handle)
{
	uint32_t stream = rig_last_bound(self->rig);
	uint64_t id;
	int i;

	self->rig->held = 1u << stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	for (i = 0; i < PTO_DEV_MAX_HANDLES - 1; i++) {
		ASSERT_EQ(1, prepare_device(self, 1));
		ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
	}
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(-EBUSY, prepare_device(self, -1));
	self->rig->held = 0;
	rig_release(self->rig, stream, 1);
	/* It is found that the run has ended, and then what waited for it is freed. */
	rig_poll(self->ctx);
	rig_settle();
	EXPECT_ALL_FREE(self);
}

/* It is on the device already when no arena can be made for it. */
TEST_F(callables, without_an_arena)
{
	const struct rig_rule rule = { .opcode = PTO_DEV_MAP, .status = PTO_DEV_NOMEM };
	struct pto_ctx *other;
	unsigned int before;
	uint32_t id;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, rig_image(other, "an object", &id));
	before = self->rig->logged;
	rig_rule(self->rig, &rule);
	EXPECT_EQ(-ENOMEM, prepare_empty(other, id));
	rig_no_rules(self->rig);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_LOAD, before));
	EXPECT_EQ(0, prepare_empty(other, id));
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNLOAD, before));
	rig_close(other);
}

/* A callable keeps its images, however many names they have lost, and nothing else does. */
TEST_F(callables, keep_their_images)
{
	struct pto_ioc_image_destroy destroy = { .size = sizeof(destroy) };
	struct pto_device_usage now;

	ASSERT_EQ(1, prepare_device(self, 1));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	for (destroy.id = 1; destroy.id <= 2; destroy.id++)
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_IMAGE_DESTROY, &destroy));
	rig_settle();
	ASSERT_EQ(0, rig_usage(self->ctx, &now));
	EXPECT_EQ(2, now.images);
	ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
	rig_settle();
	ASSERT_EQ(0, rig_usage(self->ctx, &now));
	EXPECT_EQ(0, now.images);
	EXPECT_EQ(0, now.image_bytes);
}

TEST_F(callables, go_with_their_context)
{
	struct pto_device_usage now;
	struct pto_ctx *other;
	uint32_t id;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, rig_image(other, "an object of the other", &id));
	ASSERT_EQ(0, prepare_empty(other, id));
	ASSERT_EQ(1, prepare_device(self, 1));
	rig_close(self->ctx);
	self->ctx = NULL;
	ASSERT_EQ(0, rig_usage(other, &now));
	EXPECT_EQ(1, now.images);
	rig_close(other);
}

static uint32_t generation(struct pto_ctx *ctx, int cid)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg), .cid = cid, .kind = PTO_KIND_DEVICE_ORCH, .image = 1,
	};

	return rig_ioctl(ctx, PTO_PREPARE, &arg) ? 0 : arg.generation;
}

/* Never 0, and never that of the callable before. */
TEST_F(callables, generations)
{
	uint32_t first = generation(self->ctx, 5), second;

	EXPECT_NE(0, first);
	ASSERT_EQ(0, rig_unprepare(self->ctx, 5));
	second = generation(self->ctx, 5);
	EXPECT_NE(0, second);
	EXPECT_NE(first, second);
	ASSERT_EQ(0, rig_unprepare(self->ctx, 5));
	inside_age(self->ctx);
	first = generation(self->ctx, 5);
	EXPECT_NE(0, first);
	ASSERT_EQ(0, rig_unprepare(self->ctx, 5));
	second = generation(self->ctx, 5);
	EXPECT_NE(0, second);
	EXPECT_NE(first, second);
}

static const struct {
	uint32_t first;
	uint32_t second;
	int error;
} func_ids[] = {
	{ 0, 1, 0 },
	{ 1, 0, 0 },
	{ PTO_MAX_FUNC_ID - 1, 0, 0 },
	{ 0, PTO_MAX_FUNC_ID - 1, 0 },
	{ 3, 3, -EINVAL },
	{ 0, 0, -EINVAL },
	{ PTO_MAX_FUNC_ID - 1, PTO_MAX_FUNC_ID - 1, -EINVAL },
	{ PTO_MAX_FUNC_ID, 1, -EINVAL },
	{ 1, PTO_MAX_FUNC_ID, -EINVAL },
	{ 1, -1U, -EINVAL },
};

/* Each kernel has a func_id of its own, below the limit. */
TEST_F(callables, func_ids)
{
	size_t i;

	for (i = 0; i < sizeof(func_ids) / sizeof(func_ids[0]); i++) {
		struct pto_kernel kernels[] = {
			{ func_ids[i].first, PTO_CORE_AIV, 2, 0 },
			{ func_ids[i].second, PTO_CORE_AIV, 2, 0 },
		};
		struct pto_ioc_prepare arg = {
			.size = sizeof(arg),
			.cid = 1,
			.kind = PTO_KIND_DEVICE_ORCH,
			.image = 1,
			.kernel_count = 2,
			.kernel_stride = sizeof(kernels[0]),
			.kernels_ptr = (uintptr_t)kernels,
		};

		EXPECT_EQ(func_ids[i].error, rig_ioctl(self->ctx, PTO_PREPARE, &arg)) {
			TH_LOG("func_ids %u and %u", func_ids[i].first, func_ids[i].second);
		}
		ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
	}
}

/* An empty slot that is emptied counts for nothing. */
TEST_F(callables, counted)
{
	struct pto_context_stats now;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, prepare_device(self, 1));
		ASSERT_EQ(-EEXIST, prepare_device(self, 1));
		ASSERT_EQ(0, rig_stats(self->ctx, &now));
		EXPECT_EQ(self->before.callables_live + 1, now.callables_live);
		ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
		ASSERT_EQ(0, rig_unprepare(self->ctx, 1));
		ASSERT_EQ(0, rig_stats(self->ctx, &now));
		EXPECT_EQ(self->before.callables_live, now.callables_live);
		EXPECT_EQ(self->before.prepares + i + 1, now.prepares);
		EXPECT_EQ(self->before.unprepares + i + 1, now.unprepares);
	}
}

/* Loads are counted where they take place. */
TEST_F(callables, of_both_kinds)
{
	struct pto_context_stats now;

	EXPECT_EQ(1, prepare(self->ctx, 1, PTO_KIND_HOST_GRAPH, 2));
	ASSERT_EQ(0, rig_stats(self->ctx, &now));
	EXPECT_EQ(self->before.aicpu_dlopen_count, now.aicpu_dlopen_count);
	EXPECT_EQ(self->before.host_dlopen_count + 1, now.host_dlopen_count);
	EXPECT_EQ(2, prepare_device(self, 2));
	ASSERT_EQ(0, rig_stats(self->ctx, &now));
	EXPECT_EQ(self->before.aicpu_dlopen_count + 1, now.aicpu_dlopen_count);
	EXPECT_EQ(self->before.host_dlopen_count + 1, now.host_dlopen_count);
	EXPECT_EQ(self->before.prepares + 2, now.prepares);
	EXPECT_EQ(3, now.callables_live);
}

TEST(device_without_host_graphs)
{
	struct rig *rig = rig_new();
	struct pto_ioc_bo_create bo;
	struct pto_ctx *ctx;

	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	ASSERT_EQ(0, rig_ready(ctx, &bo));
	EXPECT_EQ(-EOPNOTSUPP, prepare(ctx, 1, PTO_KIND_HOST_GRAPH, 1));
	EXPECT_EQ(-EOPNOTSUPP, prepare(ctx, 1, 3, 1));
	rig_close(ctx);
	rig_free(rig);
}

TEST_HARNESS_MAIN
