// SPDX-License-Identifier: GPL-2.0
/*
 * A device that takes its time or says no, and a transport that fails: on virtual time, so that
 * what is a matter of time is exact, and takes none.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

FIXTURE(slow) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	long memory;
};

FIXTURE_SETUP(slow)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
}

FIXTURE_TEARDOWN(slow)
{
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* Between two times, with a little for the looks at the clock that were taken. */
#define EXPECT_PASSED(ns, since) do { \
	EXPECT_LE((since) + (ns), rig_now()); \
	EXPECT_GE((since) + (ns) + RIG_SECOND / 100, rig_now()); \
} while (0)

TEST_F(slow, run_ends_when_it_ends)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = 7 * RIG_SECOND };
	uint64_t begin = rig_now(), id;
	struct pto_ioc_wait wait = { 0 };

	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, 0, &wait));
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, begin + RIG_SECOND / 4, &wait));
	EXPECT_PASSED(RIG_SECOND / 4, begin);
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, begin + 5 * RIG_SECOND / 2, &wait));
	EXPECT_PASSED(5 * RIG_SECOND / 2, begin);
	EXPECT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(0, wait.status);
	EXPECT_PASSED(7 * RIG_SECOND, begin);
}

/* Each begins when the one before it has ended. */
TEST_F(slow, latency_of_each_command)
{
	uint64_t begin, id = 0;
	struct pto_ioc_wait wait = { 0 };
	int i;

	self->rig->latency_ns = RIG_SECOND;
	begin = rig_now();
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_PASSED(5 * RIG_SECOND, begin);
	self->rig->latency_ns = 0;
}

/* What no interrupt announced is found all the same: nobody sleeps for more than a second. */
TEST_F(slow, interrupt_is_lost)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = RIG_SECOND };
	struct pto_ioc_wait wait = { 0 };
	uint64_t begin, id;

	rig_rule(self->rig, &late);
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1);
	begin = rig_now();
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_wait(self->ctx, id, begin + 5 * RIG_SECOND, &wait));
	EXPECT_LE(begin + RIG_SECOND, rig_now());
	EXPECT_GE(begin + 2 * RIG_SECOND, rig_now());
	EXPECT_EQ(1, self->rig->calls[RIG_INTERRUPT]);
	EXPECT_EQ(0, self->rig->interrupts);
}

TEST_F(slow, doorbell_is_lost)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t lost, next;

	rig_fail(self->rig, RIG_KICK, 0, 1);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &lost));
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, lost, 0, &wait));
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &next));
	EXPECT_EQ(0, rig_wait(self->ctx, lost, 0, &wait));
	EXPECT_EQ(0, rig_wait(self->ctx, next, 0, &wait));
}

TEST_F(slow, mapping_fails)
{
	struct pto_device_usage before, after;
	struct pto_ctx *other;
	int i;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	/* The control queue's pair, or the stream's. */
	for (i = 0; i < 4 * RIG_QUEUES; i++) {
		rig_fail(self->rig, RIG_MAP, i % 2, 1);
		EXPECT_EQ(-ENOMEM, rig_open(self->rig, &other));
	}
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.contexts, after.contexts);
	EXPECT_EQ(before.streams, after.streams);
	EXPECT_EQ(before.memory_used, after.memory_used);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	rig_close(other);
}

TEST_F(slow, access_fails)
{
	struct pto_device_usage before, after;
	uint32_t image;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	rig_fail(self->rig, RIG_ACCESS, 0, 1);
	EXPECT_NE(0, rig_image(self->ctx, "another orchestration", &image));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.memory_used, after.memory_used);
	EXPECT_EQ(before.images, after.images);
	EXPECT_EQ(0, rig_image(self->ctx, "another orchestration", &image));
}

/* A refusal is for the command it is for. */
TEST_F(slow, refusals_by_count)
{
	const struct rig_rule no = {
		.opcode = PTO_DEV_MAP, .skip = 1, .times = 2, .status = PTO_DEV_NOMEM,
	};
	struct pto_ioc_bo_create bo;

	rig_rule(self->rig, &no);
	EXPECT_EQ(0, rig_bo(self->ctx, 4096, &bo));
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx, 4096, &bo));
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx, 4096, &bo));
	EXPECT_EQ(0, rig_bo(self->ctx, 4096, &bo));
}

/* The queue stops, the others do not. */
TEST_F(slow, silent_queue)
{
	const struct rig_rule silent = { .opcode = PTO_DEV_RUN, .skip = 1, .silent = true };
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_bo_create bo;
	uint64_t first, second;

	rig_rule(self->rig, &silent);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &first));
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &second));
	EXPECT_EQ(0, rig_wait(self->ctx, first, 0, &wait));
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, second, rig_now() + RIG_SECOND, &wait));
	EXPECT_EQ(0, rig_bo(self->ctx, 4096, &bo));
	self->rig->held = 0;
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, rig_wait(self->ctx, second, 0, &wait));
}

struct sleeper {
	struct pto_ctx *ctx;
	uint64_t id;
	uint64_t timeout;
	uint64_t until;
	int result;
};

static void sleeps(void *arg)
{
	struct sleeper *s = arg;
	struct pto_ioc_wait wait = { 0 };

	s->result = rig_wait(s->ctx, s->id, s->timeout, &wait);
	s->until = rig_now();
}

/* Everybody is woken at his own time. */
TEST_F(slow, three_who_sleep)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = 4 * RIG_SECOND };
	uint64_t begin = rig_now(), ids[3];
	struct rig_thread threads[3];
	struct sleeper s[3];
	int i;

	rig_rule(self->rig, &late);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &ids[i]));
	s[0] = (struct sleeper){ self->ctx, ids[0], PTO_WAIT_FOREVER, 0, 1 };
	s[1] = (struct sleeper){ self->ctx, ids[1], begin + 3 * RIG_SECOND, 0, 1 };
	s[2] = (struct sleeper){ self->ctx, ids[2], begin + 90 * RIG_SECOND, 0, 1 };
	for (i = 0; i < 3; i++)
		rig_thread(&threads[i], sleeps, &s[i]);
	for (i = 0; i < 3; i++)
		rig_join(&threads[i]);
	EXPECT_EQ(0, s[0].result);
	EXPECT_EQ(-ETIMEDOUT, s[1].result);
	EXPECT_EQ(0, s[2].result);
	EXPECT_EQ(4, (s[0].until - begin) / RIG_SECOND);
	EXPECT_EQ(3, (s[1].until - begin) / RIG_SECOND);
	EXPECT_EQ(12, (s[2].until - begin) / RIG_SECOND);
}

TEST_HARNESS_MAIN
