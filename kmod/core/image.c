// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Images: orchestration and kernel objects on the device, one for equal contents whoever
 * brings them. The Build-ID, or without one the SHA-256, leads to a bucket; only an image
 * with the same key, length and SHA-256 is the same.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "call.h"
#include "ctx.h"
#include "device.h"
#include "ids.h"
#include "image.h"
#include "mem.h"

#define PTO_HASH_CHUNK (64 * 1024UL)

/**
 * struct pto_image_source - what an application brings
 * @data: the bytes, a copy that nobody can change
 * @size: how many
 * @digest: their SHA-256
 * @build_id: as in struct pto_image_create
 * @build_id_len: likewise
 */
struct pto_image_source {
	u8 *data;
	u64 size;
	u8 digest[SHA256_DIGEST_SIZE];
	const u8 *build_id;
	u32 build_id_len;
};

/* Build-IDs and digests are as good as random: any byte is a hash. */
static unsigned int pto_image_bucket(const u8 *build_id, u32 build_id_len, const u8 *digest)
{
	return (build_id_len ? build_id[0] : digest[0]) % PTO_IMAGE_BUCKETS;
}

static void pto_image_digest(struct pto_image_source *source)
{
	struct sha256_state state;
	u64 done = 0;

	sha256_init(&state);
	while (done < source->size) {
		unsigned int n = min_t(u64, source->size - done, PTO_HASH_CHUNK);

		sha256_update(&state, source->data + done, n);
		done += n;
		cond_resched();
	}
	sha256_final(&state, source->digest);
}

/* pdev->image_mutex is held; and so what is in the table has references. */
static struct pto_image *pto_image_lookup(struct pto_device *pdev,
					  const struct pto_image_source *source)
{
	unsigned int bucket = pto_image_bucket(source->build_id, source->build_id_len,
					       source->digest);
	struct pto_image *image;

	list_for_each_entry(image, &pdev->images[bucket], link) {
		if (image->size == source->size &&
		    image->build_id_len == source->build_id_len &&
		    !memcmp(image->build_id, source->build_id, PTO_BUILD_ID_MAX) &&
		    !memcmp(image->digest, source->digest, SHA256_DIGEST_SIZE))
			return image;
	}
	return NULL;
}

static struct pto_image *pto_image_new(struct pto_device *pdev,
				       const struct pto_image_source *source)
{
	struct pto_image *image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	int err;

	if (!image)
		return ERR_PTR(-ENOMEM);
	kref_init(&image->ref);
	image->pdev = pdev;
	image->size = source->size;
	memcpy(image->digest, source->digest, SHA256_DIGEST_SIZE);
	memcpy(image->build_id, source->build_id, PTO_BUILD_ID_MAX);
	image->build_id_len = source->build_id_len;
	err = pto_mem_alloc(pdev, source->size, &image->mem);
	if (!err)
		err = pto_mem_write(pdev, &image->mem, 0, source->data, source->size);
	if (err) {
		pto_mem_free(pdev, &image->mem);
		kfree(image);
		return ERR_PTR(err);
	}
	return image;
}

/*
 * The image with these contents, with a reference. The mutex is held while a new one is
 * written, so two threads that bring the same contents get the same image.
 */
static struct pto_image *pto_image_get(struct pto_device *pdev,
				       const struct pto_image_source *source, bool *shared)
{
	unsigned int bucket = pto_image_bucket(source->build_id, source->build_id_len,
					       source->digest);
	struct pto_image *image;

	mutex_lock(&pdev->image_mutex);
	image = pto_image_lookup(pdev, source);
	*shared = image;
	if (image) {
		kref_get(&image->ref);
	} else {
		image = pto_image_new(pdev, source);
		if (!IS_ERR(image)) {
			image->number = pdev->next_image++;
			list_add(&image->link, &pdev->images[bucket]);
			atomic64_inc(&pdev->image_count);
			atomic64_add(image->size, &pdev->image_bytes);
		}
	}
	mutex_unlock(&pdev->image_mutex);
	return image;
}

static void pto_image_release(struct kref *ref)
{
	struct pto_image *image = container_of(ref, struct pto_image, ref);
	struct pto_device *pdev = image->pdev;

	list_del(&image->link);
	atomic64_dec(&pdev->image_count);
	atomic64_sub(image->size, &pdev->image_bytes);
	pto_mem_free(pdev, &image->mem);
	kfree(image);
}

/** pto_image_put() - drop a reference. May sleep */
void pto_image_put(struct pto_image *image)
{
	struct mutex *mutex = &image->pdev->image_mutex;

	mutex_lock(mutex);
	kref_put(&image->ref, pto_image_release);
	mutex_unlock(mutex);
}

/** pto_image_find() - the image with an id, with a reference, or NULL */
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

/** pto_image_close() - drop the names of a context that ends */
void pto_image_close(struct pto_ctx *ctx)
{
	struct pto_image *image;
	unsigned long id;

	xa_for_each(&ctx->images, id, image)
		pto_image_put(image);
	xa_destroy(&ctx->images);
}

static int pto_image_check(const struct pto_image_create *arg)
{
	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad || !arg->length || arg->build_id_len > PTO_BUILD_ID_MAX ||
	    memchr_inv(arg->build_id + arg->build_id_len, 0,
		       PTO_BUILD_ID_MAX - arg->build_id_len))
		return -EINVAL;
	return arg->length > PTO_MAX_IMAGE_SIZE ? -EFBIG : 0;
}

/* With the bytes copied in: reserve an id, and find or make the image. */
static struct pto_image *pto_image_bring(struct pto_call *call,
					 const struct pto_image_source *source)
{
	struct pto_image_create *arg = call->arg;
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
	struct pto_image_create *arg = call->arg;
	struct pto_image *image;
	int err;

	if (copy_from_user(source->data, u64_to_user_ptr(arg->data_ptr), source->size))
		return -EFAULT;
	pto_image_digest(source);
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

/** pto_image_create() - PTO_IMAGE_CREATE */
int pto_image_create(struct pto_call *call)
{
	struct pto_image_create *arg = call->arg;
	struct pto_image_source source = {
		.size = arg->length,
		.build_id = arg->build_id,
		.build_id_len = arg->build_id_len,
	};
	int err;

	err = pto_image_check(arg);
	if (err)
		return err;
	source.data = kvmalloc(source.size, GFP_KERNEL_ACCOUNT);
	if (!source.data)
		return -ENOMEM;
	err = pto_image_create_from(call, &source);
	kvfree(source.data);
	return err;
}

/** pto_image_destroy() - PTO_IMAGE_DESTROY */
int pto_image_destroy(struct pto_call *call)
{
	struct pto_image_destroy *arg = call->arg;
	struct pto_ctx *ctx = call->ctx;
	struct pto_image *image;

	image = pto_id_take(&ctx->images, arg->id);
	if (!image)
		return -ENOENT;
	atomic_dec(&ctx->count.images_live);
	pto_image_put(image);
	return 0;
}
