// SPDX-License-Identifier: GPL-2.0
/* Objects that go away while somebody uses them. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pttest.h"

#define COUNT 1024

FIXTURE(lifetime) {
	int fd;
	struct pto_device_info info;
	struct pto_device_usage base;
};

FIXTURE_SETUP(lifetime)
{
	PT_OPEN(self->fd, 0);
	ASSERT_EQ(0, pt_info(self->fd, &self->info));
	ASSERT_EQ(0, pt_usage(self->fd, &self->base));
}

FIXTURE_TEARDOWN(lifetime)
{
	if (self->fd >= 0)
		close(self->fd);
}

/* The first prepare of a device leaves an arena image behind, which is a cache. */
static void expect_base(struct __test_metadata *_metadata, FIXTURE_DATA(lifetime) *self)
{
	struct pto_device_usage want = self->base, now;

	ASSERT_EQ(0, pt_usage(self->fd, &now));
	want.arena_images = now.arena_images;
	want.arena_image_bytes = now.arena_image_bytes;
	want.memory_used += now.arena_image_bytes - self->base.arena_image_bytes;
	EXPECT_EQ(0, pt_usage_settles(self->fd, &want, &now));
	EXPECT_EQ(want.contexts, now.contexts);
	EXPECT_EQ(want.memory_used, now.memory_used);
	EXPECT_EQ(want.images, now.images);
	EXPECT_EQ(want.streams, now.streams);
}

PT_TEST_F(lifetime, close_with_runs_in_flight)
{
	struct pt_gate gate;
	struct pt_vec vec;
	uint64_t id;
	int other, i;

	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_vec_new(other, COUNT, &vec));
	ASSERT_EQ(0, pt_gate_new(other, &vec, &gate));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, pt_gate_submit(other, &gate, PTO_STREAM_DEFAULT, &id));
	munmap(vec.data.map, vec.data.bytes);
	munmap(vec.args.map, vec.args.bytes);
	munmap(gate.args.map, gate.args.bytes);
	munmap(gate.words.map, gate.words.bytes);
	EXPECT_EQ(0, close(other));
	expect_base(_metadata, self);
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
}

/* Nothing inside it answers any more: close() ends all the same. */
PT_TEST_F(lifetime, close_with_a_run_that_hangs)
{
	static const struct pt_callable hang = { .orch = "orch_hang" };
	uint64_t id;
	int other;

	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_prepare(other, 0, &hang, NULL));
	ASSERT_EQ(0, pt_submit(other, PTO_STREAM_DEFAULT, 0, NULL, 0, &id));
	EXPECT_EQ(-ETIMEDOUT, pt_stream_wait(other, PTO_STREAM_DEFAULT, pt_now() + PT_SECOND / 50));
	EXPECT_EQ(0, close(other));
	ASSERT_EQ(0, pt_prepare(self->fd, 0, &pt_add, NULL));
	EXPECT_EQ(-EINVAL, pt_run(self->fd, 0, NULL, 0));
}

PT_TEST_F(lifetime, close_gives_everything_back)
{
	struct pt_buf buf[4];
	struct pto_ioc_image_create image;
	uint32_t stream;
	int other, i;

	PT_OPEN(other, self->info.arch);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pt_buf_new(other, 100000, &buf[i]));
		munmap(buf[i].map, buf[i].bytes);
		ASSERT_EQ(i, pt_prepare(other, -1, &pt_add, NULL));
	}
	ASSERT_EQ(0, pt_stream_create(other, &stream));
	ASSERT_EQ(0, pt_image(other, "kernel_mul", &image));
	close(other);
	expect_base(_metadata, self);
}

PT_TEST_F(lifetime, destroyed_while_mapped)
{
	struct pto_device_usage before, during, after;
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	struct pt_buf buf;
	uint32_t *words;

	ASSERT_EQ(0, pt_usage(self->fd, &before));
	ASSERT_EQ(0, pt_buf_new(self->fd, 65536, &buf));
	info.id = buf.id;
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_EQ(1, info.mappings);
	words = buf.map;
	words[5] = 0x12345678;
	ASSERT_EQ(0, pt_bo_destroy(self->fd, buf.id));
	EXPECT_EQ(-ENOENT, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, buf.bytes, PROT_READ, MAP_SHARED, self->fd,
				   info.mmap_offset));
	EXPECT_EQ(0x12345678, words[5]);
	words[6] = 1;
	ASSERT_EQ(0, pt_usage(self->fd, &during));
	EXPECT_GE(during.memory_used, before.memory_used + buf.bytes);
	ASSERT_EQ(0, munmap(buf.map, buf.bytes));
	EXPECT_EQ(0, pt_usage_settles(self->fd, &before, &after));
	EXPECT_EQ(before.memory_used, after.memory_used);
}

PT_TEST_F(lifetime, mapping_outlives_the_context)
{
	struct pt_buf buf;
	uint32_t *words;
	int other;

	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_buf_new(other, 65536, &buf));
	words = buf.map;
	words[0] = 0xfeedface;
	close(other);
	EXPECT_EQ(0xfeedface, words[0]);
	words[16383] = 7;
	EXPECT_EQ(7, words[16383]);
	ASSERT_EQ(0, munmap(buf.map, buf.bytes));
	expect_base(_metadata, self);
}

