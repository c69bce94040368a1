// SPDX-License-Identifier: MIT
/*
 * Interposed: stat(), access(), readlink() and the like. /dev/ptoN and the descriptor of a
 * context are a character device of mode 0660 that belongs to the caller. As with open(), the
 * kernel is asked first: it has no such name, and reports the descriptor as a socket.
 */
#include "hook.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Major numbers 240 to 254 are for local and experimental use. */
#define SIM_MAJOR 240
#define SIM_MODE (S_IFCHR | 0660)

/*
 * The device that @path names. Called after the kernel has read the path and returned @failed.
 * Return: its index, or -1 with errno as the interposed function must leave it.
 */
static int device_at(int dirfd, const char *path, int failed)
{
	int index = SIM_PATH_OTHER;

	if (SIM_UNLIKELY(sim_path_candidate(path)))
		index = sim_path_index(dirfd, path);
	errno = index == SIM_PATH_BELOW && failed == ENOENT ? ENOTDIR : failed;
	return index >= 0 && index < (int)sim_config()->devices ? index : -1;
}

static int fill(int index, struct stat *to)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (sim_raw(SYS_newfstatat, AT_FDCWD, "/dev", &st, 0))
		memset(&st, 0, sizeof(st));
	st.st_ino = ~(ino_t)index;
	st.st_mode = SIM_MODE;
	st.st_nlink = 1;
	sim_node_status(index, &st);
	st.st_rdev = makedev(SIM_MAJOR, index);
	st.st_size = 0;
	st.st_blocks = 0;
	return (int)sim_return(sim_copy_out(to, &st, sizeof(st)));
}

/* After stat() and the like. */
static int stat_path(int ret, int dirfd, const char *path, struct stat *st, int saved)
{
	int failed = errno;
	int index;

	if (ret && failed != ENOENT)
		return ret;
	index = device_at(dirfd, path, failed);
	if (!ret && S_ISSOCK(st->st_mode))
		index = sim_path_link(dirfd, path);
	if (index < 0)
		return ret;
	errno = saved;
	return fill(index, st);
}

/* After fstat() and the like. */
static int stat_fd(int ret, int fd, struct stat *st, int saved)
{
	int index;

	if (ret || !S_ISSOCK(st->st_mode))
		return ret;
	index = sim_context_index(fd);
	errno = saved;
	return index >= 0 ? fill(index, st) : ret;
}

static bool is_fd(const char *path, int flags)
{
	return flags & AT_EMPTY_PATH && (!path || !*path);
}

int sim_stat(const struct sim_real *next, const char *path, struct stat *st)
{
	int saved = errno;

	return stat_path(next->stat(path, st), AT_FDCWD, path, st, saved);
}

SIM_ENTRY(int, stat, (const char *path, struct stat *st), path, st)

int sim_lstat(const struct sim_real *next, const char *path, struct stat *st)
{
	int saved = errno;

	return stat_path(next->lstat(path, st), AT_FDCWD, path, st, saved);
}

SIM_ENTRY(int, lstat, (const char *path, struct stat *st), path, st)

int sim_fstat(const struct sim_real *next, int fd, struct stat *st)
{
	int saved = errno;

	return stat_fd(next->fstat(fd, st), fd, st, saved);
}

SIM_ENTRY(int, fstat, (int fd, struct stat *st), fd, st)

int sim_fstatat(const struct sim_real *next, int dirfd, const char *path, struct stat *st,
		int flags)
{
	int saved = errno;
	int ret = next->fstatat(dirfd, path, st, flags);

	if (ret && errno != ENOENT)
		return ret;
	if (is_fd(path, flags))
		return stat_fd(ret, dirfd, st, saved);
	return stat_path(ret, dirfd, path, st, saved);
}

SIM_ENTRY(int, fstatat, (int dirfd, const char *path, struct stat *st, int flags), dirfd, path, st,
	  flags)

/* On 64-bit machines both names of a function take the same struct. */
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "struct stat64 is struct stat");

SIM_EXPORT int stat64(const char *path, struct stat64 *st)
{
	return stat(path, (struct stat *)st);
}

SIM_EXPORT int lstat64(const char *path, struct stat64 *st)
{
	return lstat(path, (struct stat *)st);
}

SIM_EXPORT int fstat64(int fd, struct stat64 *st)
{
	return fstat(fd, (struct stat *)st);
}

