// SPDX-License-Identifier: GPL-2.0
/* Where a selftest runs, and what time it is there. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ptotest.h"

static int is_simulator(struct dl_phdr_info *object, size_t size, void *arg)
{
	return !!strstr(object->dlpi_name, "libptosim");
}

/* (Whose ioctl() is called first does not tell: a sanitizer's may stand before it.) */
bool pt_simulator(void)
{
	return dl_iterate_phdr(is_simulator, NULL);
}

const char *pt_path(const char *name)
{
	static _Thread_local char path[2 * PATH_MAX];
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dirname(self), name);
	return path;
}

const char *pt_object(const char *name)
{
	static _Thread_local char path[2 * PATH_MAX];
	char relative[256];

	snprintf(relative, sizeof(relative), "../device/%s.so", name);
	snprintf(path, sizeof(path), "%s", pt_path(relative));
	return path;
}

uint64_t pt_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * PT_SECOND + now.tv_nsec;
}

uint64_t pt_deadline(void)
{
	return pt_now() + PT_PATIENCE;
}

void pt_pause(void)
{
	usleep(1000);
}

unsigned int pt_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int count = 0;
	struct dirent *entry;

	if (!tasks)
		return 0;
	while ((entry = readdir(tasks)))
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#ifdef ADDRESS_SANITIZER
#define LOOKS 20	/* a thread that never sleeps is waited for in vain */

/* Does no thread of this process but the calling one execute? */
static bool others_sleep(void)
{
	DIR *tasks = opendir("/proc/self/task");
	bool sleep = true;
	struct dirent *task;

	while (tasks && (task = readdir(tasks))) {
		char path[sizeof(task->d_name) + 32], line[512], *name;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", task->d_name);
		file = atoi(task->d_name) == gettid() ? NULL : fopen(path, "r");
		if (!file)
			continue;
		name = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
		if (name && !strncmp(name, ") R", 3))
			sleep = false;
		fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return sleep;
}

/*
 * The allocator of this sanitizer (gcc 12) does not know fork(): a lock of it that another thread
 * has at that moment is never dropped in the child. A device's threads allocate when they begin.
 */
static void await_others(void)
{
	unsigned int looks;

	for (looks = 0; looks < LOOKS && !others_sleep(); looks++)
		usleep(1000);
}

__attribute__((constructor)) static void await_others_before_fork(void)
{
	pthread_atfork(await_others, NULL, NULL);
}
#endif

static int deny_call(long number, int err, unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
		/* Kernels without filters may not have the call, either. */
		return errno == ENOSYS ? -EINVAL : -errno;
	return 0;
}

int pt_deny_call(long number, int err)
{
	return deny_call(number, err, 0);
}

int pt_deny_call_everywhere(long number, int err)
{
	return deny_call(number, err, SECCOMP_FILTER_FLAG_TSYNC);
}

int pt_drop_capability(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}
