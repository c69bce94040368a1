// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that were compiled against older and newer headers: their structs are shorter or longer
 * than the library's. Each function gets every size, and nothing beyond it is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"

#define CANARY	0xa5
#define ROOM	1024	/* more than any struct */
#define MORE	64	/* bytes of fields that the library does not know */

/* A struct of some version, with canaries behind it */
union place {
	unsigned char bytes[ROOM];
	struct pto_device_info device;
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	struct pto_object_info object;
	struct pto_result result;
};

FIXTURE(sizes) {
	int fd;	/* only says whether there is a device */
	char path[32];
	struct pto_context *ctx;
	struct pto_callable *empty;
	int cid;
};

FIXTURE_SETUP(sizes)
{
	PT_FIND(self->fd, 0, self->path);
	ASSERT_EQ(0, pto_open(self->path, &self->ctx));
	ASSERT_EQ(0, pto_callable_load(pt_object("orch_empty"), &self->empty));
	self->cid = pto_register(self->ctx, self->empty);
	ASSERT_GE(self->cid, 0);
}

FIXTURE_TEARDOWN(sizes)
{
	if (self->fd < 0)
		return;
	pto_callable_free(self->empty);
	pto_close(self->ctx);
}

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

typedef int (*fill_fn)(FIXTURE_DATA(sizes) *self, union place *place, size_t size);

/* Fills structs of every size from 0 to @known, and a longer one. */
static void fill_all(struct __test_metadata *_metadata, FIXTURE_DATA(sizes) *self, size_t known,
		     fill_fn fill)
{
	union place place;
	size_t size;

	for (size = 0; size <= known + MORE; size += 4) {
		memset(&place, CANARY, sizeof(place));
		EXPECT_EQ(0, fill(self, &place, size));
		EXPECT_TRUE(all_are(place.bytes + size, ROOM - size, CANARY)) {
			TH_LOG("written beyond %zu bytes", size);
		}
		if (size > known)
			EXPECT_TRUE(all_are(place.bytes + known, size - known, 0));
		if (size >= known)
			EXPECT_FALSE(all_are(place.bytes, known, CANARY));
	}
}

static int fill_device(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_query_device_sized(self->ctx, &place->device, size);
}

static int fill_stats(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_query_stats_sized(self->ctx, &place->stats, size);
}

static int fill_usage(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_query_usage_sized(self->ctx, &place->usage, size);
}

static int fill_object(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_object_inspect_sized(pt_object("orch_empty"), &place->object, size, NULL, 0);
}

static int fill_callable(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_callable_info_sized(self->empty, &place->object, size);
}

static int fill_run(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	return pto_run_sized(self->ctx, self->cid, NULL, NULL, &place->result, size);
}

static int fill_wait(FIXTURE_DATA(sizes) *self, union place *place, size_t size)
{
	struct pto_run_handle *run;
	int rc = pto_submit(pto_default_stream(self->ctx), self->cid, NULL, NULL, &run);

	return rc ? rc : pto_wait_sized(run, PTO_FOREVER, &place->result, size);
}

PT_TEST_F(sizes, of_what_is_handed_out)
{
	fill_all(_metadata, self, sizeof(struct pto_device_info), fill_device);
	fill_all(_metadata, self, sizeof(struct pto_context_stats), fill_stats);
	fill_all(_metadata, self, sizeof(struct pto_device_usage), fill_usage);
	fill_all(_metadata, self, sizeof(struct pto_object_info), fill_object);
	fill_all(_metadata, self, sizeof(struct pto_object_info), fill_callable);
	fill_all(_metadata, self, sizeof(struct pto_result), fill_run);
	fill_all(_metadata, self, sizeof(struct pto_result), fill_wait);
}

/* The part of a short struct that is there says the same as a whole one. */
PT_TEST_F(sizes, short_ones_have_the_fields_that_fit)
{
	struct pto_device_info whole;
	union place place;

	ASSERT_EQ(0, pto_query_device(self->ctx, &whole));
	ASSERT_EQ(0, pto_query_device_sized(self->ctx, &place.device, 96));
	EXPECT_EQ(96, place.device.size);
	place.device.size = whole.size;
	EXPECT_EQ(0, memcmp(&whole, &place, 96));
	ASSERT_EQ(0, pto_run_sized(self->ctx, self->cid, NULL, NULL, &place.result, 24));
	EXPECT_NE(0, place.result.id);
	/* Also when a run fails, or does not begin */
	memset(&place, CANARY, sizeof(place));
	EXPECT_NE(0, pto_run_sized(self->ctx, -1, NULL, NULL, &place.result, 24));
	EXPECT_EQ(0, place.result.id);
	EXPECT_TRUE(all_are(place.bytes + 24, ROOM - 24, CANARY));
}

