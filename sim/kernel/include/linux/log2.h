/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_LOG2_H
#define SIM_LINUX_LOG2_H

#include <linux/types.h>

static inline bool is_power_of_2(unsigned long n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

#endif /* SIM_LINUX_LOG2_H */
