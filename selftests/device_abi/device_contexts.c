// SPDX-License-Identifier: GPL-2.0
/* Contexts: side by side, aborted, crashed, abandoned. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "homes.h"
#include "ptotest.h"
#include "../../libpto/runtime/runtime.h"
#include "../../sim/device/device.h"
#include "../../sim/device/internal.h"

/* Is @text in the report of entry @id of the stream? */
static bool says(struct rig_ctx *ctx, uint32_t id, const char *text)
{
	return strstr(rig_why(ctx->rig, ctx->stream, id), text);
}

static uint32_t submit(struct rig_ctx *ctx, uint64_t what)
{
	return rig_submit_run(ctx, 0, &what, 1);
}

static uint32_t status_of(struct rig_ctx *ctx, uint32_t queue, uint32_t id)
{
	struct pto_dev_cqe cqe = { .status = ~0u };

	rig_wait(ctx->rig, queue, id, &cqe);
	return cqe.status;
}

TEST_F(device, many_contexts)
{
	uint32_t count = self->rig.ident->max_contexts;
	struct rig_ctx ctx[16];
	struct pto_dev_cqe cqe;
	uint32_t i, round, id[16];

	ASSERT_EQ(16, count);
	ctx[0] = self->ctx;
	for (i = 1; i < count; i++) {
		ASSERT_EQ(0, rig_ctx_open(&self->rig, &ctx[i], i + 1));
		ASSERT_EQ(0, rig_ctx_probe(&ctx[i], 0));
	}
	for (round = 1; round <= 100; round++) {
		for (i = 0; i < count; i++)
			id[i] = submit(&ctx[i], PROBE_COUNT);
		for (i = 0; i < count; i++) {
			ASSERT_EQ(0, rig_wait(&self->rig, ctx[i].stream, id[i], &cqe));
			ASSERT_EQ(PTO_DEV_OK, cqe.status);
			ASSERT_EQ(round, *ctx[i].page);
		}
	}
	for (i = 0; i < count; i++)
		EXPECT_EQ(0, rig_ctx_close(&ctx[i]));
}

TEST_F(device, many_streams)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	uint32_t first = 40, last = 60;
	uint32_t q, round, id[100];

	for (q = first; q < last; q++)
		ASSERT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, q));
	for (round = 0; round < 100; round++) {
		for (q = first; q < last; q++)
			id[q] = rig_submit(&self->rig, q, &cmd);
		for (q = first; q < last; q++)
			ASSERT_EQ(PTO_DEV_OK, status_of(&self->ctx, q, id[q]));
	}
	for (q = first; q < last; q += 2)
		EXPECT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, q));
	for (q = first + 1; q < last; q += 2)
		EXPECT_EQ(0, rig_do(&self->rig, q, &cmd, NULL));
	for (q = first; q < last; q += 2) {
		EXPECT_EQ(PTO_DEV_INVALID, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, q));
		rig_queue_reset(&self->rig, q);
		EXPECT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, q));
		EXPECT_EQ(0, rig_do(&self->rig, q, &cmd, NULL));
	}
}

/* A stream that has work is not unbound; the control queue goes first. */
TEST_F(device, busy_stream)
{
	uint32_t id = submit(&self->ctx, PROBE_SPIN);

	ASSERT_TRUE(rig_started(&self->ctx));
	EXPECT_EQ(PTO_DEV_INVALID, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, 2));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&self->ctx, 2, id));
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, 2));
}

/* Runs the probe for at most 20 ms. */
static int run_shortly(struct rig_ctx *ctx, uint64_t what, uint64_t operand)
{
	const uint64_t scalars[] = { what, operand };
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.args_addr = rig_addr(ctx->rig, ctx->args),
		.args_size = rig_args(ctx, scalars, 2),
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
		.timeout_ms = 20,
	};

	return rig_do(ctx->rig, ctx->stream, &cmd, NULL);
}

