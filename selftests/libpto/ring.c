// SPDX-License-Identifier: GPL-2.0
/*
 * The staging ring by itself (libpto/staging.c), against an oracle: chunks of random sizes are
 * taken, taken back and released, on a device whose memory runs out. Chunks that are in use never
 * overlap, a ring that is full never looks empty nor the other way round, it grows only when it
 * has to, and a segment lives exactly as long as it is the current one or has a chunk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pttest.h"
#include "pto_private.h"

#define STEPS		40000
#define MAX_LIVE	64
#define FIRST_SIZE	(64u << 10)
#define LIMIT		(512u << 10)
#define PAGE		4096u

/* --- the device's memory, in place of libpto's buffers ---------------------------------- */

static struct {
	unsigned int buffers;	/* that exist */
	uint64_t bytes;		/* of them */
	uint64_t room;		/* bytes that there can be */
	unsigned int asked;	/* allocations that were tried */
	bool unmappable;	/* buffers cannot be mapped */
} device;

int pto_buffer_alloc(struct pto_context *ctx, size_t bytes, uint32_t placement,
		     struct pto_buffer **out)
{
	size_t size = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
	struct pto_buffer *buf;

	device.asked++;
	if (size > device.room - device.bytes)
		return -ENOMEM;
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return -ENOMEM;
	buf->size = size;
	buf->map = malloc(size);
	device.buffers++;
	device.bytes += size;
	*out = buf;
	return 0;
}

void *pto_buffer_map(struct pto_buffer *buf)
{
	return device.unmappable ? NULL : buf->map;
}

void pto_buffer_drop(struct pto_buffer *buf)
{
	device.buffers--;
	device.bytes -= buf->size;
	free(buf->map);
	free(buf);
}

int pto_fail(const struct pto_context *ctx, int rc, const char *fmt, ...)
{
	return rc;
}

/* --- the model ------------------------------------------------------------------------------ */

/**
 * struct live - a chunk in use
 * @chunk: it
 * @bytes: bytes that were asked for
 * @tag: what is in all of them
 */
struct live {
	struct pto_chunk chunk;
	uint64_t bytes;
	uint8_t tag;
};

FIXTURE(ring) {
	struct pto_staging staging;
	struct live live[MAX_LIVE];	/* the oldest first */
	unsigned int count;
	struct pto_segment *segment;	/* the current one, when we looked last */
	uint64_t size;			/* of it */
	uint64_t tail;			/* where the chunk that was released last ended */
	unsigned int seed;
	uint8_t tag;
	const char *wrong;
};

FIXTURE_SETUP(ring)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	memset(&device, 0, sizeof(device));
	device.room = 16u << 20;
	self->staging.limit = LIMIT;
	self->seed = given ? strtoul(given, NULL, 10) : pt_now();
	TH_LOG("PTO_SELFTEST_SEED=%u", self->seed);
}

FIXTURE_TEARDOWN(ring)
{
}

static void check(FIXTURE_DATA(ring) *self, bool ok, const char *what)
{
	if (!ok && !self->wrong)
		self->wrong = what;
}

static uint32_t below(FIXTURE_DATA(ring) *self, uint32_t n)
{
	return (uint32_t)rand_r(&self->seed) % n;
}

static uint64_t align_of(uint64_t bytes)
{
	return bytes > PTO_STAGE_DATA_ALIGN ? PTO_STAGE_DATA_ALIGN : PTO_STAGE_ALIGN;
}

/* The newest chunk of the current segment, or NULL. */
static const struct live *newest(const FIXTURE_DATA(ring) *self)
{
	const struct live *last = self->count ? &self->live[self->count - 1] : NULL;

	return last && last->chunk.segment == self->segment ? last : NULL;
}

/*
 * Is there room between where the newest chunk ends and where the one before the oldest has
 * ended? One byte of it is never given away, or full and empty would be the same.
 */
static bool fits(const FIXTURE_DATA(ring) *self, uint64_t bytes)
{
	uint64_t align = align_of(bytes), head, start;

	if (!self->segment || bytes > self->size)
		return false;
	if (!newest(self))
		return true;
	head = newest(self)->chunk.end;
	start = (head + align - 1) / align * align;
	if (head < self->tail)
		return start + bytes < self->tail;
	return start + bytes <= self->size || bytes < self->tail;
}

/* Segments that have to be there: the current one, and older ones with a chunk. */
static unsigned int segments(const FIXTURE_DATA(ring) *self)
{
	unsigned int count = self->segment ? 1 : 0, i;

	for (i = 0; i < self->count; i++)
		if (self->live[i].chunk.segment != self->segment &&
		    (!i || self->live[i].chunk.segment != self->live[i - 1].chunk.segment))
			count++;
	return count;
}

