/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name: user ids. */
#ifndef SIM_LINUX_UIDGID_H
#define SIM_LINUX_UIDGID_H

#include <linux/types.h>

typedef struct {
	u32 val;
} kuid_t;

static inline u32 __kuid_val(kuid_t uid)
{
	return uid.val;
}

#endif /* SIM_LINUX_UIDGID_H */
