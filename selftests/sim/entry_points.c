// SPDX-License-Identifier: GPL-2.0
/*
 * The preload library as a program meets it: a descriptor of a simulated device behaves like
 * one of a real device through every entry point of the C library, and everything else passes
 * through untouched.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define PATH "/dev/pto0"
#define NO_PATH "/dev/pto9"

/* What fortified and large-file builds call; declared here so that every build tries them. */
int open64(const char *path, int flags, ...);
int openat64(int dirfd, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
FILE *fopen64(const char *path, const char *mode);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
ssize_t __read_chk(int fd, void *buf, size_t length, size_t size);

FIXTURE(entry) {
	int fd;
	struct pto_device_usage base;
};

FIXTURE_SETUP(entry)
{
	self->fd = -1;
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(entry)
{
	if (self->fd >= 0)
		close(self->fd);
}

static bool is_device(int fd)
{
	struct pto_device_info info;

	return fd >= 0 && !pt_info(fd, &info) && info.index == 0;
}

/* A system call that nothing sees but the kernel. */
static int raw_call(long number, long a, long b)
{
#ifdef __x86_64__
	long ret;

	__asm__ volatile ("syscall" : "=a" (ret) : "0" (number), "D" (a), "S" (b)
			  : "rcx", "r11", "memory");
	return ret;
#else
	return -ENOSYS;
#endif
}

static int raw_close(int fd)
{
	return raw_call(SYS_close, fd, 0);
}

/* Is it a device that prepares and runs? */
static bool runs(int fd)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	int cid = is_device(fd) ? pt_prepare(fd, -1, &empty, NULL) : -1;

	return cid >= 0 && !pt_run(fd, cid, NULL, 0) && !pt_unprepare(fd, cid);
}

/* --- opening -------------------------------------------------------------------- */

static int open_one(unsigned int way)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -2;
	volatile int flags = O_RDWR | O_CLOEXEC;

	switch (way) {
	case 0:
		fd = open(PATH, flags);
		break;
	case 1:
		fd = open64(PATH, flags);
		break;
	case 2:
		fd = openat(AT_FDCWD, PATH, flags);
		break;
	case 3:
		fd = openat(dev, "pto0", flags);
		break;
	case 4:
		fd = openat64(AT_FDCWD, PATH, flags);
		break;
	case 5:
		fd = openat64(dev, "pto0", flags);
		break;
	case 6:
		fd = __open_2(PATH, flags);
		break;
	case 7:
		fd = __open64_2(PATH, flags);
		break;
	case 8:
		fd = __openat_2(AT_FDCWD, PATH, flags);
		break;
	case 9:
		fd = __openat64_2(dev, "pto0", flags);
		break;
	case 10:
		fd = syscall(SYS_openat, AT_FDCWD, PATH, flags, 0);
		break;
	case 11:
		fd = open("/dev//pto0", flags);
		break;
	case 12:
		fd = open("/dev/./pto0", flags);
		break;
	case 13:
		fd = open("/dev/../dev/pto0", flags);
		break;
	case 14:
		fd = open(PATH, flags | O_CREAT, 0600);
		break;
	case 15:
		fd = open(PATH, flags | O_TRUNC | O_APPEND);
		break;
	default:
		break;
	}
	close(dev);
	return fd;
}

