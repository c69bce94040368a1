// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Queue pairs: the driver's side of the protocol in uapi/linux/pto_device.h, and waiting for
 * completions.
 *
 * Any thread that looks at a queue takes its completions. An interrupt only wakes waiters. A
 * thread that is about to sleep arms the queue; an interrupt disarms it.
 *
 * A wait is not one section: each look at the queue is in its own section, and a thread sleeps
 * outside of sections.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "device/device.h"
#include "device/queue.h"
#include "device/runs.h"

/*
 * A waiter spins for PTO_SPIN_NS, then also yields until PTO_YIELD_NS, then sleeps. The times are a
 * choice: how much processor time a wait may waste, on any machine.
 */
#define PTO_SPIN_NS	(5 * (u64)NSEC_PER_USEC)
#define PTO_YIELD_NS	(50 * (u64)NSEC_PER_USEC)
#define PTO_SPIN_LOOKS	32

/* A sleeping waiter looks again after this time: interrupts may be lost, and devices may stop. */
#define PTO_SLEEP_NS	NSEC_PER_SEC

/* Copy from shared memory, each word read once. */
static void pto_copy_words(void *to, const void *from, size_t bytes)
{
	const u64 *source = from;
	u64 *target = to;
	size_t i;

	for (i = 0; i < bytes / sizeof(u64); i++)
		target[i] = READ_ONCE(source[i]);
}

/** pto_client_init() - initialise a client that has no queues yet */
void pto_client_init(struct pto_client *client, void (*work)(struct work_struct *work))
{
	init_waitqueue_head(&client->wq);
	spin_lock_init(&client->lock);
	INIT_LIST_HEAD(&client->queues);
	INIT_LIST_HEAD(&client->link);
	INIT_WORK(&client->work, work);
}

/** pto_client_busy() - are runs in flight, or completions of runs not taken yet? */
bool pto_client_busy(struct pto_client *client)
{
	struct pto_queue *q;
	bool busy = false;

	spin_lock(&client->lock);
	list_for_each_entry(q, &client->queues, link)
		busy |= READ_ONCE(q->sq_tail) != READ_ONCE(q->cq_head);
	spin_unlock(&client->lock);
	return busy;
}

/**
 * pto_queue_open() - map a queue pair
 * @q: zeroed but for the members that the owner sets (@client, @wq, @runs)
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

	if (!q->runs) {
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
	q->sq = (union pto_command *)(base + PTO_DEV_SQ_OFFSET);
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

/*
 * Interrupts, queries and waiters read the header without the queue's lock, so it is cleared word
 * by word. The queue may still be armed.
 */
static void pto_queue_clear_head(struct pto_queue *q)
{
	u32 *words = (u32 *)q->head;
	size_t i;

	pto_queue_disarm(q);
	for (i = 0; i < sizeof(*q->head) / sizeof(*words); i++)
		WRITE_ONCE(words[i], 0);
}

/**
 * pto_queue_reset() - clear a queue pair that is not bound
 * @q: the queue
 *
 * Removes all data of the pair's last owner, including entries and failure reports.
 */
void pto_queue_reset(struct pto_queue *q)
{
	spin_lock(&q->lock);
	pto_queue_clear_head(q);
	memset(q->head + 1, 0,
	       PTO_DEV_QUEUE_BYTES(q->pdev->ident.queue_depth) - sizeof(*q->head));
	WRITE_ONCE(q->sq_tail, 0);
	WRITE_ONCE(q->cq_head, 0);
	WRITE_ONCE(q->stopped, false);
	spin_unlock(&q->lock);
}

/**
 * pto_client_polled() - clear poll_armed if no thread polls any more
 * @client: the client, which has just been woken
 *
 * A thread that polls is in the wait queue before it
 * sets the flag.
 */
void pto_client_polled(struct pto_client *client)
{
	if (READ_ONCE(client->poll_armed)) {
		WRITE_ONCE(client->poll_armed, false);
		if (wq_has_sleeper(&client->wq))
			WRITE_ONCE(client->poll_armed, true);
	}
}

/** pto_queue_stop() - accept no more commands, detach all replies, and wake the waiters */
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

