/* SPDX-License-Identifier: GPL-2.0 */
/* kselftest's harness, with more time for a test than it gives. */
#ifndef HARNESS_H
#define HARNESS_H

#include "kselftest_harness.h"

/*
 * Long enough for the slowest emulation, a sanitizer and a busy machine; a test that hangs
 * is killed.
 */
#define PT_TIMEOUT 240

/* The harness reads this where a test is defined. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT PT_TIMEOUT

#endif /* HARNESS_H */
