// SPDX-License-Identifier: MIT
/*
 * Words that kernels name by their address, for the device to read or change: counters of
 * conditions, and the words of pto_wait_ge() and pto_notify(). They may be in memory of the
 * context, or static data of the callable's objects. What is neither is not accessed, and fails
 * the run.
 *
 * The memory stays what it is until the run ends, so each thread remembers the last words.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine_internal.h"

/** core_refuse() - fail the run because of an error of the kernel on @core. Return: false */
bool core_refuse(struct pto_core *core, uint32_t code, const char *fmt, ...)
{
	uint32_t func = core_func(atomic_load_explicit(&core->state, memory_order_relaxed));
	const struct pto_fatal_at at = {
		.func = func, .core = core->index, .claim = PTO_CLAIM_CLOSED,
		.task = atomic_load_explicit(&core->task, memory_order_relaxed),
	};
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pto_rt_fatal_at(&core->engine->rt, code, &at, "%s", text);
	return false;
}

static bool in_objects(const struct pto_engine_callable *callable, uint64_t addr)
{
	uint32_t i;

	for (i = 0; i < callable->object_count; i++) {
		const struct pto_engine_range *range = &callable->objects[i];

		if (addr >= range->begin && addr < range->end &&
		    range->end - addr >= sizeof(uint32_t))
			return true;
	}
	return false;
}

static bool may_access(const struct pto_engine *engine, uint64_t addr, bool write)
{
	const struct pto_graph_source *source = &engine->graph;

	return !source->covers || source->covers(source->cookie, addr, sizeof(uint32_t), write) ||
	       in_objects(engine->callable, addr);
}

/**
 * core_word() - may the kernel that the calling thread executes name this word?
 * @core: the calling thread's core
 * @addr: address of the word
 * @write: the word is to be changed, not only read
 */
bool core_word(struct pto_core *core, uint64_t addr, bool write)
{
	const uint64_t number = addr / sizeof(uint32_t);
	uint64_t *known = &core->known[(number ^ number / CORE_WORDS) % CORE_WORDS];
	/* The lowest bit of a word's address, which is 0, says that the word may be changed. */
	const uint64_t key = addr | write;

	if (!addr || addr % sizeof(uint32_t))
		return false;
	if (core->known_run != core->engine->runs) {
		memset(core->known, 0, sizeof(core->known));
		core->known_run = core->engine->runs;
	}
	if (*known == key || *known == (addr | true))
		return true;
	if (!may_access(core->engine, addr, write))
		return false;
	*known = key;
	return true;
}
