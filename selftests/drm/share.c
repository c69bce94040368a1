// SPDX-License-Identifier: GPL-2.0
/*
 * PTO_BO_EXPORT and PTO_BO_IMPORT: buffers as dma-bufs, for vgem, for other processes, for other
 * contexts of the device, and for programs that map them; with the data checked in both directions.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"
#include "pttest.h"

#define BYTES	(5 * PEER_PAGE)
#define COUNT	1024	/* elements of a vector */

static int export(int fd, uint32_t id)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg), .id = id, .fd = -1 };
	int err = pt_ioctl(fd, PTO_BO_EXPORT, &arg);

	return err ? err : arg.fd;
}

static int import(int fd, int dmabuf, struct pto_ioc_bo_import *out)
{
	*out = (struct pto_ioc_bo_import){ .size = sizeof(*out), .fd = dmabuf };
	return pt_ioctl(fd, PTO_BO_IMPORT, out);
}

static void *map(int fd, size_t bytes, uint64_t offset)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
}

/* Memory that somebody has; arena images are the device's cache. */
static int used(int fd, uint64_t *bytes)
{
	struct pto_device_usage usage;
	int err = pt_usage(fd, &usage);

	*bytes = usage.memory_used - usage.arena_image_bytes;
	return err;
}

/* Wait until the device has as much in use as it had. Contexts may end after they were closed. */
static int used_settles(int fd, uint64_t want)
{
	uint64_t deadline = pt_deadline(), now = 0;
	int err;

	do {
		err = used(fd, &now);
		if (err || now == want)
			return err;
		pt_pause();
	} while (pt_now() < deadline);
	return -ETIMEDOUT;
}

FIXTURE(share)
{
	int fd;
	char path[32];
	struct pt_buf buf;
	int dmabuf;
	uint64_t base;
};

FIXTURE_SETUP(share)
{
	struct pto_device_info info;
	int found;

	self->fd = -1;
	PT_FIND(found, 0, self->path);
	self->fd = pt_open_path(self->path);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &info));
	if (!(info.features & PTO_FEATURE_DMABUF)) {
		struct pto_ioc_bo_import arg;

		EXPECT_EQ(-ENOTTY, export(self->fd, 1));
		EXPECT_EQ(-ENOTTY, import(self->fd, 0, &arg));
		close(self->fd);
		self->fd = -1;
		SKIP(return, "the device has no dma-bufs");
	}
	ASSERT_EQ(0, used(self->fd, &self->base));
	ASSERT_EQ(0, pt_buf_new(self->fd, BYTES, &self->buf));
	self->dmabuf = export(self->fd, self->buf.id);
	ASSERT_GE(self->dmabuf, 0);
}

/* Whatever a test does, all memory is back when its descriptors are closed. */
FIXTURE_TEARDOWN(share)
{
	if (self->fd < 0)
		return;
	pt_buf_free(self->fd, &self->buf);
	close(self->dmabuf);
	EXPECT_EQ(0, used_settles(self->fd, self->base));
	close(self->fd);
}

/* The processor's view: the dma-buf's mapping and the context's are the same memory. */
PT_TEST_F(share, mapped)
{
	void *other;

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->dmabuf, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->dmabuf, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(BYTES, peer_dmabuf_size(self->dmabuf));
	ASSERT_EQ(0, peer_dmabuf_map(self->dmabuf, BYTES, &other));
	peer_fill(self->buf.map, BYTES, 1);
	EXPECT_EQ(0, peer_dmabuf_begin(self->dmabuf, true));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 1));
	peer_fill(other, BYTES, 2);
	EXPECT_EQ(0, peer_dmabuf_end(self->dmabuf, true));
	EXPECT_EQ(0, peer_wrong(self->buf.map, BYTES, 2));
	munmap(other, BYTES);
}

/* A part of it, from the middle on */
PT_TEST_F(share, part)
{
	char *part = map(self->dmabuf, 2 * PEER_PAGE, 3 * PEER_PAGE);

	ASSERT_NE(MAP_FAILED, part);
	((char *)self->buf.map)[3 * PEER_PAGE] = 'a';
	((char *)self->buf.map)[5 * PEER_PAGE - 1] = 'b';
	EXPECT_EQ('a', part[0]);
	EXPECT_EQ('b', part[2 * PEER_PAGE - 1]);
	munmap(part, 2 * PEER_PAGE);
}

