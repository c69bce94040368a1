/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The inside of the driver core: every structure with its locking and lifetime.
 *
 * Lock order, outermost first; a thread that holds one may take those below it:
 *
 *   mmap_lock			held by the kernel around mmap and the mapping callbacks
 *   pto_ctx.mutex		configuration of one hardware context
 *   pto_device.arena_mutex	building arena images
 *   pto_device.image_mutex	images
 *   pto_device.mutex		numbers of contexts and queues
 *   xa_lock of an xarray	ids
 *   pto_device.arena_lock	table of arena images
 *   pto_ctx.lock		callable table, list of streams, list of deferred frees
 *   pto_queue.lock		one queue pair
 *   pto_device.irq_lock	armed queues, contexts; taken in interrupts
 *   pto_ctx.wq, pto_device.wq
 *
 * Under mmap_lock only the spinlocks are taken. No lock of the driver is held over
 * copy_*_user(), nor across a wait for runs; pto_ctx.mutex, and only it, is held across the
 * wait for a command of its own context.
 *
 * Sections. Whoever touches the device's window is in a section (struct pto_section), an SRCU
 * read side of the device that cannot be entered any more once the device is gone. A section
 * is left before sleeping for something that has no short bound, and never held over
 * copy_*_user(), so that pto_device_gone() returns soon whatever applications do.
 */
#ifndef PTO_CORE_INTERNAL_H
#define PTO_CORE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <crypto/sha2.h>

#include "pto_core.h"

#define PTO_MAX_STREAMS		63	/* of a context; with its control queue 64 */
#define PTO_MAX_ARENAS		4	/* that a context caches */
#define PTO_MAX_BOS		65536	/* of a context */
#define PTO_MAX_IMAGES		4096	/* of a context */
#define PTO_MAX_IMAGE_SIZE	(64UL << 20)
#define PTO_IMAGE_BUCKETS	64
#define PTO_ARENA_BUCKETS	64

/* Arena images that a device keeps although no arena is bound to them. */
#define PTO_IDLE_ARENA_IMAGES	16
#define PTO_IDLE_ARENA_BYTES	(1024 * 1024UL)

#define PTO_RUN_STREAM_SHIFT	48
#define PTO_RUN_SEQ_MASK	((1ULL << PTO_RUN_STREAM_SHIFT) - 1)

/* Bounds of waits for the device itself; runs have bounds of their own. */
#define PTO_ADMIN_NS		(10 * (u64)NSEC_PER_SEC)
#define PTO_CONTROL_NS		(30 * (u64)NSEC_PER_SEC)
#define PTO_DRAIN_NS		(2 * (u64)NSEC_PER_SEC)
#define PTO_READY_NS		(2 * (u64)NSEC_PER_SEC)

struct gen_pool;
struct pto_stream;

/**
 * struct pto_mem - a piece of device memory
 * @offset: where in the window, page aligned
 * @length: bytes, whole pages; 0: none
 *
 * Owned by the structure it is part of; the device address is memory_base + @offset.
 */
struct pto_mem {
	u64 offset;
	u64 length;
};

/**
 * struct pto_section - one stay inside a device, see the top of this file
 * @pdev: the device, NULL while not inside
 * @srcu: cookie of srcu_read_lock()
 *
 * On the stack of its thread.
 */
struct pto_section {
	struct pto_device *pdev;
	int srcu;
};

/**
 * struct pto_reply - a command's completion, for the thread that waits for it
 * @index: SQ index of the command
 * @done: the completion is here
 * @reported: and so is a report
 * @cqe: the completion
 * @report: the report
 *
 * On the waiter's stack. Known to the queue from posting until it is done or forgotten;
 * everything is protected by the queue's lock.
 */
struct pto_reply {
	u32 index;
	bool done;
	bool reported;
	struct pto_dev_cqe cqe;
	struct pto_dev_report report;
};

