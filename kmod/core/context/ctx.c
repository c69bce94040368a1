// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: open and close.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "channel/hw.h"
#include "channel/reclaim.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"
#include "object/arena.h"
#include "object/bo.h"
#include "object/callable.h"
#include "object/image.h"
#include "object/stream.h"

/* How long closing waits for the device to destroy the hardware context. */
#define PTO_END_NS (1 * (u64)NSEC_PER_SEC)

static void pto_ctx_bury(struct pto_orphan *orphan);

static struct pto_ctx *pto_ctx_alloc(struct pto_device *pdev)
{
	struct pto_ctx *ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	pto_hw_init(&ctx->ch, pdev, pto_ctx_bury);
	ctx->ch.user = current_euid();
	pto_stream_table_init(&ctx->streams, &ctx->ch);
	pto_callable_table_init(&ctx->callables, &ctx->ch);
	pto_arena_table_init(&ctx->arenas, &ctx->ch);
	pto_bo_table_init(&ctx->bos, &ctx->ch);
	pto_image_table_init(&ctx->images, &ctx->ch);
	return ctx;
}

/* The hardware context has ended, or the device is gone; there are no other users. */
static void pto_ctx_free(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->ch.pdev;

	if (ctx->ch.control.head)
		pto_queue_stop(&ctx->ch.control);
	pto_reclaim_all(&ctx->ch);
	pto_callable_close(&ctx->callables);
	pto_arena_close(&ctx->arenas);
	pto_image_close(&ctx->images);
	pto_bo_close(&ctx->bos);
	pto_stream_close(&ctx->streams);
	pto_hw_release(&ctx->ch);
	kvfree(ctx);
	pto_device_put(pdev);
}

/* Free the context. The hardware context has ended, or the device is gone. */
static void pto_ctx_finish(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->ch.pdev;

	cancel_work_sync(&ctx->ch.client.work);
	pto_hw_disarm(&ctx->ch);
	/* A thread that wakes this context holds the mutex meanwhile. */
	mutex_lock(&pdev->wake_mutex);
	list_del(&ctx->ch.client.link);
	mutex_unlock(&pdev->wake_mutex);
	cancel_work_sync(&ctx->ch.client.work);
	pto_queue_forget(&pdev->admin, &ctx->ch.created);
	pto_queue_forget(&pdev->admin, &ctx->ch.ended.reply);
	pto_ctx_free(ctx);
}

/*
 * Called by the device's work, when the device has answered, is gone, or has room for the
 * commands. The context is adopted again if the admin queue is full again.
 */
static void pto_ctx_bury(struct pto_orphan *orphan)
{
	struct pto_ctx *ctx = container_of(orphan, struct pto_ctx, ch.ended);
	struct pto_device *pdev = ctx->ch.pdev;

	if (ctx->ch.hw == PTO_HW_ENDING && orphan->reply.done)
		pto_hw_ended(&ctx->ch);
	else if (ctx->ch.hw == PTO_HW_ALIVE && !pto_device_is_gone(pdev))
		pto_hw_kill(&ctx->ch);
	if (ctx->ch.hw == PTO_HW_NONE || pto_device_is_gone(pdev)) {
		pto_ctx_finish(ctx);
		pto_device_ended(pdev);
	} else {
		pto_device_adopt(pdev, orphan);
	}
}

/* End a closed context now, or leave it to the device's work if the device is slow. */
static void pto_ctx_let_go(struct pto_ctx *ctx, unsigned int state)
{
	int err = pto_hw_destroy(&ctx->ch, PTO_END_NS, state);

	if (!err || err == -ENODEV) {
		pto_ctx_finish(ctx);
		return;
	}
	atomic_inc(&ctx->ch.pdev->ending);
	pto_device_adopt(ctx->ch.pdev, &ctx->ch.ended);
}

static int pto_ctx_setup(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	int err;

	err = pto_hw_setup(&ctx->ch);
	if (err)
		return err;
	s = pto_stream_open(&ctx->streams);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ctx->streams.main = s;
	atomic64_inc(&ctx->ch.count.streams_created);
	return 0;
}

struct pto_ctx *pto_ctx_open(struct pto_device *pdev)
{
	struct pto_ctx *ctx;
	int err;

	if (pto_device_is_gone(pdev))
		return ERR_PTR(-ENODEV);
	ctx = pto_ctx_alloc(pdev);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&pdev->wake_mutex);
	WRITE_ONCE(pdev->drop_idle, pto_arena_idle_drop);
	list_add(&ctx->ch.client.link, &pdev->clients);
	mutex_unlock(&pdev->wake_mutex);
	err = pto_ctx_setup(ctx);
	if (err) {
		pto_ctx_let_go(ctx, TASK_KILLABLE);
		return ERR_PTR(err);
	}
	atomic_inc(&pdev->context_count);
	atomic64_inc(&pdev->contexts_opened);
	return ctx;
}

static bool pto_ctx_idle(struct pto_queue *q, void *unused)
{
	return q->runs->completed == q->runs->submitted;
}

/* Is the process of the running thread being killed? */
static bool pto_ctx_killed(void)
{
	return fatal_signal_pending(current) ||
	       (current->flags & PF_EXITING && current->exit_code & 0x7f);
}

/*
 * Wait for the runs in flight, at most pto_close_ms. The context has no other users, so its list of
 * streams does not change.
 */
static void pto_ctx_drain(struct pto_ctx *ctx)
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + (u64)READ_ONCE(pto_close_ms) * NSEC_PER_MSEC,
		.state = TASK_KILLABLE,
	};
	struct pto_queue *q;

	list_for_each_entry(q, &ctx->ch.client.queues, link) {
		if (pto_queue_wait(q, pto_ctx_idle, NULL, &how))
			return;
	}
}

void pto_ctx_close(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->ch.pdev;

	if (ctx->ch.hw == PTO_HW_ALIVE && !READ_ONCE(ctx->ch.client.lost) && !pto_ctx_killed())
		pto_ctx_drain(ctx);
	atomic_dec(&pdev->context_count);
	/* Not killable, so that device memory is free when a killed process has been reaped. */
	pto_ctx_let_go(ctx, TASK_UNINTERRUPTIBLE);
}

struct pto_bo *pto_ctx_mmap(struct pto_ctx *ctx, u64 offset, u64 length, u64 *window_offset)
{
	if (pto_device_is_gone(ctx->ch.pdev))
		return ERR_PTR(-ENODEV);
	return pto_bo_mmap(&ctx->bos, offset, length, window_offset);
}
