// SPDX-License-Identifier: GPL-2.0
/* What PTO_CONTROL_CREATE takes, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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
