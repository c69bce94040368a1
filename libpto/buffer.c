// SPDX-License-Identifier: MIT
/*
 * Buffers: device memory of the application.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "pto_private.h"

static void link_buffer(struct pto_buffer *buf)
{
	struct pto_context *ctx = buf->ctx;

	pthread_mutex_lock(&ctx->lock);
	buf->next = ctx->buffers;
	if (buf->next)
		buf->next->prev = buf;
	ctx->buffers = buf;
	pthread_mutex_unlock(&ctx->lock);
}

/* The driver has the buffer: from here on it is one of the context's. */
static void begin_buffer(struct pto_context *ctx, struct pto_buffer *buf)
{
	buf->state = PTO_LIVE(PTO_TYPE_BUFFER);
	buf->serial = ctx->serial;
	buf->ctx = ctx;
	link_buffer(buf);
}

static void unlink_buffer(struct pto_buffer *buf)
{
	struct pto_context *ctx = buf->ctx;

	if (buf->next)
		buf->next->prev = buf->prev;
	if (buf->prev)
		buf->prev->next = buf->next;
	else
		ctx->buffers = buf->next;
}

int pto_fail_room(struct pto_context *ctx, const char *what, uint64_t bytes)
{
	struct pto_device_usage usage;
	char size[40] = "";

	if (bytes)
		snprintf(size, sizeof(size), " of %" PRIu64 " bytes", bytes);
	if (pto_query_fd(ctx->fd, PTO_QUERY_USAGE, &usage, sizeof(usage)))
		return pto_fail(ctx, -ENOMEM, "no room for %s%s on %s", what, size, ctx->path);
	return pto_fail(ctx, -ENOMEM,
			"no room for %s%s: %" PRIu64 " of %" PRIu64 " bytes of %s are in use",
			what, size, (uint64_t)usage.memory_used, (uint64_t)usage.memory_size,
			ctx->path);
}

static int create_failed(struct pto_context *ctx, int rc, size_t bytes, uint32_t placement)
{
	if (rc == -ENOMEM)
		return pto_fail_room(ctx, "a buffer", bytes);
	if (!bytes)
		return pto_fail(ctx, rc, "a buffer cannot have 0 bytes");
	return pto_fail(ctx, rc, "buffer of %zu bytes in placement %u on %s: %s", bytes, placement,
			ctx->path, pto_errno_name(rc));
}

static int alloc_buffer(struct pto_context *ctx, size_t bytes, uint32_t placement,
			struct pto_buffer **out)
{
	struct pto_ioc_bo_create create = {
		.size = sizeof(create),
		.length = bytes,
		.placement = placement,
	};
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	struct pto_buffer *buf;
	int rc;

	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return pto_fail(ctx, -ENOMEM, "out of memory for a buffer handle");
	rc = pto_ioctl(ctx, PTO_BO_CREATE, &create);
	if (rc) {
		free(buf);
		return create_failed(ctx, rc, bytes, placement);
	}
	info.id = create.id;
	rc = pto_ioctl(ctx, PTO_BO_INFO, &info);
	if (rc) {
		struct pto_ioc_bo_destroy destroy = { .size = sizeof(destroy), .id = create.id };

		pto_ioctl(ctx, PTO_BO_DESTROY, &destroy);
		free(buf);
		return pto_fail(ctx, rc, "size of buffer %u: %s", create.id, pto_errno_name(rc));
	}
	buf->id = create.id;
	buf->size = info.length;
	buf->device_addr = create.device_addr;
	buf->mmap_offset = create.mmap_offset;
	begin_buffer(ctx, buf);
	*out = buf;
	return 0;
}

PTO_API int pto_buffer_alloc(struct pto_context *ctx, size_t bytes, uint32_t placement,
			     struct pto_buffer **out)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, alloc_buffer(ctx, bytes, placement, out));
}

/* Only those that are marked as freed are known to the application. */
static void release(struct pto_buffer *buf)
{
	if (pto_lives(&buf->state, PTO_TYPE_BUFFER))
		free(buf);
	else
		pto_retire(buf, PTO_TYPE_BUFFER);
}

/* In a forked child, other memory may be mapped at the address: do not unmap it. */
void pto_buffer_drop(struct pto_buffer *buf)
{
	struct pto_ioc_bo_destroy destroy = { .size = sizeof(destroy) };

	if (pto_forked(buf->ctx)) {
		unlink_buffer(buf);
		release(buf);
		return;
	}
	pthread_mutex_lock(&buf->ctx->lock);
	unlink_buffer(buf);
	pthread_mutex_unlock(&buf->ctx->lock);
	if (buf->map)
		munmap(buf->map, buf->size);
	destroy.id = buf->id;
	pto_ioctl(buf->ctx, PTO_BO_DESTROY, &destroy);
	release(buf);
}