/**
 * struct pto_queue - a queue pair
 * @lock: protects indices, @stopped, @replies, @doorbells, and the owner's records
 * @sq_tail: commands posted
 * @cq_head: completions taken; read without the lock by interrupts and spinning waiters
 * @mask: queue_depth - 1
 * @stopped: nothing can be posted; written under @lock, read without it by waiters
 * @doorbells: times the device was woken
 * @head: the indices in the window
 * @sq: submission entries in the window
 * @cq: completion entries in the window
 * @reports: failure reports in the window
 * @stream: the stream it belongs to; NULL for the admin and control queues
 * @replies: for a queue without stream: waiter of each slot, or NULL
 * @pdev: the device
 * @ctx: the context; NULL for the admin queue
 * @wq: who waits for it sleeps here
 * @index: number of the pair
 * @armed: the device was asked for an interrupt (@pdev->irq_lock)
 * @armed_head: @cq_head when it was (@pdev->irq_lock)
 * @armed_link: in @pdev->armed if so (@pdev->irq_lock)
 *
 * Part of the structure that owns it. pto_queue_open() maps it, pto_queue_close() unmaps it;
 * in between the window pages stay mapped even if the device goes.
 */
struct pto_queue {
	spinlock_t lock;
	u32 sq_tail;
	u32 cq_head;
	u32 mask;
	bool stopped;
	u64 doorbells;
	struct pto_dev_queue *head;
	struct pto_dev_cmd *sq;
	struct pto_dev_cqe *cq;
	struct pto_dev_report *reports;
	struct pto_stream *stream;
	struct pto_reply **replies;
	struct pto_device *pdev;
	struct pto_ctx *ctx;
	wait_queue_head_t *wq;
	u32 index;
	bool armed;
	u32 armed_head;
	struct list_head armed_link;
};

/**
 * struct pto_wait_how - how to wait for something of a queue
 * @section: the section the thread is in; left while it sleeps
 * @deadline_ns: absolute time, PTO_WAIT_FOREVER for none
 * @state: TASK_* in which to sleep
 * @patient: the deadline moves on as long as the queue's context has runs in flight
 */
struct pto_wait_how {
	struct pto_section *section;
	u64 deadline_ns;
	unsigned int state;
	bool patient;
};

typedef bool (*pto_queue_cond)(struct pto_queue *q, void *arg);

/**
 * struct pto_deferred - something that is freed when the runs that may use it have ended
 * @link: in ctx->deferred, or on a local list of pto_ctx_reclaim()
 * @ops: what is to be done
 * @run_seq: it waits for the context's runs up to this number
 * @control_index: and then for this command of the control queue,
 * @posted: which has been posted
 *
 * Part of the object that is freed, so that giving something up needs no memory.
 * @link and @run_seq: ctx->lock; the rest: ctx->mutex.
 */
struct pto_deferred {
	struct list_head link;
	const struct pto_deferred_ops *ops;
	u64 run_seq;
	u32 control_index;
	bool posted;
};

#define PTO_DEFERRED_COMMANDS 2

/**
 * struct pto_deferred_ops - how an object is freed
 * @commands: fill in the commands that take it from the hardware context; how many
 * @release: free it; the device does not know it any more
 */
struct pto_deferred_ops {
	unsigned int (*commands)(struct pto_deferred *d, struct pto_dev_cmd *cmd);
	void (*release)(struct pto_deferred *d);
};

/**
 * struct pto_device - a device in service
 * @ref: references; pto_device_put() frees it
 * @srcu: sections
 * @gone: out of service for good
 * @ops: transport
 * @priv: its state
 * @index: N of /dev/ptoN
 * @ident: the identification page as it was when the device came; never read again
 * @ident_page: the page itself, for its state and heartbeat
 * @pool: device memory, by window offset
 * @heap_size: bytes of it
 * @memory_used: bytes allocated
 * @leaks: memory that a context which would not end may still write to (@mutex)
 * @admin: admin queue
 * @wq: who waits for the admin queue
 * @mutex: protects @ctx_ids, @queue_ids, @leaks
 * @ctx_ids: hardware contexts in use, bit n for number n + 1
 * @queue_ids: queue pairs in use
 * @irq_lock: protects @armed and @contexts
 * @armed: queues of which the device was asked for an interrupt
 * @contexts: open contexts
 * @context_count: how many
 * @contexts_opened: how many there ever were
 * @stream_count: control queues and streams of all contexts
 * @image_mutex: protects @images and the reference counts' way to zero
 * @images: images by key
 * @image_count: how many
 * @image_bytes: bytes of them
 * @next_image: number of the next image, never used twice (@image_mutex)
 * @arena_mutex: held while an arena image is built, so that none is built twice
 * @arena_lock: protects @arena_images, @arena_idle_list and what counts it
 * @arena_images: arena images by configuration
 * @arena_image_count: how many
 * @arena_image_bytes: device memory they take
 * @arena_idle_list: those that no arena is bound to, the one that was used last at the end
 * @arena_idle: how many of these
 * @arena_idle_bytes: device memory these take
 *
 * Held by its home, by every context, and so by everything that contexts have.
 */
