// SPDX-License-Identifier: GPL-2.0
/*
 * Applications guess ids: also one that belongs to an object which is just being made. The
 * device calls the driver from the middle of that.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

FIXTURE(reserved) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	long memory;
};

/* What the interrupted call belongs to, what is done meanwhile, and what came of that. */
static struct pto_ctx *context;
static uint32_t guessed, generation;
static int said;

FIXTURE_SETUP(reserved)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
	context = self->ctx;
	generation = 0;
	said = 1;
}

FIXTURE_TEARDOWN(reserved)
{
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int buffer_info(struct pto_ctx *ctx, uint32_t id, struct pto_ioc_bo_info *info)
{
	*info = (struct pto_ioc_bo_info){ .size = sizeof(*info), .id = id };
	return rig_ioctl(ctx, PTO_BO_INFO, info);
}

static void destroy_buffer(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	said = rig_bo_destroy(context, guessed);
}

static struct pto_ioc_bo_create second_buffer;
static int second_said;

static void make_second_buffer(void)
{
	second_said = rig_bo(context, 8192, &second_buffer);
}

static void destroy_buffer_and_make_second(void)
{
	destroy_buffer(NULL, 0, NULL);
	make_second_buffer();
}

/* While a buffer is made somebody destroys its id, and somebody else makes one as well. */
static void two_buffers(struct __test_metadata *_metadata, FIXTURE_DATA(reserved) *self,
			void (*told)(void))
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };
	struct pto_ioc_bo_create *first = rig_trap(&bo, sizeof(bo), told);
	struct pto_ioc_bo_info info;

	guessed = 1;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_BO_CREATE, first));
	EXPECT_EQ(-ENOENT, said);
	EXPECT_EQ(guessed, first->id);
	ASSERT_EQ(0, second_said);
	EXPECT_NE(first->id, second_buffer.id);
	ASSERT_EQ(0, buffer_info(self->ctx, first->id, &info));
	EXPECT_EQ(first->device_addr, info.device_addr);
	ASSERT_EQ(0, buffer_info(self->ctx, second_buffer.id, &info));
	EXPECT_EQ(second_buffer.device_addr, info.device_addr);
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, first->id));
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, second_buffer.id));
	rig_settle();
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	EXPECT_EQ(0, self->stats.bo_live);
	EXPECT_EQ(0, self->stats.bo_bytes);
	rig_user_free(first);
}

TEST_F(reserved, buffer_that_is_being_mapped)
{
	self->rig->opcode = PTO_DEV_MAP;
	self->rig->spoil = destroy_buffer;
	two_buffers(_metadata, self, make_second_buffer);
}

TEST_F(reserved, buffer_that_is_being_told_of)
{
	two_buffers(_metadata, self, destroy_buffer_and_make_second);
}

static void destroy_image(struct rig *rig, uint64_t offset)
{
	said = rig_image_destroy(context, guessed);
}

static uint32_t second_image;

static void make_second_image(void)
{
	second_said = rig_image(context, "two", &second_image);
}

static void destroy_image_and_make_second(void)
{
	destroy_image(NULL, 0);
	make_second_image();
}

static void two_images(struct __test_metadata *_metadata, FIXTURE_DATA(reserved) *self,
		       void (*told)(void))
{
	struct pto_ioc_image_create image = {
		.size = sizeof(image),
		.data_ptr = (uintptr_t)"one",
		.length = 3,
	};
	struct pto_ioc_image_create *first = rig_trap(&image, sizeof(image), told);
	struct pto_device_usage usage;

	guessed = 1;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, first));
	EXPECT_EQ(-ENOENT, said);
	EXPECT_EQ(guessed, first->id);
	ASSERT_EQ(0, second_said);
	EXPECT_NE(first->id, second_image);
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(2, usage.images);
	EXPECT_EQ(0, rig_image_destroy(self->ctx, first->id));
	EXPECT_EQ(0, rig_image_destroy(self->ctx, second_image));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	EXPECT_EQ(0, self->stats.images_live);
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(0, usage.images);
	rig_user_free(first);
}

TEST_F(reserved, image_that_is_being_written)
{
	self->rig->accessing = destroy_image;
	two_images(_metadata, self, make_second_image);
}

