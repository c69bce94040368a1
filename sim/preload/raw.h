/* SPDX-License-Identifier: MIT */
/*
 * System calls without the C library: they set no errno, are no cancellation points and do not
 * pass through the interposed functions. The simulator uses them for its own purposes.
 */
#ifndef PTO_SIM_RAW_H
#define PTO_SIM_RAW_H

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include <refusal.h>

#if __SIZEOF_LONG__ != 8
#error "libptosim.so is for 64-bit machines"
#endif

/** sim_raw() - a system call. Return: its result, or a negative errno */
static inline long sim_raw6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "no system call sequence for this architecture"
#endif
}

#define SIM_RAW_PICK(_0, _1, _2, _3, _4, _5, _6, n, ...) n
#define SIM_RAW0(nr) sim_raw6(nr, 0, 0, 0, 0, 0, 0)
#define SIM_RAW1(nr, a) sim_raw6(nr, (long)(a), 0, 0, 0, 0, 0)
#define SIM_RAW2(nr, a, b) sim_raw6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SIM_RAW3(nr, a, b, c) sim_raw6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SIM_RAW4(nr, a, b, c, d) \
	sim_raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SIM_RAW5(nr, a, b, c, d, e) \
	sim_raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SIM_RAW6(nr, a, b, c, d, e, f) \
	sim_raw6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sim_raw(...) \
	SIM_RAW_PICK(__VA_ARGS__, SIM_RAW6, SIM_RAW5, SIM_RAW4, SIM_RAW3, SIM_RAW2, SIM_RAW1, \
		     SIM_RAW0)(__VA_ARGS__)

/** sim_own() - sim_raw() of a call by its name, which is noted for explanations if it fails */
#define sim_own(call, ...) refusal_if(#call, sim_raw(SYS_##call, __VA_ARGS__))

/** sim_denied() - the result of a call that the machine does not let a process make */
static inline bool sim_denied(long ret)
{
	return ret == -EPERM || ret == -EACCES || ret == -ENOSYS;
}

#endif /* PTO_SIM_RAW_H */
