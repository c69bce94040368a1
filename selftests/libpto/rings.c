// SPDX-License-Identifier: GPL-2.0
/*
 * Ring sizes, of a run, of the environment and by default: their limits, what is said about one
 * beyond them and when, and what the arenas that are made of them cost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <pto/pto.h>

#include "pttest.h"

#define KEPT 4	/* arenas that a context keeps */

FIXTURE(rings) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
};

static int prepare(struct pto_context *ctx)
{
	struct pto_callable *callable;
	int err;

	err = pto_callable_load(pt_object("orch_empty"), &callable);
	if (err)
		return err;
	err = pto_prepare(ctx, 0, callable);
	pto_callable_free(callable);
	return err;
}

FIXTURE_SETUP(rings)
{
	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, prepare(self->ctx));
}

FIXTURE_TEARDOWN(rings)
{
	pto_close(self->ctx);
	if (self->fd >= 0)
		close(self->fd);
}

static struct pto_ring_config rings_of(uint64_t window, uint64_t heap, uint64_t pool)
{
	struct pto_ring_config rings;
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		rings.task_window[i] = window;
		rings.heap[i] = heap;
		rings.dep_pool[i] = pool;
	}
	return rings;
}

static int run(struct pto_context *ctx, const struct pto_ring_config *rings)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.rings = rings;
	return pto_run(ctx, 0, NULL, &options, NULL);
}

/* --- limits --------------------------------------------------------------------- */

struct row {
	struct pto_ring_config rings;
	int want;
	const char *text;	/* of the error */
};

#define BIG (1ULL << 63)

static const struct row rows[] = {
	{ { .task_window = { 4, 4, 4, 4 }, .heap = { 1024, 1024, 1024, 1024 },
	    .dep_pool = { 4, 4, 4, 4 } }, 0, NULL },
	{ { .task_window = { 0, 2 } }, -EINVAL, "task_window[1] is 2: task windows are powers of" },
	{ { .task_window = { 1 } }, -EINVAL, "task_window[0] is 1: " },
	{ { .task_window = { 0, 0, 5 } }, -EINVAL, "task_window[2] is 5: " },
	{ { .task_window = { 0, 0, 0, 1ULL << 31 } }, -EINVAL, "task_window[3] is 2147483648: " },
	{ { .task_window = { BIG } }, -EINVAL, "task_window[0] is 9223372036854775808: " },
	{ { .task_window = { 4100 } }, -EINVAL, "in [4, 2^31)" },
	{ { .heap = { 1023 } }, -EINVAL, "heap[0] is 1023: heaps are at least 1024 bytes" },
	{ { .heap = { 0, 0, 0, 1 } }, -EINVAL, "heap[3] is 1: " },
	{ { .heap = { BIG, BIG } }, -EOVERFLOW, "the heaps together are 2^64 bytes or more" },
	{ { .heap = { UINT64_MAX } }, -EOVERFLOW, "heap: the heaps together" },
	{ { .heap = { BIG, BIG - 4096, 1024, 1024 } }, -ENOMEM, "no room for an arena" },
	{ { .heap = { 1ULL << 50 } }, -ENOMEM, "bytes of memory are in use" },
	{ { .dep_pool = { 3 } }, -EINVAL, "dep_pool[0] is 3: dependency pools are in [4, 2^31)" },
	{ { .dep_pool = { 0, 1ULL << 31 } }, -EINVAL, "dep_pool[1] is 2147483648: " },
};

PT_TEST_F(rings, limits_of_a_run)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].want, run(self->ctx, &rows[i].rings)) {
			TH_LOG("row %zu: %s", i, pto_context_error(self->ctx));
		}
		EXPECT_EQ(rows[i].want, pto_prewarm(self->ctx, &rows[i].rings));
		if (rows[i].text)
			EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), rows[i].text)) {
				TH_LOG("row %zu: %s", i, pto_context_error(self->ctx));
			}
	}
	EXPECT_EQ(0, run(self->ctx, NULL));
}

