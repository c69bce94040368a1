// SPDX-License-Identifier: GPL-2.0
/*
 * Devices by their names, as programs meet them that know nothing of devices: listings, attributes,
 * what makes and moves files, streams that are reopened, programs that are started with a
 * descriptor. The same on the simulator and on a kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>
#include <wordexp.h>

#include "pttest.h"

#define NO_NAME "pto900"
#define NO_PATH "/dev/" NO_NAME
#define SPAWNED "PT_SPAWNED"

ssize_t __readlink_chk(const char *path, char *buf, size_t length, size_t size);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t length, size_t size);
char *__realpath_chk(const char *path, char *resolved, size_t size);

/*
 * What a test starts: is the descriptor of that number a device that can be opened again? A context
 * of the simulator is its parent's.
 */
static int judge(int fd)
{
	struct pto_device_info info;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (stat(path, &st) || !S_ISCHR(st.st_mode) || fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return 1;
	if (pt_info(open(path, O_RDWR | O_CLOEXEC), &info))
		return 2;
	if (pt_simulator())
		return pt_info(fd, &info) == -ENODEV ? 0 : 3;
	return pt_info(fd, &info) ? 4 : 0;
}

__attribute__((constructor)) static void spawned(void)
{
	const char *number = getenv(SPAWNED);

	if (number)
		_exit(judge(atoi(number)));
}

FIXTURE(names) {
	int fd;
	char path[32];
	const char *name;	/* within /dev */
	struct stat st;
	struct pto_device_usage base;
};

FIXTURE_SETUP(names)
{
	self->fd = -1;
	PT_FIND(self->fd, 0, self->path);
	self->name = self->path + strlen("/dev/");
	self->fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, stat(self->path, &self->st));
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(names)
{
	if (self->fd >= 0)
		close(self->fd);
}

static bool is_device(int fd)
{
	struct pto_device_info info;

	return fd >= 0 && !pt_info(fd, &info);
}

#define FAILS(error, call) \
	do { \
		errno = 0; \
		EXPECT_EQ(-1, call); \
		EXPECT_EQ(error, errno) { \
			TH_LOG(#call); \
		} \
	} while (0)

/* --- listings --------------------------------------------------------------------- */

/* How often it is in the rest of a stream, as a character device with its inode number. */
static int listed(FIXTURE_DATA(names) *self, DIR *stream)
{
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(stream)))
		count += !strcmp(entry->d_name, self->name) && entry->d_type == DT_CHR &&
			 entry->d_ino == self->st.st_ino;
	return count;
}

PT_TEST_F(names, listed_once)
{
	DIR *stream = opendir("/dev");

	ASSERT_NE(NULL, stream);
	errno = 77;
	EXPECT_EQ(1, listed(self, stream));
	EXPECT_EQ(0, listed(self, stream));
	rewinddir(stream);
	EXPECT_EQ(1, listed(self, stream));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, closedir(stream));
	stream = fdopendir(open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_NE(NULL, stream);
	EXPECT_EQ(1, listed(self, stream));
	EXPECT_EQ(0, closedir(stream));
	ASSERT_EQ(0, chdir("/dev"));
	stream = opendir("../dev/.");
	ASSERT_NE(NULL, stream);
	EXPECT_EQ(1, listed(self, stream));
	EXPECT_EQ(0, closedir(stream));
	stream = opendir("/proc/self");
	ASSERT_NE(NULL, stream);
	EXPECT_EQ(0, listed(self, stream));
	EXPECT_EQ(0, closedir(stream));
}

PT_TEST_F(names, listed_by_the_other_names)
{
	DIR *stream = opendir("/dev");
	struct dirent64 *entry64, *result;
	struct dirent64 buffer;
	int count = 0;

	ASSERT_NE(NULL, stream);
	while ((entry64 = readdir64(stream)))
		count += !strcmp(entry64->d_name, self->name);
	EXPECT_EQ(1, count);
	rewinddir(stream);
	count = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	while (!readdir64_r(stream, &buffer, &result) && result)
		count += !strcmp(result->d_name, self->name);
#pragma GCC diagnostic pop
	EXPECT_EQ(1, count);
	closedir(stream);
}

/* Each position leads back to the entry that followed it. */
PT_TEST_F(names, positions)
{
	char names[512][NAME_MAX + 1];
	long positions[512];
	DIR *stream = opendir("/dev");
	struct dirent *entry;
	int count = 0, i;

	ASSERT_NE(NULL, stream);
	do {
		positions[count] = telldir(stream);
		entry = readdir(stream);
		snprintf(names[count], sizeof(names[count]), "%s", entry ? entry->d_name : "");
		count++;
	} while (entry && count < 512);
	for (i = count - 1; i >= 0; i--) {
		seekdir(stream, positions[i]);
		EXPECT_EQ(positions[i], telldir(stream));
		entry = readdir(stream);
		EXPECT_STREQ(names[i], entry ? entry->d_name : "");
	}
	closedir(stream);
}

