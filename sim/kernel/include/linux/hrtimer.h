/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_HRTIMER_H
#define SIM_LINUX_HRTIMER_H

#include <linux/sched.h>

enum hrtimer_mode {
	HRTIMER_MODE_ABS,
};

/* Return: 0 when the time has passed, else -EINTR. NULL: no time limit. */
static inline int schedule_hrtimeout(ktime_t *expires, enum hrtimer_mode mode)
{
	return sim_schedule(expires);
}

#endif /* SIM_LINUX_HRTIMER_H */
