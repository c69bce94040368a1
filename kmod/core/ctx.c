// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Contexts: making one, taking part in its configuration, ending it.
 */
#include <linux/err.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "arena.h"
#include "bo.h"
#include "call.h"
#include "callable.h"
#include "ctx.h"
#include "device.h"
#include "image.h"
#include "mem.h"
#include "queue.h"
#include "reclaim.h"
#include "stream.h"

/**
 * pto_ctx_begin() - begin to change the context's configuration
 * @ctx: the context
 * @section: entered
 *
 * pto_ctx_end() follows.
 *
 * Return: 0; -EINTR when the thread is being killed, -ENODEV.
 */
int pto_ctx_begin(struct pto_ctx *ctx, struct pto_section *section)
{
	if (mutex_lock_killable(&ctx->mutex))
		return -EINTR;
	if (!pto_section_enter(section, ctx->pdev)) {
		mutex_unlock(&ctx->mutex);
		return -ENODEV;
	}
	return 0;
}

/** pto_ctx_begin_hw() - the same for what needs the device's state: -EIO if that is lost */
int pto_ctx_begin_hw(struct pto_ctx *ctx, struct pto_section *section)
{
	int err = pto_ctx_begin(ctx, section);

	if (!err && READ_ONCE(ctx->lost)) {
		pto_ctx_end(ctx, section);
		err = -EIO;
	}
	return err;
}

/** pto_ctx_end() - the end of either */
void pto_ctx_end(struct pto_ctx *ctx, struct pto_section *section)
{
	pto_section_leave(section);
	pto_reclaim_unlock(ctx);
}

/** pto_ctx_lose() - the device's state of this context is no use any more */
void pto_ctx_lose(struct pto_ctx *ctx)
{
	WRITE_ONCE(ctx->lost, true);
	wake_up_all(&ctx->wq);
}

/** pto_ctx_free_mem() - free memory that the hardware context had, if there is any in @mem */
void pto_ctx_free_mem(struct pto_ctx *ctx, struct pto_mem *mem)
{
	if (ctx->leaking)
		pto_mem_leak(ctx->pdev, mem);
	else
		pto_mem_free(ctx->pdev, mem);
}

/**
 * pto_ctx_command() - have a command of the control queue executed
 * @ctx: the context; between pto_ctx_begin() and pto_ctx_end()
 * @section: the section
 * @cmd: the command, except for @cmd->ctx
 * @reply: its completion, if there was one
 *
 * The device may first finish the run that it executes, which has a bound of its own.
 * A command whose waiter was killed may still be executed: whoever calls undoes it by a later
 * command, which comes after it.
 *
 * Return: 0, what the device said, -EIO if the context is lost, -ERESTARTSYS, -ENODEV.
 */
int pto_ctx_command(struct pto_ctx *ctx, struct pto_section *section, struct pto_dev_cmd *cmd,
		    struct pto_reply *reply)
{
	struct pto_wait_how how = {
		.section = section,
		.deadline_ns = ktime_get_ns() + PTO_CONTROL_NS,
		.state = TASK_KILLABLE,
		.patient = true,
	};
	int err;

	cmd->ctx = ctx->hw_id;
	atomic64_inc(&ctx->count.device_commands);
	err = pto_queue_call(&ctx->control, cmd, reply, &how);
	if (err == -ETIMEDOUT && !reply->done)
		pto_ctx_lose(ctx);
	if (err && err != -ENODEV && err != -ERESTARTSYS && READ_ONCE(ctx->lost))
		err = -EIO;
	return err;
}

/** pto_ctx_admin() - have an admin command executed for the context; see pto_device_admin() */
int pto_ctx_admin(struct pto_ctx *ctx, struct pto_section *section, struct pto_dev_cmd *cmd,
		  struct pto_reply *reply)
{
	atomic64_inc(&ctx->count.device_commands);
	return pto_device_admin(ctx->pdev, section, cmd, reply);
}

/** pto_ctx_busy() - are runs in flight, as far as completions have been taken? */
bool pto_ctx_busy(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	bool busy = false;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link)
		busy |= READ_ONCE(s->queue.sq_tail) != READ_ONCE(s->queue.cq_head);
	spin_unlock(&ctx->lock);
	return busy;
}

