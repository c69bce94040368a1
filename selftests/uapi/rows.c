// SPDX-License-Identifier: GPL-2.0
/* Recording of rows, memory with an edge, and signals. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest.h"
#include "table.h"

static FILE *dump_file;
static unsigned int row_count;
static bool produced[256];	/* errnos that a row wanted and got */

void table_begin(const char *dump)
{
	if (!dump)
		return;
	dump_file = fopen(dump, "we");
	if (!dump_file)
		ksft_exit_fail_msg("cannot write %s: %s\n", dump, strerror(errno));
}

int table_end(void)
{
	ksft_set_plan(row_count);
	ksft_print_cnts();
	if (dump_file && fclose(dump_file)) {
		ksft_print_msg("cannot write the table: %s\n", strerror(errno));
		return KSFT_FAIL;
	}
	return ksft_cnt.ksft_fail ? KSFT_FAIL : KSFT_PASS;
}

static const char *result_name(int result)
{
	return result ? strerrorname_np(-result) : "0";
}

static void record(const char *name, const char *want, const char *got, bool same)
{
	row_count++;
	ksft_test_result(same, "%s: %s%s%s\n", name, got, same ? "" : ", must be ",
			 same ? "" : want);
	fflush(stdout);
	if (dump_file)
		fprintf(dump_file, "%s\t%s\t%s\n", name, want, got);
}

void row(int want, int got, const char *format, ...)
{
	char name[128];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	produced[-want] |= want == got;
	record(name, result_name(want), result_name(got), want == got);
}

void row_produced(int error)
{
	char name[64];

	snprintf(name, sizeof(name), "%s was produced by some row", strerrorname_np(error));
	record(name, "so", produced[error] ? "so" : "not so", produced[error]);
}

void row_true(bool is, const char *format, ...)
{
	char name[128];
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	record(name, "so", is ? "so" : "not so", is);
}

#define BO_BYTES 4	/* in struct snapshot */
#define DEBUG_WORDS 1000	/* numbers of those of struct pto_debug_stats begin here */

/* What a failing call must leave as it was, and counters that no call makes smaller. */
struct snapshot {
	struct pto_device_usage usage;
	struct pto_context_stats stats;
	struct pto_debug_stats debug;
	uint64_t live[10];
};

static void take(const struct env *env, struct snapshot *snap)
{
	struct pto_context_stats *stats = &snap->stats;

	memset(snap, 0, sizeof(*snap));
	if (pt_stats(env->fd, stats) || pt_usage(env->fd, &snap->usage) ||
	    pt_debug_stats(env->fd, &snap->debug))
		ksft_exit_fail_msg("PTO_QUERY fails\n");
	snap->live[0] = stats->state;
	snap->live[1] = stats->streams_live;
	snap->live[2] = stats->callables_live;
	snap->live[3] = stats->bo_live;
	snap->live[BO_BYTES] = stats->bo_bytes;
	snap->live[5] = stats->images_live;
	snap->live[6] = stats->prepares;
	snap->live[7] = stats->unprepares;
	snap->live[8] = stats->runs_submitted;
	snap->live[9] = stats->resets;
}

static bool same_but_less(const struct snapshot *before, struct snapshot now)
{
	if (now.live[BO_BYTES] > before->live[BO_BYTES])
		return false;
	now.live[BO_BYTES] = before->live[BO_BYTES];
	return !memcmp(before->live, now.live, sizeof(now.live));
}

/*
 * What an earlier call destroyed may still be on its way out when the snapshot is taken: so what
 * is in use may have gone down since.
 */
static bool no_more_used(const struct pto_device_usage *before, const struct pto_device_usage *now)
{
	return now->contexts <= before->contexts && now->memory_used <= before->memory_used &&
	       now->images <= before->images && now->image_bytes <= before->image_bytes &&
	       now->arena_images <= before->arena_images &&
	       now->arena_image_bytes <= before->arena_image_bytes &&
	       now->streams <= before->streams && now->contexts_opened == before->contexts_opened;
}

/* What the device has to be told to forget is given back soon, but not at once. */
static bool as_before(const struct env *env, const struct snapshot *before)
{
	uint64_t deadline = pt_deadline();
	struct snapshot now;

	for (;;) {
		take(env, &now);
		if (same_but_less(before, now) &&
		    no_more_used(&before->usage, &now.usage))
			return true;
		if (pt_now() > deadline)
			return false;
		pt_pause();
	}
}

/* Return: the number of a counter that is smaller than it was, -1 if none is. */
static int fell(const struct env *env, const struct snapshot *before)
{
	struct snapshot now;
	int word;

	take(env, &now);
	if (now.usage.contexts_opened < before->usage.contexts_opened)
		return INT_MAX;
	word = pt_debug_counter_fell(&before->debug, &now.debug);
	if (word >= 0)
		return DEBUG_WORDS + word;
	return pt_counter_fell(&before->stats, &now.stats);
}

int row_call(const struct env *env, int want, unsigned long nr, void *arg, const char *format, ...)
{
	char name[128], got[64];
	struct snapshot before;
	va_list args;
	bool same;
	int ret, counter;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	take(env, &before);
	ret = pt_ioctl(env->fd, nr, arg);
	same = !ret || as_before(env, &before);
	counter = fell(env, &before);
	snprintf(got, sizeof(got), "%s%s", result_name(ret), same ? "" : ", but left a change");
	if (counter >= 0)
		snprintf(got, sizeof(got), "counter %d is smaller than it was", counter);
	produced[-want] |= want == ret;
	record(name, result_name(want), got, same && ret == want && counter < 0);
	return ret;
}

void edge_new(struct edge *edge)
{
	long page = sysconf(_SC_PAGESIZE);
	char *all;

	all = mmap(NULL, EDGE_BYTES + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED || mprotect(all + page, EDGE_BYTES, PROT_READ | PROT_WRITE))
		ksft_exit_fail_msg("mmap: %s\n", strerror(errno));
	edge->start = all + page;
	edge->end = edge->start + EDGE_BYTES;
}

void edge_free(struct edge *edge)
{
	long page = sysconf(_SC_PAGESIZE);

	munmap(edge->start - page, EDGE_BYTES + 2 * page);
}

static void on_signal(int signal)
{
}

static void *let_rain(void *arg)
{
	struct rain *rain = arg;

	while (!__atomic_load_n(&rain->stop, __ATOMIC_ACQUIRE)) {
		pthread_kill(rain->victim, SIGUSR1);
		pt_pause();
	}
	return NULL;
}

void rain_begin(struct rain *rain, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	rain->victim = pthread_self();
	rain->stop = false;
	if (sigaction(SIGUSR1, &action, &rain->old) ||
	    pthread_create(&rain->thread, NULL, let_rain, rain))
		ksft_exit_fail_msg("cannot send signals\n");
}

void rain_end(struct rain *rain)
{
	__atomic_store_n(&rain->stop, true, __ATOMIC_RELEASE);
	pthread_join(rain->thread, NULL);
	/* The last signal may not have arrived yet: it does on the way back from any call. */
	sched_yield();
	sigaction(SIGUSR1, &rain->old, NULL);
}