static char wanted[NAME_MAX + 1];

static int is_wanted(const struct dirent *entry)
{
	return !strcmp(entry->d_name, wanted);
}

PT_TEST_F(names, scanned)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count, i, found = 0;
	struct dirent **list;

	snprintf(wanted, sizeof(wanted), "%s", self->name);
	EXPECT_EQ(1, scandir("/dev", &list, is_wanted, NULL));
	EXPECT_STREQ(self->name, list[0]->d_name);
	free(list[0]);
	free(list);
	EXPECT_EQ(1, scandirat(dev, ".", &list, is_wanted, alphasort));
	free(list[0]);
	free(list);
	count = scandir("/dev", &list, NULL, alphasort);
	for (i = 0; i < count; i++) {
		found += !strcmp(list[i]->d_name, self->name);
		if (i)
			EXPECT_LE(strcoll(list[i - 1]->d_name, list[i]->d_name), 0);
	}
	EXPECT_EQ(1, found);
	while (count > 0)
		free(list[--count]);
	free(list);
	FAILS(ENOTDIR, scandir(self->path, &list, NULL, NULL));
	FAILS(ENOENT, scandir(NO_PATH, &list, NULL, NULL));
	EXPECT_EQ(NULL, opendir(self->path));
	EXPECT_EQ(ENOTDIR, errno);
	EXPECT_EQ(NULL, opendir(NO_PATH));
	EXPECT_EQ(ENOENT, errno);
	close(dev);
}

static int matches(FIXTURE_DATA(names) *self, const char *pattern, int flags, const char *want)
{
	int count = 0;
	glob_t found;
	size_t i;

	if (glob(pattern, flags, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		count += !strcmp(found.gl_pathv[i], want);
	/* Nobody has given it functions of its own. */
	if (found.gl_flags & GLOB_ALTDIRFUNC)
		count = -1;
	globfree(&found);
	return count;
}

PT_TEST_F(names, matched)
{
	EXPECT_EQ(1, matches(self, "/dev/pto*", 0, self->path));
	EXPECT_EQ(1, matches(self, "/d?v/[a-z]*[0-9]", GLOB_NOSORT, self->path));
	EXPECT_EQ(1, matches(self, self->path, 0, self->path));
	EXPECT_EQ(0, matches(self, NO_PATH "*", 0, NO_PATH));
	EXPECT_EQ(0, matches(self, NO_PATH, 0, NO_PATH));
	ASSERT_EQ(0, chdir("/dev"));
	EXPECT_EQ(1, matches(self, "pto[0-9]*", GLOB_ERR, self->name));
}

static struct {
	const char *path;
	const char *name;
	int flags;
	int devices;
	int dev_done;
	int others;
	int wrong;
} walked;

/* Of a walk through /dev that does not go deeper */
static int on_visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	if (!strcmp(path, "/dev")) {
		walked.dev_done++;
		return 0;
	}
	walked.others++;
	if (!strcmp(path, walked.path)) {
		walked.devices++;
		walked.wrong += type != FTW_F || !S_ISCHR(st->st_mode) || where->level != 1 ||
				strcmp(path + where->base, walked.name) ||
				!!(walked.flags & FTW_DEPTH) == walked.dev_done ||
				(walked.flags & FTW_CHDIR && access(walked.name, F_OK));
	}
	return 0;
}

static int on_ftw(const char *path, const struct stat *st, int type)
{
	walked.devices += !strcmp(path, walked.path) && type == FTW_F && S_ISCHR(st->st_mode);
	return 0;
}

static int on_stop(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return strcmp(path, walked.path) ? 0 : 42;
}

static int on_skip(const char *path, const struct stat *st, int type, struct FTW *where)
{
	walked.others += where->level > 0;
	return where->level ? FTW_CONTINUE : FTW_SKIP_SUBTREE;
}

PT_TEST_F(names, walked)
{
	static const int flags[] = { FTW_PHYS, FTW_PHYS | FTW_DEPTH, FTW_PHYS | FTW_CHDIR,
				     FTW_PHYS | FTW_CHDIR | FTW_DEPTH };
	unsigned int i;

	walked.path = self->path;
	walked.name = self->name;
	for (i = 0; i < 4; i++) {
		walked.flags = flags[i];
		walked.devices = 0;
		walked.dev_done = 0;
		walked.others = 0;
		ASSERT_EQ(0, nftw("/dev", on_visit, 10, flags[i] | FTW_MOUNT));
		EXPECT_EQ(1, walked.devices);
		EXPECT_EQ(0, walked.wrong);
		EXPECT_EQ(1, walked.dev_done);
		EXPECT_LT(1, walked.others);
	}
	EXPECT_EQ(42, nftw("/dev", on_stop, 10, FTW_PHYS | FTW_MOUNT));
	walked.others = 0;
	EXPECT_EQ(0, nftw("/dev", on_skip, 10, FTW_PHYS | FTW_ACTIONRETVAL));
	EXPECT_EQ(0, walked.others);
	walked.devices = 0;
	EXPECT_EQ(0, ftw("/dev", on_ftw, 10));
	EXPECT_EQ(1, walked.devices);
	EXPECT_EQ(42, nftw(self->path, on_stop, 10, FTW_PHYS));
	FAILS(ENOENT, nftw(NO_PATH, on_stop, 10, FTW_PHYS));
}

static bool in_fts(FIXTURE_DATA(names) *self)
{
	char dev[] = "/dev", *paths[] = { dev, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOSTAT | FTS_XDEV, NULL);
	bool found = false;
	FTSENT *entry;

	while (walk && (entry = fts_read(walk)))
		found |= !strcmp(entry->fts_path, self->path);
	return walk && !fts_close(walk) && found;
}

static bool in_wordexp(FIXTURE_DATA(names) *self)
{
	bool found = false;
	wordexp_t words;
	size_t i;

	if (wordexp("/dev/pto*", &words, WRDE_NOCMD))
		return false;
	for (i = 0; i < words.we_wordc; i++)
		found |= !strcmp(words.we_wordv[i], self->path);
	wordfree(&words);
	return found;
}

static bool in_getdents(FIXTURE_DATA(names) *self)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char entries[4096] __attribute__((aligned(8)));
	bool found = false;
	struct dirent64 *entry;
	long n, at;

	while ((n = getdents64(dev, entries, sizeof(entries))) > 0)
		for (at = 0; at < n; at += entry->d_reclen) {
			entry = (struct dirent64 *)(void *)(entries + at);
			found |= !strcmp(entry->d_name, self->name);
		}
	close(dev);
	return found;
}