/* As for a mapping of the context: shared, not executable, within the memory */
PT_TEST_F(share, unmappable)
{
	const int rw = PROT_READ | PROT_WRITE;
	void *at;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, rw, MAP_PRIVATE, self->dmabuf, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, PROT_EXEC, MAP_SHARED, self->dmabuf, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map(self->dmabuf, BYTES + PEER_PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map(self->dmabuf, 2 * PEER_PAGE, 4 * PEER_PAGE));
	EXPECT_EQ(EINVAL, errno);
	at = map(self->dmabuf, BYTES, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_NE(0, mprotect(at, BYTES, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mremap(at, BYTES, 2 * BYTES, MREMAP_MAYMOVE));
	munmap(at, BYTES);
}

PT_TEST_F(share, refused)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg), .id = self->buf.id, .flags = 1 };
	struct pto_ioc_bo_import in = { .size = sizeof(in), .fd = self->dmabuf, .flags = 1 };
	int pair[2];

	EXPECT_EQ(-EOPNOTSUPP, pt_ioctl(self->fd, PTO_BO_EXPORT, &arg));
	EXPECT_EQ(-EOPNOTSUPP, pt_ioctl(self->fd, PTO_BO_IMPORT, &in));
	EXPECT_EQ(-ENOENT, export(self->fd, self->buf.id + 1000));
	EXPECT_EQ(-ENOENT, export(self->fd, 0));
	EXPECT_EQ(-EBADF, import(self->fd, -1, &in));
	ASSERT_EQ(0, pipe(pair));
	EXPECT_EQ(-EINVAL, import(self->fd, pair[0], &in));
	EXPECT_EQ(-EINVAL, import(self->fd, self->fd, &in));
	close(pair[0]);
	close(pair[1]);
}

/* Sizes of the arguments, as for every ioctl */
PT_TEST_F(share, sizes)
{
	struct {
		struct pto_ioc_bo_export arg;
		uint32_t tail;
	} out = { .arg = { .id = self->buf.id } };
	struct {
		struct pto_ioc_bo_import arg;
		uint32_t tail;
	} in = { .arg = { .fd = self->dmabuf } };

	out.arg.size = sizeof(out.arg) - 1;
	EXPECT_EQ(-EINVAL, pt_ioctl(self->fd, PTO_BO_EXPORT, &out));
	in.arg.size = sizeof(in.arg) - 1;
	EXPECT_EQ(-EINVAL, pt_ioctl(self->fd, PTO_BO_IMPORT, &in));
	out.arg.size = sizeof(out.arg) + 4;
	in.arg.size = sizeof(in.arg) + 4;
	out.tail = 1;
	in.tail = 1;
	EXPECT_EQ(-E2BIG, pt_ioctl(self->fd, PTO_BO_EXPORT, &out));
	EXPECT_EQ(-E2BIG, pt_ioctl(self->fd, PTO_BO_IMPORT, &in));
	out.tail = 0;
	in.tail = 0;
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_BO_EXPORT, &out));
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_BO_IMPORT, &in));
	EXPECT_EQ(0, pt_bo_destroy(self->fd, in.arg.id));
	close(out.arg.fd);
}

/* --- the descriptor ---------------------------------------------------------------------- */

/* Whatever way it goes, it is the same dma-buf, until the last copy is closed. */
PT_TEST_F(share, descriptors)
{
	struct pto_ioc_bo_import in;
	int pair[2], copy;

	copy = dup(self->dmabuf);
	ASSERT_GE(copy, 0);
	close(self->dmabuf);
	ASSERT_EQ(0, import(self->fd, copy, &in));
	EXPECT_EQ(self->buf.addr, in.device_addr);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, in.id));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, pt_fd_send(pair[0], copy));
	close(copy);
	self->dmabuf = pt_fd_receive(pair[1]);
	ASSERT_GE(self->dmabuf, 0);
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &in));
	EXPECT_EQ(self->buf.addr, in.device_addr);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, in.id));
	close(pair[0]);
	close(pair[1]);
}

/* Its end tells its size, and there is nothing else to seek. */
PT_TEST_F(share, sized)
{
	EXPECT_EQ(BYTES, lseek(self->dmabuf, 0, SEEK_END));
	EXPECT_EQ(0, lseek(self->dmabuf, 0, SEEK_SET));
	EXPECT_EQ(-1, lseek(self->dmabuf, 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->dmabuf, 0, SEEK_CUR));
	EXPECT_EQ(EINVAL, errno);
}

