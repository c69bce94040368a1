// SPDX-License-Identifier: GPL-2.0
/*
 * What the device is told of a run: bounds, addresses, epochs; and what is kept of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "inside.h"
#include "rig.h"

#define MSEC	1000000ull
#define PAGE	4096u

FIXTURE(runs) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	long memory;
};

FIXTURE_SETUP(runs)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	self->rig->ident->features |= PTO_FEATURE_HOST_GRAPH;
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
}

FIXTURE_TEARDOWN(runs)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static int submit(struct pto_ctx *ctx, const struct pto_run_entry *entries, uint32_t count,
		  struct pto_ioc_run *arg)
{
	*arg = (struct pto_ioc_run){
		.size = sizeof(*arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = count,
		.stride = sizeof(*entries),
		.entries_ptr = (uintptr_t)entries,
	};
	return rig_ioctl(ctx, PTO_RUN, arg);
}

/* One run, and the command that the device got. */
static struct pto_dev_cmd_run sent(FIXTURE_DATA(runs) *self, const struct pto_run_entry *entry)
{
	struct pto_dev_cmd_run cmd = { 0 };
	unsigned int before = self->rig->logged;
	struct pto_ioc_run arg;

	if (!submit(self->ctx, entry, 1, &arg) && self->rig->logged == before + 1)
		memcpy(&cmd, &rig_last(self->rig, PTO_DEV_RUN)->cmd, sizeof(cmd));
	return cmd;
}

/* --- bounds -------------------------------------------------------------------------- */

/* Milliseconds, rounded up; none for none; as many as fit the field. */
static uint32_t milliseconds(uint64_t ns)
{
	uint64_t ms = ns / MSEC + !!(ns % MSEC);

	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

TEST_F(runs, bounds_are_never_shorter)
{
	static const uint64_t some[] = {
		0, 1, 2, MSEC - 1, MSEC, MSEC + 1, 1000 * MSEC - 1, 1000 * MSEC, UINT32_MAX,
		UINT32_MAX + 1ull, UINT32_MAX + 2ull, (uint64_t)UINT32_MAX * MSEC - 1,
		(uint64_t)UINT32_MAX * MSEC, (uint64_t)UINT32_MAX * MSEC + 1,
		(1ull << 32) * MSEC + MSEC, (1ull << 33) * MSEC, UINT64_MAX - 1, UINT64_MAX,
	};
	const unsigned int count = ARRAY_SIZE(some);
	struct pto_dev_cmd_run cmd;
	unsigned int i;

	/* A different one in each of the three places. */
	for (i = 0; i < count; i++) {
		struct pto_run_entry entry = {
			.timeout_ns = some[i],
			.sched_timeout_ns = some[(i + 1) % count],
			.op_timeout_ns = some[(i + 2) % count],
		};

		cmd = sent(self, &entry);
		EXPECT_EQ(milliseconds(entry.timeout_ns), cmd.timeout_ms);
		EXPECT_EQ(milliseconds(entry.sched_timeout_ns), cmd.sched_timeout_ms);
		EXPECT_EQ(milliseconds(entry.op_timeout_ns), cmd.op_timeout_ms);
	}
}

/* --- addresses ------------------------------------------------------------------------ */

TEST_F(runs, arguments_are_where_they_are_said_to_be)
{
	/* rig_ready()'s buffer has three pages. */
	static const struct {
		uint64_t offset;
		uint32_t size;
		int error;
	} some[] = {
		{ 0, 64, 0 }, { 64, 64, 0 }, { PAGE, 100, 0 }, { 3 * PAGE - 64, 64, 0 },
		{ 0, 3 * PAGE, 0 }, { 0, 3 * PAGE + 1, -EINVAL }, { 3 * PAGE - 64, 65, -EINVAL },
		{ 3 * PAGE, 1, -EINVAL }, { 32, 64, -EINVAL }, { 63, 1, -EINVAL },
		{ 0, 0, -EINVAL }, { -64ull, 64, -EOVERFLOW }, { -64ull, 63, -EINVAL },
	};
	struct pto_dev_cmd_run cmd;
	struct pto_ioc_run arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		struct pto_run_entry entry = {
			.args_bo = self->bo.id,
			.args_offset = some[i].offset,
			.args_size = some[i].size,
		};

		EXPECT_EQ(some[i].error, submit(self->ctx, &entry, 1, &arg)) {
			TH_LOG("offset %llu, size %u", (unsigned long long)some[i].offset,
			       some[i].size);
		}
		if (some[i].error)
			continue;
		cmd = sent(self, &entry);
		EXPECT_EQ(self->bo.device_addr + some[i].offset, cmd.args_addr);
		EXPECT_EQ(some[i].size, cmd.args_size);
		EXPECT_EQ(0, cmd.graph_addr);
	}
}

