// SPDX-License-Identifier: MIT
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pto.h>

#include "floors.h"

static int is_simulator(struct dl_phdr_info *object, size_t size, void *arg)
{
	return strstr(object->dlpi_name, "libptosim") ? 1 : 0;
}

bool on_simulator(void)
{
	return dl_iterate_phdr(is_simulator, NULL);
}

/* A number that the driver does not know: the call goes there, and back at once. */
int null_ioctl(int fd)
{
	if (!ioctl(fd, _IO(PTO_IOC_TYPE, 0xff)))
		return -EPROTO;
	return errno == ENOTTY ? 0 : -errno;
}

/* --- two processes --------------------------------------------------------------- */

struct echo {
	pid_t pid;
	int there;
	int back;
};

static int signal_fd(int fd)
{
	const uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

static int await_fd(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? 0 : -errno;
}

/* The other process: until it is killed, or its parent is. */
static void echo_main(const struct echo *echo, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	while (!await_fd(echo->there) && !signal_fd(echo->back))
		;
	_exit(1);
}

struct echo *echo_start(void)
{
	struct echo *echo = malloc(sizeof(*echo));
	pid_t parent = getpid();

	if (!echo)
		return NULL;
	echo->pid = -1;
	echo->there = eventfd(0, EFD_CLOEXEC);
	echo->back = eventfd(0, EFD_CLOEXEC);
	if (echo->there >= 0 && echo->back >= 0)
		echo->pid = fork();
	if (!echo->pid)
		echo_main(echo, parent);
	if (echo->pid > 0)
		return echo;
	echo_stop(echo);
	return NULL;
}

int echo_round(struct echo *echo)
{
	int err = signal_fd(echo->there);

	return err ? err : await_fd(echo->back);
}

void echo_stop(struct echo *echo)
{
	if (!echo)
		return;
	if (echo->pid > 0) {
		kill(echo->pid, SIGKILL);
		waitpid(echo->pid, NULL, 0);
	}
	close(echo->there);
	close(echo->back);
	free(echo);
}
