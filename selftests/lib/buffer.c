// SPDX-License-Identifier: GPL-2.0
/* Buffer objects, tensors in them, and the arguments of runs. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ptotest.h"

int pt_bo_destroy(int fd, uint32_t id)
{
	struct pto_ioc_bo_destroy arg = { .size = sizeof(arg), .id = id };

	return pt_ioctl(fd, PTO_BO_DESTROY, &arg);
}

int pt_buf_new(int fd, size_t bytes, struct pt_buf *buf)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = bytes };
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	int err;

	memset(buf, 0, sizeof(*buf));
	err = pt_ioctl(fd, PTO_BO_CREATE, &create);
	if (err)
		return err;
	info.id = create.id;
	err = pt_ioctl(fd, PTO_BO_INFO, &info);
	if (err)
		goto err_destroy;
	buf->map = mmap(NULL, info.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			create.mmap_offset);
	if (buf->map == MAP_FAILED) {
		err = -errno;
		goto err_destroy;
	}
	buf->id = create.id;
	buf->addr = create.device_addr;
	buf->bytes = info.length;
	return 0;

err_destroy:
	buf->map = NULL;
	pt_bo_destroy(fd, create.id);
	return err;
}

void pt_buf_free(int fd, struct pt_buf *buf)
{
	if (buf->map)
		munmap(buf->map, buf->bytes);
	if (buf->id)
		pt_bo_destroy(fd, buf->id);
	memset(buf, 0, sizeof(*buf));
}

struct pto_tensor pt_tensor(uint64_t addr, uint8_t dtype, uint32_t elem, uint32_t count)
{
	return (struct pto_tensor) {
		.addr = addr,
		.size = (uint64_t)elem * count,
		.owner_task = PTO_NO_TASK,
		.ndims = 1,
		.dtype = dtype,
		.is_contiguous = 1,
		.address_space = PTO_SPACE_DEVICE,
		.shapes = { count },
		.extent = count,
		.strides = { 1 },
	};
}

uint32_t pt_args_write(void *at, uint32_t tensor_count, const struct pto_tensor *tensors,
		       uint32_t scalar_count, const uint64_t *scalars)
{
	struct pto_run_args *args = at;
	char *tail = (char *)(args + 1);

	*args = (struct pto_run_args) {
		.tensor_count = tensor_count,
		.scalar_count = scalar_count,
	};
	if (tensor_count)
		memcpy(tail, tensors, tensor_count * sizeof(*tensors));
	tail += tensor_count * sizeof(struct pto_tensor);
	if (scalar_count)
		memcpy(tail, scalars, scalar_count * sizeof(*scalars));
	return PTO_RUN_ARGS_SIZE(tensor_count, scalar_count);
}

int pt_vec_new(int fd, uint32_t count, struct pt_vec *vec)
{
	uint64_t step = (uint64_t)count * sizeof(float);
	struct pto_tensor tensors[3];
	int err, i;

	memset(vec, 0, sizeof(*vec));
	vec->count = count;
	err = pt_buf_new(fd, 3 * step, &vec->data);
	if (err)
		return err;
	err = pt_buf_new(fd, PTO_RUN_ARGS_SIZE(3, 0), &vec->args);
	if (err) {
		pt_buf_free(fd, &vec->data);
		return err;
	}
	for (i = 0; i < 3; i++)
		tensors[i] = pt_tensor(vec->data.addr + i * step, PTO_DTYPE_FLOAT32,
				       sizeof(float), count);
	vec->args_bytes = pt_args_write(vec->args.map, 3, tensors, 0, NULL);
	return 0;
}

void pt_vec_free(int fd, struct pt_vec *vec)
{
	pt_buf_free(fd, &vec->data);
	pt_buf_free(fd, &vec->args);
}

void pt_vec_fill(struct pt_vec *vec, float a, float b)
{
	float *data = vec->data.map;
	uint32_t i;

	for (i = 0; i < vec->count; i++) {
		data[i] = a + i;
		data[vec->count + i] = b;
		data[2 * vec->count + i] = -1;
	}
}

const float *pt_vec_out(const struct pt_vec *vec)
{
	return (const float *)vec->data.map + 2 * (size_t)vec->count;
}
