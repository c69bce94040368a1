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
	struct pto_stream_create arg = { .size = sizeof(arg) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &arg);

	*id = arg.id;
	return err;
}

static int destroy(struct pto_ctx *ctx, uint32_t id)
{
	struct pto_stream_destroy arg = { .size = sizeof(arg), .id = id };

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
	static const struct pto_stream_create arg = { .size = sizeof(arg) };
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
	struct pto_ctx_reset reset = { .size = sizeof(reset) };
	uint32_t ids[RIG_QUEUES], queue;
	struct pto_context_stats stats;
	struct pto_ctx *other;
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
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	rig_close(other);
}

TEST_HARNESS_MAIN
