// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Memory objects, and the kind that is a piece of the device's window.
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "channel/channel.h"
#include "channel/reclaim.h"
#include "device/device.h"
#include "device/mem.h"
#include "object/memory.h"

/**
 * struct pto_window_memory - memory in the device's window
 * @memory: the memory
 * @mem: its place in the window
 */
struct pto_window_memory {
	struct pto_memory memory;
	struct pto_mem mem;
};

/**
 * pto_memory_init() - what all kinds of memory begin with
 * @memory: zero; has one reference afterwards
 * @ops: its kind
 * @pdev: the device
 * @mem: the piece of the window that has its addresses
 */
void pto_memory_init(struct pto_memory *memory, const struct pto_memory_ops *ops,
		     struct pto_device *pdev, const struct pto_mem *mem)
{
	kref_init(&memory->ref);
	memory->ops = ops;
	memory->pdev = pto_device_get(pdev);
	memory->addr = pto_mem_addr(pdev, mem);
	memory->length = mem->length;
	spin_lock_init(&memory->lock);
	INIT_LIST_HEAD(&memory->attached);
}

static struct pto_window_memory *to_window(struct pto_memory *memory)
{
	return container_of(memory, struct pto_window_memory, memory);
}

static void *pto_window_access(struct pto_memory *memory, u64 offset, size_t *length)
{
	struct pto_device *pdev = memory->pdev;

	return pdev->ops->access(pdev->priv, to_window(memory)->mem.offset + offset, length);
}

static void pto_window_access_end(struct pto_memory *memory, void *addr)
{
	memory->pdev->ops->access_end(memory->pdev->priv, addr);
}

static void pto_window_release(struct pto_memory *memory)
{
	struct pto_window_memory *window = to_window(memory);

	if (memory->leaking)
		pto_mem_leak(memory->pdev, &window->mem);
	else
		pto_mem_free(memory->pdev, &window->mem);
	kfree(window);
}

static const struct pto_memory_ops pto_window_ops = {
	.access = pto_window_access,
	.access_end = pto_window_access_end,
	.release = pto_window_release,
};

/**
 * pto_memory_create() - allocate memory in the device's window
 * @ch: the channel of the context that needs it; waits for what that frees if memory is short
 * @length: bytes; rounded up to pages
 *
 * Return: the memory, with one reference, or ERR_PTR(-EOVERFLOW, -ENOMEM).
 */
struct pto_memory *pto_memory_create(struct pto_channel *ch, u64 length)
{
	struct pto_window_memory *window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	int err;

	if (!window)
		return ERR_PTR(-ENOMEM);
	err = pto_reclaim_alloc(ch, length, &window->mem);
	if (err) {
		kfree(window);
		return ERR_PTR(err);
	}
	pto_memory_init(&window->memory, &pto_window_ops, ch->pdev, &window->mem);
	return &window->memory;
}

static void pto_memory_release(struct kref *ref)
{
	struct pto_memory *memory = container_of(ref, struct pto_memory, ref);
	struct pto_device *pdev = memory->pdev;

	memory->ops->release(memory);
	pto_device_put(pdev);
}

struct pto_memory *pto_memory_get(struct pto_memory *memory)
{
	kref_get(&memory->ref);
	return memory;
}

void pto_memory_put(struct pto_memory *memory)
{
	kref_put(&memory->ref, pto_memory_release);
}

struct pto_device *pto_memory_device(const struct pto_memory *memory)
{
	return memory->pdev;
}

u64 pto_memory_offset(const struct pto_memory *memory)
{
	return memory->addr - memory->pdev->ident.memory_base;
}

u64 pto_memory_length(const struct pto_memory *memory)
{
	return memory->length;
}

/** pto_memory_put_leaking() - drop the reference of a hardware context that may still use it */
void pto_memory_put_leaking(struct pto_memory *memory)
{
	WRITE_ONCE(memory->leaking, true);
	pto_memory_put(memory);
}
