// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Queue pairs: the driver's side of the protocol in uapi/linux/pto_device.h, and waiting for
 * what comes back.
 *
 * Completions are taken by whoever looks. An interrupt only wakes: a queue is armed by a
 * thread that is about to sleep, and is not any more once an interrupt has come.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ctx.h"
#include "device.h"
#include "queue.h"
#include "stream.h"

/* A waiter watches the queue itself for a while, then yields between looks, then sleeps. */
#define PTO_SPIN_NS	(5 * (u64)NSEC_PER_USEC)
#define PTO_YIELD_NS	(50 * (u64)NSEC_PER_USEC)
#define PTO_SPIN_LOOKS	32

/* Copy from shared memory, each word read once. */
static void pto_copy_words(void *to, const void *from, size_t bytes)
{
	const u64 *source = from;
	u64 *target = to;
	size_t i;

	for (i = 0; i < bytes / sizeof(u64); i++)
		target[i] = READ_ONCE(source[i]);
}

/**
 * pto_queue_open() - map a queue pair
 * @q: zeroed but for the owner's part (@ctx, @wq, @stream)
 * @pdev: the device
 * @index: number of the pair
 *
 * Return: 0 or -ENOMEM.
 */
int pto_queue_open(struct pto_queue *q, struct pto_device *pdev, u32 index)
{
	const struct pto_dev_ident *id = &pdev->ident;
	u64 bytes = PTO_DEV_QUEUE_BYTES(id->queue_depth);
	u8 *base;

	if (!q->stream) {
		q->replies = kvcalloc(id->queue_depth, sizeof(*q->replies), GFP_KERNEL_ACCOUNT);
		if (!q->replies)
			return -ENOMEM;
	}
	base = pdev->ops->map(pdev->priv, id->queue_offset + (u64)index * id->queue_stride,
			      bytes);
	if (!base) {
		kvfree(q->replies);
		return -ENOMEM;
	}
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->armed_link);
	q->pdev = pdev;
	q->index = index;
	q->mask = id->queue_depth - 1;
	q->head = (struct pto_dev_queue *)base;
	q->sq = (struct pto_dev_cmd *)(base + PTO_DEV_SQ_OFFSET);
	q->cq = (struct pto_dev_cqe *)(base + PTO_DEV_CQ_OFFSET(id->queue_depth));
	q->reports = (struct pto_dev_report *)(base + PTO_DEV_REPORT_OFFSET(id->queue_depth));
	return 0;
}

/** pto_queue_close() - unmap a queue pair; nobody uses it any more */
void pto_queue_close(struct pto_queue *q)
{
	pto_queue_disarm(q);
	q->pdev->ops->unmap(q->pdev->priv, q->head,
			    PTO_DEV_QUEUE_BYTES(q->pdev->ident.queue_depth));
	q->head = NULL;
	kvfree(q->replies);
}

/** pto_queue_reset() - begin with empty queues; the pair is not bound */
void pto_queue_reset(struct pto_queue *q)
{
	spin_lock(&q->lock);
	memset(q->head, 0, sizeof(*q->head));
	WRITE_ONCE(q->sq_tail, 0);
	WRITE_ONCE(q->cq_head, 0);
	WRITE_ONCE(q->stopped, false);
	spin_unlock(&q->lock);
}

/** pto_queue_stop() - accept nothing more; who waits for a reply does no longer */
void pto_queue_stop(struct pto_queue *q)
{
	u32 i;

	spin_lock(&q->lock);
	WRITE_ONCE(q->stopped, true);
	for (i = 0; q->replies && i <= q->mask; i++)
		q->replies[i] = NULL;
	spin_unlock(&q->lock);
	wake_up_all(q->wq);
}

/**
 * pto_queue_slot() - where the next command goes
 * @q: the queue; its lock is held
 *
 * Return: the submission entry, in the window, or NULL while the queue is full.
 */
struct pto_dev_cmd *pto_queue_slot(struct pto_queue *q)
{
	if (q->sq_tail - q->cq_head > q->mask)
		return NULL;
	return &q->sq[q->sq_tail & q->mask];
}

/** pto_queue_publish() - the entry in pto_queue_slot() is complete; the lock is held */
void pto_queue_publish(struct pto_queue *q)
{
	WRITE_ONCE(q->sq_tail, q->sq_tail + 1);
	/* The device acquires the tail: it sees the entry before it. */
	virt_store_release(&q->head->sq_tail, q->sq_tail);
}

