// SPDX-License-Identifier: MIT
/*
 * A device: its window, its identification page, and doorbells.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "refusal.h"

/* Usual sizes of an arena's rings according to the ABI, and the smallest that are announced. */
#define USUAL_HEAP	(256ULL << 20)
#define USUAL_ENTRIES	16384u
#define LEAST_ENTRIES	16u

static const struct arch archs[] = {
	{ PTO_ARCH_A2A3, "a2a3", 24, 24, 48, 4 },
	{ PTO_ARCH_A5, "a5", 36, 36, 72, 5 },
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* A context page by its number, which counts from 1. */
struct ctx_page *ptodev_page(const struct ptodev *dev, uint32_t number)
{
	return (void *)((char *)dev->pages + (number - 1) * dev->page_stride);
}

/* A queue pair. */
struct pto_dev_queue *ptodev_pair(const struct ptodev *dev, uint32_t index)
{
	uint64_t offset = dev->queue_offset + (uint64_t)index * dev->queue_stride;

	return (struct pto_dev_queue *)(dev->window + offset);
}

/* Is [addr, addr + size) memory that the driver allocates? *@offset: its window offset. */
bool ptodev_heap_range(const struct ptodev *dev, uint64_t addr, uint64_t size, uint64_t *offset)
{
	uint64_t base = (uintptr_t)dev->window;
	uint64_t end = dev->config.memory_size;

	if (addr < base + dev->heap_offset || addr - base > end || size > end - (addr - base))
		return false;
	*offset = addr - base;
	return true;
}

/* Interrupt the driver, which has asked for that. */
void ptodev_interrupt(const struct ptodev *dev)
{
	if (dev->config.interrupt)
		dev->config.interrupt(dev->config.interrupt_arg);
}

/* Processors that this process may use. */
static uint32_t processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) || CPU_COUNT(&set) < 1)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

/* Fill in defaults, and reject invalid values. */
static int ptodev_configure(struct ptodev *dev, const struct ptodev_config *config)
{
	struct ptodev_config *c = &dev->config;
	size_t i;

	*c = *config;
	for (i = 0; i < sizeof(archs) / sizeof(archs[0]); i++)
		if (archs[i].arch == c->arch)
			dev->arch = &archs[i];
	if (!dev->arch || c->max_contexts > MAX_CONTEXTS)
		return -EINVAL;
	if (!c->max_contexts)
		c->max_contexts = 64;
	if (!c->workers)
		c->workers = processors();
	dev->any_memory = !c->memory_size;
	if (dev->any_memory)
		c->memory_size = PTODEV_MEMORY;
	if (!c->page_size)
		c->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	if (!c->default_timeout_ns)
		c->default_timeout_ns = 50 * NSEC_PER_SEC;
	dev->spin = processors() > 1;
	dev->queue_count = 1 + c->max_contexts * QUEUES_PER_CONTEXT;
	dev->queue_stride = (uint32_t)round_up(PTO_DEV_QUEUE_BYTES(QUEUE_DEPTH), c->page_size);
	dev->queue_offset = c->page_size;
	dev->heap_offset = round_up(dev->queue_offset +
				    (uint64_t)dev->queue_count * dev->queue_stride, 2ULL << 20);
	c->memory_size -= c->memory_size % c->page_size;
	if (c->memory_size > LONG_MAX || c->memory_size < dev->heap_offset + (1ULL << 20))
		return -EINVAL;
	return 0;
}

