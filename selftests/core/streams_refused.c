// SPDX-License-Identifier: GPL-2.0
/*
 * Streams that cannot be had, or cannot be got rid of: what is refused leaves nothing behind,
 * and a queue that the device has not given back is nobody else's.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

FIXTURE(streams) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	long memory;
};

FIXTURE_SETUP(streams)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &self->stats));
	ASSERT_EQ(0, rig_usage(self->ctx, &self->usage));
}

FIXTURE_TEARDOWN(streams)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int create(struct pto_ctx *ctx, uint32_t *id)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &arg);

	*id = arg.id;
	return err;
}

static int destroy(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_ioc_stream_destroy arg = { .size = sizeof(arg), .id = id };

	return rig_ioctl(ctx, PTO_STREAM_DESTROY, &arg);
}

/* All the queues that the device has, one for a stream each: as many as there were. */
static int fill(struct pto_ctx *ctx, uint32_t *ids)
{
	int n = 0;

	while (n < RIG_QUEUES && !create(ctx, &ids[n]))
		n++;
	return n;
}

#define EXPECT_NOTHING_LEFT(self) do { \
	struct pto_context_stats stats_; \
	struct pto_device_usage usage_; \
	ASSERT_EQ(0, rig_stats((self)->ctx, &stats_)); \
	ASSERT_EQ(0, rig_usage((self)->ctx, &usage_)); \
	EXPECT_EQ((self)->stats.streams_live, stats_.streams_live); \
	EXPECT_EQ((self)->stats.streams_created, stats_.streams_created); \
	EXPECT_EQ((self)->usage.streams, usage_.streams); \
} while (0)

static const struct {
	uint32_t status;
	int error;
} refusals[] = {
	{ PTO_DEV_INVALID, -EIO },
	{ PTO_DEV_NOSPACE, -ENOSPC },
	{ PTO_DEV_NOMEM, -ENOMEM },
	{ PTO_DEV_UNSUPPORTED, -EIO },
};

/* A refusal is never told as a mistake of the caller's. */
TEST_F(streams, refused)
{
	uint32_t ids[RIG_QUEUES];
	size_t i;
	int n;

	n = fill(self->ctx, ids);
	ASSERT_LT(2, n);
	while (n)
		ASSERT_EQ(0, destroy(self->ctx, ids[--n]));
	self->stats.streams_created += RIG_QUEUES - 3;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct rig_rule rule = {
			.opcode = PTO_DEV_QUEUE_BIND, .status = refusals[i].status,
		};

		rig_rule(self->rig, &rule);
		for (n = 0; n < RIG_QUEUES; n++)
			EXPECT_EQ(refusals[i].error, create(self->ctx, &ids[0]));
		rig_no_rules(self->rig);
		EXPECT_NOTHING_LEFT(self);
	}
	EXPECT_EQ(RIG_QUEUES - 3, fill(self->ctx, ids));
	EXPECT_EQ(-ENOSPC, create(self->ctx, &ids[0]));
}

/* Its number could not be handed out: nobody could ever give it up. */
TEST_F(streams, that_nobody_can_be_told_of)
{
	static const struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	uint32_t ids[RIG_QUEUES];
	int i;

	for (i = 0; i < 2 * RIG_QUEUES; i++)
		EXPECT_EQ(-EFAULT, rig_ioctl(self->ctx, PTO_STREAM_CREATE, (void *)&arg));
	EXPECT_EQ(2 * RIG_QUEUES, rig_count(self->rig, PTO_DEV_QUEUE_UNBIND, 0));
	EXPECT_NOTHING_LEFT(self);
	EXPECT_EQ(RIG_QUEUES - 3, fill(self->ctx, ids));
}

/* The stream is gone, and the context with it; the queue comes back with a new context. */
TEST_F(streams, that_the_device_keeps)
{
	const struct rig_rule no = { .opcode = PTO_DEV_QUEUE_UNBIND, .status = PTO_DEV_INVALID };
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	uint32_t ids[RIG_QUEUES], queue;
	struct pto_context_stats stats;
	struct pto_ctx *other;
	unsigned int from;
	int i, n;

	ASSERT_EQ(0, create(self->ctx, &ids[0]));
	queue = rig_last_bound(self->rig);
	rig_rule(self->rig, &no);
	destroy(self->ctx, ids[0]);
	rig_no_rules(self->rig);
	EXPECT_EQ(-ENOENT, destroy(self->ctx, ids[0]));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
	/* Another context gets all queues but that one. */
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_NE(queue, rig_last_bound(self->rig));
	n = fill(other, ids);
	EXPECT_EQ(RIG_QUEUES - 6, n);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, destroy(other, ids[i]));
	from = self->rig->logged;
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_BIND, from));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(self->stats.streams_live, stats.streams_live);
	EXPECT_EQ(RIG_QUEUES - 5, fill(other, ids));
	rig_close(other);
}

