// SPDX-License-Identifier: MIT
/*
 * Preloaded when coverage is measured: a process that ends with _exit() writes its counters
 * too, and so does one that a signal ends although it has a handler for it. The same
 * after a SIGUSR1, which tells a context process that its time is up: it is killed soon.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_OBJECTS 64

void coverage_register(void (*dump)(void));

static void (*dumps[MAX_OBJECTS])(void);
static atomic_uint count;

/* An object registers when it is loaded, and is not unloaded. */
void coverage_register(void (*dump)(void))
{
	unsigned int i = atomic_fetch_add(&count, 1);

	if (i >= MAX_OBJECTS)
		abort();
	dumps[i] = dump;
}

static void dump_all(void)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		dumps[i]();
}

void _exit(int status)
{
	dump_all();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

static struct sigaction handlers[SIGSYS + 1];

/* Nobody says that this is safe in a handler; a test that hangs for it shows. */
static void handle(int signal, siginfo_t *info, void *context)
{
	if (handlers[signal].sa_flags & SA_SIGINFO)
		handlers[signal].sa_sigaction(signal, info, context);
	else
		handlers[signal].sa_handler(signal);
	dump_all();
}

/* Those that end the process when the handler has returned. */
static int is_last(int signal, const struct sigaction *action)
{
	if (!action || action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)
		return 0;
	return signal == SIGUSR1 ||
	       (action->sa_flags & (int)SA_RESETHAND &&
		(signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE));
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	int (*next)(int signal, const struct sigaction *action, struct sigaction *old);
	void *sym = dlsym(RTLD_NEXT, "sigaction");
	struct sigaction ours;

	memcpy(&next, &sym, sizeof(next));
	if (!is_last(signal, action))
		return next(signal, action, old);
	handlers[signal] = *action;
	ours = *action;
	ours.sa_flags |= SA_SIGINFO;
	ours.sa_sigaction = handle;
	return next(signal, &ours, old);
}
