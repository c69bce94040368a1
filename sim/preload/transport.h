/* SPDX-License-Identifier: MIT */
/*
 * The in-process transport: the driver core on one side of a ptodev, its threads on the
 * other, both in this process.
 */
#ifndef PTO_SIM_TRANSPORT_H
#define PTO_SIM_TRANSPORT_H

#include <pto_core.h>

struct ptodev_config;

/**
 * sim_transport_create() - make a device and take it into service
 * @config: what device; its interrupt fields are filled in here
 * @index: N of /dev/ptoN
 * @pdev: out: the core's device
 * @memory_fd: out: its window as a file, owned by the device
 *
 * Return: 0 or a negative errno.
 */
int sim_transport_create(struct ptodev_config *config, unsigned int index,
			 struct pto_device **pdev, int *memory_fd);

#endif /* PTO_SIM_TRANSPORT_H */
