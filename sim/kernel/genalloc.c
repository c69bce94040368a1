// SPDX-License-Identifier: MIT
#include <linux/bitmap.h>
#include <linux/genalloc.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

/**
 * struct gen_pool - one range of memory, allocated first fit
 * @lock: protects @map
 * @order: log2 of the unit
 * @base: first address
 * @units: number of units, 0 until gen_pool_add()
 * @map: bit set: unit in use
 */
struct gen_pool {
	spinlock_t lock;
	int order;
	unsigned long base;
	unsigned long units;
	unsigned long *map;
};

struct gen_pool *gen_pool_create(int order, int nid)
{
	struct gen_pool *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (pool) {
		spin_lock_init(&pool->lock);
		pool->order = order;
	}
	return pool;
}

int gen_pool_add(struct gen_pool *pool, unsigned long addr, size_t size, int nid)
{
	unsigned long units = size >> pool->order;

	if (pool->map)
		return -ENOMEM;
	pool->map = kcalloc(BITS_TO_LONGS(units), sizeof(long), GFP_KERNEL);
	if (!pool->map)
		return -ENOMEM;
	pool->base = addr;
	pool->units = units;
	return 0;
}

static unsigned long to_units(const struct gen_pool *pool, size_t size)
{
	return (size >> pool->order) + !!(size & ((1UL << pool->order) - 1));
}

unsigned long gen_pool_alloc(struct gen_pool *pool, size_t size)
{
	unsigned long want = to_units(pool, size);
	unsigned long addr = 0;
	unsigned long start = 0;

	if (!want)
		return 0;
	spin_lock(&pool->lock);
	for (;;) {
		unsigned long end;

		start = find_next_zero_bit(pool->map, pool->units, start);
		if (start >= pool->units || want > pool->units - start)
			break;
		end = find_next_bit(pool->map, start + want, start);
		if (end >= start + want) {
			bitmap_set(pool->map, (unsigned int)start, (unsigned int)want);
			addr = pool->base + (start << pool->order);
			break;
		}
		start = end;
	}
	spin_unlock(&pool->lock);
	return addr;
}

void gen_pool_free(struct gen_pool *pool, unsigned long addr, size_t size)
{
	unsigned long start = (addr - pool->base) >> pool->order;
	unsigned long count = to_units(pool, size);

	spin_lock(&pool->lock);
	WARN_ON(find_next_zero_bit(pool->map, start + count, start) < start + count);
	bitmap_clear(pool->map, (unsigned int)start, (unsigned int)count);
	spin_unlock(&pool->lock);
}

size_t gen_pool_avail(struct gen_pool *pool)
{
	unsigned long unit, free = 0;

	spin_lock(&pool->lock);
	for (unit = 0; unit < pool->units; unit++)
		free += !test_bit(unit, pool->map);
	spin_unlock(&pool->lock);
	return free << pool->order;
}

size_t gen_pool_size(struct gen_pool *pool)
{
	return pool->units << pool->order;
}

void gen_pool_destroy(struct gen_pool *pool)
{
	/* The kernel calls BUG() here. */
	if (WARN_ON(pool->map && find_next_bit(pool->map, pool->units, 0) < pool->units))
		__builtin_trap();
	kfree(pool->map);
	kfree(pool);
}
