// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Streams: queues of runs, with records of the most recent ones.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "call.h"
#include "ctx.h"
#include "device.h"
#include "ids.h"
#include "ioctl.h"
#include "queue.h"
#include "stream.h"
#include "timens.h"
#include "wait.h"

static int pto_stream_bind(struct pto_stream *s, u16 opcode, struct pto_reply *reply)
{
	struct pto_ctx *ctx = s->queue.ctx;
	union pto_command cmd = { .queue = {
		.opcode = opcode,
		.ctx = ctx->hw_id,
		.queue = s->queue.index,
	} };

	reply->report = NULL;
	if (opcode == PTO_DEV_QUEUE_BIND)
		pto_queue_reset(&s->queue);
	return pto_ctx_admin(ctx, &cmd, reply);
}

/**
 * pto_stream_bind_all() - bind the streams to a new hardware context
 * @ctx: the context; ctx->claim is held
 *
 * Doomed streams are freed, as the old hardware context has ended.
 */
int pto_stream_bind_all(struct pto_ctx *ctx)
{
	struct pto_stream *s, *next;
	struct pto_reply reply;
	int err;

	/* The list changes only under ctx->claim. */
	list_for_each_entry_safe(s, next, &ctx->stream_list, link) {
		if (READ_ONCE(s->doomed)) {
			pto_stream_unbind(s);
			continue;
		}
		err = pto_stream_bind(s, PTO_DEV_QUEUE_BIND, &reply);
		if (err)
			return err;
	}
	return 0;
}

static void pto_stream_free(struct pto_stream *s)
{
	kvfree(s->reports);
	kvfree(s->runs);
	kfree(s);
}

static struct pto_stream *pto_stream_alloc(struct pto_ctx *ctx)
{
	u32 records = 2 * ctx->pdev->ident.queue_depth;
	struct pto_stream *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	s->runs = kvcalloc(records, sizeof(*s->runs), GFP_KERNEL_ACCOUNT);
	s->reports = kvcalloc(PTO_DEV_REPORTS, sizeof(*s->reports), GFP_KERNEL_ACCOUNT);
	if (!s->runs || !s->reports) {
		pto_stream_free(s);
		return NULL;
	}
	s->run_mask = records - 1;
	s->queue.stream = s;
	s->queue.ctx = ctx;
	s->queue.wq = &ctx->wq;
	kref_init(&s->ref);
	INIT_LIST_HEAD(&s->link);
	return s;
}

static int pto_stream_open_queue(struct pto_stream *s)
{
	struct pto_device *pdev = s->queue.ctx->pdev;
	u32 index;
	int err;

	err = pto_device_get_queue(pdev, &index);
	if (err)
		return err;
	err = pto_queue_open(&s->queue, pdev, index);
	if (err)
		pto_device_put_queue(pdev, index);
	return err;
}

static void pto_stream_release(struct kref *ref)
{
	struct pto_stream *s = container_of(ref, struct pto_stream, ref);
	struct pto_ctx *ctx = s->queue.ctx;

	pto_queue_close(&s->queue);
	if (!ctx->leaking)
		pto_device_put_queue(ctx->pdev, s->queue.index);
	pto_stream_free(s);
}

static int pto_stream_take_id(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->queue.ctx;

	return pto_id_reserve(&ctx->stream_ids, &ctx->next_stream, U16_MAX, &s->id);
}

static void pto_stream_add(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->queue.ctx;

	spin_lock(&ctx->lock);
	list_add_tail(&s->link, &ctx->stream_list);
	spin_unlock(&ctx->lock);
	atomic_inc(&ctx->pdev->stream_count);
	atomic_inc(&ctx->count.streams_live);
}

/*
 * Bind the stream to the hardware context. Without a completion the device may still bind the queue
 * later. Then the context is lost, and the stream stays until the hardware context has ended.
 */
static int pto_stream_attach(struct pto_stream *s)
{
	struct pto_reply reply;
	int err;

	pto_stream_add(s);
	err = pto_stream_bind(s, PTO_DEV_QUEUE_BIND, &reply);
	if (!err)
		return 0;
	xa_release(&s->queue.ctx->stream_ids, s->id);
	if (!reply.done) {
		WRITE_ONCE(s->doomed, true);
		return err;
	}
	pto_stream_unbind(s);
	return err == -ENOSPC || err == -ENOMEM ? err : -EIO;
}

