// SPDX-License-Identifier: GPL-2.0
/*
 * Failures: of the driver, which answers what the test says (rehearsal.h), and of the C library's
 * functions that libpto calls, which are this program's. Each must come back as what it is,
 * with a text that names the object, the limit or the way out, and leave all as it was.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pto/pto.h>

#include "../device/orch_host.h"
#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

/* --- the C library ------------------------------------------------------------------- */

/**
 * struct fault - a call of the C library that fails
 * @call: its name, NULL for none
 * @after: so many times it is still well
 * @error: what it fails with
 */
static struct fault {
	const char *call;
	unsigned int after;
	int error;
} fault;

static bool fails(const char *call)
{
	if (!fault.call || strcmp(fault.call, call) || fault.after--)
		return false;
	fault.call = NULL;
	errno = fault.error;
	return true;
}

static void let_fail(const char *call, unsigned int after, int error)
{
	fault = (struct fault) { call, after, error };
}

/* The system as the library sees it. */
static struct {
	struct stat node;	/* of the device node; .st_mode 0: there is none */
	bool allowed;		/* faccessat() says that the node may be opened */
	bool secure;		/* a set-user-ID program */
	bool not_dynamic;	/* a program without a loader */
	bool module;		/* it is loaded */
	char sysfs[64];		/* folder in place of /sys/class/pto, "" for none */
} seen;

#define EXPORT __attribute__((visibility("default")))

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (fails("mmap"))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

EXPORT int madvise(void *addr, size_t length, int advice)
{
	return fails("madvise") ? -1 : (int)syscall(SYS_madvise, addr, length, advice);
}

EXPORT int memfd_create(const char *name, unsigned int flags)
{
	return fails("memfd_create") ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

EXPORT ssize_t write(int fd, const void *data, size_t bytes)
{
	return fails("write") ? -1 : syscall(SYS_write, fd, data, bytes);
}

EXPORT int fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	return fails("fcntl") ? -1 : (int)syscall(SYS_fcntl, fd, command, arg);
}

EXPORT int fstat(int fd, struct stat *st)
{
	return fails("fstat") ? -1 : (int)syscall(SYS_fstat, fd, st);
}

EXPORT int stat(const char *path, struct stat *st)
{
	if (strcmp(path, REHEARSED_DEVICE))
		return (int)syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);
	if (!seen.node.st_mode) {
		errno = EACCES;
		return -1;
	}
	*st = seen.node;
	return 0;
}

/* @path, if it is not below /sys/class/pto; else where the test has it. */
static const char *sysfs_path(const char *path)
{
	static char moved[256];
	size_t prefix = strlen("/sys/class/pto");

	if (strncmp(path, "/sys/class/pto", prefix) || (path[prefix] && path[prefix] != '/'))
		return path;
	snprintf(moved, sizeof(moved), "%s%s", *seen.sysfs ? seen.sysfs : "/no/such/folder",
		 path + prefix);
	return moved;
}

EXPORT int access(const char *path, int mode)
{
	if (!strcmp(path, "/sys/module/pto")) {
		errno = ENOENT;
		return seen.module ? 0 : -1;
	}
	return (int)syscall(SYS_faccessat, AT_FDCWD, sysfs_path(path), mode);
}

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
	if (strcmp(path, REHEARSED_DEVICE))
		return (int)syscall(SYS_faccessat2, dir, path, mode, flags);
	errno = EACCES;
	return seen.allowed ? 0 : -1;
}

EXPORT unsigned long getauxval(unsigned long type)
{
	static unsigned long (*next)(unsigned long type);

	if (type == AT_SECURE)
		return seen.secure;
	if (type == AT_BASE)
		return !seen.not_dynamic;
	if (!next)
		next = (unsigned long (*)(unsigned long type))dlsym(RTLD_NEXT, "getauxval");
	return next(type);
}

