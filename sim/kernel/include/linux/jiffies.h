/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_JIFFIES_H
#define SIM_LINUX_JIFFIES_H

#define HZ 1000

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return ms;
}

#endif /* SIM_LINUX_JIFFIES_H */
