// SPDX-License-Identifier: MIT
/*
 * Making a thread leave a kernel, an orchestration or another function of a program that does not
 * end.
 *
 * Code of a callable does not link against this project and holds none of its locks, so the thread
 * that executes it can leave it at any instruction: the thread is sent a signal, whose handler
 * jumps back to the caller of that code. The handler does so only if the thread is still in the
 * same kernel, run or call, and not in a call of the engine or the runtime; otherwise the signal
 * has to be sent again. (Locks of libc that the code holds stay held.)
 *
 * The engine may be in the process of an application, which may use signals. So it chooses one
 * that the application does not use: the highest real-time signal that has its default disposition
 * when the first engine is created. The signal is sent only to threads of the engine that have to
 * leave code; only threads of the engine unblock it. If the application installs a handler for it
 * later, it keeps the signal, and kernels cannot be left.
 */
#include <signal.h>
#include <sys/mman.h>

#include "engine_internal.h"

/* Room for a handler that says what has crashed, and for one of the application */
#define STACK_SIZE	65536

__thread struct pto_core *engine_core __attribute__((tls_model("initial-exec")));

static int escape_signal;

/* Leave the orchestration, if this thread is in it. */
static void leave_entry(struct pto_engine *engine)
{
	uint32_t run = atomic_load_explicit(&engine->rt.fatal_claim, memory_order_relaxed) &
		       ~PTO_CLAIM_MASK;
	uint64_t entered = atomic_load_explicit(&engine->rt.entered, memory_order_relaxed);

	if (atomic_load_explicit(&engine->in_entry, memory_order_relaxed) && !(entered & 1) &&
	    atomic_load_explicit(&engine->leave, memory_order_relaxed) == run)
		siglongjmp(engine->escape, 1);
}

/* Leave code that was called outside of a run, if this thread is in it. */
static void leave_call(struct pto_caller *caller)
{
	uint32_t call = atomic_load_explicit(&caller->call, memory_order_relaxed);

	if (call && atomic_load_explicit(&caller->leave, memory_order_relaxed) == call)
		siglongjmp(caller->escape, 1);
}

/* The same for a thread that executes no kernel. */
static void leave_other(struct pto_engine *engine, const struct pto_core *core)
{
	uint32_t i;

	for (i = 0; i < CALLERS; i++)
		if (core == engine->callers[i].core)
			leave_call(&engine->callers[i]);
	if (core == engine->cores)
		leave_entry(engine);
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
		leave_other(core->engine, core);
	} else if (!core->inside &&
		   atomic_load_explicit(&core->leave, memory_order_relaxed) == state) {
		siglongjmp(core->escape, 1);
	}
}

/* --- a stack for handlers -------------------------------------------------- */

static pthread_key_t stack_key;

static void drop_stack(void *stack)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	sigaltstack(&none, NULL);
	munmap(stack, STACK_SIZE);
}

static void make_stack_key(void)
{
	pthread_key_create(&stack_key, drop_stack);
}

/*
 * Code that uses up the stack of its thread leaves no room there for the handler of the signal that
 * this raises. Without another stack the signal has its default effect.
 */
static void take_stack(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	stack_t stack;

	if (sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_DISABLE))
		return;
	pthread_once(&once, make_stack_key);
	stack.ss_flags = 0;
	stack.ss_size = STACK_SIZE;
	stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return;
	if (sigaltstack(&stack, NULL) || pthread_setspecific(stack_key, stack.ss_sp))
		drop_stack(stack.ss_sp);
}

/* --- the signal ------------------------------------------------------------ */

static void choose_signal(void)
{
	/* SA_NODEFER: the handler may not return, and the signal must not stay blocked. */
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
	pto_fpstate_reset();
	take_stack();
	engine_core = core;
	pthread_sigmask(SIG_SETMASK, NULL, &core->mask);
}

/**
 * escape_landed() - called after the thread has left a kernel or the entry
 *
 * Restores the signal mask, which the code may have changed, or a wrapper of the handler such as
 * ThreadSanitizer's.
 */
void escape_landed(const struct pto_core *core)
{
	pthread_sigmask(SIG_SETMASK, &core->mask, NULL);
}

/** escape_unblock() - unblock the signal in the calling thread */
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
 * escape_ask() - ask a core's thread to leave the code that pto_core.leave, pto_engine.leave or
 *	pto_caller.leave specifies
 * @core: the core
 *
 * Sends no signal while an earlier one has not been handled. Otherwise the signals of a thread
 * that blocks them would reach the user's limit of pending signals, and timers and signals of
 * other programs would fail. Sends none either if the application uses the signal, or if none was
 * free.
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
