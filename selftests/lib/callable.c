// SPDX-License-Identifier: GPL-2.0
/* Object files, images and prepared callables. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptotest.h"

static int read_all(const char *path, struct pt_file *file)
{
	FILE *f = fopen(path, "re");
	long bytes;

	if (!f)
		return -errno;
	fseek(f, 0, SEEK_END);
	bytes = ftell(f);
	rewind(f);
	file->data = bytes > 0 ? malloc(bytes) : NULL;
	if (!file->data || fread(file->data, bytes, 1, f) != 1) {
		fclose(f);
		free(file->data);
		return -EIO;
	}
	fclose(f);
	file->bytes = bytes;
	return 0;
}

/* Our own objects: the linker made them, so their headers can be believed. */
static void find_build_id(struct pt_file *file)
{
	const Elf64_Ehdr *ehdr = file->data;
	const char *base = file->data;
	const Elf64_Phdr *phdr = (const void *)(base + ehdr->e_phoff);
	const Elf64_Nhdr *note;
	const char *at, *end;
	int i;

	for (i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_NOTE)
			continue;
		at = base + phdr[i].p_offset;
		end = at + phdr[i].p_filesz;
		while (at + sizeof(*note) <= end) {
			note = (const void *)at;
			at += sizeof(*note) + ((note->n_namesz + 3) & ~3U);
			if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= PTO_BUILD_ID_MAX &&
			    !memcmp(note + 1, "GNU", 4)) {
				memcpy(file->build_id, at, note->n_descsz);
				file->build_id_len = note->n_descsz;
				return;
			}
			at += (note->n_descsz + 3) & ~3U;
		}
	}
}

int pt_file_read(const char *name, struct pt_file *file)
{
	int err;

	memset(file, 0, sizeof(*file));
	err = read_all(pt_object(name), file);
	if (err)
		return err;
	find_build_id(file);
	return 0;
}

void pt_file_free(struct pt_file *file)
{
	free(file->data);
	memset(file, 0, sizeof(*file));
}

int pt_image(int fd, const char *name, struct pto_ioc_image_create *image)
{
	struct pt_file file;
	int err;

	err = pt_file_read(name, &file);
	if (err)
		return err;
	*image = (struct pto_ioc_image_create) {
		.size = sizeof(*image),
		.data_ptr = (uintptr_t)file.data,
		.length = file.bytes,
		.build_id_len = file.build_id_len,
	};
	memcpy(image->build_id, file.build_id, sizeof(image->build_id));
	err = pt_ioctl(fd, PTO_IMAGE_CREATE, image);
	pt_file_free(&file);
	return err;
}

int pt_image_destroy(int fd, uint32_t id)
{
	struct pto_ioc_image_destroy arg = { .size = sizeof(arg), .id = id };

	return pt_ioctl(fd, PTO_IMAGE_DESTROY, &arg);
}

static int create_images(int fd, const struct pt_callable *callable, uint32_t *orch,
			 struct pto_kernel *kernels)
{
	struct pto_ioc_image_create image;
	int count, err;

	err = pt_image(fd, callable->orch, &image);
	if (err)
		return err;
	*orch = image.id;
	for (count = 0; count < PT_MAX_KERNELS && callable->kernels[count].object; count++) {
		err = pt_image(fd, callable->kernels[count].object, &image);
		if (err)
			goto err_destroy;
		kernels[count] = (struct pto_kernel) {
			.func_id = callable->kernels[count].func_id,
			.core_type = callable->kernels[count].core_type,
			.image = image.id,
		};
	}
	return count;

err_destroy:
	while (count--)
		pt_image_destroy(fd, kernels[count].image);
	pt_image_destroy(fd, *orch);
	return err;
}

const struct pt_callable pt_add = {
	.orch = "orch_vec",
	.kernels = { { 0, PTO_CORE_AIV, "kernel_add" } },
};

const struct pt_callable pt_mul = {
	.orch = "orch_vec",
	.kernels = { { 0, PTO_CORE_AIV, "kernel_mul" } },
};

int pt_prepare(int fd, int cid, const struct pt_callable *callable, struct pto_ioc_prepare *out)
{
	struct pto_kernel kernels[PT_MAX_KERNELS];
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = cid,
		.kind = PTO_KIND_DEVICE_ORCH,
		.kernel_stride = sizeof(struct pto_kernel),
		.kernels_ptr = (uintptr_t)kernels,
	};
	int count, err, i;

	count = create_images(fd, callable, &arg.image, kernels);
	if (count < 0)
		return count;
	arg.kernel_count = count;
	if (callable->entry)
		snprintf((char *)arg.entry, sizeof(arg.entry), "%s", callable->entry);
	if (callable->config)
		snprintf((char *)arg.config, sizeof(arg.config), "%s", callable->config);
	err = pt_ioctl(fd, PTO_PREPARE, &arg);
	for (i = 0; i < count; i++)
		pt_image_destroy(fd, kernels[i].image);
	pt_image_destroy(fd, arg.image);
	if (out)
		*out = arg;
	return err ? err : arg.cid;
}

int pt_unprepare(int fd, int cid)
{
	struct pto_ioc_unprepare arg = { .size = sizeof(arg), .cid = cid };

	return pt_ioctl(fd, PTO_UNPREPARE, &arg);
}
