// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The class of the device nodes, and their numbers.
 */
#include <linux/fs.h>
#include <linux/idr.h>

#include "numbers.h"

static char *pto_devnode(PTO_DEVNODE_DEVICE *dev, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	return NULL;
}

struct class pto_class = {
	.name = "pto",
	.devnode = pto_devnode,
};

static dev_t pto_devt;
static DEFINE_IDA(pto_indices);

/** pto_index_get() - allocate an N for /dev/ptoN; -ENOSPC if there is none */
int pto_index_get(u32 *index)
{
	int n = ida_alloc_max(&pto_indices, PTO_MINORS - 1, GFP_KERNEL);

	if (n < 0)
		return n;
	*index = n;
	return 0;
}

/** pto_index_put() - free the N of a /dev/ptoN that does not exist any more */
void pto_index_put(u32 index)
{
	ida_free(&pto_indices, index);
}

/** pto_index_devt() - the device number of /dev/ptoN */
dev_t pto_index_devt(u32 index)
{
	return MKDEV(MAJOR(pto_devt), MINOR(pto_devt) + index);
}

/** pto_numbers_init() - register the class, and reserve the device numbers */
int __init pto_numbers_init(void)
{
	int err = class_register(&pto_class);

	if (err)
		return err;
	err = alloc_chrdev_region(&pto_devt, 0, PTO_MINORS, "pto");
	if (err)
		class_unregister(&pto_class);
	return err;
}

/** pto_numbers_exit() - give them back; no device node is left */
void pto_numbers_exit(void)
{
	unregister_chrdev_region(pto_devt, PTO_MINORS);
	class_unregister(&pto_class);
	ida_destroy(&pto_indices);
}
