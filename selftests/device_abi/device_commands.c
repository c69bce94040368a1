// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of the device ABI, each with one thing about it that is not right, and what is said of
 * it; which memory a context has, against a model; and in which order commands are taken.
 */
#include <elf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pto/tensor.h>
#include "homes.h"
#include "../../sim/device/device.h"
#include "../../sim/device/internal.h"

#define PAGE PTO_DEV_PAGE_SIZE
#define BOTH (PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE)

#define EXPECT_SAYS(text, queue, id) \
	EXPECT_NE(NULL, strstr(rig_why(&self->rig, queue, id), text)) \
		TH_LOG("report: \"%s\", not \"%s\"", rig_why(&self->rig, queue, id), text)

/* --- commands that are refused -------------------------------------------------------- */

/**
 * struct refused - a command that is wrong in one way
 * @queue: where it is given
 * @cmd: the command
 * @status: what it ends with
 * @text: a part of what is said
 */
struct refused {
	uint32_t queue;
	struct pto_dev_cmd cmd;
	uint32_t status;
	const char *text;
};

#define UNUSED "flags or unused operands are not 0"

static const struct refused refused[] = {
	{ 0, { .opcode = PTO_DEV_NOP, .arg = { [5] = 1ULL << 32 } }, PTO_DEV_INVALID, UNUSED },
	{ 1, { .opcode = PTO_DEV_NOP, .ctx = 1, .arg = { [5] = 1ULL << 32 } }, PTO_DEV_INVALID,
	  UNUSED },
	{ 1, { .opcode = PTO_DEV_NOP, .ctx = 1, .flags = 1 }, PTO_DEV_INVALID, UNUSED },
	{ 1, { .opcode = PTO_DEV_NOP, .ctx = 1, .arg = { 1 } }, PTO_DEV_INVALID, UNUSED },
	{ 0, { .opcode = PTO_DEV_NOP, .handle = 1 }, PTO_DEV_INVALID, "has no handle" },
	{ 1, { .opcode = PTO_DEV_NOP, .ctx = 1, .handle = 1 }, PTO_DEV_INVALID, "has no handle" },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 17, .arg = { 5 } }, PTO_DEV_INVALID,
	  "context 17: they count from 1 to 16" },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 1, .arg = { 5 } }, PTO_DEV_INVALID,
	  "context 1 exists already" },
	{ 0, { .opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .arg = { 2 } }, PTO_DEV_INVALID,
	  "queue pair 2 is in use" },
	{ 0, { .opcode = PTO_DEV_ABORT, .ctx = 2 }, PTO_DEV_INVALID, "context 2 does not exist" },
	{ 0, { .opcode = PTO_DEV_QUEUE_UNBIND, .ctx = 1, .arg = { 1 } }, PTO_DEV_INVALID,
	  "queue pair 1 is no stream queue of context 1" },
	{ 1, { .opcode = PTO_DEV_RUN, .ctx = 1 }, PTO_DEV_INVALID, "is none of a control queue" },
	{ 1, { .opcode = PTO_DEV_BARRIER, .ctx = 1 }, PTO_DEV_INVALID,
	  "is none of a control queue" },
	{ 2, { .opcode = PTO_DEV_MAP, .ctx = 1 }, PTO_DEV_INVALID, "is none of a stream queue" },
	{ 2, { .opcode = PTO_DEV_UNMAP, .ctx = 1 }, PTO_DEV_INVALID, "is none of a stream queue" },
	{ 2, { .opcode = PTO_DEV_LOAD, .ctx = 1 }, PTO_DEV_INVALID, "is none of a stream queue" },
	{ 2, { .opcode = PTO_DEV_NOP, .ctx = 2 }, PTO_DEV_INVALID,
	  "is for context 2 on a queue of 1" },
	{ 1, { .opcode = PTO_DEV_LOAD, .ctx = 1, .handle = 256 }, PTO_DEV_INVALID,
	  "handle 256 is not below 256" },
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .arg = { 4096, 0 } }, PTO_DEV_INVALID,
	  "unused operands are not 0" },
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .arg = { 0, 8 } }, PTO_DEV_INVALID,
	  "unused operands are not 0" },
	/* A label, and the padding behind it */
	{ 1, { .opcode = PTO_DEV_UNLOAD, .ctx = 1, .arg = { 0, 0, 1 } }, PTO_DEV_INVALID,
	  "unused operands are not 0" },
	{ 1, { .opcode = PTO_DEV_LOAD, .ctx = 1, .arg = { 0, 0, 1ULL << 32 } }, PTO_DEV_INVALID,
	  "unused operands are not 0" },
	{ 1, { .opcode = PTO_DEV_LOAD, .ctx = 1, .arg = { 0, 0, 0, 1 } }, PTO_DEV_INVALID,
	  "unused operands are not 0" },
};

