/* SPDX-License-Identifier: MIT */
/*
 * The floating-point control words of a thread: rounding, exception masks, denormals. Code of a
 * callable starts with the default control words, and its caller restores the earlier ones.
 *
 * Writing a control word is slow, so it is written only if it differs. The flags of exceptions
 * that have occurred are neither compared nor restored.
 */
#ifndef PTO_FPSTATE_H
#define PTO_FPSTATE_H

#include <stdint.h>

#if defined(__x86_64__)

#define PTO_MXCSR_FLAGS		0x3fu
#define PTO_MXCSR_DEFAULT	0x1f80u
#define PTO_X87_DEFAULT		0x037f

/**
 * struct pto_fpstate - control words
 * @mxcsr: of SSE and AVX, flags included
 * @x87: of the x87
 */
struct pto_fpstate {
	uint32_t mxcsr;
	uint16_t x87;
};

#define PTO_FPSTATE_DEFAULT { .mxcsr = PTO_MXCSR_DEFAULT, .x87 = PTO_X87_DEFAULT }

static inline void pto_fpstate_get(struct pto_fpstate *state)
{
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(state->mxcsr), "=m"(state->x87));
}

/* Change the control words from @now, which pto_fpstate_get() has just returned, to @to. */
static inline void pto_fpstate_change(const struct pto_fpstate *now, const struct pto_fpstate *to)
{
	if (__builtin_expect((now->mxcsr ^ to->mxcsr) & ~PTO_MXCSR_FLAGS, 0))
		__asm__ volatile("ldmxcsr %0" : : "m"(to->mxcsr) : "memory");
	if (__builtin_expect(now->x87 != to->x87, 0))
		__asm__ volatile("fnclex\n\tfldcw %0" : : "m"(to->x87) : "memory");
}

#elif defined(__aarch64__)

/**
 * struct pto_fpstate - control words
 * @fpcr: the control register
 */
struct pto_fpstate {
	uint64_t fpcr;
};

#define PTO_FPSTATE_DEFAULT { .fpcr = 0 }

static inline void pto_fpstate_get(struct pto_fpstate *state)
{
	__asm__ volatile("mrs %0, fpcr" : "=r"(state->fpcr));
}

static inline void pto_fpstate_change(const struct pto_fpstate *now, const struct pto_fpstate *to)
{
	if (__builtin_expect(now->fpcr != to->fpcr, 0))
		__asm__ volatile("msr fpcr, %0" : : "r"(to->fpcr) : "memory");
}

#else
#error "which floating-point control words has this machine?"
#endif

/* Set the control words @to. */
static inline void pto_fpstate_set(const struct pto_fpstate *to)
{
	struct pto_fpstate now;

	pto_fpstate_get(&now);
	pto_fpstate_change(&now, to);
}

/* Set the default control words. */
static inline void pto_fpstate_reset(void)
{
	const struct pto_fpstate defaults = PTO_FPSTATE_DEFAULT;

	pto_fpstate_set(&defaults);
}

/* Called before code of a callable, which pto_fpstate_set() with @old has to follow. */
static inline void pto_fpstate_begin(struct pto_fpstate *old)
{
	const struct pto_fpstate defaults = PTO_FPSTATE_DEFAULT;

	pto_fpstate_get(old);
	pto_fpstate_change(old, &defaults);
}

#endif /* PTO_FPSTATE_H */