struct pto_device {
	struct kref ref;
	struct srcu_struct srcu;
	atomic_t gone;
	const struct pto_transport_ops *ops;
	void *priv;
	u32 index;
	struct pto_dev_ident ident;
	struct pto_dev_ident *ident_page;
	struct gen_pool *pool;
	u64 heap_size;
	atomic64_t memory_used;
	struct list_head leaks;
	struct pto_queue admin;
	wait_queue_head_t wq;
	struct mutex mutex;
	unsigned long *ctx_ids;
	unsigned long *queue_ids;
	spinlock_t irq_lock;
	struct list_head armed;
	struct list_head contexts;
	atomic_t context_count;
	atomic64_t contexts_opened;
	atomic_t stream_count;
	struct mutex image_mutex;
	struct list_head images[PTO_IMAGE_BUCKETS];
	atomic64_t image_count;
	atomic64_t image_bytes;
	u64 next_image;
	struct mutex arena_mutex;
	spinlock_t arena_lock;
	struct list_head arena_images[PTO_ARENA_BUCKETS];
	atomic64_t arena_image_count;
	atomic64_t arena_image_bytes;
	struct list_head arena_idle_list;
	unsigned int arena_idle;
	u64 arena_idle_bytes;
};

/**
 * struct pto_counters - what a context did; see struct pto_context_stats
 *
 * Off the warm path. Counters of the warm path are the streams' own and are summed up when
 * somebody asks; a stream that is destroyed leaves its here.
 */
struct pto_counters {
	atomic64_t streams_created;
	atomic64_t bo_bytes;
	atomic64_t prepares;
	atomic64_t unprepares;
	atomic64_t aicpu_dlopens;
	atomic64_t host_dlopens;
	atomic64_t kernel_loads;
	atomic64_t image_uploads;
	atomic64_t image_upload_bytes;
	atomic64_t image_dedup_hits;
	atomic64_t arena_hits;
	atomic64_t arena_misses;
	atomic64_t arena_builds;
	atomic64_t arena_rebinds;
	atomic64_t runs_submitted;
	atomic64_t runs_completed;
	atomic64_t runs_failed;
	atomic64_t doorbells;
	atomic64_t interrupts;
	atomic64_t device_commands;
	atomic64_t resets;
	atomic_t streams_live;
	atomic_t callables_live;
	atomic_t bo_live;
	atomic_t images_live;
};

/**
 * struct pto_ctx - a context
 * @pdev: the device; a reference
 * @wq: who waits for anything of this context sleeps here
 * @default_stream: the stream that lives as long as the context
 * @callables: prepared callables by cid; written under @lock, read under any queue's lock
 * @arenas: arenas, NULL where there is none; written under @mutex and @lock, read under
 *	either or under any queue's lock
 * @run_seq: number of the last run of any stream; raised under the stream's queue lock. Not
 *	every number is a run's
 * @poll_armed: somebody polls: ask for an interrupt with every run
 * @lost: the device lost this context's state
 * @deferred_count: entries of @deferred
 * @hw_id: hardware context
 * @hw_alive: the device has made it and was not told to destroy it (@mutex)
 * @leaking: it would not end, so what it was told of must not be used again (@mutex)
 * @mutex: what the hardware context has been told, and in what order
 * @lock: see the other members
 * @control: control queue
 * @stream_list: bound streams (@lock)
 * @stream_ids: streams that have an id; ids are taken under @mutex
 * @next_stream: where the search for the next stream id begins (@mutex)
 * @bo_list: buffers that are mapped in the hardware context (@mutex)
 * @bos: buffers that have an id
 * @bo_at: the same by address, see bo.c
 * @images: images that have an id
 * @cids_reserved: cids in use or being filled (@lock)
 * @generations: generation of each cid (@lock)
 * @handles: device handles in use (@mutex)
 * @loaded: callables that the hardware context has (@mutex)
 * @next_arena: id of the next arena (@mutex)
 * @deferred: what waits for runs to end (@lock)
 * @reclaim_wanted: @deferred is to be looked at
 * @reclaim_work: does that when no application thread is at hand
 * @link: in pdev->contexts (pdev->irq_lock)
 * @count: counters
 *
 * Lives from pto_ctx_open() to pto_ctx_close(), which are not called while anything else is
 * done with it. Its home's reference to the open file is what keeps it: nothing counts here.
 */