struct env_row {
	const char *name;
	const char *value;
	int want;
	const char *text;
};

static const struct env_row env_rows[] = {
	{ "PTO_RING_HEAP", "x", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "4K,", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "4K,4K", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "4K,4K,4K,4K,4K", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "-4096", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "4096 ", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "4T", -EINVAL, "neither a size nor" },
	{ "PTO_RING_HEAP", "99999999999G", -EOVERFLOW, "less than 2^64" },
	{ "PTO_RING_HEAP", "18446744073709551616", -EOVERFLOW, "less than 2^64" },
	{ "PTO_RING_HEAP", "4611686018427387904", -EOVERFLOW, "the heaps together" },
	{ "PTO_RING_HEAP", "1023", -EINVAL, "1023 for depth 0: heaps are at least 1024 bytes" },
	{ "PTO_RING_HEAP", "64K,8K,8K,512", -EINVAL, "512 for depth 3: " },
	{ "PTO_RING_TASK_WINDOW", "12", -EINVAL, "12 for depth 0: task windows are powers of two" },
	{ "PTO_RING_TASK_WINDOW", "2", -EINVAL, "2 for depth 0: " },
	{ "PTO_RING_TASK_WINDOW", "16,16,3,16", -EINVAL, "3 for depth 2: " },
	{ "PTO_RING_TASK_WINDOW", "2G", -EINVAL, "2147483648 for depth 0: " },
	{ "PTO_RING_DEP_POOL", "3", -EINVAL, "3 for depth 0: dependency pools are in [4, 2^31)" },
	{ "PTO_RING_DEP_POOL", "2G", -EINVAL, "2147483648 for depth 0: " },
	{ "PTO_RING_DEP_POOL", "", 0, NULL },
	{ "PTO_RING_DEP_POOL", "0", 0, NULL },
	{ "PTO_RING_DEP_POOL", "4,5,6,2147483647", 0, NULL },
	{ "PTO_RING_TASK_WINDOW", "4,8,1G,0", 0, NULL },
};

/* When a context is opened, not when it is first used; and it says which variable it is. */
PT_TEST_F(rings, limits_of_the_environment)
{
	struct pto_context *ctx;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(env_rows); i++) {
		const struct env_row *row = &env_rows[i];

		setenv(row->name, row->value, 1);
		err = pto_open(self->path, &ctx);
		EXPECT_EQ(row->want, err) {
			TH_LOG("%s=%s", row->name, row->value);
		}
		if (row->text)
			EXPECT_TRUE(strstr(pto_open_error(), row->name) &&
				    strstr(pto_open_error(), row->value) &&
				    strstr(pto_open_error(), row->text)) {
				TH_LOG("%s=%s: %s", row->name, row->value, pto_open_error());
			}
		if (!err)
			pto_close(ctx);
		unsetenv(row->name);
	}
}

/* A run's own sizes, depth by depth, over the environment's, over the defaults. */
PT_TEST_F(rings, what_overrides_what)
{
	struct pto_ring_config rings = rings_of(0, 0, 0);
	struct pto_context_stats stats;
	struct pto_context *ctx;

	setenv("PTO_RING_HEAP", "64K,8K,8K,8K", 1);
	setenv("PTO_RING_TASK_WINDOW", "64", 1);
	ASSERT_EQ(0, pto_open(self->path, &ctx));
	unsetenv("PTO_RING_HEAP");
	unsetenv("PTO_RING_TASK_WINDOW");
	EXPECT_EQ(0, prepare(ctx));
	EXPECT_EQ(0, run(ctx, NULL));
	/* What is there in so many words, too. */
	rings.heap[0] = 64 << 10;
	rings.task_window[3] = 64;
	rings.dep_pool[1] = 0;
	EXPECT_EQ(0, run(ctx, &rings));
	ASSERT_EQ(0, pto_query_stats(ctx, &stats));
	EXPECT_EQ(1, stats.arena_misses);
	EXPECT_EQ(2, stats.arena_hits);
	rings.heap[2] = 4096;
	EXPECT_EQ(0, run(ctx, &rings));
	ASSERT_EQ(0, pto_query_stats(ctx, &stats));
	EXPECT_EQ(2, stats.arena_misses);
	EXPECT_EQ(3, stats.arena_hits);
	pto_close(ctx);
}

