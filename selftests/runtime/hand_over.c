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

#define BATCH		8	/* tasks to the next look at the clock: the same */
#define ENOUGH		16

/* Durations of tasks, as multiples of what handing one over costs. */
#define SHORT		(self->sched.hand_over / 3)
#define LONG		(self->sched.hand_over * 100)
#define VERY_LONG	(self->sched.hand_over * 4000)	/* more than it makes up for */

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

/* Machines on which handing over costs differently; 0: it has not been measured. */
FIXTURE_VARIANT(hand_over)
{
	uint64_t cost;
};

FIXTURE_VARIANT_ADD(hand_over, assumed) { .cost = 0 };
FIXTURE_VARIANT_ADD(hand_over, quick) { .cost = 60 };
FIXTURE_VARIANT_ADD(hand_over, slow) { .cost = 2500 };

FIXTURE_SETUP(hand_over)
{
	self->queues = aligned_alloc(PTO_CACHE_LINE, 2 * sizeof(*self->queues));
	self->slots = calloc(2, sizeof(*self->slots));
	ASSERT_TRUE(self->queues && self->slots);
	memset(self->queues, 0, 2 * sizeof(*self->queues));
	pto_sched_init(&self->sched, self->queues, 2, ENOUGH);
	if (variant->cost)
		pto_sched_set_cost(&self->sched, variant->cost);
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
static void submit(FIXTURE_DATA(hand_over) *self, uint64_t ns, bool idle)
{
	pto_sched_credit(&self->sched, 0);
	if (pto_sched_executes(&self->sched, now)) {
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
		submit(self, SHORT, true);
	EXPECT_LE(10000 - 2 * ENOUGH, self->kept);
}

/* What is short is a question of the machine: the same tasks, where handing over costs less. */
TEST_F(hand_over, decisions_follow_the_cost)
{
	const uint64_t ns = 2 * SHORT;

	for (int i = 0; i < 10000; i++)
		submit(self, ns, true);
	EXPECT_LE(10000 - 2 * ENOUGH, self->kept);
	pto_sched_set_cost(&self->sched, ns / 20);
	pto_sched_begin(&self->sched, self->slots);
	self->kept = 0;
	for (int i = 0; i < 10000; i++)
		submit(self, ns, true);
	EXPECT_LE(1, self->kept);
	EXPECT_GE(10000 / 20 + 1 + BATCH, self->kept);
}

/* All times are those of a hand-over, and the limit of the debt grows with the other threads. */
TEST_F(hand_over, times)
{
	const struct pto_sched *s = &self->sched;
	const uint64_t cost = variant->cost ?: PTO_HAND_OVER_NS;
	struct pto_queue *queues;
	struct pto_sched many;

	EXPECT_EQ(cost, s->hand_over);
	EXPECT_LE(cost, 3 * s->tensor);
	EXPECT_GT(cost + 3, 3 * s->tensor);
	EXPECT_EQ(BATCH * cost, s->catch_up);
	EXPECT_LT(100 * cost, s->max_debt);
	queues = aligned_alloc(PTO_CACHE_LINE, 9 * sizeof(*queues));
	ASSERT_NE(NULL, queues);
	memset(queues, 0, 9 * sizeof(*queues));
	pto_sched_init(&many, queues, 9, ENOUGH);
	pto_sched_set_cost(&many, cost);
	EXPECT_EQ(8 * s->max_debt, many.max_debt);
	free(queues);
}

/* A submit is credited with its tensors, too. */
TEST_F(hand_over, tensors)
{
	struct pto_queue *q = self->queues;

	pto_sched_credit(&self->sched, 0);
	EXPECT_EQ(self->sched.hand_over, q->credit);
	pto_sched_credit(&self->sched, 6);
	EXPECT_EQ(2 * self->sched.hand_over + 6 * self->sched.tensor, q->credit);
}

/* Of long ones, all but a few are the others', as long as these have nothing else. */
TEST_F(hand_over, long_tasks)
{
	for (int i = 0; i < 10000; i++)
		submit(self, LONG, true);
	EXPECT_GE(10000 * self->sched.hand_over / LONG + 1, self->kept);
	EXPECT_LE(1, self->kept);
}

/* Tasks that idle threads wait for. Return: how many are handed over until one is not */
static uint64_t until_next(FIXTURE_DATA(hand_over) *self, uint64_t ns)
{
	uint64_t kept = self->kept, tasks = 0;

	while (self->kept == kept && ++tasks < 100000)
		submit(self, ns, true);
	return tasks - 1;
}

/* The account, to the nanosecond: each task handed over repays what handing it over costs. */
TEST_F(hand_over, account)
{
	struct pto_queue *q = self->queues;

	EXPECT_EQ(ENOUGH * self->sched.hand_over, q->debt);
	EXPECT_EQ(ENOUGH - 1, until_next(self, LONG));
	EXPECT_EQ(1, q->batch);
	EXPECT_EQ(0, q->debt + q->credit);
	/* The submit of the check is credited, too. */
	EXPECT_EQ(LONG / self->sched.hand_over - 1, until_next(self, LONG));
	EXPECT_EQ(1, q->batch);
	/* A short one leaves no debt: then there are batches, until a long one comes. */
	EXPECT_EQ(LONG / self->sched.hand_over - 1, until_next(self, SHORT));
	for (int i = 0; i < BATCH; i++)
		EXPECT_EQ(0, until_next(self, SHORT));
	EXPECT_EQ(BATCH, q->batch);
	EXPECT_EQ(0, q->debt);
}

/* It need not make up for all that it has lost over a very long one, but for enough. */
TEST_F(hand_over, very_long_tasks)
{
	ASSERT_GT(VERY_LONG, self->sched.max_debt);
	for (int i = 0; i < 10000; i++)
		submit(self, VERY_LONG, true);
	EXPECT_GE(10000 * self->sched.hand_over / self->sched.max_debt + 1, self->kept);
	/* The excess is less than a percent, with this number of other threads as with any. */
	EXPECT_GE(10000 / 100, self->kept);
	self->kept = 0;
	for (int i = 0; i < 1000; i++)
		submit(self, SHORT, true);
	EXPECT_LE(1000 - 2 * self->sched.max_debt / self->sched.hand_over, self->kept);
}

/* If the others have enough, the orchestrator takes its part of the long ones, too. */
TEST_F(hand_over, enough)
{
	for (int i = 0; i < 500; i++)
		submit(self, LONG, false);
	EXPECT_LE(500 - 2 * ENOUGH - BATCH, self->kept);
}

/* When long ones follow on short ones it takes a batch of them, and then hardly any. */
TEST_F(hand_over, change)
{
	uint64_t kept;

	for (int i = 0; i < 1000; i++)
		submit(self, SHORT, true);
	kept = self->kept;
	for (int i = 0; i < 1000; i++)
		submit(self, LONG, true);
	EXPECT_GE(kept + BATCH + 1000 * self->sched.hand_over / LONG, self->kept);
	for (int i = 0; i < 100000; i++)
		submit(self, SHORT, true);
	EXPECT_LE(90000, self->kept);
}

/* The time between runs is not lost; what was handed over in a run counts in the next. */
TEST_F(hand_over, runs)
{
	for (int run = 0; run < 100; run++) {
		now_ns += 1000000000;
		pto_sched_begin(&self->sched, self->slots);
		for (int i = 0; i < 4; i++)
			submit(self, SHORT, true);
	}
	EXPECT_LE(4 * 100 - 2 * ENOUGH, self->kept);
}

/*
 * A task that takes @ns and waits for one of the others', which takes @wait. As in
 * pto_rt_submit(), the orchestrator gives up after some time.
 */
static void submit_behind(FIXTURE_DATA(hand_over) *self, uint64_t ns, uint64_t wait)
{
	uint64_t begun = now_ns;

	pto_sched_credit(&self->sched, 0);
	if (!pto_sched_executes(&self->sched, now))
		return;
	now_ns += wait < self->sched.catch_up ? wait : self->sched.catch_up;
	if (wait < self->sched.catch_up) {
		now_ns += ns;
		self->kept++;
	} else {
		pto_sched_end_batch(&self->sched);
	}
	self->lost += now_ns - begun;
}

/* Short tasks are waited for, and then the orchestrator has caught up. */
TEST_F(hand_over, behind)
{
	for (int i = 0; i < 1000; i++) {
		submit_behind(self, SHORT, self->sched.catch_up / 2);
		for (int j = 0; j < 9; j++)
			submit(self, SHORT, true);
	}
	EXPECT_LE(9000, self->kept);
}

/* It does not wait all the time for what does not come. */
TEST_F(hand_over, far_behind)
{
	for (int i = 0; i < 10000; i++) {
		submit_behind(self, SHORT, LONG);
		ASSERT_GE((i + 1) * self->sched.hand_over + self->sched.catch_up, self->lost);
	}
	EXPECT_EQ(0, self->kept);
	EXPECT_LE(self->sched.catch_up, self->lost);
}

/*
 * Whatever comes: what is lost is bounded by what handing all over would have taken, but for
 * what the orchestrator need not make up for.
 */
TEST_F(hand_over, any_mixture)
{
	/* In hundredths of a hand-over */
	static const uint64_t lengths[] = { 1, 15, 33, 80, 120, 333, 1666, 10000 };
	uint64_t tasks = 0;
	uint32_t phase, i;

	self->sched.max_debt = UINT64_MAX;
	srand(1);
	for (phase = 0; phase < 2000; phase++) {
		uint64_t usual = lengths[rand() % 8], other = lengths[rand() % 8];
		uint32_t often = 1 + rand() % 100, count = rand() % 1000;

		for (i = 0; i < count; i++, tasks++) {
			submit(self, (rand() % often ? usual : other) * self->sched.hand_over / 100,
			       true);
			ASSERT_GE((tasks + 1) * self->sched.hand_over + BATCH * LONG, self->lost);
		}
	}
	EXPECT_LE(1000, self->kept);
}

TEST_HARNESS_MAIN