struct pto_ctx {
	struct pto_device *pdev;
	wait_queue_head_t wq;
	struct pto_stream *default_stream;
	struct pto_callable *callables[PTO_MAX_CALLABLES];
	struct pto_arena *arenas[PTO_MAX_ARENAS];
	atomic64_t run_seq;
	bool poll_armed;
	bool lost;
	atomic_t deferred_count;

	u32 hw_id;
	bool hw_alive;
	bool leaking;
	struct mutex mutex;
	spinlock_t lock;
	struct pto_queue control;
	struct list_head stream_list;
	struct xarray stream_ids;
	u32 next_stream;
	struct list_head bo_list;
	struct xarray bos;
	struct xarray bo_at;
	struct xarray images;
	DECLARE_BITMAP(cids_reserved, PTO_MAX_CALLABLES);
	u32 generations[PTO_MAX_CALLABLES];
	DECLARE_BITMAP(handles, PTO_DEV_MAX_HANDLES);
	struct list_head loaded;
	u32 next_arena;
	struct list_head deferred;
	atomic_t reclaim_wanted;
	struct work_struct reclaim_work;
	struct list_head link;
	struct pto_counters count;
};

/**
 * struct pto_bo - a buffer object
 * @ref: the id's reference, one for every mapping, short ones of ioctls
 * @ctx: the context
 * @mem: its memory
 * @id: its id
 * @placement: PTO_PLACE_*
 * @mappings: user mappings
 * @link: in ctx->bo_list while the hardware context knows it (ctx->mutex)
 * @deferred: freeing it: with the last reference, when the runs before have ended
 *
 * Runs hold no references: pto_ctx_defer() waits for them.
 */
struct pto_bo {
	struct kref ref;
	struct pto_ctx *ctx;
	struct pto_mem mem;
	u32 id;
	u32 placement;
	atomic_t mappings;
	struct list_head link;
	struct pto_deferred deferred;
};

/**
 * struct pto_image - an object on the device, shared by content
 * @ref: ids of contexts and callables that use it; the last put takes pdev->image_mutex
 * @pdev: the device; no reference, as every user has one
 * @link: in its bucket of pdev->images (pdev->image_mutex)
 * @mem: where it is
 * @size: bytes of it
 * @number: its name on the device, never used again
 * @digest: SHA-256
 * @build_id: Build-ID
 * @build_id_len: bytes of that, 0 if there is none
 *
 * Immutable.
 */
struct pto_image {
	struct kref ref;
	struct pto_device *pdev;
	struct list_head link;
	struct pto_mem mem;
	u64 size;
	u64 number;
	u8 digest[SHA256_DIGEST_SIZE];
	u8 build_id[PTO_BUILD_ID_MAX];
	u32 build_id_len;
};

/**
 * struct pto_callable_kernel - a kernel of a callable
 * @func_id: its number
 * @core_type: PTO_CORE_*
 * @image: the object; a reference
 */
struct pto_callable_kernel {
	u32 func_id;
	u32 core_type;
	struct pto_image *image;
};

/**
 * struct pto_callable - a callable on the device
 * @ctx: the context
 * @link: in ctx->loaded (ctx->mutex)
 * @deferred: unloading it
 * @kind: PTO_KIND_*
 * @cid: its slot
 * @generation: the slot's generation
 * @handle: its name on the device
 * @orch: the orchestration object; a reference. NULL if it runs in the host process
 * @desc: the description, while the device reads it (ctx->mutex)
 * @entry: symbol of the entry
 * @config: symbol of the configuration function
 * @load_flags: PTO_DEV_LOAD_*
 * @kernel_count: number of kernels
 * @kernels: kernels
 *
 * Immutable but for @desc. Visible in ctx->callables from commit to unprepare; freed when the
 * runs before that have ended and the device has unloaded it. It keeps all it takes to
 * load it again.
 */
