// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Buffer objects: memory objects with an id, an address, and user mappings.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/ids.h"
#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/queue.h"
#include "object/bo.h"
#include "object/memory.h"

/** pto_bo_table_init() - no buffers yet; @table is zero */
void pto_bo_table_init(struct pto_bo_table *table, struct pto_channel *ch)
{
	table->ch = ch;
	INIT_LIST_HEAD(&table->list);
	xa_init_flags(&table->ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	pto_area_table_init(&table->areas);
}

/** pto_bo_mmap_offset() - the offset by which the buffer is mapped */
u64 pto_bo_mmap_offset(const struct pto_bo *bo)
{
	return bo->area.page << PAGE_SHIFT;
}

/** pto_bo_free() - free a buffer that the hardware context does not have, or not any more */
void pto_bo_free(struct pto_bo *bo)
{
	struct pto_channel *ch = bo->table->ch;

	spin_lock(&ch->client.lock);
	list_del(&bo->link);
	spin_unlock(&ch->client.lock);
	spin_lock(&bo->memory->lock);
	list_del(&bo->attached);
	spin_unlock(&bo->memory->lock);
	atomic64_sub(bo->length, &ch->count.bo_bytes);
	atomic_dec(&bo->table->count);
	if (READ_ONCE(ch->leaking))
		pto_memory_put_leaking(bo->memory);
	else
		pto_memory_put(bo->memory);
	kfree(bo);
}

static void pto_bo_command(struct pto_bo *bo, u16 opcode, union pto_command *cmd)
{
	u32 prot = PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE | bo->memory->ops->map;

	cmd->map = (struct pto_dev_cmd_map){
		.opcode = opcode,
		.addr = bo->addr,
		.length = bo->length,
		.prot = opcode == PTO_DEV_MAP ? prot : 0,
	};
}

static unsigned int pto_bo_unmap_commands(struct pto_deferred *d, union pto_command *cmd)
{
	pto_bo_command(container_of(d, struct pto_bo, deferred), PTO_DEV_UNMAP, cmd);
	return 1;
}

static void pto_bo_deferred_release(struct pto_deferred *d)
{
	pto_bo_free(container_of(d, struct pto_bo, deferred));
}

static const struct pto_deferred_ops pto_bo_deferred_ops = {
	.commands = pto_bo_unmap_commands,
	.release = pto_bo_deferred_release,
};

static void pto_bo_release(struct kref *ref)
{
	struct pto_bo *bo = container_of(ref, struct pto_bo, ref);

	pto_defer(bo->table->ch, &bo->deferred, &pto_bo_deferred_ops);
}

/** pto_bo_put() - drop a reference. Does not sleep */
void pto_bo_put(struct pto_bo *bo)
{
	kref_put(&bo->ref, pto_bo_release);
}

/**
 * pto_bo_drop_id() - drop the reference of an id that is not, or not any more, in the table
 * @bo: the buffer
 *
 * The buffer's offset means nothing any more when its last id is gone. Does not sleep.
 */
void pto_bo_drop_id(struct pto_bo *bo)
{
	bool last;

	spin_lock(&bo->memory->lock);
	last = !--bo->ids;
	spin_unlock(&bo->memory->lock);
	if (last)
		pto_area_release(&bo->table->areas, &bo->area);
	pto_bo_put(bo);
}

/** pto_bo_find() - find the buffer with an id, and take a reference; or NULL */
struct pto_bo *pto_bo_find(struct pto_bo_table *table, u32 id)
{
	struct pto_bo *bo;

	xa_lock(&table->ids);
	bo = xa_load(&table->ids, id);
	if (bo)
		kref_get(&bo->ref);
	xa_unlock(&table->ids);
	return bo;
}

static int pto_bo_map(struct pto_bo *bo)
{
	union pto_command cmd;

	pto_bo_command(bo, PTO_DEV_MAP, &cmd);
	return pto_reclaim_give(bo->table->ch, &cmd, &bo->deferred);
}

/** pto_bo_map_all() - map all buffers in a new hardware context; see pto_ctx_reset() */
int pto_bo_map_all(struct pto_bo_table *table)
{
	struct pto_bo *bo;
	int err;

	list_for_each_entry(bo, &table->list, link) {
		/* There can be many, and pto_bo_map() checks for signals only when it sleeps. */
		if (fatal_signal_pending(current))
			return -EINTR;
		err = pto_bo_map(bo);
		if (err)
			return err;
	}
	return 0;
}

/** pto_bo_close() - free all buffers of a context that ends */
void pto_bo_close(struct pto_bo_table *table)
{
	struct pto_bo *bo, *next;

	list_for_each_entry_safe(bo, next, &table->list, link) {
		WARN_ON(atomic_read(&bo->mappings));
		pto_bo_free(bo);
	}
	pto_area_table_exit(&table->areas);
	xa_destroy(&table->ids);
}

/*
 * Where the buffers of a context begin in its file: elsewhere for each, so that the offset of a
 * buffer seldom means something in another context's file. There are pages enough for 4096
 * contexts, and no device has more.
 */
static u64 pto_bo_first_page(struct pto_bo_table *table)
{
	return 1 + ((u64)(table->ch->hw_id - 1) << 20);
}

/** pto_bo_reserve_id() - reserve an id, see pto_id_reserve() */
int pto_bo_reserve_id(struct pto_bo_table *table, u32 *id)
{
	return pto_id_reserve(&table->ids, &table->next, PTO_MAX_BOS, id);
}

/** pto_bo_reserve_area() - reserve the buffer's area. Nobody finds it there yet */
int pto_bo_reserve_area(struct pto_bo *bo)
{
	struct pto_bo_table *table = bo->table;

	return pto_area_reserve(&table->areas, &bo->area, bo->length, pto_bo_first_page(table));
}

/* Reserve id and area. */
static int pto_bo_reserve(struct pto_bo *bo)
{
	struct pto_bo_table *table = bo->table;
	int err;

	err = pto_bo_reserve_id(table, &bo->id);
	if (err)
		return err;
	err = pto_bo_reserve_area(bo);
	if (err)
		xa_release(&table->ids, bo->id);
	return err;
}

static void pto_bo_unreserve(struct pto_bo *bo)
{
	pto_area_release(&bo->table->areas, &bo->area);
	xa_release(&bo->table->ids, bo->id);
}

/**
 * pto_bo_publish_id() - make a buffer visible under an id; the last step of creating that
 * @bo: the buffer, whose area is visible
 * @id: reserved for it; it has the reference
 *
 * Return: 0 or -EIO, see pto_id_publish().
 */
int pto_bo_publish_id(struct pto_bo *bo, u32 id)
{
	struct pto_bo_table *table = bo->table;
	int err;

	atomic_inc(&table->ch->count.bo_live);
	err = pto_id_publish(&table->ids, id, bo);
	if (err)
		atomic_dec(&table->ch->count.bo_live);
	return err;
}

/**
 * pto_bo_publish() - make a buffer visible; the last step of creating it
 * @bo: as pto_bo_make() returned it
 *
 * The area first: a thread that finds the id may call mmap().
 *
 * Return: 0 or -EIO, see pto_id_publish().
 */
int pto_bo_publish(struct pto_bo *bo)
{
	pto_area_publish(&bo->table->areas, &bo->area);
	return pto_bo_publish_id(bo, bo->id);
}

/* Buffers that are being freed count, too. This bounds their number. */
static bool pto_bo_count(struct pto_bo_table *table)
{
	if (atomic_inc_return(&table->count) <= PTO_MAX_BOS)
		return true;
	atomic_dec(&table->count);
	return false;
}

/**
 * pto_bo_of() - a buffer of memory
 * @table: the context's buffers
 * @memory: the memory; the buffer takes over the caller's reference
 * @placement: PTO_PLACE_*
 *
 * Return: the buffer, which the hardware context does not have yet, and without id and area; or
 * ERR_PTR(-ENOMEM, -ENOSPC), and the caller keeps the reference.
 */
struct pto_bo *pto_bo_of(struct pto_bo_table *table, struct pto_memory *memory, u32 placement)
{
	struct pto_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	struct pto_channel *ch = table->ch;
	int before;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	before = pto_reclaim_mark(ch);
	if (!pto_bo_count(table) && !(pto_reclaim_settle(ch, before) && pto_bo_count(table))) {
		kfree(bo);
		return ERR_PTR(-ENOSPC);
	}
	kref_init(&bo->ref);
	INIT_LIST_HEAD(&bo->link);
	bo->table = table;
	bo->memory = memory;
	bo->addr = memory->addr;
	bo->length = memory->length;
	bo->ids = 1;
	bo->placement = placement;
	atomic64_add(bo->length, &ch->count.bo_bytes);
	spin_lock(&memory->lock);
	list_add_tail(&bo->attached, &memory->attached);
	spin_unlock(&memory->lock);
	return bo;
}

static struct pto_bo *pto_bo_new(struct pto_bo_table *table, u64 length, u32 placement)
{
	struct pto_memory *memory = pto_memory_create(table->ch, length);
	struct pto_bo *bo;

	if (IS_ERR(memory))
		return ERR_CAST(memory);
	bo = pto_bo_of(table, memory, placement);
	if (IS_ERR(bo))
		pto_memory_put(memory);
	return bo;
}

/**
 * pto_bo_attach_claimed() - map a buffer in the hardware context
 * @bo: the buffer; the caller has the claim of the channel
 * @known: out: it may be mapped, even after an error: then it is not to be freed at once
 *
 * Return: 0 or what the device says.
 */
int pto_bo_attach_claimed(struct pto_bo *bo, bool *known)
{
	struct pto_channel *ch = bo->table->ch;
	int err;

	spin_lock(&ch->client.lock);
	list_add_tail(&bo->link, &bo->table->list);
	spin_unlock(&ch->client.lock);
	err = pto_bo_map(bo);
	*known = pto_reclaim_given(ch, &bo->deferred);
	if (!*known) {
		spin_lock(&ch->client.lock);
		list_del_init(&bo->link);
		spin_unlock(&ch->client.lock);
	}
	return err;
}

static int pto_bo_attach(struct pto_bo *bo, bool *known)
{
	int err;

	*known = false;
	err = pto_channel_begin_hw(bo->table->ch);
	if (err)
		return err;
	err = pto_bo_attach_claimed(bo, known);
	pto_channel_end(bo->table->ch);
	return err;
}

/**
 * pto_bo_make() - create a buffer
 * @table: the context's buffers
 * @length: bytes
 * @placement: PTO_PLACE_*
 *
 * Return: the buffer, mapped in the hardware context, with an id that is not visible yet, for
 * pto_bo_publish() or pto_bo_abandon(); or ERR_PTR.
 */
struct pto_bo *pto_bo_make(struct pto_bo_table *table, u64 length, u32 placement)
{
	struct pto_bo *bo = pto_bo_new(table, length, placement);
	bool known;
	int err;

	if (IS_ERR(bo))
		return bo;
	err = pto_bo_reserve(bo);
	if (err) {
		pto_bo_free(bo);
		return ERR_PTR(err);
	}
	err = pto_bo_attach(bo, &known);
	if (!err)
		return bo;
	pto_bo_unreserve(bo);
	if (known)
		pto_bo_put(bo);
	else
		pto_bo_free(bo);
	return ERR_PTR(err);
}

/** pto_bo_abandon() - drop a buffer that has not become visible */
void pto_bo_abandon(struct pto_bo *bo)
{
	pto_bo_unreserve(bo);
	pto_bo_put(bo);
}

/** pto_bo_remove() - drop the id of a buffer. Return: 0 or -ENOENT */
int pto_bo_remove(struct pto_bo_table *table, u32 id)
{
	struct pto_bo *bo = pto_id_take(&table->ids, id);

	if (!bo)
		return -ENOENT;
	atomic_dec(&table->ch->count.bo_live);
	pto_bo_drop_id(bo);
	return 0;
}

/** pto_bo_mmap() - see pto_ctx_mmap() */
struct pto_bo *pto_bo_mmap(struct pto_bo_table *table, u64 offset, u64 length, u64 *window_offset)
{
	struct pto_bo *bo = NULL;
	struct pto_area *area;
	u64 within;

	xa_lock(&table->areas.areas);
	area = pto_area_find(&table->areas, offset, length, &within);
	if (area) {
		bo = container_of(area, struct pto_bo, area);
		pto_bo_mapped(bo);
	}
	xa_unlock(&table->areas.areas);
	if (!bo)
		return ERR_PTR(-EINVAL);
	*window_offset = pto_memory_offset(bo->memory) + within;
	return bo;
}

struct pto_memory *pto_bo_memory(const struct pto_bo *bo)
{
	return bo->memory;
}

void pto_bo_mapped(struct pto_bo *bo)
{
	kref_get(&bo->ref);
	atomic_inc(&bo->mappings);
}

void pto_bo_unmapped(struct pto_bo *bo)
{
	atomic_dec(&bo->mappings);
	pto_bo_put(bo);
}
