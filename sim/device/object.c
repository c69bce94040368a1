// SPDX-License-Identifier: MIT
/*
 * Loading one object: its bytes are copied from the device's memory to a sealed memfd, which the
 * dynamic loader opens (libpto/runtime/load.c). Nothing is written to a file system, and nothing is
 * left behind. Each load has its own static data, even for the same image.
 *
 * Constructors and destructors are called here and not by the dynamic loader (elf.c).
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include "../../libpto/runtime/image.h"
#include "../../libpto/runtime/load.h"
#include "../../libpto/runtime/thread_exit.h"
#include "internal.h"
#include "refusal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/**
 * struct object - an object that is loaded
 * @handle: the dynamic loader's handle
 * @base: its load address
 * @code: its constructors and destructors
 * @facts: further properties of its file
 * @begun: its constructors have returned
 * @retired: its range, for destructors of threads; its end is 0 if it registers none
 * @left: all threads have called their destructors
 * @next: the next one in the list of retired objects
 */
struct object {
	void *handle;
	uint64_t base;
	struct object_code code;
	struct pto_image_facts facts;
	bool begun;
	struct pto_retired retired;
	bool left;
	struct object *next;
};

/* Create a memfd that can be sealed. Return: the descriptor or a negative errno */
int sealed_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* Linux before 6.3 does not know the last flag. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? refusal("memfd_create", errno) : fd;
}

/* Change the copy that the dynamic loader gets. */
static void object_prepare(void *copy, uint64_t size, struct object *object)
{
	elf_take_code(copy, &object->code);
	pto_image_own(copy, size, pto_thread_atexit, &object->facts);
}

/* Copy the image at window offset @offset to @fd, check it, and prepare it for the loader. */
static void object_fill(struct ptodev *dev, int fd, uint64_t offset, uint64_t size,
			const char *label, struct object *object, struct outcome *out)
{
	/* Whole pages, because ThreadSanitizer ignores the unmapping of a part of a page. */
	size_t mapped = round_up(size, PTO_DEV_PAGE_SIZE);
	const char *why;
	void *copy;
	int ret;

	if (ftruncate(fd, (off_t)size)) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: no memory for %llu bytes: %s", label,
			     (unsigned long long)size, strerror(errno));
		return;
	}
	copy = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (copy == MAP_FAILED) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: cannot map %llu bytes: %s", label,
			     (unsigned long long)size, strerror(errno));
		return;
	}
	ret = window_read(dev, offset, copy, size);
	if (ret)
		outcome_fail(out, PTO_DEV_INVALID, "%s: cannot read the image: %s", label,
			     strerror(-ret));
	else if (elf_check(copy, size, &why))
		outcome_fail(out, PTO_DEV_NOEXEC, "%s: %s", label, why);
	else
		object_prepare(copy, size, object);
	/* A file that is still mapped cannot be sealed. */
	if (munmap(copy, mapped))
		outcome_fail(out, PTO_DEV_NOMEM, "%s: munmap: %s", label, strerror(errno));
}

/* The limit of the process that may be behind an error. */
static const char *object_limit(int error)
{
	return error == EMFILE ? " (RLIMIT_NOFILE)" : "";
}

/* The dynamic loader has failed with @error. */
static void object_refused(int error, const char *label, const char *why, struct outcome *out)
{
	outcome_fail(out, error == ENOEXEC ? PTO_DEV_NOEXEC : PTO_DEV_NOMEM, "%s: %s%s", label,
		     why, object_limit(error));
}

/* Load the object in @fd. */
static void object_load(struct object *object, int fd, const char *label, struct outcome *out)
{
	struct link_map *map;
	char why[256];

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: cannot seal the memfd: %s", label,
			     strerror(errno));
		return;
	}
	object->handle = pto_load_open(fd, label, why, sizeof(why));
	if (!object->handle)
		object_refused(errno, label, why, out);
	else if (dlinfo(object->handle, RTLD_DI_LINKMAP, &map))
		outcome_fail(out, PTO_DEV_NOEXEC, "%s: %s", label, dlerror());
	else
		object->base = map->l_addr;
	if (out->status || !object->facts.exits)
		return;
	object->retired.begin = object->base;
	object->retired.end = object->base + object->facts.span;
}

/* --- what it calls -------------------------------------------------------- */

/*
 * ThreadSanitizer does not see the mappings of the dynamic loader. It would confuse an object's
 * arrays with other data at the same address before or afterwards.
 */
#define READS_OBJECT __attribute__((no_sanitize_thread))

typedef void (*init_fn)(int argc, char **argv, char **envp);
typedef void (*fini_fn)(void);

READS_OBJECT static void object_init(void *arg)
{
	const struct object *object = arg;
	const struct object_code *code = &object->code;
	const init_fn *array = (const init_fn *)(object->base + code->init_array);
	char *argv[] = { NULL };
	uint64_t i;

	if (code->init)
		((init_fn)(object->base + code->init))(0, argv, environ);
	for (i = 0; i < code->init_count; i++)
		array[i](0, argv, environ);
}

READS_OBJECT static void object_fini(void *arg)
{
	const struct object *object = arg;
	const struct object_code *code = &object->code;
	const fini_fn *array = (const fini_fn *)(object->base + code->fini_array);
	uint64_t i;

	for (i = code->fini_count; i-- > 0;)
		array[i]();
	if (code->fini)
		((fini_fn)(object->base + code->fini))();
}

