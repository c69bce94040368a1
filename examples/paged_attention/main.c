// SPDX-License-Identifier: MIT
/*
 * paged_attention: softmax(scale * Q * transpose(K)) * V for sequences whose keys and values are
 * scattered over a cache in pages, as a language model's decoder needs it. Inputs are bfloat16;
 * sums, and the output, float32.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"
#include "../common/half.h"

#define MAX_BATCH 64
#define TOLERANCE 0.0001

enum { VARIANT_AUTO, VARIANT_MANUAL };
enum { RINGS_DEFAULT, RINGS_SMALL, RINGS_LARGE };

/**
 * struct geometry - sizes of a problem
 * @batch: sequences
 * @heads: heads of the query, all of which use the same keys and values
 * @d: elements of a head
 * @block_size: tokens of a page
 * @context: tokens of the sequences; if there are fewer numbers, the last one goes on
 * @max_context: tokens that the block table has room for; of a sequence
 */
struct geometry {
	uint32_t batch;
	uint32_t heads;
	uint32_t d;
	uint32_t block_size;
	uint32_t context[MAX_BATCH];
	uint32_t max_context;
};

static const char * const case_names[] = {
	"small1", "small2", "varseq2", "varseq4", "tiles", "long", "big", "random", NULL,
};

static const struct geometry cases[] = {
	{ 1, 16, 16, 16, { 33 }, 256 },
	{ 1, 16, 16, 16, { 128 }, 256 },
	{ 2, 16, 16, 16, { 33, 17 }, 256 },
	{ 4, 16, 16, 16, { 33, 64, 128, 15 }, 256 },
	{ 2, 200, 16, 32, { 70, 1 }, 128 },
	{ 32, 16, 128, 128, { 4096 }, 4096 },
	{ 64, 64, 128, 64, { 8192 }, 8192 },
};

#define CASE_RANDOM (sizeof(cases) / sizeof(cases[0]))

static const char * const variant_names[] = { "auto", "manual", NULL };
static const char * const rings_names[] = { "default", "small", "large", NULL };

/* Small enough that the rings turn many times and the orchestration waits for them. */
static const struct pto_ring_config small_rings = {
	.task_window = { 64, 64, 64, 64 },
	.heap = { 4 << 20, 4 << 20, 4 << 20, 4 << 20 },
	.dep_pool = { 256, 256, 256, 256 },
};

/* A graph that is built on the host has to fit into the first ring as a whole. */
static const struct pto_ring_config large_rings = {
	.task_window = { 65536 },
	.heap = { 1 << 30 },
};

/**
 * struct problem - inputs and outputs
 * @g: sizes
 * @pages: of the cache
 * @table_width: pages of a sequence in @block_table
 * @query: [batch, heads, d]
 * @keys: [pages, block_size, d]
 * @values: the same
 * @block_table: [batch, table_width]
 * @out: [batch, heads, d]
 * @want: the same
 * @extra: the same; see oracle_weights()
 * @scale: factor of the scores
 */
struct problem {
	struct geometry g;
	uint32_t pages;
	uint32_t table_width;
	uint16_t *query;
	uint16_t *keys;
	uint16_t *values;
	int32_t *block_table;
	float *out;
	double *want;
	double *extra;
	float scale;
};

static uint32_t blocks(const struct geometry *g, uint32_t sequence)
{
	return (g->context[sequence] + g->block_size - 1) / g->block_size;
}

static size_t out_elements(const struct problem *p)
{
	return (size_t)p->g.batch * p->g.heads * p->g.d;
}

/* --- the problem --------------------------------------------------------------- */

static void random_geometry(struct example *ex, struct geometry *g)
{
	*g = (struct geometry) {
		.batch = 1 + example_below(ex, 4),
		.heads = 1 + example_below(ex, 40),
		.d = 1 + example_below(ex, 40),
		.block_size = 1 + example_below(ex, 32),
		.max_context = 200,
	};
	for (uint32_t i = 0; i < g->batch; i++)
		g->context[i] = 1 + example_below(ex, g->max_context);
}

static void choose(struct example *ex, struct geometry *g, unsigned int which)
{
	if (which == CASE_RANDOM) {
		random_geometry(ex, g);
		return;
	}
	*g = cases[which];
	for (uint32_t i = 1; i < g->batch; i++)
		if (!g->context[i])
			g->context[i] = g->context[i - 1];
}

static uint16_t *random_bfloats(struct example *ex, size_t count, float limit)
{
	uint16_t *data = example_alloc(ex, count, sizeof(*data));

	for (size_t i = 0; i < count; i++)
		data[i] = float_to_bfloat(example_uniform(ex, -limit, limit));
	return data;
}

