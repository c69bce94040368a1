// SPDX-License-Identifier: GPL-2.0
/* Streams are made at open and by request, runs of one are in order, and bring-up is over. */
#include <errno.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 100
#define LOG_WORDS 4096

static const struct pt_callable empty = { .orch = "orch_empty" };
static const struct pt_callable order = { .orch = "orch_order" };

static const struct pt_callable add = {
	.orch = "orch_vec",
	.kernels = { { 0, PTO_CORE_AIV, "kernel_add" } },
};

FIXTURE(streams) {
	int fd;
	struct pto_device_info info;
	struct pto_context_stats base;
};

FIXTURE_SETUP(streams)
{
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &self->info));
	ASSERT_EQ(0, pt_stats(self->fd, &self->base));
}

FIXTURE_TEARDOWN(streams)
{
	if (self->fd >= 0)
		close(self->fd);
}

PT_TEST_F(streams, are_made_at_open)
{
	struct pto_device_usage before, usage;
	struct pto_context_stats stats;
	int other;

	EXPECT_EQ(2, self->base.streams_created);
	EXPECT_EQ(2, self->base.streams_live);
	ASSERT_EQ(0, pt_usage(self->fd, &before));
	PT_OPEN(other, 0);
	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	EXPECT_EQ(before.streams + 2, usage.streams);
	EXPECT_EQ(before.contexts + 1, usage.contexts);
	ASSERT_EQ(0, pt_stats(other, &stats));
	EXPECT_EQ(2, stats.streams_created);
	close(other);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &before, NULL));
}

PT_TEST_F(streams, are_never_made_per_prepare_or_run)
{
	struct pto_device_usage before, after;
	struct pto_context_stats stats;
	struct pt_vec vec;
	int i;

	ASSERT_EQ(0, pt_usage(self->fd, &before));
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pt_prepare(self->fd, 0, &add, NULL));
		pt_vec_fill(&vec, 1, 2);
		ASSERT_EQ(0, pt_run(self->fd, 0, &vec.args, vec.args_bytes));
		ASSERT_EQ(0, pt_run(self->fd, 0, &vec.args, vec.args_bytes));
		ASSERT_EQ(0, pt_vec_wrong(&vec, '+', 1, 2));
		ASSERT_EQ(0, pt_unprepare(self->fd, 0));
	}
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(self->base.streams_created, stats.streams_created);
	EXPECT_EQ(self->base.streams_live, stats.streams_live);
	ASSERT_EQ(0, pt_usage(self->fd, &after));
	EXPECT_EQ(before.streams, after.streams);
	EXPECT_EQ(before.contexts_opened, after.contexts_opened);
	pt_vec_free(self->fd, &vec);
}

/* The arena is built by the first prepare; the first run finds all there is to find. */
PT_TEST_F(streams, first_run_contains_no_bootstrap)
{
	struct pto_debug_stats debug_ready, debug;
	struct pto_context_stats ready, stats;
	struct pt_vec vec;
	int i;

	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &add, NULL));
	pt_vec_fill(&vec, 1, 2);
	ASSERT_EQ(0, pt_stats(self->fd, &ready));
	ASSERT_EQ(0, pt_debug_stats(self->fd, &debug_ready));
	EXPECT_EQ(1, ready.arena_misses);
	EXPECT_EQ(1, ready.aicpu_dlopen_count);
	EXPECT_EQ(1, ready.kernel_load_count);
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, pt_run(self->fd, 0, &vec.args, vec.args_bytes));
		ASSERT_EQ(0, pt_stats(self->fd, &stats));
		ASSERT_EQ(0, pt_debug_stats(self->fd, &debug));
		EXPECT_EQ(debug_ready.device_commands, debug.device_commands);
		EXPECT_EQ(ready.arena_misses, stats.arena_misses);
		EXPECT_EQ(ready.arena_builds, stats.arena_builds);
		EXPECT_EQ(ready.arena_rebinds, stats.arena_rebinds);
		EXPECT_EQ(ready.arena_hits + i, stats.arena_hits);
		EXPECT_EQ(ready.aicpu_dlopen_count, stats.aicpu_dlopen_count);
		EXPECT_EQ(ready.kernel_load_count, stats.kernel_load_count);
		EXPECT_EQ(ready.image_upload_bytes, stats.image_upload_bytes);
		EXPECT_EQ(ready.streams_created, stats.streams_created);
		EXPECT_EQ(ready.runs_completed + i, stats.runs_completed);
		EXPECT_EQ(ready.bo_bytes, stats.bo_bytes);
	}
	pt_vec_free(self->fd, &vec);
}

