// SPDX-License-Identifier: GPL-2.0
/*
 * What the library leaves behind: nothing. Whatever an application does and undoes, all is
 * then as it was before: memory, descriptors, mappings, objects of the driver; and it is so
 * too if anything on the way fails, each call to the driver and each allocation in turn. The
 * allocator (fence.h) sees to it that nobody writes beyond what he has.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"
#include "fence.h"
#include "rehearsal.h"

#define COUNT	100u
#define MARK	4242	/* what errno is before, and has to be after */
#define ROUNDS	100	/* for what is seen by the sum only */
#define KEPT	32	/* freed objects of each kind whose memory the library keeps */

/* --- what is there -------------------------------------------------------------- */

/**
 * struct left - what there is, but for memory of the C library
 * @allocations: of the library
 * @files: descriptors
 * @mappings: of buffers
 * @objects: loaded by the dynamic loader
 * @contexts: of the driver; and so on
 */
struct left {
	long allocations;
	int files;
	int mappings;
	int objects;
	unsigned int contexts;
	unsigned int buffers;
	unsigned int images;
	unsigned int callables;
	unsigned int streams;
};

static int count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int count = 0;

	while (fgets(line, sizeof(line), maps))
		count += !!strstr(line, REHEARSED_MEMFD);
	fclose(maps);
	return count;
}

static int count_object(struct dl_phdr_info *info, size_t size, void *count)
{
	++*(int *)count;
	return 0;
}

static struct left look(void)
{
	struct left left = {
		.files = count_files(),
		.mappings = count_mappings(),
		.contexts = rehearsal.contexts,
		.buffers = rehearsal.buffers,
		.images = rehearsal.images,
		.callables = rehearsal.callables,
		.streams = rehearsal.streams,
	};

	/* The dynamic loader keeps what it has said until it is asked once more. */
	dlerror();
	dlerror();
	left.allocations = fence_live();
	dl_iterate_phdr(count_object, &left.objects);
	return left;
}

/* Pages of address space, for what has no name. */
static long pages(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	long size = -1;

	if (!statm || fscanf(statm, "%ld", &size) != 1)
		abort();
	fclose(statm);
	return size;
}

/* @what: the ordinal of what failed, and its name */
#define EXPECT_SAME(before, after, n, what) do { \
	EXPECT_EQ((before)->allocations, (after)->allocations) { \
		TH_LOG("%s %u", what, n); \
	} \
	EXPECT_EQ((before)->files, (after)->files); \
	EXPECT_EQ((before)->mappings, (after)->mappings); \
	EXPECT_EQ((before)->objects, (after)->objects); \
	EXPECT_EQ((before)->contexts, (after)->contexts); \
	EXPECT_EQ((before)->buffers, (after)->buffers); \
	EXPECT_EQ((before)->images, (after)->images); \
	EXPECT_EQ((before)->callables, (after)->callables); \
	EXPECT_EQ((before)->streams, (after)->streams); \
} while (0)

/* --- what an application does: 0, or the first error; in either case it tidies up ----- */

static int first(int before, int now)
{
	return before ? before : now;
}

static int use_buffers(struct pto_context *ctx)
{
	struct pto_buffer *a = NULL, *b = NULL, *c = NULL, *d = NULL;
	char bytes[100] = "";
	int rc, fd;

	rc = pto_buffer_alloc(ctx, 5000, PTO_PLACE_DEVICE, &a);
	if (!rc)
		rc = pto_buffer_alloc(ctx, 100, PTO_PLACE_HOST, &b);
	if (!rc)
		rc = pto_buffer_alloc(ctx, 1, PTO_PLACE_HOST, &c);
	if (!rc && (!pto_buffer_map(a) || !pto_buffer_map(a) || !pto_buffer_map(c)))
		rc = -EFAULT;
	if (!rc)
		rc = pto_buffer_write(a, 10, bytes, sizeof(bytes));
	if (!rc)
		rc = pto_buffer_copy(b, 0, a, 10, sizeof(bytes));
	if (!rc)
		rc = pto_buffer_read(b, 0, bytes, sizeof(bytes));
	if (!rc)
		rc = pto_buffer_export(a, &fd);
	if (!rc)
		rc = pto_buffer_import(ctx, fd, &d);
	/* From the middle, from the end, and what is left. */
	pto_buffer_free(b);
	pto_buffer_free(a);
	pto_buffer_free(d);
	pto_buffer_free(c);
	return rc;
}

