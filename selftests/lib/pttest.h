/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The harness, and what tests of both architectures have in common. For test programs; the
 * shared code itself does not know the harness.
 */
#ifndef PTTEST_H
#define PTTEST_H

#include <string.h>

#include "harness.h"
#include "ptotest.h"

/**
 * PT_TEST_F() - TEST_F(), of a fixture that has a file descriptor fd
 *
 * The harness of 6.1 goes on with the test when the setup has skipped it; this does not.
 */
#define PT_TEST_F(fixture, name) \
	static void fixture##_##name##_body(struct __test_metadata *_metadata, \
					    FIXTURE_DATA(fixture) *self, \
					    const FIXTURE_VARIANT(fixture) *variant); \
	TEST_F(fixture, name) \
	{ \
		if (self->fd >= 0) \
			fixture##_##name##_body(_metadata, self, variant); \
	} \
	static void fixture##_##name##_body(struct __test_metadata *_metadata, \
					    FIXTURE_DATA(fixture) *self, \
					    const FIXTURE_VARIANT(fixture) *variant)

/*
 * Without a device there is nothing to test. That is a reason to skip for somebody who starts
 * a test by hand, and a failure under run.sh, which promises devices of both architectures.
 */
#define PT_NEED(fd, which) do { \
	if ((fd) < 0 && !getenv("PTO_SELFTEST")) \
		SKIP(return, "no device of architecture %u (%s)", (unsigned int)(which), \
		     strerror(-(fd))); \
	ASSERT_GE(fd, 0) { \
		TH_LOG("no device of architecture %u: %s", (unsigned int)(which), \
		       strerror(-(fd))); \
	} \
} while (0)

/**
 * PT_OPEN() - open a device of an architecture
 * @fd: where the file descriptor goes
 * @which: PTO_ARCH_*, 0 for any
 */
#define PT_OPEN(fd, which) do { \
	(fd) = pt_open(which); \
	PT_NEED(fd, which); \
} while (0)

/**
 * PT_FIND() - find a device of an architecture
 * @found: set to 0
 * @which: PTO_ARCH_*, 0 for any
 * @path: array that gets its path
 */
#define PT_FIND(found, which, path) do { \
	(found) = pt_device_path(which, path, sizeof(path)); \
	PT_NEED(found, which); \
} while (0)

/** pt_vec_wrong() - elements of f that are not left (op) b; -1 if the op is unknown */
static inline int pt_vec_wrong(const struct pt_vec *vec, char op, float a, float b)
{
	const float *f = pt_vec_out(vec);
	float want;
	int wrong = 0;
	uint32_t i;

	for (i = 0; i < vec->count; i++) {
		switch (op) {
		case '+':
			want = (a + i) + b;
			break;
		case '*':
			want = (a + i) * b;
			break;
		case '2':
			want = b + b;
			break;
		default:
			return -1;
		}
		wrong += f[i] != want;
	}
	return wrong;
}

#endif /* PTTEST_H */
