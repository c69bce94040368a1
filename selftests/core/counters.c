// SPDX-License-Identifier: GPL-2.0
/*
 * What PTO_QUERY says. Counters against a model, over streams that come and go and resets; and
 * none that is said to be monotonic ever goes down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define STEPS	600
#define STREAMS	3	/* besides the default one: the rig has few queues */

FIXTURE(counters) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t streams[STREAMS + 1];
	struct pto_context_stats last;
	struct pto_debug_stats debug;
	unsigned int first;
	long memory;
};

static unsigned int seed;
static bool failing;	/* how the runs end */

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static void end_run(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	if (failing)
		cqe->status = PTO_DEV_PROGRAM;
}

FIXTURE_SETUP(counters)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	self->memory = rig_memory();
	self->rig = rig_new();
	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = end_run;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->streams[0] = PTO_STREAM_DEFAULT;
	ASSERT_EQ(0, rig_stats(self->ctx, &self->last));
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &self->debug));
}

FIXTURE_TEARDOWN(counters)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int add_stream(struct pto_ctx *ctx, uint32_t *id)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	int err = rig_ioctl(ctx, PTO_STREAM_CREATE, &arg);

	*id = arg.id;
	return err;
}

static int run_on(struct pto_ctx *ctx, uint32_t stream, uint32_t count)
{
	struct pto_run_entry entries[4] = { 0 };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = stream,
		.count = count,
		.stride = sizeof(entries[0]),
		.entries_ptr = (uintptr_t)entries,
	};
	struct pto_ioc_stream_wait wait = {
		.size = sizeof(wait), .id = stream, .timeout_ns = PTO_WAIT_FOREVER,
	};
	int err = rig_ioctl(ctx, PTO_RUN, &arg);

	return err ? err : rig_ioctl(ctx, PTO_STREAM_WAIT, &wait);
}

/* One step, and what it has to change. */
static int step(FIXTURE_DATA(counters) *self, struct pto_context_stats *want)
{
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	uint32_t i = below(STREAMS + 1), count = 1 + below(4), image;
	char bytes[32];

	switch (below(7)) {
	case 0:
		if (!i || self->streams[i])
			return 0;
		want->streams_created++;
		want->streams_live++;
		return add_stream(self->ctx, &self->streams[i]);
	case 1:
		if (!i || !self->streams[i])
			return 0;
		destroy.id = self->streams[i];
		self->streams[i] = 0;
		want->streams_live--;
		return rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy);
	case 2:
		if (below(10))
			return 0;
		want->resets++;
		/* The callable of rig_ready(), and its arena. */
		want->aicpu_dlopen_count++;
		want->arena_rebinds++;
		return rig_ioctl(self->ctx, PTO_CTX_RESET, &reset);
	case 3:
		snprintf(bytes, sizeof(bytes), "object %u", below(2));
		if (rig_image(self->ctx, bytes, &image))
			return -EBADMSG;
		destroy.id = image;
		return rig_ioctl(self->ctx, PTO_IMAGE_DESTROY, &destroy);
	default:
		if (!self->streams[i])
			return 0;
		failing = below(2);
		want->runs_submitted += count;
		want->runs_completed += count;
		want->runs_failed += failing ? count : 0;
		want->arena_hits += count;
		return run_on(self->ctx, self->streams[i], count);
	}
}

TEST_F(counters, random_steps)
{
	struct pto_context_stats now, want = self->last;
	struct pto_debug_stats debug;
	int i;

	for (i = 0; i < STEPS; i++) {
		ASSERT_EQ(0, step(self, &want)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(0, rig_stats(self->ctx, &now));
		ASSERT_EQ(-1, pt_counter_fell(&self->last, &now)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(0, rig_debug_stats(self->ctx, &debug));
		ASSERT_EQ(-1, pt_debug_counter_fell(&self->debug, &debug)) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
		ASSERT_EQ(want.streams_created, now.streams_created);
		ASSERT_EQ(want.streams_live, now.streams_live);
		ASSERT_EQ(want.runs_submitted, now.runs_submitted);
		ASSERT_EQ(want.runs_completed, now.runs_completed);
		ASSERT_EQ(want.runs_failed, now.runs_failed);
		ASSERT_EQ(want.arena_hits, now.arena_hits);
		ASSERT_EQ(want.arena_rebinds, now.arena_rebinds);
		ASSERT_EQ(want.aicpu_dlopen_count, now.aicpu_dlopen_count);
		ASSERT_EQ(want.resets, now.resets);
		ASSERT_EQ(want.callables_live, now.callables_live);
		ASSERT_EQ(want.images_live, now.images_live);
		self->last = now;
		self->debug = debug;
	}
}

/* Each time that the device was woken, for whichever queue, and each command but runs. */
TEST_F(counters, doorbells_and_commands)
{
	struct pto_debug_stats before, after;
	struct pto_ioc_bo_create bo;
	unsigned int rung, commands;

	ASSERT_EQ(0, rig_debug_stats(self->ctx, &before));
	rung = self->rig->calls[RIG_KICK];
	commands = self->rig->logged;
	ASSERT_EQ(0, run_on(self->ctx, PTO_STREAM_DEFAULT, 1));
	ASSERT_EQ(0, rig_bo(self->ctx, 100, &bo));
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &after));
	EXPECT_EQ(2, self->rig->calls[RIG_KICK] - rung);
	EXPECT_EQ(2, self->rig->logged - commands);
	EXPECT_EQ(2, after.doorbells - before.doorbells);
	EXPECT_EQ(1, after.device_commands - before.device_commands);
}