static int load(const char *orch, uint32_t kernels, struct pto_callable **callable)
{
	uint32_t i;
	int rc;

	rc = pto_callable_load(pt_object(orch), callable);
	if (rc) {
		*callable = NULL;
		return rc;
	}
	for (i = 0; i < kernels && !rc; i++)
		rc = pto_callable_add_kernel(*callable, i, PTO_CORE_AIV, pt_object("kernel_add"));
	return rc;
}

static int use_callables(struct pto_context *ctx)
{
	struct pto_callable *callable;
	int rc, cid = -1;

	rc = load("orch_vec", 20, &callable);
	/* An orchestration is no kernel, and none has this number twice. */
	if (!rc && pto_callable_add_kernel(callable, 99, PTO_CORE_AIV, pt_object("orch_vec")) !=
	    -ENOEXEC)
		rc = -ENOMEM;
	if (!rc && pto_callable_add_kernel(callable, 19, PTO_CORE_AIV, pt_object("kernel_add")) !=
	    -EEXIST)
		rc = -EBADE;
	if (!rc)
		rc = pto_prepare(ctx, 5, callable);
	if (!rc)
		cid = pto_register(ctx, callable);
	if (!rc && cid < 0)
		rc = cid;
	if (cid >= 0)
		rc = pto_unprepare(ctx, cid);
	pto_unprepare(ctx, 5);
	pto_callable_free(callable);
	return rc;
}

/* The first three: orch_vec's. All: memory that is input, output and both, in all ways. */
static int add_tensors(struct pto_args *args, float *a, float *b, float *c, float *d, bool all)
{
	uint32_t shape[1] = { COUNT };
	static const struct {
		int direction;
		int which;
	} adds[] = {
		{ PTO_IN, 0 }, { PTO_INOUT, 2 }, { PTO_OUT, 1 }, { PTO_IN, 3 }, { PTO_OUT, 3 },
		{ PTO_OUT, 1 }, { PTO_IN, 1 }, { PTO_IN, 0 }, { PTO_INOUT, 3 }, { PTO_INOUT, 0 },
	};
	float *memory[] = { a, b, c, d };
	size_t i;
	int rc = 0;

	for (i = 0; i < (all ? ARRAY_SIZE(adds) : 3) && !rc; i++)
		rc = pto_args_add_host(args, adds[i].direction, memory[adds[i].which],
				       PTO_DTYPE_FLOAT32, 1, shape);
	if (!rc && all)
		rc = pto_args_add_scalar(args, 1);
	return rc;
}

static int submit_and_wait(struct pto_stream *stream, int cid, const struct pto_args *args)
{
	struct pto_run_handle *run = NULL;
	int rc, waited = 0;

	rc = pto_submit(stream, cid, args, NULL, NULL);
	if (!rc)
		rc = pto_submit(stream, cid, args, NULL, &run);
	if (!rc)
		rc = pto_submit(stream, cid, args, NULL, NULL);
	while (run) {
		waited = pto_wait(run, PTO_FOREVER, NULL);
		if (waited != -EINTR)
			break;
	}
	return first(rc, waited);
}

/* With more and more room for tasks, which for host graphs is memory of the library's. */
static int run_in_windows(struct pto_context *ctx, const struct pto_args *args)
{
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;
	struct pto_ring_config rings = { 0 };
	int rc = 0;

	options.rings = &rings;
	for (rings.task_window[0] = 64; rings.task_window[0] <= 4096 && !rc;
	     rings.task_window[0] *= 4)
		rc = pto_run(ctx, 0, args, &options, NULL);
	return rc;
}

/* Emptied past the library, which then fills it again. */
static int prepare_again(struct pto_context *ctx, const struct pto_callable *callable)
{
	struct pto_ioc_unprepare arg = { .size = sizeof(arg) };
	int rc = pto_prepare(ctx, 0, callable);

	if (rc)
		return rc;
	ioctl(pto_context_fd(ctx), PTO_UNPREPARE, &arg);
	return pto_prepare(ctx, 0, callable);
}

static int use_runs(struct pto_context *ctx, uint32_t kind)
{
	static float memory[4][COUNT];
	struct pto_args *args = pto_args_new();
	struct pto_callable *callable;
	struct pto_stream *stream = NULL;
	int rc;

	rc = args ? add_tensors(args, memory[0], memory[1], memory[2], memory[3],
				kind == PTO_KIND_DEVICE_ORCH) : -ENOMEM;
	rc = first(rc, load("orch_vec", 1, &callable));
	if (!rc)
		rc = pto_callable_set_kind(callable, kind);
	if (!rc)
		rc = prepare_again(ctx, callable);
	if (!rc)
		rc = pto_stream_create(ctx, &stream);
	if (!rc)
		rc = run_in_windows(ctx, args);
	if (!rc)
		rc = submit_and_wait(stream, 0, args);
	if (!rc)
		rc = pto_run(ctx, 0, args, NULL, NULL);
	if (stream)
		rc = first(rc, pto_stream_destroy(stream));
	pto_unprepare(ctx, 0);
	pto_callable_free(callable);
	pto_args_free(args);
	return rc;
}

