/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_STRING_H
#define SIM_LINUX_STRING_H

#include <string.h>
#include <linux/types.h>

/* The first byte that is not c, or NULL. */
void *memchr_inv(const void *start, int c, size_t bytes);

/* Copy as much as fits, and always terminate. Return: length, or -E2BIG. */
ssize_t strscpy(char *dest, const char *src, size_t count);

#endif /* SIM_LINUX_STRING_H */