static int pto_ctx_take_id(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;
	unsigned long n;

	mutex_lock(&pdev->mutex);
	n = find_first_zero_bit(pdev->ctx_ids, pdev->ident.max_contexts);
	if (n < pdev->ident.max_contexts)
		__set_bit(n, pdev->ctx_ids);
	mutex_unlock(&pdev->mutex);
	if (n >= pdev->ident.max_contexts)
		return -ENOSPC;
	ctx->hw_id = n + 1;
	return 0;
}

static void pto_ctx_drop_id(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;

	if (!ctx->hw_id || ctx->leaking)
		return;
	mutex_lock(&pdev->mutex);
	__clear_bit(ctx->hw_id - 1, pdev->ctx_ids);
	mutex_unlock(&pdev->mutex);
}

static int pto_ctx_open_control(struct pto_ctx *ctx)
{
	u32 index;
	int err;

	err = pto_device_get_queue(ctx->pdev, &index);
	if (err)
		return err;
	ctx->control.ctx = ctx;
	ctx->control.wq = &ctx->wq;
	err = pto_queue_open(&ctx->control, ctx->pdev, index);
	if (err) {
		pto_device_put_queue(ctx->pdev, index);
		return err;
	}
	atomic_inc(&ctx->pdev->stream_count);
	atomic_inc(&ctx->count.streams_live);
	atomic64_inc(&ctx->count.streams_created);
	return 0;
}

static void pto_ctx_close_control(struct pto_ctx *ctx)
{
	if (!ctx->control.head)
		return;
	pto_queue_close(&ctx->control);
	if (!ctx->leaking)
		pto_device_put_queue(ctx->pdev, ctx->control.index);
	atomic_dec(&ctx->pdev->stream_count);
}

static struct pto_ctx *pto_ctx_alloc(struct pto_device *pdev)
{
	struct pto_ctx *ctx = kvzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	ctx->pdev = pto_device_get(pdev);
	ctx->next_arena = 1;
	ctx->next_stream = PTO_STREAM_DEFAULT;
	init_waitqueue_head(&ctx->wq);
	mutex_init(&ctx->mutex);
	spin_lock_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->stream_list);
	INIT_LIST_HEAD(&ctx->bo_list);
	INIT_LIST_HEAD(&ctx->loaded);
	INIT_LIST_HEAD(&ctx->link);
	xa_init_flags(&ctx->stream_ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->bos, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->bo_at, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ctx->images, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	pto_reclaim_init(ctx);
	return ctx;
}

/* The hardware context is not there any more, or the device is gone. */
static void pto_ctx_free(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;
	struct pto_stream *s, *next;

	pto_reclaim_all(ctx);
	pto_callable_close(ctx);
	pto_arena_close(ctx);
	pto_image_close(ctx);
	pto_bo_close(ctx);
	list_for_each_entry_safe(s, next, &ctx->stream_list, link)
		pto_stream_unbind(s);
	pto_ctx_close_control(ctx);
	pto_ctx_drop_id(ctx);
	xa_destroy(&ctx->stream_ids);
	mutex_destroy(&ctx->mutex);
	kvfree(ctx);
	pto_device_put(pdev);
}

static int pto_ctx_create_hw(struct pto_ctx *ctx, struct pto_section *section)
{
	struct pto_dev_cmd_queue cmd = {
		.opcode = PTO_DEV_CTX_CREATE,
		.ctx = ctx->hw_id,
		.queue = ctx->control.index,
	};
	struct pto_reply reply;
	int err;

	pto_queue_reset(&ctx->control);
	err = pto_ctx_admin(ctx, section, (struct pto_dev_cmd *)&cmd, &reply);
	if (!err)
		ctx->hw_alive = true;
	else if (err != -ENOMEM && err != -ENOSPC && err != -ENODEV)
		err = -EIO;
	return err;
}