/**
 * pto_stream_new() - create a stream
 * @ctx: the context; between pto_ctx_begin_hw() and pto_ctx_end(), or being opened
 *
 * Return: the stream, bound, with an id that is not visible yet; or ERR_PTR.
 */
struct pto_stream *pto_stream_new(struct pto_ctx *ctx)
{
	struct pto_stream *s = pto_stream_alloc(ctx);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	err = pto_stream_open_queue(s);
	if (err) {
		pto_stream_free(s);
		return ERR_PTR(err);
	}
	err = pto_stream_take_id(s);
	if (err) {
		kref_put(&s->ref, pto_stream_release);
		return ERR_PTR(err);
	}
	err = pto_stream_attach(s);
	return err ? ERR_PTR(err) : s;
}

/* Add the stream's counters to those of the context. */
static void pto_stream_settle(struct pto_stream *s)
{
	struct pto_counters *count = &s->queue.ctx->count;

	atomic64_add(s->submitted, &count->runs_submitted);
	atomic64_add(s->completed, &count->runs_completed);
	atomic64_add(s->failed, &count->runs_failed);
	atomic64_add(s->arena_hits, &count->arena_hits);
	atomic64_add(s->queue.doorbells, &count->doorbells);
}

/**
 * pto_stream_unbind() - remove a stream from its context
 * @s: the stream, whose queue the device does not use any more. ctx->claim is held, or the
 *	context is being closed
 */
void pto_stream_unbind(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->queue.ctx;

	spin_lock(&ctx->lock);
	list_del(&s->link);
	pto_stream_settle(s);
	spin_unlock(&ctx->lock);
	atomic_dec(&ctx->pdev->stream_count);
	atomic_dec(&ctx->count.streams_live);
	kref_put(&s->ref, pto_stream_release);
}

/** pto_stream_get() - find the stream with an id, and take a reference; or NULL */
struct pto_stream *pto_stream_get(struct pto_ctx *ctx, u32 id)
{
	struct pto_stream *s;

	if (likely(id == PTO_STREAM_DEFAULT))
		return ctx->default_stream;
	xa_lock(&ctx->stream_ids);
	s = xa_load(&ctx->stream_ids, id);
	if (s)
		kref_get(&s->ref);
	xa_unlock(&ctx->stream_ids);
	return s;
}

/** pto_stream_put() - drop the reference of pto_stream_get() */
void pto_stream_put(struct pto_ctx *ctx, struct pto_stream *s)
{
	if (unlikely(s != ctx->default_stream))
		kref_put(&s->ref, pto_stream_release);
}

/**
 * pto_stream_complete() - record the end of the stream's oldest run in flight
 * @s: its stream; the queue's lock is held
 * @cqe: the completion
 * @report: why it failed, or NULL
 */
void pto_stream_complete(struct pto_stream *s, const struct pto_dev_cqe *cqe,
			 const struct pto_dev_report *report)
{
	struct pto_run_record *run = &s->runs[s->completed & s->run_mask];
	u64 seq = s->completed + 1;

	run->status = pto_status_errno(cqe->status);
	run->start_ns = cqe->start_ns;
	run->end_ns = cqe->end_ns;
	run->detail = 0;
	if (unlikely(cqe->status != PTO_DEV_OK)) {
		s->failed++;
		if (cqe->status == PTO_DEV_PROGRAM || cqe->status == PTO_DEV_TIMEOUT)
			run->detail = cqe->detail;
	}
	if (unlikely(report)) {
		struct pto_run_report *copy = &s->reports[seq % PTO_DEV_REPORTS];

		copy->seq = seq;
		copy->task = report->task;
		copy->func_id = report->func_id;
		copy->core = report->core;
		memcpy(copy->text, report->text, sizeof(copy->text));
	}
	WRITE_ONCE(s->completed, seq);
}

/** pto_stream_cancel() - end the runs in flight, which the device will not complete any more */
void pto_stream_cancel(struct pto_stream *s)
{
	struct pto_dev_cqe cqe = { .status = PTO_DEV_ABORTED };

	spin_lock(&s->queue.lock);
	cqe.start_ns = ktime_get_ns();
	cqe.end_ns = cqe.start_ns;
	while (s->completed != s->submitted)
		pto_stream_complete(s, &cqe, NULL);
	WRITE_ONCE(s->queue.cq_head, s->queue.sq_tail);
	spin_unlock(&s->queue.lock);
}

