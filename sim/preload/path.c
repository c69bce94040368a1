// SPDX-License-Identifier: MIT
/*
 * Which device a path names. If the path has a component "ptoN", the kernel is asked whether
 * the directory before that is /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "preload.h"
#include "raw.h"

bool sim_path_candidate(const char *path)
{
	return strstr(path, "pto");
}

/* Moves *name behind the number. Return: N if a component "ptoN" is at *name, else -1. */
static int parse_component(const char **name)
{
	const char *at = *name;
	int index = 0;

	if (strncmp(at, "pto", 3))
		return -1;
	at += 3;
	if (*at < '0' || *at > '9' || (*at == '0' && at[1] && at[1] != '/'))
		return -1;
	for (; *at >= '0' && *at <= '9' && index < 1000; at++)
		index = index * 10 + *at - '0';
	*name = at;
	return *at && *at != '/' ? -1 : index;
}

/* Is @dir the directory /dev? The kernel resolves symbolic links, ".." and @dirfd. */
bool sim_path_is_dev(int dirfd, const char *dir)
{
	struct stat here, dev;

	if (sim_raw(SYS_newfstatat, dirfd, dir, &here, AT_EMPTY_PATH) ||
	    sim_raw(SYS_newfstatat, AT_FDCWD, "/dev", &dev, 0))
		return false;
	return here.st_dev == dev.st_dev && here.st_ino == dev.st_ino;
}

/* Is the part of @path before @name the directory /dev? */
static bool is_below_dev(int dirfd, const char *path, const char *name)
{
	size_t length = (size_t)(name - path);
	char dir[PATH_MAX];

	if (length == 5 && !memcmp(path, "/dev/", 5))
		return true;
	if (!length)
		return sim_path_is_dev(dirfd, ".");
	if (length >= sizeof(dir))
		return false;
	memcpy(dir, path, length);
	dir[length] = '\0';
	return sim_path_is_dev(dirfd, dir);
}

int sim_path_index(int dirfd, const char *path)
{
	const char *name, *end;
	int index;

	for (name = path; name; name = strchr(name, '/')) {
		name += *name == '/';
		end = name;
		index = parse_component(&end);
		if (index >= 0 && is_below_dev(dirfd, path, name))
			return *end ? SIM_PATH_BELOW : index;
	}
	return SIM_PATH_OTHER;
}

/* Paths are copied in pieces of this size, none of which is in two pages. Most are shorter. */
#define PIECE ((size_t)256)

int sim_path_index_user(int dirfd, const char *path)
{
	size_t piece = PIECE - ((uintptr_t)path & (PIECE - 1));
	char copy[PATH_MAX];
	size_t used = 0;

	while (used < sizeof(copy)) {
		if (piece > sizeof(copy) - used)
			piece = sizeof(copy) - used;
		if (sim_copy_in_page(copy + used, path + used, piece))
			return SIM_PATH_OTHER;
		if (memchr(copy + used, '\0', piece))
			return sim_path_index(dirfd, copy);
		used += piece;
		piece = PIECE;
	}
	return SIM_PATH_OTHER;
}
