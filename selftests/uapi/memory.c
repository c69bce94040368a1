// SPDX-License-Identifier: GPL-2.0
/* What the fields of PTO_QUERY and of the buffer object ioctls may say. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"

/* --- PTO_QUERY ------------------------------------------------------------------ */

static void query_item(struct env *env, uint32_t item, void *data, uint32_t bytes, int want,
		       const char *name)
{
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = item,
		.data_ptr = (uintptr_t)data,
		.data_size = bytes,
	};

	row_call(env, want, PTO_QUERY, &query, "QUERY %s", name);
}

static void query_sizes(struct env *env, uint32_t item, uint32_t bytes, const char *name)
{
	struct pto_ioc_query query = { .size = sizeof(query), .item = item };
	unsigned char data[512];
	uint32_t filled;

	row_call(env, 0, PTO_QUERY, &query, "QUERY %s for its size", name);
	row_true(query.data_size == bytes, "QUERY %s tells its size", name);

	memset(data, 0xff, sizeof(data));
	query.data_ptr = (uintptr_t)data;
	query.data_size = sizeof(data);
	row_call(env, 0, PTO_QUERY, &query, "QUERY %s with more room", name);
	memcpy(&filled, data, sizeof(filled));
	row_true(filled == bytes && data[bytes] == 0xff, "QUERY %s fills its size", name);

	memset(data, 0xff, sizeof(data));
	query.data_size = 8;
	row_call(env, 0, PTO_QUERY, &query, "QUERY %s with less room", name);
	memcpy(&filled, data, sizeof(filled));
	row_true(filled == 8 && data[8] == 0xff && query.data_size == bytes,
		 "QUERY %s fills no more", name);
}

static void query_rows(struct env *env)
{
	struct pto_device_info *info = &env->info;
	uint32_t bytes = sizeof(*info);
	struct edge edge;

	query_sizes(env, PTO_QUERY_DEVICE, bytes, "DEVICE");
	query_sizes(env, PTO_QUERY_CONTEXT, sizeof(struct pto_context_stats), "CONTEXT");
	query_sizes(env, PTO_QUERY_USAGE, sizeof(struct pto_device_usage), "USAGE");
	query_sizes(env, PTO_QUERY_DEBUG, sizeof(struct pto_debug_stats), "DEBUG");
	row_true(info->pad == 0 && info->max_callables == PTO_MAX_CALLABLES &&
		 info->max_func_id == PTO_MAX_FUNC_ID && info->page_size >= 4096,
		 "QUERY DEVICE says the limits");

	edge_new(&edge);
	query_item(env, 0, info, bytes, -EOPNOTSUPP, "item 0");
	query_item(env, 4, info, bytes, -EOPNOTSUPP, "item 4");
	query_item(env, PTO_QUERY_DEBUG - 1, info, bytes, -EOPNOTSUPP, "item below DEBUG");
	query_item(env, PTO_QUERY_DEBUG + 1, info, bytes, -EOPNOTSUPP, "item above DEBUG");
	query_item(env, UINT32_MAX, info, bytes, -EOPNOTSUPP, "item ~0");
	query_item(env, 1, (void *)KERNEL_POINTER, bytes, -EFAULT, "into kernel memory");
	query_item(env, 1, edge.end, bytes, -EFAULT, "into an unmapped page");
	query_item(env, 1, edge.end - bytes, bytes, 0, "up to the end of a page");
	query_item(env, 1, edge.end - bytes + 1, bytes, -EFAULT, "over the end of a page");
	mprotect(edge.start, EDGE_BYTES, PROT_READ);
	query_item(env, 1, edge.start, bytes, -EFAULT, "into read-only memory");
	edge_free(&edge);
}

/* --- buffer objects ------------------------------------------------------------- */