TEST_F(device, timeout)
{
	EXPECT_EQ(PTO_DEV_TIMEOUT, run_shortly(&self->ctx, PROBE_SPIN, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
}

/* One that has a bound has all of it, whatever the watchdog thinks of it meanwhile. */
TEST_F(device, bound_is_all_of_it)
{
	const uint64_t scalar = PROBE_SPIN;
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = 1,
		.args_addr = rig_addr(&self->rig, self->ctx.args),
		.args_size = rig_args(&self->ctx, &scalar, 1),
		.epoch = ++self->ctx.epoch,
		.arena_addr = self->ctx.arena,
		.timeout_ms = 3 * EXPIRE_GRACE_NS / NSEC_PER_MSEC,
	};
	struct pto_dev_cqe cqe;

	ASSERT_EQ(0, rig_wait(&self->rig, 2, rig_submit(&self->rig, 2, &cmd), &cqe));
	EXPECT_EQ(PTO_DEV_TIMEOUT, cqe.status);
	EXPECT_LE(3 * EXPIRE_GRACE_NS, cqe.end_ns - cqe.start_ns);
}

/* A device and a context like those of the fixture, but with a bound for runs that have none. */
static void reopen_bounded(struct __test_metadata *_metadata, FIXTURE_DATA(device) *self,
			   bool isolate, uint64_t bound)
{
	rig_destroy(&self->rig);
	ASSERT_EQ(0, rig_create_bounded(&self->rig, PTO_ARCH_A2A3, 4, isolate, bound));
	ASSERT_EQ(0, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(0, rig_ctx_probe(&self->ctx, 0));
}

/* One that has none goes on as long as something moves in it, and the driver is told of that. */
TEST_F(device, no_bound_for_what_moves)
{
	const uint64_t bound = 2 * NSEC_PER_SEC, scalars[] = { PROBE_WALK, 99 };
	uint64_t until = rig_now() + RIG_BOUND_NS;
	struct pto_dev_queue *control;
	unsigned int tries = 0;
	uint32_t id, progress;

	reopen_bounded(_metadata, self, variant->isolate, bound);
	control = rig_queue(&self->rig, self->ctx.control);
	*self->ctx.page = 0;
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	progress = __atomic_load_n(&control->progress, __ATOMIC_RELAXED);
	usleep((bound + 3 * EXPIRE_GRACE_NS) / 1000);
	while (__atomic_load_n(&control->progress, __ATOMIC_RELAXED) == progress &&
	       rig_now() < until)
		rig_pause(&tries);
	EXPECT_NE(progress, __atomic_load_n(&control->progress, __ATOMIC_RELAXED));
	__atomic_store_n(self->ctx.page, 99, __ATOMIC_RELEASE);
	EXPECT_EQ(PTO_DEV_OK, status_of(&self->ctx, 2, id)) {
		TH_LOG("report: %s", rig_why(&self->rig, 2, id));
	}
}

/* The driver is told what the context reckons with, before it can use it. */
TEST_F(device, costs)
{
	const struct pto_dev_costs *costs = &rig_queue(&self->rig, self->ctx.control)->costs;

	EXPECT_LT(0, costs->hand_over_ns);
	if (!costs->hand_overs)
		EXPECT_EQ(PTO_HAND_OVER_NS, costs->hand_over_ns);
	EXPECT_LT(0, costs->tensor_ns);
	EXPECT_LE(costs->tensor_ns, costs->hand_over_ns);
	EXPECT_LT(costs->hand_over_ns, costs->catch_up_ns);
	EXPECT_LT(100 * costs->hand_over_ns, costs->max_debt_ns);
}

/* A kernel that never ends counts as no progress there, though the driver is told that it runs. */
TEST_F(device, device_bound_of_a_kernel)
{
	const uint64_t bound = NSEC_PER_SEC, scalars[] = { PROBE_TASK, KERNEL_HANG };
	const struct pto_dev_report *report;
	struct pto_dev_queue *control;
	uint32_t id, progress;

	reopen_bounded(_metadata, self, variant->isolate, bound);
	control = rig_queue(&self->rig, self->ctx.control);
	progress = __atomic_load_n(&control->progress, __ATOMIC_RELAXED);
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	EXPECT_EQ(PTO_DEV_TIMEOUT, status_of(&self->ctx, 2, id));
	report = rig_report(&self->rig, 2, id);
	EXPECT_EQ(1, report->subcode);
	EXPECT_EQ(5, report->func_id);
	EXPECT_NE(NULL, strstr((const char *)report->text, "nothing has moved for 1000 ms")) {
		TH_LOG("%s", report->text);
	}
	/* More than what begins and ends. */
	EXPECT_LT(10, __atomic_load_n(&control->progress, __ATOMIC_RELAXED) - progress);
}

/* One that does not heed the end of its time is left where it is. */
TEST_F(device, timeout_hang)
{
	EXPECT_EQ(PTO_DEV_TIMEOUT, run_shortly(&self->ctx, PROBE_HANG, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
}

/* One that cannot be left costs the context. */
TEST_F(device, timeout_hopeless)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };

	EXPECT_EQ(PTO_DEV_TIMEOUT, run_shortly(&self->ctx, PROBE_DEAF, 0));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 2, &nop, NULL));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 1, &nop, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, 2, &nop, NULL));
}

/* Whoever has lost a worker's kernel is lost, and says so; destroyed, it is as good as new. */
TEST_F(device, lost_kernel)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };

	EXPECT_EQ(PTO_DEV_PROGRAM, rig_run(&self->ctx, 0, PROBE_FAIL, KERNEL_DEAF, 0));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 2, &nop, NULL));
	EXPECT_TRUE(says(&self->ctx, nop.id, "a kernel of the context has outlived its run"))
		TH_LOG("report: %s", rig_why(&self->rig, 2, nop.id));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
}

