/* SPDX-License-Identifier: MIT */
/* Interfaces between the files of sim/kernel. */
#ifndef SIM_KERNEL_INTERNAL_H
#define SIM_KERNEL_INTERNAL_H

void sim_workqueue_fork_child(void);
void sim_uaccess_fork_child(void);
void sim_wait_bit_fork_child(void);

#endif /* SIM_KERNEL_INTERNAL_H */
