// SPDX-License-Identifier: GPL-2.0
/*
 * What a device says is not believed, what it refuses is passed on, and whatever it does nothing
 * is lost or left behind.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "rig.h"

FIXTURE(hostile) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;	/* queue pair of the default stream */
	long memory;
};

FIXTURE_SETUP(hostile)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
}

FIXTURE_TEARDOWN(hostile)
{
	if (self->ctx)
		rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

static void expect_gone(struct __test_metadata *_metadata, struct rig *rig, struct pto_ctx *ctx)
{
	struct pto_context_stats stats;
	struct pto_debug_stats debug;
	struct pto_device_usage usage;
	struct pto_ioc_bo_create bo;
	struct pto_ctx *other;

	EXPECT_EQ(-ENODEV, rig_bo(ctx, 1, &bo));
	EXPECT_EQ(-ENODEV, rig_open(rig, &other));
	EXPECT_EQ(-ENODEV, rig_usage(ctx, &usage));
	EXPECT_EQ(0, rig_stats(ctx, &stats));
	EXPECT_EQ(PTO_CTX_GONE, stats.state);
	/* The driver's own: those who look for what has happened want them now. */
	EXPECT_EQ(0, rig_debug_stats(ctx, &debug));
	EXPECT_LT(0, debug.doorbells);
	EXPECT_TRUE(rig_poll(ctx) & POLLERR);
}

static void wrong_id(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->id += 1;
}

TEST_F(hostile, completion_of_another_command)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = wrong_id;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(-ENODEV, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	expect_gone(_metadata, self->rig, self->ctx);
}

/* What was accepted is told, even if it is the last thing that can be. */
TEST_F(hostile, completion_of_another_command_for_who_waits_at_once)
{
	struct pto_ioc_run run;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = wrong_id;
	EXPECT_EQ(0, rig_run_and_wait(self->ctx, 0, &run));
	EXPECT_EQ(1, run.accepted);
	EXPECT_NE(0, run.first_id);
	EXPECT_EQ(-ENODEV, run.wait_error);
	expect_gone(_metadata, self->rig, self->ctx);
}

static void tail_too_far(struct rig *rig, uint32_t queue)
{
	rig_queue(rig, queue)->cq_tail += 1;
}

TEST_F(hostile, completion_of_what_was_not_submitted)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->after = tail_too_far;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	EXPECT_EQ(-ENODEV, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	expect_gone(_metadata, self->rig, self->ctx);
}

static void tail_backwards(struct rig *rig, uint32_t queue)
{
	rig_queue(rig, queue)->cq_tail -= 2;
}

TEST_F(hostile, completions_that_run_backwards)
{
	struct pto_ioc_bo_create bo;

	self->rig->opcode = PTO_DEV_MAP;
	self->rig->after = tail_backwards;
	EXPECT_EQ(-ENODEV, rig_bo(self->ctx, 4096, &bo));
	expect_gone(_metadata, self->rig, self->ctx);
}

TEST_F(hostile, admin_completion_of_another_command)
{
	struct pto_ctx *other;

	self->rig->opcode = PTO_DEV_CTX_CREATE;
	self->rig->spoil = wrong_id;
	EXPECT_EQ(-ENODEV, rig_open(self->rig, &other));
	expect_gone(_metadata, self->rig, self->ctx);
}

static void unknown_status(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = 4711;
	cqe->detail = ~0ULL;
}

TEST_F(hostile, status_that_does_not_exist)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = unknown_status;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(-EIO, wait.status);
	EXPECT_EQ(0, wait.code);
	EXPECT_EQ(0, wait.subcode);
	EXPECT_EQ(77, wait.user_data);
}

static void program_failed(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	char text[300];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	rig_report(rig, queue, cqe->id, text);
	cqe->status = PTO_DEV_PROGRAM;
	cqe->detail = 9 | 5ULL << 32;
}

TEST_F(hostile, report_without_an_end)
{
	char log[400];
	struct pto_ioc_wait wait = { .log_ptr = (uintptr_t)log, .log_size = sizeof(log) };
	uint64_t id;

	memset(log, 'y', sizeof(log));
	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = program_failed;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(-EREMOTEIO, wait.status);
	EXPECT_EQ(9, wait.code);
	EXPECT_EQ(5, wait.subcode);
	EXPECT_EQ(223, strlen(log));
	/* Cut to fit, and to nothing at all. */
	wait.log_size = 3;
	ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	EXPECT_STREQ("xx", log);
	wait.log_size = 1;
	ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	EXPECT_STREQ("", log);
}

