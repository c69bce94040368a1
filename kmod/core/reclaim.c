// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Freeing what runs may still be using. Runs take no references to buffers, callables and
 * arenas: they look them up under their queue's lock. So whoever has taken an object out of its
 * table, and has then held every queue's lock once, knows that only runs up to the context's
 * latest can be using it. When those have ended the hardware context is told to forget it,
 * and when it has, the object is freed.
 */
#include "ctx.h"
#include "device.h"
#include "queue.h"
#include "reclaim.h"
#include "stream.h"

/* Under ctx->lock: number of the latest run that can have seen what is no longer visible. */
static u64 pto_runs_so_far(struct pto_ctx *ctx)
{
	struct pto_stream *s;

	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		spin_unlock(&s->queue.lock);
	}
	return atomic64_read(&ctx->run_seq);
}

/**
 * pto_defer() - free an object when it is not used any more
 * @ctx: the context
 * @d: part of the object, which nobody can find any more
 * @ops: how to free it
 *
 * Does not sleep. The caller looks after it that pto_reclaim_settle() or the work gets to it.
 */
void pto_defer(struct pto_ctx *ctx, struct pto_deferred *d, const struct pto_deferred_ops *ops)
{
	d->ops = ops;
	d->posted = false;
	spin_lock(&ctx->lock);
	d->run_seq = pto_runs_so_far(ctx);
	list_add_tail(&d->link, &ctx->deferred);
	atomic_inc(&ctx->deferred_count);
	spin_unlock(&ctx->lock);
	atomic_set(&ctx->reclaim_wanted, 1);
}

/* Has every run up to this one ended? If not, ask for an interrupt when more have. */
static bool pto_runs_ended(struct pto_ctx *ctx, u64 run_seq)
{
	struct pto_stream *s;
	bool ended = true;

	spin_lock(&ctx->lock);
	list_for_each_entry(s, &ctx->stream_list, link) {
		spin_lock(&s->queue.lock);
		if (s->submitted != s->completed &&
		    s->runs[s->completed & s->run_mask].ctx_seq <= run_seq) {
			pto_queue_arm(&s->queue);
			ended = false;
		}
		spin_unlock(&s->queue.lock);
	}
	spin_unlock(&ctx->lock);
	return ended;
}

