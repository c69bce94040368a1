// SPDX-License-Identifier: MIT
/*
 * What is known about a context process that died. Its signal handler leaves a record in
 * the context's page before the signal kills it; the rest tells the wait status.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "internal.h"

/* The context of this process. */
static struct context *watched;

static uint64_t fault_ip(const void *ucontext)
{
	const ucontext_t *uc = ucontext;

#if defined(__x86_64__)
	return (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return uc->uc_mcontext.pc;
#endif
}

/* Finds the entry below the instruction, among those of the running callable. */
static void fault_locate(struct fault_record *fault, const struct pto_engine_callable *running)
{
	uint64_t best;
	uint32_t i;

	best = (uintptr_t)running->entry;
	if (best > fault->ip)
		best = 0;
	else
		fault->where = FAULT_ORCHESTRATION;
	for (i = 0; i < running->kernel_count; i++) {
		uint64_t entry = (uintptr_t)running->kernels[i].fn;

		if (!entry || entry > fault->ip || entry <= best)
			continue;
		best = entry;
		fault->where = FAULT_KERNEL;
		fault->func_id = i;
	}
	fault->offset = fault->ip - best;
	if (fault->offset >= MAX_IMAGE_SIZE)
		fault->where = FAULT_SOMEWHERE;
}

static void fault_handler(int signal, siginfo_t *info, void *ucontext)
{
	struct fault_record *fault = &watched->page->fault;
	const struct pto_engine_callable *running = watched->running;

	if (atomic_exchange(&fault->valid, 1))
		return;
	fault->signal = signal;
	fault->address = (uintptr_t)info->si_addr;
	fault->ip = fault_ip(ucontext);
	if (running)
		fault_locate(fault, running);
}

/**
 * fault_watch() - leave a record when this process crashes
 * @ctx: the context of this process
 *
 * The handlers are for one time: they return, the instruction faults again, and the signal
 * has its default effect. A crash on a thread that has no room left for a handler
 * kills without a record.
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
	size_t i;

	watched = ctx;
	sigaltstack(&alternate, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static void fault_place(const struct fault_record *fault, char *text, size_t size)
{
	if (fault->where == FAULT_KERNEL)
		snprintf(text, size, "in the kernel of func_id %u (entry + 0x%llx)",
			 fault->func_id, (unsigned long long)fault->offset);
	else if (fault->where == FAULT_ORCHESTRATION)
		snprintf(text, size, "in the orchestration (entry + 0x%llx)",
			 (unsigned long long)fault->offset);
	else
		snprintf(text, size, "at instruction 0x%llx", (unsigned long long)fault->ip);
}

/**
 * fault_describe() - say how a context process ended
 * @fault: its record; nothing in it is trusted to be more than a number
 * @how: si_code of its end, CLD_*
 * @what: si_status
 * @why: report to fill in
 */
void fault_describe(const struct fault_record *fault, int how, int what,
		    struct pto_dev_report *why)
{
	const char *name = sigabbrev_np(what);
	char *text = (char *)why->text;
	size_t size = sizeof(why->text);
	char place[96];

	memset(why, 0, sizeof(*why));
	why->core = UINT32_MAX;
	why->task = UINT64_MAX;
	why->func_id = UINT32_MAX;
	if (how == CLD_EXITED) {
		snprintf(text, size, "the program ended the context's process: exit status %d",
			 what);
		return;
	}
	if (!atomic_load(&fault->valid) || fault->signal != what) {
		snprintf(text, size, "the context's process was killed by SIG%s",
			 name ? name : "?");
		return;
	}
	if (fault->where == FAULT_KERNEL)
		why->func_id = fault->func_id;
	fault_place(fault, place, sizeof(place));
	snprintf(text, size, "SIG%s at address 0x%llx, %s", name ? name : "?",
		 (unsigned long long)fault->address, place);
}
