/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What the files of the module that are not core share: device nodes and transports.
 */
#ifndef PTO_MODULE_H
#define PTO_MODULE_H

#include <linux/types.h>

struct pto_device;
struct pto_node;

#define PTO_MAX_DEVICES 64

/**
 * struct pto_node_ops - what a transport adds to struct pto_transport_ops for mmap
 * @fault_pfn: page frame behind a window offset, for a user mapping. The frame stays the
 *	device's until the buffer object that covers it is cleared or the device released.
 *	May sleep
 */
struct pto_node_ops {
	int (*fault_pfn)(void *priv, u64 offset, unsigned long *pfn);
};

/** pto_index_get() - reserve an N for /dev/ptoN. Return: N, -ENOSPC or -ENOMEM */
int pto_index_get(void);

/** pto_index_put() - give it back */
void pto_index_put(int index);

/**
 * pto_node_create() - make /dev/pto@index appear; the last step of bringing a device up
 * @pdev: the device; the node takes a reference
 * @index: from pto_index_get()
 * @ops: the transport's mmap part
 * @priv: its argument, alive as long as @pdev
 *
 * Return: the node, or ERR_PTR.
 */
struct pto_node *pto_node_create(struct pto_device *pdev, int index,
				 const struct pto_node_ops *ops, void *priv);

/** pto_node_destroy() - make it disappear. Files that are open stay open */
void pto_node_destroy(struct pto_node *node);

int pto_node_init(void);
void pto_node_exit(void);
int pto_vdev_init(void);
void pto_vdev_exit(void);

#endif /* PTO_MODULE_H */
