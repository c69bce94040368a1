/* SPDX-License-Identifier: MIT */
/*
 * Patience: time for which somebody has waited and looked. Bounds for what others should get
 * done are measured with it. Where nobody looked for long the machine stood still, or was busy with
 * something else, or this process was stopped; then those who are waited for did not get on either.
 */
#ifndef PTO_SIM_PATIENCE_H
#define PTO_SIM_PATIENCE_H

#include <stdint.h>

/**
 * struct patience - a clock that runs while somebody looks at it
 * @seen: what the true clock showed at the last look
 * @ns: what it shows; only differences mean something
 */
struct patience {
	uint64_t seen;
	uint64_t ns;
};

/**
 * patience_look() - look at it
 * @p: the clock; all zero before its first use, and its owner's alone
 * @now: the true time, in ns
 * @most: what the time since the last look counts at most, in ns
 *
 * Return: what it shows, in ns; never 0.
 */
static inline uint64_t patience_look(struct patience *p, uint64_t now, uint64_t most)
{
	uint64_t passed = now - p->seen;

	p->seen = now;
	p->ns += passed < most ? passed : most;
	return p->ns;
}

#endif /* PTO_SIM_PATIENCE_H */