PT_TEST_F(share, synced)
{
	const uint64_t bad[] = {
		0, DMA_BUF_SYNC_END, DMA_BUF_SYNC_RW | 8, DMA_BUF_SYNC_RW | 1ull << 63,
	};
	struct dma_buf_sync sync;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sync.flags = bad[i];
		EXPECT_EQ(-1, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->dmabuf, _IO(DMA_BUF_BASE, 99)));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-ENOTTY, pt_ioctl(self->dmabuf, PTO_QUERY, &sync));
	for (i = DMA_BUF_SYNC_READ; i <= DMA_BUF_SYNC_RW; i++) {
		sync.flags = i;
		EXPECT_EQ(0, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
		sync.flags = i | DMA_BUF_SYNC_END;
		EXPECT_EQ(0, ioctl(self->dmabuf, DMA_BUF_IOCTL_SYNC, &sync));
	}
}

/* Nobody has to wait for it. */
PT_TEST_F(share, polled)
{
	struct pollfd poll_ = { .fd = self->dmabuf, .events = POLLIN | POLLOUT };

	EXPECT_EQ(1, poll(&poll_, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, poll_.revents);
}

/* There is no descriptor left for it, or for what it needs. */
PT_TEST_F(share, no_descriptor)
{
	struct rlimit old, limit;
	int next = dup(self->fd);
	uint64_t before, now;
	int fd;

	ASSERT_GE(next, 0);
	close(next);
	ASSERT_EQ(0, used(self->fd, &before));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	fd = export(self->fd, self->buf.id);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(-EMFILE, fd);
	ASSERT_EQ(0, used(self->fd, &now));
	EXPECT_EQ(before, now);
	fd = export(self->fd, self->buf.id);
	EXPECT_EQ(next, fd);
	close(fd);
}

/* An answer that cannot be written leaves nothing: no descriptor, no id, no memory. */
PT_TEST_F(share, answer_lost)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pto_ioc_bo_export out = { .size = sizeof(out), .id = self->buf.id };
	struct pto_ioc_bo_import in = { .size = sizeof(in), .fd = self->dmabuf };
	struct pto_context_stats before, after;
	int fd = pt_open_path(self->path);
	int next = dup(self->fd);

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_GE(fd, 0);
	ASSERT_GE(next, 0);
	close(next);
	memcpy(at, &out, sizeof(out));
	memcpy(at + 512, &in, sizeof(in));
	ASSERT_EQ(0, mprotect(at, page, PROT_READ));
	ASSERT_EQ(0, pt_stats(fd, &before));
	EXPECT_EQ(-EFAULT, pt_ioctl(self->fd, PTO_BO_EXPORT, at));
	EXPECT_EQ(-EFAULT, pt_ioctl(self->fd, PTO_BO_IMPORT, at + 512));
	EXPECT_EQ(-EFAULT, pt_ioctl(fd, PTO_BO_IMPORT, at + 512));
	ASSERT_EQ(0, pt_stats(fd, &after));
	EXPECT_EQ(before.bo_live, after.bo_live);
	EXPECT_EQ(next, dup(self->fd));
	close(next);
	/* And nothing is in the way of the next one. */
	EXPECT_EQ(0, import(fd, self->dmabuf, &in));
	munmap(at, page);
	close(fd);
}

/* --- the memory lives as long as anybody has it ------------------------------------------ */

PT_TEST_F(share, outlives_buffer)
{
	uint64_t now;
	void *other;

	peer_fill(self->buf.map, BYTES, 3);
	pt_buf_free(self->fd, &self->buf);
	ASSERT_EQ(0, peer_dmabuf_map(self->dmabuf, BYTES, &other));
	close(self->dmabuf);
	self->dmabuf = -1;
	EXPECT_EQ(0, peer_wrong(other, BYTES, 3));
	ASSERT_EQ(0, used(self->fd, &now));
	EXPECT_EQ(self->base + BYTES, now);
	munmap(other, BYTES);
}