PT_TEST_F(entry, every_way_to_open)
{
	unsigned int way;
	int fd;

	for (way = 0; way <= 15; way++) {
		fd = open_one(way);
		EXPECT_TRUE(is_device(fd)) {
			TH_LOG("way %u gives %d (%s)", way, fd, strerror(errno));
		}
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(0, close(fd));
		EXPECT_EQ(-EBADF, pt_ioctl(fd, PTO_QUERY, NULL));
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

PT_TEST_F(entry, relative_to_the_working_directory)
{
	int fd;

	ASSERT_EQ(0, chdir("/dev"));
	fd = open("pto0", O_RDWR);
	EXPECT_TRUE(is_device(fd));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
	ASSERT_EQ(0, chdir("/"));
	EXPECT_EQ(-1, open("pto0", O_RDWR));
	EXPECT_EQ(ENOENT, errno);
}

/* What a mode means, and that its stream is closed when fclose() returns. */
static bool stream_as(FIXTURE_DATA(entry) *self, const char *mode, int accmode, int cloexec)
{
	FILE *file = fopen(PATH, mode);
	struct pto_device_usage now;
	bool good;
	int fd;

	if (!file)
		return false;
	fd = fileno(file);
	good = is_device(fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) == accmode &&
	       fcntl(fd, F_GETFD) == cloexec;
	return !fclose(file) && !pt_usage(self->fd, &now) &&
	       now.contexts == self->base.contexts && good;
}

PT_TEST_F(entry, modes_of_streams)
{
	EXPECT_TRUE(stream_as(self, "r", O_RDONLY, 0));
	EXPECT_TRUE(stream_as(self, "w", O_WRONLY, 0));
	EXPECT_TRUE(stream_as(self, "a", O_WRONLY, 0));
	EXPECT_TRUE(stream_as(self, "r+", O_RDWR, 0));
	EXPECT_TRUE(stream_as(self, "w+", O_RDWR, 0));
	EXPECT_TRUE(stream_as(self, "a+", O_RDWR, 0));
	EXPECT_TRUE(stream_as(self, "rb+e", O_RDWR, FD_CLOEXEC));
	EXPECT_TRUE(stream_as(self, "re", O_RDONLY, FD_CLOEXEC));
	EXPECT_EQ(NULL, fopen(PATH, "wx"));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(NULL, fopen(PATH, "?"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

PT_TEST_F(entry, stdio_streams)
{
	FILE *file = fopen(PATH, "r+e");

	ASSERT_NE(NULL, file);
	EXPECT_TRUE(is_device(fileno(file)));
	EXPECT_EQ(0, fclose(file));
	file = fopen64(PATH, "r+");
	ASSERT_NE(NULL, file);
	EXPECT_TRUE(is_device(fileno(file)));
	EXPECT_EQ(0, fclose(file));
	EXPECT_EQ(NULL, fopen(NO_PATH, "r"));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

static void cannot_open(struct __test_metadata *_metadata, const char *path, int flags, int want)
{
	int fd;

	errno = 0;
	fd = open(path, flags, 0600);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(want, errno);
	if (fd >= 0)
		close(fd);
}

PT_TEST_F(entry, what_cannot_be_opened)
{
	cannot_open(_metadata, NO_PATH, O_RDWR, ENOENT);
	cannot_open(_metadata, "/dev/pto", O_RDWR, ENOENT);
	cannot_open(_metadata, "/dev/pto00", O_RDWR, ENOENT);
	cannot_open(_metadata, "/dev/pto0x", O_RDWR, ENOENT);
	cannot_open(_metadata, "/dev/pto-1", O_RDWR, ENOENT);
	cannot_open(_metadata, "/dev/pto4294967296", O_RDWR, ENOENT);
	cannot_open(_metadata, PATH, O_RDWR | O_DIRECTORY, ENOTDIR);
	cannot_open(_metadata, PATH, O_RDWR | O_CREAT | O_EXCL, EEXIST);
	cannot_open(_metadata, (char *)16, O_RDWR, EFAULT);
	cannot_open(_metadata, "", O_RDWR, ENOENT);
}

/* --- status --------------------------------------------------------------------- */

PT_TEST_F(entry, status_is_a_character_devices)
{
	struct stat by_path, by_fd, by_at;
	struct statx sx;

	ASSERT_EQ(0, stat(PATH, &by_path));
	EXPECT_TRUE(S_ISCHR(by_path.st_mode));
	ASSERT_EQ(0, fstat(self->fd, &by_fd));
	EXPECT_TRUE(S_ISCHR(by_fd.st_mode));
	EXPECT_EQ(by_path.st_rdev, by_fd.st_rdev);
	EXPECT_EQ(by_path.st_ino, by_fd.st_ino);
	ASSERT_EQ(0, lstat(PATH, &by_at));
	EXPECT_EQ(by_path.st_rdev, by_at.st_rdev);
	ASSERT_EQ(0, fstatat(AT_FDCWD, PATH, &by_at, 0));
	EXPECT_EQ(by_path.st_rdev, by_at.st_rdev);
	ASSERT_EQ(0, fstatat(self->fd, "", &by_at, AT_EMPTY_PATH));
	EXPECT_EQ(by_path.st_rdev, by_at.st_rdev);
	ASSERT_EQ(0, statx(AT_FDCWD, PATH, 0, STATX_BASIC_STATS, &sx));
	EXPECT_TRUE(S_ISCHR(sx.stx_mode));
	EXPECT_EQ(major(by_path.st_rdev), sx.stx_rdev_major);
	EXPECT_EQ(minor(by_path.st_rdev), sx.stx_rdev_minor);
	EXPECT_EQ(-1, stat(NO_PATH, &by_path));
	EXPECT_EQ(ENOENT, errno);
}

/* Each field that does not come from /dev, whichever call is asked. */
static bool is_status(const struct stat *st, unsigned int index)
{
	return st->st_mode == (S_IFCHR | 0660) && st->st_nlink == 1 && !st->st_size &&
	       !st->st_blocks && minor(st->st_rdev) == index && st->st_uid == geteuid() &&
	       st->st_gid == getegid();
}

PT_TEST_F(entry, status_of_each_device)
{
	struct stat st[2], dev, by_fd;
	struct statx sx;
	int other;

	ASSERT_EQ(0, stat("/dev", &dev));
	ASSERT_EQ(0, stat(PATH, &st[0]));
	EXPECT_TRUE(is_status(&st[0], 0));
	EXPECT_EQ(dev.st_dev, st[0].st_dev);
	ASSERT_EQ(0, fstat(self->fd, &by_fd));
	EXPECT_TRUE(is_status(&by_fd, 0));
	ASSERT_EQ(0, statx(self->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
	EXPECT_EQ(S_IFCHR | 0660, sx.stx_mode);
	EXPECT_EQ(st[0].st_ino, sx.stx_ino);
	EXPECT_EQ(1, sx.stx_nlink);
	EXPECT_EQ(0, sx.stx_size);
	EXPECT_EQ(STATX_TYPE | STATX_MODE | STATX_INO,
		  sx.stx_mask & (STATX_TYPE | STATX_MODE | STATX_INO));
	EXPECT_EQ(-1, statx(AT_FDCWD, NO_PATH, 0, STATX_BASIC_STATS, &sx));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, stat(PATH "/x", &st[1]));
	EXPECT_EQ(ENOTDIR, errno);
	/* The runner promises two. */
	if (stat("/dev/pto1", &st[1]))
		return;
	EXPECT_TRUE(is_status(&st[1], 1));
	EXPECT_NE(st[0].st_ino, st[1].st_ino);
	other = open("/dev/pto1", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, fstat(other, &by_fd));
	EXPECT_EQ(st[1].st_rdev, by_fd.st_rdev);
	EXPECT_EQ(st[1].st_ino, by_fd.st_ino);
	close(other);
}

PT_TEST_F(entry, access_and_names)
{
	char resolved[PATH_MAX];

	EXPECT_EQ(0, access(PATH, F_OK));
	EXPECT_EQ(0, access(PATH, R_OK | W_OK));
	EXPECT_EQ(0, faccessat(AT_FDCWD, PATH, R_OK, 0));
	EXPECT_EQ(-1, access(NO_PATH, F_OK));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, access(PATH, R_OK | X_OK));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, faccessat(AT_FDCWD, PATH, X_OK, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, readlink(PATH, resolved, sizeof(resolved)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, readlink(NO_PATH, resolved, sizeof(resolved)));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(NULL, realpath(NO_PATH, resolved));
	EXPECT_EQ(ENOENT, errno);
	ASSERT_NE(NULL, realpath("/dev/../dev/pto0", resolved));
	EXPECT_STREQ(PATH, resolved);
	EXPECT_EQ(0, isatty(self->fd));
	EXPECT_EQ(ENOTTY, errno);
}

/* --- closing -------------------------------------------------------------------- */

static bool closed_by(FIXTURE_DATA(entry) *self, int way)
{
	int fd = open(PATH, O_RDWR | O_CLOEXEC), null;

	if (!is_device(fd))
		return false;
	switch (way) {
	case 0:
		close(fd);
		break;
	case 1:
		close_range(fd, fd, 0);
		break;
	case 2:
		syscall(SYS_close, fd);
		break;
	case 3:
		syscall(SYS_close_range, fd, fd, 0);
		break;
	case 4:
		raw_close(fd);
		break;
	case 5:
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, fd);
		close(null);
		close(fd);
		break;
	default:
		return false;
	}
	return !pt_usage_settles(self->fd, &self->base, NULL) && fcntl(fd, F_GETFD) < 0;
}

PT_TEST_F(entry, every_way_to_close)
{
	int way;

	for (way = 0; way <= 5; way++) {
		EXPECT_TRUE(closed_by(self, way)) {
			TH_LOG("way %d", way);
		}
	}
}

PT_TEST_F(entry, number_reused_behind_its_back)
{
	int fd, null, i;
	char byte;

	for (i = 0; i < 3; i++) {
		fd = open(PATH, O_RDWR | O_CLOEXEC);
		ASSERT_TRUE(is_device(fd));
		if (raw_close(fd) == -ENOSYS)
			SKIP(return, "no raw system calls on this architecture");
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		ASSERT_EQ(fd, null);
		EXPECT_EQ(0, read(null, &byte, 1));
		EXPECT_EQ(1, write(null, &byte, 1));
		EXPECT_EQ(-ENOTTY, pt_ioctl(null, PTO_QUERY, NULL));
		EXPECT_EQ(0, close(null));
	}
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, NULL));
}

/* A daemon closes all it does not know. What the simulator keeps for itself must survive. */
PT_TEST_F(entry, daemon_closes_everything)
{
	int status;
	pid_t child = fork();

	ASSERT_GE(child, 0);
	if (!child) {
		closefrom(3);
		_exit(runs(open(PATH, O_RDWR)) ? 0 : 1);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	closefrom(3);
	self->fd = open(PATH, O_RDWR);
	EXPECT_TRUE(runs(self->fd));
}

/* The same one by one, with other files in their place. */
PT_TEST_F(entry, every_number_is_used_again)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	ASSERT_TRUE(runs(self->fd));
	for (fd = 3; fd < 4096; fd++) {
		if (fd == null || fd == self->fd || fcntl(fd, F_GETFD) < 0)
			continue;
		if (dup2(null, fd) < 0)
			EXPECT_EQ(EBUSY, errno);
		if (dup3(null, fd, O_CLOEXEC) < 0)
			EXPECT_EQ(EBUSY, errno);
	}
	EXPECT_TRUE(runs(self->fd));
}

/* The descriptor of the simulator's memory that allows @accmode; -1 if there is none. */
static int memory_fd(int accmode)
{
	char path[32], name[64];
	ssize_t length;
	int fd;

	for (fd = 3; fd < 4096; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, name, sizeof(name) - 1);
		if (length < 0)
			continue;
		name[length] = '\0';
		if (strstr(name, "pto-window") && (fcntl(fd, F_GETFL) & O_ACCMODE) == accmode)
			return fd;
	}
	return -1;
}

/* The simulator's own descriptors are not the application's to close or to replace. */
PT_TEST_F(entry, its_own_descriptors_stay)
{
	int number = memory_fd(O_RDWR), file = memfd_create("mine", MFD_CLOEXEC);

	ASSERT_LE(0, number);
	ASSERT_LE(0, file);
	EXPECT_EQ(-1, close(number));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, syscall(SYS_close, number));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, dup2(file, number));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, dup3(file, number, O_CLOEXEC));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, close_range(number, number, 0));
	EXPECT_EQ(number, memory_fd(O_RDWR));
	/* What is around them goes. */
	ASSERT_EQ(number + 40, fcntl(file, F_DUPFD_CLOEXEC, number + 40));
	EXPECT_EQ(0, close_range(number - 1, number + 40, 0));
	EXPECT_EQ(-1, fcntl(number + 40, F_GETFD));
	EXPECT_EQ(number, memory_fd(O_RDWR));
	EXPECT_TRUE(runs(self->fd));
	close(file);
}

