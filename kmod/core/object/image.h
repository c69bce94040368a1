/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Images: objects on the device, shared by content. For callables, contexts and ioctls.
 */
#ifndef PTO_CORE_IMAGE_H
#define PTO_CORE_IMAGE_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>
#include <crypto/sha2.h>

#include "channel/channel.h"
#include "device/mem.h"

#define PTO_MAX_IMAGES		4096	/* of a context */
#define PTO_MAX_IMAGE_SIZE	(64UL << 20)

/**
 * struct pto_image_key - identifies an image: its contents, and the user whose contexts share it
 * @digest: SHA-256 of the contents
 * @build_id: Build-ID, zero beyond its end
 * @build_id_len: bytes of the Build-ID, 0 if there is none
 * @user: the user. Another one must not find out what is on the device
 *
 * Without padding, because its bytes are hashed and compared.
 */
struct pto_image_key {
	u8 digest[SHA256_DIGEST_SIZE];
	u8 build_id[PTO_BUILD_ID_MAX];
	u32 build_id_len;
	u32 user;
};

/**
 * struct pto_image - an object on the device, shared by content
 * @ref: ids of contexts and callables that use it, and threads that make it or wait for that;
 *	dropped under pdev->image_lock
 * @pdev: the device; no reference, as every user has one
 * @link: in its bucket of pdev->images (pdev->image_lock)
 * @made: completed when the upload has ended
 * @failed: the upload has failed; valid after @made
 * @key: identifies its contents
 * @mem: its memory
 * @size: bytes of it
 * @number: its number on the device, never reused
 *
 * Immutable after @made.
 */
struct pto_image {
	struct kref ref;
	struct pto_device *pdev;
	struct hlist_node link;
	struct completion made;
	bool failed;
	struct pto_image_key key;
	struct pto_mem mem;
	u64 size;
	u64 number;
};

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

/**
 * struct pto_image_table - the images of a context
 * @ch: the channel
 * @ids: images that have an id
 * @next: start of the search for the next id (the lock of @ids)
 */
struct pto_image_table {
	struct pto_channel *ch;
	struct xarray ids;
	u32 next;
};

void pto_image_table_init(struct pto_image_table *table, struct pto_channel *ch);
struct pto_image *pto_image_make(struct pto_image_table *table,
				 const struct pto_image_source *source, u32 *id, bool *shared);
int pto_image_publish(struct pto_image_table *table, u32 id, struct pto_image *image, bool shared);
void pto_image_abandon(struct pto_image_table *table, u32 id, struct pto_image *image);
int pto_image_remove(struct pto_image_table *table, u32 id);
struct pto_image *pto_image_find(struct pto_image_table *table, u32 id);
void pto_image_place(const struct pto_image *image, u64 *addr, u64 *size, u64 *number);
void pto_image_put(struct pto_image *image);
void pto_image_close(struct pto_image_table *table);

#endif /* PTO_CORE_IMAGE_H */
