// SPDX-License-Identifier: MIT
/*
 * Contexts: opening and closing a device, queries, and the checks at the beginning of each call.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pto_private.h"

static unsigned int last_serial;	/* atomic; serial of the newest context */

#define SLOW_PAUSES	1024u	/* after so many milliseconds, a wait for users is logged */
#define RESET_PAUSES	64u	/* most milliseconds between two resets of a context that closes */

int pto_check(const struct pto_context *ctx)
{
	if (pto_forked(ctx))
		return pto_fail(ctx, -ENODEV,
				"%s was opened before fork(); a child opens a context of its own",
				ctx->path);
	return 0;
}

int pto_closing(const struct pto_context *ctx)
{
	if (!__atomic_load_n(&ctx->closing, __ATOMIC_SEQ_CST))
		return 0;
	return pto_fail(ctx, -ENODEV, "%s: another thread closes the context", ctx->path);
}

/*
 * Sequentially consistent: either this sees @closing, or pto_close() sees the user. So @alive is
 * not looked at before.
 */
int pto_enter(struct pto_context *ctx)
{
	int rc;

	if (!ctx)
		return pto_fail_nowhere(-EINVAL, "no context");
	if (!pto_lives(&ctx->state, PTO_TYPE_CONTEXT))
		return pto_fail_freed(ctx->serial, "context");
	__atomic_fetch_add(&ctx->users, 1, __ATOMIC_SEQ_CST);
	rc = pto_closing(ctx);
	if (!rc)
		rc = pto_check(ctx);
	if (rc)
		pto_leave(ctx);
	return rc;
}

void pto_leave(struct pto_context *ctx)
{
	__atomic_fetch_sub(&ctx->users, 1, __ATOMIC_RELEASE);
}

int pto_end(struct pto_context *ctx, int rc)
{
	int closing = pto_closing(ctx);

	pto_leave(ctx);
	return closing ? closing : rc;
}

int pto_ioctl_once(const struct pto_context *ctx, unsigned long cmd, void *arg)
{
	int saved = errno, rc;

	rc = ioctl(ctx->fd, cmd, arg);
	if (rc < 0) {
		rc = -errno;
		errno = saved;
	}
	return rc;
}

int pto_ioctl(const struct pto_context *ctx, unsigned long cmd, void *arg)
{
	int rc;

	do {
		rc = pto_ioctl_once(ctx, cmd, arg);
	} while (rc == -EINTR);
	return rc;
}

uint64_t pto_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t pto_deadline(uint64_t timeout_ns)
{
	uint64_t ns;

	if (timeout_ns == PTO_FOREVER)
		return PTO_WAIT_FOREVER;
	if (!timeout_ns)
		return 0;
	ns = pto_now();
	return timeout_ns >= PTO_WAIT_FOREVER - ns ? PTO_WAIT_FOREVER : ns + timeout_ns;
}

/*
 * The kernel wipes this page in a forked child, which pto_forked() detects without a system call.
 */
static int make_fork_mark(struct pto_context *ctx)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *mark;

	mark = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mark == MAP_FAILED)
		return -errno;
	if (madvise(mark, page, MADV_WIPEONFORK)) {
		int rc = -errno;

		munmap(mark, page);
		return rc;
	}
	ctx->alive = mark;
	*ctx->alive = 1;
	return 0;
}

/* Its memory remains. */
static void empty_context(struct pto_context *ctx)
{
	if (ctx->fd >= 0)
		close(ctx->fd);
	if (ctx->alive)
		munmap(ctx->alive, sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&ctx->lock);
}

static struct pto_context *new_context(const char *path)
{
	struct pto_context *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return NULL;
	ctx->state = PTO_LIVE(PTO_TYPE_CONTEXT);
	ctx->fd = -1;
	do {
		ctx->serial = __atomic_add_fetch(&last_serial, 1, __ATOMIC_RELAXED);
	} while (!ctx->serial);
	snprintf(ctx->path, sizeof(ctx->path), "%s", path);
	pthread_mutex_init(&ctx->lock, NULL);
	return ctx;
}

static int open_device(struct pto_context *ctx, const char *path)
{
	char reason[160];

	ctx->fd = pto_open_node(path, &ctx->info, reason, sizeof(reason));
	return ctx->fd < 0 ? pto_fail_open(ctx->fd, "%s: %s", path, reason) : 0;
}