/** pto_queue_cancel() - end the runs in flight, which the device will not complete any more */
void pto_queue_cancel(struct pto_queue *q)
{
	struct pto_dev_cqe cqe = { .status = PTO_DEV_ABORTED };

	spin_lock(&q->lock);
	cqe.start_ns = ktime_get_ns();
	cqe.end_ns = cqe.start_ns;
	while (q->runs->completed != q->runs->submitted)
		pto_runs_complete(q->runs, &cqe, NULL);
	WRITE_ONCE(q->cq_head, q->sq_tail);
	spin_unlock(&q->lock);
}

/**
 * pto_queue_slot() - get the slot for the next command
 * @q: the queue; its lock is held
 *
 * Return: the submission entry, in the window, or NULL while the queue is full.
 */
union pto_command *pto_queue_slot(struct pto_queue *q)
{
	if (q->sq_tail - q->cq_head > q->mask)
		return NULL;
	return &q->sq[q->sq_tail & q->mask];
}

/** pto_queue_publish() - publish the complete entry in pto_queue_slot(); the lock is held */
void pto_queue_publish(struct pto_queue *q)
{
	WRITE_ONCE(q->sq_tail, q->sq_tail + 1);
	/* Pairs with the device's acquire of the tail: it sees the entry. */
	virt_store_release(&q->head->sq_tail, q->sq_tail);
}

/** pto_queue_kick() - wake the device if it sleeps; the lock is held */
void pto_queue_kick(struct pto_queue *q)
{
	/* Write the tail, then read the flag. The device sets the flag, then reads the tail. */
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
	reply->status = cqe->status;
	reply->detail = cqe->detail;
	reply->reported = report && reply->report;
	if (reply->reported)
		*reply->report = *report;
	reply->done = true;
}

static void pto_queue_take(struct pto_queue *q, const struct pto_dev_cqe *cqe)
{
	struct pto_dev_report copy;
	const struct pto_dev_report *report = NULL;

	if (unlikely(cqe->status != PTO_DEV_OK)) {
		pto_copy_words(&copy, &q->reports[cqe->id % PTO_DEV_REPORTS], sizeof(copy));
		copy.text[sizeof(copy.text) - 1] = '\0';
		if (copy.flags & PTO_DEV_REPORT_VALID && copy.id == cqe->id)
			report = &copy;
		if (q->client && (cqe->status == PTO_DEV_FAULT || cqe->status == PTO_DEV_ABORTED))
			WRITE_ONCE(q->client->lost, true);
	}
	if (q->runs)
		pto_runs_complete(q->runs, cqe, report);
	else
		pto_queue_reply(q, cqe, report);
}

/* Convert the times of a completion to the kernel's clock; 0 is no time. */
static void pto_queue_times(const struct pto_queue *q, struct pto_dev_cqe *cqe)
{
	u64 ahead = (u64)q->pdev->clock_ns;

	if (likely(!ahead))
		return;
	cqe->start_ns -= cqe->start_ns ? ahead : 0;
	cqe->end_ns -= cqe->end_ns ? ahead : 0;
}

/**
 * pto_queue_reap() - take the completions that have arrived
 * @q: the queue; its lock is held
 *
 * The device is not trusted. It is taken out of service if an index or id is impossible.
 *
 * Return: the number of completions taken. If it is not 0, the caller must call pto_queue_wake()
 * after it has released the lock.
 */
unsigned int pto_queue_reap(struct pto_queue *q)
{
	/* Pairs with the device's release: the entries before the tail are written. */
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
		pto_queue_times(q, &cqe);
		pto_queue_take(q, &cqe);
		WRITE_ONCE(q->cq_head, q->cq_head + 1);
	}
	/* The entries must have been read before the device may overwrite them. */
	virt_store_release(&q->head->cq_head, q->cq_head);
	return i;
}

/** pto_queue_wake() - wake the threads that wait for completions which this thread took */
void pto_queue_wake(struct pto_queue *q, unsigned int taken)
{
	if (!taken)
		return;
	if (wq_has_sleeper(q->wq))
		wake_up_all(q->wq);
	if (!q->client)
		pto_device_answered(q->pdev);
	else
		pto_client_start(q->client);
}

/**
 * pto_queue_arm() - ask the device for an interrupt
 * @q: the queue
 *
 * The device sends no interrupt for completions that arrived before, so the caller must look at
 * the queue afterwards.
 */
