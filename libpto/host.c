// SPDX-License-Identifier: MIT
/*
 * Orchestrations of callables of kind HOST_GRAPH, which are loaded into this process.
 *
 * Each prepare loads the object again, so that each cid has its own static data, as on the device.
 * The object is loaded from a sealed memfd (runtime/load.c); nothing is written to a file system.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pto_private.h"
#include "runtime/image.h"
#include "runtime/load.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define MEMFD_NAME "pto-host-orch"

/* --- loading -------------------------------------------------------------------- */

static int write_all(int fd, const void *data, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = write(fd, (const char *)data + done, bytes - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += n;
	}
	return 0;
}

/* Write the object, changed by pto_image_own(), and seal the memfd. */
static int fill_memfd(int fd, const struct pto_object *obj, struct pto_image_facts *facts)
{
	int rc = write_all(fd, obj->data, obj->bytes);
	void *own;

	if (rc)
		return rc;
	own = mmap(NULL, obj->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (own == MAP_FAILED)
		return -errno;
	pto_image_own(own, obj->bytes, pto_thread_atexit, facts);
	munmap(own, obj->bytes);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return -errno;
	return 0;
}

/* Create a memfd with the object. Return: the descriptor or a negative errno */
static int open_memfd(const struct pto_object *obj, struct pto_image_facts *facts)
{
	int fd = memfd_create(MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int rc;

	/* Linux before 6.3 does not know the last flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(MEMFD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	rc = fill_memfd(fd, obj, facts);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/* Record the address range in which destructors of threads may lie. */
static void know_exits(struct pto_host_orch *orch, const struct pto_image_facts *facts)
{
	struct link_map *map;

	if (!facts->exits || dlinfo(orch->handle, RTLD_DI_LINKMAP, &map))
		return;
	orch->retired.begin = map->l_addr;
	orch->retired.end = map->l_addr + facts->span;
}

static int load_object(struct pto_context *ctx, const struct pto_object *obj,
		       struct pto_host_orch *orch)
{
	struct pto_image_facts facts;
	int fd = open_memfd(obj, &facts);
	char label[160], why[256];
	int rc = 0;

	if (fd < 0)
		return pto_fail(ctx, fd, "%s: no memfd of %zu bytes: %s", obj->name, obj->bytes,
				pto_errno_name(fd));
	snprintf(orch->name, sizeof(orch->name), "%s", obj->name);
	snprintf(label, sizeof(label), "a constructor of %s, host graph", orch->name);
	pto_host_code(label);
	orch->handle = pto_load_open(fd, obj->name, why, sizeof(why));
	pto_host_code(NULL);
	if (!orch->handle)
		rc = pto_fail(ctx, -errno, "%s: this process cannot load it: %s", obj->name, why);
	else
		know_exits(orch, &facts);
	close(fd);
	return rc;
}

/* Looks a symbol up in the object itself, not in the libraries that it needs. */
static void *find_symbol(void *handle, const char *symbol)
{
	struct link_map *found = NULL, *self = NULL;
	void *addr = dlsym(handle, symbol);
	Dl_info info;

	if (!addr || dlinfo(handle, RTLD_DI_LINKMAP, &self) ||
	    !dladdr1(addr, &info, (void **)&found, RTLD_DL_LINKMAP))
		return NULL;
	return found == self ? addr : NULL;
}

/* A named configuration function must exist, the default one may be absent. */
static int find_symbols(struct pto_context *ctx, const struct pto_callable *callable,
			struct pto_host_orch *orch)
{
	const char *entry = *callable->entry ? callable->entry : "aicpu_orchestration_entry";
	const char *config = *callable->config ? callable->config : "aicpu_orchestration_config";

	orch->entry = (pto_orch_entry_fn)find_symbol(orch->handle, entry);
	orch->config = (pto_orch_config_fn)find_symbol(orch->handle, config);
	if (!orch->entry)
		return pto_fail(ctx, -ENOEXEC, "%s: it does not define its entry \"%s\"",
				callable->orch.name, entry);
	if (!orch->config && *callable->config)
		return pto_fail(ctx, -ENOEXEC,
				"%s: it does not define its configuration function \"%s\"",
				callable->orch.name, config);
	return 0;
}

static void unload_orch(struct pto_host_orch *orch)
{
	char label[160];

	if (orch->handle) {
		snprintf(label, sizeof(label), "a destructor of %s, host graph", orch->name);
		pto_host_code(label);
		pto_load_close(orch->handle);
		pto_host_code(NULL);
	}
	pthread_mutex_destroy(&orch->lock);
	free(orch);
}

/* All threads have called their destructors of the object. */
static void finish_orch(struct pto_retired *retired)
{
	unload_orch((struct pto_host_orch *)((char *)retired -
					     offsetof(struct pto_host_orch, retired)));
}

/* Unload it now, or once the last thread has destroyed its thread_local objects of it. */
static void free_orch(struct pto_host_orch *orch)
{
	if (orch->handle && orch->retired.end && !pto_thread_retire(&orch->retired))
		return;
	unload_orch(orch);
}

int pto_host_load(struct pto_context *ctx, const struct pto_callable *callable,
		  struct pto_host_orch **out)
{
	struct pto_host_orch *orch = calloc(1, sizeof(*orch));
	int rc;

	if (!orch)
		return pto_fail(ctx, -ENOMEM, "out of memory for an orchestration");
	pto_thread_tidy();
	orch->refs = 1;
	orch->retired.finish = finish_orch;
	pthread_mutex_init(&orch->lock, NULL);
	memset(orch->core_types, -1, sizeof(orch->core_types));
	for (uint32_t i = 0; i < callable->kernel_count; i++)
		orch->core_types[callable->kernels[i].func_id] = callable->kernels[i].core_type;
	rc = load_object(ctx, &callable->orch, orch);
	if (!rc)
		rc = find_symbols(ctx, callable, orch);
	if (rc) {
		free_orch(orch);
		return rc;
	}
	*out = orch;
	return 0;
}

/* --- the context's cids ------------------------------------------------------------ */

struct pto_host_orch *pto_host_get(struct pto_context *ctx, int cid)
{
	struct pto_host_orch *orch;

	if (cid < 0 || cid >= PTO_MAX_CALLABLES ||
	    !__atomic_load_n(&ctx->host[cid], __ATOMIC_RELAXED))
		return NULL;
	pthread_mutex_lock(&ctx->lock);
	orch = ctx->host[cid];
	if (orch)
		orch->refs++;
	pthread_mutex_unlock(&ctx->lock);
	return orch;
}

void pto_host_put(struct pto_context *ctx, struct pto_host_orch *orch)
{
	bool last;

	if (!orch)
		return;
	pthread_mutex_lock(&ctx->lock);
	last = !--orch->refs;
	pthread_mutex_unlock(&ctx->lock);
	if (last)
		free_orch(orch);
}

void pto_host_set(struct pto_context *ctx, int cid, struct pto_host_orch *orch)
{
	struct pto_host_orch *old;

	pthread_mutex_lock(&ctx->lock);
	old = ctx->host[cid];
	__atomic_store_n(&ctx->host[cid], orch, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ctx->lock);
	pto_host_put(ctx, old);
}

void pto_host_clear(struct pto_context *ctx, int cid, struct pto_host_orch *orch)
{
	bool mine;

	if (!orch)
		return;
	pthread_mutex_lock(&ctx->lock);
	mine = ctx->host[cid] == orch;
	if (mine)
		__atomic_store_n(&ctx->host[cid], NULL, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ctx->lock);
	if (mine)
		pto_host_put(ctx, orch);
}

/* In a forked child the objects stay loaded, so that their destructors run in the parent only. */
void pto_host_close(struct pto_context *ctx)
{
	bool forked = pto_forked(ctx);

	for (int cid = 0; cid < PTO_MAX_CALLABLES; cid++) {
		struct pto_host_orch *orch = ctx->host[cid];

		if (!orch)
			continue;
		if (forked)
			orch->handle = NULL;
		free_orch(orch);
	}
}
