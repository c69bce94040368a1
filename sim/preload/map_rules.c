// SPDX-License-Identifier: MIT
/*
 * Rules for mappings of buffer objects that the kernel applies to the driver's mappings, but not
 * to those of a memfd. The driver's mappings consist of page frames (VM_PFNMAP), are not dumped
 * to a core file and never become executable. Documentation/uapi.rst has the rules.
 *
 * A call whose range has a forbidden part still takes effect before that part.
 */
#include "map.h"

#include <errno.h>
#include <sys/mman.h>

#include "raw.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef PROT_SEM
#define PROT_SEM		0x8
#endif

/* Is the range valid, so that the kernel would look at its mappings one by one? */
static bool plain(uintptr_t start, size_t length)
{
	return length && start % PAGE == 0 && length <= SIZE_MAX - PAGE + 1 &&
	       start + page_align(length) > start;
}

/* Update the list for [start, end): the protection if @prot is not negative, and @dontfork. */
static void set(struct map_change *change, uintptr_t start, uintptr_t end, int prot,
		bool dontfork)
{
	struct map *map;

	map_split(change, start);
	map_split(change, end);
	while ((map = map_first(start, end, NULL, 0))) {
		if (prot >= 0)
			map->prot = prot;
		map->dontfork = map->dontfork || dontfork;
		start = map->end;
	}
}

/* --- mprotect, pkey_mprotect -------------------------------------------------------------- */

static bool forbids_prot(const struct map *map, int prot)
{
	return prot & PROT_EXEC || (prot & PROT_WRITE && map->readonly);
}

/* Called with the list locked. */
static long protect(struct map_change *change, void *addr, size_t length, int prot, int key)
{
	uintptr_t start = (uintptr_t)addr, end = start + page_align(length);
	struct map *map = map_first(start, end, forbids_prot, prot);
	long ret = 0;

	if (map && map->start < end)
		end = map->start > start ? map->start : start;
	if (start < end && key == -1)
		ret = sim_raw(SYS_mprotect, start, end - start, prot);
	else if (start < end)
		ret = sim_raw(SYS_pkey_mprotect, start, end - start, prot, key);
	if (!ret)
		set(change, start, end, prot, false);
	return ret || !map ? ret : -EACCES;
}

long sim_map_protect(void *addr, size_t length, int prot, int key)
{
	struct map_change change;
	long ret;

	/* Invalid for any mapping, or empty: the kernel answers. */
	if (!plain((uintptr_t)addr, length) ||
	    prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return key == -1 ? sim_raw(SYS_mprotect, addr, length, prot) :
				   sim_raw(SYS_pkey_mprotect, addr, length, prot, key);
	ret = map_begin(&change);
	return ret ? ret : map_end(&change, protect(&change, addr, length, prot, key));
}

/* --- madvise ------------------------------------------------------------------------------ */

/* The kernel's error for an advice about a mapping of the driver's; 0 if it accepts it. */
static int advice_refused(const struct map *map, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
	case MADV_DODUMP:
	case MADV_DOFORK:
		return -EINVAL;
	case MADV_REMOVE:
		/*
		 * The driver does not support it; the kernel checks for write access before that.
		 */
		return map->prot & PROT_WRITE && !map->readonly ? -ENODEV : -EACCES;
	default:
		return 0;
	}
}

static bool forbids_advice(const struct map *map, int advice)
{
	return advice_refused(map, advice);
}

/* Called with the list locked. */
static long advise(struct map_change *change, void *addr, size_t length, int advice)
{
	uintptr_t start = (uintptr_t)addr, end = start + page_align(length);
	struct map *map = map_first(start, end, forbids_advice, advice);
	long ret = 0;

	if (map)
		end = map->start > start ? map->start : start;
	if (start < end)
		ret = sim_raw(SYS_madvise, start, end - start, advice);
	/* ENOMEM: the range has holes; the rest of it has been advised. */
	if (map && (!ret || ret == -ENOMEM))
		return advice_refused(map, advice);
	if (advice == MADV_DONTFORK && (!ret || ret == -ENOMEM))
		set(change, start, end, -1, true);
	return ret;
}

long sim_map_advise(void *addr, size_t length, int advice)
{
	struct map_change change;
	long ret;

	if (!plain((uintptr_t)addr, length))
		return sim_raw(SYS_madvise, addr, length, advice);
	ret = map_begin(&change);
	return ret ? ret : map_end(&change, advise(&change, addr, length, advice));
}

/* --- msync -------------------------------------------------------------------------------- */

/* The driver has no fsync(); the kernel calls it only for mappings that may be written. */
static bool forbids_sync(const struct map *map, int flags)
{
	return flags & MS_SYNC && !map->readonly;
}

long sim_map_sync(void *addr, size_t length, int flags)
{
	uintptr_t start = (uintptr_t)addr, end = start + page_align(length);
	struct map_change change;
	struct map *map;
	long ret;

	if (!plain(start, length) || flags & ~(MS_SYNC | MS_INVALIDATE))
		return sim_raw(SYS_msync, addr, length, flags);
	ret = map_begin(&change);
	if (ret)
		return ret;
	map = map_first(start, end, forbids_sync, flags);
	if (map)
		end = map->start > start ? map->start : start;
	if (start < end)
		ret = sim_raw(SYS_msync, start, end - start, flags);
	if (map && (!ret || ret == -ENOMEM))
		ret = -EINVAL;
	return map_end(&change, ret);
}

/* --- mlock2 ------------------------------------------------------------------------------- */

/* The kernel locks none of the driver's areas and counts none of them, but it does not refuse. */
long sim_map_lock(const void *addr, size_t length, unsigned int flags)
{
	uintptr_t start = (uintptr_t)addr & ~(PAGE - 1);
	uintptr_t end = page_align((uintptr_t)addr + length);
	struct map_change change;
	struct map *map;
	long ret;

	if (flags & ~MLOCK_ONFAULT || end < start)
		return sim_raw(SYS_mlock2, addr, length, flags);
	ret = map_begin(&change);
	if (ret)
		return ret;
	while (!ret && start < end) {
		map = map_first(start, end, NULL, 0);
		if (!map || map->start > start)
			ret = sim_raw(SYS_mlock2, start, (map ? map->start : end) - start, flags);
		start = map ? map->end : end;
	}
	return map_end(&change, ret);
}
