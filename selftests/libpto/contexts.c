// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts in their process: which device is opened, what a forked child may do with what it
 * has inherited, what becomes of an exec, whose failure a text tells of, and buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define PAGE 4096u

FIXTURE(contexts) {
	struct pto_context *ctx;
	int cid;
};

FIXTURE_SETUP(contexts)
{
	struct pto_callable *callable;

	rehearsal_begin();
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	self->cid = pto_register(self->ctx, callable);
	ASSERT_LE(0, self->cid);
	pto_callable_free(callable);
}

FIXTURE_TEARDOWN(contexts)
{
	pto_close(self->ctx);
}

/* --- devices ----------------------------------------------------------------------- */

static int opened(const char *path)
{
	struct pto_context *ctx;
	int rc;

	rehearsal.opened = -1;
	rc = pto_open(path, &ctx);
	if (rc)
		return rc;
	pto_close(ctx);
	return rehearsal.opened;
}

TEST_F(contexts, device_that_is_opened)
{
	struct pto_context *ctx;

	rehearsal.devices = 1 | 1 << 7 | 1 << 9;
	unsetenv("PTO_DEVICE");
	EXPECT_EQ(0, opened(NULL));
	setenv("PTO_DEVICE", "/dev/pto7", 1);
	EXPECT_EQ(7, opened(NULL));
	EXPECT_EQ(9, opened("/dev/pto9"));
	setenv("PTO_DEVICE", "", 1);
	EXPECT_EQ(0, opened(NULL));
	unsetenv("PTO_DEVICE");
	EXPECT_EQ(-ENOENT, opened("/dev/pto8"));
	ASSERT_EQ(0, pto_open_index(9, &ctx));
	EXPECT_EQ(9, rehearsal.opened);
	pto_close(ctx);
	EXPECT_EQ(-ENOENT, pto_open_index(8, &ctx));
	EXPECT_EQ(8, rehearsal.opened);
}

/* The indices have gaps; the search ends after one of sixteen. */
TEST_F(contexts, list_of_devices)
{
	static const struct {
		uint64_t devices;
		int found;
	} sets[] = {
		{ 0, 0 }, { 1, 1 }, { 1ull << 15, 1 }, { 1ull << 16, 0 }, { 0x8001, 2 },
		{ 1 | 1ull << 16, 2 }, { 1 | 1ull << 17, 1 },
		{ 1 | 1ull << 10 | 1ull << 20 | 1ull << 30 | 1ull << 40, 5 },
	};
	const char *mode = getenv("PTO_SELFTEST");
	struct pto_device_desc list[6];
	size_t i;
	int n;

	if (mode && !strcmp(mode, "kernel"))
		SKIP(return, "the nodes of this machine are found, too");
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		rehearsal.devices = sets[i].devices;
		for (n = 0; n <= 5; n++) {
			memset(list, 0x55, sizeof(list));
			EXPECT_EQ(sets[i].found, pto_list_devices(list, n)) {
				TH_LOG("devices 0x%llx", (unsigned long long)sets[i].devices);
			}
			/* Not one more than there is room for. */
			EXPECT_EQ(0x55, *(unsigned char *)&list[n < sets[i].found ? n :
								 sets[i].found]);
		}
		EXPECT_EQ(sets[i].found, pto_list_devices(NULL, 0));
		for (n = 0; n < sets[i].found; n++) {
			EXPECT_TRUE(sets[i].devices >> list[n].index & 1);
			EXPECT_EQ(0, list[n].error);
			EXPECT_EQ(REHEARSED_DEPTH, list[n].info.stream_depth);
		}
	}
	EXPECT_EQ(1, rehearsal.contexts);
}

static int old_answer(unsigned long nr, void *arg)
{
	struct pto_ioc_query *query = arg;

	/* What an old driver does not know it does not write. */
	if (nr == PTO_QUERY)
		query->data_size = 8;
	return 0;
}

TEST_F(contexts, answer_of_an_old_driver)
{
	struct pto_device_info info;
	char *bytes = (char *)&info;
	size_t i;

	memset(&info, 0x55, sizeof(info));
	rehearsal.refuse = old_answer;
	ASSERT_EQ(0, pto_query_device(self->ctx, &info));
	EXPECT_NE(0, info.arch);
	for (i = 8; i < sizeof(info); i++)
		ASSERT_EQ(0, bytes[i]);
}

