// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors against a model: contexts and pipes are opened, copied, replaced and closed at
 * random, also behind the simulator's back; and then every number is what it should be, and as
 * many contexts are open as have a number. Then what a table of cases says better.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define PATH	"/dev/pto0"
#define FIRST	200	/* the numbers that take part */
#define NUMBERS	24
#define STEPS	1500
#define PAGE	4096

/* What a number is: nothing, a pipe, or the context whose only buffer has so many pages. */
#define NOTHING	0
#define PIPE	(-1)

FIXTURE(descriptors) {
	int fd;
	struct pto_device_usage base;
	int is[NUMBERS];
	bool stale[NUMBERS];	/* closed or replaced behind the simulator's back */
	int opened;	/* contexts that there ever were */
	unsigned int first;
};

static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

FIXTURE_SETUP(descriptors)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	self->fd = -1;
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(descriptors)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* A system call that nothing sees but the kernel. */
static int raw_call(long number, long a, long b, long c)
{
#ifdef __x86_64__
	long ret;

	__asm__ volatile ("syscall" : "=a" (ret) : "0" (number), "D" (a), "S" (b), "d" (c)
			  : "rcx", "r11", "memory");
	return ret;
#else
	return syscall(number, a, b, c);
#endif
}

/* --- steps --------------------------------------------------------------------------- */

/* At a number: a context with a buffer that tells it from all others. */
static int open_context(FIXTURE_DATA(descriptors) *self, int i)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo) };
	int fd = open(PATH, O_RDWR | O_CLOEXEC), pages = 1 + self->opened++ % 300;

	bo.length = (uint64_t)pages * PAGE;
	if (fd < 0 || pt_ioctl(fd, PTO_BO_CREATE, &bo) || dup2(fd, FIRST + i) != FIRST + i ||
	    close(fd))
		return -errno;
	self->is[i] = pages;
	self->stale[i] = false;
	return 0;
}

static int open_pipe(FIXTURE_DATA(descriptors) *self, int i)
{
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) || dup3(pipes[0], FIRST + i, O_CLOEXEC) != FIRST + i ||
	    close(pipes[0]) || close(pipes[1]))
		return -errno;
	self->is[i] = PIPE;
	self->stale[i] = false;
	return 0;
}

static int copy_number(FIXTURE_DATA(descriptors) *self, int from, int to)
{
	int ret, way = below(5);

	if (from == to)
		return 0;
	switch (way) {
	case 0:
		ret = dup2(FIRST + from, FIRST + to);
		break;
	case 1:
		ret = dup3(FIRST + from, FIRST + to, O_CLOEXEC);
		break;
	case 2:
		ret = syscall(SYS_dup3, FIRST + from, FIRST + to, O_CLOEXEC);
		break;
	case 3:
		close(FIRST + to);
		self->is[to] = NOTHING;
		self->stale[to] = false;
		ret = fcntl(FIRST + from, F_DUPFD_CLOEXEC, FIRST + to);
		if (ret >= 0 && ret != FIRST + to) {
			close(ret);
			return -EBADMSG;
		}
		break;
	default:
		ret = raw_call(SYS_dup3, FIRST + from, FIRST + to, O_CLOEXEC);
		errno = ret < 0 ? -ret : 0;
	}
	if (self->is[from] == NOTHING)
		return ret < 0 && errno == EBADF ? 0 : -EBADMSG;
	self->is[to] = self->is[from];
	self->stale[to] = way == 4;
	/* Of dup3(), whoever makes it, it is known whether it survives an exec. */
	return ret == FIRST + to && (!way || fcntl(ret, F_GETFD) == FD_CLOEXEC) ? 0 : -EBADMSG;
}

static int close_number(FIXTURE_DATA(descriptors) *self, int i)
{
	int ret;

	self->stale[i] = false;
	switch (below(3)) {
	case 0:
		ret = close(FIRST + i);
		break;
	case 1:
		ret = syscall(SYS_close, FIRST + i);
		break;
	default:
		ret = raw_call(SYS_close, FIRST + i, 0, 0);
		errno = ret < 0 ? -ret : 0;
		self->stale[i] = true;
	}
	if (!ret != !!self->is[i] || (ret && errno != EBADF))
		return -EBADMSG;
	self->is[i] = NOTHING;
	return 0;
}

static int close_some(FIXTURE_DATA(descriptors) *self)
{
	int first = below(NUMBERS), last = first + below(NUMBERS - first), i;

	if (close_range(FIRST + first, FIRST + last, 0))
		return -errno;
	for (i = first; i <= last; i++) {
		self->is[i] = NOTHING;
		self->stale[i] = false;
	}
	return 0;
}

