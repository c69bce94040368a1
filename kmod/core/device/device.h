/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * A device in service: its state, its locks, and the sections in which threads may access it. For
 * the whole core.
 *
 * Lock order, outermost first; a thread that holds one may take those below it:
 *
 *   mmap_lock			held by the kernel around mmap and the mapping callbacks
 *   pto_channel.claim		configuration of one hardware context; a bit lock
 *   pto_reclaim.mutex		freeing deferred objects of the context
 *   dma_resv			the kernel's, held by importers of dma-bufs around the callbacks of
 *				dmabuf.c; imports.c takes that of what it imports
 *   pto_export.lock		attachments of a dma-buf
 *   pto_device.mutex		numbers of contexts and queues
 *   pto_device.wake_mutex	list of clients; waking
 *   pto_area_table.mutex	room in the context's file
 *   xa_lock of an xarray	ids
 *   pto_device.arena_lock	table of arena images
 *   pto_device.image_lock	table of images
 *   pto_client.lock		callable table, lists of the context
 *   pto_memory.lock		buffers that attach a memory object
 *   pto_queue.lock		one queue pair
 *   pto_device.irq_lock	armed queues
 *   pto_client.wq, pto_device.wq
 *
 * Under mmap_lock only the spinlocks are taken. No lock of the driver is held over
 * copy_*_user(), nor across a wait for runs. pto_channel.claim, and only it, is held across the
 * wait for a command of its own context. Threads that wait for the device, or for the claim, are
 * freezable. No thread is woken under irq_lock.
 *
 * Sections. A thread that accesses the device's window is in a section (struct pto_section): an
 * SRCU read-side critical section that cannot be entered once the device is gone. One function
 * enters and leaves a section. Inside, a thread may sleep only to allocate memory, and does not
 * call copy_*_user(). So pto_device_gone() returns soon, whatever applications do.
 */
#ifndef PTO_CORE_DEVICE_H
#define PTO_CORE_DEVICE_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/siphash.h>
#include <linux/srcu.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "device/mem.h"
#include "device/queue.h"
#include "pto_core.h"

struct gen_pool;

#define PTO_IMAGE_BUCKETS	4096
#define PTO_ARENA_BUCKETS	1024

/* Ring sizes if neither the caller nor the device gives any. */
#define PTO_USUAL_HEAP		(256ULL << 20)
#define PTO_USUAL_ENTRIES	16384U

/* How long a new device may take to become ready. */
#define PTO_READY_NS		(2 * (u64)NSEC_PER_SEC)

/**
 * struct pto_section - a section, see the top of this file
 * @pdev: the device, NULL outside of a section
 * @srcu: cookie of srcu_read_lock()
 *
 * On the stack of its thread.
 */
struct pto_section {
	struct pto_device *pdev;
	int srcu;
};

/**
 * struct pto_orphan - an admin command without a waiter, whose completion is still needed
 * @link: in pdev->orphans (pdev->orphan_lock)
 * @reply: the completion. If it is not posted, the command waits for room in the queue
 * @finish: called by the device's work when the completion has arrived, when there is room for
 *	the command, or when the device is gone; may free the structure that contains the orphan
 */
struct pto_orphan {
	struct list_head link;
	struct pto_reply reply;
	void (*finish)(struct pto_orphan *orphan);
};

