// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counters.h"

static _Atomic uint64_t allocs;

#if COUNTS_ALLOCS

/*
 * The executable's definitions of the allocator's entry points are the ones that every
 * library of the process binds to.
 */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	atomic_fetch_add_explicit(&allocs, 1, memory_order_relaxed);
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
	atomic_fetch_add_explicit(&allocs, 1, memory_order_relaxed);
	return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *ptr, size_t size)
{
	atomic_fetch_add_explicit(&allocs, 1, memory_order_relaxed);
	return __libc_realloc(ptr, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t align, size_t size)
{
	atomic_fetch_add_explicit(&allocs, 1, memory_order_relaxed);
	return __libc_memalign(align, size);
}

#endif /* COUNTS_ALLOCS */

uint64_t alloc_count(void)
{
	return atomic_load_explicit(&allocs, memory_order_relaxed);
}

#define NO_LISTENER INT_MIN	/* no errno is that */

/*
 * One measurement. The counted thread cannot take its filter off again, so it makes two
 * marker calls (getppid) around @fn and the supervisor counts what lies between them.
 */
struct count {
	void (*fn)(void *arg);
	void *arg;
	_Atomic int listener;	/* NO_LISTENER until the filter stands, then its fd or -errno */
	_Atomic int done;
	int markers;
	int64_t calls;
};

static int install_filter(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	struct sock_fprog prog = { .len = 1, .filter = &all };
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &prog);
	return fd < 0 ? -errno : fd;
}

static void *counted_thread(void *arg)
{
	struct count *c = arg;
	int fd = install_filter();

	/* From here on nothing but memory: the supervisor must learn the fd without a call. */
	atomic_store_explicit(&c->listener, fd, memory_order_release);
	if (fd >= 0) {
		syscall(SYS_getppid);
		c->fn(c->arg);
		syscall(SYS_getppid);
	}
	atomic_store_explicit(&c->done, 1, memory_order_release);
	return NULL;
}

static void handle_one(struct count *c, int fd)
{
	struct seccomp_notif req = { 0 };
	struct seccomp_notif_resp resp = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req))
		return;
	if (req.data.nr == SYS_getppid)
		c->markers++;
	else if (c->markers == 1)
		c->calls++;
	resp.id = req.id;
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

/*
 * Keeps the calling thread, and those that it makes, on the processor where it is. Supervisor and
 * supervised never have to run at once; on two processors they would take the device's time
 * by turns, and a run that waits for its device makes a call, which calls the supervisor.
 */
static int share_processor(cpu_set_t *before)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	if (cpu < 0 || sched_getaffinity(0, sizeof(*before), before))
		return -errno;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

static int64_t count(void (*fn)(void *arg), void *arg)
{
	struct count c = { .fn = fn, .arg = arg, .listener = NO_LISTENER };
	struct pollfd pfd = { .events = POLLIN };
	pthread_t thread;
	int err;

	err = pthread_create(&thread, NULL, counted_thread, &c);
	if (err)
		return -err;
	while ((pfd.fd = atomic_load_explicit(&c.listener, memory_order_acquire)) ==
	       NO_LISTENER)
		sched_yield();
	if (pfd.fd < 0) {
		pthread_join(thread, NULL);
		return pfd.fd;
	}
	/* The thread's own exit makes calls too: serve until the kernel says it has gone. */
	for (;;) {
		if (poll(&pfd, 1, 1000) > 0) {
			if (pfd.revents & POLLIN)
				handle_one(&c, pfd.fd);
			else if (pfd.revents & POLLHUP)
				break;
		}
	}
	pthread_join(thread, NULL);
	close(pfd.fd);
	return c.markers == 2 ? c.calls : -EPROTO;
}

int64_t count_syscalls(void (*fn)(void *arg), void *arg)
{
	cpu_set_t before;
	int64_t calls;
	int err;

	err = share_processor(&before);
	if (err)
		return err;
	calls = count(fn, arg);
	sched_setaffinity(0, sizeof(before), &before);
	return calls;
}
