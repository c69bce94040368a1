// SPDX-License-Identifier: GPL-2.0
/*
 * A reset: the new hardware context is told of everything that lives, and of nothing else; what
 * had ended keeps its result, what had not is cancelled; and nobody waits for the old one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define PAGE	4096u
#define COUNT	5

FIXTURE(resets) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	uint32_t control;
	long memory;
};

FIXTURE_SETUP(resets)
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

FIXTURE_TEARDOWN(resets)
{
	self->rig->held = 0;
	rig_no_rules(self->rig);
	EXPECT_EQ(0, rig_early(self->rig));
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int reset(struct pto_ctx *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return rig_ioctl(ctx, PTO_CTX_RESET, &arg);
}

static uint32_t state(struct pto_ctx *ctx)
{
	struct pto_context_stats stats = { 0 };

	return rig_stats(ctx, &stats) ? ~0U : stats.state;
}

/* How many of the commands from entry @from on are @opcode of what is at @addr? */
static unsigned int told(struct rig *rig, unsigned int from, uint16_t opcode, uint64_t addr,
			 uint64_t length)
{
	struct pto_dev_cmd_map map;
	unsigned int i, n = 0;

	for (i = from; i < rig->logged; i++) {
		memcpy(&map, &rig->log[i % RIG_LOG].cmd, sizeof(map));
		n += map.opcode == opcode && map.addr == addr && map.length == length;
	}
	return n;
}

TEST_F(resets, all_buffers_that_live)
{
	struct pto_ioc_bo_create bo[COUNT], gone;
	unsigned int from;
	int i;

	ASSERT_EQ(0, rig_bo(self->ctx, 7 * PAGE, &gone));
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, (i + 1) * PAGE, &bo[i]));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, gone.id));
	rig_settle();
	from = self->rig->logged;
	ASSERT_EQ(0, reset(self->ctx));
	for (i = 0; i < COUNT; i++)
		EXPECT_EQ(1, told(self->rig, from, PTO_DEV_MAP, bo[i].device_addr,
				  (i + 1) * PAGE)) {
			TH_LOG("buffer %d", i);
		}
	EXPECT_EQ(1, told(self->rig, from, PTO_DEV_MAP, self->bo.device_addr, 3 * PAGE));
	EXPECT_EQ(0, told(self->rig, from, PTO_DEV_MAP, gone.device_addr, 7 * PAGE));
}

TEST_F(resets, all_streams)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_dev_cmd_queue before, after;
	struct pto_ioc_wait wait = { 0 };
	uint32_t ids[3] = { PTO_STREAM_DEFAULT };
	unsigned int from;
	uint64_t run;
	int i, round;

	for (i = 1; i < 3; i++) {
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
		ids[i] = create.id;
	}
	memcpy(&before, &rig_last(self->rig, PTO_DEV_QUEUE_BIND)->cmd, sizeof(before));
	for (round = 0; round < 3; round++) {
		from = self->rig->logged;
		ASSERT_EQ(0, reset(self->ctx));
		EXPECT_EQ(3, rig_count(self->rig, PTO_DEV_QUEUE_BIND, from));
		EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_CREATE, from));
		memcpy(&after, &rig_last(self->rig, PTO_DEV_QUEUE_BIND)->cmd, sizeof(after));
		EXPECT_EQ(before.ctx, after.ctx);
		EXPECT_EQ(before.queue, after.queue);
		/* Each begins anew, at whatever number its runs are. */
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(0, rig_run_on(self->ctx, ids[i], &run));
			ASSERT_EQ(0, rig_wait(self->ctx, run, 0, &wait));
			EXPECT_EQ(0, wait.status);
			EXPECT_EQ(round + 1, run << 16 >> 16);
		}
		EXPECT_EQ(1, rig_queue(self->rig, after.queue)->sq_tail);
	}
}

static void of_another(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	rig_report(rig, queue, cqe->id, "the text of an earlier time");
	cqe->status = PTO_DEV_PROGRAM;
	cqe->detail = 9;
}

