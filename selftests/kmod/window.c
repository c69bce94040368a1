// SPDX-License-Identifier: GPL-2.0
/*
 * What the process behind a device can do to its window while applications use it, and what
 * these can do to the machine by using it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

#define BUFFER	(1UL << 20)

FIXTURE(window) {
	struct fake fake;
	int fd;
	size_t page;
};

FIXTURE_SETUP(window)
{
	self->page = (size_t)sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	ASSERT_EQ(0, fake_create(&self->fake));
	self->fd = fake_open(&self->fake, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(window)
{
	close(self->fd);
	fake_free(&self->fake);
}

/* --- a lock that the process holds for as long as it likes ----------------------------------- */

/**
 * struct stuck - a write to the memfd that does not end: its source is not there yet
 * @memory: the memfd
 * @uffd: who is asked for the source
 * @source: the source
 * @page: bytes of it
 */
struct stuck {
	int memory;
	int uffd;
	void *source;
	size_t page;
};

static void *stuck_write(void *arg)
{
	struct stuck *stuck = arg;

	if (pwrite(stuck->memory, stuck->source, stuck->page, 0) < 0)
		abort();
	return NULL;
}

static int stuck_init(struct stuck *stuck, int memory, size_t page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.len = page,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	stuck->memory = memory;
	stuck->page = page;
	stuck->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (stuck->uffd < 0)
		return -errno;
	stuck->source = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)stuck->source;
	if (ioctl(stuck->uffd, UFFDIO_API, &api) || ioctl(stuck->uffd, UFFDIO_REGISTER, &range))
		return -errno;
	return 0;
}

/* @from becomes what is written. */
static int stuck_end(struct stuck *stuck, const void *from)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)stuck->source,
		.src = (uintptr_t)from,
		.len = stuck->page,
	};

	return ioctl(stuck->uffd, UFFDIO_COPY, &copy) ? -errno : 0;
}

/* The write holds the inode's lock. Who gives memory up, or opens a context, needs it not. */
TEST_F(window, its_inode_is_locked)
{
	struct pollfd asked = { .events = POLLIN };
	struct stuck stuck;
	struct pt_buf buf;
	pthread_t writer;
	int err, fd;

	err = stuck_init(&stuck, self->fake.memory, self->page);
	if (err)
		SKIP(return, "no userfaultfd: %s", strerror(-err));
	ASSERT_EQ(0, pthread_create(&writer, NULL, stuck_write, &stuck));
	asked.fd = stuck.uffd;
	ASSERT_EQ(1, poll(&asked, 1, -1));

	ASSERT_EQ(0, pt_buf_new(self->fd, BUFFER, &buf));
	memset(buf.map, 'x', BUFFER);
	pt_buf_free(self->fd, &buf);
	fd = fake_open(&self->fake, O_RDWR);
	EXPECT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, pt_buf_new(self->fd, BUFFER, &buf));
	EXPECT_EQ(0, *(char *)buf.map);
	pt_buf_free(self->fd, &buf);

	/* It writes what was there. */
	EXPECT_EQ(0, stuck_end(&stuck, self->fake.window));
	pthread_join(writer, NULL);
	munmap(stuck.source, stuck.page);
	close(stuck.uffd);
}

/* --- pages that cannot be moved ------------------------------------------------------------- */

/* How many pages can be touched, one after the other: the kernel does it, and says EFAULT. */
static size_t touch(char *map, size_t bytes, size_t page)
{
	int ends[2];
	size_t done;
	char byte;

	if (pipe(ends))
		return 0;
	for (done = 0; done < bytes; done += page) {
		if (write(ends[1], map + done, 1) != 1 || read(ends[0], &byte, 1) != 1)
			break;
	}
	close(ends[0]);
	close(ends[1]);
	return done / page;
}

#define LIMIT_PAGES	200

/*
 * The pages that applications have touched are the device's to answer for. What it may not have
 * more of they cannot touch; what they give back they can touch again.
 */
