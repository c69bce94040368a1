// SPDX-License-Identifier: GPL-2.0
/*
 * Core files, forks, locked memory and limits of a process: what they see of a device is in
 * proportion to what is allocated. The simulator says which limit is too small for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

/* Far above what these programs need, and below the memory of any device here. */
#define MUCH (512 * MIB)

/* A sanitizer maps terabytes, and makes a call that would lock them do nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NO_SANITIZER "a sanitizer's own mappings are larger than the limit"
#else
#define NO_SANITIZER NULL
#endif

static const struct pt_callable empty = { .orch = "orch_empty" };

/* The fixture opens no device: a limit has to be there before. */
FIXTURE(limits) {
	int fd;
	int said;
};

FIXTURE_SETUP(limits)
{
	/* (The simulator reads its variables when it is first asked.) */
	self->fd = pt_simulator() ? 0 : access("/dev/pto0", F_OK);
	PT_NEED(self->fd, 0);
	self->said = memfd_create("stderr", MFD_CLOEXEC);
	/* Where somebody does populate all of it, it had better be no more than this. */
	setenv("PTO_SIM_MEMORY", "1G", 1);
}

FIXTURE_TEARDOWN(limits)
{
}

/* Return: does a device work? */
static bool works(int fd)
{
	return fd >= 0 && !pt_prepare(fd, 0, &empty, NULL) && !pt_run(fd, 0, NULL, 0);
}

static int open_device(void)
{
	return open("/dev/pto0", O_RDWR | O_CLOEXEC);
}

/* Opens a device; what it says on standard error goes to self->said. */
static int open_and_hear(FIXTURE_DATA(limits) *self)
{
	int old = dup(STDERR_FILENO), fd, saved;

	dup2(self->said, STDERR_FILENO);
	fd = open_device();
	saved = errno;
	dup2(old, STDERR_FILENO);
	close(old);
	errno = saved;
	return fd;
}

static bool has_said(FIXTURE_DATA(limits) *self, const char *what)
{
	char text[1024];
	ssize_t length = pread(self->said, text, sizeof(text) - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
	return strstr(text, what);
}

static void limit(int resource, uint64_t value)
{
	struct rlimit new = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit(resource, &new))
		abort();
}

/**
 * struct seen - what the kernel sees of the process, in bytes
 * @dumped: what a core file would have
 * @shared: mappings that are shared
 * @present: as much of them as exists
 * @locked: as much of them as is locked
 * @counted: as much of them as RLIMIT_MEMLOCK counts, which need not exist
 * @own_locked: as much of the others as is locked
 */
struct seen {
	uint64_t dumped;
	uint64_t shared;
	uint64_t present;
	uint64_t locked;
	uint64_t counted;
	uint64_t own_locked;
};

/* Adds a mapping, at the last line that smaps has about it. */
static void add(struct seen *seen, const char *flags, uint64_t size, uint64_t rss, uint64_t locked)
{
	bool shared = strstr(flags, " sh");

	if (shared) {
		seen->shared += size;
		seen->present += rss;
		seen->locked += locked;
		seen->counted += strstr(flags, " lo") ? size : 0;
	} else {
		seen->own_locked += locked;
	}
	/* Every page of a shared mapping is brought in for it; of a private one, what is there. */
	if (!strstr(flags, " dd"))
		seen->dumped += shared ? size : rss;
}

/* A line "NAME   N kB" */
static void read_field(const char *line, const char *name, uint64_t *bytes)
{
	size_t length = strlen(name);

	if (!strncmp(line, name, length))
		*bytes = strtoull(line + length, NULL, 10) << 10;
}

static struct seen look(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uint64_t size = 0, rss = 0, locked = 0;
	struct seen seen = { 0 };
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		read_field(line, "Size:", &size);
		read_field(line, "Rss:", &rss);
		read_field(line, "Locked:", &locked);
		if (!strncmp(line, "VmFlags:", 8))
			add(&seen, line, size, rss, locked);
	}
	if (!smaps || fclose(smaps) || !seen.dumped)
		abort();
	return seen;
}