/**
 * struct pto_device - a device in service
 * @ref: references; pto_device_put() frees it
 * @srcu: sections
 * @gone: set when the device goes out of service, and never cleared
 * @ops: transport
 * @priv: the transport's state
 * @index: N of /dev/ptoN
 * @clock_ns: offset of its clock to the kernel's
 * @ident: copy of the identification page, taken when the device was created
 * @heap: default size of a heap ring, in bytes
 * @task_window: default number of slots of a task window
 * @dep_pool: default number of entries of a dependency pool
 * @ident_page: the identification page itself, for its state and heartbeat
 * @beat: the heartbeat at the last check
 * @beat_ns: time of the check that first found @beat
 * @look_ns: time of the last check
 * @pool: device memory, by window offset
 * @heap_size: bytes of device memory
 * @memory_used: bytes allocated
 * @drop_idle: frees memory that is only kept for later use, and returns whether there was any. Set
 *	by the first context, so that it is set before there is such memory (@wake_mutex)
 * @leaks: memory that a hardware context which was not destroyed may still write to (@mutex)
 * @admin: admin queue
 * @wq: waiters for the admin queue
 * @work: finishes orphans, and wakes all waiters when the device is gone; has a reference while
 *	it is queued or runs
 * @orphan_lock: protects @orphans
 * @orphans: admin commands without a waiter
 * @mutex: protects @ctx_ids, @queue_ids, @leaks
 * @ctx_ids: hardware contexts in use, bit n for number n + 1
 * @queue_ids: queue pairs in use
 * @irq_lock: protects @armed
 * @armed: queues whose interrupt is requested
 * @wake_mutex: protects @clients; a client cannot be freed while it is held to wake it
 * @clients: those of open contexts, and of closed ones that have not ended yet
 * @context_count: number of open contexts
 * @contexts_opened: number of contexts opened so far
 * @ending: closed contexts whose hardware contexts have not been destroyed yet
 * @ended: number of those that have been destroyed since
 * @stream_count: control queues and streams of all contexts
 * @hash_key: key of the hash tables @images and @arena_images
 * @image_lock: protects @images, and the drop of an image's last reference
 * @images: images by key, those that are being made included
 * @image_count: number of images
 * @image_bytes: bytes of all images
 * @next_image: number of the next image, never reused (@image_lock)
 * @arena_lock: protects @arena_images, @arena_idle_list and its counters
 * @arena_images: arena images by configuration, those that are being built included
 * @arena_image_count: number of arena images
 * @arena_image_bytes: device memory that they occupy
 * @arena_idle_list: arena images that no arena is bound to, the most recently used at the end
 * @arena_idle: number of idle arena images
 * @arena_idle_bytes: device memory that they occupy
 *
 * References are held by the creator of the device and by every context, and so indirectly by
 * all objects of contexts.
 */
struct pto_device {
	struct kref ref;
	struct srcu_struct srcu;
	atomic_t gone;
	const struct pto_transport_ops *ops;
	void *priv;
	u32 index;
	s64 clock_ns;
	struct pto_dev_ident ident;
	u64 heap;
	u32 task_window;
	u32 dep_pool;
	struct pto_dev_ident *ident_page;
	u32 beat;
	u64 beat_ns;
	u64 look_ns;
	struct gen_pool *pool;
	u64 heap_size;
	atomic64_t memory_used;
	bool (*drop_idle)(struct pto_device *pdev);
	struct list_head leaks;
	struct pto_queue admin;
	wait_queue_head_t wq;
	struct work_struct work;
	spinlock_t orphan_lock;
	struct list_head orphans;
	struct mutex mutex;
	unsigned long *ctx_ids;
	unsigned long *queue_ids;
	spinlock_t irq_lock;
	struct list_head armed;
	struct mutex wake_mutex;
	struct list_head clients;
	atomic_t context_count;
	atomic64_t contexts_opened;
	atomic_t ending;
	atomic_t ended;
	atomic_t stream_count;
	siphash_key_t hash_key;
	spinlock_t image_lock;
	struct hlist_head images[PTO_IMAGE_BUCKETS];
	atomic64_t image_count;
	atomic64_t image_bytes;
	u64 next_image;
	spinlock_t arena_lock;
	struct hlist_head arena_images[PTO_ARENA_BUCKETS];
	atomic64_t arena_image_count;
	atomic64_t arena_image_bytes;
	struct list_head arena_idle_list;
	unsigned int arena_idle;
	u64 arena_idle_bytes;
};

/* service.c */
bool pto_section_enter(struct pto_section *section, struct pto_device *pdev);
void pto_section_leave(struct pto_section *section);
void pto_device_fail(struct pto_device *pdev, const char *why);
void pto_device_check(struct pto_device *pdev);
void pto_device_start_work(struct pto_device *pdev);
void pto_device_adopt(struct pto_device *pdev, struct pto_orphan *orphan);
void pto_device_answered(struct pto_device *pdev);

/* ident.c */
bool pto_ring_ok(u64 window, u64 heap, u64 deps);
int pto_device_identify(struct pto_device *pdev, u64 window_size);

/* device.c */
int pto_device_ask(struct pto_device *pdev, const union pto_command *cmd,
		   struct pto_reply *reply);
int pto_device_call(struct pto_device *pdev, const union pto_command *cmd,
		    struct pto_reply *reply);
void pto_device_ended(struct pto_device *pdev);
int pto_device_await_end(struct pto_device *pdev, u32 ended, u64 deadline_ns);
int pto_device_get_queue(struct pto_device *pdev, u32 *index);
void pto_device_put_queue(struct pto_device *pdev, u32 index);

static inline bool pto_device_is_gone(struct pto_device *pdev)
{
	return unlikely(atomic_read(&pdev->gone));
}

static inline u64 pto_mem_addr(struct pto_device *pdev, const struct pto_mem *mem)
{
	return pdev->ident.memory_base + mem->offset;
}

#endif /* PTO_CORE_DEVICE_H */
