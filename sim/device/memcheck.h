/* SPDX-License-Identifier: MIT */
/*
 * What valgrind's memcheck is told about the window: what is not allocated must not be accessed.
 * Memcheck then reports such accesses, and it does not search all of the window for pointers when
 * it looks for leaks, which would make every page of it exist.
 *
 * A request is an instruction sequence without effect that valgrind recognises (its manual,
 * "The Client Request mechanism"). Outside of valgrind it costs a few cycles.
 */
#ifndef PTO_SIM_MEMCHECK_H
#define PTO_SIM_MEMCHECK_H

#include <stdint.h>

enum {
	MEMCHECK_NOACCESS = 0x4d430000,
	MEMCHECK_DEFINED = 0x4d430002,
};

static inline void memcheck_request(uint64_t request, const volatile void *addr, uint64_t size)
{
	volatile uint64_t args[6] = { request, (uintptr_t)addr, size };
#if defined(__x86_64__)
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(args)
			 : "cc", "memory");
#elif defined(__aarch64__)
	register uint64_t answer __asm__("x3") = 0;
	register volatile uint64_t *at __asm__("x4") = args;

	__asm__ volatile("ror x12, x12, #3\n\tror x12, x12, #13\n\t"
			 "ror x12, x12, #51\n\tror x12, x12, #61\n\t"
			 "orr x10, x10, x10"
			 : "+r"(answer)
			 : "r"(at)
			 : "cc", "memory", "x12");
#else
	(void)args;
#endif
}

/** memcheck_allocated() - memory is in use, and what it holds is meant */
static inline void memcheck_allocated(const volatile void *addr, uint64_t size)
{
	memcheck_request(MEMCHECK_DEFINED, addr, size);
}

/** memcheck_free() - nobody is to access memory until somebody gets it */
static inline void memcheck_free(const volatile void *addr, uint64_t size)
{
	memcheck_request(MEMCHECK_NOACCESS, addr, size);
}

#endif /* PTO_SIM_MEMCHECK_H */