static void others_report(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	rig_report(rig, queue, cqe->id + PTO_DEV_REPORTS, "not this one");
	cqe->status = PTO_DEV_INVALID;
}

TEST_F(hostile, report_of_another_command)
{
	char log[64] = "old";
	struct pto_ioc_wait wait = { .log_ptr = (uintptr_t)log, .log_size = sizeof(log) };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = others_report;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(-EINVAL, wait.status);
	EXPECT_STREQ("", log);
}

static void spoil_run(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_PROGRAM;
}

/* Memory in which nothing was written names no task, although its id would fit. */
TEST_F(hostile, report_that_was_never_written)
{
	char text[64] = "as it was";
	struct pto_ioc_wait wait = { .log_ptr = (uintptr_t)text, .log_size = sizeof(text) };
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = spoil_run;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(-EREMOTEIO, wait.status);
	EXPECT_EQ(~0ULL, wait.task);
	EXPECT_EQ(~0U, wait.func_id);
	EXPECT_EQ(~0U, wait.core);
	EXPECT_STREQ("", text);
}

/* Queue pairs pass from one context to the next, failure reports do not, nor anything else. */
TEST_F(hostile, queue_has_nothing_of_its_last_owner)
{
	char text[64];
	struct pto_ioc_wait wait = { .log_ptr = (uintptr_t)text, .log_size = sizeof(text) };
	struct pto_ioc_bo_create bo;
	const char *pair, *end, *p;
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = spoil_run;
	rig_report(self->rig, self->stream, 0, "/home/somebody/secret.so");
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_STREQ("/home/somebody/secret.so", text);
	rig_close(self->ctx);
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &bo));
	ASSERT_EQ(self->stream, rig_last_bound(self->rig));
	pair = (const char *)rig_queue(self->rig, self->stream);
	end = pair + PTO_DEV_QUEUE_BYTES(RIG_DEPTH);
	for (p = pair + sizeof(struct pto_dev_queue); p < end; p++)
		ASSERT_EQ(0, *p) TH_LOG("byte %td", p - pair);
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_STREQ("", text);
	EXPECT_EQ(~0ULL, wait.task);
}

static void invalid(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
}

/*
 * The device still has it mapped: the context is lost, and nobody gets the memory before the
 * hardware context has ended.
 */
TEST_F(hostile, refused_unmap_keeps_the_memory)
{
	struct pto_context_stats stats;
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_ioc_bo_create bo;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_open(self->rig, &other));
	self->rig->opcode = PTO_DEV_UNMAP;
	self->rig->spoil = invalid;
	self->rig->cleared = 0;
	ASSERT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	self->rig->spoil = NULL;
	EXPECT_EQ(0, self->rig->cleared);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_LOST, stats.state);
	EXPECT_EQ(12288, stats.bo_bytes);
	while (!rig_bo(other, 4096, &bo)) {
		ASSERT_TRUE(bo.device_addr < self->bo.device_addr ||
			    bo.device_addr >= self->bo.device_addr + 12288);
	}
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_LE(12288, self->rig->cleared);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(0, stats.bo_bytes);
	EXPECT_EQ(0, rig_bo(other, 4096, &bo));
	EXPECT_EQ(self->bo.device_addr, bo.device_addr);
	rig_close(other);
}

TEST_F(hostile, device_that_says_it_is_broken)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	self->rig->ident->state = PTO_DEV_STATE_FAILED;
	EXPECT_EQ(-ENODEV, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	expect_gone(_metadata, self->rig, self->ctx);
}

/* What the page says later has no consequences. */
TEST_F(hostile, identification_that_changes)
{
	struct pto_ioc_bo_create bo;

	self->rig->ident->queue_depth = 1u << 31;
	self->rig->ident->heap_offset = 0;
	self->rig->ident->memory_base = 0;
	ASSERT_EQ(0, rig_bo(self->ctx, 4096, &bo));
	EXPECT_LE((uintptr_t)self->rig->window, bo.device_addr);
	EXPECT_GT((uintptr_t)self->rig->window + self->rig->window_size, bo.device_addr);
}

static void nothing_fits(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_NOMEM;
}

static void no_answer_fits(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_INVALID;
}