/* --- what is so ------------------------------------------------------------------------ */

/*
 * What the descriptor is has to be asked first: that a number was given to a context behind its
 * back the simulator need not know before. That it was taken from one it may not know then
 * either: an ioctl may reach the context that was there, if that is still open.
 */
static int check_number(FIXTURE_DATA(descriptors) *self, int i)
{
	int fd = FIRST + i, is = self->is[i];
	struct pto_context_stats stats;
	struct stat st;

	if (fstat(fd, &st))
		return errno == EBADF && is == NOTHING &&
		       (self->stale[i] || pt_stats(fd, &stats) == -EBADF) ? 0 : -EBADMSG;
	if (is == PIPE)
		return S_ISFIFO(st.st_mode) &&
		       (self->stale[i] || pt_stats(fd, &stats) == -ENOTTY) ? 0 : -EBADMSG;
	return S_ISCHR(st.st_mode) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR &&
	       !pt_stats(fd, &stats) && stats.bo_bytes == (uint64_t)is * PAGE ? 0 : -EBADMSG;
}

static unsigned int contexts(FIXTURE_DATA(descriptors) *self)
{
	unsigned int count = 0;
	int i, j;

	for (i = 0; i < NUMBERS; i++) {
		for (j = 0; j < i && self->is[j] != self->is[i]; j++)
			;
		count += self->is[i] > 0 && i == j;
	}
	return count;
}

/* A close that nobody was told of may take a while to be noticed. */
static int check_contexts(FIXTURE_DATA(descriptors) *self)
{
	uint64_t deadline = pt_deadline();
	struct pto_device_usage now;

	do {
		if (pt_usage(self->fd, &now))
			return -EBADMSG;
		if (now.contexts == self->base.contexts + contexts(self))
			return 0;
		pt_pause();
	} while (pt_now() < deadline);
	return -ETIMEDOUT;
}

static int step(FIXTURE_DATA(descriptors) *self)
{
	int i = below(NUMBERS);

	switch (below(8)) {
	case 0:
		return contexts(self) < 12 ? open_context(self, i) : 0;
	case 1:
		return open_pipe(self, i);
	case 2:
	case 3:
	case 4:
		return copy_number(self, i, below(NUMBERS));
	case 5:
	case 6:
		return close_number(self, i);
	default:
		return below(4) ? 0 : close_some(self);
	}
}

PT_TEST_F(descriptors, random_steps)
{
	int n, i;

	for (n = 0; n < STEPS; n++) {
		ASSERT_EQ(0, step(self)) {
			TH_LOG("seed %u, step %d: %s", self->first, n, strerror(errno));
		}
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(0, check_number(self, below(NUMBERS))) {
				TH_LOG("seed %u, step %d", self->first, n);
			}
		}
		if (n % 10)
			continue;
		for (i = 0; i < NUMBERS; i++) {
			ASSERT_EQ(0, check_number(self, i)) {
				TH_LOG("seed %u, step %d, number %d", self->first, n, FIRST + i);
			}
		}
		ASSERT_EQ(0, check_contexts(self)) {
			TH_LOG("seed %u, step %d", self->first, n);
		}
	}
	ASSERT_EQ(0, close_range(FIRST, FIRST + NUMBERS, 0));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* --- opening ------------------------------------------------------------------------------- */

PT_TEST_F(descriptors, flags)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	size_t m;
	int fd, i;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		for (i = 0; i < 4; i++) {
			int flags = modes[m] | (i & 1 ? O_CLOEXEC : 0) | (i & 2 ? O_NONBLOCK : 0);

			fd = open(PATH, flags);
			ASSERT_LE(0, fd);
			EXPECT_EQ(i & 1 ? FD_CLOEXEC : 0, fcntl(fd, F_GETFD));
			EXPECT_EQ(modes[m], fcntl(fd, F_GETFL) & O_ACCMODE);
			EXPECT_EQ(i & 2 ? O_NONBLOCK : 0, fcntl(fd, F_GETFL) & O_NONBLOCK);
			close(fd);
		}
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

