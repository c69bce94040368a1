/* SPDX-License-Identifier: MIT */
/*
 * What the two orchestrations of paged_attention share: the arguments of the run, and the
 * arguments of the four kinds of tasks.
 *
 * The cache of keys and values is cut into pages of block_size tokens. Row b of the block table
 * lists the pages of sequence b in order; context_lens says how many tokens it has.
 */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <pto/orch.h>

enum { FUNC_QK, FUNC_SOFTMAX, FUNC_PV, FUNC_UPDATE };

#define MAX_TILE 128	/* heads that a task works on */

/**
 * struct attention - the run
 * @rt: the run
 * @query: [batch * heads, d] of bfloat16
 * @keys: [pages * block_size, d] of bfloat16
 * @values: the same
 * @out: [batch * heads, d] of float32
 * @block_table: [batch, pages of the longest sequence there can be] of int32
 * @context_lens: [batch] of int32
 * @scale: factor of the scores, the bits of a float
 * @batch: sequences
 * @heads: of a sequence; they share keys and values
 * @d: elements of a head
 * @block_size: tokens of a page
 */
struct attention {
	struct pto_rt *rt;
	struct pto_tensor query;
	struct pto_tensor keys;
	struct pto_tensor values;
	struct pto_tensor out;
	const struct pto_tensor *block_table;
	const struct pto_tensor *context_lens;
	uint64_t scale;
	uint32_t batch;
	uint32_t heads;
	uint32_t d;
	uint32_t block_size;
};

/**
 * struct tile - heads of a sequence that are worked on together
 * @query: rows of struct attention.query
 * @out: the same rows of the output
 * @m: maximum of the scores so far, per row
 * @l: sum so far, per row
 * @o: weighted values so far
 * @owner: task that owns @m, @l and @o
 * @sequence: which sequence
 * @context: its tokens
 * @rows: heads of the tile
 */
struct tile {
	struct pto_tensor query;
	struct pto_tensor out;
	struct pto_tensor m;
	struct pto_tensor l;
	struct pto_tensor o;
	uint64_t owner;
	uint32_t sequence;
	uint32_t context;
	uint32_t rows;
};

/**
 * struct block - a page of a sequence
 * @keys: its keys
 * @values: its values
 * @valid: tokens of it that belong to the sequence
 * @first: is it the sequence's first?
 * @last: is it the sequence's last?
 */
struct block {
	struct pto_tensor keys;
	struct pto_tensor values;
	uint32_t valid;
	int first;
	int last;
};

/* Merges all dimensions but the last one. */
static inline int flatten(const struct pto_tensor *t, struct pto_tensor *out)
{
	uint32_t shape[] = { 1, t->shapes[t->ndims - 1] };

	for (uint32_t i = 0; i + 1 < t->ndims; i++)
		shape[0] *= t->shapes[i];
	return pto_tensor_reshape(t, 2, shape, out);
}

static inline int attention_start(struct pto_rt *rt, const struct pto_orch_args *args,
				  struct attention *at)
{
	const struct pto_tensor *query = pto_orch_tensor(args, 0);
	const struct pto_tensor *keys = pto_orch_tensor(args, 1);

	*at = (struct attention) {
		.rt = rt,
		.block_table = pto_orch_tensor(args, 3),
		.context_lens = pto_orch_tensor(args, 4),
		.scale = pto_orch_scalar(args, 0),
		.batch = query->shapes[0],
		.heads = query->shapes[1],
		.d = query->shapes[2],
		.block_size = keys->shapes[1],
	};
	if (flatten(query, &at->query) || flatten(keys, &at->keys) ||
	    flatten(pto_orch_tensor(args, 2), &at->values) ||
	    flatten(pto_orch_tensor(args, 5), &at->out)) {
		pto_report_fatal(rt, PTO_FATAL_INVALID_ARGS, "a tensor is not contiguous");
		return 0;
	}
	return 1;
}

/* Rows [first, first + rows) of a matrix. */
static inline int rows_of(const struct pto_tensor *t, uint32_t first, uint32_t rows,
			  struct pto_tensor *out)
{
	uint32_t shape[] = { rows, t->shapes[1] }, offsets[] = { first, 0 };

	return pto_tensor_view(t, shape, offsets, out);
}

/* Looks up a tile, allocates its sums. The sums live until the current scope ends. */
static inline int tile_start(const struct attention *at, uint32_t sequence, uint32_t head,
			     struct tile *tile)
{
	uint32_t rows = at->heads - head < MAX_TILE ? at->heads - head : MAX_TILE;
	uint32_t shape[] = { rows, at->d };
	struct pto_create_info sums[] = {
		pto_create_1d(PTO_DTYPE_FLOAT32, rows),
		pto_create_1d(PTO_DTYPE_FLOAT32, rows),
		pto_create(PTO_DTYPE_FLOAT32, 2, shape),
	};
	struct pto_task alloc = pto_alloc_tensors(at->rt, sums, 3);

	*tile = (struct tile) {
		.m = *pto_task_output(&alloc, 0),
		.l = *pto_task_output(&alloc, 1),
		.o = *pto_task_output(&alloc, 2),
		.owner = alloc.id,
		.sequence = sequence,
		.context = pto_get_i32(at->rt, at->context_lens, sequence),
		.rows = rows,
	};
	rows_of(&at->query, sequence * at->heads + head, rows, &tile->query);
	rows_of(&at->out, sequence * at->heads + head, rows, &tile->out);
	return !pto_is_fatal(at->rt);
}

