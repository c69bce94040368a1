// SPDX-License-Identifier: GPL-2.0
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ptotest.h"
#include "rehearsal.h"

#define CONTEXTS	4
#define BUFFERS		256
#define IMAGES		64
#define ARENAS		4
#define RUNS		256	/* of a stream, results that nobody gets any more included */
#define PAGE		4096u
#define FREED		0xdd

/**
 * struct buffer - a buffer object
 * @size: bytes, 0 if there is none
 * @offset: where in the memory
 */
struct buffer {
	uint64_t size;
	uint64_t offset;
};

/**
 * struct stream - a stream
 * @live: there is one
 * @submitted: runs
 * @ended: of these
 * @end: how each of them ends
 * @user_data: what the application gave it
 * @start_ns: when each began; it was submitted before, and ends after
 */
struct stream {
	bool live;
	uint64_t submitted;
	uint64_t ended;
	struct rehearsed_end end[RUNS];
	uint64_t user_data[RUNS];
	uint64_t start_ns[RUNS];
};

/**
 * struct arena - an arena
 * @id: its id, 0 if there is none
 * @last_use: value of the context's @uses when it was used last
 * @sizes: windows, heaps and pools that it was asked for with
 */
struct arena {
	uint32_t id;
	uint64_t last_use;
	uint64_t sizes[3][PTO_RING_DEPTHS];
};

/**
 * struct context - an open context
 * @fd: its descriptor, -1 if there is none
 * @memory: its buffers' memory
 * @buffers: by id
 * @images: which ids are in use
 * @kernels: kernels of each cid, -1 where there is none
 * @generations: of the cids
 * @streams: by id
 * @arenas: those that it keeps
 * @uses: of its arenas
 */
struct context {
	int fd;
	char *memory;
	struct buffer buffers[BUFFERS];
	bool images[IMAGES];
	int kernels[PTO_MAX_CALLABLES];
	uint32_t generations[PTO_MAX_CALLABLES];
	struct stream streams[REHEARSED_STREAMS + 1];
	struct arena arenas[ARENAS];
	uint64_t uses;
};

struct rehearsal rehearsal;
static struct context contexts[CONTEXTS] = { [0 ... CONTEXTS - 1] = { .fd = -1 } };
static struct context *current;	/* the one that was used last */

static struct context *context_of(int fd)
{
	int i;

	for (i = 0; i < CONTEXTS; i++)
		if (contexts[i].fd == fd && fd >= 0)
			return &contexts[i];
	return NULL;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "rehearsal: %s\n", what);
	abort();
}

/* --- buffers ----------------------------------------------------------------- */

static bool overlaps(const struct context *ctx, uint64_t offset, uint64_t size)
{
	int i;

	for (i = 1; i < BUFFERS; i++)
		if (ctx->buffers[i].size && ctx->buffers[i].offset < offset + size &&
		    offset < ctx->buffers[i].offset + ctx->buffers[i].size)
			return true;
	return false;
}

/* The lowest place, so that what is freed is soon somebody else's. */
static int bo_create(struct context *ctx, struct pto_ioc_bo_create *arg)
{
	uint64_t size = (arg->length + PAGE - 1) & ~(uint64_t)(PAGE - 1), offset;
	int id;

	if (!arg->length)
		return -EINVAL;
	for (id = 1; id < BUFFERS && ctx->buffers[id].size; id++)
		;
	for (offset = 0; offset < REHEARSED_MEMORY && overlaps(ctx, offset, size); offset += PAGE)
		;
	if (id == BUFFERS || size > REHEARSED_MEMORY || offset > REHEARSED_MEMORY - size)
		return -ENOMEM;
	ctx->buffers[id] = (struct buffer){ .size = size, .offset = offset };
	memset(ctx->memory + offset, 0, size);
	arg->id = id;
	arg->device_addr = REHEARSED_BASE + offset;
	arg->mmap_offset = offset;
	rehearsal.buffers++;
	rehearsal.buffer_bytes += size;
	return 0;
}

