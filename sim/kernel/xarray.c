// SPDX-License-Identifier: MIT
/*
 * Every node has a bitmap of its 64 slots that lead to an entry (used), and one of those without a
 * free index (full), so that searches descend directly. Slots are read without the lock: a node is
 * complete before it is linked, and only xa_destroy() frees it.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#define NODE_SHIFT 6
#define NODE_SLOTS 64
#define NODE_MASK (NODE_SLOTS - 1)
#define MAX_DEPTH 11

struct sim_xa_node {
	unsigned int shift;
	u64 used;
	u64 full;
	void *slot[NODE_SLOTS];
};

static struct sim_xa_node *node_new(unsigned int shift)
{
	struct sim_xa_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (node)
		node->shift = shift;
	return node;
}

static void *slot_load(struct sim_xa_node *node, unsigned int slot)
{
	return __atomic_load_n(&node->slot[slot], __ATOMIC_ACQUIRE);
}

static unsigned int node_slot(const struct sim_xa_node *node, unsigned long index)
{
	return index >> node->shift & NODE_MASK;
}

/* True if the index is too large for the node and its children. */
static bool node_beyond(const struct sim_xa_node *node, unsigned long index)
{
	unsigned int bits = node->shift + NODE_SHIFT;

	return bits < 8 * sizeof(index) && index >> bits;
}

/* First index after the part of the tree below this slot; 0 if there is none. */
static unsigned long slot_end(const struct sim_xa_node *node, unsigned long index)
{
	return ((index >> node->shift) + 1) << node->shift;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct sim_xa_node *node = __atomic_load_n(&xa->root, __ATOMIC_ACQUIRE);
	void *entry;

	if (!node || node_beyond(node, index))
		return NULL;
	while (node && node->shift)
		node = slot_load(node, node_slot(node, index));
	entry = node ? slot_load(node, node_slot(node, index)) : NULL;
	return entry == XA_ZERO_ENTRY ? NULL : entry;
}

/* Make the tree high enough. */
static int grow(struct xarray *xa, unsigned long index)
{
	struct sim_xa_node *node;

	if (!xa->root) {
		node = node_new(0);
		if (!node)
			return -ENOMEM;
		__atomic_store_n(&xa->root, node, __ATOMIC_RELEASE);
	}
	while (node_beyond(xa->root, index)) {
		node = node_new(xa->root->shift + NODE_SHIFT);
		if (!node)
			return -ENOMEM;
		node->slot[0] = xa->root;
		node->used = xa->root->used != 0;
		node->full = xa->root->full == ~0ULL;
		__atomic_store_n(&xa->root, node, __ATOMIC_RELEASE);
	}
	return 0;
}

static void set_bit_to(u64 *bits, unsigned int bit, bool value)
{
	WRITE_ONCE(*bits, (*bits & ~(1ULL << bit)) | (u64)value << bit);
}

/* Find the path to the leaf of an index; create it if @create. Return: its length, or -ENOMEM. */
static int walk(struct xarray *xa, unsigned long index, bool create,
		struct sim_xa_node *path[MAX_DEPTH])
{
	struct sim_xa_node *node = xa->root;
	int depth = 0;

	for (;;) {
		struct sim_xa_node *child;
		unsigned int slot;

		path[depth++] = node;
		if (!node->shift)
			return depth;
		slot = node_slot(node, index);
		child = slot_load(node, slot);
		if (!child) {
			if (!create)
				return 0;
			child = node_new(node->shift - NODE_SHIFT);
			if (!child)
				return -ENOMEM;
			__atomic_store_n(&node->slot[slot], child, __ATOMIC_RELEASE);
		}
		node = child;
	}
}

static void put(struct sim_xa_node *path[MAX_DEPTH], int depth, unsigned long index,
		void *entry)
{
	struct sim_xa_node *node = path[--depth];
	unsigned int slot = node_slot(node, index);

	__atomic_store_n(&node->slot[slot], entry, __ATOMIC_RELEASE);
	set_bit_to(&node->used, slot, entry);
	set_bit_to(&node->full, slot, entry);
	while (depth--) {
		struct sim_xa_node *child = node;

		node = path[depth];
		slot = node_slot(node, index);
		set_bit_to(&node->used, slot, child->used != 0);
		set_bit_to(&node->full, slot, child->full == ~0ULL);
	}
}

/* Any entry may be replaced. */
#define ANYTHING ((void *)1UL)

