// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that die without a word: the application, at any moment, and the software device
 * in the middle of a run.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 512
#define KILLS 200
#define MAX_DELAY_US 20000

/* --- the application ------------------------------------------------------------ */

FIXTURE(killed) {
	int fd;
	uint32_t arch;
	struct pt_vec vec;
	struct pto_device_usage base;
};

FIXTURE_SETUP(killed)
{
	struct pto_device_info info;

	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &info));
	self->arch = info.arch;
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &self->vec));
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(killed)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* In a child, which has no other way to say it. */
static void must(long ret, const char *what)
{
	if (ret >= 0)
		return;
	printf("# %s: %s\n", what, strerror((int)-ret));
	fflush(stdout);
	_exit(1);
}

/* All that an application does, over and over, until it is killed. */
static void work_for_ever(uint32_t arch, int ready)
{
	struct pt_vec vec;
	uint32_t stream;
	uint64_t id;
	int fd, i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		fd = pt_open(arch);
		must(fd, "open");
		must(pt_vec_new(fd, COUNT, &vec), "buffers");
		pt_vec_fill(&vec, 1, 2);
		must(pt_prepare(fd, 0, &pt_add, NULL), "prepare");
		must(pt_prepare(fd, 5, &pt_mul, NULL), "prepare a second one");
		must(pt_stream_create(fd, &stream), "create a stream");
		for (i = 0; i < 8; i++)
			must(pt_submit(fd, i % 2 ? stream : PTO_STREAM_DEFAULT, i % 2 ? 5 : 0,
				       &vec.args, vec.args_bytes, &id), "submit");
		pt_unprepare(fd, 5);
		must(pt_finish(fd, id), "finish");
		pt_vec_free(fd, &vec);
		close(fd);
	}
}

static void kill_one(struct __test_metadata *_metadata, uint32_t arch, unsigned int delay_us)
{
	int pipefd[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(pipefd));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		close(pipefd[0]);
		work_for_ever(arch, pipefd[1]);
	}
	close(pipefd[1]);
	EXPECT_EQ(1, read(pipefd[0], &byte, 1));
	close(pipefd[0]);
	usleep(delay_us);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status)) {
		TH_LOG("the child gave up with status %d", status);
	}
}

PT_TEST_F(killed, application_two_hundred_times)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	unsigned int seed = given ? strtoul(given, NULL, 10) : pt_now();
	struct pto_device_usage now;
	int i;

	TH_LOG("PTO_SELFTEST_SEED=%u", seed);
	for (i = 0; i < KILLS; i++)
		kill_one(_metadata, self->arch, rand_r(&seed) % MAX_DELAY_US);
	EXPECT_EQ(0, pt_usage_settles(self->fd, &self->base, &now));
	EXPECT_EQ(self->base.memory_used, now.memory_used);
	EXPECT_EQ(self->base.images, now.images);
	EXPECT_EQ(self->base.contexts, now.contexts);
	EXPECT_EQ(self->base.streams, now.streams);
	pt_vec_fill(&self->vec, 3, 4);
	EXPECT_EQ(0, pt_run(self->fd, 0, &self->vec.args, self->vec.args_bytes));
	EXPECT_EQ(0, pt_vec_wrong(&self->vec, '+', 3, 4));
}

#define SHARED_WINDOW 64
#define CHILDS_WINDOW 128

/* The arena of a small configuration. Return: its id or a negative errno */
static int64_t prewarm(int fd, uint64_t window)
{
	struct pto_ioc_prewarm arg = {
		.size = sizeof(arg),
		.task_window = { window, window, window, window },
		.heap = { 65536, 65536, 65536, 65536 },
	};
	int err = pt_ioctl(fd, PTO_PREWARM, &arg);

	return err ? err : (int64_t)arg.arena;
}

static int run_in(int fd, uint32_t arena, const struct pt_vec *vec)
{
	struct pto_run_entry entry = {
		.args_bo = vec->args.id,
		.args_size = vec->args_bytes,
		.arena = arena,
	};
	uint64_t id;
	int err = pt_submit_entry(fd, PTO_STREAM_DEFAULT, &entry, &id);

	return err ? err : pt_finish(fd, id);
}

