// SPDX-License-Identifier: GPL-2.0
/*
 * An orchestration with all that an object can have called at its beginning and its end. A
 * kernel, too. Its run writes to tensor 0 which constructors were called, and in what order.
 */
#include <signal.h>
#include <unistd.h>

#include <pto/orch.h>
#include "phases.h"

static const volatile struct phases phases = { .magic = PHASES_MAGIC };

static uint64_t trace;
static volatile int *volatile nowhere = (volatile int *)0x18;

static uint32_t deep(uint32_t depth)
{
	volatile char room[4096];

	room[0] = (char)depth;
	return depth ? deep(depth - 1) + (uint32_t)room[0] : 0;
}

static void phase(uint32_t what)
{
	uint32_t *begun = (uint32_t *)(uintptr_t)phases.begun;
	uint32_t *until = (uint32_t *)(uintptr_t)phases.until;
	sigset_t all, old;

	if (what == PHASE_DEAF || what == PHASE_LATE) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, &old);
	}
	if (what == PHASE_CRASH)
		*nowhere = 1;
	if (what == PHASE_OVERFLOW)
		trace += deep(UINT32_MAX);
	if (what != PHASE_SOUND && begun)
		__atomic_store_n(begun, 1, __ATOMIC_RELEASE);
	if (what == PHASE_LATE) {
		while (!__atomic_load_n(until, __ATOMIC_ACQUIRE))
			usleep(1000);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	while (what == PHASE_WAIT && !__atomic_load_n(until, __ATOMIC_ACQUIRE))
		usleep(1000);
	while (what != PHASE_SOUND && what != PHASE_WAIT)
		pause();
}

static void end(void)
{
	uint64_t *word = (uint64_t *)(uintptr_t)phases.trace;

	if (word)
		__atomic_store_n(word, trace, __ATOMIC_RELEASE);
}

/* DT_INIT and DT_FINI, by the linker's options. */
void phases_init(void)
{
	trace = trace * 10 + 1;
}

__attribute__((constructor(101))) static void init_first(void)
{
	trace = trace * 10 + 2;
}

__attribute__((constructor)) static void init_second(void)
{
	trace = trace * 10 + 3;
	phase(phases.init);
}

__attribute__((destructor(102))) static void fini_first(void)
{
	trace = trace * 10 + 4;
	phase(phases.fini);
}

__attribute__((destructor(101))) static void fini_second(void)
{
	trace = trace * 10 + 5;
}

void phases_fini(void)
{
	trace = trace * 10 + 6;
	end();
}

struct pto_orch_config aicpu_orchestration_config(const struct pto_orch_args *args)
{
	struct pto_orch_config config = {
		.expected_arg_count = args->tensor_count + args->scalar_count,
	};

	phase(phases.config);
	return config;
}

void aicpu_orchestration_entry(struct pto_rt *rt, const struct pto_orch_args *args)
{
	const struct pto_tensor *t = pto_orch_tensor(args, 0);

	(void)rt;
	__atomic_store_n((uint64_t *)(uintptr_t)t->addr, trace, __ATOMIC_RELEASE);
}

void kernel_entry(int64_t *args)
{
	(void)args;
}