struct pto_callable {
	struct pto_ctx *ctx;
	struct list_head link;
	struct pto_deferred deferred;
	u32 kind;
	u32 cid;
	u32 generation;
	u32 handle;
	struct pto_image *orch;
	struct pto_mem desc;
	u8 entry[PTO_SYMBOL_MAX];
	u8 config[PTO_SYMBOL_MAX];
	u32 load_flags;
	u32 kernel_count;
	struct pto_callable_kernel kernels[];
};

/**
 * struct pto_arena_config - a resolved ring configuration: no zeros
 * @task_window: task slots per depth
 * @heap: bytes per depth
 * @dep_pool: dependency entries per depth
 */
struct pto_arena_config {
	u64 task_window[PTO_RING_DEPTHS];
	u64 heap[PTO_RING_DEPTHS];
	u64 dep_pool[PTO_RING_DEPTHS];
};

/**
 * struct pto_arena_image - what the device built of a ring configuration
 * @link: in its bucket of pdev->arena_images; empty if nobody may find it any more
 * @idle: in pdev->arena_idle_list while it has no users, or on its way out
 * @users: arenas that are bound to it or will be
 * @config: the configuration
 * @mem: plan and image
 * @image_size: bytes of the image, which follows the plan
 * @arena_size: bytes of an arena
 *
 * @link, @idle and @users: pdev->arena_lock; the rest is immutable. It outlives its last arena
 * as an idle image, see arena_image.c.
 */
struct pto_arena_image {
	struct list_head link;
	struct list_head idle;
	unsigned int users;
	struct pto_arena_config config;
	struct pto_mem mem;
	u64 image_size;
	u64 arena_size;
};

/**
 * struct pto_arena - working memory of runs
 * @ctx: the context
 * @image: what it was bound to; counted in its users
 * @mem: the memory
 * @deferred: dropping it
 * @id: its id
 * @is_default: what a run uses that names none
 * @built: its image was built for it, it did not find one
 * @epoch: runs that used it
 * @last_run: number of the last run that used it, 0 if none has
 * @last_named: likewise, when an application last asked for it (ctx->mutex)
 *
 * In ctx->arenas until it is dropped; freed when the runs before that have ended.
 */
struct pto_arena {
	struct pto_ctx *ctx;
	struct pto_arena_image *image;
	struct pto_mem mem;
	struct pto_deferred deferred;
	u32 id;
	bool is_default;
	bool built;
	atomic_t epoch;
	u64 last_run;
	u64 last_named;
};

/**
 * struct pto_run_record - a run, from submission until its result is too old
 * @user_data: the application's
 * @submit_ns: when it was submitted
 * @start_ns: when the device began it
 * @end_ns: when the device finished it
 * @ctx_seq: its number in the context
 * @detail: fatal code, sub-class << 32
 * @status: 0 or -errno
 * @pad: fills the cache line
 */
struct pto_run_record {
	u64 user_data;
	u64 submit_ns;
	u64 start_ns;
	u64 end_ns;
	u64 ctx_seq;
	u64 detail;
	s32 status;
	u32 pad[3];
};

/**
 * struct pto_run_report - the device's explanation of a failed run
 * @seq: which run of the stream; 0 if there is none
 * @task: task concerned, ~0 if none
 * @func_id: function concerned, ~0 if none
 * @core: core concerned, ~0 if none
 * @text: the explanation
 */
struct pto_run_report {
	u64 seq;
	u64 task;
	u32 func_id;
	u32 core;
	u8 text[sizeof(((struct pto_dev_report *)NULL)->text)];
};

/**
 * struct pto_stream - runs in order
 * @queue: its queue pair
 * @submitted: runs accepted
 * @completed: runs that have ended; also read without the lock
 * @failed: of these, with a status other than 0
 * @arena_hits: runs that found their arena
 * @read: the latest run whose result was read
 * @runs: ring of records, 2 * queue_depth: as many in flight, as many results
 * @run_mask: 2 * queue_depth - 1
 * @reports: of the latest failures, at sequence number % PTO_DEV_REPORTS
 * @ref: its place in the context, and waiters
 * @id: its id
 * @link: in ctx->stream_list (ctx->lock)
 *
 * What is not said to be otherwise is protected by @queue.lock. The default stream lives as
 * long as its context and is used without counting.
 */
struct pto_stream {
	struct pto_queue queue;
	u64 submitted;
	u64 completed;
	u64 failed;
	u64 arena_hits;
	atomic64_t read;
	struct pto_run_record *runs;
	u32 run_mask;
	struct pto_run_report *reports;
	struct kref ref;
	u32 id;
	struct list_head link;
};