/* So is who has lost one on the thread that would say so. The run may take for ever. */
TEST_F(device, lost_orchestrator)
{
	const uint64_t scalars[] = { PROBE_BLOCKS, KERNEL_DEAF };
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = self->ctx.id,
		.args_addr = rig_addr(&self->rig, self->ctx.args),
		.args_size = rig_args(&self->ctx, scalars, 2),
		.epoch = ++self->ctx.epoch,
		.arena_addr = self->ctx.arena,
		.timeout_ms = UINT32_MAX,
		.op_timeout_ms = 20,
	};

	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_do(&self->rig, self->ctx.stream, &cmd, NULL));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 2, &nop, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
}

/* How often the threads of this process have gone to sleep */
static long sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/*
 * Contexts that have nothing to do leave the CPU alone: their threads look for what they may
 * have missed twice a second at most. As many as there may be must not hold up the others.
 */
TEST_F(device, idle)
{
	uint32_t count = self->rig.ident->max_contexts;
	long before, seconds;
	struct rig_ctx ctx;
	uint64_t begun;
	uint32_t i;

	if (variant->isolate)
		SKIP(return, "the same threads, but not to be counted");
	for (i = 2; i <= count; i++)
		ASSERT_EQ(0, rig_ctx_open(&self->rig, &ctx, i));
	before = sleeps();
	begun = rig_now();
	usleep(6000000);
	seconds = (long)((rig_now() - begun) / 1000000000) + 1;
	/* The fixture's context has just executed something, so it is awake for a moment. */
	EXPECT_GT(pt_threads() * (2 * seconds + 4) + 200, sleeps() - before);
}

/* An abandoned thread that comes to an end after all is cleared away. */
TEST_F(device, late_end)
{
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int before = pt_threads();
	uint64_t *page = self->ctx.page;
	unsigned int tries = 0;
	uint32_t id;

	if (variant->isolate)
		SKIP(return, "a process does not end late");
	*page = 0;
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&self->ctx, 2, id));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	__atomic_store_n(page, 99, __ATOMIC_RELEASE);
	while (pt_threads() >= before && rig_now() < until)
		rig_pause(&tries);
	EXPECT_GT(before, pt_threads());
	/* Nobody was waiting for it any more: it has completed nothing. */
	EXPECT_EQ(id + 1, __atomic_load_n(&rig_queue(&self->rig, 2)->cq_tail, __ATOMIC_ACQUIRE));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
}

/* As many may be abandoned as there may be contexts; then one has to come to an end first. */
TEST(threads_that_do_not_end)
{
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	uint64_t until = rig_now() + RIG_BOUND_NS;
	struct rig_ctx ctx, first = { 0 };
	unsigned int tries = 0;
	struct rig rig;
	uint32_t i;
	int ret;

	ASSERT_EQ(0, rig_create(&rig, PTO_ARCH_A5, 1, false));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_ctx_open(&rig, &ctx, 1));
		ASSERT_EQ(0, rig_ctx_probe(&ctx, 0));
		rig_submit_run(&ctx, 0, scalars, 2);
		ASSERT_TRUE(rig_started(&ctx));
		EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&ctx));
		if (!i)
			first = ctx;
	}
	EXPECT_EQ(PTO_DEV_NOMEM, rig_ctx_open(&rig, &ctx, 1));
	EXPECT_NE(NULL, strstr(rig_why(&rig, 0, rig_queue(&rig, 0)->sq_tail - 1),
			       "too many threads of earlier ones do not end"));
	__atomic_store_n(first.page, 99, __ATOMIC_RELEASE);
	do {
		rig_pause(&tries);
		ret = rig_ctx_open(&rig, &ctx, 1);
	} while (ret == PTO_DEV_NOMEM && rig_now() < until);
	EXPECT_EQ(PTO_DEV_OK, ret);
	rig_destroy(&rig);
}

/* A context has a control queue and a limited number of streams. */
TEST_F(device, too_many_streams)
{
	int ret = PTO_DEV_OK;
	uint32_t q;

	for (q = 3; ret == PTO_DEV_OK && q < 16 * 16; q++)
		ret = rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, q);
	EXPECT_EQ(PTO_DEV_NOSPACE, ret);
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, 3));
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, q));
}

/* A kernel that hangs is left, too. */
TEST_F(device, timeout_kernel)
{
	const uint64_t scalars[] = { PROBE_TASK, KERNEL_DOUBLE };
	uint32_t id;

	EXPECT_EQ(PTO_DEV_TIMEOUT, run_shortly(&self->ctx, PROBE_TASK, KERNEL_HANG));
	*self->ctx.page = 21;
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	EXPECT_EQ(PTO_DEV_OK, status_of(&self->ctx, 2, id));
	EXPECT_EQ(42, *self->ctx.page);
}

