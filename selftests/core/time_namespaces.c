// SPDX-License-Identifier: GPL-2.0
/*
 * Callers and devices whose clock is not the driver's: deadlines are meant, and results are told,
 * by the caller's clock. On virtual time, so that what comes out is exact.
 */
#include <errno.h>

#include "harness.h"
#include "rig.h"

#define NEVER	PTO_WAIT_FOREVER
#define START	7777	/* what the device has on its clock, after RIG_START_NS */
#define END	8888

FIXTURE(clock) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	int64_t ahead;
	long memory;
};

FIXTURE_VARIANT(clock) {
	int64_t ahead;
	int64_t device_ahead;
};

FIXTURE_VARIANT_ADD(clock, same) { 0, 0 };
FIXTURE_VARIANT_ADD(clock, caller_ahead) { 1000 * (int64_t)RIG_SECOND + 1, 0 };
FIXTURE_VARIANT_ADD(clock, caller_behind) { -999 * (int64_t)RIG_SECOND - 1, 0 };
FIXTURE_VARIANT_ADD(clock, device_ahead) { 0, 500 * (int64_t)RIG_SECOND + 1 };
FIXTURE_VARIANT_ADD(clock, device_behind) { 3, -500 * (int64_t)RIG_SECOND - 1 };
FIXTURE_VARIANT_ADD(clock, both_ahead) { 5 * (int64_t)RIG_SECOND, 5 * (int64_t)RIG_SECOND };

static int64_t device_ahead;

/* By its own clock. */
static void stamp(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->start_ns = RIG_START_NS + START + (uint64_t)device_ahead;
	cqe->end_ns = RIG_START_NS + END + (uint64_t)device_ahead;
}

static void never_began(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->start_ns = 0;
	cqe->end_ns = 0;
}

FIXTURE_SETUP(clock)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	self->ahead = variant->ahead;
	device_ahead = variant->device_ahead;
	self->rig->clock_ns = device_ahead;
	rig_virtual_time(self->rig, 1);
	rig_callers_ahead(self->ahead);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
}

FIXTURE_TEARDOWN(clock)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* What the caller's clock says. */
static uint64_t callers_now(int64_t ahead)
{
	return rig_now() + (uint64_t)ahead;
}

static int stream_wait(struct pto_ctx *ctx, uint64_t timeout_ns)
{
	struct pto_ioc_stream_wait arg = {
		.size = sizeof(arg),
		.id = PTO_STREAM_DEFAULT,
		.timeout_ns = timeout_ns,
	};

	return rig_ioctl(ctx, PTO_STREAM_WAIT, &arg);
}

/* Between two times, with a little for the looks at the clock that were taken. */
#define EXPECT_PASSED(ns, since) do { \
	EXPECT_LE((since) + (ns), rig_now()); \
	EXPECT_GE((since) + (ns) + RIG_SECOND / 100, rig_now()); \
} while (0)

TEST_F(clock, deadlines)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t begin, id;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	begin = rig_now();
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, callers_now(self->ahead) + 300000000, &wait));
	EXPECT_PASSED(300000000, begin);
	begin = rig_now();
	EXPECT_EQ(-ETIMEDOUT, stream_wait(self->ctx, callers_now(self->ahead) + 300000000));
	EXPECT_PASSED(300000000, begin);
	self->rig->held = 0;
	rig_release(self->rig, self->stream, RIG_DEPTH);
	EXPECT_EQ(0, rig_wait(self->ctx, id, callers_now(self->ahead) + RIG_SECOND, &wait));
}

/* What has passed has passed; none of them is so far back that it is ahead. */
TEST_F(clock, deadlines_in_the_past)
{
	const uint64_t past[] = { 0, 1, RIG_SECOND, callers_now(self->ahead) - 1 };
	struct pto_ioc_wait wait = { 0 };
	uint64_t begin = rig_now(), id;
	unsigned int i;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	for (i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
		EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, past[i], &wait));
		EXPECT_EQ(-ETIMEDOUT, stream_wait(self->ctx, past[i]));
	}
	EXPECT_PASSED(0, begin);
	self->rig->held = 0;
	rig_release(self->rig, self->stream, RIG_DEPTH);
}

/* Nor is one so far ahead that it has passed. */
TEST_F(clock, deadlines_far_ahead)
{
	const uint64_t far[] = { NEVER, NEVER - 1, NEVER - 2, NEVER - RIG_SECOND, INT64_MAX };
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = RIG_SECOND };
	struct pto_ioc_wait wait = { 0 };
	unsigned int i;
	uint64_t id;

	rig_rule(self->rig, &late);
	for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		EXPECT_EQ(0, rig_wait(self->ctx, id, far[i], &wait));
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		EXPECT_EQ(0, stream_wait(self->ctx, far[i]));
	}
}

TEST_F(clock, results)
{
	const struct rig_rule stamped = { .opcode = PTO_DEV_RUN, .spoil = stamp };
	struct pto_ioc_wait wait = { 0 };
	uint64_t before, id;

	rig_rule(self->rig, &stamped);
	before = callers_now(self->ahead);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, NEVER, &wait));
	EXPECT_LE(before, wait.submit_ns);
	EXPECT_GE(callers_now(self->ahead), wait.submit_ns);
	EXPECT_EQ(RIG_START_NS + START + (uint64_t)self->ahead, wait.start_ns);
	EXPECT_EQ(RIG_START_NS + END + (uint64_t)self->ahead, wait.end_ns);
}

/* No time is no time by any clock. */
TEST_F(clock, no_results)
{
	const struct rig_rule unbegun = { .opcode = PTO_DEV_RUN, .spoil = never_began };
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	rig_rule(self->rig, &unbegun);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, NEVER, &wait));
	EXPECT_EQ(0, wait.start_ns);
	EXPECT_EQ(0, wait.end_ns);
}

TEST_HARNESS_MAIN
