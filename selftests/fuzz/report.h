/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that change bytes have in common: their arguments, and what they say.
 *
 *   PROGRAM [-p] [N [SEED]]    N cases of a seed, with their progress if -p; a case that fails
 *                              is repeated with "PROGRAM 1 SEED:CASE"
 */
#ifndef PTO_TEST_REPORT_H
#define PTO_TEST_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct trials - which cases to try
 * @seed: they follow from it
 * @first: the first one
 * @count: how many
 * @progress: say how far it is
 */
struct trials {
	uint64_t seed;
	uint64_t first;
	uint64_t count;
	bool progress;
};

/** trials_parse() - the arguments; ends the program if they are wrong */
struct trials trials_parse(int argc, char **argv, uint64_t count);

/** trial_begin() - case @number begins: it is the one to blame for a signal */
void trial_begin(const struct trials *trials, uint64_t number);

/** trial_fail() - it has failed. Ends the program */
_Noreturn void trial_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* PTO_TEST_REPORT_H */
