// SPDX-License-Identifier: MIT
/*
 * Error texts. Each thread has a text for opening, one for callables, and one for each of the
 * CONTEXT_TEXTS contexts that failed last in it. The memory is static, so that setting a text
 * cannot fail.
 */
#include <stdio.h>
#include <string.h>

#include "pto_private.h"

#define CONTEXT_TEXTS	4	/* contexts whose latest failure a thread keeps */

static _Thread_local struct {
	unsigned int serial;
	char text[PTO_TEXT_SIZE];
} context_texts[CONTEXT_TEXTS];
static _Thread_local unsigned int next_text;
static _Thread_local struct {
	const char *text;	/* one of those, a constant, or NULL */
} latest;
static _Thread_local char open_text[PTO_TEXT_SIZE];
static _Thread_local char callable_text[PTO_TEXT_SIZE];

static char *find_text(unsigned int serial)
{
	for (unsigned int i = 0; i < CONTEXT_TEXTS; i++)
		if (context_texts[i].serial == serial)
			return context_texts[i].text;
	return NULL;
}

/* The text of a context; if there is none, replaces the oldest. */
static char *claim_text(unsigned int serial)
{
	char *text = find_text(serial);
	unsigned int i;

	if (text)
		return text;
	i = next_text++ % CONTEXT_TEXTS;
	context_texts[i].serial = serial;
	return context_texts[i].text;
}

int pto_fail(const struct pto_context *ctx, int rc, const char *fmt, ...)
{
	char *text = claim_text(ctx->serial);
	va_list ap;

	latest.text = text;
	va_start(ap, fmt);
	vsnprintf(text, PTO_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

int pto_fail_freed(unsigned int serial, const char *what)
{
	char *text = claim_text(serial);

	latest.text = text;
	snprintf(text, PTO_TEXT_SIZE, "the %s has been freed, or is being freed", what);
	return -EBADF;
}

void pto_text_begin(void)
{
	latest.text = NULL;
}

int pto_fail_nowhere(int rc, const char *text)
{
	latest.text = text;
	return rc;
}

void pto_text_end(char *text, int rc)
{
	text[0] = '\0';
	if (rc)
		snprintf(text, PTO_TEXT_SIZE, "%s", latest.text ? latest.text : pto_errno_name(rc));
}

int pto_fail_open(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(open_text, PTO_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

int pto_fail_callable(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(callable_text, PTO_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

PTO_API const char *pto_context_error(const struct pto_context *ctx)
{
	const char *text = ctx ? find_text(ctx->serial) : NULL;

	return text ? text : "no failure";
}

PTO_API const char *pto_open_error(void)
{
	return open_text[0] ? open_text : "no failure";
}

PTO_API const char *pto_callable_error(void)
{
	return callable_text[0] ? callable_text : "no failure";
}

const char *pto_errno_name(int rc)
{
	const char *name = strerrorname_np(-rc);

	return name ? name : "unknown error";
}

PTO_API const char *pto_version(void)
{
	return PTO_VERSION;
}

PTO_API uint32_t pto_version_num(void)
{
	return PTO_VERSION_NUM;
}
