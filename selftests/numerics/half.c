// SPDX-License-Identifier: GPL-2.0
/*
 * The conversions of examples/common/half.h, for every value: the integer arithmetic, the
 * compiler's type where there is one, and bfloat16, against the definition of the formats.
 */
#include <math.h>
#include <stdio.h>

#include "pttest.h"
#include "../../examples/common/half.h"

/* A 16-bit format: a sign, @exponent bits of exponent, the rest fraction. */
struct format {
	int exponent;
	float (*to_float)(uint16_t bits);
	uint16_t (*from_float)(float value);
};

/* By the definition. */
static double value_of(const struct format *format, uint16_t bits)
{
	int fraction_bits = 15 - format->exponent;
	int bias = (1 << (format->exponent - 1)) - 1;
	int exponent = (bits & 0x7fff) >> fraction_bits;
	int fraction = bits & ((1 << fraction_bits) - 1);
	double value;

	if (exponent == (1 << format->exponent) - 1)
		value = fraction ? NAN : INFINITY;
	else if (exponent)
		value = ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
	else
		value = ldexp(fraction, 1 - bias - fraction_bits);
	return bits & 0x8000 ? -value : value;
}

static bool same(double a, double b)
{
	return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

static void every_value(struct __test_metadata *_metadata, const struct format *format)
{
	uint32_t bits;

	for (bits = 0; bits < 0x10000; bits++) {
		double want = value_of(format, bits);
		float got = format->to_float(bits);

		ASSERT_TRUE(same(want, got)) {
			TH_LOG("%#x is %g, not %g", bits, want, got);
		}
		ASSERT_TRUE(isnan(got) || format->from_float(got) == bits) {
			TH_LOG("%g is %#x, not %#x", got, bits, format->from_float(got));
		}
		ASSERT_TRUE(!isnan(got) || isnan(format->to_float(format->from_float(got))));
	}
}

/* Between each value and the next one: the middle, and the floats beside it. */
static void every_gap(struct __test_metadata *_metadata, const struct format *format)
{
	uint32_t bits, infinity = ((1 << format->exponent) - 1) << (15 - format->exponent);

	for (bits = 0; bits + 1 < infinity; bits++) {
		float middle = (value_of(format, bits) + value_of(format, bits + 1)) / 2;
		uint16_t even = bits & 1 ? bits + 1 : bits;

		ASSERT_EQ(even, format->from_float(middle)) {
			TH_LOG("%g", middle);
		}
		ASSERT_EQ(bits, format->from_float(nextafterf(middle, 0)));
		ASSERT_EQ(bits + 1, format->from_float(nextafterf(middle, INFINITY)));
		ASSERT_EQ(even | 0x8000, format->from_float(-middle));
	}
}

/* The greatest value and what is beyond it. */
static void overflow(struct __test_metadata *_metadata, const struct format *format)
{
	uint16_t infinity = ((1 << format->exponent) - 1) << (15 - format->exponent);
	double greatest = value_of(format, infinity - 1);
	float middle = greatest + (greatest - value_of(format, infinity - 2)) / 2;

	ASSERT_EQ(infinity, format->from_float(middle));
	ASSERT_EQ(infinity - 1, format->from_float(nextafterf(middle, 0)));
	ASSERT_EQ(infinity, format->from_float(INFINITY));
	ASSERT_EQ(infinity | 0x8000, format->from_float(-INFINITY));
}

static void all_of(struct __test_metadata *_metadata, const struct format *format)
{
	every_value(_metadata, format);
	every_gap(_metadata, format);
	overflow(_metadata, format);
}

TEST(half)
{
	const struct format format = { 5, half_to_float, float_to_half };

	all_of(_metadata, &format);
}

TEST(half_in_integers)
{
	const struct format format = { 5, half_to_float_bits, float_to_half_bits };

	all_of(_metadata, &format);
}

TEST(bfloat)
{
	const struct format format = { 8, bfloat_to_float, float_to_bfloat };

	all_of(_metadata, &format);
}

TEST_HARNESS_MAIN
