// SPDX-License-Identifier: MIT
/*
 * PTO_SIM_TRACE: one line for each open, close, mmap, munmap and ioctl, with the result and,
 * for an ioctl, the time that it took.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "raw.h"

#define TRACE_MODE 0666

static pthread_once_t trace_once = PTHREAD_ONCE_INIT;
static int trace_fd = -1;

static void trace_open(void)
{
	const char *where = sim_config()->trace;
	long fd;

	if (!where)
		return;
	if (!strcmp(where, "1")) {
		trace_fd = 2;
		return;
	}
	fd = sim_raw(SYS_openat, AT_FDCWD, where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		     TRACE_MODE);
	if (fd >= 0)
		fd = sim_fd_internal((int)fd);
	if (fd < 0)
		sim_say("PTO_SIM_TRACE: cannot open %s: %s", where, strerrordesc_np((int)-fd));
	trace_fd = (int)fd;
}

bool sim_trace_on(void)
{
	pthread_once(&trace_once, trace_open);
	return trace_fd >= 0;
}

void sim_trace_fork_child(void)
{
	static const pthread_once_t again = PTHREAD_ONCE_INIT;

	trace_once = again;
	trace_fd = -1;
}

uint64_t sim_trace_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sim_trace(const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	length = snprintf(line, sizeof(line), "pto-sim[%d]: ", (int)sim_raw(SYS_gettid));
	va_start(args, format);
	length += vsnprintf(line + length, sizeof(line) - 1 - (size_t)length, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	sim_raw(SYS_write, trace_fd, line, length);
}

static const char *ioctl_name(unsigned int cmd)
{
	static const char *const names[] = {
		[_IOC_NR(PTO_QUERY)] = "PTO_QUERY",
		[_IOC_NR(PTO_BO_CREATE)] = "PTO_BO_CREATE",
		[_IOC_NR(PTO_BO_INFO)] = "PTO_BO_INFO",
		[_IOC_NR(PTO_BO_DESTROY)] = "PTO_BO_DESTROY",
		[_IOC_NR(PTO_BO_COPY)] = "PTO_BO_COPY",
		[_IOC_NR(PTO_STREAM_CREATE)] = "PTO_STREAM_CREATE",
		[_IOC_NR(PTO_STREAM_DESTROY)] = "PTO_STREAM_DESTROY",
		[_IOC_NR(PTO_STREAM_WAIT)] = "PTO_STREAM_WAIT",
		[_IOC_NR(PTO_IMAGE_CREATE)] = "PTO_IMAGE_CREATE",
		[_IOC_NR(PTO_IMAGE_DESTROY)] = "PTO_IMAGE_DESTROY",
		[_IOC_NR(PTO_PREPARE)] = "PTO_PREPARE",
		[_IOC_NR(PTO_UNPREPARE)] = "PTO_UNPREPARE",
		[_IOC_NR(PTO_PREWARM)] = "PTO_PREWARM",
		[_IOC_NR(PTO_RUN)] = "PTO_RUN",
		[_IOC_NR(PTO_WAIT)] = "PTO_WAIT",
		[_IOC_NR(PTO_CTX_RESET)] = "PTO_CTX_RESET",
	};
	unsigned int nr = _IOC_NR(cmd);

	if (cmd != _IO(PTO_IOC_TYPE, nr) || nr >= ARRAY_SIZE(names))
		return NULL;
	return names[nr];
}

/* The main members of the argument after a successful call. */
static void describe(unsigned int cmd, const void *arg, char *text, size_t size)
{
	union {
		struct pto_ioc_bo_create create;
		struct pto_ioc_bo_copy copy;
		struct pto_ioc_image_create image;
		struct pto_ioc_prepare prepare;
		struct pto_ioc_unprepare unprepare;
		struct pto_ioc_prewarm prewarm;
		struct pto_ioc_run run;
		struct pto_ioc_wait wait;
		uint32_t words[2];
	} a;
	uint32_t bytes;

	*text = '\0';
	memset(&a, 0, sizeof(a));
	if (sim_copy_in(&bytes, arg, sizeof(bytes)) ||
	    sim_copy_in(&a, arg, bytes < sizeof(a) ? bytes : sizeof(a)))
		return;
	if (cmd == PTO_BO_CREATE)
		snprintf(text, size, " id=%u length=%llu device_addr=%#llx", a.create.id,
			 a.create.length, a.create.device_addr);
	else if (cmd == PTO_BO_COPY)
		snprintf(text, size, " direction=%u length=%llu", a.copy.direction, a.copy.length);
	else if (cmd == PTO_IMAGE_CREATE)
		snprintf(text, size, " id=%u length=%llu shared=%u", a.image.id, a.image.length,
			 a.image.shared);
	else if (cmd == PTO_PREPARE)
		snprintf(text, size, " cid=%d image=%u kernels=%u generation=%u", a.prepare.cid,
			 a.prepare.image, a.prepare.kernel_count, a.prepare.generation);
	else if (cmd == PTO_UNPREPARE)
		snprintf(text, size, " cid=%d", a.unprepare.cid);
	else if (cmd == PTO_PREWARM)
		snprintf(text, size, " arena=%u size=%llu", a.prewarm.arena, a.prewarm.arena_size);
	else if (cmd == PTO_RUN)
		snprintf(text, size, " stream=%u count=%u accepted=%u first_id=%#llx",
			 a.run.stream, a.run.count, a.run.accepted, a.run.first_id);
	else if (cmd == PTO_WAIT)
		snprintf(text, size, " run=%#llx status=%d code=%u", a.wait.run, a.wait.status,
			 a.wait.code);
	else
		snprintf(text, size, " %u", a.words[1]);
}

void sim_trace_ioctl(const struct sim_file *file, int fd, unsigned int cmd, const void *arg,
		     long result, uint64_t start_ns)
{
	uint64_t ns = sim_trace_now() - start_ns;
	const char *name = ioctl_name(cmd);
	const char *error = result < 0 ? strerrorname_np((int)-result) : "0";
	char text[160] = "";
	char number[24];

	if (!name) {
		snprintf(number, sizeof(number), "ioctl %#x", cmd);
		name = number;
	} else if (!result) {
		describe(cmd, arg, text, sizeof(text));
	}
	sim_trace("pto%u context %llu fd %d %s%s = %s (%llu.%03llu us)", sim_file_index(file),
		  (unsigned long long)file->serial, fd, name, text, error ? error : "?",
		  (unsigned long long)ns / 1000, (unsigned long long)ns % 1000);
}
