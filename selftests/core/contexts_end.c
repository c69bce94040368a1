// SPDX-License-Identifier: GPL-2.0
/*
 * The end of contexts: how long a close waits, for what, and what becomes of a context that the
 * device does not give up at once. On virtual time.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "ptotest.h"
#include "rig.h"

#define ADMIN	0
#define PAGE	4096u
#define SOON	(RIG_SECOND / 100)
#define IMAGE	(2 * PAGE)	/* an arena image with its plan */

FIXTURE(ends) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ctx *other;
	struct pto_ioc_bo_create bo;
	struct pto_device_usage usage;
	uint32_t stream;
	uint32_t control;
	long memory;
};

/* Of the three that the device has two are open. */
FIXTURE_SETUP(ends)
{
	struct pto_dev_cmd_queue create;

	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->other));
	/* What a context leaves behind: an arena image for the next one. */
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	rig_close(self->ctx);
	ASSERT_EQ(0, rig_usage(self->other, &self->usage));
	self->rig->logged = 0;
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
	memcpy(&create, &rig_last(self->rig, PTO_DEV_CTX_CREATE)->cmd, sizeof(create));
	self->control = create.queue;
}

FIXTURE_TEARDOWN(ends)
{
	self->rig->held = 0;
	rig_no_rules(self->rig);
	EXPECT_EQ(0, rig_early(self->rig));
	if (self->ctx)
		rig_close(self->ctx);
	rig_close(self->other);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static void close_ctx(FIXTURE_DATA(ends) *self)
{
	rig_close(self->ctx);
	self->ctx = NULL;
}

static void wake_up(struct rig *rig, uint32_t queue)
{
	rig->held &= ~(1u << queue);
	rig_release(rig, queue, RIG_DEPTH);
	rig_interrupt(rig);
	rig_settle();
}

static uint32_t new_stream(struct pto_ctx *ctx)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };

	return rig_ioctl(ctx, PTO_STREAM_CREATE, &arg) ? 0 : arg.id;
}

static uint64_t memory_used(struct pto_ctx *ctx)
{
	struct pto_device_usage usage = { 0 };

	return rig_usage(ctx, &usage) ? ~0ULL : usage.memory_used;
}

#define EXPECT_ALL_BACK(self) do { \
	struct pto_device_usage usage_ = { 0 }; \
	ASSERT_EQ(0, rig_usage((self)->other, &usage_)); \
	EXPECT_EQ((self)->usage.contexts, usage_.contexts); \
	EXPECT_EQ((self)->usage.streams, usage_.streams); \
	EXPECT_EQ((self)->usage.memory_used, usage_.memory_used); \
} while (0)

/* --- how long a close takes ------------------------------------------------------- */

/* A close that the device lets end has ended all when it returns. */
TEST_F(ends, close_waits_for_the_device)
{
	const struct rig_rule late = { .opcode = PTO_DEV_CTX_DESTROY, .late_ns = RIG_SECOND / 2 };
	uint64_t begin = rig_now();

	rig_rule(self->rig, &late);
	close_ctx(self);
	EXPECT_LE(begin + RIG_SECOND / 2, rig_now());
	EXPECT_GE(begin + RIG_SECOND / 2 + SOON, rig_now());
	EXPECT_EQ(self->usage.memory_used, memory_used(self->other));
}

/* The runs of all streams end by themselves, if it does not take long. */
TEST_F(ends, all_streams_may_finish)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = RIG_SECOND / 2 };
	uint32_t stream = new_stream(self->ctx);
	uint64_t id;
	int i;

	ASSERT_NE(0, stream);
	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rig_run_on(self->ctx, stream, &id));
	close_ctx(self);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(4, rig_count(self->rig, PTO_DEV_RUN, 0));
}

/* One bound for all streams. */
TEST_F(ends, streams_that_take_long)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = 100 * RIG_SECOND };
	uint32_t stream = new_stream(self->ctx);
	uint64_t begin, id;

	ASSERT_NE(0, stream);
	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_run_on(self->ctx, stream, &id));
	begin = rig_now();
	close_ctx(self);
	EXPECT_LE(begin + 2 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 2 * RIG_SECOND + SOON, rig_now());
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
}

/* What a lost context runs is no use to anybody. */
TEST_F(ends, close_of_a_lost_one)
{
	const struct rig_rule late = {
		.opcode = PTO_DEV_RUN, .skip = 1, .late_ns = 100 * RIG_SECOND,
	};
	const struct rig_rule crash = {
		.opcode = PTO_DEV_RUN, .times = 1, .status = PTO_DEV_FAULT,
	};
	uint32_t stream = new_stream(self->ctx);
	struct pto_ioc_wait wait = { 0 };
	uint64_t begin, first, second;

	ASSERT_NE(0, stream);
	rig_rule(self->rig, &crash);
	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &first));
	rig_no_rules(self->rig);
	self->rig->held = ~1u;
	ASSERT_EQ(0, rig_run_on(self->ctx, stream, &second));
	ASSERT_EQ(0, rig_wait(self->ctx, first, 0, &wait));
	ASSERT_EQ(-EIO, wait.status);
	begin = rig_now();
	close_ctx(self);
	EXPECT_GE(begin + SOON, rig_now());
}

