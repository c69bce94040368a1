/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Tables of ids. For objects.
 */
#ifndef PTO_CORE_IDS_H
#define PTO_CORE_IDS_H

#include <linux/types.h>

struct xarray;

int pto_id_reserve(struct xarray *table, u32 *next, u32 max, u32 *id);
int pto_id_publish(struct xarray *table, unsigned long id, void *object);
void *pto_id_take(struct xarray *table, unsigned long id);

#endif /* PTO_CORE_IDS_H */
