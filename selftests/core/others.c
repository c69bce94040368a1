// SPDX-License-Identifier: GPL-2.0
/*
 * What an application learns of others. An application of a user without privileges does everything
 * twice, on a device that nobody else uses, and on one where another user does the same and more.
 * It must be told the same, but for the addresses of its buffers, which are places in the device's
 * memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define PAGE		4096u
#define USER		1000
#define OTHER		2000
#define MAX_ANSWERS	64

/**
 * struct answers - what the driver has told
 * @count: how often
 * @bytes: each answer, zeros behind it
 */
struct answers {
	unsigned int count;
	unsigned char bytes[MAX_ANSWERS][1024];
};

static void note(struct answers *answers, const void *bytes, size_t size)
{
	if (answers->count == MAX_ANSWERS || size > sizeof(answers->bytes[0]))
		abort();
	memcpy(answers->bytes[answers->count++], bytes, size);
}

static void note_int(struct answers *answers, int value)
{
	note(answers, &value, sizeof(value));
}

/* Every item of PTO_QUERY */
static void ask(struct pto_ctx *ctx, struct answers *answers)
{
	static const uint32_t items[] = { PTO_QUERY_DEVICE, PTO_QUERY_CONTEXT, PTO_QUERY_USAGE,
					  PTO_QUERY_DEBUG };
	unsigned char data[512];
	size_t i;

	for (i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		struct pto_ioc_query arg = {
			.size = sizeof(arg), .item = items[i],
			.data_ptr = (uintptr_t)data, .data_size = sizeof(data),
		};

		memset(data, 0, sizeof(data));
		note_int(answers, rig_ioctl(ctx, PTO_QUERY, &arg));
		/* Where the window lies is a matter of the process. */
		if (items[i] == PTO_QUERY_DEVICE)
			((struct pto_device_info *)(void *)data)->memory_base = 0;
		note(answers, data, sizeof(data));
		note_int(answers, (int)arg.data_size);
	}
}

static int make_buffer(struct pto_ctx *ctx, struct answers *answers, uint32_t *id)
{
	struct pto_ioc_bo_create bo;
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	int err = rig_bo(ctx, 3 * PAGE, &bo);

	if (err)
		return err;
	info.id = bo.id;
	err = rig_ioctl(ctx, PTO_BO_INFO, &info);
	info.device_addr = 0;
	info.mmap_offset = 0;
	note(answers, &info, sizeof(info));
	*id = bo.id;
	return err;
}

static int make_image(struct pto_ctx *ctx, struct answers *answers, uint32_t *id)
{
	struct pto_ioc_image_create arg = {
		.size = sizeof(arg),
		.data_ptr = (uintptr_t)"what everybody has",
		.length = 18,
	};
	int err = rig_ioctl(ctx, PTO_IMAGE_CREATE, &arg);

	arg.data_ptr = 0;
	note(answers, &arg, sizeof(arg));
	*id = arg.id;
	return err;
}

/* An arena whose image the device cannot build. Return: of the ioctl */
static int no_room(struct rig *rig, struct pto_ctx *ctx, char *text, uint32_t size)
{
	struct pto_ioc_prewarm arg = {
		.size = sizeof(arg), .heap = { 4096 },
		.log_ptr = (uintptr_t)text, .log_size = size,
	};
	int err;

	memset(text, 0, size);
	rig_rule(rig, &(struct rig_rule){ .opcode = PTO_DEV_ARENA_BUILD, .status = PTO_DEV_NOMEM });
	err = rig_ioctl(ctx, PTO_PREWARM, &arg);
	rig_no_rules(rig);
	return err;
}

/* A configuration that the device has room for, and one that it has not */
static int make_arenas(struct rig *rig, struct pto_ctx *ctx, struct answers *answers)
{
	struct pto_ioc_prewarm small = { .size = sizeof(small), .heap = { 1024 } };
	int err = rig_ioctl(ctx, PTO_PREWARM, &small);
	char text[250];

	note(answers, &small, sizeof(small));
	note_int(answers, no_room(rig, ctx, text, sizeof(text)));
	note(answers, text, sizeof(text));
	return err;
}

static int make_stream(struct pto_ctx *ctx, struct answers *answers, uint32_t *id)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &arg);

	note(answers, &arg, sizeof(arg));
	*id = arg.id;
	return err;
}

static int run(struct pto_ctx *ctx, struct answers *answers, uint32_t stream)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int err = rig_run_on(ctx, stream, &id);

	if (!err)
		err = rig_wait(ctx, id, PTO_WAIT_FOREVER, &wait);
	wait.submit_ns = 0;
	wait.start_ns = 0;
	wait.end_ns = 0;
	note(answers, &id, sizeof(id));
	note(answers, &wait, sizeof(wait));
	return err;
}

/* All that an application does. Return: 0 or -errno */
static int live(struct rig *rig, struct pto_ctx *ctx, struct answers *answers)
{
	uint32_t buffer, image, stream;
	struct pto_ioc_prepare prepare = { .size = sizeof(prepare), .kind = PTO_KIND_DEVICE_ORCH,
					   .cid = -1 };
	int err;

	ask(ctx, answers);
	err = make_buffer(ctx, answers, &buffer);
	if (!err)
		err = make_image(ctx, answers, &image);
	if (!err)
		err = make_arenas(rig, ctx, answers);
	if (!err) {
		prepare.image = image;
		err = rig_ioctl(ctx, PTO_PREPARE, &prepare);
		note(answers, &prepare, sizeof(prepare));
	}
	if (!err)
		err = make_stream(ctx, answers, &stream);
	if (!err)
		err = run(ctx, answers, stream);
	if (!err)
		err = rig_bo_destroy(ctx, buffer);
	rig_settle();
	ask(ctx, answers);
	return err;
}

