// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Arena images. The device builds one per ring configuration and user, for all contexts of the
 * user. An image holds offsets, so any number of arenas at any address can be bound to it.
 *
 * An image without arenas stays as an idle image. So an application that alternates between more
 * configurations than its context has arenas needs new bindings, but no new images. Idle images
 * are bounded in number and bytes; the least recently used one is freed first. All of them are
 * freed when device memory runs short, when the last context is closed, and when the device is
 * gone.
 *
 * An image is in the table while it is being built. A thread that needs the same one waits for it,
 * and builds it itself if that fails. So no image is built twice, and a thread waits only for the
 * image that it needs.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/mem.h"
#include "device/queue.h"
#include "object/arena.h"

static int pto_plan_write(struct pto_device *pdev, struct pto_arena_image *image)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };

	memcpy(plan.task_window, image->config.task_window, sizeof(plan.task_window));
	memcpy(plan.heap, image->config.heap, sizeof(plan.heap));
	memcpy(plan.dep_pool, image->config.dep_pool, sizeof(plan.dep_pool));
	return pto_mem_write(pdev, &image->mem, 0, &plan, sizeof(plan));
}

/* Read the plan that the device completed. The device is not trusted: check its sizes. */
static int pto_plan_read(struct pto_channel *ch, struct pto_arena_image *image)
{
	struct pto_device *pdev = ch->pdev;
	struct pto_dev_arena_plan plan;
	int err;

	err = pto_mem_read(pdev, &image->mem, 0, &plan, sizeof(plan));
	if (err)
		return err;
	if (!plan.arena_size || !plan.image_size)
		return -EIO;
	if (plan.arena_size > pdev->heap_size || plan.image_size > pdev->heap_size) {
		ch->missing = max(plan.arena_size, plan.image_size);
		return -ENOMEM;
	}
	image->arena_size = plan.arena_size;
	image->image_size = plan.image_size;
	return 0;
}

/* The size of the heaps, a lower bound for the size of the arena. */
static u64 pto_arena_least(const struct pto_arena_config *config)
{
	u64 bytes = 0;
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++)
		bytes += config->heap[i];
	return bytes;
}

/* One ARENA_BUILD with @room bytes for the image. Return: -ENOSPC if they are too few. */
static int pto_arena_image_try(struct pto_channel *ch, struct pto_arena_image *image, u64 room)
{
	union pto_command cmd = { .arena = { .opcode = PTO_DEV_ARENA_BUILD } };
	struct pto_device *pdev = ch->pdev;
	int err, unfit;

	err = pto_reclaim_alloc(ch, sizeof(struct pto_dev_arena_plan) + room, &image->mem);
	if (err == -ENOMEM)
		ch->missing = sizeof(struct pto_dev_arena_plan) + room;
	if (err)
		return err;
	err = pto_plan_write(pdev, image);
	if (err)
		return err;
	cmd.arena.addr = pto_mem_addr(pdev, &image->mem);
	cmd.arena.size = image->mem.length;
	atomic64_inc(&ch->count.device_commands);
	err = pto_device_ask(pdev, &cmd, &image->build.reply);
	/* With NOMEM the device could not lay out the arena, and gave no size. */
	if (err == -ENOMEM && !ch->missing)
		ch->missing = pto_arena_least(&image->config);
	if (err && err != -ENOSPC)
		return err;
	unfit = pto_plan_read(ch, image);
	if (!unfit && !err &&
	    image->image_size > image->mem.length - sizeof(struct pto_dev_arena_plan))
		unfit = -EIO;
	return unfit ? unfit : err;
}

/* The first ARENA_BUILD may only determine the image's size. */
static int pto_arena_image_build(struct pto_channel *ch, struct pto_arena_image *image)
{
	int err;

	err = pto_arena_image_try(ch, image, 0);
	if (err != -ENOSPC)
		return err;
	pto_mem_free(ch->pdev, &image->mem);
	err = pto_arena_image_try(ch, image, image->image_size);
	return err == -ENOSPC ? -EIO : err;
}

/* Applications choose the configurations: a secret key prevents collisions on purpose. */
static struct hlist_head *pto_arena_image_bucket(struct pto_device *pdev,
						 const struct pto_arena_config *config)
{
	u64 hash = siphash(config, sizeof(*config), &pdev->hash_key);

	return &pdev->arena_images[hash % PTO_ARENA_BUCKETS];
}

