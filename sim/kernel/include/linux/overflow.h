/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_OVERFLOW_H
#define SIM_LINUX_OVERFLOW_H

#include <linux/compiler.h>

#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)

static inline size_t sim_struct_size(size_t base, size_t element, size_t count)
{
	size_t bytes;

	if (__builtin_mul_overflow(element, count, &bytes) ||
	    __builtin_add_overflow(bytes, base, &bytes))
		return SIZE_MAX;
	return bytes;
}

#define struct_size(p, member, count) \
	sim_struct_size(sizeof(*(p)), sizeof(*(p)->member), count)

#endif /* SIM_LINUX_OVERFLOW_H */
