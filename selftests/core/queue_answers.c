// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of the device's answers: each status has its error, all completions that are there
 * are taken at once, and whoever waits for one is told, no matter who took it.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define ADMIN	0
#define PAGE	4096u

FIXTURE(answers) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	uint32_t control;
	long memory;
};

FIXTURE_SETUP(answers)
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
}

FIXTURE_TEARDOWN(answers)
{
	self->rig->held = 0;
	rig_no_rules(self->rig);
	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static const struct {
	uint32_t status;
	int error;
	bool lost;
} statuses[] = {
	{ PTO_DEV_INVALID, -EINVAL, false },
	{ PTO_DEV_NOEXEC, -ENOEXEC, false },
	{ PTO_DEV_NOMEM, -ENOMEM, false },
	{ PTO_DEV_NOSPACE, -ENOSPC, false },
	{ PTO_DEV_TIMEOUT, -ETIMEDOUT, false },
	{ PTO_DEV_PROGRAM, -EREMOTEIO, false },
	{ PTO_DEV_UNSUPPORTED, -EOPNOTSUPP, false },
	{ PTO_DEV_ABORTED, -ECANCELED, true },
	{ PTO_DEV_FAULT, -EIO, true },
};

/* A failure is the run's alone, unless the device says that it was not. */
TEST_F(answers, statuses)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_context_stats stats;
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		const struct rig_rule rule = {
			.opcode = PTO_DEV_RUN, .times = 1, .status = statuses[i].status,
		};
		struct pto_ioc_wait wait = { 0 };
		uint64_t id;

		rig_rule(self->rig, &rule);
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
		EXPECT_EQ(statuses[i].error, wait.status);
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
		EXPECT_EQ(statuses[i].lost ? PTO_CTX_LOST : PTO_CTX_OK, stats.state) {
			TH_LOG("status %u", statuses[i].status);
		}
		if (statuses[i].lost)
			ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
		rig_no_rules(self->rig);
	}
}

/* One look takes them all, and the device can use their entries again. */
TEST_F(answers, all_that_are_there)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t ids[5];
	int i;

	self->rig->held = 1u << self->stream;
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &ids[i]));
	rig_release(self->rig, self->stream, 5);
	ASSERT_EQ(0, rig_wait(self->ctx, ids[0], 0, &wait));
	EXPECT_EQ(5, rig_queue(self->rig, self->stream)->cq_head);
}

struct sleeper {
	struct pto_ctx *ctx;
	uint64_t id;
	uint64_t until;
	int result;
};

static void sleeps(void *arg)
{
	struct sleeper *s = arg;
	struct pto_ioc_wait wait = { 0 };

	s->result = rig_wait(s->ctx, s->id, PTO_WAIT_FOREVER, &wait);
	s->until = rig_now();
}

/* No interrupt comes: who has taken a completion tells those who wait for it. */
TEST_F(answers, taken_by_another)
{
	struct sleeper s = { .ctx = self->ctx };
	struct pto_ioc_wait wait = { 0 };
	struct rig_thread thread;
	uint64_t taken;

	rig_fail(self->rig, RIG_INTERRUPT, 0, 1000);
	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &s.id));
	rig_thread(&thread, sleeps, &s);
	rig_settle();
	taken = rig_now();
	rig_release(self->rig, self->stream, 1);
	ASSERT_EQ(0, rig_wait(self->ctx, s.id, 0, &wait));
	rig_join(&thread);
	EXPECT_EQ(0, s.result);
	EXPECT_GT(taken + RIG_SECOND / 100, s.until);
}

/* Who sleeps looks once a second. What wakes him then is no interrupt. */
TEST_F(answers, interrupts_are_counted)
{
	const struct rig_rule late = { .opcode = PTO_DEV_RUN, .late_ns = 7 * RIG_SECOND };
	struct pto_debug_stats before, after;
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	ASSERT_EQ(0, rig_debug_stats(self->ctx, &before));
	rig_rule(self->rig, &late);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &after));
	EXPECT_EQ(1, after.interrupts - before.interrupts);
}

/* --- the control queue ------------------------------------------------------------ */