static void check_place(FIXTURE_DATA(ring) *self, const struct live *new)
{
	const struct pto_chunk *c = &new->chunk;
	unsigned int i;

	check(self, c->start % align_of(new->bytes) == 0, "a chunk is not aligned");
	check(self, c->end == c->start + new->bytes && c->end <= c->segment->buffer->size,
	      "a chunk leaves its segment");
	for (i = 0; i < self->count; i++)
		check(self, self->live[i].chunk.segment != c->segment ||
		      self->live[i].chunk.end <= c->start || c->end <= self->live[i].chunk.start,
		      "chunks overlap");
}

/* The current segment may have been replaced by the call. */
static void look_at_segment(FIXTURE_DATA(ring) *self, uint64_t bytes, bool fitted)
{
	struct pto_segment *segment = self->staging.segment;
	uint64_t size = segment ? segment->buffer->size : 0;

	if (segment == self->segment && size == self->size)
		return;
	check(self, !fitted, "it grows although there is room");
	check(self, size > self->size, "it becomes smaller");
	check(self, bytes > self->size || size == 2 * self->size,
	      "to have more runs in flight it doubles");
	check(self, bytes > self->size || size <= LIMIT, "it grows beyond its limit");
	self->segment = segment;
	self->size = size;
	self->tail = 0;
}

/* Return: what the call has returned */
static int take(FIXTURE_DATA(ring) *self, uint64_t bytes)
{
	struct live *new = &self->live[self->count];
	bool fitted = fits(self, bytes);
	uint64_t old_size = self->size;
	int rc = pto_stage_alloc(&self->staging, bytes, &new->chunk);

	new->bytes = bytes;
	look_at_segment(self, bytes, fitted);
	if (rc) {
		check(self, !new->chunk.segment, "a chunk in spite of the error");
		check(self, !fitted, "it is full although there is room");
		check(self, rc == -EAGAIN ? bytes <= old_size && newest(self) : rc == -ENOMEM &&
		      bytes > old_size, "an error that cannot be");
		return rc;
	}
	check(self, new->chunk.segment == self->segment, "a chunk of an old segment");
	check(self, bytes <= self->size, "a chunk larger than its segment");
	check_place(self, new);
	if (!newest(self))
		self->tail = 0;
	new->tag = ++self->tag;
	if (!self->wrong)
		memset((char *)new->chunk.segment->buffer->map + new->chunk.start, new->tag, bytes);
	self->count++;
	return 0;
}

static void give_back(FIXTURE_DATA(ring) *self)
{
	struct live *last = &self->live[--self->count];
	bool current = last->chunk.segment == self->segment;

	pto_stage_cancel(&last->chunk);
	check(self, !last->chunk.segment, "a chunk that was taken back is still there");
	check(self, current, "the newest chunk is of an old segment");
}

static void release(FIXTURE_DATA(ring) *self)
{
	struct live *first = &self->live[0];
	const uint8_t *data = (uint8_t *)first->chunk.segment->buffer->map + first->chunk.start;
	uint64_t i;

	for (i = 0; i < first->bytes; i++)
		check(self, data[i] == first->tag, "a chunk has been written to");
	if (first->chunk.segment == self->segment)
		self->tail = first->chunk.end;
	pto_stage_release(&first->chunk);
	check(self, !first->chunk.segment, "a chunk that was released is still there");
	self->count--;
	memmove(self->live, self->live + 1, self->count * sizeof(self->live[0]));
}

/* Mostly small; some of the size of the ring; rarely larger than it. */
static uint64_t some_bytes(FIXTURE_DATA(ring) *self)
{
	switch (below(self, 8)) {
	case 0:
		return 1 + below(self, FIRST_SIZE);
	case 1:
		return 1 + below(self, 4) * (FIRST_SIZE / 4) + below(self, 3) * 64;
	case 2:
		return below(self, 40) ? PTO_STAGE_DATA_ALIGN : self->size + 1;
	default:
		return 64 + 64 * below(self, 100);
	}
}

static void step(FIXTURE_DATA(ring) *self)
{
	uint32_t dice = below(self, 100);

	if (dice < 50 && self->count < MAX_LIVE) {
		if (!take(self, some_bytes(self)) && !below(self, 5))
			give_back(self);
	} else if (dice < 95 && self->count) {
		release(self);
	} else if (dice >= 98) {
		while (self->count)
			release(self);
	}
	check(self, device.buffers == segments(self), "segments that nobody needs, or too few");
}

static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(ring) *self)
{
	while (self->count && !self->wrong)
		release(self);
	pto_stage_drop(&self->staging);
	EXPECT_EQ(NULL, self->wrong) {
		TH_LOG("%s", self->wrong);
	}
	EXPECT_EQ(0, device.buffers);
	EXPECT_EQ(0, device.bytes);
}

TEST_F(ring, random_chunks)
{
	int i;

	for (i = 0; i < STEPS && !self->wrong; i++)
		step(self);
	finish(_metadata, self);
}

