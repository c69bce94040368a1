// SPDX-License-Identifier: GPL-2.0
/*
 * PTO_BO_IMPORT of memory of others: of vgem, udmabuf, the system heap and another PTO device. The
 * data are checked in the owner's own mapping: of copies, of mappings, and of what runs compute.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peers.h"
#include "pttest.h"

#define BYTES	(5 * PEER_PAGE)
#define COUNT	1024	/* elements of a vector; a, b and f fit into BYTES */
#define STEP	(COUNT * sizeof(float))

static int import(int fd, int dmabuf, struct pto_ioc_bo_import *out)
{
	*out = (struct pto_ioc_bo_import){ .size = sizeof(*out), .fd = dmabuf };
	return pt_ioctl(fd, PTO_BO_IMPORT, out);
}

static int export(int fd, uint32_t id)
{
	struct pto_ioc_bo_export arg = { .size = sizeof(arg), .id = id, .fd = -1 };
	int err = pt_ioctl(fd, PTO_BO_EXPORT, &arg);

	return err ? err : arg.fd;
}

static int copy(int fd, uint32_t direction, uint32_t id, uint64_t offset, void *user, size_t n)
{
	bool to = direction == PTO_COPY_TO_DEVICE;
	struct pto_ioc_bo_copy arg = {
		.size = sizeof(arg),
		.direction = direction,
		.dst_id = to ? id : 0,
		.src_id = to ? 0 : id,
		.dst_offset = to ? offset : 0,
		.src_offset = to ? 0 : offset,
		.user_ptr = (uintptr_t)user,
		.length = n,
	};

	return pt_ioctl(fd, PTO_BO_COPY, &arg);
}

/* --- the owners ----------------------------------------------------------------------------- */

/**
 * struct owner - somebody's memory
 * @dmabuf: its dma-buf
 * @map: the owner's mapping of it
 * @device: whatever has to be open for it, or -1
 * @dumb: of vgem
 */
struct owner {
	int dmabuf;
	void *map;
	int device;
	struct peer_dumb dumb;
};

static int vgem_own(struct owner *owner, const char *path)
{
	int err;

	owner->device = peer_drm_open("vgem");
	if (owner->device < 0)
		return owner->device;
	err = peer_dumb_new(owner->device, BYTES, &owner->dumb);
	if (!err)
		err = peer_dumb_map(&owner->dumb, &owner->map);
	return err ? err : peer_dumb_export(&owner->dumb);
}

static int udmabuf_own(struct owner *owner, const char *path)
{
	return peer_udmabuf_new(BYTES, &owner->map);
}

static int heap_own(struct owner *owner, const char *path)
{
	int dmabuf = peer_heap_new(BYTES);
	int err = dmabuf < 0 ? 0 : peer_dmabuf_map(dmabuf, BYTES, &owner->map);

	return err ? err : dmabuf;
}

/* A device of the other architecture than the one at @path */
static int pto_own(struct owner *owner, const char *path)
{
	struct pto_device_info info;
	struct pt_buf buf;
	int fd = pt_open_path(path);
	int err;

	if (fd < 0)
		return fd;
	err = pt_info(fd, &info);
	close(fd);
	if (err)
		return err;
	owner->device = pt_open(info.arch == PTO_ARCH_A5 ? PTO_ARCH_A2A3 : PTO_ARCH_A5);
	if (owner->device < 0)
		return owner->device;
	err = pt_buf_new(owner->device, BYTES, &buf);
	owner->map = buf.map;
	return err ? err : export(owner->device, buf.id);
}

/* Everything that the owner has but the dma-buf and its mapping */
static void owner_leave(struct owner *owner)
{
	if (owner->dumb.handle)
		peer_dumb_free(&owner->dumb);
	if (owner->device >= 0)
		close(owner->device);
	owner->device = -1;
}

/* --- the tests ------------------------------------------------------------------------------ */

FIXTURE(foreign)
{
	int fd;
	char path[32];
	struct owner owner;
	struct pto_ioc_bo_import in;
	uint64_t base;
};

