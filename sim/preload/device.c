// SPDX-License-Identifier: MIT
/*
 * The devices of the process. A device is created when it is first opened and exists until
 * the process ends.
 */
#include "transport.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <device.h>
#include <linux/workqueue.h>
#include <sim_kernel.h>

#include "preload.h"

/**
 * struct sim_device - /dev/pto@index
 * @lock: held while the device is created
 * @index: N
 * @pdev: the core's device; NULL until it is created
 * @transport: between @pdev and the device; lives as long as @pdev
 * @runs: runs accepted, counted for PTO_SIM_FAIL=gone:N
 * @inherited: in a forked child, the parent's device; unused, but reachable for a leak checker
 * @baseline: device memory in use right after creation, for PTO_SIM_CHECK
 */
struct sim_device {
	pthread_mutex_t lock;
	unsigned int index;
	struct pto_device *pdev;
	struct sim_transport *transport;
	uint64_t runs;
	struct pto_device *inherited;
	uint64_t baseline;
};

static struct sim_device devices[SIM_MAX_DEVICES] = {
	[0 ... SIM_MAX_DEVICES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER },
};

/*
 * The device's threads inherit this mask. It blocks all signals except those that a faulting
 * kernel raises.
 */
static void block_signals(sigset_t *old)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t set;
	size_t i;

	sigfillset(&set);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&set, own[i]);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

/* Query the device's usage through a temporary context, which counts as one in @usage. */
static int usage_of(struct sim_device *dev, struct pto_device_usage *usage)
{
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = PTO_QUERY_USAGE,
		.data_ptr = (uintptr_t)usage,
		.data_size = sizeof(*usage),
	};
	struct pto_ctx *ctx = pto_ctx_open(dev->pdev);
	long ret;

	if (IS_ERR(ctx))
		return (int)PTR_ERR(ctx);
	ret = pto_ctx_ioctl(ctx, PTO_QUERY, &query);
	pto_ctx_close(ctx);
	return (int)ret;
}

/* Device memory in use, without the device's cache of arena images. */
static uint64_t held(const struct pto_device_usage *usage)
{
	return usage->memory_used - usage->arena_image_bytes;
}

static void take_baseline(struct sim_device *dev)
{
	struct pto_device_usage usage;

	if (!usage_of(dev, &usage))
		dev->baseline = held(&usage);
}

static int make(struct sim_device *dev, unsigned int index)
{
	const struct sim_config *config = sim_config();
	struct ptodev_config what = {
		.arch = config->arch[index],
		.workers = config->workers,
		.memory_size = config->memory_size,
		.default_timeout_ns = config->timeout_ns,
		.fail_hang = config->fail_hang,
		.fail_lost = config->fail_lost,
		.name = "pto simulator",
		.index = index,
	};
	struct pto_device *pdev;
	uint64_t size;
	sigset_t old;
	int ret;

	block_signals(&old);
	ret = sim_transport_create(&what, index, &pdev, &dev->transport);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return ret;
	dev->index = index;
	size = sim_transport_size(dev->transport);
	if (!config->memory_size && size < PTODEV_MEMORY)
		sim_limits_memory(index, size, PTODEV_MEMORY);
	__atomic_store_n(&dev->pdev, pdev, __ATOMIC_RELEASE);
	if (config->check)
		take_baseline(dev);
	return 0;
}

int sim_device_get(unsigned int index, struct sim_device **out)
{
	static _Atomic bool armed;
	struct sim_device *dev = &devices[index];
	int ret = 0;

	pthread_mutex_lock(&dev->lock);
	if (!__atomic_load_n(&dev->pdev, __ATOMIC_ACQUIRE))
		ret = make(dev, index);
	pthread_mutex_unlock(&dev->lock);
	if (ret)
		return ret;
	/* Allocations are counted from the creation of the first device. */
	if (sim_config()->fail_alloc && !atomic_exchange(&armed, true))
		sim_fail_nth((long)sim_config()->fail_alloc);
	*out = dev;
	return 0;
}

struct pto_device *sim_device_core(const struct sim_device *dev)
{
	return dev->pdev;
}

unsigned int sim_device_index(const struct sim_device *dev)
{
	return dev->index;
}

int sim_device_memory_fd(const struct sim_device *dev, bool writable)
{
	return sim_transport_memory_fd(dev->transport, writable);
}

void sim_device_runs(struct sim_device *dev, uint32_t count)
{
	uint64_t limit = sim_config()->fail_gone;
	uint64_t before = __atomic_fetch_add(&dev->runs, count, __ATOMIC_RELAXED);

	if (before < limit && before + count >= limit)
		pto_device_gone(dev->pdev);
}

static unsigned int check_device(struct sim_device *dev)
{
	struct pto_device_usage usage;
	uint64_t leaked;

	/* The query fails if the device is gone or out of memory. */
	if (usage_of(dev, &usage))
		return 0;
	leaked = held(&usage) > dev->baseline ? held(&usage) - dev->baseline : 0;
	if (usage.contexts == 1 && !usage.images && !leaked)
		return 0;
	sim_say("leak: pto%u has %u contexts, %llu images and %llu bytes of memory in use",
		dev->index, usage.contexts - 1, usage.images, (unsigned long long)leaked);
	return 1;
}

unsigned int sim_device_check(void)
{
	unsigned int i, leaks = 0;
	struct pto_device *pdev;

	for (i = 0; i < SIM_MAX_DEVICES; i++) {
		pdev = __atomic_load_n(&devices[i].pdev, __ATOMIC_ACQUIRE);
		if (!pdev)
			continue;
		leaks += check_device(&devices[i]);
		__atomic_store_n(&devices[i].pdev, NULL, __ATOMIC_RELEASE);
		sim_transport_quiet(devices[i].transport);
		pto_device_put(pdev);
	}
	return leaks;
}

void sim_device_fork_child(void)
{
	struct pto_device *pdev;
	unsigned int i;

	for (i = 0; i < SIM_MAX_DEVICES; i++) {
		pdev = __atomic_load_n(&devices[i].pdev, __ATOMIC_ACQUIRE);
		memset(&devices[i], 0, sizeof(devices[i]));
		devices[i].inherited = pdev;
		pthread_mutex_init(&devices[i].lock, NULL);
	}
}
