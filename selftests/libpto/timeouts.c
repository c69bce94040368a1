// SPDX-License-Identifier: GPL-2.0
/*
 * Time-outs of runs, and what is told of a run that failed: from the device, through driver
 * and library, to the application.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>

#include "pttest.h"

#define MSEC	1000000ull
#define CID_HANG	0
#define CID_EMPTY	1
#define CID_FATAL	2
#define CID_WAIT	3

FIXTURE(timeouts) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_args *args;
	float data[3][4];
};

static int prepare(struct pto_context *ctx, int cid, const char *orch, const char *kernel)
{
	struct pto_callable *callable;
	int rc;

	rc = pto_callable_load(pt_object(orch), &callable);
	if (rc)
		return rc;
	if (kernel)
		rc = pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object(kernel));
	if (!rc)
		rc = pto_prepare(ctx, cid, callable);
	pto_callable_free(callable);
	return rc;
}

FIXTURE_SETUP(timeouts)
{
	uint32_t shape[1] = { 4 };
	int i;

	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, prepare(self->ctx, CID_HANG, "orch_vec", "kernel_hang"));
	ASSERT_EQ(0, prepare(self->ctx, CID_EMPTY, "orch_empty", NULL));
	ASSERT_EQ(0, prepare(self->ctx, CID_FATAL, "orch_fatal", NULL));
	ASSERT_EQ(0, prepare(self->ctx, CID_WAIT, "orch_vec", "kernel_expect"));
	self->args = pto_args_new();
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pto_args_add_host(self->args, i < 2 ? PTO_IN : PTO_OUT,
					       self->data[i], PTO_DTYPE_FLOAT32, 1, shape));
}

FIXTURE_TEARDOWN(timeouts)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_close(self->ctx);
}

static bool says(struct pto_context *ctx, const char *what)
{
	return strstr(pto_context_error(ctx), what);
}

/* A hung kernel, with one bound that is short. All of it is known, and the next run is fine. */
static void hang(struct __test_metadata *_metadata, FIXTURE_DATA(timeouts) *self,
		 const struct pto_run_options *options, const char *text)
{
	struct pto_result result;

	EXPECT_EQ(-ETIMEDOUT, pto_run(self->ctx, CID_HANG, self->args, options, &result));
	EXPECT_EQ(-ETIMEDOUT, result.status);
	EXPECT_NE(0, result.id);
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, result.code);
	EXPECT_EQ(1, result.subcode);
	EXPECT_EQ(0, result.func_id);
	EXPECT_EQ(0, result.task);
	EXPECT_NE(UINT32_MAX, result.core);
	EXPECT_TRUE(says(self->ctx, "code 100 SCHEDULER_TIMEOUT, sub-class S1, task 0x0"));
	EXPECT_TRUE(says(self->ctx, "task 0x0, func_id 0, core "));
	EXPECT_TRUE(says(self->ctx, text)) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	EXPECT_TRUE(says(self->ctx, "hint: "));
	EXPECT_EQ(0, pto_run(self->ctx, CID_EMPTY, NULL, NULL, NULL));
}

/* A task that waits for what does not come, with a short bound for a run in which nothing moves. */
static void stall(struct __test_metadata *_metadata, FIXTURE_DATA(timeouts) *self,
		  const struct pto_run_options *options, const char *text)
{
	struct pto_result result;

	EXPECT_EQ(-ETIMEDOUT, pto_run(self->ctx, CID_WAIT, self->args, options, &result));
	EXPECT_EQ(-ETIMEDOUT, result.status);
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, result.code);
	EXPECT_TRUE(says(self->ctx, "code 100 SCHEDULER_TIMEOUT, sub-class S"));
	EXPECT_TRUE(says(self->ctx, text)) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	EXPECT_TRUE(says(self->ctx, "hint: "));
	EXPECT_EQ(0, pto_run(self->ctx, CID_EMPTY, NULL, NULL, NULL));
}

PT_TEST_F(timeouts, scheduler)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.sched_timeout_ns = 50 * MSEC;
	stall(_metadata, self, &options, "nothing has moved for 50 ms");
}

/* A kernel has its own bound, however short the scheduler's is. */
PT_TEST_F(timeouts, kernel_beyond_the_scheduler)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.sched_timeout_ns = 20 * MSEC;
	options.op_timeout_ns = 800 * MSEC;
	hang(_metadata, self, &options, "a kernel has been running for 800 ms");
}

