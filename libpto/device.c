// SPDX-License-Identifier: MIT
/*
 * Listing devices, and explaining why one cannot be opened.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pto_private.h"

#define LIST_GAP	16	/* number of missing indices after which the search ends */
#define SYSFS_CLASS	"/sys/class/pto"

int pto_query_fd(int fd, uint32_t item, void *answer, size_t bytes)
{
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = item,
		.data_ptr = (uintptr_t)answer,
		.data_size = bytes < UINT32_MAX ? bytes : UINT32_MAX,
	};
	int rc;

	memset(answer, 0, bytes);
	do {
		rc = ioctl(fd, PTO_QUERY, &query);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

/*
 * Explain a missing permission; names the group that may open the node. If mode and group allow
 * it, or if it is not open() that fails, joining a group does not help.
 */
static void permission_reason(const char *path, const char *call, int rc, char *text, size_t size)
{
	struct group group, *found = NULL;
	char buf[1024];
	struct stat st;

	if (stat(path, &st)) {
		snprintf(text, size, "permission denied on the way to the device node");
		return;
	}
	if (strcmp(call, "open()") || !faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS)) {
		snprintf(text, size,
			 "%s: %s, although the node's mode allows it: a device cgroup, a security module or a seccomp filter refuses it",
			 call, pto_errno_name(rc));
		return;
	}
	if (!getgrgid_r(st.st_gid, &group, buf, sizeof(buf), &found) && found)
		snprintf(text, size,
			 "permission denied: mode %04o, group %.32s; join that group or become root",
			 st.st_mode & 07777, group.gr_name);
	else
		snprintf(text, size,
			 "permission denied: mode %04o, group %u; join that group or become root",
			 st.st_mode & 07777, (unsigned int)st.st_gid);
}

/* The loader ignores LD_PRELOAD or does not exist. */
static bool cannot_preload(void)
{
	return getauxval(AT_SECURE) || !getauxval(AT_BASE);
}

static void missing_reason(char *text, size_t size)
{
	if (access("/sys/module/pto", F_OK) && cannot_preload())
		snprintf(text, size,
			 "no such device: the pto module is not loaded (modprobe pto); the simulator cannot be preloaded by a static or set-user-ID program");
	else if (access("/sys/module/pto", F_OK))
		snprintf(text, size,
			 "no such device: the pto module is not loaded (modprobe pto); without it, LD_PRELOAD=libptosim.so simulates a device");
	else
		snprintf(text, size,
			 "no such device: the pto module is loaded but has found none; start ptod for a virtual device");
}

/*
 * It is the simulator that cannot make a device. Then its errno says nothing about nodes and
 * drivers. Return: false if that is not so
 */
static bool simulator_reason(const char *call, int rc, char *text, size_t size)
{
	const char *refused = NULL;
	int why = 0;

	if (pto_sim_refused && !strcmp(call, "open()"))
		refused = pto_sim_refused(-rc, &why);
	if (!refused)
		return false;
	snprintf(text, size, "the simulator needs %s, which fails: %s (%s)%s", refused,
		 strerrordesc_np(why) ?: "unknown error", pto_errno_name(-why),
		 why == EPERM || why == EACCES || why == ENOSYS ?
		 "; a seccomp filter, a security module or the kernel refuses it" : "");
	return true;
}

/* Explain in @text why @call failed with @rc, and the remedy. */
static void open_reason(const char *path, const char *call, int rc, char *text, size_t size)
{
	if (rc != -EMFILE && rc != -ENFILE && simulator_reason(call, rc, text, size))
		return;
	switch (rc) {
	case -EACCES:
	case -EPERM:
		permission_reason(path, call, rc, text, size);
		break;
	case -ENOENT:
		missing_reason(text, size);
		break;
	case -ENXIO:
	case -ENODEV:
		snprintf(text, size,
			 "the device is gone: its ptod has ended or it was removed; start it again");
		break;
	case -ENOSPC:
		snprintf(text, size,
			 "all contexts of the device are in use; close one in another process");
		break;
	case -EMFILE:
		snprintf(text, size,
			 "this process has too many open files; raise it with ulimit -n");
		break;
	case -ENFILE:
		snprintf(text, size, "the system has too many open files; see fs.file-max");
		break;
	case -ENOMEM:
		snprintf(text, size, "out of memory for a context, on the device or in the system");
		break;
	case -ENOTTY:
	case -EISDIR:
		snprintf(text, size, "not a PTO device");
		break;
	case -EIO:
		snprintf(text, size, "the device did not answer in time; see the kernel log");
		break;
	default:
		snprintf(text, size, "%s: %s (%s)", call, strerrordesc_np(-rc) ?: "unknown error",
			 pto_errno_name(rc));
	}
}

int pto_open_node(const char *path, struct pto_device_info *info, char *reason, size_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc;

	if (fd < 0) {
		rc = -errno;
		open_reason(path, "open()", rc, reason, size);
		return rc;
	}
	rc = pto_query_fd(fd, PTO_QUERY_DEVICE, info, sizeof(*info));
	if (rc) {
		open_reason(path, "PTO_QUERY", rc, reason, size);
		close(fd);
		return rc;
	}
	return fd;
}

static int probe(unsigned int index, struct pto_device_desc *desc)
{
	int fd;

	memset(desc, 0, sizeof(*desc));
	desc->index = index;
	snprintf(desc->path, sizeof(desc->path), "/dev/pto%u", index);
	fd = pto_open_node(desc->path, &desc->info, desc->reason, sizeof(desc->reason));
	if (fd < 0) {
		desc->error = fd;
		return fd;
	}
	close(fd);
	return 0;
}

/* One more than the highest index in sysfs; 0 if the driver is not loaded. */
static unsigned int sysfs_end(void)
{
	DIR *dir = opendir(SYSFS_CLASS);
	unsigned int index, end = 0;
	struct dirent *entry;
	char rest;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "pto%u%c", &index, &rest) == 1 && index >= end &&
		    index < INT_MAX)
			end = index + 1;
	closedir(dir);
	return end;
}

static bool in_sysfs(unsigned int index)
{
	char path[64];

	snprintf(path, sizeof(path), SYSFS_CLASS "/pto%u", index);
	return !access(path, F_OK);
}

/* Limit info.size to the bytes of @info that fit into the caller's struct. */
static void give_desc(void *to, size_t size, struct pto_device_desc *desc)
{
	const size_t head = offsetof(struct pto_device_desc, info);

	if (size > head && desc->info.size > size - head)
		desc->info.size = size - head;
	pto_give(to, size, desc, sizeof(*desc));
}

PTO_API int pto_list_devices_sized(struct pto_device_desc *list, size_t max, size_t stride)
{
	PTO_KEEP_ERRNO;
	unsigned int end = sysfs_end(), gap = 0;
	struct pto_device_desc desc;
	int count = 0;

	if (!list)
		max = 0;
	for (unsigned int index = 0; gap < LIST_GAP || index < end; index++) {
		int rc = probe(index, &desc);

		if (rc == -ENOENT) {
			if (index >= end || !in_sysfs(index)) {
				gap++;
				continue;
			}
			snprintf(desc.reason, sizeof(desc.reason),
				 "the driver has it, but there is no device node; is udev running?");
		}
		gap = 0;
		if ((size_t)count < max)
			give_desc((char *)list + count * stride, stride, &desc);
		count++;
	}
	return count;
}
