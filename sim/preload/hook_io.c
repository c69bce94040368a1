// SPDX-License-Identifier: MIT
/*
 * Interposed: ioctl(), read() and write(), which the driver does not support, and lseek(), which
 * tells the size of a dma-buf.
 */
#include "hook.h"

#include <errno.h>
#include <stdarg.h>

#include <linux/dma-buf.h>
#include <linux/pto.h>

/* A PTO ioctl on a descriptor without a verified entry in the table. */
static __attribute__((noinline)) long ioctl_verify(const struct sim_real *next, int fd,
						   unsigned int cmd, void *arg)
{
	struct sim_file *file;
	long ret;

	switch (sim_file_verify(fd, &file, NULL)) {
	case SIM_OURS:
		ret = sim_file_ioctl(file, fd, cmd, arg);
		sim_file_put(file);
		return ret;
	case SIM_OTHER:
		sim_file_other(fd);
		return -ENODEV;
	default:
		ret = next->ioctl(fd, cmd, arg);
		return ret < 0 ? -errno : ret;
	}
}

static long ioctl_pto(const struct sim_real *next, int fd, unsigned int cmd, void *arg)
{
	struct sim_file *file;
	long ret;

	sim_fork_check();
	file = sim_file_get(fd);
	if (SIM_UNLIKELY(!file))
		return ioctl_verify(next, fd, cmd, arg);
	ret = sim_file_ioctl(file, fd, cmd, arg);
	sim_file_put(file);
	return ret;
}

/* Generic ioctls that the kernel must execute; every other one but PTO ioctls is ENOTTY. */
static bool is_generic(unsigned long request)
{
	return request == FIOCLEX || request == FIONCLEX || request == FIONBIO;
}

/* After the kernel has refused it: an ioctl of dma-bufs. The memory is coherent. */
static int ioctl_share(int fd, unsigned int request, const void *arg)
{
	struct dma_buf_sync sync;

	if (request != DMA_BUF_IOCTL_SYNC || !sim_share_is(fd))
		return -ENOTTY;
	if (sim_copy_in(&sync, arg, sizeof(sync)))
		return -EFAULT;
	return sync.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK || !(sync.flags & DMA_BUF_SYNC_RW) ?
		-EINVAL : 0;
}

int sim_ioctl(const struct sim_real *next, int fd, unsigned long request, void *arg)
{
	struct sim_file *file;
	int ret, saved = errno;

	/* With musl the request is an int, so the upper half is undefined. */
	if (_IOC_TYPE((unsigned int)request) == PTO_IOC_TYPE)
		return (int)sim_return(ioctl_pto(next, fd, (unsigned int)request, arg));
	if (SIM_UNLIKELY(sim_fd_peek(fd)) && !is_generic(request)) {
		switch (sim_file_of(fd, &file)) {
		case SIM_OURS:
			sim_file_put(file);
			errno = ENOTTY;
			return -1;
		case SIM_OTHER:
			errno = ENODEV;
			return -1;
		default:
			break;
		}
	}
	ret = next->ioctl(fd, request, arg);
	if (__builtin_expect(ret >= 0 || errno != ENOTTY, 1) ||
	    _IOC_TYPE((unsigned int)request) != DMA_BUF_BASE)
		return ret;
	errno = saved;
	return (int)sim_return(ioctl_share(fd, (unsigned int)request, arg));
}

SIM_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return sim_ioctl(sim_real(), fd, request, arg);
}

/* The kernel refuses it for pipes. */
static off_t seek_share(off_t ret, int fd, off_t offset, int whence, int saved)
{
	if (__builtin_expect(ret >= 0 || errno != ESPIPE || !sim_fd_used(), 1))
		return ret;
	errno = saved;
	return sim_return(sim_share_seek(fd, offset, whence));
}

SIM_EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	int saved = errno;

	return seek_share(SIM_NEXT(lseek)(fd, offset, whence), fd, offset, whence, saved);
}

SIM_EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
	int saved = errno;

	return seek_share(SIM_NEXT(lseek64)(fd, offset, whence), fd, offset, whence, saved);
}

ssize_t sim_read(const struct sim_real *next, int fd, void *buf, size_t length)
{
	if (sim_refuses_reading(fd))
		return -1;
	return next->read(fd, buf, length);
}

SIM_ENTRY(ssize_t, read, (int fd, void *buf, size_t length), fd, buf, length)

ssize_t sim_readv(const struct sim_real *next, int fd, const struct iovec *iov, int count)
{
	if (sim_refuses_reading(fd))
		return -1;
	return next->readv(fd, iov, count);
}

SIM_ENTRY(ssize_t, readv, (int fd, const struct iovec *iov, int count), fd, iov, count)

ssize_t sim_write(const struct sim_real *next, int fd, const void *buf, size_t length)
{
	if (sim_refuses_writing(fd))
		return -1;
	return next->write(fd, buf, length);
}

SIM_ENTRY(ssize_t, write, (int fd, const void *buf, size_t length), fd, buf, length)

ssize_t sim_writev(const struct sim_real *next, int fd, const struct iovec *iov, int count)
{
	if (sim_refuses_writing(fd))
		return -1;
	return next->writev(fd, iov, count);
}

SIM_ENTRY(ssize_t, writev, (int fd, const struct iovec *iov, int count), fd, iov, count)

SIM_EXPORT ssize_t __read_chk(int fd, void *buf, size_t length, size_t size)
{
	ssize_t (*next)(int fd, void *buf, size_t length, size_t size);

	if (length <= size)
		return read(fd, buf, length);
	/* An overflow: the C library's function ends the program. */
	next = sim_next("__read_chk");
	return next ? next(fd, buf, length, size) : read(fd, buf, size);
}
