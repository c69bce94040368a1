// SPDX-License-Identifier: GPL-2.0
/*
 * Host tensors: what goes to the device and comes back, with many runs in flight on several
 * streams, in random sizes and waited for in random order. Inputs are destroyed as soon as a
 * run has been submitted, and of a run that fails no output may change.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pto/pto.h>

#include "pttest.h"

#define STREAMS 3
#define MAX_FLYING 200
#define STEPS 1500
#define UNTOUCHED -77777.0f
#define CID_ADD 0
#define CID_FATAL 1

/* A run in flight, and what it must give. */
struct flying {
	struct pto_run_handle *run;
	uint32_t count;
	float *out;
	float *want;
	bool fails;
};

FIXTURE(staging) {
	int fd;	/* only says whether there is a device */
	struct pto_context *ctx;
	struct pto_stream *streams[STREAMS];
	struct pto_args *args;
	unsigned int seed;
	struct flying flying[MAX_FLYING];
	int count;
};

static int prepare(struct pto_context *ctx, int cid, const char *orch, const char *kernel)
{
	struct pto_callable *callable;
	int err;

	err = pto_callable_load(pt_object(orch), &callable);
	if (err)
		return err;
	if (kernel)
		err = pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object(kernel));
	if (!err)
		err = pto_prepare(ctx, cid, callable);
	pto_callable_free(callable);
	return err;
}

FIXTURE_SETUP(staging)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	char path[32];
	int i;

	PT_FIND(self->fd, 0, path);
	self->seed = given ? strtoul(given, NULL, 10) : pt_now();
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	ASSERT_EQ(0, prepare(self->ctx, CID_ADD, "orch_vec", "kernel_add"));
	ASSERT_EQ(0, prepare(self->ctx, CID_FATAL, "orch_fatal", NULL));
	self->streams[0] = pto_default_stream(self->ctx);
	for (i = 1; i < STREAMS; i++)
		ASSERT_EQ(0, pto_stream_create(self->ctx, &self->streams[i]));
	self->args = pto_args_new();
	ASSERT_NE(NULL, self->args);
}

FIXTURE_TEARDOWN(staging)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_close(self->ctx);
}

static int add_vectors(struct pto_args *args, float *a, float *b, float *f, uint32_t count)
{
	int err;

	pto_args_clear(args);
	err = pto_args_add_host(args, f == a ? PTO_INOUT : PTO_IN, a, PTO_DTYPE_FLOAT32, 1, &count);
	if (!err)
		err = pto_args_add_host(args, PTO_IN, b, PTO_DTYPE_FLOAT32, 1, &count);
	if (!err)
		err = pto_args_add_host(args, PTO_OUT, f, PTO_DTYPE_FLOAT32, 1, &count);
	return err;
}

/* Submits f = a + b; every fourth time f is a itself. */
static int submit_random(FIXTURE_DATA(staging) *self)
{
	struct flying *fly = &self->flying[self->count];
	bool in_place = rand_r(&self->seed) % 4 == 0;
	float *a, *b;
	uint32_t i;
	int err;

	*fly = (struct flying) {
		.count = rand_r(&self->seed) % 8 ? rand_r(&self->seed) % 5000 : 0,
		.fails = rand_r(&self->seed) % 10 == 0,
	};
	a = malloc(fly->count * sizeof(float) + 1);
	b = malloc(fly->count * sizeof(float) + 1);
	fly->out = in_place ? a : malloc(fly->count * sizeof(float) + 1);
	fly->want = malloc(fly->count * sizeof(float) + 1);
	for (i = 0; i < fly->count; i++) {
		a[i] = rand_r(&self->seed) % 100000;
		b[i] = rand_r(&self->seed) % 100000;
		if (!in_place)
			fly->out[i] = UNTOUCHED;
		fly->want[i] = fly->fails ? fly->out[i] : a[i] + b[i];
	}
	err = add_vectors(self->args, a, b, fly->out, fly->count);
	if (!err)
		err = pto_submit(self->streams[rand_r(&self->seed) % STREAMS],
				 fly->fails ? CID_FATAL : CID_ADD, self->args, NULL, &fly->run);
	if (!in_place) {
		memset(a, 0xff, fly->count * sizeof(float));
		free(a);
	}
	memset(b, 0xff, fly->count * sizeof(float));
	free(b);
	self->count += !err;
	return err;
}

/* Return: 0; -ETIME if it has not ended; -EBADMSG if the result is wrong. */
static int wait_random(FIXTURE_DATA(staging) *self, uint64_t timeout)
{
	struct flying *fly = &self->flying[rand_r(&self->seed) % self->count];
	struct pto_result result;
	int err = pto_wait(fly->run, timeout, &result);

	if (err == -ETIME && !result.id)
		return err;
	if (err != (fly->fails ? -EREMOTEIO : 0) || result.status != err)
		return -EBADMSG;
	err = memcmp(fly->out, fly->want, fly->count * sizeof(float)) ? -EBADMSG : 0;
	free(fly->out);
	free(fly->want);
	*fly = self->flying[--self->count];
	return err;
}

PT_TEST_F(staging, random_runs_on_several_streams)
{
	int step, err;

	TH_LOG("PTO_SELFTEST_SEED=%u", self->seed);
	for (step = 0; step < STEPS; step++) {
		int dice = rand_r(&self->seed) % 10;

		if (dice < 6 && self->count < MAX_FLYING) {
			ASSERT_EQ(0, submit_random(self));
		} else if (dice < 9 && self->count) {
			err = wait_random(self, dice % 2 ? PTO_FOREVER : 0);
			ASSERT_TRUE(!err || err == -ETIME);
		} else if (dice == 9) {
			ASSERT_EQ(0, pto_stream_wait(self->streams[step % STREAMS], PTO_FOREVER));
		}
	}
	while (self->count)
		ASSERT_EQ(0, wait_random(self, PTO_FOREVER));
}