static bool pto_control_passed(struct pto_queue *q, void *index)
{
	return q->stopped || (s32)(q->cq_head - *(u32 *)index) > 0;
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

/* Return: true when the object has been freed, or can be as there is nobody to tell. */
static bool pto_reclaim_one(struct pto_ctx *ctx, struct pto_deferred *d)
{
	struct pto_dev_cmd cmd[PTO_DEFERRED_COMMANDS] = {};
	unsigned int count, i;
	bool passed;

	if (!d->posted) {
		if (!pto_runs_ended(ctx, d->run_seq))
			return false;
		if (!ctx->hw_alive)
			return true;
		count = d->ops->commands(d, cmd);
		for (i = 0; i < count; i++)
			cmd[i].ctx = ctx->hw_id;
		if (pto_queue_post(&ctx->control, cmd, count, NULL))
			return false;
		atomic64_add(count, &ctx->count.device_commands);
		d->control_index = READ_ONCE(ctx->control.sq_tail) - 1;
		d->posted = true;
		pto_queue_arm(&ctx->control);
	}
	spin_lock(&ctx->control.lock);
	pto_queue_reap(&ctx->control);
	passed = pto_control_passed(&ctx->control, &d->control_index);
	spin_unlock(&ctx->control.lock);
	return passed;
}

static void pto_reclaim_release(struct pto_ctx *ctx, struct pto_deferred *d)
{
	list_del_init(&d->link);
	atomic_dec(&ctx->deferred_count);
	d->ops->release(d);
}

/* ctx->mutex is held, in a section. Return: true if commands are on their way. */
static bool pto_reclaim(struct pto_ctx *ctx)
{
	struct pto_deferred *d, *next;
	bool posted = false;
	LIST_HEAD(todo);

	pto_reclaim_reap(ctx);
	spin_lock(&ctx->lock);
	list_splice_init(&ctx->deferred, &todo);
	spin_unlock(&ctx->lock);
	list_for_each_entry_safe(d, next, &todo, link) {
		if (pto_reclaim_one(ctx, d))
			pto_reclaim_release(ctx, d);
		else if (d->posted)
			posted = true;
	}
	spin_lock(&ctx->lock);
	list_splice_init(&todo, &ctx->deferred);
	spin_unlock(&ctx->lock);
	return posted;
}

/* Return: true if commands are on their way. */
static bool pto_reclaim_inside(struct pto_ctx *ctx)
{
	struct pto_section section;
	bool posted;

	if (!pto_reclaim_pending(ctx) || !pto_section_enter(&section, ctx->pdev))
		return false;
	posted = pto_reclaim(ctx);
	pto_section_leave(&section);
	return posted;
}

/**
 * pto_reclaim_locked() - free what can be freed now
 * @ctx: the context; its mutex is held
 * @section: the caller's section
 *
 * In an idle context that is everything, when this returns.
 */
void pto_reclaim_locked(struct pto_ctx *ctx, struct pto_section *section)
{
	struct pto_wait_how how = {
		.section = section,
		.deadline_ns = ktime_get_ns() + PTO_DRAIN_NS,
		.state = TASK_UNINTERRUPTIBLE,
	};
	u32 last;

	if (!pto_reclaim_inside(ctx) || pto_ctx_busy(ctx))
		return;
	last = READ_ONCE(ctx->control.sq_tail) - 1;
	pto_queue_wait(&ctx->control, pto_control_passed, &last, &how);
	pto_reclaim_inside(ctx);
}

/**
 * pto_reclaim_unlock() - release ctx->mutex
 * @ctx: the context
 *
 * Whoever could not get the mutex has left its work to its holder.
 */
void pto_reclaim_unlock(struct pto_ctx *ctx)
{
	do {
		if (atomic_xchg(&ctx->reclaim_wanted, 0))
			pto_reclaim_inside(ctx);
		mutex_unlock(&ctx->mutex);
		/* Against the store of reclaim_wanted before mutex_trylock() elsewhere. */
		smp_mb();
	} while (atomic_read(&ctx->reclaim_wanted) && mutex_trylock(&ctx->mutex));
}

/**
 * pto_reclaim_settle() - free what can be freed now
 * @ctx: the context; its mutex is not held
 * @section: the caller's section
 *
 * In an idle context that is everything, when this returns.
 */
void pto_reclaim_settle(struct pto_ctx *ctx, struct pto_section *section)
{
	atomic_set(&ctx->reclaim_wanted, 1);
	/* Pairs with the barrier after mutex_unlock() in pto_reclaim_unlock(). */
	smp_mb();
	if (!mutex_trylock(&ctx->mutex))
		return;
	pto_reclaim_locked(ctx, section);
	pto_reclaim_unlock(ctx);
}

static void pto_reclaim_work(struct work_struct *work)
{
	struct pto_ctx *ctx = container_of(work, struct pto_ctx, reclaim_work);

	mutex_lock(&ctx->mutex);
	atomic_set(&ctx->reclaim_wanted, 1);
	pto_reclaim_unlock(ctx);
}

/** pto_reclaim_init() - nothing to free yet */
void pto_reclaim_init(struct pto_ctx *ctx)
{
	INIT_LIST_HEAD(&ctx->deferred);
	INIT_WORK(&ctx->reclaim_work, pto_reclaim_work);
}

/**
 * pto_reclaim_all() - free everything that waits
 * @ctx: the context; no run is in flight and the hardware context is no more. Its mutex is
 *	held or it is being closed
 */
void pto_reclaim_all(struct pto_ctx *ctx)
{
	struct pto_deferred *d, *next;
	LIST_HEAD(todo);

	spin_lock(&ctx->lock);
	list_splice_init(&ctx->deferred, &todo);
	spin_unlock(&ctx->lock);
	list_for_each_entry_safe(d, next, &todo, link)
		pto_reclaim_release(ctx, d);
}