static struct buffer *buffer(struct context *ctx, uint32_t id)
{
	return id && id < BUFFERS && ctx->buffers[id].size ? &ctx->buffers[id] : NULL;
}

static int bo_info(struct context *ctx, struct pto_ioc_bo_info *arg)
{
	const struct buffer *buf = buffer(ctx, arg->id);

	if (!buf)
		return -ENOENT;
	arg->length = buf->size;
	arg->device_addr = REHEARSED_BASE + buf->offset;
	arg->mmap_offset = buf->offset;
	return 0;
}

static int bo_destroy(struct context *ctx, const struct pto_ioc_bo_destroy *arg)
{
	struct buffer *buf = buffer(ctx, arg->id);

	if (!buf)
		return -ENOENT;
	memset(ctx->memory + buf->offset, FREED, buf->size);
	rehearsal.buffers--;
	rehearsal.buffer_bytes -= buf->size;
	buf->size = 0;
	return 0;
}

/* Descriptors are numbers, and what is imported is memory of the same size. */
static int bo_export(struct context *ctx, struct pto_ioc_bo_export *arg)
{
	if (!buffer(ctx, arg->id))
		return -ENOENT;
	arg->fd = REHEARSED_FD + (int)arg->id;
	return 0;
}

static int bo_import(struct context *ctx, struct pto_ioc_bo_import *arg)
{
	const struct buffer *buf = buffer(ctx, (uint32_t)(arg->fd - REHEARSED_FD));
	struct pto_ioc_bo_create create = { .size = sizeof(create) };
	int err;

	if (!buf)
		return -EBADF;
	create.length = buf->size;
	err = bo_create(ctx, &create);
	arg->id = create.id;
	arg->length = create.length;
	arg->device_addr = create.device_addr;
	arg->mmap_offset = create.mmap_offset;
	return err;
}

static bool within(const struct buffer *buf, uint64_t offset, uint64_t size)
{
	return buf && offset <= buf->size && size <= buf->size - offset;
}

static int bo_copy(struct context *ctx, const struct pto_ioc_bo_copy *arg)
{
	const struct buffer *src = buffer(ctx, arg->src_id), *dst = buffer(ctx, arg->dst_id);
	char *from = (char *)(uintptr_t)arg->user_ptr, *to = from;

	if (arg->src_id) {
		if (!within(src, arg->src_offset, arg->length))
			return -EINVAL;
		from = ctx->memory + src->offset + arg->src_offset;
	}
	if (arg->dst_id) {
		if (!within(dst, arg->dst_offset, arg->length))
			return -EINVAL;
		to = ctx->memory + dst->offset + arg->dst_offset;
	}
	memmove(to, from, arg->length);
	return 0;
}

void *rehearsal_memory(uint32_t id, uint64_t offset, uint64_t size)
{
	const struct buffer *buf = buffer(current, id);

	return within(buf, offset, size) ? current->memory + buf->offset + offset : NULL;
}

void *rehearsal_at(uint64_t addr, uint64_t size)
{
	if (addr < REHEARSED_BASE || addr - REHEARSED_BASE > REHEARSED_MEMORY ||
	    size > REHEARSED_MEMORY - (addr - REHEARSED_BASE))
		return NULL;
	return current->memory + (addr - REHEARSED_BASE);
}

/* --- images and callables -------------------------------------------------------- */

static int image_create(struct context *ctx, struct pto_ioc_image_create *arg)
{
	int id;

	for (id = 1; id < IMAGES && ctx->images[id]; id++)
		;
	if (id == IMAGES)
		return -ENOSPC;
	ctx->images[id] = true;
	arg->id = id;
	rehearsal.images++;
	return 0;
}

static int image_destroy(struct context *ctx, const struct pto_ioc_image_destroy *arg)
{
	if (!arg->id || arg->id >= IMAGES || !ctx->images[arg->id])
		return -ENOENT;
	ctx->images[arg->id] = false;
	rehearsal.images--;
	return 0;
}

