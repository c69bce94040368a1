// SPDX-License-Identifier: GPL-2.0
/*
 * libpto-drm: buffers as handles of vgem and of our importer, and back; sync_files as syncobjs and
 * points of timelines, and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pto/drm.h>
#include <xf86drm.h>

#include "peers.h"
#include "pttest.h"

#define BYTES	(3 * PEER_PAGE)

/* --- buffers ------------------------------------------------------------------------------ */

FIXTURE(buffers)
{
	int fd;		/* vgem */
	struct pto_context *ctx;
	struct pto_buffer *buffer;
};

FIXTURE_SETUP(buffers)
{
	struct pto_device_info info;
	char path[32];
	int found;

	self->fd = peer_drm_open("vgem");
	PEER_NEED(self->fd, "vgem");
	PT_FIND(found, 0, path);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	ASSERT_EQ(0, pto_query_device(self->ctx, &info));
	if (!(info.features & PTO_FEATURE_DMABUF)) {
		pto_close(self->ctx);
		close(self->fd);
		self->fd = -1;
		SKIP(return, "the device has no dma-bufs");
	}
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, BYTES, PTO_PLACE_DEVICE, &self->buffer));
	ASSERT_NE(NULL, pto_buffer_map(self->buffer));
}

FIXTURE_TEARDOWN(buffers)
{
	if (self->fd < 0)
		return;
	pto_close(self->ctx);
	close(self->fd);
}

/* Out to vgem, and back from its handle as another handle of the buffer */
PT_TEST_F(buffers, there_and_back)
{
	struct pto_buffer *back;
	uint32_t handle;

	ASSERT_EQ(0, pto_drm_buffer_export(self->buffer, self->fd, &handle));
	EXPECT_NE(0, handle);
	ASSERT_EQ(0, pto_drm_buffer_import(self->ctx, self->fd, handle, &back));
	EXPECT_EQ(BYTES, pto_buffer_size(back));
	EXPECT_EQ(pto_buffer_device_addr(self->buffer), pto_buffer_device_addr(back));
	EXPECT_EQ(0, drmCloseBufferHandle(self->fd, handle));
	ASSERT_NE(NULL, pto_buffer_map(back));
	peer_fill(pto_buffer_map(self->buffer), BYTES, 1);
	pto_buffer_free(self->buffer);
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(back), BYTES, 1));
}

/* The handle of another DRM device keeps the memory, and gives a dma-buf of it. */
PT_TEST_F(buffers, handle_keeps_memory)
{
	struct peer_dumb dumb = { .drm = self->fd, .bytes = BYTES };
	void *map;
	int dmabuf;

	ASSERT_EQ(0, pto_drm_buffer_export(self->buffer, self->fd, &dumb.handle));
	peer_fill(pto_buffer_map(self->buffer), BYTES, 2);
	pto_buffer_free(self->buffer);
	dmabuf = peer_dumb_export(&dumb);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &map));
	EXPECT_EQ(0, peer_wrong(map, BYTES, 2));
	munmap(map, BYTES);
	close(dmabuf);
	peer_dumb_free(&dumb);
}

PT_TEST_F(buffers, refused)
{
	struct pto_buffer *none = NULL;
	uint32_t handle = 0;

	errno = 77;
	EXPECT_EQ(-ENOENT, pto_drm_buffer_import(self->ctx, self->fd, 4711, &none));
	EXPECT_EQ(-EBADF, pto_drm_buffer_import(self->ctx, -1, 1, &none));
	EXPECT_EQ(-EBADF, pto_drm_buffer_export(self->buffer, -1, &handle));
	EXPECT_EQ(-EINVAL, pto_drm_buffer_export(NULL, self->fd, &handle));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(NULL, none);
}

/* Memory of vgem itself: its handle is not needed afterwards. */
PT_TEST_F(buffers, of_vgem)
{
	struct pto_buffer *theirs;
	struct peer_dumb dumb;
	uint32_t again;
	void *map;

	ASSERT_EQ(0, peer_dumb_new(self->fd, BYTES, &dumb));
	ASSERT_EQ(0, peer_dumb_map(&dumb, &map));
	ASSERT_EQ(0, pto_drm_buffer_import(self->ctx, self->fd, dumb.handle, &theirs));
	EXPECT_EQ(BYTES, pto_buffer_size(theirs));
	ASSERT_NE(NULL, pto_buffer_map(theirs));
	peer_fill(map, BYTES, 3);
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(theirs), BYTES, 3));
	peer_fill(pto_buffer_map(theirs), BYTES, 4);
	EXPECT_EQ(0, peer_wrong(map, BYTES, 4));
	/* It goes back as what it was. */
	ASSERT_EQ(0, pto_drm_buffer_export(theirs, self->fd, &again));
	EXPECT_EQ(dumb.handle, again);
	peer_dumb_free(&dumb);
	munmap(map, BYTES);
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(theirs), BYTES, 4));
	pto_buffer_free(theirs);
}