static int use_device_runs(struct pto_context *ctx)
{
	return use_runs(ctx, PTO_KIND_DEVICE_ORCH);
}

static int use_host_runs(struct pto_context *ctx)
{
	return use_runs(ctx, PTO_KIND_HOST_GRAPH);
}

/* Runs that do not end, each of which needs more memory than there was for the one before. */
static int submit_more_and_more(struct pto_stream *stream, struct pto_args *args)
{
	static char bytes[1 << 20];
	uint32_t count;
	int rc = 0;

	rehearsal.held = true;
	for (count = 1000; count <= sizeof(bytes) && !rc; count *= 10) {
		pto_args_clear(args);
		rc = pto_args_add_host(args, PTO_IN, bytes, PTO_DTYPE_UINT8, 1, &count);
		if (!rc)
			rc = pto_args_add_host(args, PTO_IN, bytes, PTO_DTYPE_UINT8, 1, &count);
		if (!rc)
			rc = pto_args_add_host(args, PTO_IN, bytes, PTO_DTYPE_UINT8, 1, &count);
		if (!rc)
			rc = pto_submit(stream, 0, args, NULL, NULL);
	}
	return rc;
}

/* Everything is left to pto_close(). */
static int use_and_close(struct pto_context *unused)
{
	struct pto_args *args = pto_args_new();
	static float memory[4][COUNT];
	struct pto_callable *callable;
	struct pto_buffer *buffer;
	struct pto_stream *stream;
	struct pto_context *ctx;
	int rc;

	rc = load("orch_vec", 1, &callable);
	if (!rc)
		rc = args ? add_tensors(args, memory[0], memory[1], memory[2], memory[3], false) :
		     -ENOMEM;
	if (!rc)
		rc = pto_callable_set_kind(callable, PTO_KIND_HOST_GRAPH);
	if (!rc)
		rc = pto_open(REHEARSED_DEVICE, &ctx);
	if (rc)
		goto out;
	rc = pto_prepare(ctx, 0, callable);
	if (!rc)
		rc = pto_buffer_alloc(ctx, 5000, PTO_PLACE_DEVICE, &buffer);
	if (!rc && !pto_buffer_map(buffer))
		rc = -EFAULT;
	if (!rc)
		rc = pto_stream_create(ctx, &stream);
	if (!rc)
		rc = pto_run(ctx, 0, args, NULL, NULL);
	if (!rc)
		rc = submit_more_and_more(stream, args);
	pto_close(ctx);
	rehearsal.held = false;
out:
	pto_callable_free(callable);
	pto_args_free(args);
	return rc;
}

/* --- the tests ----------------------------------------------------------------------- */

FIXTURE(leftovers) {
	struct pto_context *ctx;
	struct left before;
};

FIXTURE_VARIANT(leftovers) {
	int (*use)(struct pto_context *ctx);
};

FIXTURE_VARIANT_ADD(leftovers, buffers) { .use = use_buffers };
FIXTURE_VARIANT_ADD(leftovers, callables) { .use = use_callables };
FIXTURE_VARIANT_ADD(leftovers, device_runs) { .use = use_device_runs };
FIXTURE_VARIANT_ADD(leftovers, host_runs) { .use = use_host_runs };
FIXTURE_VARIANT_ADD(leftovers, closed) { .use = use_and_close };

/* In the fence, with errno as it has to stay. Return: what the application got. */
static int use(FIXTURE_DATA(leftovers) *self, const FIXTURE_VARIANT(leftovers) *variant,
	       unsigned int fail_alloc)
{
	int rc;

	fence_begin();
	fence_fail(fail_alloc);
	errno = MARK;
	rc = variant->use(self->ctx);
	rc = first(rc, errno == MARK ? 0 : -EPROTO);
	fence_end();
	return rc;
}