static int prepare(struct context *ctx, struct pto_ioc_prepare *arg)
{
	const struct pto_kernel *kernels = (void *)(uintptr_t)arg->kernels_ptr;
	int cid = arg->cid;
	uint32_t i;

	for (i = 0; i < arg->kernel_count; i++)
		if (kernels[i].image >= IMAGES || !ctx->images[kernels[i].image])
			return -ENOENT;
	for (i = 0; cid < 0 && i < PTO_MAX_CALLABLES; i++)
		if (ctx->kernels[i] < 0)
			cid = i;
	if (cid < 0)
		return -ENOSPC;
	if (cid >= PTO_MAX_CALLABLES)
		return -EINVAL;
	if (ctx->kernels[cid] >= 0)
		return -EEXIST;
	ctx->kernels[cid] = arg->kernel_count;
	arg->cid = cid;
	arg->generation = ++ctx->generations[cid];
	rehearsal.callables++;
	return 0;
}

static int unprepare(struct context *ctx, const struct pto_ioc_unprepare *arg)
{
	if (arg->cid < 0 || arg->cid >= PTO_MAX_CALLABLES)
		return -EINVAL;
	rehearsal.callables -= ctx->kernels[arg->cid] >= 0;
	ctx->kernels[arg->cid] = -1;
	return 0;
}

int rehearsal_prepared(int cid)
{
	return current->kernels[cid];
}

/* The arena with these sizes; if there is none, that which makes room: the one used longest ago. */
static struct arena *arena_for(struct context *ctx, const uint64_t (*sizes)[PTO_RING_DEPTHS])
{
	struct arena *oldest = &ctx->arenas[0];
	int i;

	for (i = 0; i < ARENAS; i++) {
		struct arena *arena = &ctx->arenas[i];

		if (arena->id && !memcmp(arena->sizes, sizes, sizeof(arena->sizes)))
			return arena;
		if (arena->last_use < oldest->last_use)
			oldest = arena;
	}
	oldest->id = 0;
	return oldest;
}

static int prewarm(struct context *ctx, struct pto_ioc_prewarm *arg)
{
	uint64_t sizes[3][PTO_RING_DEPTHS];
	struct arena *arena;

	memcpy(sizes[0], arg->task_window, sizeof(sizes[0]));
	memcpy(sizes[1], arg->heap, sizeof(sizes[1]));
	memcpy(sizes[2], arg->dep_pool, sizeof(sizes[2]));
	arena = arena_for(ctx, sizes);
	if (!arena->id) {
		arena->id = ++rehearsal.arenas;
		memcpy(arena->sizes, sizes, sizeof(sizes));
	}
	arena->last_use = ++ctx->uses;
	arg->arena = arena->id;
	return 0;
}

static bool use_arena(struct context *ctx, uint32_t id)
{
	int i;

	for (i = 0; id && i < ARENAS; i++) {
		if (ctx->arenas[i].id != id)
			continue;
		ctx->arenas[i].last_use = ++ctx->uses;
		return true;
	}
	return !id;
}

void rehearsal_evict(void)
{
	memset(current->arenas, 0, sizeof(current->arenas));
}

/* --- streams and runs -------------------------------------------------------------- */

static struct stream *stream_of(struct context *ctx, uint64_t id)
{
	return id && id <= REHEARSED_STREAMS && ctx->streams[id].live ? &ctx->streams[id] : NULL;
}

static int stream_create(struct context *ctx, struct pto_ioc_stream_create *arg)
{
	uint32_t id;

	for (id = 2; id <= REHEARSED_STREAMS && ctx->streams[id].live; id++)
		;
	if (id > REHEARSED_STREAMS)
		return -ENOSPC;
	ctx->streams[id].live = true;
	ctx->streams[id].submitted = 0;
	ctx->streams[id].ended = 0;
	arg->id = id;
	rehearsal.streams++;
	return 0;
}

static int stream_destroy(struct context *ctx, const struct pto_ioc_stream_destroy *arg)
{
	struct stream *s = stream_of(ctx, arg->id);

	if (!s)
		return -ENOENT;
	if (s->submitted != s->ended)
		return -EBUSY;
	s->live = false;
	rehearsal.streams--;
	return 0;
}

