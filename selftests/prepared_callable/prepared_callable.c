// SPDX-License-Identifier: GPL-2.0
/*
 * The prepared callable: loading is counted, sharing is by content, and neither is ever
 * mixed up. Every test runs on both architectures.
 */
#include <errno.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 1000

FIXTURE(prepared) {
	int fd;
	struct pt_vec vec;
	struct pto_context_stats base;
};

FIXTURE_VARIANT(prepared) {
	uint32_t arch;
};

FIXTURE_VARIANT_ADD(prepared, a2a3) { .arch = PTO_ARCH_A2A3 };
FIXTURE_VARIANT_ADD(prepared, a5) { .arch = PTO_ARCH_A5 };

FIXTURE_SETUP(prepared)
{
	PT_OPEN(self->fd, variant->arch);
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &self->vec));
	ASSERT_EQ(0, pt_stats(self->fd, &self->base));
}

FIXTURE_TEARDOWN(prepared)
{
	if (self->fd < 0)
		return;
	pt_vec_free(self->fd, &self->vec);
	close(self->fd);
}

/* Run @cid once and check every element of the result. */
static void run_right(struct __test_metadata *_metadata, FIXTURE_DATA(prepared) *self, int cid,
		      char op)
{
	static int round;
	float a = 1 + round % 7, b = 2 + round % 5;

	round++;
	pt_vec_fill(&self->vec, a, b);
	ASSERT_EQ(0, pt_run(self->fd, cid, &self->vec.args, self->vec.args_bytes));
	ASSERT_EQ(0, pt_vec_wrong(&self->vec, op, a, b));
}

/* Orchestration objects that the device has loaded since the beginning of the test. */
static uint64_t loads(struct __test_metadata *_metadata, FIXTURE_DATA(prepared) *self)
{
	struct pto_context_stats now;

	EXPECT_EQ(0, pt_stats(self->fd, &now));
	return now.aicpu_dlopen_count - self->base.aicpu_dlopen_count;
}

/* What a prepare that fails must leave as it was. */
static void expect_unchanged(struct __test_metadata *_metadata, FIXTURE_DATA(prepared) *self,
			     const struct pto_context_stats *before)
{
	struct pto_context_stats now;

	ASSERT_EQ(0, pt_stats(self->fd, &now));
	EXPECT_EQ(before->callables_live, now.callables_live);
	EXPECT_EQ(before->prepares, now.prepares);
	EXPECT_EQ(before->unprepares, now.unprepares);
	EXPECT_EQ(before->aicpu_dlopen_count, now.aicpu_dlopen_count);
	EXPECT_EQ(before->bo_live, now.bo_live);
	EXPECT_EQ(before->bo_bytes, now.bo_bytes);
	EXPECT_EQ(before->images_live, now.images_live);
	EXPECT_EQ(before->streams_created, now.streams_created);
	EXPECT_EQ(before->state, now.state);
}

PT_TEST_F(prepared, same_cid_five_times_loads_once)
{
	int i;

	ASSERT_EQ(3, pt_prepare(self->fd, 3, &pt_add, NULL));
	EXPECT_EQ(1, loads(_metadata, self));
	for (i = 0; i < 5; i++)
		run_right(_metadata, self, 3, '+');
	EXPECT_EQ(1, loads(_metadata, self));
}

PT_TEST_F(prepared, two_cids_alternating_load_twice)
{
	int i;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &pt_add, NULL));
	for (i = 0; i < 10; i++)
		run_right(_metadata, self, i % 2, '+');
	EXPECT_EQ(2, loads(_metadata, self));
}

PT_TEST_F(prepared, double_prepare_is_eexist_and_changes_nothing)
{
	struct pto_context_stats before;
	struct pto_device_usage usage, now;

	ASSERT_EQ(5, pt_prepare(self->fd, 5, &pt_add, NULL));
	ASSERT_EQ(0, pt_stats(self->fd, &before));
	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	EXPECT_EQ(-EEXIST, pt_prepare(self->fd, 5, &pt_mul, NULL));
	expect_unchanged(_metadata, self, &before);
	ASSERT_EQ(0, pt_usage(self->fd, &now));
	EXPECT_TRUE(pt_usage_same(&usage, &now));
	run_right(_metadata, self, 5, '+');
	EXPECT_EQ(1, loads(_metadata, self));
}

