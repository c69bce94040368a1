// SPDX-License-Identifier: GPL-2.0
/*
 * System calls of the simulator's own that a machine denies it, one at a time, as containers and
 * small kernels do. Each denial is survived, or the call that fails is named: opening, preparing
 * and running neither hang nor crash, and the errno alone is not mistaken for the driver's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

/* Of the simulator; what libpto makes of it is in libpto/failures. */
extern const char *pto_sim_refused(int error, int *why) __attribute__((weak));

/**
 * struct call - a system call that the simulator, or the C library for it, makes
 * @number: its number
 * @names: words, with '|' between them: an explanation has one of them
 * @runtime: a sanitizer's runtime does not do without it
 */
struct call {
	long number;
	const char *names;
	bool runtime;
};

/*
 * The list is what strace(1) shows of a program that opens, prepares and runs, on x86 and arm64,
 * and what the sources have besides. The C library ends the process if it cannot have futex(2) or
 * rseq(2), and takes the errno of brk(2) for an address; exit(2) and rt_sigreturn(2) cannot fail.
 */
static const struct call calls[] = {
	{ SYS_bind, "bind", false },
	{ SYS_clock_nanosleep, "nanosleep", true },
	{ SYS_clone, "pthread_create", true },
	{ SYS_clone3, "pthread_create", true },
	{ SYS_close, "close", true },
	{ SYS_dup, "dup", false },
	{ SYS_epoll_create1, "epoll_create1", false },
	{ SYS_epoll_ctl, "epoll_ctl", false },
	{ SYS_epoll_pwait, "epoll_pwait", false },
	{ SYS_eventfd2, "eventfd2", false },
	{ SYS_fallocate, "fallocate", false },
	{ SYS_fcntl, "fcntl|seal", false },
	{ SYS_fstat, "fstat|stat", true },
	{ SYS_ftruncate, "ftruncate|no memory for", false },
	{ SYS_getpid, "getpid", true },
	{ SYS_getrandom, "getrandom", true },
	{ SYS_getsockname, "getsockname", false },
	{ SYS_gettid, "gettid", true },
	{ SYS_madvise, "madvise", true },
	{ SYS_memfd_create, "memfd_create", false },
	{ SYS_mmap, "mmap|map|pthread_create|memory", true },
	{ SYS_mprotect, "pthread_create|memory", true },
	{ SYS_mremap, "mremap", true },
	{ SYS_munlock, "munlock", true },
	{ SYS_munmap, "munmap", true },
	{ SYS_nanosleep, "nanosleep", true },
	{ SYS_newfstatat, "stat", true },
	{ SYS_openat, "openat|cannot open", true },
	{ SYS_ppoll, "ppoll", false },
	{ SYS_pread64, "read", true },
	{ SYS_prlimit64, "prlimit", true },
	{ SYS_process_vm_readv, "process_vm_readv", false },
	{ SYS_process_vm_writev, "process_vm_writev", false },
	{ SYS_read, "read", true },
	{ SYS_readlinkat, "read", true },
	{ SYS_recvfrom, "recvfrom", false },
	{ SYS_rt_sigaction, "sigaction", true },
	{ SYS_rt_sigprocmask, "sigmask", true },
	{ SYS_sched_getaffinity, "sched_getaffinity", true },
	{ SYS_sched_yield, "sched_yield", true },
	{ SYS_sendto, "sendto", false },
	{ SYS_set_robust_list, "set_robust_list", true },
	{ SYS_setsockopt, "setsockopt", false },
	{ SYS_sigaltstack, "sigaltstack", true },
	{ SYS_socketpair, "socketpair", false },
	{ SYS_tgkill, "tgkill", true },
	{ SYS_write, "write", true },
	{ SYS_writev, "writev", true },
#ifdef SYS_access
	{ SYS_access, "access", true },
#endif
#ifdef SYS_poll
	{ SYS_poll, "poll", true },
#endif
#ifdef SYS_readlink
	{ SYS_readlink, "read", true },
#endif
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* What a child does, in this order */
enum step {
	OPENING,
	PREPARING,
	RUNNING,
	WAITING,
	CLOSING,
	DONE,
};

static const char * const steps[] = { "open", "prepare", "run", "poll", "close", "" };

/**
 * struct trial - what a child shares with the test
 * @step: the first step that failed, or DONE
 * @error: with this errno
 * @named: pto_sim_refused()
 * @log: explanation of a prepare
 * @said: memfd, its standard error
 */
struct trial {
	enum step step;
	int error;
	char named[64];
	char log[256];
	int said;
};

/* The test reads it before anything is denied. */
static struct pt_file object;

FIXTURE(denied) {
	int fd;
	struct trial *trial;
};

FIXTURE_SETUP(denied)
{
	if (!pt_simulator())
		SKIP(exit(KSFT_SKIP), "only for the simulator");
	self->fd = 0;
	setenv("PTO_SIM_WORKERS", "2", 1);
	self->trial = mmap(NULL, sizeof(*self->trial), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->trial);
	ASSERT_EQ(0, pt_file_read("orch_empty", &object));
	self->trial->said = memfd_create("stderr", MFD_CLOEXEC);
}

FIXTURE_TEARDOWN(denied)
{
}

/* --- the child ------------------------------------------------------------------------ */

static int step_open(struct trial *trial)
{
	const char *call;
	int why, fd = open("/dev/pto0", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	trial->error = errno;
	call = pto_sim_refused(trial->error, &why);
	if (call)
		snprintf(trial->named, sizeof(trial->named), "%s", call);
	return -trial->error;
}

static int step_prepare(struct trial *trial, int fd)
{
	struct pto_ioc_image_create image;
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = -1,
		.kind = PTO_KIND_DEVICE_ORCH,
		.kernel_stride = sizeof(struct pto_kernel),
		.log_ptr = (uintptr_t)trial->log,
		.log_size = sizeof(trial->log),
	};
	int err;

	image = (struct pto_ioc_image_create){
		.size = sizeof(image),
		.data_ptr = (uintptr_t)object.data,
		.length = object.bytes,
	};
	err = pt_ioctl(fd, PTO_IMAGE_CREATE, &image);
	if (err)
		return err;
	arg.image = image.id;
	return pt_ioctl(fd, PTO_PREPARE, &arg);
}

/* A result makes the descriptor readable; poll() may itself be what is denied. */
static int step_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t id;
	int ret;

	ret = pt_submit(fd, PTO_STREAM_DEFAULT, 0, NULL, 0, &id);
	if (ret)
		return ret;
	ret = poll(&p, 1, -1);
	return ret == 1 && p.revents & POLLIN ? 0 : ret < 0 ? -errno : -EIO;
}

