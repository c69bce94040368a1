// SPDX-License-Identifier: GPL-2.0
/*
 * The table "Limits" of Documentation/callables.rst: as much as a limit allows is good, and one
 * more is the error that the table names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>
#include <pto/kernel.h>
#include <pto/orch.h>

#include "pttest.h"
#include "../device/orch_limits.h"

#define MIB (1ULL << 20)

FIXTURE(limits) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *callable;
	struct pto_device_info info;
	int cid;
};

FIXTURE_SETUP(limits)
{
	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, pto_query_device(self->ctx, &self->info));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_limits"), &self->callable));
	ASSERT_EQ(0, pto_callable_add_kernel(self->callable, 0, PTO_CORE_AIV,
					     pt_object("kernel_limits")));
	self->cid = pto_register(self->ctx, self->callable);
	ASSERT_LE(0, self->cid) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
}

FIXTURE_TEARDOWN(limits)
{
	if (self->fd < 0)
		return;
	pto_callable_free(self->callable);
	pto_close(self->ctx);
}

/* Small rings, in which one scope fills its ring. */
#define WINDOW 64
#define POOL 16

/* A run that has so many of something. Return: its fatal code; 0 if it ended well */
static uint32_t code_of(FIXTURE_DATA(limits) *self, uint64_t what, uint64_t count)
{
	const struct pto_ring_config rings = {
		.task_window = { WINDOW, WINDOW, WINDOW, WINDOW },
		.dep_pool = { POOL, POOL, POOL, POOL },
	};
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_args *args = pto_args_new();
	struct pto_result result = { 0 };
	uint32_t word = 1, one = 1;
	int rc;

	if (what == LIMIT_OUTPUTS)
		options.rings = &rings;
	pto_args_add_host(args, PTO_IN, &word, PTO_DTYPE_UINT32, 1, &one);
	pto_args_add_scalar(args, what);
	pto_args_add_scalar(args, count);
	rc = pto_run(self->ctx, self->cid, args, &options, &result);
	pto_args_free(args);
	return rc && !result.code ? UINT32_MAX : result.code;
}

PT_TEST_F(limits, of_an_orchestration)
{
	const struct {
		uint32_t what, most, code;
	} rows[] = {
		{ LIMIT_BLOCKS, INT16_MAX, PTO_FATAL_INVALID_ARGS },
		{ LIMIT_SYNC_START, 2 * self->info.cluster_count,
		  PTO_FATAL_REQUIRE_SYNC_START_INVALID },
		{ LIMIT_TENSORS, PTO_TASK_MAX_TENSORS, PTO_FATAL_INVALID_ARGS },
		{ LIMIT_SCALARS, PTO_TASK_MAX_SCALARS, PTO_FATAL_INVALID_ARGS },
		{ LIMIT_ADDED_DEPS, PTO_TASK_OWN_DEPS, PTO_FATAL_INVALID_ARGS },
		{ LIMIT_SCOPES, PTO_MAX_SCOPE_DEPTH, PTO_FATAL_SCOPE_TASKS_OVERFLOW },
		{ LIMIT_OUTPUTS, WINDOW - 1, PTO_FATAL_SCOPE_DEADLOCK },
		{ LIMIT_CONDITIONS, PTO_KERNEL_MAX_CONDITIONS, PTO_FATAL_ASYNC_WAIT_OVERFLOW },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_EQ(0, code_of(self, rows[i].what, rows[i].most)) {
			TH_LOG("row %zu: %s", i, pto_context_error(self->ctx));
		}
		EXPECT_EQ(rows[i].code, code_of(self, rows[i].what, rows[i].most + 1)) {
			TH_LOG("row %zu", i);
		}
	}
}

/* --- what the application hands over ------------------------------------------------------ */

PT_TEST_F(limits, of_a_callable)
{
	struct pto_callable *callable;
	char name[PTO_SYMBOL_MAX + 1];
	int i, rc = 0;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &callable));
	EXPECT_EQ(0, pto_callable_add_kernel(callable, PTO_MAX_FUNC_ID - 1, PTO_CORE_AIV,
					     pt_object("kernel_add")));
	EXPECT_EQ(-EINVAL, pto_callable_add_kernel(callable, PTO_MAX_FUNC_ID, PTO_CORE_AIV,
						   pt_object("kernel_add")));
	memset(name, 'a', sizeof(name));
	name[PTO_SYMBOL_MAX] = '\0';
	EXPECT_EQ(-EINVAL, pto_callable_set_symbols(callable, name, NULL));
	name[PTO_SYMBOL_MAX - 1] = '\0';
	EXPECT_EQ(0, pto_callable_set_symbols(callable, name, NULL));
	EXPECT_EQ(0, pto_callable_set_symbols(callable, NULL, NULL));

	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, PTO_MAX_CALLABLES, callable));
	for (i = 1; i < PTO_MAX_CALLABLES && rc >= 0; i++)
		rc = pto_register(self->ctx, callable);
	EXPECT_EQ(PTO_MAX_CALLABLES - 1, rc);
	EXPECT_EQ(-ENOSPC, pto_register(self->ctx, callable));
	pto_callable_free(callable);
}