/* What libptosim(7) says of listings that are without the devices. */
PT_TEST_F(names, listed_on_a_kernel_only)
{
	EXPECT_EQ(!pt_simulator(), in_fts(self));
	EXPECT_EQ(!pt_simulator(), in_wordexp(self));
	EXPECT_EQ(!pt_simulator(), in_getdents(self));
}

static bool says(const char *command, const char *word)
{
	FILE *output = popen(command, "r");
	char token[256];
	bool found = false;

	if (!output)
		return false;
	while (fscanf(output, "%255s", token) == 1)
		found |= !strcmp(token, word);
	return !pclose(output) && found;
}

PT_TEST_F(names, seen_by_programs)
{
	EXPECT_TRUE(says("echo /dev/pto*", self->path));
	EXPECT_TRUE(says("ls /dev", self->name));
}

/* --- attributes ------------------------------------------------------------------- */

static unsigned int mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? ~0u : st.st_mode;
}

PT_TEST_F(names, permissions)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (self->st.st_uid != geteuid())
		SKIP(return, "the device is not mine");
	EXPECT_EQ(0, chmod(self->path, 0640));
	EXPECT_EQ(S_IFCHR | 0640, mode_of(self->path));
	EXPECT_EQ(0, fchmod(self->fd, 0600));
	EXPECT_EQ(S_IFCHR | 0600, mode_of(self->path));
	EXPECT_EQ(0, fchmodat(dev, self->name, 0711, 0));
	EXPECT_EQ(S_IFCHR | 0711, mode_of(self->path));
	EXPECT_EQ(0, access(self->path, X_OK));
	EXPECT_EQ(0, chmod(self->path, self->st.st_mode & 07777));
	FAILS(EACCES, access(self->path, X_OK));
	EXPECT_EQ(0, chown(self->path, -1, -1));
	EXPECT_EQ(0, lchown(self->path, geteuid(), -1));
	EXPECT_EQ(0, fchown(self->fd, -1, getegid()));
	EXPECT_EQ(0, fchownat(self->fd, "", -1, -1, AT_EMPTY_PATH));
	EXPECT_EQ(0, fchownat(dev, self->name, -1, -1, AT_SYMLINK_NOFOLLOW));
	FAILS(EINVAL, fchownat(dev, self->name, -1, -1, 0x40000000));
	FAILS(ENOENT, chmod(NO_PATH, 0600));
	FAILS(ENOENT, chown(NO_PATH, -1, -1));
	FAILS(EFAULT, chmod((char *)16, 0600));
	EXPECT_EQ(self->st.st_mode, mode_of(self->path));
	close(dev);
}

/* Somebody who may do nothing with the device. Return: 0, or which step went wrong */
static int stranger(const char *path)
{
	if (setgid(65534) || setuid(65534))
		return 1;
	if (!chmod(path, 0666) || errno != EPERM)
		return 2;
	if (!chown(path, 65534, -1) || errno != EPERM)
		return 3;
	if (!utimes(path, (struct timeval[2]) { { 1, 0 }, { 2, 0 } }) || errno != EPERM)
		return 4;
	if (open(path, O_RDWR | O_CLOEXEC) >= 0 || errno != EACCES)
		return 5;
	return !access(path, R_OK) || errno != EACCES ? 6 : 0;
}

