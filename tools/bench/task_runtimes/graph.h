/* SPDX-License-Identifier: MIT */
/*
 * The task graphs of task_runtimes, as every runtime gets them: a list of tasks in the order
 * of submission, each of which reads and writes cells. What has to wait for what follows from
 * that order, and is worked out here too, to check the runtimes against it.
 */
#ifndef PTO_BENCH_GRAPH_H
#define PTO_BENCH_GRAPH_H

#include <stdint.h>

#define GRAPH_MAX_INPUTS 4

/* How a task accesses its cell. */
#define GRAPH_NO_OUTPUT	0
#define GRAPH_WRITE	1
#define GRAPH_UPDATE	2	/* reads it too */

/**
 * struct graph_task - a task
 * @input: cells that it reads, all different and none its own
 * @output: its own cell
 * @input_count: entries of @input
 * @output_mode: GRAPH_NO_OUTPUT, GRAPH_WRITE or GRAPH_UPDATE
 */
struct graph_task {
	uint32_t input[GRAPH_MAX_INPUTS];
	uint32_t output;
	uint16_t input_count;
	uint16_t output_mode;
};

/**
 * struct graph - a graph; immutable once made
 * @name: its kind
 * @tasks: tasks
 * @task_count: their number
 * @cell_count: cells
 * @edge_first: first predecessor of each task in @edges, and the end of the last one's
 * @edges: predecessors: the last writer of what a task accesses and, for its own cell, those
 *	that have read it since
 * @depth: tasks on the longest path
 */
struct graph {
	const char *name;
	struct graph_task *tasks;
	uint32_t task_count;
	uint32_t cell_count;
	uint64_t *edge_first;
	uint32_t *edges;
	uint32_t depth;
};

/** graph_kind() - name of the @i-th kind, NULL behind the last */
const char *graph_kind(int i);

/** graph_describe() - what that kind looks like, in a line */
const char *graph_describe(int i);

/**
 * graph_make() - make a graph
 * @name: its kind
 * @tasks: how many tasks it shall have; kinds that cannot have just as many get fewer
 *
 * Return: NULL if there is no such kind, or no memory.
 */
struct graph *graph_make(const char *name, uint32_t tasks);

/** graph_free() - NULL is fine */
void graph_free(struct graph *g);

#endif /* PTO_BENCH_GRAPH_H */
