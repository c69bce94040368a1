// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that are not the simulator's: their own wrappers of system calls, children of vfork(),
 * event loops, and a main thread that has ended. The same on the simulator and on a kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"
#include "whole_table.h"

FIXTURE(guest) {
	int fd;
};

FIXTURE_SETUP(guest)
{
	self->fd = -1;
	PT_OPEN(self->fd, 0);
}

FIXTURE_TEARDOWN(guest)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* Is @fd known to be a device that has nothing to tell? An unknown socket would say otherwise. */
static bool idle_device(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	char byte;

	return poll(&p, 1, 0) == 0 && read(fd, &byte, 1) == -1 && errno == EINVAL;
}

/* The child has descriptors of its own, in its parent's memory. */
PT_TEST_F(guest, vfork_child_opens_in_its_place)
{
	int status, fd = self->fd;
	pid_t child = vfork();

	if (!child) {
		close(fd);
		_exit(open("/dev/null", O_RDONLY | O_CLOEXEC) == fd ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(idle_device(fd));
}

PT_TEST_F(guest, vfork_child_copies_over_it)
{
	int status, fd = self->fd;
	pid_t child = vfork();

	if (!child)
		_exit(dup2(STDERR_FILENO, fd) == fd && fcntl(fd, F_GETFL) >= 0 ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(idle_device(fd));
}

PT_TEST_F(guest, vfork_child_looks_at_its_own)
{
	int status, fd = self->fd;
	pid_t child = vfork();
	char byte;

	if (!child) {
		close(fd);
		_exit(read(fd, &byte, 1) == -1 && errno == EBADF ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(idle_device(fd));
}

/* Each end is an edge, with the results before it still unread. */
PT_TEST_F(guest, edge_for_each_end)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int set = epoll_create1(EPOLL_CLOEXEC), i;
	struct pt_gate gate;
	uint64_t ids[5];

	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &gate));
	pt_gate_set(&gate, true);
	ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, self->fd, &event));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &ids[i]));
		/* Generous: only a lost edge lets it pass. */
		EXPECT_EQ(1, epoll_wait(set, &event, 1, 60000)) {
			TH_LOG("no edge for run %d", i);
		}
	}
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, pt_finish(self->fd, ids[i]));
	EXPECT_EQ(0, epoll_wait(set, &event, 1, 0));
	EXPECT_TRUE(idle_device(self->fd));
	close(set);
}

/* Memory that is no stack and no device, so that it takes the kernel to read it. */
static void *use_from_the_heap(void *unused)
{
	char path[4096];
	struct pto_device_info *info = malloc(sizeof(*info));
	struct pto_ioc_query *query = malloc(sizeof(*query));
	bool good;
	int fd;

	/* This is how it shows that the main thread has gone. (ThreadSanitizer cannot join it.) */
	while (readlink("/proc/self/exe", path, sizeof(path)) >= 0)
		pt_pause();
	fd = pt_open(0);
	*query = (struct pto_ioc_query) {
		.size = sizeof(*query),
		.item = PTO_QUERY_DEVICE,
		.data_ptr = (uintptr_t)info,
		.data_size = sizeof(*info),
	};
	good = fd >= 0 && !pt_ioctl(fd, PTO_QUERY, query) && info->memory_size;
	query->data_ptr = 8;
	good = good && pt_ioctl(fd, PTO_QUERY, query) == -EFAULT;
	free(query);
	free(info);
	_exit(good ? 0 : 1);
}

/*
 * Without the fixture, which on the simulator makes threads: after a fork of a process that has
 * some, ThreadSanitizer allows no new ones.
 */
TEST(main_thread_has_ended)
{
	int status, found = access("/dev/pto0", F_OK);
	pthread_t thread;
	pid_t child;

	PT_NEED(found, 0);
	child = fork();
	if (!child) {
		if (pthread_create(&thread, NULL, use_from_the_heap, NULL))
			_exit(2);
		pthread_exit(NULL);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/*
 * Behind a library that wraps what allocators look at, by syscall(), as tcmalloc does: see
 * wrapper.c. Its wrappers are the next definitions behind a preloaded library's.
 */
TEST(wrappers_by_syscall)
{
	const char *preload = getenv("LD_PRELOAD");
	char line[1024];

	snprintf(line, sizeof(line), "%s%s%s", preload ? preload : "", preload ? " " : "",
		 pt_path("wrapper.so"));
	setenv("LD_PRELOAD", line, 1);
	expect_whole_table(_metadata);
}

TEST_HARNESS_MAIN
