// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#define MAX_SAMPLES	64
#define LONG_TASKS	20000		/* graphs of more are warmed up once */
#define LONG_NS		1e9		/* samples that take longer are taken 3 times at most */
#define METG_LOW	10.0		/* search between these durations, in ns */
#define METG_HIGH	2e6
#define METG_STEPS	10

/* Samples of one figure of one runtime. */
struct samples {
	double value[MAX_SAMPLES];
	int count;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(struct samples *s, double q)
{
	if (!s->count)
		return NAN;
	qsort(s->value, s->count, sizeof(s->value[0]), compare);
	return s->value[(int)(q * (s->count - 1))];
}

static void tell(const struct session *s, const char *what, const char *graph, uint32_t tasks,
		 const char *name, int done, int all)
{
	if (s->progress)
		fprintf(stderr, "\r%-10s %-12s %8u tasks  %-10s %2d/%d\033[K", what, graph, tasks,
			name, done + 1, all);
}

static void tell_end(const struct session *s)
{
	if (s->progress)
		fprintf(stderr, "\r\033[K");
}

/* What all runtimes are told of the graph: the tasks it has, the longest path. */
struct shape {
	uint32_t tasks;
	uint32_t depth;
};

static int load(struct session *s, const char *graph, uint32_t tasks, struct shape *shape)
{
	char reply[PEER_TEXT];
	int alive = 0, i;

	for (i = 0; i < s->peer_count; i++) {
		struct peer *p = &s->peers[i];

		tell(s, "load", graph, tasks, p->name, i, s->peer_count);
		if (!p->alive || peer_ask(p, reply, "graph %s %u\n", graph, tasks))
			continue;
		if (sscanf(reply, "ok %" SCNu32 " %" SCNu32, &shape->tasks, &shape->depth) != 2)
			return -1;
		alive++;
	}
	tell_end(s);
	return alive ? 0 : -1;
}

static void sample(struct peer *p, struct samples *into, uint64_t steps, int times)
{
	char reply[PEER_TEXT];

	if (p->alive && !peer_ask(p, reply, "run %" PRIu64 " %d\n", steps, times))
		into->value[into->count++] = strtod(reply, NULL);
}

int measure_check(struct session *s, const char *graph, uint32_t tasks)
{
	char reply[PEER_TEXT];
	struct shape shape;
	int ret = load(s, graph, tasks, &shape);
	int i;

	for (i = 0; i < s->peer_count; i++) {
		struct peer *p = &s->peers[i];

		tell(s, "check", graph, tasks, p->name, i, s->peer_count);
		if (!p->alive || peer_ask(p, reply, "check\n")) {
			ret = -1;
		} else if (strcmp(reply, "ok")) {
			fprintf(stderr, "task_runtimes: %s, %s: %s\n", p->name, graph, reply);
			ret = -1;
		}
	}
	tell_end(s);
	return ret;
}

static void summarise(struct session *s, struct samples *samples, double scale, struct result *r)
{
	int i;

	for (i = 0; i < s->peer_count; i++) {
		r->median[i] = quantile(&samples[i], 0.5) * scale;
		r->best[i] = quantile(&samples[i], 0) * scale;
	}
}

int measure_overhead(struct session *s, const char *graph, uint32_t tasks, struct result *r)
{
	static struct samples samples[MAX_PEERS];
	struct shape shape;
	int i, round;

	memset(samples, 0, sizeof(samples));
	if (load(s, graph, tasks, &shape))
		return -1;
	for (round = 0; round < s->repeat; round++) {
		for (i = 0; i < s->peer_count; i++) {
			int times = tasks <= LONG_TASKS || !round ? 2 : 1;

			if (round >= 3 && samples[i].value[0] > LONG_NS)
				continue;
			tell(s, "overhead", graph, tasks, s->peers[i].name, round, s->repeat);
			sample(&s->peers[i], &samples[i], 0, times);
		}
	}
	tell_end(s);
	r->graph = graph;
	r->tasks = shape.tasks;
	summarise(s, samples, 1.0 / shape.tasks, r);
	return 0;
}

/* --- METG(50 %) ---------------------------------------------------------- */

/* The search for one runtime: efficient at @high, not so at @low. */
struct search {
	double low;
	double high;
	double steps;	/* of the duration that is tried now */
};

static double shortest_run(const struct session *s, const struct shape *shape)
{
	double share = (double)shape->tasks / s->threads;

	return share > shape->depth ? share : shape->depth;
}

static void try_durations(struct session *s, const char *graph, const struct shape *shape,
			  struct search *search, struct samples *samples, int step)
{
	int i, round;

	memset(samples, 0, MAX_PEERS * sizeof(*samples));
	for (i = 0; i < s->peer_count; i++)
		search[i].steps = ceil(sqrt(search[i].low * search[i].high) / s->step_ns);
	for (round = 0; round < s->repeat; round++) {
		for (i = 0; i < s->peer_count; i++) {
			tell(s, "METG", graph, shape->tasks, s->peers[i].name, step, METG_STEPS);
			sample(&s->peers[i], &samples[i], (uint64_t)search[i].steps, 2);
		}
	}
}

/* Narrows a search down by what has been measured. */
static void decide(const struct session *s, const struct shape *shape, struct search *search,
		   struct samples *samples)
{
	double duration = search->steps * s->step_ns;

	if (quantile(samples, 0.5) <= 2 * shortest_run(s, shape) * duration)
		search->high = duration;
	else
		search->low = duration;
}

int measure_metg(struct session *s, const char *graph, uint32_t tasks, struct result *r)
{
	static struct samples samples[MAX_PEERS];
	struct search search[MAX_PEERS];
	struct shape shape;
	int i, step;

	if (load(s, graph, tasks, &shape))
		return -1;
	for (i = 0; i < s->peer_count; i++)
		search[i] = (struct search){ METG_LOW, METG_HIGH, 0 };
	for (step = 0; step < METG_STEPS; step++) {
		try_durations(s, graph, &shape, search, samples, step);
		for (i = 0; i < s->peer_count; i++)
			decide(s, &shape, &search[i], &samples[i]);
	}
	tell_end(s);
	r->graph = graph;
	r->tasks = shape.tasks;
	for (i = 0; i < s->peer_count; i++) {
		bool found = s->peers[i].alive && search[i].high < METG_HIGH;

		r->median[i] = found ? search[i].high : NAN;
		r->best[i] = r->median[i];
	}
	return 0;
}
