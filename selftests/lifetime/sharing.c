// SPDX-License-Identifier: GPL-2.0
/*
 * One open file in several hands: dup, fork, SCM_RIGHTS, exec. On a kernel it is an open file
 * like any other. On the simulator a context is its process's own: whoever else gets the
 * descriptor gets ENODEV from it, and opens his own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 256
#define EXEC_VARIABLE "PTO_SELFTEST_INHERITED_FD"

/* The three things a process may find when it uses a descriptor. */
#define USES_IT 10
#define IS_REFUSED 11
#define GOES_WRONG 12

static int try_it(int fd)
{
	struct pto_context_stats stats;
	struct pt_vec vec;
	int err = pt_stats(fd, &stats);

	if (err == -ENODEV)
		return IS_REFUSED;
	if (err || stats.callables_live != 1 || pt_vec_new(fd, COUNT, &vec))
		return GOES_WRONG;
	pt_vec_fill(&vec, 1, 2);
	if (pt_run(fd, 0, &vec.args, vec.args_bytes) || pt_vec_wrong(&vec, '+', 1, 2))
		return GOES_WRONG;
	pt_vec_free(fd, &vec);
	return USES_IT;
}

/* Whoever is refused can open his own, whole and sound. */
static int try_own(uint32_t arch)
{
	int fd = pt_open(arch);
	int ret;

	if (fd < 0 || pt_prepare(fd, 0, &pt_add, NULL))
		return GOES_WRONG;
	ret = try_it(fd);
	close(fd);
	return ret;
}

/* After exec: this program again, with a descriptor that it inherited. */
static void __attribute__((constructor)) after_exec(void)
{
	const char *value = getenv(EXEC_VARIABLE);

	if (value)
		_exit(try_it(atoi(value)));
}

FIXTURE(sharing) {
	int fd;
	uint32_t arch;
	struct pt_vec vec;
	struct pto_device_usage base;
};

FIXTURE_SETUP(sharing)
{
	struct pto_device_info info;

	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &info));
	self->arch = info.arch;
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &self->vec));
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(sharing)
{
	if (self->fd < 0)
		return;
	pt_vec_free(self->fd, &self->vec);
	close(self->fd);
}

static void still_works(struct __test_metadata *_metadata, FIXTURE_DATA(sharing) *self)
{
	pt_vec_fill(&self->vec, 3, 4);
	ASSERT_EQ(0, pt_run(self->fd, 0, &self->vec.args, self->vec.args_bytes));
	ASSERT_EQ(0, pt_vec_wrong(&self->vec, '+', 3, 4));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

static int status_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return GOES_WRONG;
	return WEXITSTATUS(status);
}

static int expected_elsewhere(void)
{
	return pt_simulator() ? IS_REFUSED : USES_IT;
}

PT_TEST_F(sharing, dup_is_the_same_context)
{
	struct pto_device_usage with, without;
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	int other, copies[4], i;
	struct pt_buf buf;

	PT_OPEN(other, self->arch);
	ASSERT_EQ(0, pt_buf_new(other, 4096, &buf));
	ASSERT_EQ(0, pt_prepare(other, 0, &pt_add, NULL));
	copies[0] = dup(other);
	copies[1] = fcntl(other, F_DUPFD, 100);
	copies[2] = fcntl(other, F_DUPFD_CLOEXEC, 200);
	copies[3] = dup3(other, 300, O_CLOEXEC);
	info.id = buf.id;
	for (i = 0; i < 4; i++) {
		ASSERT_GE(copies[i], 0);
		EXPECT_EQ(0, pt_ioctl(copies[i], PTO_BO_INFO, &info));
		EXPECT_EQ(USES_IT, try_it(copies[i]));
	}
	munmap(buf.map, buf.bytes);
	close(other);
	ASSERT_EQ(0, pt_usage(self->fd, &with));
	EXPECT_EQ(self->base.contexts + 1, with.contexts);
	for (i = 0; i < 3; i++) {
		close(copies[i]);
		EXPECT_EQ(USES_IT, try_it(copies[3]));
	}
	close(copies[3]);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, &without));
	EXPECT_EQ(self->base.contexts, without.contexts);
}

