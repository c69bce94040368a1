// SPDX-License-Identifier: MIT
/*
 * Mappings of buffer objects. The kernel maps the device's memfd; here we remember which
 * buffer a range shows, because a mapping keeps the buffer alive and the context open, as
 * the kernel's mappings keep their file, and give both back when the range has been
 * unmapped or replaced.
 *
 * Nothing else in the process can come to lie in such a range without going through
 * munmap(), mremap() or mmap() with MAP_FIXED, so those look here, and two words with the
 * outermost addresses spare them the lock when they mean something else.
 */
#include <pto_core.h>

#include <errno.h>
#include <pthread.h>

#include "preload.h"
#include "raw.h"
#include "real.h"

#define PAGE ((uintptr_t)PTO_DEV_PAGE_SIZE)

/**
 * struct map - a range that shows a buffer object
 * @next: the next one, in no order
 * @start: first byte
 * @end: behind its last byte
 * @file: the context, with a reference
 * @bo: the buffer, with a mapping reference
 */
struct map {
	struct map *next;
	uintptr_t start;
	uintptr_t end;
	struct sim_file *file;
	struct pto_bo *bo;
};

/* Protects the list and the two words, and makes system call and list agree. */
static pthread_mutex_t map_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *maps;
_Atomic(uintptr_t) sim_map_low = UINTPTR_MAX;
_Atomic(uintptr_t) sim_map_high;

static uintptr_t page_align(uintptr_t length)
{
	return (length + PAGE - 1) & ~(PAGE - 1);
}

static void update_bounds(void)
{
	uintptr_t low = UINTPTR_MAX, high = 0;
	struct map *map;

	for (map = maps; map; map = map->next) {
		low = map->start < low ? map->start : low;
		high = map->end > high ? map->end : high;
	}
	atomic_store_explicit(&sim_map_low, low, memory_order_relaxed);
	atomic_store_explicit(&sim_map_high, high, memory_order_relaxed);
}

/* The range that [start, end) lies in, or that overlaps it if @partly. */
static struct map *find(uintptr_t start, uintptr_t end, bool partly)
{
	struct map *map;

	for (map = maps; map; map = map->next) {
		if (partly ? map->start < end && start < map->end :
			     map->start <= start && end <= map->end)
			return map;
	}
	return NULL;
}

/* An operation makes at most one new range and cuts at most two in two. */
#define FRESH 3

/**
 * struct fresh - ranges allocated before a system call, since nothing may fail after it
 * @map: NULL where one has been taken
 */
struct fresh {
	struct map *map[FRESH];
};

static void fresh_free(struct fresh *fresh)
{
	unsigned int i;

	for (i = 0; i < FRESH; i++)
		free(fresh->map[i]);
}

static int fresh_alloc(struct fresh *fresh)
{
	bool complete = true;
	unsigned int i;

	for (i = 0; i < FRESH; i++) {
		fresh->map[i] = malloc(sizeof(*fresh->map[i]));
		complete = complete && fresh->map[i];
	}
	if (complete)
		return 0;
	fresh_free(fresh);
	return -ENOMEM;
}

/* One more range shows what @map shows. */
static void map_get(const struct map *map)
{
	sim_file_hold(map->file);
	pto_bo_mapped(map->bo);
}

/* Add a range; takes one of @fresh, and the references. */
static void insert(struct fresh *fresh, uintptr_t start, uintptr_t end, struct sim_file *file,
		   struct pto_bo *bo)
{
	struct map *map = NULL;
	unsigned int i;

	for (i = 0; !map; i++) {
		map = fresh->map[i];
		fresh->map[i] = NULL;
	}
	map->start = start;
	map->end = end;
	map->file = file;
	map->bo = bo;
	map->next = maps;
	maps = map;
}

/*
 * [start, end) shows nothing of ours any more. Ranges that are gone are put in front of
 * @gone, for put_all().
 */