FIXTURE_VARIANT(foreign)
{
	const char *name;
	int (*own)(struct owner *owner, const char *path);
	bool maybe_uncopyable;	/* the exporter of some kernels has no mapping for the kernel */
};

FIXTURE_VARIANT_ADD(foreign, vgem) { "vgem", vgem_own };
FIXTURE_VARIANT_ADD(foreign, udmabuf) { "udmabuf", udmabuf_own, true };
FIXTURE_VARIANT_ADD(foreign, heap) { "dma-heap", heap_own };
FIXTURE_VARIANT_ADD(foreign, pto) { "other PTO device", pto_own };

static uint64_t used(int fd)
{
	struct pto_device_usage usage;

	return pt_usage(fd, &usage) ? 0 : usage.memory_used - usage.arena_image_bytes;
}

FIXTURE_SETUP(foreign)
{
	struct pto_device_info info;
	int found;

	self->fd = -1;
	self->owner.device = -1;
	PT_FIND(found, 0, self->path);
	self->fd = pt_open_path(self->path);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &info));
	self->owner.dmabuf = info.features & PTO_FEATURE_DMABUF ?
			     variant->own(&self->owner, self->path) : -ENOENT;
	if (self->owner.dmabuf == -ENOENT) {
		close(self->fd);
		self->fd = -1;
		SKIP(return, "no dma-bufs, or no %s", variant->name);
	}
	ASSERT_GE(self->owner.dmabuf, 0);
	self->base = used(self->fd);
	ASSERT_EQ(0, import(self->fd, self->owner.dmabuf, &self->in));
}

FIXTURE_TEARDOWN(foreign)
{
	uint64_t deadline = pt_deadline();

	if (self->fd < 0)
		return;
	owner_leave(&self->owner);
	close(self->fd);
	/* Another context, which has nothing */
	self->fd = pt_open_path(self->path);
	ASSERT_GE(self->fd, 0);
	while (used(self->fd) != self->base && pt_now() < deadline)
		pt_pause();
	EXPECT_EQ(self->base, used(self->fd));
	close(self->fd);
	/*
	 * The last: before 6.11 it is a bug of udmabuf if a memfd goes whose pages are mapped by
	 * way of the dma-buf, as the device does.
	 */
	munmap(self->owner.map, BYTES);
	close(self->owner.dmabuf);
}

PT_TEST_F(foreign, mapped)
{
	struct pto_ioc_bo_info info = { .size = sizeof(info), .id = self->in.id };
	char *part;
	void *at;

	EXPECT_EQ(BYTES, self->in.length);
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_EQ(self->in.device_addr, info.device_addr);
	at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, self->in.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	peer_fill(self->owner.map, BYTES, 1);
	EXPECT_EQ(0, peer_wrong(at, BYTES, 1));
	peer_fill(at, BYTES, 2);
	EXPECT_EQ(0, peer_wrong(self->owner.map, BYTES, 2));
	part = mmap(NULL, PEER_PAGE, PROT_READ, MAP_SHARED, self->fd, self->in.mmap_offset);
	ASSERT_NE(MAP_FAILED, part);
	EXPECT_EQ(0, memcmp(part, self->owner.map, PEER_PAGE));
	munmap(part, PEER_PAGE);
	/* It keeps the memory, whoever else is gone. */
	EXPECT_EQ(0, pt_bo_destroy(self->fd, self->in.id));
	EXPECT_EQ(0, peer_wrong(at, BYTES, 2));
	munmap(at, BYTES);
}

PT_TEST_F(foreign, unmappable)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, PROT_READ, MAP_PRIVATE, self->fd,
				   self->in.mmap_offset));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, self->fd,
				   self->in.mmap_offset));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES + PEER_PAGE, PROT_READ, MAP_SHARED, self->fd,
				   self->in.mmap_offset));
	/* Not all exporters could show it. */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PEER_PAGE, PROT_READ, MAP_SHARED, self->fd,
				   self->in.mmap_offset + PEER_PAGE));
	EXPECT_EQ(EINVAL, errno);
}

