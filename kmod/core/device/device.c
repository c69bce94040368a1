// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Devices: begin and end of service, admin queue, interrupts.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "device/runs.h"

static int pto_device_alloc_ids(struct pto_device *pdev)
{
	pdev->ctx_ids = bitmap_zalloc(pdev->ident.max_contexts, GFP_KERNEL);
	pdev->queue_ids = bitmap_zalloc(pdev->ident.queue_count, GFP_KERNEL);
	if (!pdev->ctx_ids || !pdev->queue_ids)
		return -ENOMEM;
	__set_bit(0, pdev->queue_ids);
	return 0;
}

static int pto_device_open_admin(struct pto_device *pdev)
{
	struct pto_queue *q = &pdev->admin;
	int err;

	err = pto_queue_open(q, pdev, 0);
	if (err)
		return err;
	q->wq = &pdev->wq;
	/* No reset: the device serves this pair already, and may have set NEED_WAKEUP. */
	if (READ_ONCE(q->head->sq_tail) || READ_ONCE(q->head->cq_tail))
		return -ENODEV;
	return 0;
}

static void pto_device_work(struct work_struct *work);

static struct pto_device *pto_device_alloc(const struct pto_transport_ops *ops, void *priv,
					   u32 index)
{
	struct pto_device *pdev = kvzalloc(sizeof(*pdev), GFP_KERNEL);

	if (!pdev)
		return NULL;
	if (init_srcu_struct(&pdev->srcu)) {
		kvfree(pdev);
		return NULL;
	}
	kref_init(&pdev->ref);
	pdev->ops = ops;
	pdev->priv = priv;
	pdev->index = index;
	pdev->clock_ns = ops->clock ? ops->clock(priv) : 0;
	pdev->next_image = 1;
	init_waitqueue_head(&pdev->wq);
	mutex_init(&pdev->mutex);
	mutex_init(&pdev->wake_mutex);
	spin_lock_init(&pdev->orphan_lock);
	INIT_LIST_HEAD(&pdev->orphans);
	INIT_WORK(&pdev->work, pto_device_work);
	spin_lock_init(&pdev->image_lock);
	get_random_bytes(&pdev->hash_key, sizeof(pdev->hash_key));
	spin_lock_init(&pdev->arena_lock);
	spin_lock_init(&pdev->irq_lock);
	INIT_LIST_HEAD(&pdev->leaks);
	INIT_LIST_HEAD(&pdev->armed);
	INIT_LIST_HEAD(&pdev->clients);
	INIT_LIST_HEAD(&pdev->arena_idle_list);
	return pdev;
}

static void pto_device_free(struct pto_device *pdev)
{
	if (pdev->admin.head)
		pto_queue_close(&pdev->admin);
	pto_mem_exit(pdev);
	bitmap_free(pdev->queue_ids);
	bitmap_free(pdev->ctx_ids);
	if (pdev->ident_page)
		pdev->ops->unmap(pdev->priv, pdev->ident_page, PAGE_SIZE);
	cleanup_srcu_struct(&pdev->srcu);
	kvfree(pdev);
}

struct pto_device *pto_device_create(const struct pto_transport_ops *ops, void *priv, u32 index,
				     u64 window_size)
{
	struct pto_device *pdev = pto_device_alloc(ops, priv, index);
	int err;

	if (!pdev)
		return ERR_PTR(-ENOMEM);
	err = pto_device_identify(pdev, window_size);
	if (!err)
		err = pto_mem_init(pdev);
	if (!err)
		err = pto_device_alloc_ids(pdev);
	if (!err)
		err = pto_device_open_admin(pdev);
	if (err) {
		pto_device_free(pdev);
		return ERR_PTR(err);
	}
	return pdev;
}

struct pto_device *pto_device_get(struct pto_device *pdev)
{
	kref_get(&pdev->ref);
	return pdev;
}

static void pto_device_release(struct kref *ref)
{
	struct pto_device *pdev = container_of(ref, struct pto_device, ref);
	const struct pto_transport_ops *ops = pdev->ops;
	void *priv = pdev->priv;

	pto_device_free(pdev);
	ops->release(priv);
}

void pto_device_put(struct pto_device *pdev)
{
	kref_put(&pdev->ref, pto_device_release);
}

