// SPDX-License-Identifier: MIT
/*
 * Opening an object in a memfd with the dynamic loader.
 *
 * The loader opens files by their names only, and a memfd has a name below /proc. The loader keeps
 * two copies of the name that it is given, with different purposes:
 *
 *  - The name by which it recognises an object that is loaded already. Each load must be separate,
 *    with its own static data, and numbers of descriptors are reused. So the spelling of the name
 *    contains the inode number of the memfd, which no other loaded object has.
 *
 *  - The name in the list of loaded objects, which debuggers, symbolisers and readers of core
 *    dumps open. "/proc/self" means another process there, and the number another file, which may
 *    even be a pipe on which they wait for ever. So the name says "/proc/PID" while the descriptor
 *    is open, and is then replaced by one below /dev/null, of which every process finds at once
 *    that there is no such file. That name contains what the object is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fpstate.h"
#include "image.h"
#include "load.h"

/* Bytes of the longest name below /dev/null; a longer label is cut. */
#define NAME_ROOM	160
/* NAME_ROOM, two bytes for each bit of an inode number, and the number of a descriptor */
#define PATH_ROOM	(NAME_ROOM + 2 * 64 + 16)

/**
 * struct rename - a replacement of the name in the list of loaded objects
 * @map: the object
 * @label: what it is
 * @inode: inode number of its memfd
 */
struct rename {
	struct link_map *map;
	const char *label;
	unsigned long long inode;
};

/*
 * The name that the file has in this and, as long as this thread lives, in other processes. The
 * process may have a number in /proc that is not its own, if that is of another PID namespace, and
 * /proc/self has no descriptors if the main thread has ended. Return: 0, or -1 with the reason
 */
static int name_fd(int fd, char *path, struct stat *file, char *why, size_t size)
{
	char thread[64] = "";
	struct stat named;
	int at;

	if (readlink("/proc/thread-self", thread, sizeof(thread) - 1) < 0) {
		snprintf(why, size,
			 "the dynamic loader needs /proc, but /proc/thread-self cannot be read: %s",
			 strerror(errno));
		return -1;
	}
	if (fstat(fd, file)) {
		snprintf(why, size, "fstat of its memfd: %s", strerror(errno));
		return -1;
	}
	at = snprintf(path, PATH_ROOM, "/proc/%s/fd", thread);
	while (at < NAME_ROOM)
		at += snprintf(path + at, PATH_ROOM - at, "/.");
	for (uint64_t n = file->st_ino; n; n >>= 1)
		at += snprintf(path + at, PATH_ROOM - at, "%s", n & 1 ? "/." : "//");
	snprintf(path + at, PATH_ROOM - at, "/%d", fd);
	if (stat(path, &named)) {
		snprintf(why, size,
			 "the dynamic loader needs /proc, but stat of /proc/%s/fd/%d: %s", thread,
			 fd, strerror(errno));
		return -1;
	}
	if (named.st_dev == file->st_dev && named.st_ino == file->st_ino)
		return 0;
	snprintf(why, size, "the dynamic loader needs /proc, but /proc/%s/fd/%d is another file",
		 thread, fd);
	return -1;
}

/*
 * Has the loader failed for want of something, not for the object? Its text ends with the
 * description of an errno; errno itself is not kept. Return: -EMFILE, -ENFILE, -ENOMEM or -ENOEXEC
 */
static int reason(const char *error)
{
	static const int lacks[] = { EMFILE, ENFILE, ENOMEM };
	size_t length = strlen(error);

	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		const char *text = strerror(lacks[i]);

		if (length > strlen(text) && !strcmp(error + length - strlen(text), text))
			return -lacks[i];
	}
	return -ENOEXEC;
}

/* The loader's error, with @label in place of the internal path. Return: its reason, see above */
static int explain(const char *path, const char *label, char *why, size_t size)
{
	const char *error = dlerror(), *found;
	size_t length = strlen(path), at = 0;
	int lacks;

	if (!error)
		error = "the dynamic loader does not say why";
	lacks = reason(error);
	/* The caller begins its text with the label. */
	if (!strncmp(error, path, length) && !strncmp(error + length, ": ", 2))
		error += length + 2;
	while ((found = strstr(error, path)) && at < size) {
		at += snprintf(why + at, size - at, "%.*s%s", (int)(found - error), error, label);
		error = found + length;
	}
	if (at < size)
		snprintf(why + at, size - at, "%s", error);
	return lacks;
}

/* The loader lets nobody else walk through its list while this is called. */
static int rename_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct rename *rename = arg;
	char *name = rename->map->l_name;

	(void)size;
	if (info->dlpi_name != name)
		return 0;
	snprintf(name, strlen(name) + 1, "/dev/null/pto-%llu/%s", rename->inode, rename->label);
	return 1;
}

static void *open_path(const char *path, const char *label, unsigned long long inode)
{
	struct rename rename = { .label = label, .inode = inode };
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (handle && !dlinfo(handle, RTLD_DI_LINKMAP, &rename.map))
		dl_iterate_phdr(rename_object, &rename);
	return handle;
}

/**
 * pto_load_open() - have the dynamic loader open the object in a memfd
 * @fd: the memfd; it may be closed afterwards
 * @label: what the object is, for texts and for its name
 * @why: the reason of a failure; does not begin with @label
 * @size: bytes of @why
 *
 * Each call loads the object, also if the same bytes are loaded already. The calling thread's
 * floating-point control words are as before, whatever constructors do.
 *
 * Return: the loader's handle, for pto_load_close(), or NULL with errno set: to EMFILE, ENFILE or
 * ENOMEM if the loader lacks something, else to ENOEXEC.
 */
void *pto_load_open(int fd, const char *label, char *why, size_t size)
{
	struct pto_fpstate words;
	char path[PATH_ROOM];
	struct stat file;
	void *handle;

	if (name_fd(fd, path, &file, why, size)) {
		errno = ENOEXEC;
		return NULL;
	}
	pto_loader_begin();
	pto_fpstate_begin(&words);
	handle = open_path(path, label, file.st_ino);
	pto_fpstate_set(&words);
	pto_loader_end();
	if (!handle)
		errno = -explain(path, label, why, size);
	return handle;
}

/**
 * pto_load_close() - have the dynamic loader close an object
 * @handle: from pto_load_open()
 */
void pto_load_close(void *handle)
{
	struct pto_fpstate words;

	pto_loader_begin();
	pto_fpstate_begin(&words);
	dlclose(handle);
	pto_fpstate_set(&words);
	pto_loader_end();
}