/* What an abort of a context that executes @what has to look like. */
static void check_abort(struct __test_metadata *_metadata, FIXTURE_DATA(device) *self,
			uint64_t what)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct rig_ctx other;
	uint32_t first, second, control;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	*self->ctx.page = 0;
	first = submit(&self->ctx, what);
	second = rig_submit(&self->rig, 2, &nop);
	ASSERT_TRUE(rig_started(&self->ctx));
	control = rig_submit(&self->rig, 1, &nop);
	EXPECT_EQ(PTO_DEV_OK, status_of(&self->ctx, 1, control));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&self->ctx, 2, first));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&self->ctx, 2, second));
	EXPECT_EQ(PTO_DEV_ABORTED, rig_do(&self->rig, 1, &nop, NULL));
	EXPECT_EQ(PTO_DEV_ABORTED, rig_do(&self->rig, 2, &nop, NULL));
	EXPECT_TRUE(says(&self->ctx, nop.id, "abort"));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(2, *other.page);
}

TEST_F(device, abort_idle)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };

	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	EXPECT_EQ(PTO_DEV_ABORTED, rig_do(&self->rig, 2, &nop, NULL));
	usleep(10000);
	EXPECT_EQ(PTO_DEV_ABORTED, rig_do(&self->rig, 1, &nop, NULL));
}

/* Who has ended is answered for, who has not goes on. */
TEST_F(device, dead_and_alive)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 2 };
	struct rig_ctx other;
	uint32_t i;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 2));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(PTO_DEV_ABORTED, rig_do(&self->rig, other.stream, &nop, NULL));
		EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, i, 0));
	}
}

TEST_F(device, abort_run)
{
	check_abort(_metadata, self, PROBE_SPIN);
}

/* A program that does not heed the abort: its thread is abandoned, its process killed. */
TEST_F(device, abort_hopeless)
{
	check_abort(_metadata, self, PROBE_DEAF);
}

TEST_F(device, destroy_busy)
{
	uint32_t id = submit(&self->ctx, PROBE_SPIN);

	ASSERT_TRUE(rig_started(&self->ctx));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&self->ctx, 2, id));
}

/*
 * Contexts that do not heed their end have their time at the same time: the last is gone before a
 * driver loses patience. One that does heed it, and whose turn comes last, has ended its run
 * by the time that the first is given up.
 */
TEST_F(device, destroy_many_hopeless)
{
	const uint64_t patience_ns = 10 * 1000000000ULL;	/* PTO_ADMIN_NS of the driver */
	struct pto_dev_cqe first, last, run;
	struct rig_ctx ctx[6];
	uint32_t i, id[6];

	ctx[0] = self->ctx;
	for (i = 1; i < 6; i++) {
		ASSERT_EQ(0, rig_ctx_open(&self->rig, &ctx[i], i + 1));
		ASSERT_EQ(0, rig_ctx_probe(&ctx[i], 0));
	}
	for (i = 0; i < 6; i++) {
		submit(&ctx[i], i < 5 ? PROBE_DEAF : PROBE_SPIN);
		ASSERT_TRUE(rig_started(&ctx[i]));
	}
	for (i = 0; i < 6; i++) {
		struct pto_dev_cmd destroy = { .opcode = PTO_DEV_CTX_DESTROY, .ctx = i + 1 };

		id[i] = rig_submit(&self->rig, 0, &destroy);
	}
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, rig_wait(&self->rig, 0, id[i], i ? &last : &first));
		EXPECT_EQ(PTO_DEV_OK, i ? last.status : first.status);
	}
	EXPECT_LT(last.end_ns - first.start_ns, patience_ns);
	ASSERT_EQ(0, rig_wait(&self->rig, ctx[5].stream, 0, &run));
	EXPECT_EQ(PTO_DEV_ABORTED, run.status);
	if (!variant->isolate)
		EXPECT_LT(run.end_ns, first.end_ns);
}

/*
 * While one is ended the admin looks at what comes next, and not at what lies behind that: an
 * entry that was not submitted ends nobody.
 */
TEST_F(device, entry_behind_the_tail)
{
	struct pto_dev_cmd abort = { .opcode = PTO_DEV_ABORT, .ctx = 2 };
	struct rig_ctx other;
	uint32_t id;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	submit(&self->ctx, PROBE_DEAF);
	*other.page = 0;
	id = submit(&other, PROBE_SPIN);
	ASSERT_TRUE(rig_started(&self->ctx));
	ASSERT_TRUE(rig_started(&other));
	abort.id = rig_queue(&self->rig, 0)->sq_tail + 1;
	*rig_sqe(&self->rig, 0, abort.id) = abort;
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	/* It has had the time to end, if it had been asked to. */
	usleep(100000);
	EXPECT_EQ(id, __atomic_load_n(&rig_queue(&self->rig, other.stream)->cq_tail,
				      __ATOMIC_ACQUIRE));
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 2));
	EXPECT_EQ(PTO_DEV_ABORTED, status_of(&other, other.stream, id));
}

