// SPDX-License-Identifier: MIT
/*
 * Error texts of failed runs. The task runtime has the names and hints of the codes.
 */
#include <stdio.h>
#include <string.h>

#include "pto_private.h"
#include "runtime/runtime.h"

#define WHERE_SIZE	128

/* Sub-class, task, function and core, if the device has reported them. */
static void describe_place(const struct pto_result *result, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	if (result->subcode)
		at += snprintf(text + at, size - at, ", sub-class S%u", result->subcode);
	if (result->task != UINT64_MAX)
		at += snprintf(text + at, size - at, ", task 0x%llx",
			       (unsigned long long)result->task);
	if (result->func_id != UINT32_MAX)
		at += snprintf(text + at, size - at, ", func_id %u", result->func_id);
	if (result->core != UINT32_MAX)
		snprintf(text + at, size - at, ", core %u", result->core);
}

/* The device's text has the figures; name and hint follow from the code. */
static int fail_with_code(struct pto_context *ctx, const struct pto_run_handle *run)
{
	const struct pto_result *result = &run->result;
	const char *hint = pto_fatal_hint(result->code, result->subcode);
	char where[WHERE_SIZE];

	if (result->id == PTO_RUN_NOT_SUBMITTED)
		hint = pto_rt_graph_hint(result->code, result->subcode);
	describe_place(result, where, sizeof(where));
	return pto_fail(ctx, result->status, "run of cid %d: %s, code %u %s%s: %s%s%s", run->cid,
			pto_errno_name(result->status), result->code, pto_fatal_name(result->code),
			where, run->log[0] ? run->log : "no explanation",
			hint[0] ? "; hint: " : "", hint);
}

/* Why a run has failed of which the device has reported a status at most. */
static const char *reason_of(int status)
{
	switch (status) {
	case -ENODEV:
		return "the device went away while the run was in flight";
	case -ECANCELED:
		return "the run was aborted, as the context was closed or reset";
	case -EIO:
		return "the context lost its device state; see pto_reset()";
	case -ENOENT:
		return "the driver no longer has the result: too many later runs have ended";
	default:
		return "no explanation";
	}
}

int pto_fail_run(struct pto_context *ctx, const struct pto_run_handle *run)
{
	const struct pto_result *result = &run->result;

	if (result->code)
		return fail_with_code(ctx, run);
	return pto_fail(ctx, result->status, "run of cid %d on %s: %s: %s", run->cid, ctx->path,
			pto_errno_name(result->status),
			run->log[0] ? run->log : reason_of(result->status));
}

PTO_API const char *pto_fatal_name(uint32_t code)
{
	return pto_rt_fatal_name(code);
}

PTO_API const char *pto_fatal_hint(uint32_t code, uint32_t subcode)
{
	return pto_rt_fatal_hint(code, subcode);
}