TEST(pages_are_accounted)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), first, second;
	struct rlimit limit = { LIMIT_PAGES * page, LIMIT_PAGES * page };
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	struct fake fake;
	struct pt_buf buf;
	char byte = 'x';
	int fd;

	ASSERT_EQ(0, fake_init(&fake, FAKE_SIZE));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, pt_drop_capability(CAP_IPC_LOCK));
	ASSERT_EQ(0, fake_create(&fake));
	fd = fake_open(&fake, O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_buf_new(fd, LIMIT_PAGES * page, &buf));

	/* Some of them are the queues'. */
	first = touch(buf.map, buf.bytes, page);
	EXPECT_GT(first, 0);
	EXPECT_LT(first, LIMIT_PAGES);
	/* What was touched stays so, and who maps nothing is not limited. */
	EXPECT_EQ(1, touch(buf.map, page, page));
	EXPECT_EQ(0, pt_ioctl(fd, PTO_BO_COPY, &(struct pto_ioc_bo_copy){
		.size = sizeof(struct pto_ioc_bo_copy),
		.direction = PTO_COPY_TO_DEVICE,
		.dst_id = buf.id,
		.dst_offset = buf.bytes - 1,
		.user_ptr = (uintptr_t)&byte,
		.length = 1,
	}));

	info.id = buf.id;
	ASSERT_EQ(0, pt_ioctl(fd, PTO_BO_INFO, &info));
	ASSERT_EQ(0, munmap(buf.map, buf.bytes));
	buf.map = mmap(NULL, buf.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)info.mmap_offset);
	ASSERT_NE(MAP_FAILED, buf.map);
	second = touch(buf.map, buf.bytes, page);
	EXPECT_EQ(first, second);

	pt_buf_free(fd, &buf);
	close(fd);
	fake_free(&fake);
}

/* Free pages of the zone whose pages the kernel wants to be able to move; -1: there is none */
static long movable_free(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	bool movable = false;
	char line[256];
	long pages = -1, n;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, ", zone"))
			movable = strstr(line, "Movable");
		if (movable && sscanf(line, " pages free %ld", &n) == 1)
			pages = n;
	}
	if (file)
		fclose(file);
	return pages;
}

#define MANY_PAGES	8192

/* (A kernel has such a zone if it was booted with movablecore=.) */
TEST(pages_that_stay_are_not_in_movable_memory)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct fake fake;
	struct pt_buf buf;
	long before;
	int fd;

	if (movable_free() < 2 * MANY_PAGES)
		SKIP(return, "this machine has no movable zone, or not enough of it");
	ASSERT_EQ(0, fake_init(&fake, 2 * MANY_PAGES * page));
	ASSERT_EQ(0, fake_create(&fake));
	fd = fake_open(&fake, O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_buf_new(fd, MANY_PAGES * page, &buf));
	before = movable_free();
	EXPECT_EQ(MANY_PAGES, touch(buf.map, buf.bytes, page));
	EXPECT_LT(before - movable_free(), MANY_PAGES / 2);
	pt_buf_free(fd, &buf);
	close(fd);
	fake_free(&fake);
}

/* --- debuggers ------------------------------------------------------------------------------- */

/* It lacks CONFIG_HAVE_IOREMAP_PROT. */
static bool user_mode_linux(void)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "User Mode Linux");
	if (file)
		fclose(file);
	return found;
}

/* /proc/self/mem sees what the process does, and may write what that may. */
TEST_F(window, seen_by_a_debugger)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char bytes[64] = "", *map;
	struct pt_buf buf;

	ASSERT_GE(mem, 0);
	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * self->page, &buf));
	map = buf.map;
	strcpy(map + self->page - 4, "over a page's end");
	if (user_mode_linux())
		SKIP(return, "this kernel shows debuggers no such memory");
	ASSERT_EQ(18, pread(mem, bytes, 18, (off_t)(uintptr_t)(map + self->page - 4)));
	EXPECT_STREQ("over a page's end", bytes);
	EXPECT_EQ(4, pwrite(mem, "seen", 4, (off_t)(uintptr_t)(map + self->page - 4)));
	EXPECT_STREQ("seen a page's end", map + self->page - 4);

	/* A page that the process has not touched, and one that it must not write */
	EXPECT_EQ(0, mprotect(map, 2 * self->page, PROT_READ));
	EXPECT_EQ(-1, pwrite(mem, "x", 1, (off_t)(uintptr_t)map));
	EXPECT_EQ(0, mprotect(map, 2 * self->page, PROT_NONE));
	EXPECT_EQ(1, pread(mem, bytes, 1, (off_t)(uintptr_t)map));
	pt_buf_free(self->fd, &buf);
	close(mem);
}

/* Nor may it write, whatever the process makes of the mapping, what was opened for reading. */
TEST_F(window, seen_by_a_debugger_for_reading)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int fd = fake_open(&self->fake, O_RDONLY);
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = self->page };
	char byte = 'x', *map;

	ASSERT_GE(mem, 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_ioctl(fd, PTO_BO_CREATE, &bo));
	map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, (off_t)bo.mmap_offset);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, *map);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (off_t)(uintptr_t)map));
	EXPECT_EQ(0, *map);
	munmap(map, self->page);
	close(fd);
	close(mem);
}

FAKE_HARNESS_MAIN