static void bo_create(struct env *env, uint64_t length, uint32_t placement, int want,
		      const char *name)
{
	struct pto_ioc_bo_create create = {
		.size = sizeof(create),
		.length = length,
		.placement = placement,
		.id = UINT32_MAX,
		.device_addr = UINT64_MAX,
		.mmap_offset = UINT64_MAX,
	};
	struct pto_ioc_bo_info info = { .size = sizeof(info) };

	if (row_call(env, want, PTO_BO_CREATE, &create, "BO_CREATE %s", name))
		return;
	info.id = create.id;
	row_call(env, 0, PTO_BO_INFO, &info, "BO_INFO after BO_CREATE %s", name);
	row_true(create.id && info.length >= length && info.length % env->info.page_size == 0 &&
		 info.device_addr == create.device_addr && info.placement == placement &&
		 info.mmap_offset == create.mmap_offset && info.references >= 1 &&
		 info.mappings == 0 && info.pad == 0, "BO_INFO agrees with BO_CREATE %s", name);
	row(0, pt_bo_destroy(env->fd, create.id), "BO_DESTROY after BO_CREATE %s", name);
	row(-ENOENT, pt_bo_destroy(env->fd, create.id), "BO_DESTROY twice after %s", name);
}

static void bo_ids(struct env *env)
{
	static const uint32_t ids[] = { 0, NO_SUCH_ID, UINT32_MAX };
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct pto_ioc_bo_info info = { .size = sizeof(info), .id = ids[i] };
		struct pto_ioc_bo_destroy destroy = { .size = sizeof(destroy), .id = ids[i] };

		row_call(env, -ENOENT, PTO_BO_INFO, &info, "BO_INFO of id 0x%x", ids[i]);
		row_call(env, -ENOENT, PTO_BO_DESTROY, &destroy, "BO_DESTROY of id 0x%x", ids[i]);
	}
}

static void bo_rows(struct env *env)
{
	bo_create(env, 1, PTO_PLACE_DEVICE, 0, "of 1 byte");
	bo_create(env, env->info.page_size + 1ULL, PTO_PLACE_HOST, 0, "of a page and a byte, host");
	bo_create(env, 0, PTO_PLACE_DEVICE, -EINVAL, "of 0 bytes");
	bo_create(env, 1, 2, -EOPNOTSUPP, "with placement 2");
	bo_create(env, 1, UINT32_MAX, -EOPNOTSUPP, "with placement ~0");
	bo_create(env, UINT64_MAX, PTO_PLACE_DEVICE, -EOVERFLOW, "of all bytes");
	bo_create(env, UINT64_MAX - 4094, PTO_PLACE_DEVICE, -EOVERFLOW, "rounded past the end");
	bo_create(env, UINT64_MAX - 4095, PTO_PLACE_DEVICE, -ENOMEM, "of all pages");
	bo_create(env, env->info.memory_size + 1, PTO_PLACE_DEVICE, -ENOMEM, "larger than memory");
	bo_ids(env);
}

/* --- PTO_BO_COPY ---------------------------------------------------------------- */

static void copy_row(struct env *env, int want, struct pto_ioc_bo_copy copy, const char *name)
{
	copy.size = sizeof(copy);
	row_call(env, want, PTO_BO_COPY, &copy, "BO_COPY %s", name);
}

#define COPY_IN(...) \
	((struct pto_ioc_bo_copy) { .direction = PTO_COPY_TO_DEVICE, __VA_ARGS__ })
#define COPY_OUT(...) \
	((struct pto_ioc_bo_copy) { .direction = PTO_COPY_FROM_DEVICE, __VA_ARGS__ })
#define COPY_DEV(...) \
	((struct pto_ioc_bo_copy) { .direction = PTO_COPY_DEVICE, __VA_ARGS__ })

