// SPDX-License-Identifier: MIT
/*
 * What may be done with mappings of buffer objects where the kernel would allow more with a
 * memfd than with the driver's areas, which consist of page frames (VM_PFNMAP), are not
 * copied to a core file and never become executable. Documentation/uapi.rst has the rules.
 *
 * A call that meets what is forbidden has its effect on what lies before that.
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

/* Is [start, start + length) what the kernel goes through area by area? */
static bool plain(uintptr_t start, size_t length)
{
	return length && start % PAGE == 0 && length <= SIZE_MAX - PAGE + 1 &&
	       start + page_align(length) > start;
}

/* What is known of [start, end) changes: @prot, if it is not negative, and whether to fork. */
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

	/* Nothing, or what no area has: the kernel says so. */
	if (!plain((uintptr_t)addr, length) ||
	    prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return key == -1 ? sim_raw(SYS_mprotect, addr, length, prot) :
				   sim_raw(SYS_pkey_mprotect, addr, length, prot, key);
	ret = map_begin(&change);
	return ret ? ret : map_end(&change, protect(&change, addr, length, prot, key));
}

/* --- madvise ------------------------------------------------------------------------------ */

/* What the kernel says to an advice about one of the driver's areas; 0 if it takes it. */
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
		/* A device has nothing to remove, but first comes the right to. */
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
	/* ENOMEM: there are holes, and the rest has been advised. */
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

/* The driver has nothing to write back to; a mapping that cannot be written needs not ask. */
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