static int open_context(struct pto_context *ctx, const char *path)
{
	char text[300];
	int rc;

	rc = pto_rings_from_env(&ctx->env_rings, text, sizeof(text));
	if (rc)
		return pto_fail_open(rc, "%s", text);
	rc = open_device(ctx, path);
	if (rc)
		return rc;
	rc = pto_timeouts_from_env(ctx, text, sizeof(text));
	if (rc)
		return pto_fail_open(rc, "%s", text);
	rc = make_fork_mark(ctx);
	if (rc)
		return pto_fail_open(rc, "%s: no page to recognise fork() with: %s", path,
				     pto_errno_name(rc));
	rc = pto_stream_new(ctx, PTO_STREAM_DEFAULT, &ctx->default_stream);
	if (rc)
		return pto_fail_open(rc, "%s: out of memory", path);
	rc = pto_rings_prewarm_env(ctx, text, sizeof(text));
	return rc ? pto_fail_open(rc, "%s", text) : 0;
}

PTO_API int pto_open(const char *path, struct pto_context **out)
{
	PTO_KEEP_ERRNO;
	struct pto_context *ctx;
	int rc;

	if (!out)
		return pto_fail_open(-EINVAL, "pto_open(): no place for the context");
	if (!path)
		path = getenv("PTO_DEVICE");
	if (!path || !*path)
		path = "/dev/pto0";
	ctx = new_context(path);
	if (!ctx)
		return pto_fail_open(-ENOMEM, "%s: out of memory", path);
	rc = open_context(ctx, path);
	if (rc) {
		if (ctx->default_stream)
			pto_stream_drop(ctx->default_stream);
		empty_context(ctx);
		free(ctx);
		return rc;
	}
	*out = ctx;
	return 0;
}

PTO_API int pto_open_index(unsigned int index, struct pto_context **out)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/pto%u", index);
	return pto_open(path, out);
}

/* Is a thread in a call, or does one hold a handle? A thread that locks later sees @closing. */
static bool stream_in_use(struct pto_stream *stream)
{
	if (__atomic_load_n(&stream->users, __ATOMIC_SEQ_CST))
		return true;
	if (pthread_mutex_trylock(&stream->lock))
		return true;
	pthread_mutex_unlock(&stream->lock);
	for (const struct pto_run_handle *run = stream->handles; run; run = run->all)
		if (pto_handle_held(run))
			return true;
	return false;
}

/* Without users the list of streams does not change. */
static struct pto_stream *first_in_use(const struct pto_context *ctx)
{
	struct pto_stream *stream = ctx->streams;

	while (stream && !stream_in_use(stream))
		stream = stream->next;
	return stream;
}

/*
 * Another thread has not left yet: it may be stopped by a debugger, or execute an orchestration
 * that does not end. Its memory cannot be freed, so all that can be done is to say so: after 1024
 * pauses, and again whenever their number has doubled.
 */
static void say_who(struct pto_context *ctx, const struct pto_stream *stream, const char *call,
		    unsigned int pauses)
{
	char text[PTO_TEXT_SIZE], where[80] = "";
	int cid;

	if (pauses < SLOW_PAUSES || pauses & (pauses - 1))
		return;
	if (stream)
		snprintf(where, sizeof(where), " on stream %u", stream->id);
	cid = stream ? __atomic_load_n(&stream->building, __ATOMIC_RELAXED) - 1 : -1;
	if (cid >= 0)
		snprintf(where, sizeof(where), " on stream %u, in the orchestration of cid %d",
			 stream->id, cid);
	snprintf(text, sizeof(text),
		 "%s: %s has waited more than %u ms for a call of another thread%s", ctx->path,
		 call, pauses, where);
	pto_log_line(ctx, PTO_LOG_WARN, "library", text);
}

