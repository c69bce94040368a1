// SPDX-License-Identifier: GPL-2.0
/* libpto's own promises: results, words for what went wrong, handles, threads. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"

#define COUNT 300

FIXTURE(libpto) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *add;
	struct pto_args *args;
	float a[COUNT];
	float b[COUNT];
	float f[COUNT];
};

static struct pto_callable *load(const char *orch, const char *kernel)
{
	struct pto_callable *callable;

	if (pto_callable_load(pt_object(orch), &callable))
		return NULL;
	if (kernel && pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object(kernel))) {
		pto_callable_free(callable);
		return NULL;
	}
	return callable;
}

FIXTURE_SETUP(libpto)
{
	uint32_t shape[1] = { COUNT };
	int i;

	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	self->add = load("orch_vec", "kernel_add");
	ASSERT_NE(NULL, self->add) {
		TH_LOG("%s", pto_callable_error());
	}
	for (i = 0; i < COUNT; i++) {
		self->a[i] = i;
		self->b[i] = 2 * i;
	}
	self->args = pto_args_new();
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->a, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->b, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, self->f, PTO_DTYPE_FLOAT32, 1, shape));
}

FIXTURE_TEARDOWN(libpto)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_callable_free(self->add);
	pto_close(self->ctx);
}

static int wrong(FIXTURE_DATA(libpto) *self)
{
	int i, count = 0;

	for (i = 0; i < COUNT; i++)
		count += self->f[i] != 3.0f * i;
	return count;
}

PT_TEST_F(libpto, lists_devices)
{
	struct pto_device_desc list[8];
	int count = pto_list_devices(list, 8), i, found = 0;

	ASSERT_GT(count, 0);
	EXPECT_EQ(count, pto_list_devices(NULL, 0));
	for (i = 0; i < count && i < 8; i++) {
		if (strcmp(list[i].path, self->path))
			continue;
		found++;
		EXPECT_EQ(0, list[i].error);
		EXPECT_EQ('\0', list[i].reason[0]);
		EXPECT_EQ(list[i].index, list[i].info.index);
	}
	EXPECT_EQ(1, found);
}

PT_TEST_F(libpto, says_why_it_cannot_open)
{
	struct pto_context *ctx = NULL;

	EXPECT_EQ(-ENOENT, pto_open("/dev/pto-no-such-device", &ctx));
	EXPECT_TRUE(!!strstr(pto_open_error(), "/dev/pto-no-such-device"));
	EXPECT_LT(pto_open("/dev/null", &ctx), 0);
	EXPECT_TRUE(!!strstr(pto_open_error(), "/dev/null"));
	EXPECT_EQ(NULL, ctx);
}

PT_TEST_F(libpto, register_gives_the_lowest_free_cid)
{
	EXPECT_EQ(0, pto_register(self->ctx, self->add));
	EXPECT_EQ(0, pto_prepare(self->ctx, 1, self->add));
	EXPECT_EQ(2, pto_register(self->ctx, self->add));
	EXPECT_EQ(0, pto_unprepare(self->ctx, 1));
	EXPECT_EQ(1, pto_register(self->ctx, self->add));
	EXPECT_EQ(-EEXIST, pto_prepare(self->ctx, 1, self->add));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "1"));
	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, 64, self->add));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "64"));
	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, -2, self->add));
	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, -1, self->add));
}

PT_TEST_F(libpto, runs_and_copies_back)
{
	struct pto_result result;
	int cid = pto_register(self->ctx, self->add), i;

	ASSERT_GE(cid, 0);
	for (i = 0; i < 10; i++) {
		memset(self->f, 0, sizeof(self->f));
		ASSERT_EQ(0, pto_run(self->ctx, cid, self->args, NULL, &result));
		EXPECT_EQ(0, result.status);
		EXPECT_EQ(0, wrong(self));
	}
	EXPECT_EQ(-ENOENT, pto_run(self->ctx, 33, self->args, NULL, NULL));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "33"));
}

PT_TEST_F(libpto, device_tensors_are_passed_through)
{
	struct pto_buffer *buf;
	struct pto_tensor tensor;
	struct pto_args *args = pto_args_new();
	int cid = pto_register(self->ctx, self->add), i;
	float *map;

	ASSERT_GE(cid, 0);
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 3 * 4096, PTO_PLACE_DEVICE, &buf));
	map = pto_buffer_map(buf);
	ASSERT_NE(NULL, map);
	for (i = 0; i < 3; i++) {
		tensor = pt_tensor(pto_buffer_device_addr(buf) + i * 4096, PTO_DTYPE_FLOAT32, 4,
				   COUNT);
		ASSERT_EQ(0, pto_args_add_device(args, &tensor));
	}
	ASSERT_EQ(0, pto_buffer_write(buf, 0, self->a, sizeof(self->a)));
	ASSERT_EQ(0, pto_buffer_write(buf, 4096, self->b, sizeof(self->b)));
	ASSERT_EQ(0, pto_run(self->ctx, cid, args, NULL, NULL));
	ASSERT_EQ(0, pto_buffer_read(buf, 8192, self->f, sizeof(self->f)));
	EXPECT_EQ(0, wrong(self));
	EXPECT_EQ(0, memcmp(map + 2048, self->f, sizeof(self->f)));
	EXPECT_EQ(-EINVAL, pto_buffer_read(buf, 3 * 4096 - 3, self->f, 4));
	pto_args_free(args);
	pto_buffer_free(buf);
}

PT_TEST_F(libpto, failure_of_a_run_is_told_in_words)
{
	struct pto_callable *fatal = load("orch_fatal", NULL);
	struct pto_result result;
	int cid;

	ASSERT_NE(NULL, fatal);
	cid = pto_register(self->ctx, fatal);
	ASSERT_GE(cid, 0);
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, cid, NULL, NULL, &result));
	EXPECT_EQ(-EREMOTEIO, result.status);
	EXPECT_EQ(PTO_FATAL_EXPLICIT, result.code);
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "failed as it was told to")) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	pto_callable_free(fatal);
}

PT_TEST_F(libpto, bad_objects_are_described)
{
	struct pto_callable *callable = NULL;
	static const char text[] = "#!/bin/sh\n# not an object at all, but long enough to be one\n";
	uint8_t elf[4096];
	FILE *f;

	EXPECT_EQ(-ENOENT, pto_callable_load(pt_object("no_such_object"), &callable));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "no_such_object"));
	EXPECT_EQ(-ENOEXEC, pto_callable_from_memory(text, sizeof(text), "script", &callable));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "script"));
	f = fopen(pt_object("orch_empty"), "re");
	ASSERT_NE(NULL, f);
	ASSERT_EQ(1, fread(elf, sizeof(elf), 1, f));
	fclose(f);
	EXPECT_EQ(-ENOEXEC, pto_callable_from_memory(elf, 100, "cut off", &callable));
	elf[18] = 0xf3;	/* e_machine: RISC-V */
	elf[19] = 0;
	EXPECT_EQ(-ENOEXEC, pto_callable_from_memory(elf, sizeof(elf), "foreign", &callable));
	EXPECT_NE('\0', pto_callable_error()[0]);
	EXPECT_EQ(-ENOEXEC, pto_callable_add_kernel(self->add, 5, PTO_CORE_AIV,
						    pt_object("orch_empty")));
	EXPECT_EQ(-EEXIST, pto_callable_add_kernel(self->add, 0, PTO_CORE_AIV,
						   pt_object("kernel_mul")));
	EXPECT_EQ(-EINVAL, pto_callable_add_kernel(self->add, PTO_MAX_FUNC_ID, PTO_CORE_AIV,
						   pt_object("kernel_mul")));
}