/* A context that may only read gets no more by importing. */
PT_TEST_F(foreign, read_only)
{
	int fd = open(self->path, O_RDONLY | O_CLOEXEC);
	struct pto_ioc_bo_import in;
	void *at;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, import(fd, self->owner.dmabuf, &in));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				   in.mmap_offset));
	EXPECT_EQ(EACCES, errno);
	peer_fill(self->owner.map, BYTES, 11);
	at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, in.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, peer_wrong(at, BYTES, 11));
	EXPECT_EQ(-1, mprotect(at, BYTES, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(at, BYTES);
	close(fd);
}

PT_TEST_F(foreign, copied)
{
	uint32_t words[2 * PEER_PAGE / sizeof(uint32_t)];
	size_t at = PEER_PAGE - 8;
	struct pt_buf buf;
	int err;

	peer_fill(self->owner.map, BYTES, 3);
	err = copy(self->fd, PTO_COPY_FROM_DEVICE, self->in.id, at, words, sizeof(words));
	if (err == -EOPNOTSUPP && variant->maybe_uncopyable)
		SKIP(return, "this kernel cannot map memory of %s itself", variant->name);
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, memcmp(words, (char *)self->owner.map + at, sizeof(words)));
	peer_fill(words, sizeof(words), 4);
	ASSERT_EQ(0, copy(self->fd, PTO_COPY_TO_DEVICE, self->in.id, at, words, sizeof(words)));
	EXPECT_EQ(0, memcmp(words, (char *)self->owner.map + at, sizeof(words)));
	/* Between it and the device's own memory */
	ASSERT_EQ(0, pt_buf_new(self->fd, BYTES, &buf));
	peer_fill(self->owner.map, BYTES, 5);
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_BO_COPY, &(struct pto_ioc_bo_copy){
		.size = sizeof(struct pto_ioc_bo_copy),
		.direction = PTO_COPY_DEVICE,
		.dst_id = buf.id,
		.src_id = self->in.id,
		.length = BYTES,
	}));
	EXPECT_EQ(0, peer_wrong(buf.map, BYTES, 5));
	pt_buf_free(self->fd, &buf);
}

static void fill_vectors(float *data, float a, float b)
{
	int i;

	for (i = 0; i < COUNT; i++) {
		data[i] = a + i;
		data[COUNT + i] = b;
		data[2 * COUNT + i] = -1;
	}
}

static int wrong_sums(const float *data, float a, float b)
{
	int i, wrong = 0;

	for (i = 0; i < COUNT; i++)
		wrong += data[2 * COUNT + i] != a + i + b;
	return wrong;
}

/* The device reads and writes the owner's memory. */
PT_TEST_F(foreign, run)
{
	struct pto_tensor tensors[3];
	struct pt_buf args;
	uint32_t bytes;
	int i, cid;

	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(self->in.device_addr + i * STEP, PTO_DTYPE_FLOAT32,
				       sizeof(float), COUNT);
	ASSERT_EQ(0, pt_buf_new(self->fd, PTO_RUN_ARGS_SIZE(3, 0), &args));
	bytes = pt_args_write(args.map, 3, tensors, 0, NULL);
	cid = pt_prepare(self->fd, -1, &pt_add, NULL);
	ASSERT_GE(cid, 0);
	fill_vectors(self->owner.map, 1, 2);
	EXPECT_EQ(0, pt_run(self->fd, cid, &args, bytes));
	EXPECT_EQ(0, wrong_sums(self->owner.map, 1, 2));
	/* A new hardware context has it, too, */
	EXPECT_EQ(0, pt_reset(self->fd));
	fill_vectors(self->owner.map, 3, 4);
	EXPECT_EQ(0, pt_run(self->fd, cid, &args, bytes));
	EXPECT_EQ(0, wrong_sums(self->owner.map, 3, 4));
	/* also when the owner has gone. */
	owner_leave(&self->owner);
	fill_vectors(self->owner.map, 5, 6);
	EXPECT_EQ(0, pt_run(self->fd, cid, &args, bytes));
	EXPECT_EQ(0, wrong_sums(self->owner.map, 5, 6));
	pt_unprepare(self->fd, cid);
	pt_buf_free(self->fd, &args);
}

