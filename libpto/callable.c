// SPDX-License-Identifier: MIT
/*
 * Callables: an orchestration object with its kernels, and its preparation under a cid.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

PTO_API int pto_callable_load(const char *path, struct pto_callable **out)
{
	PTO_KEEP_ERRNO;
	struct pto_callable *callable = calloc(1, sizeof(*callable));
	char text[400];
	int rc;

	if (!callable)
		return pto_fail_callable(-ENOMEM, "out of memory for a callable");
	rc = pto_object_read(&callable->orch, path, text, sizeof(text));
	if (rc) {
		free(callable);
		return pto_fail_callable(rc, "%s", text);
	}
	callable->state = PTO_LIVE(PTO_TYPE_CALLABLE);
	callable->kind = PTO_KIND_DEVICE_ORCH;
	*out = callable;
	return 0;
}

PTO_API int pto_callable_from_memory(const void *data, size_t bytes, const char *name,
				     struct pto_callable **out)
{
	PTO_KEEP_ERRNO;
	struct pto_callable *callable = calloc(1, sizeof(*callable));
	char text[400];
	int rc;

	if (!callable)
		return pto_fail_callable(-ENOMEM, "out of memory for a callable");
	rc = pto_object_copy(&callable->orch, data, bytes, name, text, sizeof(text));
	if (rc) {
		free(callable);
		return pto_fail_callable(rc, "%s", text);
	}
	callable->state = PTO_LIVE(PTO_TYPE_CALLABLE);
	callable->kind = PTO_KIND_DEVICE_ORCH;
	*out = callable;
	return 0;
}

static int check_callable(const struct pto_callable *callable)
{
	if (!callable)
		return pto_fail_callable(-EINVAL, "no callable");
	if (!pto_lives(&callable->state, PTO_TYPE_CALLABLE))
		return pto_fail_callable(-EBADF, "the callable has been freed");
	return 0;
}

static int check_kernel(const struct pto_callable *callable, uint32_t func_id, uint32_t core_type)
{
	int rc = check_callable(callable);

	if (rc)
		return rc;
	if (func_id >= PTO_MAX_FUNC_ID)
		return pto_fail_callable(-EINVAL, "func_id %u is not below %u", func_id,
					 PTO_MAX_FUNC_ID);
	if (core_type != PTO_CORE_AIC && core_type != PTO_CORE_AIV)
		return pto_fail_callable(-EINVAL, "core type %u of func_id %u is neither AIC (%u) nor AIV (%u)",
					 core_type, func_id, PTO_CORE_AIC, PTO_CORE_AIV);
	for (uint32_t i = 0; i < callable->kernel_count; i++)
		if (callable->kernels[i].func_id == func_id)
			return pto_fail_callable(-EEXIST, "func_id %u is %s already", func_id,
						 callable->kernels[i].object.name);
	return 0;
}

/* Owns @object afterwards; drops it on failure. */
static int append_kernel(struct pto_callable *callable, uint32_t func_id, uint32_t core_type,
			 struct pto_object *object)
{
	struct pto_callable_kernel *kernels = callable->kernels;
	uint32_t room = callable->kernel_room;

	if (!object->info.has_kernel) {
		pto_fail_callable(-ENOEXEC, "%s: defines no function \"kernel_entry\"",
				  object->name);
		pto_object_drop(object);
		return -ENOEXEC;
	}
	if (callable->kernel_count == room) {
		room = room ? 2 * room : 8;
		kernels = realloc(kernels, room * sizeof(*kernels));
		if (!kernels) {
			pto_object_drop(object);
			return pto_fail_callable(-ENOMEM, "out of memory for %u kernels", room);
		}
		callable->kernels = kernels;
		callable->kernel_room = room;
	}
	kernels[callable->kernel_count++] = (struct pto_callable_kernel){
		.func_id = func_id, .core_type = core_type, .object = *object,
	};
	return 0;
}