EXPORT DIR *opendir(const char *path)
{
	static DIR *(*next)(const char *path);

	if (!next)
		next = (DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir");
	return next(sysfs_path(path));
}

/* --- the driver ---------------------------------------------------------------------- */

static struct {
	unsigned long nr;	/* what fails */
	int error;		/* as what; negative */
	const char *log;	/* explanation that goes with it */
} refusal;

static int refuse(unsigned long nr, void *arg)
{
	struct pto_ioc_prepare *prepare = arg;

	if (nr != refusal.nr)
		return 0;
	if (nr == PTO_PREWARM && refusal.log)
		snprintf((char *)(uintptr_t)((struct pto_ioc_prewarm *)arg)->log_ptr, 64, "%s",
			 refusal.log);
	if (nr == PTO_PREPARE && refusal.log)
		snprintf((char *)(uintptr_t)prepare->log_ptr, prepare->log_size, "%s",
			 refusal.log);
	return refusal.error;
}

static void let_refuse(unsigned long nr, int error, const char *log)
{
	refusal.nr = nr;
	refusal.error = error;
	refusal.log = log;
}

/* What the simulator would say: which call of its own is to blame for errno @blamed. */
static struct {
	const char *call;
	int blamed;
	int why;
} blame;

EXPORT const char *pto_sim_refused(int error, int *why)
{
	*why = blame.why;
	return error == blame.blamed ? blame.call : NULL;
}

FIXTURE(failures) {
	struct pto_context *ctx;
	struct pto_callable *callable;
};

FIXTURE_SETUP(failures)
{
	memset(&fault, 0, sizeof(fault));
	memset(&seen, 0, sizeof(seen));
	memset(&refusal, 0, sizeof(refusal));
	memset(&blame, 0, sizeof(blame));
	rehearsal_begin();
	rehearsal.refuse = refuse;
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_host"), &self->callable));
	ASSERT_EQ(0, pto_callable_add_kernel(self->callable, 0, PTO_CORE_AIV,
					     pt_object("kernel_add")));
}

FIXTURE_TEARDOWN(failures)
{
	pto_callable_free(self->callable);
	pto_close(self->ctx);
}

/* EXPECT that a text has the words. */
#define SAYS(text, words) do { \
	const char *text_ = (text), *words_ = (words); \
\
	EXPECT_TRUE(!!strstr(text_, words_)) { \
		TH_LOG("\"%s\" says nothing of \"%s\"", text_, words_); \
	} \
} while (0)

#define CONTEXT_SAYS(words) SAYS(pto_context_error(self->ctx), words)

/* --- opening ------------------------------------------------------------------------- */

static void expect_reason_after(struct __test_metadata *_metadata, int error, const char *words)
{
	struct pto_context *ctx = NULL;

	EXPECT_EQ(-error, pto_open(REHEARSED_DEVICE, &ctx));
	EXPECT_EQ(NULL, ctx);
	SAYS(pto_open_error(), REHEARSED_DEVICE ": ");
	SAYS(pto_open_error(), words);
	EXPECT_EQ(1, rehearsal.contexts);
}

/* open() fails */
static void expect_open_reason(struct __test_metadata *_metadata, int error, const char *words)
{
	rehearsal.open_error = error;
	expect_reason_after(_metadata, error, words);
}

/* the first ioctl fails */
static void expect_reason(struct __test_metadata *_metadata, int error, const char *words)
{
	let_refuse(PTO_QUERY, -error, NULL);
	expect_reason_after(_metadata, error, words);
	let_refuse(PTO_QUERY, 0, NULL);
}

TEST_F(failures, reasons_for_not_opening)
{
	expect_reason(_metadata, ENXIO, "the device is gone");
	expect_reason(_metadata, ENODEV, "start it again");
	expect_reason(_metadata, ENOSPC, "close one in another process");
	expect_reason(_metadata, EMFILE, "ulimit -n");
	expect_reason(_metadata, ENFILE, "fs.file-max");
	expect_reason(_metadata, ENOMEM, "out of memory");
	expect_reason(_metadata, ENOTTY, "not a PTO device");
	expect_reason(_metadata, EISDIR, "not a PTO device");
	expect_reason(_metadata, EIO, "did not answer in time");
	expect_reason(_metadata, EPROTO, "PTO_QUERY: Protocol error (EPROTO)");
	expect_open_reason(_metadata, EPROTO, "open(): Protocol error (EPROTO)");
	expect_reason(_metadata, 4000, "unknown error (unknown error)");
}