/* --- other processes ----------------------------------------------------------------- */

/* In a child. Return: the exit status. */
static int in_child(FIXTURE_DATA(contexts) *self, int (*fn)(FIXTURE_DATA(contexts) *self))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn(self));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int use_in_child(FIXTURE_DATA(contexts) *self)
{
	unsigned int before = rehearsal.all_calls;
	struct pto_buffer *buffer;
	struct pto_stream *stream;

	if (pto_run(self->ctx, self->cid, NULL, NULL, NULL) != -ENODEV ||
	    pto_buffer_alloc(self->ctx, 1, PTO_PLACE_DEVICE, &buffer) != -ENODEV ||
	    pto_stream_create(self->ctx, &stream) != -ENODEV || pto_reset(self->ctx) != -ENODEV)
		return 1;
	if (!strstr(pto_context_error(self->ctx), "fork"))
		return 2;
	/* It is the library that says so, not the driver. */
	return rehearsal.all_calls == before ? 0 : 3;
}

TEST_F(contexts, forked_child_is_told)
{
	EXPECT_EQ(0, in_child(self, use_in_child));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
}

/* The numbers and the addresses of the parent's things are something else's by now. */
static int close_in_child(FIXTURE_DATA(contexts) *self)
{
	int fd = pto_context_fd(self->ctx), pipes[2];
	struct pto_buffer *buffer = NULL;
	char byte = 'x', *map;
	void *own;

	/* The buffer was mapped by the parent; see below. */
	map = (char *)(uintptr_t)strtoull(getenv("PT_MAP"), NULL, 16);
	buffer = (void *)(uintptr_t)strtoull(getenv("PT_BUFFER"), NULL, 16);
	if (pipe(pipes) || dup2(pipes[1], fd) != fd)
		return 1;
	own = mmap(map, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0);
	if (own == MAP_FAILED)
		return 2;
	map[0] = 'y';
	pto_buffer_free(buffer);
	pto_close(self->ctx);
	if (map[0] != 'y')
		return 3;
	return write(fd, &byte, 1) == 1 && read(pipes[0], &byte, 1) == 1 ? 0 : 4;
}

TEST_F(contexts, forked_child_closes_nothing_of_others)
{
	struct pto_buffer *buffer, *other;
	unsigned int buffers;
	char text[32];

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, PAGE, PTO_PLACE_DEVICE, &buffer));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, PAGE, PTO_PLACE_DEVICE, &other));
	ASSERT_NE(NULL, pto_buffer_map(other));
	snprintf(text, sizeof(text), "%llx", (unsigned long long)(uintptr_t)pto_buffer_map(buffer));
	setenv("PT_MAP", text, 1);
	snprintf(text, sizeof(text), "%llx", (unsigned long long)(uintptr_t)buffer);
	setenv("PT_BUFFER", text, 1);
	buffers = rehearsal.buffers;
	EXPECT_EQ(0, in_child(self, close_in_child));
	EXPECT_EQ(buffers, rehearsal.buffers);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
}

TEST_F(contexts, exec_ends_them)
{
	EXPECT_TRUE(fcntl(pto_context_fd(self->ctx), F_GETFD) & FD_CLOEXEC);
}

/* --- texts ---------------------------------------------------------------------------- */

/* Leaves a text that has its number. */
static void fail(struct pto_context *ctx, int number)
{
	pto_unprepare(ctx, 1000 + number);
}

static bool tells(struct pto_context *ctx, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", 1000 + number);
	return strstr(pto_context_error(ctx), text);
}

TEST_F(contexts, texts_are_each_contexts_own)
{
	struct pto_context *others[3];
	int i;

	rehearsal.devices = 0xf;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pto_open_index(i + 1, &others[i]));
	EXPECT_EQ(0, strcmp("no failure", pto_context_error(self->ctx)));
	fail(self->ctx, 50);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, strcmp("no failure", pto_context_error(others[i])));
		fail(others[i], i);
	}
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(tells(others[i], i));
	EXPECT_TRUE(tells(self->ctx, 50));
	fail(self->ctx, 60);
	EXPECT_TRUE(tells(self->ctx, 60));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(tells(others[i], i));
		pto_close(others[i]);
	}
}

