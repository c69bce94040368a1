// SPDX-License-Identifier: MIT
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asm/barrier.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>

#include "sim_kernel.h"
#include "internal.h"

#define MAX_MAPPINGS 64

__thread struct sim_stack sim_stack;

/*
 * Ranges that are always mapped. A length other than 0 publishes an entry. The lock is for
 * changes.
 */
static struct mutex mappings_lock;
static struct {
	uintptr_t base;
	size_t length;
} mappings[MAX_MAPPINGS];

int sim_mapping_add(const void *base, size_t length)
{
	int ret = -ENOSPC;
	int i;

	mutex_lock(&mappings_lock);
	for (i = 0; i < MAX_MAPPINGS; i++) {
		if (READ_ONCE(mappings[i].length))
			continue;
		WRITE_ONCE(mappings[i].base, (uintptr_t)base);
		smp_store_release(&mappings[i].length, length);
		ret = 0;
		break;
	}
	mutex_unlock(&mappings_lock);
	return ret;
}

void sim_mapping_del(const void *base)
{
	int i;

	mutex_lock(&mappings_lock);
	for (i = 0; i < MAX_MAPPINGS; i++) {
		if (READ_ONCE(mappings[i].length) && mappings[i].base == (uintptr_t)base) {
			WRITE_ONCE(mappings[i].length, 0);
			break;
		}
	}
	mutex_unlock(&mappings_lock);
}

static bool in_mapping(const void *p, size_t bytes)
{
	uintptr_t addr = (uintptr_t)p;
	int i;

	for (i = 0; i < MAX_MAPPINGS; i++) {
		size_t length = smp_load_acquire(&mappings[i].length);
		uintptr_t base = READ_ONCE(mappings[i].base);

		if (addr >= base && addr - base < length && bytes <= length - (addr - base))
			return true;
	}
	return false;
}

/* Once per thread. If the limits cannot be found, the thread uses the slow path. */
static void learn_stack(void)
{
	pthread_attr_t attr;
	size_t size;
	void *low;

	sim_stack.low = UINTPTR_MAX;
	sim_stack.high = UINTPTR_MAX;
	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	if (!pthread_attr_getstack(&attr, &low, &size)) {
		sim_stack.low = (uintptr_t)low;
		sim_stack.high = (uintptr_t)low + size;
	}
	pthread_attr_destroy(&attr);
}

/* True if the range is known to be accessible. */
static bool known(const void *p, size_t bytes)
{
	if (!sim_stack.high) {
		learn_stack();
		if (sim_on_stack(p, bytes))
			return true;
	}
	return in_mapping(p, bytes);
}

/*
 * The process id, cached in a page that the kernel wipes in any kind of child. With a stale id the
 * copy would access another process.
 */
static pid_t own_pid(void)
{
	static pid_t *cache;
	pid_t *page = __atomic_load_n(&cache, __ATOMIC_ACQUIRE);
	pid_t *none = NULL;
	pid_t pid;

	if (!page) {
		page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return getpid();
		if (madvise(page, PAGE_SIZE, MADV_WIPEONFORK) ||
		    !__atomic_compare_exchange_n(&cache, &none, page, false, __ATOMIC_RELEASE,
						 __ATOMIC_RELAXED)) {
			munmap(page, PAGE_SIZE);
			return getpid();
		}
	}
	pid = READ_ONCE(*page);
	if (!pid) {
		pid = getpid();
		WRITE_ONCE(*page, pid);
	}
	return pid;
}

/*
 * Some containers and kernels have no process_vm_*(). There a memfd does the copy: its read and
 * write return EFAULT as well, and do not wait. It exists for one copy only, so that the
 * application cannot close its descriptor and reuse the number.
 */
static ssize_t copy_by_file(int fd, char *to, const char *from, size_t bytes)
{
	ssize_t n;

	do {
		n = syscall(SYS_pwrite64, fd, from, bytes, 0L);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	bytes = (size_t)n;
	do {
		n = syscall(SYS_pread64, fd, to, bytes, 0L);
	} while (n < 0 && errno == EINTR);
	return n;
}

/*
 * Each step ends at a page boundary of @user, which is either @to or @from. A kernel may refuse a
 * whole write if only its end is not accessible, but all accessible bytes have to be copied.
 */
static size_t copier_copy(char *to, const char *from, size_t bytes, const void *user)
{
	uintptr_t addr = (uintptr_t)user;
	int fd = memfd_create("pto-copy", MFD_CLOEXEC);

	if (fd < 0)
		return bytes;
	while (bytes) {
		size_t step = min_t(size_t, bytes, PAGE_SIZE - (addr & ~PAGE_MASK));
		ssize_t n = copy_by_file(fd, to, from, step);

		if (n <= 0)
			break;
		addr += (size_t)n;
		to += n;
		from += n;
		bytes -= (size_t)n;
	}
	close(fd);
	return bytes;
}

/*
 * process_vm_readv() or _writev(). A process whose main thread has ended is only found by the id
 * of another thread.
 */
static ssize_t copy_by_kernel(long number, const struct iovec *local, const struct iovec *remote)
{
	/*
	 * The last argument is passed on the stack: 0UL, because an int leaves the upper half
	 * undefined.
	 */
	ssize_t n = syscall(number, own_pid(), local, 1UL, remote, 1UL, 0UL);

	if (n < 0 && errno == ESRCH)
		n = syscall(number, syscall(SYS_gettid), local, 1UL, remote, 1UL, 0UL);
	return n;
}

/* Return: bytes left. Errors other than EFAULT do not mean a bad pointer: copy by memfd. */
static size_t copied(ssize_t n, void *to, const void *from, size_t bytes, const void *user)
{
	if (n < 0 && errno != EFAULT)
		return copier_copy(to, from, bytes, user);
	return n < 0 ? bytes : bytes - (size_t)n;
}

size_t sim_copy_from_user_slow(void *to, const void *from, size_t bytes)
{
	struct iovec local = { .iov_base = to, .iov_len = bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)from, .iov_len = bytes };
	int saved = errno;

	if (!bytes)
		return 0;
	if (known(from, bytes)) {
		memcpy(to, from, bytes);
		return 0;
	}
	bytes = copied(copy_by_kernel(SYS_process_vm_readv, &local, &remote), to, from, bytes,
		       from);
	errno = saved;
	return bytes;
}

