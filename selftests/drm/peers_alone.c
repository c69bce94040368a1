// SPDX-License-Identifier: GPL-2.0
/*
 * The peers by themselves, without our driver: buffers that vgem, udmabuf and the system heap
 * share, with the data checked, and fences of sw_sync, of vgem and of syncobjs. What fails here is
 * wrong with the machine, and not with what the other tests of this folder are about.
 *
 * Each test is skipped, with the reason, where the kernel lacks the peer.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xf86drm.h>

#include "peers.h"
#include "pttest.h"

#define BYTES	(5 * PEER_PAGE)

/* --- memory --------------------------------------------------------------------------------- */

FIXTURE(vgem)
{
	int fd;
	struct peer_dumb dumb;
	void *map;
};

FIXTURE_SETUP(vgem)
{
	self->fd = peer_drm_open("vgem");
	PEER_NEED(self->fd, "vgem");
	ASSERT_EQ(0, peer_dumb_new(self->fd, BYTES, &self->dumb));
	ASSERT_EQ(BYTES, self->dumb.bytes);
	ASSERT_EQ(0, peer_dumb_map(&self->dumb, &self->map));
}

FIXTURE_TEARDOWN(vgem)
{
	if (self->fd < 0)
		return;
	munmap(self->map, BYTES);
	peer_dumb_free(&self->dumb);
	close(self->fd);
}

PT_TEST_F(vgem, exports_and_imports)
{
	EXPECT_TRUE(peer_drm_prime(self->fd));
}

/* What is written through the DRM device is read through the dma-buf, and the other way round. */
PT_TEST_F(vgem, out)
{
	void *other;
	int dmabuf;

	dmabuf = peer_dumb_export(&self->dumb);
	ASSERT_GE(dmabuf, 0);
	EXPECT_EQ(BYTES, peer_dmabuf_size(dmabuf));
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &other));
	peer_fill(self->map, BYTES, 1);
	EXPECT_EQ(0, peer_dmabuf_begin(dmabuf, true));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 1));
	peer_fill(other, BYTES, 2);
	EXPECT_EQ(0, peer_dmabuf_end(dmabuf, true));
	EXPECT_EQ(0, peer_wrong(self->map, BYTES, 2));
	munmap(other, BYTES);
	close(dmabuf);
}

/* A dma-buf of its own gives the handle that it was made of. */
PT_TEST_F(vgem, own)
{
	struct peer_dumb again;
	int dmabuf;

	dmabuf = peer_dumb_export(&self->dumb);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, peer_dumb_import(self->fd, dmabuf, BYTES, &again));
	EXPECT_EQ(self->dumb.handle, again.handle);
	close(dmabuf);
}

PT_TEST_F(vgem, to_importer)
{
	int importer = peer_importer_open();
	int dmabuf;

	PEER_NEED(importer, "importer of ours");
	dmabuf = peer_dumb_export(&self->dumb);
	ASSERT_GE(dmabuf, 0);
	EXPECT_EQ(0, peer_importer_check(importer, dmabuf, self->map, BYTES, true));
	close(dmabuf);
	close(importer);
}

/* The memory outlives its handle, its file and its dma-buf as long as something maps it. */
PT_TEST_F(vgem, outlives)
{
	void *other;
	int dmabuf;

	dmabuf = peer_dumb_export(&self->dumb);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &other));
	peer_fill(self->map, BYTES, 3);
	munmap(self->map, BYTES);
	peer_dumb_free(&self->dumb);
	close(self->fd);
	self->fd = -1;
	close(dmabuf);
	EXPECT_EQ(0, peer_wrong(other, BYTES, 3));
	munmap(other, BYTES);
}

/*
 * vgem as the importer of @dmabuf, whose memory is at @map. It maps imported memory for itself
 * only; what a process gets of it is the dma-buf again.
 */
