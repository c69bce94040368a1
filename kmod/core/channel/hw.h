/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Begin and end of hardware contexts. For contexts.
 */
#ifndef PTO_CORE_HW_H
#define PTO_CORE_HW_H

#include <linux/types.h>

struct pto_channel;
struct pto_device;
struct pto_orphan;

void pto_hw_init(struct pto_channel *ch, struct pto_device *pdev,
		 void (*ended)(struct pto_orphan *orphan));
int pto_hw_setup(struct pto_channel *ch);
int pto_hw_create(struct pto_channel *ch);
int pto_hw_kill(struct pto_channel *ch);
int pto_hw_destroy(struct pto_channel *ch, u64 bound_ns, unsigned int state);
void pto_hw_ended(struct pto_channel *ch);
void pto_hw_disarm(struct pto_channel *ch);
void pto_hw_release(struct pto_channel *ch);

#endif /* PTO_CORE_HW_H */
