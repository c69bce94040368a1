// SPDX-License-Identifier: MIT
/*
 * One object: its bytes are copied from the device's memory into a sealed memfd, which the
 * dynamic loader opens. Nothing is written to a file system and nothing is left behind.
 *
 * Each load has to be a separate one, with static data of its own, even of the same image.
 * The dynamic loader knows an object again by inode, and memfds differ in that; but
 * also by the name that it was opened with, and "/proc/self/fd/7" is the name of whatever
 * has got number 7. So each load uses a different spelling of that path.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include "internal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* memfd that can be sealed. Return: the descriptor or a negative errno */
int sealed_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* Linux before 6.3 does not know the last flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/* Copies the image behind window offset @offset to @fd and looks at it. */
static void object_fill(struct ptodev *dev, int fd, uint64_t offset, uint64_t size,
			const char *label, struct outcome *out)
{
	const char *why;
	void *copy;
	int ret;

	if (ftruncate(fd, (off_t)size)) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: no memory for %llu bytes: %s", label,
			     (unsigned long long)size, strerror(errno));
		return;
	}
	copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (copy == MAP_FAILED) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: cannot map %llu bytes: %s", label,
			     (unsigned long long)size, strerror(errno));
		return;
	}
	ret = window_read(dev, offset, copy, size);
	if (ret)
		outcome_fail(out, PTO_DEV_INVALID, "%s: cannot read the image: %s", label,
			     strerror(-ret));
	else if (elf_check(copy, size, &why))
		outcome_fail(out, PTO_DEV_NOEXEC, "%s: %s", label, why);
	munmap(copy, size);
}

/* Spells "/proc/self/fd/@fd" in a way that no other call does. */
static void object_path(char *path, size_t size, int fd)
{
	static atomic_ullong loads;
	unsigned long long n = atomic_fetch_add(&loads, 1);
	int at = snprintf(path, size, "/proc/self/fd");

	for (; n; n >>= 1)
		at += snprintf(path + at, size - (size_t)at, "%s", n & 1 ? "/." : "//");
	snprintf(path + at, size - (size_t)at, "/%d", fd);
}

/* What the dynamic loader says, without the path that only we know. */
static const char *object_error(const char *path)
{
	const char *error = dlerror();
	size_t length = strlen(path);

	if (!error)
		return "the dynamic loader does not say why";
	if (!strncmp(error, path, length) && !strncmp(error + length, ": ", 2))
		return error + length + 2;
	return error;
}

/**
 * object_open() - load an object
 * @dev: the device
 * @addr: device address of its image
 * @size: bytes
 * @label: what it is, for reports
 * @out: fails with PTO_DEV_INVALID, PTO_DEV_NOEXEC or PTO_DEV_NOMEM
 *
 * Return: a handle of its own, or NULL.
 */
void *object_open(struct ptodev *dev, uint64_t addr, uint64_t size, const char *label,
		  struct outcome *out)
{
	void *handle = NULL;
	uint64_t offset;
	char path[192];
	int fd;

	if (!size || size > MAX_IMAGE_SIZE || !ptodev_heap_range(dev, addr, size, &offset)) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "%s: no image can be at address 0x%llx, size %llu", label,
			     (unsigned long long)addr, (unsigned long long)size);
		return NULL;
	}
	fd = sealed_memfd("pto-object");
	if (fd < 0) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: memfd_create: %s", label, strerror(-fd));
		return NULL;
	}
	object_fill(dev, fd, offset, size, label, out);
	if (!out->status &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		outcome_fail(out, PTO_DEV_NOMEM, "%s: cannot seal the memfd: %s", label,
			     strerror(errno));
	if (!out->status) {
		object_path(path, sizeof(path), fd);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!handle)
			outcome_fail(out, PTO_DEV_NOEXEC, "%s: %s", label, object_error(path));
	}
	close(fd);
	return handle;
}

/*
 * Looks a symbol up in an object itself, not in the libraries that it needs. Return: its
 * address or NULL
 */
void *object_symbol(void *handle, const char *symbol)
{
	struct link_map *found = NULL;
	struct link_map *self = NULL;
	void *addr = dlsym(handle, symbol);
	Dl_info info;

	if (!addr || dlinfo(handle, RTLD_DI_LINKMAP, &self) ||
	    !dladdr1(addr, &info, (void **)&found, RTLD_DL_LINKMAP))
		return NULL;
	return found == self ? addr : NULL;
}

/* Drops an object. */
void object_close(void *handle)
{
	if (handle)
		dlclose(handle);
}