/* What had ended before has its result, with all that belongs to it. */
TEST_F(resets, results_stay)
{
	const struct rig_rule fails = {
		.opcode = PTO_DEV_RUN, .times = 1, .status = PTO_DEV_PROGRAM, .spoil = of_another,
	};
	struct pto_ioc_wait wait = { 0 };
	uint64_t good, bad, flying[COUNT];
	char text[PTO_DEV_REPORT_SIZE];
	uint64_t begin;
	int i;

	rig_rule(self->rig, &fails);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &bad));
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &good));
	self->rig->held = 1u << self->stream;
	for (i = 0; i < COUNT; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &flying[i]));
	begin = rig_now();
	ASSERT_EQ(0, reset(self->ctx));
	for (i = 0; i < COUNT; i++) {
		ASSERT_EQ(0, rig_wait(self->ctx, flying[i], 0, &wait));
		EXPECT_EQ(-ECANCELED, wait.status);
		EXPECT_LE(begin, wait.end_ns);
		EXPECT_GE(rig_now(), wait.end_ns);
		EXPECT_LE(wait.start_ns, wait.end_ns);
	}
	ASSERT_EQ(0, rig_wait(self->ctx, good, 0, &wait));
	EXPECT_EQ(0, wait.status);
	memset(text, 0, sizeof(text));
	wait.log_ptr = (uintptr_t)text;
	wait.log_size = sizeof(text);
	ASSERT_EQ(0, rig_wait(self->ctx, bad, 0, &wait));
	EXPECT_EQ(-EREMOTEIO, wait.status);
	EXPECT_EQ(9, wait.code);
	EXPECT_STREQ("the text of an earlier time", text);
}

/* The device is asked to end what runs, if anything does, on whichever stream. */
TEST_F(resets, abort_what_runs)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	uint32_t ids[3] = { PTO_STREAM_DEFAULT };
	unsigned int i;
	uint64_t id;

	for (i = 1; i < 3; i++) {
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
		ids[i] = create.id;
	}
	ASSERT_EQ(0, reset(self->ctx));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ABORT, 0));
	for (i = 0; i < 3; i++) {
		self->rig->held = ~1u;
		ASSERT_EQ(0, rig_run_on(self->ctx, ids[i], &id));
		self->rig->held = 0;
		ASSERT_EQ(0, reset(self->ctx));
		EXPECT_EQ(i + 1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	}
}

/* Runs that the device never completes are over all the same, though there is no new context. */
TEST_F(resets, runs_that_are_not_completed)
{
	const struct rig_rule no = {
		.opcode = PTO_DEV_CTX_CREATE, .times = 1, .status = PTO_DEV_NOSPACE,
	};
	struct pto_ioc_wait wait = { 0 };
	uint64_t ids[3], later;
	int i;

	self->rig->held = 1u << self->stream;
	self->rig->stubborn = true;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &ids[i]));
	rig_rule(self->rig, &no);
	EXPECT_EQ(-ENOSPC, reset(self->ctx));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rig_wait(self->ctx, ids[i], 0, &wait));
		EXPECT_EQ(-ECANCELED, wait.status);
	}
	EXPECT_TRUE(rig_poll(self->ctx) & POLLERR);
	EXPECT_EQ(PTO_CTX_LOST, state(self->ctx));
	EXPECT_EQ(-EIO, rig_run(self->ctx, 0, 0, &later));
	self->rig->held = 0;
	EXPECT_EQ(0, reset(self->ctx));
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
	EXPECT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &later));
}

/* --- who waits meanwhile ---------------------------------------------------------- */

struct caller {
	struct pto_ctx *ctx;
	uint64_t id;
	uint64_t until;
	int result;
	int status;
};

static void waits(void *arg)
{
	struct caller *c = arg;
	struct pto_ioc_wait wait = { 0 };

	c->result = rig_wait(c->ctx, c->id, PTO_WAIT_FOREVER, &wait);
	c->status = wait.status;
	c->until = rig_now();
}

static void makes_buffer(void *arg)
{
	struct caller *c = arg;
	struct pto_ioc_bo_create bo;

	c->result = rig_bo(c->ctx, PAGE, &bo);
	c->until = rig_now();
}

TEST_F(resets, who_waits_for_a_run)
{
	struct caller c = { .ctx = self->ctx };
	uint64_t begin = rig_now();
	struct rig_thread thread;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &c.id));
	rig_thread(&thread, waits, &c);
	rig_settle();
	ASSERT_EQ(0, reset(self->ctx));
	rig_join(&thread);
	EXPECT_EQ(0, c.result);
	EXPECT_EQ(-ECANCELED, c.status);
	EXPECT_GT(begin + RIG_SECOND / 100, c.until);
}

