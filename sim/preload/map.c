// SPDX-License-Identifier: MIT
/*
 * Mappings of buffer objects: creating, moving and removing them. The kernel maps the device's
 * memfd through a descriptor with the access mode of the context. So the kernel itself refuses to
 * make a mapping of a read-only context writable.
 */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "raw.h"
#include "share.h"
#include "transport.h"

/* --- mmap ---------------------------------------------------------------------------- */

/* The checks of the kernel before it calls the driver's mmap(), and those of that function. */
static int check_create(int accmode, size_t length, int prot, int flags, off_t offset)
{
	int type = flags & MAP_TYPE;

	if (!length)
		return -EINVAL;
	if (length > SIZE_MAX - PAGE + 1)
		return -ENOMEM;
	if ((uint64_t)offset / PAGE > (ULONG_MAX - page_align(length)) / PAGE)
		return -EOVERFLOW;
	if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
		if (prot & PROT_WRITE && accmode == O_RDONLY)
			return -EACCES;
	if (accmode == O_WRONLY)
		return -EACCES;
	return type == MAP_PRIVATE || prot & PROT_EXEC ? -EINVAL : 0;
}

/**
 * struct request - an mmap()
 * @addr: where, or NULL
 * @length: bytes
 * @prot: PROT_*
 * @flags: MAP_*
 */
struct request {
	void *addr;
	size_t length;
	int prot;
	int flags;
};

/* Takes over what @new refers to, if it succeeds. */
static long create(const struct map *new, const struct request *what, int memory_fd,
		   uint64_t window_offset)
{
	uintptr_t length = page_align(what->length);
	struct map_change change;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	ret = sim_raw(SYS_mmap, what->addr, what->length, what->prot, what->flags, memory_fd,
		      window_offset);
	if (ret >= 0) {
		/* As the driver's areas, which are not in core files. */
		sim_raw(SYS_madvise, ret, length, MADV_DONTDUMP);
		map_cut(&change, (uintptr_t)ret, (uintptr_t)ret + length);
		map_insert(&change, (uintptr_t)ret, (uintptr_t)ret + length, new);
	}
	return map_end(&change, ret);
}

/* A mapping of a dma-buf, or of an import in a context's file, which is no other. */
static long create_shared(const struct sim_share *share, const struct request *what,
			  uint64_t offset, bool readonly)
{
	struct map new = {
		.prot = what->prot,
		.readonly = readonly,
		.memory = share->memory,
	};
	uint64_t length = pto_memory_length(share->memory);
	int memory_fd;
	long ret;

	if (offset > length || page_align(what->length) > length - offset)
		return -EINVAL;
	memory_fd = sim_transport_memory_fd(share->transport, !readonly);
	if (memory_fd < 0)
		return memory_fd;
	pto_memory_get(new.memory);
	ret = create(&new, what, memory_fd, pto_memory_offset(new.memory) + offset);
	if (ret < 0)
		pto_memory_put(new.memory);
	return ret;
}

long sim_map_share(int fd, void *addr, size_t length, int prot, int flags, off_t offset)
{
	struct request what = { addr, length, prot, flags };
	struct sim_share *share = sim_share_get(fd);
	long ret;

	if (IS_ERR(share))
		return -ENODEV;
	ret = check_create(O_RDWR, length, prot, flags, offset);
	if (!ret)
		ret = create_shared(share, &what, (uint64_t)offset, false);
	sim_share_put(share);
	return ret;
}

/* A mapping of a buffer, for which the caller has a mapping reference. */
static long create_buffer(struct sim_file *file, const struct request *what, int memory_fd,
			  uint64_t window_offset, struct pto_bo *bo)
{
	struct pto_memory *memory = pto_bo_memory(bo);
	const struct sim_share *share = sim_import_share(memory);
	struct map new = {
		.prot = what->prot,
		.readonly = sim_file_accmode(file) == O_RDONLY,
		.file = file,
		.bo = bo,
	};
	long ret;

	if (share) {
		/* As with the module: from the start of the import, and not counted. */
		ret = window_offset != pto_memory_offset(memory) ? -EINVAL :
		      create_shared(share, what, 0, new.readonly);
		pto_bo_unmapped(bo);
		return ret;
	}
	sim_file_hold(file);
	ret = create(&new, what, memory_fd, window_offset);
	if (ret < 0) {
		sim_file_put(file);
		pto_bo_unmapped(bo);
	}
	return ret;
}

