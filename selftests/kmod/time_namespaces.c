// SPDX-License-Identifier: GPL-2.0
/*
 * Applications and devices in time namespaces: deadlines and results are by the clock that
 * clock_gettime() shows to whoever gives and gets them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "pttest.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define COUNT	64
#define WAIT_NS	300000000ULL

/**
 * enum where - who is in the namespace
 * @BOTH: the application and the device
 */
enum where { APPLICATION = 1, DEVICE = 2, BOTH = 3 };

FIXTURE(timens) {
	struct pt_ptod ptod;
	int fd;
};

FIXTURE_VARIANT(timens) {
	int seconds;
	enum where where;
};

FIXTURE_VARIANT_ADD(timens, application_ahead) { 1000, APPLICATION };
FIXTURE_VARIANT_ADD(timens, application_behind) { -1, APPLICATION };
FIXTURE_VARIANT_ADD(timens, device_ahead) { 1000, DEVICE };
FIXTURE_VARIANT_ADD(timens, device_behind) { -1, DEVICE };
FIXTURE_VARIANT_ADD(timens, both_ahead) { 1000, BOTH };

/* A namespace for the children that this process makes from now on. Return: 0 or -errno */
static int new_namespace(int seconds)
{
	int fd, ret;

	if (unshare(CLONE_NEWTIME))
		return -errno;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = dprintf(fd, "monotonic %d 0\n", seconds) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE_SETUP(timens)
{
	struct pt_ptod *ptod = &self->ptod;
	int err = 0;

	self->fd = -1;
	*ptod = (struct pt_ptod){ 0 };
	/* (The clock does not go below zero.) */
	while (pt_now() < 10 * PT_SECOND)
		pt_pause();
	if (variant->where & DEVICE)
		err = new_namespace(variant->seconds);
	if (!err) {
		self->fd = pt_ptod_start(ptod);
		ASSERT_GE(self->fd, 0);
	}
	if (!err && !(variant->where & DEVICE))
		err = new_namespace(variant->seconds);
	if (err) {
		if (self->fd >= 0)
			close(self->fd);
		self->fd = -1;
		SKIP(return, "no time namespaces: %s", strerror(-err));
	}
}

FIXTURE_TEARDOWN(timens)
{
	if (self->fd >= 0)
		close(self->fd);
	pt_ptod_kill(&self->ptod);
}

/* A run that does not end is waited for. Return: how long, or -errno */
static int64_t wait_a_while(int fd, uint64_t run)
{
	uint64_t before = pt_now();
	struct pto_ioc_wait wait = {
		.size = sizeof(wait), .run = run, .timeout_ns = before + WAIT_NS,
	};
	int err = pt_ioctl(fd, PTO_WAIT, &wait);

	return err == -ETIMEDOUT ? (int64_t)(pt_now() - before) : -EPROTO;
}

static bool between(const struct pto_ioc_wait *wait, uint64_t from, uint64_t to)
{
	return from <= wait->submit_ns && wait->submit_ns <= wait->start_ns &&
	       wait->start_ns <= wait->end_ns && wait->end_ns <= to;
}

/* All of it, in whichever namespace this process is. Return: 0, or what is wrong */
static const char *use(int fd)
{
	uint64_t before, id, begin = pt_now();
	struct pto_ioc_wait wait;
	struct pt_gate gate;
	int64_t passed;

	if (pt_gate_new(fd, NULL, &gate) || pt_gate_submit(fd, &gate, PTO_STREAM_DEFAULT, &id))
		return "no run";
	passed = wait_a_while(fd, id);
	if (passed < 0)
		return "it did not wait for the run";
	if (passed < (int64_t)WAIT_NS)
		return "it waited too short";
	before = pt_now();
	if (pt_stream_wait(fd, PTO_STREAM_DEFAULT, before + WAIT_NS) != -ETIMEDOUT)
		return "it did not wait for the stream";
	if (pt_now() - before < WAIT_NS)
		return "it waited too short for the stream";
	pt_gate_set(&gate, true);
	if (pt_wait(fd, id, &wait))
		return "the run did not end";
	if (!between(&wait, begin, pt_now()))
		return "times of another clock";
	pt_gate_free(fd, &gate);
	return NULL;
}

/* (A wait that is 1000 s longer than it should be is ended by the harness.) */
TEST_F(timens, waits_and_results)
{
	const char *wrong;
	int ends[2];
	char text[64] = "";
	pid_t child;

	if (self->fd < 0)
		return;
	if (!(variant->where & APPLICATION)) {
		wrong = use(self->fd);
		EXPECT_EQ(NULL, wrong) {
			TH_LOG("%s", wrong);
		}
		return;
	}
	ASSERT_EQ(0, pipe(ends));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		wrong = use(self->fd);
		wrong = wrong ? wrong : "fine";
		_exit(write(ends[1], wrong, strlen(wrong)) < 0);
	}
	close(ends[1]);
	ASSERT_LT(0, read(ends[0], text, sizeof(text) - 1));
	EXPECT_STREQ("fine", text);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	close(ends[0]);
}

FAKE_HARNESS_MAIN
