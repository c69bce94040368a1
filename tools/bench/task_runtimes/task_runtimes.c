// SPDX-License-Identifier: MIT
/*
 * task_runtimes: our task runtime next to others, on the same graphs with the same kernels and
 * as many threads, in one run.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <pto/version.h>

#include "graph.h"
#include "kernel.h"
#include "report.h"

const char *argp_program_version = "task_runtimes " PTO_VERSION;

#define KEY_CSV		256
#define KEY_SVG		257
#define KEY_METG_TASKS	258
#define KEY_LIST	259

static struct argp_option options[] = {
	{ "graphs", 'g', "LIST", 0, "Kinds of graphs (default: all; see --list)", 0 },
	{ "tasks", 't', "LIST", 0,
	  "Tasks per graph (default 100,1000,10000,100000,1000000)", 0 },
	{ "metg-tasks", KEY_METG_TASKS, "N", 0,
	  "Tasks of the graphs for METG (default 4096); 0: no METG", 0 },
	{ "runtimes", 'r', "LIST", 0, "Runtimes (default: all that are built)", 0 },
	{ "threads", 'p', "N", 0,
	  "Threads that execute tasks, in each (default: one per processor, at least 2)", 0 },
	{ "repeat", 'n', "N", 0, "Samples per figure, 1 to 64 (default 5)", 0 },
	{ "quick", 'q', NULL, 0, "As --tasks 1000,10000 --metg-tasks 1024 --repeat 3", 0 },
	{ "csv", KEY_CSV, "FILE", 0, "Write all figures as CSV", 0 },
	{ "svg", KEY_SVG, "FILE", 0, "Plot them", 0 },
	{ "list", KEY_LIST, NULL, 0, "List graphs and runtimes", 0 },
	{ 0 }
};

static const char text[] =
	"Measures task runtimes side by side: overhead per task with empty kernels, and METG(50 %), "
	"the shortest task with which a run takes at most twice as long as graph and threads allow."
	"\vEach runtime lives in a process of its own (task_runtimes-NAME); the others are stopped "
	"while one is measured, and all take turns. Each graph is first run once with kernels that "
	"check its order. A figure is the median of the samples; an overhead is the time from "
	"before the first task is made until all have ended, over the number of tasks, in a run "
	"that another one has warmed up. One thread makes the tasks. Memory for the graph is there "
	"before. Idle threads do what they do by default (set OMP_WAIT_POLICY or STARPU_* to change "
	"that).\n\nExit status: 0 measured, 1 failed, or a runtime ran tasks in a wrong order.";

/* What the command line says. */
struct settings {
	const char *graphs[MAX_GRAPHS];
	int graph_count;
	uint32_t sizes[MAX_SIZES];
	int size_count;
	uint32_t metg_tasks;
	const char *runtimes[MAX_PEERS];
	int runtime_count;
	unsigned int threads;
	int repeat;
	const char *csv;
	const char *svg;
};

static void list(void)
{
	int i;

	printf("Graphs:\n");
	for (i = 0; graph_kind(i); i++)
		printf("  %-14s%s\n", graph_kind(i), graph_describe(i));
	printf("Runtimes:\n");
	for (i = 0; peer_known(i); i++)
		printf("  %-14s%s\n", peer_known(i),
		       peer_built(peer_known(i)) ? "" : "(not built: make bench)");
	exit(0);
}

static uint32_t number(struct argp_state *state, const char *s, uint32_t low, uint32_t high)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(s, &end, 10);
	if (errno || end == s || *end || value < low || value > high || *s == '-')
		argp_error(state, "not a number from %u to %u: '%s'", low, high, s);
	return (uint32_t)value;
}

/* The name of @known that is @s. */
static const char *choose(struct argp_state *state, const char *(*known)(int i), const char *s)
{
	int i;

	for (i = 0; known(i); i++)
		if (!strcmp(known(i), s))
			return known(i);
	argp_error(state, "unknown: '%s' (see --list)", s);
	return NULL;
}

static void parse_names(struct argp_state *state, char *arg, const char *(*known)(int i),
			const char **names, int *count, int limit)
{
	char *s;

	*count = 0;
	while ((s = strsep(&arg, ","))) {
		if (*count == limit)
			argp_error(state, "more than %d names", limit);
		names[(*count)++] = choose(state, known, s);
	}
}

static void parse_sizes(struct argp_state *state, struct settings *set, char *arg)
{
	char *s;

	set->size_count = 0;
	while ((s = strsep(&arg, ","))) {
		if (set->size_count == MAX_SIZES)
			argp_error(state, "more than %d numbers of tasks", MAX_SIZES);
		set->sizes[set->size_count++] = number(state, s, 4, 100000000);
	}
}

