// SPDX-License-Identifier: GPL-2.0
/*
 * What the driver does not have: reading, writing, splicing, and everything that is for sockets. It
 * fails at once, with the same error on the simulator and on a kernel. None of it ends a context.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "pttest.h"

FIXTURE(refused) {
	int fd;
	int pipe[2];	/* with a byte in it, without waiting */
	int file;	/* with a page in it */
};

FIXTURE_SETUP(refused)
{
	static char page[4096];

	self->fd = -1;
	PT_OPEN(self->fd, 0);
	self->file = memfd_create("file", MFD_CLOEXEC);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(4096, pwrite(self->file, page, sizeof(page), 0));
}

FIXTURE_TEARDOWN(refused)
{
	if (self->fd >= 0)
		close(self->fd);
}

static char bytes[16];
static struct iovec iov = { bytes, sizeof(bytes) };
static struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
static struct mmsghdr messages[1] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static socklen_t addr_size = sizeof(addr);
static int value;
static socklen_t value_size = sizeof(value);

#define ADDR ((struct sockaddr *)&addr)

/* EXPECT_FAILS() - with this error */
#define EXPECT_FAILS(error, call) do { \
	errno = 0; \
	EXPECT_EQ(-1, (long)(call)); \
	EXPECT_EQ(error, errno) { \
		TH_LOG("%s: %s", #call, strerror(errno)); \
	} \
} while (0)

/* Does the context still work? */
#define EXPECT_WORKS(fd) do { \
	struct pto_context_stats stats_; \
	EXPECT_EQ(0, pt_stats(fd, &stats_)); \
	EXPECT_EQ(PTO_CTX_OK, stats_.state); \
} while (0)

