// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_PREPARE, PTO_UNPREPARE, PTO_PREWARM: what runs need.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "base/call.h"
#include "context/ctx.h"
#include "device/device.h"
#include "device/queue.h"
#include "ioctl/ioctl.h"
#include "object/arena.h"
#include "object/callable.h"
#include "object/image.h"

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

/* Add element @i of the caller's array. @func_ids: those of the elements before. */
static int pto_prepare_kernel(struct pto_call *call, struct pto_callable *cal, u32 i,
			      unsigned long *func_ids)
{
	const struct pto_ioc_prepare *arg = call->arg;
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
	k->image = pto_image_find(&call->ctx->images, user.image);
	if (!k->image)
		return -ENOENT;
	cal->kernel_count = i + 1;
	return 0;
}

static int pto_prepare_images(struct pto_call *call, struct pto_callable *cal)
{
	const struct pto_ioc_prepare *arg = call->arg;
	DECLARE_BITMAP(func_ids, PTO_MAX_FUNC_ID);
	int err = 0;
	u32 i;

	if (cal->kind == PTO_KIND_DEVICE_ORCH) {
		cal->orch = pto_image_find(&call->ctx->images, arg->image);
		if (!cal->orch)
			return -ENOENT;
	}
	bitmap_zero(func_ids, PTO_MAX_FUNC_ID);
	for (i = 0; i < arg->kernel_count && !err; i++) {
		err = pto_prepare_kernel(call, cal, i, func_ids);
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* Create a callable from the checked argument, with references to its images. */
static struct pto_callable *pto_prepare_from(struct pto_call *call)
{
	const struct pto_ioc_prepare *arg = call->arg;
	struct pto_callable *cal;
	int err;

	err = pto_prepare_check(call->ctx->ch.pdev, arg);
	if (err)
		return ERR_PTR(err);
	cal = pto_callable_make(&call->ctx->callables, arg);
	if (!cal)
		return ERR_PTR(-ENOMEM);
	err = pto_prepare_images(call, cal);
	if (err) {
		pto_callable_dispose(cal);
		return ERR_PTR(err);
	}
	return cal;
}

/* Give the callable to the hardware context, and create the context's first arena. */
static int pto_prepare_attach(struct pto_call *call, struct pto_callable *cal,
			      struct pto_reply *reply)
{
	struct pto_ioc_prepare *arg = call->arg;
	struct pto_channel *ch = &call->ctx->ch;
	bool known;
	int err;

	reply->done = false;
	reply->reported = false;
	err = pto_channel_begin_hw(ch);
	if (err) {
		pto_callable_dispose(cal);
		return err;
	}
	err = pto_callable_enter(cal, arg->cid);
	if (err) {
		pto_callable_dispose(cal);
		pto_channel_end(ch);
		return err;
	}
	err = pto_callable_give(cal, reply);
	known = !err || !reply->done;
	if (!err)
		err = pto_arena_default(&call->ctx->arenas, true);
	if (err == -ENOMEM && !reply->reported) {
		pto_channel_explain(ch, "the callable and its arena", reply->report);
		reply->reported = true;
	}
	if (err && known)
		pto_callable_drop(cal);
	else if (err)
		pto_callable_leave(cal);
	pto_channel_end(ch);
	return err;
}

/** pto_ioctl_prepare() - PTO_PREPARE */
int pto_ioctl_prepare(struct pto_call *call)
{
	struct pto_ioc_prepare *arg = call->arg;
	struct pto_dev_report report;
	struct pto_reply reply = { .report = &report };
	struct pto_callable *cal;
	int err;

	cal = pto_prepare_from(call);
	if (IS_ERR(cal))
		return PTR_ERR(cal);
	err = pto_prepare_attach(call, cal, &reply);
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

/** pto_ioctl_unprepare() - PTO_UNPREPARE */
int pto_ioctl_unprepare(struct pto_call *call)
{
	struct pto_ioc_unprepare *arg = call->arg;

	if (arg->pad || arg->cid < 0 || arg->cid >= PTO_MAX_CALLABLES)
		return -EINVAL;
	return pto_callable_remove(&call->ctx->callables,
				   array_index_nospec(arg->cid, PTO_MAX_CALLABLES),
				   arg->generation);
}

/**
 * pto_ioctl_prewarm() - PTO_PREWARM
 * @call: the call
 *
 * If the id cannot be copied to the caller, the arena stays in the context's cache.
 */
int pto_ioctl_prewarm(struct pto_call *call)
{
	struct pto_ioc_prewarm *arg = call->arg;
	struct pto_channel *ch = &call->ctx->ch;
	struct pto_arena_config config;
	struct pto_dev_report report;
	struct pto_arena *arena;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad || arg->pad2)
		return -EINVAL;
	err = pto_arena_resolve(&call->ctx->arenas, arg, &config);
	if (err)
		return err;
	err = pto_channel_begin_hw(ch);
	if (err)
		return err;
	arena = pto_arena_get(&call->ctx->arenas, &config);
	if (!IS_ERR(arena)) {
		pto_arena_name(arena);
		arg->arena = arena->id;
		arg->arena_size = arena->mem.length;
	} else if (PTR_ERR(arena) == -ENOMEM) {
		pto_channel_explain(ch, "an arena", &report);
	}
	pto_channel_end(ch);
	if (PTR_ERR_OR_ZERO(arena) == -ENOMEM)
		pto_call_log(arg->log_ptr, arg->log_size, report.text);
	return IS_ERR(arena) ? PTR_ERR(arena) : pto_call_reply(call);
}