/* A driver that has changed its mind: the context begins first, and ends then. */
TEST_F(device, create_and_destroy_at_once)
{
	struct pto_dev_cmd_queue create = {
		.opcode = PTO_DEV_CTX_CREATE, .ctx = 2, .queue = 5,
	};
	struct pto_dev_cmd destroy = { .opcode = PTO_DEV_CTX_DESTROY, .ctx = 2 };
	uint32_t i, created, destroyed;

	for (i = 0; i < 10; i++) {
		rig_queue_reset(&self->rig, 5);
		created = rig_submit(&self->rig, 0, &create);
		destroyed = rig_submit(&self->rig, 0, &destroy);
		ASSERT_EQ(PTO_DEV_OK, status_of(&self->ctx, 0, created));
		ASSERT_EQ(PTO_DEV_OK, status_of(&self->ctx, 0, destroyed));
	}
}

/* The device ends while a program runs, and while one hangs. */
TEST_F(device, end_busy)
{
	struct rig_ctx other;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	submit(&self->ctx, PROBE_SPIN);
	submit(&other, PROBE_DEAF);
	ASSERT_TRUE(rig_started(&self->ctx));
	ASSERT_TRUE(rig_started(&other));
}

/*
 * Lets context 1 execute @what, which ends its process. Its commands, those queued and
 * those to come, end with a fault whose report has @text; context 2 does not notice.
 */
static void check_crash(struct __test_metadata *_metadata, FIXTURE_DATA(device) *self,
			const uint64_t *scalars, const char *text)
{
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct rig_ctx other;
	uint32_t id, next;

	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	id = rig_submit_run(&self->ctx, 0, scalars, 3);
	next = rig_submit(&self->rig, 2, &nop);
	EXPECT_EQ(PTO_DEV_FAULT, status_of(&self->ctx, 2, id));
	EXPECT_TRUE(says(&self->ctx, id, text))
		TH_LOG("report: %s", rig_why(&self->rig, 2, id));
	EXPECT_EQ(PTO_DEV_FAULT, status_of(&self->ctx, 2, next));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 1, &nop, NULL));
	usleep(10000);
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 2, &nop, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, 7, 0));
	EXPECT_EQ(7, *self->ctx.page);
}

#define NEEDS_PROCESSES() \
	do { \
		if (!variant->isolate) \
			SKIP(return, "a crash ends the device"); \
	} while (0)

TEST_F(device, crash)
{
	const uint64_t scalars[] = { PROBE_WRITE, 0x10, 1 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x10, in the orchestration");
}

TEST_F(device, crash_of_kernel)
{
	const uint64_t scalars[] = { PROBE_TASK, KERNEL_CRASH, 0 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars,
		    "SIGSEGV at address 0x18, in the kernel of func_id 5");
	/* Not only in words. The run was the context's first command. */
	EXPECT_EQ(5, rig_report(&self->rig, 2, 0)->func_id);
	EXPECT_NE(UINT64_MAX, rig_report(&self->rig, 2, 0)->task);
}

TEST_F(device, crash_inside_kernel)
{
	const uint64_t scalars[] = { PROBE_TASK, KERNEL_CRASH_INSIDE, 0 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "in the kernel of func_id 5");
}

TEST_F(device, crash_by_exit)
{
	const uint64_t scalars[] = { PROBE_EXIT, 3, 0 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "exit status 3");
}

TEST_F(device, crash_by_abort)
{
	const uint64_t scalars[] = { PROBE_ABORT, 0, 0 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "SIGABRT");
}

TEST_F(device, crash_by_recursion)
{
	const uint64_t scalars[] = { PROBE_OVERFLOW, 0, 0 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "SIGSEGV");
}

/* Nothing of the window is accessible but what was mapped: not another context's memory. */
TEST_F(device, crash_in_foreign_memory)
{
	char *foreign = rig_alloc(&self->rig, 4096);
	const uint64_t scalars[] = { PROBE_WRITE, rig_addr(&self->rig, foreign), 1 };

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x");
	EXPECT_EQ(0, *foreign);
}

TEST_F(device, crash_in_foreign_queue)
{
	const uint64_t scalars[] = {
		PROBE_WRITE, rig_addr(&self->rig, rig_queue(&self->rig, 0)), 1
	};

	NEEDS_PROCESSES();
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x");
}

/* What may only be read. */
TEST_F(device, crash_in_read_only_memory)
{
	uint64_t *word = rig_alloc(&self->rig, PTO_DEV_PAGE_SIZE);
	const uint64_t scalars[] = { PROBE_WRITE, rig_addr(&self->rig, word), 1 };
	struct pto_dev_cmd_map map = {
		.opcode = PTO_DEV_MAP, .ctx = 1, .addr = scalars[1], .length = PTO_DEV_PAGE_SIZE,
		.prot = PTO_DEV_PROT_READ,
	};

	NEEDS_PROCESSES();
	*word = 4711;
	ASSERT_EQ(PTO_DEV_OK, rig_do(&self->rig, 1, &map, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_READ, scalars[1], 0));
	EXPECT_EQ(4711, *self->ctx.page);
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x");
	EXPECT_EQ(4711, *word);
}

/* The device itself does not write there, nor to what it has just read. */
TEST_F(device, words_in_read_only_memory)
{
	uint64_t *word = rig_alloc(&self->rig, PTO_DEV_PAGE_SIZE);
	struct pto_dev_cmd_map map = {
		.opcode = PTO_DEV_MAP, .ctx = 1, .addr = rig_addr(&self->rig, word),
		.length = PTO_DEV_PAGE_SIZE, .prot = PTO_DEV_PROT_READ,
	};

	*word = 4711;
	EXPECT_EQ(PTO_DEV_PROGRAM, rig_run(&self->ctx, 0, PROBE_GET, map.addr, 0));
	ASSERT_EQ(PTO_DEV_OK, rig_do(&self->rig, 1, &map, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_GET, map.addr, 0));
	EXPECT_EQ(4711, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_PROGRAM, rig_run(&self->ctx, 0, PROBE_SET, map.addr, 1));
	EXPECT_EQ(4711, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_PROGRAM, rig_run(&self->ctx, 0, PROBE_WORD, map.addr, 0));
	EXPECT_EQ(0, *self->ctx.page);
	EXPECT_EQ(4711, *word);
	EXPECT_EQ(PTO_DEV_OK,
		  rig_run(&self->ctx, 0, PROBE_WORD, rig_addr(&self->rig, self->ctx.page) + 64, 0));
	EXPECT_EQ(PROBE_STARTED, *self->ctx.page);
	EXPECT_EQ(1, self->ctx.page[8]);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_COUNT, 0, 0));
}

