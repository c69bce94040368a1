// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>

#include "report.h"

#define COLUMN 9	/* at least, for a number */

static int width(const char *title)
{
	int n = snprintf(NULL, 0, "%s", title);

	return n > COLUMN ? n : COLUMN;
}

static void rule(int columns)
{
	putchar('|');
	while (columns--)
		putchar('-');
	putchar(':');
}

void report_head(const struct session *s, const char *title)
{
	int i;

	printf("\n%s\n\n| %-12s| %8s ", title, "graph", "tasks");
	for (i = 0; i < s->peer_count; i++)
		printf("| %*s ", width(s->peers[i].name), s->peers[i].name);
	for (i = 0; i < s->peer_count; i++)
		if (s->peers[i].own)
			printf("| %*s/best ", width(s->peers[i].name) - 5, s->peers[i].name);
	printf("|\n|:------------");
	rule(9);
	for (i = 0; i < s->peer_count; i++)
		rule(width(s->peers[i].name) + 1);
	for (i = 0; i < s->peer_count; i++)
		if (s->peers[i].own)
			rule(snprintf(NULL, 0, " %*s/best", width(s->peers[i].name) - 5,
				      s->peers[i].name));
	printf("|\n");
	fflush(stdout);
}

/* The best of the runtimes that are not ours. */
static double best_other(const struct session *s, const struct result *r)
{
	double best = NAN;
	int i;

	for (i = 0; i < s->peer_count; i++)
		if (!s->peers[i].own)
			best = fmin(best, r->median[i]);
	return best;
}

static void cell(int columns, int digits, double value)
{
	if (isnan(value))
		printf("| %*s ", columns, "-");
	else
		printf("| %*.*f ", columns, digits, value);
}

void report_row(const struct session *s, const struct result *r)
{
	int i;

	printf("| %-12s| %8u ", r->graph, r->tasks);
	for (i = 0; i < s->peer_count; i++)
		cell(width(s->peers[i].name), 0, r->median[i]);
	for (i = 0; i < s->peer_count; i++)
		if (s->peers[i].own)
			cell(snprintf(NULL, 0, "%*s/best", width(s->peers[i].name) - 5,
				      s->peers[i].name),
			     2, r->median[i] / best_other(s, r));
	printf("|\n");
	fflush(stdout);
}

void report_csv_head(FILE *out)
{
	fprintf(out, "figure,graph,tasks,runtime,median_ns,best_ns\n");
}

void report_csv(FILE *out, const struct session *s, const char *figure, const struct result *r)
{
	int i;

	for (i = 0; i < s->peer_count; i++)
		if (!isnan(r->median[i]))
			fprintf(out, "%s,%s,%u,%s,%.1f,%.1f\n", figure, r->graph, r->tasks,
				s->peers[i].name, r->median[i], r->best[i]);
	fflush(out);
}
