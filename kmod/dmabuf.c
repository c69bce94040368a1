// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * dma-bufs: memory of a device's window for other drivers, other processes and other contexts.
 *
 * A dma-buf has a reference to the memory, and so to the device and its transport. The device may
 * be gone: its pages can still be used. The module cannot, because a dma-buf has a reference to it,
 * too. All users of a dma-buf see the same pages (struct pto_held), which stay referenced until it
 * is released. They are ordinary memory of the machine, so nothing is pinned, moved or revoked.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dmabuf.h"
#include "held.h"
#include "imports.h"
#include "pto_core.h"

MODULE_IMPORT_NS(PTO_NS_DMA_BUF);

/**
 * struct pto_export - what is behind a dma-buf
 * @memory: its memory; a reference
 * @held: the pages that were used so far
 * @lock: protects @attachments and their tables
 * @attachments: its importers
 *
 * Owned by the dma-buf, and freed with it.
 */
struct pto_export {
	struct pto_memory *memory;
	struct pto_held held;
	struct mutex lock;
	struct list_head attachments;
};

/**
 * struct pto_attachment - an importer
 * @link: in export->attachments
 * @dev: its device
 * @table: the pages, mapped for @dev; NULL: not mapped (export->lock). An importer maps an
 *	attachment once at a time: the dma-buf's core keeps the table
 */
struct pto_attachment {
	struct list_head link;
	struct device *dev;
	struct sg_table *table;
};

static unsigned long pto_export_count(const struct pto_export *export)
{
	return pto_memory_length(export->memory) >> PAGE_SHIFT;
}

static pgoff_t pto_export_first(const struct pto_export *export)
{
	return pto_memory_offset(export->memory) >> PAGE_SHIFT;
}

/* An array of all pages, which stay referenced by @held; or ERR_PTR. To be freed by kvfree(). */
static struct page **pto_export_pages(struct pto_export *export)
{
	unsigned long i, count = pto_export_count(export);
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	int err = pages ? 0 : -ENOMEM;

	for (i = 0; !err && i < count; i++) {
		pages[i] = pto_held_page(&export->held, pto_export_first(export) + i);
		if (IS_ERR(pages[i]))
			err = PTR_ERR(pages[i]);
		else if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	if (!err)
		return pages;
	kvfree(pages);
	return ERR_PTR(err);
}

static int pto_dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct pto_attachment *a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	struct pto_export *export = dmabuf->priv;

	if (!a)
		return -ENOMEM;
	a->dev = attach->dev;
	attach->priv = a;
	mutex_lock(&export->lock);
	list_add_tail(&a->link, &export->attachments);
	mutex_unlock(&export->lock);
	return 0;
}

static void pto_dmabuf_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct pto_export *export = dmabuf->priv;
	struct pto_attachment *a = attach->priv;

	mutex_lock(&export->lock);
	list_del(&a->link);
	mutex_unlock(&export->lock);
	kfree(a);
}

/* A table of the pages that is not mapped for a device yet. */
static int pto_dmabuf_fill(struct pto_export *export, struct sg_table *table)
{
	struct page **pages = pto_export_pages(export);
	int err;

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	err = sg_alloc_table_from_pages(table, pages, pto_export_count(export), 0,
					pto_memory_length(export->memory), GFP_KERNEL_ACCOUNT);
	kvfree(pages);
	return err;
}

static void pto_attachment_set(struct pto_export *export, struct pto_attachment *a,
			       struct sg_table *table)
{
	mutex_lock(&export->lock);
	a->table = table;
	mutex_unlock(&export->lock);
}

static struct sg_table *pto_dmabuf_map(struct dma_buf_attachment *attach,
				       enum dma_data_direction direction)
{
	struct sg_table *table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	struct pto_export *export = attach->dmabuf->priv;
	int err;

	if (!table)
		return ERR_PTR(-ENOMEM);
	err = pto_dmabuf_fill(export, table);
	if (err)
		goto err_free;
	err = dma_map_sgtable(attach->dev, table, direction, 0);
	if (err)
		goto err_table;
	pto_attachment_set(export, attach->priv, table);
	return table;

err_table:
	sg_free_table(table);
err_free:
	kfree(table);
	return ERR_PTR(err);
}

static void pto_dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			     enum dma_data_direction direction)
{
	struct pto_export *export = attach->dmabuf->priv;

	pto_attachment_set(export, attach->priv, NULL);
	dma_unmap_sgtable(attach->dev, table, direction, 0);
	sg_free_table(table);
	kfree(table);
}

/* The software device is a process, and needs nothing. Importers may not be coherent. */
static int pto_dmabuf_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct pto_export *export = dmabuf->priv;
	struct pto_attachment *a;

	mutex_lock(&export->lock);
	list_for_each_entry(a, &export->attachments, link) {
		if (a->table)
			dma_sync_sgtable_for_cpu(a->dev, a->table, direction);
	}
	mutex_unlock(&export->lock);
	return 0;
}

static int pto_dmabuf_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	struct pto_export *export = dmabuf->priv;
	struct pto_attachment *a;

	mutex_lock(&export->lock);
	list_for_each_entry(a, &export->attachments, link) {
		if (a->table)
			dma_sync_sgtable_for_device(a->dev, a->table, direction);
	}
	mutex_unlock(&export->lock);
	return 0;
}

static vm_fault_t pto_dmabuf_fault(struct vm_fault *vmf)
{
	struct pto_export *export = vmf->vma->vm_private_data;

	return pto_held_fault(&export->held, pto_export_first(export) + vmf->pgoff, vmf);
}

