// SPDX-License-Identifier: GPL-2.0
/*
 * The callables of examples/, with random inputs and sizes, against plain C. They are run
 * through libpto, as an application would.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pto/pto.h>

#include "pttest.h"

#define MAX_ELEMENTS 70000
#define ROUNDS 12
#define CHECKS 9

FIXTURE(numerics) {
	int fd;	/* only says whether there is a device */
	struct pto_context *ctx;
	struct pto_callable *callable;
	struct pto_args *args;
	unsigned int seed;
	float *a;
	float *b;
	float *out;
	float *want;
};

FIXTURE_VARIANT(numerics) {
	uint32_t arch;
	uint32_t kind;
};

FIXTURE_VARIANT_ADD(numerics, a2a3_device) { .arch = PTO_ARCH_A2A3, .kind = PTO_KIND_DEVICE_ORCH };
FIXTURE_VARIANT_ADD(numerics, a2a3_host) { .arch = PTO_ARCH_A2A3, .kind = PTO_KIND_HOST_GRAPH };
FIXTURE_VARIANT_ADD(numerics, a5_device) { .arch = PTO_ARCH_A5, .kind = PTO_KIND_DEVICE_ORCH };
FIXTURE_VARIANT_ADD(numerics, a5_host) { .arch = PTO_ARCH_A5, .kind = PTO_KIND_HOST_GRAPH };

static float *vector(void)
{
	return calloc(MAX_ELEMENTS, sizeof(float));
}

FIXTURE_SETUP(numerics)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	char path[32];

	PT_FIND(self->fd, variant->arch, path);
	self->seed = given ? strtoul(given, NULL, 10) : pt_now();
	TH_LOG("PTO_SELFTEST_SEED=%u", self->seed);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
	self->args = pto_args_new();
	self->a = vector();
	self->b = vector();
	self->out = vector();
	self->want = vector();
	ASSERT_TRUE(self->args && self->a && self->b && self->out && self->want);
}

FIXTURE_TEARDOWN(numerics)
{
	if (self->fd < 0)
		return;
	pto_args_free(self->args);
	pto_callable_free(self->callable);
	pto_close(self->ctx);
	free(self->a);
	free(self->b);
	free(self->out);
	free(self->want);
}

static const char *object(const char *example, const char *name)
{
	char relative[128];

	snprintf(relative, sizeof(relative), "../../examples/%s/%s.so", example, name);
	return pt_path(relative);
}

/* Load an example's orchestration and its kernels (func_ids from 0). Return: the cid */
static int load(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
		const FIXTURE_VARIANT(numerics) *variant, const char *example,
		const char * const *kernels)
{
	int err, i, cid;

	err = pto_callable_load(object(example, "orch"), &self->callable);
	EXPECT_EQ(0, err) {
		TH_LOG("%s", pto_callable_error());
	}
	for (i = 0; !err && kernels[i]; i++) {
		err = pto_callable_add_kernel(self->callable, i, PTO_CORE_AIV,
					      object(example, kernels[i]));
		EXPECT_EQ(0, err) {
			TH_LOG("%s", pto_callable_error());
		}
	}
	if (!err)
		err = pto_callable_set_kind(self->callable, variant->kind);
	if (err)
		return err;
	cid = pto_register(self->ctx, self->callable);
	EXPECT_GE(cid, 0) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	return cid;
}

static void randomize(FIXTURE_DATA(numerics) *self, float *data, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		data[i] = (rand_r(&self->seed) % 200001 - 100000) / 1000.0f;
}

/* Small sizes, sizes around powers of two, and any. */
static uint32_t random_size(FIXTURE_DATA(numerics) *self, uint32_t least)
{
	uint32_t size;

	switch (rand_r(&self->seed) % 3) {
	case 0:
		size = 1 + rand_r(&self->seed) % 64;
		break;
	case 1:
		size = (1U << rand_r(&self->seed) % 17) + rand_r(&self->seed) % 3 - 1;
		break;
	default:
		size = 1 + rand_r(&self->seed) % MAX_ELEMENTS;
	}
	return size < least ? least + size : size;
}

static void vectors(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
		    uint32_t count)
{
	uint32_t shape[1] = { count };

	randomize(self, self->a, count);
	randomize(self, self->b, count);
	memset(self->out, 0x55, MAX_ELEMENTS * sizeof(float));
	pto_args_clear(self->args);
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->a, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_IN, self->b, PTO_DTYPE_FLOAT32, 1, shape));
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, self->out, PTO_DTYPE_FLOAT32, 1,
				       shape));
}

static void run(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self, int cid)
{
	ASSERT_EQ(0, pto_run(self->ctx, cid, self->args, NULL, NULL)) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
}

static void compare(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
		    const float *got, const float *want, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		ASSERT_EQ(want[i], got[i]) {
			TH_LOG("element %u of %u: %g, not %g", i, count, got[i], want[i]);
		}
	}
}

/* Nothing behind the end of the output is touched. */
static void untouched_behind(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
			     uint32_t count)
{
	uint32_t word;

	if (count == MAX_ELEMENTS)
		return;
	memcpy(&word, &self->out[count], sizeof(word));
	EXPECT_EQ(0x55555555, word);
}

PT_TEST_F(numerics, vector_add)
{
	static const char * const kernels[] = { "kernel_add", NULL };
	int cid = load(_metadata, self, variant, "vector_add", kernels), round;
	uint32_t count, i;

	ASSERT_GE(cid, 0);
	for (round = 0; round < ROUNDS; round++) {
		count = random_size(self, 1);
		vectors(_metadata, self, count);
		for (i = 0; i < count; i++)
			self->want[i] = self->a[i] + self->b[i];
		run(_metadata, self, cid);
		compare(_metadata, self, self->out, self->want, count);
		untouched_behind(_metadata, self, count);
	}
}