/* There is nothing to be told to a new context, since there is none: he is told all the same. */
TEST_F(resets, who_waits_when_there_is_no_new_context)
{
	const struct rig_rule late = {
		.opcode = PTO_DEV_CTX_DESTROY, .times = 1, .late_ns = RIG_SECOND / 4,
	};
	const struct rig_rule no = {
		.opcode = PTO_DEV_CTX_CREATE, .times = 1, .status = PTO_DEV_NOSPACE,
	};
	struct caller c = { .ctx = self->ctx };
	struct rig_thread thread;
	uint64_t begin;

	rig_rule(self->rig, &late);
	rig_rule(self->rig, &no);
	self->rig->held = 1u << self->stream;
	self->rig->stubborn = true;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &c.id));
	rig_thread(&thread, waits, &c);
	rig_settle();
	begin = rig_now();
	EXPECT_EQ(-ENOSPC, reset(self->ctx));
	rig_join(&thread);
	EXPECT_EQ(0, c.result);
	EXPECT_EQ(-ECANCELED, c.status);
	EXPECT_GT(begin + RIG_SECOND / 2, c.until);
}

/* His command will not be answered any more: he makes room for the reset at once. */
TEST_F(resets, who_waits_for_a_command)
{
	struct caller c = { .ctx = self->ctx };
	uint64_t begin = rig_now();
	struct rig_thread thread;

	self->rig->held = 1u << self->control;
	rig_thread(&thread, makes_buffer, &c);
	rig_settle();
	EXPECT_FALSE(thread.ended);
	/* The new context's queue is not held. */
	self->rig->held = 0;
	ASSERT_EQ(0, reset(self->ctx));
	rig_join(&thread);
	EXPECT_EQ(-EIO, c.result);
	EXPECT_GT(begin + 2 * RIG_SECOND, c.until);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(PTO_CTX_OK, state(self->ctx));
}

/* The same of who has not even found room for his command. */
TEST_F(resets, who_waits_for_room)
{
	struct caller c = { .ctx = self->ctx };
	struct pto_ioc_bo_create bo[RIG_DEPTH];
	uint64_t begin = rig_now();
	struct rig_thread thread;
	int i;

	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo(self->ctx, PAGE, &bo[i]));
	self->rig->held = 1u << self->control;
	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo[i].id));
	rig_thread(&thread, makes_buffer, &c);
	rig_settle();
	EXPECT_FALSE(thread.ended);
	self->rig->held = 0;
	ASSERT_EQ(0, reset(self->ctx));
	rig_join(&thread);
	EXPECT_EQ(-EIO, c.result);
	EXPECT_GT(begin + 2 * RIG_SECOND, c.until);
}

/* --- what is given up -------------------------------------------------------------- */

/* While a context is lost its hardware context is told nothing: what goes waits for the reset. */
TEST_F(resets, given_up_while_lost)
{
	const struct rig_rule crash = {
		.opcode = PTO_DEV_RUN, .times = 1, .status = PTO_DEV_FAULT,
	};
	struct pto_context_stats stats;
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	rig_rule(self->rig, &crash);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	ASSERT_EQ(PTO_CTX_LOST, state(self->ctx));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(3 * PAGE, stats.bo_bytes);
	ASSERT_EQ(0, reset(self->ctx));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_bytes);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_LOAD, 0));
}

/* However far it is on its way: the new hardware context hears nothing of it. */
TEST_F(resets, given_up_at_each_stage)
{
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo;
	unsigned int from;
	uint64_t id;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_bo(self->ctx, 7 * PAGE, &bo));
		/* It waits for a run, or for the device's answer. */
		self->rig->held = 1u << (i ? self->control : self->stream);
		ASSERT_EQ(0, rig_run(self->ctx, 0, bo.id, &id));
		ASSERT_EQ(0, rig_bo_destroy(self->ctx, bo.id));
		rig_settle();
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
		ASSERT_EQ(10 * PAGE, stats.bo_bytes);
		from = self->rig->logged;
		self->rig->held = 0;
		ASSERT_EQ(0, reset(self->ctx));
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
		EXPECT_EQ(3 * PAGE, stats.bo_bytes);
		EXPECT_EQ(0, told(self->rig, from, PTO_DEV_MAP, bo.device_addr, 7 * PAGE));
	}
}

TEST_HARNESS_MAIN