static void child_steps(struct trial *trial, enum step before, const struct call *call, int err)
{
	int fd = -1, ret = 0;
	enum step step;

	for (step = OPENING; step < DONE && ret >= 0; step++) {
		if (step == before && pt_deny_call_everywhere(call->number, err))
			_exit(2);
		switch (step) {
		case OPENING:
			fd = step_open(trial);
			ret = fd;
			break;
		case PREPARING:
			ret = step_prepare(trial, fd);
			break;
		case RUNNING:
			ret = pt_run(fd, 0, NULL, 0);
			break;
		case WAITING:
			ret = step_poll(fd);
			break;
		default:
			ret = close(fd) ? -errno : 0;
		}
		trial->step = step;
	}
	trial->error = ret < 0 ? -ret : 0;
	if (!trial->error)
		trial->step = DONE;
	_exit(0);
}

/* --- the test ------------------------------------------------------------------------- */

/* Return: the wait status of the child, or -1 if it hangs */
static int wait_child(pid_t child)
{
	uint64_t until = pt_deadline();
	int status;

	while (!waitpid(child, &status, WNOHANG)) {
		if (pt_now() > until) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return -1;
		}
		pt_pause();
	}
	return status;
}

static bool has_word(const char *text, const char *names)
{
	char word[32];
	size_t length;

	for (; *names; names += length + (names[length] == '|')) {
		length = strcspn(names, "|");
		snprintf(word, sizeof(word), "%.*s", (int)length, names);
		if (strstr(text, word))
			return true;
	}
	return false;
}

/* Is there an explanation of the step that failed, which names the call? */
static bool explained(const struct trial *trial, const struct call *call, int err, const char *said)
{
	switch (trial->step) {
	case OPENING:
		/* The kernel is asked first, on behalf of the application. */
		if (call->number == SYS_openat)
			return trial->error == err;
		return has_word(trial->named, call->names) &&
		       (call->number == SYS_write || has_word(said, call->names));
	case PREPARING:
		return has_word(trial->log, call->names);
	case WAITING:
	case CLOSING:
		/* The call is the application's own, which gets the answer that it would get. */
		return trial->error == err;
	default:
		return false;
	}
}

static void deny(struct __test_metadata *_metadata, struct trial *trial, enum step before,
		 const struct call *call, int err)
{
	char said[1024] = "";
	pid_t child;
	int status;

	memset(trial, 0, offsetof(struct trial, said));
	ASSERT_EQ(0, ftruncate(trial->said, 0));
	child = fork();
	if (!child) {
		lseek(trial->said, 0, SEEK_SET);
		dup2(trial->said, STDERR_FILENO);
		child_steps(trial, before, call, err);
	}
	status = wait_child(child);
	if (status == W_EXITCODE(2, 0))
		SKIP(exit(KSFT_SKIP), "this kernel has no filters of system calls");
	ASSERT_LE(0, pread(trial->said, said, sizeof(said) - 1, 0));
	EXPECT_EQ(0, status) {
		TH_LOG("%s before %s: %s: status %x, %s", call->names, steps[before],
		       strerror(err), status, said);
	}
	if (status || trial->step == DONE)
		return;
	EXPECT_TRUE(explained(trial, call, err, said)) {
		TH_LOG("%s (%ld) denied with %s before %s: %s fails: %s; \"%s\", \"%s\", \"%s\"",
		       call->names, call->number, strerrorname_np(err), steps[before],
		       steps[trial->step], strerrorname_np(trial->error), trial->named, trial->log,
		       said);
	}
}

static void deny_all(struct __test_metadata *_metadata, struct trial *trial, enum step before,
		     int err)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (SANITIZED && calls[i].runtime)
			continue;
		/* The C library aborts if it cannot unmap the stack of a thread that has ended. */
		if (before == RUNNING && calls[i].number == SYS_munmap)
			continue;
		deny(_metadata, trial, before, &calls[i], err);
	}
}

PT_TEST_F(denied, opening_is_not_permitted)
{
	deny_all(_metadata, self->trial, OPENING, EPERM);
}

PT_TEST_F(denied, opening_lacks_access)
{
	deny_all(_metadata, self->trial, OPENING, EACCES);
}

PT_TEST_F(denied, opening_finds_no_such_call)
{
	deny_all(_metadata, self->trial, OPENING, ENOSYS);
}

PT_TEST_F(denied, preparing_is_not_permitted)
{
	deny_all(_metadata, self->trial, PREPARING, EPERM);
}

PT_TEST_F(denied, preparing_finds_no_such_call)
{
	deny_all(_metadata, self->trial, PREPARING, ENOSYS);
}

PT_TEST_F(denied, running_is_not_permitted)
{
	deny_all(_metadata, self->trial, RUNNING, EPERM);
}

TEST_HARNESS_MAIN
