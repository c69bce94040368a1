/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name. All contexts belong to one process, which
 * may know everything about them; tests can take that away.
 */
#ifndef SIM_LINUX_CAPABILITY_H
#define SIM_LINUX_CAPABILITY_H

#include_next <linux/capability.h>
#include <linux/types.h>

/* See sim_kernel.h. */
extern bool sim_perfmon;

static inline bool perfmon_capable(void)
{
	return sim_perfmon;
}

#endif /* SIM_LINUX_CAPABILITY_H */
