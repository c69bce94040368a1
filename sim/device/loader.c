// SPDX-License-Identifier: MIT
/*
 * The callables of a context: LOAD and UNLOAD.
 *
 * An orchestration is loaded once per callable, so that each callable has its own static data. A
 * kernel is loaded once per context; callables that use it share it by image id. A LOAD that fails
 * has no effect.
 *
 * The engine watches constructors and destructors. If one does not return, its thread leaves it,
 * and the same command does not call the following ones. So a command takes at most the time of
 * its correct objects plus one bound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/**
 * struct kernel - a kernel object of a context
 * @next: next in the hash bucket
 * @image_id: its image
 * @refs: entries of callables' tables that point to it
 * @object: the object
 * @fn: its entry
 */
struct kernel {
	struct kernel *next;
	uint64_t image_id;
	uint32_t refs;
	struct object *object;
	pto_kernel_fn fn;
};

/**
 * struct callable - a loaded callable
 * @engine: the engine's view
 * @name: pto_engine_callable.name
 * @object: the orchestration object; NULL of a host graph
 * @image_id: its image
 * @table: kernels by func_id, @engine.kernels
 * @ranges: where @object and @kernels are loaded, @engine.objects
 * @kernels: the kernel objects to which it has references
 * @kernel_count: number of @kernels
 */
struct callable {
	struct pto_engine_callable engine;
	char name[64];
	struct object *object;
	uint64_t image_id;
	struct pto_engine_kernel *table;
	struct pto_engine_range *ranges;
	struct kernel **kernels;
	uint32_t kernel_count;
};

/**
 * struct load - a LOAD in progress
 * @dev: the device
 * @loader: the context's loader
 * @cmd: the command
 * @desc: private copy of the description
 * @kernels: private copy of the kernels behind it
 * @callable: the callable that is being loaded
 * @out: outcome of the command
 */
struct load {
	struct ptodev *dev;
	struct loader *loader;
	const struct pto_dev_cmd_load *cmd;
	struct pto_dev_load desc;
	struct pto_dev_kernel *kernels;
	struct callable *callable;
	struct outcome *out;
};

static struct kernel **kernel_bucket(struct loader *loader, uint64_t image_id)
{
	return &loader->kernels[image_id % KERNEL_BUCKETS];
}

static struct kernel *kernel_load(struct load *load, const struct pto_dev_kernel *desc)
{
	struct kernel **bucket = kernel_bucket(load->loader, desc->image_id);
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	char label[64];

	snprintf(label, sizeof(label), "kernel of func_id %u", desc->func_id);
	if (!kernel) {
		outcome_fail(load->out, PTO_DEV_NOMEM, "%s: out of memory", label);
		return NULL;
	}
	kernel->image_id = desc->image_id;
	kernel->object = object_open(load->dev, load->loader, desc->image_addr, desc->image_size,
				     label, load->out);
	if (kernel->object) {
		kernel->fn = (pto_kernel_fn)object_symbol(kernel->object, "kernel_entry");
		if (!kernel->fn)
			outcome_fail(load->out, PTO_DEV_NOEXEC,
				     "%s: it does not define \"kernel_entry\"", label);
	}
	if (load->out->status) {
		object_close(load->loader, kernel->object);
		free(kernel);
		return NULL;
	}
	kernel->next = *bucket;
	*bucket = kernel;
	load->out->detail++;
	return kernel;
}

static struct kernel *kernel_get(struct load *load, const struct pto_dev_kernel *desc)
{
	struct kernel *kernel = *kernel_bucket(load->loader, desc->image_id);

	while (kernel && kernel->image_id != desc->image_id)
		kernel = kernel->next;
	if (!kernel)
		kernel = kernel_load(load, desc);
	if (kernel)
		kernel->refs++;
	return kernel;
}

static void kernel_put(struct loader *loader, struct kernel *kernel)
{
	struct kernel **at = kernel_bucket(loader, kernel->image_id);

	if (--kernel->refs)
		return;
	while (*at != kernel)
		at = &(*at)->next;
	*at = kernel->next;
	object_close(loader, kernel->object);
	free(kernel);
}

static void callable_free(struct loader *loader, struct callable *callable)
{
	uint32_t i;

	for (i = 0; i < callable->kernel_count; i++)
		kernel_put(loader, callable->kernels[i]);
	object_close(loader, callable->object);
	free(callable->kernels);
	free(callable->table);
	free(callable->ranges);
	free(callable);
}

