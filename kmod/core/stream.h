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

#define PTO_MAX_STREAMS		63	/* of a context; with its control queue 64 */

/**
 * struct pto_run_record - a run, from submission until its record is reused
 * @user_data: the application's
 * @submit_ns: when it was submitted
 * @start_ns: when the device began it
 * @end_ns: when the device finished it
 * @ctx_seq: its number in the context
 * @detail: fatal code, sub-class << 32
 * @status: 0 or -errno
 * @arena: id of the arena that it uses
 * @pad: fills the cache line
 */
struct pto_run_record {
	u64 user_data;
	u64 submit_ns;
	u64 start_ns;
	u64 end_ns;
	u64 ctx_seq;
	u64 detail;
	s32 status;
	u32 arena;
	u32 pad[2];
};

/**
 * struct pto_run_report - the device's explanation of a failed run
 * @seq: number of the run in its stream; 0 if there is no report
 * @task: task concerned, ~0 if none
 * @func_id: function concerned, ~0 if none
 * @core: core concerned, ~0 if none
 * @text: the explanation
 */
struct pto_run_report {
	u64 seq;
	u64 task;
	u32 func_id;
	u32 core;
	u8 text[sizeof(((struct pto_dev_report *)NULL)->text)];
};

/**
 * struct pto_stream - a queue of runs that are executed in order
 * @queue: its queue pair
 * @submitted: runs accepted
 * @completed: runs that have ended; also read without the lock
 * @failed: runs that have ended with a status other than 0
 * @arena_hits: runs whose arena existed already
 * @read: number of the latest run whose result was read
 * @runs: ring of 2 * queue_depth records: queue_depth for runs in flight, queue_depth for results
 * @run_mask: 2 * queue_depth - 1
 * @reports: reports of the latest failures, at sequence number % PTO_DEV_REPORTS
 * @ref: one reference of the context's list, and those of waiters
 * @id: its id
 * @doomed: it has no id any more, but the device may still have its queue; it is freed when the
 *	hardware context has ended, or, if the context is not lost, when another stream is created
 *	(read under ctx->claim; written once, also without it by a creator that is being killed)
 * @link: in ctx->stream_list (ctx->lock)
 *
 * @queue.lock protects all members without another lock or atomic type. The default stream lives
 * as long as its context and is used without references.
 */
struct pto_stream {
	struct pto_queue queue;
	u64 submitted;
	u64 completed;
	u64 failed;
	u64 arena_hits;
	atomic64_t read;
	struct pto_run_record *runs;
	u32 run_mask;
	struct pto_run_report *reports;
	struct kref ref;
	u32 id;
	bool doomed;
	struct list_head link;
};

struct pto_stream *pto_stream_new(struct pto_ctx *ctx);
void pto_stream_unbind(struct pto_stream *s);
struct pto_stream *pto_stream_get(struct pto_ctx *ctx, u32 id);
void pto_stream_put(struct pto_ctx *ctx, struct pto_stream *s);
void pto_stream_complete(struct pto_stream *s, const struct pto_dev_cqe *cqe,
			 const struct pto_dev_report *report);
void pto_stream_cancel(struct pto_stream *s);
int pto_stream_bind_all(struct pto_ctx *ctx);

#endif /* PTO_CORE_STREAM_H */
