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
#include <unistd.h>

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

/**
 * struct socket - a search for a descriptor
 * @device: identifies the socket, together with @inode
 * @inode: see @device
 * @index: N of the device whose context it is, once it is found; else SIM_PATH_OTHER
 */
struct socket {
	dev_t device;
	ino_t inode;
	int index;
};

static void find_socket(int fd, uintptr_t entry, void *arg)
{
	struct socket *socket = arg;
	struct stat st;

	if (socket->index < 0 && entry != SIM_INTERNAL && !sim_raw(SYS_fstat, fd, &st) &&
	    st.st_dev == socket->device && st.st_ino == socket->inode)
		socket->index = sim_context_index(fd);
}

/* The number at the end of a path, or -1. */
static int number_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *at = slash ? slash + 1 : path;
	int number = *at ? 0 : -1;

	for (; *at && number >= 0; at++)
		number = *at < '0' || *at > '9' || number > 1000000 ? -1 :
								      number * 10 + *at - '0';
	return number;
}

int sim_path_of_socket(const struct stat *st, const char *path)
{
	struct socket socket = { st->st_dev, st->st_ino, SIM_PATH_OTHER };
	int fd, number;

	if (!S_ISSOCK(st->st_mode))
		return SIM_PATH_OTHER;
	/* The table does not know descriptors that are inherited and have not been used. */
	number = number_of(path);
	if (number >= 0)
		find_socket(number, sim_fd_peek(number), &socket);
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		find_socket(fd, sim_fd_peek(fd), &socket);
	sim_fd_each(0, SIM_FD_CHUNK * SIM_FD_CHUNKS - 1, find_socket, &socket);
	return socket.index;
}

int sim_path_link(int dirfd, const char *path)
{
	struct stat st;
	int index, saved = errno;

	if (sim_raw(SYS_newfstatat, dirfd, path, &st, 0))
		return SIM_PATH_OTHER;
	index = sim_path_of_socket(&st, path);
	errno = saved;
	return index;
}

/* Paths are copied in pieces of this size, none of which is in two pages. Most are shorter. */
#define PIECE ((size_t)256)

/* Return: is it readable, and no longer than a path may be? */
static bool copy_path(char copy[PATH_MAX], const char *path)
{
	size_t piece = PIECE - ((uintptr_t)path & (PIECE - 1));
	size_t used = 0;

	while (used < PATH_MAX) {
		if (piece > PATH_MAX - used)
			piece = PATH_MAX - used;
		if (sim_copy_in_page(copy + used, path + used, piece))
			return false;
		if (memchr(copy + used, '\0', piece))
			return true;
		used += piece;
		piece = PIECE;
	}
	return false;
}

int sim_path_index_user(int dirfd, const char *path)
{
	char copy[PATH_MAX];

	return copy_path(copy, path) ? sim_path_index(dirfd, copy) : SIM_PATH_OTHER;
}

/* Its last component is a number, or it is /dev/stdin, /dev/stdout or /dev/stderr. */
bool sim_path_link_candidate(const char *path)
{
	char copy[PATH_MAX];

	return copy_path(copy, path) && (!strncmp(copy, "/dev/std", 8) || number_of(copy) >= 0);
}
