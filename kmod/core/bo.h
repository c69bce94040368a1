/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Buffer objects.
 */
#ifndef PTO_CORE_BO_H
#define PTO_CORE_BO_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

#include "ctx.h"
#include "mem.h"

#define PTO_MAX_BOS		65536	/* of a context */

/**
 * struct pto_bo - a buffer object
 * @ref: one reference of the id, one of each mapping, short ones of ioctls
 * @ctx: the context
 * @mem: its memory
 * @id: its id
 * @placement: PTO_PLACE_*
 * @mappings: user mappings
 * @link: in ctx->bo_list while the hardware context knows it (ctx->claim)
 * @deferred: for freeing it, after the last reference is dropped and the runs before that
 *	have ended
 *
 * Runs hold no references: pto_ctx_defer() waits for them.
 */
struct pto_bo {
	struct kref ref;
	struct pto_ctx *ctx;
	struct pto_mem mem;
	u32 id;
	u32 placement;
	atomic_t mappings;
	struct list_head link;
	struct pto_deferred deferred;
};

struct pto_bo *pto_bo_find(struct pto_ctx *ctx, u32 id);
void pto_bo_put(struct pto_bo *bo);
int pto_bo_map_all(struct pto_ctx *ctx);
void pto_bo_close(struct pto_ctx *ctx);

#endif /* PTO_CORE_BO_H */