/* End the hardware context, in whatever state it is. */
static void pto_ctx_destroy_hw(struct pto_ctx *ctx, struct pto_section *section)
{
	struct pto_dev_cmd cmd = { .opcode = PTO_DEV_ABORT, .ctx = ctx->hw_id };
	struct pto_reply reply;
	int err;

	if (!ctx->hw_alive)
		return;
	if (pto_ctx_busy(ctx) || pto_queue_in_flight(&ctx->control))
		pto_ctx_admin(ctx, section, &cmd, &reply);
	if (!section->pdev)
		return;
	cmd.opcode = PTO_DEV_CTX_DESTROY;
	err = pto_ctx_admin(ctx, section, &cmd, &reply);
	ctx->hw_alive = false;
	if (err && reply.done)
		ctx->leaking = true;
}

static int pto_ctx_setup(struct pto_ctx *ctx, struct pto_section *section)
{
	struct pto_stream *s;
	int err;

	err = pto_ctx_take_id(ctx);
	if (!err)
		err = pto_ctx_open_control(ctx);
	if (!err)
		err = pto_ctx_create_hw(ctx, section);
	if (err)
		return err;
	s = pto_stream_new(ctx, section);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ctx->default_stream = s;
	atomic64_inc(&ctx->count.streams_created);
	return 0;
}

struct pto_ctx *pto_ctx_open(struct pto_device *pdev)
{
	struct pto_section section;
	struct pto_ctx *ctx;
	int err;

	if (!pto_section_enter(&section, pdev))
		return ERR_PTR(-ENODEV);
	ctx = pto_ctx_alloc(pdev);
	if (!ctx) {
		pto_section_leave(&section);
		return ERR_PTR(-ENOMEM);
	}
	err = pto_ctx_setup(ctx, &section);
	if (err) {
		if (section.pdev)
			pto_ctx_destroy_hw(ctx, &section);
		pto_section_leave(&section);
		pto_ctx_free(ctx);
		return ERR_PTR(err);
	}
	spin_lock_irq(&pdev->irq_lock);
	list_add(&ctx->link, &pdev->contexts);
	spin_unlock_irq(&pdev->irq_lock);
	atomic_inc(&pdev->context_count);
	atomic64_inc(&pdev->contexts_opened);
	pto_section_leave(&section);
	return ctx;
}

static bool pto_stream_idle(struct pto_queue *q, void *unused)
{
	return q->stream->completed == q->stream->submitted;
}

/* Runs of all streams that have ended. */
static u64 pto_ctx_progress(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	u64 sum = 0;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		pto_queue_reap(&s->queue);
		sum += s->completed;
		spin_unlock(&s->queue.lock);
	}
	spin_unlock(&ctx->lock);
	return sum;
}

/* Nobody else has the context any more: its list of streams does not change. */
static void pto_ctx_drain(struct pto_ctx *ctx, struct pto_section *section)
{
	struct pto_stream *s;

	list_for_each_entry(s, &ctx->stream_list, link) {
		u64 before = pto_ctx_progress(ctx);
		int err;

		do {
			struct pto_wait_how how = {
				.section = section,
				.deadline_ns = ktime_get_ns() + PTO_DRAIN_NS,
				.state = TASK_UNINTERRUPTIBLE,
			};
			u64 now;

			err = pto_queue_wait(&s->queue, pto_stream_idle, NULL, &how);
			if (err == -ENODEV)
				return;
			now = pto_ctx_progress(ctx);
			if (err && now == before)
				return;
			before = now;
		} while (err == -ETIMEDOUT);
	}
}

/* After this no interrupt looks at the context. */
static void pto_ctx_disarm(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	list_for_each_entry(s, &ctx->stream_list, link)
		pto_queue_disarm(&s->queue);
	pto_queue_disarm(&ctx->control);
}

