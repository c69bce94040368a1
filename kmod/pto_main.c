// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * pto.ko: the class, the device numbers, load and unload. Transports create the devices.
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "pto_module.h"

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

struct workqueue_struct *pto_wq;
dev_t pto_devt;
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

static int __init pto_init(void)
{
	int err;

	/*
	 * HIGHPRI: the work of interrupts is urgent. MEM_RECLAIM: a thread that reclaims memory
	 * may wait for memory that the work frees. UNBOUND: most work sleeps, so its CPU does not
	 * matter.
	 */
	pto_wq = alloc_workqueue("pto", WQ_HIGHPRI | WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!pto_wq)
		return -ENOMEM;
	err = class_register(&pto_class);
	if (err)
		goto err_wq;
	err = alloc_chrdev_region(&pto_devt, 0, PTO_MINORS, "pto");
	if (err)
		goto err_class;
	err = pto_control_register();
	if (err)
		goto err_region;
	return 0;

err_region:
	unregister_chrdev_region(pto_devt, PTO_MINORS);
err_class:
	class_unregister(&pto_class);
err_wq:
	destroy_workqueue(pto_wq);
	return err;
}

/* No file is open here: so no control file, and no device. Nothing has to be waited for. */
static void __exit pto_exit(void)
{
	pto_control_unregister();
	unregister_chrdev_region(pto_devt, PTO_MINORS);
	class_unregister(&pto_class);
	ida_destroy(&pto_indices);
	destroy_workqueue(pto_wq);
}

module_param_named(close_timeout_ms, pto_close_ms, uint, 0644);
MODULE_PARM_DESC(close_timeout_ms,
		 "how long closing waits for runs before they are aborted (default 2000)");
module_param_named(admin_timeout_ms, pto_admin_ms, uint, 0644);
MODULE_PARM_DESC(admin_timeout_ms,
		 "how long a call waits for an answer of the device itself (default 10000)");
module_param_named(heartbeat_timeout_ms, pto_heartbeat_ms, uint, 0644);
MODULE_PARM_DESC(heartbeat_timeout_ms,
		 "a device whose heartbeat stands still for so long goes out of service (default 60000; 0: never)");

module_init(pto_init);
module_exit(pto_exit);

MODULE_DESCRIPTION("Driver for PTO accelerators");
MODULE_AUTHOR("The pto authors");
MODULE_LICENSE("Dual MIT/GPL");
