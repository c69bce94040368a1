// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The table of prepared callables. A slot is filled only after the device has loaded all objects;
 * see load.c.
 */
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/queue.h"
#include "object/callable.h"
#include "object/image.h"

static const char pto_default_entry[] = "aicpu_orchestration_entry";
static const char pto_default_config[] = "aicpu_orchestration_config";

/** pto_callable_table_init() - no callables yet; @table is zero */
void pto_callable_table_init(struct pto_callable_table *table, struct pto_channel *ch)
{
	table->ch = ch;
	INIT_LIST_HEAD(&table->loaded);
}

/** pto_callable_dispose() - free a callable that the table does not have */
void pto_callable_dispose(struct pto_callable *cal)
{
	u32 i;

	pto_channel_free_mem(cal->table->ch, &cal->desc);
	for (i = 0; i < cal->kernel_count; i++) {
		if (cal->kernels[i].image)
			pto_image_put(cal->kernels[i].image);
	}
	if (cal->orch)
		pto_image_put(cal->orch);
	kvfree(cal);
}

static unsigned int pto_callable_commands(struct pto_deferred *d, union pto_command *cmd)
{
	struct pto_callable *cal = container_of(d, struct pto_callable, deferred);

	cmd->any.opcode = PTO_DEV_UNLOAD;
	cmd->any.handle = cal->handle;
	return 1;
}

static void pto_callable_release(struct pto_deferred *d)
{
	struct pto_callable *cal = container_of(d, struct pto_callable, deferred);
	struct pto_channel *ch = cal->table->ch;

	spin_lock(&ch->client.lock);
	list_del(&cal->link);
	__clear_bit(cal->handle, cal->table->handles);
	spin_unlock(&ch->client.lock);
	pto_callable_dispose(cal);
}

static const struct pto_deferred_ops pto_callable_deferred_ops = {
	.commands = pto_callable_commands,
	.release = pto_callable_release,
};

/** pto_callable_close() - free the callables of a context that ends */
void pto_callable_close(struct pto_callable_table *table)
{
	struct pto_callable *cal, *next;

	list_for_each_entry_safe(cal, next, &table->loaded, link)
		pto_callable_release(&cal->deferred);
}

/**
 * pto_callable_make() - create a callable without objects
 * @table: the context's callables
 * @arg: the caller's argument, checked
 *
 * Return: the callable, with room for its kernels; for pto_callable_enter() or
 * pto_callable_dispose(). NULL if there is no memory.
 */
struct pto_callable *pto_callable_make(struct pto_callable_table *table,
				       const struct pto_ioc_prepare *arg)
{
	struct pto_callable *cal;

	cal = kvzalloc(struct_size(cal, kernels, arg->kernel_count), GFP_KERNEL_ACCOUNT);
	if (!cal)
		return NULL;
	cal->table = table;
	cal->kind = arg->kind;
	INIT_LIST_HEAD(&cal->link);
	if (cal->kind == PTO_KIND_HOST_GRAPH)
		return cal;
	memcpy(cal->entry, arg->entry[0] ? (const char *)arg->entry : pto_default_entry,
	       arg->entry[0] ? sizeof(cal->entry) : sizeof(pto_default_entry));
	memcpy(cal->config, arg->config[0] ? (const char *)arg->config : pto_default_config,
	       arg->config[0] ? sizeof(cal->config) : sizeof(pto_default_config));
	if (!arg->config[0])
		cal->load_flags = PTO_DEV_LOAD_CONFIG_OPTIONAL;
	return cal;
}

static u32 pto_next_generation(u32 generation)
{
	return generation + 1 ? generation + 1 : 1;
}

/* Reserve @cid, or the lowest free one. Return: the cid or an error. */
static s32 pto_cid_take(struct pto_callable_table *table, s32 cid)
{
	struct pto_channel *ch = table->ch;

	spin_lock(&ch->client.lock);
	if (cid < 0) {
		cid = find_first_zero_bit(table->reserved, PTO_MAX_CALLABLES);
		if (cid >= PTO_MAX_CALLABLES)
			cid = -ENOSPC;
	} else {
		cid = array_index_nospec(cid, PTO_MAX_CALLABLES);
		if (test_bit(cid, table->reserved))
			cid = -EEXIST;
	}
	if (cid >= 0)
		__set_bit(cid, table->reserved);
	spin_unlock(&ch->client.lock);
	return cid;
}