PT_TEST_F(streams, arena_image_is_shared_by_contexts)
{
	struct pto_device_usage one, two;
	struct pto_context_stats stats;
	int other;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &one));
	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_prepare(other, 0, &empty, NULL));
	ASSERT_EQ(0, pt_usage(self->fd, &two));
	EXPECT_EQ(one.arena_images, two.arena_images);
	EXPECT_EQ(one.arena_image_bytes, two.arena_image_bytes);
	ASSERT_EQ(0, pt_stats(other, &stats));
	EXPECT_EQ(1, stats.arena_misses);
	EXPECT_EQ(0, stats.arena_builds);
	EXPECT_EQ(1, stats.arena_rebinds);
	close(other);
}

/* Submit @count runs that write @first, @first + 1, ... to the log. */
static int submit_numbered(int fd, uint32_t stream, const struct pt_buf *args,
			   const struct pto_tensor *log, uint32_t first, uint32_t count,
			   uint64_t *last)
{
	struct pto_run_entry entry = { .cid = 0, .args_bo = args->id };
	uint32_t step = (PTO_RUN_ARGS_SIZE(1, 1) + 63) & ~63U, i;
	uint64_t number;
	int err;

	for (i = first; i < first + count; i++) {
		number = i;
		entry.args_offset = (uint64_t)i * step;
		entry.args_size = pt_args_write((char *)args->map + entry.args_offset, 1, log, 1,
						&number);
		err = pt_submit_entry(fd, stream, &entry, last);
		if (err)
			return err;
	}
	return 0;
}

PT_TEST_F(streams, runs_of_a_stream_are_in_order)
{
	struct pt_buf log_buf, args;
	struct pto_tensor log;
	uint32_t *words, i;
	uint64_t last;

	ASSERT_EQ(0, pt_buf_new(self->fd, LOG_WORDS * 4, &log_buf));
	ASSERT_EQ(0, pt_buf_new(self->fd, 64 * 1024, &args));
	log = pt_tensor(log_buf.addr, PTO_DTYPE_UINT32, 4, LOG_WORDS);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &order, NULL));
	ASSERT_EQ(0, submit_numbered(self->fd, PTO_STREAM_DEFAULT, &args, &log, 0, 60, &last));
	ASSERT_EQ(0, pt_finish(self->fd, last));
	words = log_buf.map;
	ASSERT_EQ(60, words[0]);
	for (i = 0; i < 60; i++)
		EXPECT_EQ(i, words[1 + i]);
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &log_buf);
}

PT_TEST_F(streams, several_streams_keep_their_own_order)
{
	uint32_t ids[3] = { PTO_STREAM_DEFAULT }, next[3] = { 0, 20, 40 }, *words, i;
	struct pt_buf log_buf, args;
	struct pto_tensor log;
	struct pto_context_stats stats;
	uint64_t last[3];

	ASSERT_EQ(0, pt_buf_new(self->fd, LOG_WORDS * 4, &log_buf));
	ASSERT_EQ(0, pt_buf_new(self->fd, 64 * 1024, &args));
	log = pt_tensor(log_buf.addr, PTO_DTYPE_UINT32, 4, LOG_WORDS);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &order, NULL));
	ASSERT_EQ(0, pt_stream_create(self->fd, &ids[1]));
	ASSERT_EQ(0, pt_stream_create(self->fd, &ids[2]));
	EXPECT_NE(ids[1], ids[2]);
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(self->base.streams_created + 2, stats.streams_created);
	EXPECT_EQ(self->base.streams_live + 2, stats.streams_live);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, submit_numbered(self->fd, ids[i], &args, &log, next[i], 20,
					     &last[i]));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pt_finish(self->fd, last[i]));
	words = log_buf.map;
	ASSERT_EQ(60, words[0]);
	for (i = 0; i < 60; i++) {
		ASSERT_LT(words[1 + i], 60);
		EXPECT_EQ(next[words[1 + i] / 20]++, words[1 + i]);
	}
	for (i = 1; i < 3; i++)
		EXPECT_EQ(0, pt_stream_destroy(self->fd, ids[i]));
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(self->base.streams_live, stats.streams_live);
	pt_buf_free(self->fd, &args);
	pt_buf_free(self->fd, &log_buf);
}