/* Take an image off the idle list; pdev->arena_lock is held. */
static void pto_arena_image_rouse(struct pto_device *pdev, struct pto_arena_image *image)
{
	list_del(&image->idle);
	pdev->arena_idle--;
	pdev->arena_idle_bytes -= image->mem.length;
}

/* Find the image of a configuration, complete or being built; pdev->arena_lock is held. */
static struct pto_arena_image *pto_arena_image_lookup(struct pto_device *pdev,
						      const struct pto_arena_config *config)
{
	struct pto_arena_image *image;

	hlist_for_each_entry(image, pto_arena_image_bucket(pdev, config), link) {
		if (!memcmp(&image->config, config, sizeof(*config)))
			return image;
	}
	return NULL;
}

/* Return: the image in the table, with one more user; @fresh if there was none. */
static struct pto_arena_image *pto_arena_image_enter(struct pto_device *pdev,
						     struct pto_arena_image *fresh)
{
	struct pto_arena_image *image;

	spin_lock(&pdev->arena_lock);
	image = pto_arena_image_lookup(pdev, &fresh->config);
	if (!image) {
		image = fresh;
		hlist_add_head(&image->link, pto_arena_image_bucket(pdev, &image->config));
	} else if (!image->users) {
		pto_arena_image_rouse(pdev, image);
	}
	image->users++;
	spin_unlock(&pdev->arena_lock);
	return image;
}

/* Called by the device's work: the device does not write to the abandoned image any more. */
static void pto_arena_image_answered(struct pto_orphan *orphan)
{
	struct pto_arena_image *image = container_of(orphan, struct pto_arena_image, build);

	pto_queue_forget(&image->pdev->admin, &orphan->reply);
	pto_arena_image_put(image->pdev, image);
}

/* Drop an image whose build failed. If the device may still be building it, keep its memory. */
static void pto_arena_image_abandon(struct pto_arena_image *image)
{
	struct pto_orphan *build = &image->build;

	build->finish = pto_arena_image_answered;
	if (build->reply.posted && !build->reply.done)
		pto_device_adopt(image->pdev, build);
	else
		pto_arena_image_put(image->pdev, image);
}

/*
 * Build an image, called by the thread that has put it into the table. On failure it leaves the
 * table, so that no more threads wait for it.
 */
static int pto_arena_image_make(struct pto_channel *ch, struct pto_arena_image *image)
{
	struct pto_device *pdev = ch->pdev;
	int err;

	err = pto_arena_image_build(ch, image);
	if (err) {
		pto_arena_image_condemn(pdev, image);
		image->failed = true;
	} else {
		atomic64_inc(&pdev->arena_image_count);
		atomic64_add(image->mem.length, &pdev->arena_image_bytes);
		atomic64_inc(&ch->count.arena_builds);
	}
	complete_all(&image->made);
	if (err)
		pto_arena_image_abandon(image);
	return err;
}

/* Wait for a thread that builds the image. Return: 0, -EAGAIN if it failed, -EINTR. */
static int pto_arena_image_await(struct pto_device *pdev, struct pto_arena_image *image)
{
	int err = 0;

	if (wait_for_completion_state(&image->made, TASK_KILLABLE | TASK_FREEZABLE))
		err = -EINTR;
	else if (image->failed)
		err = -EAGAIN;
	if (err)
		pto_arena_image_put(pdev, image);
	return err;
}

static struct pto_arena_image *pto_arena_image_alloc(struct pto_device *pdev,
						     const struct pto_arena_config *config)
{
	struct pto_arena_image *image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);

	if (!image)
		return NULL;
	init_completion(&image->made);
	image->pdev = pdev;
	image->config = *config;
	return image;
}

/**
 * pto_arena_image_get() - find the image of a configuration, or have it built
 * @ch: the channel of the context that needs it
 * @config: the configuration
 * @built: out: true if this call built it
 *
 * Return: the image, with one more user, or ERR_PTR.
 */