TEST_F(device, commands_that_are_refused)
{
	const struct refused *row;
	struct pto_dev_cmd cmd;
	uint64_t detail;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		row = &refused[i];
		cmd = row->cmd;
		detail = 1;
		EXPECT_EQ((int)row->status, rig_do(&self->rig, row->queue, &cmd, &detail))
			TH_LOG("row %zu", i);
		EXPECT_SAYS(row->text, row->queue, cmd.id);
		EXPECT_EQ(0, detail);
	}
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, 5, 0));
	EXPECT_EQ(5, *self->ctx.page);
}

/* Pairs that do not exist, and pairs whose indices the driver has not put back to 0. */
TEST_F(device, queues_that_cannot_be_bound)
{
	uint32_t count = self->rig.ident->queue_count, i;
	struct pto_dev_queue *pair = rig_queue(&self->rig, 7);
	__u32 *indices[] = { &pair->sq_tail, &pair->sq_head, &pair->cq_tail, &pair->cq_head };

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(PTO_DEV_INVALID,
			  rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, i ? count + i - 1 : 0));
		EXPECT_SAYS("they count from 1 to", 0, rig_queue(&self->rig, 0)->sq_tail - 1);
	}
	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		*indices[i] = 1;
		EXPECT_EQ(PTO_DEV_INVALID, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, 7))
			TH_LOG("index %u", i);
		EXPECT_SAYS("its indices are not 0", 0, rig_queue(&self->rig, 0)->sq_tail - 1);
		*indices[i] = 0;
	}
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, 7));
}

/* --- reports and details --------------------------------------------------------------- */

/* Each of the latest failures has its report, and says whose it is. */
TEST_F(device, reports_side_by_side)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	const struct pto_dev_report *report;
	uint32_t i, first = 0;
	char text[32];

	for (i = 0; i < PTO_DEV_REPORTS; i++) {
		cmd.opcode = 1000 + i;
		EXPECT_EQ(PTO_DEV_UNSUPPORTED, rig_do(&self->rig, 2, &cmd, NULL));
		first = i ? first : cmd.id;
	}
	for (i = 0; i < PTO_DEV_REPORTS; i++) {
		report = rig_report(&self->rig, 2, first + i);
		EXPECT_EQ(first + i, report->id);
		EXPECT_EQ(PTO_DEV_REPORT_VALID, report->flags);
		EXPECT_EQ(UINT32_MAX, report->core);
		EXPECT_EQ(UINT32_MAX, report->func_id);
		EXPECT_EQ(UINT64_MAX, report->task);
		snprintf(text, sizeof(text), "unknown command %u", 1000 + i);
		EXPECT_SAYS(text, 2, first + i);
	}
}

/* A kernel that hangs, with a bound of its own: the detail has the code and the sub-class. */
TEST_F(device, detail_of_a_failure)
{
	const uint64_t scalars[] = { PROBE_TASK, KERNEL_HANG }, hang = PROBE_HANG;
	const struct pto_dev_report *report;
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = 1,
		.args_addr = rig_addr(&self->rig, self->ctx.args),
		.args_size = rig_args(&self->ctx, scalars, 2),
		.epoch = 1000,
		.arena_addr = self->ctx.arena,
		.timeout_ms = UINT32_MAX,
		.sched_timeout_ms = UINT32_MAX,
		.op_timeout_ms = 20,
	};
	struct pto_dev_cqe cqe;
	uint64_t detail = 0;

	ASSERT_EQ(0, rig_wait(&self->rig, 2, rig_submit(&self->rig, 2, &cmd), &cqe));
	EXPECT_EQ(PTO_DEV_TIMEOUT, cqe.status);
	EXPECT_LE(20 * 1000000, cqe.end_ns - cqe.start_ns);
	report = rig_report(&self->rig, 2, cmd.id);
	EXPECT_EQ(cmd.id, report->id);
	EXPECT_NE(0, report->code);
	EXPECT_EQ(report->code | (uint64_t)report->subcode << 32, cqe.detail);
	/* No kernel runs while the orchestration hangs. */
	cmd.op_timeout_ms = UINT32_MAX;
	cmd.sched_timeout_ms = 20;
	cmd.args_size = rig_args(&self->ctx, &hang, 1);
	cmd.epoch++;
	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_do(&self->rig, 2, &cmd, &detail));
	report = rig_report(&self->rig, 2, cmd.id);
	EXPECT_NE(0, report->subcode);
	EXPECT_EQ(report->code | (uint64_t)report->subcode << 32, detail);
	/* The bound of the run is the engine's, too, which knows more than the watchdog. */
	cmd.sched_timeout_ms = UINT32_MAX;
	cmd.args_size = rig_args(&self->ctx, scalars, 2);
	cmd.timeout_ms = 20;
	cmd.epoch++;
	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_do(&self->rig, 2, &cmd, &detail));
	report = rig_report(&self->rig, 2, cmd.id);
	EXPECT_NE(0, report->subcode);
	EXPECT_EQ(5, report->func_id);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, 5, 0));
}

