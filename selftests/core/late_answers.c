// SPDX-License-Identifier: GPL-2.0
/*
 * A device that is slow, or stands still for a while, is not a dead one: calls fail, the device
 * stays in service, and what it has not given up yet is kept until it has.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "ptotest.h"
#include "rig.h"

#define ADMIN	0	/* the queue pair of admin commands */

FIXTURE(late) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	uint32_t control;
	uint64_t memory_used;
	long memory;
};

static uint64_t memory_used(struct pto_ctx *ctx)
{
	struct pto_device_usage usage = { 0 };

	return rig_usage(ctx, &usage) ? ~0ULL : usage.memory_used;
}

FIXTURE_SETUP(late)
{
	struct pto_dev_cmd_queue create;

	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
	memcpy(&create, &rig_last(self->rig, PTO_DEV_CTX_CREATE)->cmd, sizeof(create));
	self->control = create.queue;
	self->memory_used = memory_used(self->ctx);
}

FIXTURE_TEARDOWN(late)
{
	self->rig->held = 0;
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* The device goes on where it stopped, and says so if it was asked to. */
static void wake_up(struct rig *rig, uint32_t queue)
{
	rig->held &= ~(1u << queue);
	rig_release(rig, queue, RIG_DEPTH);
	rig_interrupt(rig);
	rig_settle();
}

TEST_F(late, open_fails_and_the_device_stays)
{
	struct pto_device_usage before, after;
	struct pto_ctx *other[RIG_CONTEXTS];
	int i;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->held = 1u << ADMIN;
	EXPECT_EQ(-ETIMEDOUT, rig_open(self->rig, &other[0]));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(1, after.contexts);
	wake_up(self->rig, ADMIN);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.streams, after.streams);
	/* All of its contexts can be had. */
	for (i = 0; i < RIG_CONTEXTS - 1; i++)
		ASSERT_EQ(0, rig_open(self->rig, &other[i]));
	EXPECT_EQ(-ENOSPC, rig_open(self->rig, &other[i]));
	while (i--)
		rig_close(other[i]);
}

/* What takes long, but not too long, is waited for. */
TEST_F(late, open_that_takes_its_time)
{
	const struct rig_rule create = { .opcode = PTO_DEV_CTX_CREATE, .late_ns = 9 * RIG_SECOND };
	const struct rig_rule bind = { .opcode = PTO_DEV_QUEUE_BIND, .late_ns = 9 * RIG_SECOND };
	uint64_t begin = rig_now();
	struct pto_ctx *other;

	rig_rule(self->rig, &create);
	rig_rule(self->rig, &bind);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_LE(begin + 18 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 19 * RIG_SECOND, rig_now());
	rig_close(other);
}

/* One that was made after all, and one that was not. */
static void no_room(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_NOSPACE;
}

static void unknown(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
}

/* CTX_CREATE was refused, so the refusal of CTX_DESTROY says nothing. */
static void neither(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	no_room(rig, queue, cqe);
	rig->opcode = PTO_DEV_CTX_DESTROY;
	rig->spoil = unknown;
}

TEST_F(late, open_that_is_refused_late)
{
	struct pto_ctx *other[RIG_CONTEXTS - 1];
	int i;

	self->rig->held = 1u << ADMIN;
	EXPECT_EQ(-ETIMEDOUT, rig_open(self->rig, &other[0]));
	self->rig->opcode = PTO_DEV_CTX_CREATE;
	self->rig->spoil = neither;
	wake_up(self->rig, ADMIN);
	self->rig->spoil = NULL;
	/* Nothing was set aside: its number and its queues are free. */
	for (i = 0; i < RIG_CONTEXTS - 1; i++)
		ASSERT_EQ(0, rig_open(self->rig, &other[i]));
	while (i--)
		rig_close(other[i]);
	EXPECT_EQ(self->memory_used, memory_used(self->ctx));
}

/* More of them than the admin queue has room for. */
TEST_F(late, more_opens_than_the_queue_takes)
{
	struct pto_ctx *other;
	int i, err = 0;

	self->rig->held = 1u << ADMIN;
	for (i = 0; i < RIG_DEPTH; i++) {
		err = rig_open(self->rig, &other);
		ASSERT_NE(0, err);
		if (err == -ENOSPC)
			break;
		EXPECT_EQ(-ETIMEDOUT, err);
	}
	/* Numbers of contexts are short before queue entries are. */
	EXPECT_EQ(RIG_CONTEXTS - 1, i);
	EXPECT_EQ(-ENOSPC, err);
	wake_up(self->rig, ADMIN);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	rig_close(other);
}

