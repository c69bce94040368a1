/* SPDX-License-Identifier: MIT */
/* User-space version of the kernel header of this name, as far as kmod/core uses it. */
#ifndef SIM_LINUX_WAIT_BIT_H
#define SIM_LINUX_WAIT_BIT_H

#include <linux/compiler.h>

/* Wait until the bit is clear, and set it. Return: 0; -EINTR on a signal for that state. */
int __must_check wait_on_bit_lock(unsigned long *word, int bit, unsigned int mode);
void clear_and_wake_up_bit(int bit, unsigned long *word);

#endif /* SIM_LINUX_WAIT_BIT_H */