PT_TEST_F(libpto, inspects_objects)
{
	struct pto_object_info info;
	char error[128];

	ASSERT_EQ(0, pto_object_inspect(pt_object("orch_vec"), &info, error, sizeof(error)));
	EXPECT_EQ(64, info.elf_class);
	EXPECT_EQ(20, info.build_id_len);
	EXPECT_EQ(1, info.has_entry);
	EXPECT_EQ(1, info.has_config);
	EXPECT_EQ(0, info.has_kernel);
	ASSERT_EQ(0, pto_object_inspect(pt_object("orch_vec_noid"), &info, error, sizeof(error)));
	EXPECT_EQ(0, info.build_id_len);
	ASSERT_EQ(0, pto_object_inspect(pt_object("kernel_add"), &info, error, sizeof(error)));
	EXPECT_EQ(0, info.has_entry);
	EXPECT_EQ(1, info.has_kernel);
	EXPECT_EQ(-ENOEXEC, pto_object_inspect(pt_path("libpto.symbols"), &info, error,
					       sizeof(error)));
	EXPECT_NE('\0', error[0]);
}

PT_TEST_F(libpto, more_runs_in_flight_than_the_queue_holds)
{
	struct pto_stream *stream = pto_default_stream(self->ctx);
	struct pto_run_handle **runs;
	struct pto_device_info info;
	int cid = pto_register(self->ctx, self->add);
	uint32_t i, count;

	ASSERT_GE(cid, 0);
	ASSERT_EQ(0, pto_query_device(self->ctx, &info));
	count = 3 * info.stream_depth;
	runs = calloc(count, sizeof(*runs));
	ASSERT_NE(NULL, runs);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, pto_submit(stream, cid, self->args, NULL, &runs[i]));
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, pto_wait(runs[i], PTO_FOREVER, NULL));
	EXPECT_EQ(0, wrong(self));
	free(runs);
}