/* Has the driver been interrupted? Takes it. */
static bool interrupted(struct rig *rig, int timeout_ms)
{
	struct pollfd interrupt = { .fd = rig->interrupt_fd, .events = POLLIN };
	uint64_t count;

	return poll(&interrupt, 1, timeout_ms) == 1 &&
	       read(rig->interrupt_fd, &count, sizeof(count)) == sizeof(count);
}

/* Whoever asks for it is interrupted, on each queue, also when its context is dead. */
TEST_F(device, interrupts_of_each_queue)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP };
	uint32_t queue, dead;

	for (dead = 0; dead < 2; dead++) {
		for (queue = dead; queue <= 2; queue++) {
			cmd.ctx = !!queue;
			ASSERT_EQ(dead ? PTO_DEV_ABORTED : PTO_DEV_OK,
				  rig_do(&self->rig, queue, &cmd, NULL));
			EXPECT_FALSE(interrupted(&self->rig, 0));
			__atomic_store_n(&rig_queue(&self->rig, queue)->cq_flags,
					 PTO_DEV_NEED_WAKEUP, __ATOMIC_SEQ_CST);
			rig_submit(&self->rig, queue, &cmd);
			EXPECT_TRUE(interrupted(&self->rig, 60000)) {
				TH_LOG("queue %u, dead %u", queue, dead);
			}
			EXPECT_EQ(0, rig_wait(&self->rig, queue, cmd.id, NULL));
			__atomic_store_n(&rig_queue(&self->rig, queue)->cq_flags, 0,
					 __ATOMIC_SEQ_CST);
		}
		if (!dead)
			ASSERT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	}
}

/* A completion that nobody has taken is not overwritten: the device waits. */
TEST_F(device, completions_that_nobody_takes)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	uint32_t depth = self->rig.ident->queue_depth, first, i;
	struct pto_dev_queue *pair = rig_queue(&self->rig, 2);
	uint64_t until = rig_now() + RIG_BOUND_NS;
	struct pto_dev_cqe cqe;

	EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, 2, &cmd, NULL));
	first = cmd.id + 1;
	for (i = 0; i < depth; i++)
		rig_submit(&self->rig, 2, &cmd);
	while (__atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE) != first + depth) {
		ASSERT_GT(until, rig_now());
		usleep(100);
	}
	/* One more than fits; the control queue shows that the device has looked. */
	rig_submit(&self->rig, 2, &cmd);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 1, PTO_DEV_NOP, 1));
	EXPECT_EQ(first + depth, __atomic_load_n(&pair->cq_tail, __ATOMIC_ACQUIRE));
	EXPECT_EQ(first + depth, __atomic_load_n(&pair->sq_head, __ATOMIC_ACQUIRE));
	/* When one is taken, there is room for one. */
	ASSERT_EQ(0, rig_wait(&self->rig, 2, first, &cqe));
	EXPECT_EQ(first, cqe.id);
	ptodev_kick(self->rig.dev, 2);
	ASSERT_EQ(0, rig_wait(&self->rig, 2, first + depth, &cqe));
	EXPECT_EQ(first + depth, cqe.id);
}

/* --- which memory a context has --------------------------------------------------------- */

#define PAGES	40

/**
 * struct model - what has been mapped of some pages
 * @first: the first page
 * @range: of each page: which range it is part of, 0: none
 * @prot: of each page
 * @ranges: ranges that there ever were
 */
struct model {
	char *first;
	unsigned int range[PAGES];
	uint32_t prot[PAGES];
	unsigned int ranges;
};

static int model_map(struct rig_ctx *ctx, struct model *m, unsigned int start, unsigned int end,
		     uint32_t prot)
{
	struct pto_dev_cmd_map cmd = {
		.opcode = PTO_DEV_MAP,
		.ctx = ctx->id,
		.addr = rig_addr(ctx->rig, m->first + start * PAGE),
		.length = (end - start) * PAGE,
		.prot = prot,
	};
	int want = PTO_DEV_OK, ret = rig_do(ctx->rig, ctx->control, &cmd, NULL);
	unsigned int i;

	for (i = start; i < end; i++)
		if (m->range[i])
			want = PTO_DEV_INVALID;
	if (ret != want)
		return -1;
	m->ranges++;
	for (i = start; i < end && !want; i++) {
		m->range[i] = m->ranges;
		m->prot[i] = prot;
	}
	return want && !strstr(rig_why(ctx->rig, ctx->control, cmd.id), "is mapped already") ?
	       -1 : 0;
}

