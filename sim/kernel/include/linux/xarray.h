/* SPDX-License-Identifier: MIT */
/*
 * User-space version of the kernel header of this name, as far as kmod/core uses it: a radix tree
 * of 64-way nodes. Readers take no lock, so nodes exist until xa_destroy().
 */
#ifndef SIM_LINUX_XARRAY_H
#define SIM_LINUX_XARRAY_H

#include <linux/gfp.h>
#include <linux/err.h>
#include <linux/spinlock.h>

struct sim_xa_node;

/**
 * struct xarray - map from unsigned long to pointers
 * @xa_lock: protects every change
 * @root: top node, NULL while empty; read without the lock
 */
struct xarray {
	spinlock_t xa_lock;
	struct sim_xa_node *root;
};

/* A reserved entry: its index is in use, and reads return NULL. */
#define XA_ZERO_ENTRY ((void *)257UL)
#define XA_FLAGS_ALLOC 1u
#define XA_FLAGS_ALLOC1 2u
#define XA_FLAGS_ACCOUNT 4u
#define XA_PRESENT 0u

struct xa_limit {
	u32 max;
	u32 min;
};

#define XA_LIMIT(lowest, highest) ((struct xa_limit){ .min = (lowest), .max = (highest) })

static inline void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	spin_lock_init(&xa->xa_lock);
	xa->root = NULL;
}

static inline void xa_init(struct xarray *xa)
{
	xa_init_flags(xa, 0);
}

#define xa_lock(xa) spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa) spin_unlock(&(xa)->xa_lock)

static inline bool xa_is_err(const void *entry)
{
	return IS_ERR(entry);
}

static inline int xa_err(void *entry)
{
	return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;
}

void *xa_load(struct xarray *xa, unsigned long index);
/* Return: the old entry, or an error for xa_err(). Cannot fail if there is an entry. */
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *__xa_erase(struct xarray *xa, unsigned long index);
/*
 * Store if the entry is @old, which may be XA_ZERO_ENTRY. Return: the previous entry; NULL for a
 * reserved entry, too.
 */
void *__xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp);
/* Use the lowest free index of the range. -EBUSY if there is none. */
int xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp);
/* Use the first free index from *next on, which the lock protects. 1 if that wrapped around. */
int xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next,
		    gfp_t gfp);
/* The first entry from *index to max. */
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter);
void xa_destroy(struct xarray *xa);

/* Remove a reserved entry; other entries stay. */
static inline void xa_release(struct xarray *xa, unsigned long index)
{
	xa_lock(xa);
	__xa_cmpxchg(xa, index, XA_ZERO_ENTRY, NULL, 0);
	xa_unlock(xa);
}

static inline int xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	int ret = xa_insert(xa, index, XA_ZERO_ENTRY, gfp);

	return ret == -EBUSY ? 0 : ret;
}

#define xa_for_each(xa, index, entry) \
	for (index = 0, entry = xa_find(xa, &index, ~0UL, XA_PRESENT); entry; \
	     index++, entry = index ? xa_find(xa, &index, ~0UL, XA_PRESENT) : NULL)

#endif /* SIM_LINUX_XARRAY_H */