/* Arguments in it, too */
PT_TEST_F(foreign, arguments)
{
	struct pt_buf args = { .id = self->in.id };
	struct pto_tensor tensors[3];
	struct pt_vec vec;
	int i, cid;

	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	pt_vec_fill(&vec, 7, 8);
	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(vec.data.addr + i * STEP, PTO_DTYPE_FLOAT32, sizeof(float),
				       COUNT);
	cid = pt_prepare(self->fd, -1, &pt_add, NULL);
	ASSERT_GE(cid, 0);
	EXPECT_EQ(0, pt_run(self->fd, cid, &args,
			    pt_args_write(self->owner.map, 3, tensors, 0, NULL)));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 7, 8));
	pt_unprepare(self->fd, cid);
	pt_vec_free(self->fd, &vec);
}

/* A buffer where the import was, for vectors; what is free before it goes to @others. */
static int buf_there(FIXTURE_DATA(foreign) *self, struct pt_buf *others, int count,
		     struct pt_buf *buf)
{
	int i, err;

	for (i = 0; i < count; i++) {
		err = pt_buf_new(self->fd, 3 * STEP, buf);
		if (err)
			return err;
		if (buf->addr - self->in.device_addr < BYTES)
			return 0;
		others[i] = *buf;
	}
	return -ENOSPC;
}

/* When the import has ended, its addresses are the device's own memory. */
PT_TEST_F(foreign, addresses_come_back)
{
	struct pt_buf others[64] = {}, buf, args;
	uint64_t with, deadline = pt_deadline();
	struct pto_tensor tensors[3];
	int i, cid;

	cid = pt_prepare(self->fd, -1, &pt_add, NULL);
	ASSERT_GE(cid, 0);
	ASSERT_EQ(0, pt_buf_new(self->fd, PTO_RUN_ARGS_SIZE(3, 0), &args));
	with = used(self->fd);
	ASSERT_EQ(0, pt_bo_destroy(self->fd, self->in.id));
	while (used(self->fd) == with && pt_now() < deadline)
		pt_pause();
	ASSERT_EQ(0, buf_there(self, others, 64, &buf));
	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(buf.addr + i * STEP, PTO_DTYPE_FLOAT32, sizeof(float),
				       COUNT);
	peer_fill(self->owner.map, BYTES, 10);
	fill_vectors(buf.map, 1, 2);
	EXPECT_EQ(0, pt_run(self->fd, cid, &args, pt_args_write(args.map, 3, tensors, 0, NULL)));
	EXPECT_EQ(0, wrong_sums(buf.map, 1, 2));
	EXPECT_EQ(0, peer_wrong(self->owner.map, BYTES, 10));
	for (i = 0; i < 64 && others[i].map; i++)
		pt_buf_free(self->fd, &others[i]);
	pt_buf_free(self->fd, &buf);
	pt_buf_free(self->fd, &args);
	pt_unprepare(self->fd, cid);
}

/* Another context of the device does not have it, and may import it by itself. */
PT_TEST_F(foreign, other_context)
{
	struct pto_ioc_bo_import in;
	int other = pt_open_path(self->path);
	void *at;

	ASSERT_GE(other, 0);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, BYTES, PROT_READ, MAP_SHARED, other,
				   self->in.mmap_offset));
	ASSERT_EQ(0, import(other, self->owner.dmabuf, &in));
	at = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, other, in.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	peer_fill(self->owner.map, BYTES, 9);
	EXPECT_EQ(0, peer_wrong(at, BYTES, 9));
	munmap(at, BYTES);
	close(other);
}

/* Exported again it is the dma-buf that it was. */
PT_TEST_F(foreign, out_again)
{
	int dmabuf = export(self->fd, self->in.id);
	struct stat before, after;

	ASSERT_GE(dmabuf, 0);
	ASSERT_EQ(0, fstat(self->owner.dmabuf, &before));
	ASSERT_EQ(0, fstat(dmabuf, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	close(dmabuf);
}

TEST_HARNESS_MAIN