/* A queue that the device may bind when nobody waits any more is the hardware context's. */
TEST_F(streams, that_nobody_waited_for)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	uint32_t ids[RIG_QUEUES];
	unsigned int from;

	self->rig->held = 1;
	rig_kill_after(2);
	ASSERT_GT(0, create(self->ctx, &ids[0]));
	rig_kill_after(0);
	self->rig->held = 0;
	rig_release(self->rig, 0, RIG_DEPTH);
	from = self->rig->logged;
	ASSERT_EQ(2, rig_count(self->rig, PTO_DEV_QUEUE_BIND, 0));
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_BIND, from));
	EXPECT_NOTHING_LEFT(self);
	EXPECT_EQ(RIG_QUEUES - 3, fill(self->ctx, ids));
}

/* More often than there are ids. */
TEST_F(streams, refused_again_and_again)
{
	const struct rig_rule no = { .opcode = PTO_DEV_QUEUE_BIND, .status = PTO_DEV_NOMEM };
	uint32_t id;
	int i;

	rig_rule(self->rig, &no);
	for (i = 0; i < UINT16_MAX + 10; i++)
		ASSERT_EQ(-ENOMEM, create(self->ctx, &id));
	rig_no_rules(self->rig);
	EXPECT_EQ(0, create(self->ctx, &id));
}

/* Whatever was done with it, a stream that is destroyed is gone. */
TEST_F(streams, used_and_destroyed)
{
	struct pto_run_entry entry = { 0 };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	struct pto_ioc_stream_wait join = { .size = sizeof(join), .timeout_ns = PTO_WAIT_FOREVER };
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_bo_create bo;
	int i;

	ASSERT_EQ(0, rig_ready(self->ctx, &bo));
	for (i = 0; i < 2 * RIG_QUEUES; i++) {
		ASSERT_EQ(0, create(self->ctx, &run.stream));
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_RUN, &run));
		ASSERT_EQ(0, rig_wait(self->ctx, run.first_id, PTO_WAIT_FOREVER, &wait));
		join.id = run.stream;
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_WAIT, &join));
		ASSERT_EQ(0, destroy(self->ctx, run.stream));
		ASSERT_EQ(-ENOENT, rig_ioctl(self->ctx, PTO_RUN, &run));
		ASSERT_EQ(-ENOENT, rig_wait(self->ctx, run.first_id, 0, &wait));
		ASSERT_EQ(-ENOENT, rig_ioctl(self->ctx, PTO_STREAM_WAIT, &join));
		self->stats.streams_created++;
	}
	EXPECT_NOTHING_LEFT(self);
}

/* A device that has more queues than a context may have streams. */
TEST(as_many_as_are_said)
{
	struct pto_device_info info;
	struct pto_ioc_query query = {
		.size = sizeof(query), .item = PTO_QUERY_DEVICE,
		.data_ptr = (uintptr_t)&info, .data_size = sizeof(info),
	};
	struct rig *rig = rig_new();
	uint32_t ids[RIG_QUEUES_MAX];
	struct pto_ctx *ctx;
	uint32_t n = 0, id;
	int err = 0;

	rig->ident->heap_offset += (RIG_QUEUES_MAX - RIG_QUEUES) * rig->ident->queue_stride;
	rig->ident->queue_count = RIG_QUEUES_MAX;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	ASSERT_EQ(0, rig_ioctl(ctx, PTO_QUERY, &query));
	EXPECT_GT(RIG_QUEUES_MAX - 2, info.max_streams);
	/* One of them is there from the beginning. */
	for (n = 1; n < RIG_QUEUES_MAX && !err; n += !err)
		err = create(ctx, &ids[n]);
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_EQ(info.max_streams, n);
	ASSERT_EQ(0, destroy(ctx, ids[1]));
	EXPECT_EQ(0, create(ctx, &id));
	EXPECT_EQ(-ENOSPC, create(ctx, &id));
	rig_close(ctx);
	rig_free(rig);
}

TEST_HARNESS_MAIN
