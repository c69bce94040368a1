/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_DELAY_H
#define SIM_LINUX_DELAY_H

void usleep_range(unsigned long min_us, unsigned long max_us);

#endif /* SIM_LINUX_DELAY_H */