PTO_API int pto_callable_add_kernel(struct pto_callable *callable, uint32_t func_id,
				    uint32_t core_type, const char *path)
{
	PTO_KEEP_ERRNO;
	struct pto_object object;
	char text[400];
	int rc = check_kernel(callable, func_id, core_type);

	if (rc)
		return rc;
	rc = pto_object_read(&object, path, text, sizeof(text));
	if (rc)
		return pto_fail_callable(rc, "%s", text);
	return append_kernel(callable, func_id, core_type, &object);
}

PTO_API int pto_callable_add_kernel_memory(struct pto_callable *callable, uint32_t func_id,
					   uint32_t core_type, const void *data, size_t bytes,
					   const char *name)
{
	PTO_KEEP_ERRNO;
	struct pto_object object;
	char text[400];
	int rc = check_kernel(callable, func_id, core_type);

	if (rc)
		return rc;
	rc = pto_object_copy(&object, data, bytes, name, text, sizeof(text));
	if (rc)
		return pto_fail_callable(rc, "%s", text);
	return append_kernel(callable, func_id, core_type, &object);
}

PTO_API int pto_callable_set_symbols(struct pto_callable *callable, const char *entry,
				     const char *config)
{
	const char *names[] = { entry ? entry : "", config ? config : "" };
	int rc = check_callable(callable);

	if (rc)
		return rc;
	for (int i = 0; i < 2; i++)
		if (strlen(names[i]) >= PTO_SYMBOL_MAX)
			return pto_fail_callable(-EINVAL,
						 "symbol name of %zu bytes; %u are the most",
						 strlen(names[i]), PTO_SYMBOL_MAX - 1);
	memset(callable->entry, 0, sizeof(callable->entry));
	memset(callable->config, 0, sizeof(callable->config));
	memcpy(callable->entry, names[0], strlen(names[0]));
	memcpy(callable->config, names[1], strlen(names[1]));
	return 0;
}

PTO_API int pto_callable_set_kind(struct pto_callable *callable, uint32_t kind)
{
	int rc = check_callable(callable);

	if (rc)
		return rc;
	if (kind != PTO_KIND_DEVICE_ORCH && kind != PTO_KIND_HOST_GRAPH)
		return pto_fail_callable(-EINVAL,
					 "kind %u is neither DEVICE_ORCH (%u) nor HOST_GRAPH (%u)",
					 kind, PTO_KIND_DEVICE_ORCH, PTO_KIND_HOST_GRAPH);
	callable->kind = kind;
	return 0;
}

PTO_API int pto_callable_info_sized(const struct pto_callable *callable,
				    struct pto_object_info *info, size_t size)
{
	int rc = check_callable(callable);

	if (rc)
		return rc;
	pto_give(info, size, &callable->orch.info, sizeof(callable->orch.info));
	return 0;
}

PTO_API void pto_callable_free(struct pto_callable *callable)
{
	if (!callable)
		return;
	if (!pto_end_life(&callable->state, PTO_TYPE_CALLABLE)) {
		pto_fail_callable(-EBADF, "the callable has been freed");
		return;
	}
	for (uint32_t i = 0; i < callable->kernel_count; i++)
		pto_object_drop(&callable->kernels[i].object);
	free(callable->kernels);
	pto_object_drop(&callable->orch);
	pto_retire(callable, PTO_TYPE_CALLABLE);
}

/* --- prepare ---------------------------------------------------------------- */

static int upload(struct pto_context *ctx, const struct pto_object *obj, uint32_t *id)
{
	struct pto_ioc_image_create create = {
		.size = sizeof(create),
		.data_ptr = (uintptr_t)obj->data,
		.length = obj->bytes,
		.build_id_len = obj->info.build_id_len,
	};
	int rc;

	memcpy(create.build_id, obj->info.build_id, sizeof(create.build_id));
	rc = pto_ioctl(ctx, PTO_IMAGE_CREATE, &create);
	if (rc == -EFBIG)
		return pto_fail(ctx, rc, "%s: %zu bytes; the device takes images of %llu at most",
				obj->path, obj->bytes,
				(unsigned long long)ctx->info.max_image_size);
	if (rc == -ENOMEM)
		return pto_fail_room(ctx, obj->path, obj->bytes);
	if (rc)
		return pto_fail(ctx, rc, "%s: uploading %zu bytes: %s", obj->path, obj->bytes,
				pto_errno_name(rc));
	*id = create.id;
	return 0;
}

