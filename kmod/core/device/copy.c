// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Copies between user memory and device memory, and within device memory.
 *
 * User memory is faulted in outside of the section, and copied inside it without page faults. So
 * neither a userfault handler nor a slow file system can keep a thread inside the section.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "device/device.h"
#include "device/mem.h"

#define PTO_COPY_CHUNK (64 * 1024UL)

/* Copy what can be copied without a fault. Return: bytes, or -errno. */
static ssize_t pto_copy_present(struct pto_device *pdev, u64 window_offset, void __user *user,
				size_t length, bool to_device)
{
	struct pto_section section;
	size_t left;
	void *p;

	if (!pto_section_enter(&section, pdev))
		return -ENODEV;
	p = pdev->ops->access(pdev->priv, window_offset, &length);
	if (IS_ERR(p)) {
		pto_section_leave(&section);
		return PTR_ERR(p);
	}
	pagefault_disable();
	if (to_device)
		left = __copy_from_user_inatomic(p, user, length);
	else
		left = __copy_to_user_inatomic(user, p, length);
	pagefault_enable();
	pdev->ops->access_end(pdev->priv, p);
	pto_section_leave(&section);
	return length - left;
}

/**
 * pto_mem_copy_user() - copy between user memory and device memory. May sleep
 * @pdev: the device
 * @mem: the memory, which contains the whole range
 * @offset: offset in @mem
 * @user_addr: address in user memory
 * @length: number of bytes
 * @to_device: direction
 *
 * Return: 0, -EFAULT, -ENODEV, -EINTR if the thread is being killed, or the transport's error.
 */
int pto_mem_copy_user(struct pto_device *pdev, const struct pto_mem *mem, u64 offset,
		      u64 user_addr, u64 length, bool to_device)
{
	u64 window_offset = mem->offset + offset;

	while (length) {
		char __user *user = u64_to_user_ptr(user_addr);
		size_t chunk = min_t(u64, length, PTO_COPY_CHUNK);
		ssize_t n;

		if (!access_ok(user, chunk))
			return -EFAULT;
		n = pto_copy_present(pdev, window_offset, user, chunk, to_device);
		if (n < 0)
			return n;
		if (!n && (to_device ? fault_in_readable(user, chunk) == chunk :
				       fault_in_writeable(user, chunk) == chunk))
			return -EFAULT;
		window_offset += n;
		user_addr += n;
		length -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static size_t pto_rest_of_page(u64 offset)
{
	return PAGE_SIZE - offset_in_page(offset);
}

/* Bytes before this offset in its page; PAGE_SIZE if the offset is a page boundary. */
static size_t pto_start_of_page(u64 offset)
{
	return offset_in_page(offset - 1) + 1;
}

static int pto_copy_within(struct pto_device *pdev, u64 dst, u64 src, size_t length)
{
	size_t dst_length = length, src_length = length;
	void *from, *to;

	from = pdev->ops->access(pdev->priv, src, &src_length);
	if (IS_ERR(from))
		return PTR_ERR(from);
	to = pdev->ops->access(pdev->priv, dst, &dst_length);
	if (!IS_ERR(to)) {
		memmove(to, from, length);
		pdev->ops->access_end(pdev->priv, to);
	}
	pdev->ops->access_end(pdev->priv, from);
	return PTR_ERR_OR_ZERO(to);
}

/**
 * pto_mem_move() - copy within the window. May sleep
 * @pdev: the device
 * @dst: offset in the window
 * @src: offset in the window
 * @length: number of bytes
 *
 * Copies page by page; from the end if the destination begins inside the source.
 *
 * Return: 0, -ENODEV, -EINTR if the thread is being killed, or the transport's error.
 */
int pto_mem_move(struct pto_device *pdev, u64 dst, u64 src, u64 length)
{
	bool backward = dst > src && dst < src + length;
	struct pto_section section;
	int err;

	while (length) {
		size_t n;

		if (backward)
			n = min(pto_start_of_page(dst + length), pto_start_of_page(src + length));
		else
			n = min(pto_rest_of_page(dst), pto_rest_of_page(src));
		n = min_t(u64, n, length);
		if (!pto_section_enter(&section, pdev))
			return -ENODEV;
		if (backward)
			err = pto_copy_within(pdev, dst + length - n, src + length - n, n);
		else
			err = pto_copy_within(pdev, dst, src, n);
		pto_section_leave(&section);
		if (err)
			return err;
		if (!backward) {
			dst += n;
			src += n;
		}
		length -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
