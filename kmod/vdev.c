// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Virtual devices: /dev/pto-control. A process passes a memfd and two eventfds, and acts as a
 * device until the file is released. The release takes the device out of service, however the
 * process ends.
 */
#include <linux/capability.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chrdev.h"
#include "dmabuf.h"
#include "imports.h"
#include "numbers.h"
#include "base/timens.h"
#include "vdev.h"

/**
 * struct pto_control - an open file of /dev/pto-control
 * @claimed: set by the thread that creates the device, and cleared if that fails
 * @chrdev: the device's node; NULL until it is complete. Written by the thread that has set
 *	@claimed, read when the file is released
 * @vdev: the transport
 *
 * Freed when the file is.
 */
struct pto_control {
	atomic_t claimed;
	struct pto_chrdev *chrdev;
	struct pto_vdev *vdev;
};

static void pto_vdev_kick(void *priv, u32 queue)
{
	struct pto_vdev *vdev = priv;

	pto_eventfd_signal(vdev->doorbell);
}

static s64 pto_vdev_clock(void *priv)
{
	const struct pto_vdev *vdev = priv;

	return vdev->clock_ns;
}

static int pto_vdev_export(void *priv, struct pto_memory *memory,
			   int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	const struct pto_pages pages = { .ops = &pto_vdev_pages_ops, .priv = priv };

	return pto_dmabuf_export(memory, &pages, tell, call);
}

static struct pto_memory *pto_vdev_import(void *priv, int fd)
{
	const struct pto_vdev *vdev = priv;

	return pto_dmabuf_import(vdev->imports, vdev->pdev, fd);
}

static void pto_vdev_free(struct pto_vdev *vdev)
{
	if (!IS_ERR_OR_NULL(vdev->interrupt))
		eventfd_ctx_put(vdev->interrupt);
	if (!IS_ERR_OR_NULL(vdev->doorbell))
		eventfd_ctx_put(vdev->doorbell);
	if (!IS_ERR(vdev->imports))
		pto_imports_put(vdev->imports);
	pto_vdev_drop_memory(vdev);
	kfree(vdev);
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
	.clock = pto_vdev_clock,
	.kick = pto_vdev_kick,
	.export = pto_vdev_export,
	.import = pto_vdev_import,
	.release = pto_vdev_release,
};

/*
 * The eventfd was signalled. Interrupts are off, and its lock and possibly others are held. A
 * waiter that is woken may signal this eventfd itself (an io_uring does). So the work wakes the
 * waiters, not this function.
 */
static int pto_vdev_wakeup(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct pto_vdev *vdev = container_of(wait, struct pto_vdev, wait);

	if (key_to_poll(key) & EPOLLIN)
		queue_work(pto_wq, &vdev->interrupt_work);
	return 0;
}

static void pto_vdev_interrupt(struct work_struct *work)
{
	struct pto_vdev *vdev = container_of(work, struct pto_vdev, interrupt_work);

	pto_device_interrupt(vdev->pdev);
}

/*
 * The work is freezable: during a suspend the device's process is frozen like all others, and
 * must not be taken for one that has stopped.
 */
static void pto_vdev_start_watch(struct pto_vdev *vdev)
{
	queue_delayed_work(system_freezable_wq, &vdev->watch, round_jiffies_relative(HZ));
}

static void pto_vdev_watch(struct work_struct *work)
{
	struct pto_vdev *vdev = container_of(to_delayed_work(work), struct pto_vdev, watch);

	pto_device_watch(vdev->pdev);
	pto_vdev_start_watch(vdev);
}

/**
 * struct pto_vdev_poll - data that vfs_poll() passes to pto_vdev_queue()
 * @table: argument of vfs_poll()
 * @vdev: the transport that polls
 * @queues: number of wait queues that the file has passed
 */
struct pto_vdev_poll {
	poll_table table;
	struct pto_vdev *vdev;
	unsigned int queues;
};

static void pto_vdev_queue(struct file *file, wait_queue_head_t *wqh, poll_table *table)
{
	struct pto_vdev_poll *poll = container_of(table, struct pto_vdev_poll, table);
	struct pto_vdev *vdev = poll->vdev;

	/* There is one entry only. */
	if (poll->queues++)
		return;
	vdev->wqh = wqh;
	add_wait_queue(wqh, &vdev->wait);
}