/* A process that is being killed, and one that only ends. */
TEST_F(ends, close_by_a_process_that_ends)
{
	uint64_t begin, id;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	begin = rig_now();
	inside_exits(true, 9);
	close_ctx(self);
	inside_exits(false, 0);
	EXPECT_GE(begin + SOON, rig_now());
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->rig->held = 1u << rig_last_bound(self->rig);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	begin = rig_now();
	inside_exits(true, 3 << 8);
	close_ctx(self);
	inside_exits(false, 0);
	EXPECT_LE(begin + 2 * RIG_SECOND, rig_now());
}

/*
 * The device has answered nothing yet of what was given up: it goes with the context. An arena
 * that made room for another one is among it.
 */
TEST_F(ends, what_was_on_its_way)
{
	const struct rig_rule silent = { .opcode = PTO_DEV_ARENA_DROP, .silent = true };
	struct pto_ioc_prewarm prewarm;
	int i;

	rig_rule(self->rig, &silent);
	for (i = 0; i < 4; i++) {
		prewarm = (struct pto_ioc_prewarm){
			.size = sizeof(prewarm), .heap = { PAGE + 64 * i },
		};
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREWARM, &prewarm));
	}
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ARENA_DROP, 0));
	EXPECT_TRUE(self->rig->held != 0);
	close_ctx(self);
	/* But for the images of the four configurations, which are idle. */
	self->usage.memory_used += 4 * IMAGE;
	EXPECT_ALL_BACK(self);
}

/* What waits for a run goes when the context has ended. The device is not told of it before. */
TEST_F(ends, what_waits_for_a_run)
{
	const struct rig_rule late = { .opcode = PTO_DEV_CTX_DESTROY, .late_ns = RIG_SECOND / 2 };
	uint64_t id;

	rig_rule(self->rig, &late);
	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	close_ctx(self);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	EXPECT_ALL_BACK(self);
}

/* --- who waits for a context ------------------------------------------------------- */

struct maker {
	struct pto_ctx *ctx;
	int result;
};

static void makes_a_buffer(void *arg)
{
	struct maker *m = arg;
	struct pto_ioc_bo_create bo;

	m->result = rig_bo(m->ctx, 4096, &bo);
}

/* One waits for the device, others until he is done with the context. None waits any longer. */
TEST_F(ends, device_goes_while_some_change_a_context)
{
	struct maker makers[3];
	unsigned int before = rig_count(self->rig, PTO_DEV_MAP, 0);
	struct rig_thread threads[3];
	uint64_t begin = rig_now();
	int i;

	self->rig->held = 1u << self->control;
	for (i = 0; i < 3; i++) {
		makers[i].ctx = self->ctx;
		rig_thread(&threads[i], makes_a_buffer, &makers[i]);
		rig_settle();
		EXPECT_FALSE(threads[i].ended);
	}
	rig_gone(self->rig);
	for (i = 0; i < 3; i++) {
		rig_join(&threads[i]);
		EXPECT_EQ(-ENODEV, makers[i].result);
	}
	EXPECT_EQ(before, rig_count(self->rig, PTO_DEV_MAP, 0));
	EXPECT_GE(begin + SOON, rig_now());
}

/* --- contexts that are about to end ----------------------------------------------- */

struct opener {
	struct rig *rig;
	struct pto_ctx *ctx;
	uint64_t until;
	int result;
};

static void opens(void *arg)
{
	struct opener *o = arg;

	o->result = rig_open(o->rig, &o->ctx);
	o->until = rig_now();
}

/* All contexts are taken, but one of them is about to end. */
TEST_F(ends, open_waits_for_one)
{
	struct opener o = { .rig = self->rig };
	struct pto_ctx *third;
	struct rig_thread thread;

	ASSERT_EQ(0, rig_open(self->rig, &third));
	self->rig->held = 1u << ADMIN;
	close_ctx(self);
	rig_thread(&thread, opens, &o);
	rig_settle();
	EXPECT_FALSE(thread.ended);
	wake_up(self->rig, ADMIN);
	rig_join(&thread);
	ASSERT_EQ(0, o.result);
	rig_close(o.ctx);
	rig_close(third);
	EXPECT_ALL_BACK(self);
}

