// SPDX-License-Identifier: MIT
/*
 * What it costs on this machine to hand a task over: measured once, when an engine is created.
 *
 * Handing a task over costs because cache lines move to another core and back. So the creator
 * writes a word, worker 1 answers by writing another one, and the creator waits for the answer. The
 * fastest batch counts: everything else that the machine does only adds time.
 *
 * The measurement is bounded in steps. An answer that does not come within some looks had to wait
 * for the operating system to run the worker. Then the batch does not count, and the creator sleeps
 * for a moment, which lets the worker start, or move to another processor. After a few of such
 * batches the measurement ends. On a machine with one processor, or none to spare, there may not be
 * a single batch that counts; then the engine keeps the cost that it assumes (PTO_HAND_OVER_NS).
 */
#include "engine_internal.h"

#define BATCHES		16	/* batches that count, at most */
#define BATCH		16	/* hand-overs in a batch */
#define LOOKS		1024	/* looks for an answer */
#define LATE_BATCHES	5	/* batches that do not count, at most */
#define LATE_SLEEP_NS	100000

/*
 * A hand-over that takes longer was interrupted, whatever the number of looks: no machine takes as
 * long to move a cache line.
 */
#define MOST_NS		10000

/** cost_answer() - answer the creator until the measurement is over; called by worker 1 */
void cost_answer(struct pto_engine *engine)
{
	struct pto_probe *probe = &engine->probe;
	uint32_t asked, seen = 0;
	uint32_t round = 0;

	while (!atomic_load_explicit(&probe->over, memory_order_acquire) &&
	       !atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
		asked = atomic_load_explicit(&probe->ask, memory_order_acquire);
		if (asked == seen) {
			engine_pause(round++);
			continue;
		}
		seen = asked;
		round = 0;
		atomic_store_explicit(&probe->answer, seen, memory_order_release);
		if (atomic_load_explicit(&probe->sleeps, memory_order_relaxed))
			engine_futex_wake(&probe->answer);
	}
}

/* Hand over once. Return: false if the answer did not come within the looks */
static bool hand_over(struct pto_probe *probe)
{
	uint32_t number = atomic_load_explicit(&probe->ask, memory_order_relaxed) + 1;
	uint32_t look;

	atomic_store_explicit(&probe->ask, number, memory_order_release);
	for (look = 0; look < LOOKS; look++) {
		if (atomic_load_explicit(&probe->answer, memory_order_acquire) == number)
			return true;
		engine_pause(0);
	}
	return false;
}

/* Sleep until the worker answers, or for a moment: the wake-up may be lost. */
static void sleep_late(struct pto_probe *probe)
{
	uint32_t number = atomic_load_explicit(&probe->ask, memory_order_relaxed);
	uint32_t answer;

	atomic_store(&probe->sleeps, 1);
	answer = atomic_load(&probe->answer);
	if (answer != number)
		engine_futex_wait(&probe->answer, answer, LATE_SLEEP_NS);
	atomic_store(&probe->sleeps, 0);
}

/* Return: nanoseconds of a hand-over of a batch; 0 if the batch does not count */
static uint64_t measure_batch(struct pto_probe *probe)
{
	uint64_t begun = engine_now();
	uint64_t ns;
	uint32_t i;

	for (i = 0; i < BATCH; i++) {
		if (hand_over(probe))
			continue;
		sleep_late(probe);
		return 0;
	}
	ns = (engine_now() - begun) / BATCH;
	return ns <= MOST_NS ? ns : 0;
}

/**
 * cost_measure() - measure the cost of a hand-over, and let the engine reckon with it
 * @engine: a new engine, whose worker 1 is in cost_answer(), or will be
 */
void cost_measure(struct pto_engine *engine)
{
	struct pto_probe *probe = &engine->probe;
	uint64_t ns, least = UINT64_MAX;
	uint32_t late = 0;

	while (probe->hand_overs < BATCHES * BATCH && late < LATE_BATCHES) {
		ns = measure_batch(probe);
		if (!ns) {
			late++;
			continue;
		}
		probe->hand_overs += BATCH;
		if (ns < least)
			least = ns;
	}
	atomic_store_explicit(&probe->over, 1, memory_order_release);
	if (probe->hand_overs)
		pto_sched_set_cost(&engine->sched, least);
}

/* pto_engine_costs() - see there */
void pto_engine_costs(const struct pto_engine *engine, struct pto_dev_costs *costs)
{
	const struct pto_sched *sched = &engine->sched;

	*costs = (struct pto_dev_costs){
		.hand_overs = engine->probe.hand_overs,
		.hand_over_ns = (uint32_t)sched->hand_over,
		.tensor_ns = (uint32_t)sched->tensor,
		.catch_up_ns = (uint32_t)sched->catch_up,
		.max_debt_ns = sched->max_debt,
	};
}
