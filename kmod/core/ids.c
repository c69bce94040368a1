// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Tables of ids. Applications guess ids, so each entry goes through three steps: reserved,
 * which nobody but who makes the object sees and which only he may undo; published, once
 * nothing can fail any more; taken, which only finds what is published.
 */
#include <linux/kernel.h>
#include <linux/xarray.h>

#include "ids.h"

/**
 * pto_id_reserve() - find an id for an object that is being made
 * @table: the ids, an allocating xarray
 * @next: where the search begins, and will the next time: an id that has been given up is not
 *	handed out again before all others have been
 * @max: the largest id; the least is 1
 * @id: out: the id
 *
 * Return: 0, -ENOSPC if all are taken, -ENOMEM. pto_id_publish() or xa_release() follows.
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
 * pto_id_publish() - let everybody find an object
 * @table: the ids
 * @id: reserved for the object
 * @object: the object, complete
 *
 * What is reserved is stored without memory. That the reservation is not there is an error of
 * the driver: the caller keeps the object, which nobody can find.
 *
 * Return: 0 or -EIO.
 */
int pto_id_publish(struct xarray *table, unsigned long id, void *object)
{
	void *stored;

	xa_lock(table);
	/* (It answers alike whether there was a reservation or nothing.) */
	__xa_cmpxchg(table, id, XA_ZERO_ENTRY, object, 0);
	stored = xa_load(table, id);
	xa_unlock(table);
	return WARN_ON_ONCE(stored != object) ? -EIO : 0;
}

/**
 * pto_id_take() - make an object that is published one that nobody finds
 * @table: the ids
 * @id: the id
 *
 * Return: the object, which no other call returns; NULL if there is none, or none yet.
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
