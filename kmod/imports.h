/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Memory of others that is imported. For transports, and for mappings and dma-bufs, which treat it
 * in another way than the window's.
 */
#ifndef PTO_IMPORTS_H
#define PTO_IMPORTS_H

#include <linux/mm_types.h>

struct dma_buf;
struct pto_device;
struct pto_imports;
struct pto_memory;

int pto_imports_open(void);
struct pto_imports *pto_imports_take(int fd);
void pto_imports_put(struct pto_imports *imports);
struct pto_memory *pto_imports_add(struct pto_imports *imports, struct pto_device *pdev,
				   struct dma_buf *dmabuf);
struct dma_buf *pto_import_dmabuf(const struct pto_memory *memory);
int pto_import_mmap(struct dma_buf *dmabuf, u64 offset, struct vm_area_struct *vma);

#endif /* PTO_IMPORTS_H */