static void make_problem(struct example *ex, struct problem *p)
{
	const struct geometry *g = &p->g;
	uint32_t longest = 0;
	size_t cache;

	for (uint32_t i = 0; i < g->batch; i++)
		longest = blocks(g, i) > longest ? blocks(g, i) : longest;
	p->pages = g->batch * longest;
	p->table_width = (g->max_context + g->block_size - 1) / g->block_size;
	cache = (size_t)p->pages * g->block_size * g->d;
	p->query = random_bfloats(ex, out_elements(p), 0.5f);
	p->keys = random_bfloats(ex, cache, 0.5f);
	p->values = random_bfloats(ex, cache, 1);
	p->block_table = example_alloc(ex, (size_t)g->batch * p->table_width, sizeof(int32_t));
	for (uint32_t i = 0; i < g->batch * p->table_width; i++)
		p->block_table[i] = example_below(ex, p->pages);
	p->out = example_alloc(ex, out_elements(p), sizeof(float));
	p->want = example_alloc(ex, out_elements(p), sizeof(double));
	p->extra = example_alloc(ex, out_elements(p), sizeof(double));
	p->scale = 1;
}

static void free_problem(struct problem *p)
{
	free(p->query);
	free(p->keys);
	free(p->values);
	free(p->block_table);
	free(p->out);
	free(p->want);
	free(p->extra);
}

/* --- the oracle, in double -------------------------------------------------------- */

static const uint16_t *token(const struct problem *p, const uint16_t *cache, uint32_t sequence,
			     uint32_t number)
{
	const int32_t *pages = p->block_table + (size_t)sequence * p->table_width;
	size_t row = (size_t)pages[number / p->g.block_size] * p->g.block_size +
		     number % p->g.block_size;

	return cache + row * p->g.d;
}

static double score(const struct problem *p, const uint16_t *query, const uint16_t *key)
{
	double sum = 0;

	for (uint32_t i = 0; i < p->g.d; i++)
		sum += (double)bfloat_to_float(query[i]) * bfloat_to_float(key[i]);
	return sum * p->scale;
}

static double rounded(double value)
{
	return bfloat_to_float(float_to_bfloat((float)value));
}

/* Of one token: weight, and how far it may be off. */
struct weight {
	double w;
	double off;
};

/*
 * The weights of a page's tokens, from their scores. A weight is rounded to bfloat16 while it is
 * relative to its page's maximum; that is what is computed, so the oracle does it too. Where
 * the double lies so close to the middle between two bfloat16 that the kernel's float may
 * be rounded the other way, that counts as what the weight may be off.
 */
static void oracle_weights(const struct problem *p, struct weight *weights, uint32_t count,
			   double max)
{
	double error = (p->g.d + 16) / 4e6, page_max = -INFINITY, factor;

	for (uint32_t t = 0; t < count; t++)
		page_max = fmax(page_max, weights[t].w);
	factor = exp(page_max - max);
	for (uint32_t t = 0; t < count; t++) {
		double e = exp(weights[t].w - page_max);

		weights[t].w = rounded(e) * factor;
		weights[t].off = (rounded(e + e * error) - rounded(e - e * error)) * factor;
	}
}

static void oracle_sum(const struct problem *p, uint32_t sequence, size_t row,
		       const struct weight *weights)
{
	double sum = 0;

	for (uint32_t t = 0; t < p->g.context[sequence]; t++)
		sum += weights[t].w;
	for (uint32_t t = 0; t < p->g.context[sequence]; t++) {
		const uint16_t *value = token(p, p->values, sequence, t);

		for (uint32_t i = 0; i < p->g.d; i++)
			p->want[row + i] += weights[t].w / sum * bfloat_to_float(value[i]);
	}
	for (uint32_t t = 0; t < p->g.context[sequence]; t++) {
		const uint16_t *value = token(p, p->values, sequence, t);

		for (uint32_t i = 0; weights[t].off != 0 && i < p->g.d; i++)
			p->extra[row + i] += weights[t].off / sum *
				fabs(bfloat_to_float(value[i]) - p->want[row + i]);
	}
}

static void oracle_head(const struct problem *p, uint32_t sequence, uint32_t head,
			struct weight *weights)
{
	size_t row = ((size_t)sequence * p->g.heads + head) * p->g.d;
	uint32_t context = p->g.context[sequence], size = p->g.block_size;
	double max = -INFINITY;

	for (uint32_t t = 0; t < context; t++) {
		weights[t].w = score(p, p->query + row, token(p, p->keys, sequence, t));
		max = fmax(max, weights[t].w);
	}
	for (uint32_t t = 0; t < context; t += size)
		oracle_weights(p, weights + t, context - t < size ? context - t : size, max);
	oracle_sum(p, sequence, row, weights);
}

