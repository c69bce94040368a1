// SPDX-License-Identifier: MIT
/* ptoctl info: what a device is. ptoctl stats: what is in use on it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ptoctl.h"

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ PTO_FEATURE_UNIFIED, "unified" },	 { PTO_FEATURE_ISOLATED, "isolated" },
	{ PTO_FEATURE_SIMULATED, "simulated" },	 { PTO_FEATURE_DMABUF, "dmabuf" },
	{ PTO_FEATURE_FENCES, "fences" },	 { PTO_FEATURE_HOST_GRAPH, "host_graph" },
	{ PTO_FEATURE_RUN_WAIT, "run_wait" },
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

static void json_features(uint64_t bits)
{
	json_open("features", '[');
	for (size_t i = 0; i < FEATURES; i++)
		if (bits & features[i].bit)
			json_string(NULL, features[i].name);
	json_close(']');
}

static void json_name(const struct pto_device_info *info)
{
	char name[sizeof(info->name) + 1];

	snprintf(name, sizeof(name), "%.32s", (const char *)info->name);
	json_string("name", name);
}

void json_device(const struct pto_device_info *info)
{
	char text[32];

	json_string("arch", arch_name(info, text));
	json_name(info);
	json_u64("index", info->index);
	json_features(info->features);
	json_u64("cluster_count", info->cluster_count);
	json_u64("aic_count", info->aic_count);
	json_u64("aiv_count", info->aiv_count);
	json_u64("aicpu_threads", info->aicpu_threads);
	json_u64("worker_threads", info->worker_threads);
	json_u64("max_contexts", info->max_contexts);
	json_u64("max_streams", info->max_streams);
	json_u64("stream_depth", info->stream_depth);
	json_u64("max_callables", info->max_callables);
	json_u64("max_func_id", info->max_func_id);
	json_u64("max_arenas", info->max_arenas);
	json_u64("page_size", info->page_size);
	json_u64("memory_size", info->memory_size);
	snprintf(text, sizeof(text), "0x%" PRIx64, (uint64_t)info->memory_base);
	json_string("memory_base", text);
	json_u64("max_image_size", info->max_image_size);
	json_u64("default_heap", info->default_heap);
	json_u64("default_task_window", info->default_task_window);
	json_u64("default_dep_pool", info->default_dep_pool);
}

static void print_features(uint64_t bits)
{
	bool any = false;

	printf("%-18s", "features");
	for (size_t i = 0; i < FEATURES; i++) {
		if (!(bits & features[i].bit))
			continue;
		printf("%s%s", any ? ", " : "", features[i].name);
		any = true;
	}
	puts(any ? "" : "none");
}

static void print_info(const struct pto_device_info *info)
{
	char text[32];

	printf("%-18s%.32s\n", "device", (const char *)info->name);
	printf("%-18s/dev/pto%u\n", "node", info->index);
	printf("%-18s%s\n", "architecture", arch_name(info, text));
	printf("%-18s%u clusters: %u AIC + %u AIV\n", "cores", info->cluster_count,
	       info->aic_count, info->aiv_count);
	printf("%-18s%u\n", "AICPU threads", info->aicpu_threads);
	if (info->worker_threads)
		printf("%-18s%u per context\n", "worker threads", info->worker_threads);
	print_features(info->features);
	printf("%-18s%s", "memory", human_size(info->memory_size, text));
	printf(" at 0x%" PRIx64 ", pages of %s\n", (uint64_t)info->memory_base,
	       human_size(info->page_size, text));
	printf("%-18s4 of %u tasks, %u dependencies, heaps of %s\n", "default rings",
	       info->default_task_window, info->default_dep_pool,
	       human_size(info->default_heap, text));
	printf("%-18s%s\n", "largest image", human_size(info->max_image_size, text));
	printf("%-18s%u contexts; each: %u streams of %u runs, %u cids, %u arenas\n", "limits",
	       info->max_contexts, info->max_streams, info->stream_depth, info->max_callables,
	       info->max_arenas);
	printf("%-18sbelow %u\n", "func_ids", info->max_func_id);
}

int cmd_info(const struct options *opt)
{
	struct pto_context *ctx = open_device(opt);
	struct pto_device_info info;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pto_query_device(ctx, &info);
	if (rc) {
		fprintf(stderr, "ptoctl: %s\n", pto_context_error(ctx));
	} else if (opt->json) {
		json_open(NULL, '{');
		json_device(&info);
		json_close('}');
	} else {
		print_info(&info);
	}
	pto_close(ctx);
	return rc ? EXIT_FAILED : 0;
}

/* --- stats ------------------------------------------------------------------ */

struct figure {
	const char *name;
	uint64_t value;
};

static void print_figures(const char *title, const struct figure *figures, int count, bool json)
{
	if (json)
		json_open(title, '{');
	else
		printf("%s\n", title);
	for (int i = 0; i < count; i++) {
		if (json)
			json_u64(figures[i].name, figures[i].value);
		else
			printf("  %-22s%" PRIu64 "\n", figures[i].name, figures[i].value);
	}
	if (json)
		json_close('}');
}