/* Store if the old entry is @expected. Return: the old entry, as stored, or an error. */
static void *exchange(struct xarray *xa, unsigned long index, void *expected, void *entry)
{
	struct sim_xa_node *path[MAX_DEPTH];
	void *old;
	int depth;

	if (entry) {
		int ret = grow(xa, index);

		if (ret)
			return ERR_PTR(ret);
	} else if (!xa->root || node_beyond(xa->root, index)) {
		return NULL;
	}
	depth = walk(xa, index, entry, path);
	if (depth <= 0)
		return ERR_PTR(depth);
	old = path[depth - 1]->slot[node_slot(path[depth - 1], index)];
	if (old == expected || expected == ANYTHING)
		put(path, depth, index, entry);
	return old;
}

void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	void *old;

	xa_lock(xa);
	old = exchange(xa, index, ANYTHING, entry);
	xa_unlock(xa);
	return old == XA_ZERO_ENTRY ? NULL : old;
}

void *__xa_cmpxchg(struct xarray *xa, unsigned long index, void *expected, void *entry, gfp_t gfp)
{
	void *old = exchange(xa, index, expected, entry);

	return old == XA_ZERO_ENTRY ? NULL : old;
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	void *old;

	xa_lock(xa);
	old = exchange(xa, index, NULL, entry);
	xa_unlock(xa);
	if (IS_ERR(old))
		return (int)PTR_ERR(old);
	return old ? -EBUSY : 0;
}

void *__xa_erase(struct xarray *xa, unsigned long index)
{
	void *old = exchange(xa, index, ANYTHING, NULL);

	return old == XA_ZERO_ENTRY ? NULL : old;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	void *old;

	xa_lock(xa);
	old = __xa_erase(xa, index);
	xa_unlock(xa);
	return old;
}

/*
 * First index in [from, max] that is free (free) or in use (!free). Descends once for every
 * subtree that can be skipped. Return: false if there is none.
 */
static bool search(struct xarray *xa, unsigned long *from, unsigned long max, bool free)
{
	unsigned long index = *from;

	while (index <= max) {
		struct sim_xa_node *node = __atomic_load_n(&xa->root, __ATOMIC_ACQUIRE);
		unsigned long next;

		if (!node || node_beyond(node, index)) {
			*from = index;
			return free;
		}
		for (;;) {
			unsigned int slot = node_slot(node, index);
			u64 bits = free ? READ_ONCE(node->full) : ~READ_ONCE(node->used);
			struct sim_xa_node *child = slot_load(node, slot);

			if (bits >> slot & 1) {
				next = slot_end(node, index);
				break;
			}
			if (!node->shift || !child) {
				*from = index;
				return true;
			}
			node = child;
		}
		if (next <= index)
			return false;
		index = next;
	}
	return false;
}

static int alloc_in(struct xarray *xa, u32 *id, void *entry, u32 low, u32 high)
{
	unsigned long index = low;
	void *old;

	if (!search(xa, &index, high, true))
		return -EBUSY;
	old = exchange(xa, index, NULL, entry);
	if (IS_ERR(old))
		return (int)PTR_ERR(old);
	*id = (u32)index;
	return 0;
}

int xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	int ret;

	xa_lock(xa);
	ret = alloc_in(xa, id, entry, limit.min, limit.max);
	xa_unlock(xa);
	return ret;
}

int xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next,
		    gfp_t gfp)
{
	u32 low;
	int ret;

	xa_lock(xa);
	low = max_t(u32, limit.min, *next);
	ret = low <= limit.max ? alloc_in(xa, id, entry, low, limit.max) : -EBUSY;
	if (ret == -EBUSY && low > limit.min) {
		ret = alloc_in(xa, id, entry, limit.min, limit.max);
		if (!ret)
			ret = 1;
	}
	if (ret >= 0)
		*next = *id + 1;
	xa_unlock(xa);
	return ret;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter)
{
	unsigned long at = *index;

	while (search(xa, &at, max, false)) {
		void *entry = xa_load(xa, at);

		if (entry) {
			*index = at;
			return entry;
		}
		if (++at == 0)
			break;
	}
	return NULL;
}

static void node_free(struct sim_xa_node *node)
{
	unsigned int i;

	if (!node)
		return;
	for (i = 0; node->shift && i < NODE_SLOTS; i++)
		node_free(node->slot[i]);
	kfree(node);
}

void xa_destroy(struct xarray *xa)
{
	node_free(xa->root);
	xa->root = NULL;
}
