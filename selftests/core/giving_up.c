// SPDX-License-Identifier: GPL-2.0
/*
 * What is given up: it waits for the runs that may use it and for no others, for the device's
 * answer, and whoever is short of what is about to come back waits for it. On virtual time.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE	4096u
#define SOON	(RIG_SECOND / 100)
#define LARGE	(5u << 20)	/* there is room for one */

FIXTURE(given) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	long memory;
};

FIXTURE_SETUP(given)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
}

FIXTURE_TEARDOWN(given)
{
	self->rig->held = 0;
	rig_no_rules(self->rig);
	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static uint32_t state(struct pto_ctx *ctx)
{
	struct pto_context_stats stats = { 0 };

	return rig_stats(ctx, &stats) ? ~0U : stats.state;
}

/* The runs of two streams: the oldest counts, and later ones are nobody's business. */
TEST_F(given, oldest_run_of_all_streams)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_bo_create second;
	uint64_t before, after;
	uint32_t queue;

	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &second));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
	queue = rig_last_bound(self->rig);
	self->rig->held = (1u << self->stream) | (1u << queue);
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &before));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	ASSERT_EQ(0, rig_run_on(self->ctx, create.id, &after));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, second.id));
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	EXPECT_EQ(0, rig_queue(self->rig, queue)->cq_flags);
	rig_release(self->rig, self->stream, 1);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	rig_release(self->rig, queue, 1);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_UNMAP, 0));
}

/* Of a stream's runs the oldest counts, not the latest. */
TEST_F(given, oldest_run_of_a_stream)
{
	struct pto_ioc_bo_create second;
	uint64_t id;

	ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &second));
	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	ASSERT_EQ(0, rig_run(self->ctx, 0, second.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, second.id));
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	rig_release(self->rig, self->stream, 1);
	rig_advance(1);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	rig_release(self->rig, self->stream, 1);
	rig_advance(1);
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_UNMAP, 0));
}

/* A device that answers at once need not say so: what there is room for then goes as well. */
TEST_F(given, more_than_there_is_room_for_without_interrupts)
{
	struct pto_context_stats stats;
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_bo_create bo;
	uint64_t id;
	int i;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	for (i = 0; i < 3 * RIG_DEPTH; i++) {
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	}
	rig_settle();
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	rig_release(self->rig, self->stream, 1);
	ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	rig_settle();
	EXPECT_EQ(3 * RIG_DEPTH, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(3 * PAGE, stats.bo_bytes);
}

/* More of it than the control queue has room for, and nobody calls the driver meanwhile. */
TEST_F(given, more_than_there_is_room_for)
{
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo;
	uint64_t id;
	int i;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	for (i = 0; i < 3 * RIG_DEPTH; i++) {
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	}
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	rig_release(self->rig, self->stream, 1);
	rig_interrupt(self->rig);
	rig_advance(1);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(3 * PAGE, stats.bo_bytes);
}

static const struct {
	uint32_t status;
	uint32_t state;
} unloads[] = {
	{ PTO_DEV_OK, PTO_CTX_OK },
	{ PTO_DEV_TIMEOUT, PTO_CTX_OK },
	{ PTO_DEV_INVALID, PTO_CTX_OK },
	{ PTO_DEV_NOMEM, PTO_CTX_LOST },
};

/* An UNLOAD that took long has freed the handle, and one of nothing has nothing to free. */
TEST_F(given, unloads)
{
	size_t i;

	for (i = 0; i < sizeof(unloads) / sizeof(unloads[0]); i++) {
		const struct rig_rule rule = {
			.opcode = PTO_DEV_UNLOAD, .times = 1, .status = unloads[i].status,
		};

		rig_rule(self->rig, &rule);
		ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
		rig_settle();
		rig_advance(1);
		EXPECT_EQ(unloads[i].state, state(self->ctx)) {
			TH_LOG("status %u", unloads[i].status);
		}
		rig_no_rules(self->rig);
		if (unloads[i].state == PTO_CTX_OK)
			ASSERT_EQ(0, rig_prepare(self->ctx, 0, 1));
	}
}

/* --- who is short of it ------------------------------------------------------------- */

/* The device takes its time to give it back. */
TEST_F(given, memory_that_is_about_to_come_back)
{
	const struct rig_rule late = { .opcode = PTO_DEV_UNMAP, .late_ns = RIG_SECOND / 2 };
	struct pto_ioc_bo_create bo;
	uint64_t begin;

	ASSERT_EQ(0, rig_bo(self->ctx, LARGE, &bo));
	begin = rig_now();
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx, LARGE, &bo));
	EXPECT_GE(begin + SOON, rig_now());
	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, 2));
	EXPECT_EQ(0, rig_bo(self->ctx, LARGE, &bo));
	EXPECT_LE(begin + RIG_SECOND / 2, rig_now());
	EXPECT_GE(begin + RIG_SECOND, rig_now());
}

