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
	struct pto_ctx *ctx = s->ctx;
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
	list_for_each_entry_safe(s, next, &ctx->client.queues, queue.link) {
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
	pto_runs_exit(&s->runs);
	kfree(s);
}

static struct pto_stream *pto_stream_alloc(struct pto_ctx *ctx)
{
	struct pto_stream *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	if (pto_runs_init(&s->runs, ctx->pdev->ident.queue_depth)) {
		kfree(s);
		return NULL;
	}
	s->queue.runs = &s->runs;
	s->ctx = ctx;
	s->queue.client = &ctx->client;
	s->queue.wq = &ctx->client.wq;
	kref_init(&s->ref);
	INIT_LIST_HEAD(&s->queue.link);
	return s;
}

static int pto_stream_open_queue(struct pto_stream *s)
{
	struct pto_device *pdev = s->ctx->pdev;
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
	struct pto_ctx *ctx = s->ctx;

	pto_queue_close(&s->queue);
	if (!ctx->leaking)
		pto_device_put_queue(ctx->pdev, s->queue.index);
	pto_stream_free(s);
}

static int pto_stream_take_id(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->ctx;

	return pto_id_reserve(&ctx->stream_ids, &ctx->next_stream, U16_MAX, &s->id);
}

static void pto_stream_add(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->ctx;

	spin_lock(&ctx->client.lock);
	list_add_tail(&s->queue.link, &ctx->client.queues);
	spin_unlock(&ctx->client.lock);
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
	xa_release(&s->ctx->stream_ids, s->id);
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
	struct pto_counters *count = &s->ctx->count;

	atomic64_add(s->runs.submitted, &count->runs_submitted);
	atomic64_add(s->runs.completed, &count->runs_completed);
	atomic64_add(s->runs.failed, &count->runs_failed);
	atomic64_add(s->runs.arena_hits, &count->arena_hits);
	atomic64_add(s->queue.doorbells, &count->doorbells);
}

/**
 * pto_stream_unbind() - remove a stream from its context
 * @s: the stream, whose queue the device does not use any more. ctx->claim is held, or the
 *	context is being closed
 */
void pto_stream_unbind(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->ctx;

	spin_lock(&ctx->client.lock);
	list_del(&s->queue.link);
	pto_stream_settle(s);
	spin_unlock(&ctx->client.lock);
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

/** pto_stream_cancel() - end the runs in flight, which the device will not complete any more */
void pto_stream_cancel(struct pto_stream *s)
{
	struct pto_dev_cqe cqe = { .status = PTO_DEV_ABORTED };

	spin_lock(&s->queue.lock);
	cqe.start_ns = ktime_get_ns();
	cqe.end_ns = cqe.start_ns;
	while (s->runs.completed != s->runs.submitted)
		pto_runs_complete(&s->runs, &cqe, NULL);
	WRITE_ONCE(s->queue.cq_head, s->queue.sq_tail);
	spin_unlock(&s->queue.lock);
}

/*
 * Unbind a stream that has no visible id. ctx->claim is held. If the device does not unbind the
 * queue, the context is lost, and the stream is freed when the hardware context has ended.
 */
static void pto_stream_drop(struct pto_stream *s)
{
	struct pto_ctx *ctx = s->ctx;
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
	list_for_each_entry_safe(s, next, &ctx->client.queues, queue.link) {
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
	if (READ_ONCE(ctx->client.lost))
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
	if (s->runs.submitted != s->runs.completed)
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
	last = READ_ONCE(s->runs.submitted);
	err = pto_queue_wait(&s->queue, pto_wait_ended, &last, &how);
	pto_stream_put(ctx, s);
	return err;
}