PT_TEST_F(names, not_for_strangers)
{
	int status;
	pid_t child;

	if (geteuid())
		SKIP(return, "only root can become somebody else");
	ASSERT_EQ(0, chown(self->path, 0, 0));
	child = fork();
	if (!child)
		_exit(stranger(self->path));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, chown(self->path, self->st.st_uid, self->st.st_gid));
}

static bool has_times(const char *path, long used, long changed)
{
	struct stat st;

	return !stat(path, &st) && st.st_atim.tv_sec == used && st.st_mtim.tv_sec == changed;
}

PT_TEST_F(names, times)
{
	struct timespec ns[2] = { { 1000, 5 }, { 2000, 6 } };
	struct timeval us[2] = { { 3000, 0 }, { 4000, 0 } };
	struct utimbuf s = { 5000, 6000 };
	struct stat st;

	if (self->st.st_uid != geteuid())
		SKIP(return, "the device is not mine");
	EXPECT_EQ(0, utimensat(AT_FDCWD, self->path, ns, 0));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(5, st.st_atim.tv_nsec);
	EXPECT_TRUE(has_times(self->path, 1000, 2000));
	ns[0].tv_nsec = UTIME_OMIT;
	ns[1].tv_sec = 2500;
	EXPECT_EQ(0, futimens(self->fd, ns));
	EXPECT_TRUE(has_times(self->path, 1000, 2500));
	EXPECT_EQ(0, utimes(self->path, us));
	EXPECT_TRUE(has_times(self->path, 3000, 4000));
	EXPECT_EQ(0, utime(self->path, &s));
	EXPECT_TRUE(has_times(self->path, 5000, 6000));
	EXPECT_EQ(0, utimes(self->path, NULL));
	EXPECT_FALSE(has_times(self->path, 5000, 6000));
	ns[1].tv_nsec = 1000000000;
	FAILS(EINVAL, utimensat(AT_FDCWD, self->path, ns, 0));
	FAILS(ENOENT, utimensat(AT_FDCWD, NO_PATH, NULL, 0));
}

PT_TEST_F(names, extended_attributes)
{
	char value[16];

	FAILS(ENODATA, getxattr(self->path, "user.x", value, sizeof(value)));
	FAILS(ENODATA, lgetxattr(self->path, "user.x", value, sizeof(value)));
	FAILS(ENODATA, fgetxattr(self->fd, "user.x", value, sizeof(value)));
	FAILS(EPERM, setxattr(self->path, "user.x", "1", 1, 0));
	FAILS(EPERM, lsetxattr(self->path, "user.x", "1", 1, 0));
	FAILS(EPERM, fsetxattr(self->fd, "user.x", "1", 1, 0));
	FAILS(EPERM, removexattr(self->path, "user.x"));
	FAILS(EPERM, lremovexattr(self->path, "user.x"));
	FAILS(EPERM, fremovexattr(self->fd, "user.x"));
	EXPECT_EQ(listxattr("/dev/null", NULL, 0), listxattr(self->path, NULL, 0));
	EXPECT_EQ(listxattr("/dev/null", NULL, 0), llistxattr(self->path, NULL, 0));
	EXPECT_EQ(listxattr("/dev/null", NULL, 0), flistxattr(self->fd, NULL, 0));
	FAILS(ENOENT, getxattr(NO_PATH, "user.x", value, sizeof(value)));
	FAILS(ENOENT, setxattr(NO_PATH, "user.x", "1", 1, 0));
}

PT_TEST_F(names, file_system)
{
	struct statfs dev, fs;
	struct statvfs vfs;

	ASSERT_EQ(0, statfs("/dev", &dev));
	EXPECT_EQ(0, statfs(self->path, &fs));
	EXPECT_EQ(dev.f_type, fs.f_type);
	EXPECT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(dev.f_type, fs.f_type);
	EXPECT_EQ(0, statvfs(self->path, &vfs));
	EXPECT_EQ(0, fstatvfs(self->fd, &vfs));
	FAILS(ENOENT, statfs(NO_PATH, &fs));
}

/* --- what a device is not --------------------------------------------------------- */

