// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <xf86drm.h>

#include "module/pto_peer.h"
#include "peers.h"

#define MAX_CARDS	16
#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"

/* Of drivers/dma-buf/sw_sync.c; no header has them, as it is there for tests only. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

/* Of drm/vgem_drm.h, which neither libdrm nor Debian's kernel headers have. */
struct vgem_fence_attach {
	__u32 handle;
	__u32 flags;
	__u32 out_fence;
	__u32 pad;
};

struct vgem_fence_signal {
	__u32 fence;
	__u32 flags;
};

#define VGEM_FENCE_WRITE	1
#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)
#define SW_SYNC_IOC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC			_IOW('W', 1, __u32)

static int call(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

/* What is not there, or has been built without a driver behind it, is -ENOENT. */
static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
}

/* --- DRM drivers ------------------------------------------------------------------------ */

static bool drm_is(int fd, const char *driver)
{
	drmVersionPtr version = drmGetVersion(fd);
	bool same = version && !strcmp(version->name, driver);

	drmFreeVersion(version);
	return same;
}

/* Open the first card that @fits, or what was wrong with the last one. */
static int card_open(bool (*fits)(int fd, const char *arg), const char *arg)
{
	char path[32];
	int i, fd, err = -ENOENT;

	for (i = 0; i < MAX_CARDS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open_node(path);
		if (fd < 0) {
			err = fd == -ENOENT ? err : fd;
			continue;
		}
		if (fits(fd, arg))
			return fd;
		close(fd);
	}
	return err;
}

int peer_drm_open(const char *driver)
{
	return card_open(drm_is, driver);
}

bool peer_drm_prime(int drm)
{
	const uint64_t both = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT;
	uint64_t value;

	return !drmGetCap(drm, DRM_CAP_PRIME, &value) && (value & both) == both;
}

/* A row of pixels is a page. */
int peer_dumb_new(int drm, size_t bytes, struct peer_dumb *dumb)
{
	struct drm_mode_create_dumb arg = {
		.width = PEER_PAGE / 4,
		.height = (uint32_t)(bytes / PEER_PAGE),
		.bpp = 32,
	};
	int err = call(drm, DRM_IOCTL_MODE_CREATE_DUMB, &arg);

	if (err)
		return err;
	*dumb = (struct peer_dumb){ .drm = drm, .handle = arg.handle, .bytes = arg.size };
	return 0;
}

int peer_dumb_import(int drm, int dmabuf, size_t bytes, struct peer_dumb *dumb)
{
	uint32_t handle;

	if (drmPrimeFDToHandle(drm, dmabuf, &handle))
		return -errno;
	*dumb = (struct peer_dumb){ .drm = drm, .handle = handle, .bytes = bytes };
	return 0;
}

int peer_dumb_export(const struct peer_dumb *dumb)
{
	int fd;

	if (drmPrimeHandleToFD(dumb->drm, dumb->handle, DRM_CLOEXEC | DRM_RDWR, &fd))
		return -errno;
	return fd;
}

int peer_dumb_map(const struct peer_dumb *dumb, void **map)
{
	struct drm_mode_map_dumb arg = { .handle = dumb->handle };
	int err = call(dumb->drm, DRM_IOCTL_MODE_MAP_DUMB, &arg);

	if (err)
		return err;
	*map = mmap(NULL, dumb->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dumb->drm,
		    (off_t)arg.offset);
	return *map == MAP_FAILED ? -errno : 0;
}

void peer_dumb_free(struct peer_dumb *dumb)
{
	struct drm_gem_close arg = { .handle = dumb->handle };

	if (dumb->handle)
		call(dumb->drm, DRM_IOCTL_GEM_CLOSE, &arg);
	dumb->handle = 0;
}

/* --- exporters that are no DRM drivers ---------------------------------------------------- */

static int memfd_new(size_t bytes, void **map)
{
	int memfd = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (memfd < 0)
		return -errno;
	*map = MAP_FAILED;
	if (!ftruncate(memfd, (off_t)bytes) && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		*map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (*map != MAP_FAILED)
		return memfd;
	err = -errno;
	close(memfd);
	return err;
}

int peer_udmabuf_new(size_t bytes, void **map)
{
	struct udmabuf_create arg = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = bytes };
	int node = open_node("/dev/udmabuf");
	int memfd, fd;

	if (node < 0)
		return node;
	memfd = memfd_new(bytes, map);
	if (memfd < 0) {
		close(node);
		return memfd;
	}
	arg.memfd = (uint32_t)memfd;
	fd = ioctl(node, UDMABUF_CREATE, &arg);
	if (fd < 0) {
		fd = -errno;
		munmap(*map, bytes);
	}
	close(memfd);
	close(node);
	return fd;
}