TEST_F(runs, graphs_are_for_one_kind_only)
{
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare), .cid = 1, .kind = PTO_KIND_HOST_GRAPH,
	};
	struct pto_run_entry entry = {
		.graph_bo = self->bo.id, .graph_offset = PAGE, .graph_size = 128,
	};
	struct pto_dev_cmd_run cmd;
	struct pto_ioc_run arg;

	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREPARE, &prepare));
	EXPECT_EQ(-EINVAL, submit(self->ctx, &entry, 1, &arg));
	entry.cid = 1;
	cmd = sent(self, &entry);
	EXPECT_EQ(self->bo.device_addr + PAGE, cmd.graph_addr);
	EXPECT_EQ(128, cmd.graph_size);
	EXPECT_EQ(0, cmd.args_addr);
	entry = (struct pto_run_entry){ .cid = 1 };
	EXPECT_EQ(-EINVAL, submit(self->ctx, &entry, 1, &arg));
}

/* --- epochs --------------------------------------------------------------------------- */

static uint32_t epoch(FIXTURE_DATA(runs) *self, uint32_t arena)
{
	struct pto_run_entry entry = { .arena = arena };

	return sent(self, &entry).epoch;
}

/* No two runs of an arena have the same one, and none is 0. */
TEST_F(runs, epochs)
{
	struct pto_ioc_prewarm other = { .size = sizeof(other), .heap = { 4096 } };
	uint32_t first = epoch(self, 0), i;

	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREWARM, &other));
	EXPECT_NE(0, first);
	for (i = 1; i < 100; i++) {
		EXPECT_EQ(first + i, epoch(self, 0));
		EXPECT_NE(0, epoch(self, other.arena));
	}
	inside_age(self->ctx);
	i = epoch(self, 0);
	EXPECT_NE(0, i);
	EXPECT_EQ(i + 1, epoch(self, 0));
}

/* --- arrays ---------------------------------------------------------------------------- */

/* One doorbell is enough for all of an array, of any length. */
TEST_F(runs, arrays_are_submitted_whole)
{
	struct pto_run_entry entries[RIG_DEPTH];
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_run arg;
	uint32_t count, i;
	uint64_t next = 1;

	for (count = 1; count <= RIG_DEPTH; count++) {
		memset(entries, 0, sizeof(entries));
		for (i = 0; i < count; i++)
			entries[i].user_data = next + i;
		ASSERT_EQ(0, submit(self->ctx, entries, count, &arg));
		ASSERT_EQ(count, arg.accepted);
		ASSERT_EQ((uint64_t)PTO_STREAM_DEFAULT << 48 | next, arg.first_id);
		for (i = 0; i < count; i++) {
			ASSERT_EQ(0, rig_wait(self->ctx, arg.first_id + i, 0, &wait));
			ASSERT_EQ(next + i, wait.user_data);
		}
		next += count;
	}
}

