// SPDX-License-Identifier: GPL-2.0
/*
 * A device that breaks, or stops, while nobody calls the driver: who polls is told all the same.
 * (Who waits here for ever if not is ended by the harness.)
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

#define BOUND "/sys/module/pto/parameters/heartbeat_timeout_ms"

FIXTURE(watch) {
	struct fake fake;
	int fd;
	unsigned int bound;
};

static int bound_set(unsigned int ms, unsigned int *old)
{
	FILE *file = fopen(BOUND, "r+");
	int ret = -1;

	if (file && (!old || fscanf(file, "%u", old) == 1)) {
		rewind(file);
		ret = fprintf(file, "%u\n", ms) < 0 ? -1 : 0;
	}
	if (file && fclose(file))
		ret = -1;
	return ret;
}

FIXTURE_SETUP(watch)
{
	ASSERT_EQ(0, bound_set(60000, &self->bound));
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	ASSERT_EQ(0, fake_create(&self->fake));
	self->fd = fake_open(&self->fake, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(watch)
{
	close(self->fd);
	fake_free(&self->fake);
	bound_set(self->bound, NULL);
}

static short wait_for_end(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, -1) == 1 ? pollfd.revents : 0;
}

static int is_gone(int fd)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };

	return pt_ioctl(fd, PTO_BO_CREATE, &bo);
}

TEST_F(watch, device_says_that_it_is_broken)
{
	__atomic_store_n(&fake_page(&self->fake)->state, PTO_DEV_STATE_FAILED, __ATOMIC_SEQ_CST);
	EXPECT_EQ(POLLERR | POLLHUP, wait_for_end(self->fd));
	EXPECT_EQ(-ENODEV, is_gone(self->fd));
}

TEST_F(watch, heartbeat_stops)
{
	ASSERT_EQ(0, bound_set(2000, NULL));
	self->fake.no_pulse = true;
	EXPECT_EQ(POLLERR | POLLHUP, wait_for_end(self->fd));
	EXPECT_EQ(-ENODEV, is_gone(self->fd));
}

FAKE_HARNESS_MAIN
