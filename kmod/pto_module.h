/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Interfaces between the files of the module outside the core: character devices, mappings and
 * transports.
 */
#ifndef PTO_MODULE_H
#define PTO_MODULE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>

#include "pto_core.h"

#define PTO_MINORS 256

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
 * struct pto_chrdev - /dev/ptoN
 * @dev: its device; the last reference to it frees this structure
 * @cdev: its character device; an open file holds a reference to it, and so to @dev
 * @pdev: the core's device; a reference
 * @pages: access to the pages of its window
 * @priv: argument of @pages; lives as long as @pdev
 * @index: N; free again as soon as the node is removed
 */
struct pto_chrdev {
	struct device dev;
	struct cdev cdev;
	struct pto_device *pdev;
	const struct pto_pages_ops *pages;
	void *priv;
	u32 index;
};

/* pto_main.c */
extern struct class pto_class;
extern dev_t pto_devt;
int pto_index_get(u32 *index);
void pto_index_put(u32 index);

/* chrdev.c */
struct pto_chrdev *pto_chrdev_create(struct pto_device *pdev, u32 index,
				     const struct pto_pages_ops *pages, void *priv);
int pto_chrdev_add(struct pto_chrdev *chrdev);
void pto_chrdev_remove(struct pto_chrdev *chrdev);
void pto_chrdev_put(struct pto_chrdev *chrdev);

/* mapping.c */
int pto_mapping_create(struct pto_chrdev *chrdev, struct pto_ctx *ctx,
		       struct vm_area_struct *vma);

/* vdev.c */
int pto_control_register(void);
void pto_control_unregister(void);

/* vdev_window.c */
extern const struct pto_pages_ops pto_vdev_pages_ops;

#endif /* PTO_MODULE_H */