/* No interrupt tells that it is back: who is short of it looks again within a second. */
TEST_F(given, memory_that_comes_back_without_interrupts)
{
	const struct rig_rule late = { .opcode = PTO_DEV_UNMAP, .late_ns = RIG_SECOND / 2 };
	struct pto_ioc_bo_create bo;
	uint64_t begin;

	ASSERT_EQ(0, rig_bo(self->ctx, LARGE, &bo));
	begin = rig_now();
	rig_rule(self->rig, &late);
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, 2));
	EXPECT_EQ(0, rig_bo(self->ctx, LARGE, &bo));
	EXPECT_GE(begin + RIG_SECOND + SOON, rig_now());
}

/* Nobody waits, and no interrupt comes: the home's look finds it. */
TEST_F(given, nobody_waits_and_no_interrupt_comes)
{
	struct pto_context_stats stats;
	uint64_t id;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	rig_release(self->rig, self->stream, 1);
	rig_advance(1);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	rig_watch(self->rig);
	rig_advance(1);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_bytes);
}

/* A run has it for as long as it takes: that is not waited for. */
TEST_F(given, memory_that_a_run_uses)
{
	struct pto_ioc_bo_create bo;
	uint64_t begin, id;

	ASSERT_EQ(0, rig_bo(self->ctx, LARGE, &bo));
	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, bo.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	rig_settle();
	begin = rig_now();
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx, LARGE, &bo));
	EXPECT_GE(begin + SOON, rig_now());
}

/* The device is short of something, as @full says, while a buffer of it is being given up. */
static void give_back_late(struct __test_metadata *_metadata, FIXTURE_DATA(given) *self,
			   const struct rig_rule *full)
{
	const struct rig_rule late = { .opcode = PTO_DEV_UNMAP, .late_ns = RIG_SECOND / 2 };

	rig_rule(self->rig, &late);
	rig_rule(self->rig, full);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
}

/* The device is short of something that is about to come back to it; and then it is not. */
TEST_F(given, room_on_the_device)
{
	const struct rig_rule full = {
		.opcode = PTO_DEV_MAP, .times = 1, .status = PTO_DEV_NOSPACE,
	};
	unsigned int from = self->rig->logged;
	struct pto_ioc_bo_create bo;

	give_back_late(_metadata, self, &full);
	/* It is on its way, and late: so it is still missed when there is no room. */
	rig_settle();
	EXPECT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_MAP, from));
	rig_no_rules(self->rig);
	rig_settle();
	rig_rule(self->rig, &full);
	from = self->rig->logged;
	EXPECT_EQ(-ENOSPC, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_MAP, from));
}

/*
 * The device says that it is short of something when that has come back meanwhile: nothing waits
 * to be freed any more, and it is worth trying again all the same.
 */
TEST_F(given, room_that_came_back_before_the_answer)
{
	const struct rig_rule full = {
		.opcode = PTO_DEV_MAP, .times = 1, .status = PTO_DEV_NOSPACE,
		.late_ns = RIG_SECOND,
	};
	unsigned int from = self->rig->logged;
	struct pto_ioc_bo_create bo;

	give_back_late(_metadata, self, &full);
	rig_settle();
	EXPECT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_MAP, from));
}

/* The same with a callable: LOAD is tried again in another place. */
TEST_F(given, room_for_a_callable)
{
	const struct rig_rule full = {
		.opcode = PTO_DEV_LOAD, .times = 1, .status = PTO_DEV_NOMEM,
		.late_ns = RIG_SECOND,
	};
	unsigned int from = self->rig->logged;

	give_back_late(_metadata, self, &full);
	rig_settle();
	EXPECT_EQ(0, rig_prepare(self->ctx, 1, 1));
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_LOAD, from));
}

TEST_HARNESS_MAIN