SIM_EXPORT int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
	return fstatat(dirfd, path, (struct stat *)st, flags);
}

/* The names in a C library before 2.33. The version always means the kernel's struct. */

SIM_EXPORT int __xstat(int version, const char *path, struct stat *st)
{
	return stat(path, st);
}

SIM_EXPORT int __lxstat(int version, const char *path, struct stat *st)
{
	return lstat(path, st);
}

SIM_EXPORT int __fxstat(int version, int fd, struct stat *st)
{
	return fstat(fd, st);
}

SIM_EXPORT int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags)
{
	return fstatat(dirfd, path, st, flags);
}

SIM_EXPORT int __xstat64(int version, const char *path, struct stat64 *st)
{
	return stat64(path, st);
}

SIM_EXPORT int __lxstat64(int version, const char *path, struct stat64 *st)
{
	return lstat64(path, st);
}

SIM_EXPORT int __fxstat64(int version, int fd, struct stat64 *st)
{
	return fstat64(fd, st);
}

SIM_EXPORT int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *st,
			    int flags)
{
	return fstatat64(dirfd, path, st, flags);
}

static struct statx_timestamp statx_time(const struct timespec *time)
{
	return (struct statx_timestamp){
		.tv_sec = time->tv_sec,
		.tv_nsec = (uint32_t)time->tv_nsec,
	};
}

static int fill_statx(int index, struct statx *to)
{
	struct statx sx;
	struct stat st;

	if (fill(index, &st))
		return -1;
	memset(&sx, 0, sizeof(sx));
	sx.stx_mask = STATX_BASIC_STATS;
	sx.stx_blksize = (uint32_t)st.st_blksize;
	sx.stx_nlink = 1;
	sx.stx_uid = st.st_uid;
	sx.stx_gid = st.st_gid;
	sx.stx_mode = (uint16_t)st.st_mode;
	sx.stx_atime = statx_time(&st.st_atim);
	sx.stx_mtime = statx_time(&st.st_mtim);
	sx.stx_ctime = statx_time(&st.st_ctim);
	sx.stx_ino = st.st_ino;
	sx.stx_rdev_major = SIM_MAJOR;
	sx.stx_rdev_minor = (uint32_t)index;
	sx.stx_dev_major = major(st.st_dev);
	sx.stx_dev_minor = minor(st.st_dev);
	return (int)sim_return(sim_copy_out(to, &sx, sizeof(sx)));
}

int sim_statx(const struct sim_real *next, int dirfd, const char *path, int flags,
	      unsigned int mask, struct statx *sx)
{
	int failed, index, saved = errno;
	int ret = next->statx(dirfd, path, flags, mask, sx);

	failed = errno;
	if (ret && failed != ENOENT)
		return ret;
	errno = failed;
	if (is_fd(path, flags))
		index = !ret && S_ISSOCK(sx->stx_mode) ? sim_context_index(dirfd) : -1;
	else if (!ret && S_ISSOCK(sx->stx_mode))
		index = sim_path_link(dirfd, path);
	else
		index = device_at(dirfd, path, failed);
	if (index < 0)
		return ret;
	errno = saved;
	return fill_statx(index, sx);
}

SIM_ENTRY(int, statx,
	  (int dirfd, const char *path, int flags, unsigned int mask, struct statx *sx), dirfd,
	  path, flags, mask, sx)

/* After access() and the like: a device may be read and written, not executed. */
static int access_path(int ret, int dirfd, const char *path, int mode, int saved)
{
	int index, failed = errno;
	bool allowed;

	if (ret && failed != ENOENT)
		return ret;
	index = device_at(dirfd, path, failed);
	if (!ret && index < 0 && mode != F_OK && sim_path_link_candidate(path))
		index = sim_path_link(dirfd, path);
	if (index < 0)
		return ret;
	allowed = sim_node_allows(index, mode);
	errno = allowed ? saved : EACCES;
	return allowed ? 0 : -1;
}

int sim_access(const struct sim_real *next, const char *path, int mode)
{
	int saved = errno;

	return access_path(next->access(path, mode), AT_FDCWD, path, mode, saved);
}

SIM_ENTRY(int, access, (const char *path, int mode), path, mode)

int sim_faccessat(const struct sim_real *next, int dirfd, const char *path, int mode, int flags)
{
	int saved = errno;

	return access_path(next->faccessat(dirfd, path, mode, flags), dirfd, path, mode, saved);
}

