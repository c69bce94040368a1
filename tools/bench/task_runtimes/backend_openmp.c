// SPDX-License-Identifier: MIT
/*
 * OpenMP tasks with depend clauses: libgomp if gcc compiles this, libomp if clang does.
 *
 * The number of depend clauses of a task is fixed in its source, so there is a task for each
 * number of inputs and each kind of output.
 */
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"

static unsigned int team;
static const struct graph *graph;
static char (*cells)[CELL_BYTES];

static int start(unsigned int threads)
{
	team = threads;
	return 0;
}

static int load(const struct graph *g)
{
	graph = g;
	cells = calloc(g->cell_count + 1ULL, sizeof(*cells));
	if (!cells)
		fprintf(stderr, "%s: no memory for the cells\n", backend.name);
	return cells ? 0 : -1;
}

#define IN(i) cells[t->input[i]][0]
#define OUT cells[t->output][0]
#define PRAGMA(text) _Pragma(#text)
#define TASK(...)								\
	PRAGMA(omp task default(none) firstprivate(kernel, i) __VA_ARGS__)	\
	kernel(i)

#define WITH_OUTPUTS(inputs, ...)						\
	case (inputs) * 3 + GRAPH_NO_OUTPUT:					\
		TASK(__VA_ARGS__);						\
		break;								\
	case (inputs) * 3 + GRAPH_WRITE:					\
		TASK(__VA_ARGS__ depend(out : OUT));				\
		break;								\
	case (inputs) * 3 + GRAPH_UPDATE:					\
		TASK(__VA_ARGS__ depend(inout : OUT));				\
		break

static void make_task(const struct graph_task *t, bench_kernel_fn kernel, uint32_t i)
{
	switch (t->input_count * 3 + t->output_mode) {
	WITH_OUTPUTS(0);
	WITH_OUTPUTS(1, depend(in : IN(0)));
	WITH_OUTPUTS(2, depend(in : IN(0), IN(1)));
	WITH_OUTPUTS(3, depend(in : IN(0), IN(1), IN(2)));
	WITH_OUTPUTS(4, depend(in : IN(0), IN(1), IN(2), IN(3)));
	}
}

static int64_t run(bench_kernel_fn kernel)
{
	int64_t ns = 0;

	/* The other threads wait at the end of the region, and execute tasks there. */
#pragma omp parallel num_threads(team)
#pragma omp single
	{
		uint64_t begin = bench_now();
		uint32_t i;

		for (i = 0; i < graph->task_count; i++)
			make_task(&graph->tasks[i], kernel, i);
#pragma omp taskwait
		ns = (int64_t)(bench_now() - begin);
	}
	return ns;
}

static void unload(void)
{
	free(cells);
}

#define LITERAL(x) #x
#define TEXT(x) LITERAL(x)

const struct backend backend = {
#ifdef __clang__
	.name = "libomp",
	.version = "of clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "."
		   TEXT(__clang_patchlevel__),
#else
	.name = "libgomp",
	.version = "of gcc " __VERSION__,
#endif
	.start = start,
	.load = load,
	.run = run,
	.unload = unload,
};
