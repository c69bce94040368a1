// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * PTO_IMAGE_*: create and destroy images.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "base/call.h"
#include "context/ctx.h"
#include "ioctl/ioctl.h"
#include "object/image.h"

#define PTO_FETCH_CHUNK (64 * 1024UL)

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

static int pto_image_create_from(struct pto_call *call, struct pto_image_source *source)
{
	struct pto_ioc_image_create *arg = call->arg;
	struct pto_image_table *table = &call->ctx->images;
	struct pto_image *image;
	bool shared;
	int err;

	err = pto_image_fetch(source, arg->data_ptr);
	if (err)
		return err;
	image = pto_image_make(table, source, &arg->id, &shared);
	if (IS_ERR(image))
		return PTR_ERR(image);
	arg->shared = shared;
	err = pto_call_reply(call);
	if (!err)
		err = pto_image_publish(table, arg->id, image, shared);
	if (err)
		pto_image_abandon(table, arg->id, image);
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
	source.key.user = __kuid_val(call->ctx->ch.user);
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

	return pto_image_remove(&call->ctx->images, arg->id);
}
