// SPDX-License-Identifier: MIT
/*
 * Memory of one simulated device for another one. An import has a range of the other device's
 * window, where the window's file stays empty. All devices are in this process, so the memory is
 * mapped over that range of the window, and the range is the window's again when the import ends.
 */
#include "share.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "raw.h"
#include "transport.h"

/**
 * struct sim_import - an import
 * @transport: the device that has imported
 * @share: what it has imported; a reference
 * @offset: in the window of @transport
 *
 * Made with its struct pto_memory, and freed with it.
 */
struct sim_import {
	struct sim_transport *transport;
	struct sim_share *share;
	uint64_t offset;
};

/* Map a part of a device's file over a range of a window. */
static int show(char *at, uint64_t length, int fd, uint64_t offset)
{
	long ret;

	if (fd < 0)
		return fd;
	ret = sim_raw(SYS_mmap, at, length, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, offset);
	if (ret < 0 && ret > -4096)
		return (int)ret;
	/* As the window, see window_map() and transport_start(). */
	sim_raw(SYS_munlock, at, length);
	sim_raw(SYS_madvise, at, length, MADV_DONTDUMP);
	sim_raw(SYS_madvise, at, length, MADV_DONTFORK);
	return 0;
}

static void *import_access(void *priv, u64 offset, size_t *length)
{
	const struct sim_import *import = priv;

	return sim_transport_window(import->transport) + import->offset + offset;
}

/*
 * What is there next must not be the other device's. If the application has closed the window's
 * file, nothing can be shared any more, but the device goes on with memory of its own.
 */
static void import_release(void *priv)
{
	struct sim_import *import = priv;
	char *at = sim_transport_window(import->transport) + import->offset;
	uint64_t length = pto_memory_length(import->share->memory);
	long ret;

	if (show(at, length, sim_transport_memory_fd(import->transport, true), import->offset)) {
		ret = sim_raw(SYS_mmap, at, length, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED | MAP_NORESERVE | MAP_ANONYMOUS, -1, 0);
		if (ret < 0 && ret > -4096) {
			sim_say("cannot take back what a device has imported");
			abort();
		}
	}
	sim_share_put(import->share);
	free(import);
}

static const struct pto_foreign_ops import_ops = {
	.access = import_access,
	.release = import_release,
};

/* Takes over the reference to the dma-buf. */
static struct pto_memory *import_foreign(struct sim_transport *t, struct sim_share *share)
{
	struct sim_import *import = calloc(1, sizeof(*import));
	uint64_t length = pto_memory_length(share->memory);
	struct pto_memory *memory;

	if (!import) {
		sim_share_put(share);
		return ERR_PTR(-ENOMEM);
	}
	import->transport = t;
	import->share = share;
	memory = pto_memory_foreign(sim_transport_core(t), length, &import_ops, import);
	if (IS_ERR(memory)) {
		sim_share_put(share);
		free(import);
		return memory;
	}
	import->offset = pto_memory_offset(memory);
	if (!show(sim_transport_window(t) + import->offset, length,
		  sim_transport_memory_fd(share->transport, true),
		  pto_memory_offset(share->memory)))
		return memory;
	pto_memory_put(memory);
	return ERR_PTR(-ENOMEM);
}

struct pto_memory *sim_import(struct sim_transport *t, int fd)
{
	struct sim_share *share = sim_share_get(fd);
	struct pto_memory *memory;

	if (IS_ERR(share))
		return ERR_CAST(share);
	if (share->transport != t)
		return import_foreign(t, share);
	memory = pto_memory_get(share->memory);
	sim_share_put(share);
	return memory;
}

struct sim_share *sim_import_share(const struct pto_memory *memory)
{
	const struct sim_import *import = pto_memory_priv(memory, &import_ops);

	return import ? import->share : NULL;
}

int sim_import_export(struct sim_transport *t, struct pto_memory *memory,
		      int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	struct sim_share *share = sim_import_share(memory);

	return share ? sim_share_again(share, tell, call) : sim_share_new(t, memory, tell, call);
}