TEST_F(hostile, refused_contexts_leave_nothing)
{
	static const uint16_t opcodes[] = { PTO_DEV_CTX_CREATE, PTO_DEV_QUEUE_BIND };
	struct pto_device_usage before, after;
	struct pto_ctx *other;
	size_t i;
	int k;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	for (i = 0; i < 2; i++) {
		self->rig->opcode = opcodes[i];
		for (k = 0; k < 2 * RIG_QUEUES; k++) {
			self->rig->spoil = nothing_fits;
			EXPECT_EQ(-ENOMEM, rig_open(self->rig, &other));
			self->rig->spoil = no_answer_fits;
			EXPECT_EQ(-EIO, rig_open(self->rig, &other));
		}
	}
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	self->rig->spoil = NULL;
	ASSERT_EQ(0, rig_open(self->rig, &other));
	rig_close(other);
}

TEST_F(hostile, refused_map_leaves_nothing)
{
	struct pto_context_stats before, after;
	struct pto_device_usage used_before, used_after;
	struct pto_ioc_bo_create bo;

	ASSERT_EQ(0, rig_stats(self->ctx, &before));
	ASSERT_EQ(0, rig_usage(self->ctx, &used_before));
	self->rig->opcode = PTO_DEV_MAP;
	self->rig->spoil = nothing_fits;
	EXPECT_EQ(-ENOMEM, rig_bo(self->ctx, 4096, &bo));
	ASSERT_EQ(0, rig_stats(self->ctx, &after));
	ASSERT_EQ(0, rig_usage(self->ctx, &used_after));
	EXPECT_EQ(before.bo_live, after.bo_live);
	EXPECT_EQ(before.bo_bytes, after.bo_bytes);
	EXPECT_EQ(used_before.memory_used, used_after.memory_used);
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_UNMAP, 0));
}

static void cannot_load(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	rig_report(rig, queue, cqe->id, "no such symbol");
	cqe->status = PTO_DEV_NOEXEC;
}

TEST_F(hostile, refused_load_changes_nothing_and_says_why)
{
	char log[64] = "";
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = 5,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = 1,
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};
	struct pto_context_stats before, after;

	ASSERT_EQ(0, rig_stats(self->ctx, &before));
	self->rig->opcode = PTO_DEV_LOAD;
	self->rig->spoil = cannot_load;
	EXPECT_EQ(-ENOEXEC, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	EXPECT_STREQ("no such symbol", log);
	EXPECT_EQ(5, arg.cid);
	EXPECT_EQ(0, arg.generation);
	ASSERT_EQ(0, rig_stats(self->ctx, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	self->rig->spoil = NULL;
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	EXPECT_EQ(1, arg.generation);
}

static uint64_t plan_arena, plan_image;
static uint32_t plan_status;

/* A plan with sizes of the test's choice. */
static void odd_plan(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	struct pto_dev_arena_plan *plan;
	struct pto_dev_cmd_arena cmd;

	memcpy(&cmd, &rig_last(rig, PTO_DEV_ARENA_BUILD)->cmd, sizeof(cmd));
	plan = (void *)(rig->window + (cmd.addr - (uintptr_t)rig->window));
	plan->arena_size = plan_arena;
	plan->image_size = plan_image;
	cqe->status = plan_status;
}

static int prewarm(struct pto_ctx *ctx, uint64_t heap)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { heap, heap, heap, heap } };

	return rig_ioctl(ctx, PTO_PREWARM, &arg);
}

TEST_F(hostile, arena_plans_that_cannot_be)
{
	struct pto_device_usage before, after;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	self->rig->opcode = PTO_DEV_ARENA_BUILD;
	self->rig->spoil = odd_plan;
	plan_image = RIG_IMAGE_SIZE;
	plan_arena = 0;
	EXPECT_EQ(-EIO, prewarm(self->ctx, 1024));
	plan_arena = RIG_HEAP + 4096;
	EXPECT_EQ(-ENOMEM, prewarm(self->ctx, 1024));
	plan_arena = ~0ULL;
	EXPECT_EQ(-ENOMEM, prewarm(self->ctx, 1024));
	plan_arena = RIG_ARENA_SIZE;
	plan_image = 0;
	EXPECT_EQ(-EIO, prewarm(self->ctx, 1024));
	plan_image = ~0ULL - 64;
	EXPECT_EQ(-ENOMEM, prewarm(self->ctx, 1024));
	/* An image that does not fit where it is said to be. */
	plan_image = 1 << 20;
	EXPECT_EQ(-EIO, prewarm(self->ctx, 1024));
	/* Too little room, however much is offered. */
	plan_status = PTO_DEV_NOSPACE;
	EXPECT_EQ(-EIO, prewarm(self->ctx, 1024));
	self->rig->spoil = NULL;
	EXPECT_EQ(0, prewarm(self->ctx, 1024));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.arena_images + 1, after.arena_images);
	EXPECT_EQ(before.memory_used + RIG_ARENA_SIZE + 8192, after.memory_used);
}