static void print_usage(const struct pto_device_usage *u, bool json)
{
	const struct figure figures[] = {
		{ "contexts", u->contexts },
		{ "contexts_opened", u->contexts_opened },
		{ "streams", u->streams },
		{ "memory_size", u->memory_size },
		{ "memory_used", u->memory_used },
		{ "images", u->images },
		{ "image_bytes", u->image_bytes },
		{ "arena_images", u->arena_images },
		{ "arena_image_bytes", u->arena_image_bytes },
	};

	print_figures("device", figures, sizeof(figures) / sizeof(figures[0]), json);
}

static void print_stats(const struct pto_context_stats *s, bool json)
{
	const struct figure figures[] = {
		{ "state", s->state },
		{ "streams_created", s->streams_created },
		{ "streams_live", s->streams_live },
		{ "callables_live", s->callables_live },
		{ "bo_live", s->bo_live },
		{ "bo_bytes", s->bo_bytes },
		{ "images_live", s->images_live },
		{ "prepares", s->prepares },
		{ "unprepares", s->unprepares },
		{ "aicpu_dlopen_count", s->aicpu_dlopen_count },
		{ "host_dlopen_count", s->host_dlopen_count },
		{ "kernel_load_count", s->kernel_load_count },
		{ "image_uploads", s->image_uploads },
		{ "image_upload_bytes", s->image_upload_bytes },
		{ "image_dedup_hits", s->image_dedup_hits },
		{ "arena_hits", s->arena_hits },
		{ "arena_misses", s->arena_misses },
		{ "arena_builds", s->arena_builds },
		{ "arena_rebinds", s->arena_rebinds },
		{ "runs_submitted", s->runs_submitted },
		{ "runs_completed", s->runs_completed },
		{ "runs_failed", s->runs_failed },
		{ "resets", s->resets },
		{ "progress", s->progress },
	};

	print_figures("context", figures, sizeof(figures) / sizeof(figures[0]), json);
}

static void print_debug(const struct pto_debug_stats *s, bool json)
{
	const struct figure figures[] = {
		{ "doorbells", s->doorbells },
		{ "interrupts", s->interrupts },
		{ "device_commands", s->device_commands },
		{ "hand_over_ns", s->hand_over_ns },
		{ "hand_over_tensor_ns", s->hand_over_tensor_ns },
		{ "catch_up_ns", s->catch_up_ns },
		{ "max_debt_ns", s->max_debt_ns },
		{ "hand_overs", s->hand_overs },
	};

	print_figures("debug", figures, sizeof(figures) / sizeof(figures[0]), json);
}

/* Not stable, so not in libpto: a driver may have none. Return: 0, or -1 and a message. */
static int query_debug(struct pto_context *ctx, struct pto_debug_stats *stats)
{
	struct pto_ioc_query query = {
		.size = sizeof(query),
		.item = PTO_QUERY_DEBUG,
		.data_ptr = (uintptr_t)stats,
		.data_size = sizeof(*stats),
	};

	memset(stats, 0, sizeof(*stats));
	if (!ioctl(pto_context_fd(ctx), PTO_QUERY, &query))
		return 0;
	if (errno == EOPNOTSUPP)
		fputs("ptoctl: this driver has no counters for its own debugging\n", stderr);
	else
		perror("ptoctl: PTO_QUERY_DEBUG");
	return -1;
}

/* Without a privilege there is no @usage: its size is 0. Return: 0, or -1; a message is printed. */
static int query_stats(struct pto_context *ctx, struct pto_device_usage *usage,
		       struct pto_context_stats *stats)
{
	int rc = pto_query_usage(ctx, usage);

	if (rc)
		fprintf(stderr, "ptoctl: %s\n", pto_context_error(ctx));
	if (rc == -EPERM)
		usage->size = 0;
	else if (rc)
		return -1;
	if (!pto_query_stats(ctx, stats))
		return 0;
	fprintf(stderr, "ptoctl: %s\n", pto_context_error(ctx));
	return -1;
}

int cmd_stats(const struct options *opt)
{
	struct pto_context *ctx = open_device(opt);
	struct pto_context_stats stats;
	struct pto_device_usage usage;
	struct pto_debug_stats debug;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = query_stats(ctx, &usage, &stats);
	if (!rc && opt->debug)
		rc = query_debug(ctx, &debug);
	if (!rc) {
		if (opt->json)
			json_open(NULL, '{');
		if (usage.size)
			print_usage(&usage, opt->json);
		print_stats(&stats, opt->json);
		if (opt->debug)
			print_debug(&debug, opt->json);
		if (opt->json)
			json_close('}');
	}
	pto_close(ctx);
	return rc ? EXIT_FAILED : 0;
}