/**
 * struct pto_call - an ioctl that is being carried out
 * @ctx: the context
 * @user: the caller's struct
 * @user_size: bytes of it, read once
 * @size: bytes of the driver's struct
 * @arg: the driver's copy of it
 */
struct pto_call {
	struct pto_ctx *ctx;
	void __user *user;
	u32 user_size;
	u32 size;
	void *arg;
};

/* device.c */
bool pto_section_enter(struct pto_section *section, struct pto_device *pdev);
void pto_section_leave(struct pto_section *section);
void pto_device_fail(struct pto_device *pdev, const char *why);
void pto_device_check(struct pto_device *pdev);
int pto_device_admin(struct pto_device *pdev, struct pto_section *section,
		     struct pto_dev_cmd *cmd, struct pto_reply *reply);
int pto_device_get_queue(struct pto_device *pdev, u32 *index);
void pto_device_put_queue(struct pto_device *pdev, u32 index);

static inline bool pto_device_is_gone(struct pto_device *pdev)
{
	return unlikely(atomic_read(&pdev->gone));
}

/* mem.c */
int pto_mem_init(struct pto_device *pdev);
void pto_mem_exit(struct pto_device *pdev);
int pto_mem_alloc(struct pto_device *pdev, u64 length, struct pto_mem *mem);
int pto_mem_clear(struct pto_device *pdev, const struct pto_mem *mem);
void pto_mem_free(struct pto_device *pdev, struct pto_mem *mem);
void pto_mem_leak(struct pto_device *pdev, struct pto_mem *mem);
int pto_mem_write(struct pto_device *pdev, const struct pto_mem *mem, u64 offset,
		  const void *from, u64 length);
int pto_mem_read(struct pto_device *pdev, const struct pto_mem *mem, u64 offset, void *to,
		 u64 length);

static inline u64 pto_mem_addr(struct pto_device *pdev, const struct pto_mem *mem)
{
	return pdev->ident.memory_base + mem->offset;
}

/* queue.c */
int pto_queue_open(struct pto_queue *q, struct pto_device *pdev, u32 index);
void pto_queue_close(struct pto_queue *q);
void pto_queue_reset(struct pto_queue *q);
void pto_queue_stop(struct pto_queue *q);
struct pto_dev_cmd *pto_queue_slot(struct pto_queue *q);
void pto_queue_publish(struct pto_queue *q);
void pto_queue_kick(struct pto_queue *q);
unsigned int pto_queue_reap(struct pto_queue *q);
void pto_queue_wake(struct pto_queue *q, unsigned int taken);
void pto_queue_arm(struct pto_queue *q);
void pto_queue_disarm(struct pto_queue *q);
int pto_queue_post(struct pto_queue *q, const struct pto_dev_cmd *cmd, unsigned int count,
		   struct pto_reply *reply);
int pto_queue_call(struct pto_queue *q, const struct pto_dev_cmd *cmd, struct pto_reply *reply,
		   struct pto_wait_how *how);
int pto_queue_wait(struct pto_queue *q, pto_queue_cond cond, void *arg,
		   struct pto_wait_how *how);
int pto_status_errno(u32 status);

/* Commands or runs that the device has not completed; a hint without the queue's lock. */
static inline u32 pto_queue_in_flight(struct pto_queue *q)
{
	return READ_ONCE(q->sq_tail) - READ_ONCE(q->cq_head);
}

/* ctx.c */
int pto_ctx_begin(struct pto_ctx *ctx, struct pto_section *section);
int pto_ctx_begin_hw(struct pto_ctx *ctx, struct pto_section *section);
void pto_ctx_end(struct pto_ctx *ctx, struct pto_section *section);
int pto_ctx_command(struct pto_ctx *ctx, struct pto_section *section, struct pto_dev_cmd *cmd,
		    struct pto_reply *reply);
int pto_ctx_admin(struct pto_ctx *ctx, struct pto_section *section, struct pto_dev_cmd *cmd,
		  struct pto_reply *reply);
void pto_ctx_lose(struct pto_ctx *ctx);
void pto_ctx_free_mem(struct pto_ctx *ctx, struct pto_mem *mem);
bool pto_ctx_busy(struct pto_ctx *ctx);
int pto_ctx_reset(struct pto_call *call);