TEST_F(hostile, memory_that_cannot_be_cleared)
{
	self->rig->clear_fails = true;
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	/* It was zeroed by hand instead. */
	EXPECT_EQ(0, rig_bo(self->ctx, 4096, &self->bo));
}

/* Nobody may find what was in it, so nobody gets any more of this device's memory. */
TEST_F(hostile, memory_that_cannot_be_reached_either)
{
	memset((void *)(uintptr_t)self->bo.device_addr, 7, 4096);
	self->rig->clear_fails = true;
	rig_fail(self->rig, RIG_ACCESS, 0, 1);
	EXPECT_EQ(0, rig_bo_destroy(self->ctx, self->bo.id));
	rig_settle();
	EXPECT_EQ(7, *(char *)(uintptr_t)self->bo.device_addr);
	expect_gone(_metadata, self->rig, self->ctx);
}

/* The queue pair of the control queue of the latest context. */
static uint32_t last_control(struct rig *rig)
{
	struct pto_dev_cmd_queue create;

	memcpy(&create, &rig_last(rig, PTO_DEV_CTX_CREATE)->cmd, sizeof(create));
	return create.queue;
}

TEST_F(hostile, context_that_will_not_end)
{
	struct pto_ioc_prewarm arena = { .size = sizeof(arena) };
	struct pto_device_usage before, after;
	uint32_t control, stream;
	struct pto_ioc_bo_create bo;
	struct pto_ctx *other;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	ASSERT_EQ(0, rig_open(self->rig, &other));
	ASSERT_EQ(0, rig_ioctl(other, PTO_PREWARM, &arena));
	control = last_control(self->rig);
	stream = rig_last_bound(self->rig);
	ASSERT_EQ(0, rig_bo(other, 4096, &bo));
	memset((void *)(uintptr_t)bo.device_addr, 7, 4096);
	self->rig->opcode = PTO_DEV_CTX_DESTROY;
	self->rig->spoil = no_answer_fits;
	rig_close(other);
	self->rig->spoil = NULL;
	/* What it may still write to is nobody's any more, nor are its number and queues. */
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.contexts, after.contexts);
	EXPECT_EQ(before.memory_used + 4096 + arena.arena_size, after.memory_used);
	EXPECT_EQ(7, *(char *)(uintptr_t)bo.device_addr);
	ASSERT_EQ(0, rig_open(self->rig, &other));
	EXPECT_EQ(3, rig_last(self->rig, PTO_DEV_CTX_CREATE)->cmd.ctx);
	EXPECT_NE(control, last_control(self->rig));
	EXPECT_NE(control, rig_last_bound(self->rig));
	EXPECT_NE(stream, last_control(self->rig));
	EXPECT_NE(stream, rig_last_bound(self->rig));
	rig_close(other);
}

/* The old hardware context may be there still: there is no new one, however often it is tried. */
TEST_F(hostile, reset_of_a_context_that_will_not_end)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	unsigned int from = self->rig->logged;
	uint64_t id;
	int i;

	self->rig->opcode = PTO_DEV_CTX_DESTROY;
	self->rig->spoil = no_answer_fits;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EIO, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
		EXPECT_EQ(-EIO, rig_run(self->ctx, 0, 0, &id));
		self->rig->spoil = NULL;
	}
	EXPECT_EQ(0, rig_count(self->rig, PTO_DEV_CTX_CREATE, from));
	rig_close(self->ctx);
	self->ctx = NULL;
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, from));
}

/* Nor can it be written down that the context has it: then the device cannot be used any more. */
TEST_F(hostile, context_that_will_not_end_and_no_memory)
{
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo, next;
	struct pto_ctx *other;
	long nth = 0;

	do {
		ASSERT_EQ(0, rig_open(self->rig, &other)) {
			TH_LOG("allocation %ld", nth);
		}
		ASSERT_EQ(0, rig_bo(other, 4096, &bo));
		memset((void *)(uintptr_t)bo.device_addr, 7, 4096);
		self->rig->opcode = PTO_DEV_CTX_DESTROY;
		self->rig->spoil = no_answer_fits;
		rig_fail_nth(++nth);
		rig_close(other);
		rig_settle();
		EXPECT_FALSE(rig_fail_pending());
		rig_fail_nth(0);
		self->rig->spoil = NULL;
		ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	} while (stats.state == PTO_CTX_OK && nth < 2);
	EXPECT_EQ(PTO_CTX_GONE, stats.state);
	EXPECT_EQ(-ENODEV, rig_bo(self->ctx, 4096, &next));
}