static void pto_device_wake_all(struct pto_device *pdev)
{
	struct pto_client *client;

	mutex_lock(&pdev->wake_mutex);
	wake_up_all(&pdev->wq);
	list_for_each_entry(client, &pdev->clients, link)
		wake_up_all(&client->wq);
	mutex_unlock(&pdev->wake_mutex);
}

/* Request an interrupt of the admin queue, and take its completions. */
static void pto_device_reap_admin(struct pto_device *pdev)
{
	struct pto_queue *q = &pdev->admin;
	struct pto_section section;
	unsigned int taken;

	if (!pto_section_enter(&section, pdev))
		return;
	pto_queue_arm(q);
	pto_device_check(pdev);
	spin_lock(&q->lock);
	taken = pto_queue_reap(q);
	spin_unlock(&q->lock);
	pto_section_leave(&section);
	pto_queue_wake(q, taken);
}

static bool pto_orphan_due(struct pto_device *pdev, struct pto_orphan *orphan)
{
	struct pto_queue *q = &pdev->admin;
	bool due;

	if (pto_device_is_gone(pdev))
		return true;
	spin_lock(&q->lock);
	due = orphan->reply.posted ? orphan->reply.done :
				     q->sq_tail - q->cq_head < q->mask;
	spin_unlock(&q->lock);
	return due;
}

/* Take an orphan off the list that can be finished. Return: the orphan or NULL. */
static struct pto_orphan *pto_orphan_next(struct pto_device *pdev)
{
	struct pto_orphan *orphan, *found = NULL;

	spin_lock(&pdev->orphan_lock);
	list_for_each_entry(orphan, &pdev->orphans, link) {
		if (pto_orphan_due(pdev, orphan)) {
			list_del_init(&orphan->link);
			found = orphan;
			break;
		}
	}
	spin_unlock(&pdev->orphan_lock);
	return found;
}

static void pto_device_work(struct work_struct *work)
{
	struct pto_device *pdev = container_of(work, struct pto_device, work);
	struct pto_orphan *orphan;

	if (pto_device_is_gone(pdev))
		pto_device_wake_all(pdev);
	else
		pto_device_reap_admin(pdev);
	while ((orphan = pto_orphan_next(pdev)))
		orphan->finish(orphan);
	pto_device_put(pdev);
}

void pto_device_gone(struct pto_device *pdev)
{
	pto_device_fail(pdev, NULL);
	synchronize_srcu(&pdev->srcu);
	/* Orphans are adopted outside of sections, so some may have come since. */
	pto_device_start_work(pdev);
	flush_work(&pdev->work);
	pto_mem_drop_idle(pdev);
}

void pto_device_watch(struct pto_device *pdev)
{
	struct pto_section section;

	if (!pto_section_enter(&section, pdev))
		return;
	pto_device_check(pdev);
	pto_section_leave(&section);
	pto_device_interrupt(pdev);
}

/*
 * Have completions arrived since the queue was armed? Completions that a thread has already taken
 * count, too: the device sends interrupts until the flag is cleared.
 */
static bool pto_queue_announced(const struct pto_queue *q)
{
	u32 head = READ_ONCE(q->cq_head);

	return head != q->armed_head || READ_ONCE(q->head->cq_tail) != head;
}

/*
 * Process one queue of the list @looking, which holds the queues that were armed when the interrupt
 * came. *wq: the wait queue to be woken, or NULL; *client: its client. pdev->wake_mutex, which is
 * held, keeps them alive. Return: false if the list is empty.
 */
static bool pto_interrupt_next(struct pto_device *pdev, struct list_head *looking,
			       wait_queue_head_t **wq, struct pto_client **client)
{
	struct pto_queue *q;

	*wq = NULL;
	spin_lock(&pdev->irq_lock);
	q = list_first_entry_or_null(looking, struct pto_queue, armed_link);
	if (q && pto_queue_announced(q)) {
		list_del_init(&q->armed_link);
		q->armed = false;
		WRITE_ONCE(q->head->cq_flags, 0);
		*wq = q->wq;
		*client = q->client;
	} else if (q) {
		list_move_tail(&q->armed_link, &pdev->armed);
	}
	spin_unlock(&pdev->irq_lock);
	return q;
}

