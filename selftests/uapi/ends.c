// SPDX-License-Identifier: GPL-2.0
/* What is left of the ioctls when the context is lost, and when the device is gone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "table.h"

#define MAX_IOCTLS 32
#define ACTION "PTO_SELFTEST_GONE"

/* --- lost ------------------------------------------------------------------------- */

/* A run that heeds nobody: the device can end it only with its context. */
static void lose(struct env *env)
{
	static const struct pt_callable hang = { .orch = "orch_hang" };
	struct pto_run_entry entry = { .timeout_ns = PT_SECOND / 10 };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};

	entry.cid = pt_prepare(env->fd, -1, &hang, NULL);
	row_call(env, 0, PTO_RUN, &run, "RUN without an end");
	row(-ETIMEDOUT, pt_finish(env->fd, run.first_id), "status of a run without an end");
	pt_unprepare(env->fd, entry.cid);
}

static void lost_calls(struct env *env, int want, const char *when)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 1 };
	struct pto_ioc_stream_create stream = { .size = sizeof(stream) };
	struct pto_ioc_prewarm prewarm = { .size = sizeof(prewarm), .task_window = { 32 } };
	struct pto_ioc_prepare prepare = {
		.size = sizeof(prepare),
		.cid = -1,
		.kind = PTO_KIND_DEVICE_ORCH,
		.image = env->image,
	};
	uint64_t id = 0;

	row_call(env, want, PTO_BO_CREATE, &create, "BO_CREATE %s", when);
	row_call(env, want, PTO_STREAM_CREATE, &stream, "STREAM_CREATE %s", when);
	row_call(env, want, PTO_PREPARE, &prepare, "PREPARE %s", when);
	row_call(env, want, PTO_PREWARM, &prewarm, "PREWARM %s", when);
	row(want, pt_submit(env->fd, PTO_STREAM_DEFAULT, env->cid, NULL, 0, &id), "RUN %s", when);
	if (!want)
		row(0, pt_finish(env->fd, id), "status of the run %s", when);
}

static void lost_rows(struct env *env)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 1 };
	struct pto_ioc_bo_info info = { .size = sizeof(info), .id = env->bo.id };
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	struct pto_context_stats stats;

	lose(env);
	/* The driver learns it from the first command that the device refuses. */
	row(-EIO, pt_ioctl(env->fd, PTO_BO_CREATE, &create), "BO_CREATE finds the context lost");
	row_true(!pt_stats(env->fd, &stats) && stats.state == PTO_CTX_LOST,
		 "QUERY CONTEXT says that the context is lost");
	lost_calls(env, -EIO, "when lost");
	row_call(env, 0, PTO_BO_INFO, &info, "BO_INFO when lost");
	row_call(env, 0, PTO_CTX_RESET, &reset, "CTX_RESET when lost");
	row_true(!pt_stats(env->fd, &stats) && stats.state == PTO_CTX_OK,
		 "QUERY CONTEXT says that the context is usable");
	lost_calls(env, 0, "after the reset");
}

/* --- gone -------------------------------------------------------------------------- */

/* One result for each ioctl, then that of asking for the context's state. */
static size_t gone_calls(int fd, int *results)
{
	struct pto_context_stats stats;
	size_t i;

	for (i = 0; i < shape_count(); i++) {
		uint32_t arg[64] = { shape_size(i) };

		results[i] = pt_ioctl(fd, shape_nr(i), arg);
	}
	results[i] = pt_stats(fd, &stats);
	if (!results[i] && stats.state != PTO_CTX_GONE)
		results[i] = -EPROTO;
	return (i + 1) * sizeof(results[0]);
}

/* On a kernel: a device of our own, which is killed. */
static int gone_on_kernel(int *results)
{
	struct pt_ptod ptod = { 0 };
	int fd = pt_ptod_start(&ptod);

	if (fd < 0)
		return fd;
	pt_ptod_kill(&ptod);
	gone_calls(fd, results);
	close(fd);
	return 0;
}

/* On the simulator: a process whose device goes away after its first run. */
static void __attribute__((constructor)) gone_in_child(void)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	int results[MAX_IOCTLS], fd, i, err = 0;
	size_t bytes;

	if (!getenv(ACTION))
		return;
	fd = pt_open(0);
	if (fd < 0 || pt_prepare(fd, 0, &empty, NULL))
		_exit(1);
	for (i = 0; i < 100 && !err; i++)
		err = pt_run(fd, 0, NULL, 0);
	bytes = gone_calls(fd, results);
	_exit(write(STDOUT_FILENO, results, bytes) != (ssize_t)bytes);
}

static int gone_on_simulator(int *results)
{
	size_t bytes = (shape_count() + 1) * sizeof(results[0]);
	int pipefd[2], status;
	ssize_t got;
	pid_t child;

	fflush(stdout);
	if (pipe(pipefd))
		return -errno;
	child = fork();
	if (!child) {
		dup2(pipefd[1], STDOUT_FILENO);
		setenv("PTO_SIM_FAIL", "gone:1", 1);
		setenv(ACTION, "1", 1);
		execl("/proc/self/exe", "table", NULL);
		_exit(1);
	}
	close(pipefd[1]);
	got = read(pipefd[0], results, bytes);
	close(pipefd[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return -ECHILD;
	return got == (ssize_t)bytes ? 0 : -EIO;
}

static void gone_rows(void)
{
	int results[MAX_IOCTLS] = { 0 };
	size_t i;

	if (!pt_simulator() && !pt_ptod_possible()) {
		ksft_print_msg("no device may be killed here: no rows of devices that are gone\n");
		return;
	}
	row(0, pt_simulator() ? gone_on_simulator(results) : gone_on_kernel(results),
	    "a device goes away");
	for (i = 0; i < shape_count(); i++)
		row(-ENODEV, results[i], "%s when the device is gone", shape_name(i));
	row(0, results[i], "QUERY CONTEXT says that the device is gone");
}

void rows_of_ends(struct env *env)
{
	lost_rows(env);
	gone_rows();
}