/* Free the ids of the images, to which the prepared callable has its own references. */
static void forget_images(struct pto_context *ctx, const struct pto_ioc_prepare *prepare,
			  const struct pto_kernel *kernels, uint32_t count)
{
	struct pto_ioc_image_destroy destroy = { .size = sizeof(destroy) };

	for (uint32_t i = 0; i < count; i++) {
		destroy.id = kernels[i].image;
		pto_ioctl(ctx, PTO_IMAGE_DESTROY, &destroy);
	}
	destroy.id = prepare->image;
	if (destroy.id)
		pto_ioctl(ctx, PTO_IMAGE_DESTROY, &destroy);
}

/*
 * The object whose name the first @length bytes of the device's explanation are; NULL if they are
 * none of the callable's.
 */
static const struct pto_object *object_of(const struct pto_callable *callable, const char *log,
					  int length)
{
	unsigned int func_id;
	int end = 0;

	if (length == strlen("orchestration") && !strncmp(log, "orchestration", length))
		return &callable->orch;
	if (sscanf(log, "kernel of func_id %u%n", &func_id, &end) != 1 || end != length)
		return NULL;
	for (uint32_t k = 0; k < callable->kernel_count; k++)
		if (callable->kernels[k].func_id == func_id)
			return &callable->kernels[k].object;
	return NULL;
}

/*
 * The device knows objects by their places in the callable, "kernel of func_id 3: ...". Add the
 * path that the application gave. Any other text stays as it is.
 */
static void explain(const struct pto_callable *callable, const char *log, char *text, size_t size)
{
	int length = (int)strcspn(log, ":");
	const struct pto_object *object = log[length] ? object_of(callable, log, length) : NULL;

	if (object)
		snprintf(text, size, "%.*s (%s)%s", length, log, object->path, log + length);
	else
		snprintf(text, size, "%s", *log ? log : "no explanation");
}

static int prepare_failed(struct pto_context *ctx, int rc, int cid,
			  const struct pto_callable *callable, const char *log)
{
	const char *name = callable->orch.name;
	char text[PTO_TEXT_SIZE];

	if (rc == -EOPNOTSUPP && callable->kind == PTO_KIND_HOST_GRAPH)
		return pto_fail(ctx, rc,
				"preparing %s: %s does not take callables of kind HOST_GRAPH; use DEVICE_ORCH",
				name, ctx->path);
	switch (rc) {
	case -EEXIST:
		return pto_fail(ctx, rc, "cid %d is in use; unprepare it first", cid);
	case -ENOSPC:
		return pto_fail(ctx, rc, "no cid is free: all %u are in use",
				ctx->info.max_callables);
	case -EBUSY:
		return pto_fail(ctx, rc,
				"too many unprepared callables still run; wait for them, then prepare %s again",
				name);
	default:
		explain(callable, log, text, sizeof(text));
		if (cid < 0)
			return pto_fail(ctx, rc, "registering %s: %s: %s", name,
					pto_errno_name(rc), text);
		return pto_fail(ctx, rc, "preparing %s as cid %d: %s: %s", name, cid,
				pto_errno_name(rc), text);
	}
}

/* Upload the objects, and prepare the callable. *@generation: that of the slot. */
static int prepare_images(struct pto_context *ctx, int cid, const struct pto_callable *callable,
			  struct pto_kernel *kernels, uint32_t *generation)
{
	char log[PTO_LOG_SIZE] = "";
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare),
		.cid = cid,
		.kind = callable->kind,
		.kernel_count = callable->kernel_count,
		.kernel_stride = sizeof(*kernels),
		.kernels_ptr = (uintptr_t)kernels,
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};
	uint32_t uploaded = 0;
	int rc = 0;

	if (callable->kind == PTO_KIND_DEVICE_ORCH) {
		memcpy(prepare.entry, callable->entry, sizeof(prepare.entry));
		memcpy(prepare.config, callable->config, sizeof(prepare.config));
		rc = upload(ctx, &callable->orch, &prepare.image);
	}
	while (!rc && uploaded < callable->kernel_count) {
		const struct pto_callable_kernel *kernel = &callable->kernels[uploaded];

		kernels[uploaded] = (struct pto_kernel){
			.func_id = kernel->func_id, .core_type = kernel->core_type,
		};
		rc = upload(ctx, &kernel->object, &kernels[uploaded].image);
		if (!rc)
			uploaded++;
	}
	if (!rc) {
		rc = pto_ioctl(ctx, PTO_PREPARE, &prepare);
		if (rc)
			prepare_failed(ctx, rc, cid, callable, log);
	}
	forget_images(ctx, &prepare, kernels, uploaded);
	*generation = prepare.generation;
	return rc ? rc : prepare.cid;
}