static int open_error(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

PT_TEST_F(descriptors, what_is_no_device)
{
	static const struct {
		const char *path;
		int flags;
		int error;
	} cases[] = {
		{ PATH, O_RDWR | O_PATH, -EOPNOTSUPP }, { PATH, O_RDWR | O_DIRECT, -EINVAL },
		{ PATH, O_RDWR | O_DIRECTORY, -ENOTDIR },
		{ PATH, O_RDWR | O_CREAT | O_EXCL, -EEXIST }, { PATH, O_RDWR | O_CREAT, 0 },
		{ PATH, O_RDWR | O_EXCL, 0 }, { PATH "/", O_RDWR, -ENOTDIR },
		{ PATH "/x", O_RDWR, -ENOTDIR }, { PATH "/x/y", O_RDWR | O_CREAT, -ENOENT },
		{ "/dev/pto00", O_RDWR, -ENOENT }, { "/dev/pto01", O_RDWR, -ENOENT },
		{ "/dev/pto0x", O_RDWR, -ENOENT }, { "/dev/pto0.", O_RDWR, -ENOENT },
		{ "/dev/pto1x", O_RDWR, -ENOENT }, { "/dev/pto1.", O_RDWR, -ENOENT },
		{ "/dev/xpto0", O_RDWR, -ENOENT }, { "/dev/", O_RDWR, -EISDIR },
		{ "/dev/../dev/pto0", O_RDWR, 0 }, { "/dev/./pto0", O_RDWR, 0 },
		{ "/proc/self/root/dev/pto0", O_RDWR, 0 }, { "/proc/pto0", O_RDWR, -ENOENT },
		{ "/tmp/pto0", O_RDWR, -ENOENT }, { "/dev/pto2", O_RDWR, -ENOENT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int error = open_error(cases[i].path, cases[i].flags);

		/* (That below a device nothing can be created may be said in two ways.) */
		EXPECT_TRUE(error == cases[i].error ||
			    (cases[i].flags & O_CREAT && error == -ENOTDIR)) {
			TH_LOG("%s, flags 0%o: %d", cases[i].path, cases[i].flags, error);
		}
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

static int count_numbers(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 4096; fd++)
		count += raw_call(SYS_fcntl, fd, F_GETFD, 0) >= 0;
	return count;
}

PT_TEST_F(descriptors, failed_opens_leave_none)
{
	int before, i, fds[1000], count = 0;

	/* As many as the device has contexts for, until it has none. */
	while (count < 1000 && (fds[count] = open(PATH, O_RDWR | O_CLOEXEC)) >= 0)
		count++;
	ASSERT_GT(1000, count);
	EXPECT_EQ(ENOSPC, errno);
	before = count_numbers();
	for (i = 0; i < 100; i++)
		EXPECT_EQ(-1, open(PATH, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(before, count_numbers());
	while (count)
		close(fds[--count]);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* Names of the simulator's kind do not make a socket a device. */
PT_TEST_F(descriptors, sockets_with_such_names)
{
	static const char *const names[] = {
		"pto-sim/0/1/0123456789abcdef", "pto-sim/0/1/0123456789abcdeg", "pto-sim/0/1/",
		"pto-sim/x/1/0123456789abcdef", "pto-sin/0/1/0123456789abcdef", "pto-sim/",
		"pto-sim/0/1/0123456789abcdef/and more", "something that is as long as this",
	};
	struct pto_context_stats stats;
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct sockaddr_un addr = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

		memcpy(addr.sun_path + 1, names[i], strlen(names[i]));
		ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr,
				  offsetof(struct sockaddr_un, sun_path) + 1 + strlen(names[i])));
		err = pt_stats(fd, &stats);
		/* The first is what another process's context would be called. */
		EXPECT_EQ(i ? -ENOTTY : -ENODEV, err) {
			TH_LOG("%s", names[i]);
		}
		ASSERT_EQ(0, fstat(fd, &st));
		EXPECT_TRUE(i ? S_ISSOCK(st.st_mode) : S_ISCHR(st.st_mode));
		close(fd);
	}
}

/* --- waiting ------------------------------------------------------------------------------- */

/* A context with a run that has ended and was not read. */
static int ready_context(void)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	struct pto_ioc_stream_wait wait = {
		.size = sizeof(wait), .id = PTO_STREAM_DEFAULT, .timeout_ns = PTO_WAIT_FOREVER,
	};
	int fd = open(PATH, O_RDWR | O_CLOEXEC);
	uint64_t id;

	if (pt_prepare(fd, 0, &empty, NULL) ||
	    pt_submit(fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &id) ||
	    pt_ioctl(fd, PTO_STREAM_WAIT, &wait))
		return -1;
	return fd;
}

/* Wherever it is among many, and whatever number it has. */
PT_TEST_F(descriptors, polled_among_many)
{
	struct pollfd fds[200];
	int ready = ready_context(), idle = open(PATH, O_RDWR | O_CLOEXEC), pipes[2], i, place;

	ASSERT_LE(0, ready);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	for (place = 0; place < 200; place += 33) {
		for (i = 0; i < 200; i++)
			fds[i] = (struct pollfd){ .fd = i % 3 ? pipes[0] : idle, .events = POLLIN };
		fds[place].fd = ready;
		EXPECT_EQ(1, poll(fds, 200, -1));
		for (i = 0; i < 200; i++)
			EXPECT_EQ(i == place ? POLLIN : 0, fds[i].revents);
		/* It says only what it was asked. */
		fds[place].events = POLLOUT | POLLPRI;
		EXPECT_EQ(0, poll(fds, 200, 0));
		EXPECT_EQ(0, fds[place].revents);
	}
	close(ready);
	close(idle);
	close(pipes[0]);
	close(pipes[1]);
}

PT_TEST_F(descriptors, selected_among_many)
{
	static const int numbers[] = { 63, 64, 65, 127, 128, 500, 767 };
	int ready = ready_context(), pipes[2];
	struct timeval timeout;
	fd_set set, errors;
	size_t i;

	ASSERT_LE(0, ready);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(numbers[i], dup2(ready, numbers[i]));
		FD_ZERO(&set);
		FD_ZERO(&errors);
		FD_SET(pipes[0], &set);
		FD_SET(numbers[i], &set);
		FD_SET(numbers[i], &errors);
		timeout = (struct timeval){ .tv_sec = 1000 };
		EXPECT_EQ(1, select(numbers[i] + 1, &set, NULL, &errors, &timeout));
		EXPECT_TRUE(FD_ISSET(numbers[i], &set));
		EXPECT_FALSE(FD_ISSET(pipes[0], &set));
		EXPECT_FALSE(FD_ISSET(numbers[i], &errors));
		/* What is left of the time, which is nearly all. */
		EXPECT_LT(500, timeout.tv_sec);
		EXPECT_GE(1000 * 1000000, timeout.tv_sec * 1000000 + timeout.tv_usec);
		close(numbers[i]);
	}
	/* Nothing of it is ready for writing, and nothing stays in the sets. */
	FD_ZERO(&set);
	FD_SET(ready, &set);
	timeout = (struct timeval){ .tv_usec = 1000 };
	EXPECT_EQ(0, select(ready + 1, NULL, &set, NULL, &timeout));
	EXPECT_FALSE(FD_ISSET(ready, &set));
	EXPECT_EQ(0, timeout.tv_sec);
	/* A number that is not open. */
	FD_ZERO(&set);
	FD_SET(ready, &set);
	FD_SET(700, &set);
	EXPECT_EQ(-1, select(701, &set, NULL, NULL, NULL));
	EXPECT_EQ(EBADF, errno);
	close(ready);
	close(pipes[0]);
	close(pipes[1]);
}

PT_TEST_F(descriptors, poll_waits_as_long_as_it_was_told)
{
	struct pollfd fds = { .fd = self->fd, .events = POLLIN };
	uint64_t before = pt_now();

	EXPECT_EQ(0, poll(&fds, 1, 50));
	EXPECT_LE(before + 50000000, pt_now());
	fds.events = 0;
	before = pt_now();
	EXPECT_EQ(0, poll(&fds, 1, 120));
	EXPECT_LE(before + 120000000, pt_now());
}

/* --- numbers that were used before ------------------------------------------------------------ */

/* A context and a copy of it at @number, which is known by a PTO ioctl. */
static int open_at(int number)
{
	int fd = open(PATH, O_RDWR | O_CLOEXEC);
	struct pto_context_stats stats;

	if (fd < 0 || dup3(fd, number, O_CLOEXEC) != number || pt_stats(number, &stats))
		return -1;
	return fd;
}

#define NUMBER 300

/* What was closed unseen is forgotten when the context ends, however it may be used again. */
PT_TEST_F(descriptors, number_of_an_ended_context)
{
	struct pto_context_stats stats;
	int fd, null, other;

	if (raw_call(SYS_close, -1, 0, 0) == -ENOSYS)
		SKIP(return, "no raw system calls on this architecture");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = open_at(NUMBER);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, raw_call(SYS_close, NUMBER, 0, 0));
	close(fd);
	ASSERT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	other = open(PATH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other);
	ASSERT_EQ(NUMBER, raw_call(SYS_dup3, null, NUMBER, O_CLOEXEC));
	EXPECT_EQ(-ENOTTY, pt_stats(NUMBER, &stats));
	close(other);
	close(NUMBER);
	close(null);
}

