// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Device nodes: /dev/ptoN, the file operations, and mmap of buffer objects.
 *
 * struct pto_node embeds its device; references to it are held by the cdev while a file is
 * being opened and by the creator. An open file holds its context, which holds the
 * pto_device; so neither needs the node after open.
 */
#include <linux/cdev.h>
#include <linux/compat.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "pto_compat.h"
#include "pto_core.h"
#include "pto_module.h"

struct pto_node {
	struct device dev;
	struct cdev cdev;
	struct pto_device *pdev;
	const struct pto_node_ops *ops;
	void *priv;
};

/* An open file. */
struct pto_file {
	struct pto_ctx *ctx;
	const struct pto_node_ops *ops;
	void *priv;
};

/*
 * One mmap() call, shared by the VMAs that it was split or copied into; each of them holds
 * a reference and a mapping reference of the buffer object. The VMA's file keeps the
 * context, and so the transport, alive.
 */
struct pto_mapping {
	struct kref ref;
	struct pto_bo *bo;
	const struct pto_node_ops *ops;
	void *priv;
	pgoff_t first;
	u64 window_offset;
};

static DEFINE_IDA(pto_indices);
static dev_t pto_devt;

/* --- mmap ------------------------------------------------------------------------- */

static void pto_mapping_release(struct kref *ref)
{
	kfree(container_of(ref, struct pto_mapping, ref));
}

static void pto_vma_open(struct vm_area_struct *vma)
{
	struct pto_mapping *m = vma->vm_private_data;

	kref_get(&m->ref);
	pto_bo_mapped(m->bo);
}

static void pto_vma_close(struct vm_area_struct *vma)
{
	struct pto_mapping *m = vma->vm_private_data;

	pto_bo_unmapped(m->bo);
	kref_put(&m->ref, pto_mapping_release);
}

static vm_fault_t pto_vma_fault(struct vm_fault *vmf)
{
	struct pto_mapping *m = vmf->vma->vm_private_data;
	u64 offset = m->window_offset + ((u64)(vmf->pgoff - m->first) << PAGE_SHIFT);
	unsigned long pfn;

	if (m->ops->fault_pfn(m->priv, offset, &pfn))
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, pfn);
}

static const struct vm_operations_struct pto_vm_ops = {
	.open = pto_vma_open,
	.close = pto_vma_close,
	.fault = pto_vma_fault,
};

static int pto_file_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct pto_file *file = filp->private_data;
	u64 length = vma->vm_end - vma->vm_start;
	struct pto_mapping *m;

	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EINVAL;
	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return -ENOMEM;
	kref_init(&m->ref);
	m->ops = file->ops;
	m->priv = file->priv;
	m->first = vma->vm_pgoff;
	m->bo = pto_ctx_mmap(file->ctx, (u64)vma->vm_pgoff << PAGE_SHIFT, length,
			     &m->window_offset);
	if (IS_ERR(m->bo)) {
		int ret = PTR_ERR(m->bo);

		kfree(m);
		return ret;
	}
	vma->vm_private_data = m;
	vma->vm_ops = &pto_vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/* --- other file operations ----------------------------------------------------------- */

static int pto_file_open(struct inode *inode, struct file *filp)
{
	struct pto_node *node = container_of(inode->i_cdev, struct pto_node, cdev);
	struct pto_file *file;
	struct pto_ctx *ctx;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	ctx = pto_ctx_open(node->pdev);
	if (IS_ERR(ctx)) {
		kfree(file);
		return PTR_ERR(ctx);
	}
	file->ctx = ctx;
	file->ops = node->ops;
	file->priv = node->priv;
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int pto_file_release(struct inode *inode, struct file *filp)
{
	struct pto_file *file = filp->private_data;

	pto_ctx_close(file->ctx);
	kfree(file);
	return 0;
}

static long pto_file_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct pto_file *file = filp->private_data;

	return pto_ctx_ioctl(file->ctx, cmd, (void __user *)arg);
}

static __poll_t pto_file_poll(struct file *filp, poll_table *wait)
{
	struct pto_file *file = filp->private_data;

	poll_wait(filp, pto_ctx_waitqueue(file->ctx), wait);
	return pto_ctx_poll(file->ctx);
}

static const struct file_operations pto_fops = {
	.owner = THIS_MODULE,
	.open = pto_file_open,
	.release = pto_file_release,
	.unlocked_ioctl = pto_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = pto_file_mmap,
	.poll = pto_file_poll,
};

/* --- nodes --------------------------------------------------------------------------- */

static char *pto_devnode(pto_devnode_device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	return NULL;
}

static struct class pto_class = {
	.name = "pto",
	.devnode = pto_devnode,
};

int pto_index_get(void)
{
	return ida_alloc_max(&pto_indices, PTO_MAX_DEVICES - 1, GFP_KERNEL);
}

void pto_index_put(int index)
{
	ida_free(&pto_indices, index);
}

static void pto_node_release(struct device *dev)
{
	struct pto_node *node = container_of(dev, struct pto_node, dev);

	pto_device_put(node->pdev);
	kfree(node);
}

struct pto_node *pto_node_create(struct pto_device *pdev, int index,
				 const struct pto_node_ops *ops, void *priv)
{
	struct pto_node *node;
	int ret;

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->pdev = pto_device_get(pdev);
	node->ops = ops;
	node->priv = priv;
	device_initialize(&node->dev);
	node->dev.class = &pto_class;
	node->dev.devt = MKDEV(MAJOR(pto_devt), index);
	node->dev.release = pto_node_release;
	cdev_init(&node->cdev, &pto_fops);
	node->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&node->dev, "pto%d", index);
	if (!ret)
		ret = cdev_device_add(&node->cdev, &node->dev);
	if (ret) {
		put_device(&node->dev);
		return ERR_PTR(ret);
	}
	return node;
}

void pto_node_destroy(struct pto_node *node)
{
	cdev_device_del(&node->cdev, &node->dev);
	put_device(&node->dev);
}

int pto_node_init(void)
{
	int ret;

	ret = class_register(&pto_class);
	if (ret)
		return ret;
	ret = alloc_chrdev_region(&pto_devt, 0, PTO_MAX_DEVICES, "pto");
	if (ret)
		class_unregister(&pto_class);
	return ret;
}

void pto_node_exit(void)
{
	unregister_chrdev_region(pto_devt, PTO_MAX_DEVICES);
	class_unregister(&pto_class);
	ida_destroy(&pto_indices);
}
