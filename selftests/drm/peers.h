/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Other drivers of the kernel that share memory or fences, for tests of ours: vgem by libdrm,
 * udmabuf, the system heap of dma-heap, sync_file, sw_sync, and syncobjs of any DRM driver that
 * has them. tools/vm gives them to a test machine as far as its kernel has them.
 *
 * Functions return 0 (or something not negative) or a negative errno; none prints. A peer that
 * this machine lacks is -ENOENT.
 */
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_PAGE 4096UL

/** PEER_NEED() - skip the test if the peer is not there; any other error is a failure */
#define PEER_NEED(fd, what) do { \
	if ((fd) == -ENOENT) \
		SKIP(return, "this kernel has no %s", what); \
	ASSERT_GE(fd, 0) \
		TH_LOG("%s: %s", what, strerror(-(fd))); \
} while (0)

/* --- DRM drivers ------------------------------------------------------------------------ */

/** peer_drm_open() - open the primary node of the DRM driver with this name. Return: fd */
int peer_drm_open(const char *driver);

/** peer_drm_prime() - does it export and import dma-bufs? */
bool peer_drm_prime(int drm);

/**
 * struct peer_dumb - a dumb buffer of a DRM driver, or a buffer that it has imported
 * @drm: its device
 * @handle: its GEM handle
 * @bytes: its size
 */
struct peer_dumb {
	int drm;
	uint32_t handle;
	size_t bytes;
};

/** peer_dumb_new() - create a dumb buffer of whole pages */
int peer_dumb_new(int drm, size_t bytes, struct peer_dumb *dumb);

/** peer_dumb_import() - import a dma-buf, of @bytes bytes, which the caller keeps */
int peer_dumb_import(int drm, int dmabuf, size_t bytes, struct peer_dumb *dumb);

/** peer_dumb_export() - make a dma-buf of it. Return: fd */
int peer_dumb_export(const struct peer_dumb *dumb);

/**
 * peer_dumb_map() - map a buffer of the driver's own through its device
 *
 * *@map is to be unmapped by the caller. DRM refuses imported ones (-EINVAL).
 */
int peer_dumb_map(const struct peer_dumb *dumb, void **map);

/** peer_dumb_free() - give its handle back */
void peer_dumb_free(struct peer_dumb *dumb);

/* --- exporters that are no DRM drivers ---------------------------------------------------- */

/** peer_udmabuf_new() - a dma-buf of the pages of a new memfd, which is mapped at *@map */
int peer_udmabuf_new(size_t bytes, void **map);

/** peer_heap_new() - a dma-buf of the system heap. Return: fd */
int peer_heap_new(size_t bytes);

/* --- an importer that shows what it finds (module/pto_peer.c) ------------------------------ */

/** peer_importer_open() - open it. Return: fd */
int peer_importer_open(void);

/** enum peer_way - how it gets at the memory of a dma-buf */
enum peer_way {
	PEER_DMA,	/* as a device, by DMA addresses */
	PEER_VMAP,	/* as the kernel, by a mapping */
};

/** peer_importer_read(), peer_importer_write() - import a dma-buf, copy, and give it back */
int peer_importer_read(int importer, int dmabuf, enum peer_way way, size_t offset, void *to,
		       size_t bytes);
int peer_importer_write(int importer, int dmabuf, enum peer_way way, size_t offset,
			const void *from, size_t bytes);

/**
 * peer_importer_check() - does it find the memory at @map, and this what it writes, both ways?
 * @map: a mapping of the memory; its contents change
 * @vmap: by a mapping of the kernel, too. (udmabuf has none before 6.2.)
 *
 * Return: 0; 1: something else was found; or a negative errno.
 */
int peer_importer_check(int importer, int dmabuf, void *map, size_t bytes, bool vmap);

/* --- dma-bufs ----------------------------------------------------------------------------- */

/** peer_dmabuf_size() - bytes of a dma-buf, or -errno */
long long peer_dmabuf_size(int dmabuf);

/** peer_dmabuf_map() - map a dma-buf */
int peer_dmabuf_map(int dmabuf, size_t bytes, void **map);

/** peer_dmabuf_begin(), peer_dmabuf_end() - bracket accesses of the processor */
int peer_dmabuf_begin(int dmabuf, bool write);
int peer_dmabuf_end(int dmabuf, bool write);

/** peer_fill() - write a pattern that depends on @seed and on the place */
void peer_fill(void *map, size_t bytes, uint32_t seed);

/** peer_wrong() - how many words are not the pattern's */
size_t peer_wrong(const void *map, size_t bytes, uint32_t seed);

/* --- fences ------------------------------------------------------------------------------- */

/** peer_timeline_new() - a timeline of sw_sync, at 0. Return: fd */
int peer_timeline_new(void);

/** peer_timeline_fence() - a sync_file that signals when the timeline reaches @value. Return: fd */
int peer_timeline_fence(int timeline, uint32_t value);

/** peer_timeline_advance() - raise its value by @by */
int peer_timeline_advance(int timeline, uint32_t by);

/** peer_fence_status() - of a sync_file: 1 signalled, 0 not, or its error */
int peer_fence_status(int fence);

/** peer_fence_count() - number of fences of a sync_file */
int peer_fence_count(int fence);

/** peer_fence_merge() - a sync_file of the fences of two. Return: fd */
int peer_fence_merge(int a, int b);

/** peer_fence_wait() - wait with poll() until it has signalled, or -ETIMEDOUT. 0 ms: look */
int peer_fence_wait(int fence, int timeout_ms);

/**
 * peer_vgem_fence_attach() - attach a new fence to a buffer of vgem
 * @write: it stands for a write
 * @fence: out: its number, for peer_vgem_fence_signal(). vgem itself ends it, as failed, after ten
 *	seconds
 */
int peer_vgem_fence_attach(const struct peer_dumb *dumb, bool write, uint32_t *fence);
int peer_vgem_fence_signal(int drm, uint32_t fence);

/** peer_dmabuf_fence() - a sync_file of what a reader, or a writer, has to wait for. Return: fd */
int peer_dmabuf_fence(int dmabuf, bool write);

/**
 * struct peer_pending - a fence that signals when the test says so; of sw_sync, or else of vgem
 * @fence: it, as a sync_file
 * @timeline: the timeline of sw_sync, or -1
 * @dumb: the buffer of vgem to which it is attached
 * @number: vgem's number for it
 */
struct peer_pending {
	int fence;
	int timeline;
	struct peer_dumb dumb;
	uint32_t number;
};

/** peer_pending_new() - make one. vgem's ends by itself, as failed, after ten seconds */
int peer_pending_new(struct peer_pending *pending);

/** peer_pending_signal() - let it signal */
int peer_pending_signal(struct peer_pending *pending);
void peer_pending_free(struct peer_pending *pending);

/* --- syncobjs ------------------------------------------------------------------------------- */

/** peer_syncobj_open() - open a DRM device whose driver has syncobjs with timelines. Return: fd */
int peer_syncobj_open(void);

#endif /* PEERS_H */