void pto_queue_arm(struct pto_queue *q)
{
	struct pto_device *pdev = q->pdev;

	spin_lock(&pdev->irq_lock);
	if (!q->armed) {
		q->armed = true;
		list_add(&q->armed_link, &pdev->armed);
	}
	q->armed_head = READ_ONCE(q->cq_head);
	WRITE_ONCE(q->head->cq_flags, PTO_DEV_NEED_WAKEUP);
	spin_unlock(&pdev->irq_lock);
	/* Set the flag, then read the tail. The device writes the tail, then reads the flag. */
	virt_mb();
}

/** pto_queue_disarm() - remove the queue from the list that interrupts look at */
void pto_queue_disarm(struct pto_queue *q)
{
	struct pto_device *pdev = q->pdev;

	spin_lock(&pdev->irq_lock);
	list_del_init(&q->armed_link);
	q->armed = false;
	spin_unlock(&pdev->irq_lock);
}

static void pto_queue_set_replies(struct pto_queue *q, struct pto_reply *reply)
{
	if (q->runs)
		return;
	q->replies[q->sq_tail & q->mask] = reply;
	if (reply) {
		reply->index = q->sq_tail;
		reply->posted = true;
		reply->done = false;
		reply->reported = false;
	}
}

/**
 * pto_queue_post() - post commands, all of them or none
 * @q: an admin or control queue
 * @cmd: the commands; this function fills in their ids
 * @count: number of commands
 * @reply: for the completion of the last one, or NULL
 *
 * Return: 0; -EIO if the queue is stopped, -EAGAIN if it has no room, -ENODEV.
 */
int pto_queue_post(struct pto_queue *q, const union pto_command *cmd, unsigned int count,
		   struct pto_reply *reply)
{
	struct pto_section section;
	unsigned int i, taken;
	int err = 0;

	if (!pto_section_enter(&section, q->pdev))
		return -ENODEV;
	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	if (q->stopped) {
		err = -EIO;
	} else if (q->sq_tail - q->cq_head + count > q->mask + 1) {
		err = -EAGAIN;
	} else {
		for (i = 0; i < count; i++) {
			union pto_command *slot = pto_queue_slot(q);

			*slot = cmd[i];
			slot->any.id = q->sq_tail;
			pto_queue_set_replies(q, i == count - 1 ? reply : NULL);
			pto_queue_publish(q);
		}
		pto_queue_kick(q);
	}
	spin_unlock(&q->lock);
	pto_section_leave(&section);
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

/* Have completions arrived, or has another thread taken some? Only then take the lock. */
static bool pto_queue_stirs(struct pto_queue *q, u32 *seen)
{
	u32 head = READ_ONCE(q->cq_head);
	bool stirs = READ_ONCE(q->head->cq_tail) != head || head != *seen ||
		     unlikely(READ_ONCE(q->stopped));

	*seen = head;
	return stirs;
}

/* Spin. Return: true if the condition is met. */
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
	if (!how->patience_ns || !pto_client_busy(q->client))
		return true;
	how->deadline_ns = now + how->patience_ns;
	return false;
}

/** pto_queue_expiry() - until when to sleep: a deadline, or the time of the next look if earlier */
ktime_t pto_queue_expiry(u64 deadline_ns)
{
	return ns_to_ktime(min_t(u64, deadline_ns, ktime_get_ns() + PTO_SLEEP_NS));
}

/*
 * Arm the queue, and look once more before sleeping; in a section. Return: 0 to sleep, 1 if the
 * condition is met, or the error that ends the wait.
 */
static int pto_queue_settle_down(struct pto_queue *q, pto_queue_cond cond, void *arg,
				 struct pto_wait_how *how)
{
	pto_queue_arm(q);
	pto_device_check(q->pdev);
	if (pto_device_is_gone(q->pdev))
		return -ENODEV;
	if (pto_queue_look(q, cond, arg))
		return 1;
	return signal_pending_state(how->state, current) ? -ERESTARTSYS : 0;
}

/* Return: 0 if the caller should look again, 1 if the condition is met, or an error. */
static int pto_queue_sleep(struct pto_queue *q, pto_queue_cond cond, void *arg,
			   struct pto_wait_how *how)
{
	struct pto_section section;
	DEFINE_WAIT(wait);
	int ret = -ENODEV;