static int model_unmap(struct rig_ctx *ctx, struct model *m, unsigned int start,
		       unsigned int end)
{
	int want = PTO_DEV_OK, ret;
	unsigned int i;

	ret = rig_map(ctx->rig, ctx, PTO_DEV_UNMAP, m->first + start * PAGE,
		      (end - start) * PAGE);
	for (i = start; i < end; i++)
		if (!m->range[i] || m->range[i] != m->range[start])
			want = PTO_DEV_INVALID;
	if ((start && m->range[start - 1] == m->range[start]) ||
	    (end < PAGES && m->range[end] == m->range[start]))
		want = PTO_DEV_INVALID;
	for (i = start; i < end && !want; i++)
		m->range[i] = 0;
	return ret == want ? 0 : -1;
}

/* May the context read, or read and write, all of that? Asked with a run and with an arena. */
static int model_covers(struct rig_ctx *ctx, const struct model *m, unsigned int start,
			unsigned int end)
{
	const uint64_t scalars[] = { PROBE_ECHO, 5 };
	struct pto_dev_cmd_run run = {
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.args_addr = rig_addr(ctx->rig, ctx->args),
		.args_size = rig_args(ctx, scalars, 2),
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
	};
	struct pto_dev_cmd_arena bind = {
		.opcode = PTO_DEV_ARENA_BIND,
		.ctx = ctx->id,
		.addr = rig_addr(ctx->rig, m->first + start * PAGE),
		.size = (end - start) * PAGE,
	};
	struct pto_run_args *args = (void *)ctx->args;
	struct pto_tensor tensor = *(struct pto_tensor *)(args + 1);
	bool read = true, write = true;
	unsigned int i;

	for (i = start; i < end; i++) {
		read = read && m->range[i] && m->prot[i] & PTO_DEV_PROT_READ;
		write = write && read && m->prot[i] & PTO_DEV_PROT_WRITE;
	}
	/* Tensor 0 takes the result, tensor 1 is what it is about. */
	args->tensor_count = 2;
	((struct pto_tensor *)(args + 1))[1] = tensor;
	((struct pto_tensor *)(args + 1))[1].addr = bind.addr;
	((struct pto_tensor *)(args + 1))[1].size = bind.size;
	memcpy((struct pto_tensor *)(args + 1) + 2, scalars, sizeof(scalars));
	run.args_size = PTO_RUN_ARGS_SIZE(2, 2);
	if (rig_do(ctx->rig, ctx->stream, &run, NULL) != (read ? PTO_DEV_OK : PTO_DEV_INVALID))
		return -1;
	if (!read && !strstr(rig_why(ctx->rig, ctx->stream, run.id), "tensor 1: its buffer at"))
		return -1;
	/* There is no image, which is found out when the arena has been looked at. */
	if (rig_do(ctx->rig, ctx->control, &bind, NULL) != PTO_DEV_INVALID)
		return -1;
	return strstr(rig_why(ctx->rig, ctx->control, bind.id),
		      write ? "no image can be at" : "not pages that this context may write") ?
	       0 : -1;
}

TEST_F(device, ranges_against_a_model)
{
	static const uint32_t prots[] = { PTO_DEV_PROT_READ, BOTH };
	struct model m = { .first = rig_alloc(&self->rig, PAGES * PAGE) };
	unsigned int step, start, end;
	int ret = 0;

	srandom(4711);
	for (step = 0; step < 3000 && !ret; step++) {
		start = random() % PAGES;
		end = start + 1 + random() % (random() % 2 ? 2 : PAGES - start);
		if (end > PAGES)
			end = PAGES;
		switch (random() % 4) {
		case 0:
		case 1:
			ret = model_map(&self->ctx, &m, start, end, prots[random() % 2]);
			break;
		case 2:
			/* Mostly one that there is. */
			while (random() % 8 && end < PAGES && m.range[end] == m.range[start])
				end++;
			ret = model_unmap(&self->ctx, &m, start, end);
			break;
		default:
			ret = model_covers(&self->ctx, &m, start, end);
		}
	}
	EXPECT_EQ(0, ret) {
		TH_LOG("step %u: pages %u to %u", step, start, end);
	}
	/* Each page by itself: more ranges than there is room for at first. */
	for (start = 0; start < PAGES; start++)
		for (end = start + 1; end <= PAGES && m.range[start]; end++)
			ASSERT_EQ(0, model_unmap(&self->ctx, &m, start, end));
	for (start = PAGES; start-- > 0;)
		ASSERT_EQ(0, model_map(&self->ctx, &m, start, start + 1, BOTH));
	for (start = 0; start < PAGES; start++)
		ASSERT_EQ(0, model_covers(&self->ctx, &m, 0, start + 1));
}