static void pause_shortly(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

void pto_await_users(struct pto_context *ctx, struct pto_stream *stream)
{
	for (unsigned int pauses = 1; stream_in_use(stream); pauses++) {
		pause_shortly();
		say_who(ctx, stream, "pto_stream_destroy()", pauses);
	}
}

/*
 * A reset ends the runs in flight, and so the waits for them. It is repeated while there are
 * users, because one may have submitted another run before it checked @closing. The time between
 * resets doubles up to RESET_PAUSES: a reset is expensive, and calls of the users wait for it.
 */
static void end_users(struct pto_context *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };
	struct pto_stream *stream = NULL;
	unsigned int pauses = 0, reset_at = 0;

	while (__atomic_load_n(&ctx->users, __ATOMIC_SEQ_CST) || (stream = first_in_use(ctx))) {
		if (pauses == reset_at) {
			pto_ioctl(ctx, PTO_CTX_RESET, &arg);
			reset_at += pauses < RESET_PAUSES ? pauses + 1 : RESET_PAUSES;
		}
		pause_shortly();
		say_who(ctx, stream, "pto_close()", ++pauses);
		stream = NULL;
	}
}

/*
 * In a forked child only memory is freed: the descriptor's number and the addresses of mappings
 * may have been reused.
 */
PTO_API void pto_close(struct pto_context *ctx)
{
	PTO_KEEP_ERRNO;
	bool forked;

	if (!ctx)
		return;
	if (__atomic_exchange_n(&ctx->closing, 1, __ATOMIC_SEQ_CST)) {
		pto_fail_freed(ctx->serial, "context");
		return;
	}
	forked = pto_forked(ctx);
	if (!forked)
		end_users(ctx);
	while (ctx->streams)
		pto_stream_drop(ctx->streams);
	while (ctx->buffers) {
		struct pto_buffer *buf = ctx->buffers;

		pto_end_life(&buf->state, PTO_TYPE_BUFFER);
		pto_buffer_drop(buf);
	}
	pto_host_close(ctx);
	if (forked)
		ctx->fd = -1;
	empty_context(ctx);
	pto_end_life(&ctx->state, PTO_TYPE_CONTEXT);
	pto_retire(ctx, PTO_TYPE_CONTEXT);
}

PTO_API int pto_context_fd(const struct pto_context *ctx)
{
	if (!pto_lives(&ctx->state, PTO_TYPE_CONTEXT))
		return pto_fail_freed(ctx->serial, "context");
	return ctx->fd;
}

static int ask(struct pto_context *ctx, uint32_t item, void *answer, size_t bytes)
{
	int rc;

	if (!answer)
		return pto_fail(ctx, -EINVAL, "%s: no place for the answer to a query", ctx->path);
	rc = pto_query_fd(ctx->fd, item, answer, bytes);
	if (rc == -EPERM)
		return pto_fail(ctx, rc,
				"%s: query of item %u: EPERM: what other contexts do is shown with CAP_PERFMON only",
				ctx->path, item);
	if (rc)
		return pto_fail(ctx, rc, "%s: query of item %u: %s", ctx->path, item,
				pto_errno_name(rc));
	return 0;
}

static int query(struct pto_context *ctx, uint32_t item, void *answer, size_t bytes)
{
	PTO_KEEP_ERRNO;
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, ask(ctx, item, answer, bytes));
}

PTO_API int pto_query_device_sized(struct pto_context *ctx, struct pto_device_info *info,
				   size_t size)
{
	return query(ctx, PTO_QUERY_DEVICE, info, size);
}

PTO_API int pto_query_stats_sized(struct pto_context *ctx, struct pto_context_stats *stats,
				  size_t size)
{
	return query(ctx, PTO_QUERY_CONTEXT, stats, size);
}

PTO_API int pto_query_usage_sized(struct pto_context *ctx, struct pto_device_usage *usage,
				  size_t size)
{
	return query(ctx, PTO_QUERY_USAGE, usage, size);
}

PTO_API void pto_set_log(struct pto_context *ctx, pto_log_fn fn, void *arg)
{
	if (pto_enter(ctx))
		return;
	pthread_mutex_lock(&ctx->lock);
	ctx->log = fn;
	ctx->log_arg = arg;
	pthread_mutex_unlock(&ctx->lock);
	pto_leave(ctx);
}

PTO_API int pto_reset(struct pto_context *ctx)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };
	int rc = pto_enter(ctx);

	if (rc)
		return rc;
	rc = pto_ioctl(ctx, PTO_CTX_RESET, &arg);
	if (rc)
		pto_fail(ctx, rc, "%s: reset: %s", ctx->path, pto_errno_name(rc));
	return pto_end(ctx, rc);
}
