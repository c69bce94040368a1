// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Virtual devices: access to the memfd that is the window. Whatever is mapped keeps its pages,
 * as the process on the other side may take them out of the file at any time.
 */
#include <linux/falloc.h>
#include <linux/highmem.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "vdev.h"

/* pto_vdev_access_end() finds the page by its address. */
static_assert(!IS_ENABLED(CONFIG_HIGHMEM));

/**
 * struct pto_vdev_mapping - a part of the window in the kernel's address space
 * @addr: where it is; in vdev->maps it is found by that
 * @count: how many pages
 * @pages: the pages, with references
 */
struct pto_vdev_mapping {
	void *addr;
	unsigned int count;
	struct page *pages[];
};

static struct page *pto_vdev_page_get(void *priv, pgoff_t index)
{
	struct pto_vdev *vdev = priv;

	if (index >= vdev->size >> PAGE_SHIFT)
		return ERR_PTR(-EINVAL);
	return shmem_read_mapping_page(vdev->memory->f_mapping, index);
}

static void pto_vdev_page_put(struct page *page)
{
	set_page_dirty(page);
	put_page(page);
}

const struct pto_pages_ops pto_vdev_pages_ops = {
	.get = pto_vdev_page_get,
	.put = pto_vdev_page_put,
};

static void pto_vdev_mapping_free(struct pto_vdev_mapping *map)
{
	while (map->count)
		pto_vdev_page_put(map->pages[--map->count]);
	kvfree(map);
}

static unsigned long pto_vdev_map_index(const void *addr)
{
	return (unsigned long)addr >> PAGE_SHIFT;
}

/* Return: 0 when it is mapped, and can be found by its address. */
static int pto_vdev_mapping_show(struct pto_vdev *vdev, struct pto_vdev_mapping *map)
{
	int err;

	map->addr = vmap(map->pages, map->count, VM_MAP, PAGE_KERNEL);
	if (!map->addr)
		return -ENOMEM;
	err = xa_insert(&vdev->maps, pto_vdev_map_index(map->addr), map, GFP_KERNEL_ACCOUNT);
	if (err)
		vunmap(map->addr);
	return err;
}

void *pto_vdev_map(void *priv, u64 offset, u64 length)
{
	unsigned int count = length >> PAGE_SHIFT;
	struct pto_vdev *vdev = priv;
	struct pto_vdev_mapping *map;

	map = kvzalloc(struct_size(map, pages, count), GFP_KERNEL_ACCOUNT);
	if (!map)
		return NULL;
	while (map->count < count) {
		struct page *page = pto_vdev_page_get(vdev, (offset >> PAGE_SHIFT) + map->count);

		if (IS_ERR(page))
			break;
		map->pages[map->count++] = page;
	}
	if (map->count < count || pto_vdev_mapping_show(vdev, map)) {
		pto_vdev_mapping_free(map);
		return NULL;
	}
	return map->addr;
}

void pto_vdev_unmap(void *priv, void *addr, u64 length)
{
	struct pto_vdev *vdev = priv;
	struct pto_vdev_mapping *map = xa_erase(&vdev->maps, pto_vdev_map_index(addr));

	if (WARN_ON(!map))
		return;
	vunmap(addr);
	pto_vdev_mapping_free(map);
}

void *pto_vdev_access(void *priv, u64 offset, size_t *length)
{
	struct page *page = pto_vdev_page_get(priv, offset >> PAGE_SHIFT);
	unsigned long start = offset_in_page(offset);

	if (IS_ERR(page))
		return page;
	*length = min_t(size_t, *length, PAGE_SIZE - start);
	return (u8 *)kmap_local_page(page) + start;
}

void pto_vdev_access_end(void *priv, void *addr)
{
	struct page *page = virt_to_page(addr);

	kunmap_local(addr);
	pto_vdev_page_put(page);
}

int pto_vdev_clear(void *priv, u64 offset, u64 length)
{
	struct pto_vdev *vdev = priv;

	return vfs_fallocate(vdev->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
			     length);
}