long sim_map_create(struct sim_file *file, void *addr, size_t length, int prot, int flags,
		    off_t offset)
{
	struct request what = { addr, length, prot, flags };
	uint64_t window_offset;
	struct pto_bo *bo;
	int memory_fd;
	long ret = check_create(sim_file_accmode(file), length, prot, flags, offset);

	if (ret)
		return ret;
	memory_fd = sim_file_mmap(file, (uint64_t)offset, page_align(length), &bo, &window_offset);
	if (memory_fd < 0)
		return memory_fd;
	ret = create_buffer(file, &what, memory_fd, window_offset, bo);
	if (sim_trace_on())
		sim_trace("pto%u mmap offset %#llx length %zu = %s%#lx", sim_file_index(file),
			  (unsigned long long)offset, length, ret < 0 ? "-" : "",
			  ret < 0 ? -ret : ret);
	return ret;
}

/* --- replacing and removing mappings ---------------------------------------------------- */

long sim_map_over(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	uintptr_t start = (uintptr_t)addr;
	struct map_change change;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	ret = sim_raw(SYS_mmap, addr, length, prot, flags, fd, offset);
	if (ret >= 0)
		map_cut(&change, start, start + page_align(length));
	return map_end(&change, ret);
}

long sim_map_attach(int id, void *addr, size_t length, int flags)
{
	uintptr_t start = (uintptr_t)addr;
	struct map_change change;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	ret = sim_raw(SYS_shmat, id, addr, flags);
	if (ret >= 0)
		map_cut(&change, start, start + page_align(length));
	return map_end(&change, ret);
}

long sim_map_remove(void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr;
	struct map_change change;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	ret = sim_raw(SYS_munmap, addr, length);
	if (!ret)
		map_cut(&change, start, start + page_align(length));
	map_end(&change, ret);
	if (sim_trace_on())
		sim_trace("munmap %p length %zu = %ld", addr, length, ret);
	return ret;
}

/* --- mremap ----------------------------------------------------------------------------- */

/**
 * struct move - an mremap()
 * @start: first byte of the old range
 * @old_length: bytes of it
 * @new_length: bytes of the new one
 * @flags: MREMAP_*
 * @new_addr: for MREMAP_FIXED
 */
struct move {
	uintptr_t start;
	uintptr_t old_length;
	uintptr_t new_length;
	int flags;
	void *new_addr;
};

/*
 * What the kernel refuses for the driver's mappings, but not for the memfd: they do not expand
 * (VM_DONTEXPAND), and one call moves only one of them.
 */
static int check_move(const struct move *m, const struct map *map, uintptr_t end)
{
	bool in_place = m->new_length < m->old_length && !(m->flags & MREMAP_FIXED);

	if (m->new_length > m->old_length)
		return -EFAULT;
	if (!in_place && (m->start < map->start || end > map->end))
		return -EFAULT;
	return m->flags & MREMAP_DONTUNMAP ? -EINVAL : 0;
}

/* Called with the list locked. */
static long move(struct map_change *change, const struct move *m)
{
	/* An old length of 0 asks for another mapping of the same pages. */
	uintptr_t end = m->start + (m->old_length ? m->old_length : PAGE), to;
	struct map *map = map_first(m->start, end, NULL, 0), moved;
	long ret = map ? check_move(m, map, end) : 0;

	if (ret)
		return ret;
	ret = sim_raw(SYS_mremap, m->start, m->old_length, m->new_length, m->flags, m->new_addr);
	if (ret < 0)
		return ret;
	to = (uintptr_t)ret;
	if (to == m->start) {
		if (m->new_length < m->old_length)
			map_cut(change, to + m->new_length, end);
		return ret;
	}
	if (map) {
		moved = *map;
		map_get(map);
	}
	map_cut(change, m->start, end);
	map_cut(change, to, to + m->new_length);
	if (map)
		map_insert(change, to, to + m->new_length, &moved);
	return ret;
}