/* No interrupt tells that it has ended: who waits looks again within a second. */
TEST_F(ends, open_waits_for_one_without_interrupts)
{
	struct opener o = { .rig = self->rig };
	struct pto_ctx *third;
	struct rig_thread thread;
	uint64_t answered;

	ASSERT_EQ(0, rig_open(self->rig, &third));
	self->rig->held = 1u << ADMIN;
	close_ctx(self);
	rig_thread(&thread, opens, &o);
	rig_settle();
	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	wake_up(self->rig, ADMIN);
	EXPECT_FALSE(thread.ended);
	answered = rig_now();
	rig_join(&thread);
	ASSERT_EQ(0, o.result);
	EXPECT_GE(answered + RIG_SECOND + SOON, o.until);
	rig_close(o.ctx);
	rig_close(third);
	EXPECT_ALL_BACK(self);
}

/* The same in vain. Afterwards nobody waits for what has ended. */
TEST_F(ends, open_waits_in_vain)
{
	struct pto_ctx *third, *fourth;
	uint64_t begin;

	ASSERT_EQ(0, rig_open(self->rig, &third));
	self->rig->held = 1u << ADMIN;
	close_ctx(self);
	begin = rig_now();
	EXPECT_EQ(-ENOSPC, rig_open(self->rig, &fourth));
	EXPECT_LE(begin + 10 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 10 * RIG_SECOND + SOON, rig_now());
	wake_up(self->rig, ADMIN);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	begin = rig_now();
	EXPECT_EQ(-ENOSPC, rig_open(self->rig, &fourth));
	EXPECT_GE(begin + SOON, rig_now());
	rig_close(third);
}

/* Both end when the device answers both. */
TEST_F(ends, two_at_once)
{
	struct pto_ctx *third;

	ASSERT_EQ(0, rig_open(self->rig, &third));
	self->rig->held = 1u << ADMIN;
	close_ctx(self);
	rig_close(third);
	wake_up(self->rig, ADMIN);
	EXPECT_ALL_BACK(self);
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
}

/* The device goes before it has answered. */
TEST_F(ends, device_goes_first)
{
	struct pto_ctx *third;

	ASSERT_EQ(0, rig_open(self->rig, &third));
	self->rig->held = 1u << ADMIN;
	close_ctx(self);
	rig_close(third);
	rig_gone(self->rig);
	rig_settle();
}

static const struct {
	uint32_t status;
	int error;
} refusals[] = {
	{ PTO_DEV_INVALID, -EIO },
	{ PTO_DEV_NOEXEC, -EIO },
	{ PTO_DEV_PROGRAM, -EIO },
	{ PTO_DEV_ABORTED, -EIO },
	{ PTO_DEV_UNSUPPORTED, -EIO },
	{ PTO_DEV_NOMEM, -ENOMEM },
	{ PTO_DEV_NOSPACE, -ENOSPC },
};

/* What the device has refused to make is not ended, and is no mistake of the caller's. */
TEST_F(ends, refused)
{
	struct pto_ctx *third;
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct rig_rule rule = {
			.opcode = PTO_DEV_CTX_CREATE, .times = 1, .status = refusals[i].status,
		};

		rig_rule(self->rig, &rule);
		EXPECT_EQ(refusals[i].error, rig_open(self->rig, &third));
		rig_no_rules(self->rig);
	}
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	ASSERT_EQ(0, rig_open(self->rig, &third));
	rig_close(third);
}

/* Nobody is told that the context has ended before all commands for that have been executed. */
TEST_F(ends, in_two_steps)
{
	uint64_t id, used;

	self->rig->held = 1u << ADMIN | 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	used = memory_used(self->other);
	close_ctx(self);
	rig_release(self->rig, ADMIN, 1);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_EQ(used, memory_used(self->other));
	rig_release(self->rig, ADMIN, 1);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_ALL_BACK(self);
}

/* Commands that are not answered, until so many are in the queue. */
static void fill_admin_queue(struct __test_metadata *_metadata, FIXTURE_DATA(ends) *self,
			     unsigned int count)
{
	struct pto_dev_queue *admin = rig_queue(self->rig, ADMIN);
	struct pto_ioc_prewarm prewarm;
	unsigned int i;

	self->rig->held |= 1u << ADMIN;
	for (i = 0; admin->sq_tail - admin->cq_head < count && i <= count; i++) {
		prewarm = (struct pto_ioc_prewarm){
			.size = sizeof(prewarm), .heap = { PAGE + 64 * i },
		};
		EXPECT_EQ(-ETIMEDOUT, rig_ioctl(self->ctx, PTO_PREWARM, &prewarm));
	}
	EXPECT_EQ(count, admin->sq_tail - admin->cq_head);
}