int peer_heap_new(size_t bytes)
{
	struct dma_heap_allocation_data arg = { .len = bytes, .fd_flags = O_RDWR | O_CLOEXEC };
	int node = open_node("/dev/dma_heap/system");
	int err;

	if (node < 0)
		return node;
	err = call(node, DMA_HEAP_IOCTL_ALLOC, &arg);
	close(node);
	return err ? err : (int)arg.fd;
}

/* --- an importer that shows what it finds --------------------------------------------------- */

int peer_importer_open(void)
{
	return peer_drm_open(PTO_PEER_NAME);
}

static int importer_copy(int importer, int dmabuf, enum peer_way way, size_t offset,
			 uintptr_t memory, size_t bytes, bool write)
{
	struct pto_peer_copy arg = {
		.fd = dmabuf,
		.how = way == PEER_DMA ? PTO_PEER_DMA : PTO_PEER_VMAP,
		.write = write,
		.offset = offset,
		.length = bytes,
		.user_ptr = memory,
	};

	return call(importer, DRM_IOCTL_PTO_PEER_COPY, &arg);
}

int peer_importer_read(int importer, int dmabuf, enum peer_way way, size_t offset, void *to,
		       size_t bytes)
{
	return importer_copy(importer, dmabuf, way, offset, (uintptr_t)to, bytes, false);
}

int peer_importer_write(int importer, int dmabuf, enum peer_way way, size_t offset,
			const void *from, size_t bytes)
{
	return importer_copy(importer, dmabuf, way, offset, (uintptr_t)from, bytes, true);
}

/* Odd sizes and places, across the borders of pages */
static int importer_parts(int importer, int dmabuf, enum peer_way way, char *map, size_t bytes,
			  char *buffer)
{
	size_t at = PEER_PAGE - 3, n = bytes - at - 5;
	int err;

	memset(buffer, 0xa5, n);
	err = peer_importer_write(importer, dmabuf, way, at, buffer, n);
	if (err)
		return err;
	if (memcmp(map + at, buffer, n) || map[at - 1] != 0x5a || map[at + n] != 0x5a)
		return 1;
	memset(map + at, 0x77, n);
	err = peer_importer_read(importer, dmabuf, way, at - 1, buffer, n + 2);
	if (err)
		return err;
	return memcmp(map + at - 1, buffer, n + 2) != 0;
}

static int importer_way(int importer, int dmabuf, enum peer_way way, void *map, size_t bytes,
			void *buffer)
{
	int err;

	peer_fill(map, bytes, 100 + way);
	memset(buffer, 0, bytes);
	err = peer_importer_read(importer, dmabuf, way, 0, buffer, bytes);
	if (err)
		return err;
	if (peer_wrong(buffer, bytes, 100 + way))
		return 1;
	peer_fill(buffer, bytes, 200 + way);
	err = peer_importer_write(importer, dmabuf, way, 0, buffer, bytes);
	if (err)
		return err;
	if (peer_wrong(map, bytes, 200 + way))
		return 1;
	memset(map, 0x5a, bytes);
	return importer_parts(importer, dmabuf, way, map, bytes, buffer);
}

int peer_importer_check(int importer, int dmabuf, void *map, size_t bytes, bool vmap)
{
	void *buffer = malloc(bytes);
	int err;

	if (!buffer)
		return -ENOMEM;
	err = importer_way(importer, dmabuf, PEER_DMA, map, bytes, buffer);
	if (!err && vmap)
		err = importer_way(importer, dmabuf, PEER_VMAP, map, bytes, buffer);
	free(buffer);
	return err;
}

/* --- dma-bufs ----------------------------------------------------------------------------- */

long long peer_dmabuf_size(int dmabuf)
{
	off_t end = lseek(dmabuf, 0, SEEK_END);

	if (end < 0 || lseek(dmabuf, 0, SEEK_SET))
		return -errno;
	return end;
}

int peer_dmabuf_map(int dmabuf, size_t bytes, void **map)
{
	*map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	return *map == MAP_FAILED ? -errno : 0;
}

static int dmabuf_sync(int dmabuf, uint64_t flags)
{
	struct dma_buf_sync arg = { .flags = flags };

	return call(dmabuf, DMA_BUF_IOCTL_SYNC, &arg);
}

