// SPDX-License-Identifier: GPL-2.0
/* What the fields of the image, prepare and prewarm ioctls may say. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

/* --- images --------------------------------------------------------------------- */

static void image_row(struct env *env, int want, struct pto_ioc_image_create image,
		      const char *name)
{
	image.size = sizeof(image);
	if (!row_call(env, want, PTO_IMAGE_CREATE, &image, "IMAGE_CREATE %s", name))
		pt_image_destroy(env->fd, image.id);
}

static void image_rows(struct env *env)
{
	static const char bytes[6000] = "bytes";
	uint64_t ptr = (uintptr_t)bytes;
	struct edge edge;
	uint64_t end;

	edge_new(&edge);
	end = (uintptr_t)edge.end;
#define IMAGE(...) ((struct pto_ioc_image_create) { .data_ptr = ptr, __VA_ARGS__ })
	image_row(env, 0, IMAGE(.length = 1), "of 1 byte");
	image_row(env, -EINVAL, IMAGE(.length = 0), "of 0 bytes");
	image_row(env, -EFBIG, IMAGE(.length = env->info.max_image_size + 1), "too large");
	image_row(env, -EFBIG, IMAGE(.length = UINT64_MAX), "of all bytes");
	image_row(env, 0, IMAGE(.length = 6000, .build_id_len = 32, .build_id = { 1 }),
		  "with the longest Build-ID");
	image_row(env, -EINVAL, IMAGE(.length = 6000, .build_id_len = 33), "Build-ID too long");
	image_row(env, -EINVAL, IMAGE(.length = 6000, .build_id_len = 2,
				      .build_id = { 1, 2, 3 }), "garbage behind the Build-ID");
	image_row(env, -EFAULT, IMAGE(.length = 6000, .data_ptr = 0), "from NULL");
	image_row(env, -EFAULT, IMAGE(.length = 6000, .data_ptr = KERNEL_POINTER),
		  "from kernel memory");
	image_row(env, 0, IMAGE(.length = 6000, .data_ptr = end - 6000),
		  "up to the end of a page");
	image_row(env, -EFAULT, IMAGE(.length = 6000, .data_ptr = end - 5999),
		  "over the end of a page");
#undef IMAGE
	edge_free(&edge);
}

static void image_ids(struct env *env)
{
	struct pto_ioc_image_destroy destroy = { .size = sizeof(destroy) };
	struct pto_ioc_image_create first, second;

	row_call(env, -ENOENT, PTO_IMAGE_DESTROY, &destroy, "IMAGE_DESTROY of id 0");
	destroy.id = NO_SUCH_ID;
	row_call(env, -ENOENT, PTO_IMAGE_DESTROY, &destroy, "IMAGE_DESTROY of no id");
	row(0, pt_image(env->fd, "kernel_mul", &first), "IMAGE_CREATE");
	row_true(first.id && first.shared == 0, "IMAGE_CREATE finds it new");
	row(0, pt_image(env->fd, "kernel_mul", &second), "IMAGE_CREATE of the same");
	row_true(second.id && second.id != first.id && second.shared == 1,
		 "IMAGE_CREATE finds it shared");
	row(0, pt_image_destroy(env->fd, first.id), "IMAGE_DESTROY");
	row(-ENOENT, pt_image_destroy(env->fd, first.id), "IMAGE_DESTROY twice");
	row(0, pt_image_destroy(env->fd, second.id), "IMAGE_DESTROY of the other id");
}

/* --- prepare and unprepare ------------------------------------------------------ */

static struct pto_ioc_prepare prepare_of(const struct env *env, int cid)
{
	return (struct pto_ioc_prepare) {
		.size = sizeof(struct pto_ioc_prepare),
		.cid = cid,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = env->image,
		.kernel_stride = sizeof(struct pto_kernel),
	};
}

static void prepare_row(struct env *env, int want, struct pto_ioc_prepare prepare, const char *name)
{
	if (!row_call(env, want, PTO_PREPARE, &prepare, "PREPARE %s", name))
		pt_unprepare(env->fd, prepare.cid);
}

