// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Deferred freeing of objects that runs may still be using.
 *
 * Runs take no references to buffers, callables and arenas. A submission looks them up under its
 * queue's lock. So after an object has been removed from its table, and then each queue's lock has
 * been taken once, only runs up to the context's latest one can be using it. When those have ended,
 * commands take the object from the hardware context, and then it is freed. If the device refuses
 * the commands, the context is lost, and the object is kept until the hardware context has ended.
 *
 * The context's work does all this, so that neither deferring an object nor a query waits for the
 * device. An object passes through three lists (fresh, waiting, posted). Each is processed from its
 * head, so the cost of an object does not depend on the number of objects.
 */
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "ctx.h"
#include "device.h"
#include "queue.h"
#include "reclaim.h"
#include "runs.h"

/* How long a thread that needs memory or a handle waits for objects that are being freed. */
#define PTO_SETTLE_NS (2 * (u64)NSEC_PER_SEC)

/** pto_reclaim_start() - queue the work that frees deferred objects. Does not sleep */
void pto_reclaim_start(struct pto_ctx *ctx)
{
	queue_work(pto_wq, &ctx->client.work);
}

/**
 * pto_defer() - free an object when it is not used any more. Does not sleep
 * @ctx: the context
 * @d: part of the object, which has been removed from its table
 * @ops: how to free it
 */
void pto_defer(struct pto_ctx *ctx, struct pto_deferred *d, const struct pto_deferred_ops *ops)
{
	d->ops = ops;
	spin_lock(&ctx->client.lock);
	list_add_tail(&d->link, &ctx->reclaim.fresh);
	atomic_inc(&ctx->client.pending);
	WRITE_ONCE(ctx->reclaim.busy, true);
	spin_unlock(&ctx->client.lock);
	pto_reclaim_start(ctx);
}

/** pto_reclaim_reap() - take the completions of all queues of the context; in a section */
void pto_reclaim_reap(struct pto_ctx *ctx)
{
	struct pto_queue *q;
	unsigned int taken = 0;

	spin_lock(&ctx->client.lock);
	list_for_each_entry(q, &ctx->client.queues, link) {
		spin_lock(&q->lock);
		taken += pto_queue_reap(q);
		spin_unlock(&q->lock);
	}
	spin_lock(&ctx->control.lock);
	taken += pto_queue_reap(&ctx->control);
	spin_unlock(&ctx->control.lock);
	spin_unlock(&ctx->client.lock);
	pto_queue_wake(&ctx->control, taken);
}

/* Fresh objects wait for all runs submitted so far, which may have found them. */
static void pto_reclaim_sort(struct pto_ctx *ctx)
{
	struct pto_deferred *d;
	struct pto_queue *q;
	LIST_HEAD(fresh);
	u64 run_seq;

	spin_lock(&ctx->client.lock);
	list_splice_init(&ctx->reclaim.fresh, &fresh);
	list_for_each_entry(q, &ctx->client.queues, link) {
		spin_lock(&q->lock);
		spin_unlock(&q->lock);
	}
	run_seq = atomic64_read(&ctx->run_seq);
	spin_unlock(&ctx->client.lock);
	list_for_each_entry(d, &fresh, link)
		d->run_seq = run_seq;
	list_splice_tail_init(&fresh, &ctx->reclaim.waiting);
}

/*
 * Return: the number of the oldest run in flight, U64_MAX if there is none. Arms the queues whose
 * oldest run is not later than @wanted.
 */
static u64 pto_oldest_run(struct pto_ctx *ctx, u64 wanted)
{
	u64 oldest = U64_MAX, seq;
	struct pto_queue *q;

	spin_lock(&ctx->client.lock);
	list_for_each_entry(q, &ctx->client.queues, link) {
		spin_lock(&q->lock);
		seq = pto_runs_oldest(q->runs);
		oldest = min(oldest, seq);
		if (seq <= wanted)
			pto_queue_arm(q);
		spin_unlock(&q->lock);
	}
	spin_unlock(&ctx->client.lock);
	return oldest;
}

/* Post the commands that take an object from the hardware context. Return: false on failure. */
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
	/* Fully ordered: a thread that reads the new count also finds the resources free. */
	atomic_dec_return(&ctx->client.pending);
}

/*
 * Can the object be freed? Yes if the device has accepted the commands that take it, or had refused
 * the command that gave it. An UNLOAD that timed out has freed the handle. An UNLOAD of an unknown
 * handle follows a LOAD that failed after its waiter was gone.
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

/* Take completions. Arms the control queue before, if objects wait for it. */
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
 * Free as much as possible without waiting. Queues are armed before each look, so a completion that
 * arrives after the last look starts the work again.
 */
static void pto_reclaim_pass(struct pto_ctx *ctx)
{
	bool any;

	do {
		if (READ_ONCE(ctx->client.lost) || !pto_reclaim_look(ctx))
			return;
		pto_reclaim_sort(ctx);
		any = pto_reclaim_waiting(ctx);
		if (!pto_reclaim_look(ctx))
			return;
		any |= pto_reclaim_posted(ctx);
	} while (any);
}

/* Wake the waiters in pto_reclaim_settle() when the remaining objects wait for runs only. */
static void pto_reclaim_calm(struct pto_ctx *ctx)
{
	bool calm;

	spin_lock(&ctx->client.lock);
	calm = list_empty(&ctx->reclaim.fresh) &&
	       (list_empty(&ctx->reclaim.posted) || READ_ONCE(ctx->client.lost));
	WRITE_ONCE(ctx->reclaim.busy, !calm);
	spin_unlock(&ctx->client.lock);
	if (calm && wq_has_sleeper(&ctx->client.wq))
		wake_up_all(&ctx->client.wq);
}

