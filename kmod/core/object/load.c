// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Loading a callable: the description in device memory, and the LOAD command.
 */
#include <linux/err.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "object/callable.h"
#include "object/image.h"

static void pto_desc_fill(const struct pto_callable *cal, struct pto_dev_load *desc,
			  struct pto_dev_kernel *kernels)
{
	u32 i;

	*desc = (struct pto_dev_load){
		.size = sizeof(*desc),
		.kind = cal->kind,
		.kernel_count = cal->kernel_count,
		.flags = cal->load_flags,
	};
	if (cal->orch)
		pto_image_place(cal->orch, &desc->image_addr, &desc->image_size, &desc->image_id);
	memcpy(desc->entry, cal->entry, sizeof(desc->entry));
	memcpy(desc->config, cal->config, sizeof(desc->config));
	for (i = 0; i < cal->kernel_count; i++) {
		const struct pto_callable_kernel *k = &cal->kernels[i];

		kernels[i] = (struct pto_dev_kernel){
			.func_id = k->func_id,
			.core_type = k->core_type,
		};
		pto_image_place(k->image, &kernels[i].image_addr, &kernels[i].image_size,
				&kernels[i].image_id);
	}
}

/* Size of a description: struct pto_dev_load with its kernels behind it. */
static u64 pto_desc_size(const struct pto_callable *cal)
{
	return sizeof(struct pto_dev_load) +
	       (u64)cal->kernel_count * sizeof(struct pto_dev_kernel);
}

static int pto_desc_write(struct pto_callable *cal)
{
	struct pto_device *pdev = cal->table->ch->pdev;
	u64 size = pto_desc_size(cal);
	struct pto_dev_load *desc;
	int err;

	desc = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!desc)
		return -ENOMEM;
	pto_desc_fill(cal, desc, (struct pto_dev_kernel *)(desc + 1));
	err = pto_reclaim_alloc(cal->table->ch, size, &cal->desc);
	if (err == -ENOMEM)
		cal->table->ch->missing = size;
	if (!err)
		err = pto_mem_write(pdev, &cal->desc, 0, desc, size);
	kvfree(desc);
	return err;
}

/* Devices before minor version 3 may insist on 0. */
static u32 pto_callable_label(const struct pto_callable *cal)
{
	return (cal->table->ch->pdev->ident.abi_version & U16_MAX) < 3 ? 0 : cal->cid + 1;
}

/**
 * pto_callable_give() - have a callable loaded under its handle
 * @cal: the callable; between pto_channel_begin_hw() and pto_channel_end()
 * @reply: the completion of LOAD
 *
 * Return: 0 or an error. If @reply->done is false after an error, the device may still load the
 * callable later, so the description is not freed.
 */
int pto_callable_give(struct pto_callable *cal, struct pto_reply *reply)
{
	struct pto_device *pdev = cal->table->ch->pdev;
	union pto_command cmd = { .load = {
		.opcode = PTO_DEV_LOAD,
		.handle = cal->handle,
		.desc_size = pto_desc_size(cal),
		.label = pto_callable_label(cal),
	} };
	int err;

	err = pto_desc_write(cal);
	if (!err) {
		cmd.load.desc_addr = pto_mem_addr(pdev, &cal->desc);
		err = pto_reclaim_command(cal->table->ch, &cmd, reply);
		if (!reply->done)
			return err;
	}
	pto_mem_free(pdev, &cal->desc);
	return err;
}

/**
 * pto_callable_give_all() - load the prepared callables into a new hardware context
 * @table: the context's callables; the channel is claimed
 */
int pto_callable_give_all(struct pto_callable_table *table)
{
	struct pto_channel *ch = table->ch;
	struct pto_reply reply = { .report = NULL };
	struct pto_callable *cal;
	int err;

	list_for_each_entry(cal, &table->loaded, link) {
		/* Set if a LOAD of the old hardware context was not answered. */
		pto_mem_free(ch->pdev, &cal->desc);
		err = pto_callable_give(cal, &reply);
		if (err)
			return err;
		if (cal->orch)
			atomic64_inc(&ch->count.aicpu_dlopens);
		atomic64_add(min_t(u64, reply.detail, cal->kernel_count),
			     &ch->count.kernel_loads);
	}
	return 0;
}