/* Of a number that fcntl() has given or looked at nothing is believed that was so before. */
PT_TEST_F(descriptors, number_that_fcntl_was_asked_about)
{
	struct pto_context_stats stats;
	int fd, null;

	if (raw_call(SYS_close, -1, 0, 0) == -ENOSYS)
		SKIP(return, "no raw system calls on this architecture");
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = open_at(NUMBER);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, raw_call(SYS_close, NUMBER, 0, 0));
	ASSERT_EQ(NUMBER, fcntl(null, F_DUPFD_CLOEXEC, NUMBER));
	EXPECT_EQ(-ENOTTY, pt_stats(NUMBER, &stats));
	close(NUMBER);
	close(fd);

	fd = open_at(NUMBER);
	ASSERT_LE(0, fd);
	ASSERT_EQ(NUMBER, raw_call(SYS_dup3, null, NUMBER, O_CLOEXEC));
	EXPECT_EQ(O_RDONLY, fcntl(NUMBER, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(-ENOTTY, pt_stats(NUMBER, &stats));
	close(NUMBER);
	close(fd);
	close(null);
}

/* A dup2() that fails leaves the context where it was, and poll() knows it. */
PT_TEST_F(descriptors, dup2_that_fails)
{
	struct pollfd fds = { .fd = ready_context(), .events = POLLIN };

	ASSERT_LE(0, fds.fd);
	EXPECT_EQ(-1, dup2(-1, fds.fd));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(1, poll(&fds, 1, 0));
	EXPECT_EQ(-1, dup3(-1, fds.fd, O_CLOEXEC));
	EXPECT_EQ(1, poll(&fds, 1, 0));
	EXPECT_EQ(POLLIN, fds.revents);
	close(fds.fd);
}

/* --- closing ---------------------------------------------------------------------------------- */

static int close_in_some_way(int fd, int way)
{
	switch (way) {
	case 0:
		return close(fd);
	case 1:
		return close_range(fd, fd, 0);
	case 2:
		return syscall(SYS_close, fd);
	case 3:
		return syscall(SYS_close_range, fd, fd, 0);
	case 4:
		return dup2(STDERR_FILENO, fd) == fd ? close(fd) : -1;
	case 5:
		return dup3(STDERR_FILENO, fd, O_CLOEXEC) == fd ? close(fd) : -1;
	default:
		return fclose(fdopen(fd, "r+"));
	}
}

/* When a close returns the context has ended: what it had is free. */
PT_TEST_F(descriptors, context_ends_before_its_close_returns)
{
	struct pto_device_usage now;
	int way, fd, i;

	for (way = 0; way <= 6; way++) {
		for (i = 0; i < 100; i++) {
			fd = open(PATH, O_RDWR | O_CLOEXEC);
			ASSERT_LE(0, fd);
			ASSERT_EQ(0, close_in_some_way(fd, way));
			ASSERT_EQ(0, pt_usage(self->fd, &now));
			ASSERT_EQ(self->base.contexts, now.contexts) {
				TH_LOG("way %d, after %d", way, i);
			}
		}
	}
}

/* A context becomes ready although the one before it, in the same place, was when it ended. */
PT_TEST_F(descriptors, readiness_ends_with_its_context)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC), i, fd;

	ASSERT_LE(0, epfd);
	for (i = 0; i < 3; i++) {
		fd = ready_context();
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
		EXPECT_EQ(1, epoll_wait(epfd, &event, 1, 60000));
		close(fd);
		EXPECT_EQ(0, epoll_wait(epfd, &event, 1, 0));
	}
	close(epfd);
}

