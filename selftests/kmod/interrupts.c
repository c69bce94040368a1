// SPDX-License-Identifier: GPL-2.0
/*
 * What a device's interrupt sets in motion, if those whom it wakes signal it in their turn:
 * an io_uring that polls the node signals the device's own interrupt eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"
#include "uring.h"

FIXTURE(ring) {
	struct fake fake;
	struct uring ring;
	int fd;
};

FIXTURE_SETUP(ring)
{
	int err;

	self->fd = -1;
	ASSERT_EQ(0, fake_init(&self->fake, FAKE_SIZE));
	err = uring_init(&self->ring, self->fake.interrupt);
	if (err == -EINVAL || err == -ENOSYS)
		SKIP(return, "this kernel's io_uring cannot defer its work");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, fake_create(&self->fake));
	self->fd = fake_open(&self->fake, O_RDWR);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(ring)
{
	if (self->fd >= 0) {
		close(self->fd);
		uring_free(&self->ring);
	}
	fake_free(&self->fake);
}

/* Whoever takes the device out of service wakes the ring, which signals the interrupt. */
PT_TEST_F(ring, polls_a_device_that_goes)
{
	ASSERT_EQ(0, uring_poll(&self->ring, self->fd, POLLIN));
	fake_close(&self->fake);
	EXPECT_EQ(POLLERR | POLLHUP, uring_wait(&self->ring));
}

/* An interrupt wakes who waits for a command, and the ring, which signals the interrupt. */
PT_TEST_F(ring, polls_while_another_waits)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 1 << 16 };
	int i;

	ASSERT_EQ(0, uring_poll(&self->ring, self->fd, POLLIN));
	self->fake.late = true;
	for (i = 0; i < 8; i++) {
		unsigned long before = self->fake.interrupts;

		ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &bo));
		EXPECT_LT(before, self->fake.interrupts);
		ASSERT_EQ(0, pt_bo_destroy(self->fd, bo.id));
	}
	self->fake.late = false;
	fake_close(&self->fake);
	EXPECT_EQ(POLLERR | POLLHUP, uring_wait(&self->ring));
}

FAKE_HARNESS_MAIN
