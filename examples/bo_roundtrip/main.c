// SPDX-License-Identifier: MIT
/*
 * bo_roundtrip: device memory without any run. Random bytes are copied to one buffer, from there
 * to a second buffer on the device, and back; a mapping shows the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/example.h"

static struct pto_buffer *new_buffer(struct example *ex, size_t bytes)
{
	struct pto_buffer *buf;

	if (pto_buffer_alloc(ex->ctx, bytes, PTO_PLACE_DEVICE, &buf))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	return buf;
}

static void check_zero(struct example *ex, struct pto_buffer *buf)
{
	const unsigned char *map = pto_buffer_map(buf);

	if (!map)
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	for (size_t i = 0; i < pto_buffer_size(buf); i++)
		if (map[i])
			example_fail(ex, "byte %zu of a new buffer is 0x%02x and should be 0", i,
				     map[i]);
}

static bool round_trip(struct example *ex, float *data, float *back, size_t elements)
{
	size_t bytes = elements * sizeof(*data), offset = 64;
	struct pto_buffer *first = new_buffer(ex, bytes + offset);
	struct pto_buffer *second = new_buffer(ex, bytes);
	bool good;

	check_zero(ex, second);
	if (pto_buffer_write(first, offset, data, bytes) ||
	    pto_buffer_copy(second, 0, first, offset, bytes) ||
	    pto_buffer_read(second, 0, back, bytes))
		example_fail(ex, "%s", pto_context_error(ex->ctx));
	good = example_check(ex, "copied back", back, data, elements) &&
	       example_check(ex, "mapped", pto_buffer_map(second), data, elements);
	pto_buffer_free(first);
	pto_buffer_free(second);
	return good;
}

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "bo_roundtrip",
		.about = "Copies random data to device memory, within it, and back.",
		.repetitions = 10,
		.size = 1 << 18,
		.min_size = 1,
	};
	float *data, *back;
	bool good = true;

	example_start(&ex, argc, argv);
	data = example_alloc(&ex, ex.size, sizeof(*data));
	back = example_alloc(&ex, ex.size, sizeof(*back));
	for (unsigned long i = 0; i < ex.repetitions && good; i++) {
		example_random(&ex, data, ex.size);
		memset(back, 0, ex.size * sizeof(*back));
		good = round_trip(&ex, data, back, ex.size);
	}
	if (good)
		printf("bo_roundtrip: %lu times %lu elements to the device and back, all equal\n",
		       ex.repetitions, ex.size);
	free(data);
	free(back);
	pto_close(ex.ctx);
	return !good;
}
