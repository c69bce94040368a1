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

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"

/* How long a thread that needs memory or a handle waits for objects that are being freed. */
#define PTO_SETTLE_NS (2 * (u64)NSEC_PER_SEC)

/** pto_reclaim_start() - queue the work that frees deferred objects. Does not sleep */
void pto_reclaim_start(struct pto_channel *ch)
{
	queue_work(pto_wq, &ch->client.work);
}

/**
 * pto_defer() - free an object when it is not used any more. Does not sleep
 * @ch: the channel
 * @d: part of the object, which has been removed from its table
 * @ops: how to free it
 */
void pto_defer(struct pto_channel *ch, struct pto_deferred *d, const struct pto_deferred_ops *ops)
{
	d->ops = ops;
	spin_lock(&ch->client.lock);
	list_add_tail(&d->link, &ch->reclaim.fresh);
	atomic_inc(&ch->client.pending);
	WRITE_ONCE(ch->reclaim.busy, true);
	spin_unlock(&ch->client.lock);
	pto_reclaim_start(ch);
}

/** pto_reclaim_reap() - take the completions of all queues of the context; in a section */
void pto_reclaim_reap(struct pto_channel *ch)
{
	struct pto_queue *q;
	unsigned int taken = 0;

	spin_lock(&ch->client.lock);
	list_for_each_entry(q, &ch->client.queues, link) {
		spin_lock(&q->lock);
		taken += pto_queue_reap(q);
		spin_unlock(&q->lock);
	}
	spin_lock(&ch->control.lock);
	taken += pto_queue_reap(&ch->control);
	spin_unlock(&ch->control.lock);
	spin_unlock(&ch->client.lock);
	pto_queue_wake(&ch->control, taken);
}

/* Fresh objects wait for all runs submitted so far, which may have found them. */
static void pto_reclaim_sort(struct pto_channel *ch)
{
	struct pto_deferred *d;
	struct pto_queue *q;
	LIST_HEAD(fresh);
	u64 run_seq;

	spin_lock(&ch->client.lock);
	list_splice_init(&ch->reclaim.fresh, &fresh);
	list_for_each_entry(q, &ch->client.queues, link) {
		spin_lock(&q->lock);
		spin_unlock(&q->lock);
	}
	run_seq = atomic64_read(&ch->run_seq);
	spin_unlock(&ch->client.lock);
	list_for_each_entry(d, &fresh, link)
		d->run_seq = run_seq;
	list_splice_tail_init(&fresh, &ch->reclaim.waiting);
}

/*
 * Return: the number of the oldest run in flight, U64_MAX if there is none. Arms the queues whose
 * oldest run is not later than @wanted.
 */
static u64 pto_oldest_run(struct pto_channel *ch, u64 wanted)
{
	u64 oldest = U64_MAX, seq;
	struct pto_queue *q;

	spin_lock(&ch->client.lock);
	list_for_each_entry(q, &ch->client.queues, link) {
		spin_lock(&q->lock);
		seq = pto_runs_oldest(q->runs);
		oldest = min(oldest, seq);
		if (seq <= wanted)
			pto_queue_arm(q);
		spin_unlock(&q->lock);
	}
	spin_unlock(&ch->client.lock);
	return oldest;
}

/* Post the commands that take an object from the hardware context. Return: false on failure. */
static bool pto_reclaim_post(struct pto_channel *ch, struct pto_deferred *d)
{
	union pto_command cmd[PTO_DEFERRED_COMMANDS] = {};
	unsigned int count, i;

	count = d->ops->commands(d, cmd);
	for (i = 0; i < count; i++)
		cmd[i].any.ctx = ch->hw_id;
	d->opcode = cmd[count - 1].any.opcode;
	d->reply.report = NULL;
	if (pto_queue_post(&ch->control, cmd, count, &d->reply))
		return false;
	atomic64_add(count, &ch->count.device_commands);
	return true;
}

/* Return: true if something was posted. */
static bool pto_reclaim_waiting(struct pto_channel *ch)
{
	struct list_head *waiting = &ch->reclaim.waiting;
	struct pto_deferred *d;
	bool any = false;
	u64 oldest;

	if (list_empty(waiting))
		return false;
	d = list_first_entry(waiting, struct pto_deferred, link);
	oldest = pto_oldest_run(ch, d->run_seq);
	while ((d = list_first_entry_or_null(waiting, struct pto_deferred, link)) &&
	       d->run_seq < oldest && pto_reclaim_post(ch, d)) {
		list_move_tail(&d->link, &ch->reclaim.posted);
		any = true;
	}
	return any;
}

