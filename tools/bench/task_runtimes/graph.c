// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define FAN		64	/* tasks of a round of fan */
#define STENCIL_WIDTH	64
#define SWEEP_SIDE	32
#define TREE_LEAVES	1024
#define RANDOM_CELLS	512

/* A graph in the making. */
struct maker {
	struct graph *g;
	uint32_t limit;
	uint64_t random;
};

static struct graph_task *add(struct maker *m, uint32_t output, uint16_t mode)
{
	struct graph_task *t = &m->g->tasks[m->g->task_count++];

	memset(t, 0, sizeof(*t));
	t->output = output;
	t->output_mode = mode;
	if (mode && output >= m->g->cell_count)
		m->g->cell_count = output + 1;
	return t;
}

static bool full(const struct maker *m)
{
	return m->g->task_count == m->limit;
}

static void reads(struct graph_task *t, uint32_t cell)
{
	t->input[t->input_count++] = cell;
}

static uint32_t next_random(struct maker *m)
{
	m->random = m->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(m->random >> 33);
}

/* Side of a square of at most @tasks, within [2, @most]. */
static uint32_t side(uint32_t tasks, uint32_t most)
{
	uint32_t n = 2;

	while (n < most && (n + 1) * (n + 1) <= tasks)
		n++;
	return n;
}

/* --- kinds --------------------------------------------------------------- */

static void make_independent(struct maker *m)
{
	while (!full(m))
		add(m, 0, GRAPH_NO_OUTPUT);
}

static void make_chain(struct maker *m)
{
	while (!full(m))
		add(m, 0, GRAPH_UPDATE);
}

static void make_fan(struct maker *m)
{
	uint32_t i;

	while (!full(m)) {
		add(m, 0, GRAPH_UPDATE);
		for (i = 1; i < FAN && !full(m); i++)
			reads(add(m, i, GRAPH_WRITE), 0);
	}
}

static void make_stencil(struct maker *m)
{
	uint32_t width = side(m->limit, STENCIL_WIDTH);
	uint32_t step, x;

	for (step = 0; !full(m); step++) {
		uint32_t to = step % 2 * width, from = width - to;

		for (x = 0; x < width && !full(m); x++) {
			struct graph_task *t = add(m, to + x, GRAPH_WRITE);

			if (x)
				reads(t, from + x - 1);
			reads(t, from + x);
			if (x + 1 < width)
				reads(t, from + x + 1);
		}
	}
	m->g->cell_count = 2 * width;
}

static void make_sweep(struct maker *m)
{
	uint32_t n = side(m->limit, SWEEP_SIDE);
	uint32_t i = 0;

	for (; !full(m); i = (i + 1) % (n * n)) {
		struct graph_task *t = add(m, i, GRAPH_UPDATE);

		if (i >= n)
			reads(t, i - n);
		if (i % n)
			reads(t, i - 1);
	}
}

static void make_one_tree(struct maker *m, uint32_t leaves)
{
	uint32_t i, distance;

	for (i = 0; i < leaves; i++)
		add(m, i, GRAPH_WRITE);
	for (distance = 1; distance < leaves; distance *= 2)
		for (i = 0; i < leaves; i += 2 * distance)
			reads(add(m, i, GRAPH_UPDATE), i + distance);
}

static void make_tree(struct maker *m)
{
	uint32_t leaves = 1;

	while (leaves < TREE_LEAVES && 4 * leaves - 1 <= m->limit)
		leaves *= 2;
	while (m->limit - m->g->task_count >= 2 * leaves - 1)
		make_one_tree(m, leaves);
}

static uint32_t cholesky_tasks(uint32_t n)
{
	return (uint32_t)((uint64_t)n * (n + 1) * (n + 2) / 6);
}

static uint32_t tile(uint32_t row, uint32_t column)
{
	return row * (row + 1) / 2 + column;
}

static void make_cholesky(struct maker *m)
{
	uint32_t n = 1, i, j, k;
	struct graph_task *t;

	while (n < 1000 && cholesky_tasks(n + 1) <= m->limit)
		n++;
	for (k = 0; k < n; k++) {
		add(m, tile(k, k), GRAPH_UPDATE);
		for (i = k + 1; i < n; i++)
			reads(add(m, tile(i, k), GRAPH_UPDATE), tile(k, k));
		for (i = k + 1; i < n; i++) {
			for (j = k + 1; j < i; j++) {
				t = add(m, tile(i, j), GRAPH_UPDATE);
				reads(t, tile(i, k));
				reads(t, tile(j, k));
			}
			reads(add(m, tile(i, i), GRAPH_UPDATE), tile(i, k));
		}
	}
}

static bool accesses(const struct graph_task *t, uint32_t cell)
{
	uint16_t i;

	for (i = 0; i < t->input_count; i++)
		if (t->input[i] == cell)
			return true;
	return t->output == cell;
}