SIM_ENTRY(int, faccessat, (int dirfd, const char *path, int mode, int flags), dirfd, path, mode,
	  flags)

SIM_EXPORT int euidaccess(const char *path, int mode)
{
	int saved = errno;

	return access_path(sim_real()->euidaccess(path, mode), AT_FDCWD, path, mode, saved);
}

SIM_EXPORT int eaccess(const char *path, int mode)
{
	return euidaccess(path, mode);
}

/* A device is no symbolic link. */
static ssize_t link_path(ssize_t ret, int dirfd, const char *path)
{
	int failed = errno;

	if (ret < 0 && failed == ENOENT && device_at(dirfd, path, failed) >= 0)
		errno = EINVAL;
	return ret;
}

/*
 * Is the path the link of a context's descriptor? Then *ret is the result of readlink(). The kernel
 * would write a socket's name to @buf, possibly a longer one.
 */
static bool link_of_context(int dirfd, const char *path, char *buf, size_t length, ssize_t *ret)
{
	static const char socket[] = { 's', 'o', 'c', 'k', 'e', 't', ':', '[' };
	char name[sizeof("/dev/pto") + 10], found[sizeof(socket)];
	size_t known;
	int index;

	if (!length || !sim_path_link_candidate(path) ||
	    sim_raw(SYS_readlinkat, dirfd, path, found, sizeof(found)) != sizeof(found) ||
	    memcmp(found, socket, sizeof(found)))
		return false;
	index = sim_path_link(dirfd, path);
	if (index < 0)
		return false;
	known = (size_t)snprintf(name, sizeof(name), "/dev/pto%d", index);
	if (known > length)
		known = length;
	*ret = sim_copy_out(buf, name, known) ? sim_return(-EFAULT) : (ssize_t)known;
	return true;
}

ssize_t sim_readlink(const struct sim_real *next, const char *path, char *buf, size_t length)
{
	ssize_t ret;

	if (link_of_context(AT_FDCWD, path, buf, length, &ret))
		return ret;
	return link_path(next->readlink(path, buf, length), AT_FDCWD, path);
}

SIM_ENTRY(ssize_t, readlink, (const char *path, char *buf, size_t length), path, buf, length)

ssize_t sim_readlinkat(const struct sim_real *next, int dirfd, const char *path, char *buf,
		       size_t length)
{
	ssize_t ret;

	if (link_of_context(dirfd, path, buf, length, &ret))
		return ret;
	return link_path(next->readlinkat(dirfd, path, buf, length), dirfd, path);
}

SIM_ENTRY(ssize_t, readlinkat, (int dirfd, const char *path, char *buf, size_t length), dirfd,
	  path, buf, length)

SIM_EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t length, size_t size)
{
	ssize_t (*next)(const char *path, char *buf, size_t length, size_t size);

	if (length <= size)
		return readlink(path, buf, length);
	/* An overflow: the C library's function ends the program. */
	next = sim_next("__readlink_chk");
	return next ? next(path, buf, length, size) : readlink(path, buf, size);
}

SIM_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t length,
				    size_t size)
{
	ssize_t (*next)(int dirfd, const char *path, char *buf, size_t length, size_t size);

	if (length <= size)
		return readlinkat(dirfd, path, buf, length);
	next = sim_next("__readlinkat_chk");
	return next ? next(dirfd, path, buf, length, size) : readlinkat(dirfd, path, buf, size);
}

SIM_EXPORT char *realpath(const char *path, char *resolved)
{
	char name[sizeof("/dev/pto") + 10];
	int failed, index, saved = errno;
	char *ret;

	ret = sim_real()->realpath(path, resolved);
	failed = errno;
	if (ret || failed != ENOENT)
		return ret;
	index = device_at(AT_FDCWD, path, failed);
	failed = errno;
	if (index < 0)
		index = sim_path_link(AT_FDCWD, path);
	errno = index < 0 ? failed : saved;
	if (index < 0)
		return NULL;
	snprintf(name, sizeof(name), "/dev/pto%d", index);
	return resolved ? strcpy(resolved, name) : strdup(name);
}

SIM_EXPORT char *__realpath_chk(const char *path, char *resolved, size_t size)
{
	char *(*next)(const char *path, char *resolved, size_t size);

	if (size >= PATH_MAX)
		return realpath(path, resolved);
	next = sim_next("__realpath_chk");
	return next ? next(path, resolved, size) : NULL;
}

SIM_EXPORT char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}
