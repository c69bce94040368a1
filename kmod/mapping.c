// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * User mappings of buffer objects.
 *
 * Page tables hold page frame numbers. A mapping keeps a reference to every page that it has
 * inserted until the mapping is gone. So a page that the device's process removes from its
 * memfd (by truncation, hole punching or its exit) is not reused while it is still mapped.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "mapping.h"

/**
 * struct pto_mapping - one mmap(), and the areas that fork() and munmap() derive from it
 * @ref: number of areas; each also counts as a mapping of @bo
 * @bo: the buffer
 * @source: the window's pages; the area's file keeps the device alive
 * @pages: pages that were inserted, by page index in the window
 */
struct pto_mapping {
	struct kref ref;
	struct pto_bo *bo;
	const struct pto_pages *source;
	struct xarray pages;
};

static void pto_mapping_release(struct kref *ref)
{
	struct pto_mapping *mapping = container_of(ref, struct pto_mapping, ref);
	struct page *page;
	unsigned long index;

	/* There may be millions of pages. */
	xa_for_each(&mapping->pages, index, page) {
		mapping->source->ops->put(mapping->source->priv, page);
		cond_resched();
	}
	xa_destroy(&mapping->pages);
	kfree(mapping);
}

static void pto_vma_open(struct vm_area_struct *vma)
{
	struct pto_mapping *mapping = vma->vm_private_data;

	kref_get(&mapping->ref);
	pto_bo_mapped(mapping->bo);
}

static void pto_vma_close(struct vm_area_struct *vma)
{
	struct pto_mapping *mapping = vma->vm_private_data;
	struct pto_bo *bo = mapping->bo;

	/* The pages first: memory that is not mapped may be reused. */
	kref_put(&mapping->ref, pto_mapping_release);
	pto_bo_unmapped(bo);
}

/* The page at an index: always the one that this mapping inserted first. */
static struct page *pto_mapping_page(struct pto_mapping *mapping, pgoff_t index)
{
	const struct pto_pages *source = mapping->source;
	struct page *page = xa_load(&mapping->pages, index);
	struct page *other;

	if (page)
		return page;
	page = source->ops->get(source->priv, index);
	if (IS_ERR(page))
		return page;
	other = xa_cmpxchg(&mapping->pages, index, NULL, page, GFP_KERNEL_ACCOUNT);
	if (!other)
		return page;
	source->ops->put(source->priv, page);
	return xa_is_err(other) ? ERR_PTR(xa_err(other)) : other;
}

static vm_fault_t pto_vma_fault(struct vm_fault *vmf)
{
	struct pto_mapping *mapping = vmf->vma->vm_private_data;
	struct page *page = pto_mapping_page(mapping, vmf->pgoff);

	if (IS_ERR(page))
		return PTR_ERR(page) == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
}

/*
 * Access by a debugger or through /proc/PID/mem, which cannot use pages of a VM_PFNMAP area
 * directly. It sees the same pages as the process, touched or not, and may write if the area is
 * writable.
 */
static int pto_vma_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			  int write)
{
	struct pto_mapping *mapping = vma->vm_private_data;
	size_t start = offset_in_page(addr);
	struct page *page;
	u8 *at;

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;
	page = pto_mapping_page(mapping, linear_page_index(vma, addr));
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

static const struct vm_operations_struct pto_vm_ops = {
	.open = pto_vma_open,
	.close = pto_vma_close,
	.fault = pto_vma_fault,
	.access = pto_vma_access,
};

/**
 * pto_mapping_create() - mmap() of /dev/ptoN
 * @pages: the pages of the device's window
 * @ctx: the context
 * @vma: the area
 *
 * Return: 0; -EINVAL for a private or executable mapping, or a range that is not within one
 * buffer; -ENODEV, -ENOMEM.
 */
int pto_mapping_create(const struct pto_pages *pages, struct pto_ctx *ctx,
		       struct vm_area_struct *vma)
{
	struct pto_mapping *mapping;
	u64 window_offset;

	/* VM_SHARED would not do: it is clear if the file was opened for reading only. */
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return -ENOMEM;
	mapping->bo = pto_ctx_mmap(ctx, (u64)vma->vm_pgoff << PAGE_SHIFT,
				   vma->vm_end - vma->vm_start, &window_offset);
	if (IS_ERR(mapping->bo)) {
		int err = PTR_ERR(mapping->bo);

		kfree(mapping);
		return err;
	}
	kref_init(&mapping->ref);
	mapping->source = pages;
	xa_init(&mapping->pages);
	/* From here on vm_pgoff is the offset in the window, and so is vmf->pgoff. */
	vma->vm_pgoff = window_offset >> PAGE_SHIFT;
	vma->vm_private_data = mapping;
	vma->vm_ops = &pto_vm_ops;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}
