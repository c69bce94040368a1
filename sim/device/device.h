/* SPDX-License-Identifier: MIT */
/*
 * The software device: the device side of uapi/linux/pto_device.h.
 *
 * struct ptodev is one device. Its window is a memfd mapped once; memory_base of the
 * identification page is the address of that mapping, so a device address is a pointer.
 * An admin thread serves the admin queue. The home chooses where contexts run:
 *
 *   threads    each hardware context is a thread of this process (preload simulator)
 *   processes  each hardware context is a child process that maps only its own queues
 *              and the memory of PTO_DEV_MAP, at the same addresses (ptod)
 */
#ifndef PTO_SIM_DEVICE_H
#define PTO_SIM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct ptodev;

/*
 * The default size of the window: enough for the default arenas of 64 contexts. It is sparse: only
 * what is touched exists.
 */
#define PTODEV_MEMORY (128ULL << 30)

/**
 * struct ptodev_config - configuration of a device
 * @arch: PTO_ARCH_*
 * @max_contexts: hardware contexts; 0: 64
 * @workers: OS threads that execute kernels, per context; 0: the CPUs it may use
 * @isolate: contexts are processes
 * @memory_size: bytes of window; 0: PTODEV_MEMORY, or less if the process cannot map as much
 * @page_size: bytes, a power of two of at least 4096: separate mappings begin at multiples of it;
 *	0: the machine's page size
 * @default_timeout_ns: how long a run without a bound may make no progress; 0: 50 s
 * @fail_hang: the Nth run, and all commands behind it, never begin; 0: none. Without @isolate
 * @fail_lost: the Nth run is executed, but it and all commands behind it do not complete;
 *	0: none. Without @isolate
 * @imports_fd: file through which imported memory is mapped; 0: none. Inherited by processes of
 *	the device, owned by the caller. With @isolate; without it, the caller has mapped what is
 *	imported in the window before the device hears of it
 * @name: readable name
 * @interrupt: called from any thread or context process of the device when a completion is
 *	written and the driver has asked for an interrupt
 * @interrupt_arg: its argument
 * @index: N of /dev/ptoN, for the report of a crash; without @isolate
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
	int imports_fd;
	const char *name;
	void (*interrupt)(void *arg);
	void *interrupt_arg;
	unsigned int index;
};

/**
 * ptodev_create() - create and start a device
 * @config: its configuration
 * @out: the device; its identification page says READY
 *
 * With @config->isolate it forks: call it before the process has threads that might hold
 * a lock, and before it opens files that the device's processes must not inherit.
 * Return: 0 or a negative errno.
 */
int ptodev_create(const struct ptodev_config *config, struct ptodev **out);

/**
 * ptodev_destroy() - stop a device and free it
 * @dev: the device, or NULL
 *
 * Contexts that exist are aborted. A context thread that does not stop in time is abandoned, with
 * the memory that it may still access.
 */
void ptodev_destroy(struct ptodev *dev);

/** ptodev_memory_fd() - the window's memfd; owned by the device */
int ptodev_memory_fd(const struct ptodev *dev);

/**
 * ptodev_take_memory_fd() - pass ownership of the window's memfd to the caller, who closes it
 *
 * For a device whose contexts are threads: it has the window mapped and needs no descriptor. The
 * application in whose process it is might close the descriptor, and reuse its number.
 */
int ptodev_take_memory_fd(struct ptodev *dev);

/**
 * ptodev_end_fd() - descriptor that polls readable when the device has ended by itself
 *
 * That happens only with contexts in processes, when their supervisor was killed; -1 otherwise.
 * Owned by the device.
 */
int ptodev_end_fd(const struct ptodev *dev);

/** ptodev_window() - the window, ptodev_window_size() bytes of it */
void *ptodev_window(const struct ptodev *dev);

/** ptodev_window_size() - bytes of the window */
uint64_t ptodev_window_size(const struct ptodev *dev);

/**
 * ptodev_kick() - ring the doorbell: a queue has new entries
 * @dev: the device
 * @queue: the queue, or PTODEV_ALL_QUEUES if it is not known
 *
 * Makes no system call unless a consumer sleeps. Called by any thread; not from a signal handler.
 */
void ptodev_kick(struct ptodev *dev, uint32_t queue);

#define PTODEV_ALL_QUEUES UINT32_MAX

#endif /* PTO_SIM_DEVICE_H */
