/* SPDX-License-Identifier: MIT */
/*
 * User-space rendering of the kernel header of this name. Whoever could speculate here reads
 * its own memory.
 */
#ifndef SIM_LINUX_NOSPEC_H
#define SIM_LINUX_NOSPEC_H

#define array_index_nospec(index, size) (index)

#endif /* SIM_LINUX_NOSPEC_H */
