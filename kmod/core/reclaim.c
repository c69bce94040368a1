// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Freeing what runs may still be using. Runs take no references to buffers, callables and
 * arenas: they look them up under their queue's lock. So whoever has taken an object out of its
 * table, and has then held every queue's lock once, knows that only runs up to the context's
 * latest can be using it. When those have ended the hardware context is told to forget it,
 * and when it has, the object is freed. If it refuses, the context is lost, and the object
 * is kept until the hardware context has ended.
 *
 * All of it is done by the context's work, so that neither giving something up nor reading
 * waits for the device. An object passes through three lists (fresh, waiting, posted), each of
 * which is worked off from its head: what an object costs does not depend on how many there
 * are.
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "ctx.h"
#include "device.h"
#include "queue.h"
#include "reclaim.h"
#include "stream.h"

/* How long somebody who needs memory or a handle waits for what is being freed. */
#define PTO_SETTLE_NS (2 * (u64)NSEC_PER_SEC)

/** pto_reclaim_start() - have the work look at what the context has given up. Does not sleep */
void pto_reclaim_start(struct pto_ctx *ctx)
{
	queue_work(pto_wq, &ctx->reclaim.work);
}

/**
 * pto_defer() - free an object when it is not used any more. Does not sleep
 * @ctx: the context
 * @d: part of the object, which nobody can find any more
 * @ops: how to free it
 */
void pto_defer(struct pto_ctx *ctx, struct pto_deferred *d, const struct pto_deferred_ops *ops)
{
	d->ops = ops;
	spin_lock(&ctx->lock);
	list_add_tail(&d->link, &ctx->reclaim.fresh);
	atomic_inc(&ctx->reclaim.count);
	WRITE_ONCE(ctx->reclaim.busy, true);
	spin_unlock(&ctx->lock);
	pto_reclaim_start(ctx);
}

/** pto_reclaim_reap() - take all completions that are there; in a section */
void pto_reclaim_reap(struct pto_ctx *ctx)
{
	struct pto_stream *s;
	unsigned int taken = 0;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		taken += pto_queue_reap(&s->queue);
		spin_unlock(&s->queue.lock);
	}
	spin_lock(&ctx->control.lock);
	taken += pto_queue_reap(&ctx->control);
	spin_unlock(&ctx->control.lock);
	spin_unlock(&ctx->lock);
	pto_queue_wake(&ctx->control, taken);
}

/* What was given up waits for the runs that are in flight now, and may have found it. */
static void pto_reclaim_sort(struct pto_ctx *ctx)
{
	struct pto_deferred *d;
	struct pto_stream *s;
	LIST_HEAD(fresh);
	u64 run_seq;

	spin_lock(&ctx->lock);
	list_splice_init(&ctx->reclaim.fresh, &fresh);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		spin_unlock(&s->queue.lock);
	}
	run_seq = atomic64_read(&ctx->run_seq);
	spin_unlock(&ctx->lock);
	list_for_each_entry(d, &fresh, link)
		d->run_seq = run_seq;
	list_splice_tail_init(&fresh, &ctx->reclaim.waiting);
}

/*
 * The number of the oldest run in flight, U64_MAX if there is none. The device is asked to say
 * when it, and any other run up to @wanted, has ended.
 */
static u64 pto_oldest_run(struct pto_ctx *ctx, u64 wanted)
{
	u64 oldest = U64_MAX, seq;
	struct pto_stream *s;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		if (s->submitted != s->completed) {
			seq = s->runs[s->completed & s->run_mask].ctx_seq;
			oldest = min(oldest, seq);
			if (seq <= wanted)
				pto_queue_arm(&s->queue);
		}
		spin_unlock(&s->queue.lock);
	}
	spin_unlock(&ctx->lock);
	return oldest;
}

/* Tell the hardware context to forget an object. Return: false if there is no room. */
static bool pto_reclaim_post(struct pto_ctx *ctx, struct pto_deferred *d)
{
	union pto_command cmd[PTO_DEFERRED_COMMANDS] = {};
	unsigned int count, i;

	count = d->ops->commands(d, cmd);
	for (i = 0; i < count; i++)
		cmd[i].any.ctx = ctx->hw_id;
	d->opcode = cmd[count - 1].any.opcode;
	d->reply.report = NULL;
	if (pto_queue_post(&ctx->control, cmd, count, &d->reply))
		return false;
	atomic64_add(count, &ctx->count.device_commands);
	return true;
}

