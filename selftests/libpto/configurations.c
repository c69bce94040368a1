// SPDX-License-Identifier: GPL-2.0
/*
 * Ring configurations against an oracle: what the driver is asked to make an arena of, for
 * random sizes of runs over random sizes of the environment; and that it is asked again only for
 * arenas that it does not keep any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pto/pto.h>

#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define ROUNDS	60
#define RUNS	20
#define SIZES	(3 * PTO_RING_DEPTHS)
#define SEVERAL	20	/* configurations */

FIXTURE(configurations) {
	struct pto_context *ctx;
	struct pto_ring_config env;
	int cid;
	unsigned int first;
};

static struct pto_ioc_prewarm asked;	/* latest PTO_PREWARM */
static uint32_t used;			/* arena of the latest run */
static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

static int look(unsigned long nr, void *arg)
{
	if (nr == PTO_PREWARM)
		asked = *(struct pto_ioc_prewarm *)arg;
	return 0;
}

static void note_arena(const struct pto_run_entry *entry)
{
	used = entry->arena;
}

/* All sizes in a row: windows, heaps, pools. */
static uint64_t *sizes(struct pto_ring_config *rings)
{
	return rings->task_window;
}

static uint64_t random_size(int i)
{
	switch (i / PTO_RING_DEPTHS) {
	case 0:
		return 4ull << below(20);
	case 1:
		return 1024 + below(1 << 20);
	default:
		return 4 + below(1 << 20);
	}
}

/* One variable: unset, one size for all depths, or one each; with a unit if it is a round one. */
static void random_variable(const char *name, struct pto_ring_config *env, int first)
{
	static const char *const units[] = { "", "K", "M", "G" };
	uint64_t *size = sizes(env) + first;
	uint32_t unit = below(3), count = below(3), i;
	char text[100] = "";
	size_t at = 0;

	memset(size, 0, PTO_RING_DEPTHS * sizeof(*size));
	unsetenv(name);
	if (!count)
		return;
	for (i = 0; i < (count == 1 ? 1 : PTO_RING_DEPTHS); i++) {
		bool heap = first == PTO_RING_DEPTHS && !unit;
		uint64_t number = heap ? 1024 + below(1000) : 4ull << below(4);

		size[i] = number << 10 * unit;
		at += snprintf(text + at, sizeof(text) - at, "%s%llu%s", i ? "," : "",
			       (unsigned long long)number, units[unit]);
	}
	for (; i < PTO_RING_DEPTHS; i++)
		size[i] = size[0];
	setenv(name, text, 1);
}

static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(configurations) *self)
{
	struct pto_callable *callable;

	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx)) {
		TH_LOG("%s", pto_open_error());
	}
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	self->cid = pto_register(self->ctx, callable);
	pto_callable_free(callable);
	ASSERT_LE(0, self->cid);
}

FIXTURE_SETUP(configurations)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	unsetenv("PTO_RING_TASK_WINDOW");
	unsetenv("PTO_RING_HEAP");
	unsetenv("PTO_RING_DEP_POOL");
	unsetenv("PTO_PREWARM");
	rehearsal_begin();
	rehearsal.refuse = look;
	rehearsal.on_run = note_arena;
}

FIXTURE_TEARDOWN(configurations)
{
	pto_close(self->ctx);
}

static int run(FIXTURE_DATA(configurations) *self, const struct pto_ring_config *rings)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	options.rings = rings;
	memset(&asked, 0, sizeof(asked));
	return pto_run(self->ctx, self->cid, NULL, &options, NULL);
}

static bool asked_for(struct pto_ring_config *want)
{
	return !memcmp(asked.task_window, want->task_window, sizeof(want->task_window)) &&
	       !memcmp(asked.heap, want->heap, sizeof(want->heap)) &&
	       !memcmp(asked.dep_pool, want->dep_pool, sizeof(want->dep_pool));
}