/* A device in use: 64 MiB of a buffer are mapped, 4 MiB of them touched. */
static int device_in_use(void)
{
	int fd = open_device();
	struct pt_buf buf;

	if (!works(fd) || pt_buf_new(fd, 64 * MIB, &buf))
		return -1;
	memset(buf.map, 1, 4 * MIB);
	return fd;
}

PT_TEST_F(limits, core_file)
{
	unsetenv("PTO_SIM_MEMORY");
	ASSERT_LE(0, device_in_use());
	EXPECT_GT(MUCH, look().dumped);
}

PT_TEST_F(limits, child)
{
	int status;
	pid_t child;

	unsetenv("PTO_SIM_MEMORY");
	ASSERT_LE(0, device_in_use());
	child = fork();
	if (!child)
		_exit(look().shared < MUCH ? 0 : 1);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

PT_TEST_F(limits, locked_when_a_device_is_open)
{
	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	ASSERT_LE(0, device_in_use());
	if (mlockall(MCL_CURRENT) && (errno == EPERM || errno == ENOMEM))
		SKIP(return, "this user may not lock so much memory");
	EXPECT_GT(MUCH, look().locked);
	EXPECT_GT(MUCH, look().counted);
	EXPECT_GT(MUCH, look().present);
	EXPECT_LT(0, look().own_locked);
	EXPECT_EQ(0, munlockall());
	ASSERT_EQ(0, syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE));
	EXPECT_GT(MUCH, look().locked);
	EXPECT_GT(MUCH, look().counted);
	EXPECT_GT(MUCH, look().present);
	/* But what is private has been. */
	EXPECT_LT(0, look().own_locked);
	EXPECT_EQ(0, munlockall());
	EXPECT_EQ(0, look().own_locked);
}

PT_TEST_F(limits, locked_before_a_device_is_open)
{
	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	if (mlockall(MCL_FUTURE) || mlockall(MCL_CURRENT | MCL_FUTURE))
		SKIP(return, "this user may not lock so much memory");
	ASSERT_LE(0, device_in_use());
	EXPECT_GT(MUCH, look().locked);
	EXPECT_GT(MUCH, look().counted);
	EXPECT_GT(MUCH, look().present);
}

/* The driver locks none of its areas, and refuses nothing. */
PT_TEST_F(limits, locked_buffers)
{
	int fd = open_device();
	struct pt_buf buf;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pt_buf_new(fd, 16 * MIB, &buf));
	EXPECT_EQ(0, mlock(buf.map, 16 * MIB));
	EXPECT_EQ(0, mlock2(buf.map, 16 * MIB, MLOCK_ONFAULT));
	EXPECT_EQ(0, look().locked);
	EXPECT_EQ(-1, mlock2(buf.map, 16 * MIB, 64));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, munlock(buf.map, 16 * MIB));
}

/* Who may lock little, and has everything locked, hears of it. */
PT_TEST_F(limits, memlock_is_named)
{
	struct rlimit least = { .rlim_cur = 0, .rlim_max = 8 * MIB };

	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	if (geteuid() || setrlimit(RLIMIT_MEMLOCK, &least) || mlockall(MCL_FUTURE) ||
	    setresuid(65534, 65534, 65534))
		SKIP(return, "this user may lock too much, or too little");
	EXPECT_EQ(-1, open_and_hear(self));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(has_said(self, "RLIMIT_MEMLOCK is 0 bytes"));
}

/* No signal, and less memory. */
PT_TEST_F(limits, size_of_files)
{
	unsetenv("PTO_SIM_MEMORY");
	limit(RLIMIT_FSIZE, GIB);
	EXPECT_TRUE(works(open_and_hear(self)));
	EXPECT_EQ(pt_simulator(), has_said(self, "RLIMIT_FSIZE is 1073741824 bytes"));
}

PT_TEST_F(limits, size_of_files_is_named)
{
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	limit(RLIMIT_FSIZE, GIB - 4096);
	EXPECT_EQ(-1, open_and_hear(self));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_TRUE(has_said(self, "RLIMIT_FSIZE is 1073737728 bytes"));
}

PT_TEST_F(limits, size_of_addresses)
{
	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	unsetenv("PTO_SIM_MEMORY");
	limit(RLIMIT_AS, 4 * GIB);
	EXPECT_TRUE(works(open_and_hear(self)));
	EXPECT_EQ(pt_simulator(), has_said(self, "RLIMIT_AS is 4294967296 bytes"));
}