/* Memory of a context that the device has not given up is not given to anybody else. */
TEST_F(late, close_keeps_memory_until_the_device_answers)
{
	struct pto_ioc_bo_create bo;
	struct pto_ctx *other;
	uint64_t used;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	self->rig->held = 1u << ADMIN;
	used = memory_used(other);
	self->rig->cleared = 0;
	rig_close(self->ctx);
	self->ctx = other;
	EXPECT_EQ(used, memory_used(other));
	EXPECT_EQ(0, self->rig->cleared);
	ASSERT_EQ(0, rig_bo(other, 4096, &bo));
	EXPECT_TRUE(bo.device_addr < self->bo.device_addr ||
		    bo.device_addr >= self->bo.device_addr + 12288);
	ASSERT_EQ(0, rig_bo_destroy(other, bo.id));
	wake_up(self->rig, ADMIN);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_LT(memory_used(other), used - 12288);
	EXPECT_LT(12288, self->rig->cleared);
}

/* One bound for all runs, however many there are and although they end one by one. */
TEST_F(late, close_aborts_what_takes_long)
{
	const struct rig_rule slow = { .opcode = PTO_DEV_RUN, .late_ns = 3 * RIG_SECOND / 2 };
	uint64_t begin, id;
	int i;

	rig_rule(self->rig, &slow);
	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	begin = rig_now();
	rig_close(self->ctx);
	self->ctx = NULL;
	EXPECT_LE(begin + 2 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 2 * RIG_SECOND + RIG_SECOND / 100, rig_now());
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
}

/* What ends in time is not aborted. */
TEST_F(late, close_waits_for_what_does_not)
{
	const struct rig_rule slow = { .opcode = PTO_DEV_RUN, .late_ns = RIG_SECOND / 2 };
	uint64_t begin, id;
	int i;

	rig_rule(self->rig, &slow);
	begin = rig_now();
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	rig_close(self->ctx);
	self->ctx = NULL;
	EXPECT_LE(begin + 3 * RIG_SECOND / 2, rig_now());
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(3, rig_count(self->rig, PTO_DEV_RUN, 0));
}

static uint32_t new_stream(struct pto_ctx *ctx)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &arg);

	return err ? (uint32_t)err : arg.id;
}

static int reset(struct pto_ctx *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return rig_ioctl(ctx, PTO_CTX_RESET, &arg);
}

/* A queue that the device may bind yet is nobody else's. The context is lost, not the device. */
TEST_F(late, stream_that_is_bound_late)
{
	struct pto_context_stats stats;
	uint32_t id;
	uint64_t run;

	self->rig->held = 1u << ADMIN;
	EXPECT_EQ((uint32_t)-ETIMEDOUT, new_stream(self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
	EXPECT_EQ((uint32_t)-EIO, new_stream(self->ctx));
	EXPECT_EQ(-ETIMEDOUT, reset(self->ctx));
	wake_up(self->rig, ADMIN);
	EXPECT_EQ(0, reset(self->ctx));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &run));
	id = new_stream(self->ctx);
	EXPECT_LT(0, (int)id);
}

/* Who polls is told that the context is lost, although nothing comes from the device. */
TEST_F(late, who_polls_when_it_is_lost)
{
	unsigned int wakes;

	inside_polls(self->ctx);
	wakes = inside_polls_woken();
	self->rig->held = 1u << ADMIN;
	EXPECT_EQ((uint32_t)-ETIMEDOUT, new_stream(self->ctx));
	EXPECT_LT(wakes, inside_polls_woken());
	EXPECT_TRUE(rig_poll(self->ctx) & POLLERR);
	inside_polls_no_more(self->ctx);
}

