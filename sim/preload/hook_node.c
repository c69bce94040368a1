// SPDX-License-Identifier: MIT
/*
 * Interposed: functions that change attributes or the name of a file. The node of a simulated
 * device belongs to the calling user until its owner is changed. Changes last as long as the
 * process.
 *
 * Unlike in open(), the path is checked before the kernel is asked: the call could change a real
 * device of that name, or create a file.
 */
#include "hook.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

#define NANO 1000000000ll
#define UNCHANGED (-1)

/**
 * struct node - changed attributes of a device's node; UNCHANGED for the others
 * @mode: permissions
 * @uid: owner
 * @gid: group
 * @atime: time of the last access, in ns
 * @mtime: time of the last modification, in ns
 */
struct node {
	_Atomic int64_t mode;
	_Atomic int64_t uid;
	_Atomic int64_t gid;
	_Atomic int64_t atime;
	_Atomic int64_t mtime;
};

static struct node nodes[SIM_MAX_DEVICES] = {
	[0 ... SIM_MAX_DEVICES - 1] = { UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED, UNCHANGED },
};

bool sim_names_device(int dirfd, const char *path, int *index)
{
	*index = sim_path_index_user(dirfd, path);
	if (__builtin_expect(*index == SIM_PATH_OTHER, 1))
		return false;
	if (*index >= 0 && *index < (int)sim_config()->devices)
		return true;
	errno = *index == SIM_PATH_BELOW ? ENOTDIR : ENOENT;
	*index = -1;
	return true;
}

bool sim_leads_to_device(int dirfd, const char *path, int *index)
{
	if (sim_names_device(dirfd, path, index))
		return true;
	if (!sim_path_link_candidate(path))
		return false;
	*index = sim_path_link(dirfd, path);
	return *index >= 0;
}

/* The index of a descriptor's device, or -1. */
static int device_of(int fd)
{
	return SIM_UNLIKELY(sim_fd_peek(fd)) ? sim_context_index(fd) : -1;
}

void sim_node_status(int index, struct stat *st)
{
	struct node *node = &nodes[index];
	int64_t mode = atomic_load(&node->mode), uid = atomic_load(&node->uid);
	int64_t gid = atomic_load(&node->gid), atime = atomic_load(&node->atime);
	int64_t mtime = atomic_load(&node->mtime);

	if (mode != UNCHANGED)
		st->st_mode = S_IFCHR | (mode_t)mode;
	st->st_uid = uid != UNCHANGED ? (uid_t)uid : geteuid();
	st->st_gid = gid != UNCHANGED ? (gid_t)gid : getegid();
	if (atime != UNCHANGED)
		st->st_atim = (struct timespec){ atime / NANO, atime % NANO };
	if (mtime != UNCHANGED)
		st->st_mtim = (struct timespec){ mtime / NANO, mtime % NANO };
}

