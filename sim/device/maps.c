// SPDX-License-Identifier: MIT
/*
 * Memory that a context may access: ranges given by MAP and not yet taken by UNMAP. They are in a
 * sorted array: contexts have tens to thousands of buffers, and lookups (several per run) are far
 * more frequent than changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Index of the first range that ends after @addr. */
static size_t map_table_find(const struct map_table *table, uint64_t addr)
{
	size_t low = 0;
	size_t high = table->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (table->ranges[mid].addr + table->ranges[mid].size <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int map_table_grow(struct map_table *table)
{
	size_t room = table->room ? table->room * 2 : 16;
	struct map_range *ranges;

	if (table->count < table->room)
		return 0;
	ranges = realloc(table->ranges, room * sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	table->ranges = ranges;
	table->room = room;
	return 0;
}

/* Add a range. Return: 0; -EEXIST if it overlaps another one, -ENOMEM */
int map_table_insert(struct map_table *table, const struct map_range *range)
{
	size_t i = map_table_find(table, range->addr);
	int ret;

	if (i < table->count && table->ranges[i].addr < range->addr + range->size)
		return -EEXIST;
	ret = map_table_grow(table);
	if (ret)
		return ret;
	memmove(&table->ranges[i + 1], &table->ranges[i],
		(table->count - i) * sizeof(*table->ranges));
	table->ranges[i] = *range;
	table->count++;
	return 0;
}

/* Remove a range that was added with the same address and size. Return: 0 or -ENOENT */
int map_table_remove(struct map_table *table, uint64_t addr, uint64_t size)
{
	size_t i = map_table_find(table, addr);

	if (i == table->count || table->ranges[i].addr != addr || table->ranges[i].size != size)
		return -ENOENT;
	table->count--;
	memmove(&table->ranges[i], &table->ranges[i + 1],
		(table->count - i) * sizeof(*table->ranges));
	return 0;
}

/* Is all of [addr, addr + size) accessible with @prot? It may span adjacent ranges. */
bool map_table_covers(const struct map_table *table, uint64_t addr, uint64_t size, uint32_t prot)
{
	uint64_t end;
	size_t i;

	if (__builtin_add_overflow(addr, size, &end))
		return false;
	for (i = map_table_find(table, addr); addr < end; i++) {
		const struct map_range *range = &table->ranges[i];

		if (i == table->count || range->addr > addr || (range->prot & prot) != prot)
			return false;
		addr = range->addr + range->size;
	}
	return true;
}

/* Remove all ranges. */
void map_table_free(struct map_table *table)
{
	free(table->ranges);
	memset(table, 0, sizeof(*table));
}
