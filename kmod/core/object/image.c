// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Images: orchestration and kernel objects on the device. Contexts of one user share one image for
 * equal contents. Contents are equal if Build-ID, length and SHA-256 are equal.
 *
 * The first thread that needs an image enters it into the table and then uploads it. Other threads
 * that need the same image wait for the upload; if it fails, each tries again itself. A thread
 * waits only for the image that it needs, and not for one that is being freed.
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "base/ids.h"
#include "channel/channel.h"
#include "device/device.h"
#include "device/mem.h"
#include "object/image.h"

/*
 * The bucket of the contents, whoever the user is. Applications can choose Build-IDs and contents:
 * a secret key prevents collisions on purpose.
 */
static struct hlist_head *pto_image_bucket(struct pto_device *pdev,
					   const struct pto_image_key *key)
{
	u64 hash = siphash(key, offsetof(struct pto_image_key, user), &pdev->hash_key);

	return &pdev->images[hash % PTO_IMAGE_BUCKETS];
}

/** pto_image_table_init() - no images yet; @table is zero */
void pto_image_table_init(struct pto_image_table *table, struct pto_channel *ch)
{
	table->ch = ch;
	xa_init_flags(&table->ids, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
}

/** pto_image_place() - where the object is on the device, how large it is, and its number there */
void pto_image_place(const struct pto_image *image, u64 *addr, u64 *size, u64 *number)
{
	*addr = pto_mem_addr(image->pdev, &image->mem);
	*size = image->size;
	*number = image->number;
}

static struct pto_image *pto_image_alloc(struct pto_device *pdev,
					 const struct pto_image_source *source)
{
	struct pto_image *image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);

	if (!image)
		return NULL;
	kref_init(&image->ref);
	init_completion(&image->made);
	image->pdev = pdev;
	image->key = source->key;
	image->size = source->size;
	return image;
}

/* pdev->image_lock is held: the images in the table have references. */
static struct pto_image *pto_image_lookup(struct pto_device *pdev, const struct pto_image *like)
{
	struct pto_image *image;

	hlist_for_each_entry(image, pto_image_bucket(pdev, &like->key), link) {
		if (image->size == like->size &&
		    !memcmp(&image->key, &like->key, sizeof(image->key)))
			return image;
	}
	return NULL;
}

/* Return: the image in the table, with a reference; @fresh if there was none. */
static struct pto_image *pto_image_enter(struct pto_device *pdev, struct pto_image *fresh)
{
	struct pto_image *image;

	spin_lock(&pdev->image_lock);
	image = pto_image_lookup(pdev, fresh);
	if (image) {
		kref_get(&image->ref);
	} else {
		image = fresh;
		image->number = pdev->next_image++;
		hlist_add_head(&image->link, pto_image_bucket(pdev, &image->key));
	}
	spin_unlock(&pdev->image_lock);
	return image;
}

/* pdev->image_lock is held. */
static void pto_image_unlink(struct kref *ref)
{
	hlist_del_init(&container_of(ref, struct pto_image, ref)->link);
}

static void pto_image_free(struct pto_image *image)
{
	struct pto_device *pdev = image->pdev;

	if (!image->failed) {
		atomic64_dec(&pdev->image_count);
		atomic64_sub(image->size, &pdev->image_bytes);
	}
	pto_mem_free(pdev, &image->mem);
	kfree(image);
}

/** pto_image_put() - drop a reference. May sleep */
void pto_image_put(struct pto_image *image)
{
	struct pto_device *pdev = image->pdev;
	int last;

	spin_lock(&pdev->image_lock);
	last = kref_put(&image->ref, pto_image_unlink);
	spin_unlock(&pdev->image_lock);
	if (last)
		pto_image_free(image);
}

/*
 * Upload an image, called by the thread that has put it into the table. On failure it leaves the
 * table, so that no more threads wait for it.
 */
