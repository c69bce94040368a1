// SPDX-License-Identifier: GPL-2.0
/* Runs and streams. */
#include "ptotest.h"

int pt_submit_entry(int fd, uint32_t stream, const struct pto_run_entry *entry, uint64_t *id)
{
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = stream,
		.count = 1,
		.stride = sizeof(*entry),
		.entries_ptr = (uintptr_t)entry,
	};
	int err;

	err = pt_ioctl(fd, PTO_RUN, &run);
	if (!err)
		*id = run.first_id;
	return err;
}

int pt_submit(int fd, uint32_t stream, int cid, const struct pt_buf *args, uint32_t args_bytes,
	      uint64_t *id)
{
	struct pto_run_entry entry = {
		.cid = cid,
		.args_bo = args ? args->id : 0,
		.args_size = args ? args_bytes : 0,
	};

	return pt_submit_entry(fd, stream, &entry, id);
}

int pt_wait(int fd, uint64_t id, struct pto_ioc_wait *out)
{
	struct pto_ioc_wait wait = {
		.size = sizeof(wait),
		.run = id,
		.timeout_ns = pt_deadline(),
	};
	int err;

	err = pt_ioctl(fd, PTO_WAIT, &wait);
	if (out)
		*out = wait;
	return err;
}

int pt_finish(int fd, uint64_t id)
{
	struct pto_ioc_wait wait;
	int err;

	err = pt_wait(fd, id, &wait);
	return err ? err : wait.status;
}

int pt_run(int fd, int cid, const struct pt_buf *args, uint32_t args_bytes)
{
	uint64_t id;
	int err;

	err = pt_submit(fd, PTO_STREAM_DEFAULT, cid, args, args_bytes, &id);
	return err ? err : pt_finish(fd, id);
}

int pt_stream_create(int fd, uint32_t *id)
{
	struct pto_ioc_stream_create arg = { .size = sizeof(arg) };
	int err;

	err = pt_ioctl(fd, PTO_STREAM_CREATE, &arg);
	if (!err)
		*id = arg.id;
	return err;
}

int pt_stream_destroy(int fd, uint32_t id)
{
	struct pto_ioc_stream_destroy arg = { .size = sizeof(arg), .id = id };

	return pt_ioctl(fd, PTO_STREAM_DESTROY, &arg);
}

int pt_stream_wait(int fd, uint32_t id, uint64_t deadline)
{
	struct pto_ioc_stream_wait arg = { .size = sizeof(arg), .id = id, .timeout_ns = deadline };

	return pt_ioctl(fd, PTO_STREAM_WAIT, &arg);
}

int pt_reset(int fd)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return pt_ioctl(fd, PTO_CTX_RESET, &arg);
}
