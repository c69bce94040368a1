// SPDX-License-Identifier: GPL-2.0
/* The words of a failure come with the result: any thread has them, of any number of contexts. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <pto/pto.h>

#include "pttest.h"

#define CONTEXTS 6	/* more than a thread has texts for */

FIXTURE(texts) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx[CONTEXTS];
	struct pto_callable *empty;
};

FIXTURE_SETUP(texts)
{
	int i;

	PT_FIND(self->fd, 0, self->path);
	for (i = 0; i < CONTEXTS; i++)
		ASSERT_EQ(0, pto_open(self->path, &self->ctx[i]));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &self->empty));
}

FIXTURE_TEARDOWN(texts)
{
	int i;

	if (self->fd < 0)
		return;
	pto_callable_free(self->empty);
	for (i = 0; i < CONTEXTS; i++)
		pto_close(self->ctx[i]);
}

PT_TEST_F(texts, of_more_contexts_than_a_thread_remembers)
{
	struct pto_result results[CONTEXTS];
	char want[64];
	int i;

	for (i = 0; i < CONTEXTS; i++)
		EXPECT_EQ(-ENOENT, pto_run(self->ctx[i], i, NULL, NULL, &results[i]));
	EXPECT_EQ(0, strcmp("no failure", pto_context_error(self->ctx[0])));
	for (i = 0; i < CONTEXTS; i++) {
		snprintf(want, sizeof(want), "cid %d is not prepared", i);
		EXPECT_EQ(0, strcmp(want, results[i].text));
	}
}

struct other {
	struct pto_context *ctx;
	struct pto_result result;
};

static void *fail(void *arg)
{
	struct other *other = arg;

	pto_run(other->ctx, 7, NULL, NULL, &other->result);
	return NULL;
}

PT_TEST_F(texts, of_another_thread)
{
	struct other other = { .ctx = self->ctx[0] };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fail, &other));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, strcmp("no failure", pto_context_error(self->ctx[0])));
	EXPECT_EQ(0, strcmp("cid 7 is not prepared", other.result.text));
}

/* Also where there is no context to ask */
PT_TEST_F(texts, of_waits)
{
	struct pto_stream *stream = pto_default_stream(self->ctx[0]);
	struct pto_run_handle *run;
	struct pto_result result;

	ASSERT_EQ(0, pto_prepare(self->ctx[0], 0, self->empty));
	ASSERT_EQ(0, pto_submit(stream, 0, NULL, NULL, &run));
	memset(&result, 0xff, sizeof(result));
	ASSERT_EQ(0, pto_wait(run, PTO_FOREVER, &result));
	EXPECT_EQ(0, strcmp("", result.text));
	EXPECT_EQ(-EBADF, pto_wait(run, 0, &result));
	EXPECT_NE(NULL, strstr(result.text, "handle"));
	EXPECT_EQ(-EINVAL, pto_wait(NULL, 0, &result));
	EXPECT_NE(NULL, strstr(result.text, "handle"));
	EXPECT_EQ(-EINVAL, pto_run(NULL, 0, NULL, NULL, &result));
	EXPECT_NE(NULL, strstr(result.text, "context"));
}

static void expect_named(struct __test_metadata *_metadata, FIXTURE_DATA(texts) *self,
			 struct pto_callable *callable, const char *head, const char *path)
{
	char want[PTO_TEXT_SIZE];
	const char *text;

	snprintf(want, sizeof(want), "ENOEXEC: %s (%s): ", head, path);
	EXPECT_EQ(-ENOEXEC, pto_prepare(self->ctx[0], 3, callable));
	text = pto_context_error(self->ctx[0]);
	EXPECT_TRUE(strstr(text, want) && strstr(text, "nobody_has_this")) {
		TH_LOG("\"%s\" in: %s", want, text);
	}
	EXPECT_EQ(NULL, strstr(text, "(image "));
	EXPECT_EQ(-ENOEXEC, pto_register(self->ctx[0], callable));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx[0]), want));
}

/* What cannot be loaded is named as the application did, whichever object it is. */
PT_TEST_F(texts, of_objects_that_cannot_be_loaded)
{
	struct pto_callable *callable;
	char path[1024], deep[1024];

	snprintf(path, sizeof(path), "%s", pt_object("orch_unresolved"));
	ASSERT_EQ(0, pto_callable_load(path, &callable));
	expect_named(_metadata, self, callable, "orchestration", path);
	pto_callable_free(callable);

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 4, PTO_CORE_AIC, pt_object("kernel_add")));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 41, PTO_CORE_AIV, path));
	expect_named(_metadata, self, callable, "kernel of func_id 41", path);
	pto_callable_free(callable);

	/* A long path: its end */
	memset(deep, '/', 300);
	ASSERT_LT(strlen(path), sizeof(deep) - 300);
	memcpy(deep + 300, path, strlen(path) + 1);
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &callable));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 4, PTO_CORE_AIC, deep));
	memcpy(path, "...", 3);
	memcpy(path + 3, deep + strlen(deep) - 252, 253);
	expect_named(_metadata, self, callable, "kernel of func_id 4", path);
	pto_callable_free(callable);
}

TEST_HARNESS_MAIN