/* Return: true if something was posted. */
static bool pto_reclaim_waiting(struct pto_ctx *ctx)
{
	struct list_head *waiting = &ctx->reclaim.waiting;
	struct pto_deferred *d;
	bool any = false;
	u64 oldest;

	if (list_empty(waiting))
		return false;
	d = list_first_entry(waiting, struct pto_deferred, link);
	oldest = pto_oldest_run(ctx, d->run_seq);
	while ((d = list_first_entry_or_null(waiting, struct pto_deferred, link)) &&
	       d->run_seq < oldest && pto_reclaim_post(ctx, d)) {
		list_move_tail(&d->link, &ctx->reclaim.posted);
		any = true;
	}
	return any;
}

static void pto_reclaim_release(struct pto_ctx *ctx, struct pto_deferred *d)
{
	list_del_init(&d->link);
	d->ops->release(d);
	atomic_inc(&ctx->reclaim.freed);
	/* Fully ordered: whoever misses it finds what it held free; see pto_reclaim_settle(). */
	atomic_dec_return(&ctx->reclaim.count);
}

/*
 * Did the device give the object up? It never had what it refused when nobody waited for that any
 * more. An UNLOAD that timed out has freed the handle, and one of a handle that it does not know
 * follows a LOAD that nobody waited for, and that failed.
 */
static bool pto_reclaim_accepted(struct pto_ctx *ctx, const struct pto_deferred *d)
{
	if (d->reply.status == PTO_DEV_OK || pto_queue_refused(&ctx->control, &d->given))
		return true;
	return d->opcode == PTO_DEV_UNLOAD &&
	       (d->reply.status == PTO_DEV_TIMEOUT || d->reply.status == PTO_DEV_INVALID);
}

/* Return: true if something was freed. */
static bool pto_reclaim_posted(struct pto_ctx *ctx)
{
	struct pto_deferred *d;
	bool any = false;

	while ((d = list_first_entry_or_null(&ctx->reclaim.posted, struct pto_deferred, link)) &&
	       pto_queue_answered(&ctx->control, &d->reply)) {
		if (pto_reclaim_accepted(ctx, d)) {
			pto_reclaim_release(ctx, d);
		} else {
			list_move_tail(&d->link, &ctx->reclaim.kept);
			pto_ctx_lose(ctx);
		}
		any = true;
		cond_resched();
	}
	return any;
}

/* Take what has come. If anything is waited for, the device is asked to say when more has. */
static bool pto_reclaim_look(struct pto_ctx *ctx)
{
	struct pto_section section;

	if (!pto_section_enter(&section, ctx->pdev))
		return false;
	if (!list_empty(&ctx->reclaim.posted))
		pto_queue_arm(&ctx->control);
	pto_reclaim_reap(ctx);
	pto_section_leave(&section);
	return true;
}

/*
 * As far as it goes without waiting. An interrupt is asked for before each look, so what the
 * last look does not find starts the work again.
 */
static void pto_reclaim_pass(struct pto_ctx *ctx)
{
	bool any;

	do {
		if (READ_ONCE(ctx->lost) || !pto_reclaim_look(ctx))
			return;
		pto_reclaim_sort(ctx);
		any = pto_reclaim_waiting(ctx);
		if (!pto_reclaim_look(ctx))
			return;
		any |= pto_reclaim_posted(ctx);
	} while (any);
}

/* Whoever waits in pto_reclaim_settle() has waited long enough when only runs hold things. */
static void pto_reclaim_calm(struct pto_ctx *ctx)
{
	bool calm;

	spin_lock(&ctx->lock);
	calm = list_empty(&ctx->reclaim.fresh) &&
	       (list_empty(&ctx->reclaim.posted) || READ_ONCE(ctx->lost));
	if (calm)
		WRITE_ONCE(ctx->reclaim.busy, false);
	spin_unlock(&ctx->lock);
	if (calm && wq_has_sleeper(&ctx->wq))
		wake_up_all(&ctx->wq);
}

static void pto_reclaim_work(struct work_struct *work)
{
	struct pto_ctx *ctx = container_of(work, struct pto_ctx, reclaim.work);

	mutex_lock(&ctx->reclaim.mutex);
	if (READ_ONCE(ctx->hw) == PTO_HW_ALIVE)
		pto_reclaim_pass(ctx);
	pto_reclaim_calm(ctx);
	mutex_unlock(&ctx->reclaim.mutex);
}

static bool pto_reclaim_is_calm(struct pto_ctx *ctx)
{
	return !READ_ONCE(ctx->reclaim.busy) || READ_ONCE(ctx->lost) ||
	       pto_device_is_gone(ctx->pdev);
}

/**
 * pto_reclaim_settle() - wait for what is being freed and does not depend on runs
 * @ctx: the context
 * @before: pto_reclaim_mark() from before what failed
 *
 * Killable, and no longer than PTO_SETTLE_NS.
 *
 * Return: true if anything has been waited for, or freed since @before: it is worth trying again.
 */
