// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * User mappings of buffer objects.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "imports.h"
#include "mapping.h"

/**
 * struct pto_mapping - one mmap(), and the areas that fork() and munmap() derive from it
 * @ref: number of areas; each also counts as a mapping of @bo
 * @bo: the buffer
 * @held: pages that were inserted; the area's file keeps the device that they belong to
 */
struct pto_mapping {
	struct kref ref;
	struct pto_bo *bo;
	struct pto_held held;
};

static void pto_mapping_release(struct kref *ref)
{
	struct pto_mapping *mapping = container_of(ref, struct pto_mapping, ref);

	pto_held_release(&mapping->held);
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

static vm_fault_t pto_vma_fault(struct vm_fault *vmf)
{
	struct pto_mapping *mapping = vmf->vma->vm_private_data;

	return pto_held_fault(&mapping->held, vmf->pgoff, vmf);
}

/* Writing is possible if the area is writable. */
static int pto_vma_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			  int write)
{
	struct pto_mapping *mapping = vma->vm_private_data;

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;
	return pto_held_access(&mapping->held, linear_page_index(vma, addr), offset_in_page(addr),
			       buf, len, write);
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
	struct pto_memory *memory;
	struct dma_buf *dmabuf;
	u64 window_offset;
	int err;

	if (pto_held_check_area(vma))
		return -EINVAL;
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return -ENOMEM;
	mapping->bo = pto_ctx_mmap(ctx, (u64)vma->vm_pgoff << PAGE_SHIFT,
				   vma->vm_end - vma->vm_start, &window_offset);
	if (IS_ERR(mapping->bo)) {
		err = PTR_ERR(mapping->bo);
		kfree(mapping);
		return err;
	}
	memory = pto_bo_memory(mapping->bo);
	dmabuf = pto_import_dmabuf(memory);
	if (dmabuf) {
		err = pto_import_mmap(dmabuf, window_offset - pto_memory_offset(memory), vma);
		/* The area is the exporter's, who keeps the memory. */
		pto_bo_unmapped(mapping->bo);
		kfree(mapping);
		return err;
	}
	kref_init(&mapping->ref);
	pto_held_init(&mapping->held, pages);
	/* From here on vm_pgoff is the offset in the window, and so is vmf->pgoff. */
	vma->vm_pgoff = window_offset >> PAGE_SHIFT;
	vma->vm_private_data = mapping;
	vma->vm_ops = &pto_vm_ops;
	pto_held_set_area(vma);
	return 0;
}