/* One user's application, beside another's or not. Return: 0 or -errno */
static int live_beside(bool others, bool privileged, struct answers *answers)
{
	struct rig *rig = rig_new();
	struct answers *unseen = calloc(1, sizeof(*unseen));
	struct pto_ctx *ctx, *other = NULL;
	int err;

	if (!unseen)
		abort();
	err = rig_start(rig);
	if (!err && others) {
		rig_user(OTHER, false);
		err = rig_open(rig, &other);
		if (!err)
			err = live(rig, other, unseen);
	}
	rig_user(USER, privileged);
	if (!err)
		err = rig_open(rig, &ctx);
	if (!err) {
		err = live(rig, ctx, answers);
		rig_close(ctx);
	}
	if (other)
		rig_close(other);
	rig_free(rig);
	free(unseen);
	return err;
}

FIXTURE(others) {
	struct answers alone;
	struct answers beside;
	long memory;
};

FIXTURE_SETUP(others)
{
	memset(&self->alone, 0, sizeof(self->alone));
	memset(&self->beside, 0, sizeof(self->beside));
	self->memory = rig_memory();
}

FIXTURE_TEARDOWN(others)
{
	EXPECT_EQ(self->memory, rig_memory());
}

TEST_F(others, are_not_seen)
{
	unsigned int i;

	ASSERT_EQ(0, live_beside(false, false, &self->alone));
	ASSERT_EQ(0, live_beside(true, false, &self->beside));
	EXPECT_EQ(self->alone.count, self->beside.count);
	for (i = 0; i < MAX_ANSWERS; i++) {
		EXPECT_EQ(0, memcmp(self->alone.bytes[i], self->beside.bytes[i],
				    sizeof(self->alone.bytes[i]))) {
			TH_LOG("answer %u", i);
		}
	}
}

/* The same way of looking finds them if the caller may know. */
TEST_F(others, are_seen_with_the_capability)
{
	ASSERT_EQ(0, live_beside(false, true, &self->alone));
	ASSERT_EQ(0, live_beside(true, true, &self->beside));
	EXPECT_NE(0, memcmp(&self->alone, &self->beside, sizeof(self->alone)));
}

FIXTURE(user) {
	struct rig *rig;
	struct pto_ctx *ctx;
	long memory;
};

FIXTURE_SETUP(user)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	rig_user(USER, false);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
}

FIXTURE_TEARDOWN(user)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

TEST_F(user, usage_needs_the_capability)
{
	struct pto_device_usage usage = { 0 };

	EXPECT_EQ(-EPERM, rig_usage(self->ctx, &usage));
	EXPECT_EQ(0, usage.contexts);
	/* Who asks counts, not who has opened the context. */
	rig_user(USER, true);
	EXPECT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(1, usage.contexts);
	rig_user(OTHER, false);
	EXPECT_EQ(-EPERM, rig_usage(self->ctx, &usage));
}

TEST_F(user, text_of_no_room)
{
	char text[256];

	EXPECT_EQ(-ENOMEM, no_room(self->rig, self->ctx, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "no room for an arena: at least "));
	EXPECT_NE(NULL, strstr(text, " bytes are needed, and the device has 8388608 bytes"));
	rig_user(USER, true);
	EXPECT_EQ(-ENOMEM, no_room(self->rig, self->ctx, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, ", and 0 of the device's 8388608 bytes of memory are in use"));
}

/* Return: 1 if the image was shared, 0 if not, or -errno. */
static int shared(struct pto_ctx *ctx)
{
	struct pto_ioc_image_create arg = {
		.size = sizeof(arg), .data_ptr = (uintptr_t)"an object", .length = 9,
	};
	int err = rig_ioctl(ctx, PTO_IMAGE_CREATE, &arg);

	return err ? err : (int)arg.shared;
}

/* The same objects are on the device once for each user who has them. */
TEST_F(user, images_of_another)
{
	struct pto_ctx *second, *other;

	ASSERT_EQ(0, rig_open(self->rig, &second));
	rig_user(OTHER, false);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_EQ(0, shared(other));
	EXPECT_EQ(0, shared(self->ctx));
	EXPECT_EQ(1, shared(second));
	EXPECT_EQ(1, shared(other));
	rig_close(other);
	rig_close(second);
}

static uint64_t builds(struct pto_ctx *ctx)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { 1024 } };
	struct pto_context_stats stats;

	return rig_ioctl(ctx, PTO_PREWARM, &arg) || rig_stats(ctx, &stats) ? ~0ULL :
		stats.arena_builds;
}

TEST_F(user, arena_images_of_another)
{
	struct pto_ctx *second, *other;

	ASSERT_EQ(0, rig_open(self->rig, &second));
	rig_user(OTHER, false);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_EQ(1, builds(other));
	EXPECT_EQ(1, builds(self->ctx));
	EXPECT_EQ(0, builds(second));
	rig_close(other);
	rig_close(second);
}

TEST_HARNESS_MAIN
