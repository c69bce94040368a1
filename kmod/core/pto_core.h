/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Interface of the driver core. Two "homes" use it: the module (character devices and
 * transports), and the interposer of the simulator. This file declares what a home may call and
 * what it must provide.
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
struct pto_call;
struct pto_memory;
struct workqueue_struct;

/*
 * Bounds in milliseconds that the home may let an administrator change at any time.
 *
 * pto_close_ms: how long closing a context waits for its runs before they are aborted. A
 * process that is killed does not wait.
 * pto_admin_ms: how long a call waits for the device to answer an admin command, such as the
 * creation of a context. Then the call fails, and the device stays in service.
 * pto_heartbeat_ms: a device whose heartbeat has not changed for this time is taken out of
 * service; 0: never.
 */
extern unsigned int pto_close_ms;
extern unsigned int pto_admin_ms;
extern unsigned int pto_heartbeat_ms;

/*
 * The driver's workqueue. The home sets it before the first device, and destroys it after the last
 * one is freed. Work items may sleep, and must not depend on running concurrently: the
 * simulator executes them one after the other.
 */
extern struct workqueue_struct *pto_wq;

/**
 * struct pto_transport_ops - access to a device's memory window
 * @name: for struct pto_device_info.name and logs, such as "vdev"
 * @blank: device memory reads as zero when the device is created. Otherwise it may have data of
 *	earlier owners, and is cleared
 * @map: kernel mapping of a part of the window that lives until @unmap; used for the
 *	identification page and the queues. @offset is a multiple of PAGE_SIZE, and the
 *	whole page in which the part ends belongs to it. NULL on failure. May sleep
 * @unmap: end a mapping of @map
 * @access: short mapping for a copy: returns a pointer to @offset, and sets *@length to the
 *	number of bytes that may be used there (at most its value on entry, at least the rest
 *	of the page if that is less). ERR_PTR on failure. May sleep
 * @access_end: end a mapping of @access; called on the same thread, innermost first
 * @clear: make whole pages read as zero, and return their memory to the host if possible
 * @clock: offset of the device's CLOCK_MONOTONIC to the kernel's, in nanoseconds; NULL if there
 *	is none. Called once, when the device is created
 * @kick: ring the doorbell for queue @queue. Called in any context; must not sleep
 * @export: make a file that shares memory with others, and a descriptor of it. Calls @tell with the
 *	number before the descriptor can be used; if that fails, nothing is left. The file has a
 *	reference of its own to the memory. NULL: the transport has no such files, and the device
 *	no PTO_FEATURE_DMABUF. May sleep
 * @import: the memory of a file of @export, with a reference, or that of another file as
 *	pto_memory_foreign(). ERR_PTR(-EBADF) if it is no open file, -EINVAL if none that shares
 *	memory, -EOPNOTSUPP if the device cannot reach that memory, -ENOMEM. There is one if there
 *	is @export. May sleep
 * @release: free @priv; called when the last reference to the device is dropped
 *
 * After pto_device_gone() has returned, only @unmap and @release are called, and by calls that had
 * begun before @export and @import.
 */
struct pto_transport_ops {
	const char *name;
	bool blank;
	void *(*map)(void *priv, u64 offset, u64 length);
	void (*unmap)(void *priv, void *addr, u64 length);
	void *(*access)(void *priv, u64 offset, size_t *length);
	void (*access_end)(void *priv, void *addr);
	int (*clear)(void *priv, u64 offset, u64 length);
	s64 (*clock)(void *priv);
	void (*kick)(void *priv, u32 queue);
	int (*export)(void *priv, struct pto_memory *memory,
		      int (*tell)(struct pto_call *call, int fd), struct pto_call *call);
	struct pto_memory *(*import)(void *priv, int fd);
	void (*release)(void *priv);
};

/**
 * pto_device_create() - take a device into service
 * @ops: transport
 * @priv: the transport's state; owned by the device if the call succeeds
 * @index: N of /dev/ptoN
 * @window_size: bytes that the transport can reach; the identification page may
 *	announce less, not more
 *
 * Reads and validates the identification page, and sets up the admin queue. May sleep.
 * Return: the device with one reference, or ERR_PTR(-ENODEV, -ENOMEM).
 */
struct pto_device *pto_device_create(const struct pto_transport_ops *ops, void *priv, u32 index,
				     u64 window_size);

/** pto_device_get() - take a reference */
struct pto_device *pto_device_get(struct pto_device *pdev);

/** pto_device_put() - drop a reference; the last one calls ops->release */
void pto_device_put(struct pto_device *pdev);

/**
 * pto_device_gone() - take a device out of service that is being removed
 *
 * Runs in flight end, waiters wake, and every later ioctl fails with ENODEV. Returns when no
 * thread accesses the transport any more. Open contexts remain until their owners close them.
 */