PT_TEST_F(rings, prewarm_from_the_environment)
{
	static const char * const bad[] = {
		"x", "8:4K:8:8", "64,64", "3", "8:1023", "8;8;8;8;8", "64 ", "8:99999999999G",
	};
	struct pto_ring_config rings = rings_of(64, 64 << 10, 64);
	struct pto_debug_stats debug_before, debug_after;
	struct pto_context_stats before, after;
	struct pto_context *ctx;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("PTO_PREWARM", bad[i], 1);
		EXPECT_EQ(-EINVAL, pto_open(self->path, &ctx)) {
			TH_LOG("%s", bad[i]);
		}
		EXPECT_TRUE(!!strstr(pto_open_error(), "PTO_PREWARM"));
	}
	/* What is wrong about a size is said here, too. */
	setenv("PTO_PREWARM", "64;8:1023", 1);
	EXPECT_EQ(-EINVAL, pto_open(self->path, &ctx));
	EXPECT_TRUE(!!strstr(pto_open_error(), "configuration 2: "));
	EXPECT_TRUE(!!strstr(pto_open_error(), "heap[0] is 1023: heaps are at least 1024 bytes"));
	setenv("PTO_PREWARM", "64:64K:64;128:64K,32K,32K,32K:", 1);
	ASSERT_EQ(0, pto_open(self->path, &ctx));
	unsetenv("PTO_PREWARM");
	ASSERT_EQ(0, pto_query_stats(ctx, &before));
	EXPECT_EQ(2, before.arena_misses);
	EXPECT_EQ(2, before.arena_builds + before.arena_rebinds);
	EXPECT_EQ(0, prepare(ctx));
	ASSERT_EQ(0, pto_query_stats(ctx, &before));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(ctx), &debug_before));
	EXPECT_EQ(0, run(ctx, &rings));
	ASSERT_EQ(0, pto_query_stats(ctx, &after));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(ctx), &debug_after));
	EXPECT_EQ(before.arena_misses, after.arena_misses);
	EXPECT_EQ(before.arena_hits + 1, after.arena_hits);
	EXPECT_EQ(debug_before.device_commands, debug_after.device_commands);
	pto_close(ctx);
}

/* --- what arenas cost ----------------------------------------------------------- */

/* Runs in @count configurations by turns. */
static int turns(struct pto_context *ctx, int count, int rounds)
{
	struct pto_ring_config rings;
	int i, err = 0;

	for (i = 0; i < count * rounds && !err; i++) {
		rings = rings_of(64, (64 + i % count) << 10, 64);
		err = run(ctx, &rings);
	}
	return err;
}

/* Arenas that made room are told to the device in the background. */
static int commands_settle(struct pto_context *ctx, uint64_t commands)
{
	uint64_t deadline = pt_deadline();
	struct pto_debug_stats stats;
	int err;

	do {
		pt_pause();
		err = pt_debug_stats(pto_context_fd(ctx), &stats);
	} while (!err && stats.device_commands < commands && pt_now() < deadline);
	return err;
}

