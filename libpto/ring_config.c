// SPDX-License-Identifier: MIT
/*
 * Ring configurations and the ids of their arenas. A run's own sizes take precedence over the
 * environment's, and these over the driver's defaults.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

/* Bytes of the first version of struct pto_ring_config */
#define RINGS_MIN	(3 * PTO_RING_DEPTHS * sizeof(uint64_t))

/**
 * struct limit - limits of the sizes of one kind; a size of 0 selects the default
 * @field: name of the sizes in struct pto_ring_config
 * @variable: name of the environment variable
 * @offset: offset of the sizes in struct pto_ring_config
 * @min: smallest size
 * @max: largest size
 * @power: only powers of two are allowed
 * @rule: the limits as text
 *
 * The limits are those of struct pto_ioc_prewarm; the driver checks them again.
 */
struct limit {
	const char *field;
	const char *variable;
	size_t offset;
	uint64_t min;
	uint64_t max;
	bool power;
	const char *rule;
};

enum { WINDOW, HEAP, POOL, KINDS };

static const struct limit limits[KINDS] = {
	[WINDOW] = {
		"task_window", "PTO_RING_TASK_WINDOW",
		offsetof(struct pto_ring_config, task_window), 4, INT32_MAX, true,
		"task windows are powers of two in [4, 2^31)",
	},
	[HEAP] = {
		"heap", "PTO_RING_HEAP", offsetof(struct pto_ring_config, heap), 1024, UINT64_MAX,
		false, "heaps are at least 1024 bytes",
	},
	[POOL] = {
		"dep_pool", "PTO_RING_DEP_POOL", offsetof(struct pto_ring_config, dep_pool), 4,
		INT32_MAX, false, "dependency pools are in [4, 2^31)",
	},
};

/* The sizes of one kind for all depths. */
static uint64_t *sizes_of(struct pto_ring_config *rings, const struct limit *limit)
{
	return (uint64_t *)(void *)((char *)rings + limit->offset);
}

static bool within(const struct limit *limit, uint64_t size)
{
	return !size || (size >= limit->min && size <= limit->max &&
			 !(limit->power && (size & (size - 1))));
}

/* The first depth whose size is not within the limit, PTO_RING_DEPTHS if there is none. */
static int first_beyond(const struct limit *limit, const uint64_t *sizes)
{
	int depth = 0;

	while (depth < PTO_RING_DEPTHS && within(limit, sizes[depth]))
		depth++;
	return depth;
}

static bool heaps_overflow(const uint64_t *heaps)
{
	uint64_t sum = 0;

	for (int i = 0; i < PTO_RING_DEPTHS; i++)
		if (__builtin_add_overflow(sum, heaps[i] ? heaps[i] : PTO_DEFAULT_HEAP, &sum))
			return true;
	return false;
}

/* Parse a size: digits, optionally followed by K, M or G. Moves *@text behind it. */
static int parse_size(const char **text, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	if (errno)
		return -EOVERFLOW;
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
		return -EOVERFLOW;
	*value <<= shift;
	*text = end;
	return 0;
}

/* Parse one size for all depths, or PTO_RING_DEPTHS sizes separated by commas. */
static int parse_depths(const char **text, uint64_t *sizes)
{
	unsigned int count = 0;
	int rc;

	do {
		if (count == PTO_RING_DEPTHS)
			return -EINVAL;
		rc = parse_size(text, &sizes[count]);
		if (rc)
			return rc;
		count++;
	} while (**text == ',' && (*text)++);
	if (count != 1 && count != PTO_RING_DEPTHS)
		return -EINVAL;
	while (count < PTO_RING_DEPTHS)
		sizes[count++] = sizes[0];
	return 0;
}

/* Check the sizes of an environment variable. */
static int env_check(const struct limit *limit, const char *text, const uint64_t *sizes,
		     char *error, size_t size)
{
	int depth = first_beyond(limit, sizes);

	if (depth < PTO_RING_DEPTHS) {
		snprintf(error, size, "%s=%.60s: %llu for depth %d: %s", limit->variable, text,
			 (unsigned long long)sizes[depth], depth, limit->rule);
		return -EINVAL;
	}
	if (limit == &limits[HEAP] && heaps_overflow(sizes)) {
		snprintf(error, size, "%s=%.60s: the heaps together are 2^64 bytes or more",
			 limit->variable, text);
		return -EOVERFLOW;
	}
	return 0;
}

