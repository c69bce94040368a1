/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Whose time it is. The core counts in the CLOCK_MONOTONIC of the kernel. An application has that
 * of its time namespace, and so has a device that is a process. Times are converted where they
 * come in and go out.
 */
#ifndef PTO_TIMENS_H
#define PTO_TIMENS_H

#include <linux/time_namespace.h>
#include <linux/types.h>
#include <linux/pto.h>

/** pto_time_offset() - how far the running thread's CLOCK_MONOTONIC is ahead of the kernel's */
static inline s64 pto_time_offset(void)
{
	struct timespec64 ts = {};

	timens_add_monotonic(&ts);
	return timespec64_to_ns(&ts);
}

/**
 * pto_time_from_caller() - a deadline of the running thread, as the kernel has it
 * @ns: the deadline; what is no time stays as it is: 0 and PTO_WAIT_FOREVER
 *
 * What was before the kernel's time began is the past, however long ago.
 */
static inline u64 pto_time_from_caller(u64 ns)
{
	s64 offset = pto_time_offset();

	if (!offset || !ns || ns == PTO_WAIT_FOREVER)
		return ns;
	if (offset > 0)
		return ns > (u64)offset ? ns - (u64)offset : 1;
	return ns < PTO_WAIT_FOREVER - 1 + (u64)offset ? ns - (u64)offset : PTO_WAIT_FOREVER - 1;
}

/** pto_time_to_caller() - a time of the kernel's, for who is @ahead of it; 0 is none */
static inline u64 pto_time_to_caller(u64 ns, s64 ahead)
{
	return ns ? ns + (u64)ahead : 0;
}

#endif /* PTO_TIMENS_H */