/* See sim_fault(). @page is valid while @call is set. */
static struct {
	uintptr_t page;
	void (*call)(void);
} fault;

void sim_fault(const void *page, void (*call)(void))
{
	__atomic_store_n(&fault.call, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&fault.page, (uintptr_t)page, __ATOMIC_RELAXED);
	__atomic_store_n(&fault.call, call, __ATOMIC_RELEASE);
}

static void take_fault(const void *to)
{
	void (*call)(void);

	if (likely(!__atomic_load_n(&fault.call, __ATOMIC_ACQUIRE)) ||
	    ((uintptr_t)to & PAGE_MASK) != __atomic_load_n(&fault.page, __ATOMIC_RELAXED))
		return;
	call = __atomic_exchange_n(&fault.call, NULL, __ATOMIC_ACQ_REL);
	if (call)
		call();
}

size_t sim_copy_to_user_slow(void *to, const void *from, size_t bytes)
{
	struct iovec local = { .iov_base = (void *)(uintptr_t)from, .iov_len = bytes };
	struct iovec remote = { .iov_base = to, .iov_len = bytes };
	int saved = errno;

	if (!bytes)
		return 0;
	take_fault(to);
	if (known(to, bytes)) {
		memcpy(to, from, bytes);
		return 0;
	}
	bytes = copied(copy_by_kernel(SYS_process_vm_writev, &local, &remote), to, from, bytes,
		       to);
	errno = saved;
	return bytes;
}

/* memcpy() that ThreadSanitizer does not see. */
static void copy_unseen(void *to, const void *from, size_t bytes)
{
#if !defined(SIM_TSAN)
	memcpy(to, from, bytes);
#elif defined(__x86_64__)
	__asm__ __volatile__("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
	const volatile char *source = from;
	volatile char *target = to;

	while (bytes--)
		*target++ = *source++;
#endif
}

/* Return: bytes that were not copied. @user: either @to or @from, the application's pointer. */
size_t sim_copy_data(void *to, const void *from, size_t bytes, const void *user)
{
	if (!sim_on_stack(user, bytes) && !known(user, bytes))
		return user == from ? sim_copy_from_user_slow(to, from, bytes) :
				      sim_copy_to_user_slow(to, from, bytes);
	copy_unseen(to, from, bytes);
	return 0;
}

int check_zeroed_user(const void *from, size_t bytes)
{
	const char *p = from;
	char buffer[256];

	while (bytes) {
		size_t n = min_t(size_t, bytes, sizeof(buffer));
		size_t i;

		if (copy_from_user(buffer, p, n))
			return -EFAULT;
		for (i = 0; i < n; i++) {
			if (buffer[i])
				return 0;
		}
		p += n;
		bytes -= n;
	}
	return 1;
}

/* Access the first byte of the range in every page. Return: bytes that are not accessible. */
static size_t each_page(char *from, size_t size, bool write)
{
	char *end = from + size;
	char *p = from;
	char byte;

	if (end < from)
		return size;
	while (p < end) {
		if (copy_from_user(&byte, p, 1) || (write && copy_to_user(p, &byte, 1)))
			return (size_t)(end - p);
		p = (char *)(((uintptr_t)p & PAGE_MASK) + PAGE_SIZE);
	}
	return 0;
}

size_t fault_in_readable(const char *uaddr, size_t size)
{
	return each_page((char *)(uintptr_t)uaddr, size, false);
}

size_t fault_in_writeable(char *uaddr, size_t size)
{
	return each_page(uaddr, size, true);
}

void sim_uaccess_fork_child(void)
{
	mutex_init(&mappings_lock);
}

void sim_fork_child(void)
{
	sim_workqueue_fork_child();
	sim_uaccess_fork_child();
	sim_wait_bit_fork_child();
}
