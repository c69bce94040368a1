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
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

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
	void *addr;

	if (!dev->config.isolate)
		return 0;
	addr = mmap(dev->window + offset, size, flags, MAP_SHARED | MAP_FIXED, dev->memory_fd,
		    (off_t)offset);
	return addr == MAP_FAILED ? -errno : 0;
}

/* Make a part of the window inaccessible. Return: 0 or a negative errno */
int window_hide(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	return dev->config.isolate ? window_block(dev, offset, size) : 0;
}

/* Map a part of the window read-only for the device itself; NULL and errno on failure. */
const void *window_peek(struct ptodev *dev, uint64_t offset, uint64_t size)
{
	uint64_t first = offset & ~(uint64_t)(dev->config.page_size - 1);
	char *addr;

	if (!dev->config.isolate)
		return dev->window + offset;
	addr = mmap(NULL, offset - first + size, PROT_READ, MAP_SHARED, dev->memory_fd,
		    (off_t)first);
	return addr == MAP_FAILED ? NULL : addr + (offset - first);
}

/* End a mapping of window_peek(). */
void window_peek_end(struct ptodev *dev, const void *addr, uint64_t size)
{
	uintptr_t in_page = (uintptr_t)addr & (dev->config.page_size - 1);

	if (dev->config.isolate)
		munmap((char *)(uintptr_t)addr - in_page, in_page + size);
}

/* Copy from the window; the caller has checked the range. Return: 0 or a negative errno */
int window_read(struct ptodev *dev, uint64_t offset, void *buffer, size_t size)
{
	char *to = buffer;

	if (!dev->config.isolate) {
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
