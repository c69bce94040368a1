/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * /dev/ptoN. For transports, which create the devices.
 */
#ifndef PTO_CHRDEV_H
#define PTO_CHRDEV_H

#include <linux/cdev.h>
#include <linux/device.h>

#include "mapping.h"
#include "pto_core.h"

/**
 * struct pto_chrdev - /dev/ptoN
 * @dev: its device; the last reference to it frees this structure
 * @cdev: its character device; an open file holds a reference to it, and so to @dev
 * @pdev: the core's device; a reference
 * @pages: the pages of its window; live as long as @pdev
 * @index: N; free again as soon as the node is removed
 */
struct pto_chrdev {
	struct device dev;
	struct cdev cdev;
	struct pto_device *pdev;
	struct pto_pages pages;
	u32 index;
};

struct pto_chrdev *pto_chrdev_create(struct pto_device *pdev, u32 index,
				     const struct pto_pages *pages);
int pto_chrdev_add(struct pto_chrdev *chrdev);
void pto_chrdev_remove(struct pto_chrdev *chrdev);
void pto_chrdev_put(struct pto_chrdev *chrdev);

#endif /* PTO_CHRDEV_H */
