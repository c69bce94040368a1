/* SPDX-License-Identifier: MIT */
/*
 * A runtime, as task_runtimes sees it. Each is a program of its own, because runtimes in one
 * process disturb each other: backend_main.c and one backend_*.c.
 *
 * Rules that make the figures comparable: one thread makes the tasks, in the order of the
 * graph; as many threads as are asked for execute them, counting the one that makes them if
 * it executes tasks too; tasks are tied by the cells that they access, as far as the runtime
 * finds out by itself; what the graph needs is allocated before; idle threads do what they
 * do by default.
 */
#ifndef PTO_BENCH_BACKEND_H
#define PTO_BENCH_BACKEND_H

#include <stdint.h>

#include "graph.h"
#include "kernel.h"

#define CELL_BYTES 64

/**
 * struct backend - a runtime
 * @name: its name
 * @version: of what, which version
 * @start: make @threads threads that execute tasks; 0, or -1 and a line on standard error
 * @load: get ready to run a graph; as @start
 * @run: run the loaded graph; nanoseconds from before the first task is made until all have
 *	ended, or -1 and a line on standard error. Called first to warm up
 * @unload: forget the graph
 */
struct backend {
	const char *name;
	const char *version;
	int (*start)(unsigned int threads);
	int (*load)(const struct graph *g);
	int64_t (*run)(bench_kernel_fn kernel);
	void (*unload)(void);
};

extern const struct backend backend;

#endif /* PTO_BENCH_BACKEND_H */
