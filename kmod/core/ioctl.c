// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The ioctl table, and the common part of all ioctls: sizes, copies in and out.
 */
#include <linux/ioctl.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "call.h"
#include "ctx.h"
#include "device.h"

union pto_arg {
	struct pto_ioc_query query;
	struct pto_ioc_bo_create bo_create;
	struct pto_ioc_bo_info bo_info;
	struct pto_ioc_bo_destroy bo_destroy;
	struct pto_ioc_bo_copy bo_copy;
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
 * @execute: executes the ioctl
 */
struct pto_op {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	int (*execute)(struct pto_call *call);
};

#define PTO_OP(_cmd, _execute, _struct, _last) \
	[_IOC_NR(_cmd)] = { \
		.cmd = _cmd, \
		.size = sizeof(struct _struct) + \
			BUILD_BUG_ON_ZERO(sizeof(union pto_arg) < sizeof(struct _struct)), \
		.min_size = offsetofend(struct _struct, _last), \
		.execute = _execute, \
	}

static const struct pto_op pto_ops[] = {
	PTO_OP(PTO_QUERY, pto_query, pto_ioc_query, pad),
	PTO_OP(PTO_BO_CREATE, pto_bo_create, pto_ioc_bo_create, mmap_offset),
	PTO_OP(PTO_BO_INFO, pto_bo_info, pto_ioc_bo_info, pad),
	PTO_OP(PTO_BO_DESTROY, pto_bo_destroy, pto_ioc_bo_destroy, id),
	PTO_OP(PTO_BO_COPY, pto_bo_copy, pto_ioc_bo_copy, length),
	PTO_OP(PTO_STREAM_CREATE, pto_stream_create, pto_ioc_stream_create, pad),
	PTO_OP(PTO_STREAM_DESTROY, pto_stream_destroy, pto_ioc_stream_destroy, id),
	PTO_OP(PTO_STREAM_WAIT, pto_stream_wait, pto_ioc_stream_wait, timeout_ns),
	PTO_OP(PTO_IMAGE_CREATE, pto_image_create, pto_ioc_image_create, pad),
	PTO_OP(PTO_IMAGE_DESTROY, pto_image_destroy, pto_ioc_image_destroy, id),
	PTO_OP(PTO_PREPARE, pto_prepare, pto_ioc_prepare, pad),
	PTO_OP(PTO_UNPREPARE, pto_unprepare, pto_ioc_unprepare, pad),
	PTO_OP(PTO_PREWARM, pto_prewarm, pto_ioc_prewarm, arena_size),
	PTO_OP(PTO_RUN, pto_run, pto_ioc_run, first_id),
	PTO_OP(PTO_WAIT, pto_wait, pto_ioc_wait, pad2),
	PTO_OP(PTO_CTX_RESET, pto_ctx_reset, pto_ioc_ctx_reset, flags),
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

/* Copy the caller's struct to @buffer. A larger struct must be zero behind the driver's. */
static __always_inline int pto_call_fetch(struct pto_call *call, void *buffer, u32 size,
					  u32 min_size)
{
	int err;

	if (unlikely(get_user(call->user_size, (u32 __user *)call->user)))
		return -EFAULT;
	if (unlikely(call->user_size < min_size))
		return -EINVAL;
	/* No version of the struct is that large; do not check so much memory for zeros. */
	if (unlikely(call->user_size > PAGE_SIZE))
		return -E2BIG;
	/* A copy of constant size is faster. */
	if (__builtin_constant_p(size) && likely(call->user_size == size))
		err = copy_from_user(buffer, call->user, size) ? -EFAULT : 0;
	else
		err = copy_struct_from_user(buffer, size, call->user, call->user_size);
	if (unlikely(err))
		return err;
	call->arg = buffer;
	call->size = size;
	/* The caller may have changed the size between the two copies. */
	*(u32 *)buffer = call->user_size;
	return 0;
}

/* Size of the first version of struct pto_ioc_wait. */
#define PTO_WAIT_MIN offsetofend(struct pto_ioc_wait, pad2)

/** pto_call_fetch_wait() - fetch a struct pto_ioc_wait for an ioctl that waits like PTO_WAIT */
int pto_call_fetch_wait(struct pto_call *call, struct pto_ioc_wait *arg)
{
	return pto_call_fetch(call, arg, sizeof(*arg), PTO_WAIT_MIN);
}

long pto_ctx_ioctl(struct pto_ctx *ctx, unsigned int cmd, void __user *arg)
{
	const struct pto_op *op = pto_find_op(cmd);
	struct pto_call call = { .ctx = ctx, .user = arg };
	union pto_arg buffer;
	int err;

	if (unlikely(!op))
		return -ENOTTY;
	if (unlikely(pto_device_is_gone(ctx->pdev) && cmd != PTO_QUERY))
		return -ENODEV;
	err = pto_call_fetch(&call, &buffer, op->size, op->min_size);
	return unlikely(err) ? err : op->execute(&call);
}

/** pto_call_reply() - copy the struct to the caller, up to the size of the caller's struct */
int pto_call_reply(struct pto_call *call)
{
	u32 bytes = min(call->user_size, call->size);

	return copy_to_user(call->user, call->arg, bytes) ? -EFAULT : 0;
}

/**
 * pto_call_log() - copy an explanation to the caller
 * @log_ptr: the caller's buffer; 0 for none
 * @log_size: bytes of the buffer
 * @text: the explanation, NUL terminated
 */
int pto_call_log(u64 log_ptr, u32 log_size, const u8 *text)
{
	size_t length = strlen((const char *)text);
	char __user *log = u64_to_user_ptr(log_ptr);
	u32 bytes;

	if (!log_ptr || !log_size)
		return 0;
	bytes = min_t(size_t, length, log_size - 1);
	if (copy_to_user(log, text, bytes) || put_user('\0', log + bytes))
		return -EFAULT;
	return 0;
}