static void make_random(struct maker *m)
{
	while (!full(m)) {
		uint32_t cell = next_random(m) % RANDOM_CELLS;
		uint32_t inputs = next_random(m) % (GRAPH_MAX_INPUTS + 1);
		struct graph_task *t = add(m, cell, GRAPH_WRITE + next_random(m) % 2);

		while (t->input_count < inputs) {
			cell = next_random(m) % RANDOM_CELLS;
			if (!accesses(t, cell))
				reads(t, cell);
		}
	}
	m->g->cell_count = RANDOM_CELLS;
}

static const struct kind {
	const char *name;
	void (*make)(struct maker *m);
	const char *text;
} kinds[] = {
	{ "independent", make_independent, "tasks without any access" },
	{ "chain", make_chain, "each updates the same cell" },
	{ "fan", make_fan, "one updates a cell, 63 read it, the next waits for all of them" },
	{ "stencil", make_stencil, "64 cells, each from three of the step before, two buffers" },
	{ "sweep", make_sweep, "32 x 32 cells, each after its upper and left one, repeated" },
	{ "tree", make_tree, "reductions of 1024 leaves by two" },
	{ "cholesky", make_cholesky, "tiled factorisation, right-looking" },
	{ "random", make_random, "each writes one of 512 cells and reads up to 4" },
};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

const char *graph_kind(int i)
{
	return i < KINDS ? kinds[i].name : NULL;
}

const char *graph_describe(int i)
{
	return kinds[i].text;
}

/* --- predecessors -------------------------------------------------------- */

/* The last writer of a cell, and those that have read it since. Numbers from 1, 0 is none. */
struct cell {
	uint32_t writer;
	uint32_t reader;	/* first entry in the list of readers */
};

struct reader {
	uint32_t task;
	uint32_t next;
};

struct analysis {
	struct graph *g;
	struct cell *cells;
	struct reader *readers;
	uint32_t *level;	/* tasks on the longest path to the end of each task */
	uint32_t reader_count;
	uint64_t edge_count;
};

/* Every reader is waited for once, every access waits for one writer at most. */
static uint64_t most_edges(const struct graph *g)
{
	return (uint64_t)g->task_count * (2 * GRAPH_MAX_INPUTS + 1);
}

static void add_edge(struct analysis *a, uint32_t task, uint32_t predecessor)
{
	if (!predecessor)
		return;
	a->g->edges[a->edge_count++] = predecessor - 1;
	if (a->level[predecessor - 1] >= a->level[task])
		a->level[task] = a->level[predecessor - 1] + 1;
}

static void analyse_task(struct analysis *a, uint32_t i)
{
	const struct graph_task *t = &a->g->tasks[i];
	struct cell *own = &a->cells[t->output];
	uint32_t r;
	uint16_t k;

	a->level[i] = 1;
	for (k = 0; k < t->input_count; k++) {
		struct cell *c = &a->cells[t->input[k]];

		add_edge(a, i, c->writer);
		a->readers[++a->reader_count] = (struct reader){ i + 1, c->reader };
		c->reader = a->reader_count;
	}
	if (!t->output_mode)
		return;
	add_edge(a, i, own->writer);
	for (r = own->reader; r; r = a->readers[r].next)
		add_edge(a, i, a->readers[r].task);
	*own = (struct cell){ i + 1, 0 };
}

static bool analyse(struct graph *g)
{
	uint64_t most_reads = (uint64_t)g->task_count * GRAPH_MAX_INPUTS;
	struct analysis a = { .g = g };
	uint32_t i;

	g->edges = malloc(most_edges(g) * sizeof(*g->edges));
	g->edge_first = malloc((g->task_count + 1ULL) * sizeof(*g->edge_first));
	a.cells = calloc(g->cell_count + 1ULL, sizeof(*a.cells));
	a.readers = malloc((most_reads + 1) * sizeof(*a.readers));
	a.level = malloc(g->task_count * sizeof(*a.level));
	if (g->edges && g->edge_first && a.cells && a.readers && a.level) {
		for (i = 0; i < g->task_count; i++) {
			g->edge_first[i] = a.edge_count;
			analyse_task(&a, i);
			if (a.level[i] > g->depth)
				g->depth = a.level[i];
		}
		g->edge_first[i] = a.edge_count;
	}
	free(a.cells);
	free(a.readers);
	free(a.level);
	return g->depth != 0;
}

struct graph *graph_make(const char *name, uint32_t tasks)
{
	struct maker m = { .limit = tasks, .random = 1 };
	int i;

	for (i = 0; i < KINDS && strcmp(kinds[i].name, name); i++)
		;
	if (i == KINDS || !tasks)
		return NULL;
	m.g = calloc(1, sizeof(*m.g));
	if (!m.g)
		return NULL;
	m.g->name = kinds[i].name;
	m.g->tasks = malloc(tasks * sizeof(*m.g->tasks));
	if (m.g->tasks) {
		kinds[i].make(&m);
		if (analyse(m.g))
			return m.g;
	}
	graph_free(m.g);
	return NULL;
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	free(g->tasks);
	free(g->edge_first);
	free(g->edges);
	free(g);
}
