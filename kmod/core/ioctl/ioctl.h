/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The functions that execute ioctls. For the table in ioctl.c, and for those who define them.
 */
#ifndef PTO_CORE_IOCTL_H
#define PTO_CORE_IOCTL_H

struct pto_call;

int pto_ioctl_ctx_reset(struct pto_call *call);
int pto_ioctl_bo_create(struct pto_call *call);
int pto_ioctl_bo_info(struct pto_call *call);
int pto_ioctl_bo_destroy(struct pto_call *call);
int pto_ioctl_bo_copy(struct pto_call *call);
int pto_ioctl_bo_export(struct pto_call *call);
int pto_ioctl_bo_import(struct pto_call *call);
int pto_ioctl_image_create(struct pto_call *call);
int pto_ioctl_image_destroy(struct pto_call *call);
int pto_ioctl_prepare(struct pto_call *call);
int pto_ioctl_unprepare(struct pto_call *call);
int pto_ioctl_prewarm(struct pto_call *call);
int pto_ioctl_stream_create(struct pto_call *call);
int pto_ioctl_stream_destroy(struct pto_call *call);
int pto_ioctl_stream_wait(struct pto_call *call);
int pto_ioctl_run(struct pto_call *call);
int pto_ioctl_wait(struct pto_call *call);
int pto_ioctl_query(struct pto_call *call);

#endif /* PTO_CORE_IOCTL_H */
