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
#define BOUND_FILE	"/sys/module/pto/parameters/admin_timeout_ms"

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

#define CONTEXTS 3

FIXTURE(freeze) {
	struct fake fake;
	int fd;
	int fds[CONTEXTS];
};

FIXTURE_SETUP(freeze)
{
	unsigned int i;

	self->fd = -1;
	if (put(TEST_FILE, "freezer"))
		SKIP(return, "this kernel cannot try to go to sleep (CONFIG_PM_DEBUG)");
	/* On a slow machine all stand still for longer than five seconds. */
	ASSERT_EQ(0, put(BOUND_FILE, "600000"));
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	ASSERT_EQ(0, fake_create(&self->fake));
	for (i = 0; i < CONTEXTS; i++) {
		self->fds[i] = fake_open(&self->fake, O_RDWR);
		ASSERT_GE(self->fds[i], 0);
	}
	self->fd = self->fds[0];
}

FIXTURE_TEARDOWN(freeze)
{
	unsigned int i;

	if (self->fd < 0)
		return;
	for (i = 0; i < CONTEXTS; i++)
		close(self->fds[i]);
	fake_free(&self->fake);
	put(BOUND_FILE, "10000");
	put(TEST_FILE, "none");
}

/* Waits for an answer, in a sleep that only the death of the process ends. */
static void *create(void *arg)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };

	return (void *)(intptr_t)pt_ioctl(*(int *)arg, PTO_BO_CREATE, &bo);
}

/* So does this, with the arena's image, which others may wait for. */
static void *prewarm(void *arg)
{
	struct pto_ioc_prewarm arena = { .size = sizeof(arena) };
	unsigned int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		arena.task_window[i] = 4;
		arena.heap[i] = 1024;
		arena.dep_pool[i] = 4;
	}
	return (void *)(intptr_t)pt_ioctl(*(int *)arg, PTO_PREWARM, &arena);
}

/*
 * One waits for the device, one for him to be done with their context; one has an image built, one
 * waits for that. (This device builds none, and says so.)
 */
PT_TEST_F(freeze, while_somebody_waits_for_the_device)
{
	const struct {
		void *(*call)(void *arg);
		unsigned int context;
		intptr_t result;
	} calls[] = {
		{ create, 0, 0 }, { create, 0, 0 }, { prewarm, 1, -EIO }, { prewarm, 2, -EIO },
	};
	pthread_t threads[ARRAY_SIZE(calls)];
	struct pto_debug_stats stats;
	unsigned int i;
	void *result;

	self->fake.silent = true;
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, calls[i].call,
					    &self->fds[calls[i].context]));
	for (i = 0; i < 2; i++) {
		do {
			pt_pause();
			ASSERT_EQ(0, pt_debug_stats(self->fds[i], &stats));
		} while (!stats.device_commands);
	}
	usleep(100000);
	EXPECT_EQ(0, put(STATE_FILE, "freeze"));
	self->fake.silent = false;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &result));
		EXPECT_EQ(calls[i].result, (intptr_t)result);
	}
}

FAKE_HARNESS_MAIN