static void pto_vdev_ignore(struct pto_vdev *vdev)
{
	if (vdev->wqh)
		remove_wait_queue(vdev->wqh, &vdev->wait);
	vdev->wqh = NULL;
	/* After remove_wait_queue() nobody queues it any more. */
	cancel_work_sync(&vdev->interrupt_work);
}

/*
 * An eventfd has one wait queue. @interrupt is an eventfd, as @vdev->interrupt was taken from it;
 * any other number of wait queues is refused.
 */
static int pto_vdev_listen(struct pto_vdev *vdev, struct file *interrupt)
{
	struct pto_vdev_poll poll = { .vdev = vdev };

	init_waitqueue_func_entry(&vdev->wait, pto_vdev_wakeup);
	init_poll_funcptr(&poll.table, pto_vdev_queue);
	/* An interrupt may have been signalled before. */
	if (vfs_poll(interrupt, &poll.table) & EPOLLIN)
		queue_work(pto_wq, &vdev->interrupt_work);
	return poll.queues == 1 ? 0 : -EINVAL;
}

static int pto_vdev_take_events(struct pto_vdev *vdev, int doorbell, struct file *interrupt)
{
	vdev->doorbell = eventfd_ctx_fdget(doorbell);
	if (IS_ERR(vdev->doorbell))
		return PTR_ERR(vdev->doorbell);
	vdev->interrupt = eventfd_ctx_fileget(interrupt);
	if (IS_ERR(vdev->interrupt))
		return PTR_ERR(vdev->interrupt);
	/* With one eventfd for both, the device would take its own interrupts for doorbells. */
	return vdev->doorbell == vdev->interrupt ? -EINVAL : 0;
}

/* The last thing to take: a file that has been taken cannot be taken again. */
static int pto_vdev_take_imports(struct pto_vdev *vdev, int fd)
{
	if (!fd)
		return 0;
	vdev->imports = pto_imports_take(fd);
	return PTR_ERR_OR_ZERO(vdev->imports);
}

/* Each fd is looked up once, so that another thread cannot exchange the file in between. */
static struct pto_vdev *pto_vdev_create(const struct pto_control_create *arg,
					struct file *interrupt)
{
	struct pto_vdev *vdev = kzalloc(sizeof(*vdev), GFP_KERNEL);
	int err;

	if (!vdev)
		return ERR_PTR(-ENOMEM);
	vdev->clock_ns = pto_time_offset();
	INIT_WORK(&vdev->interrupt_work, pto_vdev_interrupt);
	INIT_DELAYED_WORK(&vdev->watch, pto_vdev_watch);
	err = pto_vdev_take_memory(vdev, arg->memory_fd);
	if (!err)
		err = pto_vdev_take_events(vdev, arg->doorbell_fd, interrupt);
	if (!err)
		err = pto_vdev_take_imports(vdev, arg->imports_fd);
	if (err) {
		pto_vdev_free(vdev);
		return ERR_PTR(err);
	}
	return vdev;
}

/*
 * End a device whose node is not visible. After pto_device_gone() nobody waits for the device,
 * so the interrupt is no longer needed.
 */
static void pto_vdev_end(struct pto_vdev *vdev, struct pto_device *pdev)
{
	pto_device_gone(pdev);
	pto_vdev_ignore(vdev);
	cancel_delayed_work_sync(&vdev->watch);
	pto_device_put(pdev);
}

/* The device owns the transport afterwards, also if this fails. */
static struct pto_chrdev *pto_vdev_bring_up(struct pto_vdev *vdev, struct file *interrupt,
					    u32 index)
{
	const struct pto_pages pages = { .ops = &pto_vdev_pages_ops, .priv = vdev };
	struct pto_chrdev *chrdev;
	struct pto_device *pdev;
	int err;

	pdev = pto_device_create(&pto_vdev_ops, vdev, index, vdev->size);
	if (IS_ERR(pdev)) {
		pto_vdev_free(vdev);
		return ERR_CAST(pdev);
	}
	vdev->pdev = pdev;
	err = pto_vdev_listen(vdev, interrupt);
	chrdev = err ? ERR_PTR(err) : pto_chrdev_create(pdev, index, &pages);
	if (IS_ERR(chrdev))
		pto_vdev_end(vdev, pdev);
	else
		pto_vdev_start_watch(vdev);
	return chrdev;
}