/* Make a private copy of the description. */
static void load_read(struct load *load, const struct pto_dev_cmd_load *cmd)
{
	uint64_t offset;
	size_t size;

	if (cmd->desc_size < sizeof(load->desc) ||
	    !ptodev_heap_range(load->dev, cmd->desc_addr, cmd->desc_size, &offset) ||
	    window_read(load->dev, offset, &load->desc, sizeof(load->desc))) {
		outcome_fail(load->out, PTO_DEV_INVALID,
			     "load: no description can be at address 0x%llx, size %llu",
			     (unsigned long long)cmd->desc_addr,
			     (unsigned long long)cmd->desc_size);
		return;
	}
	size = (size_t)load->desc.kernel_count * sizeof(*load->kernels);
	if (load->desc.size != sizeof(load->desc) || load->desc.kernel_count > PTO_MAX_FUNC_ID ||
	    cmd->desc_size != sizeof(load->desc) + size) {
		outcome_fail(load->out, PTO_DEV_INVALID,
			     "load: a description of size %u with %u kernels is not %llu bytes",
			     load->desc.size, load->desc.kernel_count,
			     (unsigned long long)cmd->desc_size);
		return;
	}
	load->kernels = calloc(load->desc.kernel_count + 1, sizeof(*load->kernels));
	if (!load->kernels)
		outcome_fail(load->out, PTO_DEV_NOMEM, "load: out of memory");
	else if (window_read(load->dev, offset + sizeof(load->desc), load->kernels, size))
		outcome_fail(load->out, PTO_DEV_INVALID, "load: cannot read the kernel list");
}

static bool symbol_sound(const __u8 *symbol)
{
	return symbol[0] && memchr(symbol, '\0', PTO_SYMBOL_MAX);
}

/* The orchestration of a host graph stays on the host. */
static void load_check_host(struct load *load)
{
	const struct pto_dev_load *desc = &load->desc;

	if (desc->image_addr || desc->image_size || desc->image_id || desc->flags ||
	    desc->entry[0] || desc->config[0])
		outcome_fail(load->out, PTO_DEV_INVALID,
			     "load: a callable of kind HOST_GRAPH has no orchestration object");
}

/* Check the description. */
static void load_check(struct load *load)
{
	const struct pto_dev_load *desc = &load->desc;
	uint32_t i;

	if (desc->kind == PTO_KIND_HOST_GRAPH)
		load_check_host(load);
	else if (desc->kind != PTO_KIND_DEVICE_ORCH)
		outcome_fail(load->out, PTO_DEV_UNSUPPORTED, "load: kind %u is not supported",
			     desc->kind);
	else if (!symbol_sound(desc->entry) || !symbol_sound(desc->config))
		outcome_fail(load->out, PTO_DEV_INVALID,
			     "load: a symbol name is empty or not terminated");
	if (desc->flags & ~PTO_DEV_LOAD_CONFIG_OPTIONAL)
		outcome_fail(load->out, PTO_DEV_INVALID, "load: unknown flags 0x%x", desc->flags);
	for (i = 0; i < desc->kernel_count; i++) {
		const struct pto_dev_kernel *kernel = &load->kernels[i];

		if (kernel->func_id >= PTO_MAX_FUNC_ID || kernel->core_type > PTO_CORE_AIV)
			outcome_fail(load->out, PTO_DEV_INVALID,
				     "load: kernel %u has func_id %u, core type %u", i,
				     kernel->func_id, kernel->core_type);
	}
}

static void load_orchestration(struct load *load)
{
	struct callable *callable = load->callable;
	const struct pto_dev_load *desc = &load->desc;
	const char *config = (const char *)desc->config;
	const char *entry = (const char *)desc->entry;
	static const char label[] = "orchestration";

	callable->image_id = desc->image_id;
	callable->object = object_open(load->dev, load->loader, desc->image_addr, desc->image_size,
				       label, load->out);
	if (!callable->object)
		return;
	callable->engine.entry = (pto_orch_entry_fn)object_symbol(callable->object, entry);
	if (!callable->engine.entry)
		outcome_fail(load->out, PTO_DEV_NOEXEC,
			     "%s: it does not define its entry \"%s\"", label, entry);
	callable->engine.config = (pto_orch_config_fn)object_symbol(callable->object, config);
	if (!callable->engine.config && !(desc->flags & PTO_DEV_LOAD_CONFIG_OPTIONAL))
		outcome_fail(load->out, PTO_DEV_NOEXEC,
			     "%s: it does not define its configuration function \"%s\"", label,
			     config);
}

static void load_kernels(struct load *load)
{
	struct callable *callable = load->callable;
	uint32_t count = load->desc.kernel_count;
	uint32_t i;

	for (i = 0; i < count; i++)
		if (load->kernels[i].func_id >= callable->engine.kernel_count)
			callable->engine.kernel_count = load->kernels[i].func_id + 1;
	callable->table = calloc(callable->engine.kernel_count + 1, sizeof(*callable->table));
	callable->kernels = calloc(count + 1, sizeof(*callable->kernels));
	if (!callable->table || !callable->kernels) {
		outcome_fail(load->out, PTO_DEV_NOMEM, "load: out of memory");
		return;
	}
	callable->engine.kernels = callable->table;
	for (i = 0; i < count; i++) {
		struct pto_engine_kernel *entry = &callable->table[load->kernels[i].func_id];
		struct kernel *kernel;

		if (entry->fn) {
			outcome_fail(load->out, PTO_DEV_INVALID, "load: func_id %u appears twice",
				     load->kernels[i].func_id);
			return;
		}
		kernel = kernel_get(load, &load->kernels[i]);
		if (!kernel)
			return;
		callable->kernels[callable->kernel_count++] = kernel;
		entry->fn = kernel->fn;
		entry->core_type = load->kernels[i].core_type;
	}
}