static void prepare_values(struct env *env)
{
	static const int bad_cids[] = { -2, 64, INT_MAX, INT_MIN };
	struct pto_ioc_prepare prepare;
	size_t i;

	for (i = 0; i < sizeof(bad_cids) / sizeof(bad_cids[0]); i++) {
		prepare = prepare_of(env, bad_cids[i]);
		row_call(env, -EINVAL, PTO_PREPARE, &prepare, "PREPARE cid %d", bad_cids[i]);
	}
	prepare_row(env, 0, prepare_of(env, 63), "cid 63");
	prepare_row(env, -EEXIST, prepare_of(env, env->cid), "a used cid");
	prepare = prepare_of(env, -1);
	prepare.kind = 0;
	prepare_row(env, -EOPNOTSUPP, prepare, "kind 0");
	prepare.kind = 3;
	prepare_row(env, -EOPNOTSUPP, prepare, "kind 3");
	prepare = prepare_of(env, -1);
	prepare.image = 0;
	prepare_row(env, -ENOENT, prepare, "image 0");
	prepare.image = NO_SUCH_ID;
	prepare_row(env, -ENOENT, prepare, "no image");
	prepare = prepare_of(env, -1);
	memset(prepare.entry, 'x', sizeof(prepare.entry));
	prepare_row(env, -EINVAL, prepare, "entry without end");
	prepare = prepare_of(env, -1);
	memset(prepare.config, 'x', sizeof(prepare.config));
	prepare_row(env, -EINVAL, prepare, "config without end");
}

/* A callable whose orchestration the process keeps. */
static void prepare_host(struct env *env)
{
	struct pto_kernel kernel = { .image = env->kernel };
	struct pto_context_stats before, after;
	struct pto_ioc_prepare host = prepare_of(env, -1);
	struct pto_ioc_prepare prepare;

	row_true(env->info.features & PTO_FEATURE_HOST_GRAPH, "host graphs are announced");
	host.kind = PTO_KIND_HOST_GRAPH;
	host.image = 0;
	pt_stats(env->fd, &before);
	prepare_row(env, 0, host, "a host graph");
	pt_stats(env->fd, &after);
	row_true(after.host_dlopen_count == before.host_dlopen_count + 1,
		 "PREPARE of a host graph counts as loaded by the host");
	row_true(after.aicpu_dlopen_count == before.aicpu_dlopen_count,
		 "PREPARE of a host graph does not count as loaded by the device");
	prepare = host;
	prepare.kernels_ptr = (uintptr_t)&kernel;
	prepare.kernel_count = 1;
	prepare_row(env, 0, prepare, "a host graph with a kernel");
	kernel.image = 0;
	prepare_row(env, -ENOENT, prepare, "a host graph without the kernel's image");
	prepare = host;
	prepare.image = env->image;
	prepare_row(env, -EINVAL, prepare, "a host graph with an image");
	prepare.image = NO_SUCH_ID;
	prepare_row(env, -EINVAL, prepare, "a host graph with no image");
	prepare = host;
	prepare.entry[PTO_SYMBOL_MAX - 1] = 1;
	prepare_row(env, -EINVAL, prepare, "a host graph with garbage in the entry");
	prepare = host;
	prepare.config[0] = 'x';
	prepare_row(env, -EINVAL, prepare, "a host graph with a config symbol");
	prepare = host;
	prepare.flags = 1;
	prepare_row(env, -EOPNOTSUPP, prepare, "a host graph with flag 0");
	prepare = host;
	prepare.cid = env->cid;
	prepare_row(env, -EEXIST, prepare, "a host graph for a used cid");
}

static void kernel_row(struct env *env, int want, const struct pto_kernel *kernels,
		       uint32_t count, const char *name)
{
	struct pto_ioc_prepare prepare = prepare_of(env, -1);

	prepare.kernels_ptr = (uintptr_t)kernels;
	prepare.kernel_count = count;
	prepare_row(env, want, prepare, name);
}

