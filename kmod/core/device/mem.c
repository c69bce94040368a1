// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Device memory: allocation of the window's pages, and the driver's own access to them. Free
 * memory reads as zero.
 */
#include <linux/err.h>
#include <linux/genalloc.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "device/device.h"
#include "device/mem.h"

/* Bytes that are cleared in one section. */
#define PTO_MEM_PART (16UL << 20)

/**
 * struct pto_leak - memory that must not be reused while the device exists
 * @link: in pdev->leaks
 * @mem: the memory
 */
struct pto_leak {
	struct list_head link;
	struct pto_mem mem;
};

/* Clear memory page by page, if the transport cannot. */
static int pto_mem_zero(struct pto_device *pdev, u64 offset, u64 length)
{
	while (length) {
		size_t n = length;
		void *p = pdev->ops->access(pdev->priv, offset, &n);

		if (IS_ERR(p))
			return PTR_ERR(p);
		memset(p, 0, n);
		pdev->ops->access_end(pdev->priv, p);
		offset += n;
		length -= n;
		cond_resched();
	}
	return 0;
}

/* The window may have been that of an earlier device, whose contexts have left their data in it. */
static int pto_mem_wipe(struct pto_device *pdev)
{
	u64 offset = pdev->ident.heap_offset;

	if (pdev->ops->blank || !pdev->ops->clear(pdev->priv, offset, pdev->heap_size))
		return 0;
	return pto_mem_zero(pdev, offset, pdev->heap_size) ? -ENODEV : 0;
}

/** pto_mem_init() - create the pool of device memory; all of it is free, and reads as zero */
int pto_mem_init(struct pto_device *pdev)
{
	pdev->heap_size = pdev->ident.window_size - pdev->ident.heap_offset;
	pdev->pool = gen_pool_create(PAGE_SHIFT, -1);
	if (!pdev->pool)
		return -ENOMEM;
	if (gen_pool_add(pdev->pool, pdev->ident.heap_offset, pdev->heap_size, -1))
		return -ENOMEM;
	return pto_mem_wipe(pdev);
}

/**
 * pto_mem_exit() - free the pool; only leaks are still allocated
 * @pdev: the device
 *
 * gen_pool_destroy() calls BUG() if memory is still allocated. That would be a bug of the driver,
 * but no reason to stop the machine, so the pool leaks instead.
 */
void pto_mem_exit(struct pto_device *pdev)
{
	struct pto_leak *leak, *next;

	list_for_each_entry_safe(leak, next, &pdev->leaks, link) {
		gen_pool_free(pdev->pool, leak->mem.offset, leak->mem.length);
		kfree(leak);
	}
	if (!pdev->pool || WARN_ON(gen_pool_avail(pdev->pool) != gen_pool_size(pdev->pool)))
		return;
	gen_pool_destroy(pdev->pool);
}

/**
 * pto_mem_drop_idle() - free memory that is only kept for later use. May sleep
 * @pdev: the device
 *
 * Return: true if there was any.
 */
bool pto_mem_drop_idle(struct pto_device *pdev)
{
	bool (*drop)(struct pto_device *pdev) = READ_ONCE(pdev->drop_idle);

	return drop && drop(pdev);
}

/**
 * pto_mem_alloc() - allocate device memory. May sleep
 * @pdev: the device
 * @length: bytes; rounded up to pages
 * @mem: filled in on success
 *
 * Frees memory that is only kept for later use if memory is short.
 *
 * Return: 0, -EOVERFLOW or -ENOMEM.
 */
int pto_mem_alloc(struct pto_device *pdev, u64 length, struct pto_mem *mem)
{
	u64 rounded;

	if (check_add_overflow(length, (u64)PAGE_SIZE - 1, &rounded))
		return -EOVERFLOW;
	rounded &= PAGE_MASK;
	if (rounded > pdev->heap_size)
		return -ENOMEM;
	mem->offset = gen_pool_alloc(pdev->pool, rounded);
	if (!mem->offset && pto_mem_drop_idle(pdev))
		mem->offset = gen_pool_alloc(pdev->pool, rounded);
	if (!mem->offset)
		return -ENOMEM;
	mem->length = rounded;
	atomic64_add(rounded, &pdev->memory_used);
	return 0;
}

