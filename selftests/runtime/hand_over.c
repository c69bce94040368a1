// SPDX-License-Identifier: GPL-2.0
/*
 * Which tasks the orchestrator executes itself, on a clock that only the tasks move: it must not
 * lose more time over tasks that others wait for than handing all of them over would take.
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "harness.h"
#include <libpto/runtime/runtime.h>

#define HAND_OVER	PTO_HAND_OVER_NS
#define BATCH		8	/* tasks to the next look at the clock: the same */
#define ENOUGH		16
#define SHORT		100
#define LONG		100000

static uint64_t now_ns;

static uint64_t now(void)
{
	return now_ns;
}

FIXTURE(hand_over)
{
	struct pto_sched sched;
	struct pto_queue *queues;
	struct pto_slot *slots;
	uint64_t kept;		/* tasks that the orchestrator has executed */
	uint64_t lost;		/* ns of those that others waited for */
};

FIXTURE_SETUP(hand_over)
{
	self->queues = aligned_alloc(PTO_CACHE_LINE, 2 * sizeof(*self->queues));
	self->slots = calloc(2, sizeof(*self->slots));
	ASSERT_TRUE(self->queues && self->slots);
	memset(self->queues, 0, 2 * sizeof(*self->queues));
	pto_sched_init(&self->sched, self->queues, 2, ENOUGH);
	pto_sched_begin(&self->sched, self->slots);
	self->kept = 0;
	self->lost = 0;
	now_ns = 1;
}

FIXTURE_TEARDOWN(hand_over)
{
	free(self->queues);
	free(self->slots);
}

/* The next task, which takes @ns. The others are done with all that they have, if they are @idle */
static void submit(struct __test_metadata *_metadata, FIXTURE_DATA(hand_over) *self, uint64_t ns,
		   bool idle)
{
	pto_sched_submitted(&self->sched, 0);
	if (pto_sched_keeps(&self->sched, now)) {
		now_ns += ns;
		self->kept++;
		self->lost += idle ? ns : 0;
		return;
	}
	pto_sched_push(&self->sched, 0, &self->slots[1]);
	while (idle && pto_sched_take(&self->sched, 1))
		;
}

/* Short tasks are not worth handing over, whether others wait or not. */
TEST_F(hand_over, short_tasks)
{
	for (int i = 0; i < 10000; i++)
		submit(_metadata, self, SHORT, true);
	EXPECT_LE(10000 - 2 * ENOUGH, self->kept);
}

/* Of long ones, all but a few are the others', as long as these have nothing else. */
TEST_F(hand_over, long_tasks)
{
	for (int i = 0; i < 10000; i++)
		submit(_metadata, self, LONG, true);
	EXPECT_GE(10000 * HAND_OVER / LONG + 1, self->kept);
	EXPECT_LE(1, self->kept);
}

/* If the others have enough, the orchestrator takes its part of the long ones, too. */
TEST_F(hand_over, enough)
{
	for (int i = 0; i < 500; i++)
		submit(_metadata, self, LONG, false);
	EXPECT_LE(500 - 2 * ENOUGH - BATCH, self->kept);
}

/* When long ones follow on short ones it takes a batch of them, and then others have to pay. */
TEST_F(hand_over, change)
{
	uint64_t kept;

	for (int i = 0; i < 1000; i++)
		submit(_metadata, self, SHORT, true);
	kept = self->kept;
	for (int i = 0; i < 1000; i++)
		submit(_metadata, self, LONG, true);
	EXPECT_GE(kept + BATCH, self->kept);
	for (int i = 0; i < 100000; i++)
		submit(_metadata, self, SHORT, true);
	EXPECT_LE(90000, self->kept);
}

/* The time between runs is not lost; what was handed over in a run counts in the next. */
TEST_F(hand_over, runs)
{
	for (int run = 0; run < 100; run++) {
		now_ns += 1000000000;
		pto_sched_begin(&self->sched, self->slots);
		for (int i = 0; i < 4; i++)
			submit(_metadata, self, SHORT, true);
	}
	EXPECT_LE(4 * 100 - 2 * ENOUGH, self->kept);
}

/* Whatever comes: what is lost is bounded by what handing all over would have taken. */
TEST_F(hand_over, any_mixture)
{
	static const uint64_t lengths[] = { 1, 50, SHORT, 250, 350, 1000, 5000, LONG };
	uint64_t tasks = 0;
	uint32_t phase, i;

	srand(1);
	for (phase = 0; phase < 2000; phase++) {
		uint64_t usual = lengths[rand() % 8], other = lengths[rand() % 8];
		uint32_t often = 1 + rand() % 100, count = rand() % 1000;

		for (i = 0; i < count; i++, tasks++) {
			submit(_metadata, self, rand() % often ? usual : other, true);
			ASSERT_GE((tasks + 1) * HAND_OVER + BATCH * LONG, self->lost);
		}
	}
	EXPECT_LE(1000, self->kept);
}

TEST_HARNESS_MAIN
