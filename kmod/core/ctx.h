/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Contexts: what an open file has.
 */
#ifndef PTO_CORE_CTX_H
#define PTO_CORE_CTX_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "device.h"
#include "pto_core.h"
#include "queue.h"

struct pto_arena;
struct pto_callable;
struct pto_deferred_ops;
struct pto_stream;

#define PTO_MAX_ARENAS		4	/* that a context caches */

/**
 * struct pto_deferred - something that is freed when the runs that may use it have ended
 * @link: in a list of the context, see reclaim.c
 * @ops: what is to be done
 * @run_seq: it waits for the context's runs up to this number
 * @opcode: and then for a command of the control queue, the last of those that take it from
 *	the hardware context
 * @reply: the completion of that
 * @given: the completion of the command that gave it to the hardware context. The queue knows it
 *	until it comes, whoever waits for it: if the command was refused, there is nothing to take
 *
 * Part of the object that is freed, so that giving something up needs no memory.
 * @link: the list's lock; @given: see struct pto_reply; the rest: pto_reclaim.mutex.
 */
struct pto_deferred {
	struct list_head link;
	const struct pto_deferred_ops *ops;
	u64 run_seq;
	u16 opcode;
	struct pto_reply reply;
	struct pto_reply given;
};

/**
 * struct pto_reclaim - what a context has given up
 * @count: how many objects; also read without a lock
 * @freed: how many there have been and are no more, modulo 2^32; likewise
 * @busy: some of them wait for nothing but the work, or the control queue (ctx->lock)
 * @mutex: one thread at a time frees; not held while it waits for the device
 * @fresh: given up since the work looked last (ctx->lock)
 * @waiting: for runs, in the order of their run_seq (@mutex)
 * @posted: for their command, in the order of posting (@mutex)
 * @kept: the hardware context would not give them back: until it ends (@mutex)
 * @work: does it
 */
struct pto_reclaim {
	atomic_t count;
	atomic_t freed;
	bool busy;
	struct mutex mutex;
	struct list_head fresh;
	struct list_head waiting;
	struct list_head posted;
	struct list_head kept;
	struct work_struct work;
};

/**
 * struct pto_counters - what a context did; see structs pto_context_stats and pto_debug_stats
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
 * enum pto_hw_state - what the device has of a hardware context
 * @PTO_HW_NONE: nothing
 * @PTO_HW_ALIVE: it was told to make it, and may have
 * @PTO_HW_ENDING: it was told to destroy it, and has not answered
 */
enum pto_hw_state {
	PTO_HW_NONE,
	PTO_HW_ALIVE,
	PTO_HW_ENDING,
};

/**
 * struct pto_ctx - a context
 * @pdev: the device; a reference
 * @wq: who waits for anything of this context sleeps here
 * @default_stream: the stream that lives as long as the context
 * @callables: prepared callables by cid; written under @lock, read under any queue's lock
 * @arenas: arenas, NULL where there is none; written under @claim and @lock, read under
 *	either or under any queue's lock
 * @run_seq: number of the last run of any stream; raised under the stream's queue lock. Not
 *	every number is a run's
 * @poll_armed: somebody polls: ask for an interrupt with every run
 * @lost: the device lost this context's state
 * @reclaim: what it has given up
 * @hw_id: hardware context
 * @hw: whether the device has it (@claim)
 * @leaking: it would not end, so what it was told of must not be used again (@claim; the work
 *	reads it without)
 * @created: completion of the command that makes it (@claim)
 * @ended: the command that destroys it (@claim)
 * @claim: bit %PTO_CTX_CLAIMED: somebody changes the configuration, which is what the hardware
 *	context has been told, and in what order; from pto_ctx_begin() to pto_ctx_end()
 * @lock: see the other members
 * @control: control queue
 * @stream_list: bound streams (@lock)
 * @stream_ids: streams that have an id; ids are taken under @claim
 * @next_stream: where the search for the next one begins (the lock of @stream_ids)
 * @bo_list: buffers that are mapped in the hardware context (@lock; only reclaiming removes)
 * @bo_count: buffers that have memory, with an id or without
 * @bos: buffers that have an id
 * @next_bo: where the search for the next one begins (the lock of @bos)
 * @bo_at: the same by address, see bo.c
 * @images: images that have an id
 * @next_image: where the search for the next one begins (the lock of @images)
 * @cids_reserved: cids in use or being filled (@lock)
 * @generations: generation of each cid (@lock)
 * @handles: device handles in use (@lock)
 * @loaded: callables that the hardware context has (@lock; only reclaiming removes)
 * @next_arena: id of the next arena (@claim)
 * @missing: bytes of device memory that were asked for in vain since @claim was taken, 0 if none
 *	were (@claim)
 * @link: in pdev->contexts (pdev->wake_mutex)
 * @count: counters
 *
 * Lives from pto_ctx_open() to pto_ctx_close(), which are not called while anything else is
 * done with it, and longer if the device is slow to give it up: then it is the device's orphan.
 * Its home's reference to the open file is what keeps it: nothing counts here.
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
	struct pto_reclaim reclaim;

	u32 hw_id;
	enum pto_hw_state hw;
	bool leaking;
	struct pto_reply created;
	struct pto_orphan ended;
	unsigned long claim;
	spinlock_t lock;
	struct pto_queue control;
	struct list_head stream_list;
	struct xarray stream_ids;
	u32 next_stream;
	struct list_head bo_list;
	atomic_t bo_count;
	struct xarray bos;
	u32 next_bo;
	struct xarray bo_at;
	struct xarray images;
	u32 next_image;
	DECLARE_BITMAP(cids_reserved, PTO_MAX_CALLABLES);
	u32 generations[PTO_MAX_CALLABLES];
	DECLARE_BITMAP(handles, PTO_DEV_MAX_HANDLES);
	struct list_head loaded;
	u32 next_arena;
	u64 missing;
	struct list_head link;
	struct pto_counters count;
};

/* The bit of pto_ctx.claim */
#define PTO_CTX_CLAIMED	0

int pto_ctx_begin(struct pto_ctx *ctx);
int pto_ctx_begin_hw(struct pto_ctx *ctx);
void pto_ctx_end(struct pto_ctx *ctx);
int pto_ctx_command(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply);
int pto_ctx_give(struct pto_ctx *ctx, union pto_command *cmd, struct pto_reply *reply);
int pto_ctx_admin(struct pto_ctx *ctx, const union pto_command *cmd, struct pto_reply *reply);
void pto_ctx_lose(struct pto_ctx *ctx);
void pto_ctx_free_mem(struct pto_ctx *ctx, struct pto_mem *mem);
bool pto_ctx_busy(struct pto_ctx *ctx);
void pto_ctx_explain(struct pto_ctx *ctx, const char *what, struct pto_dev_report *report);

#endif /* PTO_CORE_CTX_H */
