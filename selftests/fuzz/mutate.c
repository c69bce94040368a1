// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "mutate.h"

#define MOST_CHANGES 6

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

struct mutator mutate_begin(uint64_t seed, uint64_t number)
{
	return (struct mutator) { .rng = mix(mix(seed) ^ number) };
}

static uint64_t draw(struct mutator *m)
{
	return m->rng = mix(m->rng);
}

uint64_t mutate_below(struct mutator *m, uint64_t n)
{
	return n ? (draw(m) >> 16) % n : 0;
}

/* A number of the kind that readers stumble over: an end, a size, one less, one more. */
static uint64_t telling_number(struct mutator *m, size_t bytes)
{
	static const uint64_t ends[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX,
	};
	uint64_t value;

	switch (mutate_below(m, 4)) {
	case 0:
		value = bytes;
		break;
	case 1:
		value = mutate_below(m, bytes + 1);
		break;
	default:
		value = ends[mutate_below(m, sizeof(ends) / sizeof(ends[0]))];
	}
	return value + mutate_below(m, 3) - 1;
}

/* Changes the word of @width bytes at @at, of a file of @bytes. */
static void change_word(struct mutator *m, uint8_t *at, size_t width, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	switch (mutate_below(m, 4)) {
	case 0:
		value = draw(m);
		break;
	case 1:
		value += mutate_below(m, 17) - 8;
		break;
	default:
		value = telling_number(m, bytes);
	}
	memcpy(at, &value, width);
}

void mutate_one(struct mutator *m, uint8_t *data, size_t bytes, const struct region *regions,
		unsigned int count)
{
	uint64_t which = mutate_below(m, count + 1);
	struct region r = which < count ? regions[which] : (struct region) { 0, bytes };
	size_t width = (size_t)1 << mutate_below(m, 4), at, from;

	if (r.offset > bytes || r.bytes > bytes - r.offset || r.bytes < width)
		return;
	at = r.offset + mutate_below(m, r.bytes / width) * width;
	switch (mutate_below(m, 4)) {
	case 0:
		data[at] ^= 1 << mutate_below(m, 8);
		break;
	case 1:
		from = r.offset + mutate_below(m, r.bytes / width) * width;
		memmove(data + at, data + from, width);
		break;
	default:
		change_word(m, data + at, width, bytes);
	}
}

void mutate(struct mutator *m, uint8_t *data, size_t bytes, const struct region *regions,
	    unsigned int count)
{
	uint64_t changes = 1 + mutate_below(m, MOST_CHANGES);

	while (changes--)
		mutate_one(m, data, bytes, regions, count);
}
