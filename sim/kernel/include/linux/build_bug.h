/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_BUILD_BUG_H
#define SIM_LINUX_BUILD_BUG_H

#define BUILD_BUG_ON_ZERO(e) ((int)(sizeof(struct { int : (-!!(e)); })))
#define BUILD_BUG_ON(e) _Static_assert(!(e), "BUILD_BUG_ON")
/* The text may be left out. */
#define static_assert(expr, ...) _Static_assert(expr, #expr)

#endif /* SIM_LINUX_BUILD_BUG_H */