static void oracle(struct example *ex, const struct problem *p)
{
	struct weight *weights = example_alloc(ex, p->g.max_context, sizeof(*weights));

	for (uint32_t sequence = 0; sequence < p->g.batch; sequence++)
		for (uint32_t head = 0; head < p->g.heads; head++)
			oracle_head(p, sequence, head, weights);
	free(weights);
}

/* --- the run -------------------------------------------------------------------------- */

static struct pto_args *make_args(struct example *ex, struct problem *p)
{
	struct geometry *g = &p->g;
	const uint32_t heads[] = { g->batch, g->heads, g->d };
	const uint32_t cache[] = { p->pages, g->block_size, 1, g->d };
	const uint32_t table[] = { g->batch, p->table_width };
	struct pto_args *args = example_args(ex);

	example_tensor(ex, args, PTO_IN, p->query, PTO_DTYPE_BFLOAT16, 3, heads);
	example_tensor(ex, args, PTO_IN, p->keys, PTO_DTYPE_BFLOAT16, 4, cache);
	example_tensor(ex, args, PTO_IN, p->values, PTO_DTYPE_BFLOAT16, 4, cache);
	example_tensor(ex, args, PTO_IN, p->block_table, PTO_DTYPE_INT32, 2, table);
	example_tensor(ex, args, PTO_IN, g->context, PTO_DTYPE_INT32, 1, table);
	example_tensor(ex, args, PTO_OUT, p->out, PTO_DTYPE_FLOAT32, 3, heads);
	pto_args_add_f32(args, p->scale);
	return args;
}

static struct pto_callable *load(struct example *ex, unsigned int variant)
{
	struct pto_callable *callable;

	callable = example_load(ex, variant == VARIANT_MANUAL ? "orch_manual.so" : "orch.so");
	example_kernel(ex, callable, 0, PTO_CORE_AIC, "kernel_qk.so");
	example_kernel(ex, callable, 1, PTO_CORE_AIV, "kernel_softmax.so");
	example_kernel(ex, callable, 2, PTO_CORE_AIC, "kernel_pv.so");
	example_kernel(ex, callable, 3, PTO_CORE_AIV, "kernel_update.so");
	return callable;
}

static unsigned long task_count(const struct geometry *g)
{
	unsigned long tiles = (g->heads + 127) / 128, count = 0;

	for (uint32_t i = 0; i < g->batch; i++)
		count += tiles * (1 + 4ul * blocks(g, i));
	return count;
}

/* Returns: the largest difference, or a negative number */
static double run_all(struct example *ex, struct problem *p, unsigned int variant)
{
	struct pto_callable *callable = load(ex, variant);
	int cid = example_register(ex, callable);
	struct pto_args *args = make_args(ex, p);
	uint64_t start, best = UINT64_MAX, ns;
	double largest = 0;

	for (unsigned long i = 0; i < ex->repetitions && largest >= 0; i++) {
		start = example_now();
		example_run(ex, cid, args);
		ns = example_now() - start;
		best = ns < best ? ns : best;
		largest = example_near(ex, "out", p->out, p->want, out_elements(p), TOLERANCE,
				       p->extra);
	}
	if (largest >= 0)
		printf("  %lu runs of %lu tasks, the best in %.1f ms\n", ex->repetitions,
		       task_count(&p->g), best / 1e6);
	pto_args_free(args);
	pto_callable_free(callable);
	return largest;
}

int main(int argc, char **argv)
{
	struct example_choice choices[] = {
		{ 'c', "case", "sizes", case_names, 0 },
		{ 'v', "variant", "whether tensors order the tasks or the program",
		  variant_names, 0 },
		{ 'r', "rings", "small ones hold 64 tasks and 4 MiB, a large one 65536 and 1 GiB",
		  rings_names, 0 },
		{ 0 },
	};
	struct example ex = {
		.name = "paged_attention",
		.about = "Attention over a cache of keys and values that lies in pages.",
		.repetitions = 3,
		.choices = choices,
	};
	struct problem p = { 0 };
	double largest;

	example_start(&ex, argc, argv);
	if (choices[2].chosen == RINGS_SMALL)
		ex.rings = &small_rings;
	else if (choices[2].chosen == RINGS_LARGE)
		ex.rings = &large_rings;
	choose(&ex, &p.g, choices[0].chosen);
	make_problem(&ex, &p);
	printf("paged_attention: %s, %u sequences of up to %u tokens,"
	       " %u heads of %u, pages of %u tokens\n",
	       case_names[choices[0].chosen], p.g.batch, p.g.max_context, p.g.heads, p.g.d,
	       p.g.block_size);
	oracle(&ex, &p);
	largest = run_all(&ex, &p, choices[1].chosen);
	if (largest >= 0)
		printf("  %zu elements right, the worst is off by %.1e, %g would do\n",
		       out_elements(&p), largest, TOLERANCE);
	free_problem(&p);
	pto_close(ex.ctx);
	return largest < 0;
}
