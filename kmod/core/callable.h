/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Prepared callables.
 */
#ifndef PTO_CORE_CALLABLE_H
#define PTO_CORE_CALLABLE_H

#include <linux/list.h>
#include <linux/types.h>

#include "ctx.h"
#include "mem.h"

struct pto_image;

/**
 * struct pto_callable_kernel - a kernel of a callable
 * @func_id: its number
 * @core_type: PTO_CORE_*
 * @image: the object; a reference
 */
struct pto_callable_kernel {
	u32 func_id;
	u32 core_type;
	struct pto_image *image;
};

/**
 * struct pto_callable - a callable on the device
 * @ctx: the context
 * @link: in ctx->loaded (ctx->claim)
 * @deferred: for unloading it
 * @kind: PTO_KIND_*
 * @cid: its slot
 * @generation: the slot's generation
 * @handle: its number on the device
 * @orch: the orchestration object; a reference. NULL if it runs in the host process
 * @desc: the description, while the device reads it (ctx->claim)
 * @entry: symbol of the entry
 * @config: symbol of the configuration function
 * @load_flags: PTO_DEV_LOAD_*
 * @kernel_count: number of kernels
 * @kernels: kernels
 *
 * Immutable but for @desc. Visible in ctx->callables from commit to unprepare; freed when the
 * runs before that have ended and the device has unloaded it. It has all data for loading it
 * again after a reset.
 */
struct pto_callable {
	struct pto_ctx *ctx;
	struct list_head link;
	struct pto_deferred deferred;
	u32 kind;
	u32 cid;
	u32 generation;
	u32 handle;
	struct pto_image *orch;
	struct pto_mem desc;
	u8 entry[PTO_SYMBOL_MAX];
	u8 config[PTO_SYMBOL_MAX];
	u32 load_flags;
	u32 kernel_count;
	struct pto_callable_kernel kernels[];
};

int pto_callable_load(struct pto_callable *cal, struct pto_reply *reply);
int pto_callable_load_all(struct pto_ctx *ctx);
void pto_callable_close(struct pto_ctx *ctx);

#endif /* PTO_CORE_CALLABLE_H */