/* Entries that are longer than the driver's, by zeros, lie further apart. */
TEST_F(runs, longer_entries)
{
	const uint32_t count = 20, strides[] = { sizeof(struct pto_run_entry) + 8, 512, 4096 };
	char *entries = calloc(count, 4096);
	struct pto_ioc_wait wait = { 0 };
	struct pto_ioc_run arg;
	uint32_t i, j;

	ASSERT_NE(NULL, entries);
	for (j = 0; j < ARRAY_SIZE(strides); j++) {
		memset(entries, 0, count * 4096);
		for (i = 0; i < count; i++) {
			struct pto_run_entry entry = { .user_data = 100 * j + i };

			memcpy(entries + i * strides[j], &entry, sizeof(entry));
		}
		arg = (struct pto_ioc_run){
			.size = sizeof(arg),
			.stream = PTO_STREAM_DEFAULT,
			.count = count,
			.stride = strides[j],
			.entries_ptr = (uintptr_t)entries,
		};
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_RUN, &arg));
		ASSERT_EQ(count, arg.accepted);
		for (i = 0; i < count; i++) {
			ASSERT_EQ(0, rig_wait(self->ctx, arg.first_id + i, 0, &wait));
			EXPECT_EQ(100 * j + i, wait.user_data);
		}
		/* What the driver does not know is zero, or refused. */
		entries[(count - 1) * strides[j] + sizeof(struct pto_run_entry)] = 1;
		ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_RUN, &arg));
		EXPECT_GT(count, arg.accepted);
	}
	free(entries);
}

/* Each run is told as it is, and has its own result, in whichever lap of the ring. */
TEST_F(runs, laps)
{
	struct pto_dev_cmd_run cmd;
	struct pto_ioc_wait wait = { 0 };
	uint32_t i;

	for (i = 0; i < 4 * RIG_DEPTH; i++) {
		struct pto_run_entry entry = {
			.timeout_ns = (i + 1) * MSEC, .user_data = 7 * i,
		};

		cmd = sent(self, &entry);
		ASSERT_EQ(i, cmd.id);
		ASSERT_EQ(i + 1, cmd.timeout_ms);
		ASSERT_EQ(0, rig_wait(self->ctx, (uint64_t)PTO_STREAM_DEFAULT << 48 | (i + 1), 0,
				      &wait));
		ASSERT_EQ(7 * i, wait.user_data);
	}
}

/* What has ended makes room, whether or not anybody has looked. */
TEST_F(runs, stream_full_of_what_has_ended)
{
	uint32_t stream = rig_last_bound(self->rig);
	uint64_t id;
	int i, round;

	for (round = 0; round < 3; round++) {
		self->rig->held = 1u << stream;
		for (i = 0; i < RIG_DEPTH; i++)
			ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		EXPECT_EQ(-EAGAIN, rig_run(self->ctx, 0, 0, &id));
		rig_release(self->rig, stream, 1);
		EXPECT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		EXPECT_EQ(-EAGAIN, rig_run(self->ctx, 0, 0, &id));
		self->rig->held = 0;
		rig_release(self->rig, stream, RIG_DEPTH);
	}
}

static struct rig *leaving;

static void leaves(void)
{
	rig_gone(leaving);
}

/* It leaves when the call has begun: nothing is submitted any more. */
TEST_F(runs, device_that_leaves_before_it)
{
	struct pto_ioc_wait wait = { .size = sizeof(wait) };
	struct pto_run_entry entry = { 0 };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	unsigned int before = self->rig->logged;
	struct pto_ioc_wait *trap = rig_trap(&wait, sizeof(wait), leaves);
	struct pto_context_stats stats;

	leaving = self->rig;
	arg.wait_ptr = (uintptr_t)trap;
	EXPECT_EQ(-ENODEV, rig_ioctl(self->ctx, PTO_RUN, &arg));
	EXPECT_EQ(before, self->rig->logged);
	EXPECT_EQ(0, arg.accepted);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_GONE, stats.state);
	EXPECT_EQ(0, stats.runs_submitted);
	rig_user_free(trap);
}

TEST_HARNESS_MAIN
