// SPDX-License-Identifier: MIT
/*
 * Access of a context to the window. A context that is a thread uses the home process's mapping of
 * the whole window. A context that is a process maps only the memory that it is given, at the same
 * addresses; the rest is inaccessible.
 *
 * Images and descriptions are not mapped for a context. A context that is a process reads them
 * through the memfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"
#include "memcheck.h"
#include "refusal.h"

/* No device is made smaller than that unless its user asks for it. */
#define LEAST_MEMORY (64ULL << 20)

/*
 * Maps the window: one page that grows. In a process that has all its future mappings locked
 * (mlockall()) a mapping of the full size would be populated, and would count as locked, as a
 * whole. A mapping that has been unlocked grows without that.
 */
static int window_map(struct ptodev *dev)
{
	size_t page = dev->config.page_size;
	void *addr = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			  dev->memory_fd, 0);
	void *grown;
	int ret;

	if (addr == MAP_FAILED)
		return refusal("mmap", errno);
	(void)munlock(addr, page);
	grown = mremap(addr, page, dev->config.memory_size, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED) {
		ret = refusal("mremap", errno);
		munmap(addr, page);
		return ret;
	}
	dev->window = grown;
	return 0;
}

/* The least that holds the queues and the smallest rings. */
static uint64_t window_least(const struct ptodev *dev)
{
	uint64_t least = dev->heap_offset + (1ULL << 20);

	return least > LEAST_MEMORY ? least : LEAST_MEMORY;
}

/* A file that is larger than RLIMIT_FSIZE would not only fail: the kernel sends SIGXFSZ. */
static int window_limit_file(struct ptodev *dev)
{
	uint64_t *size = &dev->config.memory_size;
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) || *size <= limit.rlim_cur)
		return 0;
	if (!dev->any_memory || limit.rlim_cur < window_least(dev))
		return -EFBIG;
	*size = limit.rlim_cur - limit.rlim_cur % dev->config.page_size;
	return 0;
}

static bool window_halve(struct ptodev *dev)
{
	uint64_t half = dev->config.memory_size / 2;

	if (half < window_least(dev))
		return false;
	dev->config.memory_size = half - half % dev->config.page_size;
	return true;
}

/*
 * If any size will do and the process cannot map as much as there should be, it is half of what
 * can be mapped, so that there is room for other mappings.
 */
static int window_map_any(struct ptodev *dev)
{
	int ret = window_map(dev);
	uint64_t mapped;

	if (!ret || !dev->any_memory)
		return ret;
	while (ret && window_halve(dev))
		ret = window_map(dev);
	mapped = dev->config.memory_size;
	if (ret || !window_halve(dev))
		return ret;
	munmap(dev->window, mapped);
	dev->window = NULL;
	return window_map(dev);
}

/* Makes the window. Return: 0 or a negative errno */
int window_make(struct ptodev *dev)
{
	int ret = sealed_memfd("pto-window");

	if (ret < 0)
		return ret;
	dev->memory_fd = ret;
	ret = window_limit_file(dev);
	if (!ret)
		ret = window_map_any(dev);
	if (ret)
		return ret;
	if (ftruncate(dev->memory_fd, (off_t)dev->config.memory_size))
		return refusal("ftruncate", errno);
	if (fcntl(dev->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return refusal("fcntl", errno);
	/* A core file would have every page of it, also those that nobody has touched. */
	(void)madvise(dev->window, dev->config.memory_size, MADV_DONTDUMP);
	memcheck_free(dev->window + dev->heap_offset, dev->config.memory_size - dev->heap_offset);
	return 0;
}

/* Replace the mapping of a part of the window by an inaccessible one. */
static int window_block(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	void *addr = mmap(dev->window + offset, size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return addr == MAP_FAILED ? -errno : 0;
}

/* Make the whole window inaccessible in a new context process. */
int window_hide_all(struct ptodev *dev)
{
	return window_block(dev, 0, dev->config.memory_size);
}

/* Make a part of the window accessible. Return: 0 or a negative errno */
int window_show(struct ptodev *dev, uint64_t offset, uint64_t size, uint32_t prot)
{
	int flags = (prot & PTO_DEV_PROT_READ ? PROT_READ : 0) |
		    (prot & PTO_DEV_PROT_WRITE ? PROT_WRITE : 0);
	int fd = prot & PTO_DEV_MAP_IMPORT ? dev->config.imports_fd : dev->memory_fd;
	void *addr;

	if (!dev->config.isolate) {
		memcheck_allocated(dev->window + offset, size);
		return 0;
	}
	addr = mmap(dev->window + offset, size, flags, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
	if (addr == MAP_FAILED)
		return -errno;
	(void)madvise(addr, size, MADV_DONTDUMP);
	return 0;
}

/* Make a part of the window inaccessible. Return: 0 or a negative errno */
int window_hide(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	return dev->config.isolate ? window_block(dev, offset, size) : 0;
}

/*
 * Bytes from the beginning of the page that a mapping has to begin with. That is a page of this
 * machine: config.page_size may be larger, and the kernel does not align addresses to it.
 */
static size_t in_page(uint64_t where)
{
	return where & ((uint64_t)getpagesize() - 1);
}

/* Map a part of the window read-only for the device itself; NULL and errno on failure. */
const void *window_peek(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	size_t before = in_page(offset);
	char *addr;

	if (!dev->config.isolate) {
		memcheck_allocated(dev->window + offset, size);
		return dev->window + offset;
	}
	addr = mmap(NULL, before + size, PROT_READ, MAP_SHARED, dev->memory_fd,
		    (off_t)(offset - before));
	return addr == MAP_FAILED ? NULL : addr + before;
}

/* End a mapping of window_peek(). */
void window_peek_end(struct ptodev *dev, const void *addr, uint64_t size)
{
	size_t before = in_page((uintptr_t)addr);

	if (dev->config.isolate)
		munmap((char *)(uintptr_t)addr - before, before + size);
}

/* Copy from the window; the caller has checked the range. Return: 0 or a negative errno */
int window_read(struct ptodev *dev, uint64_t offset, void *buffer, size_t size)
{
	char *to = buffer;

	if (!dev->config.isolate) {
		memcheck_allocated(dev->window + offset, size);
		memcpy(buffer, dev->window + offset, size);
		return 0;
	}
	while (size) {
		ssize_t n = pread(dev->memory_fd, to, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		to += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}