/* From now on, an object that is freed replaces another one whose memory is kept. */
static int free_many(struct pto_context *ctx)
{
	struct pto_callable *callable;
	struct pto_context *other;
	struct pto_stream *stream;
	struct pto_buffer *buf;
	int i, rc = 0;

	for (i = 0; i < KEPT && !rc; i++) {
		pto_args_free(pto_args_new());
		rc = load("orch_empty", 0, &callable);
		pto_callable_free(callable);
		if (!rc)
			rc = pto_buffer_alloc(ctx, 1, PTO_PLACE_DEVICE, &buf);
		if (!rc)
			pto_buffer_free(buf);
		if (!rc)
			rc = pto_stream_create(ctx, &stream);
		if (!rc)
			rc = pto_stream_destroy(stream);
		if (!rc)
			rc = pto_open(REHEARSED_DEVICE, &other);
		if (!rc)
			pto_close(other);
	}
	return rc;
}

static int filled = -1;

/* Once, before the harness forks a process for each case: it takes long on a slow kernel. */
__attribute__((constructor)) static void fill(void)
{
	struct pto_context *ctx;

	rehearsal_begin();
	fence_begin();
	filled = pto_open(REHEARSED_DEVICE, &ctx);
	if (!filled) {
		filled = free_many(ctx);
		pto_close(ctx);
	}
	fence_end();
}

FIXTURE_SETUP(leftovers)
{
	ASSERT_EQ(0, filled);
	rehearsal_begin();
	fence_begin();
	ASSERT_EQ(0, pto_open(REHEARSED_DEVICE, &self->ctx));
	fence_end();
	/* What is kept for the next time is there. */
	ASSERT_EQ(0, use(self, variant, 0));
	ASSERT_EQ(0, use(self, variant, 0));
	self->before = look();
}

FIXTURE_TEARDOWN(leftovers)
{
	pto_close(self->ctx);
}

TEST_F(leftovers, after_success)
{
	struct left after;

	ASSERT_EQ(0, use(self, variant, 0));
	after = look();
	EXPECT_SAME(&self->before, &after, 0, "none fails");
}

static void fail_each_call(struct __test_metadata *_metadata, FIXTURE_DATA(leftovers) *self,
			   const FIXTURE_VARIANT(leftovers) *variant, int error)
{
	struct left after;
	unsigned int n;
	int rc;

	for (n = 1;; n++) {
		rehearsal.fail_at = n;
		rehearsal.fail_with = error;
		rc = use(self, variant, 0);
		if (rehearsal.fail_at)
			break;
		after = look();
		EXPECT_SAME(&self->before, &after, n, "call");
		EXPECT_NE(-EPROTO, rc);
		/* Of other errors the library may make the best. */
		EXPECT_TRUE(error != EINTR || !rc);
	}
	rehearsal.fail_at = 0;
	EXPECT_EQ(0, rc);
	EXPECT_GT(n, 1);
	EXPECT_EQ(0, use(self, variant, 0));
}

TEST_F(leftovers, after_each_failing_call)
{
	fail_each_call(_metadata, self, variant, EIO);
}

TEST_F(leftovers, after_each_call_without_memory)
{
	fail_each_call(_metadata, self, variant, ENOMEM);
}

/* That is no failure: the call is made again. */
TEST_F(leftovers, after_each_call_that_a_signal_ends)
{
	fail_each_call(_metadata, self, variant, EINTR);
}

TEST_F(leftovers, after_each_failing_allocation)
{
	struct left after;
	unsigned int n;
	bool pending;
	int rc;

	if (!fence_here())
		SKIP(return, "a sanitizer has the allocator");
	for (n = 1;; n++) {
		fence_begin();
		fence_fail(n);
		errno = MARK;
		rc = variant->use(self->ctx);
		pending = fence_pending();
		fence_end();
		if (pending)
			break;
		after = look();
		EXPECT_SAME(&self->before, &after, n, "allocation");
	}
	EXPECT_EQ(0, rc);
	EXPECT_GT(n, 1);
	EXPECT_EQ(0, use(self, variant, 0));
}

/* Mappings without a name: what an arena of the task runtime takes, or a page a context. */
TEST_F(leftovers, address_space)
{
	long before, grown;
	int i;

	if (!fence_here())
		SKIP(return, "a sanitizer keeps what was freed");
	ASSERT_EQ(0, free_many(self->ctx));
	before = pages();
	for (i = 0; i < ROUNDS; i++)
		ASSERT_EQ(0, variant->use(self->ctx));
	grown = pages() - before;
	/* The C library's own memory grows in steps of 33 pages; a page each would be 100. */
	EXPECT_LT(grown, ROUNDS);
}

TEST_HARNESS_MAIN
