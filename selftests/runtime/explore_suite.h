/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model check: programs that are explored, and mutations that they have to show.
 */
#ifndef PTO_TEST_EXPLORE_SUITE_H
#define PTO_TEST_EXPLORE_SUITE_H

#include "explore.h"

struct pto_rt;

/**
 * struct explore_scenario - a program
 * @name: its name
 * @entry: what the orchestrator does
 * @workers: threads besides the orchestrator that take tasks
 * @others: threads with other duties
 * @at_once: ready tasks from which on the orchestrator executes those itself that it submits,
 *	plus 1; 0: it executes none at once
 * @times: as many times the limit of orders that other programs have; 0 as 1
 * @data: what else the test wants to know of it
 * @no_stale: no load gives an old value: what it checks holds most of the time, and need not
 */
struct explore_scenario {
	const char *name;
	void (*entry)(struct pto_rt *rt);
	uint32_t workers;
	uint32_t others;
	uint32_t at_once;
	uint32_t times;
	const void *data;
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
 * @threads: how many a program has; NULL: its workers, its others, and the orchestrator
 * @reset: makes everything ready for a program
 * @test: what all explorations have in common; the suite fills in the rest
 */
struct explore_suite {
	const struct explore_scenario *scenarios;
	uint32_t scenario_count;
	const struct explore_mutant *mutants;
	uint32_t mutant_count;
	uint64_t limit;
	uint32_t (*threads)(const struct explore_scenario *scenario);
	void (*reset)(const struct explore_scenario *scenario);
	struct explore_test test;
};

bool explore_skipped(const char *name);
int explore_suite(const struct explore_suite *suite, const char *text);

#endif /* PTO_TEST_EXPLORE_SUITE_H */