static void prepare_kernels(struct env *env)
{
	struct pto_kernel good = { .func_id = PTO_MAX_FUNC_ID - 1, .image = env->kernel };
	struct pto_kernel two[2] = { good, good };
	struct pto_kernel kernel = good;

	kernel_row(env, 0, &good, 1, "with the highest func_id");
	kernel_row(env, -EINVAL, two, 2, "with a func_id twice");
	two[1].func_id = 0;
	two[1].core_type = PTO_CORE_AIV;
	kernel_row(env, 0, two, 2, "with two kernels");
	kernel_row(env, -EINVAL, two, PTO_MAX_FUNC_ID + 1, "with too many kernels");
	kernel_row(env, -EINVAL, two, UINT32_MAX, "with ~0 kernels");
	kernel.func_id = PTO_MAX_FUNC_ID;
	kernel_row(env, -EINVAL, &kernel, 1, "func_id too high");
	kernel = good;
	kernel.core_type = 2;
	kernel_row(env, -EINVAL, &kernel, 1, "core type 2");
	kernel = good;
	kernel.image = 0;
	kernel_row(env, -ENOENT, &kernel, 1, "kernel image 0");
	kernel.image = NO_SUCH_ID;
	kernel_row(env, -ENOENT, &kernel, 1, "no kernel image");
	kernel = good;
	kernel.pad = 1;
	kernel_row(env, -EINVAL, &kernel, 1, "kernel pad");
	kernel = good;
	kernel.image = env->image;
	kernel_row(env, -ENOEXEC, &kernel, 1, "a kernel without kernel_entry");
}

static void prepare_stride(struct env *env)
{
	struct {
		struct pto_kernel kernel;
		uint64_t tail;
	} longer[2] = { { .kernel.image = env->kernel }, { .kernel.image = env->kernel } };
	struct pto_ioc_prepare prepare = prepare_of(env, -1);
	struct edge edge;

	longer[1].kernel.func_id = 1;
	prepare.kernels_ptr = (uintptr_t)longer;
	prepare.kernel_count = 2;
	prepare.kernel_stride = sizeof(longer[0]);
	prepare_row(env, 0, prepare, "kernels with a longer stride");
	longer[1].tail = 1ULL << 63;
	prepare_row(env, -E2BIG, prepare, "kernels with a longer stride, garbage");
	prepare.kernel_stride = sysconf(_SC_PAGESIZE) + 1;
	prepare_row(env, -E2BIG, prepare, "kernels with a stride beyond a page");
	prepare.kernel_stride = 1U << 30;
	prepare_row(env, -E2BIG, prepare, "kernels with a stride of 1 GiB");
	prepare.kernel_stride = UINT32_MAX;
	prepare_row(env, -E2BIG, prepare, "kernels with a stride of 4 GiB");
	edge_new(&edge);
	prepare.kernel_stride = sysconf(_SC_PAGESIZE);
	prepare.kernels_ptr = (uintptr_t)edge.start;
	memcpy(edge.start, &longer[0].kernel, sizeof(struct pto_kernel));
	memcpy(edge.start + prepare.kernel_stride, &longer[1].kernel, sizeof(struct pto_kernel));
	prepare_row(env, 0, prepare, "kernels with a stride of a page");
	edge_free(&edge);
	prepare.kernels_ptr = (uintptr_t)longer;
	prepare.kernel_stride = sizeof(struct pto_kernel) - 1;
	prepare_row(env, -EINVAL, prepare, "kernels with a stride too short");
	prepare.kernel_stride = 0;
	prepare_row(env, -EINVAL, prepare, "kernels with stride 0");
}

static void prepare_pointers(struct env *env)
{
	struct pto_kernel kernel = { .image = env->kernel };
	const struct pto_kernel *at;
	struct edge edge;

	edge_new(&edge);
	at = (void *)(edge.end - sizeof(kernel));
	memcpy(edge.end - sizeof(kernel), &kernel, sizeof(kernel));
	kernel_row(env, 0, at, 1, "kernels up to the end of a page");
	kernel_row(env, -EFAULT, at, 2, "kernels over the end of a page");
	kernel_row(env, -EFAULT, NULL, 1, "kernels at NULL");
	kernel_row(env, -EFAULT, (void *)KERNEL_POINTER, 1, "kernels at a kernel address");
	edge_free(&edge);
}

