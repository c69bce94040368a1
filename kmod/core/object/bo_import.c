// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Buffers of memory that is there already: of other contexts, and imported.
 *
 * A context attaches memory once, however often it imports it. So each import but the first gives
 * another id to the buffer that is there.
 */
#include <linux/err.h>
#include <linux/spinlock.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "object/area.h"
#include "object/bo.h"
#include "object/memory.h"

/*
 * Find a context's buffer of that memory. *@dying: there is one, but it has lost its last id.
 * Return: the buffer, with one more id and the reference of that; or NULL.
 */
static struct pto_bo *pto_bo_look(struct pto_bo_table *table, struct pto_memory *memory,
				  bool *dying)
{
	struct pto_bo *bo, *found = NULL;

	*dying = false;
	spin_lock(&memory->lock);
	list_for_each_entry(bo, &memory->attached, attached) {
		if (bo->table != table)
			continue;
		/* An id that is being dropped has its reference as long as it counts. */
		if (bo->ids) {
			bo->ids++;
			kref_get(&bo->ref);
			found = bo;
			break;
		}
		*dying = true;
	}
	spin_unlock(&memory->lock);
	return found;
}

/* The context's buffer of that memory, if it has one. -EBUSY: it is still being freed. */
static struct pto_bo *pto_bo_again(struct pto_bo_table *table, struct pto_memory *memory)
{
	int before = pto_reclaim_mark(table->ch);
	struct pto_bo *bo;
	bool dying;

	bo = pto_bo_look(table, memory, &dying);
	if (dying && pto_reclaim_settle(table->ch, before))
		bo = pto_bo_look(table, memory, &dying);
	return dying ? ERR_PTR(-EBUSY) : bo;
}

/* Make a new buffer a part of its context. It can be mapped afterwards. */
static int pto_bo_join(struct pto_bo *bo)
{
	bool known;
	int err;

	err = pto_bo_reserve_area(bo);
	if (err) {
		pto_bo_free(bo);
		return err;
	}
	err = pto_bo_attach_claimed(bo, &known);
	if (!err) {
		pto_area_publish(&bo->table->areas, &bo->area);
		return 0;
	}
	if (known) {
		pto_bo_drop_id(bo);
	} else {
		pto_area_release(&bo->table->areas, &bo->area);
		pto_bo_free(bo);
	}
	return err;
}

/* Takes over the reference to the memory. */
static struct pto_bo *pto_bo_first(struct pto_bo_table *table, struct pto_memory *memory)
{
	struct pto_bo *bo = pto_bo_of(table, memory, PTO_PLACE_DEVICE);
	int err;

	if (IS_ERR(bo)) {
		pto_memory_put(memory);
		return bo;
	}
	err = pto_bo_join(bo);
	return err ? ERR_PTR(err) : bo;
}

/**
 * pto_bo_import() - the context's buffer of memory, new or not
 * @table: the context's buffers
 * @memory: the memory; the caller's reference is taken over
 *
 * All of it under the claim, so that no other thread gives the same memory to the context.
 *
 * Return: the buffer, mapped in the hardware context, with one more id for pto_bo_publish_id() or
 * pto_bo_drop_id(); ERR_PTR(-EBUSY) if the context is still giving it back, -ENOSPC, -ENOMEM, -EIO,
 * -EINTR, -ENODEV, or what the device says.
 */
struct pto_bo *pto_bo_import(struct pto_bo_table *table, struct pto_memory *memory)
{
	struct pto_bo *bo;
	int err;

	err = pto_channel_begin_hw(table->ch);
	if (err) {
		pto_memory_put(memory);
		return ERR_PTR(err);
	}
	bo = pto_bo_again(table, memory);
	if (bo)
		pto_memory_put(memory);
	else
		bo = pto_bo_first(table, memory);
	pto_channel_end(table->ch);
	return bo;
}
