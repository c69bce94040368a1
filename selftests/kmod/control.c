// SPDX-License-Identifier: GPL-2.0
/* What PTO_CONTROL_CREATE takes, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

FIXTURE(control) {
	struct fake fake;
};

FIXTURE_SETUP(control)
{
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
}

FIXTURE_TEARDOWN(control)
{
	fake_free(&self->fake);
}

/* PTO_CONTROL_CREATE with another descriptor in one place */
static int with_memory(struct fake *fake, int fd)
{
	return fake_control(fake->control, fd, fake->doorbell, fake->interrupt, NULL);
}

static int with_doorbell(struct fake *fake, int fd)
{
	return fake_control(fake->control, fake->memory, fd, fake->interrupt, NULL);
}

static int with_interrupt(struct fake *fake, int fd)
{
	return fake_control(fake->control, fake->memory, fake->doorbell, fd, NULL);
}

TEST_F(control, makes_a_device)
{
	struct pto_device_info info;
	int fd;

	ASSERT_EQ(0, fake_create(&self->fake));
	fd = fake_open(&self->fake, O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_info(fd, &info));
	EXPECT_STREQ("fake", (const char *)info.name);
	EXPECT_EQ(-EBUSY, with_memory(&self->fake, self->fake.memory));
	close(fd);
}

/* What is refused leaves nothing behind: the same file makes a device afterwards. */
TEST_F(control, wants_eventfds)
{
	struct fake *fake = &self->fake;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int pipes[2];

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EBADF, with_doorbell(fake, -1));
	EXPECT_EQ(-EBADF, with_interrupt(fake, -1));
	EXPECT_EQ(-EINVAL, with_doorbell(fake, pipes[0]));
	EXPECT_EQ(-EINVAL, with_interrupt(fake, pipes[0]));
	EXPECT_EQ(-EINVAL, with_interrupt(fake, epoll));
	EXPECT_EQ(-EINVAL, with_interrupt(fake, fake->memory));
	EXPECT_EQ(-EINVAL, with_interrupt(fake, fake->control));
	EXPECT_EQ(-EINVAL, with_memory(fake, fake->doorbell));
	/* A device that rings itself: nothing that anybody can have meant. */
	EXPECT_EQ(-EINVAL, with_interrupt(fake, fake->doorbell));
	close(epoll);
	close(pipes[0]);
	close(pipes[1]);
	EXPECT_EQ(0, fake_create(fake));
}

/* --- the memory ------------------------------------------------------------------------- */

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC		0x0020	/* since 6.3 */
#endif

/* PTO_CONTROL_CREATE with a memfd that has these seals; -ENOSYS if the kernel does not know them */
static int with_seals(struct fake *fake, unsigned int seals)
{
	int memory = fake_memfd(0, FAKE_SIZE, 0);
	int control = open("/dev/pto-control", O_RDWR | O_CLOEXEC);
	int err = fake_ident(memory, FAKE_SIZE);

	/* Of an executable one F_SEAL_EXEC implies the seals against writing. */
	if (!err)
		err = fchmod(memory, 0600) ? -errno : 0;
	if (!err)
		err = fcntl(memory, F_ADD_SEALS, seals) ? -ENOSYS :
			fake_control(control, memory, fake->doorbell, fake->interrupt, NULL);
	close(memory);
	close(control);
	return err;
}