/* Clear memory in one section. */
static int pto_mem_clear_part(struct pto_device *pdev, u64 offset, u64 length)
{
	struct pto_section section;

	if (!pto_section_enter(&section, pdev))
		return -ENODEV;
	if (pdev->ops->clear(pdev->priv, offset, length) && pto_mem_zero(pdev, offset, length))
		pto_device_fail(pdev, "its memory cannot be cleared");
	pto_section_leave(&section);
	return pto_device_is_gone(pdev) ? -ENODEV : 0;
}

/**
 * pto_mem_clear() - make memory read as zero. May sleep
 * @pdev: the device
 * @mem: the memory
 *
 * The next owner must not see the contents of the last one. So a device whose memory cannot be
 * cleared is taken out of service.
 *
 * Return: 0 or -ENODEV.
 */
int pto_mem_clear(struct pto_device *pdev, const struct pto_mem *mem)
{
	u64 done = 0;
	int err = 0;

	while (!err && done < mem->length) {
		u64 n = min_t(u64, mem->length - done, PTO_MEM_PART);

		err = pto_mem_clear_part(pdev, mem->offset + done, n);
		done += n;
		cond_resched();
	}
	return err;
}

/** pto_mem_free() - clear and free memory, if @mem has any. May sleep */
void pto_mem_free(struct pto_device *pdev, struct pto_mem *mem)
{
	if (!mem->length)
		return;
	pto_mem_clear(pdev, mem);
	gen_pool_free(pdev->pool, mem->offset, mem->length);
	atomic64_sub(mem->length, &pdev->memory_used);
	mem->length = 0;
}

/**
 * pto_mem_leak() - set memory aside that the device may still write to
 * @pdev: the device
 * @mem: the memory, if it has any
 *
 * The memory stays allocated until the device is freed.
 */
void pto_mem_leak(struct pto_device *pdev, struct pto_mem *mem)
{
	struct pto_leak *leak;

	if (!mem->length)
		return;
	leak = kmalloc(sizeof(*leak), GFP_KERNEL_ACCOUNT);
	if (!leak) {
		pto_device_fail(pdev, "memory in use by a dead context cannot be set aside");
		pto_mem_free(pdev, mem);
		return;
	}
	leak->mem = *mem;
	mem->length = 0;
	mutex_lock(&pdev->mutex);
	list_add(&leak->link, &pdev->leaks);
	mutex_unlock(&pdev->mutex);
}

/* Copy in one section, as much as the transport maps at once. Return: bytes, or -errno. */
static ssize_t pto_mem_copy_part(struct pto_device *pdev, u64 offset, void *buffer, u64 length,
				 bool to_device)
{
	struct pto_section section;
	size_t n = length;
	void *p;

	if (!pto_section_enter(&section, pdev))
		return -ENODEV;
	p = pdev->ops->access(pdev->priv, offset, &n);
	if (!IS_ERR(p)) {
		if (to_device)
			memcpy(p, buffer, n);
		else
			memcpy(buffer, p, n);
		pdev->ops->access_end(pdev->priv, p);
	}
	pto_section_leave(&section);
	return IS_ERR(p) ? PTR_ERR(p) : (ssize_t)n;
}

static int pto_mem_copy(struct pto_device *pdev, u64 offset, void *buffer, u64 length,
			bool to_device)
{
	while (length) {
		ssize_t n = pto_mem_copy_part(pdev, offset, buffer, length, to_device);

		if (n < 0)
			return n;
		if (fatal_signal_pending(current))
			return -EINTR;
		buffer = (u8 *)buffer + n;
		offset += n;
		length -= n;
		cond_resched();
	}
	return 0;
}

/**
 * pto_mem_write() - copy to device memory. May sleep
 * @pdev: the device
 * @mem: the memory, which contains the whole range
 * @offset: offset in @mem
 * @from: the bytes
 * @length: number of bytes
 *
 * Return: 0, -ENODEV, -EINTR if the thread is being killed, or the transport's error.
 */
int pto_mem_write(struct pto_device *pdev, const struct pto_mem *mem, u64 offset,
		  const void *from, u64 length)
{
	return pto_mem_copy(pdev, mem->offset + offset, (void *)from, length, true);
}

/** pto_mem_read() - copy from device memory; see pto_mem_write() */
int pto_mem_read(struct pto_device *pdev, const struct pto_mem *mem, u64 offset, void *to,
		 u64 length)
{
	return pto_mem_copy(pdev, mem->offset + offset, to, length, false);
}
