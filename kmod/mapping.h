/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * User mappings. For device nodes, of which they are made.
 */
#ifndef PTO_MAPPING_H
#define PTO_MAPPING_H

#include <linux/mm_types.h>

#include "held.h"
#include "pto_core.h"

int pto_mapping_create(const struct pto_pages *pages, struct pto_ctx *ctx,
		       struct vm_area_struct *vma);

#endif /* PTO_MAPPING_H */
