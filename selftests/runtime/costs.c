// SPDX-License-Identifier: GPL-2.0
/*
 * The measurement of what handing a task over costs, on a clock that only its own steps move: it
 * finds the cost, whatever else the machine does, it ends, and it says when it has found nothing.
 */
#include <string.h>

#include <sim/device/engine_internal.h>

#include "kselftest_harness.h"
#include "harness.h"

#define LOOK_NS		20	/* what one look for an answer takes */
#define SHORTEST	3	/* looks until the quickest answer */
#define NEVER		UINT32_MAX
#define ENOUGH_STEPS	20000	/* more than the measurement may take */

static struct pto_engine engine;
static struct pto_queue queues[3];

/* The machine: the worker answers a hand-over after some looks of the creator. */
static struct {
	uint64_t now;
	uint64_t steps;
	uint32_t asked;		/* the last hand-over that was seen */
	uint32_t looks;		/* at it */
	uint32_t sleeps;
	uint32_t (*answers)(uint32_t number);
	bool clock_stands;
} machine;

static void step(uint64_t ns)
{
	machine.steps++;
	if (!machine.clock_stands)
		machine.now += ns;
}

uint64_t engine_now(void)
{
	return machine.now;
}

void engine_pause(uint32_t round)
{
	uint32_t number = atomic_load(&engine.probe.ask);

	step(LOOK_NS);
	if (number != machine.asked)
		machine.looks = 0;
	machine.asked = number;
	if (++machine.looks == machine.answers(number))
		atomic_store(&engine.probe.answer, number);
}

void engine_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	machine.sleeps++;
	step(ns);
}

void engine_futex_wake(_Atomic uint32_t *word)
{
}

void engine_futex_wake_all(_Atomic uint32_t *word)
{
}

FIXTURE(costs)
{
	struct pto_dev_costs costs;
};

FIXTURE_SETUP(costs)
{
	memset(&engine, 0, sizeof(engine));
	memset(queues, 0, sizeof(queues));
	memset(&machine, 0, sizeof(machine));
	machine.now = 1;
	pto_sched_init(&engine.sched, queues, 3, 16);
}

FIXTURE_TEARDOWN(costs)
{
}

static void measure(FIXTURE_DATA(costs) *self, uint32_t (*answers)(uint32_t number))
{
	machine.answers = answers;
	cost_measure(&engine);
	pto_engine_costs(&engine, &self->costs);
}

#define EXPECT_ASSUMED(costs)							\
	do {									\
		EXPECT_EQ(0, (costs).hand_overs);				\
		EXPECT_EQ(PTO_HAND_OVER_NS, (costs).hand_over_ns);		\
		EXPECT_GE(ENOUGH_STEPS, machine.steps);				\
		EXPECT_EQ(1, atomic_load(&engine.probe.over));			\
	} while (0)

static uint32_t always_short(uint32_t number)
{
	return SHORTEST;
}

TEST_F(costs, quiet_machine)
{
	const struct pto_sched *sched = &engine.sched;

	measure(self, always_short);
	EXPECT_EQ(SHORTEST * LOOK_NS, self->costs.hand_over_ns);
	EXPECT_LE(100, self->costs.hand_overs);
	EXPECT_EQ(0, machine.sleeps);
	EXPECT_EQ(1, atomic_load(&engine.probe.over));
	/* The scheduler reckons with what is told. */
	EXPECT_EQ(self->costs.hand_over_ns, sched->hand_over);
	EXPECT_EQ(self->costs.tensor_ns, sched->tensor);
	EXPECT_EQ(self->costs.catch_up_ns, sched->catch_up);
	EXPECT_EQ(self->costs.max_debt_ns, sched->max_debt);
	EXPECT_EQ(16 * sched->hand_over, queues[0].debt);
}

/* Most answers are slow, because the machine does something else: the quick ones count. */
static uint32_t short_for_a_while(uint32_t number)
{
	return number > 70 && number < 110 ? SHORTEST : 7 * SHORTEST + number % 5;
}

TEST_F(costs, busy_machine)
{
	measure(self, short_for_a_while);
	EXPECT_EQ(SHORTEST * LOOK_NS, self->costs.hand_over_ns);
	EXPECT_LE(100, self->costs.hand_overs);
}

/* The worker is not running at first: the creator sleeps, and measures afterwards. */
static uint32_t short_later(uint32_t number)
{
	return number < 4 ? NEVER : SHORTEST;
}

TEST_F(costs, worker_starts_late)
{
	measure(self, short_later);
	EXPECT_EQ(SHORTEST * LOOK_NS, self->costs.hand_over_ns);
	EXPECT_LE(100, self->costs.hand_overs);
	EXPECT_EQ(3, machine.sleeps);
}

/* It loses its processor for ever after a while: what has been measured until then counts. */
static uint32_t short_at_first(uint32_t number)
{
	return number > 40 ? NEVER : SHORTEST;
}

TEST_F(costs, worker_stops)
{
	measure(self, short_at_first);
	EXPECT_EQ(SHORTEST * LOOK_NS, self->costs.hand_over_ns);
	EXPECT_LE(1, self->costs.hand_overs);
	EXPECT_GE(40, self->costs.hand_overs);
	EXPECT_GE(ENOUGH_STEPS, machine.steps);
}

/* One processor: the worker runs only while the creator sleeps. */
static uint32_t never(uint32_t number)
{
	return NEVER;
}

TEST_F(costs, no_processor_for_the_worker)
{
	measure(self, never);
	EXPECT_ASSUMED(self->costs);
	EXPECT_LE(1, machine.sleeps);
}

/* It runs now and then, and answers only some of a batch in time. */
static uint32_t now_and_then(uint32_t number)
{
	return number % 8 ? SHORTEST : NEVER;
}

TEST_F(costs, hand_overs_that_need_scheduling)
{
	measure(self, now_and_then);
	EXPECT_ASSUMED(self->costs);
}

/* The creator is interrupted whenever it looks: few looks, but a long time. */
static uint32_t after_a_slice(uint32_t number)
{
	machine.now += 1000000;
	return SHORTEST;
}

TEST_F(costs, creator_interrupted)
{
	measure(self, after_a_slice);
	EXPECT_ASSUMED(self->costs);
}

/* A clock that is too coarse tells nothing. */
TEST_F(costs, coarse_clock)
{
	machine.clock_stands = true;
	measure(self, always_short);
	EXPECT_ASSUMED(self->costs);
}

TEST_HARNESS_MAIN
