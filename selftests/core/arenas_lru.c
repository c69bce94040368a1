// SPDX-License-Identifier: GPL-2.0
/*
 * Which arena makes room, against an oracle of what uapi/linux/pto.h says: a context has
 * four; for a configuration that none of them has the one goes that was used longest ago, one
 * that no run in flight uses if there is one. Random configurations, that differ in one field of
 * one depth, are named and run, on two streams whose runs end when the test lets them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define PLACES		4
#define KEYS		10	/* configurations; 0 is the default one */
#define STREAMS		2
#define STEPS		1500
#define SEEDS		40
#define IDS		(STEPS + PLACES)

/* An arena as the oracle sees it; @id is 0 where there is none. */
struct place {
	uint32_t id;
	int key;
	unsigned int used;
};

/* A stream: the arenas of its runs in flight, the oldest first. */
struct stream {
	uint32_t id;
	uint32_t queue;
	uint32_t arenas[RIG_DEPTH];
	unsigned int flying;
};

FIXTURE(lru) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct place places[PLACES];
	struct stream streams[STREAMS];
	unsigned int clock;
	uint32_t over[IDS];	/* ids that have been given up */
	unsigned int over_count;
	uint32_t last_id;
	uint64_t misses;
};

static unsigned int seed;

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(lru) *self)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_context_stats stats;
	struct pto_ioc_bo_create bo;

	memset(self, 0, sizeof(*self));
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	self->streams[0].id = PTO_STREAM_DEFAULT;
	self->streams[0].queue = rig_last_bound(self->rig);
	ASSERT_EQ(0, rig_ready(self->ctx, &bo));
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_STREAM_CREATE, &create));
	self->streams[1].id = create.id;
	self->streams[1].queue = rig_last_bound(self->rig);
	self->rig->held = 1u << self->streams[0].queue | 1u << self->streams[1].queue;
	/* The first prepare has made the default one. */
	self->places[0] = (struct place){ .id = 1 };
	self->last_id = 1;
	ASSERT_EQ(0, rig_stats(self->ctx, &stats));
	self->misses = stats.arena_misses;
}

static void end(FIXTURE_DATA(lru) *self)
{
	int i;

	self->rig->held = 0;
	for (i = 0; i < STREAMS; i++)
		rig_release(self->rig, self->streams[i].queue, RIG_DEPTH);
	rig_close(self->ctx);
	rig_free(self->rig);
}

FIXTURE_SETUP(lru)
{
}

FIXTURE_TEARDOWN(lru)
{
}

/* --- the oracle ------------------------------------------------------------------- */

static struct place *place_of_key(FIXTURE_DATA(lru) *self, int key)
{
	int i;

	for (i = 0; i < PLACES; i++) {
		if (self->places[i].id && self->places[i].key == key)
			return &self->places[i];
	}
	return NULL;
}

static bool in_flight(const FIXTURE_DATA(lru) *self, uint32_t id)
{
	unsigned int i, k;

	for (i = 0; i < STREAMS; i++)
		for (k = 0; k < self->streams[i].flying; k++)
			if (self->streams[i].arenas[k] == id)
				return true;
	return false;
}

static struct place *victim(FIXTURE_DATA(lru) *self)
{
	struct place *best = NULL;
	bool best_flies = true;
	int i;

	for (i = 0; i < PLACES; i++) {
		struct place *p = &self->places[i];
		bool flies = in_flight(self, p->id);

		if (!p->id)
			return p;
		if (!best || flies < best_flies || (flies == best_flies && p->used < best->used)) {
			best = p;
			best_flies = flies;
		}
	}
	return best;
}

/* A configuration that no arena has: one makes room. */
static struct place *miss(FIXTURE_DATA(lru) *self, int key)
{
	struct place *p = victim(self);

	if (p->id)
		self->over[self->over_count++] = p->id;
	*p = (struct place){ .id = ++self->last_id, .key = key };
	self->misses++;
	return p;
}

/* --- steps ------------------------------------------------------------------------ */

/* Each configuration differs from the default one in one number. */
static void configure(int key, struct pto_ioc_prewarm *arg)
{
	int depth = key % PTO_RING_DEPTHS;

	if (!key)
		return;
	if (key % 3 == 0)
		arg->heap[depth] = 1024 + key;
	else if (key % 3 == 1)
		arg->task_window[depth] = 1 << (2 + key);
	else
		arg->dep_pool[depth] = 4 + key;
}

static void name(struct __test_metadata *_metadata, FIXTURE_DATA(lru) *self, int key)
{
	struct pto_ioc_prewarm arg = { .size = sizeof(arg) };
	struct place *p = place_of_key(self, key);

	if (!p)
		p = miss(self, key);
	p->used = ++self->clock;
	configure(key, &arg);
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_PREWARM, &arg));
	ASSERT_EQ(p->id, arg.arena);
}

static int submit(FIXTURE_DATA(lru) *self, struct stream *s, uint32_t arena)
{
	struct pto_run_entry entry = { .arena = arena };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = s->id,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};

	return rig_ioctl(self->ctx, PTO_RUN, &arg);
}

/* A run that names an arena, or none. */
static void run(struct __test_metadata *_metadata, FIXTURE_DATA(lru) *self, struct stream *s,
		struct place *p)
{
	if (s->flying == RIG_DEPTH || (p && !p->id))
		return;
	ASSERT_EQ(0, submit(self, s, p ? p->id : 0));
	if (!p)
		p = place_of_key(self, 0);
	if (!p)
		p = miss(self, 0);
	p->used = ++self->clock;
	s->arenas[s->flying++] = p->id;
}

static void finish(FIXTURE_DATA(lru) *self, struct stream *s)
{
	struct pto_context_stats stats;
	unsigned int count = below(s->flying + 1);

	rig_release(self->rig, s->queue, count);
	memmove(s->arenas, s->arenas + count, (s->flying - count) * sizeof(s->arenas[0]));
	s->flying -= count;
	/* The driver knows what it has looked at. */
	rig_stats(self->ctx, &stats);
}

static void step(struct __test_metadata *_metadata, FIXTURE_DATA(lru) *self)
{
	struct stream *s = &self->streams[below(STREAMS)];

	switch (below(8)) {
	case 0:
	case 1:
	case 2:
		name(_metadata, self, (int)below(KEYS));
		break;
	case 3:
		finish(self, s);
		break;
	case 4:
		run(_metadata, self, s, NULL);
		break;
	case 5:
		if (self->over_count && s->flying < RIG_DEPTH)
			ASSERT_EQ(-ENOENT, submit(self, s, self->over[below(self->over_count)]));
		break;
	default:
		run(_metadata, self, s, &self->places[below(PLACES)]);
	}
}

TEST_F(lru, random_names_and_runs)
{
	struct pto_context_stats stats;
	unsigned int first, i;
	long memory = rig_memory();

	for (first = 1; first <= SEEDS; first++) {
		seed = first;
		begin(_metadata, self);
		for (i = 0; i < STEPS; i++) {
			step(_metadata, self);
			ASSERT_EQ(0, rig_stats(self->ctx, &stats));
			ASSERT_EQ(self->misses, stats.arena_misses) {
				TH_LOG("seed %u, step %u", first, i);
			}
		}
		end(self);
		ASSERT_EQ(memory, rig_memory());
	}
}

TEST_HARNESS_MAIN