PT_TEST_F(prepared, unprepare_and_prepare_again_loads_once_more)
{
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	run_right(_metadata, self, 0, '+');
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	EXPECT_EQ(1, loads(_metadata, self));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	run_right(_metadata, self, 0, '+');
	EXPECT_EQ(2, loads(_metadata, self));
}

PT_TEST_F(prepared, shared_image_unprepare_one_run_the_other)
{
	struct pto_device_usage one, two;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &one));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &pt_add, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &two));
	EXPECT_EQ(one.images, two.images);
	EXPECT_EQ(one.image_bytes, two.image_bytes);
	run_right(_metadata, self, 0, '+');
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	run_right(_metadata, self, 1, '+');
	ASSERT_EQ(0, pt_usage(self->fd, &two));
	EXPECT_EQ(one.images, two.images);
	EXPECT_EQ(-ENOENT, pt_run(self->fd, 0, &self->vec.args, self->vec.args_bytes));
}

PT_TEST_F(prepared, images_go_away_with_their_last_user)
{
	struct pto_device_usage before, now;

	ASSERT_EQ(0, pt_usage(self->fd, &before));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &pt_mul, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &now));
	EXPECT_EQ(before.images + 3, now.images);
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	EXPECT_EQ(0, pt_images_settle(self->fd, before.images + 2, &now));
	ASSERT_EQ(0, pt_unprepare(self->fd, 1));
	EXPECT_EQ(0, pt_images_settle(self->fd, before.images, &now));
	EXPECT_EQ(before.image_bytes, now.image_bytes);
}

PT_TEST_F(prepared, deduplicated_prepare_moves_no_bytes)
{
	struct pto_context_stats first, second;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_stats(self->fd, &first));
	EXPECT_EQ(2, first.image_uploads - self->base.image_uploads);
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &pt_add, NULL));
	ASSERT_EQ(0, pt_stats(self->fd, &second));
	EXPECT_EQ(first.image_uploads, second.image_uploads);
	EXPECT_EQ(first.image_upload_bytes, second.image_upload_bytes);
	EXPECT_EQ(first.image_dedup_hits + 2, second.image_dedup_hits);
	EXPECT_EQ(first.kernel_load_count, second.kernel_load_count);
}

PT_TEST_F(prepared, missing_entry_symbol_fails_and_leaves_all_as_it_was)
{
	struct pt_callable bad = pt_add;
	struct pto_context_stats before;
	struct pto_device_usage usage, now;
	struct pto_ioc_prepare arg;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_stats(self->fd, &before));
	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	bad.entry = "no_such_entry";
	EXPECT_EQ(-ENOEXEC, pt_prepare(self->fd, 7, &bad, &arg));
	EXPECT_EQ(7, arg.cid);
	bad.entry = NULL;
	bad.orch = "orch_named";
	EXPECT_EQ(-ENOEXEC, pt_prepare(self->fd, -1, &bad, &arg));
	EXPECT_EQ(-1, arg.cid);
	expect_unchanged(_metadata, self, &before);
	ASSERT_EQ(0, pt_usage(self->fd, &now));
	EXPECT_TRUE(pt_usage_same(&usage, &now));
	EXPECT_EQ(-ENOENT, pt_run(self->fd, 7, &self->vec.args, self->vec.args_bytes));
	EXPECT_EQ(0, pt_unprepare(self->fd, 7));

	ASSERT_EQ(7, pt_prepare(self->fd, 7, &pt_mul, NULL));
	run_right(_metadata, self, 7, '*');
	run_right(_metadata, self, 0, '+');
	EXPECT_EQ(2, loads(_metadata, self));
}

