// SPDX-License-Identifier: MIT
/*
 * Time-outs. A run's own take precedence over the environment's, and these over the device's
 * defaults.
 *
 * The scheduler's applies while no kernel runs, when there is least to wait for, and has to be
 * shorter than the operator's, which applies to each kernel. The stream's gives the least
 * information about the cause and has to be longer than both. A default is not checked against a
 * longer bound. A bound that was given is checked against the next ones, defaults included: it
 * must be shorter to be reached.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pto_private.h"

#define MSEC			1000000ull
#define MAX_MSEC		(24ull * 3600 * 1000)
#define DEFAULT_OP_NS		(45000 * MSEC)
#define DEFAULT_STREAM_NS	(50000 * MSEC)	/* for devices that report no default */
#define STREAM_MARGIN_NS	(1500 * MSEC)	/* between scheduler and stream */

/**
 * struct bound - a time-out and its origin
 * @what: kind of time-out, for messages
 * @ns: its length
 * @from: its origin, for messages; NULL: it is a default
 */
struct bound {
	const char *what;
	uint64_t ns;
	const char *from;
};

/* A number of milliseconds, all digits. */
static bool parse_msec(const char *text, uint64_t *ns)
{
	uint64_t value = 0;
	const char *p;

	for (p = text; *p >= '0' && *p <= '9' && value <= MAX_MSEC; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	*ns = value * MSEC;
	return p != text && !*p && value && value <= MAX_MSEC;
}

static int read_env(const char *name, uint64_t *ns, char *error, size_t size)
{
	const char *text = getenv(name);

	*ns = 0;
	if (!text || !*text || parse_msec(text, ns))
		return 0;
	snprintf(error, size, "%s=%.60s: not a number of milliseconds from 1 to %llu", name, text,
		 MAX_MSEC);
	return -EINVAL;
}

static struct bound choose(const char *what, uint64_t own, uint64_t env, const char *variable,
			   uint64_t fallback)
{
	if (own)
		return (struct bound){ what, own, "struct pto_run_options" };
	if (env)
		return (struct bound){ what, env, variable };
	return (struct bound){ what, fallback, NULL };
}

static int out_of_order(const struct bound *low, const struct bound *high, uint64_t margin,
			char *error, size_t size)
{
	char more[48] = "";

	if (margin)
		snprintf(more, sizeof(more), " by more than %llu ms", margin / MSEC);
	snprintf(error, size, "%s time-out of %llu ms (%s): the %s time-out of %llu ms (%s) has to be longer%s",
		 low->what, (unsigned long long)(low->ns / MSEC), low->from, high->what,
		 (unsigned long long)(high->ns / MSEC), high->from ? high->from : "the default",
		 more);
	return -EINVAL;
}

/* A default for @low is not checked. */
static int check_order(const struct bound *low, const struct bound *high, uint64_t margin,
		       char *error, size_t size)
{
	if (!low->from || (low->ns < high->ns && high->ns - low->ns > margin))
		return 0;
	return out_of_order(low, high, margin, error, size);
}

int pto_timeouts_resolve(const struct pto_context *ctx, const struct pto_timeouts *own,
			 struct pto_timeouts *out, char *error, size_t size)
{
	const struct pto_timeouts *env = &ctx->env_timeouts;
	uint64_t device = ctx->info.default_timeout_ns;
	struct bound sched, op, stream;
	int rc;

	sched = choose("scheduler", own->sched, env->sched, "PTO_SCHEDULER_TIMEOUT_MS", 0);
	op = choose("operator", own->op, env->op, "PTO_OP_TIMEOUT_MS", DEFAULT_OP_NS);
	stream = choose("stream", own->stream, env->stream, "PTO_STREAM_TIMEOUT_MS",
			device ? device : DEFAULT_STREAM_NS);
	rc = check_order(&sched, &op, 0, error, size);
	if (!rc)
		rc = check_order(&op, &stream, 0, error, size);
	if (!rc)
		rc = check_order(&sched, &stream, STREAM_MARGIN_NS, error, size);
	*out = (struct pto_timeouts){
		.sched = sched.from ? sched.ns : 0,
		.op = op.from ? op.ns : 0,
		.stream = stream.from ? stream.ns : 0,
	};
	return rc;
}

int pto_timeouts_from_env(struct pto_context *ctx, char *error, size_t size)
{
	static const struct pto_timeouts none;
	struct pto_timeouts *env = &ctx->env_timeouts, resolved;
	int rc;

	rc = read_env("PTO_SCHEDULER_TIMEOUT_MS", &env->sched, error, size);
	if (!rc)
		rc = read_env("PTO_OP_TIMEOUT_MS", &env->op, error, size);
	if (!rc)
		rc = read_env("PTO_STREAM_TIMEOUT_MS", &env->stream, error, size);
	return rc ? rc : pto_timeouts_resolve(ctx, &none, &resolved, error, size);
}
