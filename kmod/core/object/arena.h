/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Arenas, and the images that the device builds for ring configurations. For contexts and ioctls.
 */
#ifndef PTO_CORE_ARENA_H
#define PTO_CORE_ARENA_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/types.h>

#include "channel/channel.h"
#include "device/device.h"
#include "device/mem.h"

#define PTO_MAX_ARENAS		4	/* that a context caches */

/* Bounds for the idle arena images of a device: those that no arena is bound to. */
#define PTO_IDLE_ARENA_IMAGES	16
#define PTO_IDLE_ARENA_BYTES	(1024 * 1024UL)

/**
 * struct pto_arena_config - a ring configuration, with defaults in place of zeros
 * @task_window: task slots per depth
 * @heap: bytes per depth
 * @dep_pool: dependency entries per depth
 * @user: the user whose contexts share the image of it. Another one must not find out which
 *	configurations are used
 *
 * Without padding, because its bytes are hashed and compared.
 */
struct pto_arena_config {
	u64 task_window[PTO_RING_DEPTHS];
	u64 heap[PTO_RING_DEPTHS];
	u64 dep_pool[PTO_RING_DEPTHS];
	u64 user;
};

/**
 * struct pto_arena_image - the image that the device built for a ring configuration of a user
 * @link: in its bucket of pdev->arena_images; unhashed if it must not be found any more
 * @idle: in pdev->arena_idle_list while it has no users, or in the list of images to be freed
 * @users: arenas that are bound to it or will be, and threads that make it or wait for that
 * @made: completed when the build has ended
 * @failed: the build has failed; valid after @made
 * @pdev: the device; no reference, as every user has one, and an orphan belongs to the device
 * @build: the command that builds it
 * @config: the configuration
 * @mem: plan and image
 * @image_size: bytes of the image, which follows the plan
 * @arena_size: bytes of an arena
 *
 * pdev->arena_lock protects @link, @idle and @users; the rest is immutable after @made. An
 * image outlives its last arena as an idle image, see arena_image.c.
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
 * @table: the arenas of its context
 * @image: the image it is bound to; counted in the image's users
 * @mem: the memory
 * @deferred: for dropping it
 * @id: its id
 * @is_default: runs that name no arena use this one
 * @built: its image was built for this arena, not found
 * @epoch: number of runs that have used it
 * @last_run: number of the last run that used it, 0 if none has
 * @last_named: run number at the time of the last PTO_PREWARM for it (claim of the channel)
 *
 * In its table until it is dropped; freed when the runs before that have ended.
 */
struct pto_arena {
	struct pto_arena_table *table;
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

/**
 * struct pto_arena_table - the arenas of a context
 * @ch: the channel
 * @slots: arenas, NULL where there is none; written under claim and lock of the channel, read under
 *	either or under any queue's lock
 * @next: id of the next arena (claim of the channel)
 */
struct pto_arena_table {
	struct pto_channel *ch;
	struct pto_arena *slots[PTO_MAX_ARENAS];
	u32 next;
};

/* arena_image.c */
struct pto_arena_image *pto_arena_image_get(struct pto_channel *ch,
					    const struct pto_arena_config *config, bool *built);
void pto_arena_image_put(struct pto_device *pdev, struct pto_arena_image *image);
void pto_arena_image_condemn(struct pto_device *pdev, struct pto_arena_image *image);
bool pto_arena_idle_drop(struct pto_device *pdev);

/* arena.c */
void pto_arena_table_init(struct pto_arena_table *table, struct pto_channel *ch);
int pto_arena_resolve(const struct pto_arena_table *table, const struct pto_ioc_prewarm *arg,
		      struct pto_arena_config *config);
struct pto_arena *pto_arena_get(struct pto_arena_table *table,
				const struct pto_arena_config *config);
void pto_arena_name(struct pto_arena *arena);
int pto_arena_default(struct pto_arena_table *table, bool only_first);
int pto_arena_bind_all(struct pto_arena_table *table);
struct pto_arena *pto_arena_find(struct pto_arena_table *table, u32 id);
void pto_arena_close(struct pto_arena_table *table);

#endif /* PTO_CORE_ARENA_H */