/* Binds an arena to the image of one that its parent has, and has one built for itself. */
static void hold_arenas(uint32_t arch, int ready)
{
	int fd = pt_open(arch);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || prewarm(fd, SHARED_WINDOW) <= 0 || prewarm(fd, CHILDS_WINDOW) <= 0 ||
	    write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* What a process shared stays with the others, what it had built is left to them. */
PT_TEST_F(killed, process_that_shares_an_arena_image)
{
	struct pto_device_usage now, want = self->base;
	struct pto_context_stats before, after;
	int pipefd[2];
	int64_t arena;
	pid_t child;
	char byte;

	arena = prewarm(self->fd, SHARED_WINDOW);
	ASSERT_GT(arena, 0);
	ASSERT_EQ(0, pt_usage(self->fd, &want));
	ASSERT_EQ(0, pipe(pipefd));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child)
		hold_arenas(self->arch, pipefd[1]);
	close(pipefd[1]);
	EXPECT_EQ(1, read(pipefd[0], &byte, 1));
	close(pipefd[0]);
	kill(child, SIGKILL);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	pt_vec_fill(&self->vec, 5, 6);
	EXPECT_EQ(0, run_in(self->fd, arena, &self->vec));
	EXPECT_EQ(0, pt_vec_wrong(&self->vec, '+', 5, 6));
	EXPECT_EQ(arena, prewarm(self->fd, SHARED_WINDOW));
	/* A process on the simulator has a device of its own, and takes its images with it. */
	ASSERT_EQ(0, pt_usage(self->fd, &now));
	EXPECT_EQ(want.arena_images + !pt_simulator(), now.arena_images);
	want.memory_used += now.arena_image_bytes - want.arena_image_bytes;
	want.arena_images = now.arena_images;
	want.arena_image_bytes = now.arena_image_bytes;
	EXPECT_EQ(0, pt_usage_settles(self->fd, &want, &now));
	ASSERT_EQ(0, pt_stats(self->fd, &before));
	EXPECT_GT(prewarm(self->fd, CHILDS_WINDOW), 0);
	ASSERT_EQ(0, pt_stats(self->fd, &after));
	EXPECT_EQ(before.arena_misses + 1, after.arena_misses);
	EXPECT_EQ(before.arena_builds + pt_simulator(), after.arena_builds);
}

/* --- the device ----------------------------------------------------------------- */

FIXTURE(device_killed) {
	int fd;
	struct pt_ptod ptod;
};

FIXTURE_SETUP(device_killed)
{
	self->fd = -1;
	if (!pt_ptod_possible())
		SKIP(return, pt_simulator() ? "the simulator's device is no process" :
		     "no virtual devices, or no permission to make one");
	self->fd = pt_ptod_start(&self->ptod);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(device_killed)
{
	if (self->fd >= 0)
		close(self->fd);
	pt_ptod_kill(&self->ptod);
}

/* The run ends with an error or is not there to be waited for; the waiter wakes. */
PT_TEST_F(device_killed, mid_run)
{
	struct pto_context_stats stats;
	struct pt_gate gate;
	uint64_t id;
	int ended, i;

	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &gate));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	ASSERT_EQ(0, pt_ptod_kill(&self->ptod));
	ended = pt_finish(self->fd, id);
	EXPECT_TRUE(ended == -ENODEV || ended == -EIO || ended == -ECANCELED) {
		TH_LOG("the run ended with %d", ended);
	}
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(PTO_CTX_GONE, stats.state);
	EXPECT_EQ(-ENODEV, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;
}

struct sleeper {
	int fd;
	uint64_t id;
	int result;
};

static void *sleep_on_run(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->result = pt_finish(sleeper->fd, sleeper->id);
	return NULL;
}

static void *sleep_in_poll(void *arg)
{
	struct sleeper *sleeper = arg;
	struct pollfd pollfd = { .fd = sleeper->fd, .events = POLLIN };

	sleeper->result = poll(&pollfd, 1, 60000) == 1 ? pollfd.revents : 0;
	return NULL;
}

PT_TEST_F(device_killed, sleepers_wake)
{
	struct sleeper waiter = { .fd = self->fd }, poller = { .fd = self->fd };
	pthread_t threads[2];
	struct pt_gate gate;

	ASSERT_EQ(0, pt_gate_new(self->fd, NULL, &gate));
	ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &waiter.id));
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, sleep_on_run, &waiter));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, sleep_in_poll, &poller));
	pt_pause();
	ASSERT_EQ(0, pt_ptod_kill(&self->ptod));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	EXPECT_LT(waiter.result, 0);
	EXPECT_NE(0, poller.result & (POLLERR | POLLHUP));
}

PT_TEST_F(device_killed, next_ptod_gets_a_device)
{
	struct pt_vec vec;
	int fd;

	/* The dead device is still open: the new one comes beside it. */
	ASSERT_EQ(0, pt_ptod_kill(&self->ptod));
	fd = pt_ptod_start(&self->ptod);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pt_prepare(fd, 0, &pt_add, NULL));
	ASSERT_EQ(0, pt_vec_new(fd, COUNT, &vec));
	pt_vec_fill(&vec, 1, 2);
	EXPECT_EQ(0, pt_run(fd, 0, &vec.args, vec.args_bytes));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 1, 2));
	pt_vec_free(fd, &vec);
	close(fd);
}

TEST_HARNESS_MAIN
