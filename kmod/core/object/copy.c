// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Copies between user memory and memory objects, and between memory objects.
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
#include "object/memory.h"

#define PTO_COPY_CHUNK (64 * 1024UL)

/* Copy what can be copied without a fault. Return: bytes, or -errno. */
static ssize_t pto_copy_present(struct pto_memory *memory, u64 offset, void __user *user,
				size_t length, bool to_device)
{
	struct pto_section section;
	size_t left;
	void *p;

	if (!pto_section_enter(&section, memory->pdev))
		return -ENODEV;
	p = memory->ops->access(memory, offset, &length);
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
	memory->ops->access_end(memory, p);
	pto_section_leave(&section);
	return length - left;
}

/**
 * pto_memory_copy_user() - copy between user memory and a memory object. May sleep
 * @memory: the memory, which contains the whole range
 * @offset: offset in @memory
 * @user_addr: address in user memory
 * @length: number of bytes
 * @to_device: direction
 *
 * Return: 0, -EFAULT, -ENODEV, -EINTR if the thread is being killed, or the transport's error.
 */
int pto_memory_copy_user(struct pto_memory *memory, u64 offset, u64 user_addr, u64 length,
			 bool to_device)
{
	while (length) {
		char __user *user = u64_to_user_ptr(user_addr);
		size_t chunk = min_t(u64, length, PTO_COPY_CHUNK);
		ssize_t n;

		if (!access_ok(user, chunk))
			return -EFAULT;
		n = pto_copy_present(memory, offset, user, chunk, to_device);
		if (n < 0)
			return n;
		if (!n && (to_device ? fault_in_readable(user, chunk) == chunk :
				       fault_in_writeable(user, chunk) == chunk))
			return -EFAULT;
		offset += n;
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

static int pto_copy_within(struct pto_memory *dst, u64 dst_offset, struct pto_memory *src,
			   u64 src_offset, size_t length)
{
	size_t dst_length = length, src_length = length;
	void *from, *to;

	from = src->ops->access(src, src_offset, &src_length);
	if (IS_ERR(from))
		return PTR_ERR(from);
	to = dst->ops->access(dst, dst_offset, &dst_length);
	if (!IS_ERR(to)) {
		memmove(to, from, length);
		dst->ops->access_end(dst, to);
	}
	src->ops->access_end(src, from);
	return PTR_ERR_OR_ZERO(to);
}

/**
 * pto_memory_copy() - copy between memory objects of one device, or within one. May sleep
 * @dst: the destination, which contains the whole range
 * @dst_offset: offset in @dst
 * @src: the source, which contains the whole range
 * @src_offset: offset in @src
 * @length: number of bytes
 *
 * Copies page by page; from the end if the destination begins inside the source.
 *
 * Return: 0, -ENODEV, -EINTR if the thread is being killed, or the transport's error.
 */
int pto_memory_copy(struct pto_memory *dst, u64 dst_offset, struct pto_memory *src,
		    u64 src_offset, u64 length)
{
	bool backward = dst == src && dst_offset > src_offset && dst_offset < src_offset + length;
	struct pto_section section;
	int err;

	while (length) {
		size_t n;
		u64 skip;

		if (backward)
			n = min(pto_start_of_page(dst_offset + length),
				pto_start_of_page(src_offset + length));
		else
			n = min(pto_rest_of_page(dst_offset), pto_rest_of_page(src_offset));
		n = min_t(u64, n, length);
		skip = backward ? length - n : 0;
		if (!pto_section_enter(&section, src->pdev))
			return -ENODEV;
		err = pto_copy_within(dst, dst_offset + skip, src, src_offset + skip, n);
		pto_section_leave(&section);
		if (err)
			return err;
		if (!backward) {
			dst_offset += n;
			src_offset += n;
		}
		length -= n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
