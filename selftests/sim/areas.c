// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of buffers on the simulator, beyond what is the same on a kernel (uapi/mappings): what
 * the library knows of the pages of the process agrees with what they are, however they became so;
 * and a mapping keeps its buffer and its context, and nothing else does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define PATH "/dev/pto0"

FIXTURE(areas) {
	int fd;
	struct pto_device_usage base;
};

FIXTURE_SETUP(areas)
{
	self->fd = -1;
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(areas)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* mprotect() by a system call that nothing sees but the kernel. */
static int raw_mprotect(void *at, size_t length, long prot)
{
#ifdef __x86_64__
	long ret;

	__asm__ volatile ("syscall" : "=a" (ret)
			  : "0" ((long)SYS_mprotect), "D" (at), "S" (length), "d" (prot)
			  : "rcx", "r11", "memory");
	return ret;
#else
	return -ENOSYS;
#endif
}

/* --- whose a mapping is ----------------------------------------------------------- */

static void *move_to(void *from, size_t length, void *to)
{
	return mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

static uint32_t mappings(int fd, uint32_t id)
{
	struct pto_ioc_bo_info info = { .size = sizeof(info), .id = id };

	return pt_ioctl(fd, PTO_BO_INFO, &info) ? UINT32_MAX : info.mappings;
}

PT_TEST_F(areas, mapping_over_a_mapping_ends_it)
{
	struct pt_buf buf;
	void *map;

	ASSERT_EQ(0, pt_buf_new(self->fd, 8192, &buf));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	map = mmap(buf.map, buf.bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(buf.map, map);
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	munmap(map, buf.bytes);
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
}

PT_TEST_F(areas, memory_that_is_moved_over_a_mapping_ends_it)
{
	struct pt_buf buf;
	void *map;

	ASSERT_EQ(0, pt_buf_new(self->fd, 8192, &buf));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(buf.map, mremap(map, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, buf.map));
	/* The second page is left; and the first may be what a buffer may not. */
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	EXPECT_EQ(0, mprotect(buf.map, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	EXPECT_EQ(0, munmap((char *)buf.map + 4096, 4096));
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	munmap(buf.map, 4096);
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
}

PT_TEST_F(areas, moved_mapping_is_still_one)
{
	struct pt_buf buf;
	uint32_t *words;
	void *map;

	ASSERT_EQ(0, pt_buf_new(self->fd, 8192, &buf));
	words = buf.map;
	words[0] = 77;
	map = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	words = mremap(buf.map, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, map);
	if (words != MAP_FAILED) {
		EXPECT_EQ(77, words[0]);
		buf.map = words;
	}
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	munmap(buf.map, buf.bytes);
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
}

PT_TEST_F(areas, mapping_does_not_grow_into_the_neighbour)
{
	struct pt_buf one, two;
	void *map;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &one));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &two));
	map = mremap(one.map, 4096, 8192, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, map);
	pt_buf_free(self->fd, &one);
	pt_buf_free(self->fd, &two);
}

/* Each mapping is an area of its own, also of pages that follow each other. */
PT_TEST_F(areas, mappings_side_by_side_are_two)
{
	struct pt_buf buf;
	char *at;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4 * 4096, &buf));
	at = mmap(NULL, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(at, move_to(buf.map, 4096, at));
	ASSERT_EQ(at + 4096, move_to((char *)buf.map + 4096, 4096, at + 4096));
	EXPECT_EQ(3, mappings(self->fd, buf.id));
	EXPECT_EQ(MAP_FAILED, move_to(at, 2 * 4096, at + 2 * 4096));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(3, mappings(self->fd, buf.id));
	EXPECT_EQ(0, munmap(at, 4 * 4096));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	EXPECT_EQ(0, munmap((char *)buf.map + 2 * 4096, 2 * 4096));
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
}

