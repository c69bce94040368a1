// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Pages of a window that somebody uses: a mapping, or a dma-buf with its mappings and importers.
 *
 * The user keeps a reference to every page that it has used until it ends. So a page that the
 * device's process removes from its memfd (by truncation, hole punching or its exit) is not reused
 * while somebody may access it.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "held.h"

/** pto_held_init() - no page is used yet */
void pto_held_init(struct pto_held *held, const struct pto_pages *source)
{
	held->source = *source;
	xa_init(&held->pages);
}

/** pto_held_release() - drop the references; nobody uses the pages any more */
void pto_held_release(struct pto_held *held)
{
	struct page *page;
	unsigned long index;

	/* There may be millions of pages. */
	xa_for_each(&held->pages, index, page) {
		held->source.ops->put(held->source.priv, page);
		cond_resched();
	}
	xa_destroy(&held->pages);
}

/** pto_held_page() - the page at an index, always the same one; or ERR_PTR */
struct page *pto_held_page(struct pto_held *held, pgoff_t index)
{
	struct page *page = xa_load(&held->pages, index);
	struct page *other;

	if (page)
		return page;
	page = held->source.ops->get(held->source.priv, index);
	if (IS_ERR(page))
		return page;
	other = xa_cmpxchg(&held->pages, index, NULL, page, GFP_KERNEL_ACCOUNT);
	if (!other)
		return page;
	held->source.ops->put(held->source.priv, page);
	return xa_is_err(other) ? ERR_PTR(xa_err(other)) : other;
}

/**
 * pto_held_access() - copy to or from a page
 * @held: the pages
 * @index: the page
 * @start: first byte in it
 * @buf: the bytes
 * @len: how many; not more than the rest of the page are copied
 * @write: to the page
 *
 * For access by a debugger or through /proc/PID/mem, which cannot use pages of a VM_PFNMAP area
 * directly. It sees the same pages as the process, touched or not.
 *
 * Return: bytes, or a negative errno.
 */
int pto_held_access(struct pto_held *held, pgoff_t index, size_t start, void *buf, int len,
		    bool write)
{
	struct page *page = pto_held_page(held, index);
	u8 *at;

	if (IS_ERR(page))
		return PTR_ERR(page);
	len = min_t(size_t, len, PAGE_SIZE - start);
	at = (u8 *)kmap_local_page(page) + start;
	if (write)
		memcpy(at, buf, len);
	else
		memcpy(buf, at, len);
	kunmap_local(at);
	return len;
}

/** pto_held_fault() - insert the page at an index where an area was accessed */
vm_fault_t pto_held_fault(struct pto_held *held, pgoff_t index, struct vm_fault *vmf)
{
	struct page *page = pto_held_page(held, index);

	if (IS_ERR(page))
		return PTR_ERR(page) == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
}

/** pto_held_check_area() - may an area have such pages? -EINVAL if private or executable */
int pto_held_check_area(struct vm_area_struct *vma)
{
	/* VM_SHARED would not do: it is clear if the file was opened for reading only. */
	return !(vma->vm_flags & VM_MAYSHARE) || vma->vm_flags & VM_EXEC ? -EINVAL : 0;
}

/** pto_held_set_area() - set the flags of such an area; page tables hold page frame numbers */
void pto_held_set_area(struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
}
