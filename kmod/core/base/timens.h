/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Time namespaces. The core uses the kernel's CLOCK_MONOTONIC. An application, and a device that
 * is a process, use the CLOCK_MONOTONIC of their time namespace. Times are converted on entry to
 * and on exit from the core. For ioctls and transports.
 */
#ifndef PTO_TIMENS_H
#define PTO_TIMENS_H

#include <linux/time_namespace.h>
#include <linux/types.h>
#include <linux/pto.h>

/** pto_time_offset() - offset of the running thread's CLOCK_MONOTONIC to the kernel's */
static inline s64 pto_time_offset(void)
{
	struct timespec64 ts = {};

	timens_add_monotonic(&ts);
	return timespec64_to_ns(&ts);
}

/**
 * pto_time_from_caller() - convert a deadline of the running thread to the kernel's clock
 * @ns: the deadline; 0 and PTO_WAIT_FOREVER are not converted
 *
 * A deadline before the start of the kernel's clock becomes 1, which is in the past.
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

/** pto_time_to_caller() - convert a time of the kernel to a clock with an offset; 0 is no time */
static inline u64 pto_time_to_caller(u64 ns, s64 ahead)
{
	return ns ? ns + (u64)ahead : 0;
}

#endif /* PTO_TIMENS_H */
