// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl, tried in every way that the header speaks of.
 *
 *   PTO_TABLE=FILE table   also write the table: name, what must be, what was
 *
 * The rows are the same on the simulator and on a kernel, whatever the device: diff tells (stage
 * "same" of tools/test/run-all).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "table.h"

static void must(int ret, const char *what)
{
	if (ret < 0)
		ksft_exit_fail_msg("%s: %s\n", what, strerror(-ret));
}

static void gate_new(struct env *env)
{
	static const struct pt_callable gate = { .orch = "orch_gate" };
	struct pto_tensor words;

	must(pt_buf_new(env->fd, 8, &env->gate_data), "gate buffer");
	must(pt_buf_new(env->fd, PTO_RUN_ARGS_SIZE(1, 0), &env->gate_args), "gate arguments");
	words = pt_tensor(env->gate_data.addr, PTO_DTYPE_UINT32, sizeof(uint32_t), 2);
	env->gate_args_bytes = pt_args_write(env->gate_args.map, 1, &words, 0, NULL);
	env->gate = pt_prepare(env->fd, -1, &gate, NULL);
	must(env->gate, "prepare orch_gate");
}

int gate_submit(const struct env *env, uint32_t stream, uint64_t *id)
{
	return pt_submit(env->fd, stream, env->gate, &env->gate_args, env->gate_args_bytes, id);
}

void gate_close(const struct env *env)
{
	__atomic_store_n((uint32_t *)env->gate_data.map, 0, __ATOMIC_RELEASE);
}

void gate_open(const struct env *env, uint64_t last)
{
	__atomic_store_n((uint32_t *)env->gate_data.map, 1, __ATOMIC_RELEASE);
	must(pt_finish(env->fd, last), "run through the gate");
}

/* A dma-buf of @env->bo */
static void dmabuf_new(struct env *env)
{
	struct pto_ioc_bo_export export = { .size = sizeof(export), .id = env->bo.id };

	must(pt_ioctl(env->fd, PTO_BO_EXPORT, &export), "dma-buf");
	env->dmabuf = export.fd;
}

void env_new(struct env *env)
{
	static const struct pt_callable empty = { .orch = "orch_empty" };
	struct pto_ioc_image_create image;
	struct pto_ioc_prepare prepare;

	memset(env, 0, sizeof(*env));
	env->fd = pt_open(0);
	if (env->fd < 0 && getenv("PTO_SELFTEST"))
		ksft_exit_fail_msg("no /dev/pto* can be opened: %s\n", strerror(-env->fd));
	if (env->fd < 0)
		ksft_exit_skip("no /dev/pto* can be opened: %s\n", strerror(-env->fd));
	must(pt_info(env->fd, &env->info), "PTO_QUERY_DEVICE");
	must(pt_buf_new(env->fd, 2 * env->info.page_size, &env->bo), "buffer");
	dmabuf_new(env);
	env->cid = pt_prepare(env->fd, -1, &empty, &prepare);
	must(env->cid, "prepare orch_empty");
	env->generation = prepare.generation;
	must(pt_image(env->fd, "orch_empty", &image), "image of orch_empty");
	env->image = image.id;
	must(pt_image(env->fd, "kernel_add", &image), "image of kernel_add");
	env->kernel = image.id;
	must(pt_submit(env->fd, PTO_STREAM_DEFAULT, env->cid, NULL, 0, &env->run), "run");
	must(pt_finish(env->fd, env->run), "run of orch_empty");
	gate_new(env);
}

void env_free(struct env *env)
{
	pt_buf_free(env->fd, &env->gate_args);
	pt_buf_free(env->fd, &env->gate_data);
	close(env->dmabuf);
	pt_buf_free(env->fd, &env->bo);
	close(env->fd);
}

/* The errors that the header's contract knows. */
static void rows_of_errors(void)
{
	static const int errors[] = {
		ENOTTY, EINVAL, E2BIG, EOPNOTSUPP, ENOENT, EOVERFLOW, EFAULT, ENOSPC, ENOMEM,
		EAGAIN, ENOEXEC, EIO, EEXIST, EBUSY, EBADF, EFBIG, ETIMEDOUT, EINTR, ESTALE,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		row_produced(errors[i]);
	if (pt_simulator() || pt_ptod_possible())
		row_produced(ENODEV);
}

int main(void)
{
	struct env env;

	ksft_print_header();
	env_new(&env);
	table_begin(getenv("PTO_TABLE"));
	rows_of_shapes(&env);
	rows_of_memory(&env);
	rows_of_callables(&env);
	rows_of_runs(&env);
	rows_of_run_waits(&env);
	rows_of_ends(&env);
	rows_of_errors();
	env_free(&env);
	return table_end();
}