/* What the device has said about its costs; nothing of a device that is gone. */
TEST_F(counters, costs_of_the_device)
{
	struct pto_dev_cmd_queue create;
	struct pto_debug_stats debug;
	struct pto_dev_costs *costs;

	memcpy(&create, &rig_last(self->rig, PTO_DEV_CTX_CREATE)->cmd, sizeof(create));
	costs = &rig_queue(self->rig, create.queue)->costs;
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &debug));
	EXPECT_EQ(0, debug.hand_over_ns);
	*costs = (struct pto_dev_costs){
		.hand_overs = 256, .hand_over_ns = 270, .tensor_ns = 90, .catch_up_ns = 2160,
		.max_debt_ns = 1ULL << 40,
	};
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &debug));
	EXPECT_EQ(256, debug.hand_overs);
	EXPECT_EQ(270, debug.hand_over_ns);
	EXPECT_EQ(90, debug.hand_over_tensor_ns);
	EXPECT_EQ(2160, debug.catch_up_ns);
	EXPECT_EQ(1ULL << 40, debug.max_debt_ns);
	rig_gone(self->rig);
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &debug));
	EXPECT_EQ(0, debug.hand_overs);
	EXPECT_EQ(0, debug.hand_over_ns);
	EXPECT_EQ(0, debug.hand_over_tensor_ns);
	EXPECT_EQ(0, debug.catch_up_ns);
	EXPECT_EQ(0, debug.max_debt_ns);
}

/* What a stream has counted stays when it goes. */
TEST_F(counters, doorbells_of_a_stream_that_went)
{
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	struct pto_debug_stats before, after;
	unsigned int rung;

	ASSERT_EQ(0, rig_debug_stats(self->ctx, &before));
	rung = self->rig->calls[RIG_KICK];
	ASSERT_EQ(0, add_stream(self->ctx, &destroy.id));
	ASSERT_EQ(0, run_on(self->ctx, destroy.id, 1));
	ASSERT_EQ(0, run_on(self->ctx, destroy.id, 1));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_DESTROY, &destroy));
	rig_settle();
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &after));
	/* The stream is bound and unbound by the device's own queue. */
	EXPECT_EQ(2 + 2, self->rig->calls[RIG_KICK] - rung);
	EXPECT_EQ(2, after.doorbells - before.doorbells);
}

/* Who is awake is not woken. */
TEST_F(counters, no_doorbell_for_who_is_awake)
{
	struct pto_dev_queue *queue = rig_queue(self->rig, rig_last_bound(self->rig));
	struct pto_debug_stats before, after;
	struct pto_ioc_wait wait = { 0 };
	unsigned int rung;
	uint64_t id;

	ASSERT_EQ(0, rig_debug_stats(self->ctx, &before));
	rung = self->rig->calls[RIG_KICK];
	queue->sq_flags = 0;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &after));
	EXPECT_EQ(rung, self->rig->calls[RIG_KICK]);
	EXPECT_EQ(before.doorbells, after.doorbells);
	EXPECT_EQ(-ETIMEDOUT, rig_wait(self->ctx, id, 0, &wait));
	queue->sq_flags = PTO_DEV_NEED_WAKEUP;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
}

