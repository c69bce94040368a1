// SPDX-License-Identifier: GPL-2.0
/*
 * What is to be seen from outside of the objects that are loaded into this process: the names
 * that debuggers and symbolisers open. And what a process has to have so that they can be loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"

#define MOST 256

/* Orchestration and kernel, of either kind. */
static struct pto_callable *load(uint32_t kind)
{
	struct pto_callable *callable;

	if (pto_callable_load(pt_object(kind == PTO_KIND_HOST_GRAPH ? "orch_host" : "orch_vec"),
			      &callable))
		return NULL;
	if (pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_add")) ||
	    pto_callable_set_kind(callable, kind)) {
		pto_callable_free(callable);
		return NULL;
	}
	return callable;
}

/* --- names ---------------------------------------------------------------------------- */

struct names {
	int count;
	char list[MOST][256];
};

static int add_name(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct names *names = arg;

	if (names->count < MOST)
		snprintf(names->list[names->count++], 256, "%s", info->dlpi_name);
	return 0;
}

static bool has_name(const struct names *names, const char *name)
{
	int i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->list[i], name))
			return true;
	return false;
}

/* No other process finds a file there, and it need not wait to see that. */
static void expect_nobodys(struct __test_metadata *_metadata, const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	EXPECT_EQ(-1, fd) {
		TH_LOG("%s can be opened", name);
	}
	EXPECT_EQ(ENOTDIR, errno) {
		TH_LOG("%s: %s", name, strerror(errno));
	}
}

FIXTURE(loaded) {
	int fd;
	struct pto_context *ctx;
	struct pto_callable *host, *device;
	struct names before, after;
};

FIXTURE_SETUP(loaded)
{
	self->fd = -1;
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pto_open("/dev/pto0", &self->ctx));
	self->host = load(PTO_KIND_HOST_GRAPH);
	self->device = load(PTO_KIND_DEVICE_ORCH);
	ASSERT_TRUE(self->host && self->device);
	self->before.count = 0;
	self->after.count = 0;
}

FIXTURE_TEARDOWN(loaded)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	pto_callable_free(self->host);
	pto_callable_free(self->device);
	pto_close(self->ctx);
}

PT_TEST_F(loaded, names_mean_nothing_to_others)
{
	int i, j, found = 0;

	dl_iterate_phdr(add_name, &self->before);
	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, pto_register(self->ctx, self->host));
		ASSERT_LE(0, pto_register(self->ctx, self->device));
	}
	dl_iterate_phdr(add_name, &self->after);
	for (i = 0; i < self->after.count; i++) {
		const char *name = self->after.list[i];

		EXPECT_NE(0, strncmp(name, "/proc", 5)) {
			TH_LOG("%s", name);
		}
		/* The first prepare may also have loaded a library. */
		if (has_name(&self->before, name) || (*name && !access(name, F_OK)))
			continue;
		expect_nobodys(_metadata, name);
		for (j = 0; j < i; j++)
			EXPECT_STRNE(name, self->after.list[j]);
		found++;
	}
	/* On the simulator also three orchestrations of the device, and the one kernel. */
	EXPECT_EQ(pt_simulator() ? 7 : 3, found);
}

PT_TEST_F(loaded, name_says_what_it_is)
{
	bool orchestration = false;
	int i;

	ASSERT_LE(0, pto_register(self->ctx, self->host));
	dl_iterate_phdr(add_name, &self->after);
	for (i = 0; i < self->after.count; i++)
		orchestration |= !strncmp(self->after.list[i], "/dev/null/pto-", 14) &&
				 strstr(self->after.list[i], "/orch_host.so");
	EXPECT_TRUE(orchestration);
}

/* --- what is missing ------------------------------------------------------------------- */

/* Runs in a child, before the simulator makes threads: after a fork ThreadSanitizer allows none. */
static int in_child(int (*fn)(int said), char *text, size_t size)
{
	int status, said = memfd_create("said", MFD_CLOEXEC);
	pid_t child = fork();
	ssize_t length;

	if (!child)
		_exit(fn(said));
	waitpid(child, &status, 0);
	length = pread(said, text, size - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(said);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define IMPOSSIBLE	77

/* What prepares say when /proc has gone after the device was opened. */
static int prepare_without_proc(int said)
{
	static const uint32_t kinds[] = { PTO_KIND_HOST_GRAPH, PTO_KIND_DEVICE_ORCH };
	struct pto_callable *callables[2];
	struct pto_context *ctx;
	int i;

	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return IMPOSSIBLE;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return IMPOSSIBLE;
	for (i = 0; i < 2; i++)
		callables[i] = load(kinds[i]);
	if (pto_open("/dev/pto0", &ctx))
		return 1;
	if (mount("none", "/proc", "tmpfs", 0, NULL))
		return IMPOSSIBLE;
	for (i = 0; i < 2; i++)
		if (pto_prepare(ctx, i, callables[i]) < 0)
			dprintf(said, "%u: %s\n", kinds[i], pto_context_error(ctx));
	return 0;
}

TEST(without_proc_that_is_said)
{
	int ret, found = access("/dev/pto0", F_OK);
	char text[1024];

	PT_NEED(found, 0);
	ret = in_child(prepare_without_proc, text, sizeof(text));
	if (ret == IMPOSSIBLE)
		SKIP(return, "this process may not mount over /proc");
	ASSERT_EQ(0, ret);
	EXPECT_NE(NULL, strstr(text, "cannot load it: the dynamic loader needs /proc")) {
		TH_LOG("%s", text);
	}
	if (!pt_simulator())
		return;
	EXPECT_NE(NULL, strstr(text, "1: ")) {
		TH_LOG("%s", text);
	}
	EXPECT_NE(NULL, strstr(strchr(text, '\n') ?: "", "the dynamic loader needs /proc")) {
		TH_LOG("%s", text);
	}
}

static struct pto_callable *prepared[2];
static int reports;	/* memfd */

static void *prepare_alone(void *unused)
{
	char path[4096];
	struct pto_context *ctx;
	int i;

	/* This is how it shows that the main thread has gone. */
	while (readlink("/proc/self/exe", path, sizeof(path)) >= 0)
		pt_pause();
	if (pto_open("/dev/pto0", &ctx))
		_exit(1);
	for (i = 0; i < 2; i++) {
		if (pto_prepare(ctx, i, prepared[i]) >= 0)
			continue;
		dprintf(reports, "%s\n", pto_context_error(ctx));
		_exit(2);
	}
	_exit(0);
}

static int end_main_thread(int said)
{
	pthread_t thread;

	reports = said;
	prepared[0] = load(PTO_KIND_HOST_GRAPH);
	prepared[1] = load(PTO_KIND_DEVICE_ORCH);
	if (pthread_create(&thread, NULL, prepare_alone, NULL))
		return 1;
	pthread_exit(NULL);
}

TEST(main_thread_has_ended)
{
	int found = access("/dev/pto0", F_OK);
	char text[1024];

	PT_NEED(found, 0);
	EXPECT_EQ(0, in_child(end_main_thread, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
}

TEST_HARNESS_MAIN