long sim_map_move(void *addr, size_t old_length, size_t new_length, int flags, void *new_addr)
{
	struct move m = { (uintptr_t)addr, page_align(old_length), page_align(new_length), flags,
			  new_addr };
	struct map_change change;
	long ret = map_begin(&change);

	return ret ? ret : map_end(&change, move(&change, &m));
}

/* --- remap_file_pages ------------------------------------------------------------------- */

/**
 * struct remap - a remap_file_pages()
 * @start: first byte of the range
 * @end: behind its last byte
 * @index: page of the file that the range shall begin with
 * @flags: MAP_NONBLOCK
 */
struct remap {
	uintptr_t start;
	uintptr_t end;
	size_t index;
	int flags;
};

/*
 * The range that [start, end) begins in, or NULL if [start, end) is not all of one context with
 * one protection, as the kernel demands. Nor is that of a dma-buf. Called with the list locked.
 */
static const struct map *one_kind(uintptr_t start, uintptr_t end)
{
	const struct map *first = map_first(start, start + 1, NULL, 0), *map = first;

	if (first && !first->file)
		return NULL;
	while (map && map->end < end) {
		map = map_first(map->end, map->end + 1, NULL, 0);
		if (map && (map->file != first->file || map->prot != first->prot))
			return NULL;
	}
	return map ? first : NULL;
}

/* The context whose pages are to be remapped, with a reference. */
static long remap_begin(const struct remap *what, struct sim_file **file)
{
	struct map_change change;
	const struct map *map;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	map = one_kind(what->start, what->end);
	if (!map || map->readonly)
		ret = -EINVAL;
	else if (map->inherited)
		ret = -ENODEV;
	if (!ret) {
		*file = map->file;
		sim_file_hold(*file);
	}
	return map_end(&change, ret);
}

/* Remap to @bo, the buffer at the new offset, which is at @window_offset. */
static long remap(const struct remap *what, struct sim_file *file, struct pto_bo *bo,
		  uint64_t window_offset)
{
	const struct map *map;
	struct map_change change;
	struct map new;
	long ret = map_begin(&change);

	if (ret)
		return ret;
	/* The list was unlocked in between: another thread may have changed the range. */
	map = one_kind(what->start, what->end);
	if (!map || map->file != file)
		return map_end(&change, -EINVAL);
	new = *map;
	new.bo = bo;
	ret = sim_raw(SYS_remap_file_pages, what->start, what->end - what->start, 0,
		      window_offset / PAGE, what->flags);
	if (!ret) {
		map_cut(&change, what->start, what->end);
		sim_file_hold(file);
		map_insert(&change, what->start, what->end, &new);
	}
	return map_end(&change, ret);
}

long sim_map_remap(void *addr, size_t length, int prot, size_t index, int flags)
{
	uintptr_t start = (uintptr_t)addr & ~(PAGE - 1);
	struct remap what = { start, start + (length & ~(PAGE - 1)), index, flags };
	struct sim_file *file = NULL;
	uint64_t window_offset;
	struct pto_bo *bo;
	long ret;

	if (prot || what.end <= start || index > SIZE_MAX / PAGE)
		return -EINVAL;
	ret = remap_begin(&what, &file);
	if (ret)
		return ret;
	ret = sim_file_mmap(file, index * PAGE, what.end - start, &bo, &window_offset);
	if (ret >= 0) {
		ret = sim_import_share(pto_bo_memory(bo)) ? -EINVAL :
		      remap(&what, file, bo, window_offset);
		if (ret)
			pto_bo_unmapped(bo);
	}
	sim_file_put(file);
	return ret;
}