/* An object with bytes behind it that belong to nothing */
static int add_large(struct pto_callable *callable, uint32_t func_id, size_t bytes)
{
	struct pt_file file;
	char *data = NULL;
	int rc = pt_file_read("kernel_add", &file);

	if (rc)
		return rc;
	data = calloc(1, bytes);
	if (!data)
		return -ENOMEM;
	memcpy(data, file.data, file.bytes);
	rc = pto_callable_add_kernel_memory(callable, func_id, PTO_CORE_AIV, data, bytes, "large");
	free(data);
	pt_file_free(&file);
	return rc;
}

PT_TEST_F(limits, of_an_image)
{
	struct pto_callable *callable;

	EXPECT_EQ(64 * MIB, self->info.max_image_size);
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &callable));
	ASSERT_EQ(0, add_large(callable, 1, 64 * MIB + 1));
	EXPECT_EQ(-EFBIG, pto_register(self->ctx, callable));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "images of 67108864 at most"));
	pto_callable_free(callable);
}

PT_TEST_F(limits, of_arguments)
{
	uint32_t one[PTO_MAX_TENSOR_DIMS + 1] = { 1, 1, 1, 1, 1, 1 };
	struct pto_args *args = pto_args_new();
	float x = 0;
	int i;

	for (i = 0; i < PTO_RUN_MAX_TENSORS; i++)
		ASSERT_EQ(0, pto_args_add_host(args, PTO_IN, &x, PTO_DTYPE_FLOAT32,
					       PTO_MAX_TENSOR_DIMS, one));
	EXPECT_EQ(-ENOSPC, pto_args_add_host(args, PTO_IN, &x, PTO_DTYPE_FLOAT32, 1, one));
	for (i = 0; i < PTO_RUN_MAX_SCALARS; i++)
		ASSERT_EQ(0, pto_args_add_scalar(args, 0));
	EXPECT_EQ(-ENOSPC, pto_args_add_scalar(args, 0));
	pto_args_clear(args);
	EXPECT_EQ(-EINVAL, pto_args_add_host(args, PTO_IN, &x, PTO_DTYPE_FLOAT32,
					     PTO_MAX_TENSOR_DIMS + 1, one));
	pto_args_free(args);
}

PT_TEST_F(limits, of_a_context)
{
	struct pto_stream *stream;
	uint32_t i;
	int rc = 0;

	for (i = 1; i < self->info.max_streams && !rc; i++)
		rc = pto_stream_create(self->ctx, &stream);
	EXPECT_EQ(0, rc) {
		TH_LOG("stream %u: %s", i, pto_context_error(self->ctx));
	}
	EXPECT_EQ(-ENOSPC, pto_stream_create(self->ctx, &stream));
}

/* --- static data ----------------------------------------------------------------------------- */

/* What kernel_count counts. */
static float counted(struct pto_context *ctx, int cid)
{
	float a = 0, b = 0, f = -1;
	struct pto_args *args = pto_args_new();
	uint32_t one = 1;

	pto_args_add_host(args, PTO_IN, &a, PTO_DTYPE_FLOAT32, 1, &one);
	pto_args_add_host(args, PTO_IN, &b, PTO_DTYPE_FLOAT32, 1, &one);
	pto_args_add_host(args, PTO_OUT, &f, PTO_DTYPE_FLOAT32, 1, &one);
	if (pto_run(ctx, cid, args, NULL, NULL))
		f = -1;
	pto_args_free(args);
	return f;
}

/* A kernel object is loaded once in a context, for all cids that have it, and keeps its data. */
PT_TEST_F(limits, statics_of_a_kernel)
{
	struct pto_callable *callable;
	struct pto_context *other;
	int first, second, third;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &callable));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_count")));
	first = pto_register(self->ctx, callable);
	second = pto_register(self->ctx, callable);
	EXPECT_EQ(1, counted(self->ctx, first));
	EXPECT_EQ(2, counted(self->ctx, first));
	EXPECT_EQ(3, counted(self->ctx, second));
	ASSERT_EQ(0, pto_open(self->path, &other));
	third = pto_register(other, callable);
	EXPECT_EQ(1, counted(other, third));
	EXPECT_EQ(4, counted(self->ctx, first));
	pto_close(other);
	EXPECT_EQ(0, pto_unprepare(self->ctx, first));
	EXPECT_EQ(5, counted(self->ctx, second));
	pto_callable_free(callable);
}

TEST_HARNESS_MAIN
