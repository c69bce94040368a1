// SPDX-License-Identifier: GPL-2.0
/* A library before the C library: its wrappers enter the kernel by syscall(). */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

int munmap(void *addr, size_t length)
{
	return syscall(SYS_munmap, addr, length);
}

int mprotect(void *addr, size_t length, int prot)
{
	return syscall(SYS_mprotect, addr, length, prot);
}

int madvise(void *addr, size_t length, int advice)
{
	return syscall(SYS_madvise, addr, length, advice);
}

int close(int fd)
{
	return syscall(SYS_close, fd);
}

int dup(int fd)
{
	return syscall(SYS_dup, fd);
}

ssize_t read(int fd, void *buf, size_t length)
{
	return syscall(SYS_read, fd, buf, length);
}

ssize_t write(int fd, const void *buf, size_t length)
{
	return syscall(SYS_write, fd, buf, length);
}