PT_TEST_F(staging, outputs_of_a_run_that_nobody_waits_for)
{
	float a[64], b[64], f[8][64];
	int i, k;

	for (k = 0; k < 64; k++) {
		a[k] = k;
		b[k] = k;
	}
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, add_vectors(self->args, a, b, f[i], 64));
		ASSERT_EQ(0, pto_submit(self->streams[1], CID_ADD, self->args, NULL, NULL));
	}
	ASSERT_EQ(0, pto_stream_wait(self->streams[1], PTO_FOREVER));
	for (i = 0; i < 8; i++)
		for (k = 0; k < 64; k++)
			ASSERT_EQ(2.0f * k, f[i][k]);
}

PT_TEST_F(staging, memory_is_kept_and_goes_with_the_stream)
{
	struct pto_context_stats before, warm, after;
	uint32_t count = 1 << 20, i;
	float *v = calloc(3 * count, sizeof(*v));

	ASSERT_NE(NULL, v);
	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, add_vectors(self->args, v, v + count, v + 2 * count, count));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pto_submit(self->streams[1], CID_ADD, self->args, NULL, NULL));
		ASSERT_EQ(0, pto_stream_wait(self->streams[1], PTO_FOREVER));
		ASSERT_EQ(0, pto_query_stats(self->ctx, i ? &after : &warm));
	}
	EXPECT_GT(warm.bo_live, before.bo_live);
	EXPECT_EQ(warm.bo_live, after.bo_live);
	EXPECT_EQ(warm.bo_bytes, after.bo_bytes);
	EXPECT_EQ(0, pto_stream_destroy(self->streams[1]));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	EXPECT_EQ(before.bo_live, after.bo_live);
	free(v);
}

PT_TEST_F(staging, memory_that_overlaps_in_part)
{
	uint32_t count = 10;
	float v[30];

	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, v, PTO_DTYPE_FLOAT32, 1, &count));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_OUT, v + 5, PTO_DTYPE_FLOAT32, 1,
					     &count));
	EXPECT_EQ(0, pto_args_add_host(self->args, PTO_IN, v + 5, PTO_DTYPE_FLOAT32, 1, &count));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_INOUT, v, PTO_DTYPE_FLOAT32, 1,
					     &count));
	EXPECT_EQ(0, pto_args_add_host(self->args, PTO_OUT, v + 15, PTO_DTYPE_FLOAT32, 1, &count));
}

PT_TEST_F(staging, wrong_arguments)
{
	uint32_t big[5] = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	uint32_t one = 1, none = 0;
	float v = 0;
	int i;

	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, 0, &v, PTO_DTYPE_FLOAT32, 1, &one));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, 4, &v, PTO_DTYPE_FLOAT32, 1, &one));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_IN, NULL, PTO_DTYPE_FLOAT32, 1, &one));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_COUNT, 1, &one));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_FLOAT32, 0, &one));
	EXPECT_EQ(-EINVAL, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_FLOAT32, 6, big));
	EXPECT_EQ(-EOVERFLOW, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_FLOAT32, 5, big));
	EXPECT_EQ(-EOVERFLOW, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_INT64, 2, big));
	EXPECT_EQ(0, pto_args_add_host(self->args, PTO_IN, NULL, PTO_DTYPE_FLOAT32, 1, &none));
	for (i = 1; i < PTO_RUN_MAX_TENSORS; i++)
		ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_FLOAT32, 1, &one));
	EXPECT_EQ(-ENOSPC, pto_args_add_host(self->args, PTO_IN, &v, PTO_DTYPE_FLOAT32, 1, &one));
	for (i = 0; i < PTO_RUN_MAX_SCALARS; i++)
		ASSERT_EQ(0, pto_args_add_scalar(self->args, i));
	EXPECT_EQ(-ENOSPC, pto_args_add_f32(self->args, 1));
}

PT_TEST_F(staging, options_of_other_sizes)
{
	struct { struct pto_run_options known; uint64_t more; } options = {
		.known = { .size = sizeof(options), .user_data = 0x1234567890 },
	};
	struct pto_result result;
	float a = 1, b = 2, f;

	ASSERT_EQ(0, add_vectors(self->args, &a, &b, &f, 1));
	EXPECT_EQ(0, pto_run(self->ctx, CID_ADD, self->args, &options.known, &result));
	EXPECT_EQ(0x1234567890, result.user_data);
	EXPECT_NE(0, result.id);
	options.more = 1;
	EXPECT_EQ(-E2BIG, pto_run(self->ctx, CID_ADD, self->args, &options.known, &result));
	EXPECT_EQ(0, result.id);
	options.known.size = 31;	/* the first version had 32 */
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, CID_ADD, self->args, &options.known, &result));
	EXPECT_EQ(3.0f, f);
}

PT_TEST_F(staging, errno_is_left_alone)
{
	float a = 1, b = 2, f;
	struct pto_context *ctx;

	ASSERT_EQ(0, add_vectors(self->args, &a, &b, &f, 1));
	errno = 4711;
	EXPECT_NE(0, pto_run(self->ctx, 40, self->args, NULL, NULL));
	EXPECT_EQ(4711, errno);
	EXPECT_EQ(0, pto_run(self->ctx, CID_ADD, self->args, NULL, NULL));
	EXPECT_EQ(4711, errno);
	EXPECT_NE(0, pto_open("/no/such/device", &ctx));
	EXPECT_EQ(4711, errno);
	pto_list_devices(NULL, 0);
	EXPECT_EQ(4711, errno);
}

TEST_HARNESS_MAIN
