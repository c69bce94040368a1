/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trials: a program is executed by the oracle and by the runtime, and the results are compared.
 */
#ifndef PTO_TEST_TRIAL_H
#define PTO_TEST_TRIAL_H

#include "program.h"

struct trial;

/**
 * struct verdict - what came of a trial
 * @good: the runtime's results are the oracle's
 * @shuffled: it failed without threads, so it does again: orders are repeated
 * @why: what is wrong
 */
struct verdict {
	bool good;
	bool shuffled;
	char why[320];
};

struct trial *trial_create(void);
void trial_destroy(struct trial *t);

/* Executions of a program in one trial. */
#define SHUFFLES	2
#define THREADED	1

/**
 * trial_run() - execute a program
 * @t: where
 * @program: the program
 * @shuffles: number of executions without threads, each in another order
 * @threaded: number of executions on an engine, after those
 */
struct verdict trial_run(struct trial *t, const struct program *program, uint32_t shuffles,
			 uint32_t threaded);

#endif /* PTO_TEST_TRIAL_H */