/* Elements of an array lie where the caller's compiler has put them. */
PT_TEST_F(sizes, array_has_a_stride)
{
	const size_t known = sizeof(struct pto_device_desc);
	const size_t strides[] = { 8, 80, known - 8, known, known + MORE };
	const size_t head = offsetof(struct pto_device_desc, info);
	struct pto_device_desc first;
	unsigned char *bytes;
	int devices, i;
	size_t s, at;

	devices = pto_list_devices(&first, 1);
	ASSERT_GE(devices, 1);
	for (s = 0; s < sizeof(strides) / sizeof(strides[0]); s++) {
		size_t stride = strides[s], all = devices * stride;

		bytes = malloc(all + ROOM);
		ASSERT_NE(NULL, bytes);
		memset(bytes, CANARY, all + ROOM);
		ASSERT_EQ(devices, pto_list_devices_sized((struct pto_device_desc *)bytes, devices,
							  stride));
		EXPECT_TRUE(all_are(bytes + all, ROOM, CANARY));
		EXPECT_EQ(0, memcmp(bytes, &first, stride < head ? stride : head));
		if (stride > head) {
			const struct pto_device_info *info = (const void *)(bytes + head);

			at = stride < known ? stride : known;
			EXPECT_EQ(at - head, info->size);
			EXPECT_EQ(0, memcmp(&info->arch, &first.info.arch, at - head - 4));
		}
		for (i = 0; i < devices && stride > known; i++) {
			at = i * stride + known;
			EXPECT_TRUE(all_are(bytes + at, stride - known, 0));
		}
		free(bytes);
	}
}

PT_TEST_F(sizes, of_ring_configurations)
{
	struct {
		struct pto_ring_config known;
		uint64_t more;
	} rings = { .known.task_window = { 16, 16, 16, 16 } };
	struct pto_run_options options = PTO_RUN_OPTIONS_INIT;

	EXPECT_EQ(sizeof(rings.known), options.rings_size);
	EXPECT_EQ(0, pto_prewarm(self->ctx, &rings.known));
	EXPECT_EQ(0, pto_prewarm_sized(self->ctx, &rings.known, sizeof(rings)));
	EXPECT_EQ(-EINVAL, pto_prewarm_sized(self->ctx, &rings.known, sizeof(rings.known) - 1));
	options.rings = &rings.known;
	options.rings_size = sizeof(rings);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	rings.more = 1;
	EXPECT_EQ(-E2BIG, pto_prewarm_sized(self->ctx, &rings.known, sizeof(rings)));
	EXPECT_EQ(-E2BIG, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	/* One that the caller has not is not looked at. */
	options.rings_size = sizeof(rings.known);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	options.rings_size = 0;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	options.rings_size = 95;
	EXPECT_EQ(-EINVAL, pto_run(self->ctx, self->cid, NULL, &options, NULL));
	EXPECT_NE(NULL, strstr(pto_context_error(self->ctx), "pto_ring_config"));
}

PT_TEST_F(sizes, of_options)
{
	struct {
		struct pto_run_options known;
		uint64_t more;
	} options = { .known = PTO_RUN_OPTIONS_INIT };
	struct pto_run_handle *run;

	options.known.size = sizeof(options);
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, &options.known, NULL));
	options.more = 1;
	EXPECT_EQ(-E2BIG, pto_run(self->ctx, self->cid, NULL, &options.known, NULL));
	EXPECT_EQ(-E2BIG, pto_submit(pto_default_stream(self->ctx), self->cid, NULL,
				     &options.known, &run));
}

/* A size that no version has: what is behind, which cannot be read here, is left alone. */
PT_TEST_F(sizes, beyond_all_versions)
{
	struct pto_run_options *options;
	size_t page = (size_t)getpagesize();
	char *pages;

	pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + page, page, PROT_NONE));
	options = (void *)(pages + page - sizeof(*options));
	*options = (struct pto_run_options)PTO_RUN_OPTIONS_INIT;
	EXPECT_EQ(0, pto_run(self->ctx, self->cid, NULL, options, NULL));
	options->size = UINT32_MAX;
	EXPECT_EQ(-E2BIG, pto_run(self->ctx, self->cid, NULL, options, NULL));
	munmap(pages, 2 * page);
}

PT_TEST_F(sizes, of_tensors)
{
	struct {
		struct pto_tensor known;
		uint64_t more[8];
	} tensor = { .known = pt_tensor(0, PTO_DTYPE_UINT8, 1, 64) };
	struct pto_args *args = pto_args_new();

	ASSERT_NE(NULL, args);
	EXPECT_EQ(0, pto_args_add_device(args, &tensor.known));
	EXPECT_EQ(0, pto_args_add_device_sized(args, &tensor.known, sizeof(tensor)));
	tensor.more[7] = 1;
	EXPECT_EQ(-E2BIG, pto_args_add_device_sized(args, &tensor.known, sizeof(tensor)));
	EXPECT_EQ(-EINVAL, pto_args_add_device_sized(args, &tensor.known, 64));
	pto_args_free(args);
}

TEST(version_of_program_and_library)
{
	char text[32];

	EXPECT_EQ(0, strcmp(PTO_VERSION, pto_version()));
	EXPECT_EQ(PTO_VERSION_NUM, pto_version_num());
	EXPECT_GE(PTO_VERSION_NUM, PTO_VERSION_MAKE(0, 2, 0));
	snprintf(text, sizeof(text), "%d.%d.%d", PTO_VERSION_MAJOR, PTO_VERSION_MINOR,
		 PTO_VERSION_PATCH);
	EXPECT_EQ(0, strcmp(text, PTO_VERSION));
}

TEST_HARNESS_MAIN
