/* SPDX-License-Identifier: MIT */
/*
 * The private copy of an object's file for the dynamic loader. The device uses it, and libpto for
 * host graphs.
 */
#ifndef PTO_IMAGE_H
#define PTO_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct pto_image_facts - properties of an object for the time when it is loaded
 * @span: bytes from its load address to its end
 * @exits: it registers destructors of thread_local objects
 */
struct pto_image_facts {
	uint64_t span;
	bool exits;
};

typedef int (*pto_atexit_fn)(void (*fn)(void *), void *arg, void *dso);

void pto_image_own(void *image, uint64_t size, pto_atexit_fn thread_atexit,
		   struct pto_image_facts *facts);

/*
 * For calls of the dynamic loader: ThreadSanitizer sees the memory that the loader allocates and
 * frees, but not the loader's lock.
 */
#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static inline void pto_loader_begin(void)
{
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static inline void pto_loader_end(void)
{
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
#else
static inline void pto_loader_begin(void)
{
}

static inline void pto_loader_end(void)
{
}
#endif

#endif /* PTO_IMAGE_H */