struct pto_arena_image *pto_arena_image_get(struct pto_channel *ch,
					    const struct pto_arena_config *config, bool *built)
{
	struct pto_device *pdev = ch->pdev;
	struct pto_arena_image *fresh = pto_arena_image_alloc(pdev, config);
	struct pto_arena_image *image;
	int err;

	*built = false;
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	do {
		image = pto_arena_image_enter(pdev, fresh);
		*built = image == fresh;
		err = *built ? pto_arena_image_make(ch, image) :
			       pto_arena_image_await(pdev, image);
	} while (!*built && err == -EAGAIN);
	if (!*built)
		kfree(fresh);
	return err ? ERR_PTR(err) : image;
}

/* Move an idle image from the table to the list @taken; pdev->arena_lock is held. */
static void pto_arena_image_take(struct pto_device *pdev, struct pto_arena_image *image,
				 struct list_head *taken)
{
	pto_arena_image_rouse(pdev, image);
	hlist_del_init(&image->link);
	list_add_tail(&image->idle, taken);
}

/* Keep the most recently used idle images within the bounds; pdev->arena_lock is held. */
static void pto_arena_idle_trim(struct pto_device *pdev, unsigned int count, u64 bytes,
				struct list_head *taken)
{
	while (pdev->arena_idle > count || pdev->arena_idle_bytes > bytes)
		pto_arena_image_take(pdev, list_first_entry(&pdev->arena_idle_list,
							    struct pto_arena_image, idle), taken);
}

static void pto_arena_image_free(struct pto_device *pdev, struct pto_arena_image *image)
{
	if (!image->failed) {
		atomic64_dec(&pdev->arena_image_count);
		atomic64_sub(image->mem.length, &pdev->arena_image_bytes);
	}
	pto_mem_free(pdev, &image->mem);
	kfree(image);
}

/* Free the images in @taken; no lock is held. Return: false if there were none. */
static bool pto_arena_idle_free(struct pto_device *pdev, struct list_head *taken)
{
	struct pto_arena_image *image, *next;
	bool any = !list_empty(taken);

	list_for_each_entry_safe(image, next, taken, idle)
		pto_arena_image_free(pdev, image);
	return any;
}

/* Make an image without users idle, or take it if it must not be kept; pdev->arena_lock is held. */
static void pto_arena_image_idle(struct pto_device *pdev, struct pto_arena_image *image,
				 struct list_head *taken)
{
	list_add_tail(&image->idle, &pdev->arena_idle_list);
	pdev->arena_idle++;
	pdev->arena_idle_bytes += image->mem.length;
	if (hlist_unhashed(&image->link) || image->mem.length > PTO_IDLE_ARENA_BYTES ||
	    pto_device_is_gone(pdev))
		pto_arena_image_take(pdev, image, taken);
	pto_arena_idle_trim(pdev, PTO_IDLE_ARENA_IMAGES, PTO_IDLE_ARENA_BYTES, taken);
}

/**
 * pto_arena_image_put() - drop a user; without users the image is idle. May sleep
 * @pdev: the device
 * @image: the image; freed at once if it was condemned or its build failed, if it exceeds the
 *	bound of idle images alone, or if the device is gone
 */
void pto_arena_image_put(struct pto_device *pdev, struct pto_arena_image *image)
{
	LIST_HEAD(taken);

	spin_lock(&pdev->arena_lock);
	if (!--image->users)
		pto_arena_image_idle(pdev, image, &taken);
	spin_unlock(&pdev->arena_lock);
	pto_arena_idle_free(pdev, &taken);
}

/**
 * pto_arena_image_condemn() - remove an image from the table, as the device rejects it
 * @pdev: the device
 * @image: the image; the caller is a user of it
 *
 * A context may have overwritten it. The next request for its configuration builds a new one.
 */
void pto_arena_image_condemn(struct pto_device *pdev, struct pto_arena_image *image)
{
	spin_lock(&pdev->arena_lock);
	hlist_del_init(&image->link);
	spin_unlock(&pdev->arena_lock);
}

/**
 * pto_arena_idle_drop() - free all idle images. May sleep
 * @pdev: the device
 *
 * Return: true if there were any.
 */
bool pto_arena_idle_drop(struct pto_device *pdev)
{
	LIST_HEAD(taken);

	spin_lock(&pdev->arena_lock);
	pto_arena_idle_trim(pdev, 0, 0, &taken);
	spin_unlock(&pdev->arena_lock);
	return pto_arena_idle_free(pdev, &taken);
}