/* Prepare the callable; for HOST_GRAPH, first load the orchestration into this process. */
static int prepare_kind(struct pto_context *ctx, int cid, const struct pto_callable *callable,
			struct pto_kernel *kernels)
{
	struct pto_host_orch *orch = NULL;
	uint32_t generation;
	int rc = 0;

	if (callable->kind == PTO_KIND_HOST_GRAPH)
		rc = pto_host_load(ctx, callable, &orch);
	if (!rc)
		rc = prepare_images(ctx, cid, callable, kernels, &generation);
	if (rc < 0) {
		pto_host_put(ctx, orch);
		return rc;
	}
	if (orch) {
		orch->generation = generation;
		snprintf(orch->label, sizeof(orch->label),
			 "the orchestration %s, host graph, cid %d", callable->orch.name, rc);
	}
	pto_host_set(ctx, rc, orch);
	return rc;
}

/*
 * If the environment has ring sizes, create their arena first. Otherwise the driver would create
 * the default arena, which no run would use.
 */
static int prepare(struct pto_context *ctx, int cid, const struct pto_callable *callable)
{
	struct pto_kernel *kernels;
	uint32_t arena;
	int rc;

	if (!callable)
		return pto_fail(ctx, -EINVAL, "no callable to prepare");
	if (!pto_lives(&callable->state, PTO_TYPE_CALLABLE))
		return pto_fail_freed(ctx->serial, "callable");
	rc = pto_rings_arena(ctx, NULL, &arena);
	if (rc)
		return rc;
	kernels = calloc(callable->kernel_count + 1, sizeof(*kernels));
	if (!kernels)
		return pto_fail(ctx, -ENOMEM, "out of memory for %u kernels",
				callable->kernel_count);
	rc = prepare_kind(ctx, cid, callable, kernels);
	free(kernels);
	return rc;
}

static int check_cid(struct pto_context *ctx, int cid)
{
	if (cid < 0 || cid >= PTO_MAX_CALLABLES)
		return pto_fail(ctx, -EINVAL, "cid %d is not in 0 to %d", cid,
				PTO_MAX_CALLABLES - 1);
	return 0;
}

PTO_API int pto_prepare(struct pto_context *ctx, int cid, const struct pto_callable *callable)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	if (rc)
		return rc;
	rc = check_cid(ctx, cid);
	if (!rc)
		rc = prepare(ctx, cid, callable);
	return pto_end(ctx, rc < 0 ? rc : 0);
}

PTO_API int pto_register(struct pto_context *ctx, const struct pto_callable *callable)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, prepare(ctx, -1, callable));
}

static int unprepare(struct pto_context *ctx, int cid)
{
	struct pto_ioc_unprepare arg = { .size = sizeof(arg), .cid = cid };
	struct pto_host_orch *orch;
	int rc = check_cid(ctx, cid);

	if (rc)
		return rc;
	orch = pto_host_get(ctx, cid);
	rc = pto_ioctl(ctx, PTO_UNPREPARE, &arg);
	if (!rc)
		pto_host_clear(ctx, cid, orch);
	pto_host_put(ctx, orch);
	if (rc)
		return pto_fail(ctx, rc, "unpreparing cid %d: %s", cid, pto_errno_name(rc));
	return 0;
}

PTO_API int pto_unprepare(struct pto_context *ctx, int cid)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, unprepare(ctx, cid));
}