/* A run with random sizes, and what has to become of it. */
static int random_run(FIXTURE_DATA(configurations) *self)
{
	struct pto_ring_config rings = { 0 }, want = self->env;
	unsigned int before = rehearsal_calls(PTO_PREWARM);
	bool any = false, alone = below(4);
	int i, rc;

	for (i = 0; i < SIZES; i++) {
		if (alone && !below(3))
			sizes(&rings)[i] = random_size(i);
		if (sizes(&rings)[i])
			sizes(&want)[i] = sizes(&rings)[i];
		any |= sizes(&want)[i];
	}
	rc = run(self, alone ? &rings : NULL);
	if (rc)
		return rc;
	if (!any)
		return !used && rehearsal_calls(PTO_PREWARM) == before ? 0 : -EBADMSG;
	if (!used || (rehearsal_calls(PTO_PREWARM) > before && !asked_for(&want)))
		return -EBADMSG;
	/* Once more: it is known. */
	before = rehearsal_calls(PTO_PREWARM);
	rc = run(self, alone ? &rings : NULL);
	return rc ? rc : rehearsal_calls(PTO_PREWARM) == before ? 0 : -EBADMSG;
}

TEST_F(configurations, random_sizes)
{
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		random_variable("PTO_RING_TASK_WINDOW", &self->env, 0);
		random_variable("PTO_RING_HEAP", &self->env, PTO_RING_DEPTHS);
		random_variable("PTO_RING_DEP_POOL", &self->env, 2 * PTO_RING_DEPTHS);
		begin(_metadata, self);
		for (i = 0; i < RUNS; i++) {
			ASSERT_EQ(0, random_run(self)) {
				TH_LOG("seed %u, round %d, run %d: %s", self->first, round, i,
				       pto_context_error(self->ctx));
			}
		}
		pto_close(self->ctx);
		self->ctx = NULL;
	}
}

/* A size of one kind of one depth is enough to make a difference. */
TEST_F(configurations, each_size_makes_a_difference)
{
	struct pto_ring_config rings, other;
	uint32_t arena, arena_of_other;
	int i;

	begin(_metadata, self);
	for (i = 0; i < SIZES; i++) {
		memset(&rings, 0, sizeof(rings));
		memset(&other, 0, sizeof(other));
		sizes(&rings)[i] = 4096;
		sizes(&other)[i] = 8192;
		EXPECT_EQ(0, run(self, &rings));
		EXPECT_TRUE(asked_for(&rings));
		arena = used;
		EXPECT_NE(0, arena);
		EXPECT_EQ(0, run(self, &other));
		EXPECT_TRUE(asked_for(&other));
		arena_of_other = used;
		EXPECT_NE(arena, arena_of_other) {
			TH_LOG("size %d", i);
		}
		EXPECT_EQ(0, run(self, &rings));
		EXPECT_EQ(arena, used);
		EXPECT_EQ(0, run(self, &other));
		EXPECT_EQ(arena_of_other, used);
	}
	EXPECT_EQ(2 * SIZES, rehearsal_calls(PTO_PREWARM));
}

/* Four alternate without being asked for again; a fifth takes the place of one. */
TEST_F(configurations, as_many_as_the_driver_keeps)
{
	struct pto_ring_config rings[6] = { 0 };
	unsigned int before;
	int i, j;

	begin(_metadata, self);
	for (i = 0; i < 6; i++)
		rings[i].heap[3] = 1024 * (i + 1);
	for (j = 0; j < 10; j++)
		for (i = 0; i < 4; i++)
			ASSERT_EQ(0, run(self, &rings[i]));
	EXPECT_EQ(4, rehearsal_calls(PTO_PREWARM));
	/* Whatever has been dropped meanwhile is made again. */
	for (j = 0; j < 50; j++)
		ASSERT_EQ(0, run(self, &rings[below(6)]));
	for (i = 2; i < 6; i++)
		ASSERT_EQ(0, run(self, &rings[i]));
	before = rehearsal_calls(PTO_PREWARM);
	for (i = 2; i < 6; i++)
		ASSERT_EQ(0, run(self, &rings[i]));
	EXPECT_EQ(before, rehearsal_calls(PTO_PREWARM)) {
		TH_LOG("seed %u", self->first);
	}
}

/*
 * Use a configuration: in most cases with a run, else by asking for its arena. Return: 0, or
 * -EBADMSG if the driver has been asked although the run needed no new arena.
 */
static int use(FIXTURE_DATA(configurations) *self, const struct pto_ring_config *rings)
{
	unsigned int calls = rehearsal_calls(PTO_PREWARM), made = rehearsal.arenas;
	int rc;

	if (!below(8))
		return pto_prewarm(self->ctx, rings);
	rc = run(self, rings);
	if (rc)
		return rc;
	return rehearsal_calls(PTO_PREWARM) - calls == rehearsal.arenas - made ? 0 : -EBADMSG;
}