TEST_F(reserved, image_that_is_being_told_of)
{
	two_images(_metadata, self, destroy_image_and_make_second);
}

static int destroy_stream(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_ioc_stream_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_STREAM_DESTROY, &arg);
}

static void destroy_guessed_stream(void)
{
	said = destroy_stream(context, guessed);
}

TEST_F(reserved, stream_that_is_being_told_of)
{
	struct pto_ioc_stream_create stream = { .size = sizeof(stream) };
	struct pto_ioc_stream_create *arg = rig_trap(&stream, sizeof(stream),
						     destroy_guessed_stream);

	guessed = PTO_STREAM_DEFAULT + 1;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, arg));
	EXPECT_EQ(-ENOENT, said);
	EXPECT_EQ(guessed, arg->id);
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &stream));
	EXPECT_NE(arg->id, stream.id);
	EXPECT_EQ(0, destroy_stream(self->ctx, arg->id));
	EXPECT_EQ(0, destroy_stream(self->ctx, stream.id));
	rig_user_free(arg);
}

static void unprepare(void)
{
	struct pto_ioc_unprepare arg = { .size = sizeof(arg), .cid = 0, .generation = generation };

	said = rig_ioctl(context, PTO_UNPREPARE, &arg);
}

static void unprepare_from_device(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	unprepare();
}

/* An empty slot was emptied, and was still that of the callable which came into it. */
static void expect_callable(struct __test_metadata *_metadata, FIXTURE_DATA(reserved) *self,
			    uint32_t image)
{
	uint64_t id;

	EXPECT_EQ(generation ? -ENOENT : 0, said);
	EXPECT_EQ(-EEXIST, rig_prepare(self->ctx, 0, image));
	EXPECT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	EXPECT_EQ(1, self->stats.callables_live);
	EXPECT_EQ(0, self->stats.unprepares);
	EXPECT_EQ(0, rig_unprepare(self->ctx, 0));
	EXPECT_EQ(0, rig_prepare(self->ctx, 0, image));
}

TEST_F(reserved, callable_that_is_being_loaded)
{
	uint32_t image;

	ASSERT_EQ(0, rig_image(self->ctx, "an orchestration", &image));
	self->rig->opcode = PTO_DEV_LOAD;
	self->rig->spoil = unprepare_from_device;
	ASSERT_EQ(0, rig_prepare(self->ctx, 0, image));
	self->rig->spoil = NULL;
	expect_callable(_metadata, self, image);
}

TEST_F(reserved, callable_that_is_being_told_of)
{
	struct pto_ioc_prepare prepare = { .size = sizeof(prepare), .kind = PTO_KIND_DEVICE_ORCH };
	struct pto_ioc_prepare *arg;

	ASSERT_EQ(0, rig_image(self->ctx, "an orchestration", &prepare.image));
	arg = rig_trap(&prepare, sizeof(prepare), unprepare);
	generation = 1;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREPARE, arg));
	EXPECT_EQ(1, arg->generation);
	expect_callable(_metadata, self, prepare.image);
	rig_user_free(arg);
}

/* --- ids that are over ------------------------------------------------------------ */

TEST_F(reserved, ids_do_not_come_back_at_once)
{
	struct pto_ioc_stream_create stream = { .size = sizeof(stream) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	uint32_t image, last_image = 0, last_bo = 0, last_stream = 0;
	struct pto_ioc_bo_create bo;
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, rig_bo(self->ctx, 4096, &bo));
		ASSERT_GT(bo.id, last_bo);
		last_bo = bo.id;
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
		ASSERT_EQ(0, rig_image(self->ctx, "one", &image));
		ASSERT_GT(image, last_image);
		last_image = image;
		ASSERT_EQ(0, rig_image_destroy(self->ctx, image));
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &stream));
		ASSERT_GT(stream.id, last_stream);
		last_stream = stream.id;
		destroy.id = stream.id;
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy));
	}
}

#define MAX_IMAGES 4096