/* What another context shares with the admin. */
TEST_F(device, crash_in_foreign_page)
{
	uint64_t scalars[] = { PROBE_WRITE, 0, 1 };

	NEEDS_PROCESSES();
	scalars[1] = (uintptr_t)ptodev_page(self->rig.dev, 2);
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x");
}

/* What was its own queue is not when that has been unbound. */
TEST_F(device, crash_in_unbound_queue)
{
	const uint64_t scalars[] = {
		PROBE_WRITE, rig_addr(&self->rig, rig_queue(&self->rig, 40)), 1
	};
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };

	NEEDS_PROCESSES();
	ASSERT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, 40));
	ASSERT_EQ(0, rig_do(&self->rig, 40, &nop, NULL));
	ASSERT_EQ(0, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, 40));
	check_crash(_metadata, self, scalars, "SIGSEGV at address 0x");
}

/* A context that scribbles over its own queues harms nobody else. */
TEST_F(device, scribble)
{
	const uint64_t own = rig_addr(&self->rig, rig_queue(&self->rig, 2));
	struct rig_ctx other;

	NEEDS_PROCESSES();
	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	rig_submit_run(&self->ctx, 0, (uint64_t[]){ PROBE_WRITE, own, ~0u }, 3);
	rig_submit_run(&self->ctx, 0, (uint64_t[]){ PROBE_WRITE, own + 192, 12345 }, 3);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_COUNT, 0, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&other, 0, PROBE_COUNT, 0, 0));
}

/* The page that a context shares with the admin. The first one has the first. */
static struct ctx_page *shared_page(FIXTURE_DATA(device) *self)
{
	return ptodev_page(self->rig.dev, 1);
}

/* One that takes the lock which it shares with the admin, and keeps it, is ended for that. */
TEST_F(device, lock_that_is_kept)
{
	const uint64_t mark = 4711, value = mark << 32 | 1;
	uint64_t until = rig_now() + RIG_BOUND_NS;
	struct ctx_page *page = shared_page(self);
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	unsigned int tries = 0;
	uint32_t id;

	NEEDS_PROCESSES();
	ASSERT_EQ((char *)&page->lock + 4, (char *)&page->state);
	id = rig_submit_run(&self->ctx, 0,
			    (uint64_t[]){ PROBE_WRITE, (uintptr_t)&page->lock, value }, 3);
	while (atomic_load(&page->state) != mark && rig_now() < until)
		rig_pause(&tries);
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_BIND, 1, 20));
	EXPECT_EQ(PTO_DEV_FAULT, status_of(&self->ctx, 2, id));
	EXPECT_TRUE(says(&self->ctx, id, "the context does not answer the device"))
		TH_LOG("report: %s", rig_why(&self->rig, 2, id));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, 20, &nop, NULL));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
}

struct binding {
	struct rig *rig;
	atomic_bool done;
	uint32_t status;
};

static void *bind_one(void *arg)
{
	struct binding *binding = arg;

	binding->status = rig_bind(binding->rig, PTO_DEV_QUEUE_BIND, 1, 20);
	atomic_store(&binding->done, true);
	return NULL;
}