static float graph(float a, float b)
{
	float c = a + b;
	float d = c + 1;
	float e = c + 2;
	float g = d * e;

	return g + c;
}

PT_TEST_F(numerics, vector_example)
{
	static const char * const kernels[] = {
		"kernel_add", "kernel_add_scalar", "kernel_mul", NULL,
	};
	int cid = load(_metadata, self, variant, "vector_example", kernels), round;
	uint32_t count, i;

	ASSERT_GE(cid, 0);
	for (round = 0; round < ROUNDS; round++) {
		count = random_size(self, 1);
		vectors(_metadata, self, count);
		for (i = 0; i < count; i++)
			self->want[i] = graph(self->a[i], self->b[i]);
		run(_metadata, self, cid);
		compare(_metadata, self, self->out, self->want, count);
		untouched_behind(_metadata, self, count);
	}
}

/* The numbers of the seed: a = 2, b = 3 give 47 everywhere. */
PT_TEST_F(numerics, vector_example_golden)
{
	static const char * const kernels[] = {
		"kernel_add", "kernel_add_scalar", "kernel_mul", NULL,
	};
	int cid = load(_metadata, self, variant, "vector_example", kernels);
	uint32_t i;

	ASSERT_GE(cid, 0);
	vectors(_metadata, self, 16384);
	for (i = 0; i < 16384; i++) {
		self->a[i] = 2;
		self->b[i] = 3;
		self->want[i] = 47;
	}
	run(_metadata, self, cid);
	compare(_metadata, self, self->out, self->want, 16384);
}

static void scalar_data_round(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
			      int cid, uint32_t count)
{
	uint32_t shape[1] = { CHECKS }, i;
	float check[CHECKS] = { 0 };
	float c0 = self->a[0] + self->b[0];
	float golden[CHECKS] = {
		c0, self->a[100] + self->b[100], 77, 77, c0 + 77, 42, 10 + self->a[0], 88, 55,
	};

	for (i = 0; i < count; i++)
		self->want[i] = self->a[i] + (i ? self->b[i] : 0);
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, check, PTO_DTYPE_FLOAT32, 1, shape));
	run(_metadata, self, cid);
	compare(_metadata, self, check, golden, CHECKS);
	compare(_metadata, self, self->out, self->want, count);
}

/* It reads what tasks have written: on the host that is an error, and nothing is copied back. */
static void scalar_data_on_host(struct __test_metadata *_metadata, FIXTURE_DATA(numerics) *self,
				int cid)
{
	float check[CHECKS] = { 0 };
	uint32_t shape[1] = { CHECKS };
	struct pto_result result;

	vectors(_metadata, self, 200);
	ASSERT_EQ(0, pto_args_add_host(self->args, PTO_OUT, check, PTO_DTYPE_FLOAT32, 1, shape));
	EXPECT_EQ(-EREMOTEIO, pto_run(self->ctx, cid, self->args, NULL, &result));
	EXPECT_EQ(PTO_FATAL_INVALID_ARGS, result.code);
	untouched_behind(_metadata, self, 0);
}

/* The numbers of the seed, then random ones. */
PT_TEST_F(numerics, scalar_data)
{
	static const char * const kernels[] = { "kernel_add", "kernel_noop", NULL };
	int cid = load(_metadata, self, variant, "scalar_data", kernels), round;
	uint32_t count, i;

	ASSERT_GE(cid, 0);
	if (variant->kind == PTO_KIND_HOST_GRAPH) {
		scalar_data_on_host(_metadata, self, cid);
		return;
	}
	vectors(_metadata, self, 16384);
	for (i = 0; i < 16384; i++) {
		self->a[i] = 2;
		self->b[i] = i;
	}
	scalar_data_round(_metadata, self, cid, 16384);
	for (round = 0; round < ROUNDS; round++) {
		count = random_size(self, 101);
		vectors(_metadata, self, count);
		scalar_data_round(_metadata, self, cid, count);
	}
}

/* Many in flight, on inputs of their own, waited for in any order. */
PT_TEST_F(numerics, many_in_flight)
{
	static const char * const kernels[] = { "kernel_add", NULL };
	int cid = load(_metadata, self, variant, "vector_add", kernels), i, k;
	struct pto_run_handle *runs[20];
	struct pto_stream *stream = pto_default_stream(self->ctx);
	uint32_t shape[1] = { 1000 };

	ASSERT_GE(cid, 0);
	randomize(self, self->a, 20000);
	randomize(self, self->b, 20000);
	for (i = 0; i < 20; i++) {
		pto_args_clear(self->args);
		pto_args_add_host(self->args, PTO_IN, self->a + i * 1000, PTO_DTYPE_FLOAT32, 1,
				  shape);
		pto_args_add_host(self->args, PTO_IN, self->b + i * 1000, PTO_DTYPE_FLOAT32, 1,
				  shape);
		pto_args_add_host(self->args, PTO_OUT, self->out + i * 1000, PTO_DTYPE_FLOAT32, 1,
				  shape);
		ASSERT_EQ(0, pto_submit(stream, cid, self->args, NULL, &runs[i]));
	}
	for (i = 0; i < 20; i++) {
		k = (i * 7) % 20;
		ASSERT_EQ(0, pto_wait(runs[k], PTO_FOREVER, NULL));
	}
	for (i = 0; i < 20000; i++)
		self->want[i] = self->a[i] + self->b[i];
	compare(_metadata, self, self->out, self->want, 20000);
}

TEST_HARNESS_MAIN
