// SPDX-License-Identifier: GPL-2.0
/* valgrind's memcheck has nothing to say about a program that uses the simulator. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define ACTION "PTO_SELFTEST_ACTION"

/* Exit status for an error that memcheck has found */
#define FOUND 99

/* Opens the device, prepares, runs, closes. */
static int use(void)
{
	struct pt_vec vec;
	int fd = pt_open(0);

	if (fd < 0)
		return 1;
	if (pt_vec_new(fd, 64, &vec) || pt_prepare(fd, 0, &pt_add, NULL))
		return 2;
	pt_vec_fill(&vec, 1, 2);
	if (pt_run(fd, 0, &vec.args, vec.args_bytes))
		return 3;
	pt_vec_free(fd, &vec);
	return close(fd);
}

__attribute__((constructor)) static void act(void)
{
	const char *action = getenv(ACTION);
	volatile size_t past = 8;

	if (action && !strcmp(action, "use"))
		exit(use());
	/* What memcheck is there for: memory that nobody has allocated. */
	if (action && !strcmp(action, "misuse"))
		exit(pt_open(0) < 0 || ((volatile char *)malloc(8))[past]);
}

/* Return: the exit status of this program under memcheck, or -1 */
static int checked(const char *action, const char *memory)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv(ACTION, action, 1);
		if (memory)
			setenv("PTO_SIM_MEMORY", memory, 1);
		else
			unsetenv("PTO_SIM_MEMORY");
		execlp("valgrind", "valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
		       "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
		       "--log-file=/dev/null", pt_path("memcheck"), NULL);
		_exit(255);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IMPOSSIBLE "valgrind executes no program with a sanitizer in it"
#else
#define IMPOSSIBLE NULL
#endif

FIXTURE(memcheck) {
	int fd;	/* only says that there is something to test */
};

FIXTURE_SETUP(memcheck)
{
	self->fd = -1;
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	if (IMPOSSIBLE)
		SKIP(return, IMPOSSIBLE);
	self->fd = 0;
}

FIXTURE_TEARDOWN(memcheck)
{
}

/* With as much memory as valgrind lets a process have, and with what it is told. */
PT_TEST_F(memcheck, finds_nothing)
{
	EXPECT_EQ(0, checked("use", NULL));
	EXPECT_EQ(0, checked("use", "256M"));
}

PT_TEST_F(memcheck, finds_what_is_wrong)
{
	EXPECT_EQ(FOUND, checked("misuse", "256M"));
}

TEST_HARNESS_MAIN
