// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Devices: identification, admin queue, interrupts, sections, end of service.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "arena.h"
#include "ctx.h"
#include "device.h"
#include "mem.h"
#include "queue.h"
#include "reclaim.h"

#define PTO_CONTEXTS_MAX 4096
#define PTO_QUEUES_MAX 65536

unsigned int pto_close_ms = 2000;
unsigned int pto_admin_ms = 10000;
unsigned int pto_heartbeat_ms = 60000;

/* The heartbeat counts as watched if its checks are not further apart than this. */
#define PTO_WATCH_NS (3 * (u64)NSEC_PER_SEC)

/**
 * pto_section_enter() - enter a section
 * @section: filled in
 * @pdev: the device; the caller has a reference
 *
 * Return: false if the device is gone; the section must not be left then.
 */
bool pto_section_enter(struct pto_section *section, struct pto_device *pdev)
{
	section->srcu = srcu_read_lock(&pdev->srcu);
	/* The caller leaves the section, which sparse would report. */
	__release(&pdev->srcu);
	section->pdev = pdev;
	if (pto_device_is_gone(pdev)) {
		pto_section_leave(section);
		return false;
	}
	return true;
}

/** pto_section_leave() - leave a section, if the thread is in it */
void pto_section_leave(struct pto_section *section)
{
	struct pto_device *pdev = section->pdev;

	if (!pdev)
		return;
	section->pdev = NULL;
	__acquire(&pdev->srcu);
	srcu_read_unlock(&pdev->srcu, section->srcu);
}

static bool pto_ident_counts_ok(const struct pto_dev_ident *id)
{
	return (id->arch == PTO_ARCH_A2A3 || id->arch == PTO_ARCH_A5) &&
	       id->cluster_count && id->aic_count && id->aiv_count && id->aicpu_threads &&
	       id->max_contexts && id->max_contexts <= PTO_CONTEXTS_MAX &&
	       id->queue_count >= 3 && id->queue_count <= PTO_QUEUES_MAX &&
	       id->queue_depth >= 64 && id->queue_depth <= 4096 &&
	       is_power_of_2(id->queue_depth);
}

static bool pto_ident_layout_ok(const struct pto_dev_ident *id, u64 window_size)
{
	u64 queues_end, last;

	if (!IS_ALIGNED(id->queue_offset, PAGE_SIZE) || !IS_ALIGNED(id->queue_stride, PAGE_SIZE) ||
	    !IS_ALIGNED(id->heap_offset, PAGE_SIZE) || !IS_ALIGNED(id->window_size, PAGE_SIZE) ||
	    !IS_ALIGNED(id->memory_base, PAGE_SIZE))
		return false;
	if (id->queue_offset < PAGE_SIZE || id->queue_stride < PTO_DEV_QUEUE_BYTES(id->queue_depth))
		return false;
	if (check_add_overflow(id->queue_offset, (u64)id->queue_count * id->queue_stride,
			       &queues_end))
		return false;
	if (check_add_overflow(id->memory_base, id->window_size, &last))
		return false;
	return queues_end <= id->heap_offset && id->heap_offset < id->window_size &&
	       id->window_size <= window_size;
}

/* Take the default ring sizes from the identification page; 0 there selects the usual size. */
static bool pto_device_take_rings(struct pto_device *pdev)
{
	const struct pto_dev_ident *id = &pdev->ident;

	pdev->heap = id->default_heap ? id->default_heap : PTO_USUAL_HEAP;
	pdev->task_window = id->default_task_window ? id->default_task_window : PTO_USUAL_ENTRIES;
	pdev->dep_pool = id->default_dep_pool ? id->default_dep_pool : PTO_USUAL_ENTRIES;
	if (pdev->heap > U64_MAX / PTO_RING_DEPTHS ||
	    !pto_ring_ok(pdev->task_window, pdev->heap, pdev->dep_pool))
		return false;
	if (pdev->heap < PTO_USUAL_HEAP || pdev->task_window < PTO_USUAL_ENTRIES ||
	    pdev->dep_pool < PTO_USUAL_ENTRIES)
		pr_info("pto%u: rings are smaller by default, to fit its memory: heap %llu, task_window %u, dep_pool %u\n",
			pdev->index, (unsigned long long)pdev->heap, pdev->task_window,
			pdev->dep_pool);
	return true;
}