TEST_F(failures, reasons_for_a_missing_device)
{
	expect_reason(_metadata, ENOENT, "module is not loaded (modprobe pto)");
	SAYS(pto_open_error(), "LD_PRELOAD=libptosim.so");
	seen.secure = true;
	expect_reason(_metadata, ENOENT, "cannot be preloaded by a static or set-user-ID program");
	seen.secure = false;
	seen.not_dynamic = true;
	expect_reason(_metadata, ENOENT, "cannot be preloaded by a static or set-user-ID program");
	seen.module = true;
	expect_reason(_metadata, ENOENT, "module is loaded but has found none");
	SAYS(pto_open_error(), "start ptod");
}

TEST_F(failures, reasons_of_permission)
{
	expect_open_reason(_metadata, EACCES, "on the way to the device node");
	seen.node.st_mode = S_IFCHR | 0640;
	/* Not every machine has names for its groups. */
	expect_open_reason(_metadata, EACCES,
			   getgrgid(0) ? "mode 0640, group root; join that group" :
					 "mode 0640, group 0; join that group");
	seen.node.st_gid = 3987654321u;
	expect_open_reason(_metadata, EPERM, "mode 0640, group 3987654321; join that group");
}

/* No group helps a process that the node's mode admits. */
TEST_F(failures, refusals_that_are_not_of_the_mode)
{
	seen.node.st_mode = S_IFCHR | 0666;
	seen.allowed = true;
	expect_open_reason(_metadata, EPERM, "open(): EPERM, although the node's mode allows it");
	expect_open_reason(_metadata, EACCES, "open(): EACCES, although the node's mode allows it");
	seen.allowed = false;
	expect_reason(_metadata, EPERM, "PTO_QUERY: EPERM, although the node's mode allows it");
}

/* The simulator cannot make a device: nothing of nodes, groups and modules helps. */
TEST_F(failures, calls_of_the_simulator)
{
	seen.node.st_mode = S_IFCHR | 0666;
	seen.allowed = true;
	blame.call = "memfd_create";
	blame.blamed = EPERM;
	blame.why = EPERM;
	expect_open_reason(_metadata, EPERM,
			   "the simulator needs memfd_create, which fails: Operation not permitted (EPERM); a seccomp filter");
	expect_open_reason(_metadata, EPROTO, "open(): Protocol error (EPROTO)");
	expect_reason(_metadata, EPERM, "PTO_QUERY: EPERM");
	blame.call = "pthread_create";
	blame.blamed = ENOMEM;
	blame.why = EAGAIN;
	expect_open_reason(_metadata, ENOMEM, "pthread_create, which fails: Resource temporarily");
	blame.blamed = EMFILE;
	expect_open_reason(_metadata, EMFILE, "ulimit -n");
}

TEST_F(failures, opening_without_what_it_needs)
{
	struct pto_context *ctx = NULL;

	EXPECT_EQ(-EINVAL, pto_open(REHEARSED_DEVICE, NULL));
	SAYS(pto_open_error(), "no place for the context");
	/* The first one is the rehearsed driver's own. */
	let_fail("mmap", 1, ENOMEM);
	EXPECT_EQ(-ENOMEM, pto_open(REHEARSED_DEVICE, &ctx));
	SAYS(pto_open_error(), "no page to recognise fork() with: ENOMEM");
	let_fail("madvise", 0, EINVAL);
	EXPECT_EQ(-EINVAL, pto_open(REHEARSED_DEVICE, &ctx));
	SAYS(pto_open_error(), "no page to recognise fork() with: EINVAL");
	EXPECT_EQ(NULL, ctx);
	EXPECT_EQ(1, rehearsal.contexts);
}

static int make_entry(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", seen.sysfs, name);
	return mkdir(path, 0700);
}

static void remove_entry(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", seen.sysfs, name);
	rmdir(path);
}

