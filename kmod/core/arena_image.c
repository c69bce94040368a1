// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Arena images: what the device builds of a ring configuration, once for all contexts. An
 * image holds offsets, so any number of arenas can be bound to it.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "core.h"

static int pto_plan_write(struct pto_device *pdev, struct pto_arena_image *image)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };

	memcpy(plan.task_window, image->config.task_window, sizeof(plan.task_window));
	memcpy(plan.heap, image->config.heap, sizeof(plan.heap));
	memcpy(plan.dep_pool, image->config.dep_pool, sizeof(plan.dep_pool));
	return pto_mem_write(pdev, &image->mem, 0, &plan, sizeof(plan));
}

/* What the device completed. It is not trusted: a size must be one that can be. */
static int pto_plan_read(struct pto_device *pdev, struct pto_arena_image *image)
{
	struct pto_dev_arena_plan plan;
	int err;

	err = pto_mem_read(pdev, &image->mem, 0, &plan, sizeof(plan));
	if (err)
		return err;
	if (!plan.arena_size || !plan.image_size)
		return -EIO;
	if (plan.arena_size > pdev->heap_size || plan.image_size > pdev->heap_size)
		return -ENOMEM;
	image->arena_size = plan.arena_size;
	image->image_size = plan.image_size;
	return 0;
}

/* One ARENA_BUILD with room for so many bytes of image. -ENOSPC: they are too few. */
static int pto_arena_image_try(struct pto_ctx *ctx, struct pto_section *section,
			       struct pto_arena_image *image, u64 room)
{
	struct pto_dev_cmd_arena cmd = { .opcode = PTO_DEV_ARENA_BUILD };
	struct pto_device *pdev = ctx->pdev;
	struct pto_reply reply;
	int err, unfit;

	err = pto_mem_alloc(pdev, sizeof(struct pto_dev_arena_plan) + room, &image->mem);
	if (err)
		return err;
	err = pto_plan_write(pdev, image);
	if (err)
		return err;
	cmd.addr = pto_mem_addr(pdev, &image->mem);
	cmd.size = image->mem.length;
	err = pto_ctx_admin(ctx, section, (struct pto_dev_cmd *)&cmd, &reply);
	if (err && err != -ENOSPC)
		return err;
	unfit = pto_plan_read(pdev, image);
	if (!unfit && !err &&
	    image->image_size > image->mem.length - sizeof(struct pto_dev_arena_plan))
		unfit = -EIO;
	return unfit ? unfit : err;
}

/* Twice if need be: the first time may only find out how big it is. */
static int pto_arena_image_build(struct pto_ctx *ctx, struct pto_section *section,
				 struct pto_arena_image *image)
{
	int err;

	err = pto_arena_image_try(ctx, section, image, 0);
	if (err != -ENOSPC)
		return err;
	pto_mem_free(ctx->pdev, &image->mem);
	err = pto_arena_image_try(ctx, section, image, image->image_size);
	return err == -ENOSPC ? -EIO : err;
}

static struct pto_arena_image *pto_arena_image_new(struct pto_ctx *ctx,
						   struct pto_section *section,
						   const struct pto_arena_config *config)
{
	struct pto_device *pdev = ctx->pdev;
	struct pto_arena_image *image;
	int err;

	image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	if (!image)
		return ERR_PTR(-ENOMEM);
	image->config = *config;
	err = pto_arena_image_build(ctx, section, image);
	if (err) {
		pto_mem_free(pdev, &image->mem);
		kfree(image);
		return ERR_PTR(err);
	}
	list_add(&image->link, &pdev->arena_images);
	atomic64_inc(&pdev->arena_image_count);
	atomic64_add(image->mem.length, &pdev->arena_image_bytes);
	atomic64_inc(&ctx->count.arena_builds);
	return image;
}

/**
 * pto_arena_image_get() - find the image of a configuration, or have it built
 * @ctx: who asks
 * @section: its section
 * @config: the configuration
 *
 * Return: the image, with one more user, or ERR_PTR.
 */
struct pto_arena_image *pto_arena_image_get(struct pto_ctx *ctx, struct pto_section *section,
					    const struct pto_arena_config *config)
{
	struct pto_device *pdev = ctx->pdev;
	struct pto_arena_image *image;
	bool found = false;

	mutex_lock(&pdev->arena_mutex);
	list_for_each_entry(image, &pdev->arena_images, link) {
		if (!memcmp(&image->config, config, sizeof(*config))) {
			found = true;
			atomic64_inc(&ctx->count.arena_rebinds);
			break;
		}
	}
	if (!found)
		image = pto_arena_image_new(ctx, section, config);
	if (!IS_ERR(image))
		image->users++;
	mutex_unlock(&pdev->arena_mutex);
	return image;
}

/** pto_arena_image_put() - one user less; the last one frees it. May sleep */
void pto_arena_image_put(struct pto_device *pdev, struct pto_arena_image *image)
{
	mutex_lock(&pdev->arena_mutex);
	if (!--image->users) {
		list_del(&image->link);
		atomic64_dec(&pdev->arena_image_count);
		atomic64_sub(image->mem.length, &pdev->arena_image_bytes);
		pto_mem_free(pdev, &image->mem);
		kfree(image);
	}
	mutex_unlock(&pdev->arena_mutex);
}