PT_TEST_F(share, outlives_context)
{
	int fd = pt_open_path(self->path);
	struct pt_buf buf;
	void *other;
	int dmabuf;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_buf_new(fd, BYTES, &buf));
	dmabuf = export(fd, buf.id);
	ASSERT_GE(dmabuf, 0);
	peer_fill(buf.map, BYTES, 4);
	munmap(buf.map, BYTES);
	close(fd);
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &other));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 4));
	munmap(other, BYTES);
	close(dmabuf);
}

TEST(outlives_device)
{
	struct pt_ptod ptod = { .pid = 0 };
	struct pto_ioc_bo_import in;
	struct pt_buf buf;
	int fd, dmabuf;
	void *other;

	if (!pt_ptod_possible())
		SKIP(return, "no device of our own is possible here");
	fd = pt_ptod_start(&ptod);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_buf_new(fd, BYTES, &buf));
	dmabuf = export(fd, buf.id);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &other));
	peer_fill(buf.map, BYTES, 5);
	EXPECT_EQ(0, pt_ptod_kill(&ptod));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 5));
	EXPECT_EQ(-ENODEV, import(fd, dmabuf, &in));
	EXPECT_EQ(-ENODEV, export(fd, buf.id));
	munmap(buf.map, BYTES);
	close(fd);
	EXPECT_EQ(0, peer_wrong(other, BYTES, 5));
	fd = peer_importer_open();
	if (fd >= 0) {
		EXPECT_EQ(0, peer_importer_check(fd, dmabuf, other, BYTES, true));
		close(fd);
	}
	peer_fill(other, BYTES, 5);
	munmap(other, BYTES);
	/* Only now is it mapped for the first time: its pages are still there. */
	ASSERT_EQ(0, peer_dmabuf_map(dmabuf, BYTES, &other));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 5));
	munmap(other, BYTES);
	close(dmabuf);
}

/* --- other drivers and processes --------------------------------------------------------- */

#define NEED_VGEM(drm) do { \
	(drm) = peer_drm_open("vgem"); \
	PEER_NEED(drm, "vgem"); \
} while (0)

/* vgem has mapped the pages for its device. What a process gets of its handle is the dma-buf. */
PT_TEST_F(share, to_vgem)
{
	struct peer_dumb dumb;
	int drm, again;
	void *other;

	NEED_VGEM(drm);
	ASSERT_EQ(0, peer_dumb_import(drm, self->dmabuf, BYTES, &dumb));
	again = peer_dumb_export(&dumb);
	ASSERT_GE(again, 0);
	close(self->dmabuf);
	ASSERT_EQ(0, peer_dmabuf_map(again, BYTES, &other));
	EXPECT_EQ(0, peer_dmabuf_begin(again, true));
	peer_fill(self->buf.map, BYTES, 6);
	EXPECT_EQ(0, peer_wrong(other, BYTES, 6));
	peer_fill(other, BYTES, 7);
	EXPECT_EQ(0, peer_dmabuf_end(again, true));
	EXPECT_EQ(0, peer_wrong(self->buf.map, BYTES, 7));
	munmap(other, BYTES);
	self->dmabuf = again;
	peer_dumb_free(&dumb);
	close(drm);
}

/* vgem keeps the memory when everything of ours is closed. */
PT_TEST_F(share, vgem_keeps)
{
	struct peer_dumb dumb;
	uint64_t now;
	void *other;
	int drm;

	NEED_VGEM(drm);
	peer_fill(self->buf.map, BYTES, 8);
	ASSERT_EQ(0, peer_dumb_import(drm, self->dmabuf, BYTES, &dumb));
	close(self->dmabuf);
	pt_buf_free(self->fd, &self->buf);
	ASSERT_EQ(0, used(self->fd, &now));
	EXPECT_EQ(self->base + BYTES, now);
	self->dmabuf = peer_dumb_export(&dumb);
	ASSERT_GE(self->dmabuf, 0);
	ASSERT_EQ(0, peer_dmabuf_map(self->dmabuf, BYTES, &other));
	EXPECT_EQ(0, peer_wrong(other, BYTES, 8));
	munmap(other, BYTES);
	peer_dumb_free(&dumb);
	close(drm);
}

#define NEED_IMPORTER(importer) do { \
	(importer) = peer_importer_open(); \
	PEER_NEED(importer, "importer of ours"); \
} while (0)

/* Another device finds the buffer's memory at its DMA addresses, the kernel where it maps it. */
PT_TEST_F(share, to_importer)
{
	int importer;

	NEED_IMPORTER(importer);
	EXPECT_EQ(0, peer_importer_check(importer, self->dmabuf, self->buf.map, BYTES, true));
	close(importer);
}