PT_TEST_F(timeouts, operator)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.op_timeout_ns = 50 * MSEC;
	hang(_metadata, self, &options, "a kernel has been running for 50 ms");
}

PT_TEST_F(timeouts, stream)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.timeout_ns = 50 * MSEC;
	hang(_metadata, self, &options, "the run has not ended within 50 ms");
}

PT_TEST_F(timeouts, environment)
{
	static const char * const names[] = {
		"PTO_SCHEDULER_TIMEOUT_MS", "PTO_OP_TIMEOUT_MS", "PTO_STREAM_TIMEOUT_MS",
	};
	static const char * const texts[] = {
		"nothing has moved for 60 ms", "a kernel has been running for 60 ms",
		"the run has not ended within 60 ms",
	};
	struct pto_context *old = self->ctx;
	size_t i;

	for (i = 0; i < 3; i++) {
		setenv(names[i], "60", 1);
		ASSERT_EQ(0, pto_open(self->path, &self->ctx));
		unsetenv(names[i]);
		EXPECT_EQ(0, prepare(self->ctx, CID_HANG, "orch_vec", "kernel_hang"));
		EXPECT_EQ(0, prepare(self->ctx, CID_EMPTY, "orch_empty", NULL));
		EXPECT_EQ(0, prepare(self->ctx, CID_WAIT, "orch_vec", "kernel_expect"));
		(i ? hang : stall)(_metadata, self, NULL, texts[i]);
		pto_close(self->ctx);
	}
	self->ctx = old;
}

PT_TEST_F(timeouts, run_over_environment)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_context *old = self->ctx;

	setenv("PTO_OP_TIMEOUT_MS", "20000", 1);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	unsetenv("PTO_OP_TIMEOUT_MS");
	EXPECT_EQ(0, prepare(self->ctx, CID_HANG, "orch_vec", "kernel_hang"));
	EXPECT_EQ(0, prepare(self->ctx, CID_EMPTY, "orch_empty", NULL));
	options.op_timeout_ns = 70 * MSEC;
	hang(_metadata, self, &options, "a kernel has been running for 70 ms");
	pto_close(self->ctx);
	self->ctx = old;
}

PT_TEST_F(timeouts, values_that_are_none)
{
	static const char * const names[] = {
		"PTO_SCHEDULER_TIMEOUT_MS", "PTO_OP_TIMEOUT_MS", "PTO_STREAM_TIMEOUT_MS",
	};
	static const char * const bad[] = {
		"0", "-1", "x", "1 ", "1s", "86400001", "99999999999999999999999",
	};
	struct pto_context *ctx;
	size_t i, j;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
			setenv(names[i], bad[j], 1);
			EXPECT_EQ(-EINVAL, pto_open(self->path, &ctx)) {
				TH_LOG("%s=%s", names[i], bad[j]);
			}
			EXPECT_TRUE(!!strstr(pto_open_error(), names[i]));
			EXPECT_TRUE(!!strstr(pto_open_error(), bad[j]));
		}
		setenv(names[i], "", 1);
		ASSERT_EQ(0, pto_open(self->path, &ctx));
		pto_close(ctx);
		unsetenv(names[i]);
	}
}

/* Scheduler < operator < stream, stream > scheduler + 1.5 s. */
PT_TEST_F(timeouts, order_of_a_run)
{
	static const struct {
		uint64_t sched, op, stream;	/* ms */
		const char *text;	/* NULL: fine */
	} orders[] = {
		{ 2000, 3000, 4000, NULL },
		{ 2000, 3000, 3501, NULL },
		{ 2000, 3000, 3500, "scheduler time-out of 2000 ms" },
		{ 2000, 2000, 4000, "operator time-out of 2000 ms" },
		{ 2000, 4000, 4000, "stream time-out of 4000 ms" },
		{ 2000, 0, 3000, "longer by more than 1500 ms" },
		{ 2000, 0, 4000, NULL },
		{ 0, 3000, 2000, "struct pto_run_options" },
		{ 0, 0, 1, NULL },
		{ 46000, 0, 0, "operator time-out of 45000 ms (the default)" },
		{ 0, 60000, 0, "ms (the default)" },
		{ 46000, 47000, 48000, NULL },
	};
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		options.sched_timeout_ns = orders[i].sched * MSEC;
		options.op_timeout_ns = orders[i].op * MSEC;
		options.timeout_ns = orders[i].stream * MSEC;
		/* (The empty run may or may not have ended after 1 ms: submit it only.) */
		EXPECT_EQ(orders[i].text ? -EINVAL : 0,
			  pto_submit(pto_default_stream(self->ctx), CID_EMPTY, NULL, &options,
				     NULL)) {
			TH_LOG("order %zu: %s", i, pto_context_error(self->ctx));
		}
		if (orders[i].text)
			EXPECT_TRUE(says(self->ctx, orders[i].text)) {
				TH_LOG("order %zu: %s", i, pto_context_error(self->ctx));
			}
	}
}