/* The same where numbers are high: the table of what is known has more than one part. */
static int own_descriptors_stay_high(void)
{
	struct rlimit limit;
	int fd, number;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 4096;
	if (limit.rlim_max < 4096 || setrlimit(RLIMIT_NOFILE, &limit))
		return 77;
	fd = open(PATH, O_RDWR | O_CLOEXEC);
	number = memory_fd(O_RDWR);
	if (fd < 0 || number < 1024)
		return 1;
	if (dup2(fd, 2000) != 2000 || close_range(1500, ~0u, 0) || fcntl(2000, F_GETFD) >= 0)
		return 2;
	return number == memory_fd(O_RDWR) && runs(fd) ? 0 : 3;
}

PT_TEST_F(entry, its_own_descriptors_stay_where_numbers_are_high)
{
	int status;
	pid_t child = fork();

	ASSERT_GE(child, 0);
	if (!child)
		_exit(own_descriptors_stay_high());
	ASSERT_EQ(child, waitpid(child, &status, 0));
	if (WEXITSTATUS(status) == 77)
		SKIP(return, "fewer than 4096 descriptors");
	EXPECT_EQ(0, status);
}

/* A child has none of them: its parent's memory is not kept by it. */
PT_TEST_F(entry, child_has_none_of_its_parents)
{
	int status;
	pid_t child;

	ASSERT_LE(0, memory_fd(O_RDWR));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child)
		_exit(memory_fd(O_RDWR) < 0 && memory_fd(O_RDONLY) < 0 ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

/*
 * In a child: the memory's descriptor is closed by code, and its number is a file's. Nothing is
 * written to that, and nothing of it is shown. Return: 0, or which step went wrong
 */
static int memory_number_reused(int accmode)
{
	char bytes[8192], byte = 0;
	int file = memfd_create("mine", MFD_CLOEXEC), fd, number, i;
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 4096 };
	void *map;

	memset(bytes, 'm', sizeof(bytes));
	fd = open(PATH, accmode | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "# open: %s\n", strerror(errno));
		return 1;
	}
	if (!is_device(fd))
		return 6;
	number = memory_fd(accmode);
	if (number < 0)
		return 7;
	if (file < 0 || write(file, bytes, sizeof(bytes)) != sizeof(bytes))
		return 8;
	if (pt_ioctl(fd, PTO_BO_CREATE, &create))
		return 2;
	if (raw_call(SYS_dup2, file, number) != number)
		return 3;
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, create.mmap_offset);
	if (map != MAP_FAILED || errno != EBADF)
		return 4;
	pt_bo_destroy(fd, create.id);
	for (i = 0; i < 3; i++)
		(void)pt_ioctl(fd, PTO_BO_CREATE, &create);
	for (i = 0; i < (int)sizeof(bytes); i++)
		if (pread(file, &byte, 1, i) != 1 || byte != 'm')
			return 5;
	return 0;
}