/* A buffer of a context that is being closed is left to pto_close(). */
PTO_API void pto_buffer_free(struct pto_buffer *buf)
{
	PTO_KEEP_ERRNO;
	struct pto_context *ctx;
	bool entered;

	if (!buf)
		return;
	if (!pto_lives(&buf->state, PTO_TYPE_BUFFER)) {
		pto_fail_freed(buf->serial, "buffer");
		return;
	}
	ctx = buf->ctx;
	entered = !pto_enter(ctx);
	if (!entered && __atomic_load_n(&ctx->closing, __ATOMIC_SEQ_CST))
		return;
	if (pto_end_life(&buf->state, PTO_TYPE_BUFFER))
		pto_buffer_drop(buf);
	else
		pto_fail_freed(buf->serial, "buffer");
	if (entered)
		pto_leave(ctx);
}

/* The first step of a call with a buffer; pto_end() is the last. */
static int enter_buffer(const struct pto_buffer *buf)
{
	if (!buf)
		return pto_fail_nowhere(-EINVAL, "no buffer");
	if (!pto_lives(&buf->state, PTO_TYPE_BUFFER))
		return pto_fail_freed(buf->serial, "buffer");
	return pto_enter(buf->ctx);
}

static void *map_buffer(struct pto_buffer *buf)
{
	struct pto_context *ctx = buf->ctx;
	void *map;

	pthread_mutex_lock(&ctx->lock);
	map = buf->map;
	if (!pto_lives(&buf->state, PTO_TYPE_BUFFER)) {
		pto_fail_freed(buf->serial, "buffer");
		map = NULL;
	} else if (!map) {
		map = mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd,
			   buf->mmap_offset);
		if (map == MAP_FAILED) {
			pto_fail(ctx, -errno, "mapping buffer %u of %zu bytes: %s", buf->id,
				 buf->size, pto_errno_name(-errno));
			map = NULL;
		}
		buf->map = map;
	}
	pthread_mutex_unlock(&ctx->lock);
	return map;
}

PTO_API void *pto_buffer_map(struct pto_buffer *buf)
{
	PTO_KEEP_ERRNO;
	void *map;

	if (enter_buffer(buf))
		return NULL;
	map = map_buffer(buf);
	return pto_end(buf->ctx, 0) ? NULL : map;
}

static int export_buffer(struct pto_buffer *buf, int *fd)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg), .id = buf->id };
	struct pto_context *ctx = buf->ctx;
	int rc = pto_ioctl(ctx, PTO_BO_EXPORT, &arg);

	if (rc == -ENOTTY)
		return pto_fail(ctx, -EOPNOTSUPP, "%s cannot share buffers", ctx->path);
	if (rc)
		return pto_fail(ctx, rc, "exporting buffer %u: %s", buf->id, pto_errno_name(rc));
	*fd = arg.fd;
	return 0;
}

PTO_API int pto_buffer_export(struct pto_buffer *buf, int *fd)
{
	PTO_KEEP_ERRNO;
	int rc = enter_buffer(buf);

	return rc ? rc : pto_end(buf->ctx, export_buffer(buf, fd));
}

static int import_failed(struct pto_context *ctx, int rc, int fd)
{
	switch (rc) {
	case -ENOTTY:
		return pto_fail(ctx, -EOPNOTSUPP, "%s cannot share buffers", ctx->path);
	case -EOPNOTSUPP:
		return pto_fail(ctx, rc, "%s cannot reach the memory of descriptor %d", ctx->path,
				fd);
	case -EINVAL:
		return pto_fail(ctx, rc, "descriptor %d is not that of a dma-buf", fd);
	case -EBUSY:
		return pto_fail(ctx, rc, "the memory of descriptor %d is still being given back: %s",
				fd, "runs or mappings use its last buffer");
	default:
		return pto_fail(ctx, rc, "importing descriptor %d: %s", fd, pto_errno_name(rc));
	}
}

static int import_buffer(struct pto_context *ctx, int fd, struct pto_buffer **out)
{
	struct pto_ioc_bo_import arg = { .size = sizeof(arg), .fd = fd };
	struct pto_buffer *buf = calloc(1, sizeof(*buf));
	int rc;

	if (!buf)
		return pto_fail(ctx, -ENOMEM, "out of memory for a buffer handle");
	rc = pto_ioctl(ctx, PTO_BO_IMPORT, &arg);
	if (rc) {
		free(buf);
		return import_failed(ctx, rc, fd);
	}
	buf->id = arg.id;
	buf->size = arg.length;
	buf->device_addr = arg.device_addr;
	buf->mmap_offset = arg.mmap_offset;
	begin_buffer(ctx, buf);
	*out = buf;
	return 0;
}

