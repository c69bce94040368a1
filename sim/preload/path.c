// SPDX-License-Identifier: MIT
/*
 * Which device a path names. The last component decides at once in nearly every case;
 * only for "ptoN" it matters whether the directory before it is /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "preload.h"
#include "raw.h"

int sim_path_tail(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int index = 0;

	if (name[0] != 'p' || name[1] != 't' || name[2] != 'o')
		return -1;
	name += 3;
	if (*name < '0' || *name > '9' || (*name == '0' && name[1]))
		return -1;
	for (; *name >= '0' && *name <= '9' && index < 1000; name++)
		index = index * 10 + *name - '0';
	return *name ? -1 : index;
}

/* Is @dir, as the kernel would walk it, /dev? Symbolic links, "..", dirfd: all its affair. */
static bool is_dev(int dirfd, const char *dir)
{
	struct stat here, dev;

	if (sim_raw(SYS_newfstatat, dirfd, dir, &here, 0) ||
	    sim_raw(SYS_newfstatat, AT_FDCWD, "/dev", &dev, 0))
		return false;
	return here.st_dev == dev.st_dev && here.st_ino == dev.st_ino;
}

int sim_path_index(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	int index = sim_path_tail(path);
	char dir[PATH_MAX];

	if (index < 0)
		return -1;
	if (slash == path + 4 && !memcmp(path, "/dev/", 5))
		return index;
	if (!slash)
		return is_dev(dirfd, ".") ? index : -1;
	if ((size_t)(slash - path) + 2 > sizeof(dir))
		return -1;
	/* With its slash: "/pto0" has the directory "/". */
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash - path + 1] = '\0';
	return is_dev(dirfd, dir) ? index : -1;
}

int sim_path_index_user(int dirfd, const char *path)
{
	size_t page = 4096 - ((uintptr_t)path & 4095);
	char copy[PATH_MAX];
	size_t used = 0;

	while (used < sizeof(copy)) {
		if (page > sizeof(copy) - used)
			page = sizeof(copy) - used;
		if (sim_copy_in(copy + used, path + used, page))
			return -1;
		if (memchr(copy + used, '\0', page))
			return sim_path_index(dirfd, copy);
		used += page;
		page = 4096;
	}
	return -1;
}
