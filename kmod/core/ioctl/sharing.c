// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_BO_EXPORT, PTO_BO_IMPORT: buffers as files of the home (in the module dma-bufs), and back.
 *
 * A file has a reference to the memory, and none to the context or the buffer. A context that
 * imports it has a buffer of its own of the same memory.
 */
#include <linux/err.h>
#include <linux/xarray.h>

#include "base/call.h"
#include "channel/reclaim.h"
#include "context/ctx.h"
#include "device/device.h"
#include "ioctl/ioctl.h"
#include "object/bo.h"
#include "object/memory.h"

static int pto_export_reply(struct pto_call *call, int fd)
{
	struct pto_ioc_bo_export *arg = call->arg;

	arg->fd = fd;
	return pto_call_reply(call);
}

/** pto_ioctl_bo_export() - PTO_BO_EXPORT */
int pto_ioctl_bo_export(struct pto_call *call)
{
	struct pto_ioc_bo_export *arg = call->arg;
	struct pto_device *pdev = call->ctx->ch.pdev;
	struct pto_memory *memory;
	struct pto_bo *bo;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	bo = pto_bo_find(&call->ctx->bos, arg->id);
	if (!bo)
		return -ENOENT;
	memory = pto_memory_get(bo->memory);
	pto_bo_put(bo);
	err = pdev->ops->export(pdev->priv, memory, pto_export_reply, call);
	pto_memory_put(memory);
	return err;
}

/* Tell the caller, and publish the id. On failure the buffer loses that id. */
static int pto_import_show(struct pto_call *call, struct pto_bo *bo, u32 id)
{
	struct pto_ioc_bo_import *arg = call->arg;
	int err;

	arg->id = id;
	arg->length = bo->length;
	arg->device_addr = bo->addr;
	arg->mmap_offset = pto_bo_mmap_offset(bo);
	err = pto_call_reply(call);
	if (!err)
		err = pto_bo_publish_id(bo, id);
	if (err)
		pto_bo_drop_id(bo);
	return err;
}

/* The memory of a file. Waits for what is being freed if there are no addresses for it. */
static struct pto_memory *pto_import_memory(struct pto_channel *ch, int fd)
{
	int before = pto_reclaim_mark(ch);
	struct pto_memory *memory = ch->pdev->ops->import(ch->pdev->priv, fd);

	if (IS_ERR(memory) && PTR_ERR(memory) == -ENOMEM && pto_reclaim_settle(ch, before))
		memory = ch->pdev->ops->import(ch->pdev->priv, fd);
	return memory;
}

/** pto_ioctl_bo_import() - PTO_BO_IMPORT */
int pto_ioctl_bo_import(struct pto_call *call)
{
	struct pto_ioc_bo_import *arg = call->arg;
	struct pto_bo_table *bos = &call->ctx->bos;
	struct pto_memory *memory;
	struct pto_bo *bo;
	u32 id;
	int err;

	if (arg->flags)
		return -EOPNOTSUPP;
	err = pto_bo_reserve_id(bos, &id);
	if (err)
		return err;
	memory = pto_import_memory(&call->ctx->ch, arg->fd);
	bo = IS_ERR(memory) ? ERR_CAST(memory) : pto_bo_import(bos, memory);
	err = IS_ERR(bo) ? PTR_ERR(bo) : pto_import_show(call, bo, id);
	if (err)
		xa_release(&bos->ids, id);
	return err;
}
