// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Areas of a context's file: what mmap() offsets mean.
 *
 * An offset names an area of an object, and says nothing of where the object is. The index of an
 * area is the *distance* of its first page from the last page of all, so the first entry at or
 * after a page's distance is the last area that begins at or before that page. Areas do not
 * overlap. A new one comes behind the one before it, and where one was, another one comes only
 * after all the room behind it was used, so that an offset that nobody should use any more seldom
 * means something.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "object/area.h"

/** pto_area_table_init() - no areas yet; @table is zero */
void pto_area_table_init(struct pto_area_table *table)
{
	mutex_init(&table->mutex);
	xa_init_flags(&table->areas, XA_FLAGS_ACCOUNT);
}

/** pto_area_table_exit() - forget all areas; nobody looks for one any more */
void pto_area_table_exit(struct pto_area_table *table)
{
	xa_destroy(&table->areas);
}

static unsigned long pto_area_distance(u64 page)
{
	return PTO_AREA_PAGES - page;
}

/* The area that begins last at or before a page, or NULL. The lock of the areas is held. */
static struct pto_area *pto_area_before(struct pto_area_table *table, u64 page)
{
	unsigned long distance = pto_area_distance(page);

	return xa_find(&table->areas, &distance, ULONG_MAX, XA_PRESENT);
}

/*
 * Find room between two pages. table->mutex is held, so areas can only go meanwhile. Return: the
 * first page, or 0.
 */
static u64 pto_area_room(struct pto_area_table *table, u64 from, u64 to, u64 pages)
{
	struct pto_area *area;
	u64 page = from;

	while (pages <= to - page) {
		u64 end = 0;

		xa_lock(&table->areas);
		area = pto_area_before(table, page + pages - 1);
		if (area)
			end = area->page + area->pages;
		xa_unlock(&table->areas);
		if (end <= page)
			return page;
		page = end;
	}
	return 0;
}

/**
 * pto_area_reserve() - find room for an area. May sleep
 * @table: the areas of the context
 * @area: filled in; not visible yet
 * @length: bytes, whole pages
 * @first: page at which the first area is to begin, not 0
 *
 * Return: 0, -ENOSPC, -ENOMEM.
 */
int pto_area_reserve(struct pto_area_table *table, struct pto_area *area, u64 length, u64 first)
{
	u64 pages = length >> PAGE_SHIFT;
	int err = -ENOSPC;
	u64 page;

	mutex_lock(&table->mutex);
	if (!table->next)
		table->next = first;
	page = pto_area_room(table, table->next, PTO_AREA_PAGES + 1, pages);
	if (!page)
		page = pto_area_room(table, 1, PTO_AREA_PAGES + 1, pages);
	if (page) {
		area->page = page;
		area->pages = pages;
		area->visible = false;
		err = xa_insert(&table->areas, pto_area_distance(page), area,
				GFP_KERNEL_ACCOUNT);
	}
	if (!err)
		table->next = page + pages;
	mutex_unlock(&table->mutex);
	return err;
}

/** pto_area_publish() - make an area visible */
void pto_area_publish(struct pto_area_table *table, struct pto_area *area)
{
	xa_lock(&table->areas);
	area->visible = true;
	xa_unlock(&table->areas);
}

/** pto_area_release() - remove an area: its offset means nothing any more. Does not sleep */
void pto_area_release(struct pto_area_table *table, struct pto_area *area)
{
	xa_erase(&table->areas, pto_area_distance(area->page));
}

/**
 * pto_area_find() - find the visible area in which a range lies
 * @table: the areas of the context; the lock of @table->areas is held
 * @offset: offset in the file, a multiple of the page size
 * @length: bytes
 * @within: out: offset in the area
 *
 * Return: the area, which stays as long as the lock is held; NULL if there is none.
 */
struct pto_area *pto_area_find(struct pto_area_table *table, u64 offset, u64 length, u64 *within)
{
	u64 page = offset >> PAGE_SHIFT;
	struct pto_area *area;
	u64 size;

	area = page <= PTO_AREA_PAGES ? pto_area_before(table, page) : NULL;
	if (!area || !area->visible)
		return NULL;
	size = area->pages << PAGE_SHIFT;
	*within = offset - (area->page << PAGE_SHIFT);
	return length && *within < size && length <= size - *within ? area : NULL;
}