/* Create the memory that the home process, the admin and the contexts share. */
static int ptodev_make_shared(struct ptodev *dev)
{
	size_t head = round_up(sizeof(*dev->shared) +
			       dev->queue_count * sizeof(dev->shared->owner[0]),
			       dev->config.page_size);
	void *shared;
	uint32_t i;

	dev->page_count = 2 * dev->config.max_contexts;
	dev->page_stride = round_up(sizeof(*dev->pages), dev->config.page_size);
	dev->shared_size = head + dev->page_count * dev->page_stride;
	shared = mmap(NULL, dev->shared_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		return refusal("mmap", errno);
	(void)madvise(shared, dev->shared_size, MADV_DONTDUMP);
	dev->shared = shared;
	dev->pages = (void *)((char *)shared + head);
	for (i = 1; i < dev->queue_count; i++)
		atomic_init(&dev->shared->owner[i], QUEUE_FREE);
	return 0;
}

static int ptodev_make_admin(struct ptodev *dev)
{
	dev->contexts = calloc(dev->config.max_contexts + 1, sizeof(*dev->contexts));
	dev->page_refs = calloc(dev->page_count + 1, sizeof(*dev->page_refs));
	if (!dev->contexts || !dev->page_refs)
		return -ENOMEM;
	queue_attach(&dev->admin_queue, ptodev_pair(dev, 0), &dev->admin_slot);
	return 0;
}

static uint64_t arena_bytes(const struct pto_dev_ident *ident)
{
	struct pto_dev_arena_plan plan = { .size = sizeof(plan) };
	int i;

	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan.heap[i] = ident->default_heap;
		plan.task_window[i] = ident->default_task_window;
		plan.dep_pool[i] = ident->default_dep_pool;
	}
	return pto_arena_plan(&plan) ? UINT64_MAX : plan.arena_size;
}

/*
 * The usual rings if an eighth of the memory is left besides. Otherwise smaller rings, until they
 * take at most half of the memory: each step halves either the heaps or the rest, whichever is
 * larger.
 */
static void ptodev_choose_rings(const struct ptodev *dev, struct pto_dev_ident *ident)
{
	uint64_t memory = dev->config.memory_size - dev->heap_offset;
	uint64_t bytes;

	ident->default_heap = USUAL_HEAP;
	ident->default_task_window = USUAL_ENTRIES;
	ident->default_dep_pool = USUAL_ENTRIES;
	bytes = arena_bytes(ident);
	if (bytes <= memory - memory / 8)
		return;
	while (bytes > memory / 2 && ident->default_task_window > LEAST_ENTRIES) {
		if (PTO_RING_DEPTHS * ident->default_heap >= bytes / 2) {
			ident->default_heap /= 2;
		} else {
			ident->default_task_window /= 2;
			ident->default_dep_pool /= 2;
		}
		bytes = arena_bytes(ident);
	}
}

static void ptodev_identify(struct ptodev *dev)
{
	struct pto_dev_ident *ident = (void *)dev->window;

	ident->magic = PTO_DEV_MAGIC;
	ident->abi_version = PTO_DEV_ABI_VERSION;
	ident->arch = dev->arch->arch;
	ident->cluster_count = dev->arch->clusters;
	ident->aic_count = dev->arch->aic;
	ident->aiv_count = dev->arch->aiv;
	ident->aicpu_threads = dev->arch->aicpu_threads;
	ident->worker_threads = dev->config.workers;
	ident->max_contexts = dev->config.max_contexts;
	ident->queue_count = dev->queue_count;
	ident->queue_depth = QUEUE_DEPTH;
	ident->queue_stride = dev->queue_stride;
	ident->queue_offset = dev->queue_offset;
	ident->heap_offset = dev->heap_offset;
	ident->window_size = dev->config.memory_size;
	ident->memory_base = (uintptr_t)dev->window;
	ident->features = PTO_FEATURE_UNIFIED | PTO_FEATURE_SIMULATED | PTO_FEATURE_HOST_GRAPH |
			  (dev->config.isolate ? PTO_FEATURE_ISOLATED : 0);
	ident->default_timeout_ns = dev->config.default_timeout_ns;
	ptodev_choose_rings(dev, ident);
	snprintf((char *)ident->name, sizeof(ident->name), "%s",
		 dev->config.name ? dev->config.name : "software device");
	__atomic_store_n(&ident->state, PTO_DEV_STATE_READY, __ATOMIC_RELEASE);
}

static void *admin_thread(void *arg)
{
	admin_main(arg);
	return NULL;
}