TEST_F(device, ranges_that_are_none)
{
	struct rig *rig = &self->rig;
	const uint64_t at = rig_addr(rig, rig_alloc(rig, 4 * PAGE));
	const uint64_t base = rig->ident->memory_base, end = base + rig->ident->window_size;
	const struct pto_dev_cmd_map rows[] = {
		{ .addr = at + 8, .length = PAGE, .prot = BOTH },
		{ .addr = at, .length = PAGE + 8, .prot = BOTH },
		{ .addr = at, .length = 8, .prot = BOTH },
		{ .addr = at, .length = 0, .prot = BOTH },
		{ .addr = at, .length = PAGE, .prot = BOTH, .pad = 1 },
		{ .addr = base, .length = PAGE, .prot = BOTH },
		{ .addr = base + rig->ident->heap_offset - PAGE, .length = PAGE, .prot = BOTH },
		{ .addr = end, .length = PAGE, .prot = BOTH },
		{ .addr = end - PAGE, .length = 2 * PAGE, .prot = BOTH },
		{ .addr = end - PAGE, .length = 0 - PAGE, .prot = BOTH },
	};
	struct pto_dev_cmd_map cmd;
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		cmd = rows[i / 2];
		cmd.opcode = i % 2 ? PTO_DEV_UNMAP : PTO_DEV_MAP;
		cmd.ctx = 1;
		EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &cmd, NULL)) {
			TH_LOG("row %zu", i / 2);
		}
		EXPECT_SAYS("not whole pages of the device's memory", 1, cmd.id);
	}
	cmd = (struct pto_dev_cmd_map){
		.opcode = PTO_DEV_MAP, .ctx = 1, .addr = end - PAGE, .length = PAGE, .prot = BOTH,
	};
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 1, &cmd, NULL));
}

/* --- arenas ------------------------------------------------------------------------------ */

static struct pto_dev_cmd_arena build_at(struct rig *rig, struct pto_dev_arena_plan *plan)
{
	struct pto_dev_cmd_arena cmd = {
		.opcode = PTO_DEV_ARENA_BUILD, .addr = rig_addr(rig, plan), .size = sizeof(*plan),
	};
	int i;

	*plan = (struct pto_dev_arena_plan){ .size = sizeof(*plan) };
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = 4;
		plan->heap[i] = 4096;
		plan->dep_pool[i] = 4;
	}
	return cmd;
}

/* An image is built within the memory that it is given, whatever that is, or not at all. */
TEST_F(device, room_for_an_image)
{
	struct rig *rig = &self->rig;
	struct pto_dev_arena_plan *plan = rig_alloc(rig, 16 * PAGE);
	struct pto_dev_cmd_arena cmd = build_at(rig, plan);
	unsigned char *image = (unsigned char *)(plan + 1);
	uint64_t bytes = 0, i;

	EXPECT_EQ(PTO_DEV_NOSPACE, rig_do(rig, 0, &cmd, &bytes));
	EXPECT_EQ(plan->image_size, bytes);
	ASSERT_GT(15 * PAGE, bytes);
	memset(image, 0xa5, bytes + 64);
	cmd.size = sizeof(*plan) + bytes - 1;
	EXPECT_EQ(PTO_DEV_NOSPACE, rig_do(rig, 0, &cmd, NULL));
	for (i = 0; i < bytes + 64 && image[i] == 0xa5; i++)
		;
	EXPECT_EQ(bytes + 64, i);
	cmd.size++;
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 0, &cmd, &bytes));
	EXPECT_EQ(plan->image_size, bytes);
	for (i = bytes; i < bytes + 64; i++)
		EXPECT_EQ(0xa5, image[i]);
}

TEST_F(device, plans_with_something_else)
{
	struct rig *rig = &self->rig;
	struct pto_dev_arena_plan *plan = rig_alloc(rig, 16 * PAGE);
	struct pto_dev_cmd_arena right = build_at(rig, plan), cmd;

	right.size = 16 * PAGE;
#define REFUSED(change, text) do { \
	cmd = right; \
	change; \
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 0, &cmd, NULL)) \
		TH_LOG("%s", #change); \
	EXPECT_SAYS(text, 0, cmd.id); \
	build_at(rig, plan); \
} while (0)
	REFUSED(cmd.ctx = 1, "no plan can be at");
	REFUSED(cmd.image_addr = 8, "no plan can be at");
	REFUSED(cmd.image_size = 8, "no plan can be at");
	REFUSED(plan->size = sizeof(*plan) - 8, "a plan of size");
	REFUSED(plan->size = sizeof(*plan) + 8, "a plan of size");
	REFUSED(plan->flags = 1, "flags 0x1");
