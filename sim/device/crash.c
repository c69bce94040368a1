// SPDX-License-Identifier: MIT
/*
 * A crash of a program's code in the process of an application, where it ends the application: one
 * line on standard error says which code it was. (fault.c explains the crash of a context that has
 * a process of its own.)
 *
 * The handlers are installed when the first callable is loaded, each with the mask and the flags of
 * the action that it replaces, to which it passes every signal on. So the application's handlers
 * are called as without them, and the default action leaves the same wait status and core dump. A
 * signal that is ignored stays so. A handler that the application installs later replaces this
 * one; it may call it, or end with the default action.
 *
 * What a handler here calls is async-signal-safe; it reads variables of its own thread only.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crash.h"
#include "internal.h"

/* A handler of the application may repair what it was called for, again and again. */
#define MOST_LINES	8

/**
 * struct line - text that a handler writes
 * @text: the text
 * @length: bytes of it
 */
struct line {
	char text[400];
	size_t length;
};

static const struct {
	int number;
	const char *name;
} signals[] = {
	{ SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" }, { SIGILL, "SIGILL" },
	{ SIGABRT, "SIGABRT" },
};

/* The actions before, by the index in signals[] */
static struct sigaction before[sizeof(signals) / sizeof(signals[0])];

/** struct host_thread - @code: of a host graph's callable that the thread executes, or NULL */
struct host_thread {
	const char *code;
};

static __thread struct host_thread host_thread __attribute__((tls_model("initial-exec")));

/* --- the line ------------------------------------------------------------- */

static void add(struct line *line, const char *text)
{
	while (*text && line->length < sizeof(line->text) - 1)
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t number, unsigned int base)
{
	char text[24];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	add(line, base == 16 ? "0x" : "");
	add(line, at);
}

/* Did an instruction of this thread raise it? */
static bool is_fault(int signal, const siginfo_t *info)
{
	return signal != SIGABRT && info->si_code > 0 &&
	       !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

static void add_place(struct line *line, const struct pto_engine_place *place, uint64_t ip)
{
	static const char * const what[] = {
		[PTO_PLACE_KERNEL] = "the kernel of func_id ",
		[PTO_PLACE_ENTRY] = "the orchestration",
		[PTO_PLACE_CONFIG] = "the configuration function",
		[PTO_PLACE_CALL] = "a constructor or destructor of a callable's object",
	};

	add(line, what[place->what]);
	if (place->what == PTO_PLACE_KERNEL) {
		add_number(line, place->func_id, 10);
		add(line, ", task ");
		add_number(line, place->task, 16);
	}
	if (place->callable) {
		add(line, ", callable ");
		add(line, place->callable);
	}
	if (place->entry && ip - place->entry < MAX_IMAGE_SIZE) {
		add(line, ", entry + ");
		add_number(line, ip - place->entry, 16);
	}
}

static void say(unsigned int i, const siginfo_t *info, const void *ucontext,
		const struct pto_engine_place *place)
{
	static atomic_uint lines;
	uint64_t ip = fault_ip(ucontext);
	struct line line = { .length = 0 };

	if (atomic_fetch_add(&lines, 1) >= MOST_LINES)
		return;
	add(&line, "pto: ");
	add(&line, signals[i].name);
	if (is_fault(signals[i].number, info)) {
		add(&line, " at address ");
		add_number(&line, (uintptr_t)info->si_addr, 16);
	}
	add(&line, " in ");
	if (place)
		add_place(&line, place, ip);
	else
		add(&line, host_thread.code);
	add(&line, ", instruction ");
	add_number(&line, ip, 16);
	line.text[line.length++] = '\n';
	if (write(STDERR_FILENO, line.text, line.length) < 0)
		return;		/* there is nobody else to tell */
}

/* --- the handlers ---------------------------------------------------------- */

/* Let the default action follow, once the handler has returned. */
static void by_default(int signal, siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigaction(signal, &action, NULL);
	/* The instruction raises it again. Anything else is sent again, as it was. */
	if (!is_fault(signal, info))
		syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info);
}

static void crash_handler(int signal, siginfo_t *info, void *ucontext)
{
	struct pto_engine_place place;
	int saved = errno;
	unsigned int i = 0;

	while (signals[i].number != signal)
		i++;
	if (pto_engine_here(&place))
		say(i, info, ucontext, &place);
	else if (host_thread.code)
		say(i, info, ucontext, NULL);
	errno = saved;
	if (before[i].sa_flags & SA_SIGINFO)
		before[i].sa_sigaction(signal, info, ucontext);
	else if (before[i].sa_handler != SIG_DFL)
		before[i].sa_handler(signal);
	else
		by_default(signal, info);
}

static void watch(unsigned int i)
{
	struct sigaction action;

	if (sigaction(signals[i].number, NULL, &before[i]))
		return;
	action = before[i];
	if (!(action.sa_flags & SA_SIGINFO)) {
		if (action.sa_handler == SIG_IGN)
			return;
		/* A thread that has used up its stack needs another one. */
		if (action.sa_handler == SIG_DFL)
			action.sa_flags = SA_ONSTACK;
	}
	action.sa_flags |= SA_SIGINFO;
	action.sa_sigaction = crash_handler;
	sigaction(signals[i].number, &action, NULL);
}

static void watch_all(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		watch(i);
}

/** crash_watch() - install the handlers; once for the process, which is an application */
void crash_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_all);
}

/**
 * pto_sim_host_code() - called by libpto around code of a host graph's callable
 * @what: the code, for the line that says that it crashed; NULL: it has returned
 */
void pto_sim_host_code(const char *what)
{
	if (what)
		crash_watch();
	host_thread.code = what;
}
