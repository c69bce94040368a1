// SPDX-License-Identifier: GPL-2.0
/* Opening devices and asking them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ptotest.h"

#define MAX_DEVICES 16

int pt_ioctl(int fd, unsigned long nr, void *arg)
{
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static int query(int fd, uint32_t item, void *data, uint32_t bytes)
{
	struct pto_ioc_query arg = {
		.size = sizeof(arg),
		.item = item,
		.data_ptr = (uintptr_t)data,
		.data_size = bytes,
	};

	memset(data, 0, bytes);
	return pt_ioctl(fd, PTO_QUERY, &arg);
}

int pt_info(int fd, struct pto_device_info *info)
{
	return query(fd, PTO_QUERY_DEVICE, info, sizeof(*info));
}

int pt_stats(int fd, struct pto_context_stats *stats)
{
	return query(fd, PTO_QUERY_CONTEXT, stats, sizeof(*stats));
}

int pt_usage(int fd, struct pto_device_usage *usage)
{
	return query(fd, PTO_QUERY_USAGE, usage, sizeof(*usage));
}

int pt_debug_stats(int fd, struct pto_debug_stats *stats)
{
	return query(fd, PTO_QUERY_DEBUG, stats, sizeof(*stats));
}

int pt_open_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_matching(const char *path, uint32_t arch)
{
	struct pto_device_info info;
	int fd = pt_open_path(path);
	int err;

	if (fd < 0)
		return fd;
	err = pt_info(fd, &info);
	if (!err && arch && info.arch != arch)
		err = -ENOENT;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_first(uint32_t arch, char *path, size_t size)
{
	int fd, i, err = -ENOENT;

	for (i = 0; i < MAX_DEVICES; i++) {
		snprintf(path, size, "/dev/pto%d", i);
		fd = open_matching(path, arch);
		if (fd >= 0)
			return fd;
		/* That one cannot be opened says more than that the others are none. */
		if (fd != -ENOENT)
			err = fd;
	}
	return err;
}

int pt_open(uint32_t arch)
{
	char path[32];

	return open_first(arch, path, sizeof(path));
}

int pt_device_path(uint32_t arch, char *path, size_t size)
{
	int fd = open_first(arch, path, size);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

bool pt_usage_same(const struct pto_device_usage *a, const struct pto_device_usage *b)
{
	struct pto_device_usage x = *a;

	x.contexts_opened = b->contexts_opened;
	return !memcmp(&x, b, sizeof(x));
}

int pt_images_settle(int fd, uint64_t images, struct pto_device_usage *seen)
{
	uint64_t deadline = pt_deadline();
	int err;

	for (;;) {
		err = pt_usage(fd, seen);
		if (err || seen->images == images)
			return err;
		if (pt_now() > deadline)
			return -ETIMEDOUT;
		pt_pause();
	}
}

int pt_usage_settles(int fd, const struct pto_device_usage *want, struct pto_device_usage *seen)
{
	uint64_t deadline = pt_deadline();
	struct pto_device_usage now;
	int err;

	for (;;) {
		err = pt_usage(fd, &now);
		if (err)
			return err;
		if (seen)
			*seen = now;
		if (pt_usage_same(&now, want))
			return 0;
		if (pt_now() > deadline)
			return -ETIMEDOUT;
		pt_pause();
	}
}