static void pto_cid_give_back(struct pto_callable_table *table, u32 cid)
{
	spin_lock(&table->ch->client.lock);
	__clear_bit(cid, table->reserved);
	spin_unlock(&table->ch->client.lock);
}

/* Reserve a device handle for the callable. Return: false if all are in use. */
static bool pto_handle_take(struct pto_callable *cal)
{
	struct pto_callable_table *table = cal->table;
	struct pto_channel *ch = table->ch;
	unsigned long handle;

	spin_lock(&ch->client.lock);
	handle = find_first_zero_bit(table->handles, PTO_DEV_MAX_HANDLES);
	if (handle < PTO_DEV_MAX_HANDLES) {
		__set_bit(handle, table->handles);
		cal->handle = handle;
		list_add_tail(&cal->link, &table->loaded);
	}
	spin_unlock(&ch->client.lock);
	return handle < PTO_DEV_MAX_HANDLES;
}

/**
 * pto_callable_enter() - reserve a cid and a handle. Waits if handles are about to be freed
 * @cal: the callable; the channel is claimed
 * @cid: the wanted cid, or -1 for the lowest free one
 *
 * Return: 0; -EEXIST, -ENOSPC, -EBUSY if the device has no handle left.
 */
int pto_callable_enter(struct pto_callable *cal, s32 cid)
{
	struct pto_callable_table *table = cal->table;
	struct pto_channel *ch = table->ch;
	int before = pto_reclaim_mark(ch);

	cid = pto_cid_take(table, cid);
	if (cid < 0)
		return cid;
	cal->cid = cid;
	cal->generation = pto_next_generation(table->generations[cid]);
	if (pto_handle_take(cal) || (pto_reclaim_settle(ch, before) && pto_handle_take(cal)))
		return 0;
	pto_cid_give_back(table, cid);
	return -EBUSY;
}

/** pto_callable_leave() - free a callable that has been entered, but is not on the device */
void pto_callable_leave(struct pto_callable *cal)
{
	pto_cid_give_back(cal->table, cal->cid);
	pto_callable_release(&cal->deferred);
}

/** pto_callable_drop() - free the cid; unload the callable after its runs. Does not sleep */
void pto_callable_drop(struct pto_callable *cal)
{
	pto_cid_give_back(cal->table, cal->cid);
	pto_defer(cal->table->ch, &cal->deferred, &pto_callable_deferred_ops);
}

/**
 * pto_callable_commit() - make a callable visible
 * @cal: the callable
 * @reply: the completion of LOAD
 */
void pto_callable_commit(struct pto_callable *cal, const struct pto_reply *reply)
{
	struct pto_callable_table *table = cal->table;
	struct pto_channel *ch = table->ch;

	atomic64_inc(&ch->count.prepares);
	atomic64_inc(cal->orch ? &ch->count.aicpu_dlopens : &ch->count.host_dlopens);
	atomic64_add(min_t(u64, reply->detail, cal->kernel_count), &ch->count.kernel_loads);
	atomic_inc(&ch->count.callables_live);
	spin_lock(&ch->client.lock);
	table->generations[cal->cid] = cal->generation;
	/* Pairs with pto_callable_peek(): a reader sees the callable complete. */
	smp_store_release(&table->slots[cal->cid], cal);
	spin_unlock(&ch->client.lock);
}

/* Empty a slot. Return: the callable that was in it, NULL if there was none, or ERR_PTR. */
static struct pto_callable *pto_slot_empty(struct pto_callable_table *table, u32 cid,
					   u32 generation)
{
	struct pto_channel *ch = table->ch;
	struct pto_callable *cal;

	spin_lock(&ch->client.lock);
	cal = table->slots[cid];
	if (generation && (!cal || cal->generation != generation))
		cal = ERR_PTR(-ENOENT);
	else
		WRITE_ONCE(table->slots[cid], NULL);
	spin_unlock(&ch->client.lock);
	return cal;
}

/**
 * pto_callable_remove() - empty a slot
 * @table: the context's callables
 * @cid: the slot
 * @generation: what must be in it; 0: anything, or nothing
 *
 * Return: 0 or -ENOENT.
 */
int pto_callable_remove(struct pto_callable_table *table, u32 cid, u32 generation)
{
	struct pto_callable *cal = pto_slot_empty(table, cid, generation);

	if (!IS_ERR_OR_NULL(cal)) {
		atomic64_inc(&table->ch->count.unprepares);
		atomic_dec(&table->ch->count.callables_live);
		pto_callable_drop(cal);
	}
	return PTR_ERR_OR_ZERO(cal);
}