TEST_F(control, looks_at_seals)
{
	struct fake *fake = &self->fake;
	int err;

	EXPECT_EQ(-EINVAL, with_seals(fake, 0));
	EXPECT_EQ(-EINVAL, with_seals(fake, F_SEAL_GROW | F_SEAL_SEAL));
	EXPECT_EQ(0, with_seals(fake, F_SEAL_SHRINK));
	EXPECT_EQ(0, with_seals(fake, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	EXPECT_EQ(-EINVAL, with_seals(fake, F_SEAL_SHRINK | F_SEAL_WRITE));
	EXPECT_EQ(-EINVAL, with_seals(fake, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE));
	err = with_seals(fake, F_SEAL_SHRINK | F_SEAL_EXEC);
	EXPECT_TRUE(!err || err == -ENOSYS);
}

TEST_F(control, wants_ordinary_memory)
{
	struct fake *fake = &self->fake;
	int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	int huge = fake_memfd(MFD_HUGETLB, 0, F_SEAL_SHRINK);
	int empty = fake_memfd(0, 0, F_SEAL_SHRINK);
	char path[64];
	int readable;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fake->memory);
	readable = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(readable, 0);
	EXPECT_EQ(-EBADF, with_memory(fake, -1));
	EXPECT_EQ(-EBADF, with_memory(fake, readable));
	EXPECT_EQ(-EINVAL, with_memory(fake, fake->control));
	EXPECT_EQ(-ENODEV, with_memory(fake, empty));
	if (file >= 0)
		EXPECT_EQ(-EINVAL, with_memory(fake, file));
	if (huge >= 0)
		EXPECT_EQ(-EINVAL, with_memory(fake, huge));
	EXPECT_EQ(0, fake_create(fake));
	close(file);
	close(huge);
	close(empty);
	close(readable);
}

/* A window is one device's. */
TEST_F(control, memory_of_two_devices)
{
	struct fake *fake = &self->fake;
	int other = open("/dev/pto-control", O_RDWR | O_CLOEXEC);

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, fake_create(fake));
	EXPECT_EQ(-EBUSY,
		  fake_control(other, fake->memory, fake->doorbell, fake->interrupt, NULL));
	fake_close(fake);
	EXPECT_EQ(0, fake_control(other, fake->memory, fake->doorbell, fake->interrupt, NULL));
	close(other);
}

/* Such as what the contexts of an earlier device have left there: nobody gets it. */
TEST_F(control, memory_with_data)
{
	struct fake *fake = &self->fake;
	size_t heap = fake_page(fake)->heap_offset;
	struct pt_buf buf;
	int fd;

	memset(fake->window + heap, 'x', fake->size - heap);
	ASSERT_EQ(0, fake_create(fake));
	fd = fake_open(fake, O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_buf_new(fd, 1 << 16, &buf));
	EXPECT_EQ(0, *(char *)buf.map);
	EXPECT_EQ(0, memcmp(buf.map, (char *)buf.map + 1, buf.bytes - 1));
	pt_buf_free(fd, &buf);
	close(fd);
}

