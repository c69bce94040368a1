// SPDX-License-Identifier: GPL-2.0
/*
 * Runs that are in flight for as long as the test likes: what they may use stays, what is
 * given up meanwhile goes when they have ended, and not before.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

FIXTURE(held) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	long memory;
};

FIXTURE_SETUP(held)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
	self->rig->held = 1u << self->stream;
}

FIXTURE_TEARDOWN(held)
{
	self->rig->held = 0;
	rig_release(self->rig, self->stream, RIG_DEPTH);
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int finish(struct pto_ctx *ctx, uint64_t id)
{
	struct pto_ioc_wait wait = { 0 };
	int err = rig_wait(ctx, id, PTO_WAIT_FOREVER, &wait);

	rig_settle();
	return err ? err : wait.status;
}

TEST_F(held, buffer_stays_until_the_runs_before_have_ended)
{
	struct pto_context_stats stats;
	struct pto_ioc_bo_create other;
	uint64_t before, after;

	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &before));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	EXPECT_EQ(-ENOENT, rig_run(self->ctx, 0, self->bo.id, &after));
	rig_settle();
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &after));
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_live);
	EXPECT_EQ(12288, stats.bo_bytes);
	ASSERT_EQ(0, rig_bo(self->ctx, 4096, &other));
	EXPECT_TRUE(other.device_addr < self->bo.device_addr ||
		    other.device_addr >= self->bo.device_addr + 12288);

	/* The second run was submitted later: nobody waits for it. */
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, finish(self->ctx, before));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNMAP, 0));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(4096, stats.bo_bytes);
}

/* Nobody calls the driver: an interrupt must be enough. */
TEST_F(held, buffer_goes_without_anybody_asking)
{
	uint64_t id;

	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	self->rig->cleared = 0;
	rig_release(self->rig, self->stream, 1);
	/* The interrupt, and then another thread does it. */
	rig_advance(1);
	EXPECT_EQ(12288, self->rig->cleared);
}

TEST_F(held, callable_stays_until_the_runs_before_have_ended)
{
	const struct rig_log_entry *entry;
	uint64_t id, again;

	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	EXPECT_EQ(-ENOENT, rig_run(self->ctx, 0, 0, &again));
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	/* The cid is free, the name on the device is not. */
	ASSERT_EQ(0, rig_prepare(self->ctx, 0, 1));
	EXPECT_EQ(1, rig_last(self->rig, PTO_DEV_LOAD)->cmd.handle);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &again));
	rig_release(self->rig, self->stream, 2);
	EXPECT_EQ(0, finish(self->ctx, id));
	entry = rig_last(self->rig, PTO_DEV_UNLOAD);
	ASSERT_NE(NULL, entry);
	EXPECT_EQ(0, entry->cmd.handle);
	EXPECT_EQ(0, finish(self->ctx, again));
}

/* Start a run, and prepare until all handles are held back for it. */
static void hold_all_handles(struct __test_metadata *_metadata, struct pto_ctx *ctx, uint64_t *id)
{
	int i;

	ASSERT_EQ(0, rig_run(ctx, 0, 0, id));
	for (i = 0; i < PTO_DEV_MAX_HANDLES - 1; i++) {
		ASSERT_EQ(0, rig_unprepare(ctx, 0));
		ASSERT_EQ(0, rig_prepare(ctx, 0, 1));
	}
	ASSERT_EQ(0, rig_unprepare(ctx, 0));
}

TEST_F(held, too_many_callables_still_run)
{
	uint64_t id;

	hold_all_handles(_metadata, self->ctx, &id);
	EXPECT_EQ(-EBUSY, rig_prepare(self->ctx, 0, 1));
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, finish(self->ctx, id));
	EXPECT_EQ(0, rig_prepare(self->ctx, 0, 1));
}

/*
 * The run has ended, but nobody has looked since: no interrupt has arrived, and no time has passed.
 * Whoever needs a handle then does not fail for want of those that only wait for somebody to look.
 */