/* What the driver has is listed however far apart, and whether or not there is a node. */
TEST_F(failures, devices_without_a_node)
{
	static const char * const entries[] = { "pto2", "pto40", "pto41x", "other" };
	struct pto_device_desc list[4];
	unsigned int i;

	snprintf(seen.sysfs, sizeof(seen.sysfs), "/tmp/pto-selftest-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(seen.sysfs));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, make_entry(entries[i]));
	rehearsal.devices |= 1ULL << 40;
	EXPECT_EQ(3, pto_list_devices(list, 4));
	EXPECT_EQ(0, list[0].index);
	EXPECT_EQ(0, list[0].error);
	EXPECT_EQ(2, list[1].index);
	EXPECT_EQ(-ENOENT, list[1].error);
	SAYS(list[1].reason, "no device node; is udev running?");
	EXPECT_EQ(40, list[2].index);
	EXPECT_EQ(0, list[2].error);
	for (i = 0; i < 4; i++)
		remove_entry(entries[i]);
	rmdir(seen.sysfs);
}

/* --- a context's calls --------------------------------------------------------------- */

TEST_F(failures, of_the_driver_in_words)
{
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	struct pto_stream *stream;
	struct pto_buffer *buffer;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream));
	let_refuse(PTO_QUERY, -EPROTO, NULL);
	EXPECT_EQ(-EPROTO, pto_query_stats(self->ctx, &stats));
	CONTEXT_SAYS(REHEARSED_DEVICE ": query of item 2: EPROTO");
	let_refuse(PTO_QUERY, -EPERM, NULL);
	EXPECT_EQ(-EPERM, pto_query_usage(self->ctx, &usage));
	CONTEXT_SAYS(": EPERM: what other contexts do is shown with CAP_PERFMON only");
	let_refuse(PTO_CTX_RESET, -EIO, NULL);
	EXPECT_EQ(-EIO, pto_reset(self->ctx));
	CONTEXT_SAYS("reset: EIO");
	let_refuse(PTO_UNPREPARE, -EIO, NULL);
	EXPECT_EQ(-EIO, pto_unprepare(self->ctx, 63));
	CONTEXT_SAYS("unpreparing cid 63: EIO");
	let_refuse(PTO_STREAM_DESTROY, -ENOENT, NULL);
	EXPECT_EQ(-ENOENT, pto_stream_destroy(stream));
	CONTEXT_SAYS("destroying stream 2: ENOENT");
	let_refuse(PTO_BO_INFO, -ENOENT, NULL);
	EXPECT_EQ(-ENOENT, pto_buffer_alloc(self->ctx, 1, PTO_PLACE_HOST, &buffer));
	CONTEXT_SAYS("size of buffer");
	EXPECT_EQ(0, rehearsal.buffers);
	let_refuse(PTO_BO_CREATE, -EOPNOTSUPP, NULL);
	EXPECT_EQ(-EOPNOTSUPP, pto_buffer_alloc(self->ctx, 77, 9, &buffer));
	CONTEXT_SAYS("buffer of 77 bytes in placement 9");
	let_refuse(PTO_STREAM_CREATE, -EIO, NULL);
	EXPECT_EQ(-EIO, pto_stream_create(self->ctx, &stream));
	CONTEXT_SAYS("creating a stream: EIO");
}

TEST_F(failures, of_buffers)
{
	struct pto_buffer *buffer;
	char byte = 0;

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 10000, PTO_PLACE_DEVICE, &buffer));
	let_fail("mmap", 0, EAGAIN);
	EXPECT_EQ(NULL, pto_buffer_map(buffer));
	CONTEXT_SAYS("of 12288 bytes: EAGAIN");
	EXPECT_NE(NULL, pto_buffer_map(buffer));
	let_refuse(PTO_BO_COPY, -EFAULT, NULL);
	EXPECT_EQ(-EFAULT, pto_buffer_write(buffer, 5, &byte, 1));
	CONTEXT_SAYS("copying 1 bytes from host memory 0 to buffer");
	EXPECT_EQ(-EFAULT, pto_buffer_read(buffer, 5, &byte, 1));
	CONTEXT_SAYS("to host memory 0: EFAULT");
	pto_buffer_free(buffer);
}