static struct map *cut(struct fresh *fresh, uintptr_t start, uintptr_t end, struct map *gone)
{
	struct map **link = &maps, *map;

	while ((map = *link)) {
		if (start <= map->start && map->end <= end) {
			*link = map->next;
			map->next = gone;
			gone = map;
			continue;
		}
		link = &map->next;
		if (map->end <= start || end <= map->start)
			continue;
		if (map->start < start && end < map->end) {
			map_get(map);
			insert(fresh, end, map->end, map->file, map->bo);
		}
		if (map->start < start)
			map->end = start;
		else
			map->start = end;
	}
	update_bounds();
	return gone;
}

static void put_all(struct map *map)
{
	struct map *next;

	for (; map; map = next) {
		next = map->next;
		pto_bo_unmapped(map->bo);
		sim_file_put(map->file);
		free(map);
	}
}

/* --- mmap ---------------------------------------------------------------------------- */

static int check_create(const struct sim_file *file, size_t length, int prot, int flags)
{
	int accmode = sim_file_accmode(file);
	int type = flags & MAP_TYPE;

	if (!length)
		return -EINVAL;
	if (length > SIZE_MAX - PAGE + 1)
		return -ENOMEM;
	if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
		if (prot & PROT_WRITE && accmode == O_RDONLY)
			return -EACCES;
	if (accmode == O_WRONLY)
		return -EACCES;
	/* As the driver's mmap() does. */
	return type == MAP_PRIVATE || prot & PROT_EXEC ? -EINVAL : 0;
}

static long create(struct sim_file *file, struct fresh *fresh, void *addr, size_t length,
		   int prot, int flags, off_t offset)
{
	struct map *gone = NULL;
	uint64_t window_offset;
	struct pto_bo *bo;
	int memory_fd;
	long ret;

	ret = sim_file_mmap(file, (uint64_t)offset, page_align(length), &bo, &memory_fd,
			    &window_offset);
	if (ret)
		return ret;
	pthread_mutex_lock(&map_lock);
	ret = sim_raw(SYS_mmap, addr, length, prot, flags, memory_fd, window_offset);
	if (ret >= 0) {
		gone = cut(fresh, (uintptr_t)ret, (uintptr_t)ret + page_align(length), NULL);
		sim_file_hold(file);
		insert(fresh, (uintptr_t)ret, (uintptr_t)ret + page_align(length), file, bo);
		update_bounds();
	}
	pthread_mutex_unlock(&map_lock);
	put_all(gone);
	if (ret < 0)
		pto_bo_unmapped(bo);
	return ret;
}

long sim_map_create(struct sim_file *file, void *addr, size_t length, int prot, int flags,
		    off_t offset)
{
	struct fresh fresh;
	long ret = check_create(file, length, prot, flags);

	if (!ret)
		ret = fresh_alloc(&fresh);
	if (ret)
		return ret;
	ret = create(file, &fresh, addr, length, prot, flags, offset);
	fresh_free(&fresh);
	if (sim_trace_on())
		sim_trace("pto%u mmap offset %#llx length %zu = %s%#lx", sim_file_index(file),
			  (unsigned long long)offset, length, ret < 0 ? "-" : "",
			  ret < 0 ? -ret : ret);
	return ret;
}

/* --- what replaces or removes mappings -------------------------------------------------- */

long sim_map_over(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	uintptr_t start = (uintptr_t)addr;
	struct map *gone = NULL;
	struct fresh fresh;
	long ret = fresh_alloc(&fresh);

	if (ret)
		return ret;
	pthread_mutex_lock(&map_lock);
	ret = sim_raw(SYS_mmap, addr, length, prot, flags, fd, offset);
	if (ret >= 0)
		gone = cut(&fresh, start, start + page_align(length), NULL);
	pthread_mutex_unlock(&map_lock);
	put_all(gone);
	fresh_free(&fresh);
	return ret;
}