/* The device refuses: the log says why, in as many bytes as there are. */
static void prepare_refused(struct env *env, struct pto_ioc_prepare prepare, const char *name)
{
	char log[256];

	memset(log, 0xff, sizeof(log));
	prepare.log_ptr = (uintptr_t)log;
	prepare.log_size = sizeof(log);
	prepare_row(env, -ENOEXEC, prepare, name);
	row_true(memchr(log, 0, sizeof(log)) && log[0], "PREPARE %s: the log says why", name);
	memset(log, 0xff, sizeof(log));
	prepare.log_size = 8;
	prepare_row(env, -ENOEXEC, prepare, name);
	row_true(memchr(log, 0, 8) && log[8] == (char)0xff,
		 "PREPARE %s: the log is cut to fit", name);
}

static void prepare_bad_objects(struct env *env)
{
	struct pto_ioc_prepare prepare = prepare_of(env, -1);
	struct pto_ioc_image_create garbage = { .size = sizeof(garbage) };
	char bytes[4096];

	snprintf((char *)prepare.entry, sizeof(prepare.entry), "no_such_symbol");
	prepare_refused(env, prepare, "without the entry symbol");
	prepare = prepare_of(env, -1);
	snprintf((char *)prepare.config, sizeof(prepare.config), "no_such_symbol");
	prepare_refused(env, prepare, "without the named config symbol");
	memset(bytes, 0x11, sizeof(bytes));
	garbage.data_ptr = (uintptr_t)bytes;
	garbage.length = sizeof(bytes);
	row(0, pt_ioctl(env->fd, PTO_IMAGE_CREATE, &garbage), "IMAGE_CREATE of garbage");
	prepare = prepare_of(env, -1);
	prepare.image = garbage.id;
	prepare_refused(env, prepare, "garbage");
	pt_image_destroy(env->fd, garbage.id);
}

static void prepare_limit(struct env *env)
{
	struct pto_ioc_prepare prepare;
	int count, err;

	for (count = 0; count <= PTO_MAX_CALLABLES; count++) {
		prepare = prepare_of(env, -1);
		err = pt_ioctl(env->fd, PTO_PREPARE, &prepare);
		if (err)
			break;
	}
	row(-ENOSPC, err, "PREPARE until the table is full");
	row_true(count == PTO_MAX_CALLABLES - 2, "PREPARE fills the table");
	prepare_row(env, -ENOSPC, prepare_of(env, -1), "into a full table");
	prepare_row(env, -EEXIST, prepare_of(env, 63), "a given cid of a full table");
	for (count = 0; count < PTO_MAX_CALLABLES; count++) {
		if (count != env->cid && count != env->gate)
			pt_unprepare(env->fd, count);
	}
}

static void unprepare_rows(struct env *env)
{
	static const int bad_cids[] = { -2, -1, 64, INT_MAX, INT_MIN };
	struct pto_ioc_unprepare arg = { .size = sizeof(arg) };
	size_t i;

	for (i = 0; i < sizeof(bad_cids) / sizeof(bad_cids[0]); i++) {
		arg.cid = bad_cids[i];
		row_call(env, -EINVAL, PTO_UNPREPARE, &arg, "UNPREPARE cid %d", bad_cids[i]);
	}
	arg.cid = 62;
	row_call(env, 0, PTO_UNPREPARE, &arg, "UNPREPARE an empty cid");
	arg.generation = 1;
	row_call(env, -ENOENT, PTO_UNPREPARE, &arg, "UNPREPARE an empty cid by generation");
	arg.cid = env->cid;
	arg.generation = env->generation + 1;
	row_call(env, -ENOENT, PTO_UNPREPARE, &arg, "UNPREPARE another generation");
}