/* What the driver says of a descriptor, in words */
TEST_F(failures, of_sharing)
{
	static const struct {
		int error, result;
		const char *words;
	} imports[] = {
		{ -ENOTTY, -EOPNOTSUPP, "cannot share buffers" },
		{ -EOPNOTSUPP, -EOPNOTSUPP, "cannot reach the memory of descriptor 1077" },
		{ -EINVAL, -EINVAL, "descriptor 1077 is not that of a dma-buf" },
		{ -EBUSY, -EBUSY, "the memory of descriptor 1077 is still being given back" },
		{ -EBADF, -EBADF, "importing descriptor 1077: EBADF" },
	};
	struct pto_buffer *buffer, *other = NULL;
	int fd = -1;
	size_t i;

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 10000, PTO_PLACE_DEVICE, &buffer));
	let_refuse(PTO_BO_EXPORT, -ENOTTY, NULL);
	EXPECT_EQ(-EOPNOTSUPP, pto_buffer_export(buffer, &fd));
	CONTEXT_SAYS("cannot share buffers");
	let_refuse(PTO_BO_EXPORT, -EMFILE, NULL);
	EXPECT_EQ(-EMFILE, pto_buffer_export(buffer, &fd));
	CONTEXT_SAYS("exporting buffer");
	EXPECT_EQ(-1, fd);
	for (i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
		let_refuse(PTO_BO_IMPORT, imports[i].error, NULL);
		EXPECT_EQ(imports[i].result, pto_buffer_import(self->ctx, 1077, &other));
		CONTEXT_SAYS(imports[i].words);
	}
	EXPECT_EQ(NULL, other);
	EXPECT_EQ(1, rehearsal.buffers);
	pto_buffer_free(buffer);
	EXPECT_EQ(-EBADF, pto_buffer_export(buffer, &fd));
	EXPECT_EQ(-EINVAL, pto_buffer_export(NULL, &fd));
}

/* --- callables ----------------------------------------------------------------------- */

static void expect_unprepared(struct __test_metadata *_metadata, FIXTURE_DATA(failures) *self,
			      int error, const char *log, const char *words)
{
	let_refuse(PTO_PREPARE, error, log);
	EXPECT_EQ(error, pto_prepare(self->ctx, 7, self->callable));
	CONTEXT_SAYS(words);
	EXPECT_EQ(error, pto_register(self->ctx, self->callable));
	EXPECT_EQ(0, rehearsal.images);
	EXPECT_EQ(0, rehearsal.callables);
}

TEST_F(failures, of_preparing)
{
	expect_unprepared(_metadata, self, -EEXIST, NULL, "cid 7 is in use; unprepare it first");
	expect_unprepared(_metadata, self, -ENOSPC, NULL, "no cid is free: all 64 are in use");
	expect_unprepared(_metadata, self, -EBUSY, NULL, "then prepare orch_host.so again");
	expect_unprepared(_metadata, self, -ENOEXEC, "there is no such symbol",
			  "preparing orch_host.so as cid 7: ENOEXEC: there is no such symbol");
	CONTEXT_SAYS("registering orch_host.so: ENOEXEC: there is no such symbol");
}

/* Words about objects that the callable does not have, and words of another device */
TEST_F(failures, of_preparing_in_words_of_other_devices)
{
	static const char * const logs[] = {
		"kernel of func_id 99: it is not there", "kernel of func_id 99",
		"kernel of func_id x: no", "kernel of func_id", "kernel of func_id: no",
		"orchestration", "orchestration is bad", "orchestration is bad: very",
		"orchestra: no", ": no", "no room for the orchestration: none",
	};
	char words[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(logs); i++) {
		snprintf(words, sizeof(words), "ENOEXEC: %s", logs[i]);
		expect_unprepared(_metadata, self, -ENOEXEC, logs[i], words);
	}
}

TEST_F(failures, of_preparing_without_an_explanation)
{
	expect_unprepared(_metadata, self, -EOPNOTSUPP, NULL, "EOPNOTSUPP: no explanation");
	CONTEXT_SAYS("registering orch_host.so: EOPNOTSUPP: no explanation");
	ASSERT_EQ(0, pto_callable_set_kind(self->callable, PTO_KIND_HOST_GRAPH));
	expect_unprepared(_metadata, self, -EOPNOTSUPP, NULL,
			  REHEARSED_DEVICE " does not take callables of kind HOST_GRAPH");
	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, 7, NULL));
	CONTEXT_SAYS("no callable to prepare");
	EXPECT_EQ(-EINVAL, pto_register(self->ctx, NULL));
}

