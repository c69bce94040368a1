/* SPDX-License-Identifier: MIT */
/*
 * Conversions of the 16-bit floating-point types, for kernels and host programs alike. Tensors
 * hold them as bits, in uint16_t; arithmetic is done in float.
 *
 * half (IEEE binary16) is _Float16 where the compiler has it: gcc from 12 on, clang on arm64
 * and from 15 on also on x86-64. bfloat16 is always converted here: the compilers of Debian 12
 * have no __bf16 without options for a newer processor, and where it exists it gives the same
 * bits. Both round to nearest, ties to even.
 */
#ifndef EXAMPLE_HALF_H
#define EXAMPLE_HALF_H

#include <stdint.h>

static inline uint32_t float_bits(float value)
{
	uint32_t bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static inline float bits_float(uint32_t bits)
{
	float value;

	__builtin_memcpy(&value, &bits, sizeof(value));
	return value;
}

/* --- bfloat16: the upper half of a float -------------------------------------- */

static inline float bfloat_to_float(uint16_t bits)
{
	return bits_float((uint32_t)bits << 16);
}

static inline uint16_t float_to_bfloat(float value)
{
	uint32_t bits = float_bits(value);

	if (value != value)	/* rounding could make an infinity of a NaN */
		return bits >> 16 | 0x40;
	return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* --- half in integer arithmetic -------------------------------------------------- */

static inline float half_to_float_bits(uint16_t half)
{
	uint32_t sign = (half & 0x8000u) << 16;
	uint32_t magnitude = half & 0x7fff;

	if (magnitude >= 0x7c00)	/* infinity, NaN */
		return bits_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
	if (magnitude < 0x400)		/* zero, subnormal: units of 2^-24 */
		return bits_float(sign | float_bits((float)magnitude / (1 << 24)));
	return bits_float(sign | ((magnitude << 13) + 0x38000000));
}

static inline uint16_t float_to_half_bits(float value)
{
	uint32_t magnitude = float_bits(value) & 0x7fffffff;
	uint32_t sign = float_bits(value) >> 16 & 0x8000;

	if (magnitude > 0x7f800000)	/* NaN */
		return sign | 0x7e00;
	if (magnitude >= 0x477ff000)	/* rounds to more than 65504 */
		return sign | 0x7c00;
	if (magnitude < 0x38800000)	/* subnormal; a float next to 0.5 has units of 2^-24 */
		return sign | (float_bits(bits_float(magnitude) + 0.5f) - 0x3f000000);
	return sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
}

/* --- half ---------------------------------------------------------------------- */

#ifdef __FLT16_MAX__

static inline float half_to_float(uint16_t half)
{
	_Float16 value;

	__builtin_memcpy(&value, &half, sizeof(value));
	return (float)value;
}

static inline uint16_t float_to_half(float value)
{
	_Float16 half = (_Float16)value;
	uint16_t bits;

	__builtin_memcpy(&bits, &half, sizeof(bits));
	return bits;
}

#else

static inline float half_to_float(uint16_t half)
{
	return half_to_float_bits(half);
}

static inline uint16_t float_to_half(float value)
{
	return float_to_half_bits(value);
}

#endif

#endif /* EXAMPLE_HALF_H */