PT_TEST_F(streams, times_of_runs_do_not_overlap)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t ids[20], end = 0;
	int i;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &ids[i]));
	for (i = 0; i < 20; i++) {
		if (i)
			EXPECT_EQ(ids[i - 1] + 1, ids[i]);
		ASSERT_EQ(0, pt_wait(self->fd, ids[i], &wait));
		EXPECT_EQ(0, wait.status);
		EXPECT_LE(wait.submit_ns, wait.start_ns);
		EXPECT_LE(end, wait.start_ns);
		EXPECT_LE(wait.start_ns, wait.end_ns);
		end = wait.end_ns;
	}
}

PT_TEST_F(streams, contexts_execute_side_by_side)
{
	struct pt_gate gate;
	struct pt_vec vec;
	uint64_t id;
	int other;

	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &gate));
	ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_vec_new(other, COUNT, &vec));
	ASSERT_EQ(0, pt_prepare(other, 0, &add, NULL));
	pt_vec_fill(&vec, 1, 2);
	EXPECT_EQ(0, pt_run(other, 0, &vec.args, vec.args_bytes));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 1, 2));
	EXPECT_EQ(0, pt_gate_passed(&gate));
	close(other);
	pt_gate_set(&gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(1, pt_gate_passed(&gate));
}

PT_TEST_F(streams, a_full_stream_accepts_what_fits)
{
	struct pto_run_entry *entries;
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = self->info.stream_depth,
		.stride = sizeof(*entries),
	};
	struct pt_gate gate;
	uint64_t id, more;
	uint32_t i;
	int cid;

	entries = calloc(self->info.stream_depth, sizeof(*entries));
	ASSERT_NE(NULL, entries);
	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &gate));
	cid = pt_prepare(self->fd, -1, &empty, NULL);
	ASSERT_GE(cid, 0);
	for (i = 0; i < self->info.stream_depth; i++)
		entries[i].cid = cid;
	run.entries_ptr = (uintptr_t)entries;
	ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_RUN, &run));
	EXPECT_EQ(self->info.stream_depth - 1, run.accepted);
	EXPECT_EQ(id + 1, run.first_id);
	EXPECT_EQ(-EAGAIN, pt_submit(self->fd, PTO_STREAM_DEFAULT, cid, NULL, 0, &more));
	pt_gate_set(&gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, run.first_id + run.accepted - 1));
	EXPECT_EQ(0, pt_run(self->fd, cid, NULL, 0));
	free(entries);
}

PT_TEST_F(streams, the_last_results_are_kept_and_no_more)
{
	uint32_t depth = self->info.stream_depth, i;
	uint64_t first, last = 0;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &first));
	ASSERT_EQ(0, pt_finish(self->fd, first));
	for (i = 1; i < depth; i++) {
		ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &last));
		ASSERT_EQ(0, pt_finish(self->fd, last));
	}
	EXPECT_EQ(0, pt_finish(self->fd, first));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &last));
	ASSERT_EQ(0, pt_finish(self->fd, last));
	EXPECT_EQ(-ESTALE, pt_finish(self->fd, first));
	EXPECT_EQ(0, pt_finish(self->fd, first + 1));
	EXPECT_EQ(-ENOENT, pt_finish(self->fd, last + 1));
}

PT_TEST_F(streams, results_go_with_their_stream)
{
	uint32_t stream, next;
	uint64_t id;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	ASSERT_EQ(0, pt_stream_create(self->fd, &stream));
	ASSERT_EQ(0, pt_submit(self->fd, stream, 0, NULL, 0, &id));
	ASSERT_EQ(0, pt_stream_wait(self->fd, stream, pt_deadline()));
	ASSERT_EQ(0, pt_stream_destroy(self->fd, stream));
	EXPECT_EQ(-ENOENT, pt_wait(self->fd, id, NULL));
	ASSERT_EQ(0, pt_stream_create(self->fd, &next));
	EXPECT_NE(stream, next);
	EXPECT_EQ(-ENOENT, pt_wait(self->fd, id, NULL));
}

PT_TEST_F(streams, thousand_runs_all_end)
{
	struct pto_context_stats stats;
	uint64_t id = 0, first = 0;
	int i, err;

	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	for (i = 0; i < 1000; i++) {
		err = pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &id);
		if (err == -EAGAIN) {
			ASSERT_EQ(0, pt_stream_wait(self->fd, PTO_STREAM_DEFAULT, pt_deadline()));
			err = pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &id);
		}
		ASSERT_EQ(0, err);
		if (!i)
			first = id;
	}
	EXPECT_EQ(first + 999, id);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(1000, stats.runs_submitted);
	EXPECT_EQ(1000, stats.runs_completed);
	EXPECT_EQ(0, stats.runs_failed);
}

TEST_HARNESS_MAIN