static void be_quick(struct settings *set)
{
	set->sizes[0] = 1000;
	set->sizes[1] = 10000;
	set->size_count = 2;
	set->metg_tasks = 1024;
	set->repeat = 3;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *set = state->input;

	switch (key) {
	case 'g':
		parse_names(state, arg, graph_kind, set->graphs, &set->graph_count, MAX_GRAPHS);
		return 0;
	case 't':
		parse_sizes(state, set, arg);
		return 0;
	case KEY_METG_TASKS:
		set->metg_tasks = number(state, arg, 0, 1000000);
		return 0;
	case 'r':
		parse_names(state, arg, peer_known, set->runtimes, &set->runtime_count, MAX_PEERS);
		return 0;
	case 'p':
		set->threads = number(state, arg, 2, 256);
		return 0;
	case 'n':
		set->repeat = (int)number(state, arg, 1, 64);
		return 0;
	case 'q':
		be_quick(set);
		return 0;
	case KEY_CSV:
		set->csv = arg;
		return 0;
	case KEY_SVG:
		set->svg = arg;
		return 0;
	case KEY_LIST:
		list();
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = { options, parse, NULL, text, NULL, NULL, NULL };

static void set_defaults(struct settings *set)
{
	static const uint32_t sizes[] = { 100, 1000, 10000, 100000, 1000000 };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int i;

	while (graph_kind(set->graph_count)) {
		set->graphs[set->graph_count] = graph_kind(set->graph_count);
		set->graph_count++;
	}
	for (i = 0; peer_known(i); i++)
		if (peer_built(peer_known(i)))
			set->runtimes[set->runtime_count++] = peer_known(i);
	memcpy(set->sizes, sizes, sizeof(sizes));
	set->size_count = sizeof(sizes) / sizeof(sizes[0]);
	set->metg_tasks = 4096;
	set->repeat = 5;
	set->threads = processors < 2 ? 2 : processors > 256 ? 256 : (unsigned int)processors;
}

/* --- measuring ----------------------------------------------------------- */

/* All that has been measured. */
struct figures {
	struct result overhead[MAX_GRAPHS * MAX_SIZES];
	int overhead_count;
	struct result metg[MAX_GRAPHS];
	int metg_count;
	FILE *csv;
};

static int start_peers(struct session *s, const struct settings *set)
{
	int i;

	for (i = 0; i < set->runtime_count; i++) {
		s->peer_count++;
		if (peer_start(&s->peers[i], set->runtimes[i], set->threads))
			return -1;
	}
	return 0;
}

static int all_alive(const struct session *s)
{
	int i;

	for (i = 0; i < s->peer_count; i++)
		if (!s->peers[i].alive)
			return 0;
	return 1;
}

static void print_conditions(const struct session *s)
{
	struct utsname uts;
	int i;

	if (!uname(&uts))
		printf("%s %s %s, %ld processors, %u threads that execute tasks, %d samples per figure\n",
		       uts.sysname, uts.release, uts.machine, sysconf(_SC_NPROCESSORS_ONLN),
		       s->threads, s->repeat);
	for (i = 0; i < s->peer_count; i++)
		printf("  %-10s %s\n", s->peers[i].name, s->peers[i].version);
	fflush(stdout);
}

#define CHECK_TASKS 4096

static int check_all(struct session *s, const struct settings *set)
{
	int i, ret = 0;

	for (i = 0; i < set->graph_count; i++)
		ret |= measure_check(s, set->graphs[i], CHECK_TASKS);
	if (!ret)
		printf("All have run %u tasks of each graph in its order.\n", CHECK_TASKS);
	return ret;
}

static int measure_overheads(struct session *s, const struct settings *set, struct figures *f)
{
	int i, k;

	report_head(s, "Overhead: nanoseconds per task, empty kernels");
	for (i = 0; i < set->graph_count; i++) {
		for (k = 0; k < set->size_count; k++) {
			struct result *r = &f->overhead[f->overhead_count];

			if (measure_overhead(s, set->graphs[i], set->sizes[k], r))
				return -1;
			f->overhead_count++;
			report_row(s, r);
			if (f->csv)
				report_csv(f->csv, s, "overhead", r);
		}
	}
	return 0;
}

static int measure_metgs(struct session *s, const struct settings *set, struct figures *f)
{
	int i;

	if (!set->metg_tasks)
		return 0;
	report_head(s, "METG(50 %): nanoseconds of the shortest task that is worth it");
	for (i = 0; i < set->graph_count; i++) {
		struct result *r = &f->metg[f->metg_count];

		if (measure_metg(s, set->graphs[i], set->metg_tasks, r))
			return -1;
		f->metg_count++;
		report_row(s, r);
		if (f->csv)
			report_csv(f->csv, s, "metg", r);
	}
	return 0;
}

static int create(const char *path, FILE **out)
{
	*out = path ? fopen(path, "w") : NULL;
	if (!path || *out)
		return 0;
	fprintf(stderr, "task_runtimes: %s: %s\n", path, strerror(errno));
	return -1;
}

static int measure_all(struct session *s, const struct settings *set)
{
	static struct figures f;
	FILE *svg;
	int ret;

	if (create(set->csv, &f.csv) || create(set->svg, &svg))
		return -1;
	if (f.csv)
		report_csv_head(f.csv);
	ret = measure_overheads(s, set, &f);
	if (!ret)
		ret = measure_metgs(s, set, &f);
	if (!ret && svg)
		plot_svg(svg, s, f.overhead, f.overhead_count, f.metg, f.metg_count);
	if ((svg && fclose(svg)) || (f.csv && fclose(f.csv))) {
		fprintf(stderr, "task_runtimes: cannot write: %s\n", strerror(errno));
		ret = -1;
	}
	return ret;
}

int main(int argc, char **argv)
{
	static struct settings set;
	static struct session s;
	int i, ret;

	set_defaults(&set);
	argp_parse(&argp, argc, argv, 0, NULL, &set);
	s.threads = set.threads;
	s.repeat = set.repeat;
	s.progress = isatty(STDERR_FILENO);
	s.step_ns = bench_calibrate();
	ret = start_peers(&s, &set);
	if (!ret) {
		print_conditions(&s);
		ret = check_all(&s, &set);
	}
	if (!ret)
		ret = measure_all(&s, &set);
	if (!all_alive(&s))
		ret = -1;
	for (i = 0; i < s.peer_count; i++)
		peer_stop(&s.peers[i]);
	return ret ? 1 : 0;
}
