// SPDX-License-Identifier: MIT
/*
 * The regions of a buffer, ordered by their begin: a treap, that is, a search tree in which every
 * region has a pseudo-random rank, and no region is above one of higher rank. That keeps the depth
 * near the logarithm of the size without further bookkeeping.
 *
 * Every node has the highest end in its subtree, so the regions that intersect a range are found
 * without visiting the others. It also has the highest end of the written regions, so that a
 * search for a reader skips regions that are only read.
 *
 * The root represents the buffer: it is on the list of its hash bucket, and a region that becomes
 * the root takes over this place.
 */
#include "runtime.h"

/* A fixed pseudo-random permutation of the indices. */
static uint32_t rank(uint32_t index)
{
	index ^= index >> 16;
	index *= 0x85ebca6bU;
	index ^= index >> 13;
	index *= 0xc2b2ae35U;
	return index ^ index >> 16;
}

static uint64_t written_end(const struct pto_region *r)
{
	return r->wrote ? r->end : 0;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Update the maxima of @r. Return: false if they have not changed. */
static bool update(const struct pto_map *map, struct pto_region *r)
{
	/* Region 0 means no region: its maxima are 0. */
	const struct pto_region *left = &map->regions[r->left];
	const struct pto_region *right = &map->regions[r->right];
	uint64_t end = max64(r->end, max64(left->max_end, right->max_end));
	uint64_t written = max64(written_end(r), max64(left->max_written, right->max_written));

	if (r->max_end == end && r->max_written == written)
		return false;
	r->max_end = end;
	r->max_written = written;
	return true;
}

static void update_up(struct pto_map *map, uint32_t index)
{
	while (index && update(map, &map->regions[index]))
		index = map->regions[index].parent;
}

/* --- buffers of a bucket ------------------------------------------------- */

static void link_root(struct pto_map *map, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t *head = &map->buckets[pto_map_buffer(map, r->addr)].root;

	r->root_prev = 0;
	r->root_next = *head;
	if (*head)
		map->regions[*head].root_prev = index;
	*head = index;
}

/* Puts @index, which may be 0, in the place of @old. */
static void replace_root(struct pto_map *map, uint32_t old, uint32_t index)
{
	struct pto_region *r = &map->regions[old];
	uint32_t next = r->root_next, prev = r->root_prev;

	if (index) {
		map->regions[index].root_next = next;
		map->regions[index].root_prev = prev;
		map->regions[index].parent = 0;
	}
	if (next)
		map->regions[next].root_prev = index ? index : prev;
	if (prev)
		map->regions[prev].root_next = index ? index : next;
	else
		map->buckets[pto_map_buffer(map, r->addr)].root = index ? index : next;
}

/* --- the tree ------------------------------------------------------------ */

/* Put @child, which may be 0, in the place of @old below its parent. */
static void replace_child(struct pto_map *map, uint32_t old, uint32_t child)
{
	uint32_t parent = map->regions[old].parent;

	if (!parent) {
		replace_root(map, old, child);
		return;
	}
	if (map->regions[parent].left == old)
		map->regions[parent].left = child;
	else
		map->regions[parent].right = child;
	if (child)
		map->regions[child].parent = parent;
}

/* Rotate a region above its parent; the order of the tree does not change. */
static void rotate(struct pto_map *map, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t below = r->parent;
	struct pto_region *p = &map->regions[below];
	uint32_t moved;

	replace_child(map, below, index);
	if (p->left == index) {
		moved = r->right;
		p->left = moved;
		r->right = below;
	} else {
		moved = r->left;
		p->right = moved;
		r->left = below;
	}
	if (moved)
		map->regions[moved].parent = below;
	p->parent = index;
	update(map, p);
	update(map, r);
}

/**
 * pto_tree_insert() - add a region to its buffer
 * @map: tensor map
 * @root: the buffer's tree, 0 if it has none yet
 * @index: the region
 */
void pto_tree_insert(struct pto_map *map, uint32_t root, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t parent = 0;
	uint32_t at = root;

	r->left = 0;
	r->right = 0;
	r->max_end = r->end;
	r->max_written = written_end(r);
	r->parent = 0;
	if (!root) {
		link_root(map, index);
		return;
	}
	while (at) {
		struct pto_region *p = &map->regions[at];

		p->max_end = max64(p->max_end, r->end);
		p->max_written = max64(p->max_written, r->max_written);
		parent = at;
		at = r->begin < p->begin ? p->left : p->right;
	}
	r->parent = parent;
	if (r->begin < map->regions[parent].begin)
		map->regions[parent].left = index;
	else
		map->regions[parent].right = index;
	while (r->parent && rank(index) > rank(r->parent))
		rotate(map, index);
}

/** pto_tree_remove() - remove a region from its buffer's tree */
void pto_tree_remove(struct pto_map *map, uint32_t index)
{
	struct pto_region *r = &map->regions[index];
	uint32_t parent;

	while (r->left && r->right)
		rotate(map, rank(r->left) > rank(r->right) ? r->left : r->right);
	parent = r->parent;
	replace_child(map, index, r->left ? r->left : r->right);
	update_up(map, parent);
}

/** pto_tree_written() - mark a region as written */
void pto_tree_written(struct pto_map *map, uint32_t index)
{
	map->regions[index].wrote = 1;
	update_up(map, index);
}

/* --- search -------------------------------------------------------------- */

static uint64_t max_of(const struct pto_map *map, uint32_t index, bool written)
{
	const struct pto_region *r = &map->regions[index];

	return written ? r->max_written : r->max_end;
}

static bool matches(const struct pto_region *r, const struct pto_region *range, bool written)
{
	return r->end > range->begin && (!written || r->wrote);
}

/* The first region of a subtree that intersects the range. */
static uint32_t first_below(const struct pto_map *map, uint32_t index,
			    const struct pto_region *range, bool written)
{
	while (index) {
		const struct pto_region *r = &map->regions[index];

		if (max_of(map, r->left, written) > range->begin) {
			index = r->left;
			continue;
		}
		if (r->begin >= range->end)
			return 0;
		if (matches(r, range, written))
			return index;
		index = max_of(map, r->right, written) > range->begin ? r->right : 0;
	}
	return 0;
}

/**
 * pto_tree_first() - the first region that intersects the byte range of another one
 * @map: tensor map
 * @root: the buffer's tree, 0 for an empty one
 * @r: the range
 * @written: only among regions that have been written
 *
 * Return: 0 if there is none.
 */
uint32_t pto_tree_first(const struct pto_map *map, uint32_t root, const struct pto_region *r,
			bool written)
{
	return first_below(map, root, r, written);
}

/** pto_tree_next() - the next one after @index; @index may be removed afterwards */
uint32_t pto_tree_next(const struct pto_map *map, uint32_t index, const struct pto_region *r,
		       bool written)
{
	uint32_t child;

	for (;;) {
		const struct pto_region *at = &map->regions[index];

		if (max_of(map, at->right, written) > r->begin)
			return first_below(map, at->right, r, written);
		do {
			child = index;
			index = map->regions[index].parent;
			if (!index)
				return 0;
		} while (map->regions[index].right == child);
		if (map->regions[index].begin >= r->end)
			return 0;
		if (matches(&map->regions[index], r, written))
			return index;
	}
}
