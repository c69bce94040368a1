// SPDX-License-Identifier: MIT
/*
 * Calls of kernels: see pto/kernel.h. While a kernel is in one of these, its thread is not made to
 * leave it by the signal. If the run fails, the thread leaves the kernel from here.
 */
#include <errno.h>
#include <sched.h>

#include "engine_internal.h"

#define WAIT_SPINS	64		/* looks at a word before the crew is called */
#define WAIT_YIELDS	128		/* further looks before the thread sleeps */
#define WAIT_SLEEP_NS	500000ULL	/* first sleep; bounded, as a plain store wakes no thread */
#define WAIT_SLEEP_MAX	32000000ULL	/* limit; sleeps double, as there may be many threads */

/* Does the calling thread execute a kernel as this core? */
static bool core_is_ours(const struct pto_core *core)
{
	return engine_core == core &&
	       core_func(atomic_load_explicit(&core->state, memory_order_relaxed)) !=
		       ENGINE_NO_FUNC;
}

/* Mark the engine's part of a kernel's call. */
static void enter(struct pto_core *core)
{
	core->inside = 1;
	atomic_signal_fence(memory_order_seq_cst);
}

static void leave(struct pto_core *core)
{
	atomic_signal_fence(memory_order_seq_cst);
	core->inside = 0;
}

/** core_leave() - leave the kernel that the calling thread executes */
_Noreturn void core_leave(struct pto_core *core)
{
	leave(core);
	siglongjmp(core->escape, 1);
}

/* Sleep until pto_notify(), or for @ns. */
static void wait_sleep(struct pto_engine *engine, const uint32_t *word, uint32_t value,
		       uint64_t ns)
{
	uint32_t seen;

	atomic_fetch_add(&engine->waiters, 1);
	seen = atomic_load(&engine->notified);
	if (__atomic_load_n(word, __ATOMIC_SEQ_CST) < value)
		engine_futex_wait(&engine->notified, seen, ns);
	atomic_fetch_sub(&engine->waiters, 1);
}

/* Check the word that the kernel has given to @call. If it is nobody's, leave the kernel. */
static void check_word(struct pto_core *core, const uint32_t *word, bool write, const char *call)
{
	if (core_word(core, (uintptr_t)word, write))
		return;
	core_refuse(core, PTO_FATAL_INVALID_ARGS,
		    "%s: the word at 0x%llx is not aligned, or memory of neither this context nor the callable",
		    call, (unsigned long long)(uintptr_t)word);
	core_leave(core);
}

static void wait_ge(struct pto_kernel_rt *rt, const uint32_t *word, uint32_t value)
{
	struct pto_core *core = (struct pto_core *)rt;
	struct pto_engine *engine = core->engine;
	uint64_t sleep = WAIT_SLEEP_NS;
	uint32_t round = 0;

	if (!core_is_ours(core)) {
		pto_rt_fatal(&engine->rt, PTO_FATAL_INVALID_ARGS, 0, PTO_NO_TASK,
			     "pto_wait_ge() was called outside of the kernel that it was given to");
		return;
	}
	enter(core);
	check_word(core, word, false, "pto_wait_ge()");
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value) {
		if (pto_rt_fatal_code(&engine->rt))
			core_leave(core);
		if (round == WAIT_SPINS)
			cohort_wait(core);
		if (round < WAIT_SPINS + WAIT_YIELDS) {
			engine_pause(round++);
			continue;
		}
		wait_sleep(engine, word, value, sleep);
		sleep = sleep < WAIT_SLEEP_MAX / 2 ? 2 * sleep : WAIT_SLEEP_MAX;
	}
	leave(core);
}

static void notify(struct pto_kernel_rt *rt, uint32_t *word, uint32_t add)
{
	struct pto_core *core = (struct pto_core *)rt;
	struct pto_engine *engine = core->engine;

	if (core_is_ours(core)) {
		enter(core);
		check_word(core, word, true, "pto_notify()");
		leave(core);
	}
	__atomic_fetch_add(word, add, __ATOMIC_SEQ_CST);
	if (!atomic_load(&engine->waiters))
		return;
	atomic_fetch_add(&engine->notified, 1);
	engine_futex_wake_all(&engine->notified);
}

const struct pto_kernel_ops core_kernel_ops = {
	.version = PTO_KERNEL_OPS_VERSION,
	.size = sizeof(core_kernel_ops),
	.wait_ge = wait_ge,
	.notify = notify,
};
