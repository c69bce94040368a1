// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The table of prepared callables: PTO_PREPARE and PTO_UNPREPARE. A slot is filled only after the
 * device has loaded all objects; see load.c.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "arena.h"
#include "call.h"
#include "callable.h"
#include "ctx.h"
#include "device.h"
#include "image.h"
#include "ioctl.h"
#include "mem.h"
#include "queue.h"
#include "reclaim.h"

static const char pto_default_entry[] = "aicpu_orchestration_entry";
static const char pto_default_config[] = "aicpu_orchestration_config";

static void pto_callable_free(struct pto_callable *cal)
{
	u32 i;

	pto_ctx_free_mem(cal->ctx, &cal->desc);
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
	struct pto_ctx *ctx = cal->ctx;

	spin_lock(&ctx->client.lock);
	list_del(&cal->link);
	__clear_bit(cal->handle, ctx->handles);
	spin_unlock(&ctx->client.lock);
	pto_callable_free(cal);
}

static const struct pto_deferred_ops pto_callable_deferred_ops = {
	.commands = pto_callable_commands,
	.release = pto_callable_release,
};

/** pto_callable_close() - free the callables of a context that ends */
void pto_callable_close(struct pto_ctx *ctx)
{
	struct pto_callable *cal, *next;

	list_for_each_entry_safe(cal, next, &ctx->loaded, link)
		pto_callable_release(&cal->deferred);
}

static bool pto_symbol_ok(const u8 *symbol)
{
	return memchr(symbol, 0, PTO_SYMBOL_MAX);
}

static bool pto_kind_ok(const struct pto_device *pdev, u32 kind)
{
	return kind == PTO_KIND_DEVICE_ORCH ||
	       (kind == PTO_KIND_HOST_GRAPH && pdev->ident.features & PTO_FEATURE_HOST_GRAPH);
}

static int pto_prepare_check(const struct pto_device *pdev, const struct pto_ioc_prepare *arg)
{
	if (arg->flags || !pto_kind_ok(pdev, arg->kind))
		return -EOPNOTSUPP;
	if (arg->kind == PTO_KIND_HOST_GRAPH &&
	    (arg->image || memchr_inv(arg->entry, 0, sizeof(arg->entry)) ||
	     memchr_inv(arg->config, 0, sizeof(arg->config))))
		return -EINVAL;
	if (arg->pad || arg->cid < -1 || arg->cid >= PTO_MAX_CALLABLES ||
	    arg->kernel_count > PTO_MAX_FUNC_ID ||
	    (arg->kernel_count && arg->kernel_stride < sizeof(struct pto_kernel)) ||
	    !pto_symbol_ok(arg->entry) || !pto_symbol_ok(arg->config))
		return -EINVAL;
	return arg->kernel_count && arg->kernel_stride > PAGE_SIZE ? -E2BIG : 0;
}

static struct pto_callable *pto_callable_new(struct pto_ctx *ctx, const struct pto_ioc_prepare *arg)
{
	struct pto_callable *cal;