/* Tell the engine where the objects are. */
static void load_ranges(struct load *load)
{
	struct callable *callable = load->callable;
	uint32_t i;

	callable->ranges = calloc(callable->kernel_count + 1, sizeof(*callable->ranges));
	if (!callable->ranges) {
		outcome_fail(load->out, PTO_DEV_NOMEM, "load: out of memory");
		return;
	}
	for (i = 0; i < callable->kernel_count; i++)
		callable->ranges[i] = object_range(callable->kernels[i]->object);
	if (callable->object)
		callable->ranges[i++] = object_range(callable->object);
	callable->engine.objects = callable->ranges;
	callable->engine.object_count = i;
}

/* In the process of an application, say what crashes. A context's own process reports it. */
static void load_name(struct load *load)
{
	const struct ptodev_config *config = &load->dev->config;
	struct callable *callable = load->callable;

	if (config->isolate)
		return;
	crash_watch();
	if (load->cmd->label)
		snprintf(callable->name, sizeof(callable->name), "cid %u of context %u of pto%u",
			 load->cmd->label - 1, load->cmd->ctx, config->index);
	else
		snprintf(callable->name, sizeof(callable->name),
			 "with handle %u of context %u of pto%u", load->cmd->handle,
			 load->cmd->ctx, config->index);
	callable->engine.name = callable->name;
}

static void load_build(struct load *load)
{
	load->callable = calloc(1, sizeof(*load->callable));
	if (!load->callable) {
		outcome_fail(load->out, PTO_DEV_NOMEM, "load: out of memory");
		return;
	}
	load_name(load);
	if (load->desc.kind == PTO_KIND_DEVICE_ORCH)
		load_orchestration(load);
	if (!load->out->status)
		load_kernels(load);
	if (!load->out->status)
		load_ranges(load);
	if (load->out->status) {
		callable_free(load->loader, load->callable);
		load->callable = NULL;
		load->out->detail = 0;
	}
}

/* LOAD: load a callable; detail is the number of kernel objects that were loaded for it. */
void loader_load(struct ptodev *dev, struct loader *loader, const struct pto_dev_cmd_load *cmd,
		 struct outcome *out)
{
	struct load load = { .dev = dev, .loader = loader, .cmd = cmd, .out = out };

	if (cmd->handle >= PTO_DEV_MAX_HANDLES) {
		outcome_fail(out, PTO_DEV_INVALID, "load: handle %u is not below %u", cmd->handle,
			     PTO_DEV_MAX_HANDLES);
		return;
	}
	if (loader->callables[cmd->handle]) {
		outcome_fail(out, PTO_DEV_INVALID, "load: handle %u is in use", cmd->handle);
		return;
	}
	loader->hung = false;
	object_tidy(loader);
	load_read(&load, cmd);
	if (!out->status)
		load_check(&load);
	if (!out->status)
		load_build(&load);
	if (!out->status)
		loader->callables[cmd->handle] = load.callable;
	free(load.kernels);
}

/* UNLOAD: unload a callable, and the kernels that no other one uses. */
void loader_unload(struct loader *loader, uint32_t handle, struct outcome *out)
{
	if (!loader_callable(loader, handle)) {
		outcome_fail(out, PTO_DEV_INVALID, "unload: no callable has handle %u", handle);
		return;
	}
	loader->hung = false;
	callable_free(loader, loader->callables[handle]);
	loader->callables[handle] = NULL;
	object_tidy(loader);
	if (loader->hung)
		outcome_fail(out, PTO_DEV_TIMEOUT,
			     "unload: handle %u is free, but a destructor has not returned for %llu ms",
			     handle, (unsigned long long)(pto_engine_call_bound(loader->engine) /
							  NSEC_PER_MSEC));
}

/*
 * Wait for the threads that still have destructors of retired objects. They are idle. An object
 * that a thread does not leave in time stays.
 */
static void loader_await(struct loader *loader)
{
	uint64_t until = clock_ns() + pto_engine_call_bound(loader->engine);

	pto_engine_nudge(loader->engine);
	do {
		object_tidy(loader);
		usleep(loader->retired ? 100 : 0);
	} while (loader->retired && clock_ns() < until);
}

/* Unload all callables. */
void loader_free(struct loader *loader)
{
	uint32_t i;

	loader->hung = false;
	for (i = 0; i < PTO_DEV_MAX_HANDLES; i++) {
		if (loader->callables[i])
			callable_free(loader, loader->callables[i]);
		loader->callables[i] = NULL;
	}
	if (loader->retired)
		loader_await(loader);
}

/* Find a callable. Return: NULL if @handle has none */
const struct pto_engine_callable *loader_callable(const struct loader *loader, uint32_t handle)
{
	if (handle >= PTO_DEV_MAX_HANDLES || !loader->callables[handle])
		return NULL;
	return &loader->callables[handle]->engine;
}
