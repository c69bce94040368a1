// SPDX-License-Identifier: GPL-2.0
/*
 * Areas of a context's file (kmod/core/object/area.c), compared with a model. What they are for is
 * in buffers.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "harness.h"
#include "inside.h"

#define PAGE		4096ull
#define END		(PAGE << 32)	/* no program of 32 bits can map what is behind it */
#define ROUNDS		30000
#define MOST		48		/* areas at a time */

struct known {
	struct pto_area *area;
	uint64_t offset;
	uint64_t length;
	bool visible;
};

FIXTURE(areas) {
	struct pto_area_table *areas;
	struct known known[MOST];
	unsigned int count;
	uint64_t random;
};

FIXTURE_SETUP(areas)
{
	self->areas = inside_areas();
	self->random = 0x9e3779b97f4a7c15ull;
	ASSERT_NE(NULL, self->areas);
}

FIXTURE_TEARDOWN(areas)
{
	while (self->count)
		inside_area_release(self->areas, self->known[--self->count].area);
	inside_areas_free(self->areas);
}

static uint64_t next_random(FIXTURE_DATA(areas) *self)
{
	self->random ^= self->random << 13;
	self->random ^= self->random >> 7;
	self->random ^= self->random << 17;
	return self->random;
}

/* The largest room that is left, in bytes. The first page is nobody's. */
static uint64_t largest_room(const FIXTURE_DATA(areas) *self)
{
	uint64_t largest = 0, from, to;
	unsigned int i, j;

	/* Room begins behind the first page, or behind an area. */
	for (i = 0; i <= self->count; i++) {
		from = i < self->count ? self->known[i].offset + self->known[i].length : PAGE;
		to = END;
		for (j = 0; j < self->count; j++)
			if (self->known[j].offset + self->known[j].length > from &&
			    self->known[j].offset < to)
				to = self->known[j].offset;
		if (to > from && to - from > largest)
			largest = to - from;
	}
	return largest;
}

static const struct known *expected_at(const FIXTURE_DATA(areas) *self, uint64_t offset,
				       uint64_t length)
{
	unsigned int i;

	for (i = 0; i < self->count; i++) {
		const struct known *k = &self->known[i];

		if (k->visible && length && offset >= k->offset && offset - k->offset < k->length &&
		    length <= k->length - (offset - k->offset))
			return k;
	}
	return NULL;
}

static bool finds_what_it_should(FIXTURE_DATA(areas) *self, uint64_t offset, uint64_t length)
{
	const struct known *k = expected_at(self, offset, length);
	uint64_t within;
	const struct pto_area *area = inside_area_find(self->areas, offset, length, &within);

	return k ? area == k->area && within == offset - k->offset : !area;
}

/* At the edges of an area, and a page beside them. */
static bool looks_around(FIXTURE_DATA(areas) *self, const struct known *k)
{
	const uint64_t at[] = { k->offset - PAGE, k->offset, k->offset + k->length - PAGE,
				k->offset + k->length };
	const uint64_t length[] = { 0, PAGE, 2 * PAGE, k->length, k->length + PAGE };
	unsigned int i, j;

	for (i = 0; i < 4; i++)
		for (j = 0; j < 5; j++)
			if (!finds_what_it_should(self, at[i], length[j]))
				return false;
	return true;
}

static bool overlaps(const FIXTURE_DATA(areas) *self, uint64_t offset, uint64_t length)
{
	unsigned int i;

	for (i = 0; i < self->count; i++)
		if (offset < self->known[i].offset + self->known[i].length &&
		    self->known[i].offset < offset + length)
			return true;
	return false;
}

/* From a page to half of all there is. */
static uint64_t some_length(FIXTURE_DATA(areas) *self)
{
	uint64_t pages = next_random(self) >> (33 + next_random(self) % 31);

	return (pages ? pages : 1) * PAGE;
}

static uint64_t some_page(FIXTURE_DATA(areas) *self)
{
	return next_random(self) % (END + PAGE) & -PAGE;
}

TEST_F(areas, anything_in_any_order)
{
	unsigned int round, i, refused = 0, wrapped = 0;
	uint64_t last = 0;

	for (round = 0; round < ROUNDS; round++) {
		if (self->count == MOST || (self->count && next_random(self) % 3 == 0)) {
			i = next_random(self) % self->count;
			inside_area_release(self->areas, self->known[i].area);
			self->known[i] = self->known[--self->count];
		} else {
			struct known *k = &self->known[self->count];
			uint64_t length = some_length(self);
			int err = inside_area_reserve(self->areas, length, &k->area, &k->offset);

			if (err) {
				ASSERT_EQ(-ENOSPC, err);
				ASSERT_GT(length, largest_room(self));
				refused++;
				continue;
			}
			ASSERT_GE(k->offset, PAGE);
			ASSERT_LE(length, END - k->offset);
			ASSERT_FALSE(overlaps(self, k->offset, length));
			k->length = length;
			k->visible = false;
			self->count++;
			/* Whoever guesses it does not find it before it is made known. */
			ASSERT_TRUE(looks_around(self, k));
			inside_area_publish(self->areas, k->area);
			k->visible = true;
			ASSERT_TRUE(looks_around(self, k));
			wrapped += k->offset < last;
			last = k->offset;
		}
		for (i = 0; i < 4; i++)
			ASSERT_TRUE(finds_what_it_should(self, some_page(self), some_length(self)));
	}
	/* Else the test has not seen what it is for. */
	EXPECT_GT(refused, 100);
	EXPECT_GT(wrapped, 100);
}

/* The offset of what is gone does not mean another thing at once. */
TEST_F(areas, are_not_used_again_at_once)
{
	struct known a, b;

	ASSERT_EQ(0, inside_area_reserve(self->areas, 4 * PAGE, &a.area, &a.offset));
	inside_area_release(self->areas, a.area);
	ASSERT_EQ(0, inside_area_reserve(self->areas, 4 * PAGE, &b.area, &b.offset));
	EXPECT_EQ(a.offset + 4 * PAGE, b.offset);
	inside_area_release(self->areas, b.area);
}

/* All of it but the first page, and nothing more. */
TEST_F(areas, everything)
{
	struct pto_area *all, *one;
	uint64_t offset, within;

	ASSERT_EQ(-ENOSPC, inside_area_reserve(self->areas, END, &all, &offset));
	ASSERT_EQ(0, inside_area_reserve(self->areas, END - PAGE, &all, &offset));
	EXPECT_EQ(PAGE, offset);
	inside_area_publish(self->areas, all);
	EXPECT_EQ(all, inside_area_find(self->areas, END - PAGE, PAGE, &within));
	EXPECT_EQ(NULL, inside_area_find(self->areas, END, PAGE, &within));
	EXPECT_EQ(NULL, inside_area_find(self->areas, -PAGE, PAGE, &within));
	EXPECT_EQ(NULL, inside_area_find(self->areas, 0, PAGE, &within));
	EXPECT_EQ(-ENOSPC, inside_area_reserve(self->areas, PAGE, &one, &offset));
	inside_area_release(self->areas, all);
	ASSERT_EQ(0, inside_area_reserve(self->areas, PAGE, &one, &offset));
	EXPECT_EQ(PAGE, offset);
	inside_area_release(self->areas, one);
}

TEST_HARNESS_MAIN
