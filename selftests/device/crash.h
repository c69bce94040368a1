/* SPDX-License-Identifier: GPL-2.0 */
/* Ways to crash, for orchestrations, kernels and the test that looks at them. */
#ifndef CRASH_H
#define CRASH_H

#include <stdint.h>
#include <signal.h>
#include <stdlib.h>

enum crash_where { IN_ORCHESTRATION, IN_KERNEL, IN_CONFIG, IN_CONSTRUCTOR, IN_DESTRUCTOR };
enum crash_how { BY_ADDRESS, BY_TRAP, BY_ABORT, BY_BUS, BY_FPE, BY_STACK, BY_NOTHING };

/* The environment says it to constructors and destructors, which get no arguments. */
#define CRASH_WHERE	"PTO_SELFTEST_CRASH"

#ifdef CRASH_HERE
/* In small steps, so that the first page without access is where the stack ends. */
__attribute__((noinline)) static int use_stack(volatile char *before, int depth)
{
	volatile char here[512];

	here[0] = before[0];
	if (depth == 1 << 24)
		return 0;
	return use_stack(here, depth + 1) + here[0] + depth;
}

static void crash(uint64_t how)
{
	static volatile uintptr_t nobodys = 16;
	volatile char none = 0;

	switch (how) {
	case BY_ADDRESS:
		*(volatile uint32_t *)nobodys = 0xdead;
		break;
	case BY_TRAP:
#if defined(__x86_64__)
		__asm__ volatile("ud2");
#else
		__asm__ volatile(".inst 0");
#endif
		break;
	case BY_ABORT:
		abort();
	case BY_BUS:
		raise(SIGBUS);
		break;
	case BY_FPE:
		raise(SIGFPE);
		break;
	case BY_STACK:
		use_stack(&none, 0);
	}
}
#endif

#endif /* CRASH_H */