static void crashes(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->status = PTO_DEV_FAULT;
}

TEST_F(hostile, reset_tells_a_new_context_all_that_the_old_one_knew)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_context_stats stats;
	struct pto_ioc_wait wait = { 0 };
	unsigned int from;
	uint64_t id;

	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = crashes;
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(-EIO, wait.status);
	self->rig->spoil = NULL;
	EXPECT_EQ(-EIO, rig_run(self->ctx, 0, 0, &id));
	EXPECT_TRUE(rig_poll(self->ctx) & POLLERR);
	from = self->rig->logged;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_DESTROY, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_CTX_CREATE, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_QUEUE_BIND, from));
	EXPECT_EQ(2, rig_count(self->rig, PTO_DEV_MAP, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_ARENA_BIND, from));
	EXPECT_EQ(1, rig_count(self->rig, PTO_DEV_LOAD, from));
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(PTO_CTX_OK, stats.state);
	EXPECT_EQ(1, stats.resets);
	EXPECT_EQ(2, stats.aicpu_dlopen_count);
	EXPECT_FALSE(rig_poll(self->ctx) & POLLERR);
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(0, wait.status);
}

TEST_F(hostile, reset_that_fails_can_be_tried_again)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	static const uint16_t steps[] = {
		PTO_DEV_CTX_CREATE, PTO_DEV_QUEUE_BIND, PTO_DEV_MAP, PTO_DEV_ARENA_BIND,
		PTO_DEV_LOAD,
	};
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		self->rig->opcode = steps[i];
		self->rig->spoil = nothing_fits;
		EXPECT_NE(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
		EXPECT_EQ(-EIO, rig_run(self->ctx, 0, 0, &id));
	}
	self->rig->spoil = NULL;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	ASSERT_EQ(0, rig_run(self->ctx, 0, self->bo.id, &id));
	ASSERT_EQ(0, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
	EXPECT_EQ(0, wait.status);
}

/* --- on virtual time: somebody sleeps ------------------------------------------- */

FIXTURE(patient) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	long memory;
};

FIXTURE_SETUP(patient)
{
	self->memory = rig_memory();
	self->rig = rig_new();
	rig_virtual_time(self->rig, 1);
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
}

FIXTURE_TEARDOWN(patient)
{
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

struct waiter {
	struct pto_ctx *ctx;
	uint64_t id;
	int result;
};

static void wait_for_run(void *arg)
{
	struct waiter *waiter = arg;
	struct pto_ioc_wait wait = { 0 };

	waiter->result = rig_wait(waiter->ctx, waiter->id, PTO_WAIT_FOREVER, &wait);
}

TEST_F(patient, sleeper_wakes_when_the_device_goes)
{
	struct waiter waiter = { .ctx = self->ctx };
	struct rig_thread thread;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &waiter.id));
	rig_thread(&thread, wait_for_run, &waiter);
	rig_settle();
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	rig_gone(self->rig);
	rig_join(&thread);
	EXPECT_EQ(-ENODEV, waiter.result);
	expect_gone(_metadata, self->rig, self->ctx);
}

static void run_and_wait(void *arg)
{
	struct waiter *waiter = arg;
	struct pto_ioc_run run;

	waiter->result = rig_run_and_wait(waiter->ctx, 0, &run);
	if (!waiter->result && run.accepted == 1)
		waiter->result = run.wait_error;
	waiter->id = run.first_id;
}

TEST_F(patient, who_submits_and_sleeps_wakes_when_the_device_goes)
{
	struct waiter waiter = { .ctx = self->ctx };
	struct rig_thread thread;

	self->rig->held = 1u << self->stream;
	rig_thread(&thread, run_and_wait, &waiter);
	rig_settle();
	EXPECT_NE(0, rig_queue(self->rig, self->stream)->cq_flags);
	rig_gone(self->rig);
	rig_join(&thread);
	EXPECT_EQ(-ENODEV, waiter.result);
	EXPECT_NE(0, waiter.id);
	expect_gone(_metadata, self->rig, self->ctx);
}