/* There is room for one of the two commands that end it: it gets neither. */
TEST_F(ends, nearly_full_admin_queue)
{
	struct pto_dev_queue *admin = rig_queue(self->rig, ADMIN);
	uint64_t id;

	fill_admin_queue(_metadata, self, RIG_DEPTH - 1);
	self->rig->held |= 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	close_ctx(self);
	EXPECT_EQ(RIG_DEPTH - 1, admin->sq_tail - admin->cq_head);
	wake_up(self->rig, ADMIN);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_ALL_BACK(self);
}

/* There is not even room for the command that ends it. */
TEST_F(ends, full_admin_queue)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };

	fill_admin_queue(_metadata, self, RIG_DEPTH);
	EXPECT_EQ(-ETIMEDOUT, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	close_ctx(self);
	wake_up(self->rig, ADMIN);
	rig_interrupt(self->rig);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	EXPECT_ALL_BACK(self);
}

/* --- who waits -------------------------------------------------------------------- */

struct waiter {
	struct pto_ctx *ctx;
	uint64_t id;
	uint64_t until;
	int result;
};

static void waits(void *arg)
{
	struct waiter *w = arg;
	struct pto_ioc_wait wait = { 0 };

	w->result = rig_wait(w->ctx, w->id, PTO_WAIT_FOREVER, &wait);
	w->until = rig_now();
}

TEST_F(ends, who_sleeps_when_the_device_goes)
{
	struct waiter w = { .ctx = self->ctx };
	struct rig_thread thread;
	uint64_t gone;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &w.id));
	rig_thread(&thread, waits, &w);
	rig_settle();
	gone = rig_now();
	rig_gone(self->rig);
	rig_join(&thread);
	EXPECT_EQ(-ENODEV, w.result);
	EXPECT_GE(gone + SOON, w.until);
}

struct caller {
	struct pto_ctx *ctx;
	uint64_t heap;
	int result;
};

static void makes_buffer(void *arg)
{
	struct caller *c = arg;
	struct pto_ioc_bo_create bo;

	c->result = rig_bo(c->ctx, PAGE, &bo);
}

static void prewarms(void *arg)
{
	struct caller *c = arg;
	struct pto_ioc_prewarm prewarm = { .size = sizeof(prewarm), .heap = { c->heap } };

	c->result = rig_ioctl(c->ctx, PTO_PREWARM, &prewarm);
}

/* One has the context, the other waits for it; what he wants is there, but the device is not. */
TEST_F(ends, who_waits_for_the_context_when_the_device_goes)
{
	struct caller first = { .ctx = self->ctx }, second = { .ctx = self->ctx, .heap = 2048 };
	struct rig_thread threads[2];

	prewarms(&second);
	ASSERT_EQ(0, second.result);
	self->rig->held = 1u << self->control;
	rig_thread(&threads[0], makes_buffer, &first);
	rig_settle();
	rig_thread(&threads[1], prewarms, &second);
	rig_settle();
	rig_gone(self->rig);
	rig_join(&threads[0]);
	rig_join(&threads[1]);
	EXPECT_EQ(-ENODEV, first.result);
	EXPECT_EQ(-ENODEV, second.result);
}

/* Who waits for him who has the context can be killed. */
TEST_F(ends, who_is_killed_while_he_waits_for_the_context)
{
	struct caller first = { .ctx = self->ctx, .result = 1 };
	struct caller second = { .ctx = self->ctx, .heap = 2048 };
	struct rig_thread threads[2];

	self->rig->held = 1u << self->control;
	rig_thread(&threads[0], makes_buffer, &first);
	rig_settle();
	rig_thread(&threads[1], prewarms, &second);
	rig_settle();
	rig_kill(&threads[1]);
	rig_settle();
	EXPECT_TRUE(threads[1].ended);
	EXPECT_FALSE(threads[0].ended);
	wake_up(self->rig, self->control);
	rig_join(&threads[0]);
	rig_join(&threads[1]);
	EXPECT_EQ(0, first.result);
	EXPECT_EQ(-EINTR, second.result);
}

/* Nothing of a device that is gone is mapped. */
TEST_F(ends, open_when_the_device_is_gone)
{
	struct pto_ctx *third;
	unsigned int maps;

	rig_gone(self->rig);
	maps = self->rig->calls[RIG_MAP];
	EXPECT_EQ(-ENODEV, rig_open(self->rig, &third));
	EXPECT_EQ(maps, self->rig->calls[RIG_MAP]);
}

/* An interrupt does not end the polling of who is still there. */
TEST_F(ends, who_goes_on_polling)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int i;

	self->rig->held = 1u << self->stream;
	inside_polls(self->ctx);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
		rig_release(self->rig, self->stream, 1);
		rig_interrupt(self->rig);
		EXPECT_EQ(0, rig_queue(self->rig, self->stream)->cq_flags);
		ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	}
	inside_polls_no_more(self->ctx);
}

TEST_HARNESS_MAIN