static void import(struct __test_metadata *_metadata, int dmabuf, void *map)
{
	struct peer_dumb dumb;
	void *other;
	int fd = peer_drm_open("vgem");
	int again;

	PEER_NEED(fd, "vgem");
	ASSERT_EQ(0, peer_dumb_import(fd, dmabuf, BYTES, &dumb));
	EXPECT_EQ(-EINVAL, peer_dumb_map(&dumb, &other));
	again = peer_dumb_export(&dumb);
	ASSERT_GE(again, 0);
	ASSERT_EQ(0, peer_dmabuf_map(again, BYTES, &other));
	EXPECT_EQ(0, peer_dmabuf_begin(again, true));
	peer_fill(map, BYTES, 4);
	EXPECT_EQ(0, peer_wrong(other, BYTES, 4));
	peer_fill(other, BYTES, 5);
	EXPECT_EQ(0, peer_wrong(map, BYTES, 5));
	EXPECT_EQ(0, peer_dmabuf_end(again, true));
	munmap(other, BYTES);
	close(again);
	peer_dumb_free(&dumb);
	close(fd);
}

TEST(udmabuf)
{
	void *memory, *map;
	int dmabuf = peer_udmabuf_new(BYTES, &memory);

	PEER_NEED(dmabuf, "udmabuf");
	EXPECT_EQ(BYTES, peer_dmabuf_size(dmabuf));
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &map));
	peer_fill(memory, BYTES, 6);
	EXPECT_EQ(0, peer_wrong(map, BYTES, 6));
	peer_fill(map, BYTES, 7);
	EXPECT_EQ(0, peer_wrong(memory, BYTES, 7));
	munmap(map, BYTES);
	munmap(memory, BYTES);
	close(dmabuf);
}

TEST(udmabuf_to_vgem)
{
	void *memory;
	int dmabuf = peer_udmabuf_new(BYTES, &memory);

	PEER_NEED(dmabuf, "udmabuf");
	import(_metadata, dmabuf, memory);
	munmap(memory, BYTES);
	close(dmabuf);
}

TEST(udmabuf_to_importer)
{
	int importer = peer_importer_open();
	void *memory;
	int dmabuf;

	PEER_NEED(importer, "importer of ours");
	dmabuf = peer_udmabuf_new(BYTES, &memory);
	PEER_NEED(dmabuf, "udmabuf");
	EXPECT_EQ(0, peer_importer_check(importer, dmabuf, memory, BYTES, false));
	munmap(memory, BYTES);
	close(dmabuf);
	close(importer);
}

TEST(heap_to_importer)
{
	int importer = peer_importer_open();
	int dmabuf;
	void *map;

	PEER_NEED(importer, "importer of ours");
	dmabuf = peer_heap_new(BYTES);
	PEER_NEED(dmabuf, "dma-heap");
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &map));
	EXPECT_EQ(0, peer_importer_check(importer, dmabuf, map, BYTES, true));
	munmap(map, BYTES);
	close(dmabuf);
	close(importer);
}

TEST(heap_to_vgem)
{
	int dmabuf = peer_heap_new(BYTES);
	void *map;

	PEER_NEED(dmabuf, "dma-heap");
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &map));
	import(_metadata, dmabuf, map);
	munmap(map, BYTES);
	close(dmabuf);
}

/* --- fences --------------------------------------------------------------------------------- */

TEST(sw_sync)
{
	int timeline = peer_timeline_new();
	int one, two, both;

	PEER_NEED(timeline, "sw_sync");
	one = peer_timeline_fence(timeline, 1);
	two = peer_timeline_fence(timeline, 2);
	ASSERT_GE(one, 0);
	ASSERT_GE(two, 0);
	both = peer_fence_merge(one, two);
	ASSERT_GE(both, 0);
	EXPECT_EQ(0, peer_fence_status(one));
	EXPECT_EQ(-ETIMEDOUT, peer_fence_wait(one, 0));
	EXPECT_EQ(0, peer_timeline_advance(timeline, 1));
	EXPECT_EQ(1, peer_fence_status(one));
	EXPECT_EQ(0, peer_fence_wait(one, 0));
	EXPECT_EQ(0, peer_fence_status(both));
	EXPECT_EQ(0, peer_timeline_advance(timeline, 1));
	EXPECT_EQ(1, peer_fence_status(both));
	close(both);
	close(two);
	close(one);
	close(timeline);
}

