// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: reset.
 */
#include <linux/errno.h>
#include <linux/sched.h>

#include "channel/hw.h"
#include "channel/reclaim.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "object/arena.h"
#include "object/bo.h"
#include "object/callable.h"
#include "object/stream.h"

static void pto_ctx_stop_streams(struct pto_ctx *ctx)
{
	struct pto_section section;
	struct pto_queue *q;

	if (!pto_section_enter(&section, ctx->ch.pdev))
		return;
	spin_lock(&ctx->ch.client.lock);
	list_for_each_entry(q, &ctx->ch.client.queues, link) {
		spin_lock(&q->lock);
		pto_queue_reap(q);
		spin_unlock(&q->lock);
		pto_queue_stop(q);
	}
	spin_unlock(&ctx->ch.client.lock);
	pto_section_leave(&section);
}

static void pto_ctx_cancel_runs(struct pto_ctx *ctx)
{
	struct pto_queue *q;

	spin_lock(&ctx->ch.client.lock);
	list_for_each_entry(q, &ctx->ch.client.queues, link)
		pto_queue_cancel(q);
	spin_unlock(&ctx->ch.client.lock);
	wake_up_all(&ctx->ch.client.wq);
}

/* Create a new hardware context with the state of the old one. */
static int pto_ctx_restore(struct pto_ctx *ctx)
{
	int err;

	err = pto_hw_create(&ctx->ch);
	if (!err)
		err = pto_stream_bind_all(&ctx->streams);
	if (!err)
		err = pto_bo_map_all(&ctx->bos);
	if (!err)
		err = pto_arena_bind_all(&ctx->arenas);
	if (!err)
		err = pto_callable_give_all(&ctx->callables);
	return err;
}

/* This also frees the objects that were deferred while the context was lost. */
static int pto_ctx_renew(struct pto_ctx *ctx)
{
	int err;

	pto_ctx_stop_streams(ctx);
	err = pto_hw_destroy(&ctx->ch, (u64)READ_ONCE(pto_admin_ms) * NSEC_PER_MSEC,
			     TASK_KILLABLE);
	if (err)
		return err == -EAGAIN ? -ETIMEDOUT : err;
	if (ctx->ch.leaking)
		return -EIO;
	pto_ctx_cancel_runs(ctx);
	pto_reclaim_all(&ctx->ch);
	err = pto_ctx_restore(ctx);
	if (!err)
		WRITE_ONCE(ctx->ch.client.lost, false);
	return err;
}

/**
 * pto_ctx_reset() - replace the hardware context by a new one with the same objects
 * @ctx: the context
 *
 * Return: 0; -EIO, -ETIMEDOUT, -EINTR, -ENODEV, or another error: the context is lost then.
 */
int pto_ctx_reset(struct pto_ctx *ctx)
{
	int err;

	/* Stop submissions, and end the wait of a thread that holds the claim for a command. */
	pto_channel_lose(&ctx->ch);
	pto_queue_stop(&ctx->ch.control);
	err = pto_channel_begin(&ctx->ch);
	if (err)
		return err;
	err = pto_ctx_renew(ctx);
	if (!err)
		atomic64_inc(&ctx->ch.count.resets);
	pto_channel_end(&ctx->ch);
	pto_client_start(&ctx->ch.client);
	return err;
}
