/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * User mappings, and the pages that they show. For transports, which have the pages, and for
 * device nodes, of which mappings are made.
 */
#ifndef PTO_MAPPING_H
#define PTO_MAPPING_H

#include <linux/mm_types.h>
#include <linux/types.h>

#include "pto_core.h"

/**
 * struct pto_pages_ops - access to the pages of a device's window
 * @get: returns the page at an index with a reference, or ERR_PTR. User space may hold the
 *	reference for any time; the page is not reused meanwhile. Works as long as @priv lives,
 *	also after the device is gone. -ENOMEM: the process or its group has no memory left
 * @put: drop that reference; the page may have been written to
 */
struct pto_pages_ops {
	struct page *(*get)(void *priv, pgoff_t index);
	void (*put)(void *priv, struct page *page);
};

/**
 * struct pto_pages - the pages of a device's window
 * @ops: access to them
 * @priv: argument of @ops
 */
struct pto_pages {
	const struct pto_pages_ops *ops;
	void *priv;
};

int pto_mapping_create(const struct pto_pages *pages, struct pto_ctx *ctx,
		       struct vm_area_struct *vma);

#endif /* PTO_MAPPING_H */
