/* SPDX-License-Identifier: MIT */
/*
 * The measurements: all runtimes in turn, again and again, so that whatever else the machine
 * does hits all of them alike.
 */
#ifndef PTO_BENCH_MEASURE_H
#define PTO_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"

#define MAX_SIZES	16
#define MAX_GRAPHS	16

/**
 * struct session - what is measured, and with what
 * @peers: the runtimes
 * @peer_count: their number
 * @threads: threads that execute tasks
 * @repeat: samples of a figure
 * @step_ns: nanoseconds of a step of work, when nobody disturbs
 * @progress: tell on standard error what is being done
 */
struct session {
	struct peer peers[MAX_PEERS];
	int peer_count;
	unsigned int threads;
	int repeat;
	double step_ns;
	bool progress;
};

/**
 * struct result - one figure of all runtimes
 * @graph: kind of graph
 * @tasks: tasks that it had
 * @median: of the samples of each runtime, in nanoseconds; NAN: none
 * @best: the lowest of them
 */
struct result {
	const char *graph;
	uint32_t tasks;
	double median[MAX_PEERS];
	double best[MAX_PEERS];
};

/**
 * measure_check() - do all runtimes order a graph's tasks as they should?
 * Return: 0, or -1 after a line on standard error for each one that does not.
 */
int measure_check(struct session *s, const char *graph, uint32_t tasks);

/** measure_overhead() - nanoseconds per task with kernels that do nothing. Return: 0 or -1 */
int measure_overhead(struct session *s, const char *graph, uint32_t tasks, struct result *r);

/**
 * measure_metg() - shortest task, in nanoseconds, with which a run takes at most twice as long
 *	as the graph and the threads allow
 * Return: 0 or -1.
 */
int measure_metg(struct session *s, const char *graph, uint32_t tasks, struct result *r);

#endif /* PTO_BENCH_MEASURE_H */
