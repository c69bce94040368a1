// SPDX-License-Identifier: MIT
/*
 * struct pto_transport_ops for a software device in the same process. The window is ordinary
 * memory, a doorbell is a function call to the device, and an interrupt one to the driver.
 */
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/workqueue.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <device.h>
#include <memcheck.h>
#include <sim_kernel.h>

#include "preload.h"
#include "raw.h"
#include "share.h"

/**
 * struct memory_files - the descriptors of the window, for mappings by the application
 * @writable: for contexts that may write; SIM_INTERNAL
 * @readonly: for contexts that may not, since the kernel then refuses to make a mapping
 *	writable; SIM_INTERNAL
 * @device: identifies the file, together with @inode
 * @inode: if a descriptor names another file, the application has closed it
 */
struct memory_files {
	int writable;
	int readonly;
	dev_t device;
	ino_t inode;
};

/**
 * struct sim_transport - one device
 * @dev: the device side
 * @pdev: the driver side; interrupts are dropped while it is NULL, that is before the device
 *	is complete and after sim_transport_quiet()
 * @core: the driver side, constant. No reference: it has one to this
 * @window: address of the device's memory
 * @size: bytes of it
 * @memory: the window as files
 * @delivering: interrupts that are being delivered
 * @interrupts: counted for PTO_SIM_FAIL=interrupt:N
 * @kicks: counted for PTO_SIM_FAIL=kick:N
 *
 * Created by the first open of the device; ends with the last reference to @pdev.
 */
struct sim_transport {
	struct ptodev *dev;
	struct pto_device *pdev;
	struct pto_device *core;
	char *window;
	uint64_t size;
	struct memory_files memory;
	unsigned int delivering;
	uint64_t interrupts;
	uint64_t kicks;
};

/* --- the window as files ------------------------------------------------------------ */

/* Move @fd to an internal number, where the application does not close it by accident. */
static int memory_keep(long fd, int *kept)
{
	*kept = fd < 0 ? (int)fd : sim_fd_internal((int)fd);
	return *kept < 0 ? *kept : 0;
}

