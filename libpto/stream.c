// SPDX-License-Identifier: MIT
/*
 * Streams: their place in the context and their pool of run handles.
 */
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

#define STAGING_LIMIT	(64ull << 20)

int pto_stream_new(struct pto_context *ctx, uint32_t id, struct pto_stream **out)
{
	struct pto_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->state = PTO_LIVE(PTO_TYPE_STREAM);
	stream->serial = ctx->serial;
	stream->ctx = ctx;
	stream->id = id;
	stream->result_ns = pto_now();
	stream->staging = (struct pto_staging){ .ctx = ctx, .limit = STAGING_LIMIT };
	stream->graphs = stream->staging;
	pthread_mutex_init(&stream->lock, NULL);
	pthread_mutex_lock(&ctx->lock);
	stream->next = ctx->streams;
	if (stream->next)
		stream->next->prev = stream;
	ctx->streams = stream;
	pthread_mutex_unlock(&ctx->lock);
	*out = stream;
	return 0;
}

/* The handles hold the last references to segments that have been replaced. */
static void drop_handles(struct pto_stream *stream, bool forked)
{
	struct pto_run_handle *run, *next;

	for (run = stream->oldest; run; run = run->next) {
		pto_stage_release(&run->chunk);
		pto_stage_release(&run->graph);
	}
	for (run = stream->handles; run; run = next) {
		next = run->all;
		pto_handle_release(run, forked);
		free(run->outputs);
		free(run);
	}
}

/* The lock is not destroyed: a call that comes late may lock it before it sees the state. */
void pto_stream_drop(struct pto_stream *stream)
{
	struct pto_context *ctx = stream->ctx;
	bool forked = pto_forked(ctx);

	pto_end_life(&stream->state, PTO_TYPE_STREAM);
	drop_handles(stream, forked);
	pto_stage_drop(&stream->staging);
	pto_stage_drop(&stream->graphs);
	pto_graph_drop(stream);
	if (!forked)
		pthread_mutex_lock(&ctx->lock);
	if (stream->next)
		stream->next->prev = stream->prev;
	if (stream->prev)
		stream->prev->next = stream->next;
	else
		ctx->streams = stream->next;
	if (!forked)
		pthread_mutex_unlock(&ctx->lock);
	pto_retire(stream, PTO_TYPE_STREAM);
}

struct pto_run_handle *pto_run_get(struct pto_stream *stream, uint32_t outputs)
{
	struct pto_run_handle *run = stream->free;

	if (run) {
		stream->free = run->next;
	} else {
		run = calloc(1, sizeof(*run));
		if (!run)
			return NULL;
		run->stream = stream;
		if (!pto_handle_claim(run)) {
			free(run);
			return NULL;
		}
		run->all = stream->handles;
		stream->handles = run;
	}
	if (outputs > run->output_room) {
		struct pto_output *array = realloc(run->outputs, outputs * sizeof(*array));

		if (!array) {
			pto_run_put(run);
			return NULL;
		}
		run->outputs = array;
		run->output_room = outputs;
	}
	run->next = NULL;
	run->output_count = 0;
	run->log[0] = '\0';
	return run;
}

void pto_run_put(struct pto_run_handle *run)
{
	struct pto_stream *stream = run->stream;

	run->state = PTO_RUN_FREE;
	pto_handle_use_up(run);
	run->next = stream->free;
	stream->free = run;
}

PTO_API struct pto_stream *pto_default_stream(struct pto_context *ctx)
{
	if (!pto_lives(&ctx->state, PTO_TYPE_CONTEXT)) {
		pto_fail_freed(ctx->serial, "context");
		return NULL;
	}
	return ctx->default_stream;
}

static int create_stream(struct pto_context *ctx, struct pto_stream **out)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	int rc;

	rc = pto_ioctl(ctx, PTO_STREAM_CREATE, &create);
	if (rc == -ENOSPC)
		return pto_fail(ctx, rc,
				"no stream is left: a context has %u at most, and the device's are shared",
				ctx->info.max_streams);
	if (rc)
		return pto_fail(ctx, rc, "creating a stream: %s", pto_errno_name(rc));
	rc = pto_stream_new(ctx, create.id, out);
	if (rc) {
		destroy.id = create.id;
		pto_ioctl(ctx, PTO_STREAM_DESTROY, &destroy);
		return pto_fail(ctx, rc, "out of memory for a stream");
	}
	return 0;
}

PTO_API int pto_stream_create(struct pto_context *ctx, struct pto_stream **out)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, create_stream(ctx, out));
}

/* Also wait for runs that were submitted on the descriptor without the library. */
static int destroy_stream(struct pto_stream *stream)
{
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy), .id = stream->id };
	struct pto_ioc_stream_wait wait = {
		.size = sizeof(wait),
		.id = stream->id,
		.timeout_ns = PTO_WAIT_FOREVER,
	};
	int rc;

	while ((rc = pto_ioctl(stream->ctx, PTO_STREAM_DESTROY, &destroy)) == -EBUSY) {
		rc = pto_ioctl(stream->ctx, PTO_STREAM_WAIT, &wait);
		if (rc)
			break;
	}
	return rc;
}

/* Calls that come now find it freed. Those that have come before are waited for. */
static int finish_stream(struct pto_context *ctx, struct pto_stream *stream)
{
	int rc = pto_stream_finish(stream, PTO_FOREVER);

	if (!rc)
		rc = destroy_stream(stream);
	if (rc)
		pto_fail(ctx, rc, "destroying stream %u: %s", stream->id, pto_errno_name(rc));
	pto_await_users(ctx, stream);
	return rc;
}

PTO_API int pto_stream_destroy(struct pto_stream *stream)
{
	PTO_KEEP_ERRNO;
	struct pto_context *ctx;
	bool entered;
	int rc;

	if (!stream)
		return 0;
	if (!pto_lives(&stream->state, PTO_TYPE_STREAM))
		return pto_fail_freed(stream->serial, "stream");
	ctx = stream->ctx;
	if (stream == ctx->default_stream)
		return pto_fail(ctx, -EINVAL, "the default stream lives as long as the context");
	rc = pto_enter(ctx);
	if (rc && __atomic_load_n(&ctx->closing, __ATOMIC_SEQ_CST))
		return rc;
	entered = !rc;
	if (!pto_end_life(&stream->state, PTO_TYPE_STREAM)) {
		rc = pto_fail_freed(stream->serial, "stream");
	} else {
		if (entered)
			rc = finish_stream(ctx, stream);
		pto_stream_drop(stream);
	}
	if (entered)
		pto_leave(ctx);
	return rc;
}