/** pto_queue_kick() - wake the device if it sleeps; the lock is held */
void pto_queue_kick(struct pto_queue *q)
{
	/* The tail before the flag; the device sets the flag, then looks at the tail. */
	virt_mb();
	if (READ_ONCE(q->head->sq_flags) & PTO_DEV_NEED_WAKEUP) {
		q->doorbells++;
		q->pdev->ops->kick(q->pdev->priv, q->index);
	}
}

static void pto_queue_reply(struct pto_queue *q, const struct pto_dev_cqe *cqe,
			    const struct pto_dev_report *report)
{
	struct pto_reply *reply = q->replies[cqe->id & q->mask];

	if (!reply)
		return;
	q->replies[cqe->id & q->mask] = NULL;
	reply->cqe = *cqe;
	reply->reported = report;
	if (report)
		reply->report = *report;
	reply->done = true;
}

static void pto_queue_take(struct pto_queue *q, const struct pto_dev_cqe *cqe)
{
	struct pto_dev_report copy;
	const struct pto_dev_report *report = NULL;

	if (unlikely(cqe->status != PTO_DEV_OK)) {
		pto_copy_words(&copy, &q->reports[cqe->id % PTO_DEV_REPORTS], sizeof(copy));
		copy.text[sizeof(copy.text) - 1] = '\0';
		if (copy.id == cqe->id)
			report = &copy;
		if (q->ctx && (cqe->status == PTO_DEV_FAULT || cqe->status == PTO_DEV_ABORTED))
			WRITE_ONCE(q->ctx->lost, true);
	}
	if (q->stream)
		pto_stream_complete(q->stream, cqe, report);
	else
		pto_queue_reply(q, cqe, report);
}

/**
 * pto_queue_reap() - take the completions that are there
 * @q: the queue; its lock is held
 *
 * The device is not trusted: what it says must be possible, or it is taken out of service.
 *
 * Return: how many were taken. If any, pto_queue_wake() follows when the lock is released.
 */
unsigned int pto_queue_reap(struct pto_queue *q)
{
	/* Pairs with the device's release: the entries before the tail are there. */
	u32 tail = virt_load_acquire(&q->head->cq_tail);
	u32 count = tail - q->cq_head;
	struct pto_dev_cqe cqe;
	u32 i;

	if (!count || unlikely(q->stopped))
		return 0;
	if (unlikely(count > q->sq_tail - q->cq_head)) {
		pto_device_fail(q->pdev, "impossible completion index");
		return 0;
	}
	for (i = 0; i < count; i++) {
		pto_copy_words(&cqe, &q->cq[q->cq_head & q->mask], sizeof(cqe));
		if (unlikely(cqe.id != q->cq_head)) {
			pto_device_fail(q->pdev, "completion of another command");
			break;
		}
		pto_queue_take(q, &cqe);
		WRITE_ONCE(q->cq_head, q->cq_head + 1);
	}
	/* The entries have been read before the device may write them again. */
	virt_store_release(&q->head->cq_head, q->cq_head);
	return i;
}

/** pto_queue_wake() - others may be waiting for the completions this thread took */
void pto_queue_wake(struct pto_queue *q, unsigned int taken)
{
	if (taken && wq_has_sleeper(q->wq))
		wake_up_all(q->wq);
}

/**
 * pto_queue_arm() - ask the device for an interrupt
 * @q: the queue
 *
 * Completions that came before are not announced: look once more afterwards.
 */
void pto_queue_arm(struct pto_queue *q)
{
	struct pto_device *pdev = q->pdev;
	unsigned long flags;

	spin_lock_irqsave(&pdev->irq_lock, flags);
	if (!q->armed) {
		q->armed = true;
		list_add(&q->armed_link, &pdev->armed);
	}
	q->armed_head = READ_ONCE(q->cq_head);
	WRITE_ONCE(q->head->cq_flags, PTO_DEV_NEED_WAKEUP);
	spin_unlock_irqrestore(&pdev->irq_lock, flags);
	/* The flag before the caller's next look at the tail. */
	virt_mb();
}