/* A pass, and what it left. Does not wait for the device. */
static void pto_reclaim_now(struct pto_ctx *ctx)
{
	mutex_lock(&ctx->reclaim.mutex);
	if (READ_ONCE(ctx->hw) == PTO_HW_ALIVE)
		pto_reclaim_pass(ctx);
	pto_reclaim_calm(ctx);
	mutex_unlock(&ctx->reclaim.mutex);
}

static void pto_reclaim_work(struct work_struct *work)
{
	pto_reclaim_now(container_of(work, struct pto_ctx, client.work));
}

static bool pto_reclaim_is_calm(struct pto_ctx *ctx)
{
	return !READ_ONCE(ctx->reclaim.busy) || READ_ONCE(ctx->client.lost) ||
	       pto_device_is_gone(ctx->pdev);
}

/**
 * pto_reclaim_settle() - wait for deferred objects that do not wait for runs
 * @ctx: the context
 * @before: pto_reclaim_mark() before the attempt that failed
 *
 * Killable. Waits at most PTO_SETTLE_NS.
 *
 * The runs that objects waited for may have ended since the work's last pass. So the caller makes
 * a pass itself first; after that, what is not posted waits for runs in flight.
 *
 * Return: true if it waited, or if objects were freed since @before: a new attempt may succeed.
 */
bool pto_reclaim_settle(struct pto_ctx *ctx, int before)
{
	u64 deadline_ns = ktime_get_ns() + PTO_SETTLE_NS;
	DEFINE_WAIT(wait);
	bool again = true;

	if (!pto_reclaim_pending(ctx)) {
		smp_rmb(); /* read count before freed */
		return pto_reclaim_mark(ctx) != before;
	}
	pto_reclaim_now(ctx);
	while (again) {
		ktime_t expires = pto_queue_expiry(deadline_ns);
		bool woken = true;

		prepare_to_wait(&ctx->client.wq, &wait, TASK_KILLABLE | TASK_FREEZABLE);
		again = !pto_reclaim_is_calm(ctx) && ktime_get_ns() < deadline_ns &&
			!signal_pending_state(TASK_KILLABLE, current);
		if (again)
			woken = schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
		finish_wait(&ctx->client.wq, &wait);
		/* The interrupt that starts the work may be lost. */
		if (!woken)
			pto_reclaim_start(ctx);
	}
	return true;
}

/** pto_reclaim_alloc() - pto_mem_alloc(); waits for deferred objects if memory is short */
int pto_reclaim_alloc(struct pto_ctx *ctx, u64 length, struct pto_mem *mem)
{
	int before = pto_reclaim_mark(ctx);
	int err = pto_mem_alloc(ctx->pdev, length, mem);

	if (err == -ENOMEM && pto_reclaim_settle(ctx, before))
		err = pto_mem_alloc(ctx->pdev, length, mem);
	return err;
}

/**
 * pto_reclaim_command() - pto_ctx_command() for a command that allocates on the device
 * @ctx: the context
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 *
 * If the device is out of a resource, waits for deferred objects and tries once more.
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
 * pto_reclaim_give() - pto_reclaim_command() for a command that gives an object to the context
 * @ctx: the context
 * @cmd: the command
 * @d: part of the object; @d->given receives the completion
 *
 * Afterwards the object may be freed without pto_defer() only if pto_reclaim_given() is false.
 */
int pto_reclaim_give(struct pto_ctx *ctx, union pto_command *cmd, struct pto_deferred *d)
{
	int before = pto_reclaim_mark(ctx);
	int err;

	d->given.report = NULL;
	err = pto_ctx_give(ctx, cmd, &d->given);
	/* Only the device returns these two errors, so the command has completed. */
	if ((err == -ENOSPC || err == -ENOMEM) && pto_reclaim_settle(ctx, before))
		err = pto_ctx_give(ctx, cmd, &d->given);
	return err;
}

/** pto_reclaim_given() - does the hardware context have the object, or may it get it later? */
bool pto_reclaim_given(struct pto_ctx *ctx, const struct pto_deferred *d)
{
	return d->given.posted && !pto_queue_refused(&ctx->control, &d->given);
}

/** pto_reclaim_init() - initialise the lists of deferred objects */
void pto_reclaim_init(struct pto_ctx *ctx)
{
	struct pto_reclaim *r = &ctx->reclaim;

	pto_client_init(&ctx->client, pto_reclaim_work);
	mutex_init(&r->mutex);
	INIT_LIST_HEAD(&r->fresh);
	INIT_LIST_HEAD(&r->waiting);
	INIT_LIST_HEAD(&r->posted);
	INIT_LIST_HEAD(&r->kept);
}

/**
 * pto_reclaim_all() - free all deferred objects
 * @ctx: the context; no run is in flight, and the hardware context has ended
 */
void pto_reclaim_all(struct pto_ctx *ctx)
{
	struct pto_reclaim *r = &ctx->reclaim;
	struct pto_deferred *d, *next;
	LIST_HEAD(todo);

	mutex_lock(&r->mutex);
	spin_lock(&ctx->client.lock);
	list_splice_init(&r->fresh, &todo);
	spin_unlock(&ctx->client.lock);
	list_splice_init(&r->waiting, &todo);
	list_splice_init(&r->posted, &todo);
	list_splice_init(&r->kept, &todo);
	list_for_each_entry_safe(d, next, &todo, link) {
		/* The control queue is stopped or closed: it points to no replies. */
		pto_reclaim_release(ctx, d);
		cond_resched();
	}
	pto_reclaim_calm(ctx);
	mutex_unlock(&r->mutex);
}