PT_TEST_F(sharing, dup2_over_a_context_closes_it)
{
	int other;

	PT_OPEN(other, self->arch);
	ASSERT_EQ(other, dup2(self->fd, other));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	EXPECT_EQ(USES_IT, try_it(other));
	close(other);
	still_works(_metadata, self);
}

PT_TEST_F(sharing, fork_inherits)
{
	pid_t child = fork();

	ASSERT_GE(child, 0);
	if (!child)
		_exit(try_it(self->fd));
	EXPECT_EQ(expected_elsewhere(), status_of(child));
	still_works(_metadata, self);
}

PT_TEST_F(sharing, forked_child_opens_its_own)
{
	pid_t child = fork();

	ASSERT_GE(child, 0);
	if (!child)
		_exit(try_own(self->arch));
	EXPECT_EQ(USES_IT, status_of(child));
	still_works(_metadata, self);
}

/* What the child closes stays open for the parent, and the other way round. */
PT_TEST_F(sharing, last_close_may_be_the_childs)
{
	struct pto_device_usage usage;
	int other, pipefd[2];
	char byte = 0;
	pid_t child;

	PT_OPEN(other, self->arch);
	ASSERT_EQ(0, pt_prepare(other, 0, &pt_add, NULL));
	ASSERT_EQ(0, pipe(pipefd));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		close(self->fd);
		close(pipefd[1]);
		if (read(pipefd[0], &byte, 1) != 1)
			_exit(GOES_WRONG);
		_exit(try_it(other));
	}
	close(other);
	ASSERT_EQ(0, pt_usage(self->fd, &usage));
	EXPECT_EQ(self->base.contexts + 1, usage.contexts);
	ASSERT_EQ(1, write(pipefd[1], &byte, 1));
	EXPECT_EQ(expected_elsewhere(), status_of(child));
	close(pipefd[0]);
	close(pipefd[1]);
	still_works(_metadata, self);
}

/* A child that dies does not end what the parent has in flight. */
PT_TEST_F(sharing, dying_child_leaves_runs_alone)
{
	struct pt_gate gate;
	uint64_t id;
	pid_t child;

	ASSERT_EQ(0, pt_gate_new(self->fd, &self->vec, &gate));
	pt_vec_fill(&self->vec, 1, 2);
	ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		close(self->fd);
		_exit(0);
	}
	EXPECT_EQ(0, status_of(child));
	pt_gate_set(&gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(0, pt_vec_wrong(&self->vec, '+', 1, 2));
	pt_gate_free(self->fd, &gate);
}

PT_TEST_F(sharing, sent_to_oneself_it_is_the_same_context)
{
	int sockets[2], copy;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, pt_fd_send(sockets[0], self->fd));
	copy = pt_fd_receive(sockets[1]);
	ASSERT_GE(copy, 0);
	EXPECT_NE(self->fd, copy);
	EXPECT_EQ(USES_IT, try_it(copy));
	close(copy);
	close(sockets[0]);
	close(sockets[1]);
	still_works(_metadata, self);
}

/* In the message it stays alive, although nobody has a descriptor of it. */
PT_TEST_F(sharing, sent_to_another_process)
{
	int sockets[2], other, copy;
	pid_t child;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		copy = pt_fd_receive(sockets[1]);
		_exit(copy < 0 ? GOES_WRONG : try_it(copy));
	}
	PT_OPEN(other, self->arch);
	ASSERT_EQ(0, pt_prepare(other, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_fd_send(sockets[0], other));
	close(other);
	EXPECT_EQ(expected_elsewhere(), status_of(child));
	close(sockets[0]);
	close(sockets[1]);
	still_works(_metadata, self);
}

static int exec_with(int fd)
{
	char number[16];
	pid_t child = fork();

	if (child < 0)
		return GOES_WRONG;
	if (!child) {
		snprintf(number, sizeof(number), "%d", fd);
		setenv(EXEC_VARIABLE, number, 1);
		execl("/proc/self/exe", "sharing", NULL);
		_exit(GOES_WRONG);
	}
	return status_of(child);
}

PT_TEST_F(sharing, exec_inherits_what_is_not_cloexec)
{
	int kept = dup(self->fd);

	ASSERT_GE(kept, 0);
	EXPECT_EQ(expected_elsewhere(), exec_with(kept));
	EXPECT_EQ(GOES_WRONG, exec_with(self->fd));
	close(kept);
	still_works(_metadata, self);
}

TEST_HARNESS_MAIN
