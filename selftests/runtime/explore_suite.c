// SPDX-License-Identifier: GPL-2.0
/*
 * Goes through the programs of a model check, and through them again for each mutation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore_suite.h"

/* Sanitizers take one thread's stacks for one stack, and the explorer orders accesses itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/*
 * How far the search goes, from the shallow to the deep. What is wrong mostly shows with one
 * interruption, and a complete search is worth more than the beginning of a deeper one.
 */
static const struct {
	uint32_t preemptions;
	uint32_t stale;
} depths[] = { { 1, 0 }, { 1, 1 }, { 2, 0 }, { 2, 1 }, { 3, 1 } };

#define DEPTHS (sizeof(depths) / sizeof(depths[0]))

static const struct explore_suite *suite;
static const struct explore_scenario *scenario;

/** explore_skipped() - says so, as TAP, if the model check cannot run here */
bool explore_skipped(const char *name)
{
	const char *where = getenv("PTO_SELFTEST");

	if (!SANITIZED && (!where || strcmp(where, "kernel")))
		return false;
	printf("TAP version 13\n1..1\nok 1 %s # SKIP %s\n", name,
	       SANITIZED ? "sanitizers cannot follow its stacks" : "no kernel takes part in it");
	return true;
}

static void reset(void)
{
	suite->reset(scenario);
}

/* Explores to one depth. Return: true if nothing was wrong. */
static bool run(const struct explore_scenario *s, const struct explore_mutant *mutant, size_t depth,
		uint64_t limit, struct explore_result *result)
{
	struct explore_test test = suite->test;

	scenario = s;
	test.threads = suite->threads ? suite->threads(s) : s->workers + s->others + 1;
	test.reset = reset;
	test.preemptions = depths[depth].preemptions;
	test.stale = s->no_stale ? 0 : depths[depth].stale;
	test.limit = s->times ? limit * s->times : limit;
	test.mutant = mutant;
	explore(&test, result);
	return !result->fault[0];
}

static int report(bool good, uint32_t number, const char *name)
{
	printf("%sok %u %s\n", good ? "" : "not ", number, name);
	return good ? 0 : 1;
}

static int check_scenario(const struct explore_scenario *s, uint32_t number, uint64_t limit)
{
	struct explore_result result;
	bool good = true;
	size_t d;

	for (d = 0; d < DEPTHS && good; d++) {
		if (s->no_stale && depths[d].stale)
			continue;
		good = run(s, NULL, d, limit, &result);
		printf("# %s: %u interruptions, %u old values: %s%llu orders%s%s\n", s->name,
		       depths[d].preemptions, depths[d].stale, result.complete ? "all " : "",
		       (unsigned long long)result.executions, good ? "" : ": ", result.fault);
	}
	return report(good, number, s->name);
}

/* Is there a program that shows the mutation? */
static int check_mutant(const struct explore_mutant *mutant, uint32_t number, uint64_t limit)
{
	static const char * const ops[] = { "load", "store", "add", "sub", "swap", "cas", "fence",
		"lock" };
	static const char * const hows[] = { "", "relaxed", "split", "dropped", "late", "blind" };
	struct explore_result result;
	bool survives = true;
	char name[128];
	uint32_t i = 0;
	size_t d;

	snprintf(name, sizeof(name), "%s_%s_%s", mutant->function, ops[mutant->op],
		 hows[mutant->how]);
	for (d = 0; d < DEPTHS && survives; d++)
		for (i = 0; i < suite->scenario_count && survives; i++)
			survives = run(&suite->scenarios[i], mutant, d, limit, &result);
	if (!survives)
		printf("# %s: %s: %s, %u interruptions, %u old values, order %llu\n", name,
		       suite->scenarios[i - 1].name, result.fault, depths[d - 1].preemptions,
		       depths[d - 1].stale, (unsigned long long)result.executions);
	return report(!survives, number, name);
}

/**
 * explore_suite() - go through a model check
 * @s: the suite
 * @text: orders of a program to each depth of the search, or NULL
 *
 * Return: the exit status.
 */
int explore_suite(const struct explore_suite *s, const char *text)
{
	uint64_t limit = text ? strtoull(text, NULL, 0) : s->limit;
	int failed = 0;
	uint32_t i;

	suite = s;
	printf("TAP version 13\n1..%u\n", s->scenario_count + s->mutant_count);
	for (i = 0; i < s->scenario_count; i++)
		failed |= check_scenario(&s->scenarios[i], i + 1, limit);
	for (i = 0; i < s->mutant_count; i++)
		failed |= check_mutant(&s->mutants[i], s->scenario_count + i + 1, limit);
	return failed;
}