TEST_F(patient, sleeper_wakes_by_interrupt)
{
	struct waiter waiter = { .ctx = self->ctx };
	struct pto_context_stats stats;
	struct rig_thread thread;

	self->rig->held = 1u << self->stream;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &waiter.id));
	rig_thread(&thread, wait_for_run, &waiter);
	rig_settle();
	/* The device raises the interrupt when time passes. */
	rig_release(self->rig, self->stream, 1);
	rig_settle();
	EXPECT_EQ(0, self->rig->interrupts);
	rig_join(&thread);
	EXPECT_EQ(1, self->rig->interrupts);
	EXPECT_EQ(0, waiter.result);
	EXPECT_EQ(0, rig_queue(self->rig, self->stream)->cq_flags);
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	EXPECT_EQ(1, stats.runs_completed);
}

static unsigned int count_lines(int fd)
{
	char text[4096];
	ssize_t i, n = pread(fd, text, sizeof(text), 0);
	unsigned int lines = 0;

	for (i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* A device goes out of service once, and that is said once, however often it is found out. */
TEST_F(patient, one_line_in_the_log)
{
	int log = memfd_create("log", MFD_CLOEXEC), old = dup(STDERR_FILENO), err;
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;

	ASSERT_LE(0, log);
	ASSERT_LE(0, old);
	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = wrong_id;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	dup2(log, STDERR_FILENO);
	err = rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait);
	dup2(old, STDERR_FILENO);
	EXPECT_EQ(-ENODEV, err);
	EXPECT_EQ(1, count_lines(log));
	close(old);
	close(log);
}

/* --- identification pages that are not acceptable ------------------------------- */

#define REFUSED(change) do { \
	struct rig *rig = rig_new(); \
	struct pto_dev_ident *id = rig->ident; \
	(void)id; \
	change; \
	EXPECT_EQ(-ENODEV, rig_start(rig)) { \
		TH_LOG("%s", #change); \
	} \
	EXPECT_EQ(0, rig->released); \
	rig_free(rig); \
} while (0)

/* Half as many queue pairs, of twice the size. */
static void other_depth(struct pto_dev_ident *id, uint32_t depth)
{
	id->queue_depth = depth;
	id->queue_stride *= 2;
	id->queue_count /= 2;
}

TEST(identification)
{
	long memory = rig_memory();
	struct rig *good = rig_new();

	ASSERT_EQ(0, rig_start(good));
	rig_free(good);
	good = rig_new();
	other_depth(good->ident, 2 * RIG_DEPTH);
	EXPECT_EQ(0, rig_start(good));
	rig_free(good);
	REFUSED(id->magic++);
	REFUSED(id->abi_version += 1 << 16);
	REFUSED(id->state = PTO_DEV_STATE_FAILED);
	REFUSED(id->state = 77);
	REFUSED(id->arch = 0);
	REFUSED(id->cluster_count = 0);
	REFUSED(id->aicpu_threads = 0);
	REFUSED(id->max_contexts = 0);
	REFUSED(id->max_contexts = 1u << 31);
	REFUSED(id->queue_count = 2);
	REFUSED(id->queue_count = ~0u);
	REFUSED(id->queue_depth = 0);
	REFUSED(id->queue_depth = 32);
	REFUSED(id->queue_depth = 96);
	REFUSED(other_depth(id, 96));
	REFUSED(other_depth(id, 2 * RIG_DEPTH - 1));
	REFUSED(id->queue_depth = 1u << 31);
	REFUSED(id->queue_stride = 0);
	REFUSED(id->queue_stride -= 4096);
	REFUSED(id->queue_stride += 64);
	REFUSED(id->queue_offset = 0);
	REFUSED(id->queue_offset = 64);
	REFUSED(id->queue_offset = ~0ULL - 4095);
	REFUSED(id->heap_offset = 0);
	REFUSED(id->heap_offset -= 4096);
	REFUSED(id->heap_offset += 1);
	REFUSED(id->heap_offset = id->window_size);
	REFUSED(id->window_size += 4096);
	REFUSED(id->window_size -= 1);
	REFUSED(id->memory_base += 8);
	REFUSED(id->memory_base = ~0ULL - 4095);
	REFUSED(rig_queue(rig, 0)->sq_tail = 1);
	REFUSED(rig_queue(rig, 0)->cq_tail = 1);
	EXPECT_EQ(memory, rig_memory());
}

TEST_HARNESS_MAIN
