// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Virtual devices: access to the memfd that holds the window. A mapping keeps references to its
 * pages, because the device's process may remove them from the file at any time. That process is
 * not trusted: no function here waits for a lock that it can hold, and the kernel memory that it
 * makes the driver use is limited or accounted to it.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "vdev.h"

/* pto_vdev_access_end() finds the page by its address. */
static_assert(!IS_ENABLED(CONFIG_HIGHMEM));

/*
 * A window need not be backed by memory, but the kernel keeps a bitmap of its free pages. So the
 * total size of all windows is limited.
 */
static unsigned long window_limit_gib = 2048;
module_param(window_limit_gib, ulong, 0644);
MODULE_PARM_DESC(window_limit_gib,
		 "GiB that the windows of all virtual devices may have together (default 2048; a GiB takes 32 KiB)");

/* All windows, and their total size. A memfd is the window of one device at most. */
static DEFINE_MUTEX(pto_windows_lock);
static LIST_HEAD(pto_windows);
static u64 pto_windows_size;

/**
 * struct pto_vdev_mapping - a part of the window in the kernel's address space
 * @addr: its address, which is the key in vdev->maps
 * @count: number of pages
 * @pages: the pages, with references
 */
struct pto_vdev_mapping {
	void *addr;
	unsigned int count;
	struct page *pages[];
};

static int pto_window_check(const struct file *memory, u64 size)
{
	u64 limit = min_t(u64, READ_ONCE(window_limit_gib), U64_MAX >> 30) << 30;
	const struct pto_vdev *other;

	lockdep_assert_held(&pto_windows_lock);
	list_for_each_entry(other, &pto_windows, link) {
		if (file_inode(other->memory) == file_inode(memory))
			return -EBUSY;
	}
	if (pto_windows_size <= limit && size <= limit - pto_windows_size)
		return 0;
	pr_warn_ratelimited("pto: a window of %llu MiB, besides %llu MiB of other devices, is more than %lu GiB: see parameter window_limit_gib\n",
			    size >> 20, pto_windows_size >> 20, window_limit_gib);
	return -EFBIG;
}

/* Add the first @size bytes of the memory to the list of windows, if the limit allows it. */
static int pto_window_add(struct pto_vdev *vdev, u64 size)
{
	int err;

	mutex_lock(&pto_windows_lock);
	err = pto_window_check(vdev->memory, size);
	if (!err) {
		vdev->size = size;
		pto_windows_size += size;
		list_add(&vdev->link, &pto_windows);
	}
	mutex_unlock(&pto_windows_lock);
	return err;
}

static void pto_window_del(struct pto_vdev *vdev)
{
	mutex_lock(&pto_windows_lock);
	list_del(&vdev->link);
	pto_windows_size -= vdev->size;
	mutex_unlock(&pto_windows_lock);
}

/*
 * The memfd must have ordinary pages, be open for reading and writing, and be sealed against
 * shrinking. A seal against growing does no harm. A seal against writing is refused, because the
 * driver writes; once the driver has mapped the memfd writable, the kernel refuses to add one.
 */