/* reclaim.c */
void pto_defer(struct pto_ctx *ctx, struct pto_deferred *d, const struct pto_deferred_ops *ops);
void pto_reclaim_init(struct pto_ctx *ctx);
void pto_reclaim_all(struct pto_ctx *ctx);
void pto_reclaim_settle(struct pto_ctx *ctx, struct pto_section *section);
void pto_reclaim_reap(struct pto_ctx *ctx);
void pto_reclaim_locked(struct pto_ctx *ctx, struct pto_section *section);
void pto_reclaim_unlock(struct pto_ctx *ctx);

/* After completions were taken: is there something they may have been holding up? */
static inline bool pto_reclaim_pending(struct pto_ctx *ctx)
{
	return unlikely(atomic_read(&ctx->deferred_count));
}

/* bo.c */
struct pto_bo *pto_bo_find(struct pto_ctx *ctx, u32 id);
void pto_bo_put(struct pto_bo *bo);
int pto_bo_map_all(struct pto_ctx *ctx, struct pto_section *section);
void pto_bo_close(struct pto_ctx *ctx);
int pto_bo_create(struct pto_call *call);
int pto_bo_info(struct pto_call *call);
int pto_bo_destroy(struct pto_call *call);

/* copy.c */
int pto_bo_copy(struct pto_call *call);

/* image.c */
struct pto_image *pto_image_find(struct pto_ctx *ctx, u32 id);
void pto_image_put(struct pto_image *image);
void pto_image_close(struct pto_ctx *ctx);
int pto_image_create(struct pto_call *call);
int pto_image_destroy(struct pto_call *call);

/* callable.c, load.c */
int pto_callable_load(struct pto_callable *cal, struct pto_section *section,
		      struct pto_reply *reply);
int pto_callable_load_all(struct pto_ctx *ctx, struct pto_section *section);
void pto_callable_close(struct pto_ctx *ctx);
int pto_prepare(struct pto_call *call);
int pto_unprepare(struct pto_call *call);

/* arena.c, arena_image.c */
struct pto_arena_image *pto_arena_image_get(struct pto_ctx *ctx, struct pto_section *section,
					    const struct pto_arena_config *config, bool *built);
void pto_arena_image_put(struct pto_device *pdev, struct pto_arena_image *image);
void pto_arena_image_condemn(struct pto_device *pdev, struct pto_arena_image *image);
bool pto_arena_idle_drop(struct pto_device *pdev);
int pto_arena_default(struct pto_ctx *ctx, struct pto_section *section, bool only_first);
int pto_arena_bind_all(struct pto_ctx *ctx, struct pto_section *section);
struct pto_arena *pto_arena_find(struct pto_ctx *ctx, u32 id);
void pto_arena_close(struct pto_ctx *ctx);
int pto_prewarm(struct pto_call *call);

/* stream.c */
struct pto_stream *pto_stream_new(struct pto_ctx *ctx, struct pto_section *section);
void pto_stream_unbind(struct pto_stream *s);
struct pto_stream *pto_stream_get(struct pto_ctx *ctx, u32 id);
void pto_stream_put(struct pto_ctx *ctx, struct pto_stream *s);
void pto_stream_complete(struct pto_stream *s, const struct pto_dev_cqe *cqe,
			 const struct pto_dev_report *report);
void pto_stream_cancel(struct pto_stream *s);
int pto_stream_bind_all(struct pto_ctx *ctx, struct pto_section *section);
int pto_stream_create(struct pto_call *call);
int pto_stream_destroy(struct pto_call *call);
int pto_stream_wait(struct pto_call *call);

/* run.c */
int pto_run(struct pto_call *call);

/* wait.c */
int pto_wait(struct pto_call *call);
int pto_wait_check(const struct pto_call *call);
int pto_wait_for(struct pto_call *call, struct pto_stream *s);
bool pto_wait_ended(struct pto_queue *q, void *seq);

/* query.c */
int pto_query(struct pto_call *call);

/* ioctl.c */
int pto_call_fetch_wait(struct pto_call *call, struct pto_wait *arg);
int pto_call_reply(struct pto_call *call);
int pto_call_log(u64 log_ptr, u32 log_size, const u8 *text);

#endif /* PTO_CORE_INTERNAL_H */