/* As many as the context keeps: every run finds its own as it is. */
PT_TEST_F(rings, as_many_as_are_kept)
{
	struct pto_debug_stats debug_before, debug_after;
	struct pto_context_stats before, after;
	uint64_t builds;

	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_before));
	ASSERT_EQ(0, turns(self->ctx, KEPT, 1));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	builds = after.arena_builds - before.arena_builds;
	/*
	 * Two for each arena, for the default one that made room, and for each image: its size, and
	 * the image. An earlier context may have left some images.
	 */
	ASSERT_EQ(0, commands_settle(self->ctx, debug_before.device_commands +
				     2 * (KEPT + 1 + builds)));
	before = after;
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_before));
	EXPECT_EQ(0, turns(self->ctx, KEPT, 5));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_after));
	EXPECT_EQ(before.arena_hits + 5 * KEPT, after.arena_hits);
	EXPECT_EQ(before.arena_misses, after.arena_misses);
	EXPECT_EQ(before.arena_builds, after.arena_builds);
	EXPECT_EQ(before.arena_rebinds, after.arena_rebinds);
	EXPECT_EQ(debug_before.device_commands, debug_after.device_commands);
}

/* One more: each is bound again, with commands that are counted, and none is built again. */
PT_TEST_F(rings, one_more_than_is_kept)
{
	struct pto_debug_stats debug_before, debug_after;
	struct pto_context_stats before, after;
	const int runs = 5 * (KEPT + 1);

	ASSERT_EQ(0, turns(self->ctx, KEPT + 1, 1));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &before));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_before));
	EXPECT_EQ(0, turns(self->ctx, KEPT + 1, 5));
	ASSERT_EQ(0, commands_settle(self->ctx, debug_before.device_commands + 4 * runs));
	ASSERT_EQ(0, pto_query_stats(self->ctx, &after));
	ASSERT_EQ(0, pt_debug_stats(pto_context_fd(self->ctx), &debug_after));
	EXPECT_EQ(before.arena_hits + runs, after.arena_hits);
	EXPECT_EQ(before.arena_misses + runs, after.arena_misses);
	EXPECT_EQ(before.arena_builds, after.arena_builds);
	EXPECT_EQ(before.arena_rebinds + runs, after.arena_rebinds);
	/* Two arenas may have been on their way out at the begin. */
	EXPECT_LE(debug_before.device_commands + 4 * runs, debug_after.device_commands);
	EXPECT_GE(debug_before.device_commands + 4 * runs + 4, debug_after.device_commands);
	EXPECT_EQ(before.image_upload_bytes, after.image_upload_bytes);
}

/* More than the library remembers ids of, and than the device keeps images of. */
PT_TEST_F(rings, very_many)
{
	struct pto_device_usage usage;

	EXPECT_EQ(0, turns(self->ctx, 30, 2)) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	ASSERT_EQ(0, pto_query_usage(self->ctx, &usage));
	EXPECT_GE(usage.arena_images, 16 + KEPT);
}

struct worker {
	const char *path;
	struct pto_context *ctx;
	int err;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	worker->err = prepare(worker->ctx);
	if (!worker->err)
		worker->err = turns(worker->ctx, KEPT + 2, 20);
	return NULL;
}

/* Contexts that want the same images at the same time, and let go of them all the while. */
PT_TEST_F(rings, images_are_built_once_for_all)
{
	struct pto_context_stats stats, all = { 0 };
	struct worker workers[3] = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(workers); i++)
		ASSERT_EQ(0, pto_open(self->path, &workers[i].ctx));
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(0, workers[i].err);
		ASSERT_EQ(0, pto_query_stats(workers[i].ctx, &stats));
		EXPECT_EQ(stats.arena_misses, stats.arena_builds + stats.arena_rebinds);
		all.arena_builds += stats.arena_builds;
		all.arena_misses += stats.arena_misses;
		pto_close(workers[i].ctx);
	}
	/* The default's is the fixture's. */
	EXPECT_LE(all.arena_builds, KEPT + 2);
	EXPECT_GE(all.arena_misses, ARRAY_SIZE(workers) * (KEPT + 2) * 20);
}

TEST_HARNESS_MAIN
