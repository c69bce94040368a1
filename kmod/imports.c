// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Memory of others: dma-bufs that applications import, and the file through which the processes
 * of a virtual device map them.
 *
 * An import has a range of addresses in the window, where the memfd stays empty. A process of the
 * device maps the import there, at the command PTO_DEV_MAP, from the imports file at the same
 * offset; so nothing is passed to it but that command, and the file, which it inherits. The mapping
 * is the dma-buf's own (dma_buf_mmap()), and keeps it. Applications map an import in the same way.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "held.h"
#include "imports.h"
#include "pto_core.h"

/**
 * struct pto_imports - the imports of a device
 * @ref: of the file, and of the device
 * @taken: a device has it
 * @all: the imports, by the *distance* of their first page from the highest one that there can be,
 *	so that the first entry at or after a page's distance is the last import that begins at or
 *	before it
 */
struct pto_imports {
	struct kref ref;
	atomic_t taken;
	struct xarray all;
};

/**
 * struct pto_import - an import
 * @imports: those that it is one of
 * @dmabuf: the dma-buf, a reference
 * @first: its first page in the window
 * @count: number of its pages
 * @map: its memory in the kernel's address space; NULL if the exporter does not map it so, and then
 *	the driver itself cannot copy it
 *
 * Made with its struct pto_memory, and freed with it. Whoever has no reference to that looks at it
 * under the lock of pto_imports.all only.
 */
struct pto_import {
	struct pto_imports *imports;
	struct dma_buf *dmabuf;
	unsigned long first;
	unsigned long count;
	struct iosys_map map;
};

static unsigned long pto_import_key(unsigned long page)
{
	return ULONG_MAX - 1 - page;
}

/* Under the lock. */
static struct pto_import *pto_import_at(struct pto_imports *imports, unsigned long page)
{
	unsigned long key = pto_import_key(page);
	struct pto_import *import = xa_find(&imports->all, &key, ULONG_MAX, XA_PRESENT);

	return import && page - import->first < import->count ? import : NULL;
}

static void pto_imports_release(struct kref *ref)
{
	struct pto_imports *imports = container_of(ref, struct pto_imports, ref);

	WARN_ON(!xa_empty(&imports->all));
	kfree(imports);
}

/** pto_imports_put() - drop a reference; NULL is none */
void pto_imports_put(struct pto_imports *imports)
{
	if (imports)
		kref_put(&imports->ref, pto_imports_release);
}

static int pto_imports_file_release(struct inode *inode, struct file *file)
{
	pto_imports_put(file->private_data);
	return 0;
}

/**
 * pto_import_mmap() - map an import, or its first pages
 * @dmabuf: the dma-buf that was imported
 * @offset: offset in it
 * @vma: the area
 *
 * Some exporters show their first page whatever the offset (those that use drm_gem_shmem_fault()).
 * So there is no other offset. The mapping is the exporter's, and keeps the memory.
 *
 * Return: 0; -EINVAL if the area does not begin with the import or ends behind it, or is private or
 * executable; or what the exporter says.
 */
int pto_import_mmap(struct dma_buf *dmabuf, u64 offset, struct vm_area_struct *vma)
{
	int err;

	if (offset || pto_held_check_area(vma))
		return -EINVAL;
	err = dma_buf_mmap(dmabuf, vma, 0);
	if (!err)
		vm_flags_clear(vma, VM_MAYEXEC);
	return err;
}

/* The offset of the area is one of the window. */
static int pto_imports_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pto_imports *imports = file->private_data;
	struct dma_buf *dmabuf = NULL;
	struct pto_import *import;
	unsigned long within = 0;
	int err;

	xa_lock(&imports->all);
	import = pto_import_at(imports, vma->vm_pgoff);
	if (import) {
		within = vma->vm_pgoff - import->first;
		dmabuf = import->dmabuf;
		get_dma_buf(dmabuf);
	}
	xa_unlock(&imports->all);
	if (!dmabuf)
		return -ENXIO;
	err = pto_import_mmap(dmabuf, (u64)within << PAGE_SHIFT, vma);
	dma_buf_put(dmabuf);
	return err;
}

static const struct file_operations pto_imports_fops = {
	.owner = THIS_MODULE,
	.release = pto_imports_file_release,
	.mmap = pto_imports_file_mmap,
};

