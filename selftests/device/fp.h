/* SPDX-License-Identifier: GPL-2.0 */
/* Floating-point control words, as callables see and change them. */
#ifndef FP_H
#define FP_H

#include <stdint.h>

#if defined(__x86_64__)

#define FP_DEFAULT	0x037f1f80u
#define FP_SPOILT	0x0f7fff80u	/* rounds to zero, denormals are flushed */

static inline uint32_t fp_get(void)
{
	uint32_t mxcsr;
	uint16_t x87;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
	return (mxcsr & ~0x3fu) | (uint32_t)x87 << 16;
}

static inline void fp_set(uint32_t words)
{
	uint32_t mxcsr = words & 0xffff;
	uint16_t x87 = (uint16_t)(words >> 16);

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87) : "memory");
}

#elif defined(__aarch64__)

#define FP_DEFAULT	0u
#define FP_SPOILT	0x01c00000u	/* rounds to zero, denormals are flushed */

static inline uint32_t fp_get(void)
{
	uint64_t fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return (uint32_t)fpcr;
}

static inline void fp_set(uint32_t words)
{
	__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)words) : "memory");
}

#endif

/* Callables do this first. Return: 1 if the words are not the default ones, which they end to be */
static inline int fp_spoil(void)
{
	int wrong = fp_get() != FP_DEFAULT;

	fp_set(FP_SPOILT);
	return wrong;
}

#endif /* FP_H */