PT_TEST_F(entry, number_of_its_memory_reused)
{
	static const int modes[] = { O_RDWR, O_RDONLY };
	int status, i;
	pid_t child;

	if (raw_close(-1) == -ENOSYS)
		SKIP(return, "no raw system calls on this architecture");
	for (i = 0; i < 2; i++) {
		child = fork();
		ASSERT_GE(child, 0);
		if (!child)
			_exit(memory_number_reused(modes[i]));
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, WEXITSTATUS(status)) {
			TH_LOG("mode %d", i);
		}
	}
}

/* --- reading, writing, mapping -------------------------------------------------- */

PT_TEST_F(entry, cannot_be_read_or_written)
{
	char bytes[8] = "";
	struct iovec iov = { bytes, sizeof(bytes) };

	EXPECT_EQ(-1, read(self->fd, bytes, sizeof(bytes)));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, write(self->fd, bytes, sizeof(bytes)));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, readv(self->fd, &iov, 1));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, writev(self->fd, &iov, 1));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, __read_chk(self->fd, bytes, sizeof(bytes), sizeof(bytes)));
	EXPECT_EQ(EINVAL, errno);
}

/* Whoever may not write is told so before it is told that nobody can. */
PT_TEST_F(entry, read_and_written_as_it_was_opened)
{
	static const int modes[] = { O_RDONLY, O_WRONLY };
	struct iovec iov;
	char bytes[8] = "";
	int fd, i;

	iov = (struct iovec){ bytes, sizeof(bytes) };
	for (i = 0; i < 2; i++) {
		fd = open(PATH, modes[i] | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-1, read(fd, bytes, sizeof(bytes)));
		EXPECT_EQ(i ? EBADF : EINVAL, errno);
		EXPECT_EQ(-1, readv(fd, &iov, 1));
		EXPECT_EQ(i ? EBADF : EINVAL, errno);
		EXPECT_EQ(-1, write(fd, bytes, sizeof(bytes)));
		EXPECT_EQ(i ? EINVAL : EBADF, errno);
		EXPECT_EQ(-1, writev(fd, &iov, 1));
		EXPECT_EQ(i ? EINVAL : EBADF, errno);
		close(fd);
	}
}

