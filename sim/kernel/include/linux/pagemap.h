/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_PAGEMAP_H
#define SIM_LINUX_PAGEMAP_H

#include <linux/types.h>

/* Return: bytes at the end that are not accessible. One byte of each page is accessed. */
size_t fault_in_readable(const char __user *uaddr, size_t size);
size_t fault_in_writeable(char __user *uaddr, size_t size);

#endif /* SIM_LINUX_PAGEMAP_H */