static void copy_values(struct env *env)
{
	uint64_t data[2] = { 1, 2 };
	uint64_t user = (uintptr_t)data;
	uint32_t bo = env->bo.id;
	uint64_t end = env->bo.bytes;

	copy_row(env, -EOPNOTSUPP, (struct pto_ioc_bo_copy) { .direction = 0 }, "direction 0");
	copy_row(env, -EOPNOTSUPP, (struct pto_ioc_bo_copy) { .direction = 4 }, "direction 4");
	copy_row(env, 0, COPY_IN(.dst_id = bo, .user_ptr = user, .length = 8), "in");
	copy_row(env, 0, COPY_OUT(.src_id = bo, .user_ptr = user, .length = 8), "out");
	copy_row(env, 0, COPY_DEV(.src_id = bo, .dst_id = bo, .length = end), "on itself");
	copy_row(env, 0, COPY_IN(.dst_id = bo, .length = 0), "in of nothing");
	copy_row(env, 0, COPY_DEV(.src_id = bo, .dst_id = bo, .src_offset = end), "of no end");
	copy_row(env, -ENOENT, COPY_IN(.user_ptr = user, .length = 8), "in to id 0");
	copy_row(env, -ENOENT, COPY_IN(.dst_id = NO_SUCH_ID, .user_ptr = user, .length = 8),
		 "in to no id");
	copy_row(env, -ENOENT, COPY_OUT(.src_id = NO_SUCH_ID, .user_ptr = user, .length = 8),
		 "out of no id");
	copy_row(env, -ENOENT, COPY_DEV(.src_id = bo, .dst_id = NO_SUCH_ID, .length = 8),
		 "to no id");
	copy_row(env, -EINVAL, COPY_IN(.dst_id = bo, .src_id = bo, .user_ptr = user, .length = 8),
		 "in with a source");
	copy_row(env, -EINVAL, COPY_OUT(.dst_id = bo, .src_id = bo, .user_ptr = user, .length = 8),
		 "out with a destination");
	copy_row(env, -EINVAL, COPY_IN(.dst_id = bo, .src_offset = 8, .user_ptr = user,
				       .length = 8), "in with a source offset");
	copy_row(env, -EINVAL, COPY_OUT(.src_id = bo, .dst_offset = 8, .user_ptr = user,
					.length = 8), "out with a destination offset");
	copy_row(env, -EINVAL, COPY_IN(.dst_id = bo, .dst_offset = end - 7, .user_ptr = user,
				       .length = 8), "in past the end");
	copy_row(env, -EINVAL, COPY_OUT(.src_id = bo, .src_offset = end + 1, .user_ptr = user,
					.length = 1), "out from past the end");
	copy_row(env, -EINVAL, COPY_DEV(.src_id = bo, .dst_id = bo, .dst_offset = 1,
					.length = end), "past the end");
	copy_row(env, -EOVERFLOW, COPY_IN(.dst_id = bo, .dst_offset = UINT64_MAX - 3,
					  .user_ptr = user, .length = 8), "in, sum overflows");
	copy_row(env, -EOVERFLOW, COPY_OUT(.src_id = bo, .src_offset = 8, .user_ptr = user,
					   .length = UINT64_MAX), "out, sum overflows");
	copy_row(env, -EOVERFLOW, COPY_DEV(.src_id = bo, .dst_id = bo, .src_offset = 1,
					   .dst_offset = 1, .length = UINT64_MAX), "sum overflows");
}

static void copy_pointers(struct env *env)
{
	uint32_t bo = env->bo.id;
	struct edge edge;
	uint64_t end;

	edge_new(&edge);
	end = (uintptr_t)edge.end;
	copy_row(env, -EFAULT, COPY_IN(.dst_id = bo, .length = 8), "in from NULL");
	copy_row(env, -EFAULT, COPY_OUT(.src_id = bo, .length = 8), "out to NULL");
	copy_row(env, -EFAULT, COPY_IN(.dst_id = bo, .user_ptr = KERNEL_POINTER, .length = 8),
		 "in from kernel memory");
	copy_row(env, -EFAULT, COPY_OUT(.src_id = bo, .user_ptr = KERNEL_POINTER, .length = 8),
		 "out to kernel memory");
	copy_row(env, 0, COPY_IN(.dst_id = bo, .user_ptr = end - 5000, .length = 5000),
		 "in up to the end of a page");
	copy_row(env, -EFAULT, COPY_IN(.dst_id = bo, .user_ptr = end - 4999, .length = 5000),
		 "in over the end of a page");
	copy_row(env, 0, COPY_OUT(.src_id = bo, .user_ptr = end - 5000, .length = 5000),
		 "out up to the end of a page");
	copy_row(env, -EFAULT, COPY_OUT(.src_id = bo, .user_ptr = end - 4999, .length = 5000),
		 "out over the end of a page");
	mprotect(edge.start, EDGE_BYTES, PROT_READ);
	copy_row(env, 0, COPY_IN(.dst_id = bo, .user_ptr = end - 8, .length = 8),
		 "in from read-only memory");
	copy_row(env, -EFAULT, COPY_OUT(.src_id = bo, .user_ptr = end - 8, .length = 8),
		 "out to read-only memory");
	edge_free(&edge);
}

