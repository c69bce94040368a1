// SPDX-License-Identifier: MIT
/*
 * The plot: a panel for each graph, time per task over number of tasks with a line for each
 * runtime, and a panel with the METG of all graphs. Both axes are logarithmic.
 */
#include <math.h>
#include <string.h>

#include "report.h"

#define COLUMNS		3
#define PANEL_W		400
#define PANEL_H		280
#define LEFT		64	/* of a panel, to its axes */
#define RIGHT		16
#define TOP		34
#define BOTTOM		44
#define HEADER		64

static const char * const colours[MAX_PEERS] = {
	"#d62728", "#ff9896", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f", "#17becf",
};

/* A panel: where it lies, and what its axes span. */
struct panel {
	FILE *out;
	double x, y;
	double low_x, high_x;
	double low_y, high_y;
};

static double scale(double value, double low, double high)
{
	return (log10(value) - log10(low)) / (log10(high) - log10(low));
}

static double at_x(const struct panel *p, double value)
{
	return p->x + LEFT + scale(value, p->low_x, p->high_x) * (PANEL_W - LEFT - RIGHT);
}

static double at_y(const struct panel *p, double value)
{
	return p->y + PANEL_H - BOTTOM -
	       scale(value, p->low_y, p->high_y) * (PANEL_H - TOP - BOTTOM);
}

static void text(const struct panel *p, double x, double y, const char *anchor, const char *s)
{
	fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y,
		anchor, s);
}

static void line(const struct panel *p, double x1, double y1, double x2, double y2,
		 const char *colour)
{
	fprintf(p->out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" fill=\"none\"/>\n", x1, y1,
		x2, y2, colour);
}

/* A round number, short. */
static const char *label(char *buf, size_t size, double value)
{
	if (value >= 1e6)
		snprintf(buf, size, "%gM", value / 1e6);
	else if (value >= 1e3)
		snprintf(buf, size, "%gk", value / 1e3);
	else
		snprintf(buf, size, "%g", value);
	return buf;
}

static void draw_y_axis(const struct panel *p, const char *title)
{
	char buf[16];
	double v;

	for (v = p->low_y; v <= p->high_y * 1.01; v *= 10) {
		line(p, p->x + LEFT, at_y(p, v), p->x + PANEL_W - RIGHT, at_y(p, v), "#ddd");
		text(p, p->x + LEFT - 6, at_y(p, v) + 4, "end", label(buf, sizeof(buf), v));
	}
	fprintf(p->out,
		"<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
		p->x + 16, p->y + (TOP + PANEL_H - BOTTOM) / 2.0, title);
}

static void draw_x_axis(const struct panel *p, const char *title)
{
	char buf[16];
	double v;

	for (v = p->low_x; v <= p->high_x * 1.01; v *= 10) {
		line(p, at_x(p, v), p->y + TOP, at_x(p, v), p->y + PANEL_H - BOTTOM, "#ddd");
		text(p, at_x(p, v), p->y + PANEL_H - BOTTOM + 16, "middle",
		     label(buf, sizeof(buf), v));
	}
	text(p, p->x + (LEFT + PANEL_W - RIGHT) / 2.0, p->y + PANEL_H - 10, "middle", title);
}

static void heading(const struct panel *p, const char *s)
{
	fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" font-weight=\"bold\">%s</text>\n", p->x + LEFT,
		p->y + TOP - 10, s);
}

/* Powers of ten around all values of some results. */
static void span(const struct session *s, const struct result *r, int count, double *low,
		 double *high)
{
	double min = INFINITY, max = 0;
	int i, k;

	for (i = 0; i < count; i++) {
		for (k = 0; k < s->peer_count; k++) {
			min = fmin(min, r[i].median[k]);
			max = fmax(max, r[i].median[k]);
		}
	}
	if (!(min > 0 && max >= min)) {
		min = 100;
		max = 100;
	}
	*low = pow(10, floor(log10(min)));
	*high = pow(10, ceil(log10(max)));
	if (*high <= *low)
		*high = *low * 10;
}

