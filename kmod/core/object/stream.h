/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Streams: queues of runs, with records of the most recent ones. For contexts and ioctls.
 */
#ifndef PTO_CORE_STREAM_H
#define PTO_CORE_STREAM_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "channel/channel.h"
#include "device/queue.h"
#include "device/runs.h"

#define PTO_MAX_STREAMS		63	/* of a context; with its control queue 64 */

/**
 * struct pto_stream_table - the streams of a context
 * @ch: the channel; the list of the streams is that of its client
 * @main: the stream that lives as long as the context
 * @ids: streams that have an id; ids are taken under the channel's claim
 * @next: start of the search for the next id (the lock of @ids)
 */
struct pto_stream_table {
	struct pto_channel *ch;
	struct pto_stream *main;
	struct xarray ids;
	u32 next;
};

/**
 * struct pto_stream - a queue of runs that are executed in order
 * @queue: its queue pair; in the list of the channel's client while it is bound
 * @runs: its runs
 * @table: the streams of its context
 * @ref: one reference of the client's list, and those of waiters
 * @id: its id
 * @doomed: it has no id any more, but the device may still have its queue; it is freed when the
 *	hardware context has ended, or, if the context is not lost, when another stream is created
 *	(read under the claim; written once, also without it by a creator that is being killed)
 *
 * The default stream lives as long as its context and is used without references.
 */
struct pto_stream {
	struct pto_queue queue;
	struct pto_runs runs;
	struct pto_stream_table *table;
	struct kref ref;
	u32 id;
	bool doomed;
};

void pto_stream_table_init(struct pto_stream_table *table, struct pto_channel *ch);
struct pto_stream *pto_stream_open(struct pto_stream_table *table);
struct pto_stream *pto_stream_make(struct pto_stream_table *table);
int pto_stream_publish(struct pto_stream *s);
void pto_stream_abandon(struct pto_stream *s);
int pto_stream_remove(struct pto_stream_table *table, u32 id);
struct pto_stream *pto_stream_get(struct pto_stream_table *table, u32 id);
void pto_stream_put(struct pto_stream *s);
int pto_stream_bind_all(struct pto_stream_table *table);
void pto_stream_close(struct pto_stream_table *table);

#endif /* PTO_CORE_STREAM_H */
