// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Virtual devices: a process that has opened /dev/pto-control hands over a memfd, which is
 * the memory window, and two eventfds, and is the device from then on, until it closes
 * that file or dies.
 *
 * struct pto_vdev belongs to the pto_device and goes with its last reference
 * (pto_vdev_release); the control file takes it out of service before (pto_vdev_remove).
 *
 * Window memory is pages of the memfd. The process can still truncate nothing (it has
 * sealed the file against shrinking), but it can punch holes. So each page that a user
 * mapping shows is kept in @mapped with a reference, until the driver clears it because
 * its buffer object is gone: what a user sees is never a page that has been freed.
 */
#include <linux/eventfd.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "pto_compat.h"
#include "pto_core.h"
#include "pto_module.h"

/**
 * struct pto_vdev - a virtual device
 * @memory: the memfd
 * @doorbell: signalled for the device
 * @irq: signalled by the device
 * @irq_file: keeps @irq's wait queue alive
 * @irq_wait: our entry in it
 * @irq_table: how the entry got there
 * @irq_head: that wait queue
 * @mapped: pages shown to users, by page index of the window; own lock
 * @pdev: the device; the reference is the control file's
 * @node: /dev/ptoN
 * @index: N
 */
struct pto_vdev {
	struct file *memory;
	struct eventfd_ctx *doorbell;
	struct eventfd_ctx *irq;
	struct file *irq_file;
	wait_queue_entry_t irq_wait;
	poll_table irq_table;
	wait_queue_head_t *irq_head;
	struct xarray mapped;
	struct pto_device *pdev;
	struct pto_node *node;
	int index;
};

/**
 * struct pto_control - an open file of /dev/pto-control
 * @lock: one PTO_CONTROL_CREATE at a time
 * @vdev: the device it made, or NULL
 */
struct pto_control {
	struct mutex lock;
	struct pto_vdev *vdev;
};

/* --- transport -------------------------------------------------------------------- */