/* All ids of a table: it is full, and what is given up is found again behind the last one. */
TEST_F(reserved, ids_come_back)
{
	uint32_t id, first;
	int i;

	ASSERT_EQ(0, rig_image(self->ctx, "one", &first));
	for (i = 1; i < MAX_IMAGES; i++)
		ASSERT_EQ(0, rig_image(self->ctx, "one", &id));
	EXPECT_EQ(MAX_IMAGES, id);
	EXPECT_EQ(-ENOSPC, rig_image(self->ctx, "one", &id));
	/* Nor does a refused call hold an id. */
	EXPECT_EQ(-ENOSPC, rig_image(self->ctx, "two", &id));
	ASSERT_EQ(0, rig_image_destroy(self->ctx, 7));
	ASSERT_EQ(0, rig_image_destroy(self->ctx, 9));
	ASSERT_EQ(0, rig_image(self->ctx, "one", &id));
	EXPECT_EQ(7, id);
	ASSERT_EQ(0, rig_image_destroy(self->ctx, 7));
	ASSERT_EQ(0, rig_image(self->ctx, "one", &id));
	EXPECT_EQ(9, id);
	ASSERT_EQ(0, rig_image(self->ctx, "one", &id));
	EXPECT_EQ(7, id);
	EXPECT_EQ(-ENOSPC, rig_image(self->ctx, "one", &id));
}

static struct pto_ioc_stream_create *untold;

/* The id cannot be told, and the thread is killed while it waits for who has the context. */
static void kill_creator(void)
{
	mprotect(untold, sizeof(*untold), PROT_READ);
	said = inside_claims(context);
	rig_kill_after(1);
}

/* Who creates the next stream does what the killed one could not. */
TEST_F(reserved, stream_whose_creator_is_killed)
{
	struct pto_ioc_stream_create stream = { .size = sizeof(stream) };
	struct pto_device_usage usage;

	untold = rig_trap(&stream, sizeof(stream), kill_creator);
	EXPECT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_STREAM_CREATE, untold));
	rig_user_free(untold);
	ASSERT_EQ(0, said);
	inside_claims_no_more(self->ctx);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_QUEUE_UNBIND, 0));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &stream));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_UNBIND, 0));
	ASSERT_EQ(0, destroy_stream(self->ctx, stream.id));
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(0, memcmp(&self->usage, &usage, sizeof(usage)));
}

#define MAX_BUFFERS 65536
#define MAX_STREAM_IDS 65535

/* A call that cannot tell of its object gives the id back, however often. */
TEST_F(reserved, failures_hold_no_ids)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };
	struct pto_ioc_stream_create stream = { .size = sizeof(stream) };
	struct pto_ioc_image_create image = {
		.size = sizeof(image),
		.data_ptr = (uintptr_t)"one",
		.length = 3,
	};
	struct pto_device_usage usage;
	void *arg;
	int i;

	arg = rig_read_only(&bo, sizeof(bo));
	for (i = 0; i <= MAX_BUFFERS; i++)
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_BO_CREATE, arg));
	rig_user_free(arg);
	arg = rig_read_only(&image, sizeof(image));
	for (i = 0; i <= MAX_IMAGES; i++)
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, arg));
	rig_user_free(arg);
	arg = rig_read_only(&stream, sizeof(stream));
	for (i = 0; i <= MAX_STREAM_IDS; i++)
		ASSERT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_STREAM_CREATE, arg));
	rig_user_free(arg);
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(0, memcmp(&self->usage, &usage, sizeof(usage)));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_BO_CREATE, &bo));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_IMAGE_CREATE, &image));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &stream));
}

/* --- the end ---------------------------------------------------------------------- */

/* Whatever mistake makes the driver lose memory: it says so, and the machine goes on. */
TEST_F(reserved, memory_that_was_lost)
{
	struct pto_device_usage usage;

	ASSERT_EQ(0, rig_lose(self->rig));
	ASSERT_EQ(0, rig_usage(self->ctx, &usage));
	EXPECT_EQ(self->usage.memory_used + 4096, usage.memory_used);
	rig_close(self->ctx);
	self->ctx = NULL;
	rig_free(self->rig);
	/* The pool, in two pieces, is left behind. */
	EXPECT_EQ(self->memory + 2, rig_memory());
	self->memory += 2;
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
}

TEST_HARNESS_MAIN