TEST_F(held, callables_of_ended_runs_are_not_in_the_way)
{
	uint64_t id;

	hold_all_handles(_metadata, self->ctx, &id);
	rig_settle();
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNLOAD, 0));
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, rig_prepare(self->ctx, 0, 1));
	EXPECT_EQ(0, finish(self->ctx, id));
}

static int prewarm(struct pto_ctx *ctx, uint64_t heap, uint32_t *arena)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { heap, heap, heap, heap } };
	int err = rig_ioctl(ctx, PTO_PREWARM, &arg);

	*arena = arg.arena;
	return err;
}

static int run_in(struct pto_ctx *ctx, uint32_t arena, uint64_t *id)
{
	struct pto_run_entry entry = { .arena = arena };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(ctx, PTO_RUN, &arg);

	*id = arg.first_id;
	return err;
}

/* The default arena, used by a run in flight, is the oldest; an idle one makes room. */
TEST_F(held, arena_in_use_is_not_the_one_to_go)
{
	uint32_t arenas[4], same;
	uint64_t id, other;
	int i;

	ASSERT_EQ(0, run_in(self->ctx, 0, &id));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, prewarm(self->ctx, 1024 << i, &arenas[i]));
	EXPECT_EQ(-ENOENT, run_in(self->ctx, arenas[0], &other));
	EXPECT_EQ(0, run_in(self->ctx, arenas[3], &other));
	EXPECT_EQ(0, run_in(self->ctx, 0, &other));
	/* A configuration that is there is found again. */
	EXPECT_EQ(0, prewarm(self->ctx, 1024 << 2, &same));
	EXPECT_EQ(arenas[2], same);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_ARENA_DROP, 0));
	rig_release(self->rig, self->stream, RIG_DEPTH);
	EXPECT_EQ(0, finish(self->ctx, other));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ARENA_DROP, 0));
}

TEST_F(held, as_many_runs_as_the_queue_is_deep)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t ids[2 * RIG_DEPTH], id;
	int i;

	for (i = 0; i < RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &ids[i]));
	EXPECT_EQ(-EAGAIN, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, ids[0], 0, &wait));
	EXPECT_EQ(-ENOENT, rig_wait(self->ctx, ids[RIG_DEPTH - 1] + 1, 0, &wait));
	rig_release(self->rig, self->stream, RIG_DEPTH);
	for (; i < 2 * RIG_DEPTH; i++)
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &ids[i]));
	/* Results of the first ones are kept although as many are in flight. */
	for (i = 0; i < RIG_DEPTH; i++)
		EXPECT_EQ(0, finish(self->ctx, ids[i]));
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, finish(self->ctx, ids[RIG_DEPTH]));
	EXPECT_EQ(-ESTALE, rig_wait(self->ctx, ids[0], 0, &wait));
	EXPECT_EQ(0, rig_wait(self->ctx, ids[1], 0, &wait));
}

static void invalid(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
}

TEST_F(held, readiness)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t first, second;

	EXPECT_EQ(0, rig_poll(self->ctx));
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &first));
	/* Somebody polls, so every run asks for an interrupt. */
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &second));
	EXPECT_EQ(0, rig_poll(self->ctx));
	rig_release(self->rig, self->stream, 1);
	EXPECT_TRUE(rig_poll(self->ctx) & POLLIN);
	rig_release(self->rig, self->stream, 1);
	/* The interrupt finds nobody who still polls: no run asks for one any more. */
	rig_interrupt(self->rig);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &first));
	EXPECT_EQ(0, rig_queue(self->rig, self->stream)->cq_flags);
	/* The last result reads the earlier ones. */
	EXPECT_EQ(0, rig_wait(self->ctx, second, 0, &wait));
	EXPECT_EQ(0, rig_poll(self->ctx));
}