static int pto_dmabuf_access(struct vm_area_struct *vma, unsigned long addr, void *buf, int len,
			     int write)
{
	struct pto_export *export = vma->vm_private_data;

	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;
	return pto_held_access(&export->held,
			       pto_export_first(export) + linear_page_index(vma, addr),
			       offset_in_page(addr), buf, len, write);
}

/* The area's file is the dma-buf's, and keeps it. */
static const struct vm_operations_struct pto_dmabuf_vm_ops = {
	.fault = pto_dmabuf_fault,
	.access = pto_dmabuf_access,
};

/* The caller has checked that the range lies within the dma-buf. */
static int pto_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	if (pto_held_check_area(vma))
		return -EINVAL;
	vma->vm_private_data = dmabuf->priv;
	vma->vm_ops = &pto_dmabuf_vm_ops;
	pto_held_set_area(vma);
	return 0;
}

/* The dma-buf's core counts the users of the address. */
static int pto_dmabuf_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct pto_export *export = dmabuf->priv;
	struct page **pages = pto_export_pages(export);
	void *addr;

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	addr = vmap(pages, pto_export_count(export), VM_MAP, PAGE_KERNEL);
	kvfree(pages);
	if (!addr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, addr);
	return 0;
}

static void pto_dmabuf_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
	iosys_map_clear(map);
}

static void pto_export_free(struct pto_export *export)
{
	/* The pages first: memory that nobody has may be reused. */
	pto_held_release(&export->held);
	pto_memory_put(export->memory);
	kfree(export);
}

static void pto_dmabuf_release(struct dma_buf *dmabuf)
{
	pto_export_free(dmabuf->priv);
}

static const struct dma_buf_ops pto_dmabuf_ops = {
	.cache_sgt_mapping = true,
	.attach = pto_dmabuf_attach,
	.detach = pto_dmabuf_detach,
	.map_dma_buf = pto_dmabuf_map,
	.unmap_dma_buf = pto_dmabuf_unmap,
	.begin_cpu_access = pto_dmabuf_begin_cpu_access,
	.end_cpu_access = pto_dmabuf_end_cpu_access,
	.mmap = pto_dmabuf_mmap,
	.vmap = pto_dmabuf_vmap,
	.vunmap = pto_dmabuf_vunmap,
	.release = pto_dmabuf_release,
};

static struct dma_buf *pto_dmabuf_new(struct pto_memory *memory, const struct pto_pages *pages)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct pto_export *export = kzalloc(sizeof(*export), GFP_KERNEL_ACCOUNT);
	struct dma_buf *dmabuf;

	if (!export)
		return ERR_PTR(-ENOMEM);
	export->memory = pto_memory_get(memory);
	pto_held_init(&export->held, pages);
	mutex_init(&export->lock);
	INIT_LIST_HEAD(&export->attachments);
	info.ops = &pto_dmabuf_ops;
	info.size = pto_memory_length(memory);
	info.flags = O_RDWR;
	info.priv = export;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		pto_export_free(export);
	return dmabuf;
}

/**
 * pto_dmabuf_export() - make a dma-buf, and a descriptor of it
 * @memory: its memory
 * @pages: the pages of the window; their @priv lives as long as the memory's device
 * @tell: called with the number of the descriptor, before it is installed
 * @call: argument of @tell
 *
 * Return: 0; -ENOMEM, -EMFILE, -ENFILE, or what @tell returns: nothing is left then.
 */
int pto_dmabuf_export(struct pto_memory *memory, const struct pto_pages *pages,
		      int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	struct dma_buf *dmabuf = pto_import_dmabuf(memory);
	int fd, err;

	/* An import is exported as the dma-buf that it is. */
	if (dmabuf)
		get_dma_buf(dmabuf);
	else
		dmabuf = pto_dmabuf_new(memory, pages);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	/* From here on the dma-buf owns everything. */
	fd = get_unused_fd_flags(O_CLOEXEC);
	err = fd < 0 ? fd : tell(call, fd);
	if (err) {
		if (fd >= 0)
			put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return err;
	}
	fd_install(fd, dmabuf->file);
	return 0;
}

/* The memory of a dma-buf of this device, with a reference; or NULL */
static struct pto_memory *pto_dmabuf_own(struct dma_buf *dmabuf, struct pto_device *pdev)
{
	struct pto_export *export = dmabuf->priv;

	if (dmabuf->ops != &pto_dmabuf_ops || pto_memory_device(export->memory) != pdev)
		return NULL;
	return pto_memory_get(export->memory);
}

/**
 * pto_dmabuf_import() - the memory of a dma-buf
 * @imports: imports of the device; NULL: it can only have memory of its own
 * @pdev: the device that is to reach it
 * @fd: a descriptor of the dma-buf
 *
 * Return: the memory, with a reference; ERR_PTR(-EBADF) if it is no descriptor, -EINVAL if not of a
 * dma-buf, -EOPNOTSUPP if the device cannot reach it, -ENOMEM.
 */
struct pto_memory *pto_dmabuf_import(struct pto_imports *imports, struct pto_device *pdev, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct pto_memory *memory;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	memory = pto_dmabuf_own(dmabuf, pdev);
	if (!memory && imports)
		return pto_imports_add(imports, pdev, dmabuf);
	dma_buf_put(dmabuf);
	return memory ? memory : ERR_PTR(-EOPNOTSUPP);
}
