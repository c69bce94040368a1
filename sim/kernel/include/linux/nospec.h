/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name. A process that speculates here can only
 * read its own memory.
 */
#ifndef SIM_LINUX_NOSPEC_H
#define SIM_LINUX_NOSPEC_H

/* Some tests look at the indices that are bounded. */
#ifdef SIM_NOTE_BOUNDS
unsigned long sim_note_bound(unsigned long index, unsigned long size);
#define array_index_nospec(index, size) ((typeof(index))sim_note_bound(index, size))
#else
#define array_index_nospec(index, size) (index)
#endif

#endif /* SIM_LINUX_NOSPEC_H */