/* Who polls later asks for what is in flight already, on each stream where something is. */
TEST_F(held, readiness_of_each_stream)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	uint32_t ids[3] = { PTO_STREAM_DEFAULT }, queues[3] = { self->stream };
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int i, j;

	for (i = 1; i < 3; i++) {
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
		ids[i] = create.id;
		queues[i] = rig_last_bound(self->rig);
		self->rig->held |= 1u << queues[i];
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rig_run_on(self->ctx, ids[i], &id));
		EXPECT_EQ(0, rig_queue(self->rig, queues[i])->cq_flags);
		EXPECT_EQ(0, rig_poll(self->ctx));
		for (j = 0; j < 3; j++)
			EXPECT_EQ(i == j, !!rig_queue(self->rig, queues[j])->cq_flags);
		rig_release(self->rig, queues[i], 1);
		EXPECT_EQ(POLLIN, rig_poll(self->ctx) & (POLLIN | POLLERR));
		EXPECT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
		/* The interrupt finds nobody who polls. */
		rig_advance(1);
		EXPECT_EQ(0, rig_queue(self->rig, queues[i])->cq_flags);
	}
}

/* Who polled once is not sent interrupts for ever, even if each comes when all is done. */
TEST_F(held, late_interrupts)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	EXPECT_EQ(0, rig_poll(self->ctx));
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	/* One that has nothing to say yet changes nothing. */
	rig_interrupt(self->rig);
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	rig_interrupt(self->rig);
	EXPECT_EQ(0, rig_queue(self->rig, self->stream)->cq_flags);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_queue(self->rig, self->stream)->cq_flags);
}

/* A result that could not be handed over has not been read. */
TEST_F(held, failed_reading_is_none)
{
	struct pto_ioc_wait wait = { .log_ptr = 8, .log_size = 8 };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = invalid;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(-EFAULT, rig_wait(self->ctx, id, 0, &wait));
	EXPECT_TRUE(rig_poll(self->ctx) & POLLIN);
	wait.log_ptr = 0;
	EXPECT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	EXPECT_EQ(-EINVAL, wait.status);
	EXPECT_EQ(0, rig_poll(self->ctx));
}

TEST_F(held, reset_cancels_what_is_in_flight)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	uint64_t done, flying;

	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &done));
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &flying));
	rig_release(self->rig, self->stream, 1);
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, 0));
	EXPECT_EQ(0, finish(self->ctx, done));
	EXPECT_EQ(-ECANCELED, finish(self->ctx, flying));
	/* The new hardware context never heard of the buffer. */
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
}

TEST_F(held, busy_stream_is_not_destroyed)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	struct pto_run_entry entry = { 0 };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	struct pto_ioc_wait wait = { 0 };
	uint32_t queue;

	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
	queue = rig_last_bound(self->rig);
	self->rig->held |= 1u << queue;
	run.stream = create.id;
	destroy.id = create.id;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_RUN, &run));
	EXPECT_EQ(-EBUSY, rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy));
	rig_release(self->rig, queue, 1);
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_UNBIND, 0));
	EXPECT_EQ(-ENOENT, rig_ioctl(self->ctx, PTO_RUN, &run));
	EXPECT_EQ(-ENOENT, rig_wait(self->ctx, run.first_id, 0, &wait));
}

/* Steps that one more costs, as locks that are taken: one is given up behind a run. */
static unsigned long steps_of_one(struct pto_ctx *ctx)
{
	unsigned long before = rig_locks();
	struct pto_ioc_bo_create bo;

	if (rig_bo(ctx, 4096, &bo) || rig_bo_destroy(ctx, bo.id))
		abort();
	rig_settle();
	return rig_locks() - before;
}

/* What is given up costs the same however much else waits. */
TEST_F(held, giving_up_costs_the_same_each)
{
	unsigned long first = 0, last = 0;
	uint64_t id;
	int i;

	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	for (i = 0; i < 1500; i++) {
		unsigned long steps = steps_of_one(self->ctx);

		if (i < 100)
			first += steps;
		if (i >= 1400)
			last += steps;
	}
	EXPECT_LT(0, first);
	EXPECT_LT(last, 2 * first);
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(0, finish(self->ctx, id));
}

TEST_HARNESS_MAIN