/* What an ended context was kept in is used for the next one. */
PT_TEST_F(descriptors, contexts_that_end_leave_no_memory)
{
	struct mallinfo2 before;
	int i;

	for (i = 0; i < 520; i++) {
		if (i == 20)
			before = mallinfo2();
		close(open(PATH, O_RDWR | O_CLOEXEC));
	}
	/* The heap is never quite the same; one context takes hundreds of bytes. */
	EXPECT_GT(before.uordblks + 500 * 64, mallinfo2().uordblks);
}

/* --- other processes ------------------------------------------------------------------------- */

/* A child that goes on living does not keep its parent's contexts. */
PT_TEST_F(descriptors, child_keeps_nothing_of_what_is_closed)
{
	int fd = open(PATH, O_RDWR | O_CLOEXEC), pipes[2], status;
	struct pollfd fds = { .fd = fd, .events = POLLIN };
	struct pto_context_stats stats;
	pid_t pid;
	char byte;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		/* Not its own: it is told so, in whatever way, and closing it is its affair. */
		byte = poll(&fds, 1, 0) == 1 && fds.revents == POLLERR &&
		       pt_stats(fd, &stats) == -ENODEV && !close(fd);
		close(pipes[1]);
		while (read(pipes[0], &status, 1) > 0)
			;
		_exit(byte ? 0 : 1);
	}
	close(fd);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
