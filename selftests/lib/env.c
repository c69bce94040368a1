// SPDX-License-Identifier: GPL-2.0
/* Where a selftest runs, and what time it is there. */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ptotest.h"

bool pt_simulator(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "ioctl");
	Dl_info info;

	return symbol && dladdr(symbol, &info) && info.dli_fname &&
	       strstr(info.dli_fname, "libptosim");
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