static void *fail_everything(void *arg)
{
	struct pto_context *other;
	struct pto_callable *callable;

	if (strcmp("no failure", pto_context_error(arg)) ||
	    strcmp("no failure", pto_open_error()) || strcmp("no failure", pto_callable_error()))
		return "a new thread has failed";
	fail(arg, 70);
	pto_open("/dev/pto63", &other);
	pto_callable_load("/the/other/one", &callable);
	return tells(arg, 70) ? NULL : "the text is not the thread's";
}

TEST_F(contexts, texts_are_each_threads_own)
{
	struct pto_callable *callable;
	struct pto_context *other;
	pthread_t thread;
	void *wrong;

	fail(self->ctx, 50);
	EXPECT_EQ(-ENOENT, pto_open("/dev/pto62", &other));
	EXPECT_EQ(-ENOENT, pto_callable_load("/this/one", &callable));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_everything, self->ctx));
	pthread_join(thread, &wrong);
	EXPECT_EQ(NULL, wrong) {
		TH_LOG("%s", (char *)wrong);
	}
	EXPECT_TRUE(tells(self->ctx, 50));
	EXPECT_TRUE(!!strstr(pto_open_error(), "/dev/pto62"));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "this/one"));
}

/* What a failure of the driver is called, and what is told with it. */
static int error_of;

static int refuse(unsigned long nr, void *arg)
{
	return nr == PTO_QUERY ? 0 : error_of;
}

static bool run_says(FIXTURE_DATA(contexts) *self, int error, const char *text)
{
	error_of = error;
	rehearsal.refuse = refuse;
	return pto_run(self->ctx, self->cid, NULL, NULL, NULL) == error &&
	       strstr(pto_context_error(self->ctx), text);
}

TEST_F(contexts, failures_are_explained)
{
	struct pto_callable *callable;
	struct pto_stream *stream;
	struct pto_buffer *buffer;

	EXPECT_TRUE(run_says(self, -ENOENT, "is not prepared"));
	EXPECT_TRUE(run_says(self, -EIO, "pto_reset()"));
	EXPECT_TRUE(run_says(self, -ENODEV, "is gone"));
	EXPECT_TRUE(run_says(self, -EPERM, "EPERM"));
	error_of = -ENOMEM;
	EXPECT_EQ(-ENOMEM, pto_buffer_alloc(self->ctx, 12345, PTO_PLACE_DEVICE, &buffer));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "16773120 of 16777216 bytes"));
	error_of = -ENOSPC;
	EXPECT_EQ(-ENOSPC, pto_stream_create(self->ctx, &stream));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "has 4 at most"));
	error_of = 0;
	EXPECT_EQ(-EINVAL, pto_buffer_alloc(self->ctx, 0, PTO_PLACE_DEVICE, &buffer));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "0 bytes"));
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, 64, NULL, NULL, NULL));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "not in 0 to 63"));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	EXPECT_EQ(-EINVAL, pto_prepare(self->ctx, 64, callable));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "not in 0 to 63"));
	EXPECT_EQ(-EINVAL, pto_unprepare(self->ctx, 64));
	EXPECT_EQ(-EINVAL, pto_unprepare(self->ctx, -1));
	pto_callable_free(callable);
	EXPECT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	pto_callable_free(callable);
}

/* --- buffers ----------------------------------------------------------------------------- */

static char bytes[3 * PAGE];