/** pto_imports_open() - PTO_CONTROL_IMPORTS. Return: a descriptor, or a negative errno */
int pto_imports_open(void)
{
	struct pto_imports *imports = kzalloc(sizeof(*imports), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!imports)
		return -ENOMEM;
	kref_init(&imports->ref);
	xa_init_flags(&imports->all, XA_FLAGS_ACCOUNT);
	fd = anon_inode_getfd("[pto-imports]", &pto_imports_fops, imports, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		pto_imports_put(imports);
	return fd;
}

/**
 * pto_imports_take() - the imports of a file, for a device
 * @fd: the file
 *
 * Return: the imports, with a reference; ERR_PTR(-EBADF), -EINVAL if it is no such file, -EBUSY if
 * a device has had it.
 */
struct pto_imports *pto_imports_take(int fd)
{
	struct pto_imports *imports = ERR_PTR(-EINVAL);
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &pto_imports_fops) {
		imports = file->private_data;
		if (atomic_cmpxchg(&imports->taken, 0, 1))
			imports = ERR_PTR(-EBUSY);
		else
			kref_get(&imports->ref);
	}
	fput(file);
	return imports;
}

static void pto_import_free(struct pto_import *import)
{
	if (!iosys_map_is_null(&import->map))
		pto_dma_buf_vunmap(import->dmabuf, &import->map);
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/* Memory of a bus is none that the driver could copy like its own. */
static void pto_import_vmap(struct pto_import *import)
{
	if (pto_dma_buf_vmap(import->dmabuf, &import->map)) {
		iosys_map_clear(&import->map);
	} else if (import->map.is_iomem) {
		pto_dma_buf_vunmap(import->dmabuf, &import->map);
		iosys_map_clear(&import->map);
	}
}

static void *pto_import_access(void *priv, u64 offset, size_t *length)
{
	struct pto_import *import = priv;

	if (iosys_map_is_null(&import->map))
		return ERR_PTR(-EOPNOTSUPP);
	return (u8 *)import->map.vaddr + offset;
}

static void pto_import_release(void *priv)
{
	struct pto_import *import = priv;

	/* It may not have got there. */
	xa_cmpxchg(&import->imports->all, pto_import_key(import->first), import, NULL, 0);
	pto_import_free(import);
}

static const struct pto_foreign_ops pto_import_ops = {
	.access = pto_import_access,
	.release = pto_import_release,
};

static struct pto_import *pto_import_new(struct pto_imports *imports, struct dma_buf *dmabuf)
{
	struct pto_import *import;

	if (!dmabuf->size || !PAGE_ALIGNED(dmabuf->size))
		return ERR_PTR(-EINVAL);
	import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	if (!import)
		return ERR_PTR(-ENOMEM);
	import->imports = imports;
	import->dmabuf = dmabuf;
	import->count = dmabuf->size >> PAGE_SHIFT;
	return import;
}

/**
 * pto_imports_add() - import a dma-buf
 * @imports: the imports of the device
 * @pdev: the device
 * @dmabuf: the dma-buf; the caller's reference is taken over
 *
 * Return: its memory, with a reference; ERR_PTR(-ENOMEM, -EINVAL).
 */
struct pto_memory *pto_imports_add(struct pto_imports *imports, struct pto_device *pdev,
				   struct dma_buf *dmabuf)
{
	struct pto_import *import = pto_import_new(imports, dmabuf);
	struct pto_memory *memory;
	int err;

	if (IS_ERR(import)) {
		dma_buf_put(dmabuf);
		return ERR_CAST(import);
	}
	memory = pto_memory_foreign(pdev, dmabuf->size, &pto_import_ops, import);
	if (IS_ERR(memory)) {
		pto_import_free(import);
		return memory;
	}
	import->first = pto_memory_offset(memory) >> PAGE_SHIFT;
	pto_import_vmap(import);
	err = xa_insert(&imports->all, pto_import_key(import->first), import, GFP_KERNEL_ACCOUNT);
	if (err) {
		pto_memory_put(memory);
		return ERR_PTR(err);
	}
	return memory;
}

/** pto_import_dmabuf() - the dma-buf of an import, which stays as long as it; else NULL */
struct dma_buf *pto_import_dmabuf(const struct pto_memory *memory)
{
	struct pto_import *import = pto_memory_priv(memory, &pto_import_ops);

	return import ? import->dmabuf : NULL;
}
