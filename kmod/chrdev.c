// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * /dev/ptoN: file operations on the core's contexts.
 */
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "chrdev.h"
#include "mapping.h"
#include "numbers.h"

/**
 * struct pto_file - an open file
 * @chrdev: the character device; the file's reference to the cdev keeps it alive
 * @ctx: its context
 */
struct pto_file {
	struct pto_chrdev *chrdev;
	struct pto_ctx *ctx;
};

static int pto_open(struct inode *inode, struct file *file)
{
	struct pto_chrdev *chrdev = container_of(inode->i_cdev, struct pto_chrdev, cdev);
	struct pto_file *pf = kzalloc(sizeof(*pf), GFP_KERNEL_ACCOUNT);
	struct pto_ctx *ctx;

	if (!pf)
		return -ENOMEM;
	ctx = pto_ctx_open(chrdev->pdev);
	if (IS_ERR(ctx)) {
		kfree(pf);
		return PTR_ERR(ctx);
	}
	pf->chrdev = chrdev;
	pf->ctx = ctx;
	file->private_data = pf;
	return nonseekable_open(inode, file);
}

static int pto_release(struct inode *inode, struct file *file)
{
	struct pto_file *pf = file->private_data;

	pto_ctx_close(pf->ctx);
	kfree(pf);
	return 0;
}

static long pto_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pto_file *pf = file->private_data;

	return pto_ctx_ioctl(pf->ctx, cmd, (void __user *)arg);
}

static int pto_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pto_file *pf = file->private_data;

	return pto_mapping_create(&pf->chrdev->pages, pf->ctx, vma);
}

static __poll_t pto_poll(struct file *file, poll_table *wait)
{
	struct pto_file *pf = file->private_data;

	poll_wait(file, pto_ctx_waitqueue(pf->ctx), wait);
	return pto_ctx_poll(pf->ctx);
}

static void pto_show_fdinfo(struct seq_file *m, struct file *file)
{
	static const char * const states[] = { "ok", "lost", "gone" };
	struct pto_file *pf = file->private_data;
	struct pto_context_stats stats;

	pto_ctx_stats(pf->ctx, &stats);
	seq_puts(m, "pto-driver:\tpto\n");
	seq_printf(m, "pto-device:\t%u\n", pf->chrdev->index);
	seq_printf(m, "pto-state:\t%s\n", states[min_t(u32, stats.state, PTO_CTX_GONE)]);
	seq_printf(m, "pto-memory-bo:\t%llu KiB\n", stats.bo_bytes >> 10);
	seq_printf(m, "pto-callables:\t%llu\n", stats.callables_live);
	seq_printf(m, "pto-streams:\t%llu\n", stats.streams_live);
	seq_printf(m, "pto-runs-submitted:\t%llu\n", stats.runs_submitted);
	seq_printf(m, "pto-runs-completed:\t%llu\n", stats.runs_completed);
	seq_printf(m, "pto-runs-failed:\t%llu\n", stats.runs_failed);
}

static const struct file_operations pto_fops = {
	.owner = THIS_MODULE,
	.open = pto_open,
	.release = pto_release,
	.unlocked_ioctl = pto_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = pto_mmap,
	.poll = pto_poll,
	.show_fdinfo = pto_show_fdinfo,
};

static void pto_chrdev_release(struct device *dev)
{
	struct pto_chrdev *chrdev = container_of(dev, struct pto_chrdev, dev);

	pto_device_put(chrdev->pdev);
	kfree(chrdev);
}

/**
 * pto_chrdev_create() - create a character device
 * @pdev: the core's device; a reference is taken
 * @index: N of /dev/ptoN; owned by the character device once pto_chrdev_add() has succeeded
 * @pages: the pages of its window
 *
 * Return: the character device, with one reference, not visible yet; or ERR_PTR.
 */
struct pto_chrdev *pto_chrdev_create(struct pto_device *pdev, u32 index,
				     const struct pto_pages *pages)
{
	struct pto_chrdev *chrdev = kzalloc(sizeof(*chrdev), GFP_KERNEL);
	int err;

	if (!chrdev)
		return ERR_PTR(-ENOMEM);
	chrdev->pdev = pto_device_get(pdev);
	chrdev->index = index;
	chrdev->pages = *pages;
	device_initialize(&chrdev->dev);
	chrdev->dev.class = &pto_class;
	chrdev->dev.devt = pto_index_devt(index);
	chrdev->dev.release = pto_chrdev_release;
	cdev_init(&chrdev->cdev, &pto_fops);
	chrdev->cdev.owner = THIS_MODULE;
	err = dev_set_name(&chrdev->dev, "pto%u", index);
	if (err) {
		put_device(&chrdev->dev);
		return ERR_PTR(err);
	}
	return chrdev;
}

/** pto_chrdev_add() - make it visible; the last step of creating a device */
int pto_chrdev_add(struct pto_chrdev *chrdev)
{
	return cdev_device_add(&chrdev->cdev, &chrdev->dev);
}

/** pto_chrdev_remove() - prevent further opens, and free the index */
void pto_chrdev_remove(struct pto_chrdev *chrdev)
{
	cdev_device_del(&chrdev->cdev, &chrdev->dev);
	pto_index_put(chrdev->index);
}

/** pto_chrdev_put() - drop the reference of pto_chrdev_create() */
void pto_chrdev_put(struct pto_chrdev *chrdev)
{
	put_device(&chrdev->dev);
}