/* While the kernel writes nobody can promise that nobody does. */
TEST_F(control, seal_against_writing_later)
{
	struct fake *fake = &self->fake;
	int memory = fake_memfd(0, FAKE_SIZE, F_SEAL_SHRINK);

	ASSERT_EQ(0, fake_ident(memory, FAKE_SIZE));
	ASSERT_EQ(0, with_memory(fake, memory));
	EXPECT_EQ(-1, fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	fake_close(fake);
	EXPECT_EQ(0, fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
	close(memory);
}

/* The other one allows what is written through mappings that exist; so is what we do. */
TEST_F(control, seal_against_future_writing_later)
{
	struct fake *fake = &self->fake;
	struct pto_device_usage before, after;
	struct pt_buf buf;
	int fd;

	ASSERT_EQ(0, fake_create(fake));
	fd = fake_open(fake, O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fcntl(fake->memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	ASSERT_EQ(0, pt_usage(fd, &before));
	ASSERT_EQ(0, pt_buf_new(fd, 1 << 16, &buf));
	memset(buf.map, 'x', 1 << 16);
	pt_buf_free(fd, &buf);
	EXPECT_EQ(0, pt_usage_settles(fd, &before, &after));
	ASSERT_EQ(0, pt_buf_new(fd, 1 << 16, &buf));
	EXPECT_EQ(0, *(char *)buf.map);
	pt_buf_free(fd, &buf);
	close(fd);
}

/* --- its size ----------------------------------------------------------------------------- */

#define LIMIT "/sys/module/pto/parameters/window_limit_gib"
#define TIB (1ULL << 40)

static int limit_set(unsigned long gib, unsigned long *old)
{
	FILE *file = fopen(LIMIT, "r+");
	int ret = -1;

	if (file && (!old || fscanf(file, "%lu", old) == 1)) {
		rewind(file);
		ret = fprintf(file, "%lu\n", gib) < 0 ? -1 : 0;
	}
	if (file && fclose(file))
		ret = -1;
	return ret;
}

/* Has the kernel said something with this in it? */
static bool logged(const char *text)
{
	int size = klogctl(10, NULL, 0);
	char *log = size > 0 ? malloc((size_t)size + 1) : NULL;
	bool found;
	int length;

	if (!log)
		return false;
	length = klogctl(3, log, size);
	log[length < 0 ? 0 : length] = '\0';
	found = strstr(log, text);
	free(log);
	return found;
}

/* A device with a window of @size bytes, most of which nobody ever touches */
static int with_size(struct fake *fake, int control, uint64_t size)
{
	int memory = fake_memfd(0, size, F_SEAL_SHRINK);
	int err = fake_ident(memory, size);

	if (!err)
		err = fake_control(control, memory, fake->doorbell, fake->interrupt, NULL);
	close(memory);
	return err;
}

TEST_F(control, size_of_a_window)
{
	struct fake *fake = &self->fake;

	EXPECT_EQ(-EFBIG, with_size(fake, fake->control, 16 * TIB));
	EXPECT_TRUE(logged("window of 16777216 MiB"));
	EXPECT_TRUE(logged("see parameter window_limit_gib"));
	EXPECT_EQ(0, with_size(fake, fake->control, TIB));
}

/* What counts is what all devices have. Others there may be are small against these. */
TEST_F(control, size_of_all_windows)
{
	struct fake *fake = &self->fake;
	int other = open("/dev/pto-control", O_RDWR | O_CLOEXEC);
	unsigned long limit;

	ASSERT_GE(other, 0);
	ASSERT_EQ(0, limit_set(4095, &limit));
	EXPECT_EQ(0, with_size(fake, fake->control, 2 * TIB));
	EXPECT_EQ(-EFBIG, with_size(fake, other, 2 * TIB));
	fake_close(fake);
	EXPECT_EQ(0, with_size(fake, other, 2 * TIB));
	close(other);
	EXPECT_EQ(0, limit_set(limit, NULL));
}

/* --- files that change --------------------------------------------------------------------- */

/**
 * struct swapper - a thread that makes a descriptor mean now this, now that
 * @fd: the descriptor
 * @files: what it means in turn
 * @swaps: how often it has changed
 * @stop: that is enough
 */
struct swapper {
	int fd;
	int files[2];
	_Atomic unsigned int swaps;
	_Atomic bool stop;
};

static void *swap(void *arg)
{
	struct swapper *swapper = arg;

	while (!swapper->stop) {
		if (dup2(swapper->files[++swapper->swaps & 1], swapper->fd) < 0)
			abort();
		sched_yield();
	}
	return NULL;
}

#define SWAPS 150

/*
 * Whichever file is found, it is the one that is used: if it is the pipe there is no device,
 * and nobody is left waiting at the pipe. (A kernel that watches memory shows the latter.)
 */
TEST_F(control, looks_a_file_up_once)
{
	struct fake *fake = &self->fake;
	int control, pipes[2], made, refused, err;
	unsigned int enough = 0;
	struct swapper swapper;
	pthread_t thread;

	for (made = 0, refused = 0; made < SWAPS || refused < SWAPS;) {
		ASSERT_EQ(0, pipe(pipes));
		control = open("/dev/pto-control", O_RDWR);
		ASSERT_GE(control, 0);
		swapper = (struct swapper){ .fd = dup(fake->interrupt),
					    .files = { fake->interrupt, pipes[0] } };
		ASSERT_EQ(0, pthread_create(&thread, NULL, swap, &swapper));
		/* On one processor, too, it is now this, now that. */
		for (enough = enough % 4 + 1; swapper.swaps < enough;)
			sched_yield();
		err = fake_control(control, fake->memory, fake->doorbell, swapper.fd, NULL);
		swapper.stop = true;
		pthread_join(thread, NULL);
		EXPECT_TRUE(!err || err == -EINVAL) {
			TH_LOG("%d", err);
		}
		made += !err;
		refused += !!err;
		close(swapper.fd);
		close(pipes[0]);
		close(pipes[1]);
		close(control);
	}
}

FAKE_HARNESS_MAIN