/* --- prewarm -------------------------------------------------------------------- */

static void prewarm_row(struct env *env, int want, struct pto_ioc_prewarm prewarm, const char *name)
{
	prewarm.size = sizeof(prewarm);
	row_call(env, want, PTO_PREWARM, &prewarm, "PREWARM %s", name);
}

#define PREWARM(...) ((struct pto_ioc_prewarm) { __VA_ARGS__ })

/* Who asks for too much is told how much that is, and what the device has. */
static void prewarm_log(struct env *env)
{
	char log[200] = "", memory[32];
	struct pto_ioc_prewarm prewarm = {
		.size = sizeof(prewarm),
		.heap = { 1ULL << 50 },
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};

	row_call(env, -ENOMEM, PTO_PREWARM, &prewarm, "PREWARM a heap of 2^50 with a log");
	snprintf(memory, sizeof(memory), " %llu bytes", (unsigned long long)env->info.memory_size);
	row_true(strstr(log, memory) && strstr(log, "no room for an arena: at least 112"),
		 "PREWARM says what does not fit");
	prewarm.log_size = 8;
	row_call(env, -ENOMEM, PTO_PREWARM, &prewarm, "PREWARM with a short log");
	row_true(!strcmp(log, "no room"), "PREWARM cuts its text to fit");
}

static void prewarm_rows(struct env *env)
{
	struct pto_ioc_prewarm prewarm = { .size = sizeof(prewarm) };
	uint32_t arena;

	row_call(env, 0, PTO_PREWARM, &prewarm, "PREWARM the defaults");
	arena = prewarm.arena;
	row_true(arena && prewarm.arena_size, "PREWARM names an arena");
	row_call(env, 0, PTO_PREWARM, &prewarm, "PREWARM the defaults again");
	row_true(arena == prewarm.arena, "PREWARM names the same arena");
	prewarm = PREWARM(.size = sizeof(prewarm), .task_window = { 16, 16, 16, 16 },
			  .heap = { 4096, 4096, 4096, 4096 }, .dep_pool = { 64, 64, 64, 64 });
	row_call(env, 0, PTO_PREWARM, &prewarm, "PREWARM small rings");
	row_true(arena != prewarm.arena && prewarm.arena, "PREWARM names another arena");

	prewarm_row(env, -EINVAL, PREWARM(.task_window = { 2 }), "a window of 2");
	prewarm_row(env, -EINVAL, PREWARM(.task_window = { 0, 6 }), "a window of 6");
	prewarm_row(env, -EINVAL, PREWARM(.task_window = { 0, 0, 1ULL << 31 }),
		    "a window of 2^31");
	prewarm_row(env, -EINVAL, PREWARM(.task_window = { 0, 0, 0, 1ULL << 63 }),
		    "a window of 2^63");
	prewarm_row(env, -EINVAL, PREWARM(.heap = { 1023 }), "a heap of 1023");
	prewarm_row(env, -EINVAL, PREWARM(.dep_pool = { 3 }), "a pool of 3");
	prewarm_row(env, -EINVAL, PREWARM(.dep_pool = { 0, 0, 0, 1ULL << 31 }),
		    "a pool of 2^31");
	prewarm_row(env, -EOVERFLOW, PREWARM(.heap = { UINT64_MAX, UINT64_MAX, 0, 0 }),
		    "heaps of all bytes");
	prewarm_row(env, -ENOMEM, PREWARM(.heap = { 1ULL << 50 }), "a heap of 2^50");
	prewarm_row(env, -EINVAL, PREWARM(.pad2 = 1), "pad2");
	prewarm_log(env);
}

void rows_of_callables(struct env *env)
{
	image_rows(env);
	image_ids(env);
	prepare_values(env);
	prepare_host(env);
	prepare_kernels(env);
	prepare_stride(env);
	prepare_pointers(env);
	prepare_bad_objects(env);
	prepare_limit(env);
	unprepare_rows(env);
	prewarm_rows(env);
}