PTO_API int pto_buffer_import(struct pto_context *ctx, int fd, struct pto_buffer **out)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, import_buffer(ctx, fd, out));
}

/* 0 instead of a property of a freed buffer */
static bool has_properties(const struct pto_buffer *buf)
{
	if (pto_lives(&buf->state, PTO_TYPE_BUFFER))
		return true;
	pto_fail_freed(buf->serial, "buffer");
	return false;
}

PTO_API size_t pto_buffer_size(const struct pto_buffer *buf)
{
	return has_properties(buf) ? buf->size : 0;
}

PTO_API uint64_t pto_buffer_device_addr(const struct pto_buffer *buf)
{
	return has_properties(buf) ? buf->device_addr : 0;
}

PTO_API uint32_t pto_buffer_id(const struct pto_buffer *buf)
{
	return has_properties(buf) ? buf->id : 0;
}

static int check_range(const struct pto_buffer *buf, size_t offset, size_t bytes)
{
	if (bytes > buf->size || offset > buf->size - bytes)
		return pto_fail(buf->ctx, -EINVAL,
				"%zu bytes at offset %zu are past the end of buffer %u, which has %zu",
				bytes, offset, buf->id, buf->size);
	return 0;
}

static int copy(struct pto_context *ctx, struct pto_ioc_bo_copy *arg)
{
	int rc;

	arg->size = sizeof(*arg);
	rc = pto_ioctl(ctx, PTO_BO_COPY, arg);
	if (rc)
		return pto_fail(ctx, rc, "copying %" PRIu64 " bytes from %s %u to %s %u: %s",
				(uint64_t)arg->length, arg->src_id ? "buffer" : "host memory",
				arg->src_id, arg->dst_id ? "buffer" : "host memory", arg->dst_id,
				pto_errno_name(rc));
	return 0;
}

PTO_API int pto_buffer_write(struct pto_buffer *buf, size_t offset, const void *src, size_t bytes)
{
	struct pto_ioc_bo_copy arg = {
		.direction = PTO_COPY_TO_DEVICE,
		.dst_offset = offset,
		.user_ptr = (uintptr_t)src,
		.length = bytes,
	};
	int rc = enter_buffer(buf);

	if (rc)
		return rc;
	arg.dst_id = buf->id;
	rc = check_range(buf, offset, bytes);
	return pto_end(buf->ctx, rc ? rc : copy(buf->ctx, &arg));
}

PTO_API int pto_buffer_read(struct pto_buffer *buf, size_t offset, void *dst, size_t bytes)
{
	struct pto_ioc_bo_copy arg = {
		.direction = PTO_COPY_FROM_DEVICE,
		.src_offset = offset,
		.user_ptr = (uintptr_t)dst,
		.length = bytes,
	};
	int rc = enter_buffer(buf);

	if (rc)
		return rc;
	arg.src_id = buf->id;
	rc = check_range(buf, offset, bytes);
	return pto_end(buf->ctx, rc ? rc : copy(buf->ctx, &arg));
}

/* The caller has entered the context of @dst. */
static int copy_between(struct pto_buffer *dst, size_t dst_offset, struct pto_buffer *src,
			size_t src_offset, size_t bytes)
{
	struct pto_ioc_bo_copy arg = {
		.direction = PTO_COPY_DEVICE,
		.dst_id = dst->id,
		.dst_offset = dst_offset,
		.src_offset = src_offset,
		.length = bytes,
	};
	int rc = enter_buffer(src);

	if (rc)
		return rc;
	arg.src_id = src->id;
	rc = check_range(dst, dst_offset, bytes);
	if (!rc)
		rc = check_range(src, src_offset, bytes);
	if (!rc && dst->ctx != src->ctx)
		rc = pto_fail(dst->ctx, -EINVAL, "buffers %u and %u are of different contexts",
			      dst->id, src->id);
	return pto_end(src->ctx, rc ? rc : copy(dst->ctx, &arg));
}

PTO_API int pto_buffer_copy(struct pto_buffer *dst, size_t dst_offset, struct pto_buffer *src,
			    size_t src_offset, size_t bytes)
{
	int rc = enter_buffer(dst);

	if (rc)
		return rc;
	return pto_end(dst->ctx, copy_between(dst, dst_offset, src, src_offset, bytes));
}
