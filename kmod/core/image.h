/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Images: objects on the device, shared by content.
 */
#ifndef PTO_CORE_IMAGE_H
#define PTO_CORE_IMAGE_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>
#include <crypto/sha2.h>

#include "ctx.h"
#include "mem.h"

#define PTO_MAX_IMAGES		4096	/* of a context */
#define PTO_MAX_IMAGE_SIZE	(64UL << 20)

/**
 * struct pto_image_key - which contents an image has
 * @digest: their SHA-256
 * @build_id: Build-ID, zero beyond its end
 * @build_id_len: bytes of that, 0 if there is none
 *
 * Without padding: it is hashed and compared as it is.
 */
struct pto_image_key {
	u8 digest[SHA256_DIGEST_SIZE];
	u8 build_id[PTO_BUILD_ID_MAX];
	u32 build_id_len;
};

/**
 * struct pto_image - an object on the device, shared by content
 * @ref: ids of contexts and callables that use it, and who makes it or waits for that;
 *	dropped under pdev->image_lock
 * @pdev: the device; no reference, as every user has one
 * @link: in its bucket of pdev->images (pdev->image_lock)
 * @made: it has been made, or has not
 * @failed: it has not; for those who waited for @made
 * @key: its contents
 * @mem: where it is
 * @size: bytes of it
 * @number: its name on the device, never used again
 *
 * Immutable once it is made.
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

struct pto_image *pto_image_find(struct pto_ctx *ctx, u32 id);
void pto_image_put(struct pto_image *image);
void pto_image_close(struct pto_ctx *ctx);

#endif /* PTO_CORE_IMAGE_H */
