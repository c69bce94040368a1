/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The driver core: what the homes of the core (chrdev and transports in the module, the
 * interposer of the simulator) may call, and what they must provide.
 */
#ifndef PTO_CORE_H
#define PTO_CORE_H

#include <linux/types.h>
#include <linux/wait.h>
#include <linux/pto.h>
#include <linux/pto_device.h>

struct pto_device;
struct pto_ctx;
struct pto_bo;
struct workqueue_struct;

/*
 * Bounds in milliseconds that the home may let an administrator change at any time.
 *
 * pto_close_ms: how long closing a context waits for its runs before they are aborted. A
 * process that is killed does not wait.
 * pto_admin_ms: how long a call waits for the device to answer an admin command, such as to
 * make a context; then the call fails, and the device stays in service.
 * pto_heartbeat_ms: a device whose heartbeat has stood still for so long is taken out of
 * service; 0: never.
 */
extern unsigned int pto_close_ms;
extern unsigned int pto_admin_ms;
extern unsigned int pto_heartbeat_ms;

/*
 * The driver's own workqueue. The home provides it before it makes the first device, and takes
 * it away after the last one is freed. Work on it may sleep; one piece of work may have to
 * wait for another (the simulator's home does one after the other).
 */
extern struct workqueue_struct *pto_wq;

/**
 * struct pto_transport_ops - how the core reaches a device's memory window
 * @name: for struct pto_device_info.name and logs, such as "vdev"
 * @map: kernel mapping of a part of the window that lives until @unmap; used for the
 *	identification page and the queues. @offset is a multiple of PAGE_SIZE, and the
 *	whole page in which the part ends belongs to it. NULL on failure. May sleep
 * @unmap: end of it
 * @access: short mapping for a copy: returns a pointer to @offset, sets *@length to the
 *	bytes that may be used there (at most what it was on entry, at least the rest of
 *	the page). ERR_PTR on failure. May sleep
 * @access_end: end of it; called on the same thread, innermost first
 * @clear: make whole pages read as zero, and give their memory back to the host if it can
 * @clock: how far the device's CLOCK_MONOTONIC is ahead of the kernel's, in nanoseconds; NULL
 *	if it is the same. Called once, when the device is created
 * @kick: ring the doorbell for queue @queue. Any context, does not sleep
 * @release: the last reference to the device is gone; free @priv
 *
 * When pto_device_gone() has returned only @unmap and @release are called any more.
 */
struct pto_transport_ops {
	const char *name;
	void *(*map)(void *priv, u64 offset, u64 length);
	void (*unmap)(void *priv, void *addr, u64 length);
	void *(*access)(void *priv, u64 offset, size_t *length);
	void (*access_end)(void *priv, void *addr);
	int (*clear)(void *priv, u64 offset, u64 length);
	s64 (*clock)(void *priv);
	void (*kick)(void *priv, u32 queue);
	void (*release)(void *priv);
};

/**
 * pto_device_create() - take a device into service
 * @ops: transport
 * @priv: its state; owned by the device from here on if the call succeeds
 * @index: N of /dev/ptoN
 * @window_size: bytes that the transport can reach; the identification page may
 *	announce less, not more
 *
 * Reads and validates the identification page, sets the admin queue up. May sleep.
 * Return: the device with one reference, or ERR_PTR(-ENODEV, -ENOMEM).
 */
struct pto_device *pto_device_create(const struct pto_transport_ops *ops, void *priv, u32 index,
				     u64 window_size);

/** pto_device_get() - take a reference */
struct pto_device *pto_device_get(struct pto_device *pdev);

/** pto_device_put() - drop a reference; the last one calls ops->release */
void pto_device_put(struct pto_device *pdev);

/**
 * pto_device_gone() - the device does not answer any more, or is being removed
 *
 * Runs in flight end, waiters wake, every later ioctl is ENODEV. Returns when no ioctl
 * touches the transport any more. Open contexts stay to be closed by their owners.
 */
void pto_device_gone(struct pto_device *pdev);

/**
 * pto_device_interrupt() - the device has completions
 *
 * Wakes who waits for them. May sleep, but not for the device: a transport whose interrupt comes
 * in another context hands this on to pto_wq.
 */
void pto_device_interrupt(struct pto_device *pdev);

/**
 * pto_device_watch() - look whether the device says that it is broken, has stopped, or has
 *	completions that no interrupt has announced
 *
 * The home calls this about once a second. A thread that waits for the device looks for itself.
 */
void pto_device_watch(struct pto_device *pdev);

/**
 * pto_ctx_open() - open a context
 * Return: the context, which holds a reference to the device, or ERR_PTR(-ENODEV, -ENOSPC,
 * -ENOMEM, -EIO; -ETIMEDOUT if the device does not answer within pto_admin_ms; -ERESTARTSYS if
 * the thread is killed).
 */
struct pto_ctx *pto_ctx_open(struct pto_device *pdev);

/**
 * pto_ctx_close() - end a context
 * @ctx: the context, which nobody uses any more; no mapping of its buffers is left
 *
 * Waits for its runs, pto_close_ms at most; a process that is being killed does not wait for
 * them. What the device has not given up by then it gives up later: the context lives on until
 * it has, with its memory.
 */
void pto_ctx_close(struct pto_ctx *ctx);

/** pto_ctx_ioctl() - carry an ioctl out. Return: 0 or a negative errno */
long pto_ctx_ioctl(struct pto_ctx *ctx, unsigned int cmd, void __user *arg);

/**
 * pto_ctx_poll() - EPOLLIN and EPOLLERR as uapi/linux/pto.h says
 * Also asks the device for an interrupt at the next completion, so that whoever waits on
 * pto_ctx_waitqueue() is woken.
 */
__poll_t pto_ctx_poll(struct pto_ctx *ctx);

/** pto_ctx_stats() - what the context did; also when the device is gone */
void pto_ctx_stats(struct pto_ctx *ctx, struct pto_context_stats *stats);

/** pto_ctx_waitqueue() - woken when pto_ctx_poll() may have changed */
wait_queue_head_t *pto_ctx_waitqueue(struct pto_ctx *ctx);

/**
 * pto_ctx_mmap() - find what an mmap of the context's file shows
 * @ctx: the context
 * @offset: file offset, a multiple of the page size
 * @length: bytes of the mapping
 * @window_offset: out: where in the device's window that is
 *
 * Return: the buffer object with one mapping reference for the caller, to be dropped with
 * pto_bo_unmapped(), or ERR_PTR(-EINVAL if the range is not within one buffer, -ENODEV).
 */
struct pto_bo *pto_ctx_mmap(struct pto_ctx *ctx, u64 offset, u64 length, u64 *window_offset);

/** pto_bo_mapped() - one more mapping shows the buffer (fork, split) */
void pto_bo_mapped(struct pto_bo *bo);

/** pto_bo_unmapped() - a mapping is gone */
void pto_bo_unmapped(struct pto_bo *bo);

#endif /* PTO_CORE_H */
