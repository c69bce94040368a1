// SPDX-License-Identifier: MIT
/*
 * The supervisor: the admin as a separate process, the parent of the context processes. The home
 * process forks it when it creates the device. It sleeps on the admin's bell, which also rings
 * when a child or the home process ends.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "refusal.h"

/* For the signal handler. */
static struct bell *supervisor_bell;

static void supervisor_signal(int signal)
{
	bell_ring(supervisor_bell);
}

/*
 * SIGCHLD: a child has ended. SIGUSR1: the thread that forked this process has ended, maybe the
 * whole home process. The home process handles signals of the terminal.
 */
static void supervisor_signals(void)
{
	struct sigaction action = { .sa_handler = supervisor_signal, .sa_flags = SA_RESTART };
	sigset_t mask;

	sigaction(SIGCHLD, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void supervisor_main(struct ptodev *dev)
{
	supervisor_bell = &dev->shared->bell;
	supervisor_signals();
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	prctl(PR_SET_NAME, "pto-supervisor");
	admin_main(dev);
	_exit(0);
}

/* In the supervisor: has the home process ended? */
bool supervisor_orphaned(const struct ptodev *dev)
{
	return dev->config.isolate && getppid() != dev->parent;
}

/* Wait until a new supervisor serves. Return: 0 or a negative errno */
static int supervisor_settle(struct ptodev *dev)
{
	uint64_t until = patience_ns(dev) + START_BOUND_NS;
	unsigned int tries = 0;

	while (!atomic_load(&dev->shared->ready)) {
		if (waitpid(dev->supervisor, NULL, WNOHANG))
			return -ECHILD;
		if (!pause_until(dev, &tries, until))
			return -ETIMEDOUT;
	}
	return 0;
}

/* Create the supervisor. Return: 0 when it serves, or a negative errno */
int supervisor_start(struct ptodev *dev)
{
	pid_t pid;
	int ret;

	dev->parent = getpid();
	pid = fork();
	if (pid < 0)
		return refusal("fork", errno);
	if (!pid)
		supervisor_main(dev);
	dev->supervisor = pid;
	dev->supervisor_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ret = dev->supervisor_fd < 0 ? refusal("pidfd_open", errno) : supervisor_settle(dev);
	if (!ret)
		return 0;
	atomic_store(&dev->shared->stop, 1);
	bell_ring(&dev->shared->bell);
	supervisor_stop(dev);
	return ret;
}

/* Wait for the supervisor, which has been told to stop; kill it if it does not. */
void supervisor_stop(struct ptodev *dev)
{
	uint64_t until = patience_ns(dev) + 2 * STOP_BOUND_NS;
	unsigned int tries = 0;

	while (waitpid(dev->supervisor, NULL, WNOHANG) == 0) {
		if (pause_until(dev, &tries, until))
			continue;
		kill(dev->supervisor, SIGKILL);
		waitpid(dev->supervisor, NULL, 0);
		break;
	}
	if (dev->supervisor_fd >= 0)
		close(dev->supervisor_fd);
	dev->supervisor_fd = -1;
}