/* Its answers come one by one, and each is asked for. */
TEST_F(late, answers_that_come_apart)
{
	struct pto_device_usage before, after;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->held = 1u << ADMIN;
	EXPECT_EQ(-ETIMEDOUT, rig_open(self->rig, &other));
	rig_release(self->rig, ADMIN, 1);
	rig_advance(1);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	rig_release(self->rig, ADMIN, 1);
	rig_advance(1);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.streams, after.streams);
}

/* No interrupt comes: who takes an answer that nobody waits for any more sees to it. */
TEST_F(late, answer_that_another_takes)
{
	struct pto_device_usage before, after;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->held = 1u << ADMIN;
	EXPECT_EQ(-ETIMEDOUT, rig_open(self->rig, &other));
	rig_settle();
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	self->rig->held = 0;
	EXPECT_LT(0, (int)new_stream(self->ctx));
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.streams + 1, after.streams);
}

static int prewarm(struct pto_ctx *ctx, uint64_t heap)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { heap } };

	return rig_ioctl(ctx, PTO_PREWARM, &arg);
}

/* The device may write to an image for as long as it has not answered. */
TEST_F(late, arena_image_that_is_built_late)
{
	struct pto_context_stats stats;

	self->rig->held = 1u << ADMIN;
	EXPECT_EQ(-ETIMEDOUT, prewarm(self->ctx, 2048));
	EXPECT_LT(self->memory_used, memory_used(self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
	wake_up(self->rig, ADMIN);
	EXPECT_EQ(self->memory_used, memory_used(self->ctx));
	EXPECT_EQ(0, prewarm(self->ctx, 2048));
}

/* What does not want to wait does not, and what only reads sends nothing. */
TEST_F(late, calls_that_do_not_block)
{
	struct pto_context_stats stats;
	struct pto_ioc_wait wait = { 0 };
	uint32_t tail;
	uint64_t id;

	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	self->rig->held = 1u << self->control;
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	rig_settle();
	tail = rig_queue(self->rig, self->control)->sq_tail;
	EXPECT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(self->bo.length, stats.bo_bytes);
	EXPECT_LE(self->memory_used, memory_used(self->ctx) + 4096);
	EXPECT_EQ(0, rig_poll(self->ctx));
	EXPECT_EQ(tail, rig_queue(self->rig, self->control)->sq_tail);
	wake_up(self->rig, self->control);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_bytes);
}

/* --- the heartbeat -------------------------------------------------------------- */

static uint32_t state(struct pto_ctx *ctx)
{
	struct pto_context_stats stats = { 0 };

	return rig_stats(ctx, &stats) ? ~0U : stats.state;
}

/* The home's watch, once a second. */
static void watch(struct rig *rig, unsigned int seconds)
{
	while (seconds--) {
		rig_advance(RIG_SECOND);
		rig_watch(rig);
	}
}

TEST_F(late, heartbeat_that_stops)
{
	rig_watch(self->rig);
	watch(self->rig, 100);
	self->rig->no_pulse = true;
	watch(self->rig, 59);
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
	watch(self->rig, 2);
	EXPECT_EQ(PTO_CTX_GONE, state(self->ctx));
	EXPECT_EQ(-ENODEV, reset(self->ctx));
}

/* A device that stood still for less than the bound is as good as ever. */
TEST_F(late, heartbeat_that_pauses)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int i;

	for (i = 0; i < 3; i++) {
		self->rig->no_pulse = true;
		watch(self->rig, 50);
		self->rig->no_pulse = false;
		watch(self->rig, 2);
	}
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
	EXPECT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
}

/* That nobody looked for long says nothing: it may have begun to stand still just now. */
TEST_F(late, heartbeat_that_nobody_watched)
{
	rig_watch(self->rig);
	self->rig->no_pulse = true;
	rig_advance(1000 * RIG_SECOND);
	rig_watch(self->rig);
	rig_watch(self->rig);
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
}

TEST_F(late, heartbeat_that_nobody_wants)
{
	rig_bounds(2000, 10000, 0);
	self->rig->no_pulse = true;
	watch(self->rig, 1000);
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
}

/* Whoever waits looks himself. */
TEST_F(late, heartbeat_of_who_waits)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t begin = rig_now(), id;

	self->rig->held = 1u << self->stream;
	self->rig->no_pulse = true;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(-ENODEV, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_LE(begin + 60 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 63 * RIG_SECOND, rig_now());
}

TEST_HARNESS_MAIN
