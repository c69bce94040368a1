// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_BO_*: create, describe and destroy buffers, and copy to, from and between them.
 */
#include <linux/err.h>
#include <linux/nospec.h>
#include <linux/overflow.h>

#include "base/call.h"
#include "context/ctx.h"
#include "device/device.h"
#include "ioctl/ioctl.h"
#include "object/bo.h"
#include "object/memory.h"

/** pto_ioctl_bo_create() - PTO_BO_CREATE */
int pto_ioctl_bo_create(struct pto_call *call)
{
	struct pto_ioc_bo_create *arg = call->arg;
	struct pto_device *pdev = call->ctx->ch.pdev;
	struct pto_bo *bo;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (!arg->length)
		return -EINVAL;
	if (arg->placement != PTO_PLACE_DEVICE &&
	    (arg->placement != PTO_PLACE_HOST ||
	     !(pdev->ident.features & PTO_FEATURE_UNIFIED)))
		return -EOPNOTSUPP;
	bo = pto_bo_make(&call->ctx->bos, arg->length, arg->placement);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	arg->id = bo->id;
	arg->device_addr = bo->addr;
	arg->mmap_offset = pto_bo_mmap_offset(bo);
	err = pto_call_reply(call);
	if (!err)
		err = pto_bo_publish(bo);
	if (err)
		pto_bo_abandon(bo);
	return err;
}

/** pto_ioctl_bo_info() - PTO_BO_INFO */
int pto_ioctl_bo_info(struct pto_call *call)
{
	struct pto_ioc_bo_info *arg = call->arg;
	struct pto_bo *bo;

	if (arg->pad)
		return -EINVAL;
	bo = pto_bo_find(&call->ctx->bos, arg->id);
	if (!bo)
		return -ENOENT;
	arg->length = bo->length;
	arg->device_addr = bo->addr;
	arg->mmap_offset = pto_bo_mmap_offset(bo);
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

	return pto_bo_remove(&call->ctx->bos, arg->id);
}

/* Check a range of a buffer. *@offset: not beyond the buffer even if the processor speculates. */
static int pto_copy_check(u32 id, const struct pto_bo *bo, u64 *offset, u64 length)
{
	u64 end;

	if (!id)
		return *offset ? -EINVAL : 0;
	if (check_add_overflow(*offset, length, &end))
		return -EOVERFLOW;
	if (end > bo->length)
		return -EINVAL;
	if (length)
		*offset = array_index_nospec((unsigned long)*offset,
					     (unsigned long)bo->length);
	return 0;
}

static int pto_copy_between(const struct pto_ioc_bo_copy *arg, const struct pto_bo *dst,
			    const struct pto_bo *src)
{
	u64 dst_offset = arg->dst_offset, src_offset = arg->src_offset;
	int err;

	err = pto_copy_check(arg->dst_id, dst, &dst_offset, arg->length);
	if (!err)
		err = pto_copy_check(arg->src_id, src, &src_offset, arg->length);
	if (err || !arg->length)
		return err;
	switch (arg->direction) {
	case PTO_COPY_TO_DEVICE:
		return pto_memory_copy_user(dst->memory, dst_offset, arg->user_ptr,
					    arg->length, true);
	case PTO_COPY_FROM_DEVICE:
		return pto_memory_copy_user(src->memory, src_offset, arg->user_ptr,
					    arg->length, false);
	default:
		return pto_memory_copy(dst->memory, dst_offset, src->memory,
				       src_offset, arg->length);
	}
}

/** pto_ioctl_bo_copy() - PTO_BO_COPY */
int pto_ioctl_bo_copy(struct pto_call *call)
{
	const struct pto_ioc_bo_copy *arg = call->arg;
	bool to = arg->direction == PTO_COPY_TO_DEVICE;
	bool from = arg->direction == PTO_COPY_FROM_DEVICE;
	struct pto_bo *dst = NULL, *src = NULL;
	int err = -ENOENT;

	if (!to && !from && arg->direction != PTO_COPY_DEVICE)
		return -EOPNOTSUPP;
	if ((from && arg->dst_id) || (to && arg->src_id) || (!to && !from && arg->user_ptr))
		return -EINVAL;
	if (!from)
		dst = pto_bo_find(&call->ctx->bos, arg->dst_id);
	if (!to)
		src = pto_bo_find(&call->ctx->bos, arg->src_id);
	if ((from || dst) && (to || src))
		err = pto_copy_between(arg, dst, src);
	if (src)
		pto_bo_put(src);
	if (dst)
		pto_bo_put(dst);
	return err;
}