TEST_F(failures, of_uploading)
{
	rehearsal.info.max_image_size = 4321;
	pto_close(self->ctx);
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	let_refuse(PTO_IMAGE_CREATE, -EFBIG, NULL);
	EXPECT_EQ(-EFBIG, pto_prepare(self->ctx, 0, self->callable));
	CONTEXT_SAYS("orch_host.so: ");
	CONTEXT_SAYS("the device takes images of 4321 at most");
	let_refuse(PTO_IMAGE_CREATE, -EKEYREJECTED, NULL);
	EXPECT_EQ(-EKEYREJECTED, pto_prepare(self->ctx, 0, self->callable));
	CONTEXT_SAYS("bytes: EKEYREJECTED");
	EXPECT_EQ(0, rehearsal.images);
}

TEST_F(failures, of_reading_callables)
{
	struct pto_callable *callable = NULL;
	char elf[100] = "";

	EXPECT_EQ(-EISDIR, pto_callable_load("/tmp", &callable));
	SAYS(pto_callable_error(), "tmp: not a regular file");
	let_fail("fstat", 0, EOVERFLOW);
	EXPECT_EQ(-EOVERFLOW, pto_callable_load(pt_object("orch_host"), &callable));
	SAYS(pto_callable_error(), "orch_host.so: ");
	EXPECT_EQ(-EINVAL, pto_callable_load(NULL, &callable));
	SAYS(pto_callable_error(), "no path");
	EXPECT_EQ(NULL, callable);
	if (!fence_here())
		return;
	fence_begin();
	fence_fail(1);
	EXPECT_EQ(-ENOMEM, pto_callable_from_memory(elf, sizeof(elf), "it", &callable));
	fence_fail(2);
	EXPECT_EQ(-ENOMEM, pto_callable_from_memory(elf, sizeof(elf), "it", &callable));
	fence_fail(1);
	EXPECT_EQ(-ENOMEM, pto_callable_add_kernel_memory(self->callable, 1, PTO_CORE_AIV, elf,
							  sizeof(elf), "it"));
	fence_end();
	SAYS(pto_callable_error(), "it: Cannot allocate memory");
	EXPECT_EQ(0, fence_live());
}

/* --- orchestrations in this process -------------------------------------------------- */

static int prepare_host(FIXTURE_DATA(failures) *self)
{
	int rc = pto_callable_set_kind(self->callable, PTO_KIND_HOST_GRAPH);

	return rc ? rc : pto_prepare(self->ctx, 0, self->callable);
}

static void expect_no_memfd(struct __test_metadata *_metadata, FIXTURE_DATA(failures) *self,
			    const char *call, unsigned int after, int error)
{
	let_fail(call, after, error);
	EXPECT_EQ(-error, prepare_host(self)) {
		TH_LOG("%s", call);
	}
	EXPECT_EQ(NULL, fault.call);
	CONTEXT_SAYS("orch_host.so: no memfd of ");
	CONTEXT_SAYS(strerrorname_np(error));
	EXPECT_EQ(0, rehearsal.callables);
}

TEST_F(failures, of_loading_here)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	expect_no_memfd(_metadata, self, "memfd_create", 0, EMFILE);
	expect_no_memfd(_metadata, self, "write", 0, ENOSPC);
	expect_no_memfd(_metadata, self, "fcntl", 0, EPERM);
	/* No descriptor is left of any of them. */
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(before + 1, after);
	close(after);
	close(before);
}

/* A kernel that does not know the newest flag, and a signal, are no failures. */
TEST_F(failures, that_are_none)
{
	let_fail("memfd_create", 0, EINVAL);
	EXPECT_EQ(0, prepare_host(self));
	EXPECT_EQ(0, pto_unprepare(self->ctx, 0));
	let_fail("write", 0, EINTR);
	EXPECT_EQ(0, prepare_host(self));
	EXPECT_EQ(NULL, fault.call);
}

static struct pto_args *host_args(uint32_t what)
{
	struct pto_args *args = pto_args_new();

	pto_args_add_scalar(args, what);
	return args;
}

