// SPDX-License-Identifier: MIT
/*
 * Run a command, and let nothing that it has started outlive it.
 *
 *   contain COMMAND...
 *
 * A signal that is to end a test run reaches one process of many. No group and no session has
 * them all: timeout(1) makes a group of what it runs, user-mode Linux a session, and a process
 * whose parent has died becomes init's. So this one is their subreaper, to whom the orphans
 * among its descendants return. When the command has ended, or at SIGHUP, SIGINT or SIGTERM,
 * all descendants get SIGTERM, which lets them tidy up, and SIGKILL when they take too long.
 *
 * Exits as the command did, or by the signal.
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Virtual machines have 5 seconds to end (tools/vm/run). */
#define GRACE_MS 10000
#define STEP_MS 100

#define E_FAILED 125

struct process {
	pid_t pid;
	pid_t parent;
};

static sigset_t signals, inherited;

static void fail(const char *what)
{
	perror(what);
	exit(E_FAILED);
}

/* False if there is no such process any more. */
static bool read_process(const char *name, struct process *process)
{
	char path[64], line[512], *end;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", name);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[length] = 0;
	/* The name in parentheses may have any character. */
	end = strrchr(line, ')');
	process->pid = atoi(name);
	return end && sscanf(end, ") %*c %d", &process->parent) == 1;
}

/* Return: how many there are in *list, which is to be freed. */
static size_t list_processes(struct process **list)
{
	size_t count = 0, room = 0;
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	*list = NULL;
	if (!proc)
		fail("/proc");
	while ((entry = readdir(proc))) {
		if (count == room) {
			room = room ? 2 * room : 256;
			*list = realloc(*list, room * sizeof(**list));
			if (!*list)
				fail("contain");
		}
		if (isdigit(entry->d_name[0]) && read_process(entry->d_name, *list + count))
			count++;
	}
	closedir(proc);
	return count;
}

static bool descends(const struct process *list, size_t count, pid_t pid)
{
	size_t i, generation;

	/* A number that is used again while the list is made must not lead in a circle. */
	for (generation = 0; generation < count; generation++) {
		for (i = 0; i < count && list[i].pid != pid; i++)
			;
		if (i == count)
			return false;
		pid = list[i].parent;
		if (pid == getpid())
			return true;
	}
	return false;
}

static void signal_descendants(int sig)
{
	struct process *list;
	size_t count, i;

	count = list_processes(&list);
	for (i = 0; i < count; i++)
		if (descends(list, count, list[i].pid))
			kill(list[i].pid, sig);
	free(list);
}

/**
 * reap() - take note of the children that have ended
 * @child: of this one the status is wanted
 * @status: where its status goes
 *
 * Return: whether there are any others.
 */
static bool reap(pid_t child, int *status)
{
	int some;
	pid_t pid;

	while ((pid = waitpid(-1, &some, WNOHANG)) > 0)
		if (pid == child)
			*status = some;
	return !pid;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void end_descendants(void)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	long start = now_ms();
	sigset_t child;
	int unused;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	signal_descendants(SIGTERM);
	while (reap(0, &unused)) {
		if (now_ms() - start >= 2 * GRACE_MS) {
			fprintf(stderr, "contain: some processes cannot be killed\n");
			return;
		}
		if (now_ms() - start >= GRACE_MS)
			signal_descendants(SIGKILL);
		sigtimedwait(&child, NULL, &step);
	}
}

/* What the caller ignores (nohup) stays ignored. */
static void block_signals(void)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction now;
	size_t i;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (!sigaction(ending[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(&signals, ending[i]);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &signals, &inherited);
}

static void end_by(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	signal(sig, SIG_DFL);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
	int sig, status = -1;
	pid_t child;

	if (argc < 2) {
		fprintf(stderr, "usage: contain COMMAND...\n");
		return E_FAILED;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		fail("contain: prctl");
	block_signals();
	child = fork();
	if (child < 0)
		fail("contain: fork");
	if (!child) {
		sigprocmask(SIG_SETMASK, &inherited, NULL);
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(E_FAILED);
	}
	do {
		sig = sigwaitinfo(&signals, NULL);
		if (sig == SIGCHLD)
			reap(child, &status);
	} while (status == -1 && (sig == SIGCHLD || sig < 0));
	end_descendants();
	if (status == -1)
		end_by(sig);
	else if (WIFSIGNALED(status))
		end_by(WTERMSIG(status));
	return WEXITSTATUS(status);
}