static void pto_reclaim_release(struct pto_channel *ch, struct pto_deferred *d)
{
	list_del_init(&d->link);
	d->ops->release(d);
	atomic_inc(&ch->reclaim.freed);
	/* Fully ordered: a thread that reads the new count also finds the resources free. */
	atomic_dec_return(&ch->client.pending);
}

/*
 * Can the object be freed? Yes if the device has accepted the commands that take it, or had refused
 * the command that gave it. An UNLOAD that timed out has freed the handle. An UNLOAD of an unknown
 * handle follows a LOAD that failed after its waiter was gone.
 */
static bool pto_reclaim_accepted(struct pto_channel *ch, const struct pto_deferred *d)
{
	if (d->reply.status == PTO_DEV_OK || pto_queue_refused(&ch->control, &d->given))
		return true;
	return d->opcode == PTO_DEV_UNLOAD &&
	       (d->reply.status == PTO_DEV_TIMEOUT || d->reply.status == PTO_DEV_INVALID);
}

/* Return: true if something was freed. */
static bool pto_reclaim_posted(struct pto_channel *ch)
{
	struct pto_deferred *d;
	bool any = false;

	while ((d = list_first_entry_or_null(&ch->reclaim.posted, struct pto_deferred, link)) &&
	       pto_queue_answered(&ch->control, &d->reply)) {
		if (pto_reclaim_accepted(ch, d)) {
			pto_reclaim_release(ch, d);
		} else {
			list_move_tail(&d->link, &ch->reclaim.kept);
			pto_channel_lose(ch);
		}
		any = true;
		cond_resched();
	}
	return any;
}

/* Take completions. Arms the control queue before, if objects wait for it. */
static bool pto_reclaim_look(struct pto_channel *ch)
{
	struct pto_section section;

	if (!pto_section_enter(&section, ch->pdev))
		return false;
	if (!list_empty(&ch->reclaim.posted))
		pto_queue_arm(&ch->control);
	pto_reclaim_reap(ch);
	pto_section_leave(&section);
	return true;
}

/*
 * Free as much as possible without waiting. Queues are armed before each look, so a completion that
 * arrives after the last look starts the work again.
 */
static void pto_reclaim_pass(struct pto_channel *ch)
{
	bool any;

	do {
		if (READ_ONCE(ch->client.lost) || !pto_reclaim_look(ch))
			return;
		pto_reclaim_sort(ch);
		any = pto_reclaim_waiting(ch);
		if (!pto_reclaim_look(ch))
			return;
		any |= pto_reclaim_posted(ch);
	} while (any);
}

/* Wake the waiters in pto_reclaim_settle() when the remaining objects wait for runs only. */
static void pto_reclaim_calm(struct pto_channel *ch)
{
	bool calm;

	spin_lock(&ch->client.lock);
	calm = list_empty(&ch->reclaim.fresh) &&
	       (list_empty(&ch->reclaim.posted) || READ_ONCE(ch->client.lost));
	WRITE_ONCE(ch->reclaim.busy, !calm);
	spin_unlock(&ch->client.lock);
	if (calm && wq_has_sleeper(&ch->client.wq))
		wake_up_all(&ch->client.wq);
}

/* A pass, and what it left. Does not wait for the device. */
static void pto_reclaim_now(struct pto_channel *ch)
{
	mutex_lock(&ch->reclaim.mutex);
	if (READ_ONCE(ch->hw) == PTO_HW_ALIVE)
		pto_reclaim_pass(ch);
	pto_reclaim_calm(ch);
	mutex_unlock(&ch->reclaim.mutex);
}

static void pto_reclaim_work(struct work_struct *work)
{
	pto_reclaim_now(container_of(work, struct pto_channel, client.work));
}

static bool pto_reclaim_is_calm(struct pto_channel *ch)
{
	return !READ_ONCE(ch->reclaim.busy) || READ_ONCE(ch->client.lost) ||
	       pto_device_is_gone(ch->pdev);
}

/**
 * pto_reclaim_settle() - wait for deferred objects that do not wait for runs
 * @ch: the channel
 * @before: pto_reclaim_mark() before the attempt that failed
 *
 * Killable. Waits at most PTO_SETTLE_NS.
 *
 * The runs that objects waited for may have ended since the work's last pass. So the caller makes
 * a pass itself first; after that, what is not posted waits for runs in flight.
 *
 * Return: true if it waited, or if objects were freed since @before: a new attempt may succeed.
 */