static int stream_wait(struct context *ctx, const struct pto_ioc_stream_wait *arg)
{
	struct stream *s = stream_of(ctx, arg->id);

	if (!s)
		return -ENOENT;
	s->ended = s->submitted;
	return 0;
}

static int run_one(struct context *ctx, struct stream *s, const struct pto_run_entry *entry)
{
	uint64_t n = s->submitted % RUNS;

	if (entry->cid < 0 || entry->cid >= PTO_MAX_CALLABLES)
		return -EINVAL;
	if (ctx->kernels[entry->cid] < 0 || !use_arena(ctx, entry->arena) ||
	    (entry->generation && entry->generation != ctx->generations[entry->cid]))
		return -ENOENT;
	if (s->submitted - s->ended == rehearsal.info.stream_depth)
		return -EAGAIN;
	s->end[n] = rehearsal.end;
	s->user_data[n] = entry->user_data;
	s->start_ns[n] = rehearsal.now;
	s->submitted++;
	if (rehearsal.on_run)
		rehearsal.on_run(entry);
	if (!rehearsal.held && !rehearsal.mute)
		s->ended = s->submitted;
	return 0;
}

void rehearsal_end(uint32_t stream, unsigned int count)
{
	struct stream *s = stream_of(current, stream);

	must(s && count <= s->submitted - s->ended, "runs that are not in flight cannot end");
	s->ended += count;
}

unsigned int rehearsal_flying(uint32_t stream)
{
	struct stream *s = stream_of(current, stream);

	return s ? s->submitted - s->ended : 0;
}

/* The time passes while somebody waits. Return: whether the run has ended by then. */
static bool wait_until(struct stream *s, uint64_t seq, uint64_t deadline)
{
	if (s->ended >= seq)
		return true;
	if (deadline == PTO_WAIT_FOREVER) {
		must(!rehearsal.mute, "a wait without an end");
		s->ended = seq;
		return true;
	}
	if (deadline > rehearsal.now)
		rehearsal.now = deadline;
	return false;
}

static int wait_run(struct context *ctx, struct pto_ioc_wait *arg)
{
	struct stream *s = stream_of(ctx, arg->run >> 48);
	uint64_t seq = arg->run & ((1ull << 48) - 1), n = (seq - 1) % RUNS;
	const struct rehearsed_end *end;

	if (!s || !seq || seq > s->submitted)
		return -ENOENT;
	if (!wait_until(s, seq, arg->timeout_ns))
		return -ETIMEDOUT;
	if (s->ended - seq >= rehearsal.info.stream_depth) {
		rehearsal.lost_results++;
		return -ESTALE;
	}
	end = &s->end[n];
	arg->status = end->status;
	arg->code = end->code;
	arg->subcode = end->subcode;
	arg->user_data = s->user_data[n];
	arg->submit_ns = s->start_ns[n] - 1;
	arg->start_ns = s->start_ns[n];
	arg->end_ns = s->start_ns[n] + 1;
	arg->task = end->task;
	arg->func_id = end->func_id;
	arg->core = end->core;
	if (end->status && arg->log_ptr && arg->log_size)
		snprintf((char *)(uintptr_t)arg->log_ptr, arg->log_size, "%s",
			 end->log ? end->log : "");
	return 0;
}

static int run(struct context *ctx, struct pto_ioc_run *arg)
{
	const struct pto_run_entry *entries = (void *)(uintptr_t)arg->entries_ptr;
	struct pto_ioc_wait *wait = (void *)(uintptr_t)arg->wait_ptr;
	struct stream *s = stream_of(ctx, arg->stream);
	int err;

	if (!s)
		return -ENOENT;
	if (wait && !(rehearsal.info.features & PTO_FEATURE_RUN_WAIT))
		return -E2BIG;
	err = run_one(ctx, s, &entries[0]);
	if (err)
		return err;
	arg->accepted = 1;
	arg->first_id = (uint64_t)arg->stream << 48 | s->submitted;
	if (wait) {
		wait->run = arg->first_id;
		arg->wait_error = wait_run(ctx, wait);
	}
	return 0;
}