	prepare_to_wait(q->wq, &wait, how->state | TASK_FREEZABLE);
	if (pto_section_enter(&section, q->pdev)) {
		ret = pto_queue_settle_down(q, cond, arg, how);
		pto_section_leave(&section);
	}
	if (!ret) {
		ktime_t expires = pto_queue_expiry(how->deadline_ns);

		if (schedule_hrtimeout(&expires, HRTIMER_MODE_ABS) && q->client)
			atomic64_inc(&q->client->interrupts);
	}
	finish_wait(q->wq, &wait);
	return ret;
}

/* Look, and spin if @spin, without sleeping. Return: 1 if the condition is met, else 0; -ENODEV. */
static int pto_queue_watch(struct pto_queue *q, pto_queue_cond cond, void *arg,
			   struct pto_wait_how *how, bool spin)
{
	struct pto_section section;
	bool met;

	if (!pto_section_enter(&section, q->pdev))
		return -ENODEV;
	met = pto_queue_look(q, cond, arg) ||
	      (spin && pto_queue_spin(q, cond, arg, how));
	pto_section_leave(&section);
	return met;
}

/**
 * pto_queue_wait() - wait until a condition is met
 * @q: the queue whose completions can meet it
 * @cond: the condition; called with the queue's lock held
 * @arg: argument of @cond
 * @how: how to wait
 *
 * Return: 0; -ETIMEDOUT, -ERESTARTSYS, -ENODEV.
 */
int pto_queue_wait(struct pto_queue *q, pto_queue_cond cond, void *arg,
		   struct pto_wait_how *how)
{
	int ret;

	ret = pto_queue_watch(q, cond, arg, how, how->deadline_ns);
	while (!ret) {
		if (pto_queue_overdue(q, how))
			return -ETIMEDOUT;
		ret = pto_queue_sleep(q, cond, arg, how);
		if (!ret)
			ret = pto_queue_watch(q, cond, arg, how, false);
	}
	return ret < 0 ? ret : 0;
}

static bool pto_queue_has_room(struct pto_queue *q, void *unused)
{
	return q->stopped || q->sq_tail - q->cq_head <= q->mask;
}

/** pto_queue_replied() - condition: the struct pto_reply is done, or the queue is stopped */
bool pto_queue_replied(struct pto_queue *q, void *arg)
{
	struct pto_reply *reply = arg;

	return reply->done || q->stopped;
}

/** pto_queue_refused() - has the command of a reply completed with an error? */
bool pto_queue_refused(struct pto_queue *q, const struct pto_reply *reply)
{
	bool refused;

	spin_lock(&q->lock);
	refused = reply->done && reply->status != PTO_DEV_OK;
	spin_unlock(&q->lock);
	return refused;
}

/** pto_queue_answered() - has the command of a reply completed? */
bool pto_queue_answered(struct pto_queue *q, struct pto_reply *reply)
{
	bool done;

	spin_lock(&q->lock);
	done = reply->done;
	spin_unlock(&q->lock);
	return done;
}

/**
 * pto_queue_forget() - detach a reply from the queue
 * @q: the queue
 * @reply: as posted; may be freed afterwards
 *
 * Return: true if the completion has arrived before.
 */
bool pto_queue_forget(struct pto_queue *q, struct pto_reply *reply)
{
	bool done;

	spin_lock(&q->lock);
	done = reply->done;
	if (reply->posted && q->replies[reply->index & q->mask] == reply)
		q->replies[reply->index & q->mask] = NULL;
	spin_unlock(&q->lock);
	return done;
}

/**
 * pto_queue_ask() - have a command executed and wait for its completion
 * @q: an admin or control queue
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 * @how: how to wait
 *
 * If @reply->posted but not @reply->done, the queue still points to @reply, and the completion may
 * arrive later.
 *
 * Return: 0, the device's error, or the reason why there is no completion: -EIO (stopped),
 * -ETIMEDOUT, -ERESTARTSYS, -ENODEV.
 */
int pto_queue_ask(struct pto_queue *q, const union pto_command *cmd, struct pto_reply *reply,
		  struct pto_wait_how *how)
{
	int err;

	reply->posted = false;
	reply->done = false;
	reply->reported = false;
	while ((err = pto_queue_post(q, cmd, 1, reply)) == -EAGAIN) {
		err = pto_queue_wait(q, pto_queue_has_room, NULL, how);
		if (err)
			return err;
	}
	if (err)
		return err;
	err = pto_queue_wait(q, pto_queue_replied, reply, how);
	if (err)
		return err;
	return reply->done ? pto_status_errno(reply->status) : -EIO;
}
