/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Virtual devices: a process that has /dev/pto-control open is the device. For the module's load
 * and unload; the state of the transport is for vdev.c and vdev_window.c.
 */
#ifndef PTO_VDEV_H
#define PTO_VDEV_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "mapping.h"
#include "pto_core.h"

struct eventfd_ctx;
struct pto_imports;
struct user_struct;

/**
 * struct pto_vdev - state of the transport
 * @clock_ns: offset of CLOCK_MONOTONIC in the process's time namespace to the kernel's
 * @memory: the memfd, a reference. It can neither shrink nor be sealed against writing
 * @size: bytes of it that are used; 0: it is not in the list of windows yet
 * @link: in the list of windows while @size is not 0
 * @user: user to whom pinned pages are accounted; NULL: they are not accounted, because the
 *	process has CAP_IPC_LOCK
 * @pin_limit: number of pages that the user may have pinned
 * @maps: mappings of pto_vdev_map(), by address in pages
 * @imports: memory of others, a reference; NULL: the device cannot reach it
 * @doorbell: the driver signals it for the device; a reference
 * @interrupt: the device signals it for the driver; a reference
 * @wait: entry in the wait queue of @interrupt, from pto_vdev_listen() to pto_vdev_ignore()
 * @wqh: that wait queue; NULL before and after
 * @interrupt_work: queued when @interrupt is signalled; not after pto_vdev_ignore()
 * @watch: checks the device once a second while it is in service
 * @pdev: for both works. No reference: the control file has one while they may run
 *
 * Owned by the core's device, whose last reference frees it.
 */
struct pto_vdev {
	s64 clock_ns;
	struct file *memory;
	u64 size;
	struct list_head link;
	struct user_struct *user;
	long pin_limit;
	struct xarray maps;
	struct pto_imports *imports;
	struct eventfd_ctx *doorbell;
	struct eventfd_ctx *interrupt;
	wait_queue_entry_t wait;
	wait_queue_head_t *wqh;
	struct work_struct interrupt_work;
	struct delayed_work watch;
	struct pto_device *pdev;
};

/* vdev.c */
int pto_control_register(void);
void pto_control_unregister(void);

/* vdev_window.c */
extern const struct pto_pages_ops pto_vdev_pages_ops;
int pto_vdev_take_memory(struct pto_vdev *vdev, int fd);
void pto_vdev_drop_memory(struct pto_vdev *vdev);
void *pto_vdev_map(void *priv, u64 offset, u64 length);
void pto_vdev_unmap(void *priv, void *addr, u64 length);
void *pto_vdev_access(void *priv, u64 offset, size_t *length);
void pto_vdev_access_end(void *priv, void *addr);
int pto_vdev_clear(void *priv, u64 offset, u64 length);

#endif /* PTO_VDEV_H */
