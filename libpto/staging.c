// SPDX-License-Identifier: MIT
/*
 * Staging memory: device memory for the arguments and host tensors of runs, and for graphs that
 * were built on the host.
 *
 * Each stream has two staging areas with one segment each: a buffer that is used as a ring of
 * chunks. A chunk of the first has the argument block and then the data of the host tensors, each
 * at a multiple of PTO_STAGE_DATA_ALIGN. A chunk of the second is a graph. Runs of a stream end in
 * order, so chunks are freed in order.
 *
 * Size: a segment begins with SEGMENT_MIN, or with room for four of the runs that need it. It
 * grows in two cases. If a single run does not fit, the new size is twice that of the run. If the
 * ring is full although the stream could take more runs, the size doubles, up to
 * pto_staging.limit. The limit is STAGING_LIMIT at first, and becomes the current size when the
 * device has no memory left. At the limit, the oldest run is waited for. Segments do not shrink. A
 * replaced segment is freed when its last run has been reaped.
 */
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

#define SEGMENT_MIN	(64ull << 10)

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static uint64_t block_size(const struct pto_args *args)
{
	return PTO_RUN_ARGS_SIZE(args->tensor_count, args->scalar_count);
}

/* Offset of the data in a chunk. */
static uint64_t data_start(const struct pto_args *args)
{
	return align_up(block_size(args), PTO_STAGE_DATA_ALIGN);
}

uint64_t pto_stage_size(const struct pto_args *args)
{
	if (!args || (!args->tensor_count && !args->scalar_count))
		return 0;
	if (!args->data_bytes)
		return align_up(block_size(args), PTO_STAGE_ALIGN);
	return data_start(args) + args->data_bytes;
}

/* --- segments --------------------------------------------------------------- */

static void free_segment(struct pto_segment *segment)
{
	pto_buffer_drop(segment->buffer);
	free(segment);
}

static int new_segment(struct pto_staging *staging, uint64_t bytes, struct pto_segment **out)
{
	struct pto_context *ctx = staging->ctx;
	struct pto_segment *segment = calloc(1, sizeof(*segment));
	int rc;

	if (!segment)
		return pto_fail(ctx, -ENOMEM, "out of memory for staging");
	rc = pto_buffer_alloc(ctx, bytes, PTO_PLACE_DEVICE, &segment->buffer);
	if (!rc && !pto_buffer_map(segment->buffer)) {
		pto_buffer_drop(segment->buffer);
		rc = -ENOMEM;
	}
	if (rc) {
		free(segment);
		return rc;
	}
	segment->staging = staging;
	*out = segment;
	return 0;
}

/* Chunks of the old segment stay in it; it is freed when the last one is released. */
static void replace_segment(struct pto_staging *staging, struct pto_segment *segment)
{
	struct pto_segment *old = staging->segment;

	staging->segment = segment;
	if (old && !old->users)
		free_segment(old);
}

void pto_stage_drop(struct pto_staging *staging)
{
	if (staging->segment)
		free_segment(staging->segment);
	staging->segment = NULL;
}

/* --- the ring ---------------------------------------------------------------- */

/* head == tail means empty, so a chunk must not fill the gap before the tail completely. */
static bool take(struct pto_segment *segment, uint64_t bytes, uint64_t align,
		 struct pto_chunk *chunk)
{
	uint64_t size = segment->buffer->size;
	uint64_t start;

	if (!segment->users) {
		segment->head = 0;
		segment->tail = 0;
	}
	start = align_up(segment->head, align);
	if (segment->head >= segment->tail) {
		if (start > size || bytes > size - start) {
			start = 0;
			if (bytes >= segment->tail)
				return false;
		}
	} else if (start >= segment->tail || bytes >= segment->tail - start) {
		return false;
	}
	*chunk = (struct pto_chunk){
		.segment = segment,
		.start = start,
		.end = start + bytes,
		.prev_head = segment->head,
	};
	segment->head = chunk->end;
	segment->users++;
	return true;
}