TEST_F(failures, of_building_graphs)
{
	struct pto_args *args = host_args(HOST_MANY);
	struct pto_result result;
	struct pto_tensor tensor = pt_tensor(REHEARSED_BASE, PTO_DTYPE_UINT8, 1, 16);

	pto_args_add_scalar(args, 3);
	pto_args_add_scalar(args, 64);
	ASSERT_EQ(0, prepare_host(self));
	/* The first mapping is that of the arguments. */
	let_fail("mmap", 1, ENOMEM);
	EXPECT_EQ(-ENOMEM, pto_run(self->ctx, 0, args, NULL, &result));
	CONTEXT_SAYS("out of memory for graphs of up to 16384 tasks");
	EXPECT_EQ(0, result.id);
	EXPECT_EQ(0, pto_run(self->ctx, 0, args, NULL, &result));
	tensor.owner_task = 5;
	ASSERT_EQ(0, pto_args_add_device(args, &tensor));
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, 0, args, NULL, &result));
	CONTEXT_SAYS("tensor argument 0 belongs to a task of another run");
	EXPECT_EQ(PTO_RUN_NOT_SUBMITTED, result.id);
	EXPECT_EQ(-EINVAL, result.status);
	pto_args_free(args);
}

/* Lines that an application takes */
struct lines {
	char text[400];
	size_t length;
};

static void take_line(uint32_t level, const char *text, void *arg)
{
	struct lines *lines = arg;

	lines->length += snprintf(lines->text + lines->length, sizeof(lines->text) - lines->length,
				  "%u %s;", level, text);
}

/* What an orchestration logs here, with $PTO_LOG as @level. Return: in @text */
static int logged(FIXTURE_DATA(failures) *self, const char *level, char *text, size_t size)
{
	struct pto_args *args = host_args(HOST_LOG);
	int log = memfd_create("log", MFD_CLOEXEC), saved = dup(STDERR_FILENO), rc;
	ssize_t length;

	if (level)
		setenv("PTO_LOG", level, 1);
	else
		unsetenv("PTO_LOG");
	dup2(log, STDERR_FILENO);
	rc = pto_run(self->ctx, 0, args, NULL, NULL);
	dup2(saved, STDERR_FILENO);
	length = pread(log, text, size - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	pto_args_free(args);
	close(log);
	close(saved);
	return rc;
}

TEST_F(failures, lines_of_an_orchestration)
{
	static const char error[] = "pto: program: error: level 0\n";
	static const char warn[] = "pto: program: warn: level 1\n";
	static const char info[] = "pto: program: info: level 2\n";
	static const char debug[] = "pto: program: debug: level 3\n";
	static const struct { const char *level; const char *lines[4]; } cases[] = {
		{ NULL, { error, warn } }, { "warn", { error, warn } }, { "error", { error } },
		{ "info", { error, warn, info } }, { "debug", { error, warn, info, debug } },
		{ "none", { NULL } }, { "what", { error, warn } },
	};
	char text[400], want[400];
	unsigned int i, k;

	ASSERT_EQ(0, prepare_host(self));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		want[0] = '\0';
		for (k = 0; k < 4 && cases[i].lines[k]; k++)
			strcat(want, cases[i].lines[k]);
		ASSERT_EQ(0, logged(self, cases[i].level, text, sizeof(text)));
		EXPECT_STREQ(want, text);
	}
}

/* All of them, whatever $PTO_LOG says, and nothing goes to standard error. */
TEST_F(failures, lines_that_the_application_takes)
{
	struct lines lines = { .length = 0 };
	char text[400];

	ASSERT_EQ(0, prepare_host(self));
	pto_set_log(self->ctx, take_line, &lines);
	ASSERT_EQ(0, logged(self, "error", text, sizeof(text)));
	EXPECT_STREQ("", text);
	EXPECT_NE(NULL, strstr(lines.text, "0 level 0;1 level 1;2 level 2;3 level 3;"));
	pto_set_log(self->ctx, NULL, NULL);
	ASSERT_EQ(0, logged(self, "error", text, sizeof(text)));
	EXPECT_STREQ("pto: program: error: level 0\n", text);
}

/* --- runs ---------------------------------------------------------------------------- */

static struct pto_args *large_args(float *data, uint32_t count)
{
	struct pto_args *args = pto_args_new();

	pto_args_add_host(args, PTO_INOUT, data, PTO_DTYPE_FLOAT32, 1, &count);
	return args;
}

