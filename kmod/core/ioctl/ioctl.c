// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The ioctl table.
 */
#include <linux/ioctl.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/stddef.h>

#include "base/call.h"
#include "context/ctx.h"
#include "device/device.h"
#include "ioctl/ioctl.h"

union pto_arg {
	struct pto_ioc_query query;
	struct pto_ioc_bo_create bo_create;
	struct pto_ioc_bo_info bo_info;
	struct pto_ioc_bo_destroy bo_destroy;
	struct pto_ioc_bo_copy bo_copy;
	struct pto_ioc_bo_export bo_export;
	struct pto_ioc_bo_import bo_import;
	struct pto_ioc_stream_create stream_create;
	struct pto_ioc_stream_destroy stream_destroy;
	struct pto_ioc_stream_wait stream_wait;
	struct pto_ioc_image_create image_create;
	struct pto_ioc_image_destroy image_destroy;
	struct pto_ioc_prepare prepare;
	struct pto_ioc_unprepare unprepare;
	struct pto_ioc_prewarm prewarm;
	struct pto_ioc_run run;
	struct pto_ioc_wait wait;
	struct pto_ioc_ctx_reset ctx_reset;
};

/**
 * struct pto_op - an ioctl
 * @cmd: its number; 0: there is none
 * @size: bytes of the driver's struct
 * @min_size: size of the struct's first version
 * @sharing: a device without PTO_FEATURE_DMABUF does not have it
 * @execute: executes the ioctl
 */
struct pto_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	bool sharing;
	int (*execute)(struct pto_call *call);
};

#define PTO_OP(_cmd, _execute, _struct, _last, ...) \
	[_IOC_NR(_cmd)] = { \
		.cmd = _cmd, \
		.size = sizeof(struct _struct) + \
			BUILD_BUG_ON_ZERO(sizeof(union pto_arg) < sizeof(struct _struct)), \
		.min_size = offsetofend(struct _struct, _last), \
		.execute = _execute, \
		__VA_ARGS__ \
	}

static const struct pto_op pto_ops[] = {
	PTO_OP(PTO_QUERY, pto_ioctl_query, pto_ioc_query, pad),
	PTO_OP(PTO_BO_CREATE, pto_ioctl_bo_create, pto_ioc_bo_create, mmap_offset),
	PTO_OP(PTO_BO_INFO, pto_ioctl_bo_info, pto_ioc_bo_info, pad),
	PTO_OP(PTO_BO_DESTROY, pto_ioctl_bo_destroy, pto_ioc_bo_destroy, id),
	PTO_OP(PTO_BO_COPY, pto_ioctl_bo_copy, pto_ioc_bo_copy, length),
	PTO_OP(PTO_BO_EXPORT, pto_ioctl_bo_export, pto_ioc_bo_export, fd, .sharing = true),
	PTO_OP(PTO_BO_IMPORT, pto_ioctl_bo_import, pto_ioc_bo_import, mmap_offset, .sharing = true),
	PTO_OP(PTO_STREAM_CREATE, pto_ioctl_stream_create, pto_ioc_stream_create, pad),
	PTO_OP(PTO_STREAM_DESTROY, pto_ioctl_stream_destroy, pto_ioc_stream_destroy, id),
	PTO_OP(PTO_STREAM_WAIT, pto_ioctl_stream_wait, pto_ioc_stream_wait, timeout_ns),
	PTO_OP(PTO_IMAGE_CREATE, pto_ioctl_image_create, pto_ioc_image_create, pad),
	PTO_OP(PTO_IMAGE_DESTROY, pto_ioctl_image_destroy, pto_ioc_image_destroy, id),
	PTO_OP(PTO_PREPARE, pto_ioctl_prepare, pto_ioc_prepare, pad),
	PTO_OP(PTO_UNPREPARE, pto_ioctl_unprepare, pto_ioc_unprepare, pad),
	PTO_OP(PTO_PREWARM, pto_ioctl_prewarm, pto_ioc_prewarm, arena_size),
	PTO_OP(PTO_RUN, pto_ioctl_run, pto_ioc_run, first_id),
	PTO_OP(PTO_WAIT, pto_ioctl_wait, pto_ioc_wait, pad2),
	PTO_OP(PTO_CTX_RESET, pto_ioctl_ctx_reset, pto_ioc_ctx_reset, flags),
};

static const struct pto_op *pto_find_op(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);
	const struct pto_op *op;

	if (nr >= ARRAY_SIZE(pto_ops))
		return NULL;
	op = &pto_ops[array_index_nospec(nr, ARRAY_SIZE(pto_ops))];
	return op->execute && op->cmd == cmd ? op : NULL;
}

long pto_ctx_ioctl(struct pto_ctx *ctx, unsigned int cmd, void __user *arg)
{
	const struct pto_op *op = pto_find_op(cmd);
	struct pto_call call = { .ctx = ctx, .user = arg };
	union pto_arg buffer;
	int err;

	if (unlikely(!op || (op->sharing && !ctx->ch.pdev->ops->export)))
		return -ENOTTY;
	if (unlikely(pto_device_is_gone(ctx->ch.pdev) && cmd != PTO_QUERY))
		return -ENODEV;
	err = pto_call_fetch(&call, &buffer, op->size, op->min_size);
	return unlikely(err) ? err : op->execute(&call);
}
