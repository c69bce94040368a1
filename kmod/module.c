// SPDX-License-Identifier: MIT OR GPL-2.0
/* Loading and unloading. A transport pins the module while it has a device. */
#include <linux/module.h>

#include "pto_module.h"

static int __init pto_init(void)
{
	int ret;

	ret = pto_node_init();
	if (ret)
		return ret;
	ret = pto_vdev_init();
	if (ret)
		pto_node_exit();
	return ret;
}
module_init(pto_init);

static void __exit pto_exit(void)
{
	pto_vdev_exit();
	pto_node_exit();
}
module_exit(pto_exit);

MODULE_DESCRIPTION("Driver for PTO accelerators");
MODULE_AUTHOR("the pto authors");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION("0.1.0");
