// SPDX-License-Identifier: MIT
/*
 * Explains the death of a context process. Its signal handler writes a record to the context's
 * page before the signal kills it; the wait status has the rest.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "internal.h"

/* The context of this process. */
static struct context *watched;

/** fault_ip() - the instruction at which a signal came, from the argument of its handler */
uint64_t fault_ip(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

#if defined(__x86_64__)
	return (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return uc->uc_mcontext.pc;
#endif
}

/* Address of the function that the thread executes. Also fills in where it is. */
static uint64_t fault_entry(struct fault_record *fault)
{
	const struct pto_engine_callable *running = watched->running;

	if (context_loading)
		fault->where = FAULT_OBJECT;
	if (context_loading || !running)
		return 0;
	if (!pto_engine_current(watched->engine, &fault->func_id, &fault->task)) {
		fault->where = FAULT_ORCHESTRATION;
		return (uintptr_t)running->entry;
	}
	if (fault->func_id >= running->kernel_count)
		return 0;
	fault->where = FAULT_KERNEL;
	return (uintptr_t)running->kernels[fault->func_id].fn;
}

static void fault_handler(int signal, siginfo_t *info, void *ucontext)
{
	struct fault_record *fault = &watched->page->fault;

	if (atomic_exchange(&fault->valid, 1))
		return;
	fault->signal = signal;
	fault->address = (uintptr_t)info->si_addr;
	fault->ip = fault_ip(ucontext);
	fault->offset = fault->ip - fault_entry(fault);
}

/* Signal of the watchdog: a run or a call has to end, unless it has ended by itself meanwhile. */
static void fault_expire(int signal)
{
	int saved = errno;

	if (atomic_load(&watched->page->watches[CTX_STREAMS].until) == RUN_EXPIRED)
		pto_engine_abort_run(watched->engine);
	if (atomic_load(&watched->page->watches[CTX_CONTROL].until) == RUN_EXPIRED)
		pto_engine_abort_call(watched->engine);
	errno = saved;
}

/**
 * fault_watch_thread() - give the calling thread, the second one of the process that calls code
 *	of a program, a stack for the handlers
 *
 * In the home process, whose signals belong to the application, it does nothing.
 */
void fault_watch_thread(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	if (watched)
		sigaltstack(&alternate, NULL);
}

/**
 * fault_watch() - install the handlers for crashes and for the watchdog's signal
 * @ctx: the context of this process
 *
 * The handlers for crashes run once: they return, the instruction faults again, and the signal has
 * its default effect. Threads that execute code of a program have another stack for them
 * (escape_become()).
 */
void fault_watch(struct context *ctx)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	static char stack[16384] __attribute__((aligned(16)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_sigaction = fault_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND,
	};
	struct sigaction expire = { .sa_handler = fault_expire, .sa_flags = SA_RESTART };
	size_t i;

	watched = ctx;
	sigaltstack(&alternate, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	sigaction(SIGUSR1, &expire, NULL);
}

static void fault_place(const struct fault_record *fault, char *text, size_t size)
{
	int at = 0;

	if (fault->where == FAULT_KERNEL)
		at = snprintf(text, size, "in the kernel of func_id %u, task 0x%llx, ",
			      fault->func_id, (unsigned long long)fault->task);
	else if (fault->where == FAULT_ORCHESTRATION)
		at = snprintf(text, size, "in the orchestration, ");
	else if (fault->where == FAULT_OBJECT)
		at = snprintf(text, size, "in a constructor, a destructor or the dynamic loader, ");
	if (fault->where != FAULT_SOMEWHERE && fault->offset < MAX_IMAGE_SIZE)
		snprintf(text + at, size - (size_t)at, "entry + 0x%llx",
			 (unsigned long long)fault->offset);
	else
		snprintf(text + at, size - (size_t)at, "instruction 0x%llx",
			 (unsigned long long)fault->ip);
}

/**
 * fault_describe() - explain how a context process ended
 * @page: its page, whose contents are not trusted
 * @how: si_code of its end, CLD_*
 * @what: si_status
 * @why: report to fill in
 */
void fault_describe(const struct ctx_page *page, int how, int what, struct pto_dev_report *why)
{
	const struct fault_record fault = page->fault;
	const char *name = sigabbrev_np(what);
	char place[128];

	if (how == CLD_EXITED && atomic_load(&page->state) == CTX_LOST) {
		report_text(why, "a kernel of the context has outlived its run");
		return;
	}
	if (how == CLD_EXITED) {
		report_text(why, "the program ended the context's process: exit status %d", what);
		return;
	}
	if (!fault.valid || fault.signal != what) {
		report_text(why, "the context's process was killed by SIG%s", name ? name : "?");
		return;
	}
	fault_place(&fault, place, sizeof(place));
	report_text(why, "SIG%s at address 0x%llx, %s", name ? name : "?",
		    (unsigned long long)fault.address, place);
	if (fault.where != FAULT_KERNEL)
		return;
	why->func_id = fault.func_id;
	why->task = fault.task;
}