static void *pto_vdev_map(void *priv, u64 offset, u64 length)
{
	struct pto_vdev *v = priv;
	pgoff_t first = offset >> PAGE_SHIFT;
	unsigned long count = length >> PAGE_SHIFT;
	struct page **pages;
	void *addr = NULL;
	unsigned long i;

	pages = kvcalloc(count, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;
	for (i = 0; i < count; i++) {
		pages[i] = shmem_read_mapping_page(v->memory->f_mapping, first + i);
		if (IS_ERR(pages[i]))
			goto out;
		set_page_dirty(pages[i]);
	}
	/* VM_MAP_PUT_PAGES: the mapping takes the pages and the array over. */
	addr = vmap(pages, count, VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (addr)
		return addr;
out:
	while (i--)
		put_page(pages[i]);
	kvfree(pages);
	return NULL;
}

static void pto_vdev_unmap(void *priv, void *addr, u64 length)
{
	/* Not vunmap(): vfree() drops what VM_MAP_PUT_PAGES took over. */
	vfree(addr);
}

static void *pto_vdev_access(void *priv, u64 offset, size_t *length)
{
	struct pto_vdev *v = priv;
	size_t in_page = offset_in_page(offset);
	struct page *page;

	page = shmem_read_mapping_page(v->memory->f_mapping, offset >> PAGE_SHIFT);
	if (IS_ERR(page))
		return page;
	*length = min_t(size_t, *length, PAGE_SIZE - in_page);
	return kmap_local_page(page) + in_page;
}

static void pto_vdev_access_end(void *priv, void *addr)
{
	struct page *page = kmap_to_page(addr);

	set_page_dirty(page);
	kunmap_local(addr);
	put_page(page);
}

static int pto_vdev_clear(void *priv, u64 offset, u64 length)
{
	struct pto_vdev *v = priv;
	pgoff_t last = (offset + length - 1) >> PAGE_SHIFT;
	unsigned long index = offset >> PAGE_SHIFT;
	struct page *page;

	xa_for_each_range(&v->mapped, index, page, offset >> PAGE_SHIFT, last) {
		xa_erase(&v->mapped, index);
		put_page(page);
	}
	return vfs_fallocate(v->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

static void pto_vdev_kick(void *priv, u32 queue)
{
	struct pto_vdev *v = priv;

	pto_eventfd_signal(v->doorbell);
}

static void pto_vdev_free(struct pto_vdev *v)
{
	unsigned long index;
	struct page *page;

	xa_for_each(&v->mapped, index, page)
		put_page(page);
	xa_destroy(&v->mapped);
	if (v->irq_file)
		fput(v->irq_file);
	if (v->irq)
		eventfd_ctx_put(v->irq);
	if (v->doorbell)
		eventfd_ctx_put(v->doorbell);
	if (v->memory)
		fput(v->memory);
	kfree(v);
}

static void pto_vdev_release(void *priv)
{
	pto_vdev_free(priv);
}

static const struct pto_transport_ops pto_vdev_ops = {
	.name = "vdev",
	.map = pto_vdev_map,
	.unmap = pto_vdev_unmap,
	.access = pto_vdev_access,
	.access_end = pto_vdev_access_end,
	.clear = pto_vdev_clear,
	.kick = pto_vdev_kick,
	.release = pto_vdev_release,
};

static int pto_vdev_fault_pfn(void *priv, u64 offset, unsigned long *pfn)
{
	struct pto_vdev *v = priv;
	pgoff_t index = offset >> PAGE_SHIFT;
	struct page *page, *old;

	page = xa_load(&v->mapped, index);
	if (page) {
		*pfn = page_to_pfn(page);
		return 0;
	}
	page = shmem_read_mapping_page(v->memory->f_mapping, index);
	if (IS_ERR(page))
		return PTR_ERR(page);
	/* Writes through a PFN mapping leave no trace that reclaim would see. */
	set_page_dirty(page);
	old = xa_cmpxchg(&v->mapped, index, NULL, page, GFP_KERNEL_ACCOUNT);
	if (old) {
		put_page(page);
		if (xa_is_err(old))
			return xa_err(old);
		page = old;
	}
	*pfn = page_to_pfn(page);
	return 0;
}

static const struct pto_node_ops pto_vdev_node_ops = {
	.fault_pfn = pto_vdev_fault_pfn,
};

/* --- interrupt ---------------------------------------------------------------------- */

/* Called with the eventfd's wait queue locked and interrupts off. */
static int pto_vdev_irq(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct pto_vdev *v = container_of(wait, struct pto_vdev, irq_wait);
	u64 count;

	if (key_to_poll(key) & EPOLLIN) {
		eventfd_ctx_do_read(v->irq, &count);
		pto_device_interrupt(v->pdev);
	}
	return 0;
}

static void pto_vdev_irq_queue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct pto_vdev *v = container_of(table, struct pto_vdev, irq_table);

	v->irq_head = head;
	add_wait_queue(head, &v->irq_wait);
}

static void pto_vdev_irq_enable(struct pto_vdev *v)
{
	init_waitqueue_func_entry(&v->irq_wait, pto_vdev_irq);
	init_poll_funcptr(&v->irq_table, pto_vdev_irq_queue);
	/* The device may have signalled before we listened. */
	if (vfs_poll(v->irq_file, &v->irq_table) & EPOLLIN)
		pto_device_interrupt(v->pdev);
}

static void pto_vdev_irq_disable(struct pto_vdev *v)
{
	u64 count;

	if (v->irq_head)
		eventfd_ctx_remove_wait_queue(v->irq, &v->irq_wait, &count);
}

/* --- creation and removal -------------------------------------------------------------- */

static struct file *pto_vdev_get_memory(int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	/* A window that can shrink under us would turn accesses into failures. */
	if (!shmem_file(file) || !(file->f_mode & FMODE_WRITE) ||
	    !(SHMEM_I(file_inode(file))->seals & F_SEAL_SHRINK)) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return file;
}

static int pto_vdev_get_files(struct pto_vdev *v, const struct pto_control_create *cmd)
{
	struct eventfd_ctx *ctx;
	struct file *file;

	file = pto_vdev_get_memory(cmd->memory_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	v->memory = file;
	ctx = eventfd_ctx_fdget(cmd->doorbell_fd);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	v->doorbell = ctx;
	file = eventfd_fget(cmd->interrupt_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	v->irq_file = file;
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	v->irq = ctx;
	return 0;
}

static struct pto_vdev *pto_vdev_create(const struct pto_control_create *cmd)
{
	struct pto_device *pdev;
	struct pto_vdev *v;
	int ret;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return ERR_PTR(-ENOMEM);
	xa_init(&v->mapped);
	ret = pto_vdev_get_files(v, cmd);
	if (ret)
		goto err_free;
	v->index = ret = pto_index_get();
	if (ret < 0)
		goto err_free;
	pdev = pto_device_create(&pto_vdev_ops, v, v->index, i_size_read(file_inode(v->memory)));
	if (IS_ERR(pdev)) {
		ret = PTR_ERR(pdev);
		goto err_index;
	}
	/* From here on @v belongs to @pdev. */
	v->pdev = pdev;
	pto_vdev_irq_enable(v);
	v->node = pto_node_create(pdev, v->index, &pto_vdev_node_ops, v);
	if (IS_ERR(v->node)) {
		ret = PTR_ERR(v->node);
		pto_device_gone(pdev);
		pto_vdev_irq_disable(v);
		pto_index_put(v->index);
		pto_device_put(pdev);
		return ERR_PTR(ret);
	}
	return v;

err_index:
	pto_index_put(v->index);
err_free:
	pto_vdev_free(v);
	return ERR_PTR(ret);
}

static void pto_vdev_remove(struct pto_vdev *v)
{
	int index = v->index;

	/* First stop using it: waiters wake and no new context can begin. */
	pto_device_gone(v->pdev);
	pto_vdev_irq_disable(v);
	pto_node_destroy(v->node);
	pto_index_put(index);
	pto_device_put(v->pdev);
}

/* --- /dev/pto-control --------------------------------------------------------------------- */

static int pto_control_open(struct inode *inode, struct file *filp)
{
	struct pto_control *control = kzalloc(sizeof(*control), GFP_KERNEL_ACCOUNT);

	if (!control)
		return -ENOMEM;
	mutex_init(&control->lock);
	filp->private_data = control;
	return nonseekable_open(inode, filp);
}

static int pto_control_release(struct inode *inode, struct file *filp)
{
	struct pto_control *control = filp->private_data;

	if (control->vdev)
		pto_vdev_remove(control->vdev);
	kfree(control);
	return 0;
}

static long pto_control_create(struct pto_control *control, struct pto_control_create __user *arg)
{
	struct pto_control_create cmd;
	struct pto_vdev *v;
	u32 size;
	int ret;

	if (get_user(size, &arg->size))
		return -EFAULT;
	if (size < sizeof(cmd))
		return -EINVAL;
	ret = copy_struct_from_user(&cmd, sizeof(cmd), arg, size);
	if (ret)
		return ret;
	if (cmd.flags)
		return -EOPNOTSUPP;

	mutex_lock(&control->lock);
	ret = control->vdev ? -EBUSY : 0;
	if (!ret) {
		v = pto_vdev_create(&cmd);
		ret = PTR_ERR_OR_ZERO(v);
	}
	if (!ret)
		control->vdev = v;
	mutex_unlock(&control->lock);
	if (ret)
		return ret;
	/* A process that loses its answer still has its device: it can find N in sysfs. */
	return put_user((u32)v->index, &arg->index);
}

static long pto_control_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	if (cmd != PTO_CONTROL_CREATE)
		return -ENOTTY;
	return pto_control_create(filp->private_data, (void __user *)arg);
}

static const struct file_operations pto_control_fops = {
	.owner = THIS_MODULE,
	.open = pto_control_open,
	.release = pto_control_release,
	.unlocked_ioctl = pto_control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice pto_control_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pto-control",
	.mode = 0600,
	.fops = &pto_control_fops,
};

int pto_vdev_init(void)
{
	return misc_register(&pto_control_misc);
}

void pto_vdev_exit(void)
{
	misc_deregister(&pto_control_misc);
}