/* What was copied arrives, and an overlap is handled as by memmove(). */
static void copy_data(struct env *env)
{
	unsigned char in[256], out[256], want[256];
	struct pto_ioc_bo_copy copy;
	int i;

	for (i = 0; i < 256; i++)
		in[i] = i ^ 0x5a;
	memcpy(want, in, sizeof(want));
	memmove(want + 3, want, 200);
	copy = COPY_IN(.size = sizeof(copy), .dst_id = env->bo.id, .dst_offset = 4000,
		       .user_ptr = (uintptr_t)in, .length = 256);
	row_call(env, 0, PTO_BO_COPY, &copy, "BO_COPY in across pages");
	copy = COPY_DEV(.size = sizeof(copy), .src_id = env->bo.id, .dst_id = env->bo.id,
			.src_offset = 4000, .dst_offset = 4003, .length = 200);
	row_call(env, 0, PTO_BO_COPY, &copy, "BO_COPY with overlap");
	copy = COPY_OUT(.size = sizeof(copy), .src_id = env->bo.id, .src_offset = 4000,
			.user_ptr = (uintptr_t)out, .length = 256);
	row_call(env, 0, PTO_BO_COPY, &copy, "BO_COPY out across pages");
	row_true(!memcmp(out, want, 256), "BO_COPY moves as memmove()");
	row_true(!memcmp((char *)env->bo.map + 4000, want, 256), "BO_COPY shows in the mapping");
}

/* --- PTO_BO_EXPORT, PTO_BO_IMPORT ------------------------------------------------ */

static void import_row(struct env *env, int want, int fd, const char *name)
{
	struct pto_ioc_bo_import arg = { .size = sizeof(arg), .fd = fd };

	row_call(env, want, PTO_BO_IMPORT, &arg, "BO_IMPORT of %s", name);
}

static void share_values(struct env *env)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg) };
	int pair[2];

	row_call(env, -ENOENT, PTO_BO_EXPORT, &arg, "BO_EXPORT of id 0");
	arg.id = NO_SUCH_ID;
	row_call(env, -ENOENT, PTO_BO_EXPORT, &arg, "BO_EXPORT of an id that does not exist");
	import_row(env, -EBADF, -1, "no descriptor");
	import_row(env, -EINVAL, env->fd, "a context");
	row(0, pipe(pair) ? -errno : 0, "a pipe");
	import_row(env, -EINVAL, pair[0], "a pipe");
	close(pair[0]);
	import_row(env, -EBADF, pair[0], "a descriptor that was closed");
	close(pair[1]);
}

/* What was shared is the same memory, with another id. */
static void share_data(struct env *env)
{
	struct pto_ioc_bo_import arg = { .size = sizeof(arg), .fd = env->dmabuf };
	char *map;

	row_call(env, 0, PTO_BO_IMPORT, &arg, "BO_IMPORT of a buffer's dma-buf");
	row_true(arg.id != env->bo.id, "BO_IMPORT gives another id");
	row_true(arg.device_addr == env->bo.addr && arg.length == env->bo.bytes,
		 "BO_IMPORT gives the same memory");
	map = mmap(NULL, env->bo.bytes, PROT_READ, MAP_SHARED, env->dmabuf, 0);
	row_true(map != MAP_FAILED && !memcmp(map, env->bo.map, env->bo.bytes),
		 "the dma-buf shows the buffer");
	munmap(map, env->bo.bytes);
	row_true(lseek(env->dmabuf, 0, SEEK_END) == (off_t)env->bo.bytes,
		 "the dma-buf is as large as the buffer");
	row(0, pt_bo_destroy(env->fd, arg.id), "BO_DESTROY of the imported id");
}

void rows_of_memory(struct env *env)
{
	query_rows(env);
	bo_rows(env);
	copy_values(env);
	copy_pointers(env);
	copy_data(env);
	share_values(env);
	share_data(env);
}