/*
 * One that is stopped while it has the lock is waited for, however long that is. It goes on as if
 * nothing had been. (The heartbeat beats four times a second.)
 */
TEST_F(device, stopped_with_the_lock)
{
	struct binding binding = { .rig = &self->rig };
	struct ctx_page *page = shared_page(self);
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;
	pthread_t thread;
	uint32_t beat;
	pid_t context;

	NEEDS_PROCESSES();
	ASSERT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	context = (pid_t)*self->ctx.page;
	kill(context, SIGSTOP);
	while (atomic_load(&page->lock))
		rig_pause(&tries);
	atomic_store(&page->lock, (unsigned int)context);
	beat = __atomic_load_n(&self->rig.ident->heartbeat, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_create(&thread, NULL, bind_one, &binding));
	while (__atomic_load_n(&self->rig.ident->heartbeat, __ATOMIC_RELAXED) - beat < 12 &&
	       rig_now() < until)
		rig_pause(&tries);
	EXPECT_FALSE(atomic_load(&binding.done));
	atomic_store(&page->lock, 0);
	kill(context, SIGCONT);
	pthread_join(thread, NULL);
	EXPECT_EQ(PTO_DEV_OK, binding.status);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	EXPECT_EQ((uint64_t)context, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_OK, rig_bind(&self->rig, PTO_DEV_QUEUE_UNBIND, 1, 20));
}

/* Killed between publishing a completion and taking note of it: that one is not made again. */
TEST_F(device, killed_behind_completion)
{
	struct pto_dev_queue *pair = rig_queue(&self->rig, self->ctx.stream);
	uint32_t id = pair->sq_tail;
	const uint64_t scalars[] = {
		PROBE_WRITE_EXIT, rig_addr(&self->rig, &pair->cq_tail), id + 1
	};
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	struct pto_dev_cqe *entry;

	NEEDS_PROCESSES();
	entry = (struct pto_dev_cqe *)((char *)pair +
				       PTO_DEV_CQ_OFFSET(self->rig.ident->queue_depth)) + id;
	entry->status = 4711;
	EXPECT_EQ(id, rig_submit_run(&self->ctx, 0, scalars, 3));
	EXPECT_EQ(PTO_DEV_FAULT, rig_do(&self->rig, self->ctx.stream, &nop, NULL));
	EXPECT_EQ(id + 1, nop.id);
	EXPECT_EQ(id + 2, pair->cq_tail);
	EXPECT_EQ(4711, entry->status);
}

/* One that has made its queue an empty one does not end, and is ended: the queue is silent. */
TEST_F(device, queue_that_is_emptied)
{
	struct pto_dev_queue *pair = rig_queue(&self->rig, self->ctx.stream);
	struct pto_dev_cmd nop = { .opcode = PTO_DEV_NOP, .ctx = 1 };
	uint32_t id = pair->sq_tail;
	const uint64_t scalars[] = {
		PROBE_WRITE_DEAF, rig_addr(&self->rig, &pair->sq_tail), id
	};
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = self->ctx.id,
		.args_addr = rig_addr(&self->rig, self->ctx.args),
		.args_size = rig_args(&self->ctx, scalars, 3),
		.epoch = ++self->ctx.epoch,
		.arena_addr = self->ctx.arena,
		.timeout_ms = 20,
	};
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;
	uint32_t status;

	EXPECT_EQ(id, rig_submit(&self->rig, self->ctx.stream, &cmd));
	ASSERT_TRUE(rig_started(&self->ctx));
	/* The control queue is served until the context has ended. */
	while ((status = rig_do(&self->rig, self->ctx.control, &nop, NULL)) == PTO_DEV_OK &&
	       rig_now() < until)
		rig_pause(&tries);
	EXPECT_EQ(PTO_DEV_FAULT, status);
	EXPECT_EQ(id, pair->cq_tail);
	__atomic_store_n(&pair->sq_tail, id + 1, __ATOMIC_SEQ_CST);
	ptodev_kick(self->rig.dev, self->ctx.stream);
	EXPECT_EQ(PTO_DEV_FAULT, status_of(&self->ctx, self->ctx.stream, id));
}

TEST_F(device, mapping)
{
	uint64_t *extra = rig_alloc(&self->rig, 8192);
	uint64_t addr = rig_addr(&self->rig, extra);

	EXPECT_EQ(0, rig_map(&self->rig, &self->ctx, PTO_DEV_MAP, extra, 8192));
	EXPECT_EQ(PTO_DEV_INVALID, rig_map(&self->rig, &self->ctx, PTO_DEV_MAP, extra, 4096));
	EXPECT_EQ(PTO_DEV_INVALID, rig_map(&self->rig, &self->ctx, PTO_DEV_UNMAP, extra, 4096));
	EXPECT_EQ(0, rig_run(&self->ctx, 0, PROBE_WRITE, addr, 4711));
	EXPECT_EQ(4711, *extra);
	EXPECT_EQ(0, rig_run(&self->ctx, 0, PROBE_READ, addr, 0));
	EXPECT_EQ(4711, *self->ctx.page);
	EXPECT_EQ(0, rig_map(&self->rig, &self->ctx, PTO_DEV_UNMAP, extra, 8192));
	EXPECT_EQ(PTO_DEV_INVALID, rig_map(&self->rig, &self->ctx, PTO_DEV_UNMAP, extra, 8192));
	if (variant->isolate)
		EXPECT_EQ(PTO_DEV_FAULT, rig_run(&self->ctx, 0, PROBE_READ, addr, 0));
}