/* What the kernel refuses changes nothing. */
PT_TEST_F(areas, mapping_calls_that_fail)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 8192 };
	char *at;

	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &bo));
	at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, self->fd, bo.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(MAP_FAILED, mmap(at, 8192, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd,
				   bo.mmap_offset));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(MAP_FAILED, mmap(at + 1, 8192, PROT_READ, MAP_SHARED | MAP_FIXED, self->fd,
				   bo.mmap_offset));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(-1, munmap(at + 1, 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(-1, mprotect(at + 1, 4096, PROT_NONE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mprotect(at + 4096, 4096, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, munmap(at, 8192));
	EXPECT_EQ(0, mappings(self->fd, bo.id));
	EXPECT_EQ(0, pt_bo_destroy(self->fd, bo.id));
}

PT_TEST_F(areas, mapping_calls_by_number)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 8192 };
	char *at, *to;

	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &bo));
	at = (char *)syscall(SYS_mmap, NULL, 8192, PROT_READ, MAP_SHARED, self->fd,
			     bo.mmap_offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(-1, syscall(SYS_mprotect, at, 8192, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, syscall(SYS_msync, at, 8192, MS_SYNC));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, syscall(SYS_remap_file_pages, at, 4096, 0, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	to = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(to, (char *)syscall(SYS_mremap, at, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED,
				      to));
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(0, syscall(SYS_munmap, to, 4096));
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(0, syscall(SYS_munmap, to + 4096, 4096));
	EXPECT_EQ(0, mappings(self->fd, bo.id));
	EXPECT_EQ(0, pt_bo_destroy(self->fd, bo.id));
}

/* A child sees the shared memory, as it would of a device, and frees nothing when it ends. */
PT_TEST_F(areas, child_sees_the_mapping)
{
	struct pt_buf buf;
	uint32_t *words;
	int status;
	pid_t child;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &buf));
	words = buf.map;
	words[0] = 1;
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		words[1] = words[0] + 1;
		munmap(buf.map, buf.bytes);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, words[1]);
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	pt_buf_free(self->fd, &buf);
}

/* --- what is known of each page --------------------------------------------------- */

/* The line of /proc/self/maps that has @at: does it say that it can be executed? */
static bool executable(const void *at)
{
	unsigned long start, end;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], perms[8] = "";
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3 &&
			start <= (uintptr_t)at && (uintptr_t)at < end;
	if (maps)
		fclose(maps);
	return found && perms[2] == 'x';
}

#define RX (PROT_READ | PROT_EXEC)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

/* Puts private memory where nothing is, and makes it executable: no buffer is there any more. */
static bool nothing_known_at(void *at)
{
	return mmap(at, 4096, PROT_READ, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0) == at &&
	       !mprotect(at, 4096, RX);
}

/* Is there still a buffer, which cannot be executed? */
static bool buffer_at(void *at)
{
	return mprotect(at, 4096, RX) == -1 && errno == EACCES && !executable(at);
}

PT_TEST_F(areas, hole_in_a_mapping)
{
	struct pt_buf buf;
	char *at;

	ASSERT_EQ(0, pt_buf_new(self->fd, 3 * 4096, &buf));
	at = buf.map;
	ASSERT_EQ(0, munmap(at + 4096, 4096));
	EXPECT_EQ(2, mappings(self->fd, buf.id));
	EXPECT_TRUE(nothing_known_at(at + 4096));
	EXPECT_TRUE(buffer_at(at));
	EXPECT_TRUE(buffer_at(at + 2 * 4096));
	ASSERT_EQ(0, munmap(at, 4096));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	ASSERT_EQ(0, munmap(at + 4096, 2 * 4096));
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

PT_TEST_F(areas, mapping_that_becomes_shorter)
{
	struct pt_buf buf;
	char *at;

	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * 4096, &buf));
	at = buf.map;
	ASSERT_EQ(at, mremap(at, 2 * 4096, 4096, 0));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	EXPECT_TRUE(nothing_known_at(at + 4096));
	EXPECT_TRUE(buffer_at(at));
	ASSERT_EQ(0, munmap(at, 2 * 4096));
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
}