PT_TEST_F(lifetime, partly_unmapped_is_still_mapped)
{
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	struct pt_buf buf;
	size_t page = self->info.page_size;
	char *map;

	ASSERT_EQ(0, pt_buf_new(self->fd, 4 * page, &buf));
	info.id = buf.id;
	map = buf.map;
	map[0] = 1;
	map[3 * page] = 4;
	ASSERT_EQ(0, munmap(map + page, page));
	EXPECT_EQ(1, map[0]);
	EXPECT_EQ(4, map[3 * page]);
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_GE(info.mappings, 1);
	ASSERT_EQ(0, munmap(map, page));
	ASSERT_EQ(0, munmap(map + 2 * page, 2 * page));
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_EQ(0, info.mappings);
	pt_bo_destroy(self->fd, buf.id);
	expect_base(_metadata, self);
}

PT_TEST_F(lifetime, mappings_that_are_not_allowed)
{
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	size_t page = self->info.page_size;
	struct pt_buf buf;

	ASSERT_EQ(0, pt_buf_new(self->fd, 2 * page, &buf));
	info.id = buf.id;
	ASSERT_EQ(0, pt_ioctl(self->fd, PTO_BO_INFO, &info));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, self->fd,
				   info.mmap_offset));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, self->fd,
				   info.mmap_offset + page));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ, MAP_PRIVATE, self->fd,
				   info.mmap_offset));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, self->fd,
				   info.mmap_offset));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ, MAP_SHARED, self->fd, 0));
	EXPECT_NE(0, mprotect(buf.map, page, PROT_READ | PROT_EXEC));
	pt_buf_free(self->fd, &buf);
}

/* A run keeps what it uses: neither is it freed, nor does another context get it. */
PT_TEST_F(lifetime, buffer_destroyed_while_a_run_uses_it)
{
	struct pt_buf others[8];
	struct pt_gate gate;
	struct pt_vec vec;
	int user, other;
	size_t i, k;
	uint64_t id;

	PT_OPEN(user, self->info.arch);
	PT_OPEN(other, self->info.arch);
	ASSERT_EQ(0, pt_vec_new(user, COUNT, &vec));
	ASSERT_EQ(0, pt_gate_new(user, &vec, &gate));
	pt_vec_fill(&vec, 1, 2);
	ASSERT_EQ(0, pt_gate_submit(user, &gate, PTO_STREAM_DEFAULT, &id));
	ASSERT_EQ(0, pt_bo_destroy(user, vec.data.id));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_EQ(0, pt_buf_new(other, vec.data.bytes, &others[i]));
		EXPECT_TRUE(others[i].addr + others[i].bytes <= vec.data.addr ||
			    others[i].addr >= vec.data.addr + vec.data.bytes);
		memset(others[i].map, 0x77, others[i].bytes);
	}
	pt_gate_set(&gate, true);
	EXPECT_EQ(0, pt_finish(user, id));
	EXPECT_EQ(0, pt_vec_wrong(&vec, '+', 1, 2));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		for (k = 0; k < others[i].bytes; k++)
			ASSERT_EQ(0x77, ((char *)others[i].map)[k]);
		pt_buf_free(other, &others[i]);
	}
	vec.data.id = 0;
	pt_vec_free(user, &vec);
	pt_gate_free(user, &gate);
	close(user);
	close(other);
	expect_base(_metadata, self);
}

/* The same, and nobody maps it either; its memory comes back when the run has ended. */
PT_TEST_F(lifetime, unmapped_buffer_destroyed_while_a_run_uses_it)
{
	struct pto_device_usage before, during, after;
	struct pto_context_stats stats;
	struct pt_gate gate;
	struct pt_vec vec;
	uint64_t id;

	ASSERT_EQ(0, pt_vec_new(self->fd, COUNT, &vec));
	ASSERT_EQ(0, pt_gate_new(self->fd, &vec, &gate));
	pt_vec_fill(&vec, 1, 2);
	ASSERT_EQ(0, pt_gate_submit(self->fd, &gate, PTO_STREAM_DEFAULT, &id));
	ASSERT_EQ(0, pt_usage(self->fd, &before));
	pt_buf_free(self->fd, &vec.data);
	ASSERT_EQ(0, pt_usage(self->fd, &during));
	EXPECT_EQ(before.memory_used, during.memory_used);
	ASSERT_EQ(0, pt_stats(self->fd, &stats));
	EXPECT_EQ(3, stats.bo_live);
	pt_gate_set(&gate, true);
	EXPECT_EQ(0, pt_finish(self->fd, id));
	before.memory_used -= 12288;
	EXPECT_EQ(0, pt_usage_settles(self->fd, &before, &after));
	EXPECT_EQ(before.memory_used, after.memory_used);
}

PT_TEST_F(lifetime, memory_is_zero_for_its_next_user)
{
	struct pt_buf buf;
	size_t i, dirty = 0;
	int round, other;

	for (round = 0; round < 3; round++) {
		PT_OPEN(other, self->info.arch);
		ASSERT_EQ(0, pt_buf_new(other, 1 << 20, &buf));
		for (i = 0; i < buf.bytes; i++)
			dirty += ((char *)buf.map)[i] != 0;
		ASSERT_EQ(0, dirty);
		memset(buf.map, 0x99, buf.bytes);
		munmap(buf.map, buf.bytes);
		close(other);
	}
}

PT_TEST_F(lifetime, device_memory_is_used_up_and_comes_back)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create) };
	uint32_t ids[256];
	int count = 0, err = 0;

	create.length = self->info.memory_size / 100;
	while (count < 256) {
		err = pt_ioctl(self->fd, PTO_BO_CREATE, &create);
		if (err)
			break;
		ids[count++] = create.id;
	}
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_GE(count, 90);
	while (count--)
		EXPECT_EQ(0, pt_bo_destroy(self->fd, ids[count]));
	expect_base(_metadata, self);
	create.length = self->info.memory_size / 2;
	EXPECT_EQ(0, pt_ioctl(self->fd, PTO_BO_CREATE, &create));
}

TEST_HARNESS_MAIN
