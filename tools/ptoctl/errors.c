// SPDX-License-Identifier: MIT
/* ptoctl errors: the codes with which a run can fail, and what to do about each. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ptoctl.h"

#define LAST_CODE	PTO_FATAL_READY_QUEUE_OVERFLOW

static bool known(uint32_t code)
{
	return strcmp(pto_fatal_name(code), "UNKNOWN") != 0;
}

static void print_json(void)
{
	json_open(NULL, '{');
	json_open("errors", '[');
	for (uint32_t code = 1; code <= LAST_CODE; code++) {
		if (!known(code))
			continue;
		json_open(NULL, '{');
		json_u64("code", code);
		json_string("name", pto_fatal_name(code));
		json_string("hint", pto_fatal_hint(code, 0));
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

int cmd_errors(const struct options *opt)
{
	if (opt->json) {
		print_json();
		return 0;
	}
	for (uint32_t code = 1; code <= LAST_CODE; code++)
		if (known(code))
			printf("%3" PRIu32 "  %-28s %s\n", code, pto_fatal_name(code),
			       pto_fatal_hint(code, 0));
	return 0;
}
