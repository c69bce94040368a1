/* SPDX-License-Identifier: MIT */
/*
 * Patience: a clock for bounds of what other threads or processes have to do. The time between two
 * looks at the clock counts only up to a limit. If a look comes late, the machine stood still or
 * was busy, or this process was stopped; then those that are waited for could not make progress
 * either.
 */
#ifndef PTO_SIM_PATIENCE_H
#define PTO_SIM_PATIENCE_H

#include <stdint.h>

/**
 * struct patience - a clock that advances only while it is looked at
 * @seen: real time of the last look
 * @ns: its time; only differences are meaningful
 */
struct patience {
	uint64_t seen;
	uint64_t ns;
};

/**
 * patience_look() - advance and read the clock
 * @p: the clock; all zero before its first use, and used by its owner only
 * @now: the real time, in ns
 * @most: limit for the time since the last look that counts, in ns
 *
 * Return: its time, in ns; never 0.
 */
static inline uint64_t patience_look(struct patience *p, uint64_t now, uint64_t most)
{
	uint64_t passed = now - p->seen;

	p->seen = now;
	p->ns += passed < most ? passed : most;
	return p->ns;
}

#endif /* PTO_SIM_PATIENCE_H */