static int pto_image_upload(struct pto_image *image, const struct pto_image_source *source)
{
	struct pto_device *pdev = image->pdev;
	int err;

	err = pto_mem_alloc(pdev, source->size, &image->mem);
	if (!err)
		err = pto_mem_write(pdev, &image->mem, 0, source->data, source->size);
	if (err) {
		spin_lock(&pdev->image_lock);
		pto_image_unlink(&image->ref);
		spin_unlock(&pdev->image_lock);
		image->failed = true;
	} else {
		atomic64_inc(&pdev->image_count);
		atomic64_add(image->size, &pdev->image_bytes);
	}
	complete_all(&image->made);
	return err;
}

/* Wait for a thread that uploads the image. Return: 0, -EAGAIN if it failed, -EINTR. */
static int pto_image_await(struct pto_image *image)
{
	if (wait_for_completion_state(&image->made, TASK_KILLABLE | TASK_FREEZABLE))
		return -EINTR;
	return image->failed ? -EAGAIN : 0;
}

/* Return: the image with these contents, with a reference. *@shared: another thread made it. */
static struct pto_image *pto_image_get(struct pto_device *pdev,
				       const struct pto_image_source *source, bool *shared)
{
	struct pto_image *fresh = pto_image_alloc(pdev, source);
	struct pto_image *image;
	int err;

	*shared = false;
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	do {
		image = pto_image_enter(pdev, fresh);
		*shared = image != fresh;
		err = *shared ? pto_image_await(image) : pto_image_upload(image, source);
		if (err)
			pto_image_put(image);
	} while (*shared && err == -EAGAIN);
	if (*shared)
		kfree(fresh);
	return err ? ERR_PTR(err) : image;
}

/** pto_image_find() - find the image with an id, and take a reference; or NULL */
struct pto_image *pto_image_find(struct pto_image_table *table, u32 id)
{
	struct pto_image *image;

	xa_lock(&table->ids);
	image = xa_load(&table->ids, id);
	if (image)
		kref_get(&image->ref);
	xa_unlock(&table->ids);
	return image;
}

/** pto_image_close() - drop the references of a context that ends */
void pto_image_close(struct pto_image_table *table)
{
	struct pto_image *image;
	unsigned long id;

	xa_for_each(&table->ids, id, image)
		pto_image_put(image);
	xa_destroy(&table->ids);
}

/**
 * pto_image_make() - reserve an id, and find or make the image with these contents
 * @table: the context's images
 * @source: the contents
 * @id: out: the id, not visible yet
 * @shared: out: another thread has made it, now or before
 *
 * Return: the image, with a reference, for pto_image_publish() or pto_image_abandon(); or ERR_PTR.
 */
struct pto_image *pto_image_make(struct pto_image_table *table,
				 const struct pto_image_source *source, u32 *id, bool *shared)
{
	struct pto_image *image;
	int err;

	err = pto_id_reserve(&table->ids, &table->next, PTO_MAX_IMAGES, id);
	if (err)
		return ERR_PTR(err);
	image = pto_image_get(table->ch->pdev, source, shared);
	if (IS_ERR(image))
		xa_release(&table->ids, *id);
	return image;
}

/** pto_image_abandon() - drop an image whose id has not become visible */
void pto_image_abandon(struct pto_image_table *table, u32 id, struct pto_image *image)
{
	xa_release(&table->ids, id);
	pto_image_put(image);
}

/** pto_image_remove() - drop the id of an image. Return: 0 or -ENOENT */
int pto_image_remove(struct pto_image_table *table, u32 id)
{
	struct pto_image *image = pto_id_take(&table->ids, id);

	if (!image)
		return -ENOENT;
	atomic_dec(&table->ch->count.images_live);
	pto_image_put(image);
	return 0;
}

/** pto_image_publish() - make the id visible. Return: 0 or -EIO, see pto_id_publish() */
int pto_image_publish(struct pto_image_table *table, u32 id, struct pto_image *image, bool shared)
{
	struct pto_channel *ch = table->ch;
	u64 size = image->size;
	int err;

	atomic_inc(&ch->count.images_live);
	err = pto_id_publish(&table->ids, id, image);
	if (err) {
		atomic_dec(&ch->count.images_live);
	} else if (shared) {
		atomic64_inc(&ch->count.image_dedup_hits);
	} else {
		atomic64_inc(&ch->count.image_uploads);
		atomic64_add(size, &ch->count.image_upload_bytes);
	}
	return err;
}