/* Memory comes and goes: what cannot be had changes nothing. */
TEST_F(ring, random_chunks_while_memory_runs_out)
{
	int i;

	for (i = 0; i < STEPS && !self->wrong; i++) {
		if (!below(self, 50))
			device.room = device.bytes + (below(self, 2) ? below(self, 2 * LIMIT) : 0);
		device.unmappable = !below(self, 20);
		if (!below(self, 100))
			self->staging.limit = LIMIT;
		step(self);
	}
	finish(_metadata, self);
}

/* --- cases --------------------------------------------------------------------------------- */

/* Fills the ring with chunks of @bytes until an older one has to go. Return: how many fitted */
static unsigned int fill(FIXTURE_DATA(ring) *self, uint64_t bytes)
{
	unsigned int before = self->count;

	while (self->count < MAX_LIVE && !take(self, bytes))
		;
	return self->count - before;
}

/* Chunks that divide the ring: one place stays free, since a full ring would look empty. */
TEST_F(ring, full_is_not_empty)
{
	self->staging.limit = FIRST_SIZE;
	ASSERT_EQ(4, fill(self, FIRST_SIZE / 4));
	release(self);
	EXPECT_EQ(-EAGAIN, take(self, FIRST_SIZE / 4));
	EXPECT_EQ(0, take(self, FIRST_SIZE / 4 - 64));
	EXPECT_EQ(-EAGAIN, take(self, 64));
	release(self);
	EXPECT_EQ(-EAGAIN, take(self, FIRST_SIZE / 4));
	EXPECT_EQ(0, take(self, FIRST_SIZE / 4 - 64));
	EXPECT_EQ(-EAGAIN, take(self, 64));
	finish(_metadata, self);
}

/* Wherever it was when the last chunk went: all of it is there for the next one. */
TEST_F(ring, empty_begins_anew)
{
	ASSERT_EQ(0, take(self, 64));
	ASSERT_EQ(0, take(self, FIRST_SIZE / 2));
	ASSERT_EQ(0, take(self, 64));
	while (self->count)
		release(self);
	EXPECT_EQ(0, take(self, FIRST_SIZE));
	EXPECT_EQ(FIRST_SIZE, self->size);
	finish(_metadata, self);
}

/* The limit is one of comfort: a single run gets what it needs. */
TEST_F(ring, grows_to_its_limit)
{
	fill(self, 16384 - 64);
	EXPECT_EQ(LIMIT, self->size);
	EXPECT_EQ(-EAGAIN, take(self, 16384));
	EXPECT_EQ(0, take(self, LIMIT + 64));
	EXPECT_LE(LIMIT + 64, self->size);
	finish(_metadata, self);
}

/* When there is no memory to grow, it is not asked for again with each run. */
TEST_F(ring, without_memory_it_does_with_what_it_has)
{
	unsigned int asked;

	ASSERT_EQ(0, take(self, 64));
	device.room = device.bytes;
	fill(self, 8192);
	asked = device.asked;
	EXPECT_EQ(-EAGAIN, take(self, 8192));
	release(self);
	release(self);
	EXPECT_EQ(0, take(self, 8192));
	EXPECT_EQ(-EAGAIN, take(self, 8192));
	EXPECT_EQ(asked, device.asked);
	EXPECT_EQ(-ENOMEM, take(self, 2 * FIRST_SIZE));
	EXPECT_EQ(0, pto_stage_alloc(&self->staging, 0, &self->live[self->count].chunk));
	EXPECT_EQ(NULL, self->live[self->count].chunk.segment);
	finish(_metadata, self);
}

/* Where there is not what it would like, what it needs will do. */
TEST_F(ring, without_memory_for_more_than_one_run)
{
	device.room = 2 * FIRST_SIZE;
	EXPECT_EQ(0, take(self, FIRST_SIZE + 64));
	EXPECT_EQ(FIRST_SIZE + PAGE, self->size);
	EXPECT_EQ(-ENOMEM, take(self, 2 * FIRST_SIZE));
	EXPECT_EQ(-EOVERFLOW, pto_stage_alloc(&self->staging, UINT64_MAX / 8 + 1,
					      &self->live[self->count].chunk));
	finish(_metadata, self);
}

/* A run of a graph takes two. If it cannot be sent, the older one has been left behind. */
TEST_F(ring, both_chunks_of_a_run_that_was_not_sent)
{
	struct pto_chunk first = { 0 }, second = { 0 };

	ASSERT_EQ(0, pto_stage_alloc(&self->staging, 64, &first));
	ASSERT_EQ(0, pto_stage_alloc(&self->staging, 2 * FIRST_SIZE, &second));
	EXPECT_NE(first.segment, second.segment);
	EXPECT_EQ(2, device.buffers);
	pto_stage_cancel(&second);
	EXPECT_EQ(2, device.buffers);
	pto_stage_cancel(&first);
	EXPECT_EQ(1, device.buffers);
	EXPECT_EQ(NULL, first.segment);
	/* Nothing of it is left: a cancelled chunk is cancelled again without an effect. */
	pto_stage_cancel(&first);
	EXPECT_EQ(1, device.buffers);
	finish(_metadata, self);
}

TEST_HARNESS_MAIN