void pto_ctx_close(struct pto_ctx *ctx)
{
	struct pto_device *pdev = ctx->pdev;
	struct pto_section section;

	mutex_lock(&ctx->mutex);
	if (pto_section_enter(&section, pdev)) {
		if (ctx->hw_alive && !READ_ONCE(ctx->lost))
			pto_ctx_drain(ctx, &section);
		if (section.pdev)
			pto_ctx_destroy_hw(ctx, &section);
		pto_section_leave(&section);
	}
	pto_reclaim_all(ctx);
	mutex_unlock(&ctx->mutex);
	spin_lock_irq(&pdev->irq_lock);
	list_del(&ctx->link);
	spin_unlock_irq(&pdev->irq_lock);
	/* With nothing deferred the work does not arm anything again, nor is it scheduled. */
	pto_ctx_disarm(ctx);
	cancel_work_sync(&ctx->reclaim_work);
	atomic_dec(&pdev->context_count);
	pto_ctx_free(ctx);
}

wait_queue_head_t *pto_ctx_waitqueue(struct pto_ctx *ctx)
{
	return &ctx->wq;
}

/* Take what has come, ask for what will. Return: true if there is a result to be read. */
static bool pto_stream_poll(struct pto_stream *s, unsigned int *taken)
{
	bool readable;

	spin_lock(&s->queue.lock);
	if (s->submitted != s->completed)
		pto_queue_arm(&s->queue);
	*taken += pto_queue_reap(&s->queue);
	readable = s->completed > (u64)atomic64_read(&s->read);
	spin_unlock(&s->queue.lock);
	return readable;
}

__poll_t pto_ctx_poll(struct pto_ctx *ctx)
{
	struct pto_section section;
	struct pto_stream *s;
	unsigned int taken = 0;
	__poll_t mask = 0;

	if (!pto_section_enter(&section, ctx->pdev))
		return EPOLLERR | EPOLLHUP;
	/* The caller is in the queue before this is set: see pto_queue_interrupt(). */
	smp_mb();
	WRITE_ONCE(ctx->poll_armed, true);
	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		if (pto_stream_poll(s, &taken))
			mask |= EPOLLIN | EPOLLRDNORM;
	}
	spin_unlock(&ctx->lock);
	if (READ_ONCE(ctx->lost))
		mask |= EPOLLERR;
	pto_queue_wake(&ctx->control, taken);
	pto_section_leave(&section);
	return mask;
}

static void pto_ctx_stop_streams(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		pto_queue_reap(&s->queue);
		spin_unlock(&s->queue.lock);
		pto_queue_stop(&s->queue);
	}
	spin_unlock(&ctx->lock);
}

static void pto_ctx_cancel_runs(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link)
		pto_stream_cancel(s);
	spin_unlock(&ctx->lock);
	wake_up_all(&ctx->wq);
}

/* What the old hardware context knew, the new one is told. */
static int pto_ctx_restore(struct pto_ctx *ctx, struct pto_section *section)
{
	int err;

	err = pto_ctx_create_hw(ctx, section);
	if (!err)
		err = pto_stream_bind_all(ctx, section);
	if (!err)
		err = pto_bo_map_all(ctx, section);
	if (!err)
		err = pto_arena_bind_all(ctx, section);
	if (!err)
		err = pto_callable_load_all(ctx, section);
	return err;
}

static int pto_ctx_renew(struct pto_ctx *ctx, struct pto_section *section)
{
	int err;

	pto_ctx_stop_streams(ctx);
	pto_ctx_destroy_hw(ctx, section);
	if (!section->pdev)
		return -ENODEV;
	if (ctx->leaking)
		return -EIO;
	pto_ctx_cancel_runs(ctx);
	pto_reclaim_all(ctx);
	err = pto_ctx_restore(ctx, section);
	if (!err)
		WRITE_ONCE(ctx->lost, false);
	return err;
}

/** pto_ctx_reset() - PTO_CTX_RESET */
int pto_ctx_reset(struct pto_call *call)
{
	struct pto_ctx_reset *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_section section;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	/* From here on nothing is submitted, and who waits for a command gives the mutex up. */
	pto_ctx_lose(ctx);
	pto_queue_stop(&ctx->control);
	err = pto_ctx_begin(ctx, &section);
	if (err)
		return err;
	err = pto_ctx_renew(ctx, &section);
	if (!err)
		atomic64_inc(&ctx->count.resets);
	pto_ctx_end(ctx, &section);
	return err;
}
