// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Tables of ids. Applications can guess ids, so an entry has three steps. A reserved id is known
 * to the creator of the object only, and only the creator may release it. The creator publishes
 * the object when nothing can fail any more. Taking an object finds published objects only.
 */
#include <linux/kernel.h>
#include <linux/xarray.h>

#include "base/ids.h"

/**
 * pto_id_reserve() - allocate an id for an object that is being made
 * @table: the ids, an allocating xarray
 * @next: start of the search; updated, so that a freed id is reused only after all others
 * @max: the largest id; the smallest is 1
 * @id: out: the id
 *
 * The caller must call pto_id_publish() or xa_release() afterwards.
 *
 * Return: 0, -ENOSPC if all are taken, -ENOMEM.
 */
int pto_id_reserve(struct xarray *table, u32 *next, u32 max, u32 *id)
{
	int err = xa_alloc_cyclic(table, id, XA_ZERO_ENTRY, XA_LIMIT(1, max), next,
				  GFP_KERNEL_ACCOUNT);

	if (err < 0)
		return err == -EBUSY ? -ENOSPC : err;
	return 0;
}

/**
 * pto_id_publish() - make an object visible under its id
 * @table: the ids
 * @id: reserved for the object
 * @object: the object, complete
 *
 * A reserved entry can be stored without allocating. It is a bug of the driver if the entry is
 * not reserved; the caller then keeps the object, which is not visible.
 *
 * Return: 0 or -EIO.
 */
int pto_id_publish(struct xarray *table, unsigned long id, void *object)
{
	void *stored;

	xa_lock(table);
	/* The return value is the same for a reserved and an empty entry, so read it back. */
	__xa_cmpxchg(table, id, XA_ZERO_ENTRY, object, 0);
	stored = xa_load(table, id);
	xa_unlock(table);
	return WARN_ON_ONCE(stored != object) ? -EIO : 0;
}

/**
 * pto_id_take() - remove a published object from the table
 * @table: the ids
 * @id: the id
 *
 * Return: the object, which only one caller gets; NULL if none is published.
 */
void *pto_id_take(struct xarray *table, unsigned long id)
{
	void *object;

	xa_lock(table);
	object = xa_load(table, id);
	if (object)
		__xa_erase(table, id);
	xa_unlock(table);
	return object;
}
