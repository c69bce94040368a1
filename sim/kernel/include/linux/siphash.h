/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_SIPHASH_H
#define SIM_LINUX_SIPHASH_H

#include <linux/types.h>

typedef struct {
	u64 key[2];
} siphash_key_t;

/* A hash whose collisions cannot be found without the key. */
u64 siphash(const void *data, size_t length, const siphash_key_t *key);

#endif /* SIM_LINUX_SIPHASH_H */
