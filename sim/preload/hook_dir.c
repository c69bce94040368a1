// SPDX-License-Identifier: MIT
/*
 * Interposed: functions that list directories. A listing of /dev has the simulated devices behind
 * the kernel's entries, without real devices of such names.
 *
 * The streams of /dev are in a list; for any other stream, a search of that list is the only
 * cost. Some functions of the C library call opendir() internally, which cannot be interposed:
 * glob() lets us replace it, scandir() of /dev is implemented here, and a tree walk gets the
 * devices when it visits /dev.
 */
#include "hook.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <string.h>

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "struct dirent64 is struct dirent");
_Static_assert(sizeof(glob_t) == sizeof(glob64_t), "glob64_t is glob_t");

/* Positions of the devices' entries. File systems have no negative ones; -1 is an error. */
#define POSITION(index) (LONG_MIN + (index))

/**
 * struct listing - a stream of /dev
 * @stream: the stream, or FREE
 * @link: the next listing; listings are never freed
 * @ended: the kernel's entries have been read
 * @next: the device of the next entry, once @ended is set
 * @entry: what readdir() returns for a device
 *
 * As with the stream itself, only one thread at a time may use it.
 */
struct listing {
	_Atomic(DIR *) stream;
	struct listing *link;
	bool ended;
	int next;
	struct dirent entry;
};

static _Atomic(struct listing *) listings;

/* Not the address of a stream. NULL would not do: an application may pass it to closedir(). */
#define FREE ((DIR *)&listings)

static struct listing *listing_of(DIR *stream)
{
	struct listing *l;

	for (l = atomic_load_explicit(&listings, memory_order_acquire); l; l = l->link)
		if (atomic_load_explicit(&l->stream, memory_order_relaxed) == stream)
			return l;
	return NULL;
}

static struct listing *listing_new(DIR *stream)
{
	struct listing *l;
	DIR *none;

	for (l = atomic_load(&listings); l; l = l->link) {
		none = FREE;
		if (atomic_compare_exchange_strong(&l->stream, &none, stream))
			return l;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	atomic_store(&l->stream, stream);
	l->link = atomic_load(&listings);
	while (!atomic_compare_exchange_weak(&listings, &l->link, l))
		;
	return l;
}

/* Add a new stream to the list, if it is one of /dev. */
static DIR *opened(DIR *stream)
{
	struct listing *l;
	int saved = errno;

	if (!stream || !sim_path_is_dev(dirfd(stream), ""))
		return stream;
	l = listing_new(stream);
	if (!l) {
		SIM_NEXT(closedir)(stream);
		errno = ENOMEM;
		return NULL;
	}
	l->ended = false;
	errno = saved;
	return stream;
}

SIM_EXPORT DIR *opendir(const char *path)
{
	DIR *stream = SIM_NEXT(opendir)(path);
	int index;

	if (stream)
		return opened(stream);
	if (errno == ENOENT && sim_names_device(AT_FDCWD, path, &index) && index >= 0)
		errno = ENOTDIR;
	return NULL;
}

SIM_EXPORT DIR *fdopendir(int fd)
{
	return opened(SIM_NEXT(fdopendir)(fd));
}

SIM_EXPORT int closedir(DIR *stream)
{
	struct listing *l = listing_of(stream);

	if (SIM_UNLIKELY(l))
		atomic_store(&l->stream, FREE);
	return SIM_NEXT(closedir)(stream);
}

/* Is a real file in /dev hidden? */
static bool is_hidden(const char *name)
{
	char path[sizeof("/dev/") + NAME_MAX];

	if (strncmp(name, "pto", 3))
		return false;
	snprintf(path, sizeof(path), "/dev/%s", name);
	return sim_path_index(AT_FDCWD, path) >= 0;
}

static struct dirent *device_entry(struct listing *l)
{
	struct dirent *entry = &l->entry;
	int index = l->next;
	size_t bytes;

