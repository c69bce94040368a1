// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Identification of a device: its page, and the sizes that it gives.
 */
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "device/device.h"

#define PTO_CONTEXTS_MAX 4096
#define PTO_QUEUES_MAX 65536

/* Limits of struct pto_ioc_prewarm. */
#define PTO_MIN_TASK_WINDOW	4
#define PTO_MIN_HEAP		1024
#define PTO_MIN_DEP_POOL	4
#define PTO_MAX_ENTRIES		((1ULL << 31) - 1)

/** pto_ring_ok() - check whether the sizes of a ring are within their limits */
bool pto_ring_ok(u64 window, u64 heap, u64 deps)
{
	return window >= PTO_MIN_TASK_WINDOW && window <= PTO_MAX_ENTRIES &&
	       is_power_of_2(window) && heap >= PTO_MIN_HEAP &&
	       deps >= PTO_MIN_DEP_POOL && deps <= PTO_MAX_ENTRIES;
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

/**
 * pto_device_identify() - read and check the identification page
 * @pdev: the device; its page is mapped
 * @window_size: bytes that the transport can reach
 *
 * Return: 0, -ENODEV, -ENOMEM.
 */
int pto_device_identify(struct pto_device *pdev, u64 window_size)
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
