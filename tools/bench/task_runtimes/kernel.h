/* SPDX-License-Identifier: MIT */
/*
 * What the tasks of task_runtimes do. The same code, compiled once, for every runtime.
 */
#ifndef PTO_BENCH_KERNEL_H
#define PTO_BENCH_KERNEL_H

#include <stdint.h>

#include "graph.h"

/** bench_kernel_fn - a task's work; @task is its number */
typedef void (*bench_kernel_fn)(uint32_t task);

/** bench_now() - CLOCK_MONOTONIC in nanoseconds */
uint64_t bench_now(void);

/** bench_spin() - a number of steps of work that depend on each other */
void bench_spin(uint64_t steps);

/** bench_calibrate() - nanoseconds per step when nobody disturbs */
double bench_calibrate(void);

/** kernel_work() - the kernel that does @steps steps of work; 0: nothing at all */
bench_kernel_fn kernel_work(uint64_t steps);

/**
 * kernel_check() - the kernel that looks whether its predecessors have ended
 * @g: the graph that is to be run, once
 *
 * Return: NULL without memory.
 */
bench_kernel_fn kernel_check(const struct graph *g);

/**
 * kernel_verdict() - how the run with kernel_check() went
 * @text: what was wrong
 * @size: of @text
 *
 * Return: 0: each task has run once, after its predecessors; -1: not so.
 */
int kernel_verdict(char *text, int size);

#endif /* PTO_BENCH_KERNEL_H */