/* What is done with memory beside mappings, and with several of them. */
PT_TEST_F(areas, memory_between_mappings)
{
	struct pt_buf one, two;
	char *at;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &one));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &two));
	at = mmap(NULL, 4 * 4096, PROT_READ, PRIVATE, -1, 0);
	ASSERT_EQ(at + 4096, move_to(one.map, 4096, at + 4096));
	ASSERT_EQ(at + 3 * 4096, move_to(two.map, 4096, at + 3 * 4096));
	EXPECT_EQ(0, mprotect(at + 2 * 4096, 4096, RX));
	EXPECT_TRUE(executable(at + 2 * 4096));
	/* A call that meets a buffer has its effect on what is before that, and no other. */
	EXPECT_EQ(-1, mprotect(at, 4 * 4096, RX));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(executable(at));
	EXPECT_FALSE(executable(at + 4096));
	EXPECT_FALSE(executable(at + 3 * 4096));
	/* A hole is no reason to overlook the buffer behind it. */
	ASSERT_EQ(0, munmap(at, 4096));
	EXPECT_EQ(-1, madvise(at, 2 * 4096, MADV_DONTNEED));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, madvise(at, 4096, MADV_DONTNEED));
	EXPECT_EQ(ENOMEM, errno);
	ASSERT_EQ(0, munmap(at + 4096, 4096));
	EXPECT_EQ(0, mappings(self->fd, one.id));
	EXPECT_EQ(1, mappings(self->fd, two.id));
	ASSERT_EQ(0, munmap(at + 2 * 4096, 2 * 4096));
	EXPECT_EQ(0, mappings(self->fd, two.id));
	one.map = NULL;
	two.map = NULL;
	pt_buf_free(self->fd, &one);
	pt_buf_free(self->fd, &two);
}

/* Wherever a mapping is, above or below the others, its end is noticed. */
PT_TEST_F(areas, many_mappings_end)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };
	char *at[8];
	unsigned int i;

	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &bo));
	for (i = 0; i < 8; i++) {
		at[i] = mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->fd, bo.mmap_offset);
		ASSERT_NE(MAP_FAILED, at[i]);
		EXPECT_EQ(i + 1, mappings(self->fd, bo.id));
	}
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, munmap(at[i * 3 % 8], 4096));
		EXPECT_EQ(7 - i, mappings(self->fd, bo.id));
	}
	EXPECT_EQ(0, pt_bo_destroy(self->fd, bo.id));
}

PT_TEST_F(areas, mapping_moved_over_another)
{
	struct pt_buf one, two;

	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * 4096, &one));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &two));
	*(uint32_t *)two.map = 2;
	ASSERT_EQ(one.map, move_to(two.map, 4096, one.map));
	EXPECT_EQ(2, *(uint32_t *)one.map);
	EXPECT_EQ(1, mappings(self->fd, one.id));
	EXPECT_EQ(1, mappings(self->fd, two.id));
	ASSERT_EQ(0, munmap(one.map, 2 * 4096));
	EXPECT_EQ(0, mappings(self->fd, one.id));
	EXPECT_EQ(0, mappings(self->fd, two.id));
	one.map = NULL;
	two.map = NULL;
	pt_buf_free(self->fd, &one);
	pt_buf_free(self->fd, &two);
}

/* remap_file_pages(): buffers are kept by what shows them, and by nothing else. */
PT_TEST_F(areas, remapped_pages_are_the_other_buffers)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 2 * 4096 };
	struct pt_buf buf;
	size_t index;
	char *at;

	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &bo));
	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * 4096, &buf));
	at = buf.map;
	index = bo.mmap_offset / 4096;
	ASSERT_EQ(0, remap_file_pages(at, 4096, 0, index, 0));
	EXPECT_EQ(1, mappings(self->fd, bo.id));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	/* Pages of two protections are refused by the kernel, which alone knows of this one. */
	if (raw_mprotect(at + 4096, 4096, PROT_READ) != -ENOSYS) {
		EXPECT_EQ(-1, remap_file_pages(at, 2 * 4096, 0, index, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(1, mappings(self->fd, bo.id));
		EXPECT_EQ(1, mappings(self->fd, buf.id));
	}
	ASSERT_EQ(0, munmap(at, 4096));
	EXPECT_EQ(0, mappings(self->fd, bo.id));
	EXPECT_EQ(1, mappings(self->fd, buf.id));
	ASSERT_EQ(0, munmap(at + 4096, 4096));
	EXPECT_EQ(0, mappings(self->fd, buf.id));
	buf.map = NULL;
	pt_buf_free(self->fd, &buf);
	EXPECT_EQ(0, pt_bo_destroy(self->fd, bo.id));
}

/* Pages of two contexts are not remapped at once, although they are of one device. */
PT_TEST_F(areas, remapped_pages_are_of_one_context)
{
	struct pt_buf one, two;
	int fd = open(PATH, O_RDWR | O_CLOEXEC);
	struct pto_ioc_bo_info info;
	char *at;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * 4096, &one));
	ASSERT_EQ(0, pt_buf_new(fd, 4096, &two));
	info = (struct pto_ioc_bo_info){ .size = sizeof(info), .id = one.id };
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	at = mmap(NULL, 2 * 4096, PROT_NONE, PRIVATE, -1, 0);
	ASSERT_EQ(at, move_to(one.map, 4096, at));
	ASSERT_EQ(at + 4096, move_to(two.map, 4096, at + 4096));
	EXPECT_EQ(-1, remap_file_pages(at, 2 * 4096, 0, info.mmap_offset / 4096, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, mappings(fd, two.id));
	munmap(at, 2 * 4096);
	close(fd);
	pt_buf_free(self->fd, &one);
}