/* --- the rest ---------------------------------------------------------------------- */

static int answer(struct pto_ioc_query *arg, const void *data, uint32_t size)
{
	memcpy((void *)(uintptr_t)arg->data_ptr, data,
	       size < arg->data_size ? size : arg->data_size);
	arg->data_size = size;
	return 0;
}

static int query(struct pto_ioc_query *arg)
{
	struct pto_context_stats stats = { .size = sizeof(stats) };
	struct pto_device_usage usage = { .size = sizeof(usage) };

	switch (arg->item) {
	case PTO_QUERY_DEVICE:
		return answer(arg, &rehearsal.info, rehearsal.info.size);
	case PTO_QUERY_CONTEXT:
		stats.progress = rehearsal.progress;
		return answer(arg, &stats, sizeof(stats));
	case PTO_QUERY_USAGE:
		usage.memory_size = REHEARSED_MEMORY;
		usage.memory_used = REHEARSED_MEMORY - PAGE;
		return answer(arg, &usage, sizeof(usage));
	default:
		return -EOPNOTSUPP;
	}
}

static int execute(struct context *ctx, unsigned long nr, void *arg)
{
	switch (nr) {
	case PTO_QUERY:
		return query(arg);
	case PTO_BO_CREATE:
		return bo_create(ctx, arg);
	case PTO_BO_INFO:
		return bo_info(ctx, arg);
	case PTO_BO_DESTROY:
		return bo_destroy(ctx, arg);
	case PTO_BO_COPY:
		return bo_copy(ctx, arg);
	case PTO_BO_EXPORT:
		return bo_export(ctx, arg);
	case PTO_BO_IMPORT:
		return bo_import(ctx, arg);
	case PTO_STREAM_CREATE:
		return stream_create(ctx, arg);
	case PTO_STREAM_DESTROY:
		return stream_destroy(ctx, arg);
	case PTO_STREAM_WAIT:
		return stream_wait(ctx, arg);
	case PTO_IMAGE_CREATE:
		return image_create(ctx, arg);
	case PTO_IMAGE_DESTROY:
		return image_destroy(ctx, arg);
	case PTO_PREPARE:
		return prepare(ctx, arg);
	case PTO_UNPREPARE:
		return unprepare(ctx, arg);
	case PTO_PREWARM:
		return prewarm(ctx, arg);
	case PTO_RUN:
		return run(ctx, arg);
	case PTO_WAIT:
		return wait_run(ctx, arg);
	case PTO_CTX_RESET:
		return 0;
	default:
		return -ENOTTY;
	}
}

static bool ends_something(unsigned long nr)
{
	return nr == PTO_BO_DESTROY || nr == PTO_IMAGE_DESTROY || nr == PTO_STREAM_DESTROY ||
	       nr == PTO_UNPREPARE;
}

static int call(struct context *ctx, unsigned long nr, void *arg)
{
	int err;

	rehearsal.calls[_IOC_NR(nr)]++;
	rehearsal.all_calls++;
	rehearsal.now++;
	current = ctx;
	if (rehearsal.fail_at && !ends_something(nr) && !--rehearsal.fail_at)
		return -rehearsal.fail_with;
	err = rehearsal.refuse ? rehearsal.refuse(nr, arg) : 0;
	return err ? err : execute(ctx, nr, arg);
}

unsigned int rehearsal_calls(unsigned long nr)
{
	return rehearsal.calls[_IOC_NR(nr)];
}