PT_TEST_F(entry, foreign_ioctls_are_the_kernels)
{
	int value = 0;

	EXPECT_EQ(-ENOTTY, pt_ioctl(self->fd, FIONREAD, &value));
	EXPECT_EQ(-ENOTTY, pt_ioctl(self->fd, TIOCGWINSZ, &value));
	EXPECT_EQ(0, pt_ioctl(self->fd, FIONCLEX, NULL));
	EXPECT_EQ(0, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(0, pt_ioctl(self->fd, FIOCLEX, NULL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	value = 1;
	EXPECT_EQ(0, pt_ioctl(self->fd, FIONBIO, &value));
	EXPECT_EQ(O_NONBLOCK, fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(-EBADF, pt_ioctl(-1, PTO_QUERY, NULL));
	EXPECT_EQ(-EBADF, pt_ioctl(INT_MAX, PTO_QUERY, NULL));
}

/* --- polling -------------------------------------------------------------------- */

PT_TEST_F(entry, every_way_to_poll)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	struct pollfd fds[2] = { { .events = POLLIN | POLLOUT }, { .events = POLLIN } };
	struct timespec none = { 0 };
	fd_set readable, writable;
	uint64_t id;
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	fds[0].fd = self->fd;
	fds[1].fd = pipefd[0];
	EXPECT_EQ(0, poll(fds, 2, 0));
	EXPECT_EQ(0, ppoll(fds, 2, &none, NULL));
	EXPECT_EQ(0, __poll_chk(fds, 2, 0, sizeof(fds)));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &empty, NULL));
	ASSERT_EQ(0, pt_submit(self->fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &id));
	EXPECT_EQ(1, poll(fds, 2, 60000));
	EXPECT_EQ(POLLIN, fds[0].revents);
	EXPECT_EQ(0, fds[1].revents);
	EXPECT_EQ(1, ppoll(fds, 2, &none, NULL));
	EXPECT_EQ(1, __poll_chk(fds, 2, 0, sizeof(fds)));
	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(self->fd, &readable);
	FD_SET(self->fd, &writable);
	EXPECT_EQ(1, pselect(self->fd + 1, &readable, &writable, NULL, &none, NULL));
	EXPECT_TRUE(FD_ISSET(self->fd, &readable));
	EXPECT_FALSE(FD_ISSET(self->fd, &writable));
	EXPECT_EQ(1, write(pipefd[1], "", 1));
	EXPECT_EQ(2, poll(fds, 2, 60000));
	EXPECT_EQ(POLLIN, fds[1].revents);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	EXPECT_EQ(1, poll(fds, 2, 0));
	EXPECT_EQ(0, fds[0].revents);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* Where the answer cannot be written there is none. */
PT_TEST_F(entry, poll_into_what_cannot_be_written)
{
	struct pollfd *fds = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);

	ASSERT_NE(MAP_FAILED, fds);
	fds->fd = self->fd;
	fds->events = POLLIN;
	ASSERT_EQ(0, mprotect(fds, 4096, PROT_READ));
	EXPECT_EQ(-1, poll(fds, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	munmap(fds, 4096);
}

/* --- everything else ------------------------------------------------------------ */

PT_TEST_F(entry, errno_is_left_alone)
{
	struct pto_device_info info;
	struct pollfd pollfd = { .fd = self->fd, .events = POLLIN };
	struct pto_ioc_bo_create bo = { .size = sizeof(bo), .length = 4096 };
	struct stat st;
	void *map;
	int fd;

	errno = 77;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(77, errno);
	close(fd);
	EXPECT_EQ(77, errno);
	fd = open(PATH, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, pt_info(fd, &info));
	EXPECT_EQ(0, pt_ioctl(fd, PTO_BO_CREATE, &bo));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, stat(PATH, &st));
	EXPECT_EQ(0, access(PATH, R_OK));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	EXPECT_EQ(77, errno);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, bo.mmap_offset);
	EXPECT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, mprotect(map, 4096, PROT_NONE));
	EXPECT_EQ(0, munmap(map, 4096));
	EXPECT_EQ(77, errno);
	free(realpath(PATH, NULL));
	EXPECT_EQ(77, errno);
	close(dup(fd));
	close(fd);
	EXPECT_EQ(77, errno);
}

