// SPDX-License-Identifier: GPL-2.0
/* Counters that never go down. */
#include <stddef.h>
#include <string.h>

#include "ptotest.h"

#define WORD(member) (offsetof(struct pto_context_stats, member) / sizeof(uint64_t))
#define DEBUG_WORD(member) (offsetof(struct pto_debug_stats, member) / sizeof(uint64_t))

/* What is not one, see struct pto_context_stats: all others are, new ones too. */
static bool is_gauge(size_t word)
{
	static const size_t gauges[] = {
		WORD(streams_live), WORD(callables_live), WORD(bo_live), WORD(bo_bytes),
		WORD(images_live), WORD(progress),
	};
	size_t i;

	for (i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
		if (gauges[i] == word)
			return true;
	}
	return false;
}

int pt_counter_fell(const struct pto_context_stats *before, const struct pto_context_stats *now)
{
	uint64_t old[sizeof(*before) / sizeof(uint64_t)], new[sizeof(old) / sizeof(old[0])];
	size_t i;

	memcpy(old, before, sizeof(old));
	memcpy(new, now, sizeof(new));
	for (i = WORD(streams_created); i < sizeof(old) / sizeof(old[0]); i++) {
		if (!is_gauge(i) && new[i] < old[i])
			return (int)i;
	}
	return -1;
}

int pt_debug_counter_fell(const struct pto_debug_stats *before, const struct pto_debug_stats *now)
{
	uint64_t old[sizeof(*before) / sizeof(uint64_t)], new[sizeof(old) / sizeof(old[0])];
	size_t i;

	memcpy(old, before, sizeof(old));
	memcpy(new, now, sizeof(new));
	for (i = DEBUG_WORD(doorbells); i <= DEBUG_WORD(device_commands); i++) {
		if (new[i] < old[i])
			return (int)i;
	}
	return -1;
}