PT_TEST_F(timeouts, order_of_the_environment)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_context *ctx;

	setenv("PTO_SCHEDULER_TIMEOUT_MS", "2000", 1);
	setenv("PTO_OP_TIMEOUT_MS", "1000", 1);
	EXPECT_EQ(-EINVAL, pto_open(self->path, &ctx));
	EXPECT_TRUE(!!strstr(pto_open_error(), "PTO_SCHEDULER_TIMEOUT_MS"));
	EXPECT_TRUE(!!strstr(pto_open_error(), "PTO_OP_TIMEOUT_MS"));
	setenv("PTO_OP_TIMEOUT_MS", "3000", 1);
	ASSERT_EQ(0, pto_open(self->path, &ctx));
	unsetenv("PTO_SCHEDULER_TIMEOUT_MS");
	unsetenv("PTO_OP_TIMEOUT_MS");
	EXPECT_EQ(0, prepare(ctx, CID_EMPTY, "orch_empty", NULL));
	options.op_timeout_ns = 2000 * MSEC;
	EXPECT_EQ(-EINVAL, pto_run(ctx, CID_EMPTY, NULL, &options, NULL));
	EXPECT_TRUE(says(ctx, "PTO_SCHEDULER_TIMEOUT_MS"));
	EXPECT_TRUE(says(ctx, "struct pto_run_options"));
	EXPECT_EQ(0, pto_run(ctx, CID_EMPTY, NULL, NULL, NULL));
	pto_close(ctx);
}

/* What an application that was compiled with the first version passes. */
PT_TEST_F(timeouts, options_of_the_first_version)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.size = 32;
	options.sched_timeout_ns = UINT64_MAX;	/* behind its end: not looked at */
	EXPECT_EQ(0, pto_run(self->ctx, CID_EMPTY, NULL, &options, NULL));
	options.size = 31;
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, CID_EMPTY, NULL, &options, NULL));
}

PT_TEST_F(timeouts, failure_names_what_is_known)
{
	struct pto_result result;

	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, CID_FATAL, NULL, NULL, &result));
	EXPECT_EQ(PTO_FATAL_EXPLICIT, result.code);
	EXPECT_EQ(0, result.subcode);
	EXPECT_EQ(UINT64_MAX, result.task);
	EXPECT_EQ(UINT32_MAX, result.func_id);
	EXPECT_EQ(UINT32_MAX, result.core);
	EXPECT_TRUE(says(self->ctx, "code 9 EXPLICIT_ORCH_FATAL: failed as it was told to"));
	EXPECT_TRUE(says(self->ctx, pto_fatal_hint(PTO_FATAL_EXPLICIT, 0)));
	EXPECT_EQ(0, pto_run(self->ctx, CID_EMPTY, NULL, NULL, &result));
	EXPECT_EQ(0, result.code);
	EXPECT_EQ(UINT64_MAX, result.task);
}

TEST(every_code_has_a_name_and_a_hint)
{
	static const uint32_t codes[] = {
		1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 100, 101, 102, 103, 104,
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		EXPECT_STRNE("UNKNOWN", pto_fatal_name(codes[i]));
		EXPECT_STRNE("", pto_fatal_hint(codes[i], 0));
	}
	EXPECT_STREQ("NONE", pto_fatal_name(0));
	EXPECT_STREQ("", pto_fatal_hint(0, 0));
	EXPECT_STREQ("UNKNOWN", pto_fatal_name(6));
	EXPECT_STREQ("", pto_fatal_hint(6, 0));
	/* What does not move is different in each sub-class. */
	EXPECT_STRNE(pto_fatal_hint(100, 4), pto_fatal_hint(100, 1));
	EXPECT_STRNE(pto_fatal_hint(100, 5), pto_fatal_hint(100, 1));
}

TEST_HARNESS_MAIN