/* In a directory of its own @dir, whose name is a pattern. */
static void file_of_that_name(struct __test_metadata *_metadata, char *dir)
{
	char path[64], byte = 0;
	struct stat st;
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pto1", dir);
	EXPECT_EQ(-1, open(path, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(ENOENT, errno);
	snprintf(path, sizeof(path), "%s/pto0", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(1, pread(fd, &byte, 1, 0));
	EXPECT_EQ('x', byte);
	EXPECT_EQ(-ENOTTY, pt_ioctl(fd, PTO_QUERY, NULL));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_TRUE(S_ISREG(st.st_mode));
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* A file of that name elsewhere is just a file, also below /dev. */
PT_TEST_F(entry, other_files_are_not_touched)
{
	char tmp[] = "/tmp/pto-selftest-XXXXXX", dev[] = "/dev/selftest-XXXXXX";

	file_of_that_name(_metadata, tmp);
	if (!access("/dev", W_OK))
		file_of_that_name(_metadata, dev);
}

PT_TEST_F(entry, spawned_programs_run)
{
	char * const argv[] = { "sh", "-c", "exit 5", NULL };
	int status;
	pid_t child;

	ASSERT_EQ(0, posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(5, WEXITSTATUS(status));
	EXPECT_TRUE(is_device(self->fd));
}

/* A child that uses what is not its own is told so, once, in words. */
PT_TEST_F(entry, stranger_gets_a_line_of_explanation)
{
	struct pto_device_info info;
	char text[512] = "", owner[32], *newline;
	int pipefd[2], status, value;
	ssize_t length;
	pid_t child;

	ASSERT_EQ(0, pipe(pipefd));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		dup2(pipefd[1], STDERR_FILENO);
		_exit(pt_info(self->fd, &info) == -ENODEV && pt_info(self->fd, &info) == -ENODEV &&
		      pt_ioctl(self->fd, FIONREAD, &value) == -ENODEV &&
		      read(self->fd, text, 1) == -1 && errno == EINVAL ? 0 : 1);
	}
	close(pipefd[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	length = read(pipefd[0], text, sizeof(text) - 1);
	EXPECT_GT(length, 0);
	snprintf(owner, sizeof(owner), "process %d;", (int)getpid());
	EXPECT_TRUE(!!strstr(text, owner)) {
		TH_LOG("'%s'", text);
	}
	newline = strchr(text, '\n');
	EXPECT_TRUE(newline && !newline[1]);
	close(pipefd[0]);
}

TEST_HARNESS_MAIN