/* A command waits behind a run for as long as the run lasts, but not for nothing. */
TEST_F(answers, command_that_takes_long)
{
	const struct rig_rule map = { .opcode = PTO_DEV_MAP, .late_ns = 40 * RIG_SECOND };
	const struct rig_rule run = { .opcode = PTO_DEV_RUN, .late_ns = 100 * RIG_SECOND };
	uint64_t begin = rig_now(), id;
	struct pto_context_stats stats;
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_bo_create bo;

	rig_rule(self->rig, &map);
	rig_rule(self->rig, &run);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_LE(begin + 40 * RIG_SECOND, rig_now());
	EXPECT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	begin = rig_now();
	EXPECT_EQ(-EIO, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_LE(begin + 30 * RIG_SECOND, rig_now());
	EXPECT_GE(begin + 31 * RIG_SECOND, rig_now());
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
}

/* What the device itself says took too long has an answer: nothing is lost. */
TEST_F(answers, command_that_timed_out)
{
	const struct rig_rule rule = {
		.opcode = PTO_DEV_MAP, .times = 1, .status = PTO_DEV_TIMEOUT,
	};
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo;

	rig_rule(self->rig, &rule);
	EXPECT_EQ(-ETIMEDOUT, rig_bo(self->ctx, PAGE, &bo));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
}

static void makes_buffer(void *arg)
{
	struct sleeper *s = arg;
	struct pto_ioc_bo_create bo;

	s->result = rig_bo(s->ctx, PAGE, &bo);
}

/* As many commands as there are entries; one more waits until there is one. */
TEST_F(answers, full_control_queue)
{
	struct sleeper s = { .ctx = self->ctx, .result = 1 };
	struct pto_ioc_bo_create bo[RIG_DEPTH];
	struct pto_dev_queue *queue = rig_queue(self->rig, self->control);
	struct rig_thread thread;
	int i;

	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo[i]));
	self->rig->held = 1u << self->control;
	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo[i].id));
	rig_settle();
	EXPECT_EQ(RIG_DEPTH, queue->sq_tail - queue->cq_head);
	rig_thread(&thread, makes_buffer, &s);
	rig_settle();
	EXPECT_FALSE(thread.ended);
	self->rig->held = 0;
	rig_release(self->rig, self->control, RIG_DEPTH);
	rig_interrupt(self->rig);
	rig_join(&thread);
	EXPECT_EQ(0, s.result);
}

/*
 * The command is executed, and answered, when the stack of who asked for it has something else
 * on it.
 */
static __attribute__((noinline)) int answer_late(struct rig *rig, uint32_t control)
{
	volatile unsigned char stack[32768];
	size_t i;
	int bad = 0;

	for (i = 0; i < sizeof(stack); i++)
		stack[i] = 0xa5;
	rig->held = 0;
	rig_release(rig, control, RIG_DEPTH);
	rig_interrupt(rig);
	rig_settle();
	for (i = 0; i < sizeof(stack); i++)
		bad += stack[i] != 0xa5;
	return bad;
}

static __attribute__((noinline)) int make_and_be_killed(struct pto_ctx *ctx)
{
	struct pto_ioc_bo_create bo;

	rig_kill_after(1);
	return rig_bo(ctx, PAGE, &bo);
}

TEST_F(answers, nobody_wants_it_any_more)
{
	struct pto_context_stats before, after;
	struct pto_ioc_bo_create bo;

	ASSERT_EQ(0, rig_stats(self->ctx, &before));
	self->rig->held = 1u << self->control;
	ASSERT_GT(0, make_and_be_killed(self->ctx));
	rig_kill_after(0);
	EXPECT_EQ(0, answer_late(self->rig, self->control));
	/* And what was made for nobody is gone. */
	rig_settle();
	ASSERT_EQ(0, rig_stats(self->ctx, &after));
	EXPECT_EQ(before.bo_bytes, after.bo_bytes);
	EXPECT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
}

static __attribute__((noinline)) int prepare_and_be_killed(struct pto_ctx *ctx)
{
	rig_kill_after(2);
	return rig_prepare(ctx, 1, 1);
}

/* A callable that may have been loaded is unloaded, and all of it can be had again. */
TEST_F(answers, nobody_wants_the_callable_any_more)
{
	struct pto_device_usage before, after;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->held = 1u << self->control;
	ASSERT_NE(0, prepare_and_be_killed(self->ctx));
	rig_kill_after(0);
	/* The device may read the description yet. */
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_LT(before.memory_used, after.memory_used);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	EXPECT_EQ(0, answer_late(self->rig, self->control));
	rig_settle();
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_LOAD, 0));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.memory_used, after.memory_used);
	EXPECT_EQ(0, rig_prepare(self->ctx, 1, 1));
}

static int make_buffer(struct pto_ctx *ctx)
{
	struct pto_ioc_bo_create bo;

	return rig_bo(ctx, PAGE, &bo);
}

static int make_arena(struct pto_ctx *ctx)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { 2048 } };

	return rig_ioctl(ctx, PTO_PREWARM, &arg);
}

static int make_callable(struct pto_ctx *ctx)
{
	return rig_prepare(ctx, 1, 1);
}

static const struct {
	uint16_t give;
	uint16_t take;
	int (*make)(struct pto_ctx *ctx);
} objects[] = {
	{ PTO_DEV_MAP, PTO_DEV_UNMAP, make_buffer },
	{ PTO_DEV_MAP, PTO_DEV_UNMAP, make_arena },
	{ PTO_DEV_LOAD, PTO_DEV_UNLOAD, make_callable },
};

static uint16_t taken;

static void refuse(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
	rig->spoil = NULL;
}

static void refuse_both(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_NOMEM;
	rig->opcode = taken;
	rig->spoil = refuse;
}

/*
 * Killed as soon as the command that is to be answered is in the queue. A caller that is killed
 * earlier may leave other commands there: what it has not given is taken back, too, from another
 * thread.
 */