	cal = kvzalloc(struct_size(cal, kernels, arg->kernel_count), GFP_KERNEL_ACCOUNT);
	if (!cal)
		return NULL;
	cal->ctx = ctx;
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

/* Add element @i of the caller's array. @func_ids: those of the elements before. */
static int pto_callable_add_kernel(struct pto_callable *cal, const struct pto_ioc_prepare *arg,
				   u32 i, unsigned long *func_ids)
{
	struct pto_callable_kernel *k = &cal->kernels[i];
	struct pto_kernel user;
	u32 func_id;
	u64 ptr;
	int err;

	if (check_add_overflow(arg->kernels_ptr, (u64)i * arg->kernel_stride, &ptr))
		return -EFAULT;
	err = copy_struct_from_user(&user, sizeof(user), u64_to_user_ptr(ptr),
				    arg->kernel_stride);
	if (err)
		return err;
	if (user.pad || user.func_id >= PTO_MAX_FUNC_ID || user.core_type > PTO_CORE_AIV)
		return -EINVAL;
	func_id = array_index_nospec(user.func_id, PTO_MAX_FUNC_ID);
	if (__test_and_set_bit(func_id, func_ids))
		return -EINVAL;
	k->func_id = func_id;
	k->core_type = user.core_type;
	k->image = pto_image_find(cal->ctx, user.image);
	if (!k->image)
		return -ENOENT;
	cal->kernel_count = i + 1;
	return 0;
}

static int pto_callable_add_images(struct pto_callable *cal, const struct pto_ioc_prepare *arg)
{
	DECLARE_BITMAP(func_ids, PTO_MAX_FUNC_ID);
	int err = 0;
	u32 i;

	if (cal->kind == PTO_KIND_DEVICE_ORCH) {
		cal->orch = pto_image_find(cal->ctx, arg->image);
		if (!cal->orch)
			return -ENOENT;
	}
	bitmap_zero(func_ids, PTO_MAX_FUNC_ID);
	for (i = 0; i < arg->kernel_count && !err; i++) {
		err = pto_callable_add_kernel(cal, arg, i, func_ids);
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* Create a callable from the checked argument, with references to its images. */
static struct pto_callable *pto_callable_from(struct pto_call *call)
{
	const struct pto_ioc_prepare *arg = call->arg;
	struct pto_callable *cal;
	int err;

	err = pto_prepare_check(call->ctx->pdev, arg);
	if (err)
		return ERR_PTR(err);
	cal = pto_callable_new(call->ctx, arg);
	if (!cal)
		return ERR_PTR(-ENOMEM);
	err = pto_callable_add_images(cal, arg);
	if (err) {
		pto_callable_free(cal);
		return ERR_PTR(err);
	}
	return cal;
}

static u32 pto_next_generation(u32 generation)
{
	return generation + 1 ? generation + 1 : 1;
}

/* Reserve @cid, or the lowest free one. Return: the cid or an error. */
static s32 pto_cid_take(struct pto_ctx *ctx, s32 cid)
{
	spin_lock(&ctx->client.lock);
	if (cid < 0) {
		cid = find_first_zero_bit(ctx->cids_reserved, PTO_MAX_CALLABLES);
		if (cid >= PTO_MAX_CALLABLES)
			cid = -ENOSPC;
	} else {
		cid = array_index_nospec(cid, PTO_MAX_CALLABLES);
		if (test_bit(cid, ctx->cids_reserved))
			cid = -EEXIST;
	}
	if (cid >= 0)
		__set_bit(cid, ctx->cids_reserved);
	spin_unlock(&ctx->client.lock);
	return cid;
}

static void pto_cid_give_back(struct pto_ctx *ctx, u32 cid)
{
	spin_lock(&ctx->client.lock);
	__clear_bit(cid, ctx->cids_reserved);
	spin_unlock(&ctx->client.lock);
}

/* Reserve a device handle for the callable. Return: false if all are in use. */
static bool pto_handle_take(struct pto_callable *cal)
{
	struct pto_ctx *ctx = cal->ctx;
	unsigned long handle;

	spin_lock(&ctx->client.lock);
	handle = find_first_zero_bit(ctx->handles, PTO_DEV_MAX_HANDLES);
	if (handle < PTO_DEV_MAX_HANDLES) {
		__set_bit(handle, ctx->handles);
		cal->handle = handle;
		list_add_tail(&cal->link, &ctx->loaded);
	}
	spin_unlock(&ctx->client.lock);
	return handle < PTO_DEV_MAX_HANDLES;
}

/* Reserve a cid and a handle; ctx->claim is held. Wait if handles are about to be freed. */
static int pto_callable_reserve(struct pto_callable *cal, s32 cid)
{
	struct pto_ctx *ctx = cal->ctx;
	int before = pto_reclaim_mark(ctx);

	cid = pto_cid_take(ctx, cid);
	if (cid < 0)
		return cid;
	cal->cid = cid;
	cal->generation = pto_next_generation(ctx->generations[cid]);
	if (pto_handle_take(cal) || (pto_reclaim_settle(ctx, before) && pto_handle_take(cal)))
		return 0;
	pto_cid_give_back(ctx, cid);
	return -EBUSY;
}

/* Free the cid, and unload the callable when its runs have ended. Does not sleep. */
static void pto_callable_drop(struct pto_callable *cal)
{
	pto_cid_give_back(cal->ctx, cal->cid);
	pto_defer(cal->ctx, &cal->deferred, &pto_callable_deferred_ops);
}

static int pto_callable_attach(struct pto_callable *cal, struct pto_call *call,
			       struct pto_reply *reply)
{
	struct pto_ioc_prepare *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	bool known;
	int err;

	reply->done = false;
	reply->reported = false;
	err = pto_ctx_begin_hw(ctx);
	if (err) {
		pto_callable_free(cal);
		return err;
	}
	err = pto_callable_reserve(cal, arg->cid);
	if (err) {
		pto_callable_free(cal);
		pto_ctx_end(ctx);
		return err;
	}
	err = pto_callable_load(cal, reply);
	known = !err || !reply->done;
	if (!err)
		err = pto_arena_default(ctx, true);
	if (err == -ENOMEM && !reply->reported) {
		pto_ctx_explain(ctx, "the callable and its arena", reply->report);
		reply->reported = true;
	}
	if (err && known) {
		pto_callable_drop(cal);
	} else if (err) {
		pto_cid_give_back(ctx, cal->cid);
		pto_callable_release(&cal->deferred);
	}
	pto_ctx_end(ctx);
	return err;
}

static void pto_callable_commit(struct pto_callable *cal, const struct pto_reply *reply)
{
	struct pto_ctx *ctx = cal->ctx;

	atomic64_inc(&ctx->count.prepares);
	atomic64_inc(cal->orch ? &ctx->count.aicpu_dlopens : &ctx->count.host_dlopens);
	atomic64_add(min_t(u64, reply->detail, cal->kernel_count), &ctx->count.kernel_loads);
	atomic_inc(&ctx->count.callables_live);
	spin_lock(&ctx->client.lock);
	ctx->generations[cal->cid] = cal->generation;
	/* Pairs with pto_run_callable(): a reader sees the callable complete. */
	smp_store_release(&ctx->callables[cal->cid], cal);
	spin_unlock(&ctx->client.lock);
}

/** pto_ioctl_prepare() - PTO_PREPARE */
int pto_ioctl_prepare(struct pto_call *call)
{
	struct pto_ioc_prepare *arg = call->arg;
	struct pto_dev_report report;
	struct pto_reply reply = { .report = &report };
	struct pto_callable *cal;
	int err;

	cal = pto_callable_from(call);
	if (IS_ERR(cal))
		return PTR_ERR(cal);
	err = pto_callable_attach(cal, call, &reply);
	if (err) {
		if (reply.reported)
			pto_call_log(arg->log_ptr, arg->log_size, report.text);
		return err;
	}
	arg->cid = cal->cid;
	arg->generation = cal->generation;
	err = pto_call_reply(call);
	if (!err) {
		pto_callable_commit(cal, &reply);
	} else {
		/* The caller does not learn the cid. */
		pto_callable_drop(cal);
	}
	return err;
}

/* Empty a slot. Return: the callable that was in it, NULL if there was none, or ERR_PTR. */
static struct pto_callable *pto_slot_empty(struct pto_ctx *ctx, u32 cid, u32 generation)
{
	struct pto_callable *cal;

	spin_lock(&ctx->client.lock);
	cal = ctx->callables[cid];
	if (generation && (!cal || cal->generation != generation))
		cal = ERR_PTR(-ENOENT);
	else
		WRITE_ONCE(ctx->callables[cid], NULL);
	spin_unlock(&ctx->client.lock);
	return cal;
}

/** pto_ioctl_unprepare() - PTO_UNPREPARE */
int pto_ioctl_unprepare(struct pto_call *call)
{
	struct pto_ioc_unprepare *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_callable *cal;

	if (arg->pad || arg->cid < 0 || arg->cid >= PTO_MAX_CALLABLES)
		return -EINVAL;
	cal = pto_slot_empty(ctx, array_index_nospec(arg->cid, PTO_MAX_CALLABLES),
			     arg->generation);
	if (!IS_ERR_OR_NULL(cal)) {
		atomic64_inc(&ctx->count.unprepares);
		atomic_dec(&ctx->count.callables_live);
		pto_callable_drop(cal);
	}
	return PTR_ERR_OR_ZERO(cal);
}
