// SPDX-License-Identifier: GPL-2.0
/*
 * What a mapping of a buffer may be and become: the table of Documentation/uapi.rst, "Mapping a
 * buffer", as rows of data. Each row maps a buffer in some way, does something with the mapping,
 * and says what each call must answer and which accesses must be possible at last. Whatever a row
 * does, both buffers must hold what was in them.
 *
 * The answers are the kernel's. Where the simulator cannot give the same, the step has the
 * simulator's answer beside it, and the reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "ptotest.h"

#define PAGE	4096UL
#define PAGES	4	/* of each buffer */
#define SHOWN	2	/* of them, in a mapping */
#define STEPS	5

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

/* What a step does. "By code" is a system call that is made without the C library. */
enum op {
	END,
	MPROTECT,	/* .arg: the protection */
	PKEY_MPROTECT,	/* the same, with no key */
	PKEY_SYSCALL,	/* the same, by way of syscall() */
	CODE_MPROTECT,	/* mprotect() by code */
	MPROTECT_OVER,	/* mprotect() that begins a page before the mapping, in private memory */
	REMAP_PAGES,	/* remap_file_pages() of the first page; .arg: enum place */
	MOVE,		/* mremap() to another address */
	MOVE_SECOND,	/* of the second page alone */
	GROW,		/* mremap() to one page more */
	SHRINK,		/* to one page */
	DUPLICATE,	/* mremap() of an old length of 0 */
	LEAVE,		/* mremap() with MREMAP_DONTUNMAP */
	MADVISE,	/* .arg: the advice */
	ADVISE_CALL,	/* the same, by way of syscall() */
	POSIX_MADVISE,	/* .arg: POSIX_MADV_* */
	MSYNC,		/* .arg: the flags */
	LOCK,		/* mlock() */
	PRIVATE_OVER,	/* mmap() of private memory over the first .arg pages */
	SHM_OVER,	/* shmat() with SHM_REMAP over the mapping */
	UNMAP,		/* munmap() of the first page */
	CLOSE,		/* of the context's descriptor */
	DESTROY,	/* PTO_BO_DESTROY of the buffer */
	COUNT,		/* how many mappings the buffer says that it has */
	PEEK,		/* vmsplice() of the first page */
	FORK,		/* what follows is done in a child */
};

/* Where in the window, for mmap() and remap_file_pages(). */
enum place {
	HERE,		/* the buffer's first page */
	SECOND,		/* its second page */
	OTHER,		/* the first page of the context's other buffer */
	FOREIGN,	/* a buffer of another context */
	NOTHING,	/* no buffer */
	BEYOND,		/* the buffer's last page, so that the mapping leaves it */
	TOP,		/* the last pages that an offset can name */
	PAST_TOP,	/* one page beyond these */
};

/**
 * struct step - what is done with the mapping
 * @op: what
 * @arg: see enum op
 * @want: what it must answer, 0 or a negative errno
 * @sim: what the simulator answers, if there is @why
 * @why: why that is something else
 */
struct step {
	enum op op;
	int arg;
	int want;
	int sim;
	const char *why;
};

/**
 * struct row - a mapping and what becomes of it
 * @name: what the row shows
 * @open: access mode of the descriptor
 * @prot: protection
 * @flags: MAP_*
 * @place: offset
 * @want: what mmap() must answer
 * @steps: what is done then
 * @rights: the accesses that are possible at last to where the mapping is, of "rw"; NULL: any
 * @shows: what is there at last, 'b' for the buffer's first page; see page_letter()
 */
struct row {
	const char *name;
	int open;
	int prot;
	int flags;
	enum place place;
	int want;
	struct step steps[STEPS];
	const char *rights;
	char shows;
};

#define R	PROT_READ
#define W	PROT_WRITE
#define X	PROT_EXEC
#define SHARED	MAP_SHARED

/* Why the simulator differs. */
#define MEMFD	"a memfd is on no mount that forbids execution"
#define OWNER	"the simulated device is the process that opened it"
#define PAGES_	"the simulator's memory consists of pages that the kernel knows"