void pto_device_interrupt(struct pto_device *pdev)
{
	struct pto_client *client;
	wait_queue_head_t *wq;
	LIST_HEAD(looking);

	mutex_lock(&pdev->wake_mutex);
	spin_lock(&pdev->irq_lock);
	list_splice_init(&pdev->armed, &looking);
	spin_unlock(&pdev->irq_lock);
	while (pto_interrupt_next(pdev, &looking, &wq, &client)) {
		if (!wq)
			continue;
		wake_up_all(wq);
		if (!client) {
			pto_device_answered(pdev);
			continue;
		}
		pto_client_start(client);
		pto_client_polled(client);
	}
	mutex_unlock(&pdev->wake_mutex);
}

/**
 * pto_device_ask() - have an admin command executed
 * @pdev: the device
 * @cmd: the command
 * @reply: its completion, if @reply->done afterwards
 *
 * Without a completion the admin queue still points to @reply: the caller must call
 * pto_device_adopt() or pto_queue_forget().
 *
 * Return: 0, or an error: the device's if @reply->done; else -ETIMEDOUT, -ERESTARTSYS if the
 * thread is killed, -ENODEV.
 */
int pto_device_ask(struct pto_device *pdev, const union pto_command *cmd,
		   struct pto_reply *reply)
{
	struct pto_wait_how how = {
		.deadline_ns = ktime_get_ns() + (u64)READ_ONCE(pto_admin_ms) * NSEC_PER_MSEC,
		.state = TASK_KILLABLE,
	};

	return pto_queue_ask(&pdev->admin, cmd, reply, &how);
}

/** pto_device_call() - like pto_device_ask(), but the queue does not point to @reply afterwards */
int pto_device_call(struct pto_device *pdev, const union pto_command *cmd,
		    struct pto_reply *reply)
{
	int err = pto_device_ask(pdev, cmd, reply);

	/* As in pto_channel_call(): a completion that arrived after the end of the wait counts. */
	return pto_queue_forget(&pdev->admin, reply) ? pto_status_errno(reply->status) : err;
}

/** pto_device_ended() - count a closed context whose hardware context has ended */
void pto_device_ended(struct pto_device *pdev)
{
	atomic_inc(&pdev->ended);
	atomic_dec(&pdev->ending);
	wake_up_all(&pdev->wq);
}

/**
 * pto_device_await_end() - wait until one of the contexts that are ending has ended
 * @pdev: the device
 * @ended: value of pdev->ended before the caller failed to get a resource
 * @deadline_ns: when to stop waiting
 *
 * The device's work ends the contexts. As its interrupt may be lost, the waiter also takes
 * completions itself.
 *
 * Return: 0; -ENOSPC if none is ending, -ETIMEDOUT, -ERESTARTSYS if the thread is killed,
 * -ENODEV.
 */
int pto_device_await_end(struct pto_device *pdev, u32 ended, u64 deadline_ns)
{
	DEFINE_WAIT(wait);
	int err = -EAGAIN;

	while (err == -EAGAIN) {
		ktime_t expires = pto_queue_expiry(deadline_ns);
		bool woken = true;

		prepare_to_wait(&pdev->wq, &wait, TASK_KILLABLE | TASK_FREEZABLE);
		if (pto_device_is_gone(pdev))
			err = -ENODEV;
		else if ((u32)atomic_read(&pdev->ended) != ended)
			err = 0;
		else if (!atomic_read(&pdev->ending))
			err = -ENOSPC;
		else if (signal_pending_state(TASK_KILLABLE, current))
			err = -ERESTARTSYS;
		else if (ktime_get_ns() >= deadline_ns)
			err = -ETIMEDOUT;
		else
			woken = schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
		finish_wait(&pdev->wq, &wait);
		if (!woken)
			pto_device_reap_admin(pdev);
	}
	return err;
}

/** pto_device_get_queue() - reserve a queue pair; -ENOSPC if all are in use */
int pto_device_get_queue(struct pto_device *pdev, u32 *index)
{
	unsigned long n;

	mutex_lock(&pdev->mutex);
	n = find_first_zero_bit(pdev->queue_ids, pdev->ident.queue_count);
	if (n < pdev->ident.queue_count)
		__set_bit(n, pdev->queue_ids);
	mutex_unlock(&pdev->mutex);
	if (n >= pdev->ident.queue_count)
		return -ENOSPC;
	*index = n;
	return 0;
}

/** pto_device_put_queue() - free a queue pair that the device does not use any more */
void pto_device_put_queue(struct pto_device *pdev, u32 index)
{
	mutex_lock(&pdev->mutex);
	__clear_bit(index, pdev->queue_ids);
	mutex_unlock(&pdev->mutex);
}
