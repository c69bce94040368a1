// SPDX-License-Identifier: GPL-2.0
/* Software devices of a test's own, which it may kill. Only on a kernel with the module. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptotest.h"

#define CONTROL "/dev/pto-control"
#define MAX_DEVICES 64

bool pt_ptod_possible(void)
{
	return !pt_simulator() && !access(CONTROL, R_OK | W_OK);
}

/* Bit N: there is a /dev/ptoN. */
static uint64_t devices_present(void)
{
	uint64_t present = 0;
	char path[32];
	int i;

	for (i = 0; i < MAX_DEVICES; i++) {
		snprintf(path, sizeof(path), "/dev/pto%d", i);
		if (!access(path, F_OK))
			present |= 1ULL << i;
	}
	return present;
}

/* Wait until a device that was not @present can be opened. Return: fd or -ETIMEDOUT */
static int open_new(uint64_t present)
{
	uint64_t deadline = pt_deadline();
	char path[32];
	int fd, i;

	while (pt_now() < deadline) {
		for (i = 0; i < MAX_DEVICES; i++) {
			if (present >> i & 1)
				continue;
			snprintf(path, sizeof(path), "/dev/pto%d", i);
			fd = pt_open_path(path);
			if (fd >= 0)
				return fd;
		}
		pt_pause();
	}
	return -ETIMEDOUT;
}

static pid_t start(const struct pt_ptod *ptod)
{
	const char *program = getenv("PTO_PTOD");
	pid_t child = fork();

	if (child)
		return child < 0 ? -errno : child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program = program ? program : pt_path("../../bin/ptod");
	execl(program, "ptod", "--arch", "a2a3", ptod->timeout_ms ? "--timeout-ms" : NULL,
	      ptod->timeout_ms, NULL);
	_exit(127);
}

int pt_ptod_start(struct pt_ptod *ptod)
{
	int fd;

	ptod->others = devices_present();
	ptod->pid = start(ptod);
	if (ptod->pid < 0)
		return ptod->pid;
	fd = open_new(ptod->others);
	if (fd < 0)
		pt_ptod_kill(ptod);
	return fd;
}

int pt_ptod_kill(struct pt_ptod *ptod)
{
	pid_t pid = ptod->pid;

	if (pid <= 0)
		return 0;
	ptod->pid = 0;
	if (kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid)
		return -errno;
	return 0;
}
