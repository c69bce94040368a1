// SPDX-License-Identifier: MIT
/*
 * libpto-drm: the names that DRM devices have for memory and fences, and ours. Both libraries deal
 * in descriptors, so nothing here is more than a few calls. errno stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <xf86drm.h>

#include <pto/drm.h>

#define PTO_API __attribute__((visibility("default")))
#define KEEP_ERRNO int kept_errno __attribute__((cleanup(restore_errno), unused)) = errno

static void restore_errno(const int *kept)
{
	errno = *kept;
}

/* libdrm returns -1 and errno from some functions, and -errno from others. */
static int drm_result(int ret)
{
	if (!ret)
		return 0;
	return ret == -1 ? -errno : ret;
}

PTO_API int pto_drm_buffer_export(struct pto_buffer *buf, int drm, uint32_t *handle)
{
	KEEP_ERRNO;
	int fd, rc = pto_buffer_export(buf, &fd);

	if (rc)
		return rc;
	rc = drm_result(drmPrimeFDToHandle(drm, fd, handle));
	close(fd);
	return rc;
}

PTO_API int pto_drm_buffer_import(struct pto_context *ctx, int drm, uint32_t handle,
				  struct pto_buffer **out)
{
	KEEP_ERRNO;
	int fd, rc = drm_result(drmPrimeHandleToFD(drm, handle, DRM_CLOEXEC | DRM_RDWR, &fd));

	if (rc)
		return rc;
	rc = pto_buffer_import(ctx, fd, out);
	close(fd);
	return rc;
}

/* Only a syncobj without a timeline takes a sync_file. A point takes it from there. */
static int export_to_point(int fence, int drm, uint32_t syncobj, uint64_t point)
{
	uint32_t plain;
	int rc = drm_result(drmSyncobjCreate(drm, 0, &plain));

	if (rc)
		return rc;
	rc = drm_result(drmSyncobjImportSyncFile(drm, plain, fence));
	if (!rc)
		rc = drm_result(drmSyncobjTransfer(drm, syncobj, point, plain, 0, 0));
	drmSyncobjDestroy(drm, plain);
	return rc;
}

PTO_API int pto_drm_fence_export(int fence, int drm, uint32_t syncobj, uint64_t point)
{
	KEEP_ERRNO;

	if (point)
		return export_to_point(fence, drm, syncobj, point);
	return drm_result(drmSyncobjImportSyncFile(drm, syncobj, fence));
}

static int import_from_point(int drm, uint32_t syncobj, uint64_t point, int *fence)
{
	uint32_t plain;
	int rc = drm_result(drmSyncobjCreate(drm, 0, &plain));

	if (rc)
		return rc;
	rc = drm_result(drmSyncobjTransfer(drm, plain, 0, syncobj, point, 0));
	if (!rc)
		rc = drm_result(drmSyncobjExportSyncFile(drm, plain, fence));
	drmSyncobjDestroy(drm, plain);
	return rc;
}

PTO_API int pto_drm_fence_import(int drm, uint32_t syncobj, uint64_t point, int *fence)
{
	KEEP_ERRNO;

	if (point)
		return import_from_point(drm, syncobj, point, fence);
	return drm_result(drmSyncobjExportSyncFile(drm, syncobj, fence));
}