static __attribute__((noinline)) int killed_while_it_waits(FIXTURE_DATA(answers) *self,
							   uint16_t give,
							   int (*make)(struct pto_ctx *ctx))
{
	unsigned int looks;
	int err = 0;

	self->rig->held = 1u << self->control;
	for (looks = 1; !rig_waiting(self->rig, self->control, give) && looks < 100; looks++) {
		rig_kill_after(looks);
		err = make(self->ctx);
	}
	rig_kill_after(0);
	return err;
}

/* Who takes back what was refused when nobody waited any more is refused, too: nothing is lost. */
TEST_F(answers, nobody_wants_what_is_refused)
{
	struct pto_device_usage before, after;
	struct pto_context_stats stats;
	struct pto_ctx *other;
	size_t i;

	/* The image of the arena is there, then, and stays. */
	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, make_arena(other));
	rig_close(other);
	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		self->rig->opcode = objects[i].give;
		self->rig->spoil = refuse_both;
		taken = objects[i].take;
		ASSERT_GT(0, killed_while_it_waits(self, objects[i].give, objects[i].make));
		EXPECT_EQ(0, answer_late(self->rig, self->control));
		EXPECT_EQ(NULL, self->rig->spoil);
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
		ASSERT_EQ(PTO_CTX_OK, stats.state);
		ASSERT_EQ(0, rig_usage(self->ctx, &after));
		EXPECT_EQ(before.memory_used, after.memory_used);
		EXPECT_EQ(0, rig_early(self->rig));
	}
	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		EXPECT_EQ(0, objects[i].make(self->ctx));
}

/* What is kept by a device that was told to give it back, and had it, is lost as ever. */
TEST_F(answers, nobody_wants_what_is_kept)
{
	struct pto_context_stats stats;

	self->rig->opcode = PTO_DEV_UNMAP;
	self->rig->spoil = refuse;
	ASSERT_GT(0, killed_while_it_waits(self, PTO_DEV_MAP, make_buffer));
	EXPECT_EQ(0, answer_late(self->rig, self->control));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
}

/* There was no room for the command: nothing needs to be taken back. */
TEST_F(answers, nobody_was_asked)
{
	struct pto_ioc_bo_create bo[RIG_DEPTH];
	struct pto_context_stats stats;
	int i;

	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo[i]));
	self->rig->held = 1u << self->control;
	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo[i].id));
	rig_settle();
	ASSERT_GT(0, make_and_be_killed(self->ctx));
	rig_kill_after(0);
	EXPECT_EQ(0, answer_late(self->rig, self->control));
	EXPECT_EQ(RIG_DEPTH, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
	EXPECT_EQ(self->bo.length, stats.bo_bytes);
}

/* --- an answer at the last moment -------------------------------------------------- */

/* What happens when a call has decided to give up: its answer comes, and somebody else takes it. */
static struct {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ctx *opened;
	uint32_t queue;
	int result;
} moment;

static void answered(void)
{
	moment.rig->held = 0;
	rig_release(moment.rig, moment.queue, RIG_DEPTH);
}

static void control_answered(void)
{
	struct pto_context_stats stats;

	answered();
	moment.result = rig_stats(moment.ctx, &stats);
}

static void admin_answered(void)
{
	answered();
	moment.result = rig_open(moment.rig, &moment.opened);
}

/* An answer counts, although the call would have ended without it: what was made is there. */
TEST_F(answers, buffer_at_the_last_moment)
{
	struct pto_ioc_bo_create bo;
	uint64_t id;

	moment.rig = self->rig;
	moment.ctx = self->ctx;
	moment.queue = self->control;
	moment.result = 1;
	self->rig->held = 1u << self->control;
	rig_kill_late(control_answered);
	EXPECT_EQ(0, rig_bo(self->ctx, PAGE, &bo));
	EXPECT_EQ(0, moment.result);
	EXPECT_EQ(0, rig_run(self->ctx, 0, bo.id, &id));
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	EXPECT_EQ(0, rig_early(self->rig));
}

TEST_F(answers, stream_at_the_last_moment)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };

	moment.rig = self->rig;
	moment.queue = ADMIN;
	moment.result = 1;
	self->rig->held = 1u << ADMIN;
	rig_kill_late(admin_answered);
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
	ASSERT_EQ(0, moment.result);
	destroy.id = create.id;
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_UNBIND, 0));
	rig_close(moment.opened);
}

/* A context that could not be made: it has ended when it is left to the device to end it. */
TEST_F(answers, end_at_the_last_moment)
{
	const struct rig_rule no = {
		.opcode = PTO_DEV_QUEUE_BIND, .times = 1, .status = PTO_DEV_NOMEM,
	};
	const struct rig_rule silent = { .opcode = PTO_DEV_CTX_DESTROY, .silent = true };
	struct pto_device_usage before, after;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	rig_rule(self->rig, &no);
	rig_rule(self->rig, &silent);
	moment.rig = self->rig;
	moment.queue = ADMIN;
	moment.result = 1;
	rig_kill_late(admin_answered);
	EXPECT_EQ(-ENOMEM, rig_open(self->rig, &other));
	rig_kill_after(0);
	ASSERT_EQ(0, moment.result);
	rig_settle();
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, 0));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.streams + 2, after.streams);
	rig_no_rules(self->rig);
	rig_close(moment.opened);
}

TEST_HARNESS_MAIN