static int grow_to_fit(struct pto_staging *staging, uint64_t bytes)
{
	uint64_t want = staging->segment ? 2 * bytes : 4 * bytes;
	struct pto_segment *segment;
	int rc;

	if (want < SEGMENT_MIN)
		want = SEGMENT_MIN;
	rc = new_segment(staging, want, &segment);
	if (rc == -ENOMEM)
		rc = new_segment(staging, bytes, &segment);
	if (!rc)
		replace_segment(staging, segment);
	return rc;
}

/* If there is no memory, the current size becomes the limit, so there is no further attempt. */
static bool grow_for_more(struct pto_staging *staging)
{
	uint64_t size = staging->segment->buffer->size;
	struct pto_segment *segment;

	if (2 * size > staging->limit)
		return false;
	if (new_segment(staging, 2 * size, &segment)) {
		staging->limit = size;
		return false;
	}
	replace_segment(staging, segment);
	return true;
}

int pto_stage_alloc(struct pto_staging *staging, uint64_t bytes, struct pto_chunk *chunk)
{
	uint64_t align = bytes > PTO_STAGE_DATA_ALIGN ? PTO_STAGE_DATA_ALIGN : PTO_STAGE_ALIGN;
	int rc;

	memset(chunk, 0, sizeof(*chunk));
	if (!bytes)
		return 0;
	if (bytes > UINT64_MAX / 8)
		return pto_fail(staging->ctx, -EOVERFLOW, "host tensors of %llu bytes in one run",
				(unsigned long long)bytes);
	if (!staging->segment || bytes > staging->segment->buffer->size) {
		rc = grow_to_fit(staging, bytes);
		if (rc)
			return rc;
	}
	if (take(staging->segment, bytes, align, chunk))
		return 0;
	if (grow_for_more(staging) && take(staging->segment, bytes, align, chunk))
		return 0;
	return -EAGAIN;
}

void pto_stage_cancel(struct pto_chunk *chunk)
{
	struct pto_segment *segment = chunk->segment;

	if (!segment)
		return;
	segment->head = chunk->prev_head;
	segment->users--;
	if (segment != segment->staging->segment && !segment->users)
		free_segment(segment);
	chunk->segment = NULL;
}

void pto_stage_release(struct pto_chunk *chunk)
{
	struct pto_segment *segment = chunk->segment;

	if (!segment)
		return;
	segment->tail = chunk->end;
	segment->users--;
	if (segment != segment->staging->segment && !segment->users)
		free_segment(segment);
	chunk->segment = NULL;
}

/* --- contents ------------------------------------------------------------------ */

static void fill_block(const struct pto_args *args, char *block, uint64_t data_addr)
{
	struct pto_run_args *head = (struct pto_run_args *)block;
	struct pto_tensor *tensor = (struct pto_tensor *)(head + 1);

	*head = (struct pto_run_args){
		.tensor_count = args->tensor_count,
		.scalar_count = args->scalar_count,
	};
	for (uint32_t i = 0; i < args->tensor_count; i++, tensor++) {
		const struct pto_arg_tensor *arg = &args->tensors[i];

		*tensor = arg->desc;
		if (arg->slot != PTO_NO_SLOT)
			tensor->addr = data_addr + args->slots[arg->slot].offset;
	}
	memcpy(tensor, args->scalars, args->scalar_count * sizeof(args->scalars[0]));
}

void pto_stage_fill(const struct pto_args *args, struct pto_run_handle *run)
{
	struct pto_buffer *buffer;
	uint64_t data;
	char *map;

	run->output_count = 0;
	if (!run->chunk.segment)
		return;
	buffer = run->chunk.segment->buffer;
	map = buffer->map;
	data = run->chunk.start + data_start(args);
	fill_block(args, map + run->chunk.start, buffer->device_addr + data);
	for (uint32_t i = 0; i < args->slot_count; i++) {
		const struct pto_arg_slot *slot = &args->slots[i];
		char *staged = map + data + slot->offset;

		if (slot->direction == PTO_OUT)
			memset(staged, 0, slot->bytes);
		else if (slot->bytes)
			memcpy(staged, slot->host, slot->bytes);
		if (slot->direction != PTO_IN)
			run->outputs[run->output_count++] = (struct pto_output){
				.host = slot->host, .staged = staged, .bytes = slot->bytes,
			};
	}
}
