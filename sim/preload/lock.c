// SPDX-License-Identifier: MIT
/*
 * mlockall(). The kernel would lock the devices' memory, too, which means that all of it, up to
 * 128 GiB a device, came into being. The driver's areas are never locked. So each mapping is locked
 * by itself, but for those of the devices' memory.
 */
#include <asm/barrier.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "preload.h"
#include "raw.h"

/* How the kernel calls the file that is a device's memory */
#define WINDOW "/memfd:pto-window"

/**
 * struct lines - /proc/self/maps, line by line
 * @fd: it
 * @filled: bytes in @text
 * @text: what has been read and not been looked at, from the beginning of a line on
 */
struct lines {
	int fd;
	size_t filled;
	char text[8192];
};

/* Return: the next line, which is valid until the next call; NULL at the end */
static char *next_line(struct lines *lines, size_t *skip)
{
	char *newline;
	long n;

	lines->filled -= *skip;
	memmove(lines->text, lines->text + *skip, lines->filled);
	*skip = 0;
	for (;;) {
		newline = memchr(lines->text, '\n', lines->filled);
		if (newline) {
			*newline = '\0';
			*skip = (size_t)(newline - lines->text) + 1;
			return lines->text;
		}
		n = sim_raw(SYS_read, lines->fd, lines->text + lines->filled,
			    sizeof(lines->text) - lines->filled);
		if (n <= 0)
			return NULL;
		lines->filled += (size_t)n;
	}
}

/* Call @fn for each mapping but those of devices' memory. Return: 0 or a negative errno */
static long each_mapping(void (*fn)(uintptr_t start, size_t length, void *arg), void *arg)
{
	struct lines lines = { .filled = 0 };
	uintptr_t start, end;
	size_t skip = 0;
	char *line, *at;

	lines.fd = (int)sim_raw(SYS_openat, AT_FDCWD, "/proc/thread-self/maps",
				O_RDONLY | O_CLOEXEC);
	if (lines.fd < 0)
		return lines.fd;
	while ((line = next_line(&lines, &skip))) {
		start = strtoul(line, &at, 16);
		end = *at == '-' ? strtoul(at + 1, NULL, 16) : start;
		if (end > start && !strstr(line, WINDOW))
			fn(start, end - start, arg);
	}
	sim_raw(SYS_close, lines.fd);
	return 0;
}

static void add(uintptr_t start, size_t length, void *sum)
{
	*(uint64_t *)sum += length;
}

/* As mlockall() does, it goes on where something cannot be locked or brought in. */
static void lock(uintptr_t start, size_t length, void *flags)
{
	sim_raw(SYS_mlock2, start, length, *(const unsigned int *)flags);
}

/* May this process lock more than its limit? */
static bool may_lock_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	return !sim_raw(SYS_capget, &header, data) && data[0].effective & 1u << CAP_IPC_LOCK;
}

long sim_lock_all(int flags)
{
	unsigned int how = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0;
	struct rlimit limit = { 0, 0 };
	uint64_t sum = 0;
	long ret;

#ifdef SIM_TSAN
	/* ThreadSanitizer, too, makes mlockall() do nothing: its own mappings take terabytes. */
	return 0;
#endif
	if (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return -EINVAL;
	ret = each_mapping(add, &sum);
	if (ret)
		return ret;
	sim_raw(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &limit);
	if (sum > limit.rlim_cur && !may_lock_all())
		return limit.rlim_cur ? -ENOMEM : -EPERM;
	if (flags & MCL_FUTURE) {
		ret = sim_raw(SYS_mlockall, flags & ~MCL_CURRENT);
		if (ret)
			return ret;
	}
	return each_mapping(lock, &how);
}
