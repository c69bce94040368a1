/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Areas of a context's file: what mmap() offsets mean. For objects that can be mapped.
 */
#ifndef PTO_CORE_AREA_H
#define PTO_CORE_AREA_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

/* Pages that areas may take. Page numbers of 32 bits can be mapped by 32-bit programs, too. */
#define PTO_AREA_PAGES	((1ULL << 32) - 1)

/**
 * struct pto_area - an area of a context's file
 * @page: its first page
 * @pages: number of pages
 * @visible: it can be found (lock of pto_area_table.areas)
 *
 * Part of the object that is mapped by it, and in the table from pto_area_reserve() to
 * pto_area_release().
 */
struct pto_area {
	u64 page;
	u64 pages;
	bool visible;
};

/**
 * struct pto_area_table - the areas of a context's file
 * @mutex: serialises reserving
 * @areas: areas, by the distance of their first page from the last page of all; see area.c
 * @next: page at which the search for room begins; 0: none was reserved yet (@mutex)
 */
struct pto_area_table {
	struct mutex mutex;
	struct xarray areas;
	u64 next;
};

void pto_area_table_init(struct pto_area_table *table);
void pto_area_table_exit(struct pto_area_table *table);
int pto_area_reserve(struct pto_area_table *table, struct pto_area *area, u64 length, u64 first);
void pto_area_publish(struct pto_area_table *table, struct pto_area *area);
void pto_area_release(struct pto_area_table *table, struct pto_area *area);
struct pto_area *pto_area_find(struct pto_area_table *table, u64 offset, u64 length, u64 *within);

#endif /* PTO_CORE_AREA_H */