PT_TEST_F(limits, size_of_addresses_is_named)
{
	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	limit(RLIMIT_AS, GIB);
	EXPECT_EQ(-1, open_and_hear(self));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_TRUE(has_said(self, "RLIMIT_AS is 1073741824 bytes"));
}

/* A few descriptors will do. */
PT_TEST_F(limits, descriptors)
{
	limit(RLIMIT_NOFILE, 20);
	EXPECT_TRUE(works(open_device()));
}

PT_TEST_F(limits, descriptors_are_named)
{
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	dup2(self->said, 4);
	self->said = 4;
	limit(RLIMIT_NOFILE, 7);
	close_range(5, ~0U, 0);
	EXPECT_EQ(-1, open_and_hear(self));
	EXPECT_EQ(EMFILE, errno);
	EXPECT_TRUE(has_said(self, "RLIMIT_NOFILE is 7 descriptors"));
}

/* Root's threads are not counted, so this is for somebody else. */
PT_TEST_F(limits, threads_are_named)
{
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	if (!geteuid() && setresuid(65534, 65534, 65534))
		SKIP(return, "this root cannot become somebody else");
	limit(RLIMIT_NPROC, 1);
	EXPECT_EQ(-1, open_and_hear(self));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_TRUE(has_said(self, "RLIMIT_NPROC is 1 processes and threads"));
}

/* Whether it is the stack of a thread or something else that there is no room for */
PT_TEST_F(limits, size_of_data_is_named)
{
	static const uint64_t sizes[] = { 1 * MIB, 4 * MIB, 8 * MIB, 12 * MIB };
	int status, i;
	pid_t child;

	if (NO_SANITIZER)
		SKIP(return, NO_SANITIZER);
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	for (i = 0; i < 4; i++) {
		child = fork();
		if (!child) {
			limit(RLIMIT_DATA, sizes[i]);
			if (open_and_hear(self) >= 0)
				_exit(0);
			_exit(errno == ENOMEM || errno == EAGAIN ? 1 : 2);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status & ~W_EXITCODE(1, 0)) {
			TH_LOG("%d MiB: status %x", (int)(sizes[i] >> 20), status);
		}
		if (status)
			EXPECT_TRUE(has_said(self, "RLIMIT_DATA is"));
		if (!i)
			EXPECT_EQ(W_EXITCODE(1, 0), status);
		ASSERT_EQ(0, ftruncate(self->said, 0));
		lseek(self->said, 0, SEEK_SET);
	}
}

static int prepare_image(int fd, uint32_t image, char *text, size_t size)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = -1,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = image,
		.kernel_stride = sizeof(struct pto_kernel),
		.log_ptr = (uintptr_t)text,
		.log_size = (uint32_t)size,
	};
	int err;

	text[0] = '\0';
	err = pt_ioctl(fd, PTO_PREPARE, &arg);
	return err ? err : arg.cid;
}

/* Where the simulator lacks descriptors for it, preparing fails, says why, and can be repeated. */
PT_TEST_F(limits, descriptors_are_used_up)
{
	struct pto_ioc_image_create image;
	int fd = open_device(), all[64], count = 0, left, cid;
	char text[256];

	ASSERT_EQ(0, pt_image(fd, "orch_empty", &image));
	limit(RLIMIT_NOFILE, 64);
	while (count < 64 && (all[count] = dup(fd)) >= 0)
		count++;
	EXPECT_EQ(EMFILE, errno);
	for (left = 0; left < 4; left++) {
		cid = prepare_image(fd, image.id, text, sizeof(text));
		if (pt_simulator() && left < 2) {
			EXPECT_EQ(-ENOMEM, cid);
			EXPECT_NE(NULL, strstr(text, "Too many open files (RLIMIT_NOFILE)")) {
				TH_LOG("%d left: %s", left, text);
			}
		} else {
			EXPECT_LE(0, cid) {
				TH_LOG("%d left: %s", left, text);
			}
		}
		ASSERT_EQ(0, close(all[--count]));
	}
}

TEST_HARNESS_MAIN