void rehearsal_begin(void)
{
	must(!rehearsal.contexts, "a context is still open");
	rehearsal = (struct rehearsal){
		.devices = 1,
		.now = 1000000000000ull,
		.fail_with = EIO,
		.end = { .task = ~0ull, .func_id = ~0u, .core = ~0u },
		.info = {
			.size = sizeof(rehearsal.info),
			.arch = PTO_ARCH_A2A3,
			.features = PTO_FEATURE_RUN_WAIT | PTO_FEATURE_HOST_GRAPH,
			.cluster_count = 24,
			.aic_count = 24,
			.aiv_count = 48,
			.max_streams = REHEARSED_STREAMS,
			.stream_depth = REHEARSED_DEPTH,
			.max_callables = PTO_MAX_CALLABLES,
			.max_func_id = PTO_MAX_FUNC_ID,
			.max_arenas = ARENAS,
			.page_size = PAGE,
			.memory_size = REHEARSED_MEMORY,
			.memory_base = REHEARSED_BASE,
			.default_timeout_ns = 50000000000ull,
			.arch_name = "a2a3",
		},
	};
}

/* --- what the library calls ---------------------------------------------------------- */

/* N of /dev/ptoN, -1 if that is not what the path is. */
static int device_of(const char *path)
{
	char rest;
	int n;

	return sscanf(path, "/dev/pto%d%c", &n, &rest) == 1 && n >= 0 ? n : -1;
}

static int open_rehearsed(int device, int flags)
{
	struct context *ctx;
	int i;

	rehearsal.opened = device;
	if (rehearsal.open_error) {
		errno = rehearsal.open_error;
		rehearsal.open_error = 0;
		return -1;
	}
	if (device >= 64 || !(rehearsal.devices >> device & 1)) {
		errno = ENOENT;
		return -1;
	}
	for (i = 0; i < CONTEXTS && contexts[i].fd >= 0; i++)
		;
	must(i < CONTEXTS, "too many contexts");
	ctx = &contexts[i];
	memset(ctx, 0, sizeof(*ctx));
	memset(ctx->kernels, -1, sizeof(ctx->kernels));
	ctx->streams[PTO_STREAM_DEFAULT].live = true;
	ctx->fd = memfd_create("pto-rehearsal", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	must(ctx->fd >= 0 && !ftruncate(ctx->fd, REHEARSED_MEMORY), "no memfd");
	ctx->memory = mmap(NULL, REHEARSED_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, ctx->fd, 0);
	must(ctx->memory != MAP_FAILED, "no mapping");
	rehearsal.contexts++;
	current = ctx;
	return ctx->fd;
}

/* What is left in it has gone with it. */
static void close_rehearsed(struct context *ctx)
{
	int i;

	for (i = 1; i < BUFFERS; i++) {
		rehearsal.buffers -= !!ctx->buffers[i].size;
		rehearsal.buffer_bytes -= ctx->buffers[i].size;
	}
	for (i = 1; i < IMAGES; i++)
		rehearsal.images -= ctx->images[i];
	for (i = 0; i < PTO_MAX_CALLABLES; i++)
		rehearsal.callables -= ctx->kernels[i] >= 0;
	for (i = 2; i <= REHEARSED_STREAMS; i++)
		rehearsal.streams -= ctx->streams[i].live;
	munmap(ctx->memory, REHEARSED_MEMORY);
	ctx->fd = -1;
	rehearsal.contexts--;
}

/* The next definition of a function, asked for once. */
#define NEXT(name) ({ \
	static __typeof__(name) *next_; \
	if (!next_) \
		next_ = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
	next_; \
})

__attribute__((visibility("default"))) int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (rehearsal.now && device_of(path) >= 0)
		return open_rehearsed(device_of(path), flags);
	return NEXT(open)(path, flags, mode);
}

__attribute__((visibility("default"))) int close(int fd)
{
	struct context *ctx = context_of(fd);

	if (ctx)
		close_rehearsed(ctx);
	return NEXT(close)(fd);
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long nr, ...)
{
	struct context *ctx = context_of(fd);
	va_list args;
	void *arg;
	int err;

	va_start(args, nr);
	arg = va_arg(args, void *);
	va_end(args);
	if (!ctx)
		return NEXT(ioctl)(fd, nr, arg);
	err = call(ctx, nr, arg);
	if (err)
		errno = -err;
	return err ? -1 : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
	if (!rehearsal.now || rehearsal.real_time || id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, now);
	now->tv_sec = rehearsal.now / PT_SECOND;
	now->tv_nsec = rehearsal.now % PT_SECOND;
	return 0;
}
