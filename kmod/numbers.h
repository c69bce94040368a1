/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The class of the device nodes, and their numbers. For what makes device nodes.
 */
#ifndef PTO_NUMBERS_H
#define PTO_NUMBERS_H

#include <linux/device.h>
#include <linux/types.h>

#define PTO_MINORS 256

extern struct class pto_class;

int pto_index_get(u32 *index);
void pto_index_put(u32 index);
dev_t pto_index_devt(u32 index);
int pto_numbers_init(void);
void pto_numbers_exit(void);

#endif /* PTO_NUMBERS_H */