#undef REFUSED
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 0, &right, NULL));
}

/* An arena is there from its binding to its dropping, and takes just its own bytes. */
TEST_F(device, arena_comes_and_goes)
{
	struct rig *rig = &self->rig;
	struct pto_dev_arena_plan *plan = rig_alloc(rig, 16 * PAGE);
	struct pto_dev_cmd_arena build = build_at(rig, plan), bind, drop;
	uint64_t size;
	char *before;

	build.size = 16 * PAGE;
	ASSERT_EQ(PTO_DEV_OK, rig_do(rig, 0, &build, NULL));
	size = (plan->arena_size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	before = rig_alloc(rig, size + 2 * PAGE);
	ASSERT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_MAP, before, PAGE));
	ASSERT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_MAP, before + PAGE, size));
	ASSERT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_MAP, before + PAGE + size, PAGE));
	bind = (struct pto_dev_cmd_arena){
		.opcode = PTO_DEV_ARENA_BIND, .ctx = 1, .addr = rig_addr(rig, before + PAGE),
		.size = size, .image_addr = rig_addr(rig, plan + 1),
		.image_size = plan->image_size,
	};
	bind.addr += 64;
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &bind, NULL));
	EXPECT_SAYS("not pages that this context may write", 1, bind.id);
	bind.addr -= 64;
	ASSERT_EQ(PTO_DEV_OK, rig_do(rig, 1, &bind, NULL));
	/* What is beside it is nothing of it. */
	EXPECT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_UNMAP, before, PAGE));
	EXPECT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_UNMAP, before + PAGE + size, PAGE));
	EXPECT_EQ(PTO_DEV_INVALID, rig_map(rig, &self->ctx, PTO_DEV_UNMAP, before + PAGE, size));
	drop = (struct pto_dev_cmd_arena){
		.opcode = PTO_DEV_ARENA_DROP, .ctx = 1, .addr = bind.addr, .size = size - PAGE,
	};
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &drop, NULL));
	drop.size = size;
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 1, &drop, NULL));
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &drop, NULL));
	EXPECT_SAYS("is not bound", 1, drop.id);
	ASSERT_EQ(PTO_DEV_OK, rig_do(rig, 1, &bind, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 1, &drop, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_UNMAP, before + PAGE, size));
}

/* --- arguments --------------------------------------------------------------------------- */

/* As many as are told, all of them sound. Return: as rig_do() */
static int run_with_counts(struct rig_ctx *ctx, uint32_t tensors, uint32_t scalars, uint32_t bad,
			   uint32_t *id)
{
	struct pto_run_args *args = (void *)ctx->args;
	struct pto_tensor *tensor = (void *)(args + 1);
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.args_addr = rig_addr(ctx->rig, ctx->args),
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
	};
	uint64_t words[2] = { PROBE_ECHO, 5 };
	uint32_t i;
	int ret;

	rig_args(ctx, words, 0);
	args->tensor_count = tensors;
	args->scalar_count = scalars;
	for (i = 1; i < tensors; i++)
		tensor[i] = tensor[0];
	if (bad < tensors)
		tensor[bad].addr = 4096;
	memset(tensor + tensors, 0, scalars * sizeof(uint64_t));
	memcpy(tensor + tensors, words, (scalars < 2 ? scalars : 2) * sizeof(uint64_t));
	cmd.args_size = PTO_RUN_ARGS_SIZE(tensors, scalars);
	ret = rig_do(ctx->rig, ctx->stream, &cmd, NULL);
	*id = cmd.id;
	return ret;
}

