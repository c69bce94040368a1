/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Pages of a device's window, and those of them that somebody uses. For transports, which have the
 * pages, and for mappings and dma-bufs, which use them.
 */
#ifndef PTO_HELD_H
#define PTO_HELD_H

#include <linux/mm_types.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct vm_fault;

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

/**
 * struct pto_held - pages of a window that are in use, with references
 * @source: the window's pages; they live as long as this
 * @pages: the pages that were used so far, by index in the window
 *
 * A page that the device's process removes from its memfd stays the one at its index, for all users
 * of the structure.
 */
struct pto_held {
	struct pto_pages source;
	struct xarray pages;
};

void pto_held_init(struct pto_held *held, const struct pto_pages *source);
void pto_held_release(struct pto_held *held);
struct page *pto_held_page(struct pto_held *held, pgoff_t index);
int pto_held_access(struct pto_held *held, pgoff_t index, size_t start, void *buf, int len,
		    bool write);
vm_fault_t pto_held_fault(struct pto_held *held, pgoff_t index, struct vm_fault *vmf);
int pto_held_check_area(struct vm_area_struct *vma);
void pto_held_set_area(struct vm_area_struct *vma);

#endif /* PTO_HELD_H */
