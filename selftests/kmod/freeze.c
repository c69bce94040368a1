// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that goes to sleep stops all processes first, devices' among them. Who waits for a
 * device that is stopped already must not be in the way. Stops everything for five seconds, by the
 * kernel's own test of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

#define TEST_FILE	"/sys/power/pm_test"
#define STATE_FILE	"/sys/power/state"

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

FIXTURE(freeze) {
	struct fake fake;
	int fd;
};

FIXTURE_SETUP(freeze)
{
	self->fd = -1;
	if (put(TEST_FILE, "freezer"))
		SKIP(return, "this kernel cannot try to go to sleep (CONFIG_PM_DEBUG)");
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	ASSERT_EQ(0, fake_create(&self->fake));
	self->fd = fake_open(&self->fake, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(freeze)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	fake_free(&self->fake);
	put(TEST_FILE, "none");
}

/* Waits for an answer, in a sleep that only the death of the process ends. */
static void *create(void *arg)
{
	struct pto_bo_create bo = { .size = sizeof(bo), .length = 4096 };

	return (void *)(intptr_t)pt_ioctl(*(int *)arg, PTO_BO_CREATE, &bo);
}

PT_TEST_F(freeze, while_somebody_waits_for_the_device)
{
	struct pto_context_stats stats;
	pthread_t waiter;
	void *result;

	self->fake.silent = true;
	ASSERT_EQ(0, pthread_create(&waiter, NULL, create, &self->fd));
	do {
		pt_pause();
		ASSERT_EQ(0, pt_stats(self->fd, &stats));
	} while (!stats.device_commands);
	usleep(100000);
	EXPECT_EQ(0, put(STATE_FILE, "freeze"));
	self->fake.silent = false;
	ASSERT_EQ(0, pthread_join(waiter, &result));
	EXPECT_EQ(0, (intptr_t)result);
}

FAKE_HARNESS_MAIN