/*
 * Unbind a stream that has no visible id. ctx->claim is held. If the device does not unbind the
 * queue, the context is lost, and the stream is freed when the hardware context has ended.
 */
static void pto_stream_drop(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->queue.ctx;
	struct pto_reply reply;
	int err = 0;

	if (ctx->hw != PTO_HW_NONE)
		err = pto_stream_bind(s, PTO_DEV_QUEUE_UNBIND, &reply);
	if (err) {
		WRITE_ONCE(s->doomed, true);
		pto_ctx_lose(ctx);
	} else {
		pto_stream_unbind(s);
	}
}

/* Drop the streams that their creators could not drop. ctx->claim is held. */
static void pto_stream_drop_doomed(struct pto_ctx *ctx)
{
	struct pto_stream *s, *next;

	/* The list changes only under ctx->claim. */
	list_for_each_entry_safe(s, next, &ctx->stream_list, link) {
		if (READ_ONCE(s->doomed))
			pto_stream_drop(s);
	}
}

static struct pto_stream *pto_stream_make(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	int err;

	err = pto_ctx_begin_hw(ctx);
	if (err)
		return ERR_PTR(err);
	pto_stream_drop_doomed(ctx);
	if (READ_ONCE(ctx->lost))
		s = ERR_PTR(-EIO);
	else if (atomic_read(&ctx->count.streams_live) > PTO_MAX_STREAMS)
		s = ERR_PTR(-ENOSPC);
	else
		s = pto_stream_new(ctx);
	pto_ctx_end(ctx);
	return s;
}

/** pto_ioctl_stream_create() - PTO_STREAM_CREATE */
int pto_ioctl_stream_create(struct pto_call *call)
{
	struct pto_ioc_stream_create *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_stream *s;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	s = pto_stream_make(ctx);
	if (IS_ERR(s))
		return PTR_ERR(s);
	arg->id = s->id;
	err = pto_call_reply(call);
	if (!err)
		err = pto_id_publish(&ctx->stream_ids, arg->id, s);
	if (!err) {
		atomic64_inc(&ctx->count.streams_created);
		return 0;
	}
	xa_release(&ctx->stream_ids, arg->id);
	if (!pto_ctx_begin(ctx)) {
		pto_stream_drop(s);
		pto_ctx_end(ctx);
	} else {
		/* Without the claim, so this must be the last access. */
		WRITE_ONCE(s->doomed, true);
	}
	return err;
}

/* Stop the queue if no run is in flight. Return: 0, -EBUSY, -ENODEV. */
static int pto_stream_retire(struct pto_stream *s)
{
	struct pto_queue *q = &s->queue;
	struct pto_section section;
	unsigned int taken;
	int err = 0;

	if (!pto_section_enter(&section, q->pdev))
		return -ENODEV;
	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	if (s->submitted != s->completed)
		err = -EBUSY;
	else
		WRITE_ONCE(q->stopped, true);
	spin_unlock(&q->lock);
	pto_section_leave(&section);
	pto_queue_wake(q, taken);
	return err;
}

/** pto_ioctl_stream_destroy() - PTO_STREAM_DESTROY */
int pto_ioctl_stream_destroy(struct pto_call *call)
{
	struct pto_ioc_stream_destroy *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_stream *s;
	int err;

	if (arg->id == PTO_STREAM_DEFAULT)
		return -EINVAL;
	err = pto_ctx_begin(ctx);
	if (err)
		return err;
	s = pto_stream_get(ctx, arg->id);
	if (!s) {
		pto_ctx_end(ctx);
		return -ENOENT;
	}
	err = pto_stream_retire(s);
	if (!err) {
		pto_id_take(&ctx->stream_ids, arg->id);
		pto_stream_drop(s);
	}
	pto_stream_put(ctx, s);
	pto_ctx_end(ctx);
	return err;
}

/** pto_ioctl_stream_wait() - PTO_STREAM_WAIT */
int pto_ioctl_stream_wait(struct pto_call *call)
{
	struct pto_ioc_stream_wait *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_wait_how how = {
		.deadline_ns = pto_time_from_caller(arg->timeout_ns),
		.state = TASK_INTERRUPTIBLE,
	};
	struct pto_stream *s;
	u64 last;
	int err;

	s = pto_stream_get(ctx, arg->id);
	if (!s)
		return -ENOENT;
	last = READ_ONCE(s->submitted);
	err = pto_queue_wait(&s->queue, pto_wait_ended, &last, &how);
	pto_stream_put(ctx, s);
	return err;
}
