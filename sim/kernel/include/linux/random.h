/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_RANDOM_H
#define SIM_LINUX_RANDOM_H

#include <linux/types.h>

void get_random_bytes(void *buffer, size_t length);

#endif /* SIM_LINUX_RANDOM_H */
