/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * dma-bufs of memory of devices. For transports.
 */
#ifndef PTO_DMABUF_H
#define PTO_DMABUF_H

struct pto_call;
struct pto_device;
struct pto_imports;
struct pto_memory;
struct pto_pages;

int pto_dmabuf_export(struct pto_memory *memory, const struct pto_pages *pages,
		      int (*tell)(struct pto_call *call, int fd), struct pto_call *call);
struct pto_memory *pto_dmabuf_import(struct pto_imports *imports, struct pto_device *pdev, int fd);

#endif /* PTO_DMABUF_H */
