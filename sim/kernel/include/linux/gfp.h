/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_GFP_H
#define SIM_LINUX_GFP_H

#include <linux/types.h>

#define GFP_KERNEL 0u
#define __GFP_ZERO 1u
#define __GFP_ACCOUNT 2u
#define GFP_KERNEL_ACCOUNT __GFP_ACCOUNT

#endif /* SIM_LINUX_GFP_H */