TEST_F(device, own_process)
{
	EXPECT_EQ(0, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	EXPECT_EQ(!variant->isolate, *self->ctx.page == (uint64_t)getpid());
}

/* Contexts come and go, some while their programs run, and take ids and queues over. */
TEST_F_TIMEOUT(device, churn, 300)
{
	struct rig_ctx ctx[8];
	uint32_t round, i;

	ctx[0] = self->ctx;
	for (i = 1; i < ARRAY_SIZE(ctx); i++)
		ASSERT_EQ(0, rig_ctx_open(&self->rig, &ctx[i], i + 1));
	for (round = 0; round < 64; round++) {
		i = round % ARRAY_SIZE(ctx);
		*ctx[i].page = 0;
		ASSERT_EQ(0, rig_ctx_close(&ctx[i]));
		ASSERT_EQ(0, rig_ctx_open(&self->rig, &ctx[i], i + 1));
		ASSERT_EQ(0, rig_ctx_probe(&ctx[i], 0));
		ASSERT_EQ(0, rig_run(&ctx[i], 0, PROBE_COUNT, 0, 0));
		ASSERT_EQ(1, *ctx[i].page);
		if (round % 3)
			submit(&ctx[i], PROBE_SPIN);
	}
}

/* The process that @pid is a child of. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512] = "";
	pid_t parent = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "r");
	if (!stat)
		return 0;
	if (fgets(line, sizeof(line), stat) && strrchr(line, ')'))
		parent = atoi(strrchr(line, ')') + 4);
	fclose(stat);
	return parent;
}

/* When the supervisor is killed, the device says so, and no context goes on. */
TEST_F(device, killed_supervisor)
{
	struct pollfd end = { .fd = ptodev_end_fd(self->rig.dev), .events = POLLIN };
	uint64_t until = rig_now() + RIG_BOUND_NS;
	pid_t context;

	if (!variant->isolate)
		SKIP(return, "there is none");
	EXPECT_EQ(0, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	context = (pid_t)*self->ctx.page;
	ASSERT_LT(1, parent_of(context));
	ASSERT_NE(getpid(), parent_of(context));
	EXPECT_EQ(0, poll(&end, 1, 0));
	kill(parent_of(context), SIGKILL);
	EXPECT_EQ(1, poll(&end, 1, 60000));
	while (parent_of(context) && rig_now() < until)
		usleep(1000);
	EXPECT_EQ(0, parent_of(context));
}

/* One that does not even end when it is told to is killed. */
TEST_F(device, stopped_supervisor)
{
	pid_t supervisor;

	if (!variant->isolate)
		SKIP(return, "there is none");
	EXPECT_EQ(0, rig_run(&self->ctx, 0, PROBE_PID, 0, 0));
	supervisor = parent_of((pid_t)*self->ctx.page);
	ASSERT_EQ(getpid(), parent_of(supervisor));
	kill(supervisor, SIGSTOP);
	rig_destroy(&self->rig);
	EXPECT_EQ(0, parent_of(supervisor));
	ASSERT_EQ(0, rig_create(&self->rig, PTO_ARCH_A2A3, 16, true));
}

/* A process of a device: makes one with a hanging context, and waits to be killed. */
static void doomed(int done)
{
	struct rig_ctx ctx;
	struct rig rig;

	if (rig_create(&rig, PTO_ARCH_A5, 4, true) || rig_ctx_open(&rig, &ctx, 1) ||
	    rig_ctx_probe(&ctx, 0))
		_exit(1);
	submit(&ctx, PROBE_HANG);
	if (!rig_started(&ctx) || write(done, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* When the device's process is killed, nothing of it stays: the pipe has no writer left. */
TEST(killed_device)
{
	struct pollfd end;
	int fds[2];
	pid_t pid;
	char c;

#ifdef __SANITIZE_THREAD__
	SKIP(return, "the thread sanitizer knows no threads after fork()");
#endif
	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		doomed(fds[1]);
	close(fds[1]);
	ASSERT_EQ(1, read(fds[0], &c, 1));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	end = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	EXPECT_EQ(1, poll(&end, 1, 60000));
	EXPECT_EQ(0, read(fds[0], &c, 1));
}

TEST_HARNESS_MAIN
