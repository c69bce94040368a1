/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Buffer objects: what a context has of memory objects. For contexts and ioctls.
 */
#ifndef PTO_CORE_BO_H
#define PTO_CORE_BO_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "channel/channel.h"
#include "object/area.h"

#define PTO_MAX_BOS		65536	/* of a context */

struct pto_memory;

/**
 * struct pto_bo_table - the buffers of a context
 * @ch: the channel
 * @list: buffers that are mapped in the hardware context (lock of the channel; only reclaiming
 *	removes)
 * @count: buffers that have memory, with an id or without
 * @ids: buffers that have an id
 * @next: start of the search for the next id (the lock of @ids)
 * @areas: areas of the context's file, of the same buffers
 */
struct pto_bo_table {
	struct pto_channel *ch;
	struct list_head list;
	atomic_t count;
	struct xarray ids;
	u32 next;
	struct pto_area_table areas;
};

/**
 * struct pto_bo - a buffer object: the attachment of a memory object to a context
 * @ref: one reference of each id, one of each mapping, short ones of ioctls
 * @table: the buffers of its context
 * @memory: what it is an attachment of; a reference
 * @attached: in memory->attached (memory->lock)
 * @addr: address of @memory on the device
 * @length: bytes of @memory
 * @ids: number of its ids, those that are being made included. More than one if the context has
 *	imported the memory again. 0: it has none any more, and never will (memory->lock)
 * @id: its first id, 0 if that is one of an import
 * @placement: PTO_PLACE_*
 * @area: its area of the context's file
 * @mappings: user mappings
 * @link: in table->list while the hardware context knows it (claim and lock of the channel)
 * @deferred: for freeing it, after the last reference is dropped and the runs before that
 *	have ended
 *
 * Runs hold no references: pto_defer() waits for them.
 */
struct pto_bo {
	struct kref ref;
	struct pto_bo_table *table;
	struct pto_memory *memory;
	struct list_head attached;
	u64 addr;
	u64 length;
	unsigned int ids;
	u32 id;
	u32 placement;
	struct pto_area area;
	atomic_t mappings;
	struct list_head link;
	struct pto_deferred deferred;
};

void pto_bo_table_init(struct pto_bo_table *table, struct pto_channel *ch);
int pto_bo_reserve_id(struct pto_bo_table *table, u32 *id);
int pto_bo_publish_id(struct pto_bo *bo, u32 id);
void pto_bo_drop_id(struct pto_bo *bo);
struct pto_bo *pto_bo_make(struct pto_bo_table *table, u64 length, u32 placement);
int pto_bo_publish(struct pto_bo *bo);
u64 pto_bo_mmap_offset(const struct pto_bo *bo);
void pto_bo_abandon(struct pto_bo *bo);
int pto_bo_remove(struct pto_bo_table *table, u32 id);
struct pto_bo *pto_bo_find(struct pto_bo_table *table, u32 id);
void pto_bo_put(struct pto_bo *bo);
int pto_bo_map_all(struct pto_bo_table *table);
struct pto_bo *pto_bo_mmap(struct pto_bo_table *table, u64 offset, u64 length, u64 *window_offset);
void pto_bo_close(struct pto_bo_table *table);

/* bo_import.c */
struct pto_bo *pto_bo_import(struct pto_bo_table *table, struct pto_memory *memory);

/* For bo_import.c */
struct pto_bo *pto_bo_of(struct pto_bo_table *table, struct pto_memory *memory, u32 placement);
void pto_bo_free(struct pto_bo *bo);
int pto_bo_reserve_area(struct pto_bo *bo);
int pto_bo_attach_claimed(struct pto_bo *bo, bool *known);

/* The buffer with an id, or NULL. It stays while the caller holds the lock of a queue of runs. */
static inline struct pto_bo *pto_bo_peek(struct pto_bo_table *table, u32 id)
{
	return xa_load(&table->ids, id);
}

#endif /* PTO_CORE_BO_H */