/* The copy to the caller comes first: it may fail, and a visible node cannot be taken back. */
static int pto_control_publish(struct pto_control *control, struct pto_chrdev *chrdev,
			       struct pto_control_create *arg, void __user *user, u32 size)
{
	int err;

	arg->index = chrdev->index;
	if (copy_to_user(user, arg, min_t(u32, size, sizeof(*arg))))
		return -EFAULT;
	err = pto_chrdev_add(chrdev);
	if (!err)
		control->chrdev = chrdev;
	return err;
}

static int pto_control_make(struct pto_control *control, struct file *interrupt,
			    struct pto_control_create *arg, void __user *user, u32 size)
{
	struct pto_chrdev *chrdev;
	struct pto_vdev *vdev;
	u32 index;
	int err;

	vdev = pto_vdev_create(arg, interrupt);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	err = pto_index_get(&index);
	if (err) {
		pto_vdev_free(vdev);
		return err;
	}
	chrdev = pto_vdev_bring_up(vdev, interrupt, index);
	if (IS_ERR(chrdev)) {
		pto_index_put(index);
		return PTR_ERR(chrdev);
	}
	control->vdev = vdev;
	err = pto_control_publish(control, chrdev, arg, user, size);
	if (err) {
		pto_vdev_end(vdev, chrdev->pdev);
		pto_chrdev_put(chrdev);
		pto_index_put(index);
	}
	return err;
}

static int pto_control_create(struct pto_control *control, void __user *user)
{
	struct pto_control_create arg;
	struct file *interrupt;
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < offsetofend(struct pto_control_create, index))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&arg, sizeof(arg), user, size);
	if (err)
		return err;
	if (arg.flags)
		return -EOPNOTSUPP;
	if (arg.pad)
		return -EINVAL;
	interrupt = fget(arg.interrupt_fd);
	if (!interrupt)
		return -EBADF;
	if (atomic_cmpxchg(&control->claimed, 0, 1)) {
		err = -EBUSY;
	} else {
		err = pto_control_make(control, interrupt, &arg, user, size);
		if (err)
			atomic_set(&control->claimed, 0);
	}
	fput(interrupt);
	return err;
}

/*
 * May the running thread create devices? In a user namespace nobody may, whatever capabilities he
 * has there: applications of the whole machine would trust his device with their data.
 */
static int pto_control_allowed(void)
{
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

/*
 * The thread that uses the file is checked as well as the one that opened it: the file can be
 * passed to a process without privileges, and a privileged process can be made to use a file that
 * another one has opened.
 */
static long pto_control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int err;

	if (cmd != PTO_CONTROL_CREATE && cmd != PTO_CONTROL_IMPORTS)
		return -ENOTTY;
	err = pto_control_allowed();
	if (err)
		return err;
	if (cmd == PTO_CONTROL_IMPORTS)
		return pto_imports_open();
	return pto_control_create(file->private_data, (void __user *)arg);
}

static int pto_control_open(struct inode *inode, struct file *file)
{
	struct pto_control *control;
	int err;

	err = pto_control_allowed();
	if (err)
		return err;
	control = kzalloc(sizeof(*control), GFP_KERNEL_ACCOUNT);
	if (!control)
		return -ENOMEM;
	file->private_data = control;
	return nonseekable_open(inode, file);
}

/* Order: no new opens, then no thread inside the device, then the last reference. */
static int pto_control_release(struct inode *inode, struct file *file)
{
	struct pto_control *control = file->private_data;
	struct pto_chrdev *chrdev = control->chrdev;

	if (chrdev) {
		pto_chrdev_remove(chrdev);
		pto_vdev_end(control->vdev, chrdev->pdev);
		pto_chrdev_put(chrdev);
	}
	kfree(control);
	return 0;
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

/** pto_control_register() - create /dev/pto-control */
int pto_control_register(void)
{
	return misc_register(&pto_control_misc);
}

/** pto_control_unregister() - remove it */
void pto_control_unregister(void)
{
	misc_deregister(&pto_control_misc);
}
