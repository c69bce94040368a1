// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fence.h"

static _Thread_local bool fenced;
static long live, made;
static unsigned int fail_at;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FENCE 0
#else
#define FENCE 1
#endif

#if FENCE

#define PAGE		4096ul
#define REGION		(16ul << 30)	/* address space; none of it is used twice */
#define ALIGN		16ul

/*
 * In front of each allocation, in a page of its own: where its memory begins, and how much it
 * is.
 */
struct head {
	size_t pages;
	size_t size;
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *ptr);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *region, *next;

static bool inside(const void *ptr)
{
	return region && (const char *)ptr >= region && (const char *)ptr < region + REGION;
}

static bool fails(void)
{
	if (!fail_at || --fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

static struct head *head_of(const void *ptr)
{
	uintptr_t at = (uintptr_t)ptr & ~(PAGE - 1);

	/* An allocation that fills whole pages begins where one does. */
	return (struct head *)(at - PAGE);
}

static void *alloc(size_t size, size_t align)
{
	size_t pages = (size + PAGE - 1) / PAGE + !size;
	struct head *head;
	char *end;

	if (fails())
		return NULL;
	pthread_mutex_lock(&lock);
	if (!region) {
		region = mmap(NULL, REGION, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (region == MAP_FAILED)
			abort();
		next = region;
	}
	if (next + (pages + 2) * PAGE > region + REGION ||
	    mprotect(next, (pages + 1) * PAGE, PROT_READ | PROT_WRITE))
		abort();
	head = (struct head *)(void *)next;
	next += (pages + 2) * PAGE;
	live++;
	made++;
	pthread_mutex_unlock(&lock);
	head->pages = pages;
	head->size = size;
	end = (char *)head + (pages + 1) * PAGE;
	return end - ((size + align - 1) & ~(align - 1));
}

static void release(void *ptr)
{
	struct head *head = head_of(ptr);

	pthread_mutex_lock(&lock);
	live--;
	pthread_mutex_unlock(&lock);
	/* The pages go back to the system, their addresses do not. */
	if (mmap(head, (head->pages + 1) * PAGE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		abort();
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	return fenced ? alloc(size, ALIGN) : __libc_malloc(size);
}

__attribute__((visibility("default"))) void free(void *ptr)
{
	if (inside(ptr))
		release(ptr);
	else
		__libc_free(ptr);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
	if (!fenced)
		return __libc_calloc(count, size);
	if (__builtin_mul_overflow(count, size, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return alloc(size, ALIGN);
}

__attribute__((visibility("default"))) void *realloc(void *ptr, size_t size)
{
	size_t old;
	void *to;

	if (!inside(ptr) && (ptr || !fenced))
		return __libc_realloc(ptr, size);
	to = alloc(size, ALIGN);
	if (!to || !ptr)
		return to;
	old = head_of(ptr)->size;
	memcpy(to, ptr, old < size ? old : size);
	free(ptr);
	return to;
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t align, size_t size)
{
	return fenced ? alloc(size, align < ALIGN ? ALIGN : align) : __libc_memalign(align, size);
}

#endif /* FENCE */

bool fence_here(void)
{
	return FENCE;
}

void fence_begin(void)
{
	fenced = true;
}

void fence_end(void)
{
	fenced = false;
	fail_at = 0;
}

long fence_live(void)
{
	return live;
}

long fence_count(void)
{
	return made;
}

void fence_fail(unsigned int nth)
{
	fail_at = nth;
}

bool fence_pending(void)
{
	return fail_at;
}