/* A timeline that goes ends its fences with an error. */
TEST(sw_sync_error)
{
	int timeline = peer_timeline_new();
	int fence;

	PEER_NEED(timeline, "sw_sync");
	fence = peer_timeline_fence(timeline, 1);
	ASSERT_GE(fence, 0);
	close(timeline);
	EXPECT_EQ(-ENOENT, peer_fence_status(fence));
	close(fence);
}

/* A fence that vgem attaches to a buffer comes out of its dma-buf as a sync_file. */
PT_TEST_F(vgem, fence)
{
	uint32_t number;
	int dmabuf, fence;

	dmabuf = peer_dumb_export(&self->dumb);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, peer_vgem_fence_attach(&self->dumb, true, &number));
	fence = peer_dmabuf_fence(dmabuf, false);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(0, peer_fence_status(fence));
	EXPECT_EQ(0, peer_vgem_fence_signal(self->fd, number));
	EXPECT_EQ(0, peer_fence_wait(fence, 0));
	EXPECT_EQ(1, peer_fence_status(fence));
	close(fence);
	close(dmabuf);
}

/* --- syncobjs ------------------------------------------------------------------------------- */

FIXTURE(syncobj)
{
	int fd;
	uint32_t handle;
};

FIXTURE_SETUP(syncobj)
{
	self->fd = peer_syncobj_open();
	PEER_NEED(self->fd, "DRM driver with syncobjs");
	ASSERT_EQ(0, drmSyncobjCreate(self->fd, 0, &self->handle));
}

FIXTURE_TEARDOWN(syncobj)
{
	if (self->fd < 0)
		return;
	drmSyncobjDestroy(self->fd, self->handle);
	close(self->fd);
}

/* In: a syncobj takes the fence of a sync_file. Out: it gives a sync_file of its fence. */
PT_TEST_F(syncobj, sync_file)
{
	struct peer_pending pending;
	int err = peer_pending_new(&pending);
	int out;

	PEER_NEED(err, "fences of sw_sync or vgem");
	EXPECT_EQ(0, drmSyncobjImportSyncFile(self->fd, self->handle, pending.fence));
	EXPECT_EQ(0, drmSyncobjExportSyncFile(self->fd, self->handle, &out));
	EXPECT_NE(0, drmSyncobjWait(self->fd, &self->handle, 1, 0, 0, NULL));
	EXPECT_EQ(0, peer_fence_status(out));
	EXPECT_EQ(0, peer_pending_signal(&pending));
	EXPECT_EQ(0, peer_fence_wait(out, 60000));
	EXPECT_EQ(1, peer_fence_status(out));
	EXPECT_EQ(0, drmSyncobjWait(self->fd, &self->handle, 1, 0, 0, NULL));
	close(out);
	peer_pending_free(&pending);
}

/* Points of a timeline: signalled by the host, queried, and carried over to another syncobj. */
PT_TEST_F(syncobj, points)
{
	uint64_t two = 2, three = 3, value = 0;
	uint32_t other;
	int out;

	ASSERT_EQ(0, drmSyncobjCreate(self->fd, 0, &other));
	EXPECT_EQ(0, drmSyncobjTimelineSignal(self->fd, &self->handle, &two, 1));
	EXPECT_EQ(0, drmSyncobjQuery(self->fd, &self->handle, &value, 1));
	EXPECT_EQ(2, value);
	EXPECT_NE(0, drmSyncobjTimelineWait(self->fd, &self->handle, &three, 1, 0,
					    DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, NULL));
	EXPECT_EQ(0, drmSyncobjTransfer(self->fd, other, 0, self->handle, 2, 0));
	EXPECT_EQ(0, drmSyncobjExportSyncFile(self->fd, other, &out));
	EXPECT_EQ(1, peer_fence_status(out));
	close(out);
	drmSyncobjDestroy(self->fd, other);
}

TEST_HARNESS_MAIN
