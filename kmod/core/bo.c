// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Buffer objects: device memory with an id, an address, and user mappings.
 *
 * A buffer's mmap offset is its offset in the window. ctx->bo_at serves to find the buffer that
 * contains an offset. Its index is the *distance* of a buffer's first page from the end of the
 * window, so the first entry at or after a page's distance is the last buffer that begins at or
 * before that page.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "bo.h"
#include "call.h"
#include "ctx.h"
#include "device.h"
#include "ids.h"
#include "ioctl.h"
#include "mem.h"
#include "queue.h"
#include "reclaim.h"

static unsigned long pto_bo_distance(struct pto_ctx *ctx, u64 offset)
{
	return (ctx->pdev->ident.window_size >> PAGE_SHIFT) - 1 - (offset >> PAGE_SHIFT);
}

static void pto_bo_free(struct pto_bo *bo)
{
	struct pto_ctx *ctx = bo->ctx;

	spin_lock(&ctx->client.lock);
	list_del(&bo->link);
	spin_unlock(&ctx->client.lock);
	atomic64_sub(bo->mem.length, &ctx->count.bo_bytes);
	atomic_dec(&ctx->bo_count);
	pto_ctx_free_mem(ctx, &bo->mem);
	kfree(bo);
}

static void pto_bo_command(struct pto_bo *bo, u16 opcode, union pto_command *cmd)
{
	cmd->map = (struct pto_dev_cmd_map){
		.opcode = opcode,
		.addr = pto_mem_addr(bo->ctx->pdev, &bo->mem),
		.length = bo->mem.length,
		.prot = opcode == PTO_DEV_MAP ? PTO_DEV_PROT_READ | PTO_DEV_PROT_WRITE : 0,
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

	pto_defer(bo->ctx, &bo->deferred, &pto_bo_deferred_ops);
}

/** pto_bo_put() - drop a reference. Does not sleep */
void pto_bo_put(struct pto_bo *bo)
{
	kref_put(&bo->ref, pto_bo_release);
}

/** pto_bo_find() - find the buffer with an id, and take a reference; or NULL */
struct pto_bo *pto_bo_find(struct pto_ctx *ctx, u32 id)
{
	struct pto_bo *bo;

	xa_lock(&ctx->bos);
	bo = xa_load(&ctx->bos, id);
	if (bo)
		kref_get(&bo->ref);
	xa_unlock(&ctx->bos);
	return bo;
}

static int pto_bo_map(struct pto_bo *bo)
{
	union pto_command cmd;

	pto_bo_command(bo, PTO_DEV_MAP, &cmd);
	return pto_reclaim_give(bo->ctx, &cmd, &bo->deferred);
}

/** pto_bo_map_all() - map all buffers in a new hardware context; see pto_ioctl_ctx_reset() */
int pto_bo_map_all(struct pto_ctx *ctx)
{
	struct pto_bo *bo;
	int err;

	list_for_each_entry(bo, &ctx->bo_list, link) {
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
void pto_bo_close(struct pto_ctx *ctx)
{
	struct pto_bo *bo, *next;

	list_for_each_entry_safe(bo, next, &ctx->bo_list, link) {
		WARN_ON(atomic_read(&bo->mappings));
		pto_bo_free(bo);
	}
	xa_destroy(&ctx->bo_at);
	xa_destroy(&ctx->bos);
}

/* Reserve the entries for the id and the address. The buffer is not visible there yet. */
static int pto_bo_reserve(struct pto_bo *bo)
{
	struct pto_ctx *ctx = bo->ctx;
	int err;

	err = pto_id_reserve(&ctx->bos, &ctx->next_bo, PTO_MAX_BOS, &bo->id);
	if (err)
		return err;
	err = xa_reserve(&ctx->bo_at, pto_bo_distance(ctx, bo->mem.offset), GFP_KERNEL_ACCOUNT);
	if (err)
		xa_release(&ctx->bos, bo->id);
	return err;
}

/* Release those entries that are still reserved. */
static void pto_bo_unreserve(struct pto_bo *bo)
{
	xa_release(&bo->ctx->bo_at, pto_bo_distance(bo->ctx, bo->mem.offset));
	xa_release(&bo->ctx->bos, bo->id);
}

/* The address first: a thread that finds the id may call mmap(). */
static int pto_bo_publish(struct pto_bo *bo)
{
	unsigned long distance = pto_bo_distance(bo->ctx, bo->mem.offset);
	struct pto_ctx *ctx = bo->ctx;
	int err;

	err = pto_id_publish(&ctx->bo_at, distance, bo);
	if (err)
		return err;
	atomic_inc(&ctx->count.bo_live);
	err = pto_id_publish(&ctx->bos, bo->id, bo);
	if (err) {
		atomic_dec(&ctx->count.bo_live);
		pto_id_take(&ctx->bo_at, distance);
	}
	return err;
}

/* Buffers that are being freed count, too. This bounds their number. */
static bool pto_bo_count(struct pto_ctx *ctx)
{
	if (atomic_inc_return(&ctx->bo_count) <= PTO_MAX_BOS)
		return true;
	atomic_dec(&ctx->bo_count);
	return false;
}

static struct pto_bo *pto_bo_new(struct pto_ctx *ctx, u64 length, u32 placement)
{
	struct pto_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	int before, err;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	kref_init(&bo->ref);
	INIT_LIST_HEAD(&bo->link);
	bo->ctx = ctx;
	bo->placement = placement;
	err = pto_reclaim_alloc(ctx, length, &bo->mem);
	if (err)
		goto err_free;
	before = pto_reclaim_mark(ctx);
	if (!pto_bo_count(ctx) && !(pto_reclaim_settle(ctx, before) && pto_bo_count(ctx))) {
		err = -ENOSPC;
		goto err_mem;
	}
	atomic64_add(bo->mem.length, &ctx->count.bo_bytes);
	return bo;

err_mem:
	pto_mem_free(ctx->pdev, &bo->mem);
err_free:
	kfree(bo);
	return ERR_PTR(err);
}

/* Map the buffer in the hardware context. *@known: it may be mapped, even after an error. */
static int pto_bo_attach(struct pto_bo *bo, bool *known)
{
	struct pto_ctx *ctx = bo->ctx;
	int err;

	*known = false;
	err = pto_ctx_begin_hw(ctx);
	if (err)
		return err;
	spin_lock(&ctx->client.lock);
	list_add_tail(&bo->link, &ctx->bo_list);
	spin_unlock(&ctx->client.lock);
	err = pto_bo_map(bo);
	*known = pto_reclaim_given(ctx, &bo->deferred);
	if (!*known) {
		spin_lock(&ctx->client.lock);
		list_del_init(&bo->link);
		spin_unlock(&ctx->client.lock);
	}
	pto_ctx_end(ctx);
	return err;
}

/** pto_ioctl_bo_create() - PTO_BO_CREATE */
int pto_ioctl_bo_create(struct pto_call *call)
{
	struct pto_ioc_bo_create *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_bo *bo;
	bool known;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (!arg->length)
		return -EINVAL;
	if (arg->placement != PTO_PLACE_DEVICE &&
	    (arg->placement != PTO_PLACE_HOST ||
	     !(ctx->pdev->ident.features & PTO_FEATURE_UNIFIED)))
		return -EOPNOTSUPP;
	bo = pto_bo_new(ctx, arg->length, arg->placement);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	err = pto_bo_reserve(bo);
	if (err) {
		pto_bo_free(bo);
		return err;
	}
	arg->id = bo->id;
	arg->device_addr = pto_mem_addr(ctx->pdev, &bo->mem);
	arg->mmap_offset = bo->mem.offset;
	err = pto_bo_attach(bo, &known);
	if (!err)
		err = pto_call_reply(call);
	if (!err)
		err = pto_bo_publish(bo);
	if (err) {
		pto_bo_unreserve(bo);
		if (known)
			pto_bo_put(bo);
		else
			pto_bo_free(bo);
	}
	return err;
}

/** pto_ioctl_bo_info() - PTO_BO_INFO */
int pto_ioctl_bo_info(struct pto_call *call)
{
	struct pto_ioc_bo_info *arg = call->arg;
	struct pto_bo *bo;

	if (arg->pad)
		return -EINVAL;
	bo = pto_bo_find(call->ctx, arg->id);
	if (!bo)
		return -ENOENT;
	arg->length = bo->mem.length;
	arg->device_addr = pto_mem_addr(call->ctx->pdev, &bo->mem);
	arg->mmap_offset = bo->mem.offset;
	arg->placement = bo->placement;
	arg->references = kref_read(&bo->ref) - 1;
	arg->mappings = atomic_read(&bo->mappings);
	pto_bo_put(bo);
	return pto_call_reply(call);
}

/** pto_ioctl_bo_destroy() - PTO_BO_DESTROY */
int pto_ioctl_bo_destroy(struct pto_call *call)
{
	struct pto_ioc_bo_destroy *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_bo *bo;

	bo = pto_id_take(&ctx->bos, arg->id);
	if (!bo)
		return -ENOENT;
	pto_id_take(&ctx->bo_at, pto_bo_distance(ctx, bo->mem.offset));
	atomic_dec(&ctx->count.bo_live);
	pto_bo_put(bo);
	return 0;
}

/* The buffer that begins last at or before a window offset, with a reference; or NULL. */
static struct pto_bo *pto_bo_find_at(struct pto_ctx *ctx, u64 offset)
{
	unsigned long distance = pto_bo_distance(ctx, offset);
	struct pto_bo *bo;

	xa_lock(&ctx->bo_at);
	bo = xa_find(&ctx->bo_at, &distance, ULONG_MAX, XA_PRESENT);
	if (bo)
		kref_get(&bo->ref);
	xa_unlock(&ctx->bo_at);
	return bo;
}

struct pto_bo *pto_ctx_mmap(struct pto_ctx *ctx, u64 offset, u64 length, u64 *window_offset)
{
	u64 window_size = ctx->pdev->ident.window_size;
	struct pto_bo *bo;

	if (pto_device_is_gone(ctx->pdev))
		return ERR_PTR(-ENODEV);
	bo = offset < window_size ? pto_bo_find_at(ctx, offset) : NULL;
	if (!bo)
		return ERR_PTR(-EINVAL);
	if (!length || offset - bo->mem.offset >= bo->mem.length ||
	    length > bo->mem.length - (offset - bo->mem.offset)) {
		pto_bo_put(bo);
		return ERR_PTR(-EINVAL);
	}
	atomic_inc(&bo->mappings);
	*window_offset = offset;
	return bo;
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
