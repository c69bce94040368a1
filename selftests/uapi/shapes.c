// SPDX-License-Identifier: GPL-2.0
/*
 * What is the same for every ioctl: the size field, the tail behind a known struct, fields
 * that must be zero or hold flags, and where the argument may lie in memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"

#define MAX_FIELDS 4

/**
 * struct field - a field that must be zero
 * @name: its name
 * @offset: where it is
 * @bytes: its length
 * @want: what any bit in it results in
 */
struct field {
	const char *name;
	size_t offset;
	size_t bytes;
	int want;
};

/**
 * struct shape - an ioctl
 * @name: its name
 * @nr: its number
 * @size: bytes of its argument
 * @writes: it writes to its argument
 * @make: fill in an argument with which it succeeds (all of it is zero, but the size)
 * @undo: take back what a success did, or NULL
 * @fields: fields that must be zero
 */
struct shape {
	const char *name;
	unsigned long nr;
	size_t size;
	bool writes;
	void (*make)(struct env *env, void *arg);
	void (*undo)(struct env *env, void *arg);
	struct field fields[MAX_FIELDS];
};

#define PAD(type, field) \
	{ #field, offsetof(struct type, field), sizeof(((struct type *)0)->field), -EINVAL }
#define FLAGS(type) { "flags", offsetof(struct type, flags), sizeof(__u32), -EOPNOTSUPP }

/* --- an argument with which each ioctl succeeds --------------------------------- */

static struct pto_device_info answer;
static const char image_bytes[] = "not an object, but an image may be anything";
static struct pto_run_entry entry;

static void make_query(struct env *env, void *arg)
{
	struct pto_ioc_query *query = arg;

	query->item = PTO_QUERY_DEVICE;
	query->data_ptr = (uintptr_t)&answer;
	query->data_size = sizeof(answer);
}

static void make_bo_create(struct env *env, void *arg)
{
	((struct pto_ioc_bo_create *)arg)->length = 1;
}

static void undo_bo_create(struct env *env, void *arg)
{
	pt_bo_destroy(env->fd, ((struct pto_ioc_bo_create *)arg)->id);
}

static void make_bo_info(struct env *env, void *arg)
{
	((struct pto_ioc_bo_info *)arg)->id = env->bo.id;
}

static void make_bo_destroy(struct env *env, void *arg)
{
	struct pto_ioc_bo_create create = { .size = sizeof(create), .length = 1 };

	pt_ioctl(env->fd, PTO_BO_CREATE, &create);
	((struct pto_ioc_bo_destroy *)arg)->id = create.id;
}

static void undo_bo_destroy(struct env *env, void *arg)
{
	pt_bo_destroy(env->fd, ((struct pto_ioc_bo_destroy *)arg)->id);
}

static void make_bo_copy(struct env *env, void *arg)
{
	struct pto_ioc_bo_copy *copy = arg;

	copy->direction = PTO_COPY_DEVICE;
	copy->dst_id = env->bo.id;
	copy->src_id = env->bo.id;
	copy->length = 8;
}

static void make_bo_export(struct env *env, void *arg)
{
	((struct pto_ioc_bo_export *)arg)->id = env->bo.id;
}

static void undo_bo_export(struct env *env, void *arg)
{
	close(((struct pto_ioc_bo_export *)arg)->fd);
}

static void make_bo_import(struct env *env, void *arg)
{
	((struct pto_ioc_bo_import *)arg)->fd = env->dmabuf;
}

static void undo_bo_import(struct env *env, void *arg)
{
	pt_bo_destroy(env->fd, ((struct pto_ioc_bo_import *)arg)->id);
}

static void undo_stream_create(struct env *env, void *arg)
{
	pt_stream_destroy(env->fd, ((struct pto_ioc_stream_create *)arg)->id);
}

static void make_stream_destroy(struct env *env, void *arg)
{
	pt_stream_create(env->fd, &((struct pto_ioc_stream_destroy *)arg)->id);
}

static void undo_stream_destroy(struct env *env, void *arg)
{
	pt_stream_destroy(env->fd, ((struct pto_ioc_stream_destroy *)arg)->id);
}

static void make_stream_wait(struct env *env, void *arg)
{
	((struct pto_ioc_stream_wait *)arg)->id = PTO_STREAM_DEFAULT;
}

static void make_image_create(struct env *env, void *arg)
{
	struct pto_ioc_image_create *image = arg;

	image->data_ptr = (uintptr_t)image_bytes;
	image->length = sizeof(image_bytes);
}

static void undo_image_create(struct env *env, void *arg)
{
	pt_image_destroy(env->fd, ((struct pto_ioc_image_create *)arg)->id);
}

static void make_image_destroy(struct env *env, void *arg)
{
	struct pto_ioc_image_create image = { .size = sizeof(image) };

	make_image_create(env, &image);
	pt_ioctl(env->fd, PTO_IMAGE_CREATE, &image);
	((struct pto_ioc_image_destroy *)arg)->id = image.id;
}

static void undo_image_destroy(struct env *env, void *arg)
{
	pt_image_destroy(env->fd, ((struct pto_ioc_image_destroy *)arg)->id);
}

static void make_prepare(struct env *env, void *arg)
{
	struct pto_ioc_prepare *prepare = arg;

	prepare->cid = -1;
	prepare->kind = PTO_KIND_DEVICE_ORCH;
	prepare->image = env->image;
	prepare->kernel_stride = sizeof(struct pto_kernel);
}

static void undo_prepare(struct env *env, void *arg)
{
	pt_unprepare(env->fd, ((struct pto_ioc_prepare *)arg)->cid);
}

static void make_unprepare(struct env *env, void *arg)
{
	((struct pto_ioc_unprepare *)arg)->cid = PTO_MAX_CALLABLES - 1;
}

static void make_run(struct env *env, void *arg)
{
	struct pto_ioc_run *run = arg;

	entry = (struct pto_run_entry) { .cid = env->cid };
	run->stream = PTO_STREAM_DEFAULT;
	run->count = 1;
	run->stride = sizeof(entry);
	run->entries_ptr = (uintptr_t)&entry;
}

static void undo_run(struct env *env, void *arg)
{
	pt_finish(env->fd, ((struct pto_ioc_run *)arg)->first_id);
}

static void make_wait(struct env *env, void *arg)
{
	((struct pto_ioc_wait *)arg)->run = env->run;
}

static void make_nothing(struct env *env, void *arg)
{
}

static const struct shape shapes[] = {
	{ "QUERY", PTO_QUERY, sizeof(struct pto_ioc_query), true, make_query, NULL,
	  { PAD(pto_ioc_query, pad) } },
	{ "BO_CREATE", PTO_BO_CREATE, sizeof(struct pto_ioc_bo_create), true, make_bo_create,
	  undo_bo_create, { FLAGS(pto_ioc_bo_create) } },
	{ "BO_INFO", PTO_BO_INFO, sizeof(struct pto_ioc_bo_info), true, make_bo_info, NULL,
	  { PAD(pto_ioc_bo_info, pad) } },
	{ "BO_DESTROY", PTO_BO_DESTROY, sizeof(struct pto_ioc_bo_destroy), false, make_bo_destroy,
	  undo_bo_destroy, {} },
	{ "BO_COPY", PTO_BO_COPY, sizeof(struct pto_ioc_bo_copy), false, make_bo_copy, NULL,
	  { PAD(pto_ioc_bo_copy, user_ptr) } },
	{ "BO_EXPORT", PTO_BO_EXPORT, sizeof(struct pto_ioc_bo_export), true, make_bo_export,
	  undo_bo_export, { FLAGS(pto_ioc_bo_export) } },
	{ "BO_IMPORT", PTO_BO_IMPORT, sizeof(struct pto_ioc_bo_import), true, make_bo_import,
	  undo_bo_import, { FLAGS(pto_ioc_bo_import) } },
	{ "STREAM_CREATE", PTO_STREAM_CREATE, sizeof(struct pto_ioc_stream_create), true,
	  make_nothing, undo_stream_create,
	  { FLAGS(pto_ioc_stream_create), PAD(pto_ioc_stream_create, pad) } },
	{ "STREAM_DESTROY", PTO_STREAM_DESTROY, sizeof(struct pto_ioc_stream_destroy), false,
	  make_stream_destroy, undo_stream_destroy, {} },
	{ "STREAM_WAIT", PTO_STREAM_WAIT, sizeof(struct pto_ioc_stream_wait), false,
	  make_stream_wait, NULL, {} },
	{ "IMAGE_CREATE", PTO_IMAGE_CREATE, sizeof(struct pto_ioc_image_create), true,
	  make_image_create, undo_image_create,
	  { FLAGS(pto_ioc_image_create), PAD(pto_ioc_image_create, build_id),
	    PAD(pto_ioc_image_create, pad) } },
	{ "IMAGE_DESTROY", PTO_IMAGE_DESTROY, sizeof(struct pto_ioc_image_destroy), false,
	  make_image_destroy, undo_image_destroy, {} },
	{ "PREPARE", PTO_PREPARE, sizeof(struct pto_ioc_prepare), true, make_prepare, undo_prepare,
	  { FLAGS(pto_ioc_prepare), PAD(pto_ioc_prepare, pad) } },
	{ "UNPREPARE", PTO_UNPREPARE, sizeof(struct pto_ioc_unprepare), false, make_unprepare, NULL,
	  { PAD(pto_ioc_unprepare, pad) } },
	{ "PREWARM", PTO_PREWARM, sizeof(struct pto_ioc_prewarm), true, make_nothing, NULL,
	  { FLAGS(pto_ioc_prewarm), PAD(pto_ioc_prewarm, pad), PAD(pto_ioc_prewarm, pad2) } },
	{ "RUN", PTO_RUN, sizeof(struct pto_ioc_run), true, make_run, undo_run,
	  { FLAGS(pto_ioc_run), PAD(pto_ioc_run, pad) } },
	{ "WAIT", PTO_WAIT, sizeof(struct pto_ioc_wait), true, make_wait, NULL,
	  { FLAGS(pto_ioc_wait), PAD(pto_ioc_wait, pad), PAD(pto_ioc_wait, pad2) } },
	{ "CTX_RESET", PTO_CTX_RESET, sizeof(struct pto_ioc_ctx_reset), false, make_nothing, NULL,
	  { FLAGS(pto_ioc_ctx_reset) } },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

size_t shape_count(void)
{
	return SHAPES;
}

const char *shape_name(size_t i)
{
	return shapes[i].name;
}

unsigned long shape_nr(size_t i)
{
	return shapes[i].nr;
}

size_t shape_size(size_t i)
{
	return shapes[i].size;
}

/* --- sizes ---------------------------------------------------------------------- */

static void prepare_arg(struct env *env, const struct shape *shape, void *arg)
{
	uint32_t size = shape->size;

	memset(arg, 0, size);
	memcpy(arg, &size, sizeof(size));
	shape->make(env, arg);
}

static void set_size(void *arg, uint32_t size)
{
	memcpy(arg, &size, sizeof(size));
}

/* Something that was made for a call that then failed, or that a call has made, goes away. */
static void clean_up(struct env *env, const struct shape *shape, void *arg, bool success)
{
	if (shape->undo && (success || !shape->writes))
		shape->undo(env, arg);
}

/*
 * Call with an argument that says it has @size bytes, of which those behind the known ones
 * are zero but for one at @dirty (0: none).
 */
static void sized(struct env *env, const struct shape *shape, struct edge *edge, size_t size,
		  size_t dirty, int want, const char *name)
{
	int ret;

	memset(edge->start, 0, EDGE_BYTES);
	prepare_arg(env, shape, edge->start);
	set_size(edge->start, size);
	if (dirty)
		edge->start[dirty] = 1;
	ret = row_call(env, want, shape->nr, edge->start, "%s size %s", shape->name, name);
	clean_up(env, shape, edge->start, !ret);
}

/* Bytes that the first version of an argument had. */
static size_t first_size(const struct shape *shape)
{
	switch (shape->nr) {
	case PTO_PREWARM:
		return 120;
	case PTO_RUN:
		return 40;
	case PTO_WAIT:
		return 88;
	default:
		return shape->size;
	}
}

static void sizes(struct env *env, const struct shape *shape, struct edge *edge)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t first = first_size(shape);
	size_t known = shape->size;

	sized(env, shape, edge, 0, 0, -EINVAL, "0");
	sized(env, shape, edge, sizeof(__u32), 0, -EINVAL, "of the field itself");
	sized(env, shape, edge, first - 1, 0, -EINVAL, "1 too short");
	sized(env, shape, edge, first - 4, 0, -EINVAL, "4 too short");
	sized(env, shape, edge, first, 0, 0, "of the first version");
	sized(env, shape, edge, known, 0, 0, "exact");
	sized(env, shape, edge, known, known, 0, "exact, garbage behind");
	sized(env, shape, edge, known + 1, 0, 0, "1 longer, zero");
	sized(env, shape, edge, known + 8, 0, 0, "8 longer, zero");
	sized(env, shape, edge, page, 0, 0, "a page, zero");
	sized(env, shape, edge, known + 1, known, -E2BIG, "1 longer, garbage");
	sized(env, shape, edge, known + 8, known, -E2BIG, "8 longer, garbage first");
	sized(env, shape, edge, known + 8, known + 7, -E2BIG, "8 longer, garbage last");
	sized(env, shape, edge, page, page - 1, -E2BIG, "a page, garbage last");
	sized(env, shape, edge, page + 1, 0, -E2BIG, "1 more than a page, zero");
	sized(env, shape, edge, EDGE_BYTES, 0, -E2BIG, "pages, zero");
	sized(env, shape, edge, 1U << 30, 0, -E2BIG, "1 GiB");
	sized(env, shape, edge, UINT32_MAX, 0, -E2BIG, "4 GiB");
}

/* --- fields that must be zero --------------------------------------------------- */

static void fields(struct env *env, const struct shape *shape, struct edge *edge)
{
	const struct field *field;
	int ret;

	for (field = shape->fields; field < shape->fields + MAX_FIELDS && field->name; field++) {
		prepare_arg(env, shape, edge->start);
		edge->start[field->offset] = 1;
		ret = row_call(env, field->want, shape->nr, edge->start, "%s %s first bit",
			       shape->name, field->name);
		clean_up(env, shape, edge->start, !ret);
		prepare_arg(env, shape, edge->start);
		edge->start[field->offset + field->bytes - 1] = (char)0x80;
		ret = row_call(env, field->want, shape->nr, edge->start, "%s %s last bit",
			       shape->name, field->name);
		clean_up(env, shape, edge->start, !ret);
	}
}

/* --- pointers ------------------------------------------------------------------- */

static void bad_pointers(struct env *env, const struct shape *shape, struct edge *edge)
{
	row_call(env, -EFAULT, shape->nr, NULL, "%s at NULL", shape->name);
	row_call(env, -EFAULT, shape->nr, (void *)KERNEL_POINTER, "%s at a kernel address",
		 shape->name);
	row_call(env, -EFAULT, shape->nr, (void *)NONCANONICAL_POINTER,
		 "%s at a non-canonical address", shape->name);
	row_call(env, -EFAULT, shape->nr, edge->end, "%s in an unmapped page", shape->name);
	row_call(env, -EFAULT, shape->nr, edge->end - 2, "%s with half a size field", shape->name);
}

static void edge_pointers(struct env *env, const struct shape *shape, struct edge *edge)
{
	char *at = edge->end - shape->size;
	int ret;

	prepare_arg(env, shape, at);
	ret = row_call(env, 0, shape->nr, at, "%s up to the end of a page", shape->name);
	clean_up(env, shape, at, !ret);

	prepare_arg(env, shape, edge->start);
	memmove(at + 1, edge->start, shape->size - 1);
	row_call(env, -EFAULT, shape->nr, at + 1, "%s one byte over the end of a page",
		 shape->name);
	clean_up(env, shape, edge->start, false);

	prepare_arg(env, shape, at);
	set_size(at, shape->size + 8);
	row_call(env, -EFAULT, shape->nr, at, "%s with its tail over the end of a page",
		 shape->name);
	clean_up(env, shape, at, false);
}

/* An argument that cannot be written: what was done must be undone, or not begun. */
static void read_only(struct env *env, const struct shape *shape)
{
	struct edge edge;
	int ret;

	edge_new(&edge);
	prepare_arg(env, shape, edge.start);
	mprotect(edge.start, EDGE_BYTES, PROT_READ);
	ret = row_call(env, shape->writes ? -EFAULT : 0, shape->nr, edge.start,
		       "%s in read-only memory", shape->name);
	mprotect(edge.start, EDGE_BYTES, PROT_READ | PROT_WRITE);
	clean_up(env, shape, edge.start, !ret);
	edge_free(&edge);
}

/* --- numbers -------------------------------------------------------------------- */

static bool known_number(unsigned int nr)
{
	size_t i;

	for (i = 0; i < SHAPES; i++) {
		if (_IOC_NR(shapes[i].nr) == nr)
			return true;
	}
	return false;
}

static void numbers(struct env *env, struct edge *edge)
{
	unsigned int nr;
	size_t i;

	memset(edge->start, 0, 256);
	set_size(edge->start, 256);
	for (nr = 0; nr < 256; nr++) {
		if (!known_number(nr))
			row_call(env, -ENOTTY, _IO(PTO_IOC_TYPE, nr), edge->start,
				 "number 0x%02x", nr);
	}
	for (i = 0; i < SHAPES; i++) {
		const struct shape *shape = &shapes[i];

		row_call(env, -ENOTTY, _IO('!', _IOC_NR(shape->nr)), edge->start,
			 "%s with another type byte", shape->name);
		row_call(env, -ENOTTY, _IOC(_IOC_READ | _IOC_WRITE, PTO_IOC_TYPE,
					    _IOC_NR(shape->nr), shape->size), edge->start,
			 "%s with a direction and a size", shape->name);
	}
	row_call(env, -ENOTTY, 0, edge->start, "number and type 0");
	row_call(env, -ENOTTY, UINT32_MAX, edge->start, "all bits of the number");
}

void rows_of_shapes(struct env *env)
{
	struct edge edge;
	size_t i;

	edge_new(&edge);
	numbers(env, &edge);
	for (i = 0; i < SHAPES; i++) {
		sizes(env, &shapes[i], &edge);
		fields(env, &shapes[i], &edge);
		bad_pointers(env, &shapes[i], &edge);
		edge_pointers(env, &shapes[i], &edge);
		read_only(env, &shapes[i]);
	}
	edge_free(&edge);
}