/* In any order of any number of configurations: more than kept, and than the library remembers */
TEST_F(configurations, asked_only_for_what_is_not_kept)
{
	struct pto_ring_config rings[SEVERAL] = { 0 };
	unsigned int count, i;

	begin(_metadata, self);
	for (i = 0; i < SEVERAL; i++)
		rings[i].heap[3] = 1024 * (i + 1);
	for (count = 1; count <= SEVERAL; count++) {
		for (i = 0; i < 200; i++) {
			/* The last ones are rarer than the first ones. */
			ASSERT_EQ(0, use(self, &rings[below(below(count) + 1)])) {
				TH_LOG("seed %u, %u configurations, %u", self->first, count, i);
			}
		}
	}
}

static unsigned int evictions;	/* before the next runs */

static int evict(unsigned long nr, void *arg)
{
	if (nr == PTO_RUN && evictions) {
		evictions--;
		rehearsal_evict();
	}
	return 0;
}

/* Other threads may use so many that an arena has been evicted before its run comes. */
TEST_F(configurations, evicted_before_the_run)
{
	struct pto_ring_config rings = { .heap = { 4096, 4096, 4096, 4096 } };

	begin(_metadata, self);
	rehearsal.refuse = evict;
	evictions = 5;
	EXPECT_EQ(0, run(self, &rings));
	EXPECT_EQ(0, evictions);
	EXPECT_EQ(6, rehearsal_calls(PTO_PREWARM));
	/* It is not the arena that this one lacks. */
	self->cid++;
	EXPECT_EQ(-ENOENT, run(self, &rings));
	EXPECT_EQ(7, rehearsal_calls(PTO_PREWARM));
}

TEST_F(configurations, prewarmed_by_the_environment)
{
	struct pto_ring_config rings[3] = { 0 };
	int i, depth;

	setenv("PTO_PREWARM", "64:4M:256;128:1K,2K,3K,4K;::8", 1);
	begin(_metadata, self);
	for (depth = 0; depth < PTO_RING_DEPTHS; depth++) {
		rings[0].task_window[depth] = 64;
		rings[0].heap[depth] = 4 << 20;
		rings[0].dep_pool[depth] = 256;
		rings[1].task_window[depth] = 128;
		rings[1].heap[depth] = 1024 * (depth + 1);
		rings[2].dep_pool[depth] = 8;
	}
	EXPECT_EQ(3, rehearsal_calls(PTO_PREWARM));
	EXPECT_TRUE(asked_for(&rings[2]));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, run(self, &rings[i]));
		EXPECT_EQ(i + 1, used);
	}
	EXPECT_EQ(3, rehearsal_calls(PTO_PREWARM));
	unsetenv("PTO_PREWARM");
}

/* As many as are kept, and not one more. */
TEST_F(configurations, prewarming_more_than_are_kept)
{
	struct pto_context *ctx;

	setenv("PTO_PREWARM", "4;8;16;32", 1);
	begin(_metadata, self);
	EXPECT_EQ(4, rehearsal_calls(PTO_PREWARM));
	setenv("PTO_PREWARM", "4;8;16;32;64", 1);
	EXPECT_EQ(-EINVAL, pto_open(REHEARSED_DEVICE, &ctx));
	unsetenv("PTO_PREWARM");
}

/* Nothing is written behind what there is room for, before they are counted. */
TEST_F(configurations, far_too_many_sizes)
{
	static const char *const names[] = {
		"PTO_RING_TASK_WINDOW", "PTO_RING_HEAP", "PTO_RING_DEP_POOL", "PTO_PREWARM",
	};
	static char text[5 * 4000];
	struct pto_context *ctx;
	size_t i;

	begin(_metadata, self);
	for (i = 0; i + 6 < sizeof(text); i += 5)
		memcpy(text + i, "4096,", 5);
	text[i - 1] = '\0';
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		setenv(names[i], text, 1);
		fence_begin();
		EXPECT_EQ(-EINVAL, pto_open(REHEARSED_DEVICE, &ctx));
		fence_end();
		unsetenv(names[i]);
	}
}

TEST_HARNESS_MAIN
