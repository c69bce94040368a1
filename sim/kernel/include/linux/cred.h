/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name: the caller's user. */
#ifndef SIM_LINUX_CRED_H
#define SIM_LINUX_CRED_H

#include <linux/uidgid.h>

/* See sim_kernel.h. */
extern u32 sim_user;

static inline kuid_t current_euid(void)
{
	return (kuid_t){ sim_user };
}

#endif /* SIM_LINUX_CRED_H */