/** pto_queue_disarm() - interrupts do not look at the queue any more */
void pto_queue_disarm(struct pto_queue *q)
{
	struct pto_device *pdev = q->pdev;
	unsigned long flags;

	spin_lock_irqsave(&pdev->irq_lock, flags);
	list_del_init(&q->armed_link);
	q->armed = false;
	spin_unlock_irqrestore(&pdev->irq_lock, flags);
}

static void pto_queue_set_replies(struct pto_queue *q, struct pto_reply *reply)
{
	if (q->stream)
		return;
	q->replies[q->sq_tail & q->mask] = reply;
	if (reply) {
		reply->index = q->sq_tail;
		reply->done = false;
		reply->reported = false;
	}
}

/**
 * pto_queue_post() - have commands executed
 * @q: an admin or control queue
 * @cmd: the commands; their ids are filled in here
 * @count: how many: all of them or none
 * @reply: for the completion of the last one, or NULL
 *
 * Return: 0; -EIO if the queue is stopped, -EAGAIN if it has no room.
 */
int pto_queue_post(struct pto_queue *q, const struct pto_dev_cmd *cmd, unsigned int count,
		   struct pto_reply *reply)
{
	unsigned int i, taken;
	int err = 0;

	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	if (q->stopped) {
		err = -EIO;
	} else if (q->sq_tail - q->cq_head + count > q->mask + 1) {
		err = -EAGAIN;
	} else {
		for (i = 0; i < count; i++) {
			struct pto_dev_cmd *slot = pto_queue_slot(q);

			*slot = cmd[i];
			slot->id = q->sq_tail;
			pto_queue_set_replies(q, i == count - 1 ? reply : NULL);
			pto_queue_publish(q);
		}
		pto_queue_kick(q);
	}
	spin_unlock(&q->lock);
	pto_queue_wake(q, taken);
	return err;
}

static bool pto_queue_look(struct pto_queue *q, pto_queue_cond cond, void *arg)
{
	unsigned int taken;
	bool met;

	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	met = cond(q, arg);
	spin_unlock(&q->lock);
	pto_queue_wake(q, taken);
	return met;
}

/* Something has come, or somebody else has taken something: a look is worth the lock. */
static bool pto_queue_stirs(struct pto_queue *q, u32 *seen)
{
	u32 head = READ_ONCE(q->cq_head);
	bool stirs = READ_ONCE(q->head->cq_tail) != head || head != *seen ||
		     unlikely(READ_ONCE(q->stopped));

	*seen = head;
	return stirs;
}

/* Return: true if the condition was met before it became time to sleep. */
static bool pto_queue_spin(struct pto_queue *q, pto_queue_cond cond, void *arg,
			   struct pto_wait_how *how)
{
	u64 start = ktime_get_ns();
	u32 seen = READ_ONCE(q->cq_head);
	u64 now;
	int i;

	if (num_online_cpus() == 1)
		return false;
	do {
		for (i = 0; i < PTO_SPIN_LOOKS; i++) {
			if (pto_queue_stirs(q, &seen) && pto_queue_look(q, cond, arg))
				return true;
			cpu_relax();
		}
		if (need_resched() || pto_device_is_gone(q->pdev))
			return false;
		now = ktime_get_ns();
		if (now - start > PTO_SPIN_NS)
			cond_resched();
	} while (now - start < PTO_YIELD_NS && now < how->deadline_ns);
	return false;
}

static bool pto_queue_overdue(struct pto_queue *q, struct pto_wait_how *how)
{
	u64 now = ktime_get_ns();

	if (now < how->deadline_ns)
		return false;
	if (!how->patient || !pto_ctx_busy(q->ctx))
		return true;
	how->deadline_ns = now + PTO_CONTROL_NS;
	return false;
}

/* Return: 0 when it is worth looking again, else why not. */
static int pto_queue_sleep(struct pto_queue *q, pto_queue_cond cond, void *arg,
			   struct pto_wait_how *how)
{
	struct pto_device *pdev = q->pdev;
	ktime_t expires = ns_to_ktime(min_t(u64, how->deadline_ns, KTIME_MAX));
	DEFINE_WAIT(wait);
	int err = 0;