PT_TEST_F(prepared, cid_out_of_range_is_einval)
{
	static const int cids[] = { -2, 64, INT_MAX, INT_MIN };
	struct pto_context_stats before;
	size_t i;

	ASSERT_EQ(0, pt_stats(self->fd, &before));
	for (i = 0; i < ARRAY_SIZE(cids); i++) {
		EXPECT_EQ(-EINVAL, pt_prepare(self->fd, cids[i], &pt_add, NULL));
		EXPECT_EQ(-EINVAL, pt_unprepare(self->fd, cids[i]));
		EXPECT_EQ(-EINVAL, pt_run(self->fd, cids[i], NULL, 0));
	}
	expect_unchanged(_metadata, self, &before);
}

PT_TEST_F(prepared, sixty_four_fit_and_the_next_is_enospc)
{
	int i;

	for (i = 0; i < PTO_MAX_CALLABLES; i++)
		ASSERT_EQ(i, pt_prepare(self->fd, -1, i % 2 ? &pt_mul : &pt_add, NULL));
	EXPECT_EQ(-ENOSPC, pt_prepare(self->fd, -1, &pt_add, NULL));
	EXPECT_EQ(-EEXIST, pt_prepare(self->fd, 63, &pt_add, NULL));
	for (i = 0; i < PTO_MAX_CALLABLES; i++)
		run_right(_metadata, self, i, i % 2 ? '*' : '+');
	EXPECT_EQ(PTO_MAX_CALLABLES, loads(_metadata, self));
	ASSERT_EQ(0, pt_unprepare(self->fd, 17));
	EXPECT_EQ(17, pt_prepare(self->fd, -1, &pt_add, NULL));
	run_right(_metadata, self, 17, '+');
}

PT_TEST_F(prepared, same_build_id_different_bytes_are_two_images)
{
	static const struct pt_callable one = {
		.orch = "orch_vec_same",
		.kernels = { { 0, PTO_CORE_AIV, "kernel_add_same" } },
	};
	static const struct pt_callable other = {
		.orch = "orch_vec_same_other",
		.kernels = { { 0, PTO_CORE_AIV, "kernel_add_same" } },
	};
	static const struct pt_callable kernel = {
		.orch = "orch_vec_same",
		.kernels = { { 0, PTO_CORE_AIV, "kernel_mul_same" } },
	};
	struct pto_ioc_image_create image;
	struct pto_device_usage usage;
	uint64_t images;
	int i;

	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	images = usage.images;
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &one, NULL));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &other, NULL));
	ASSERT_EQ(2, pt_prepare(self->fd, 2, &kernel, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	EXPECT_EQ(images + 4, usage.images);
	ASSERT_EQ(0, pt_image(self->fd, "kernel_mul_same", &image));
	EXPECT_EQ(1, image.shared);
	for (i = 0; i < 3; i++) {
		run_right(_metadata, self, 0, '+');
		run_right(_metadata, self, 1, '2');
		run_right(_metadata, self, 2, '*');
	}
}

PT_TEST_F(prepared, no_build_id_works_and_is_shared_by_content)
{
	static const struct pt_callable noid = {
		.orch = "orch_vec_noid",
		.kernels = { { 0, PTO_CORE_AIV, "kernel_add_noid" } },
	};
	struct pt_file file;
	struct pto_device_usage one, two;

	ASSERT_EQ(0, pt_file_read("orch_vec_noid", &file));
	ASSERT_EQ(0, file.build_id_len);
	pt_file_free(&file);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &noid, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &one));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &noid, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &two));
	EXPECT_EQ(one.images, two.images);
	run_right(_metadata, self, 0, '+');
	run_right(_metadata, self, 1, '+');
}

PT_TEST_F(prepared, one_func_id_two_kernels_interleaved)
{
	int i;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &pt_mul, NULL));
	for (i = 0; i < 6; i++)
		run_right(_metadata, self, i % 2, i % 2 ? '*' : '+');
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	run_right(_metadata, self, 1, '*');
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	run_right(_metadata, self, 0, '+');
	run_right(_metadata, self, 1, '*');
}

