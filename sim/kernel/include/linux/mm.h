/* SPDX-License-Identifier: MIT */
/* User-space rendering of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_MM_H
#define SIM_LINUX_MM_H

#include <linux/slab.h>

/* The core counts in pages of the device interface's size, which is this one here. */
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)

#endif /* SIM_LINUX_MM_H */