static int pto_device_identify(struct pto_device *pdev, u64 window_size)
{
	u64 deadline = ktime_get_ns() + PTO_READY_NS;
	struct pto_dev_ident *page;

	page = pdev->ops->map(pdev->priv, 0, PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	pdev->ident_page = page;
	while (READ_ONCE(page->state) == PTO_DEV_STATE_INIT && ktime_get_ns() < deadline)
		usleep_range(100, 1000);
	/* Pairs with the device's release of READY: the rest of the page is written. */
	if (virt_load_acquire(&page->state) != PTO_DEV_STATE_READY)
		return -ENODEV;
	memcpy(&pdev->ident, page, sizeof(pdev->ident));
	/* The checks below must read the copy, not the page, which the device may change. */
	barrier();
	if (pdev->ident.magic != PTO_DEV_MAGIC ||
	    pdev->ident.abi_version >> 16 != PTO_DEV_ABI_MAJOR ||
	    !pto_ident_counts_ok(&pdev->ident) || !pto_ident_layout_ok(&pdev->ident, window_size) ||
	    !pto_device_take_rings(pdev))
		return -ENODEV;
	pdev->ident.name[sizeof(pdev->ident.name) - 1] = '\0';
	return 0;
}

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
	INIT_LIST_HEAD(&pdev->contexts);
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

/* Queue the device's work, which has a reference to the device while it is queued or runs. */
static void pto_device_start_work(struct pto_device *pdev)
{
	pto_device_get(pdev);
	if (!queue_work(pto_wq, &pdev->work))
		/* The caller has a reference, too, so this is not the last one. */
		pto_device_put(pdev);
}

/**
 * pto_device_fail() - take a device out of service
 * @pdev: the device
 * @why: the reason, for the log; NULL if the home has called pto_device_gone()
 *
 * Does not sleep. The device's work wakes all threads that wait for the device.
 */
void pto_device_fail(struct pto_device *pdev, const char *why)
{
	if (atomic_xchg(&pdev->gone, 1))
		return;
	if (why)
		pr_warn("pto%u: %s: device taken out of service\n", pdev->index, why);
	pto_device_start_work(pdev);
}

static void pto_device_wake_all(struct pto_device *pdev)
{
	struct pto_ctx *ctx;

	mutex_lock(&pdev->wake_mutex);
	wake_up_all(&pdev->wq);
	list_for_each_entry(ctx, &pdev->contexts, link)
		wake_up_all(&ctx->wq);
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

/**
 * pto_device_adopt() - leave an admin command that was not answered in time to the device's work
 * @pdev: the device
 * @orphan: the command; its reply was passed to pto_device_ask() or pto_queue_post(). Owned by
 *	the device until @orphan->finish is called
 */
void pto_device_adopt(struct pto_device *pdev, struct pto_orphan *orphan)
{
	spin_lock(&pdev->orphan_lock);
	list_add_tail(&orphan->link, &pdev->orphans);
	spin_unlock(&pdev->orphan_lock);
	pto_device_start_work(pdev);
}

/** pto_device_answered() - start the device's work if a completed admin command may be an orphan */
void pto_device_answered(struct pto_device *pdev)
{
	/* An orphan that comes meanwhile starts the work itself. */
	if (!list_empty(&pdev->orphans))
		pto_device_start_work(pdev);
}

void pto_device_gone(struct pto_device *pdev)
{
	pto_device_fail(pdev, NULL);
	synchronize_srcu(&pdev->srcu);
	/* Orphans are adopted outside of sections, so some may have come since. */
	pto_device_start_work(pdev);
	flush_work(&pdev->work);
	pto_arena_idle_drop(pdev);
}

/* Has the heartbeat stood still for too long? */
static bool pto_device_stopped(struct pto_device *pdev)
{
	u64 bound = (u64)READ_ONCE(pto_heartbeat_ms) * NSEC_PER_MSEC;
	u32 beat = READ_ONCE(pdev->ident_page->heartbeat);
	u64 now = ktime_get_ns();
	bool watched = now - READ_ONCE(pdev->look_ns) < PTO_WATCH_NS;

	WRITE_ONCE(pdev->look_ns, now);
	if (!watched || beat != READ_ONCE(pdev->beat)) {
		WRITE_ONCE(pdev->beat, beat);
		WRITE_ONCE(pdev->beat_ns, now);
		return false;
	}
	return bound && now - READ_ONCE(pdev->beat_ns) >= bound;
}

/** pto_device_check() - fail the device if it reports a failure or has stopped; in a section */
void pto_device_check(struct pto_device *pdev)
{
	if (READ_ONCE(pdev->ident_page->state) != PTO_DEV_STATE_READY)
		pto_device_fail(pdev, "it reports a failure");
	else if (pto_device_stopped(pdev))
		pto_device_fail(pdev, "its heartbeat has stopped");
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
 * Clear poll_armed if no thread polls any more. A thread that polls is in the wait queue before it
 * sets the flag.
 */
static void pto_ctx_polled(struct pto_ctx *ctx)
{
	if (READ_ONCE(ctx->poll_armed)) {
		WRITE_ONCE(ctx->poll_armed, false);
		if (wq_has_sleeper(&ctx->wq))
			WRITE_ONCE(ctx->poll_armed, true);
	}
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
 * came. *wq: the wait queue to be woken, or NULL; *ctx: its context. pdev->wake_mutex, which is
 * held, keeps them alive. Return: false if the list is empty.
 */
static bool pto_interrupt_next(struct pto_device *pdev, struct list_head *looking,
			       wait_queue_head_t **wq, struct pto_ctx **ctx)
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
		*ctx = q->ctx;
	} else if (q) {
		list_move_tail(&q->armed_link, &pdev->armed);
	}
	spin_unlock(&pdev->irq_lock);
	return q;
}

void pto_device_interrupt(struct pto_device *pdev)
{
	wait_queue_head_t *wq;
	struct pto_ctx *ctx;
	LIST_HEAD(looking);

	mutex_lock(&pdev->wake_mutex);
	spin_lock(&pdev->irq_lock);
	list_splice_init(&pdev->armed, &looking);
	spin_unlock(&pdev->irq_lock);
	while (pto_interrupt_next(pdev, &looking, &wq, &ctx)) {
		if (!wq)
			continue;
		wake_up_all(wq);
		if (!ctx) {
			pto_device_answered(pdev);
			continue;
		}
		if (pto_reclaim_pending(ctx))
			pto_reclaim_start(ctx);
		pto_ctx_polled(ctx);
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

	/* As in pto_ctx_call(): a completion that arrived after the end of the wait counts. */
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