	prepare_to_wait(q->wq, &wait, how->state);
	pto_queue_arm(q);
	pto_device_check(pdev);
	if (pto_device_is_gone(pdev)) {
		err = -ENODEV;
	} else if (signal_pending_state(how->state, current)) {
		err = -ERESTARTSYS;
	} else if (!pto_queue_look(q, cond, arg)) {
		pto_section_leave(how->section);
		if (!schedule_hrtimeout(how->deadline_ns == PTO_WAIT_FOREVER ? NULL : &expires,
					HRTIMER_MODE_ABS))
			err = how->patient ? 0 : -ETIMEDOUT;
		else if (q->ctx)
			atomic64_inc(&q->ctx->count.interrupts);
		if (!pto_section_enter(how->section, pdev))
			err = -ENODEV;
	}
	finish_wait(q->wq, &wait);
	return err;
}

/**
 * pto_queue_wait() - wait until something is so
 * @q: the queue whose completions may make it so
 * @cond: whether it is; called with the queue's lock held
 * @arg: its argument
 * @how: how to wait
 *
 * The section may be left and entered again meanwhile; after -ENODEV it is left.
 *
 * Return: 0; -ETIMEDOUT, -ERESTARTSYS, -ENODEV.
 */
int pto_queue_wait(struct pto_queue *q, pto_queue_cond cond, void *arg,
		   struct pto_wait_how *how)
{
	int err = 0;

	if (pto_queue_look(q, cond, arg))
		return 0;
	if (how->deadline_ns && pto_queue_spin(q, cond, arg, how))
		return 0;
	while (!err) {
		if (pto_queue_look(q, cond, arg))
			return 0;
		if (pto_queue_overdue(q, how))
			err = -ETIMEDOUT;
		else
			err = pto_queue_sleep(q, cond, arg, how);
	}
	if (err == -ENODEV) {
		pto_section_leave(how->section);
		return err;
	}
	return pto_queue_look(q, cond, arg) ? 0 : err;
}

static bool pto_queue_has_room(struct pto_queue *q, void *unused)
{
	return q->stopped || q->sq_tail - q->cq_head <= q->mask;
}

static bool pto_queue_replied(struct pto_queue *q, void *arg)
{
	struct pto_reply *reply = arg;

	return reply->done || q->stopped;
}

/* Return: true if the completion had come after all. */
static bool pto_queue_forget(struct pto_queue *q, struct pto_reply *reply)
{
	bool done;

	spin_lock(&q->lock);
	done = reply->done;
	if (q->replies[reply->index & q->mask] == reply)
		q->replies[reply->index & q->mask] = NULL;
	spin_unlock(&q->lock);
	return done;
}

/**
 * pto_queue_call() - have a command executed and wait for its completion
 * @q: an admin or control queue
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 * @how: how to wait
 *
 * Return: 0, or what the device said, or why there is no answer: -EIO (stopped), -ETIMEDOUT,
 * -ERESTARTSYS, -ENODEV.
 */
int pto_queue_call(struct pto_queue *q, const struct pto_dev_cmd *cmd, struct pto_reply *reply,
		   struct pto_wait_how *how)
{
	int err;

	reply->done = false;
	while ((err = pto_queue_post(q, cmd, 1, reply)) == -EAGAIN) {
		err = pto_queue_wait(q, pto_queue_has_room, NULL, how);
		if (err)
			return err;
	}
	if (err)
		return err;
	err = pto_queue_wait(q, pto_queue_replied, reply, how);
	if (pto_queue_forget(q, reply))
		return pto_status_errno(reply->cqe.status);
	return err ? err : -EIO;
}

/** pto_status_errno() - what a completion's status is to an application */
int pto_status_errno(u32 status)
{
	switch (status) {
	case PTO_DEV_OK:
		return 0;
	case PTO_DEV_INVALID:
		return -EINVAL;
	case PTO_DEV_NOEXEC:
		return -ENOEXEC;
	case PTO_DEV_NOMEM:
		return -ENOMEM;
	case PTO_DEV_NOSPACE:
		return -ENOSPC;
	case PTO_DEV_TIMEOUT:
		return -ETIMEDOUT;
	case PTO_DEV_ABORTED:
		return -ECANCELED;
	case PTO_DEV_PROGRAM:
		return -EREMOTEIO;
	case PTO_DEV_UNSUPPORTED:
		return -EOPNOTSUPP;
	default:
		/* PTO_DEV_FAULT, and what no device should say */
		return -EIO;
	}
}