/* When no staging memory is left, the oldest run's is waited for. */
/* A run of which the driver has no more than a status */
TEST_F(failures, runs_without_an_explanation_of_the_device)
{
	static const struct {
		int status;
		const char *words;
	} ends[] = {
		{ -ENODEV, "ENODEV: the device went away while the run was in flight" },
		{ -ECANCELED, "ECANCELED: the run was aborted" },
		{ -EIO, "EIO: the context lost its device state" },
		{ -ENOENT, "ENOENT: the driver no longer has the result" },
		{ -EPROTO, "EPROTO: no explanation" },
	};
	int cid = pto_register(self->ctx, self->callable);

	ASSERT_LE(0, cid);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		rehearsal.end.status = ends[i].status;
		EXPECT_EQ(ends[i].status, pto_run(self->ctx, cid, NULL, NULL, NULL));
		CONTEXT_SAYS(ends[i].words);
		CONTEXT_SAYS("run of cid 0 on " REHEARSED_DEVICE);
	}
	rehearsal.end.status = 0;
}

TEST_F(failures, runs_wait_for_staging_memory)
{
	uint32_t count = 3 << 18, i;
	float *data = calloc(count, sizeof(*data));
	struct pto_args *args = large_args(data, count);

	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pto_submit(pto_default_stream(self->ctx), 0, args, NULL, NULL)) {
			TH_LOG("%u: %s", i, pto_context_error(self->ctx));
		}
	}
	EXPECT_EQ(0, pto_stream_wait(pto_default_stream(self->ctx), PTO_FOREVER));
	EXPECT_EQ(20, rehearsal_calls(PTO_RUN));
	EXPECT_LE(rehearsal_calls(PTO_WAIT), 20);
	/* And if that never ends, the submitter is told. */
	rehearsal.mute = true;
	for (i = 0; i < 20; i++)
		if (pto_submit(pto_default_stream(self->ctx), 0, args, NULL, NULL))
			break;
	EXPECT_LT(i, 8);
	CONTEXT_SAYS("the device has not answered");
	pto_args_free(args);
	free(data);
}

/* A device that says nothing of its bounds has those that libpto knows. */
TEST_F(failures, devices_without_a_default_bound)
{
	uint64_t began = rehearsal.now;

	rehearsal.info.default_timeout_ns = 0;
	pto_close(self->ctx);
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	rehearsal.mute = true;
	EXPECT_EQ(-ETIME, pto_run(self->ctx, 0, NULL, NULL, NULL));
	CONTEXT_SAYS("has not answered for 55000 ms");
	EXPECT_LE(55 * PT_SECOND, rehearsal.now - began);
}

TEST_F(failures, of_ring_configurations)
{
	struct pto_ring_config rings = { .task_window = { 64, 64, 64, 64 } };
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	ASSERT_EQ(0, pto_prepare(self->ctx, 0, self->callable));
	options.rings = &rings;
	let_refuse(PTO_PREWARM, -EPROTO, NULL);
	EXPECT_EQ(-EPROTO, pto_prewarm(self->ctx, &rings));
	CONTEXT_SAYS("making the arena of a ring configuration: EPROTO");
	EXPECT_EQ(-EPROTO, pto_run(self->ctx, 0, NULL, &options, NULL));
	let_refuse(PTO_PREWARM, -ENOMEM, NULL);
	EXPECT_EQ(-ENOMEM, pto_prewarm(self->ctx, &rings));
	CONTEXT_SAYS("no room for an arena of the ring sizes asked for: ");
	CONTEXT_SAYS("of 16777216 bytes of " REHEARSED_DEVICE);
	let_refuse(PTO_PREWARM, -ENOMEM, "no room for an arena: at least 5 bytes");
	EXPECT_EQ(-ENOMEM, pto_prewarm(self->ctx, &rings));
	CONTEXT_SAYS("ring sizes: no room for an arena: at least 5 bytes");
	EXPECT_EQ(0, rehearsal_calls(PTO_RUN));
	let_refuse(PTO_RUN, -ENOMEM, NULL);
	EXPECT_EQ(-ENOMEM, pto_run(self->ctx, 0, NULL, NULL, NULL));
	CONTEXT_SAYS("no room for the arena of a run with the default ring sizes");
	let_refuse(PTO_IMAGE_CREATE, -ENOMEM, NULL);
	EXPECT_EQ(-ENOMEM, pto_prepare(self->ctx, 1, self->callable));
	CONTEXT_SAYS(" bytes: ");
	CONTEXT_SAYS(" bytes of " REHEARSED_DEVICE " are in use");
}

TEST_HARNESS_MAIN
