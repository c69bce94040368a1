/* SPDX-License-Identifier: MIT */
/* What task_runtimes shows: tables, a CSV file, a plot. */
#ifndef PTO_BENCH_REPORT_H
#define PTO_BENCH_REPORT_H

#include "measure.h"

/** report_head() - begin a table on standard output */
void report_head(const struct session *s, const char *title);

/** report_row() - a line of it, with the ratio of each of ours to the best of the others */
void report_row(const struct session *s, const struct result *r);

/** report_csv_head() - begin a CSV file */
void report_csv_head(FILE *out);

/** report_csv() - a line for each runtime */
void report_csv(FILE *out, const struct session *s, const char *figure, const struct result *r);

/**
 * plot_svg() - write the plot
 * @out: SVG goes here
 * @overhead: overheads, those of one graph together, in order of tasks
 * @overhead_count: their number
 * @metg: METG of the graphs
 * @metg_count: their number
 */
void plot_svg(FILE *out, const struct session *s, const struct result *overhead,
	      int overhead_count, const struct result *metg, int metg_count);

#endif /* PTO_BENCH_REPORT_H */
