// SPDX-License-Identifier: MIT
/*
 * A runtime's process: does what task_runtimes asks for on standard input, a line each, and
 * answers with a line on standard output.
 *
 *   (at first)         NAME VERSION
 *   graph KIND TASKS   ok TASKS DEPTH EDGES
 *   check              ok, or what was wrong
 *   run STEPS TIMES    nanoseconds of the last of TIMES runs; STEPS of work in each task
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

static struct graph *loaded;

static int load(const char *line)
{
	char kind[32];
	uint32_t tasks;

	if (loaded)
		backend.unload();
	graph_free(loaded);
	loaded = NULL;
	if (sscanf(line, "graph %31s %" SCNu32, kind, &tasks) != 2)
		return -1;
	loaded = graph_make(kind, tasks);
	if (!loaded) {
		fprintf(stderr, "%s: no memory for the graph\n", backend.name);
		return -1;
	}
	if (backend.load(loaded))
		return -1;
	printf("ok %u %u %" PRIu64 "\n", loaded->task_count, loaded->depth,
	       loaded->edge_first[loaded->task_count]);
	return 0;
}

static int check(void)
{
	bench_kernel_fn kernel = kernel_check(loaded);
	char text[128];

	if (!kernel || backend.run(kernel) < 0)
		return -1;
	printf("%s\n", kernel_verdict(text, sizeof(text)) ? text : "ok");
	return 0;
}

static int run(const char *line)
{
	uint64_t steps;
	uint32_t times;
	int64_t ns = -1;

	if (sscanf(line, "run %" SCNu64 " %" SCNu32, &steps, &times) != 2)
		return -1;
	while (times--) {
		ns = backend.run(kernel_work(steps));
		if (ns < 0)
			return -1;
	}
	printf("%" PRId64 "\n", ns);
	return 0;
}

static int serve(const char *line)
{
	if (!strncmp(line, "graph ", 6))
		return load(line);
	if (!loaded)
		return -1;
	return strcmp(line, "check\n") ? run(line) : check();
}

int main(int argc, char **argv)
{
	unsigned int threads = argc == 2 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;
	char line[128];

	if (!threads || threads > 1024) {
		fprintf(stderr, "usage: %s THREADS\nIt is started by task_runtimes.\n", argv[0]);
		return 2;
	}
	if (backend.start(threads))
		return 1;
	printf("%s %s\n", backend.name, backend.version);
	do {
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			exit(0);	/* without waiting for the runtime's threads */
	} while (!serve(line));
	fprintf(stderr, "%s: cannot do: %s", backend.name, line);
	return 1;
}
