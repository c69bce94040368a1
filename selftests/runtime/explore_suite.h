/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model check: programs that are explored, and mutations that they have to show.
 */
#ifndef PTO_TEST_EXPLORE_SUITE_H
#define PTO_TEST_EXPLORE_SUITE_H

#include <libpto/runtime/runtime.h>

#include "explore.h"

/**
 * struct explore_scenario - a program
 * @name: its name
 * @entry: what the orchestrator does
 * @workers: threads besides the orchestrator that take tasks
 * @others: threads with other duties
 * @at_once: ready tasks from which on the orchestrator executes those itself that it submits,
 *	plus 1; 0: it executes none at once
 * @no_stale: no load gives an old value: what it checks holds most of the time, and need not
 */
struct explore_scenario {
	const char *name;
	void (*entry)(struct pto_rt *rt);
	uint32_t workers;
	uint32_t others;
	uint32_t at_once;
	bool no_stale;
};

/* pto_sched.enough of a program */
static inline uint32_t explore_enough(const struct explore_scenario *scenario)
{
	return scenario->at_once ? scenario->at_once - 1 : UINT32_MAX;
}

/**
 * struct explore_suite - what to explore, and with which mutations
 * @scenarios: programs
 * @scenario_count: their number
 * @mutants: mutations, each of which a program must show
 * @mutant_count: their number
 * @limit: orders of a program to each depth of the search, if nobody says
 * @reset: makes everything ready for a program
 * @test: what all explorations have in common; the suite fills in the rest
 */
struct explore_suite {
	const struct explore_scenario *scenarios;
	uint32_t scenario_count;
	const struct explore_mutant *mutants;
	uint32_t mutant_count;
	uint64_t limit;
	void (*reset)(const struct explore_scenario *scenario);
	struct explore_test test;
};

/**
 * struct explore_arena - a bound arena
 * @base: it
 * @size: its bytes
 */
struct explore_arena {
	uint8_t *base;
	uint64_t size;
};

bool explore_skipped(const char *name);
void explore_arena_make(struct explore_arena *arena, uint64_t window, uint64_t heap, uint64_t pool);
int explore_suite(const struct explore_suite *suite, const char *text);

#endif /* PTO_TEST_EXPLORE_SUITE_H */