/* Writes and reads at every edge; the bytes are where they should be, and nowhere else. */
TEST_F(contexts, buffers_have_edges)
{
	const size_t sizes[] = { 0, 1, 7, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE };
	struct pto_buffer *buffer;
	size_t i, j, offset;
	char *map, back[2 * PAGE];

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, PAGE + 1, PTO_PLACE_DEVICE, &buffer));
	EXPECT_EQ(2 * PAGE, pto_buffer_size(buffer));
	map = pto_buffer_map(buffer);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(map, pto_buffer_map(buffer));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(map, 0, 2 * PAGE);
		offset = 2 * PAGE - sizes[i];
		for (j = 0; j < sizes[i]; j++)
			bytes[j] = (char)(1 + rand() % 100);
		EXPECT_EQ(0, pto_buffer_write(buffer, offset, bytes, sizes[i]));
		EXPECT_EQ(0, memcmp(map + offset, bytes, sizes[i]));
		EXPECT_TRUE(!offset || !map[offset - 1]);
		EXPECT_EQ(0, pto_buffer_read(buffer, offset, back, sizes[i]));
		EXPECT_EQ(0, memcmp(back, bytes, sizes[i]));
		EXPECT_EQ(-EINVAL, pto_buffer_write(buffer, offset + 1, bytes, sizes[i]));
		EXPECT_EQ(-EINVAL, pto_buffer_read(buffer, offset + 1, back, sizes[i]));
		EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "past the end"));
	}
	EXPECT_EQ(-EINVAL, pto_buffer_write(buffer, 0, bytes, 2 * PAGE + 1));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "past the end"));
	EXPECT_EQ(-EINVAL, pto_buffer_write(buffer, SIZE_MAX, bytes, 1));
	EXPECT_EQ(-EINVAL, pto_buffer_write(buffer, SIZE_MAX, bytes, 2));
	pto_buffer_free(buffer);
}

TEST_F(contexts, copies_between_buffers)
{
	struct pto_buffer *a, *b, *foreign;
	struct pto_context *other;
	char *from, *to;
	unsigned int calls;

	rehearsal.devices = 3;
	ASSERT_EQ(0, pto_open_index(1, &other));
	ASSERT_EQ(0, pto_buffer_alloc(other, PAGE, PTO_PLACE_DEVICE, &foreign));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, PAGE, PTO_PLACE_DEVICE, &a));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 2 * PAGE, PTO_PLACE_DEVICE, &b));
	from = pto_buffer_map(a);
	to = pto_buffer_map(b);
	memcpy(from + 100, "the bytes", 10);
	EXPECT_EQ(0, pto_buffer_copy(b, 5000, a, 100, 10));
	EXPECT_EQ(0, memcmp(to + 5000, "the bytes", 10));
	EXPECT_EQ(0, to[4999]);
	EXPECT_EQ(0, to[5010]);
	calls = rehearsal_calls(PTO_BO_COPY);
	EXPECT_EQ(-EINVAL, pto_buffer_copy(a, 0, b, 2 * PAGE - 9, 10));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "past the end"));
	EXPECT_EQ(-EINVAL, pto_buffer_copy(a, PAGE - 9, b, 0, 10));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "past the end"));
	EXPECT_EQ(-EINVAL, pto_buffer_copy(a, 0, foreign, 0, 10));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "different contexts"));
	EXPECT_EQ(calls, rehearsal_calls(PTO_BO_COPY));
	pto_close(other);
}

/* --- callables ------------------------------------------------------------------------------ */

static struct pto_ioc_prepare prepared;
static struct pto_kernel kernels[4];

static int note_prepare(unsigned long nr, void *arg)
{
	if (nr != PTO_PREPARE)
		return 0;
	prepared = *(struct pto_ioc_prepare *)arg;
	if (prepared.kernel_count <= 4)
		memcpy(kernels, (void *)(uintptr_t)prepared.kernels_ptr,
		       prepared.kernel_count * sizeof(kernels[0]));
	return 0;
}