PT_TEST_F(refused, reading)
{
	int fd = self->fd, closed = open("/dev/pto0", O_WRONLY | O_CLOEXEC);

	EXPECT_FAILS(EINVAL, read(fd, bytes, 1));
	EXPECT_FAILS(EINVAL, readv(fd, &iov, 1));
	EXPECT_FAILS(ESPIPE, pread(fd, bytes, 1, 0));
	EXPECT_FAILS(ESPIPE, pread64(fd, bytes, 1, 0));
	EXPECT_FAILS(ESPIPE, preadv(fd, &iov, 1, 0));
	EXPECT_FAILS(ESPIPE, preadv64(fd, &iov, 1, 0));
	EXPECT_FAILS(ESPIPE, preadv2(fd, &iov, 1, 0, 0));
	EXPECT_FAILS(EINVAL, preadv2(fd, &iov, 1, -1, 0));
	EXPECT_FAILS(EINVAL, preadv64v2(fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_FAILS(ESPIPE, syscall(SYS_pread64, fd, bytes, 1L, 0L));
	EXPECT_FAILS(ESPIPE, syscall(SYS_preadv, fd, &iov, 1L, 0L, 0L));
	EXPECT_FAILS(EINVAL, syscall(SYS_preadv2, fd, &iov, 1L, -1L, -1L, 0L));
	EXPECT_FAILS(ESPIPE, pread(closed, bytes, 1, 0));
	EXPECT_FAILS(EBADF, preadv2(closed, &iov, 1, -1, 0));
	EXPECT_WORKS(fd);
	close(closed);
}

PT_TEST_F(refused, writing)
{
	int fd = self->fd, closed = open("/dev/pto0", O_RDONLY | O_CLOEXEC);

	EXPECT_FAILS(EINVAL, write(fd, bytes, 1));
	EXPECT_FAILS(EINVAL, writev(fd, &iov, 1));
	EXPECT_FAILS(ESPIPE, pwrite(fd, bytes, 1, 0));
	EXPECT_FAILS(ESPIPE, pwrite64(fd, bytes, 1, 0));
	EXPECT_FAILS(ESPIPE, pwritev(fd, &iov, 1, 0));
	EXPECT_FAILS(ESPIPE, pwritev64(fd, &iov, 1, 0));
	EXPECT_FAILS(ESPIPE, pwritev2(fd, &iov, 1, 0, 0));
	EXPECT_FAILS(EINVAL, pwritev2(fd, &iov, 1, -1, 0));
	EXPECT_FAILS(EINVAL, pwritev64v2(fd, &iov, 1, -1, 0));
	EXPECT_FAILS(ESPIPE, syscall(SYS_pwrite64, fd, bytes, 1L, 0L));
	EXPECT_FAILS(ESPIPE, syscall(SYS_pwritev, fd, &iov, 1L, 0L, 0L));
	EXPECT_FAILS(EINVAL, syscall(SYS_pwritev2, fd, &iov, 1L, -1L, -1L, 0L));
	EXPECT_FAILS(EINVAL, dprintf(fd, "%d\n", 1));
	EXPECT_FAILS(ESPIPE, pwrite(closed, bytes, 1, 0));
	EXPECT_FAILS(EBADF, pwritev2(closed, &iov, 1, -1, 0));
	EXPECT_WORKS(fd);
	close(closed);
}

PT_TEST_F(refused, from_one_to_another)
{
	int fd = self->fd;
	off64_t offset = 0;

	EXPECT_FAILS(EINVAL, splice(fd, NULL, self->pipe[1], NULL, 1, 0));
	EXPECT_FAILS(EINVAL, splice(self->pipe[0], NULL, fd, NULL, 1, 0));
	EXPECT_FAILS(EINVAL, syscall(SYS_splice, fd, NULL, self->pipe[1], NULL, 1, 0));
	EXPECT_FAILS(EINVAL, sendfile(fd, self->file, NULL, 1));
	EXPECT_FAILS(EINVAL, sendfile64(self->pipe[1], fd, NULL, 1));
	EXPECT_FAILS(EINVAL, syscall(SYS_sendfile, fd, self->file, NULL, 1));
	EXPECT_FAILS(EINVAL, copy_file_range(fd, NULL, self->file, &offset, 1, 0));
	EXPECT_FAILS(EINVAL, copy_file_range(self->file, &offset, fd, NULL, 1, 0));
	EXPECT_FAILS(EINVAL, tee(fd, self->pipe[1], 1, 0));
	EXPECT_FAILS(EINVAL, tee(self->pipe[0], fd, 1, 0));
	EXPECT_FAILS(EBADF, vmsplice(fd, &iov, 1, 0));
	EXPECT_WORKS(fd);
}

PT_TEST_F(refused, as_a_file)
{
	int fd = self->fd;

	EXPECT_FAILS(ESPIPE, lseek(fd, 0, SEEK_SET));
	EXPECT_FAILS(EINVAL, fsync(fd));
	EXPECT_FAILS(EINVAL, fdatasync(fd));
	EXPECT_FAILS(EINVAL, ftruncate(fd, 0));
	EXPECT_FAILS(ENODEV, fallocate(fd, 0, 0, 1));
	EXPECT_FAILS(EINVAL, readahead(fd, 0, 1));
	EXPECT_FAILS(ESPIPE, sync_file_range(fd, 0, 1, 0));
	EXPECT_WORKS(fd);
}

PT_TEST_F(refused, as_a_socket)
{
	int fd = self->fd;

	EXPECT_FAILS(ENOTSOCK, shutdown(fd, SHUT_RDWR));
	EXPECT_WORKS(fd);
	EXPECT_FAILS(ENOTSOCK, send(fd, bytes, 1, 0));
	EXPECT_FAILS(ENOTSOCK, sendto(fd, bytes, 1, 0, NULL, 0));
	EXPECT_FAILS(ENOTSOCK, sendmsg(fd, &message, 0));
	EXPECT_FAILS(ENOTSOCK, sendmmsg(fd, messages, 1, 0));
	EXPECT_FAILS(ENOTSOCK, recv(fd, bytes, 1, 0));
	EXPECT_FAILS(ENOTSOCK, recvfrom(fd, bytes, 1, 0, NULL, NULL));
	EXPECT_FAILS(ENOTSOCK, recvmsg(fd, &message, 0));
	EXPECT_FAILS(ENOTSOCK, recvmmsg(fd, messages, 1, 0, NULL));
	EXPECT_FAILS(ENOTSOCK, getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &value_size));
	EXPECT_FAILS(ENOTSOCK, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, value_size));
	EXPECT_FAILS(ENOTSOCK, getsockname(fd, ADDR, &addr_size));
	EXPECT_FAILS(ENOTSOCK, getpeername(fd, ADDR, &addr_size));
	EXPECT_FAILS(ENOTSOCK, bind(fd, ADDR, sizeof(addr)));
	EXPECT_FAILS(ENOTSOCK, connect(fd, ADDR, sizeof(addr)));
	EXPECT_FAILS(ENOTSOCK, listen(fd, 1));
	EXPECT_FAILS(ENOTSOCK, accept(fd, NULL, NULL));
	EXPECT_FAILS(ENOTSOCK, accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	EXPECT_FAILS(ENOTSOCK, syscall(SYS_shutdown, fd, SHUT_RDWR));
	EXPECT_FAILS(ENOTSOCK, syscall(SYS_sendto, fd, bytes, 1, 0, NULL, 0));
	EXPECT_FAILS(ENOTSOCK, syscall(SYS_recvfrom, fd, bytes, 1, 0, NULL, NULL));
	EXPECT_WORKS(fd);
}

/* Streams: of fopen() and of fdopen() */
PT_TEST_F(refused, streams)
{
	FILE *stream = fopen("/dev/pto0", "r+e");
	struct pto_device_usage base;
	int i, fd, other;

	ASSERT_NE(NULL, stream);
	fclose(stream);
	ASSERT_EQ(0, pt_usage(self->fd, &base));
	for (i = 0; i < 2; i++) {
		stream = i ? fdopen(open("/dev/pto0", O_RDWR | O_CLOEXEC), "r+") :
			     fopen("/dev/pto0", "r+e");
		ASSERT_NE(NULL, stream);
		fd = fileno(stream);
		EXPECT_WORKS(fd);
		EXPECT_FAILS(EINVAL, fgetc(stream));
		EXPECT_TRUE(ferror(stream));
		clearerr(stream);
		EXPECT_EQ(0, fread(bytes, 1, sizeof(bytes), stream));
		clearerr(stream);
		EXPECT_FAILS(ESPIPE, fseek(stream, 0, SEEK_SET));
		EXPECT_FAILS(ESPIPE, ftell(stream));
		setvbuf(stream, NULL, _IONBF, 0);
		EXPECT_FAILS(EINVAL, fputc('x', stream));
		EXPECT_FAILS(EINVAL, fprintf(stream, "%s", "text"));
		EXPECT_WORKS(fd);
		EXPECT_EQ(fd, fileno(stream));
		EXPECT_EQ(0, fclose(stream));
		EXPECT_FAILS(EBADF, fcntl(fd, F_GETFD));
		EXPECT_EQ(0, pt_usage_settles(self->fd, &base, NULL));
	}
	other = open("/dev/pto0", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(NULL, fdopen(other, "r+"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, fdopen(other, "what"));
	EXPECT_EQ(EINVAL, errno);
	stream = fdopen(other, "r");
	ASSERT_NE(NULL, stream);
	EXPECT_EQ(0, fclose(stream));
}

/* A stream that was there before: the C library reads by itself, and it is told something. */
PT_TEST_F(refused, standard_input)
{
	ASSERT_EQ(STDIN_FILENO, dup2(self->fd, STDIN_FILENO));
	EXPECT_EQ(-1, fgetc(stdin));
	EXPECT_TRUE(ferror(stdin) && (errno == EINVAL || (pt_simulator() && errno == EAGAIN)));
	EXPECT_WORKS(self->fd);
}

/* What is behind a context on the simulator belongs to nobody else. */
PT_TEST_F(refused, what_is_behind_a_context)
{
	char path[64], name[64];
	ssize_t length;
	int fd, found = 0;

	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	for (fd = 0; fd < 4096; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, name, sizeof(name) - 1);
		name[length < 0 ? 0 : length] = '\0';
		if (!strstr(name, "eventpoll") && !strstr(name, "eventfd"))
			continue;
		found++;
		EXPECT_EQ(NULL, fdopen(fd, "r+"));
		EXPECT_EQ(EBADF, errno);
		EXPECT_FAILS(EBADF, read(fd, bytes, 8));
		EXPECT_FAILS(EBADF, write(fd, bytes, 8));
		EXPECT_FAILS(EBADF, shutdown(fd, SHUT_RDWR));
	}
	EXPECT_EQ(2, found);
	EXPECT_WORKS(self->fd);
}

TEST_HARNESS_MAIN
