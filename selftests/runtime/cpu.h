/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine with one processor, whose time is counted in steps: threads are coroutines that run by
 * turns, a slice each, whether they do something useful or wait by spinning. So what a program
 * costs on a machine that is slow, or busy with something else, is a number, and the same one each
 * time.
 *
 * It is a poor scheduler's machine, so that what holds here holds with a better one: who is woken,
 * or new, comes behind all others.
 */
#ifndef PTO_TEST_CPU_H
#define PTO_TEST_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_SLICE	300		/* steps; with CPU_STEP_NS, what Linux gives */
#define CPU_STEP_NS	10000ULL
#define CPU_CREATE	(CPU_SLICE * 3 / 2)	/* what making a thread costs who makes it */
#define CPU_START	(CPU_SLICE * 3 / 2)	/* what a thread does before its function */

void cpu_begin(void);
void cpu_end(void);
int cpu_create(void *(*body)(void *arg), void *arg);
void cpu_neighbour(void);
void cpu_join(int thread);
void cpu_step(uint32_t steps);
void cpu_yield(void);
void cpu_sleep(const void *word, uint64_t ns);
void cpu_wake(const void *word, bool all);
uint64_t cpu_now(void);
uint64_t cpu_used(void);

#endif /* PTO_TEST_CPU_H */