/* Files to link and to move are of another file system: who forgets the device gets EXDEV. */
PT_TEST_F(names, in_the_way)
{
	char file[] = "/tmp/pto-selftest-XXXXXX";

	close(mkstemp(file));
	FAILS(EEXIST, mkdir(self->path, 0700));
	FAILS(EEXIST, mkdirat(AT_FDCWD, self->path, 0700));
	FAILS(EEXIST, mkfifo(self->path, 0600));
	FAILS(EEXIST, mkfifoat(AT_FDCWD, self->path, 0600));
	FAILS(EEXIST, mknod(self->path, S_IFREG | 0600, 0));
	FAILS(EEXIST, mknodat(AT_FDCWD, self->path, S_IFREG | 0600, 0));
	FAILS(EEXIST, symlink("nowhere", self->path));
	FAILS(EEXIST, symlinkat("nowhere", AT_FDCWD, self->path));
	FAILS(EEXIST, link(file, self->path));
	FAILS(EEXIST, linkat(AT_FDCWD, file, AT_FDCWD, self->path, 0));
	FAILS(ENOTDIR, rmdir(self->path));
	FAILS(ENOTDIR, unlinkat(AT_FDCWD, self->path, AT_REMOVEDIR));
	FAILS(ENOTDIR, chdir(self->path));
	FAILS(ENOTDIR, mkdir("/dev/pto0/x", 0700));
	FAILS(EINVAL, truncate(self->path, 0));
	FAILS(ENOENT, unlink(NO_PATH));
	FAILS(ENOENT, rename(NO_PATH, NO_PATH "x"));
	FAILS(EFAULT, unlink((char *)16));
	EXPECT_EQ(0, stat(self->path, &self->st));
	unlink(file);
}

PT_TEST_F(names, by_numbers_of_system_calls)
{
	FAILS(EEXIST, syscall(SYS_mkdirat, AT_FDCWD, self->path, 0700));
	FAILS(EEXIST, syscall(SYS_mknodat, AT_FDCWD, self->path, S_IFREG | 0600, 0));
	FAILS(ENOTDIR, syscall(SYS_unlinkat, AT_FDCWD, self->path, AT_REMOVEDIR));
	FAILS(ENOENT, syscall(SYS_unlinkat, AT_FDCWD, NO_PATH, 0));
	if (self->st.st_uid != geteuid())
		return;
	EXPECT_EQ(0, syscall(SYS_fchmodat, AT_FDCWD, self->path, 0640));
	EXPECT_EQ(S_IFCHR | 0640, mode_of(self->path));
	EXPECT_EQ(0, syscall(SYS_fchmod, self->fd, 0604));
	EXPECT_EQ(S_IFCHR | 0604, mode_of(self->path));
	EXPECT_EQ(0, syscall(SYS_fchown, self->fd, -1, -1));
	EXPECT_EQ(0, syscall(SYS_fchownat, AT_FDCWD, self->path, -1, -1, 0));
	EXPECT_EQ(0, syscall(SYS_utimensat, AT_FDCWD, self->path, NULL, 0));
	EXPECT_EQ(0, chmod(self->path, self->st.st_mode & 07777));
}

/* Where root may take a real one away, a simulated one stays. */
PT_TEST_F(names, stays)
{
	int error = access("/dev", W_OK) ? EACCES : EPERM;
	char file[] = "/tmp/pto-selftest-XXXXXX";

	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	close(mkstemp(file));
	FAILS(error, unlink(self->path));
	FAILS(error, unlinkat(AT_FDCWD, self->path, 0));
	FAILS(error, remove(self->path));
	FAILS(error, rename(self->path, file));
	FAILS(error, renameat(AT_FDCWD, file, AT_FDCWD, self->path));
	FAILS(error, renameat2(AT_FDCWD, self->path, AT_FDCWD, file, 0));
	FAILS(EPERM, link(self->path, "/tmp/elsewhere"));
	EXPECT_EQ(0, access(self->path, F_OK));
	EXPECT_EQ(0, unlink(file));
}

PT_TEST_F(names, descriptor_of_no_file)
{
	char byte = 0;

	FAILS(ESPIPE, lseek(self->fd, 0, SEEK_CUR));
	FAILS(ESPIPE, pread(self->fd, &byte, 1, 0));
	FAILS(ESPIPE, pwrite(self->fd, &byte, 1, 0));
	FAILS(EINVAL, ftruncate(self->fd, 0));
	FAILS(ENODEV, fallocate(self->fd, 0, 0, 4096));
	FAILS(EINVAL, fsync(self->fd));
	FAILS(EINVAL, fdatasync(self->fd));
	FAILS(ENOTDIR, fchdir(self->fd));
	FAILS(ESPIPE, sync_file_range(self->fd, 0, 1, 0));
	FAILS(EINVAL, readahead(self->fd, 0, 1));
	EXPECT_EQ(NULL, fdopendir(self->fd));
	EXPECT_EQ(ENOTDIR, errno);
}

/* --- names in canonical form ------------------------------------------------------ */

PT_TEST_F(names, canonical)
{
	char path[64], resolved[PATH_MAX];
	char *canonical;

	snprintf(path, sizeof(path), "/dev/.././dev//%s", self->name);
	canonical = canonicalize_file_name(path);
	ASSERT_NE(NULL, canonical);
	EXPECT_STREQ(self->path, canonical);
	free(canonical);
	EXPECT_EQ(NULL, canonicalize_file_name(NO_PATH));
	EXPECT_EQ(ENOENT, errno);
	ASSERT_NE(NULL, __realpath_chk(path, resolved, sizeof(resolved)));
	EXPECT_STREQ(self->path, resolved);
	FAILS(EINVAL, __readlink_chk(self->path, resolved, 16, sizeof(resolved)));
	FAILS(EINVAL, __readlinkat_chk(AT_FDCWD, self->path, resolved, 16, sizeof(resolved)));
	FAILS(ENOENT, __readlink_chk(NO_PATH, resolved, 16, sizeof(resolved)));
}