	if (index >= (int)sim_config()->devices)
		return NULL;
	l->next++;
	memset(entry, 0, sizeof(*entry));
	entry->d_ino = ~(ino_t)index;
	entry->d_off = POSITION(l->next);
	entry->d_type = DT_CHR;
	bytes = offsetof(struct dirent, d_name) + 1 +
		(size_t)snprintf(entry->d_name, sizeof(entry->d_name), "pto%d", index);
	/* Rounded up as the kernel does it */
	entry->d_reclen = (unsigned short)((bytes + 7) & ~(size_t)7);
	return entry;
}

/* errno is only changed by an error, as readdir() promises. */
static __attribute__((noinline)) struct dirent *listing_read(struct listing *l, DIR *stream)
{
	struct dirent *entry;
	int saved = errno;

	while (!l->ended) {
		errno = 0;
		entry = SIM_NEXT(readdir)(stream);
		if (!entry && errno)
			return NULL;
		errno = saved;
		if (entry && !is_hidden(entry->d_name))
			return entry;
		if (!entry) {
			l->ended = true;
			l->next = 0;
		}
	}
	return device_entry(l);
}

SIM_EXPORT struct dirent *readdir(DIR *stream)
{
	struct listing *l = listing_of(stream);

	if (SIM_UNLIKELY(l))
		return listing_read(l, stream);
	return SIM_NEXT(readdir)(stream);
}

SIM_EXPORT struct dirent64 *readdir64(DIR *stream)
{
	struct listing *l = listing_of(stream);

	if (SIM_UNLIKELY(l))
		return (struct dirent64 *)listing_read(l, stream);
	return SIM_NEXT(readdir64)(stream);
}

static int listing_read_into(struct listing *l, DIR *stream, void *to, void **result)
{
	int saved = errno, ret;
	struct dirent *entry;

	errno = 0;
	entry = listing_read(l, stream);
	ret = entry ? 0 : errno;
	errno = saved;
	*result = entry ? memcpy(to, entry, entry->d_reclen) : NULL;
	return ret;
}

#define READDIR_R(name, type) \
	SIM_EXPORT int name(DIR *stream, struct type *to, struct type **result) \
	{ \
		int (*next)(DIR *stream, struct type *to, struct type **result); \
		struct listing *l = listing_of(stream); \
\
		if (SIM_UNLIKELY(l)) \
			return listing_read_into(l, stream, to, (void **)result); \
		next = sim_next(#name); \
		return next(stream, to, result); \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
READDIR_R(readdir_r, dirent)
READDIR_R(readdir64_r, dirent64)
#pragma GCC diagnostic pop

SIM_EXPORT long telldir(DIR *stream)
{
	struct listing *l = listing_of(stream);

	return l && l->ended ? POSITION(l->next) : SIM_NEXT(telldir)(stream);
}

SIM_EXPORT void seekdir(DIR *stream, long position)
{
	struct listing *l = listing_of(stream);

	if (l) {
		l->ended = position < -1;
		if (l->ended) {
			l->next = (int)(position - LONG_MIN);
			return;
		}
	}
	SIM_NEXT(seekdir)(stream, position);
}

SIM_EXPORT void rewinddir(DIR *stream)
{
	struct listing *l = listing_of(stream);

	if (l)
		l->ended = false;
	SIM_NEXT(rewinddir)(stream);
}

/* --- scandir() ------------------------------------------------------------------------ */

typedef int (*scan_filter)(const struct dirent *entry);
typedef int (*scan_order)(const struct dirent **a, const struct dirent **b);

/**
 * struct scan - the entries that scandir() has selected
 * @entries: the entries
 * @count: number of entries
 * @room: number of entries that there is memory for
 */
struct scan {
	struct dirent **entries;
	size_t count;
	size_t room;
};

static bool scan_add(struct scan *scan, const struct dirent *entry)
{
	struct dirent **entries, *copy;

	if (scan->count == scan->room) {
		scan->room = scan->room ? 2 * scan->room : 32;
		entries = realloc(scan->entries, scan->room * sizeof(*entries));
		if (!entries)
			return false;
		scan->entries = entries;
	}
	copy = malloc(entry->d_reclen);
	if (!copy)
		return false;
	scan->entries[scan->count++] = memcpy(copy, entry, entry->d_reclen);
	return true;
}

/* Scan a stream, and close it. */
static int scan_stream(DIR *stream, struct dirent ***list, scan_filter filter, scan_order order)
{
	struct scan scan = { NULL, 0, 0 };
	struct dirent *entry;
	int failed, saved = errno;

	errno = 0;
	while ((entry = readdir(stream))) {
		if (filter && !filter(entry))
			continue;
		errno = 0;
		if (!scan_add(&scan, entry))
			break;
	}
	failed = errno;
	closedir(stream);
	if (failed) {
		while (scan.count)
			free(scan.entries[--scan.count]);
		free(scan.entries);
		errno = failed;
		return -1;
	}
	if (order && scan.count)
		qsort(scan.entries, scan.count, sizeof(*scan.entries),
		      (int (*)(const void *, const void *))order);
	*list = scan.entries;
	errno = saved;
	return (int)scan.count;
}

static int scan_dev(struct dirent ***list, scan_filter filter, scan_order order)
{
	DIR *stream = opendir("/dev");

	return stream ? scan_stream(stream, list, filter, order) : -1;
}

/* Return: true if @path names a device, which cannot be listed; errno is set then. */
static bool is_device(int dirfd, const char *path)
{
	int index;

	if (!sim_names_device(dirfd, path, &index))
		return false;
	if (index >= 0)
		errno = ENOTDIR;
	return true;
}

#define SCANDIRAT(name, type) \
	SIM_EXPORT int name(int dirfd, const char *path, struct type ***list, \
			    int (*filter)(const struct type *entry), \
			    int (*order)(const struct type **a, const struct type **b)) \
	{ \
		if (is_device(dirfd, path)) \
			return -1; \
		if (sim_path_is_dev(dirfd, path)) \
			return scan_dev((struct dirent ***)list, (scan_filter)filter, \
					(scan_order)order); \
		return SIM_NEXT(name)(dirfd, path, list, filter, order); \
	}

SCANDIRAT(scandirat, dirent)
SCANDIRAT(scandirat64, dirent64)

SIM_EXPORT int scandir(const char *path, struct dirent ***list, scan_filter filter,
		       scan_order order)
{
	return scandirat(AT_FDCWD, path, list, filter, order);
}

SIM_EXPORT int scandir64(const char *path, struct dirent64 ***list,
			 int (*filter)(const struct dirent64 *entry),
			 int (*order)(const struct dirent64 **a, const struct dirent64 **b))
{
	return scandirat64(AT_FDCWD, path, list, filter, order);
}

/* --- glob() --------------------------------------------------------------------------- */

static void *glob_opendir(const char *path)
{
	return opendir(path);
}

static struct dirent *glob_readdir(void *stream)
{
	return readdir(stream);
}

static void glob_closedir(void *stream)
{
	closedir(stream);
}

SIM_EXPORT int glob(const char *pattern, int flags, int (*failed)(const char *path, int error),
		    glob_t *found)
{
	int ret;

	/* The caller has its own functions for directories. */
	if (flags & GLOB_ALTDIRFUNC)
		return SIM_NEXT(glob)(pattern, flags, failed, found);
	found->gl_opendir = glob_opendir;
	found->gl_readdir = glob_readdir;
	found->gl_closedir = glob_closedir;
	found->gl_stat = stat;
	found->gl_lstat = lstat;
	ret = SIM_NEXT(glob)(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
	found->gl_flags &= ~GLOB_ALTDIRFUNC;
	return ret;
}

SIM_EXPORT int glob64(const char *pattern, int flags, int (*failed)(const char *path, int error),
		      glob64_t *found)
{
	return glob(pattern, flags, failed, (glob_t *)found);
}

/* --- tree walks ----------------------------------------------------------------------- */

/**
 * struct walk - a tree walk of the calling thread
 * @nftw: the application's function for nftw(), or NULL
 * @ftw: the application's function for ftw(), or NULL
 * @flags: of nftw()
 * @outer: the walk whose function has begun this one
 */
struct walk {
	__nftw_func_t nftw;
	__ftw_func_t ftw;
	int flags;
	struct walk *outer;
};

static __thread struct walk *walk __attribute__((tls_model("initial-exec")));

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return walk->nftw ? walk->nftw(path, st, type, where) : walk->ftw(path, st, type);
}

static int visit_devices(const char *dir, int level)
{
	struct FTW where = { .base = (int)strlen(dir) + 1, .level = level };
	int index, ret = 0, count = (int)sim_config()->devices;
	char path[PATH_MAX];
	struct stat st;

	for (index = 0; index < count && !ret; index++) {
		snprintf(path, sizeof(path), "/dev/pto%d", index);
		if (lstat(path, &st))
			return -1;
		snprintf(path, sizeof(path), "%s/pto%d", dir, index);
		ret = visit(path, &st, FTW_F, &where);
		if (walk->flags & FTW_ACTIONRETVAL && ret == FTW_SKIP_SUBTREE)
			ret = 0;
	}
	return ret;
}

/* Visit the devices with /dev as the working directory, if the walk changes directories. */
static int visit_devices_there(const char *dir, int level)
{
	int ret = -1;
	long here;

	if (!(walk->flags & FTW_CHDIR))
		return visit_devices(dir, level);
	here = sim_raw(SYS_openat, AT_FDCWD, ".", O_PATH | O_CLOEXEC);
	if (here < 0)
		return -1;
	if (!sim_raw(SYS_chdir, "/dev")) {
		ret = visit_devices(dir, level);
		sim_raw(SYS_fchdir, here);
	}
	sim_raw(SYS_close, here);
	return ret;
}

/* Called by the C library for each file. */
static int visited(const char *path, const struct stat *st, int type, struct FTW *where)
{
	bool steered = walk->flags & FTW_ACTIONRETVAL;
	struct stat dev;
	int ret;

	if (sim_raw(SYS_newfstatat, AT_FDCWD, "/dev", &dev, 0))
		return visit(path, st, type, where);
	if (type == FTW_F && st->st_dev == dev.st_dev && S_ISCHR(st->st_mode) &&
	    is_hidden(path + where->base))
		return 0;
	if ((type != FTW_D && type != FTW_DP) || st->st_dev != dev.st_dev ||
	    st->st_ino != dev.st_ino)
		return visit(path, st, type, where);
	if (type == FTW_D) {
		ret = visit(path, st, type, where);
		if (!ret)
			ret = visit_devices_there(path, where->level + 1);
		return steered && ret == FTW_SKIP_SIBLINGS ? FTW_SKIP_SUBTREE : ret;
	}
	ret = visit_devices_there(path, where->level + 1);
	if (ret && !(steered && ret == FTW_SKIP_SIBLINGS))
		return ret;
	return visit(path, st, type, where);
}

static int visited_by_ftw(const char *path, const struct stat *st, int type)
{
	const char *name = strrchr(path, '/');
	struct FTW where = { .base = name ? (int)(name + 1 - path) : 0 };

	return visited(path, st, type, &where);
}

/* A walk of a device: it visits nothing else. */
static int walk_device(const char *path)
{
	const char *name = strrchr(path, '/');
	struct FTW where = { .base = name ? (int)(name + 1 - path) : 0 };
	struct stat st;

	return lstat(path, &st) ? -1 : visit(path, &st, FTW_F, &where);
}

static int begin(struct walk *new, const char *path, int descriptors)
{
	int index, ret;

	new->outer = walk;
	walk = new;
	if (sim_names_device(AT_FDCWD, path, &index))
		ret = index < 0 ? -1 : walk_device(path);
	else if (new->nftw)
		ret = SIM_NEXT(nftw)(path, visited, descriptors, new->flags);
	else
		ret = SIM_NEXT(ftw)(path, visited_by_ftw, descriptors);
	walk = new->outer;
	return ret;
}

SIM_EXPORT int nftw(const char *path, __nftw_func_t fn, int descriptors, int flags)
{
	struct walk new = { .nftw = fn, .flags = flags };

	return begin(&new, path, descriptors);
}

SIM_EXPORT int nftw64(const char *path, __nftw64_func_t fn, int descriptors, int flags)
{
	return nftw(path, (__nftw_func_t)fn, descriptors, flags);
}

SIM_EXPORT int ftw(const char *path, __ftw_func_t fn, int descriptors)
{
	struct walk new = { .ftw = fn };

	return begin(&new, path, descriptors);
}

SIM_EXPORT int ftw64(const char *path, __ftw64_func_t fn, int descriptors)
{
	return ftw(path, (__ftw_func_t)fn, descriptors);
}