/* Call the constructors. */
static void object_begin(struct object *object, struct loader *loader, const char *label,
			 struct outcome *out)
{
	uint64_t bound = pto_engine_call_bound(loader->engine);
	const struct object_code *code = &object->code;
	int ret = 0;

	if (code->init || code->init_count)
		ret = pto_engine_call(loader->engine, object_init, object, bound);
	object->begun = !ret;
	if (!ret)
		return;
	loader->hung = true;
	if (ret == -ECANCELED)
		outcome_fail(out, PTO_DEV_ABORTED, "%s: aborted in its constructors", label);
	else
		outcome_fail(out, PTO_DEV_TIMEOUT,
			     "%s: its constructors have not returned for %llu ms", label,
			     (unsigned long long)(bound / NSEC_PER_MSEC));
}

/* Retire the object in the calling thread, which calls its destructors of it. */
static void object_retire(void *arg)
{
	struct object *object = arg;

	object->left = pto_thread_retire(&object->retired);
}

/*
 * Retire the object: the calling thread calls its destructors of it, and the engine's threads are
 * asked to. Return: has every thread called its destructors?
 */
static bool object_leave(struct object *object, struct loader *loader)
{
	if (!object->retired.end)
		return true;
	if (!pto_thread_uses(&object->retired))
		object_retire(object);
	else if (!loader->hung)
		loader->hung = pto_engine_call(loader->engine, object_retire, object,
					       pto_engine_call_bound(loader->engine));
	if (!object->left)
		pto_engine_nudge(loader->engine);
	return object->left;
}

/* Call the destructors. */
static void object_end(struct object *object, struct loader *loader)
{
	const struct object_code *code = &object->code;

	if (!object->begun || loader->hung || (!code->fini && !code->fini_count))
		return;
	if (pto_engine_call(loader->engine, object_fini, object,
			    pto_engine_call_bound(loader->engine)))
		loader->hung = true;
}

/* --- as a whole ------------------------------------------------------------ */

/* Copy the object from the window to a memfd, and load it. */
static void object_fetch(struct ptodev *dev, struct object *object, uint64_t offset, uint64_t size,
			 const char *label, struct outcome *out)
{
	int fd = sealed_memfd("pto-object");

	if (fd < 0) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: memfd_create: %s%s", label, strerror(-fd),
			     object_limit(-fd));
		return;
	}
	object_fill(dev, fd, offset, size, label, object, out);
	if (!out->status)
		object_load(object, fd, label, out);
	close(fd);
}

/**
 * object_open() - load an object and call its constructors
 * @dev: the device
 * @loader: the context's loader
 * @addr: device address of its image
 * @size: bytes
 * @label: its description, for reports
 * @out: fails with PTO_DEV_INVALID, PTO_DEV_NOEXEC, PTO_DEV_NOMEM; PTO_DEV_TIMEOUT or
 *	PTO_DEV_ABORTED if a constructor did not return
 *
 * Return: a new object, or NULL.
 */
struct object *object_open(struct ptodev *dev, struct loader *loader, uint64_t addr, uint64_t size,
			   const char *label, struct outcome *out)
{
	struct object *object;
	uint64_t offset;

	if (!size || size > MAX_IMAGE_SIZE || !ptodev_heap_range(dev, addr, size, &offset)) {
		outcome_fail(out, PTO_DEV_INVALID,
			     "%s: no image can be at address 0x%llx, size %llu", label,
			     (unsigned long long)addr, (unsigned long long)size);
		return NULL;
	}
	object = calloc(1, sizeof(*object));
	if (!object) {
		outcome_fail(out, PTO_DEV_NOMEM, "%s: out of memory", label);
		return NULL;
	}
	object_fetch(dev, object, offset, size, label, out);
	if (!out->status)
		object_begin(object, loader, label, out);
	if (!out->status)
		return object;
	object_close(loader, object);
	return NULL;
}

/*
 * Look up a symbol in an object itself, not in the libraries that it needs. Return: its address or
 * NULL
 */
void *object_symbol(const struct object *object, const char *symbol)
{
	void *addr = dlsym(object->handle, symbol);
	struct link_map *found = NULL;
	struct link_map *self = NULL;
	Dl_info info;

	if (!addr || dlinfo(object->handle, RTLD_DI_LINKMAP, &self) ||
	    !dladdr1(addr, &info, (void **)&found, RTLD_DL_LINKMAP))
		return NULL;
	return found == self ? addr : NULL;
}

/* Where the object is loaded */
struct pto_engine_range object_range(const struct object *object)
{
	return (struct pto_engine_range){ object->base, object->base + object->facts.span };
}

static void object_drop(struct loader *loader, struct object *object)
{
	object_end(object, loader);
	if (object->handle)
		pto_load_close(object->handle);
	free(object);
}

/*
 * Call the destructors of an object, and free it. If another thread has thread_local objects of
 * it, this happens after that thread has destroyed them. If one of their destructors does not
 * return, the object stays.
 */
void object_close(struct loader *loader, struct object *object)
{
	if (!object)
		return;
	if (object_leave(object, loader)) {
		object_drop(loader, object);
		return;
	}
	if (loader->hung)
		return;
	object->next = loader->retired;
	loader->retired = object;
}

/* Drop the retired objects of which no thread has destructors any more. */
void object_tidy(struct loader *loader)
{
	struct object **at = &loader->retired;
	struct object *object;

	while ((object = *at)) {
		if (!pto_thread_retired(&object->retired)) {
			at = &object->next;
			continue;
		}
		*at = object->next;
		object_drop(loader, object);
	}
}
