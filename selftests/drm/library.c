// SPDX-License-Identifier: GPL-2.0
/*
 * Sharing by libpto: buffers of two contexts, and a program that maps the dma-buf, have the same
 * memory, whoever is gone by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pto/pto.h>

#include "peers.h"
#include "pttest.h"

#define BYTES	(3 * PEER_PAGE)

FIXTURE(library)
{
	int fd;
	struct pto_context *ctx;
	struct pto_context *other;
	struct pto_buffer *buffer;
};

/* All devices are alike in what they share. @fd is the dma-buf. */
FIXTURE_SETUP(library)
{
	struct pto_buffer *none = NULL;
	char path[32];
	int found, rc;

	self->fd = -1;
	PT_FIND(found, 0, path);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, BYTES, PTO_PLACE_DEVICE, &self->buffer));
	rc = pto_buffer_export(self->buffer, &self->fd);
	if (rc == -EOPNOTSUPP) {
		EXPECT_EQ(-EOPNOTSUPP, pto_buffer_import(self->ctx, 0, &none));
		EXPECT_EQ(NULL, none);
		pto_close(self->ctx);
		SKIP(return, "the device has no dma-bufs");
	}
	ASSERT_EQ(0, rc);
	ASSERT_EQ(0, pto_open(path, &self->other));
}

FIXTURE_TEARDOWN(library)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	pto_close(self->ctx);
	pto_close(self->other);
}

PT_TEST_F(library, two_contexts)
{
	struct pto_buffer *theirs;
	uint32_t word = 7;

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	ASSERT_EQ(0, pto_buffer_import(self->other, self->fd, &theirs));
	EXPECT_EQ(BYTES, pto_buffer_size(theirs));
	EXPECT_EQ(pto_buffer_device_addr(self->buffer), pto_buffer_device_addr(theirs));
	ASSERT_NE(NULL, pto_buffer_map(self->buffer));
	ASSERT_NE(NULL, pto_buffer_map(theirs));
	peer_fill(pto_buffer_map(self->buffer), BYTES, 1);
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(theirs), BYTES, 1));
	EXPECT_EQ(0, pto_buffer_write(theirs, PEER_PAGE, &word, sizeof(word)));
	EXPECT_EQ(7, *(uint32_t *)((char *)pto_buffer_map(self->buffer) + PEER_PAGE));
	peer_fill(pto_buffer_map(self->buffer), BYTES, 2);
	pto_buffer_free(self->buffer);
	pto_close(self->ctx);
	self->ctx = NULL;
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(theirs), BYTES, 2));
	pto_buffer_free(theirs);
}

/* Each handle is freed by itself. */
PT_TEST_F(library, again)
{
	struct pto_buffer *one, *two;

	ASSERT_EQ(0, pto_buffer_import(self->ctx, self->fd, &one));
	ASSERT_EQ(0, pto_buffer_import(self->ctx, self->fd, &two));
	EXPECT_NE(pto_buffer_id(one), pto_buffer_id(two));
	peer_fill(pto_buffer_map(one), BYTES, 3);
	pto_buffer_free(one);
	pto_buffer_free(self->buffer);
	ASSERT_NE(NULL, pto_buffer_map(two));
	EXPECT_EQ(0, peer_wrong(pto_buffer_map(two), BYTES, 3));
}

PT_TEST_F(library, refused)
{
	struct pto_buffer *none = NULL;

	EXPECT_EQ(-EBADF, pto_buffer_import(self->ctx, -1, &none));
	EXPECT_EQ(-EINVAL, pto_buffer_import(self->ctx, pto_context_fd(self->ctx), &none));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "dma-buf"));
	EXPECT_EQ(NULL, none);
}

PT_TEST_F(library, without_contexts)
{
	void *map;

	ASSERT_NE(NULL, pto_buffer_map(self->buffer));
	peer_fill(pto_buffer_map(self->buffer), BYTES, 4);
	pto_close(self->ctx);
	pto_close(self->other);
	self->ctx = NULL;
	self->other = NULL;
	ASSERT_EQ(0, peer_dmabuf_map(self->fd, BYTES, &map));
	EXPECT_EQ(0, peer_wrong(map, BYTES, 4));
	munmap(map, BYTES);
}

TEST_HARNESS_MAIN
