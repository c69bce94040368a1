// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * pto.ko: load and unload. Transports create the devices.
 */
#include <linux/module.h>
#include <linux/workqueue.h>

#include "numbers.h"
#include "pto_core.h"
#include "vdev.h"

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
	err = pto_numbers_init();
	if (err)
		goto err_wq;
	err = pto_control_register();
	if (err)
		goto err_numbers;
	return 0;

err_numbers:
	pto_numbers_exit();
err_wq:
	destroy_workqueue(pto_wq);
	return err;
}

/* No file is open here: so no control file, and no device. Nothing has to be waited for. */
static void __exit pto_exit(void)
{
	pto_control_unregister();
	pto_numbers_exit();
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