static inline uint32_t block_count(const struct attention *at, const struct tile *tile)
{
	return (tile->context + at->block_size - 1) / at->block_size;
}

/* Looks up a block: the orchestration reads the table itself. */
static inline int block_start(const struct attention *at, const struct tile *tile,
			      uint32_t number, struct block *block)
{
	uint32_t index[] = { tile->sequence, number }, before = number * at->block_size;
	int32_t page = -1;

	if (pto_get_element(at->rt, at->block_table, 2, index, &page, sizeof(page)))
		return 0;
	if (page < 0 || rows_of(&at->keys, page * at->block_size, at->block_size, &block->keys) ||
	    rows_of(&at->values, page * at->block_size, at->block_size, &block->values)) {
		pto_report_fatal(at->rt, PTO_FATAL_INVALID_ARGS, "sequence %u, block %u: no page %d",
				 tile->sequence, number, page);
		return 0;
	}
	block->valid = tile->context - before < at->block_size ? tile->context - before :
		       at->block_size;
	block->first = number == 0;
	block->last = before + at->block_size >= tile->context;
	return 1;
}

/* --- the tasks of a block; @ids: what a task waits for, needed in MANUAL scopes only ---- */

/* scores = query * transpose(keys) */
static inline struct pto_task submit_qk(const struct attention *at, const struct tile *tile,
					const struct block *block)
{
	uint32_t shape[] = { tile->rows, at->block_size };
	struct pto_create_info scores = pto_create(PTO_DTYPE_FLOAT32, 2, shape);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, &tile->query);
	pto_add_input(&task, &block->keys);
	pto_add_output(&task, &scores);
	return pto_submit_aic(at->rt, FUNC_QK, &task);
}

/* p, m, l = softmax of the scores of the valid keys */
static inline struct pto_task submit_softmax(const struct attention *at, const struct tile *tile,
					     const struct block *block, const struct pto_task *qk,
					     const uint64_t *ids, uint32_t count)
{
	uint32_t shape[] = { tile->rows, at->block_size }, origin[] = { 0, 0 };
	uint32_t valid_shape[] = { tile->rows, block->valid };
	struct pto_create_info p = pto_create(PTO_DTYPE_BFLOAT16, 2, shape);
	struct pto_create_info row = pto_create_1d(PTO_DTYPE_FLOAT32, tile->rows);
	struct pto_task_args task;
	struct pto_tensor valid;

	/* (Fails only for the empty tensor of a run that has failed, which submits refuse.) */
	if (pto_tensor_view(pto_task_output(qk, 0), valid_shape, origin, &valid))
		valid = *pto_task_output(qk, 0);
	pto_task_args_init(&task);
	pto_add_input(&task, &valid);
	pto_add_output(&task, &p);
	pto_add_output(&task, &row);
	pto_add_output(&task, &row);
	pto_add_scalar(&task, at->scale);
	pto_set_dependencies(&task, ids, count);
	return pto_submit_aiv(at->rt, FUNC_SOFTMAX, &task);
}

/* o = p * values */
static inline struct pto_task submit_pv(const struct attention *at, const struct tile *tile,
					const struct block *block, const struct pto_task *softmax,
					const uint64_t *ids, uint32_t count)
{
	uint32_t shape[] = { tile->rows, at->d };
	struct pto_create_info o = pto_create(PTO_DTYPE_FLOAT32, 2, shape);
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_task_output(softmax, 0));
	pto_add_input(&task, &block->values);
	pto_add_output(&task, &o);
	pto_set_dependencies(&task, ids, count);
	return pto_submit_aic(at->rt, FUNC_PV, &task);
}

/* Merges the block into the tile's sums; with the last one, writes the output. */
static inline struct pto_task submit_update(const struct attention *at, const struct tile *tile,
					    const struct block *block,
					    const struct pto_task *softmax,
					    const struct pto_task *pv,
					    const uint64_t *ids, uint32_t count)
{
	struct pto_task_args task;

	pto_task_args_init(&task);
	pto_add_input(&task, pto_task_output(softmax, 1));
	pto_add_input(&task, pto_task_output(softmax, 2));
	pto_add_input(&task, pto_task_output(pv, 0));
	pto_add_inout(&task, &tile->m);
	pto_add_inout(&task, &tile->l);
	pto_add_inout(&task, &tile->o);
	pto_add_inout(&task, &tile->out);
	pto_add_scalar(&task, block->first);
	pto_add_scalar(&task, block->last);
	pto_set_dependencies(&task, ids, count);
	return pto_submit_aiv(at->rt, FUNC_UPDATE, &task);
}

/* --- all of it ---------------------------------------------------------------------- */

typedef void (*tile_fn)(const struct attention *at, uint32_t sequence, uint32_t head);

/* Calls @fn for each tile of each sequence, until the run has failed. */
static inline void run_tiles(const struct attention *at, tile_fn fn)
{
	for (uint32_t sequence = 0; sequence < at->batch; sequence++)
		for (uint32_t head = 0; head < at->heads; head += MAX_TILE)
			if (!pto_is_fatal(at->rt))
				fn(at, sequence, head);
}

#endif /* ATTENTION_H */