static const struct row rows[] = {
	/* --- mmap() --- */
	{ "read-write", O_RDWR, R | W, SHARED, .rights = "rw", .shows = 'b' },
	{ "read-only", O_RDWR, R, SHARED, .rights = "r", .shows = 'b' },
	{ "no access", O_RDWR, 0, SHARED, .rights = "" },
	{ "write alone", O_RDWR, W, SHARED, .steps = { { MPROTECT, R | W } }, .rights = "rw",
	  .shows = 'b' },
	{ "executable", O_RDWR, R | X, SHARED, .want = -EINVAL },
	{ "executable alone", O_RDWR, X, SHARED, .want = -EINVAL },
	{ "private", O_RDWR, R | W, MAP_PRIVATE, .want = -EINVAL },
	{ "private, read-only", O_RDWR, R, MAP_PRIVATE, .want = -EINVAL },
	{ "validated", O_RDWR, R | W, MAP_SHARED_VALIDATE, .rights = "rw", .shows = 'b' },
	{ "validated, unknown flag", O_RDWR, R, MAP_SHARED_VALIDATE | MAP_SYNC,
	  .want = -EOPNOTSUPP },
	{ "no type", O_RDWR, R, 0, .want = -EINVAL },
	{ "both types and a bit", O_RDWR, R, 0x7, .want = -EINVAL },
	{ "populated", O_RDWR, R | W, SHARED | MAP_POPULATE, .rights = "rw", .shows = 'b' },
	{ "locked", O_RDWR, R | W, SHARED | MAP_LOCKED, .rights = "rw", .shows = 'b' },
	{ "without reserve", O_RDWR, R | W, SHARED | MAP_NORESERVE, .rights = "rw", .shows = 'b' },
	{ "growing down", O_RDWR, R, SHARED | MAP_GROWSDOWN, .want = -EINVAL },
	{ "huge pages", O_RDWR, R, SHARED | MAP_HUGETLB, .want = -EINVAL },
	{ "second page", O_RDWR, R | W, SHARED, SECOND, .rights = "rw", .shows = 'B' },
	{ "no buffer there", O_RDWR, R, SHARED, NOTHING, .want = -EINVAL },
	{ "past the buffer's end", O_RDWR, R, SHARED, BEYOND, .want = -EINVAL },
	{ "another context's buffer", O_RDWR, R, SHARED, FOREIGN, .want = -EINVAL },
	{ "highest offset", O_RDWR, R, SHARED, TOP, .want = -EINVAL },
	{ "past the highest offset", O_RDWR, R, SHARED, PAST_TOP, .want = -EOVERFLOW },

	/* --- a context that was opened for reading, or for writing --- */
	{ "for reading", O_RDONLY, R, SHARED, .rights = "r", .shows = 'b' },
	{ "for reading, no access", O_RDONLY, 0, SHARED, .rights = "" },
	{ "for reading, to write", O_RDONLY, R | W, SHARED, .want = -EACCES },
	{ "for reading, write alone", O_RDONLY, W, SHARED, .want = -EACCES },
	{ "for reading, executable", O_RDONLY, R | X, SHARED, .want = -EINVAL },
	{ "for reading, private", O_RDONLY, R, MAP_PRIVATE, .want = -EINVAL },
	{ "for reading, private to write", O_RDONLY, R | W, MAP_PRIVATE, .want = -EINVAL },
	{ "for reading, no buffer", O_RDONLY, R, SHARED, NOTHING, .want = -EINVAL },
	{ "for writing", O_WRONLY, W, SHARED, .want = -EACCES },
	{ "for writing, to read", O_WRONLY, R, SHARED, .want = -EACCES },
	{ "for writing, private", O_WRONLY, R | W, MAP_PRIVATE, .want = -EACCES },

	/* --- mprotect() and its like --- */
	{ "made writable", O_RDWR, R, SHARED, .steps = { { MPROTECT, R | W } },
	  .rights = "rw", .shows = 'b' },
	{ "made accessible", O_RDWR, 0, SHARED, .steps = { { MPROTECT, R | W } },
	  .rights = "rw", .shows = 'b' },
	{ "made inaccessible and back", O_RDWR, R | W, SHARED,
	  .steps = { { MPROTECT, 0 }, { MPROTECT, R } }, .rights = "r", .shows = 'b' },
	{ "made executable", O_RDWR, R | W, SHARED,
	  .steps = { { MPROTECT, R | X, -EACCES }, { MPROTECT, R | W | X, -EACCES },
		     { MPROTECT, X, -EACCES } },
	  .rights = "rw", .shows = 'b' },
	{ "made executable with pkey_mprotect", O_RDWR, R | W, SHARED,
	  .steps = { { PKEY_MPROTECT, R | X, -EACCES }, { PKEY_SYSCALL, R | W | X, -EACCES } },
	  .rights = "rw", .shows = 'b' },
	{ "made executable by code", O_RDWR, R, SHARED,
	  .steps = { { CODE_MPROTECT, R | X, -EACCES, 0, MEMFD } }, .rights = "r", .shows = 'b' },
	{ "made writable with pkey_mprotect", O_RDWR, R, SHARED,
	  .steps = { { PKEY_MPROTECT, R | W } }, .rights = "rw", .shows = 'b' },
	{ "protected as nothing known", O_RDWR, R, SHARED,
	  .steps = { { MPROTECT, 0x40, -EINVAL }, { MPROTECT, X | 0x40, -EINVAL } },
	  .rights = "r", .shows = 'b' },
	{ "for reading, made writable", O_RDONLY, R, SHARED,
	  .steps = { { MPROTECT, R | W, -EACCES }, { MPROTECT, W, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "for reading, made writable with pkey_mprotect", O_RDONLY, R, SHARED,
	  .steps = { { PKEY_MPROTECT, R | W, -EACCES }, { PKEY_SYSCALL, W, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "for reading, made writable by code", O_RDONLY, R, SHARED,
	  .steps = { { CODE_MPROTECT, R | W, -EACCES } }, .rights = "r", .shows = 'b' },
	{ "for reading, made executable", O_RDONLY, R, SHARED,
	  .steps = { { MPROTECT, R | X, -EACCES } }, .rights = "r", .shows = 'b' },
	{ "for reading, from no access to writable", O_RDONLY, 0, SHARED,
	  .steps = { { MPROTECT, W, -EACCES }, { MPROTECT, R } }, .rights = "r", .shows = 'b' },
	{ "executable together with the page before", O_RDWR, R, SHARED,
	  .steps = { { MPROTECT_OVER, R | X, -EACCES } }, .rights = "r", .shows = 'b' },

	/* --- remap_file_pages() --- */
	{ "remapped to its second page", O_RDWR, R | W, SHARED,
	  .steps = { { REMAP_PAGES, SECOND }, { COUNT, 0, 2 } }, .rights = "rw", .shows = 'B' },
	{ "remapped to the other buffer", O_RDWR, R, SHARED,
	  .steps = { { REMAP_PAGES, OTHER }, { COUNT, 0, 1 } }, .rights = "r", .shows = 'o' },
	{ "remapped and made executable", O_RDWR, R | W, SHARED,
	  .steps = { { REMAP_PAGES, OTHER }, { MPROTECT, R | X, -EACCES } },
	  .rights = "rw", .shows = 'o' },
	{ "for reading, remapped", O_RDONLY, R, SHARED,
	  .steps = { { REMAP_PAGES, SECOND, -EINVAL }, { REMAP_PAGES, OTHER, -EINVAL } },
	  .rights = "r", .shows = 'b' },
	/* What is there when mmap() fails, which replaces a mapping, is not said. */
	{ "remapped to no buffer", O_RDWR, R, SHARED,
	  .steps = { { REMAP_PAGES, NOTHING, -EINVAL } } },
	{ "remapped to another context's buffer", O_RDWR, R, SHARED,
	  .steps = { { REMAP_PAGES, FOREIGN, -EINVAL } } },

	/* --- mremap() --- */
	{ "moved", O_RDWR, R | W, SHARED, .steps = { { MOVE }, { COUNT, 0, 1 } },
	  .rights = "rw", .shows = 'b' },
	{ "moved and made executable", O_RDWR, R, SHARED,
	  .steps = { { MOVE }, { MPROTECT, R | X, -EACCES } }, .rights = "r", .shows = 'b' },
	{ "moved in part", O_RDWR, R, SHARED, .steps = { { MOVE_SECOND }, { COUNT, 0, 2 } },
	  .rights = "r", .shows = 'B' },
	{ "for reading, moved and made writable", O_RDONLY, R, SHARED,
	  .steps = { { MOVE }, { MPROTECT, R | W, -EACCES }, { CODE_MPROTECT, R | W, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "grown", O_RDWR, R, SHARED, .steps = { { GROW, 0, -EFAULT } }, .rights = "r",
	  .shows = 'b' },
	{ "shrunk", O_RDWR, R, SHARED, .steps = { { SHRINK }, { GROW, 0, -EFAULT } },
	  .rights = "r", .shows = 'b' },
	{ "duplicated", O_RDWR, R, SHARED, .steps = { { DUPLICATE, 0, -EFAULT } }, .rights = "r",
	  .shows = 'b' },
	{ "moved and left", O_RDWR, R, SHARED, .steps = { { LEAVE, 0, -EINVAL } }, .rights = "r",
	  .shows = 'b' },

	/* --- advice --- */
	{ "advice without effect", O_RDWR, R | W, SHARED,
	  .steps = { { MADVISE, MADV_NORMAL }, { MADVISE, MADV_RANDOM },
		     { MADVISE, MADV_SEQUENTIAL }, { MADVISE, MADV_WILLNEED },
		     { MADVISE, MADV_DONTDUMP } },
	  .rights = "rw", .shows = 'b' },
	{ "thrown away", O_RDWR, R | W, SHARED,
	  .steps = { { MADVISE, MADV_DONTNEED, -EINVAL }, { MADVISE, MADV_FREE, -EINVAL },
		     { MADVISE, MADV_REMOVE, -ENODEV }, { ADVISE_CALL, MADV_REMOVE, -ENODEV },
		     { POSIX_MADVISE, POSIX_MADV_DONTNEED } },
	  .rights = "rw", .shows = 'b' },
	{ "for reading, thrown away", O_RDONLY, R, SHARED,
	  .steps = { { MADVISE, MADV_DONTNEED, -EINVAL }, { MADVISE, MADV_FREE, -EINVAL },
		     { MADVISE, MADV_REMOVE, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "paged out", O_RDWR, R | W, SHARED,
	  .steps = { { MADVISE, MADV_COLD, -EINVAL }, { MADVISE, MADV_PAGEOUT, -EINVAL },
		     { MADVISE, MADV_POPULATE_READ, -EINVAL },
		     { MADVISE, MADV_POPULATE_WRITE, -EINVAL } },
	  .rights = "rw", .shows = 'b' },
	{ "wiped on fork", O_RDWR, R, SHARED, .steps = { { MADVISE, MADV_WIPEONFORK, -EINVAL } },
	  .rights = "r", .shows = 'b' },
	{ "dumped", O_RDWR, R, SHARED, .steps = { { MADVISE, MADV_DODUMP, -EINVAL } },
	  .rights = "r", .shows = 'b' },
	{ "written back", O_RDWR, R | W, SHARED,
	  .steps = { { MSYNC, MS_ASYNC }, { MSYNC, MS_SYNC, -EINVAL }, { MSYNC, MS_INVALIDATE } },
	  .rights = "rw", .shows = 'b' },
	{ "for reading, written back", O_RDONLY, R, SHARED, .steps = { { MSYNC, MS_SYNC } },
	  .rights = "r", .shows = 'b' },
	{ "locked later", O_RDWR, R | W, SHARED, .steps = { { LOCK } }, .rights = "rw",
	  .shows = 'b' },
	{ "given to a pipe", O_RDWR, R, SHARED, .steps = { { PEEK, 0, -EFAULT, 0, PAGES_ } },
	  .rights = "r", .shows = 'b' },

	/* --- its end --- */
	{ "private memory over its first page", O_RDWR, R, SHARED,
	  .steps = { { PRIVATE_OVER, 1 }, { COUNT, 0, 1 } }, .rights = "rw", .shows = 'p' },
	{ "shared memory over it", O_RDWR, R, SHARED,
	  .steps = { { SHM_OVER }, { COUNT, 0, 0 }, { MPROTECT, R | W | X } },
	  .rights = "rw", .shows = 'p' },
	{ "first page unmapped", O_RDWR, R, SHARED, .steps = { { UNMAP }, { COUNT, 0, 1 } },
	  .rights = "" },
	{ "without its descriptor", O_RDWR, R, SHARED,
	  .steps = { { CLOSE }, { MPROTECT, R | X, -EACCES }, { MPROTECT, R | W } },
	  .rights = "rw", .shows = 'b' },
	{ "for reading, without its descriptor", O_RDONLY, R, SHARED,
	  .steps = { { CLOSE }, { MPROTECT, R | W, -EACCES } }, .rights = "r", .shows = 'b' },
	{ "of a buffer that is destroyed", O_RDWR, R | W, SHARED, .steps = { { DESTROY } },
	  .rights = "rw", .shows = 'b' },

	/* --- in a child --- */
	{ "inherited", O_RDWR, R | W, SHARED, .steps = { { FORK } }, .rights = "rw", .shows = 'b' },
	{ "inherited, the buffer's count", O_RDWR, R | W, SHARED,
	  .steps = { { COUNT, 0, 1 }, { FORK }, { COUNT, 0, 2, -ENODEV, OWNER } },
	  .rights = "rw", .shows = 'b' },
	{ "inherited, made executable", O_RDWR, R | W, SHARED,
	  .steps = { { FORK }, { MPROTECT, R | X, -EACCES } }, .rights = "rw", .shows = 'b' },
	{ "inherited, made executable with pkey_mprotect", O_RDWR, R | W, SHARED,
	  .steps = { { FORK }, { PKEY_MPROTECT, R | X, -EACCES } }, .rights = "rw", .shows = 'b' },
	{ "inherited for reading", O_RDONLY, R, SHARED,
	  .steps = { { FORK }, { MPROTECT, R | W, -EACCES }, { CODE_MPROTECT, R | W, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "inherited, moved and grown", O_RDWR, R, SHARED,
	  .steps = { { FORK }, { MOVE }, { GROW, 0, -EFAULT }, { MPROTECT, R | X, -EACCES } },
	  .rights = "r", .shows = 'b' },
	{ "inherited, thrown away", O_RDWR, R | W, SHARED,
	  .steps = { { FORK }, { MADVISE, MADV_REMOVE, -ENODEV },
		     { MADVISE, MADV_DONTNEED, -EINVAL } },
	  .rights = "rw", .shows = 'b' },
	{ "inherited, remapped", O_RDWR, R | W, SHARED,
	  .steps = { { FORK }, { REMAP_PAGES, HERE, 0, -ENODEV, OWNER } },
	  .rights = "rw", .shows = 'b' },
	{ "not inherited", O_RDWR, R | W, SHARED, .steps = { { MADVISE, MADV_DONTFORK }, { FORK } },
	  .rights = "" },
	{ "inherited after all", O_RDWR, R | W, SHARED,
	  .steps = { { MADVISE, MADV_DONTFORK }, { MADVISE, MADV_DOFORK, -EINVAL }, { FORK } },
	  .rights = "" },
	{ "its place in a child", O_RDWR, R | W, SHARED,
	  .steps = { { MADVISE, MADV_DONTFORK }, { FORK }, { PRIVATE_OVER, SHOWN },
		     { MPROTECT, R | W | X } },
	  .rights = "rw", .shows = 'p' },
};

/**
 * struct context - a context of its own for a row
 * @fd: its descriptor, -1 if it has been closed
 * @buffer: what is mapped
 * @other: another buffer
 */
struct context {
	int fd;
	struct pto_ioc_bo_create buffer;
	struct pto_ioc_bo_create other;
};

/**
 * struct area - where a row is
 * @ctx: its context
 * @at: address of the mapping
 * @length: bytes of it
 * @foreign: mmap offset of another context's buffer
 * @free: an address that the mapping can be moved to
 */
struct area {
	struct context ctx;
	char *at;
	size_t length;
	uint64_t foreign;
	char *free;
};

/**
 * struct outcome - what happened; comes out of a child through a pipe
 * @got: what the steps have answered
 * @rights: see struct row
 * @shows: see struct row, 0 if it cannot be read
 */
struct outcome {
	int got[STEPS];
	char rights[3];
	char shows;
};

static int negative(long ret)
{
	return ret < 0 ? -errno : 0;
}

/* --- contexts and their buffers ------------------------------------------------------ */

/* The first byte of each page of a buffer says which it is. */
static const char letters[2][PAGES] = { { 'b', 'B', 'c', 'C' }, { 'o', 'O', 'u', 'U' } };

static int copy_page(int fd, uint32_t direction, uint32_t id, unsigned int page, char *bytes)
{
	struct pto_ioc_bo_copy copy = {
		.size = sizeof(copy),
		.direction = direction,
		.user_ptr = (uintptr_t)bytes,
		.length = PAGE,
	};

	if (direction == PTO_COPY_TO_DEVICE) {
		copy.dst_id = id;
		copy.dst_offset = page * PAGE;
	} else {
		copy.src_id = id;
		copy.src_offset = page * PAGE;
	}
	return pt_ioctl(fd, PTO_BO_COPY, &copy);
}

static int new_buffer(int fd, unsigned int which, struct pto_ioc_bo_create *create)
{
	static char bytes[PAGE];
	unsigned int page;
	int err;

	*create = (struct pto_ioc_bo_create) { .size = sizeof(*create), .length = PAGES * PAGE };
	err = pt_ioctl(fd, PTO_BO_CREATE, create);
	for (page = 0; page < PAGES && !err; page++) {
		memset(bytes, letters[which][page], sizeof(bytes));
		err = copy_page(fd, PTO_COPY_TO_DEVICE, create->id, page, bytes);
	}
	return err;
}

static int context_open(const char *path, int mode, struct context *ctx)
{
	int err;

	ctx->fd = open(path, mode | O_CLOEXEC);
	if (ctx->fd < 0)
		return -errno;
	err = new_buffer(ctx->fd, 0, &ctx->buffer);
	return err ? err : new_buffer(ctx->fd, 1, &ctx->other);
}

static void context_close(struct context *ctx)
{
	if (ctx->fd >= 0)
		close(ctx->fd);
	ctx->fd = -1;
}

static bool buffer_intact(int fd, unsigned int which, uint32_t id)
{
	static char bytes[PAGE], want[PAGE];
	unsigned int page;

	for (page = 0; page < PAGES; page++) {
		memset(want, letters[which][page], sizeof(want));
		if (copy_page(fd, PTO_COPY_FROM_DEVICE, id, page, bytes) ||
		    memcmp(bytes, want, sizeof(bytes)))
			return false;
	}
	return true;
}

/* Buffers that are there still hold what they held. */
static bool intact(const struct context *ctx, bool destroyed)
{
	if (ctx->fd < 0)
		return true;
	return (destroyed || buffer_intact(ctx->fd, 0, ctx->buffer.id)) &&
	       buffer_intact(ctx->fd, 1, ctx->other.id);
}

/* --- steps ---------------------------------------------------------------------------- */

static uint64_t offset_of(const struct area *area, enum place place)
{
	switch (place) {
	case HERE:
		return area->ctx.buffer.mmap_offset;
	case SECOND:
		return area->ctx.buffer.mmap_offset + PAGE;
	case OTHER:
		return area->ctx.other.mmap_offset;
	case FOREIGN:
		return area->foreign;
	case NOTHING:
		return 1ULL << 50;
	case BEYOND:
		return area->ctx.buffer.mmap_offset + (PAGES - 1) * PAGE;
	case TOP:
		return 0 - (SHOWN + 1) * PAGE;
	default:
		return 0 - SHOWN * PAGE;
	}
}

/* mprotect() by code: not through anything that could be interposed. */
static int code_mprotect(void *at, size_t length, int prot)
{
#ifdef __x86_64__
	long ret;

	__asm__ volatile ("syscall" : "=a" (ret)
			  : "0" ((long)SYS_mprotect), "D" (at), "S" (length), "d" ((long)prot)
			  : "rcx", "r11", "memory");
	return ret;
#else
	return -ENOSYS;
#endif
}

/* Moves @length bytes from @from to the free place, where the mapping is then. */
static int move(struct area *area, char *from, size_t length)
{
	char *to = mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, area->free);

	if (to == MAP_FAILED)
		return -errno;
	area->at = to;
	area->length = length;
	return 0;
}

static int resize(struct area *area, size_t old_length, size_t new_length, int flags)
{
	char *to = mremap(area->at, old_length, new_length, flags);

	if (to == MAP_FAILED)
		return -errno;
	if (old_length && !(flags & MREMAP_DONTUNMAP))
		area->length = new_length;
	return 0;
}

static int shm_over(const struct area *area)
{
	int id = shmget(IPC_PRIVATE, area->length, 0600), ret;
	char *at;

	if (id < 0)
		return -errno;
	at = shmat(id, area->at, SHM_REMAP);
	ret = at == (char *)-1 ? -errno : 0;
	shmctl(id, IPC_RMID, NULL);
	if (!ret)
		at[0] = 'p';
	return ret;
}

static int private_over(const struct area *area, int pages)
{
	char *at = mmap(area->at, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	at[0] = 'p';
	return 0;
}

static int mapping_count(const struct context *ctx)
{
	struct pto_ioc_bo_info info = { .size = sizeof(info), .id = ctx->buffer.id };
	int err = pt_ioctl(ctx->fd, PTO_BO_INFO, &info);

	return err ? err : (int)info.mappings;
}

static int peek(const struct area *area)
{
	struct iovec from = { area->at, 1 };
	int ends[2], ret;

	if (pipe(ends))
		return -errno;
	ret = negative(vmsplice(ends[1], &from, 1, 0));
	close(ends[0]);
	close(ends[1]);
	return ret;
}

/* Access rights: what is done with a range as a whole. */
static int step_protect(struct area *area, const struct step *step)
{
	switch (step->op) {
	case MPROTECT:
		return negative(mprotect(area->at, area->length, step->arg));
	case PKEY_MPROTECT:
		return negative(pkey_mprotect(area->at, area->length, step->arg, -1));
	case PKEY_SYSCALL:
		return negative(syscall(SYS_pkey_mprotect, area->at, area->length, step->arg, -1));
	case CODE_MPROTECT:
		return code_mprotect(area->at, area->length, step->arg);
	default:
		return negative(mprotect(area->at - PAGE, area->length + PAGE, step->arg));
	}
}

static int step_move(struct area *area, const struct step *step)
{
	switch (step->op) {
	case REMAP_PAGES:
		return negative(remap_file_pages(area->at, PAGE, 0,
						 offset_of(area, step->arg) / PAGE, 0));
	case MOVE:
		return move(area, area->at, area->length);
	case MOVE_SECOND:
		return move(area, area->at + PAGE, PAGE);
	case GROW:
		return resize(area, area->length, area->length + PAGE, MREMAP_MAYMOVE);
	case SHRINK:
		return resize(area, area->length, PAGE, 0);
	case DUPLICATE:
		return resize(area, 0, PAGE, MREMAP_MAYMOVE);
	default:
		return resize(area, area->length, area->length,
			      MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	}
}

static int step_advise(struct area *area, const struct step *step)
{
	switch (step->op) {
	case MADVISE:
		return negative(madvise(area->at, area->length, step->arg));
	case ADVISE_CALL:
		return negative(syscall(SYS_madvise, area->at, area->length, step->arg));
	case POSIX_MADVISE:
		return -posix_madvise(area->at, area->length, step->arg);
	case MSYNC:
		return negative(msync(area->at, area->length, step->arg));
	case LOCK:
		return negative(mlock(area->at, area->length));
	default:
		return peek(area);
	}
}

static int step_end(struct area *area, const struct step *step)
{
	switch (step->op) {
	case PRIVATE_OVER:
		return private_over(area, step->arg);
	case SHM_OVER:
		return shm_over(area);
	case UNMAP:
		return negative(munmap(area->at, PAGE));
	case CLOSE:
		context_close(&area->ctx);
		return 0;
	case DESTROY:
		return pt_bo_destroy(area->ctx.fd, area->ctx.buffer.id);
	default:
		return mapping_count(&area->ctx);
	}
}

static int do_step(struct area *area, const struct step *step)
{
	if (step->op <= MPROTECT_OVER)
		return step_protect(area, step);
	if (step->op <= LEAVE)
		return step_move(area, step);
	if (step->op <= LOCK || step->op == PEEK)
		return step_advise(area, step);
	return step_end(area, step);
}

/* --- what is there at last -------------------------------------------------------------- */

/* The kernel accesses the byte for us, and says EFAULT where we would get a signal. */
static void look(const char *at, struct outcome *out)
{
	char *rights = out->rights, byte;
	int ends[2];

	if (pipe(ends))
		return;
	if (write(ends[1], at, 1) == 1 && read(ends[0], &byte, 1) == 1) {
		*rights++ = 'r';
		out->shows = byte;
	}
	/* The byte that is written is the one that was there, or should be. */
	if (!out->shows)
		byte = 'b';
	if (write(ends[1], &byte, 1) == 1 && read(ends[0], (char *)(uintptr_t)at, 1) == 1)
		*rights++ = 'w';
	*rights = '\0';
	close(ends[0]);
	close(ends[1]);
}

static int do_steps(struct area *area, const struct row *row, unsigned int first,
		    struct outcome *out);

/* The rest of a row in a child. Return: 0, or a negative errno if that did not succeed */
static int in_child(struct area *area, const struct row *row, unsigned int first,
		    struct outcome *out)
{
	int ends[2], status, ret = 0;
	pid_t child;

	if (pipe(ends))
		return -errno;
	child = fork();
	if (!child) {
		ret = do_steps(area, row, first, out);
		_exit(ret || write(ends[1], out, sizeof(*out)) != sizeof(*out));
	}
	close(ends[1]);
	if (child < 0 || waitpid(child, &status, 0) != child || status ||
	    read(ends[0], out, sizeof(*out)) != sizeof(*out))
		ret = -ECHILD;
	close(ends[0]);
	return ret;
}

static int do_steps(struct area *area, const struct row *row, unsigned int first,
		    struct outcome *out)
{
	unsigned int i;

	for (i = first; i < STEPS && row->steps[i].op; i++) {
		if (row->steps[i].op == FORK)
			return in_child(area, row, i + 1, out);
		out->got[i] = do_step(area, &row->steps[i]);
	}
	look(area->at, out);
	return 0;
}

/* --- rows -------------------------------------------------------------------------------- */

static const char *name_of(int result)
{
	static char number[2][16];
	static unsigned int turn;

	if (result < 0)
		return strerrorname_np(-result) ?: "?";
	turn = !turn;
	snprintf(number[turn], sizeof(number[turn]), "%d", result);
	return number[turn];
}

static bool wrong(const char *row, const char *what, int want, int got)
{
	if (got == want)
		return false;
	ksft_print_msg("%s: %s: %s, must be %s\n", row, what, name_of(got), name_of(want));
	return true;
}

/* What a step must answer here; *skip if it cannot be tried. */
static int wanted(const struct step *step, int got, bool *skip)
{
	/* User-mode Linux has none of these; a system call by code is known for one machine. */
	bool may_lack = step->op == PKEY_MPROTECT || step->op == PKEY_SYSCALL ||
			step->op == SHM_OVER || step->op == CODE_MPROTECT;

	if (got == -ENOSYS && may_lack) {
		*skip = true;
		return got;
	}
	return step->why && pt_simulator() ? step->sim : step->want;
}

static void judge(const struct row *row, const struct outcome *out, bool kept)
{
	bool bad = !kept, skip = false;
	char what[16];
	unsigned int i;

	if (!kept)
		ksft_print_msg("%s: a buffer has changed\n", row->name);
	for (i = 0; i < STEPS && row->steps[i].op && !skip; i++) {
		snprintf(what, sizeof(what), "step %u", i + 1);
		bad |= wrong(row->name, what, wanted(&row->steps[i], out->got[i], &skip),
			     out->got[i]);
	}
	if (!skip && row->rights &&
	    (strcmp(out->rights, row->rights) || out->shows != row->shows)) {
		ksft_print_msg("%s: rights \"%s\" to '%c', must be \"%s\" to '%c'\n", row->name,
			       out->rights, out->shows ?: '-', row->rights, row->shows ?: '-');
		bad = true;
	}
	if (skip && !bad)
		ksft_test_result_skip("%s: not all of it can be tried here\n", row->name);
	else
		ksft_test_result(!bad, "%s\n", row->name);
}

static bool destroys(const struct row *row)
{
	unsigned int i;

	for (i = 0; i < STEPS; i++)
		if (row->steps[i].op == DESTROY)
			return true;
	return false;
}

/*
 * Private memory, in the middle of which the mapping goes, so that what is beside it is known:
 * two pages, the mapping, two pages, room to move it to, two pages.
 */
#define ROOM ((6 + 2 * SHOWN) * PAGE)

static int try_row(const struct row *row, struct area *area, char *room)
{
	struct outcome out = { 0 };
	char *at;
	int err;

	at = mmap(room + 2 * PAGE, SHOWN * PAGE, row->prot, row->flags | MAP_FIXED, area->ctx.fd,
		  offset_of(area, row->place));
	err = at == MAP_FAILED ? -errno : 0;
	if (row->want || err) {
		ksft_test_result(!wrong(row->name, "mmap()", row->want, err) &&
				 intact(&area->ctx, false), "%s\n", row->name);
		return 0;
	}
	area->at = at;
	area->length = SHOWN * PAGE;
	area->free = room + (4 + SHOWN) * PAGE;
	err = do_steps(area, row, 0, &out);
	if (!err)
		judge(row, &out, intact(&area->ctx, destroys(row)));
	return err;
}

static int run_row(const struct row *row, const char *path, uint64_t foreign)
{
	struct area area = { .foreign = foreign };
	char *room;
	int err;

	room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	err = context_open(path, row->open, &area.ctx);
	if (!err)
		err = try_row(row, &area, room);
	munmap(room, ROOM);
	context_close(&area.ctx);
	return err;
}

int main(void)
{
	struct pto_device_usage base;
	unsigned int i, count = sizeof(rows) / sizeof(rows[0]);
	struct context foreign;
	char path[32];
	int err;

	ksft_print_header();
	err = pt_device_path(0, path, sizeof(path));
	if (err && !getenv("PTO_SELFTEST"))
		ksft_exit_skip("there is no device\n");
	if (err || context_open(path, O_RDWR, &foreign) || pt_usage(foreign.fd, &base))
		ksft_exit_fail_msg("no device can be opened\n");
	ksft_set_plan(count + 1);
	for (i = 0; i < count; i++) {
		err = run_row(&rows[i], path, foreign.buffer.mmap_offset);
		if (err)
			ksft_exit_fail_msg("%s: cannot be tried: %s\n", rows[i].name,
					   strerror(-err));
	}
	ksft_test_result(!pt_usage_settles(foreign.fd, &base, NULL),
			 "everything has been given back\n");
	context_close(&foreign);
	ksft_finished();
}
