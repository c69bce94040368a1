// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static const char * const known[] = { "pto", "pto-views", "libgomp", "libomp", "starpu" };

const char *peer_known(int i)
{
	return i < (int)(sizeof(known) / sizeof(known[0])) ? known[i] : NULL;
}

/* The programs lie in ../bench, seen from ours. */
static int find_program(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -1;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	n = snprintf(path, size, "%s/../bench/task_runtimes-%s", self, name);
	return n < (ssize_t)size ? 0 : -1;
}

bool peer_built(const char *name)
{
	char path[PATH_MAX + 64];

	return !find_program(name, path, sizeof(path)) && !access(path, X_OK);
}

static void execute(const char *path, unsigned int threads, int in, int out)
{
	char count[16];

	snprintf(count, sizeof(count), "%u", threads);
	/* One that is stopped would not notice that its pipes have ended. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
		execl(path, path, count, (char *)NULL);
	fprintf(stderr, "task_runtimes: %s: %s\n", path, strerror(errno));
	_exit(127);
}

static int launch(struct peer *p, const char *path, unsigned int threads)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -1;
	p->pid = fork();
	if (p->pid < 0)
		return -1;
	if (!p->pid)
		execute(path, threads, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	p->to = fdopen(to[1], "w");
	p->from = fdopen(from[0], "r");
	return p->to && p->from ? 0 : -1;
}

static int read_line(struct peer *p, char *line)
{
	if (!fgets(line, PEER_TEXT, p->from)) {
		fprintf(stderr, "task_runtimes: %s has ended and is left out from here on\n",
			p->name);
		p->alive = false;
		return -1;
	}
	line[strcspn(line, "\n")] = 0;
	return 0;
}

static void halt(struct peer *p)
{
	kill(p->pid, SIGSTOP);
	waitpid(p->pid, NULL, WUNTRACED);
}

int peer_start(struct peer *p, const char *name, unsigned int threads)
{
	char path[PATH_MAX + 64], hello[PEER_TEXT];

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->own = !strncmp(name, "pto", 3);
	if (find_program(name, path, sizeof(path)) || access(path, X_OK)) {
		fprintf(stderr, "task_runtimes: there is no %s; \"make bench\" builds it\n", path);
		return -1;
	}
	if (launch(p, path, threads)) {
		fprintf(stderr, "task_runtimes: %s: %s\n", path, strerror(errno));
		return -1;
	}
	p->alive = true;
	if (read_line(p, hello))
		return -1;
	halt(p);
	if (sscanf(hello, "%*s %63[^\n]", p->version) != 1) {
		fprintf(stderr, "task_runtimes: %s says: %s\n", path, hello);
		return -1;
	}
	return 0;
}

int peer_ask(struct peer *p, char *reply, const char *fmt, ...)
{
	va_list ap;
	int ret;

	kill(p->pid, SIGCONT);
	va_start(ap, fmt);
	vfprintf(p->to, fmt, ap);
	va_end(ap);
	fflush(p->to);
	ret = read_line(p, reply);
	if (!ret)
		halt(p);
	return ret;
}

void peer_stop(struct peer *p)
{
	if (p->to)
		fclose(p->to);
	if (p->from)
		fclose(p->from);
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	memset(p, 0, sizeof(*p));
}