/* --- names of descriptors --------------------------------------------------------- */

/* The names that /proc and /dev have for a descriptor */
static const char *const name_of_fd[] = {
	"/proc/self/fd/%2$d", "/proc/thread-self/fd/%2$d", "/proc/%1$d/fd/%2$d", "/dev/fd/%2$d",
};

#define NAMES_OF_FD (sizeof(name_of_fd) / sizeof(name_of_fd[0]))

static unsigned int contexts(int fd)
{
	struct pto_device_usage usage;

	return pt_usage(fd, &usage) ? 0 : usage.contexts;
}

/* A new context, and nothing else of the old one. */
PT_TEST_F(names, descriptor_opened_again)
{
	char path[64];
	unsigned int i;
	int fd, dir;

	for (i = 0; i < NAMES_OF_FD; i++) {
		snprintf(path, sizeof(path), name_of_fd[i], (int)getpid(), self->fd);
		fd = open(path, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd) {
			TH_LOG("%s: %s", path, strerror(errno));
		}
		EXPECT_TRUE(is_device(fd));
		EXPECT_EQ(self->base.contexts + 1, contexts(self->fd));
		EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		EXPECT_EQ(0, close(fd));
		EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
		EXPECT_TRUE(is_device(self->fd));
	}
	snprintf(path, sizeof(path), "%d", self->fd);
	dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	EXPECT_TRUE(is_device(fd));
	close(fd);
	fd = (int)syscall(SYS_openat, dir, path, O_RDWR | O_CLOEXEC);
	EXPECT_TRUE(is_device(fd));
	close(fd);
	close(dir);
}

