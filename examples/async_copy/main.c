// SPDX-License-Identifier: MIT
/*
 * async_copy: tasks that complete later than their kernels. This program plays the role of a DMA
 * engine or another machine: it polls words in memory that it shares with the device, fills the
 * chunks that are requested, and reports each one. In the meantime the device processes the chunks
 * that are filled already.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"

#define CHUNKS 32
#define PATIENCE_NS 60000000000ull

/**
 * struct shared - memory that program and device share
 * @asked: turn in which a chunk was last requested
 * @done: turn in which it was last filled
 * @data: the chunks
 */
struct shared {
	uint32_t asked[CHUNKS];
	uint32_t done[CHUNKS];
	float data[];
};

/**
 * struct demo - the program
 * @ex: device and options
 * @cid: the callable
 * @buffer: the memory of @shared
 * @shared: the buffer, mapped
 * @out: output
 * @want: expected output
 */
struct demo {
	struct example *ex;
	int cid;
	struct pto_buffer *buffer;
	struct shared *shared;
	float *out;
	float *want;
};

static void fill(struct demo *d, uint32_t chunk, uint32_t turn)
{
	size_t first = chunk * d->ex->size;

	example_random(d->ex, d->shared->data + first, d->ex->size);
	for (size_t i = first; i < first + d->ex->size; i++)
		d->want[i] = 2 * d->shared->data[i] + 1;
	__atomic_store_n(&d->shared->done[chunk], turn, __ATOMIC_RELEASE);
}

/* Serve each chunk once. The last ones come first, to show that any order is possible. */
static void serve(struct demo *d, uint32_t turn)
{
	uint64_t deadline = example_now() + PATIENCE_NS;
	unsigned int served = 0;

	while (served < CHUNKS) {
		for (uint32_t i = CHUNKS; i--;) {
			if (d->shared->done[i] == turn ||
			    __atomic_load_n(&d->shared->asked[i], __ATOMIC_ACQUIRE) != turn)
				continue;
			fill(d, i, turn);
			served++;
		}
		if (example_now() > deadline)
			example_fail(d->ex, "the device asked for %u chunks of %u only", served,
				     CHUNKS);
		sched_yield();
	}
}

static void add_shared(struct demo *d, struct pto_args *args, const void *part, uint8_t dtype,
		       uint32_t ndims, const uint32_t *shape)
{
	uint64_t offset = (const char *)part - (const char *)d->shared;
	struct pto_tensor t;

	if (pto_tensor_make(&t, pto_buffer_device_addr(d->buffer) + offset, dtype, ndims, shape) ||
	    pto_args_add_device(args, &t))
		example_fail(d->ex, "tensor at %llu of the buffer", (unsigned long long)offset);
}

static struct pto_args *make_args(struct demo *d, uint32_t turn)
{
	const uint32_t shape[] = { CHUNKS, d->ex->size };
	struct pto_args *args = example_args(d->ex);

	add_shared(d, args, d->shared->data, PTO_DTYPE_FLOAT32, 2, shape);
	add_shared(d, args, d->shared->asked, PTO_DTYPE_UINT32, 1, shape);
	add_shared(d, args, d->shared->done, PTO_DTYPE_UINT32, 1, shape);
	example_tensor(d->ex, args, PTO_OUT, d->out, PTO_DTYPE_FLOAT32, 2, shape);
	pto_args_add_scalar(args, turn);
	return args;
}

static bool run_once(struct demo *d, uint32_t turn)
{
	struct pto_args *args = make_args(d, turn);
	struct pto_run_handle *run;

	if (pto_submit(pto_default_stream(d->ex->ctx), d->cid, args, NULL, &run))
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
	serve(d, turn);
	if (pto_wait(run, PTO_FOREVER, NULL))
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
	pto_args_free(args);
	return example_check(d->ex, "out", d->out, d->want, CHUNKS * d->ex->size);
}

static void allocate(struct demo *d)
{
	size_t elements = CHUNKS * d->ex->size;
	size_t bytes = sizeof(struct shared) + elements * sizeof(float);

	if (pto_buffer_alloc(d->ex->ctx, bytes, PTO_PLACE_HOST, &d->buffer))
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
	d->shared = pto_buffer_map(d->buffer);
	if (!d->shared)
		example_fail(d->ex, "%s", pto_context_error(d->ex->ctx));
	d->out = example_alloc(d->ex, elements, sizeof(float));
	d->want = example_alloc(d->ex, elements, sizeof(float));
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "async_copy",
		.about = "Lets tasks complete when data has come from outside, not when a kernel ends.",
		.repetitions = 5,
		.size = 4096,
		.min_size = 1,
		.max_size = 1 << 20,
		.size_what = "elements of a chunk",
	};
	struct demo d = { .ex = &ex };
	struct pto_callable *callable;
	bool good = true;

	example_start(&ex, argc, argv);
	callable = example_load(&ex, "orch.so");
	example_kernel(&ex, callable, 0, PTO_CORE_AIV, "kernel_request.so");
	example_kernel(&ex, callable, 1, PTO_CORE_AIV, "kernel_use.so");
	d.cid = example_register(&ex, callable);
	allocate(&d);
	for (unsigned long i = 1; i <= ex.repetitions && good; i++)
		good = run_once(&d, i);
	if (good)
		printf("async_copy: %lu runs of %u chunks of %lu elements, all right\n",
		       ex.repetitions, CHUNKS, ex.size);
	pto_callable_free(callable);
	pto_buffer_free(d.buffer);
	free(d.out);
	free(d.want);
	pto_close(ex.ctx);
	return !good;
}
