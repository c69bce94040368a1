// SPDX-License-Identifier: GPL-2.0
/* The simulator where the machine denies it a system call, as containers and small kernels do. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pttest.h"
#include "whole_table.h"

#define DENY(number, err) do { \
	int denied_ = pt_deny_call(number, err); \
	\
	if (denied_ == -EINVAL) \
		SKIP(return, "this kernel has no filters of system calls"); \
	ASSERT_EQ(0, denied_); \
} while (0)

static void simulator_only(struct __test_metadata *_metadata)
{
	if (!pt_simulator())
		SKIP(exit(KSFT_SKIP), "only for the simulator");
}

/* Bad pointers among them: each is told from a good one without a process_vm_readv(). */
static void all_of_the_table(struct __test_metadata *_metadata, int err)
{
	simulator_only(_metadata);
	DENY(SYS_process_vm_readv, err);
	DENY(SYS_process_vm_writev, err);
	expect_whole_table(_metadata);
}

TEST(copies_are_forbidden)
{
	all_of_the_table(_metadata, EPERM);
}

TEST(copies_are_unknown)
{
	all_of_the_table(_metadata, ENOSYS);
}

/* As early after a boot; who lets getrandom() wait then has to wait for long. */
TEST(nothing_is_random_yet)
{
	int fd;

	simulator_only(_metadata);
	DENY(SYS_getrandom, EAGAIN);
	fd = pt_open(0);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
