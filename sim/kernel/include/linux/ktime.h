/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_KTIME_H
#define SIM_LINUX_KTIME_H

#include <time.h>
#include <linux/compiler.h>

typedef s64 ktime_t;

#define KTIME_MAX INT64_MAX
#define NSEC_PER_SEC 1000000000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_USEC 1000L

/* Time is virtual: see sim_clock.h. */
extern bool sim_clock_on;
u64 sim_clock_read(void);

static inline bool sim_clock_virtual(void)
{
	return unlikely(READ_ONCE(sim_clock_on));
}

/* CLOCK_MONOTONIC, as in the kernel. */
static inline ktime_t ktime_get(void)
{
	struct timespec ts;

	if (sim_clock_virtual())
		return (ktime_t)sim_clock_read();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ktime_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline u64 ktime_get_ns(void)
{
	return (u64)ktime_get();
}

static inline ktime_t ns_to_ktime(u64 ns)
{
	return (ktime_t)ns;
}

#endif /* SIM_LINUX_KTIME_H */