bool pto_reclaim_settle(struct pto_ctx *ctx, int before)
{
	u64 deadline_ns = ktime_get_ns() + PTO_SETTLE_NS;
	DEFINE_WAIT(wait);
	bool again = true;

	if (!pto_reclaim_pending(ctx)) {
		smp_rmb(); /* the count before what has been freed */
		return pto_reclaim_mark(ctx) != before;
	}
	while (again) {
		ktime_t expires = pto_queue_expiry(deadline_ns);
		bool woken = true;

		prepare_to_wait(&ctx->wq, &wait, TASK_KILLABLE | TASK_FREEZABLE);
		again = !pto_reclaim_is_calm(ctx) && ktime_get_ns() < deadline_ns &&
			!signal_pending_state(TASK_KILLABLE, current);
		if (again)
			woken = schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
		finish_wait(&ctx->wq, &wait);
		/* The interrupt that starts the work may be lost. */
		if (!woken)
			pto_reclaim_start(ctx);
	}
	return true;
}

/** pto_reclaim_alloc() - pto_mem_alloc(), but that what only waits to be freed is waited for */
int pto_reclaim_alloc(struct pto_ctx *ctx, u64 length, struct pto_mem *mem)
{
	int before = pto_reclaim_mark(ctx);
	int err = pto_mem_alloc(ctx->pdev, length, mem);

	if (err == -ENOMEM && pto_reclaim_settle(ctx, before))
		err = pto_mem_alloc(ctx->pdev, length, mem);
	return err;
}

/**
 * pto_reclaim_command() - pto_ctx_command() for what takes something of the device
 * @ctx: the context
 * @cmd: the command
 * @reply: its completion, if there was one
 *
 * What the device is short of may only wait to be given back.
 */
int pto_reclaim_command(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply)
{
	int before = pto_reclaim_mark(ctx);
	int err = pto_ctx_command(ctx, cmd, reply);

	if ((err == -ENOSPC || err == -ENOMEM) && reply->done && pto_reclaim_settle(ctx, before))
		err = pto_ctx_command(ctx, cmd, reply);
	return err;
}

/**
 * pto_reclaim_give() - the same for a command that gives the hardware context an object
 * @ctx: the context
 * @cmd: the command
 * @d: part of the object; @d->given becomes the completion
 *
 * Afterwards the object can be freed at once only if pto_reclaim_given() says no.
 */
int pto_reclaim_give(struct pto_ctx *ctx, union pto_command *cmd, struct pto_deferred *d)
{
	int before = pto_reclaim_mark(ctx);
	int err;

	d->given.report = NULL;
	err = pto_ctx_give(ctx, cmd, &d->given);
	/* (These two come from the device only: it has answered.) */
	if ((err == -ENOSPC || err == -ENOMEM) && pto_reclaim_settle(ctx, before))
		err = pto_ctx_give(ctx, cmd, &d->given);
	return err;
}

/** pto_reclaim_given() - does the hardware context have the object, or may it get it yet? */
bool pto_reclaim_given(struct pto_ctx *ctx, const struct pto_deferred *d)
{
	return d->given.posted && !pto_queue_refused(&ctx->control, &d->given);
}

/** pto_reclaim_init() - nothing to free yet */
void pto_reclaim_init(struct pto_ctx *ctx)
{
	struct pto_reclaim *r = &ctx->reclaim;

	mutex_init(&r->mutex);
	INIT_LIST_HEAD(&r->fresh);
	INIT_LIST_HEAD(&r->waiting);
	INIT_LIST_HEAD(&r->posted);
	INIT_LIST_HEAD(&r->kept);
	INIT_WORK(&r->work, pto_reclaim_work);
}

/**
 * pto_reclaim_all() - free everything that waits
 * @ctx: the context; no run is in flight and the hardware context is no more
 */
void pto_reclaim_all(struct pto_ctx *ctx)
{
	struct pto_reclaim *r = &ctx->reclaim;
	struct pto_deferred *d, *next;
	LIST_HEAD(todo);

	mutex_lock(&r->mutex);
	spin_lock(&ctx->lock);
	list_splice_init(&r->fresh, &todo);
	spin_unlock(&ctx->lock);
	list_splice_init(&r->waiting, &todo);
	list_splice_init(&r->posted, &todo);
	list_splice_init(&r->kept, &todo);
	list_for_each_entry_safe(d, next, &todo, link) {
		/* The control queue is stopped or closed: it does not know the reply any more. */
		pto_reclaim_release(ctx, d);
		cond_resched();
	}
	pto_reclaim_calm(ctx);
	mutex_unlock(&r->mutex);
}