static bool in_group(gid_t gid)
{
	gid_t groups[NGROUPS_MAX];
	int count, i;

	if (gid == getegid())
		return true;
	count = getgroups(NGROUPS_MAX, groups);
	for (i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool sim_node_allows(int index, int access)
{
	int64_t changed = atomic_load(&nodes[index].mode);
	unsigned int bits = changed != UNCHANGED ? (unsigned int)changed : 0660;
	struct stat st = { 0 };

	sim_node_status(index, &st);
	if (!geteuid())
		return !(access & X_OK) || bits & 0111;
	if (st.st_uid == geteuid())
		bits >>= 6;
	else if (in_group(st.st_gid))
		bits >>= 3;
	return !((unsigned int)access & ~bits & 7);
}

/* --- attributes ------------------------------------------------------------------------ */

static bool is_owner(int index)
{
	int64_t uid = atomic_load(&nodes[index].uid);

	return uid == UNCHANGED || uid == (int64_t)geteuid() || !geteuid();
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static int change_mode(int index, mode_t mode)
{
	if (!is_owner(index))
		return fail(EPERM);
	atomic_store(&nodes[index].mode, mode & 07777);
	return 0;
}

static int change_owner(int index, uid_t uid, gid_t gid)
{
	struct stat st = { 0 };

	sim_node_status(index, &st);
	if (geteuid() && ((uid != (uid_t)-1 && (uid != st.st_uid || uid != geteuid())) ||
			  (gid != (gid_t)-1 && (!is_owner(index) || !in_group(gid)))))
		return fail(EPERM);
	if (uid != (uid_t)-1)
		atomic_store(&nodes[index].uid, uid);
	if (gid != (gid_t)-1)
		atomic_store(&nodes[index].gid, gid);
	return 0;
}

static int change_times(int index, const struct timespec times[2])
{
	_Atomic int64_t *at[2] = { &nodes[index].atime, &nodes[index].mtime };
	struct timespec now, given[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	int i;

	if (times && sim_copy_in(given, times, sizeof(given)))
		return fail(EFAULT);
	if (!is_owner(index))
		return fail(EPERM);
	for (i = 0; i < 2; i++)
		if (given[i].tv_nsec != UTIME_NOW && given[i].tv_nsec != UTIME_OMIT &&
		    (given[i].tv_nsec < 0 || given[i].tv_nsec >= NANO))
			return fail(EINVAL);
	clock_gettime(CLOCK_REALTIME, &now);
	for (i = 0; i < 2; i++) {
		if (given[i].tv_nsec == UTIME_NOW)
			given[i] = now;
		if (given[i].tv_nsec != UTIME_OMIT)
			atomic_store(at[i], given[i].tv_sec * NANO + given[i].tv_nsec);
	}
	return 0;
}

static int change_times_us(int index, const struct timeval times[2])
{
	struct timeval given[2];
	struct timespec ns[2];
	int i;

	if (!times)
		return change_times(index, NULL);
	if (sim_copy_in(given, times, sizeof(given)))
		return fail(EFAULT);
	for (i = 0; i < 2; i++) {
		if (given[i].tv_usec < 0 || given[i].tv_usec >= 1000000)
			return fail(EINVAL);
		ns[i] = (struct timespec){ given[i].tv_sec, given[i].tv_usec * 1000 };
	}
	return change_times(index, ns);
}

static int change_times_s(int index, const struct utimbuf *times)
{
	struct utimbuf given;
	struct timespec ns[2] = { { 0 } };

	if (!times)
		return change_times(index, NULL);
	if (sim_copy_in(&given, times, sizeof(given)))
		return fail(EFAULT);
	ns[0].tv_sec = given.actime;
	ns[1].tv_sec = given.modtime;
	return change_times(index, ns);
}

/*
 * Extended attributes are read from /dev/null, a character device in the same directory. The
 * kernel allows none in the name space "user" for devices; a simulated device takes none at all.
 */
#define LIKE "/dev/null"

static int change_attribute(const char *name)
{
	if (SIM_NEXT(getxattr)(LIKE, name, NULL, 0) < 0 && (errno == EFAULT || errno == ERANGE))
		return -1;
	if (!strncmp(name, "user.", 5))
		return fail(EPERM);
	if (geteuid() && (!strncmp(name, "trusted.", 8) || !strncmp(name, "security.", 9)))
		return fail(EPERM);
	return fail(EOPNOTSUPP);
}

/* --- entry points for attributes --------------------------------------------------------- */

static bool names_either(int dirfd, const char *path, int flags, int *index)
{
	char first;

	if (!(flags & AT_EMPTY_PATH) || sim_copy_in(&first, path, 1) || first)
		return flags & AT_SYMLINK_NOFOLLOW ? sim_names_device(dirfd, path, index) :
						     sim_leads_to_device(dirfd, path, index);
	*index = device_of(dirfd);
	return *index >= 0;
}

/* A function that takes a path. @finder: says whether that is a device's */
#define FOUND_CALL(finder, type, name, params, dirfd, path, ours, ...) \
	SIM_EXPORT type name params \
	{ \
		int index; \
\
		if (!finder(dirfd, path, &index)) \
			return SIM_NEXT(name)(__VA_ARGS__); \
		return index < 0 ? -1 : (ours); \
	}

/* One that follows no link at the end of the path. @ours: its result for the device @index */
#define PATH_CALL(...) FOUND_CALL(sim_names_device, __VA_ARGS__)

/* One that follows links. */
#define LINK_CALL(...) FOUND_CALL(sim_leads_to_device, __VA_ARGS__)

/* The same for a function that takes a descriptor. */
#define FD_CALL(type, name, params, ours, ...) \
	SIM_EXPORT type name params \
	{ \
		int index = device_of(fd); \
\
		return index < 0 ? SIM_NEXT(name)(__VA_ARGS__) : (ours); \
	}

/* The same for a function that takes either (AT_EMPTY_PATH). The kernel refuses unknown flags. */
#define AT_CALL(name, known, params, ours, ...) \
	SIM_EXPORT int name params \
	{ \
		int index; \
\
		if (flags & ~(known) || !names_either(dirfd, path, flags, &index)) \
			return SIM_NEXT(name)(__VA_ARGS__); \
		return index < 0 ? -1 : (ours); \
	}

LINK_CALL(int, chmod, (const char *path, mode_t mode), AT_FDCWD, path, change_mode(index, mode),
	  path, mode)
PATH_CALL(int, lchmod, (const char *path, mode_t mode), AT_FDCWD, path, change_mode(index, mode),
	  path, mode)
FD_CALL(int, fchmod, (int fd, mode_t mode), change_mode(index, mode), fd, mode)
AT_CALL(fchmodat, AT_SYMLINK_NOFOLLOW, (int dirfd, const char *path, mode_t mode, int flags),
	change_mode(index, mode), dirfd, path, mode, flags)
LINK_CALL(int, chown, (const char *path, uid_t uid, gid_t gid), AT_FDCWD, path,
	  change_owner(index, uid, gid), path, uid, gid)
PATH_CALL(int, lchown, (const char *path, uid_t uid, gid_t gid), AT_FDCWD, path,
	  change_owner(index, uid, gid), path, uid, gid)
FD_CALL(int, fchown, (int fd, uid_t uid, gid_t gid), change_owner(index, uid, gid), fd, uid, gid)
AT_CALL(fchownat, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
	(int dirfd, const char *path, uid_t uid, gid_t gid, int flags),
	change_owner(index, uid, gid), dirfd, path, uid, gid, flags)

LINK_CALL(int, utime, (const char *path, const struct utimbuf *times), AT_FDCWD, path,
	  change_times_s(index, times), path, times)
LINK_CALL(int, utimes, (const char *path, const struct timeval times[2]), AT_FDCWD, path,
	  change_times_us(index, times), path, times)
PATH_CALL(int, lutimes, (const char *path, const struct timeval times[2]), AT_FDCWD, path,
	  change_times_us(index, times), path, times)
LINK_CALL(int, futimesat, (int dirfd, const char *path, const struct timeval times[2]), dirfd,
	  path, change_times_us(index, times), dirfd, path, times)
FD_CALL(int, futimes, (int fd, const struct timeval times[2]), change_times_us(index, times), fd,
	times)
FD_CALL(int, futimens, (int fd, const struct timespec times[2]), change_times(index, times), fd,
	times)
AT_CALL(utimensat, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
	(int dirfd, const char *path, const struct timespec times[2], int flags),
	change_times(index, times), dirfd, path, times, flags)

LINK_CALL(ssize_t, getxattr, (const char *path, const char *name, void *value, size_t size),
	  AT_FDCWD, path, SIM_NEXT(getxattr)(LIKE, name, value, size), path, name, value, size)
PATH_CALL(ssize_t, lgetxattr, (const char *path, const char *name, void *value, size_t size),
	  AT_FDCWD, path, SIM_NEXT(getxattr)(LIKE, name, value, size), path, name, value, size)
FD_CALL(ssize_t, fgetxattr, (int fd, const char *name, void *value, size_t size),
	SIM_NEXT(getxattr)(LIKE, name, value, size), fd, name, value, size)
LINK_CALL(ssize_t, listxattr, (const char *path, char *list, size_t size), AT_FDCWD, path,
	  SIM_NEXT(listxattr)(LIKE, list, size), path, list, size)
PATH_CALL(ssize_t, llistxattr, (const char *path, char *list, size_t size), AT_FDCWD, path,
	  SIM_NEXT(listxattr)(LIKE, list, size), path, list, size)
FD_CALL(ssize_t, flistxattr, (int fd, char *list, size_t size),
	SIM_NEXT(listxattr)(LIKE, list, size), fd, list, size)
LINK_CALL(int, setxattr,
	  (const char *path, const char *name, const void *value, size_t size, int flags),
	  AT_FDCWD, path, change_attribute(name), path, name, value, size, flags)
PATH_CALL(int, lsetxattr,
	  (const char *path, const char *name, const void *value, size_t size, int flags),
	  AT_FDCWD, path, change_attribute(name), path, name, value, size, flags)
FD_CALL(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags),
	change_attribute(name), fd, name, value, size, flags)
LINK_CALL(int, removexattr, (const char *path, const char *name), AT_FDCWD, path,
	  change_attribute(name), path, name)
PATH_CALL(int, lremovexattr, (const char *path, const char *name), AT_FDCWD, path,
	  change_attribute(name), path, name)
FD_CALL(int, fremovexattr, (int fd, const char *name), change_attribute(name), fd, name)

/* The file system is that of /dev. */
#define STATFS(name, type) \
	LINK_CALL(int, name, (const char *path, struct type *st), AT_FDCWD, path, \
		  SIM_NEXT(name)("/dev", st), path, st) \
	FD_CALL(int, f##name, (int fd, struct type *st), SIM_NEXT(name)("/dev", st), fd, st)

STATFS(statfs, statfs)
STATFS(statfs64, statfs64)
STATFS(statvfs, statvfs)
STATFS(statvfs64, statvfs64)

/* --- calls that do not fit a device, or that a simulated one does not support -------------- */

/* Removing or replacing it: root could do that with a real one. */
static int cannot_move(void)
{
	return fail(SIM_NEXT(access)("/dev", W_OK) ? EACCES : EPERM);
}

PATH_CALL(int, mkdir, (const char *path, mode_t mode), AT_FDCWD, path, fail(EEXIST), path, mode)
PATH_CALL(int, mkdirat, (int dirfd, const char *path, mode_t mode), dirfd, path, fail(EEXIST),
	  dirfd, path, mode)
PATH_CALL(int, mkfifo, (const char *path, mode_t mode), AT_FDCWD, path, fail(EEXIST), path, mode)
PATH_CALL(int, mkfifoat, (int dirfd, const char *path, mode_t mode), dirfd, path, fail(EEXIST),
	  dirfd, path, mode)
PATH_CALL(int, mknod, (const char *path, mode_t mode, dev_t dev), AT_FDCWD, path, fail(EEXIST),
	  path, mode, dev)
PATH_CALL(int, mknodat, (int dirfd, const char *path, mode_t mode, dev_t dev), dirfd, path,
	  fail(EEXIST), dirfd, path, mode, dev)
PATH_CALL(int, symlink, (const char *to, const char *path), AT_FDCWD, path, fail(EEXIST), to, path)
PATH_CALL(int, symlinkat, (const char *to, int dirfd, const char *path), dirfd, path,
	  fail(EEXIST), to, dirfd, path)
PATH_CALL(int, unlink, (const char *path), AT_FDCWD, path, cannot_move(), path)
PATH_CALL(int, unlinkat, (int dirfd, const char *path, int flags), dirfd, path,
	  flags & AT_REMOVEDIR ? fail(ENOTDIR) : cannot_move(), dirfd, path, flags)
PATH_CALL(int, remove, (const char *path), AT_FDCWD, path, cannot_move(), path)
PATH_CALL(int, rmdir, (const char *path), AT_FDCWD, path, fail(ENOTDIR), path)
LINK_CALL(int, chdir, (const char *path), AT_FDCWD, path, fail(ENOTDIR), path)
LINK_CALL(int, chroot, (const char *path), AT_FDCWD, path, fail(ENOTDIR), path)
LINK_CALL(int, truncate, (const char *path, off_t length), AT_FDCWD, path, fail(EINVAL), path,
	  length)
LINK_CALL(int, truncate64, (const char *path, off64_t length), AT_FDCWD, path, fail(EINVAL), path,
	  length)

/* Does one of two paths name a device? If so, *@ret is the result of the call. */
static bool either(int from_dirfd, const char *from, int to_dirfd, const char *to, int *ret,
		   bool link)
{
	int index;

	*ret = -1;
	if (sim_names_device(from_dirfd, from, &index)) {
		if (index >= 0)
			*ret = link ? fail(EPERM) : cannot_move();
		return true;
	}
	if (!sim_names_device(to_dirfd, to, &index))
		return false;
	if (index >= 0)
		*ret = link ? fail(EEXIST) : cannot_move();
	return true;
}

#define MOVE_CALL(name, params, from_dirfd, to_dirfd, link, ...) \
	SIM_EXPORT int name params \
	{ \
		int ret; \
\
		if (either(from_dirfd, from, to_dirfd, to, &ret, link)) \
			return ret; \
		return SIM_NEXT(name)(__VA_ARGS__); \
	}

MOVE_CALL(link, (const char *from, const char *to), AT_FDCWD, AT_FDCWD, true, from, to)
MOVE_CALL(linkat, (int fd, const char *from, int to_fd, const char *to, int flags), fd, to_fd, true,
	  fd, from, to_fd, to, flags)
MOVE_CALL(rename, (const char *from, const char *to), AT_FDCWD, AT_FDCWD, false, from, to)
MOVE_CALL(renameat, (int fd, const char *from, int to_fd, const char *to), fd, to_fd, false, fd,
	  from, to_fd, to)
MOVE_CALL(renameat2, (int fd, const char *from, int to_fd, const char *to, unsigned int flags), fd,
	  to_fd, false, fd, from, to_fd, to, flags)