TEST_F(device, counts_of_arguments)
{
	const uint32_t tensors = PTO_RUN_MAX_TENSORS, scalars = PTO_RUN_MAX_SCALARS;
	uint32_t id;

	ASSERT_GT(15 * PAGE, PTO_RUN_ARGS_SIZE(tensors + 1, scalars + 1));
	EXPECT_EQ(PTO_DEV_OK, run_with_counts(&self->ctx, tensors, scalars, UINT32_MAX, &id));
	EXPECT_EQ(PTO_DEV_INVALID,
		  run_with_counts(&self->ctx, tensors + 1, scalars, UINT32_MAX, &id));
	EXPECT_SAYS("the limits are", 2, id);
	EXPECT_EQ(PTO_DEV_INVALID,
		  run_with_counts(&self->ctx, tensors, scalars + 1, UINT32_MAX, &id));
	EXPECT_SAYS("the limits are", 2, id);
	EXPECT_EQ(PTO_DEV_INVALID, run_with_counts(&self->ctx, tensors, 2, tensors - 1, &id));
	EXPECT_SAYS("tensor 255: its buffer", 2, id);
	EXPECT_EQ(PTO_DEV_INVALID, run_with_counts(&self->ctx, 2, 2, 1, &id));
	EXPECT_SAYS("tensor 1: its buffer", 2, id);
	EXPECT_EQ(PTO_DEV_OK, run_with_counts(&self->ctx, 1, 2, UINT32_MAX, &id));
	EXPECT_EQ(5, *self->ctx.page);
}

TEST_F(device, graph_of_a_run)
{
	static const struct { uint64_t addr; uint32_t size; } rows[] = {
		{ 0, 64 }, { 4096, 64 }, { 1, 0 },
	};
	const uint64_t scalars[] = { PROBE_ECHO, 5 };
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = 1,
		.args_addr = rig_addr(&self->rig, self->ctx.args),
		.args_size = rig_args(&self->ctx, scalars, 2),
		.epoch = 1000,
		.arena_addr = self->ctx.arena,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cmd.graph_addr = rows[i].addr;
		cmd.graph_size = rows[i].size;
		EXPECT_EQ(PTO_DEV_INVALID, rig_do(&self->rig, 2, &cmd, NULL));
		EXPECT_SAYS("no graph can be at address", 2, cmd.id);
	}
}

/* --- objects that are none --------------------------------------------------------------- */

/* The first program header of a type. */
static Elf64_Phdr *segment_of(Elf64_Ehdr *elf, uint32_t type)
{
	Elf64_Phdr *segment = (Elf64_Phdr *)((char *)elf + elf->e_phoff);

	while (segment->p_type != type)
		segment++;
	return segment;
}

/* Each line spoils a sound object in one way. */
TEST_F(device, objects_that_are_none)
{
	const char *entry = "aicpu_orchestration_entry";
	struct rig_object sound, object;
	Elf64_Phdr *load;
	Elf64_Ehdr *elf;
	char *bytes;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &sound));
	bytes = rig_alloc(&self->rig, sound.size);
	object = sound;
	object.addr = rig_addr(&self->rig, bytes);
	elf = (Elf64_Ehdr *)bytes;
#define REFUSED(change, text) do { \
	memcpy(bytes, (const char *)(uintptr_t)sound.addr, sound.size); \
	load = segment_of(elf, PT_LOAD); \
	change; \
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &object, entry, NULL, 0, NULL)) \
		TH_LOG("%s", #change); \
	EXPECT_SAYS(text, 1, rig_queue(&self->rig, 1)->sq_tail - 1); \
} while (0)
	REFUSED(elf->e_machine++, "another machine");
	REFUSED(elf->e_ident[EI_CLASS] = ELFCLASS32, "not a 64-bit little-endian object");
	REFUSED(elf->e_ident[EI_DATA] = ELFDATA2MSB, "not a 64-bit little-endian object");
	REFUSED(elf->e_type = ET_REL, "a relocatable object");
	REFUSED(elf->e_type = ET_EXEC, "not a shared object");
	REFUSED(elf->e_phnum = 0, "its program headers make no sense");
	REFUSED(elf->e_phnum = PN_XNUM, "its program headers make no sense");
	REFUSED(elf->e_phoff = sound.size + 1, "its program headers are missing");
	REFUSED(elf->e_phoff = sound.size - 8, "its program headers are missing");
	REFUSED(elf->e_phoff = ~0ULL, "its program headers are missing");
	REFUSED(load->p_filesz = sound.size - load->p_offset + 1; load->p_memsz = 1ULL << 20,
		"a segment ends after the file does");
	REFUSED(load->p_offset = ~0ULL - 7; load->p_filesz = 64; load->p_memsz = 64,
		"a segment ends after the file does");
	REFUSED(segment_of(elf, PT_DYNAMIC)->p_offset = sound.size,
		"a segment ends after the file does");
	REFUSED(load->p_memsz = load->p_filesz - 1, "a segment is smaller in memory");
	REFUSED(segment_of(elf, PT_DYNAMIC)->p_type = PT_NULL, "it has no dynamic section");
#undef REFUSED
	memcpy(bytes, (const char *)(uintptr_t)sound.addr, sound.size);
	EXPECT_EQ(PTO_DEV_OK, rig_load(&self->ctx, 1, &object, entry, NULL, 0, NULL));
}