/* Whatever it was opened for, however it came to its number, and wherever a link leads to it. */
PT_TEST_F(names, any_descriptor_opened_again)
{
	char dir[] = "/tmp/pto-selftest-XXXXXX", link[64], path[64], target[64] = "";
	int readonly = open(self->path, O_RDONLY | O_CLOEXEC), fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", readonly);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_TRUE(is_device(fd));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	close(fd);
	FAILS(EEXIST, open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	FAILS(ENOTDIR, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	FAILS(ELOOP, open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	ASSERT_EQ(STDIN_FILENO, dup2(self->fd, STDIN_FILENO));
	/* Small systems do without this name. */
	if (!access("/dev/stdin", F_OK)) {
		fd = open("/dev/stdin", O_RDWR | O_CLOEXEC);
		EXPECT_TRUE(is_device(fd));
		close(fd);
	}
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/1000", dir);
	ASSERT_EQ(0, symlink(path, link));
	fd = open(link, O_RDWR | O_CLOEXEC);
	EXPECT_TRUE(is_device(fd));
	close(fd);
	EXPECT_EQ(strlen(path), readlink(link, target, sizeof(target)));
	EXPECT_STREQ(path, target);
	unlink(link);
	rmdir(dir);
	close(readonly);
	FAILS(ENOENT, open(path, O_RDWR | O_CLOEXEC));
}

/* The simulator has no descriptor of that kind. */
PT_TEST_F(names, descriptor_by_name_only)
{
	char path[64];

	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	FAILS(EOPNOTSUPP, open(path, O_PATH | O_CLOEXEC));
	FAILS(EOPNOTSUPP, open(self->path, O_PATH | O_CLOEXEC));
}

PT_TEST_F(names, descriptor_opened_again_as_a_stream)
{
	FILE *stream, *same;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	stream = fopen(path, "r+e");
	ASSERT_NE(NULL, stream);
	EXPECT_TRUE(is_device(fileno(stream)));
	fclose(stream);
	stream = fopen(path, "we");
	ASSERT_NE(NULL, stream);
	EXPECT_EQ(self->base.contexts + 1, contexts(self->fd));
	fclose(stream);
	stream = fopen("/dev/null", "re");
	ASSERT_NE(NULL, stream);
	same = freopen(path, "r+e", stream);
	ASSERT_EQ(stream, same);
	EXPECT_TRUE(is_device(fileno(stream)));
	EXPECT_EQ(self->base.contexts + 1, contexts(self->fd));
	fclose(stream);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* In a child the number is the parent's context; its name still is the device's. */
PT_TEST_F(names, descriptor_opened_again_in_a_child)
{
	char path[64];
	int status;
	pid_t child;

	snprintf(path, sizeof(path), "/dev/fd/%d", self->fd);
	child = fork();
	if (!child)
		_exit(is_device(open(path, O_RDWR | O_CLOEXEC)) ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

PT_TEST_F(names, descriptor_by_its_names)
{
	char path[64], text[PATH_MAX] = "", *canonical;
	struct statx sx = { 0 };
	struct stat st;
	unsigned int i;

	for (i = 0; i < NAMES_OF_FD; i++) {
		snprintf(path, sizeof(path), name_of_fd[i], (int)getpid(), self->fd);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(self->st.st_rdev, st.st_rdev);
		EXPECT_EQ(self->st.st_ino, st.st_ino);
		EXPECT_EQ(self->st.st_mode, st.st_mode);
		ASSERT_EQ(0, statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &sx));
		EXPECT_EQ(self->st.st_mode, sx.stx_mode);
		ASSERT_EQ(0, lstat(path, &st));
		EXPECT_TRUE(S_ISLNK(st.st_mode));
		memset(text, 0, sizeof(text));
		/* Behind the name nothing is written. */
		EXPECT_EQ(strlen(self->path), readlink(path, text, sizeof(text)));
		EXPECT_STREQ(self->path, text);
		memset(text, 0, sizeof(text));
		EXPECT_EQ(6, readlink(path, text, 6));
		EXPECT_STREQ("/dev/p", text);
		FAILS(EFAULT, syscall(SYS_readlinkat, AT_FDCWD, path, 16L, 6L));
		canonical = realpath(path, NULL);
		EXPECT_STREQ(self->path, canonical ? canonical : "none");
		free(canonical);
		EXPECT_EQ(0, access(path, R_OK | W_OK));
		FAILS(EACCES, access(path, X_OK));
	}
}

/* Who changes what is behind such a name changes the device's node. */
PT_TEST_F(names, attributes_by_the_name_of_a_descriptor)
{
	struct timeval us[2] = { { 3000, 0 }, { 4000, 0 } };
	struct statfs dev, fs;
	char path[64];

	if (self->st.st_uid != geteuid())
		SKIP(return, "the device is not mine");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(0, chmod(path, 0640));
	EXPECT_EQ(S_IFCHR | 0640, mode_of(self->path));
	EXPECT_EQ(0, fchmodat(AT_FDCWD, path, self->st.st_mode & 07777, 0));
	EXPECT_EQ(self->st.st_mode, mode_of(self->path));
	EXPECT_EQ(0, chown(path, -1, -1));
	EXPECT_EQ(0, utimes(path, us));
	EXPECT_TRUE(has_times(self->path, 3000, 4000));
	FAILS(EPERM, setxattr(path, "user.x", "1", 1, 0));
	ASSERT_EQ(0, statfs("/dev", &dev));
	EXPECT_EQ(0, statfs(path, &fs));
	EXPECT_EQ(dev.f_type, fs.f_type);
	FAILS(EINVAL, truncate(path, 0));
	FAILS(ENOTDIR, chdir(path));
}

/* The sockets of others are what they are. */
PT_TEST_F(names, descriptor_of_another_socket)
{
	char path[64];
	struct stat st;
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pair[0]);
	FAILS(ENXIO, open(path, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(NULL, fopen(path, "we"));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(0, stat(path, &st));
	EXPECT_TRUE(S_ISSOCK(st.st_mode));
	close(pair[0]);
	close(pair[1]);
}

/* --- streams ---------------------------------------------------------------------- */

PT_TEST_F(names, stream_becomes_a_device)
{
	FILE *stream = fopen("/dev/null", "re"), *same;
	int fd;

	ASSERT_NE(NULL, stream);
	fd = fileno(stream);
	same = freopen(self->path, "r+e", stream);
	ASSERT_EQ(stream, same);
	EXPECT_EQ(fd, fileno(stream));
	EXPECT_TRUE(is_device(fd));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	/* Once more: a context of its own, and the old one has ended. */
	same = freopen(NULL, "r+", stream);
	ASSERT_EQ(stream, same);
	EXPECT_TRUE(is_device(fileno(stream)));
	same = freopen64("/dev/zero", "r", stream);
	ASSERT_EQ(stream, same);
	EXPECT_FALSE(is_device(fileno(stream)));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	EXPECT_EQ(0, fgetc(stream));
	fclose(stream);
}

/*
 * However it came to the device, and whatever it was before, it has nothing to read or to write.
 * Under the simulator a stream that is reopened has another error.
 */
PT_TEST_F(names, reopened_stream_has_nothing)
{
	FILE *stream;
	int i, error;

	for (i = 0; i < 3; i++) {
		stream = fopen(i ? "/dev/zero" : self->path, "r+e");
		ASSERT_NE(NULL, stream);
		error = i && pt_simulator() ? EBADF : EINVAL;
		if (i == 2)
			EXPECT_EQ(0, fgetc(stream));
		if (i)
			ASSERT_EQ(stream, freopen(self->path, "r+e", stream));
		errno = 0;
		EXPECT_EQ(EOF, fgetc(stream));
		EXPECT_EQ(error, errno);
		EXPECT_TRUE(ferror(stream));
		clearerr(stream);
		setvbuf(stream, NULL, _IONBF, 0);
		errno = 0;
		EXPECT_EQ(EOF, fputc('x', stream));
		EXPECT_EQ(error, errno);
		clearerr(stream);
		FAILS(ESPIPE, fseek(stream, 0, SEEK_SET));
		EXPECT_TRUE(is_device(fileno(stream)));
		if (i)
			ASSERT_EQ(stream, freopen("/dev/zero", "r+e", stream));
		if (i)
			EXPECT_EQ(0, fgetc(stream));
		fclose(stream);
	}
}

PT_TEST_F(names, stream_that_cannot_be_reopened)
{
	FILE *stream = fopen(self->path, "r+e");
	int fd;

	ASSERT_NE(NULL, stream);
	fd = fileno(stream);
	EXPECT_EQ(NULL, freopen(NO_PATH, "r+", stream));
	EXPECT_EQ(ENOENT, errno);
	FAILS(EBADF, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* --- programs that are started ---------------------------------------------------- */

static int run_with(posix_spawn_file_actions_t *actions, int number)
{
	char self[] = "/proc/self/exe", text[16];
	char *argv[] = { self, NULL };
	int status, ret;
	pid_t child;

	snprintf(text, sizeof(text), "%d", number);
	setenv(SPAWNED, text, 1);
	ret = posix_spawn(&child, self, actions, NULL, argv, environ);
	unsetenv(SPAWNED);
	if (ret)
		return ret;
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? -WEXITSTATUS(status) :
									  -100;
}

PT_TEST_F(names, spawned_with_a_copy)
{
	posix_spawn_file_actions_t actions;

	ASSERT_EQ(0, posix_spawn_file_actions_init(&actions));
	EXPECT_EQ(0, posix_spawn_file_actions_adddup2(&actions, self->fd, 50));
	EXPECT_EQ(0, posix_spawn_file_actions_addclose(&actions, self->fd));
	EXPECT_EQ(0, run_with(&actions, 50));
	EXPECT_EQ(-1, run_with(&actions, self->fd));
	EXPECT_TRUE(is_device(self->fd));
	EXPECT_EQ(0, posix_spawn_file_actions_destroy(&actions));
}

PT_TEST_F(names, spawned_with_a_device)
{
	posix_spawn_file_actions_t actions;

	ASSERT_EQ(0, posix_spawn_file_actions_init(&actions));
	EXPECT_EQ(0, posix_spawn_file_actions_addopen(&actions, 50, self->path, O_RDWR, 0));
	EXPECT_EQ(0, posix_spawn_file_actions_adddup2(&actions, 50, 51));
	EXPECT_EQ(0, run_with(&actions, 50));
	EXPECT_EQ(0, run_with(&actions, 51));
	EXPECT_EQ(0, posix_spawn_file_actions_destroy(&actions));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
	ASSERT_EQ(0, posix_spawn_file_actions_init(&actions));
	EXPECT_EQ(0, posix_spawn_file_actions_addopen(&actions, 50, NO_PATH, O_RDWR, 0));
	EXPECT_EQ(ENOENT, run_with(&actions, 50));
	EXPECT_EQ(0, posix_spawn_file_actions_destroy(&actions));
}

/* The C library moves what it has opened to the number, and that drops O_CLOEXEC. */
PT_TEST_F(names, spawned_with_o_cloexec)
{
	posix_spawn_file_actions_t actions;

	ASSERT_EQ(0, posix_spawn_file_actions_init(&actions));
	EXPECT_EQ(0, posix_spawn_file_actions_addopen(&actions, 50, self->path,
						      O_RDWR | O_CLOEXEC, 0));
	EXPECT_EQ(0, posix_spawn_file_actions_adddup2(&actions, 50, 51));
	EXPECT_EQ(0, run_with(&actions, 50));
	EXPECT_EQ(0, run_with(&actions, 51));
	EXPECT_EQ(0, posix_spawn_file_actions_addclose(&actions, 50));
	EXPECT_EQ(-1, run_with(&actions, 50));
	EXPECT_EQ(0, run_with(&actions, 51));
	EXPECT_EQ(0, posix_spawn_file_actions_destroy(&actions));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* A name of a descriptor is the child's, which the simulator does not know yet. */
PT_TEST_F(names, spawned_with_a_name_of_a_descriptor)
{
	posix_spawn_file_actions_t actions;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	ASSERT_EQ(0, posix_spawn_file_actions_init(&actions));
	EXPECT_EQ(0, posix_spawn_file_actions_addopen(&actions, 50, path, O_RDWR, 0));
	EXPECT_EQ(pt_simulator() ? ENXIO : 0, run_with(&actions, 50));
	EXPECT_EQ(0, posix_spawn_file_actions_destroy(&actions));
}

TEST_HARNESS_MAIN
