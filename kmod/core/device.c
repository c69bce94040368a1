// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A device from coming to going: its identification, its admin queue, who may be inside.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "arena.h"
#include "ctx.h"
#include "device.h"
#include "mem.h"
#include "queue.h"

#define PTO_CONTEXTS_MAX 4096
#define PTO_QUEUES_MAX 65536

/**
 * pto_section_enter() - come in
 * @section: filled in
 * @pdev: the device; the caller has a reference
 *
 * Return: false if the device is gone; the section must not be left then.
 */
bool pto_section_enter(struct pto_section *section, struct pto_device *pdev)
{
	section->srcu = srcu_read_lock(&pdev->srcu);
	/* Sections do not follow the structure of functions: hide them from sparse. */
	__release(&pdev->srcu);
	section->pdev = pdev;
	if (pto_device_is_gone(pdev)) {
		pto_section_leave(section);
		return false;
	}
	return true;
}

/** pto_section_leave() - go out, if the thread is inside */
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
	/* With READY the device releases the rest of the page. */
	if (virt_load_acquire(&page->state) != PTO_DEV_STATE_READY)
		return -ENODEV;
	memcpy(&pdev->ident, page, sizeof(pdev->ident));
	/* The copy is what counts from here on, whatever the device writes there later. */
	barrier();
	if (pdev->ident.magic != PTO_DEV_MAGIC ||
	    pdev->ident.abi_version >> 16 != PTO_DEV_ABI_MAJOR ||
	    !pto_ident_counts_ok(&pdev->ident) || !pto_ident_layout_ok(&pdev->ident, window_size))
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
	/* The device serves this pair already, and may have said that it sleeps: no reset. */
	if (READ_ONCE(q->head->sq_tail) || READ_ONCE(q->head->cq_tail))
		return -ENODEV;
	return 0;
}

static struct pto_device *pto_device_alloc(const struct pto_transport_ops *ops, void *priv,
					   u32 index)
{
	struct pto_device *pdev = kvzalloc(sizeof(*pdev), GFP_KERNEL);
	int i;

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
	pdev->next_image = 1;
	init_waitqueue_head(&pdev->wq);
	mutex_init(&pdev->mutex);
	mutex_init(&pdev->image_mutex);
	mutex_init(&pdev->arena_mutex);
	spin_lock_init(&pdev->arena_lock);
	spin_lock_init(&pdev->irq_lock);
	INIT_LIST_HEAD(&pdev->leaks);
	INIT_LIST_HEAD(&pdev->armed);
	INIT_LIST_HEAD(&pdev->contexts);
	INIT_LIST_HEAD(&pdev->arena_idle_list);
	for (i = 0; i < PTO_IMAGE_BUCKETS; i++)
		INIT_LIST_HEAD(&pdev->images[i]);
	for (i = 0; i < PTO_ARENA_BUCKETS; i++)
		INIT_LIST_HEAD(&pdev->arena_images[i]);
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

/**
 * pto_device_fail() - take a device out of service: nobody trusts it any more
 * @pdev: the device
 * @why: for the log; NULL if its home says so
 *
 * Does not sleep. Everybody who waits for the device wakes up and finds it gone.
 */
void pto_device_fail(struct pto_device *pdev, const char *why)
{
	struct pto_ctx *ctx;
	unsigned long flags;

	if (atomic_xchg(&pdev->gone, 1))
		return;
	if (why)
		pr_warn("pto%u: %s: device taken out of service\n", pdev->index, why);
	spin_lock_irqsave(&pdev->irq_lock, flags);
	wake_up_all(&pdev->wq);
	list_for_each_entry(ctx, &pdev->contexts, link)
		wake_up_all(&ctx->wq);
	spin_unlock_irqrestore(&pdev->irq_lock, flags);
}

void pto_device_gone(struct pto_device *pdev)
{
	pto_device_fail(pdev, NULL);
	synchronize_srcu(&pdev->srcu);
	pto_arena_idle_drop(pdev);
}

/** pto_device_check() - has the device itself said that it is broken? In a section */
void pto_device_check(struct pto_device *pdev)
{
	if (READ_ONCE(pdev->ident_page->state) != PTO_DEV_STATE_READY)
		pto_device_fail(pdev, "it reports a failure");
}

static void pto_queue_interrupt(struct pto_queue *q)
{
	struct pto_ctx *ctx = q->ctx;

	list_del_init(&q->armed_link);
	q->armed = false;
	WRITE_ONCE(q->head->cq_flags, 0);
	wake_up_all(q->wq);
	if (!ctx)
		return;
	if (atomic_read(&ctx->deferred_count))
		schedule_work(&ctx->reclaim_work);
	/* Nobody polls any more? Whoever begins to is in the queue before he sets this. */
	if (READ_ONCE(ctx->poll_armed)) {
		WRITE_ONCE(ctx->poll_armed, false);
		if (wq_has_sleeper(&ctx->wq))
			WRITE_ONCE(ctx->poll_armed, true);
	}
}

/*
 * Have completions come since the queue was armed? If somebody has taken them already the
 * interrupt is late, but the device goes on to send one after the other until it is told.
 */
static bool pto_queue_announced(const struct pto_queue *q)
{
	u32 head = READ_ONCE(q->cq_head);

	return head != q->armed_head || READ_ONCE(q->head->cq_tail) != head;
}

void pto_device_interrupt(struct pto_device *pdev)
{
	struct pto_queue *q, *next;
	unsigned long flags;

	spin_lock_irqsave(&pdev->irq_lock, flags);
	list_for_each_entry_safe(q, next, &pdev->armed, armed_link) {
		if (pto_queue_announced(q))
			pto_queue_interrupt(q);
	}
	spin_unlock_irqrestore(&pdev->irq_lock, flags);
}

/**
 * pto_device_admin() - have an admin command executed
 * @pdev: the device
 * @section: the caller's section
 * @cmd: the command
 * @reply: its completion
 *
 * A device that does not answer admin commands is taken out of service.
 *
 * Return: 0, or an error; the command was answered with one if @reply->done.
 */
int pto_device_admin(struct pto_device *pdev, struct pto_section *section,
		     struct pto_dev_cmd *cmd, struct pto_reply *reply)
{
	struct pto_wait_how how = {
		.section = section,
		.deadline_ns = ktime_get_ns() + PTO_ADMIN_NS,
		.state = TASK_UNINTERRUPTIBLE,
	};
	int err;

	err = pto_queue_call(&pdev->admin, cmd, reply, &how);
	if (err == -ETIMEDOUT && !reply->done) {
		pto_device_fail(pdev, "no answer to an admin command");
		err = -ENODEV;
	}
	return err;
}

/** pto_device_get_queue() - find a queue pair that is not in use; -ENOSPC if all are */
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

/** pto_device_put_queue() - the device does not use a queue pair any more */
void pto_device_put_queue(struct pto_device *pdev, u32 index)
{
	mutex_lock(&pdev->mutex);
	__clear_bit(index, pdev->queue_ids);
	mutex_unlock(&pdev->mutex);
}