/* A mapping keeps its context, and nothing else does. */
PT_TEST_F(areas, mapping_is_the_last_of_a_context)
{
	int fd = open(PATH, O_RDWR | O_CLOEXEC);
	struct pto_device_usage now;
	struct pt_buf buf;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pt_buf_new(fd, 2 * 4096, &buf));
	close(fd);
	*(uint32_t *)buf.map = 5;
	ASSERT_EQ(0, munmap((char *)buf.map + 4096, 4096));
	ASSERT_EQ(0, pt_usage(self->fd, &now));
	EXPECT_EQ(self->base.contexts + 1, now.contexts);
	EXPECT_EQ(5, *(uint32_t *)buf.map);
	ASSERT_EQ(0, munmap(buf.map, 4096));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* In a child that unmaps what it has, and where something was that it has not. */
static int child_unmaps(struct pt_buf *kept, struct pt_buf *not_inherited, int err)
{
	struct stat st;

	dup2(err, STDERR_FILENO);
	if (*(uint32_t *)kept->map != 6 || munmap(kept->map, 4096))
		return 1;
	if (!nothing_known_at(not_inherited->map))
		return 2;
	return fstat(err, &st) || st.st_size ? 3 : 0;
}

/* A buffer that only a mapping keeps is not given up by a child that ends its own. */
PT_TEST_F(areas, child_ends_only_its_mapping)
{
	int status, err = memfd_create("stderr", MFD_CLOEXEC);
	struct pt_buf kept, not_inherited, other;
	pid_t child;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &kept));
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &not_inherited));
	*(uint32_t *)kept.map = 6;
	ASSERT_EQ(0, pt_bo_destroy(self->fd, kept.id));
	ASSERT_EQ(0, madvise(not_inherited.map, 4096, MADV_DONTFORK));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child)
		_exit(child_unmaps(&kept, &not_inherited, err));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(6, *(uint32_t *)kept.map);
	/* It is still not free. */
	ASSERT_EQ(0, pt_buf_new(self->fd, 4096, &other));
	EXPECT_NE(kept.addr, other.addr);
	pt_buf_free(self->fd, &other);
	ASSERT_EQ(0, munmap(kept.map, 4096));
	pt_buf_free(self->fd, &not_inherited);
	close(err);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

PT_TEST_F(areas, read_only_context_cannot_be_mapped_for_writing)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 4096 };
	int fd = open(PATH, O_RDONLY | O_CLOEXEC);
	void *map;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_ioctl(fd, PTO_BO_CREATE, &create));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				   create.mmap_offset));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, create.mmap_offset);
	EXPECT_NE(MAP_FAILED, map);
	munmap(map, 4096);
	close(fd);
}

/* Memory of a buffer that is gone is zero for its next owner. */
PT_TEST_F(areas, memory_is_handed_on_empty)
{
	struct pt_buf buf;
	uint64_t addr = 0;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pt_buf_new(self->fd, 1 << 20, &buf));
		EXPECT_TRUE(!i || buf.addr == addr);
		addr = buf.addr;
		EXPECT_EQ(0, *(char *)buf.map);
		EXPECT_EQ(0, memcmp(buf.map, (char *)buf.map + 1, (1 << 20) - 1));
		memset(buf.map, 0xa5, 1 << 20);
		pt_buf_free(self->fd, &buf);
		ASSERT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	}
}

TEST_HARNESS_MAIN
