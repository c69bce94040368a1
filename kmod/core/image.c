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
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "ctx.h"
#include "device.h"
#include "ids.h"
#include "image.h"
#include "ioctl.h"
#include "mem.h"

#define PTO_FETCH_CHUNK (64 * 1024UL)

/**
 * struct pto_image_source - contents that an application passes
 * @data: kernel copy of the bytes
 * @size: number of bytes
 * @key: Build-ID and digest
 */
struct pto_image_source {
	u8 *data;
	u64 size;
	struct pto_image_key key;
};

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

/* Copy the bytes, and compute their digest. */
static int pto_image_fetch(struct pto_image_source *source, u64 user_addr)
{
	struct sha256_state state;
	u64 done = 0;

	sha256_init(&state);
	while (done < source->size) {
		unsigned int n = min_t(u64, source->size - done, PTO_FETCH_CHUNK);

		if (copy_from_user(source->data + done, u64_to_user_ptr(user_addr + done), n))
			return -EFAULT;
		sha256_update(&state, source->data + done, n);
		done += n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	sha256_final(&state, source->key.digest);
	return 0;
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
static int pto_image_make(struct pto_image *image, const struct pto_image_source *source)
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
		err = *shared ? pto_image_await(image) : pto_image_make(image, source);
		if (err)
			pto_image_put(image);
	} while (*shared && err == -EAGAIN);
	if (*shared)
		kfree(fresh);
	return err ? ERR_PTR(err) : image;
}

/** pto_image_find() - find the image with an id, and take a reference; or NULL */
struct pto_image *pto_image_find(struct pto_ctx *ctx, u32 id)
{
	struct pto_image *image;

	xa_lock(&ctx->images);
	image = xa_load(&ctx->images, id);
	if (image)
		kref_get(&image->ref);
	xa_unlock(&ctx->images);
	return image;
}

/** pto_image_close() - drop the references of a context that ends */
void pto_image_close(struct pto_ctx *ctx)
{
	struct pto_image *image;
	unsigned long id;

	xa_for_each(&ctx->images, id, image)
		pto_image_put(image);
	xa_destroy(&ctx->images);
}

static int pto_image_check(const struct pto_ioc_image_create *arg)
{
	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad || !arg->length || arg->build_id_len > PTO_BUILD_ID_MAX ||
	    memchr_inv(arg->build_id + arg->build_id_len, 0,
		       PTO_BUILD_ID_MAX - arg->build_id_len))
		return -EINVAL;
	return arg->length > PTO_MAX_IMAGE_SIZE ? -EFBIG : 0;
}

/* Reserve an id, and find or make the image. The bytes have been copied. */
static struct pto_image *pto_image_bring(struct pto_call *call,
					 const struct pto_image_source *source)
{
	struct pto_ioc_image_create *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_image *image;
	bool shared;
	int err;

	err = pto_id_reserve(&ctx->images, &ctx->next_image, PTO_MAX_IMAGES, &arg->id);
	if (err)
		return ERR_PTR(err);
	image = pto_image_get(ctx->pdev, source, &shared);
	if (IS_ERR(image))
		xa_release(&ctx->images, arg->id);
	arg->shared = shared;
	return image;
}

static int pto_image_publish(struct pto_ctx *ctx, u32 id, struct pto_image *image, bool shared)
{
	u64 size = image->size;
	int err;

	atomic_inc(&ctx->count.images_live);
	err = pto_id_publish(&ctx->images, id, image);
	if (err) {
		atomic_dec(&ctx->count.images_live);
	} else if (shared) {
		atomic64_inc(&ctx->count.image_dedup_hits);
	} else {
		atomic64_inc(&ctx->count.image_uploads);
		atomic64_add(size, &ctx->count.image_upload_bytes);
	}
	return err;
}

static int pto_image_create_from(struct pto_call *call, struct pto_image_source *source)
{
	struct pto_ioc_image_create *arg = call->arg;
	struct pto_image *image;
	int err;

	err = pto_image_fetch(source, arg->data_ptr);
	if (err)
		return err;
	image = pto_image_bring(call, source);
	if (IS_ERR(image))
		return PTR_ERR(image);
	err = pto_call_reply(call);
	if (!err)
		err = pto_image_publish(call->ctx, arg->id, image, arg->shared);
	if (err) {
		xa_release(&call->ctx->images, arg->id);
		pto_image_put(image);
	}
	return err;
}

/** pto_ioctl_image_create() - PTO_IMAGE_CREATE */
int pto_ioctl_image_create(struct pto_call *call)
{
	struct pto_ioc_image_create *arg = call->arg;
	struct pto_image_source source = { .size = arg->length };
	int err;

	err = pto_image_check(arg);
	if (err)
		return err;
	memcpy(source.key.build_id, arg->build_id, PTO_BUILD_ID_MAX);
	source.key.build_id_len = arg->build_id_len;
	source.key.user = __kuid_val(call->ctx->user);
	source.data = kvmalloc(source.size, GFP_KERNEL_ACCOUNT);
	if (!source.data)
		return -ENOMEM;
	err = pto_image_create_from(call, &source);
	kvfree(source.data);
	return err;
}

/** pto_ioctl_image_destroy() - PTO_IMAGE_DESTROY */
int pto_ioctl_image_destroy(struct pto_call *call)
{
	struct pto_ioc_image_destroy *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_image *image;

	image = pto_id_take(&ctx->images, arg->id);
	if (!image)
		return -ENOENT;
	atomic_dec(&ctx->count.images_live);
	pto_image_put(image);
	return 0;
}
