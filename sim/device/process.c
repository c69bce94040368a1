// SPDX-License-Identifier: MIT
/*
 * Contexts that are processes: children of the supervisor. It has one thread only, so no other
 * thread can hold a lock when it forks.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

/*
 * Replace a mapping by an inaccessible one. The addresses stay reserved, so that a stray write
 * cannot hit other memory of the process.
 */
static int process_give_up(char *start, const char *end)
{
	if (start == end)
		return 0;
	return mmap(start, (size_t)(end - start), PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ?
	       -errno : 0;
}

/* Make the window and all of the shared mapping except one page inaccessible. */
static int process_confine(struct ptodev *dev, struct ctx_page *page)
{
	char *start = (char *)dev->shared;
	char *own = (char *)page;
	int ret;

	ret = process_give_up(start, own);
	if (!ret)
		ret = process_give_up(own + dev->page_stride, start + dev->shared_size);
	return ret ? ret : window_hide_all(dev);
}

/* The driver reports a crash. A core dump of the window would only take time. */
static void process_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

static void process_signals(void)
{
	sigset_t mask;

	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Main function of the child. */
static void process_main(struct ptodev *dev, uint32_t id, pid_t parent)
{
	struct ctx_page *page = ptodev_page(dev, dev->contexts[id].page);
	struct context *ctx;
	char name[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	snprintf(name, sizeof(name), "pto-ctx%u", id);
	prctl(PR_SET_NAME, name);
	ctx_page_new_thread();
	process_no_core();
	process_signals();
	/* The supervisor's handler would ring a bell that is not mapped any more. */
	signal(SIGUSR1, SIG_IGN);
	page->error = process_confine(dev, page);
	ctx = page->error ? NULL : context_new(dev, id, page, &page->error);
	if (!ctx) {
		atomic_store(&page->state, CTX_FAILED);
		_exit(0);
	}
	fault_watch(ctx);
	page->error = context_start_control(ctx);
	if (page->error) {
		atomic_store(&page->state, CTX_FAILED);
		_exit(0);
	}
	atomic_store(&page->state, CTX_RUNNING);
	context_main(ctx);
	atomic_store(&page->state, CTX_LOST);
	_exit(0);
}

/* Reap a child if it has ended. Return: false if it has not */
static bool process_ended(struct ctx_home *home, siginfo_t *info)
{
	info->si_pid = 0;
	if (waitid(P_PID, (id_t)home->pid, info, WEXITED | WNOHANG) || !info->si_pid)
		return false;
	home->pid = 0;
	return true;
}

/**
 * struct thread_seen - a thread of a context process
 * @state: as in proc(5); 0 if there is no such thread, '?' if nobody can tell
 * @used: processor time, in ns
 */
struct thread_seen {
	char state;
	uint64_t used;
};

static struct thread_seen thread_look(pid_t pid, uint32_t tid)
{
	struct thread_seen seen = { .state = '?' };
	unsigned long long user, system;
	char path[64], text[512];
	const char *name_end;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !access("/proc/self/stat", F_OK))
		seen.state = 0;
	if (fd < 0)
		return seen;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	name_end = strrchr(text, ')');
	if (name_end && sscanf(name_end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			       &seen.state, &user, &system) == 3)
		seen.used = (user + system) * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	return seen;
}

/*
 * Has a process of which a thread keeps the page's lock ended, or is it broken? It is if the lock's
 * word names none of its threads, or one that sleeps, which no holder does, or one that has had
 * processor time in plenty. A thread that gets none, or is stopped, is not. But the contexts of
 * others must not wait for ever for one that has stopped itself: it is told to go on.
 */
bool process_stuck(struct ptodev *dev, uint32_t id, struct stuck *stuck)
{
	pid_t pid = dev->contexts[id].pid;
	struct ctx_page *page = ptodev_page(dev, dev->contexts[id].page);
	uint32_t holder = atomic_load(&page->lock);
	struct thread_seen seen = thread_look(pid, holder);
	uint64_t now = patience_ns(dev);
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid)
		return true;
	if (!holder || holder != stuck->holder) {
		*stuck = (struct stuck){ holder, now, now, seen.used };
		return false;
	}
	if (seen.state != 'S')
		stuck->awake = now;
	if (seen.state == 'T' && now - stuck->since >= STOPPED_NS)
		kill(pid, SIGCONT);
	return !seen.state || now - stuck->awake >= STUCK_NS || seen.used - stuck->used >= STUCK_NS;
}

/* Wait until a new child serves its queues. Return: 0 or a negative errno */
static int process_settle(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	struct ctx_page *page = ptodev_page(dev, home->page);
	uint64_t until = patience_ns(dev) + START_BOUND_NS;
	unsigned int tries = 0;
	siginfo_t info;

	while (atomic_load(&page->state) == CTX_STARTING) {
		if (process_ended(home, &info))
			return -ECHILD;
		admin_meanwhile(dev);
		if (!pause_until(dev, &tries, until))
			return -ETIMEDOUT;
	}
	if (atomic_load(&page->state) == CTX_RUNNING)
		return 0;
	return page->error ? page->error : -ECHILD;
}

/* Create a context's process. Return: 0 or a negative errno */
int process_start(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];
	pid_t self = getpid();
	pid_t pid = fork();
	int ret;

	if (pid < 0)
		return -errno;
	if (!pid)
		process_main(dev, id, self);
	home->pid = pid;
	ret = process_settle(dev, id);
	if (ret)
		process_stop(dev, id, patience_ns(dev) + STOP_BOUND_NS);
	return ret;
}

/* Tell a context's process to end. */
void process_ask(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];

	if (home->pid)
		kill(home->pid, SIGKILL);
}

/* Tell a context's run to end. */
void process_expire(struct ptodev *dev, uint32_t id)
{
	struct ctx_home *home = &dev->contexts[id];

	if (home->pid)
		kill(home->pid, SIGUSR1);
}

/*
 * End a context's process. If the kernel cannot end it within the bound, it executes no more
 * instructions anyway, and is reaped later.
 */
void process_stop(struct ptodev *dev, uint32_t id, uint64_t until)
{
	struct ctx_home *home = &dev->contexts[id];
	unsigned int tries = 0;
	siginfo_t info;

	process_ask(dev, id);
	while (home->pid && !process_ended(home, &info) && pause_until(dev, &tries, until))
		admin_meanwhile(dev);
	home->pid = 0;
}

/* Bury contexts whose process has ended by itself. */
void process_reap(struct ptodev *dev)
{
	struct pto_dev_report why;
	siginfo_t info;
	uint32_t id;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) || !info.si_pid)
			return;
		for (id = 1; id <= dev->config.max_contexts; id++)
			if (dev->contexts[id].pid == info.si_pid)
				break;
		if (id > dev->config.max_contexts)
			continue;
		dev->contexts[id].pid = 0;
		fault_describe(ptodev_page(dev, dev->contexts[id].page), info.si_code,
			       info.si_status, &why);
		context_bury(dev, id, PTO_DEV_FAULT, &why);
	}
}
