/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Streams: queues of runs, with records of the most recent ones.
 */
#ifndef PTO_CORE_STREAM_H
#define PTO_CORE_STREAM_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

#include "ctx.h"
#include "queue.h"
#include "runs.h"

#define PTO_MAX_STREAMS		63	/* of a context; with its control queue 64 */

/**
 * struct pto_stream - a queue of runs that are executed in order
 * @queue: its queue pair; in ctx->client.queues
 * @runs: its runs
 * @ctx: the context
 * @ref: one reference of the context's list, and those of waiters
 * @id: its id
 * @doomed: it has no id any more, but the device may still have its queue; it is freed when the
 *	hardware context has ended, or, if the context is not lost, when another stream is created
 *	(read under ctx->claim; written once, also without it by a creator that is being killed)
 *
 * The default stream lives as long as its context and is used without references.
 */
struct pto_stream {
	struct pto_queue queue;
	struct pto_runs runs;
	struct pto_ctx *ctx;
	struct kref ref;
	u32 id;
	bool doomed;
};

struct pto_stream *pto_stream_new(struct pto_ctx *ctx);
void pto_stream_unbind(struct pto_stream *s);
struct pto_stream *pto_stream_get(struct pto_ctx *ctx, u32 id);
void pto_stream_put(struct pto_ctx *ctx, struct pto_stream *s);
void pto_stream_cancel(struct pto_stream *s);
int pto_stream_bind_all(struct pto_ctx *ctx);

#endif /* PTO_CORE_STREAM_H */
