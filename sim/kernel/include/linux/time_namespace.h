/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it. The core
 * runs in its caller's namespace, so both have the same time, unless a test says otherwise.
 */
#ifndef SIM_LINUX_TIME_NAMESPACE_H
#define SIM_LINUX_TIME_NAMESPACE_H

#include <linux/time64.h>

/* Nanoseconds that callers are ahead, or behind: see sim_kernel.h. */
extern s64 sim_time_offset;

static inline void timens_add_monotonic(struct timespec64 *ts)
{
	s64 offset = sim_time_offset;
	s64 seconds = offset / NSEC_PER_SEC - (offset % NSEC_PER_SEC < 0);

	ts->tv_sec += seconds;
	ts->tv_nsec += (long)(offset - seconds * NSEC_PER_SEC);
}

#endif /* SIM_LINUX_TIME_NAMESPACE_H */
