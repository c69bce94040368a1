/* SPDX-License-Identifier: MIT */
/*
 * The software device: the device side of uapi/linux/pto_device.h.
 *
 * struct ptodev is one device. Its window is a memfd mapped once; memory_base of the
 * identification page is where that mapping landed, so a device address is a pointer.
 * An admin thread serves the admin queue. Where contexts run is the home's choice:
 *
 *   threads    each hardware context is a thread of this process (preload simulator)
 *   processes  each hardware context is a child process that maps only its own queues
 *              and what PTO_DEV_MAP gives it, at the same addresses (ptod)
 */
#ifndef PTO_SIM_DEVICE_H
#define PTO_SIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct ptodev;

/**
 * struct ptodev_config - what device to make
 * @arch: PTO_ARCH_*
 * @max_contexts: hardware contexts; 0: 64
 * @workers: OS threads that execute kernels, per context; 0: the CPUs it may use
 * @isolate: contexts are processes
 * @memory_size: bytes of window; 0: 128 GiB (sparse: only what is touched exists), enough
 *	for the default arenas of 64 contexts
 * @page_size: bytes, a power of two from 4096 on: everything that is mapped by itself begins at
 *	such a page; 0: the machine's
 * @default_timeout_ns: how long nothing may move in a run that gives no bound; 0: 50 s
 * @fail_hang: the Nth run never begins, and neither does anything behind it; 0: none.
 *	Without @isolate
 * @fail_lost: the same, but the Nth run has been executed; 0: none. Without @isolate
 * @name: for people
 * @interrupt: called, from any thread or context process of the device, when a driver
 *	that has asked for it gets a completion
 * @interrupt_arg: its argument
 */
struct ptodev_config {
	uint32_t arch;
	uint32_t max_contexts;
	uint32_t workers;
	bool isolate;
	uint64_t memory_size;
	uint32_t page_size;
	uint64_t default_timeout_ns;
	uint64_t fail_hang;
	uint64_t fail_lost;
	const char *name;
	void (*interrupt)(void *arg);
	void *interrupt_arg;
};

/**
 * ptodev_create() - make a device and start it
 * @config: what device
 * @out: the device; its identification page says READY
 *
 * With @config->isolate it forks: call it before the process has threads that might hold
 * a lock, and before it opens what the device's processes should not inherit.
 * Return: 0 or a negative errno.
 */
int ptodev_create(const struct ptodev_config *config, struct ptodev **out);

/**
 * ptodev_destroy() - stop a device and free it
 * @dev: the device, or NULL
 *
 * Contexts that exist are aborted. A context thread that does not stop within the abort
 * bound is abandoned, with the memory it may still touch.
 */
void ptodev_destroy(struct ptodev *dev);

/** ptodev_memory_fd() - the window's memfd; owned by the device */
int ptodev_memory_fd(const struct ptodev *dev);

/**
 * ptodev_take_memory_fd() - the window's memfd becomes the caller's, who closes it
 *
 * For a device whose contexts are threads: it has the window mapped and needs no descriptor, which
 * the application that it lives in might close, or might have closed and reused.
 */
int ptodev_take_memory_fd(struct ptodev *dev);

/**
 * ptodev_end_fd() - descriptor that polls readable when the device has ended by itself
 *
 * Only with contexts in processes, when their supervisor was killed; -1 otherwise. Owned by
 * the device.
 */
int ptodev_end_fd(const struct ptodev *dev);

/** ptodev_window() - the window, ptodev_window_size() bytes of it */
void *ptodev_window(const struct ptodev *dev);

/** ptodev_window_size() - bytes of the window */
uint64_t ptodev_window_size(const struct ptodev *dev);

/**
 * ptodev_kick() - the doorbell: a queue has new entries
 * @dev: the device
 * @queue: which queue, or PTODEV_ALL_QUEUES if the doorbell does not say
 *
 * No system call unless somebody sleeps. Any thread; not from a signal handler.
 */
void ptodev_kick(struct ptodev *dev, uint32_t queue);

#define PTODEV_ALL_QUEUES UINT32_MAX

#endif /* PTO_SIM_DEVICE_H */
