// SPDX-License-Identifier: GPL-2.0
/*
 * libpto-ffi as a binding uses it: opened at run time, every function by its name, no header of
 * libpto, and structs as bytes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "pttest.h"

/* Functions are called as a binding calls them: without a prototype. */
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#ifdef __clang__
#pragma clang diagnostic ignored "-Wdeprecated-non-prototype"
#endif

#define COUNT 8u

/* struct pto_tensor, and the numbers that a binding takes from the headers. */
struct bytes {
	uint8_t of[128];
} __attribute__((aligned(64)));

enum { FLOAT32 = 0, PLACE_DEVICE = PTO_PLACE_DEVICE, CORE_AIV = PTO_CORE_AIV };

FIXTURE(ffi) {
	int fd;	/* only says whether there is a device */
	char path[32];
	void *library;
};

FIXTURE_SETUP(ffi)
{
	PT_FIND(self->fd, 0, self->path);
	self->library = dlopen("libpto-ffi.so.0", RTLD_NOW | RTLD_LOCAL);
	ASSERT_NE(NULL, self->library) {
		TH_LOG("%s", dlerror());
	}
}

FIXTURE_TEARDOWN(ffi)
{
	if (self->fd >= 0)
		dlclose(self->library);
}

/* What functions return; the types of their arguments are the caller's business. */
typedef int (*int_fn)();
typedef uint64_t (*u64_fn)();
typedef void *(*ptr_fn)();

#define CALL(type, name, ...) (((type)dlsym(self->library, #name))(__VA_ARGS__))

PT_TEST_F(ffi, inline_functions)
{
	const uint32_t shape[] = { 4, COUNT }, box[] = { 1, 3 };
	const uint32_t at[] = { 2, 5 }, index[] = { 0, 1 };
	struct bytes tensor, view, other;
	struct pto_tensor same;
	uint64_t offset = 0;

	EXPECT_EQ(4, CALL(int_fn, pto_dtype_size, FLOAT32));
	ASSERT_EQ(0, CALL(int_fn, pto_tensor_make, &tensor, (uint64_t)0x10000, FLOAT32, 2,
			  shape));
	ASSERT_EQ(0, pto_tensor_make(&same, 0x10000, FLOAT32, 2, shape));
	EXPECT_EQ(0, memcmp(&tensor, &same, sizeof(tensor)));
	ASSERT_EQ(0, CALL(int_fn, pto_tensor_view, &tensor, box, at, &view));
	ASSERT_EQ(0, CALL(int_fn, pto_tensor_offset, &view, 2, index, &offset));
	EXPECT_EQ(2 * COUNT + 6, offset);
	EXPECT_EQ(-EINVAL, CALL(int_fn, pto_tensor_reshape, &view, 1, shape, &other));
	EXPECT_EQ(0x10000 + 4 * (2 * COUNT + 5), CALL(u64_fn, pto_tensor_data, &view));
	/* A binding knows the size of its own structs, not that of this library's. */
	EXPECT_EQ(NULL, dlsym(self->library, "pto_query_device"));
	EXPECT_NE(NULL, dlsym(self->library, "pto_query_device_sized"));
	/* What the headers use among themselves is nobody's. */
	EXPECT_EQ(NULL, dlsym(self->library, "pto_tensor_finish_"));
}

static void device_tensor(FIXTURE_DATA(ffi) *self, void *args, void *buffer)
{
	const uint32_t shape[] = { COUNT };
	struct bytes tensor;

	CALL(int_fn, pto_tensor_make, &tensor, CALL(u64_fn, pto_buffer_device_addr, buffer),
	     FLOAT32, 1, shape);
	CALL(int_fn, pto_args_add_device_sized, args, &tensor, sizeof(tensor));
}

/* The functions of libpto itself are found through the same handle. */
PT_TEST_F(ffi, a_run)
{
	void *ctx, *callable, *args, *buffer[3];
	float *map[3];
	int i, k;

	ASSERT_EQ(0, CALL(int_fn, pto_open, self->path, &ctx));
	ASSERT_EQ(0, CALL(int_fn, pto_callable_load, pt_object("orch_vec"), &callable));
	ASSERT_EQ(0, CALL(int_fn, pto_callable_add_kernel, callable, 0, CORE_AIV,
			  pt_object("kernel_add")));
	ASSERT_EQ(0, CALL(int_fn, pto_register, ctx, callable));
	args = CALL(ptr_fn, pto_args_new);
	for (k = 0; k < 3; k++) {
		ASSERT_EQ(0, CALL(int_fn, pto_buffer_alloc, ctx, sizeof(float) * COUNT,
				  PLACE_DEVICE, &buffer[k]));
		map[k] = CALL(ptr_fn, pto_buffer_map, buffer[k]);
		device_tensor(self, args, buffer[k]);
	}
	for (i = 0; i < (int)COUNT; i++) {
		map[0][i] = i;
		map[1][i] = 100 * i;
	}
	ASSERT_EQ(0, CALL(int_fn, pto_run_sized, ctx, 0, args, NULL, NULL, (size_t)0)) {
		TH_LOG("%s", (char *)CALL(ptr_fn, pto_context_error, ctx));
	}
	for (i = 0; i < (int)COUNT; i++)
		EXPECT_EQ(101 * i, map[2][i]);
	CALL(ptr_fn, pto_args_free, args);
	CALL(ptr_fn, pto_callable_free, callable);
	CALL(ptr_fn, pto_close, ctx);
}

TEST_HARNESS_MAIN