/* Memory that nobody has touched reads as zero, and is given back like any other. */
PT_TEST_F(share, untouched)
{
	uint32_t words[BYTES / sizeof(uint32_t)];
	struct pt_buf buf;
	int importer, dmabuf;
	size_t i, wrong = 0;

	NEED_IMPORTER(importer);
	peer_fill(self->buf.map, BYTES, 15);
	ASSERT_EQ(0, pt_buf_new(self->fd, BYTES, &buf));
	dmabuf = export(self->fd, buf.id);
	ASSERT_GE(dmabuf, 0);
	memset(words, 0xff, sizeof(words));
	ASSERT_EQ(0, peer_importer_read(importer, dmabuf, PEER_DMA, 0, words, BYTES));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		wrong += words[i] != 0;
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, peer_importer_check(importer, dmabuf, buf.map, BYTES, true));
	close(dmabuf);
	pt_buf_free(self->fd, &buf);
	close(importer);
}

/* The other process: imports what it receives, checks it, and answers in it. Return: exit status */
static int other_process(const char *path, int sock)
{
	struct pto_ioc_bo_import in;
	int fd = pt_open_path(path);
	int dmabuf = pt_fd_receive(sock);
	void *at;

	if (fd < 0 || dmabuf < 0)
		return 1;
	if (import(fd, dmabuf, &in) || in.length != BYTES)
		return 2;
	close(dmabuf);
	at = map(fd, BYTES, in.mmap_offset);
	if (at == MAP_FAILED)
		return 3;
	if (peer_wrong(at, BYTES, 9))
		return 4;
	peer_fill(at, BYTES, 10);
	return 0;
}

PT_TEST_F(share, other_process)
{
	int pair[2], status;
	pid_t child;

	if (pt_simulator())
		SKIP(return, "a simulated device belongs to one process");
	peer_fill(self->buf.map, BYTES, 9);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	child = fork();
	if (!child)
		_exit(other_process(self->path, pair[1]));
	ASSERT_GT(child, 0);
	EXPECT_EQ(0, pt_fd_send(pair[0], self->dmabuf));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, peer_wrong(self->buf.map, BYTES, 10));
	close(pair[0]);
	close(pair[1]);
}

/* --- other contexts of the device ---------------------------------------------------------- */

/* A run of one context computes on vectors of another one. */
PT_TEST_F(share, run)
{
	struct pto_ioc_bo_import in;
	struct pto_tensor tensors[3];
	uint64_t step = COUNT * sizeof(float);
	int other = pt_open_path(self->path);
	struct pt_buf args;
	struct pt_vec vec;
	int i, cid, dmabuf;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	pt_vec_fill(&vec, 3, 4);
	dmabuf = export(self->fd, vec.data.id);
	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, import(other, dmabuf, &in));
	EXPECT_EQ(vec.data.addr, in.device_addr);
	EXPECT_EQ(vec.data.bytes, in.length);
	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(in.device_addr + i * step, PTO_DTYPE_FLOAT32,
				       sizeof(float), COUNT);
	ASSERT_EQ(0, pt_buf_new(other, PTO_RUN_ARGS_SIZE(3, 0), &args));
	cid = pt_prepare(other, -1, &pt_add, NULL);
	ASSERT_GE(cid, 0);
	EXPECT_EQ(0, pt_run(other, cid, &args, pt_args_write(args.map, 3, tensors, 0, NULL)));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 3, 4));
	/* It stays the context's when that is reset, and when its first owner is gone. */
	EXPECT_EQ(0, pt_reset(other));
	pt_vec_fill(&vec, 5, 6);
	EXPECT_EQ(0, pt_run(other, cid, &args, pt_args_write(args.map, 3, tensors, 0, NULL)));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 5, 6));
	pt_vec_free(self->fd, &vec);
	EXPECT_EQ(0, pt_run(other, cid, &args, pt_args_write(args.map, 3, tensors, 0, NULL)));
	pt_buf_free(other, &args);
	close(dmabuf);
	close(other);
}

