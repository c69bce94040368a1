/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Arenas, and the images that the device builds of ring configurations.
 */
#ifndef PTO_CORE_ARENA_H
#define PTO_CORE_ARENA_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/types.h>

#include "ctx.h"
#include "device.h"
#include "mem.h"

/* Arena images that a device keeps although no arena is bound to them. */
#define PTO_IDLE_ARENA_IMAGES	16
#define PTO_IDLE_ARENA_BYTES	(1024 * 1024UL)

/* Ring sizes if nobody says how many, neither caller nor device. */
#define PTO_USUAL_HEAP		(256ULL << 20)
#define PTO_USUAL_ENTRIES	16384U

/**
 * struct pto_arena_config - a resolved ring configuration: no zeros
 * @task_window: task slots per depth
 * @heap: bytes per depth
 * @dep_pool: dependency entries per depth
 */
struct pto_arena_config {
	u64 task_window[PTO_RING_DEPTHS];
	u64 heap[PTO_RING_DEPTHS];
	u64 dep_pool[PTO_RING_DEPTHS];
};

/**
 * struct pto_arena_image - what the device built of a ring configuration
 * @link: in its bucket of pdev->arena_images; in none if nobody may find it any more
 * @idle: in pdev->arena_idle_list while it has no users, or on its way out
 * @users: arenas that are bound to it or will be, and who makes it or waits for that
 * @made: it has been built, or has not
 * @failed: it has not; for those who waited for @made
 * @pdev: the device; no reference, as every user has one, and an orphan is its
 * @build: the command that builds it
 * @config: the configuration
 * @mem: plan and image
 * @image_size: bytes of the image, which follows the plan
 * @arena_size: bytes of an arena
 *
 * @link, @idle and @users: pdev->arena_lock; the rest is immutable once it is made. It
 * outlives its last arena as an idle image, see arena_image.c.
 */
struct pto_arena_image {
	struct hlist_node link;
	struct list_head idle;
	unsigned int users;
	struct completion made;
	bool failed;
	struct pto_device *pdev;
	struct pto_orphan build;
	struct pto_arena_config config;
	struct pto_mem mem;
	u64 image_size;
	u64 arena_size;
};

/**
 * struct pto_arena - working memory of runs
 * @ctx: the context
 * @image: what it was bound to; counted in its users
 * @mem: the memory
 * @deferred: dropping it
 * @id: its id
 * @is_default: what a run uses that names none
 * @built: its image was built for it, it did not find one
 * @epoch: runs that used it
 * @last_run: number of the last run that used it, 0 if none has
 * @last_named: likewise, when an application last asked for it (ctx->claim)
 *
 * In ctx->arenas until it is dropped; freed when the runs before that have ended.
 */
struct pto_arena {
	struct pto_ctx *ctx;
	struct pto_arena_image *image;
	struct pto_mem mem;
	struct pto_deferred deferred;
	u32 id;
	bool is_default;
	bool built;
	atomic_t epoch;
	u64 last_run;
	u64 last_named;
};

struct pto_arena_image *pto_arena_image_get(struct pto_ctx *ctx,
					    const struct pto_arena_config *config, bool *built);
void pto_arena_image_put(struct pto_device *pdev, struct pto_arena_image *image);
void pto_arena_image_condemn(struct pto_device *pdev, struct pto_arena_image *image);
bool pto_arena_idle_drop(struct pto_device *pdev);
bool pto_ring_ok(u64 window, u64 heap, u64 deps);
int pto_arena_default(struct pto_ctx *ctx, bool only_first);
int pto_arena_bind_all(struct pto_ctx *ctx);
struct pto_arena *pto_arena_find(struct pto_ctx *ctx, u32 id);
void pto_arena_close(struct pto_ctx *ctx);

#endif /* PTO_CORE_ARENA_H */