int peer_dmabuf_begin(int dmabuf, bool write)
{
	return dmabuf_sync(dmabuf, DMA_BUF_SYNC_START |
				   (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}

int peer_dmabuf_end(int dmabuf, bool write)
{
	return dmabuf_sync(dmabuf, DMA_BUF_SYNC_END |
				   (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}

/* Different in every word, so that pages in the wrong order show. */
static uint32_t pattern(size_t i, uint32_t seed)
{
	return seed + (uint32_t)i * 2654435761u;
}

void peer_fill(void *map, size_t bytes, uint32_t seed)
{
	uint32_t *words = map;
	size_t i;

	for (i = 0; i < bytes / sizeof(*words); i++)
		words[i] = pattern(i, seed);
}

size_t peer_wrong(const void *map, size_t bytes, uint32_t seed)
{
	const uint32_t *words = map;
	size_t i, wrong = 0;

	for (i = 0; i < bytes / sizeof(*words); i++)
		wrong += words[i] != pattern(i, seed);
	return wrong;
}

/* --- fences ------------------------------------------------------------------------------- */

int peer_timeline_new(void)
{
	return open_node(SW_SYNC);
}

int peer_timeline_fence(int timeline, uint32_t value)
{
	struct sw_sync_create_fence_data arg = { .value = value, .name = "test" };
	int err = call(timeline, SW_SYNC_IOC_CREATE_FENCE, &arg);

	return err ? err : arg.fence;
}

int peer_timeline_advance(int timeline, uint32_t by)
{
	return call(timeline, SW_SYNC_IOC_INC, &by);
}

int peer_fence_status(int fence)
{
	struct sync_file_info info = { .num_fences = 0 };
	int err = call(fence, SYNC_IOC_FILE_INFO, &info);

	return err ? err : info.status;
}

int peer_fence_count(int fence)
{
	struct sync_file_info info = { .num_fences = 0 };
	int err = call(fence, SYNC_IOC_FILE_INFO, &info);

	return err ? err : (int)info.num_fences;
}

int peer_fence_merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "merged", .fd2 = b };
	int err = call(a, SYNC_IOC_MERGE, &arg);

	return err ? err : arg.fence;
}

int peer_fence_wait(int fence, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fence, .events = POLLIN };
	int n = poll(&poll_fd, 1, timeout_ms);

	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	return poll_fd.revents & POLLIN ? 0 : -EIO;
}

int peer_vgem_fence_attach(const struct peer_dumb *dumb, bool write, uint32_t *fence)
{
	struct vgem_fence_attach arg = {
		.handle = dumb->handle,
		.flags = write ? VGEM_FENCE_WRITE : 0,
	};
	int err = call(dumb->drm, VGEM_FENCE_ATTACH, &arg);

	*fence = arg.out_fence;
	return err;
}

int peer_vgem_fence_signal(int drm, uint32_t fence)
{
	struct vgem_fence_signal arg = { .fence = fence };

	return call(drm, VGEM_FENCE_SIGNAL, &arg);
}

int peer_dmabuf_fence(int dmabuf, bool write)
{
	struct dma_buf_export_sync_file arg = {
		.flags = write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ,
		.fd = -1,
	};
	int err = call(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg);

	return err ? err : arg.fd;
}

static int pending_of_timeline(struct peer_pending *pending)
{
	pending->timeline = peer_timeline_new();
	if (pending->timeline < 0)
		return pending->timeline;
	pending->fence = peer_timeline_fence(pending->timeline, 1);
	return pending->fence < 0 ? pending->fence : 0;
}

static int pending_of_vgem(struct peer_pending *pending)
{
	int drm = peer_drm_open("vgem");
	int dmabuf, err;

	if (drm < 0)
		return drm;
	err = peer_dumb_new(drm, PEER_PAGE, &pending->dumb);
	if (err) {
		close(drm);
		return err;
	}
	err = peer_vgem_fence_attach(&pending->dumb, true, &pending->number);
	if (err)
		return err;
	dmabuf = peer_dumb_export(&pending->dumb);
	if (dmabuf < 0)
		return dmabuf;
	pending->fence = peer_dmabuf_fence(dmabuf, false);
	close(dmabuf);
	return pending->fence < 0 ? pending->fence : 0;
}

int peer_pending_new(struct peer_pending *pending)
{
	int err;

	*pending = (struct peer_pending){ .fence = -1, .timeline = -1 };
	err = pending_of_timeline(pending);
	if (err == -ENOENT)
		err = pending_of_vgem(pending);
	if (err)
		peer_pending_free(pending);
	return err;
}

int peer_pending_signal(struct peer_pending *pending)
{
	if (pending->timeline >= 0)
		return peer_timeline_advance(pending->timeline, 1);
	return peer_vgem_fence_signal(pending->dumb.drm, pending->number);
}

void peer_pending_free(struct peer_pending *pending)
{
	int drm = pending->dumb.handle ? pending->dumb.drm : -1;

	peer_dumb_free(&pending->dumb);
	if (drm >= 0)
		close(drm);
	if (pending->timeline >= 0)
		close(pending->timeline);
	if (pending->fence >= 0)
		close(pending->fence);
}

/* --- syncobjs ------------------------------------------------------------------------------- */

static bool has_timelines(int fd, const char *unused)
{
	uint64_t plain, timeline;

	return !drmGetCap(fd, DRM_CAP_SYNCOBJ, &plain) && plain &&
	       !drmGetCap(fd, DRM_CAP_SYNCOBJ_TIMELINE, &timeline) && timeline;
}

int peer_syncobj_open(void)
{
	return card_open(has_timelines, NULL);
}