static int memory_reopen(const struct memory_files *memory, int *kept)
{
	char path[48];
	long fd;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", memory->writable);
	fd = sim_own(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		sim_say("cannot open %s: is there no /proc?", path);
	return memory_keep(fd, kept);
}

static void memory_close(struct memory_files *memory)
{
	sim_fd_close_internal(memory->readonly);
	sim_fd_close_internal(memory->writable);
}

/* Takes over @fd. */
static int memory_open(struct memory_files *memory, int fd)
{
	struct stat st;
	int ret;

	memory->readonly = -1;
	ret = memory_keep(fd, &memory->writable);
	if (!ret)
		ret = (int)sim_own(fstat, memory->writable, &st);
	if (!ret)
		ret = memory_reopen(memory, &memory->readonly);
	if (ret) {
		memory_close(memory);
		return ret;
	}
	memory->device = st.st_dev;
	memory->inode = st.st_ino;
	return 0;
}

/* Return: @fd if it still is the window, else -EBADF. */
static int memory_check(const struct memory_files *memory, int fd)
{
	struct stat st;
	long ret = sim_raw(SYS_fstat, fd, &st);

	/* Where that call is refused, nobody can tell. */
	if (sim_denied(ret) ||
	    (!ret && st.st_dev == memory->device && st.st_ino == memory->inode))
		return fd;
	sim_say("descriptor %d, of the simulator, has been closed", fd);
	return -EBADF;
}

int sim_transport_memory_fd(const struct sim_transport *t, bool writable)
{
	return memory_check(&t->memory, writable ? t->memory.writable : t->memory.readonly);
}

struct pto_device *sim_transport_core(const struct sim_transport *t)
{
	return t->core;
}

char *sim_transport_window(const struct sim_transport *t)
{
	return t->window;
}

uint64_t sim_transport_size(const struct sim_transport *t)
{
	return t->size;
}

/* --- the transport ------------------------------------------------------------------ */

static bool within(const struct sim_transport *t, u64 offset, u64 length)
{
	return offset <= t->size && length <= t->size - offset;
}

static void *transport_map(void *priv, u64 offset, u64 length)
{
	struct sim_transport *t = priv;

	if (!within(t, offset, length))
		return NULL;
	memcheck_allocated(t->window + offset, length);
	return t->window + offset;
}

static void transport_unmap(void *priv, void *addr, u64 length)
{
}

static void *transport_access(void *priv, u64 offset, size_t *length)
{
	struct sim_transport *t = priv;

	if (offset >= t->size)
		return ERR_PTR(-EINVAL);
	if (*length > t->size - offset)
		*length = t->size - offset;
	memcheck_allocated(t->window + offset, *length);
	return t->window + offset;
}

static void transport_access_end(void *priv, void *addr)
{
}

static int transport_clear(void *priv, u64 offset, u64 length)
{
	struct sim_transport *t = priv;
	long ret;
	int fd;

	if (!within(t, offset, length))
		return -EINVAL;
	fd = sim_transport_memory_fd(t, true);
	if (fd < 0)
		return fd;
	memcheck_free(t->window + offset, length);
	ret = sim_raw(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
		      length);
	/* Another call does the same, where that one is refused. */
	if (ret)
		ret = sim_raw(SYS_madvise, t->window + offset, length, MADV_REMOVE);
	return (int)ret;
}

static void transport_kick(void *priv, u32 queue)
{
	struct sim_transport *t = priv;
	uint64_t nth = sim_config()->fail_kick;

	if (SIM_UNLIKELY(nth) && __atomic_add_fetch(&t->kicks, 1, __ATOMIC_RELAXED) == nth)
		return;
	ptodev_kick(t->dev, queue);
}

static void transport_interrupt(void *arg)
{
	struct sim_transport *t = arg;
	uint64_t nth = sim_config()->fail_interrupt;
	struct pto_device *pdev;

	if (SIM_UNLIKELY(nth) && __atomic_add_fetch(&t->interrupts, 1, __ATOMIC_RELAXED) == nth)
		return;
	__atomic_add_fetch(&t->delivering, 1, __ATOMIC_SEQ_CST);
	pdev = __atomic_load_n(&t->pdev, __ATOMIC_SEQ_CST);
	if (pdev)
		pto_device_interrupt(pdev);
	__atomic_sub_fetch(&t->delivering, 1, __ATOMIC_RELEASE);
}

/* Delivering an interrupt does not sleep, so the wait is short. */
void sim_transport_quiet(struct sim_transport *t)
{
	__atomic_store_n(&t->pdev, NULL, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t->delivering, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void transport_release(void *priv)
{
	struct sim_transport *t = priv;

	sim_mapping_del(t->window);
	ptodev_destroy(t->dev);
	memory_close(&t->memory);
	free(t);
}

static int transport_export(void *priv, struct pto_memory *memory,
			    int (*tell)(struct pto_call *call, int fd), struct pto_call *call)
{
	return sim_import_export(priv, memory, tell, call);
}

static struct pto_memory *transport_import(void *priv, int fd)
{
	return sim_import(priv, fd);
}

static const struct pto_transport_ops transport_ops = {
	.name = "sim",
	.blank = true,
	.map = transport_map,
	.unmap = transport_unmap,
	.access = transport_access,
	.access_end = transport_access_end,
	.clear = transport_clear,
	.kick = transport_kick,
	.export = transport_export,
	.import = transport_import,
	.release = transport_release,
};

static int transport_start(struct sim_transport *t, struct ptodev_config *config)
{
	int ret;

	config->interrupt = transport_interrupt;
	config->interrupt_arg = t;
	ret = ptodev_create(config, &t->dev);
	if (ret)
		return ret;
	ret = memory_open(&t->memory, ptodev_take_memory_fd(t->dev));
	if (ret) {
		ptodev_destroy(t->dev);
		return ret;
	}
	t->window = ptodev_window(t->dev);
	t->size = ptodev_window_size(t->dev);
	/* A forked child cannot use the device: spare it the copy of the page tables. */
	sim_raw(SYS_madvise, t->window, t->size, MADV_DONTFORK);
	/* If this fails, each copy probes the memory instead. */
	(void)sim_mapping_add(t->window, t->size);
	return 0;
}

static void give_workqueue(void)
{
	pto_wq = &sim_workqueue;
}

int sim_transport_create(struct ptodev_config *config, unsigned int index,
			 struct pto_device **pdev, struct sim_transport **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sim_transport *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	pthread_once(&once, give_workqueue);
	ret = transport_start(t, config);
	if (ret) {
		free(t);
		return ret;
	}
	*pdev = pto_device_create(&transport_ops, t, index, t->size);
	if (IS_ERR(*pdev)) {
		ret = (int)PTR_ERR(*pdev);
		transport_release(t);
		return ret;
	}
	*out = t;
	t->core = *pdev;
	__atomic_store_n(&t->pdev, *pdev, __ATOMIC_RELEASE);
	return 0;
}