static int pto_vdev_check_memory(struct file *memory)
{
	unsigned int seals = READ_ONCE(SHMEM_I(file_inode(memory))->seals);

	if (!(seals & F_SEAL_SHRINK) || seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	return (memory->f_mode & (FMODE_READ | FMODE_WRITE)) == (FMODE_READ | FMODE_WRITE) ?
		0 : -EBADF;
}

/*
 * Applications may keep the driver's pages pinned for any time. So they are not allocated from
 * movable zones, where they would block memory hotplug and compaction.
 */
static void pto_vdev_stay_put(struct address_space *mapping)
{
	mapping_set_gfp_mask(mapping, mapping_gfp_mask(mapping) & ~__GFP_MOVABLE);
}

/* As elsewhere in the kernel, CAP_IPC_LOCK exempts from the limit. */
static void pto_vdev_account_to(struct pto_vdev *vdev)
{
	if (capable(CAP_IPC_LOCK))
		return;
	vdev->user = get_uid(current_user());
	vdev->pin_limit = min_t(unsigned long, rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT, LONG_MAX);
}

/**
 * pto_vdev_take_memory() - use a memfd as the window
 * @vdev: the device
 * @fd: the memfd
 *
 * The caller must call pto_vdev_drop_memory() afterwards, also on failure.
 *
 * Return: 0; -EBADF, -EINVAL: it is not a suitable memfd; -EBUSY: another device uses it;
 * -ENODEV: it is empty; -EFBIG: it is too large.
 */
int pto_vdev_take_memory(struct pto_vdev *vdev, int fd)
{
	struct file *memory = fget(fd);
	u64 size;
	int err;

	xa_init_flags(&vdev->maps, XA_FLAGS_ACCOUNT);
	if (!memory)
		return -EBADF;
	if (!shmem_mapping(memory->f_mapping) || mapping_map_writable(memory->f_mapping)) {
		fput(memory);
		return -EINVAL;
	}
	vdev->memory = memory;
	err = pto_vdev_check_memory(memory);
	if (err)
		return err;
	size = i_size_read(file_inode(memory)) & PAGE_MASK;
	if (!size)
		return -ENODEV;
	err = pto_window_add(vdev, size);
	if (err)
		return err;
	pto_vdev_stay_put(memory->f_mapping);
	pto_vdev_account_to(vdev);
	return 0;
}

/** pto_vdev_drop_memory() - release the window, which nobody uses any more */
void pto_vdev_drop_memory(struct pto_vdev *vdev)
{
	WARN_ON(!xa_empty(&vdev->maps));
	xa_destroy(&vdev->maps);
	if (!vdev->memory)
		return;
	if (vdev->size)
		pto_window_del(vdev);
	if (vdev->user)
		free_uid(vdev->user);
	mapping_unmap_writable(vdev->memory->f_mapping);
	fput(vdev->memory);
}

static struct page *pto_vdev_page_get(struct pto_vdev *vdev, pgoff_t index)
{
	if (index >= vdev->size >> PAGE_SHIFT)
		return ERR_PTR(-EINVAL);
	return shmem_read_mapping_page(vdev->memory->f_mapping, index);
}

static void pto_vdev_page_put(struct page *page)
{
	set_page_dirty(page);
	put_page(page);
}

/* Account one more pinned page. Return: false if the user's limit is reached. */
static bool pto_vdev_charge(struct pto_vdev *vdev)
{
	long now;

	if (!vdev->user)
		return true;
	now = atomic_long_read(&vdev->user->locked_vm);
	do {
		if (now >= vdev->pin_limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&vdev->user->locked_vm, &now, now + 1));
	return true;
}

static void pto_vdev_uncharge(struct pto_vdev *vdev)
{
	if (vdev->user)
		atomic_long_dec(&vdev->user->locked_vm);
}

/* Get a page with a reference that may be held for a long time. */
static struct page *pto_vdev_page_keep(void *priv, pgoff_t index)
{
	struct pto_vdev *vdev = priv;
	struct page *page;

	/* Not -ENOMEM, which would invoke the OOM killer. */
	if (!pto_vdev_charge(vdev))
		return ERR_PTR(-EDQUOT);
	page = pto_vdev_page_get(vdev, index);
	if (IS_ERR(page))
		pto_vdev_uncharge(vdev);
	return page;
}

static void pto_vdev_page_leave(void *priv, struct page *page)
{
	pto_vdev_page_put(page);
	pto_vdev_uncharge(priv);
}

const struct pto_pages_ops pto_vdev_pages_ops = {
	.get = pto_vdev_page_keep,
	.put = pto_vdev_page_leave,
};

static void pto_vdev_mapping_free(struct pto_vdev *vdev, struct pto_vdev_mapping *map)
{
	while (map->count)
		pto_vdev_page_leave(vdev, map->pages[--map->count]);
	kvfree(map);
}

static unsigned long pto_vdev_map_index(const void *addr)
{
	return (unsigned long)addr >> PAGE_SHIFT;
}

/* Map the pages, and enter the mapping in vdev->maps. Return: 0 or -ENOMEM. */
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
	/* A queue ends at a PTO_DEV_PAGE_SIZE boundary, which may be inside a host page. */
	unsigned int count = DIV_ROUND_UP_ULL(length, PAGE_SIZE);
	struct pto_vdev *vdev = priv;
	struct pto_vdev_mapping *map;

	map = kvzalloc(struct_size(map, pages, count), GFP_KERNEL_ACCOUNT);
	if (!map)
		return NULL;
	while (map->count < count) {
		struct page *page = pto_vdev_page_keep(vdev, (offset >> PAGE_SHIFT) + map->count);

		if (IS_ERR(page))
			break;
		map->pages[map->count++] = page;
	}
	if (map->count < count || pto_vdev_mapping_show(vdev, map)) {
		pto_vdev_mapping_free(vdev, map);
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
	pto_vdev_mapping_free(vdev, map);
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

/*
 * fallocate() does not fit: it takes the inode's lock, which the device's process can hold for
 * any time. It also checks whether the running thread, an application's, may write to the file.
 */
int pto_vdev_clear(void *priv, u64 offset, u64 length)
{
	struct pto_vdev *vdev = priv;

	shmem_truncate_range(file_inode(vdev->memory), offset, offset + length - 1);
	return 0;
}