/* All commands that the device is sent for a context, but its runs. */
TEST_F(counters, commands_of_a_reset)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_debug_stats before, after;
	unsigned int from, sent;
	uint64_t id;

	ASSERT_EQ(0, rig_debug_stats(self->ctx, &before));
	from = self->rig->logged;
	self->rig->held = 1u << rig_last_bound(self->rig);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	self->rig->held = 0;
	ASSERT_EQ(0, rig_unprepare(self->ctx, 0));
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	ASSERT_EQ(0, rig_debug_stats(self->ctx, &after));
	sent = self->rig->logged - from - rig_count(self->rig, PTO_DEV_RUN, from);
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ABORT, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_CREATE, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_UNLOAD, from));
	EXPECT_EQ(sent, after.device_commands - before.device_commands);
}

/* What the device says of its progress is told as it is. */
TEST_F(counters, progress)
{
	struct pto_dev_cmd_queue create;
	struct pto_context_stats stats;
	uint32_t i;

	memcpy(&create, &rig_last(self->rig, PTO_DEV_CTX_CREATE)->cmd, sizeof(create));
	for (i = 1; i; i *= 16) {
		rig_queue(self->rig, create.queue)->progress = i;
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
		EXPECT_EQ(i, stats.progress);
	}
}

/* A context has a control stream and a default one, and counts as long as it is open. */
TEST_F(counters, contexts)
{
	struct pto_device_usage before, after;
	struct pto_context_stats stats;
	struct pto_ctx *other;
	int i;

	for (i = 0; i < 2 * RIG_QUEUES; i++) {
		ASSERT_EQ(0, rig_usage(self->ctx, &before));
		ASSERT_EQ(0, rig_open(self->rig, &other));
		ASSERT_EQ(0, rig_stats(other, &stats));
		EXPECT_EQ(2, stats.streams_created);
		EXPECT_EQ(2, stats.streams_live);
		ASSERT_EQ(0, rig_usage(self->ctx, &after));
		EXPECT_EQ(before.contexts + 1, after.contexts);
		EXPECT_EQ(before.contexts_opened + 1, after.contexts_opened);
		EXPECT_EQ(before.streams + 2, after.streams);
		rig_close(other);
		ASSERT_EQ(0, rig_usage(self->ctx, &after));
		EXPECT_EQ(before.contexts, after.contexts);
		EXPECT_EQ(before.contexts_opened + 1, after.contexts_opened);
		EXPECT_EQ(before.streams, after.streams);
	}
}

static int device_info(struct pto_ctx *ctx, struct pto_device_info *info)
{
	struct pto_ioc_query arg = {
		.size = sizeof(arg),
		.item = PTO_QUERY_DEVICE,
		.data_ptr = (uintptr_t)info,
		.data_size = sizeof(*info),
	};

	return rig_ioctl(ctx, PTO_QUERY, &arg);
}

TEST_F(counters, device)
{
	struct pto_device_info info;

	ASSERT_EQ(0, device_info(self->ctx, &info));
	EXPECT_EQ(PTO_ARCH_A5, info.arch);
	EXPECT_EQ(0, strcmp("a5", (char *)info.arch_name));
	EXPECT_EQ(0, strcmp("rig", (char *)info.name));
	EXPECT_EQ(RIG_DEPTH, info.stream_depth);
	/* Of eight queue pairs one is the admin's and one this context's control queue. */
	EXPECT_EQ(RIG_QUEUES - 2, info.max_streams);
	EXPECT_EQ(RIG_CONTEXTS, info.max_contexts);
	EXPECT_EQ(RIG_HEAP, info.memory_size);
	EXPECT_EQ(PTO_FEATURE_UNIFIED | PTO_FEATURE_SIMULATED | PTO_FEATURE_RUN_WAIT,
		  info.features);
}

/* What the driver does not know of a device it does not promise. */
TEST(unknown_features)
{
	struct pto_device_info info;
	struct rig *rig = rig_new();
	struct pto_ctx *ctx;

	rig->ident->features = ~0ull;
	rig->ident->arch = PTO_ARCH_A2A3;
	ASSERT_EQ(0, rig_start(rig));
	ASSERT_EQ(0, rig_open(rig, &ctx));
	ASSERT_EQ(0, device_info(ctx, &info));
	EXPECT_EQ(PTO_FEATURE_UNIFIED | PTO_FEATURE_ISOLATED | PTO_FEATURE_SIMULATED |
		  PTO_FEATURE_HOST_GRAPH | PTO_FEATURE_RUN_WAIT, info.features);
	EXPECT_EQ(0, strcmp("a2a3", (char *)info.arch_name));
	rig_close(ctx);
	rig_free(rig);
}

TEST_HARNESS_MAIN