PT_TEST_F(libpto, streams_of_threads)
{
	struct pto_stream *streams[2];
	struct pto_run_handle *run;
	int cid = pto_register(self->ctx, self->add), i, k;

	ASSERT_GE(cid, 0);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pto_stream_create(self->ctx, &streams[i]));
	for (k = 0; k < 5; k++) {
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, pto_submit(streams[i], cid, self->args, NULL, &run));
			ASSERT_EQ(0, pto_wait(run, PTO_FOREVER, NULL));
			EXPECT_EQ(0, wrong(self));
		}
	}
	EXPECT_EQ(-EINVAL, pto_stream_destroy(pto_default_stream(self->ctx)));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, pto_stream_destroy(streams[i]));
}

static void *run_many(void *arg)
{
	FIXTURE_DATA(libpto) *self = arg;
	float f[COUNT];
	uint32_t shape[1] = { COUNT };
	struct pto_args *args = pto_args_new();
	intptr_t bad = 0;
	int i, k;

	pto_args_add_host(args, PTO_IN, self->a, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_IN, self->b, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_OUT, f, PTO_DTYPE_FLOAT32, 1, shape);
	for (i = 0; i < 50; i++) {
		memset(f, 0, sizeof(f));
		bad += pto_run(self->ctx, 7, args, NULL, NULL) != 0;
		for (k = 0; k < COUNT; k++)
			bad += f[k] != 3.0f * k;
	}
	pto_args_free(args);
	return (void *)bad;
}

PT_TEST_F(libpto, threads_share_a_context)
{
	pthread_t threads[4];
	void *bad;
	int i;

	ASSERT_EQ(0, pto_prepare(self->ctx, 7, self->add));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_many, self));
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
}

PT_TEST_F(libpto, child_gets_enodev_and_may_close)
{
	struct pto_context_stats stats;
	int cid = pto_register(self->ctx, self->add), status;
	pid_t child;

	ASSERT_GE(cid, 0);
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		status = pto_query_stats(self->ctx, &stats) == -ENODEV &&
			 pto_run(self->ctx, cid, self->args, NULL, NULL) == -ENODEV;
		pto_close(self->ctx);
		_exit(status ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, pto_run(self->ctx, cid, self->args, NULL, NULL));
	EXPECT_EQ(0, wrong(self));
}

PT_TEST_F(libpto, null_handles_are_accepted)
{
	pto_close(NULL);
	pto_buffer_free(NULL);
	pto_callable_free(NULL);
	pto_args_free(NULL);
	EXPECT_NE('\0', pto_version()[0]);
	EXPECT_STREQ("SCOPE_DEADLOCK", pto_fatal_name(PTO_FATAL_SCOPE_DEADLOCK));
}

TEST_HARNESS_MAIN
