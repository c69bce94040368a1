/* SPDX-License-Identifier: MIT */
/*
 * The in-process transport: it connects the driver core to a ptodev in the same process.
 */
#ifndef PTO_SIM_TRANSPORT_H
#define PTO_SIM_TRANSPORT_H

#include <pto_core.h>

struct ptodev_config;
struct sim_transport;

/**
 * sim_transport_create() - create a device and put it into service
 * @config: its configuration; the interrupt fields are filled in here
 * @index: N of /dev/ptoN
 * @pdev: out: the core's device, which owns the transport
 * @out: out: the transport
 *
 * Return: 0 or a negative errno.
 */
int sim_transport_create(struct ptodev_config *config, unsigned int index,
			 struct pto_device **pdev, struct sim_transport **out);

/** sim_transport_core() - the core's device; for calls that the core makes for it */
struct pto_device *sim_transport_core(const struct sim_transport *t);

/** sim_transport_window() - address of the device's window */
char *sim_transport_window(const struct sim_transport *t);

/** sim_transport_size() - bytes of the device's window */
uint64_t sim_transport_size(const struct sim_transport *t);

/**
 * sim_transport_memory_fd() - the device's window as a file
 * @t: the transport
 * @writable: open for writing, too
 *
 * Return: a descriptor that is SIM_INTERNAL, or -EBADF if the application has closed it.
 */
int sim_transport_memory_fd(const struct sim_transport *t, bool writable);

/** sim_transport_quiet() - stop interrupts to the core and wait for those being delivered */
void sim_transport_quiet(struct sim_transport *t);

#endif /* PTO_SIM_TRANSPORT_H */
