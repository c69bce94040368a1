// SPDX-License-Identifier: MIT
/*
 * Run a command on a machine that is slow, or stands still at times: it, and all that it starts, is
 * stopped for a while again and again. What depends on how fast a machine is shows here.
 *
 *   slow [--run MS] [--stop MS] COMMAND...
 *
 * It runs for about as many milliseconds (5; each time between half and one and a half times as
 * long, by chance) and is then stopped for as many (45). So these make everything ten times slower;
 * --run 2000 --stop 5000 makes it stand still for 5 s every now and then. Processes that leave the
 * command's session are not stopped. Exit status: the command's; 125 for wrong usage.
 */
#include <ctype.h>
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USAGE 125

static pid_t command;

static bool in_session(pid_t pid)
{
	return getsid(pid) == command;
}

/* Sends a signal to all processes of the session. Return: there are some */
static bool send_all(int signal)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool any = false;
	pid_t pid;

	if (!proc)
		return false;
	while ((entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		pid = atoi(entry->d_name);
		if (in_session(pid))
			any |= !kill(pid, signal);
	}
	closedir(proc);
	return any;
}

static void pass(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Return: it has ended, with this exit status */
static bool ended(int *status)
{
	int how;

	if (waitpid(command, &how, WNOHANG) != command)
		return false;
	*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return true;
}

/* Whoever ends us ends it. */
static void end_all(int signal)
{
	send_all(SIGKILL);
	_exit(128 + signal);
}

static int usage(void)
{
	fprintf(stderr, "usage: slow [--run MS] [--stop MS] COMMAND...\n");
	return USAGE;
}

static void begin(char **argv)
{
	command = fork();
	if (command)
		return;
	setsid();
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(USAGE);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "run", required_argument, NULL, 'r' },
		{ "stop", required_argument, NULL, 's' },
		{ 0 }
	};
	long run = 5, stop = 45;
	int c, status;

	while ((c = getopt_long(argc, argv, "+r:s:", options, NULL)) != -1) {
		if (c == 'r')
			run = atol(optarg);
		else if (c == 's')
			stop = atol(optarg);
		else
			return usage();
	}
	if (optind == argc || run < 1 || stop < 1)
		return usage();
	srandom((unsigned int)time(NULL));
	signal(SIGINT, end_all);
	signal(SIGTERM, end_all);
	begin(argv + optind);
	if (command < 0) {
		perror("fork");
		return USAGE;
	}
	while (!ended(&status)) {
		pass(run / 2 + random() % (run + 1));
		send_all(SIGSTOP);
		pass(stop);
		send_all(SIGCONT);
	}
	return status;
}