/* Without the import, the other context must not reach it. */
PT_TEST_F(share, not_imported)
{
	uint64_t step = COUNT * sizeof(float);
	struct pto_tensor tensors[3];
	struct pto_device_info info;
	int other = pt_open_path(self->path);
	struct pt_buf args;
	struct pt_vec vec;
	int i, cid;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, pt_info(other, &info));
	if (!(info.features & PTO_FEATURE_ISOLATED)) {
		close(other);
		SKIP(return, "contexts of this device are not isolated");
	}
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(vec.data.addr + i * step, PTO_DTYPE_FLOAT32,
				       sizeof(float), COUNT);
	ASSERT_EQ(0, pt_buf_new(other, PTO_RUN_ARGS_SIZE(3, 0), &args));
	cid = pt_prepare(other, -1, &pt_add, NULL);
	ASSERT_GE(cid, 0);
	EXPECT_NE(0, pt_run(other, cid, &args, pt_args_write(args.map, 3, tensors, 0, NULL)));
	pt_vec_free(self->fd, &vec);
	pt_buf_free(other, &args);
	close(other);
}

/* The context's own memory: another id of the same buffer */
PT_TEST_F(share, own)
{
	struct pto_context_stats before, after;
	struct pto_ioc_bo_import first, second;
	void *at;

	ASSERT_EQ(0, pt_stats(self->fd, &before));
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &first));
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &second));
	EXPECT_NE(self->buf.id, first.id);
	EXPECT_NE(first.id, second.id);
	EXPECT_EQ(self->buf.addr, first.device_addr);
	EXPECT_EQ(self->buf.addr, second.device_addr);
	EXPECT_EQ(first.mmap_offset, second.mmap_offset);
	ASSERT_EQ(0, pt_stats(self->fd, &after));
	EXPECT_EQ(before.bo_live + 2, after.bo_live);
	EXPECT_EQ(before.bo_bytes, after.bo_bytes);
	/* Each id is destroyed by itself, the first one too, and the last one takes the buffer. */
	peer_fill(self->buf.map, BYTES, 11);
	pt_buf_free(self->fd, &self->buf);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, first.id));
	EXPECT_EQ(-ENOENT, pt_bo_destroy(self->fd, first.id));
	at = map(self->fd, BYTES, second.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, peer_wrong(at, BYTES, 11));
	munmap(at, BYTES);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, second.id));
	EXPECT_EQ(MAP_FAILED, map(self->fd, BYTES, second.mmap_offset));
}

/* A buffer that has lost its last id comes back when it has gone, and not before. */
PT_TEST_F(share, back_again)
{
	struct pto_ioc_bo_import in;
	void *at = self->buf.map;

	peer_fill(at, BYTES, 12);
	self->buf.map = NULL;
	pt_buf_free(self->fd, &self->buf);
	EXPECT_EQ(-EBUSY, import(self->fd, self->dmabuf, &in));
	munmap(at, BYTES);
	ASSERT_EQ(0, import(self->fd, self->dmabuf, &in));
	at = map(self->fd, BYTES, in.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, peer_wrong(at, BYTES, 12));
	munmap(at, BYTES);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, in.id));
}

/* Two dma-bufs of one buffer share its memory. */
PT_TEST_F(share, twice)
{
	int other = export(self->fd, self->buf.id);
	void *one, *two;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, peer_dmabuf_map(self->dmabuf, BYTES, &one));
	ASSERT_EQ(0, peer_dmabuf_map(other, BYTES, &two));
	peer_fill(one, BYTES, 13);
	EXPECT_EQ(0, peer_wrong(two, BYTES, 13));
	munmap(one, BYTES);
	munmap(two, BYTES);
	close(other);
}

/* Memory that came in goes out again. */
PT_TEST_F(share, passed_on)
{
	struct pto_ioc_bo_import in;
	int fd = pt_open_path(self->path);
	int third = pt_open_path(self->path);
	int dmabuf;
	void *at;

	ASSERT_GE(fd, 0);
	ASSERT_GE(third, 0);
	ASSERT_EQ(0, import(fd, self->dmabuf, &in));
	dmabuf = export(fd, in.id);
	ASSERT_GE(dmabuf, 0);
	close(fd);
	ASSERT_EQ(0, import(third, dmabuf, &in));
	at = map(third, BYTES, in.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	peer_fill(at, BYTES, 14);
	EXPECT_EQ(0, peer_wrong(self->buf.map, BYTES, 14));
	munmap(at, BYTES);
	close(dmabuf);
	close(third);
}

TEST_HARNESS_MAIN
