// SPDX-License-Identifier: MIT
/*
 * Ring configurations: a run's own sizes over the environment's over the driver's
 * defaults, and the arenas that the driver has made of them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

/* One size: digits, then K, M or G if wanted. Moves *@text behind it. */
static bool parse_size(const char **text, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (errno)
		return false;
	switch (*end) {
	case 'G':
		shift += 10;
		/* fall through */
	case 'M':
		shift += 10;
		/* fall through */
	case 'K':
		shift += 10;
		end++;
	}
	if (*value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	*text = end;
	return true;
}

/* One size for all depths, or PTO_RING_DEPTHS of them with commas between. */
static bool parse_depths(const char **text, uint64_t *sizes)
{
	unsigned int count = 0;

	do {
		if (count == PTO_RING_DEPTHS || !parse_size(text, &sizes[count]))
			return false;
		count++;
	} while (**text == ',' && (*text)++);
	if (count != 1 && count != PTO_RING_DEPTHS)
		return false;
	while (count < PTO_RING_DEPTHS)
		sizes[count++] = sizes[0];
	return true;
}

static int parse_sizes(const char *name, uint64_t *sizes, char *error, size_t size)
{
	const char *text = getenv(name), *p = text;

	if (!text || !*text || (parse_depths(&p, sizes) && !*p))
		return 0;
	snprintf(error, size,
		 "%s=%.60s: neither a size nor %u sizes with commas between (such as 4096 or 64K,64K,16K,16K)",
		 name, text, PTO_RING_DEPTHS);
	return -EINVAL;
}

/*
 * Configurations with semicolons between; each is task window, heap and dependency pool with
 * colons between. What is left out is the environment's, or the default.
 */
static bool parse_config(const char **text, struct pto_ring_config *rings)
{
	uint64_t *fields[] = { rings->task_window, rings->heap, rings->dep_pool };

	memset(rings, 0, sizeof(*rings));
	for (int i = 0; i < 3; i++) {
		if (!strchr(":;", **text) && !parse_depths(text, fields[i]))
			return false;
		if (**text != ':')
			break;
		(*text)++;
	}
	return !**text || **text == ';';
}

int pto_rings_prewarm_env(struct pto_context *ctx, char *error, size_t size)
{
	const char *text = getenv("PTO_PREWARM"), *p = text;
	struct pto_ring_config rings;
	unsigned int count = 0;
	int rc;

	if (!text || !*text)
		return 0;
	do {
		if (++count > ctx->info.max_arenas || !parse_config(&p, &rings)) {
			snprintf(error, size,
				 "PTO_PREWARM=%.60s: not up to %u of WINDOW:HEAP:POOL with semicolons between (such as 64:4M:256;4096:64M)",
				 text, ctx->info.max_arenas);
			return -EINVAL;
		}
		rc = pto_prewarm(ctx, &rings);
		if (rc) {
			snprintf(error, size, "PTO_PREWARM=%.60s: configuration %u: %.160s", text,
				 count, pto_context_error(ctx));
			return rc;
		}
	} while (*p == ';' && p++);
	return 0;
}

int pto_rings_from_env(struct pto_ring_config *rings, char *error, size_t size)
{
	int rc;

	memset(rings, 0, sizeof(*rings));
	rc = parse_sizes("PTO_RING_TASK_WINDOW", rings->task_window, error, size);
	if (!rc)
		rc = parse_sizes("PTO_RING_HEAP", rings->heap, error, size);
	if (!rc)
		rc = parse_sizes("PTO_RING_DEP_POOL", rings->dep_pool, error, size);
	return rc;
}

static bool all_default(const struct pto_ring_config *rings)
{
	for (int i = 0; i < PTO_RING_DEPTHS; i++)
		if (rings->task_window[i] || rings->heap[i] || rings->dep_pool[i])
			return false;
	return true;
}

static void resolve(struct pto_ring_config *out, const struct pto_ring_config *over,
		    const struct pto_ring_config *under)
{
	*out = *under;
	for (int i = 0; over && i < PTO_RING_DEPTHS; i++) {
		if (over->task_window[i])
			out->task_window[i] = over->task_window[i];
		if (over->heap[i])
			out->heap[i] = over->heap[i];
		if (over->dep_pool[i])
			out->dep_pool[i] = over->dep_pool[i];
	}
}

void pto_rings_resolve(const struct pto_context *ctx, const struct pto_ring_config *rings,
		       struct pto_ring_config *out)
{
	resolve(out, rings, &ctx->env_rings);
	for (int i = 0; i < PTO_RING_DEPTHS; i++) {
		if (!out->task_window[i])
			out->task_window[i] = PTO_DEFAULT_TASK_WINDOW;
		if (!out->heap[i])
			out->heap[i] = PTO_DEFAULT_HEAP;
		if (!out->dep_pool[i])
			out->dep_pool[i] = PTO_DEFAULT_DEP_POOL;
	}
}

static int prewarm(struct pto_context *ctx, const struct pto_ring_config *rings, uint32_t *arena)
{
	struct pto_prewarm arg = { .size = sizeof(arg) };
	int rc;

	memcpy(arg.task_window, rings->task_window, sizeof(arg.task_window));
	memcpy(arg.heap, rings->heap, sizeof(arg.heap));
	memcpy(arg.dep_pool, rings->dep_pool, sizeof(arg.dep_pool));
	rc = pto_ioctl(ctx, PTO_PREWARM, &arg);
	if (rc == -EINVAL)
		return pto_fail(ctx, rc,
				"ring sizes: task windows are powers of two in [4, 2^31), heaps at least 1024 bytes, dependency pools in [4, 2^31)");
	if (rc)
		return pto_fail(ctx, rc, "making the arena of a ring configuration: %s",
				pto_errno_name(rc));
	*arena = arg.arena;
	return 0;
}

/* Under ctx->lock. 0 if the configuration is not known. */
static uint32_t find_arena(const struct pto_context *ctx, const struct pto_ring_config *rings)
{
	for (int i = 0; i < PTO_ARENA_IDS; i++)
		if (ctx->arenas[i].id && !memcmp(&ctx->arenas[i].rings, rings, sizeof(*rings)))
			return ctx->arenas[i].id;
	return 0;
}

static void remember_arena(struct pto_context *ctx, const struct pto_ring_config *rings,
			   uint32_t arena)
{
	struct pto_arena_id *slot;

	pthread_mutex_lock(&ctx->lock);
	if (!find_arena(ctx, rings)) {
		slot = &ctx->arenas[ctx->next_arena++ % PTO_ARENA_IDS];
		slot->rings = *rings;
		slot->id = arena;
	}
	pthread_mutex_unlock(&ctx->lock);
}

int pto_rings_arena(struct pto_context *ctx, const struct pto_ring_config *rings, uint32_t *arena)
{
	struct pto_ring_config resolved;
	int rc;

	resolve(&resolved, rings, &ctx->env_rings);
	*arena = 0;
	if (all_default(&resolved))
		return 0;
	pthread_mutex_lock(&ctx->lock);
	*arena = find_arena(ctx, &resolved);
	pthread_mutex_unlock(&ctx->lock);
	if (*arena)
		return 0;
	rc = prewarm(ctx, &resolved, arena);
	if (!rc)
		remember_arena(ctx, &resolved, *arena);
	return rc;
}

void pto_rings_forget(struct pto_context *ctx, uint32_t arena)
{
	pthread_mutex_lock(&ctx->lock);
	for (int i = 0; i < PTO_ARENA_IDS; i++)
		if (ctx->arenas[i].id == arena)
			ctx->arenas[i].id = 0;
	pthread_mutex_unlock(&ctx->lock);
}

PTO_API int pto_prewarm(struct pto_context *ctx, const struct pto_ring_config *rings)
{
	struct pto_ring_config resolved;
	uint32_t arena;
	int rc = pto_check(ctx);

	if (rc)
		return rc;
	resolve(&resolved, rings, &ctx->env_rings);
	rc = prewarm(ctx, &resolved, &arena);
	if (!rc && !all_default(&resolved))
		remember_arena(ctx, &resolved, arena);
	return rc;
}