/* A second user of the device: finds the image there, runs it. Return: 0 or a line number. */
static int share(uint32_t arch)
{
	struct pto_ioc_image_create image;
	struct pt_vec vec;
	int fd = pt_open(arch);
	int line = 0;

	if (fd < 0)
		return __LINE__;
	if (pt_image(fd, "orch_vec", &image) || !image.shared)
		line = __LINE__;
	else if (pt_prepare(fd, 0, &pt_add, NULL) || pt_vec_new(fd, COUNT, &vec))
		line = __LINE__;
	if (!line) {
		pt_vec_fill(&vec, 3, 4);
		if (pt_run(fd, 0, &vec.args, vec.args_bytes) || pt_vec_wrong(&vec, '+', 3, 4))
			line = __LINE__;
		pt_vec_free(fd, &vec);
	}
	close(fd);
	return line;
}

/* On the simulator a device is its process's own: two contexts there. */
PT_TEST_F(prepared, two_processes_share_an_image)
{
	struct pto_device_usage before, after;
	int status = 0;
	pid_t child;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &before));
	if (pt_simulator()) {
		ASSERT_EQ(0, share(variant->arch));
	} else {
		child = fork();
		ASSERT_GE(child, 0);
		if (!child)
			_exit(share(variant->arch) & 0xff);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &before, &after));
	EXPECT_EQ(before.images, after.images);
	EXPECT_EQ(before.contexts_opened + 1, after.contexts_opened);
	run_right(_metadata, self, 0, '+');
}

PT_TEST_F(prepared, unprepare_in_flight_and_the_run_finishes)
{
	struct pt_callable gated = pt_add;
	struct pto_tensor tensors[4];
	struct pt_buf gate, args;
	uint64_t step = COUNT * sizeof(float), id;
	uint32_t bytes;
	int i;

	gated.orch = "orch_gate";
	ASSERT_EQ(0, pt_buf_new(self->fd, 8, &gate));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	tensors[0] = pt_tensor(gate.addr, PTO_DTYPE_UINT32, 4, 2);
	for (i = 0; i < 3; i++)
		tensors[1 + i] = pt_tensor(self->vec.data.addr + i * step, PTO_DTYPE_FLOAT32, 4,
					   COUNT);
	bytes = pt_args_write(args.map, 4, tensors, 0, NULL);
	pt_vec_fill(&self->vec, 5, 6);

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &gated, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, &args, bytes, &id));
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	EXPECT_EQ(-ENOENT, pt_run(self->fd, 0, &args, bytes));
	__atomic_store_n((uint32_t *)gate.map, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, pt_vec_wrong(&self->vec, '+', 5, 6));
	EXPECT_EQ(1, ((uint32_t *)gate.map)[1]);
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &gate);
}

/* The cid is free at once: another callable moves in while the first one still runs. */
PT_TEST_F(prepared, cid_is_reused_while_its_old_run_is_in_flight)
{
	static const struct pt_callable gated = { .orch = "orch_gate" };
	struct pto_tensor words;
	struct pt_buf gate, args;
	uint64_t first, second;
	uint32_t bytes;

	ASSERT_EQ(0, pt_buf_new(self->fd, 8, &gate));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	words = pt_tensor(gate.addr, PTO_DTYPE_UINT32, 4, 2);
	bytes = pt_args_write(args.map, 1, &words, 0, NULL);
	pt_vec_fill(&self->vec, 7, 8);

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &gated, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, &args, bytes, &first));
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	__atomic_store_n((uint32_t *)gate.map, 1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_mul, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, &self->vec.args,
			       self->vec.args_bytes, &second));
	EXPECT_EQ(0, pt_finish(self->fd, first));
	EXPECT_EQ(0, pt_finish(self->fd, second));
	EXPECT_EQ(0, pt_vec_wrong(&self->vec, '*', 7, 8));
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &gate);
}

PT_TEST_F(prepared, unknown_cid_is_enoent)
{
	EXPECT_EQ(-ENOENT, pt_run(self->fd, 0, NULL, 0));
	EXPECT_EQ(-ENOENT, pt_run(self->fd, 63, NULL, 0));
	EXPECT_EQ(0, pt_unprepare(self->fd, 63));
}

