/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name. A process that speculates here can only
 * read its own memory.
 */
#ifndef SIM_LINUX_NOSPEC_H
#define SIM_LINUX_NOSPEC_H

#define array_index_nospec(index, size) (index)

#endif /* SIM_LINUX_NOSPEC_H */