static void ptodev_free(struct ptodev *dev)
{
	if (dev->shared)
		munmap(dev->shared, dev->shared_size);
	if (dev->window)
		munmap(dev->window, dev->config.memory_size);
	if (dev->memory_fd >= 0)
		close(dev->memory_fd);
	free(dev->contexts);
	free(dev->page_refs);
	free(dev);
}

int ptodev_create(const struct ptodev_config *config, struct ptodev **out)
{
	struct ptodev *dev = calloc(1, sizeof(*dev));
	int ret;

	if (!dev)
		return -ENOMEM;
	dev->memory_fd = -1;
	dev->supervisor_fd = -1;
	ret = ptodev_configure(dev, config);
	if (!ret)
		ret = window_make(dev);
	if (!ret)
		ret = ptodev_make_shared(dev);
	if (!ret)
		ret = ptodev_make_admin(dev);
	if (!ret && dev->config.isolate)
		ret = supervisor_start(dev);
	else if (!ret)
		ret = device_thread_create(&dev->admin_thread, admin_thread, dev);
	if (ret) {
		ptodev_free(dev);
		return ret;
	}
	ptodev_identify(dev);
	*out = dev;
	return 0;
}

/*
 * Keep a device whose threads did not end: they may still access its memory. The list is for leak
 * checkers.
 */
static void ptodev_keep(struct ptodev *dev)
{
	static struct ptodev *_Atomic kept;

	dev->next = atomic_load(&kept);
	while (!atomic_compare_exchange_weak(&kept, &dev->next, dev))
		;
}

void ptodev_destroy(struct ptodev *dev)
{
	if (!dev)
		return;
	atomic_store(&dev->shared->stop, 1);
	bell_ring(&dev->shared->bell);
	if (dev->config.isolate)
		supervisor_stop(dev);
	else
		pthread_join(dev->admin_thread, NULL);
	home_reap(dev);
	if (dev->abandoned)
		ptodev_keep(dev);
	else
		ptodev_free(dev);
}

int ptodev_memory_fd(const struct ptodev *dev)
{
	return dev->memory_fd;
}

int ptodev_take_memory_fd(struct ptodev *dev)
{
	int fd = dev->memory_fd;

	dev->memory_fd = -1;
	return fd;
}

int ptodev_end_fd(const struct ptodev *dev)
{
	return dev->supervisor_fd;
}

void *ptodev_window(const struct ptodev *dev)
{
	return dev->window;
}

uint64_t ptodev_window_size(const struct ptodev *dev)
{
	return dev->config.memory_size;
}

/* The bell of whoever serves a queue, NULL if nobody does. */
static struct bell *ptodev_bell(struct ptodev *dev, uint32_t queue)
{
	uint32_t owner = atomic_load(&dev->shared->owner[queue]);
	struct ctx_page *page;

	if (owner == QUEUE_FREE)
		return NULL;
	if (!owner)
		return &dev->shared->bell;
	page = ptodev_page(dev, owner);
	return &page->bells[atomic_load(&page->control) == queue ? CTX_CONTROL : CTX_STREAMS];
}

static void ptodev_wake(struct ptodev *dev, uint32_t queue)
{
	struct bell *bell = ptodev_bell(dev, queue);

	if (bell)
		bell_ring(bell);
}

void ptodev_kick(struct ptodev *dev, uint32_t queue)
{
	const struct pto_dev_queue *pair;
	uint32_t i;

	if (queue != PTODEV_ALL_QUEUES) {
		if (queue < dev->queue_count)
			ptodev_wake(dev, queue);
		return;
	}
	for (i = 0; i < dev->queue_count; i++) {
		if (atomic_load(&dev->shared->owner[i]) == QUEUE_FREE)
			continue;
		pair = ptodev_pair(dev, i);
		if (__atomic_load_n(&pair->sq_tail, __ATOMIC_ACQUIRE) !=
		    __atomic_load_n(&pair->sq_head, __ATOMIC_RELAXED))
			ptodev_wake(dev, i);
	}
}
