// SPDX-License-Identifier: MIT
/*
 * StarPU: a codelet for each number of inputs and each kind of output, a data handle for each
 * cell. Its workers are threads of their own: the thread that makes the tasks executes none.
 */
#include <starpu.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"

#define KINDS ((GRAPH_MAX_INPUTS + 1) * 3)

static struct starpu_codelet codelets[KINDS];
static const struct graph *graph;
static char (*cells)[CELL_BYTES];
static starpu_data_handle_t *handles;
static bench_kernel_fn current;

static void execute(void *buffers[], void *arg)
{
	current((uint32_t)(uintptr_t)arg);
}

static void make_codelet(int kind)
{
	struct starpu_codelet *c = &codelets[kind];
	int inputs = kind / 3, i;

	starpu_codelet_init(c);
	c->cpu_funcs[0] = execute;
	c->nbuffers = inputs + (kind % 3 != GRAPH_NO_OUTPUT);
	for (i = 0; i < inputs; i++)
		c->modes[i] = STARPU_R;
	if (kind % 3)
		c->modes[inputs] = kind % 3 == GRAPH_WRITE ? STARPU_W : STARPU_RW;
}

static int start(unsigned int threads)
{
	struct starpu_conf conf;
	int i;

	setenv("STARPU_SILENT", "1", 0);	/* it tells of its calibration */
	starpu_conf_init(&conf);
	conf.ncpus = (int)threads;
	conf.ncuda = 0;
	conf.nopencl = 0;
	for (i = 0; i < KINDS; i++)
		make_codelet(i);
	if (starpu_init(&conf) || starpu_cpu_worker_get_count() != threads) {
		fprintf(stderr, "starpu: cannot make %u workers\n", threads);
		return -1;
	}
	return 0;
}

static int load(const struct graph *g)
{
	uint32_t i;

	graph = g;
	cells = calloc(g->cell_count + 1ULL, sizeof(*cells));
	handles = calloc(g->cell_count + 1ULL, sizeof(*handles));
	if (!cells || !handles) {
		fprintf(stderr, "starpu: no memory for the cells\n");
		return -1;
	}
	for (i = 0; i < g->cell_count; i++)
		starpu_variable_data_register(&handles[i], STARPU_MAIN_RAM, (uintptr_t)cells[i],
					      CELL_BYTES);
	return 0;
}

static int make_task(const struct graph_task *t, uint32_t number)
{
	struct starpu_task *task = starpu_task_create();
	uint16_t i;

	task->cl = &codelets[t->input_count * 3 + t->output_mode];
	task->cl_arg = (void *)(uintptr_t)number;
	for (i = 0; i < t->input_count; i++)
		task->handles[i] = handles[t->input[i]];
	if (t->output_mode)
		task->handles[i] = handles[t->output];
	return starpu_task_submit(task);
}

static int64_t run(bench_kernel_fn kernel)
{
	uint64_t begin = bench_now();
	uint32_t i;

	current = kernel;
	for (i = 0; i < graph->task_count; i++) {
		if (make_task(&graph->tasks[i], i)) {
			fprintf(stderr, "starpu: cannot submit a task\n");
			return -1;
		}
	}
	starpu_task_wait_for_all();
	return (int64_t)(bench_now() - begin);
}

static void unload(void)
{
	uint32_t i;

	for (i = 0; i < graph->cell_count; i++)
		starpu_data_unregister(handles[i]);
	free(handles);
	free(cells);
}

#define LITERAL(x) #x
#define TEXT(x) LITERAL(x)

const struct backend backend = {
	.name = "starpu",
	.version = TEXT(STARPU_MAJOR_VERSION) "." TEXT(STARPU_MINOR_VERSION) "."
		   TEXT(STARPU_RELEASE_VERSION),
	.start = start,
	.load = load,
	.run = run,
	.unload = unload,
};
