// SPDX-License-Identifier: GPL-2.0
/*
 * Images: which contents are the same, what is counted, and that all of an image goes with its
 * last name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

#define BYTES	(150u << 10)	/* the digest is made in parts of 64 KiB */
#define MANY	4096u		/* names that a context can have */

FIXTURE(images) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_context_stats stats;
	long memory;
};

static char object[BYTES];

FIXTURE_SETUP(images)
{
	uint32_t i;

	for (i = 0; i < BYTES; i++)
		object[i] = (char)(i * 7 + i / 256);
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
}

FIXTURE_TEARDOWN(images)
{
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int bring(struct pto_ctx *ctx, uint64_t length, const char *build_id,
		 struct pto_ioc_image_create *arg)
{
	*arg = (struct pto_ioc_image_create){
		.size = sizeof(*arg),
		.data_ptr = (uintptr_t)object,
		.length = length,
		.build_id_len = build_id ? strlen(build_id) : 0,
	};
	if (build_id)
		memcpy(arg->build_id, build_id, arg->build_id_len);
	return rig_ioctl(ctx, PTO_IMAGE_CREATE, arg);
}

static int drop(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_ioc_image_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_IMAGE_DESTROY, &arg);
}

#define EXPECT_USAGE(self, count, bytes) do { \
	struct pto_device_usage now_; \
	ASSERT_EQ(0, rig_usage((self)->ctx, &now_)); \
	EXPECT_EQ(count, now_.images); \
	EXPECT_EQ(bytes, now_.image_bytes); \
} while (0)

TEST_F(images, same_contents_are_one_image)
{
	struct pto_ioc_image_create first, again;
	struct pto_context_stats now;

	ASSERT_EQ(0, bring(self->ctx, BYTES, "id", &first));
	EXPECT_EQ(0, first.shared);
	ASSERT_EQ(0, bring(self->ctx, BYTES, "id", &again));
	EXPECT_EQ(1, again.shared);
	EXPECT_NE(first.id, again.id);
	EXPECT_USAGE(self, 1, BYTES);
	ASSERT_EQ(0, rig_stats(self->ctx, &now));
	EXPECT_EQ(1, now.image_uploads - self->stats.image_uploads);
	EXPECT_EQ(BYTES, now.image_upload_bytes - self->stats.image_upload_bytes);
	EXPECT_EQ(1, now.image_dedup_hits - self->stats.image_dedup_hits);
	EXPECT_EQ(2, now.images_live);
	/* It lives as long as one of its names. */
	ASSERT_EQ(0, drop(self->ctx, first.id));
	EXPECT_EQ(-ENOENT, drop(self->ctx, first.id));
	EXPECT_USAGE(self, 1, BYTES);
	ASSERT_EQ(0, drop(self->ctx, again.id));
	EXPECT_USAGE(self, 0, 0);
	ASSERT_EQ(0, rig_stats(self->ctx, &now));
	EXPECT_EQ(0, now.images_live);
}

/* A byte anywhere is enough, with the same Build-ID and without one. */
TEST_F(images, every_byte_counts)
{
	static const uint32_t places[] = {
		0, 1, 63, 64, 4095, 65535, 65536, 65537, 100000, 131071, 131072, BYTES - 1,
	};
	static const char *const ids[] = { NULL, "id" };
	struct pto_ioc_image_create first, other;
	size_t i, j;

	for (j = 0; j < ARRAY_SIZE(ids); j++) {
		ASSERT_EQ(0, bring(self->ctx, BYTES, ids[j], &first));
		for (i = 0; i < ARRAY_SIZE(places); i++) {
			object[places[i]] ^= 1;
			ASSERT_EQ(0, bring(self->ctx, BYTES, ids[j], &other));
			EXPECT_EQ(0, other.shared) {
				TH_LOG("byte %u", places[i]);
			}
			ASSERT_EQ(0, drop(self->ctx, other.id));
			object[places[i]] ^= 1;
		}
		/* Also one more or less. */
		ASSERT_EQ(0, bring(self->ctx, BYTES - 1, ids[j], &other));
		EXPECT_EQ(0, other.shared);
		ASSERT_EQ(0, drop(self->ctx, other.id));
		ASSERT_EQ(0, drop(self->ctx, first.id));
	}
	EXPECT_USAGE(self, 0, 0);
}

/* Objects that say that they are different are so, even if their bytes are not. */
TEST_F(images, build_ids_count)
{
	static const char *const ids[] = {
		NULL, "a", "b", "ab", "a longer one of 32 bytes: abcdef",
	};
	struct pto_ioc_image_create arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		ASSERT_EQ(0, bring(self->ctx, 100, ids[i], &arg));
		EXPECT_EQ(0, arg.shared);
	}
	EXPECT_USAGE(self, ARRAY_SIZE(ids), 100 * ARRAY_SIZE(ids));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		ASSERT_EQ(0, bring(self->ctx, 100, ids[i], &arg));
		EXPECT_EQ(1, arg.shared);
	}
}

/*
 * All of a digest counts: these were found by trying. Their digests begin with the same 32 bits,
 * and they meet in a bucket.
 */
TEST_F(images, digests_that_begin_alike)
{
	uint32_t first, second;

	inside_no_secret(self->rig->pdev);
	ASSERT_EQ(0, rig_image(self->ctx, "object 742559", &first));
	ASSERT_EQ(0, rig_image(self->ctx, "object 885933", &second));
	EXPECT_EQ(2, inside_longest_bucket(self->rig->pdev));
	EXPECT_USAGE(self, 2, 26);
}

/* Exactly as many names, and then again as many. */
TEST_F(images, names)
{
	struct pto_ioc_image_create arg;
	uint32_t i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < MANY; i++) {
			ASSERT_EQ(0, bring(self->ctx, 10, NULL, &arg));
			ASSERT_NE(0, arg.id);
			ASSERT_GE(MANY, arg.id);
		}
		EXPECT_EQ(-ENOSPC, bring(self->ctx, 10, NULL, &arg));
		for (i = 1; i <= MANY; i++)
			ASSERT_EQ(0, drop(self->ctx, i));
		EXPECT_USAGE(self, 0, 0);
	}
}

TEST_F(images, go_with_their_context)
{
	struct pto_ioc_image_create arg;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, bring(self->ctx, 10, NULL, &arg));
	ASSERT_EQ(0, bring(other, 10, NULL, &arg));
	EXPECT_EQ(1, arg.shared);
	ASSERT_EQ(0, bring(other, 20, NULL, &arg));
	EXPECT_USAGE(self, 2, 30);
	rig_close(other);
	EXPECT_USAGE(self, 1, 10);
}

/* More often than there are names. */
TEST_F(images, failures_keep_nothing)
{
	static struct pto_ioc_image_create untold = { .size = sizeof(untold), .length = 50 };
	static const struct pto_ioc_image_create readonly = {
		.size = sizeof(readonly), .data_ptr = (uintptr_t)object, .length = 60,
	};
	struct pto_ioc_image_create arg;
	uint32_t i;

	for (i = 0; i < MANY + 10; i++) {
		untold.data_ptr = 1;
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &untold));
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, (void *)&readonly));
		rig_fail(self->rig, RIG_ACCESS, 0, 1);
		ASSERT_NE(0, bring(self->ctx, 70, NULL, &arg));
	}
	EXPECT_USAGE(self, 0, 0);
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, bring(self->ctx, 10, NULL, &arg));
}

TEST_HARNESS_MAIN
