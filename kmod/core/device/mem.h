/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Device memory: pieces of a device's window. For the whole core.
 */
#ifndef PTO_CORE_MEM_H
#define PTO_CORE_MEM_H

#include <linux/types.h>

struct pto_device;

/**
 * struct pto_mem - a piece of device memory
 * @offset: offset in the window, page aligned
 * @length: bytes, whole pages; 0: none
 *
 * Owned by the structure it is part of; the device address is memory_base + @offset.
 */
struct pto_mem {
	u64 offset;
	u64 length;
};

int pto_mem_init(struct pto_device *pdev);
void pto_mem_exit(struct pto_device *pdev);
bool pto_mem_drop_idle(struct pto_device *pdev);
int pto_mem_alloc(struct pto_device *pdev, u64 length, struct pto_mem *mem);
int pto_mem_clear(struct pto_device *pdev, const struct pto_mem *mem);
void pto_mem_free(struct pto_device *pdev, struct pto_mem *mem);
void pto_mem_leak(struct pto_device *pdev, struct pto_mem *mem);
int pto_mem_write(struct pto_device *pdev, const struct pto_mem *mem, u64 offset,
		  const void *from, u64 length);
int pto_mem_read(struct pto_device *pdev, const struct pto_mem *mem, u64 offset, void *to,
		 u64 length);

#endif /* PTO_CORE_MEM_H */