/* --- fences ------------------------------------------------------------------------------- */

FIXTURE(fences)
{
	int fd;		/* a device with syncobjs */
	struct peer_pending pending;
	uint32_t syncobj;
};

FIXTURE_SETUP(fences)
{
	int err;

	self->fd = peer_syncobj_open();
	PEER_NEED(self->fd, "DRM driver with syncobjs");
	err = peer_pending_new(&self->pending);
	if (err) {
		close(self->fd);
		self->fd = -1;
	}
	PEER_NEED(err, "fences of sw_sync or vgem");
	ASSERT_EQ(0, drmSyncobjCreate(self->fd, 0, &self->syncobj));
}

FIXTURE_TEARDOWN(fences)
{
	if (self->fd < 0)
		return;
	peer_pending_free(&self->pending);
	drmSyncobjDestroy(self->fd, self->syncobj);
	close(self->fd);
}

PT_TEST_F(fences, without_timeline)
{
	int fence = -1;

	EXPECT_EQ(-EINVAL, pto_drm_fence_import(self->fd, self->syncobj, 0, &fence));
	ASSERT_EQ(0, pto_drm_fence_export(self->pending.fence, self->fd, self->syncobj, 0));
	ASSERT_EQ(0, pto_drm_fence_import(self->fd, self->syncobj, 0, &fence));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fence, F_GETFD));
	EXPECT_EQ(0, peer_fence_status(fence));
	EXPECT_EQ(0, peer_pending_signal(&self->pending));
	EXPECT_EQ(0, peer_fence_wait(fence, 60000));
	EXPECT_EQ(1, peer_fence_status(fence));
	EXPECT_EQ(0, drmSyncobjWait(self->fd, &self->syncobj, 1, 0, 0, NULL));
	close(fence);
}

/* The fence is that of its point: earlier ones have to signal, too, and later ones need not. */
PT_TEST_F(fences, points)
{
	uint64_t four = 4, five = 5;
	int fence = -1, later = -1;

	ASSERT_EQ(0, pto_drm_fence_export(self->pending.fence, self->fd, self->syncobj, 4));
	ASSERT_EQ(0, pto_drm_fence_import(self->fd, self->syncobj, 4, &fence));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fence, F_GETFD));
	EXPECT_EQ(-EINVAL, pto_drm_fence_import(self->fd, self->syncobj, 5, &later));
	EXPECT_EQ(0, peer_fence_status(fence));
	EXPECT_NE(0, drmSyncobjTimelineWait(self->fd, &self->syncobj, &four, 1, 0, 0, NULL));
	EXPECT_EQ(0, peer_pending_signal(&self->pending));
	EXPECT_EQ(0, peer_fence_wait(fence, 60000));
	EXPECT_EQ(0, drmSyncobjTimelineWait(self->fd, &self->syncobj, &four, 1, 0, 0, NULL));
	EXPECT_EQ(0, drmSyncobjTimelineSignal(self->fd, &self->syncobj, &five, 1));
	ASSERT_EQ(0, pto_drm_fence_import(self->fd, self->syncobj, 5, &later));
	EXPECT_EQ(1, peer_fence_status(later));
	close(later);
	close(fence);
}

PT_TEST_F(fences, refused)
{
	uint64_t point;
	int fence = -1;

	errno = 77;
	for (point = 0; point < 2; point++) {
		EXPECT_EQ(-ENOENT,
			  pto_drm_fence_export(self->pending.fence, self->fd, 4711, point));
		EXPECT_EQ(-ENOENT, pto_drm_fence_import(self->fd, 4711, point, &fence));
		EXPECT_GT(0, pto_drm_fence_export(self->fd, self->fd, self->syncobj, point));
		EXPECT_GT(0, pto_drm_fence_export(-1, self->fd, self->syncobj, point));
		EXPECT_EQ(-EBADF, pto_drm_fence_import(-1, self->syncobj, point, &fence));
	}
	EXPECT_EQ(77, errno);
	EXPECT_EQ(-1, fence);
}

TEST_HARNESS_MAIN
