// SPDX-License-Identifier: MIT
/*
 * How a kernel that does not end is left, and an orchestration or another function of a
 * program that does not.
 *
 * Code of a callable links against nothing of ours and holds nothing of ours, so the thread
 * that executes it can leave it at any instruction: it is sent a signal, whose handler jumps
 * to where the thread had called that code. The handler does so only if the thread is still
 * in the very kernel, run or call that is meant, and not in a call of the engine or the
 * runtime: then who asks has to ask again. (What the code holds of libc, if it calls that,
 * stays held.)
 *
 * Signals belong to the application in whose process the engine may be. So one is chosen
 * that the application does not use: the highest real-time signal whose disposition is the
 * default one when the first engine is made. It is sent to single threads of the engine
 * only, and only when one has to leave; they are the only ones that do not block it. If the
 * application takes the signal for itself later, it keeps it, and kernels are not left.
 */
#include <signal.h>

#include "engine_internal.h"

__thread struct pto_core *engine_core __attribute__((tls_model("initial-exec")));

static int escape_signal;

/* Leaves the orchestration, if this thread is in it. */
static void leave_entry(struct pto_engine *engine)
{
	uint32_t run = atomic_load_explicit(&engine->rt.fatal_claim, memory_order_relaxed) &
		       ~PTO_CLAIM_MASK;
	uint64_t entered = atomic_load_explicit(&engine->rt.entered, memory_order_relaxed);

	if (atomic_load_explicit(&engine->in_entry, memory_order_relaxed) && !(entered & 1) &&
	    atomic_load_explicit(&engine->leave, memory_order_relaxed) == run)
		siglongjmp(engine->escape, 1);
}

/* Leaves code that pto_engine_call() has called, if this thread is in it. */
static void leave_call(struct pto_engine *engine)
{
	uint32_t call = atomic_load_explicit(&engine->call, memory_order_relaxed);

	if (call && atomic_load_explicit(&engine->leave_call, memory_order_relaxed) == call)
		siglongjmp(engine->escape, 1);
}

static void escape_handler(int signal, siginfo_t *info, void *ucontext)
{
	struct pto_core *core = engine_core;
	uint64_t state;

	if (!core)
		return;
	atomic_store_explicit(&core->asked, 0, memory_order_relaxed);
	state = atomic_load_explicit(&core->state, memory_order_relaxed);
	if (core_func(state) == ENGINE_NO_FUNC) {
		if (core == core->engine->cores) {
			leave_call(core->engine);
			leave_entry(core->engine);
		}
	} else if (!core->inside &&
		   atomic_load_explicit(&core->leave, memory_order_relaxed) == state) {
		siglongjmp(core->escape, 1);
	}
}

static void choose_signal(void)
{
	/* Left by a jump, so its own signal must not stay blocked. */
	struct sigaction action = {
		.sa_sigaction = escape_handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART,
	};
	struct sigaction old;
	int signal;

	for (signal = SIGRTMAX; signal >= SIGRTMIN; signal--) {
		if (sigaction(signal, NULL, &old) || old.sa_flags & SA_SIGINFO ||
		    old.sa_handler != SIG_DFL)
			continue;
		if (!sigaction(signal, &action, NULL))
			escape_signal = signal;
		return;
	}
}

/** escape_init() - choose the signal; once for the process */
void escape_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, choose_signal);
}

/** escape_become() - the calling thread executes kernels as @core from now on */
void escape_become(struct pto_core *core)
{
	engine_core = core;
	pthread_sigmask(SIG_SETMASK, NULL, &core->mask);
}

/**
 * escape_landed() - the calling thread has left a kernel or the entry
 *
 * Restores the signal mask: the code may have changed it, or somebody who called the
 * handler, as ThreadSanitizer does.
 */
void escape_landed(const struct pto_core *core)
{
	pthread_sigmask(SIG_SETMASK, &core->mask, NULL);
}

/** escape_unblock() - let the calling thread be asked to leave a kernel */
void escape_unblock(void)
{
	sigset_t set;

	if (!escape_signal)
		return;
	sigemptyset(&set);
	sigaddset(&set, escape_signal);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/**
 * escape_ask() - ask a core's thread to leave what pto_core.leave, or pto_engine.leave or
 *	leave_call, says
 * @core: the core
 *
 * Does nothing while an earlier signal has not been heeded: those of a thread that blocks them
 * would queue up until the user may not have any more, which fails timers and signals of
 * other programs. Nor if the application has taken the signal, or there was none to take.
 */
void escape_ask(struct pto_core *core)
{
	struct sigaction now;

	if (!escape_signal || sigaction(escape_signal, NULL, &now) ||
	    !(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != escape_handler ||
	    atomic_exchange(&core->asked, 1))
		return;
	if (pthread_kill(core->thread, escape_signal))
		atomic_store(&core->asked, 0);
}
