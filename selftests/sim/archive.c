// SPDX-License-Identifier: GPL-2.0
/*
 * A program that has the simulator in it: libptosim.a as a whole, and libpto behind it. It has
 * nothing preloaded.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"

#define COUNT 300

/* Once more without what the runner preloads: there would be two simulators. */
__attribute__((constructor)) static void without_preload(int argc, char **argv)
{
	if (!getenv("LD_PRELOAD"))
		return;
	unsetenv("LD_PRELOAD");
	execv("/proc/self/exe", argv);
	_exit(127);
}

FIXTURE(archive) {
	int fd;
};

FIXTURE_SETUP(archive)
{
	const char *mode = getenv("PTO_SELFTEST");

	self->fd = -1;
	if (mode && !strcmp(mode, "kernel"))
		SKIP(return, "not on the simulator");
	PT_OPEN(self->fd, 0);
}

FIXTURE_TEARDOWN(archive)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* Prepare and run by libpto: its functions, and not the driver's of the same names, are called. */
static bool adds(struct pto_context *ctx, struct pto_callable *callable)
{
	float a[COUNT], b[COUNT], f[COUNT] = { 0 };
	struct pto_args *args = pto_args_new();
	int ret = pto_prepare(ctx, 5, callable), i;
	uint32_t shape[1] = { COUNT };

	for (i = 0; i < COUNT; i++) {
		a[i] = i;
		b[i] = 2 * i;
	}
	pto_args_add_host(args, PTO_IN, a, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_IN, b, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_OUT, f, PTO_DTYPE_FLOAT32, 1, shape);
	ret = ret ? ret : pto_run(ctx, 5, args, NULL, NULL);
	pto_args_free(args);
	for (i = 0; i < COUNT; i++)
		ret = ret || f[i] != 3.0f * i;
	return !ret && !pto_unprepare(ctx, 5);
}

PT_TEST_F(archive, opens_prepares_runs)
{
	struct pto_callable *callable;
	struct pto_context *ctx;

	ASSERT_EQ(0, pto_open_index(0, &ctx)) {
		TH_LOG("%s", pto_open_error());
	}
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &callable));
	ASSERT_EQ(0, pto_callable_add_kernel(callable, 0, PTO_CORE_AIV, pt_object("kernel_add")));
	EXPECT_TRUE(adds(ctx, callable)) {
		TH_LOG("%s", pto_context_error(ctx));
	}
	pto_callable_free(callable);
	pto_close(ctx);
}

/* A library that is loaded later calls what the dynamic linker finds first. */
PT_TEST_F(archive, libraries_see_the_devices)
{
	int (*open_found)(const char *path, int flags, ...) = dlsym(RTLD_DEFAULT, "open");
	struct pto_device_info info;
	int fd;

	ASSERT_NE(NULL, open_found);
	fd = open_found("/dev/pto0", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, pt_info(fd, &info));
	EXPECT_EQ(0, close(fd));
}

TEST_HARNESS_MAIN
