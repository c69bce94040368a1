/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Prepared callables. For contexts and ioctls.
 */
#ifndef PTO_CORE_CALLABLE_H
#define PTO_CORE_CALLABLE_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/nospec.h>
#include <linux/types.h>

#include "channel/channel.h"
#include "device/mem.h"

struct pto_image;

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
 * struct pto_callable_table - the prepared callables of a context
 * @ch: the channel; its lock protects the table
 * @slots: callables by cid; read under any queue's lock
 * @reserved: cids in use or being filled
 * @generations: generation of each cid
 * @handles: device handles in use
 * @loaded: callables that the hardware context has (only reclaiming removes)
 */
struct pto_callable_table {
	struct pto_channel *ch;
	struct pto_callable *slots[PTO_MAX_CALLABLES];
	DECLARE_BITMAP(reserved, PTO_MAX_CALLABLES);
	u32 generations[PTO_MAX_CALLABLES];
	DECLARE_BITMAP(handles, PTO_DEV_MAX_HANDLES);
	struct list_head loaded;
};

/**
 * struct pto_callable - a callable on the device
 * @table: the callables of its context
 * @link: in table->loaded (lock of the channel)
 * @deferred: for unloading it
 * @kind: PTO_KIND_*
 * @cid: its slot
 * @generation: the slot's generation
 * @handle: its number on the device
 * @orch: the orchestration object; a reference. NULL if it runs in the host process
 * @desc: the description, while the device reads it (claim of the channel)
 * @entry: symbol of the entry
 * @config: symbol of the configuration function
 * @load_flags: PTO_DEV_LOAD_*
 * @kernel_count: number of kernels
 * @kernels: kernels
 *
 * Immutable but for @desc. Visible in its slot from commit to unprepare; freed when the
 * runs before that have ended and the device has unloaded it. It has all data for loading it
 * again after a reset.
 */
struct pto_callable {
	struct pto_callable_table *table;
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

void pto_callable_table_init(struct pto_callable_table *table, struct pto_channel *ch);
struct pto_callable *pto_callable_make(struct pto_callable_table *table,
				       const struct pto_ioc_prepare *arg);
void pto_callable_dispose(struct pto_callable *cal);
int pto_callable_enter(struct pto_callable *cal, s32 cid);
void pto_callable_leave(struct pto_callable *cal);
void pto_callable_drop(struct pto_callable *cal);
void pto_callable_commit(struct pto_callable *cal, const struct pto_reply *reply);
int pto_callable_remove(struct pto_callable_table *table, u32 cid, u32 generation);
void pto_callable_close(struct pto_callable_table *table);

/* load.c */
int pto_callable_give(struct pto_callable *cal, struct pto_reply *reply);
int pto_callable_give_all(struct pto_callable_table *table);

/* The callable with a cid, or NULL. It stays while the caller holds the lock of a queue of runs. */
static inline struct pto_callable *pto_callable_peek(struct pto_callable_table *table, u32 cid,
						     u32 generation)
{
	struct pto_callable **slot = &table->slots[array_index_nospec(cid, PTO_MAX_CALLABLES)];
	/* Pairs with the release in pto_callable_commit(). */
	struct pto_callable *cal = smp_load_acquire(slot);

	if (!cal || (generation && generation != cal->generation))
		return NULL;
	return cal;
}

#endif /* PTO_CORE_CALLABLE_H */