/* --- bells ------------------------------------------------------------------------------- */

/* A doorbell for all queues is rung where a command waits, also in the last place. */
TEST_F(device, doorbell_for_all_queues)
{
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct bell *bell = &ptodev_page(self->rig.dev, 1)->bells[CTX_STREAMS];
	struct bell *other = &ptodev_page(self->rig.dev, 1)->bells[CTX_CONTROL];
	uint32_t last = self->rig.ident->queue_count - 1;
	unsigned int rung, other_rung;

	ASSERT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, last));
	ASSERT_EQ(0, rig_do(&self->rig, last, &nop, NULL));
	*self->ctx.page = 0;
	rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	/* Who is awake asks for no doorbell. */
	EXPECT_EQ(0, __atomic_load_n(&rig_queue(&self->rig, last)->sq_flags, __ATOMIC_SEQ_CST));
	EXPECT_EQ(0, __atomic_load_n(&rig_queue(&self->rig, 2)->sq_flags, __ATOMIC_SEQ_CST));
	/* Nothing is waiting: nobody is woken. */
	rung = atomic_load(&bell->rung);
	other_rung = atomic_load(&other->rung);
	ptodev_kick(self->rig.dev, PTODEV_ALL_QUEUES);
	EXPECT_EQ(rung, atomic_load(&bell->rung));
	nop.id = rig_queue(&self->rig, last)->sq_tail;
	*rig_sqe(&self->rig, last, nop.id) = nop;
	__atomic_store_n(&rig_queue(&self->rig, last)->sq_tail, nop.id + 1, __ATOMIC_SEQ_CST);
	ptodev_kick(self->rig.dev, PTODEV_ALL_QUEUES);
	EXPECT_EQ(rung + 1, atomic_load(&bell->rung));
	EXPECT_EQ(other_rung, atomic_load(&other->rung));
	/* The control queue has a bell of its own. */
	ptodev_kick(self->rig.dev, 1);
	EXPECT_EQ(rung + 1, atomic_load(&bell->rung));
	EXPECT_EQ(other_rung + 1, atomic_load(&other->rung));
	__atomic_store_n(self->ctx.page, 99, __ATOMIC_RELEASE);
	ASSERT_EQ(0, rig_wait(&self->rig, last, nop.id, NULL));
}

/* The driver is told how long nothing may move in a run. */
TEST(bound_of_a_device)
{
	const uint64_t bound = 7 * 1000000000ULL;
	struct rig rig;

	ASSERT_EQ(0, rig_create_bounded(&rig, PTO_ARCH_A5, 1, false, bound));
	EXPECT_EQ(bound, rig.ident->default_timeout_ns);
	rig_destroy(&rig);
}

/* --- whose turn it is --------------------------------------------------------------------- */

#define STREAMS	3
#define EACH	20

/*
 * While a run keeps the context busy, several streams and the control queue are filled. The control
 * queue is served beside the run, and the streams in turn after it.
 */
TEST_F(device, streams_in_turn)
{
	static const uint32_t queues[STREAMS] = { 2, 40, 41 };
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	uint32_t id[STREAMS][EACH], control, q, i, other;
	struct pto_dev_cqe done[STREAMS][EACH], first;

	for (q = 1; q < STREAMS; q++)
		ASSERT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, queues[q]));
	for (q = 1; q < STREAMS; q++)
		ASSERT_EQ(0, rig_do(&self->rig, queues[q], &nop, NULL));
	*self->ctx.page = 0;
	rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	for (q = 0; q < STREAMS; q++)
		for (i = 0; i < EACH; i++)
			id[q][i] = rig_submit(&self->rig, queues[q], &nop);
	control = rig_submit(&self->rig, 1, &nop);
	ASSERT_EQ(0, rig_wait(&self->rig, 1, control, &first));
	__atomic_store_n(self->ctx.page, 99, __ATOMIC_RELEASE);
	for (q = 0; q < STREAMS; q++)
		for (i = 0; i < EACH; i++)
			ASSERT_EQ(0, rig_wait(&self->rig, queues[q], id[q][i], &done[q][i]));
	for (q = 0; q < STREAMS; q++) {
		EXPECT_LE(first.end_ns, done[q][0].start_ns);
		other = (q + 1) % STREAMS;
		/* Each has at most one turn between two of another one's. */
		for (i = 0; i + 1 < EACH; i++) {
			EXPECT_LE(done[q][i].start_ns, done[other][i + 1].start_ns) {
				TH_LOG("stream %u, command %u", q, i);
			}
		}
	}
}

TEST_HARNESS_MAIN
