// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The kind of memory that is not the device's: the home has it of somebody else, an import.
 *
 * It has addresses in the window like other memory, from the same pool, but what is in the window
 * there is not used: the device maps the import at these addresses (PTO_DEV_MAP_IMPORT).
 */
#include <linux/err.h>
#include <linux/slab.h>

#include "device/device.h"
#include "device/mem.h"
#include "object/memory.h"

/**
 * struct pto_foreign - memory of somebody else
 * @memory: the memory
 * @mem: the addresses that it has
 * @ops: what the home can do with it
 * @priv: argument of @ops
 */
struct pto_foreign {
	struct pto_memory memory;
	struct pto_mem mem;
	const struct pto_foreign_ops *ops;
	void *priv;
};

static const struct pto_memory_ops pto_foreign_memory_ops;

static struct pto_foreign *to_foreign(const struct pto_memory *memory)
{
	return container_of(memory, struct pto_foreign, memory);
}

static void *pto_foreign_access(struct pto_memory *memory, u64 offset, size_t *length)
{
	struct pto_foreign *foreign = to_foreign(memory);

	return foreign->ops->access(foreign->priv, offset, length);
}

static void pto_foreign_access_end(struct pto_memory *memory, void *addr)
{
}

static void pto_foreign_release(struct pto_memory *memory)
{
	struct pto_foreign *foreign = to_foreign(memory);

	foreign->ops->release(foreign->priv);
	if (memory->leaking)
		pto_mem_leak(memory->pdev, &foreign->mem);
	else
		pto_mem_free(memory->pdev, &foreign->mem);
	kfree(foreign);
}

static const struct pto_memory_ops pto_foreign_memory_ops = {
	.map = PTO_DEV_MAP_IMPORT,
	.access = pto_foreign_access,
	.access_end = pto_foreign_access_end,
	.release = pto_foreign_release,
};

struct pto_memory *pto_memory_foreign(struct pto_device *pdev, u64 length,
				      const struct pto_foreign_ops *ops, void *priv)
{
	struct pto_foreign *foreign = kzalloc(sizeof(*foreign), GFP_KERNEL_ACCOUNT);
	int err;

	if (!foreign)
		return ERR_PTR(-ENOMEM);
	err = pto_mem_alloc(pdev, length, &foreign->mem);
	if (err) {
		kfree(foreign);
		return ERR_PTR(err);
	}
	foreign->ops = ops;
	foreign->priv = priv;
	pto_memory_init(&foreign->memory, &pto_foreign_memory_ops, pdev, &foreign->mem);
	return &foreign->memory;
}

void *pto_memory_priv(const struct pto_memory *memory, const struct pto_foreign_ops *ops)
{
	const struct pto_foreign *foreign;

	if (memory->ops != &pto_foreign_memory_ops)
		return NULL;
	foreign = to_foreign(memory);
	return foreign->ops == ops ? foreign->priv : NULL;
}
