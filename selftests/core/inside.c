// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "object/area.h"
#include "object/arena.h"
#include "context/ctx.h"
#include "device/device.h"
#include "object/image.h"
#include "device/mem.h"

#include "inside.h"

void inside_age(struct pto_ctx *ctx)
{
	int i;

	for (i = 0; i < PTO_MAX_CALLABLES; i++)
		ctx->callables.generations[i] = U32_MAX;
	for (i = 0; i < PTO_MAX_ARENAS; i++)
		if (ctx->arenas.slots[i])
			atomic_set(&ctx->arenas.slots[i]->epoch, -1);
	ctx->arenas.next = U32_MAX;
}

int inside_claims(struct pto_ctx *ctx)
{
	return pto_channel_begin(&ctx->ch);
}

void inside_claims_no_more(struct pto_ctx *ctx)
{
	pto_channel_end(&ctx->ch);
}

void inside_count_bos(struct pto_ctx *ctx, int more)
{
	atomic_add(more, &ctx->bos.count);
}

void inside_exits(bool exits, int code)
{
	if (exits)
		current->flags |= PF_EXITING;
	else
		current->flags &= ~PF_EXITING;
	current->exit_code = code;
}

static struct wait_queue_entry poller;
static unsigned int woken;

static int poller_wakes(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	__atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
	return 0;
}

void inside_polls(struct pto_ctx *ctx)
{
	init_waitqueue_func_entry(&poller, poller_wakes);
	add_wait_queue(pto_ctx_waitqueue(ctx), &poller);
	pto_ctx_poll(ctx);
}

void inside_polls_no_more(struct pto_ctx *ctx)
{
	remove_wait_queue(pto_ctx_waitqueue(ctx), &poller);
}

unsigned int inside_polls_woken(void)
{
	return __atomic_load_n(&woken, __ATOMIC_RELAXED);
}

int inside_has_memory(struct pto_device *pdev, uint64_t length)
{
	struct pto_mem mem = { 0 };
	int err = pto_mem_alloc(pdev, length, &mem);

	if (!err)
		pto_mem_free(pdev, &mem);
	return err;
}

int inside_mmap(struct pto_ctx *ctx, uint64_t offset, uint64_t length, struct pto_bo **bo,
		uint64_t *window_offset)
{
	u64 where = 0;

	*bo = pto_ctx_mmap(ctx, offset, length, &where);
	*window_offset = where;
	return PTR_ERR_OR_ZERO(*bo);
}

struct pto_area_table *inside_areas(void)
{
	struct pto_area_table *areas = kzalloc(sizeof(*areas), GFP_KERNEL);

	if (areas)
		pto_area_table_init(areas);
	return areas;
}

void inside_areas_free(struct pto_area_table *areas)
{
	pto_area_table_exit(areas);
	kfree(areas);
}

int inside_area_reserve(struct pto_area_table *areas, uint64_t length, struct pto_area **area,
			uint64_t *offset)
{
	int err;

	*area = kzalloc(sizeof(**area), GFP_KERNEL);
	if (!*area)
		return -ENOMEM;
	err = pto_area_reserve(areas, *area, length, 1);
	if (err)
		kfree(*area);
	else
		*offset = (*area)->page << PAGE_SHIFT;
	return err;
}

void inside_area_publish(struct pto_area_table *areas, struct pto_area *area)
{
	pto_area_publish(areas, area);
}

void inside_area_release(struct pto_area_table *areas, struct pto_area *area)
{
	pto_area_release(areas, area);
	kfree(area);
}

struct pto_area *inside_area_find(struct pto_area_table *areas, uint64_t offset, uint64_t length,
				  uint64_t *within)
{
	struct pto_area *area;
	u64 at = 0;

	xa_lock(&areas->areas);
	area = pto_area_find(areas, offset, length, &at);
	xa_unlock(&areas->areas);
	*within = at;
	return area;
}

void inside_mapped(struct pto_bo *bo)
{
	pto_bo_mapped(bo);
}

void inside_munmap(struct pto_bo *bo)
{
	pto_bo_unmapped(bo);
}

unsigned int inside_longest_bucket(struct pto_device *pdev)
{
	unsigned int i, count, longest = 0;
	struct pto_image *image;

	for (i = 0; i < PTO_IMAGE_BUCKETS; i++) {
		count = 0;
		hlist_for_each_entry(image, &pdev->images[i], link)
			count++;
		longest = max(longest, count);
	}
	return longest;
}

unsigned int inside_longest_arena_bucket(struct pto_device *pdev)
{
	unsigned int i, count, longest = 0;
	struct pto_arena_image *image;

	for (i = 0; i < PTO_ARENA_BUCKETS; i++) {
		count = 0;
		hlist_for_each_entry(image, &pdev->arena_images[i], link)
			count++;
		longest = max(longest, count);
	}
	return longest;
}

void inside_no_secret(struct pto_device *pdev)
{
	memset(&pdev->hash_key, 0, sizeof(pdev->hash_key));
}

uint64_t inside_hash_key(struct pto_device *pdev)
{
	return pdev->hash_key.key[0] ^ pdev->hash_key.key[1];
}