static void draw_curve(const struct panel *p, const struct result *r, int count, int peer)
{
	char command = 'M';
	int i;

	fprintf(p->out, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", colours[peer]);
	for (i = 0; i < count; i++) {
		if (isnan(r[i].median[peer]))
			continue;
		fprintf(p->out, "%c%.1f %.1f", command, at_x(p, r[i].tasks),
			at_y(p, r[i].median[peer]));
		command = 'L';
	}
	fprintf(p->out, "\"/>\n");
	for (i = 0; i < count; i++)
		if (!isnan(r[i].median[peer]))
			fprintf(p->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
				at_x(p, r[i].tasks), at_y(p, r[i].median[peer]), colours[peer]);
}

static void draw_overhead(struct panel *p, const struct session *s, const struct result *r,
			  int count)
{
	int i;

	p->low_x = pow(10, floor(log10(r[0].tasks)));
	p->high_x = pow(10, ceil(log10(r[count - 1].tasks)));
	if (p->high_x <= p->low_x)
		p->high_x = p->low_x * 10;
	heading(p, r[0].graph);
	draw_x_axis(p, "tasks");
	draw_y_axis(p, "ns per task");
	for (i = s->peer_count - 1; i >= 0; i--)
		draw_curve(p, r, count, i);
}

static void draw_metg(struct panel *p, const struct session *s, const struct result *r, int count)
{
	double group = (double)(PANEL_W - LEFT - RIGHT) / count;
	double bar = group * 0.8 / s->peer_count;
	int i, k;

	heading(p, "METG(50 %)");
	draw_y_axis(p, "ns");
	for (i = 0; i < count; i++) {
		double x = p->x + LEFT + group * i + group * 0.1;

		for (k = 0; k < s->peer_count; k++) {
			double y = isnan(r[i].median[k]) ? 0 : at_y(p, r[i].median[k]);

			if (y > 0)
				fprintf(p->out,
					"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
					x + bar * k, y, bar, p->y + PANEL_H - BOTTOM - y,
					colours[k]);
		}
		fprintf(p->out,
			"<text transform=\"translate(%.1f %.1f) rotate(-35)\" text-anchor=\"end\">%s</text>\n",
			x + group * 0.4, p->y + PANEL_H - BOTTOM + 12, r[i].graph);
	}
}

static void draw_legend(struct panel *p, const struct session *s)
{
	int i;

	for (i = 0; i < s->peer_count; i++) {
		fprintf(p->out, "<rect x=\"%d\" y=\"36\" width=\"14\" height=\"14\" fill=\"%s\"/>\n",
			LEFT + i * 140, colours[i]);
		text(p, LEFT + i * 140 + 20, 48, "start", s->peers[i].name);
	}
}

static void place(struct panel *p, int i)
{
	p->x = i % COLUMNS * PANEL_W;
	p->y = HEADER + i / COLUMNS * PANEL_H;
}

/* Results of one graph, from @r on. */
static int same_graph(const struct result *r, int count)
{
	int n = 1;

	while (n < count && !strcmp(r[n].graph, r[0].graph))
		n++;
	return n;
}

void plot_svg(FILE *out, const struct session *s, const struct result *overhead,
	      int overhead_count, const struct result *metg, int metg_count)
{
	struct panel p = { .out = out };
	int panels = metg_count > 0;
	int i, n;

	for (i = 0; i < overhead_count; i += same_graph(&overhead[i], overhead_count - i))
		panels++;
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		COLUMNS * PANEL_W, HEADER + (panels + COLUMNS - 1) / COLUMNS * PANEL_H);
	fprintf(out,
		"<text x=\"%d\" y=\"22\" font-size=\"15\" font-weight=\"bold\">Overhead per task, %u threads that execute tasks</text>\n",
		LEFT, s->threads);
	draw_legend(&p, s);
	panels = 0;
	span(s, overhead, overhead_count, &p.low_y, &p.high_y);
	for (i = 0; i < overhead_count; i += n) {
		n = same_graph(&overhead[i], overhead_count - i);
		place(&p, panels++);
		draw_overhead(&p, s, &overhead[i], n);
	}
	if (metg_count) {
		span(s, metg, metg_count, &p.low_y, &p.high_y);
		place(&p, panels);
		draw_metg(&p, s, metg, metg_count);
	}
	fprintf(out, "</svg>\n");
}
