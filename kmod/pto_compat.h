/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Differences between kernel versions, and nothing else. Kbuild probes the kernel's headers
 * and defines PTO_HAVE_*; no other file looks at a version or at a probe.
 */
#ifndef PTO_COMPAT_H
#define PTO_COMPAT_H

#include <linux/device/class.h>
#include <linux/eventfd.h>
#include <linux/mm.h>

/* 6.8: eventfd_signal() lost its count. */
static inline void pto_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef PTO_HAVE_EVENTFD_SIGNAL_COUNT
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* 6.3: vm_flags may only be changed through helpers. */
#ifndef PTO_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* 6.2: class.devnode got a const device. */
#ifdef PTO_HAVE_CONST_DEVNODE
#define pto_devnode_device const struct device
#else
#define pto_devnode_device struct device
#endif

#endif /* PTO_COMPAT_H */
