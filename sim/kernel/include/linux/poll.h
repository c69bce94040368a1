/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_POLL_H
#define SIM_LINUX_POLL_H

#include <linux/wait.h>

#ifndef EPOLLIN
#define EPOLLIN ((__poll_t)0x0001)
#define EPOLLERR ((__poll_t)0x0008)
#define EPOLLHUP ((__poll_t)0x0010)
#define EPOLLRDNORM ((__poll_t)0x0040)
#endif

#endif /* SIM_LINUX_POLL_H */