/* What was set last, and all of it; unused bytes are zero. */
TEST_F(contexts, symbols_are_those_that_were_set_last)
{
	static const char *const names[] = { "a_long_name_of_an_entry", "short", "", "medium_one" };
	char longest[PTO_SYMBOL_MAX], too_long[PTO_SYMBOL_MAX + 1];
	__u8 want[PTO_SYMBOL_MAX];
	struct pto_callable *callable;
	size_t i;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	rehearsal.refuse = note_prepare;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const char *config = names[(i + 1) % ARRAY_SIZE(names)];

		EXPECT_EQ(0, pto_callable_set_symbols(callable, names[i], config));
		EXPECT_LE(0, pto_register(self->ctx, callable));
		memset(want, 0, sizeof(want));
		memcpy(want, names[i], strlen(names[i]));
		EXPECT_EQ(0, memcmp(want, prepared.entry, sizeof(want)));
		memset(want, 0, sizeof(want));
		memcpy(want, config, strlen(config));
		EXPECT_EQ(0, memcmp(want, prepared.config, sizeof(want)));
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	EXPECT_EQ(-EINVAL, pto_callable_set_symbols(callable, too_long, NULL));
	EXPECT_EQ(-EINVAL, pto_callable_set_symbols(callable, NULL, too_long));
	EXPECT_EQ(0, pto_callable_set_symbols(callable, longest, longest));
	EXPECT_LE(0, pto_register(self->ctx, callable));
	EXPECT_EQ(0, memcmp(longest, prepared.entry, sizeof(longest)));
	EXPECT_EQ(0, memcmp(longest, prepared.config, sizeof(longest)));
	pto_callable_free(callable);
}

TEST_F(contexts, kernels_are_those_that_were_added)
{
	static const uint32_t taken[] = { PTO_MAX_FUNC_ID - 1, 0, 7 };
	struct pto_callable *callable;
	uint32_t i;

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	EXPECT_EQ(0, pto_callable_add_kernel(callable, PTO_MAX_FUNC_ID - 1, PTO_CORE_AIC,
					     pt_object("kernel_add")));
	EXPECT_EQ(0, pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_mul")));
	EXPECT_EQ(0, pto_callable_add_kernel(callable, 7, PTO_CORE_AIC, pt_object("kernel_mul")));
	EXPECT_EQ(-EINVAL, pto_callable_add_kernel(callable, PTO_MAX_FUNC_ID, PTO_CORE_AIC,
						   pt_object("kernel_mul")));
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		EXPECT_EQ(-EEXIST, pto_callable_add_kernel(callable, taken[i], PTO_CORE_AIV,
							   pt_object("kernel_mul")));
	EXPECT_EQ(-EINVAL, pto_callable_add_kernel(callable, 8, 2, pt_object("kernel_mul")));
	rehearsal.refuse = note_prepare;
	EXPECT_LE(0, pto_register(self->ctx, callable));
	ASSERT_EQ(3, prepared.kernel_count);
	EXPECT_EQ(PTO_MAX_FUNC_ID - 1, kernels[0].func_id);
	EXPECT_EQ(PTO_CORE_AIC, kernels[0].core_type);
	EXPECT_EQ(0, kernels[1].func_id);
	EXPECT_EQ(PTO_CORE_AIV, kernels[1].core_type);
	EXPECT_EQ(7, kernels[2].func_id);
	EXPECT_EQ(PTO_CORE_AIC, kernels[2].core_type);
	for (i = 0; i < 3; i++)
		EXPECT_NE(0, kernels[i].image);
	pto_callable_free(callable);
}

/* --- streams -------------------------------------------------------------------------------- */

TEST_F(contexts, destroyed_streams)
{
	struct pto_run_handle *run;
	struct pto_stream *stream;

	EXPECT_EQ(-EINVAL, pto_stream_destroy(pto_default_stream(self->ctx)));
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, NULL, NULL));
	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream));
	rehearsal.held = true;
	ASSERT_EQ(0, pto_submit(stream, self->cid, NULL, NULL, &run));
	EXPECT_EQ(0, pto_stream_destroy(stream));
	EXPECT_EQ(0, rehearsal.streams);
	/* Its run was waited for by the library: the driver would not have let it go. */
	EXPECT_EQ(1, rehearsal_calls(PTO_STREAM_DESTROY));
}

static int busy_once(unsigned long nr, void *arg)
{
	static int times;

	return nr == PTO_STREAM_DESTROY && !times++ ? -EBUSY : 0;
}

TEST_F(contexts, stream_with_runs_that_came_past_the_library)
{
	struct pto_stream *stream;

	ASSERT_EQ(0, pto_stream_create(self->ctx, &stream));
	rehearsal.refuse = busy_once;
	EXPECT_EQ(0, pto_stream_destroy(stream));
	EXPECT_EQ(0, rehearsal.streams);
	EXPECT_EQ(1, rehearsal_calls(PTO_STREAM_WAIT));
}

TEST_HARNESS_MAIN