/* The sizes of one kind from the environment, if it has any. */
static int env_sizes(struct pto_ring_config *rings, const struct limit *limit, char *error,
		     size_t size)
{
	const char *text = getenv(limit->variable), *p = text;
	uint64_t *sizes = sizes_of(rings, limit);
	int rc;

	if (!text || !*text)
		return 0;
	rc = parse_depths(&p, sizes);
	if (!rc && *p)
		rc = -EINVAL;
	if (!rc)
		return env_check(limit, text, sizes, error, size);
	if (rc == -EOVERFLOW)
		snprintf(error, size, "%s=%.60s: a size is less than 2^64", limit->variable, text);
	else
		snprintf(error, size,
			 "%s=%.60s: neither a size nor %u sizes with commas between (such as 4096 or 64K,64K,16K,16K)",
			 limit->variable, text, PTO_RING_DEPTHS);
	return rc;
}

/*
 * Parse a configuration: task window, heap and dependency pool, separated by colons. Missing parts
 * are taken from the environment, or are the defaults. A semicolon ends a configuration.
 */
static bool parse_config(const char **text, struct pto_ring_config *rings)
{
	memset(rings, 0, sizeof(*rings));
	for (int i = 0; i < KINDS; i++) {
		if (!strchr(":;", **text) && parse_depths(text, sizes_of(rings, &limits[i])))
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
	int rc = 0;

	memset(rings, 0, sizeof(*rings));
	for (int i = 0; i < KINDS && !rc; i++)
		rc = env_sizes(rings, &limits[i], error, size);
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
	const struct pto_device_info *info = &ctx->info;

	resolve(out, rings, &ctx->env_rings);
	for (int i = 0; i < PTO_RING_DEPTHS; i++) {
		if (!out->task_window[i])
			out->task_window[i] = info->default_task_window ?: PTO_DEFAULT_TASK_WINDOW;
		if (!out->heap[i])
			out->heap[i] = info->default_heap ?: PTO_DEFAULT_HEAP;
		if (!out->dep_pool[i])
			out->dep_pool[i] = info->default_dep_pool ?: PTO_DEFAULT_DEP_POOL;
	}
}

/*
 * Check a resolved configuration. The sizes of the environment were checked when the context was
 * opened.
 */
static int check(struct pto_context *ctx, struct pto_ring_config *rings)
{
	for (int i = 0; i < KINDS; i++) {
		const uint64_t *sizes = sizes_of(rings, &limits[i]);
		int depth = first_beyond(&limits[i], sizes);

		if (depth < PTO_RING_DEPTHS)
			return pto_fail(ctx, -EINVAL, "ring sizes: %s[%d] is %llu: %s",
					limits[i].field, depth, (unsigned long long)sizes[depth],
					limits[i].rule);
	}
	if (heaps_overflow(rings->heap))
		return pto_fail(ctx, -EOVERFLOW,
				"ring sizes: heap: the heaps together are 2^64 bytes or more");
	return 0;
}

static int prewarm(struct pto_context *ctx, struct pto_ring_config *rings, uint32_t *arena)
{
	char log[PTO_LOG_SIZE] = "";
	struct pto_ioc_prewarm arg = {
		.size = sizeof(arg),
		.log_ptr = (uintptr_t)log,
		.log_size = sizeof(log),
	};
	int rc = check(ctx, rings);

	if (rc)
		return rc;
	memcpy(arg.task_window, rings->task_window, sizeof(arg.task_window));
	memcpy(arg.heap, rings->heap, sizeof(arg.heap));
	memcpy(arg.dep_pool, rings->dep_pool, sizeof(arg.dep_pool));
	rc = pto_ioctl(ctx, PTO_PREWARM, &arg);
	if (rc == -E2BIG) {
		arg.size = offsetof(struct pto_ioc_prewarm, log_ptr);
		rc = pto_ioctl(ctx, PTO_PREWARM, &arg);
	}
	if (rc == -ENOMEM && *log)
		return pto_fail(ctx, rc, "ring sizes: %s", log);
	if (rc == -ENOMEM)
		return pto_fail_room(ctx, "an arena of the ring sizes asked for", 0);
	if (rc)
		return pto_fail(ctx, rc, "making the arena of a ring configuration: %s",
				pto_errno_name(rc));
	*arena = arg.arena;
	return 0;
}

/* Under ctx->lock. Return: the entry of the configuration; or NULL. */
static struct pto_arena_id *find_entry(struct pto_context *ctx,
				       const struct pto_ring_config *rings)
{
	for (int i = 0; i < PTO_ARENA_IDS; i++)
		if (ctx->arenas[i].id && !memcmp(&ctx->arenas[i].rings, rings, sizeof(*rings)))
			return &ctx->arenas[i];
	return NULL;
}

/* Under ctx->lock. Return: a free entry, or else the least recently used one. */
static struct pto_arena_id *oldest_entry(struct pto_context *ctx)
{
	struct pto_arena_id *oldest = &ctx->arenas[0];

	for (int i = 1; i < PTO_ARENA_IDS; i++)
		if (ctx->arenas[i].last_use < oldest->last_use)
			oldest = &ctx->arenas[i];
	return oldest;
}

/* Return: 0 if the configuration is not known. */
static uint32_t recall_arena(struct pto_context *ctx, const struct pto_ring_config *rings)
{
	struct pto_arena_id *entry;
	uint32_t arena = 0;

	pthread_mutex_lock(&ctx->lock);
	entry = find_entry(ctx, rings);
	if (entry) {
		entry->last_use = ++ctx->arena_uses;
		arena = entry->id;
	}
	pthread_mutex_unlock(&ctx->lock);
	return arena;
}

/*
 * The driver evicts the least recently used of its arenas, too. There are fewer of them than
 * entries here, so the ids of all arenas that it keeps are known.
 */
static void remember_arena(struct pto_context *ctx, const struct pto_ring_config *rings,
			   uint32_t arena)
{
	struct pto_arena_id *entry;

	pthread_mutex_lock(&ctx->lock);
	entry = find_entry(ctx, rings);
	if (!entry)
		entry = oldest_entry(ctx);
	entry->rings = *rings;
	entry->id = arena;
	entry->last_use = ++ctx->arena_uses;
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
	*arena = recall_arena(ctx, &resolved);
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
	for (int i = 0; i < PTO_ARENA_IDS; i++) {
		if (ctx->arenas[i].id != arena)
			continue;
		ctx->arenas[i].id = 0;
		ctx->arenas[i].last_use = 0;
	}
	pthread_mutex_unlock(&ctx->lock);
}

int pto_take_rings(const struct pto_context *ctx, const struct pto_ring_config *rings, size_t size,
		   struct pto_ring_config *out)
{
	int rc = pto_take(out, sizeof(*out), rings, size ? size : RINGS_MIN, RINGS_MIN);

	if (rc == -EINVAL)
		return pto_fail(ctx, rc, "a struct pto_ring_config of %zu bytes; %zu are the least",
				size, RINGS_MIN);
	if (rc)
		return pto_fail(ctx, rc,
				"the ring configuration has fields that this library does not know");
	return 0;
}

static int prewarm_given(struct pto_context *ctx, const struct pto_ring_config *rings, size_t size)
{
	struct pto_ring_config known, resolved;
	uint32_t arena;
	int rc = 0;

	if (rings)
		rc = pto_take_rings(ctx, rings, size, &known);
	if (rc)
		return rc;
	resolve(&resolved, rings ? &known : NULL, &ctx->env_rings);
	rc = prewarm(ctx, &resolved, &arena);
	if (!rc && !all_default(&resolved))
		remember_arena(ctx, &resolved, arena);
	return rc;
}

PTO_API int pto_prewarm_sized(struct pto_context *ctx, const struct pto_ring_config *rings,
			      size_t size)
{
	int rc = pto_enter(ctx);

	return rc ? rc : pto_end(ctx, prewarm_given(ctx, rings, size));
}
