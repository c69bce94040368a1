/* SPDX-License-Identifier: MIT */
/*
 * The in-process transport: the driver core on one side of a ptodev, its threads on the
 * other, both in this process.
 */
#ifndef PTO_SIM_TRANSPORT_H
#define PTO_SIM_TRANSPORT_H

#include <pto_core.h>

struct ptodev_config;
struct sim_transport;

/**
 * sim_transport_create() - make a device and take it into service
 * @config: what device; its interrupt fields are filled in here
 * @index: N of /dev/ptoN
 * @pdev: out: the core's device, which owns the transport
 * @out: out: the transport
 *
 * Return: 0 or a negative errno.
 */
int sim_transport_create(struct ptodev_config *config, unsigned int index,
			 struct pto_device **pdev, struct sim_transport **out);

/**
 * sim_transport_memory_fd() - the device's window as a file
 * @t: the transport
 * @writable: open for writing, too
 *
 * Return: a descriptor that is SIM_INTERNAL; -EBADF if the application has closed it all the same.
 */
int sim_transport_memory_fd(const struct sim_transport *t, bool writable);

/** sim_transport_quiet() - no interrupt reaches the core any more; to be called before it ends */
void sim_transport_quiet(struct sim_transport *t);

#endif /* PTO_SIM_TRANSPORT_H */