long sim_map_remove(void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr;
	struct map *gone = NULL;
	struct fresh fresh;
	long ret = fresh_alloc(&fresh);

	if (ret)
		return ret;
	pthread_mutex_lock(&map_lock);
	ret = sim_raw(SYS_munmap, addr, length);
	if (!ret)
		gone = cut(&fresh, start, start + page_align(length), NULL);
	pthread_mutex_unlock(&map_lock);
	put_all(gone);
	fresh_free(&fresh);
	if (sim_trace_on())
		sim_trace("munmap %p length %zu = %ld", addr, length, ret);
	return ret;
}

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
	size_t old_length;
	size_t new_length;
	int flags;
	void *new_addr;
};

/* Called with map_lock held. */
static long move(struct fresh *fresh, const struct move *m, struct map **gone)
{
	/* An old length of 0 asks for another mapping of the same pages. */
	uintptr_t end = m->start + page_align(m->old_length ? m->old_length : 1);
	struct map *map = find(m->start, end, true);
	struct map moved = { 0 };
	long ret;

	/* The driver's mappings do not expand (VM_DONTEXPAND), and a call moves one of them. */
	if (map && (page_align(m->new_length) > page_align(m->old_length) ||
		    map != find(m->start, end, false)))
		return -EFAULT;
	if (map && m->flags & MREMAP_DONTUNMAP)
		return -EINVAL;
	ret = sim_raw(SYS_mremap, m->start, m->old_length, m->new_length, m->flags, m->new_addr);
	if (ret < 0)
		return ret;
	if (map) {
		moved = *map;
		map_get(&moved);
	}
	*gone = cut(fresh, m->start, end, *gone);
	if ((uintptr_t)ret != m->start)
		*gone = cut(fresh, (uintptr_t)ret, (uintptr_t)ret + page_align(m->new_length),
			    *gone);
	if (map)
		insert(fresh, (uintptr_t)ret, (uintptr_t)ret + page_align(m->new_length),
		       moved.file, moved.bo);
	update_bounds();
	return ret;
}

long sim_map_move(void *addr, size_t old_length, size_t new_length, int flags, void *new_addr)
{
	struct move m = { (uintptr_t)addr, old_length, new_length, flags, new_addr };
	struct map *gone = NULL;
	struct fresh fresh;
	long ret = fresh_alloc(&fresh);

	if (ret)
		return ret;
	pthread_mutex_lock(&map_lock);
	ret = move(&fresh, &m, &gone);
	pthread_mutex_unlock(&map_lock);
	put_all(gone);
	fresh_free(&fresh);
	return ret;
}

/* May a range be given @prot? The driver's mappings never become executable (VM_MAYEXEC). */
static bool may_protect(const struct map *map, int prot)
{
	return !(prot & PROT_EXEC) &&
	       !(prot & PROT_WRITE && sim_file_accmode(map->file) == O_RDONLY);
}

long sim_map_protect(void *addr, size_t length, int prot)
{
	uintptr_t start = (uintptr_t)addr;
	struct map *map;
	long ret = 0;

	pthread_mutex_lock(&map_lock);
	for (map = maps; map && !ret; map = map->next)
		if (map->start < start + length && start < map->end && !may_protect(map, prot))
			ret = -EACCES;
	if (!ret)
		ret = sim_raw(SYS_mprotect, addr, length, prot);
	pthread_mutex_unlock(&map_lock);
	return ret;
}

void sim_map_end(void)
{
	struct map *gone;

	pthread_mutex_lock(&map_lock);
	gone = maps;
	maps = NULL;
	update_bounds();
	pthread_mutex_unlock(&map_lock);
	put_all(gone);
}

void sim_map_fork_child(void)
{
	/* The parent's ranges are kept reachable, see sim_file_fork_child(). */
	static struct map *parents;
	struct map **tail = &parents;

	pthread_mutex_init(&map_lock, NULL);
	while (*tail)
		tail = &(*tail)->next;
	*tail = maps;
	maps = NULL;
	update_bounds();
}