void pto_device_gone(struct pto_device *pdev);

/**
 * pto_device_interrupt() - handle an interrupt: the device has completions
 *
 * Wakes the threads that wait for them. May sleep, but does not wait for the device. A transport
 * whose interrupt handler cannot sleep calls this from pto_wq.
 */
void pto_device_interrupt(struct pto_device *pdev);

/**
 * pto_device_watch() - check whether the device reports a failure, has stopped, or has
 *	completions without an interrupt
 *
 * The home calls this about once a second. Threads that wait for the device also check for
 * themselves.
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
 * Waits for its runs, at most pto_close_ms; a process that is being killed does not wait. If the
 * device does not destroy the hardware context in time, the context and its memory are freed
 * when it has done so.
 */
void pto_ctx_close(struct pto_ctx *ctx);

/** pto_ctx_ioctl() - execute an ioctl. Return: 0 or a negative errno */
long pto_ctx_ioctl(struct pto_ctx *ctx, unsigned int cmd, void __user *arg);

/**
 * pto_ctx_poll() - EPOLLIN and EPOLLERR as in uapi/linux/pto.h
 * Also asks the device for an interrupt at the next completion, which wakes
 * pto_ctx_waitqueue().
 */
__poll_t pto_ctx_poll(struct pto_ctx *ctx);

/** pto_ctx_stats() - read the context's counters; also works when the device is gone */
void pto_ctx_stats(struct pto_ctx *ctx, struct pto_context_stats *stats);

/** pto_ctx_waitqueue() - the wait queue that is woken when pto_ctx_poll() may have changed */
wait_queue_head_t *pto_ctx_waitqueue(struct pto_ctx *ctx);

/**
 * pto_ctx_mmap() - find the buffer for an mmap of the context's file
 * @ctx: the context
 * @offset: file offset, a multiple of the page size
 * @length: bytes of the mapping
 * @window_offset: out: the offset in the device's window
 *
 * Return: the buffer object with one mapping reference for the caller, to be dropped with
 * pto_bo_unmapped(), or ERR_PTR(-EINVAL if the range is not within one buffer, -ENODEV).
 */
struct pto_bo *pto_ctx_mmap(struct pto_ctx *ctx, u64 offset, u64 length, u64 *window_offset);

/** pto_bo_memory() - what the buffer is an attachment of; stays as long as the buffer */
struct pto_memory *pto_bo_memory(const struct pto_bo *bo);

/** pto_bo_mapped() - count one more mapping of the buffer (fork, split) */
void pto_bo_mapped(struct pto_bo *bo);

/** pto_bo_unmapped() - count one mapping less, and drop its reference */
void pto_bo_unmapped(struct pto_bo *bo);

/*
 * Memory that is shared: for @export and @import of the transport, and the files that they make.
 *
 * pto_memory_get() takes a reference. pto_memory_put() drops one, and may sleep. The others are
 * what they say; offsets are those in the device's window.
 */

/**
 * struct pto_foreign_ops - memory that is not the device's, as the home has it
 * @access: address for a copy of *@length bytes at @offset, which are within the memory; may make
 *	*@length smaller. It stays valid as long as the memory. ERR_PTR(-EOPNOTSUPP) if the driver
 *	cannot copy it
 * @release: nobody has it any more. May sleep, and may be called long after the device is gone
 */
struct pto_foreign_ops {
	void *(*access)(void *priv, u64 offset, size_t *length);
	void (*release)(void *priv);
};

/**
 * pto_memory_foreign() - make an object of memory that is not the device's
 * @pdev: the device
 * @length: bytes, whole pages
 * @ops: what the home can do with it
 * @priv: argument of @ops
 *
 * It has addresses in the window like other memory, but the device maps something else there
 * (PTO_DEV_MAP_IMPORT).
 *
 * Return: the object, with a reference; ERR_PTR(-ENOMEM), and @ops are not called.
 */
struct pto_memory *pto_memory_foreign(struct pto_device *pdev, u64 length,
				      const struct pto_foreign_ops *ops, void *priv);

/** pto_memory_priv() - @priv of pto_memory_foreign(), if it was called with @ops; else NULL */
void *pto_memory_priv(const struct pto_memory *memory, const struct pto_foreign_ops *ops);

struct pto_memory *pto_memory_get(struct pto_memory *memory);
void pto_memory_put(struct pto_memory *memory);
struct pto_device *pto_memory_device(const struct pto_memory *memory);
u64 pto_memory_offset(const struct pto_memory *memory);
u64 pto_memory_length(const struct pto_memory *memory);

#endif /* PTO_CORE_H */
