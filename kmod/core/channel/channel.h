/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Hardware contexts: the channel through which the driver configures one, and what everything that
 * belongs to one has in common. For objects and contexts.
 */
#ifndef PTO_CORE_CHANNEL_H
#define PTO_CORE_CHANNEL_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include "device/device.h"
#include "device/queue.h"
#include "pto_core.h"

struct pto_deferred_ops;

/**
 * struct pto_deferred - an object that is freed when the runs that may use it have ended
 * @link: in a list of the context, see reclaim.c
 * @ops: how to free it
 * @run_seq: it waits for the context's runs up to this number
 * @opcode: opcode of the last command that takes it from the hardware context
 * @reply: completion of that command
 * @given: completion of the command that gave the object to the hardware context. It stays known
 *	to the queue until it arrives, even if nobody waits for it. If the device refused the
 *	command, there is nothing to take back
 *
 * Part of the object, so that deferring needs no memory. @link is protected by the list's lock,
 * @given as struct pto_reply says, the rest by pto_reclaim.mutex.
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
 * struct pto_reclaim - deferred objects of a context
 * @freed: number of objects freed so far, modulo 2^32; also read without a lock
 * @busy: some objects wait for the work or the control queue only, not for runs (lock of the
 *	channel)
 * @mutex: serialises freeing; not held while waiting for the device
 * @fresh: objects deferred since the last pass of the work (lock of the channel)
 * @waiting: objects that wait for runs, in the order of their run_seq (@mutex)
 * @posted: objects that wait for their commands, in the order of posting (@mutex)
 * @kept: objects that the device refused to give back; kept until the hardware context ends
 *	(@mutex)
 *
 * pto_client.pending is their number, and pto_client.work frees them.
 */
struct pto_reclaim {
	atomic_t freed;
	bool busy;
	struct mutex mutex;
	struct list_head fresh;
	struct list_head waiting;
	struct list_head posted;
	struct list_head kept;
};

/**
 * struct pto_counters - counters of structs pto_context_stats and pto_debug_stats
 *
 * These are not on the warm path. Streams have their own counters there, which a query sums up;
 * a stream that is destroyed adds its counters to these.
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
	atomic64_t device_commands;
	atomic64_t resets;
	atomic_t streams_live;
	atomic_t callables_live;
	atomic_t bo_live;
	atomic_t images_live;
};

/**
 * enum pto_hw_state - state of a hardware context
 * @PTO_HW_NONE: the device does not have it
 * @PTO_HW_ALIVE: its creation was posted; the device may have it
 * @PTO_HW_ENDING: its destruction was posted; the device has not answered
 */
enum pto_hw_state {
	PTO_HW_NONE,
	PTO_HW_ALIVE,
	PTO_HW_ENDING,
};

/**
 * struct pto_channel - a hardware context
 * @pdev: the device; a reference
 * @user: the user that opened it. Images and arena images are shared among one user's contexts
 * @client: what its queues and interrupts know of it. @client.lock also protects lists and tables
 *	of its objects
 * @run_seq: number of the last run of any stream; raised under the stream's queue lock.
 *	PTO_PREWARM uses numbers, too
 * @reclaim: its deferred objects
 * @hw_id: its number
 * @hw: its state (@claim)
 * @leaking: the device did not destroy it, so all that was given to it must not be reused (@claim;
 *	the work reads it without)
 * @created: completion of the command that creates it (@claim)
 * @ended: the command that destroys it (@claim)
 * @claim: bit %PTO_CHANNEL_CLAIMED: a thread changes the configuration, that is the state of the
 *	hardware context as set by commands; from pto_channel_begin() to pto_channel_end()
 * @control: control queue
 * @missing: bytes of the last request for device memory that failed since @claim was taken, 0 if
 *	none did (@claim)
 * @count: counters
 *
 * Part of the context that it belongs to, and lives as long. It is the same one after
 * PTO_CTX_RESET, which destroys the hardware context and creates it again.
 */
struct pto_channel {
	struct pto_device *pdev;
	kuid_t user;
	struct pto_client client;
	atomic64_t run_seq;
	struct pto_reclaim reclaim;
	u32 hw_id;
	enum pto_hw_state hw;
	bool leaking;
	struct pto_reply created;
	struct pto_orphan ended;
	unsigned long claim;
	struct pto_queue control;
	u64 missing;
	struct pto_counters count;
};

/* The bit of pto_channel.claim */
#define PTO_CHANNEL_CLAIMED	0

int pto_channel_begin(struct pto_channel *ch);
int pto_channel_begin_hw(struct pto_channel *ch);
void pto_channel_end(struct pto_channel *ch);
int pto_channel_command(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply);
int pto_channel_give(struct pto_channel *ch, union pto_command *cmd, struct pto_reply *reply);
int pto_channel_admin(struct pto_channel *ch, const union pto_command *cmd,
		      struct pto_reply *reply);
void pto_channel_lose(struct pto_channel *ch);
void pto_channel_free_mem(struct pto_channel *ch, struct pto_mem *mem);
void pto_channel_explain(struct pto_channel *ch, const char *what, struct pto_dev_report *report);

#endif /* PTO_CORE_CHANNEL_H */