bool pto_reclaim_settle(struct pto_channel *ch, int before)
{
	u64 deadline_ns = ktime_get_ns() + PTO_SETTLE_NS;
	DEFINE_WAIT(wait);
	bool again = true;

	if (!pto_reclaim_pending(ch)) {
		smp_rmb(); /* read count before freed */
		return pto_reclaim_mark(ch) != before;
	}
	pto_reclaim_now(ch);
	while (again) {
		ktime_t expires = pto_queue_expiry(deadline_ns);
		bool woken = true;

		prepare_to_wait(&ch->client.wq, &wait, TASK_KILLABLE | TASK_FREEZABLE);
		again = !pto_reclaim_is_calm(ch) && ktime_get_ns() < deadline_ns &&
			!signal_pending_state(TASK_KILLABLE, current);
		if (again)
			woken = schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
		finish_wait(&ch->client.wq, &wait);
		/* The interrupt that starts the work may be lost. */
		if (!woken)
			pto_reclaim_start(ch);
	}
	return true;
}

/** pto_reclaim_alloc() - pto_mem_alloc(); waits for deferred objects if memory is short */
int pto_reclaim_alloc(struct pto_channel *ch, u64 length, struct pto_mem *mem)
{
	int before = pto_reclaim_mark(ch);
	int err = pto_mem_alloc(ch->pdev, length, mem);

	if (err == -ENOMEM && pto_reclaim_settle(ch, before))
		err = pto_mem_alloc(ch->pdev, length, mem);
	return err;
}

/**
 * pto_reclaim_command() - pto_channel_command() for a command that allocates on the device
 * @ch: the channel
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 *
 * If the device is out of a resource, waits for deferred objects and tries once more.
 */
int pto_reclaim_command(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply)
{
	int before = pto_reclaim_mark(ch);
	int err = pto_channel_command(ch, cmd, reply);

	if ((err == -ENOSPC || err == -ENOMEM) && reply->done && pto_reclaim_settle(ch, before))
		err = pto_channel_command(ch, cmd, reply);
	return err;
}

/**
 * pto_reclaim_give() - pto_reclaim_command() for a command that gives an object to the context
 * @ch: the channel
 * @cmd: the command
 * @d: part of the object; @d->given receives the completion
 *
 * Afterwards the object may be freed without pto_defer() only if pto_reclaim_given() is false.
 */
int pto_reclaim_give(struct pto_channel *ch, union pto_command *cmd, struct pto_deferred *d)
{
	int before = pto_reclaim_mark(ch);
	int err;

	d->given.report = NULL;
	err = pto_channel_give(ch, cmd, &d->given);
	/* Only the device returns these two errors, so the command has completed. */
	if ((err == -ENOSPC || err == -ENOMEM) && pto_reclaim_settle(ch, before))
		err = pto_channel_give(ch, cmd, &d->given);
	return err;
}

/** pto_reclaim_given() - does the hardware context have the object, or may it get it later? */
bool pto_reclaim_given(struct pto_channel *ch, const struct pto_deferred *d)
{
	return d->given.posted && !pto_queue_refused(&ch->control, &d->given);
}

/** pto_reclaim_init() - initialise the lists of deferred objects */
void pto_reclaim_init(struct pto_channel *ch)
{
	struct pto_reclaim *r = &ch->reclaim;

	pto_client_init(&ch->client, pto_reclaim_work);
	mutex_init(&r->mutex);
	INIT_LIST_HEAD(&r->fresh);
	INIT_LIST_HEAD(&r->waiting);
	INIT_LIST_HEAD(&r->posted);
	INIT_LIST_HEAD(&r->kept);
}

/**
 * pto_reclaim_all() - free all deferred objects
 * @ch: the channel; no run is in flight, and the hardware context has ended
 */
void pto_reclaim_all(struct pto_channel *ch)
{
	struct pto_reclaim *r = &ch->reclaim;
	struct pto_deferred *d, *next;
	LIST_HEAD(todo);

	mutex_lock(&r->mutex);
	spin_lock(&ch->client.lock);
	list_splice_init(&r->fresh, &todo);
	spin_unlock(&ch->client.lock);
	list_splice_init(&r->waiting, &todo);
	list_splice_init(&r->posted, &todo);
	list_splice_init(&r->kept, &todo);
	list_for_each_entry_safe(d, next, &todo, link) {
		/* The control queue is stopped or closed: it points to no replies. */
		pto_reclaim_release(ch, d);
		cond_resched();
	}
	pto_reclaim_calm(ch);
	mutex_unlock(&r->mutex);
}