PT_TEST_F(prepared, generation_of_a_refilled_cid_is_over)
{
	struct pto_run_entry entry = { .cid = 9 };
	struct pto_ioc_unprepare unprepare = { .size = sizeof(unprepare), .cid = 9 };
	static const struct pt_callable empty = { .orch = "orch_empty" };
	struct pto_ioc_prepare first, second;
	uint64_t id;

	ASSERT_EQ(9, pt_prepare(self->fd, 9, &empty, &first));
	EXPECT_NE(0, first.generation);
	ASSERT_EQ(0, pt_unprepare(self->fd, 9));
	ASSERT_EQ(9, pt_prepare(self->fd, 9, &empty, &second));
	EXPECT_NE(first.generation, second.generation);
	entry.generation = first.generation;
	unprepare.generation = first.generation;
	EXPECT_EQ(-ENOENT, pt_submit_entry(self->fd, PTO_STREAM_DEFAULT, &entry, &id));
	EXPECT_EQ(-ENOENT, pt_ioctl(self->fd, PTO_UNPREPARE, &unprepare));
	entry.generation = second.generation;
	unprepare.generation = second.generation;
	EXPECT_EQ(0, pt_submit_entry(self->fd, PTO_STREAM_DEFAULT, &entry, &id));
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_UNPREPARE, &unprepare));
}

PT_TEST_F(prepared, each_cid_has_static_data_of_its_own)
{
	static const struct pt_callable count = { .orch = "orch_count" };
	struct pto_tensor out;
	struct pt_buf buf, args;
	uint32_t bytes;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4, &buf));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	out = pt_tensor(buf.addr, PTO_DTYPE_UINT32, 4, 1);
	bytes = pt_args_write(args.map, 1, &out, 0, NULL);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &count, NULL));
	ASSERT_EQ(1, pt_prepare(self->fd, 1, &count, NULL));
	EXPECT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	EXPECT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	EXPECT_EQ(2, *(uint32_t *)buf.map);
	EXPECT_EQ(0, pt_run(self->fd, 1, &args, bytes));
	EXPECT_EQ(1, *(uint32_t *)buf.map);
	EXPECT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	EXPECT_EQ(3, *(uint32_t *)buf.map);
	ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &count, NULL));
	EXPECT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	EXPECT_EQ(1, *(uint32_t *)buf.map);
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &buf);
}

PT_TEST_F(prepared, named_symbols_are_used)
{
	static const struct pt_callable named = {
		.orch = "orch_named",
		.entry = "named_entry",
		.config = "named_config",
	};
	struct pto_tensor out;
	struct pt_buf buf, args;
	uint32_t bytes;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4, &buf));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	out = pt_tensor(buf.addr, PTO_DTYPE_UINT32, 4, 1);
	bytes = pt_args_write(args.map, 1, &out, 0, NULL);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &named, NULL));
	EXPECT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	EXPECT_EQ(4711, *(uint32_t *)buf.map);
	EXPECT_EQ(-EINVAL, pt_run(self->fd, 0, NULL, 0));
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &buf);
}

PT_TEST_F(prepared, programs_see_the_architecture)
{
	static const struct pt_callable machine = { .orch = "orch_machine" };
	struct pto_device_info info;
	struct pto_tensor out;
	struct pt_buf buf, args;
	uint32_t bytes, *seen, clusters = variant->arch == PTO_ARCH_A2A3 ? 24 : 36;

	ASSERT_EQ(0, pt_info(self->fd, &info));
	EXPECT_EQ(clusters, info.cluster_count);
	EXPECT_EQ(clusters, info.aic_count);
	EXPECT_EQ(2 * clusters, info.aiv_count);
	EXPECT_EQ(variant->arch == PTO_ARCH_A2A3 ? 4 : 5, info.aicpu_threads);
	ASSERT_EQ(0, pt_buf_new(self->fd, 16, &buf));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &args));
	out = pt_tensor(buf.addr, PTO_DTYPE_UINT32, 4, 4);
	bytes = pt_args_write(args.map, 1, &out, 0, NULL);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &machine, NULL));
	ASSERT_EQ(0, pt_run(self->fd, 0, &args, bytes));
	seen = buf.map;
	EXPECT_EQ(variant->arch, seen[0]);
	EXPECT_EQ(clusters, seen[1]);
	EXPECT_EQ(clusters, seen[2]);
	EXPECT_EQ(2 * clusters, seen[3]);
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &buf);
}

TEST_HARNESS_MAIN
