// SPDX-License-Identifier: GPL-2.0
/* LOAD, UNLOAD and the validation of runs. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <pto/tensor.h>
#include <sim/device/engine.h>

#include "homes.h"
#include "../../sim/device/internal.h"

#define ENTRY "aicpu_orchestration_entry"

/* Text of the report of the last command on a queue. */
static const char *why(struct rig *rig, uint32_t queue)
{
	return rig_why(rig, queue, rig_queue(rig, queue)->sq_tail - 1);
}

#define EXPECT_WHY(text, queue) \
	EXPECT_NE(NULL, strstr(why(&self->rig, queue), text)) \
		TH_LOG("report: %s", why(&self->rig, queue))

/* The same image under two handles is loaded twice, and has two sets of statics. */
TEST_F(device, separate_statics)
{
	struct rig_object probe;
	uint64_t detail = 99;
	uint64_t i;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	ASSERT_EQ(0, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, &detail));
	EXPECT_EQ(0, detail);
	ASSERT_EQ(0, rig_load(&self->ctx, 2, &probe, ENTRY, NULL, 0, NULL));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(0, rig_run(&self->ctx, 1, PROBE_COUNT, 0, 0));
		EXPECT_EQ(i, *self->ctx.page);
	}
	ASSERT_EQ(0, rig_run(&self->ctx, 2, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
	ASSERT_EQ(0, rig_unload(&self->ctx, 1));
	ASSERT_EQ(0, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, NULL));
	ASSERT_EQ(0, rig_run(&self->ctx, 1, PROBE_COUNT, 0, 0));
	EXPECT_EQ(1, *self->ctx.page);
	ASSERT_EQ(0, rig_run(&self->ctx, 2, PROBE_COUNT, 0, 0));
	EXPECT_EQ(2, *self->ctx.page);
}

static struct pto_dev_kernel kernel_of(uint32_t func_id, uint32_t core_type,
				       const struct rig_object *object)
{
	return (struct pto_dev_kernel){
		.func_id = func_id,
		.core_type = core_type,
		.image_addr = object->addr,
		.image_size = object->size,
		.image_id = object->id,
	};
}

/* Kernels are shared by image id until the last user is unloaded. */
TEST_F(device, shared_kernels)
{
	struct rig_object probe, kernel, other;
	struct pto_dev_kernel kernels[3];
	uint64_t detail;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	ASSERT_EQ(0, rig_object(&self->rig, "kernel.so", &kernel));
	ASSERT_EQ(0, rig_object(&self->rig, "kernel.so", &other));
	kernels[0] = kernel_of(0, PTO_CORE_AIC, &kernel);
	kernels[1] = kernel_of(7, PTO_CORE_AIV, &kernel);
	kernels[2] = kernel_of(9, PTO_CORE_AIV, &other);
	EXPECT_EQ(0, rig_load(&self->ctx, 1, &probe, ENTRY, kernels, 3, &detail));
	EXPECT_EQ(2, detail);
	EXPECT_EQ(0, rig_load(&self->ctx, 2, &probe, ENTRY, kernels, 2, &detail));
	EXPECT_EQ(0, detail);
	EXPECT_EQ(0, rig_unload(&self->ctx, 1));
	EXPECT_EQ(0, rig_load(&self->ctx, 1, &probe, ENTRY, kernels, 3, &detail));
	EXPECT_EQ(1, detail);
	EXPECT_EQ(0, rig_unload(&self->ctx, 1));
	EXPECT_EQ(0, rig_unload(&self->ctx, 2));
	EXPECT_EQ(0, rig_load(&self->ctx, 1, &probe, ENTRY, kernels, 2, &detail));
	EXPECT_EQ(1, detail);
	kernels[1].func_id = 0;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 3, &probe, ENTRY, kernels, 2, &detail));
	EXPECT_WHY("func_id 0 appears twice", 1);
	kernels[1].func_id = PTO_MAX_FUNC_ID;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 3, &probe, ENTRY, kernels, 2, &detail));
	kernels[1].func_id = 1;
	kernels[1].core_type = 2;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 3, &probe, ENTRY, kernels, 2, &detail));
}

/* Images whose numbers are told apart only by looking twice. */
TEST_F(device, kernels_side_by_side)
{
	struct rig_object probe, kernel[3];
	struct pto_dev_kernel list[3];
	uint64_t detail;
	uint32_t i;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, rig_object(&self->rig, "kernel.so", &kernel[i]));
		kernel[i].id = 1000 + i * KERNEL_BUCKETS;
		list[i] = kernel_of(5, PTO_CORE_AIV, &kernel[i]);
		EXPECT_EQ(0, rig_load(&self->ctx, 1 + i, &probe, ENTRY, &list[i], 1, &detail));
		EXPECT_EQ(1, detail);
	}
	/* The first, the middle and the last are found again, and go by themselves. */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, rig_load(&self->ctx, 4 + i, &probe, ENTRY, &list[i], 1, &detail));
		EXPECT_EQ(0, detail);
		EXPECT_EQ(0, rig_unload(&self->ctx, 4 + i));
	}
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, rig_unload(&self->ctx, 1 + (i + 1) % 3));
		EXPECT_EQ(0, rig_load(&self->ctx, 4, &probe, ENTRY, &list[(i + 1) % 3], 1,
				      &detail));
		EXPECT_EQ(1, detail);
		EXPECT_EQ(0, rig_unload(&self->ctx, 4));
	}
}

/* A load that fails says why, and changes nothing. */
TEST_F(device, refusals)
{
	struct rig_object probe, unresolved, broken;
	struct pto_dev_kernel kernel;
	Elf64_Phdr *segment;
	Elf64_Ehdr *elf;
	char *bytes;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	ASSERT_EQ(0, rig_object(&self->rig, "unresolved.so", &unresolved));
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 0, &probe, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("handle 0 is in use", 1);
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, "nothing", NULL, 0, NULL));
	EXPECT_WHY("does not define its entry \"nothing\"", 1);
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, "malloc", NULL, 0, NULL));
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 1, &probe, "", NULL, 0, NULL));
	kernel = kernel_of(3, PTO_CORE_AIV, &unresolved);
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, &kernel, 1, NULL));
	EXPECT_WHY("kernel of func_id 3", 1);
	EXPECT_WHY("undefined symbol: nobody_has_this", 1);
	kernel.image_addr = probe.addr;
	kernel.image_size = probe.size;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, &kernel, 1, NULL));
	EXPECT_WHY("does not define \"kernel_entry\"", 1);
	broken = probe;
	broken.size = 30;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &broken, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("cut off", 1);
	broken.size = 1000;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &broken, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("cut off", 1);
	broken.size = 0;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 1, &broken, ENTRY, NULL, 0, NULL));
	broken.size = 1ULL << 60;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 1, &broken, ENTRY, NULL, 0, NULL));
	broken = probe;
	broken.addr = self->rig.ident->memory_base;
	EXPECT_EQ(PTO_DEV_INVALID, rig_load(&self->ctx, 1, &broken, ENTRY, NULL, 0, NULL));
	bytes = (char *)(uintptr_t)probe.addr;
	elf = (Elf64_Ehdr *)bytes;
	segment = (Elf64_Phdr *)(bytes + elf->e_phoff);
	while (segment->p_type != PT_LOAD)
		segment++;
	segment->p_memsz -= segment->p_filesz;
	segment->p_filesz += segment->p_memsz + 1;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("a segment", 1);
	elf->e_phentsize++;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("its program headers make no sense", 1);
	bytes[18] = 99;
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("another machine", 1);
	bytes[0] = '#';
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, NULL, 0, NULL));
	EXPECT_WHY("not an ELF object", 1);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 0, PROBE_ECHO, 5, 0));
	EXPECT_EQ(5, *self->ctx.page);
}

/* Loads the probe with one thing changed about the description, or where it is. */
static int load_with(struct rig_ctx *ctx, void (*change)(struct pto_dev_cmd_load *,
							 struct pto_dev_load *))
{
	struct pto_dev_load *desc = rig_alloc(ctx->rig, sizeof(*desc));
	struct pto_dev_cmd_load cmd = {
		.opcode = PTO_DEV_LOAD,
		.ctx = ctx->id,
		.handle = 1,
		.desc_addr = rig_addr(ctx->rig, desc),
		.desc_size = sizeof(*desc),
	};
	struct rig_object probe;

	if (rig_object(ctx->rig, "probe.so", &probe))
		return -1;
	*desc = (struct pto_dev_load){
		.size = sizeof(*desc),
		.kind = PTO_KIND_DEVICE_ORCH,
		.flags = PTO_DEV_LOAD_CONFIG_OPTIONAL,
		.image_addr = probe.addr,
		.image_size = probe.size,
		.image_id = probe.id,
		.entry = ENTRY,
		.config = "config",
	};
	change(&cmd, desc);
	return rig_do(ctx->rig, ctx->control, &cmd, NULL);
}

#define LOAD_CHANGE(name, what) \
	static void name(struct pto_dev_cmd_load *cmd, struct pto_dev_load *desc) \
	{ \
		what; \
	}

LOAD_CHANGE(other_image_id, desc->image_id += 1000)
LOAD_CHANGE(no_place, cmd->desc_addr = 4096)
LOAD_CHANGE(longer, cmd->desc_size += 8)
LOAD_CHANGE(many_kernels, desc->kernel_count = PTO_MAX_FUNC_ID + 1)
LOAD_CHANGE(new_kind, desc->kind = 77)
LOAD_CHANGE(new_flag, desc->flags = 2)
LOAD_CHANGE(new_both, desc->kind = 78; desc->flags = 4)
LOAD_CHANGE(endless_symbol, memset(desc->config, 'x', sizeof(desc->config)))
LOAD_CHANGE(endless_entry, memset(desc->entry, 'x', sizeof(desc->entry)))
LOAD_CHANGE(no_entry, desc->entry[0] = '\0')
LOAD_CHANGE(no_config_name, desc->config[0] = '\0')
LOAD_CHANGE(other_size, desc->size += 8)
LOAD_CHANGE(small_size, desc->size -= 8)
LOAD_CHANGE(kernel_cut_off, desc->kernel_count = 1)
LOAD_CHANGE(config_that_is_not_there, desc->flags = 0)

/* Of a host graph nothing is said but its kernels. */
static void host_graph(struct pto_dev_load *desc)
{
	*desc = (struct pto_dev_load){ .size = sizeof(*desc), .kind = PTO_KIND_HOST_GRAPH };
}

LOAD_CHANGE(host_alone, host_graph(desc))
LOAD_CHANGE(host_addr, host_graph(desc); desc->image_addr = cmd->desc_addr)
LOAD_CHANGE(host_size, host_graph(desc); desc->image_size = 8)
LOAD_CHANGE(host_id, host_graph(desc); desc->image_id = 1)
LOAD_CHANGE(host_flags, host_graph(desc); desc->flags = PTO_DEV_LOAD_CONFIG_OPTIONAL)
LOAD_CHANGE(host_entry, host_graph(desc); desc->entry[0] = 'x')
LOAD_CHANGE(host_config, host_graph(desc); desc->config[0] = 'x')

TEST_F(device, load_descriptions)
{
	static const struct {
		void (*change)(struct pto_dev_cmd_load *, struct pto_dev_load *);
		uint32_t status;
		const char *text;
	} rows[] = {
		{ no_place, PTO_DEV_INVALID, "no description can be at address 0x1000" },
		{ longer, PTO_DEV_INVALID, "with 0 kernels is not" },
		{ many_kernels, PTO_DEV_INVALID, "kernels is not" },
		{ new_kind, PTO_DEV_UNSUPPORTED, "kind 77 is not supported" },
		{ new_flag, PTO_DEV_INVALID, "unknown flags 0x2" },
		/* The first reason is the one that counts. */
		{ new_both, PTO_DEV_UNSUPPORTED, "kind 78 is not supported" },
		{ endless_symbol, PTO_DEV_INVALID, "not terminated" },
		{ endless_entry, PTO_DEV_INVALID, "not terminated" },
		{ no_entry, PTO_DEV_INVALID, "is empty" },
		{ no_config_name, PTO_DEV_INVALID, "is empty" },
		{ other_size, PTO_DEV_INVALID, "a description of size" },
		{ small_size, PTO_DEV_INVALID, "a description of size" },
		{ kernel_cut_off, PTO_DEV_INVALID, "with 1 kernels is not" },
		{ config_that_is_not_there, PTO_DEV_NOEXEC, "its configuration function" },
		{ host_addr, PTO_DEV_INVALID, "has no orchestration object" },
		{ host_size, PTO_DEV_INVALID, "has no orchestration object" },
		{ host_id, PTO_DEV_INVALID, "has no orchestration object" },
		{ host_flags, PTO_DEV_INVALID, "has no orchestration object" },
		{ host_entry, PTO_DEV_INVALID, "has no orchestration object" },
		{ host_config, PTO_DEV_INVALID, "has no orchestration object" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ((int)rows[i].status, load_with(&self->ctx, rows[i].change)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_WHY(rows[i].text, 1);
	}
	EXPECT_EQ(PTO_DEV_OK, load_with(&self->ctx, other_image_id));
	EXPECT_EQ(PTO_DEV_OK, rig_unload(&self->ctx, 1));
	EXPECT_EQ(PTO_DEV_OK, load_with(&self->ctx, host_alone));
}

/* A load whose last kernel is none has loaded nothing, and keeps nothing. */
TEST_F(device, kernels_of_a_load_that_fails)
{
	struct rig_object probe, kernel;
	struct pto_dev_kernel kernels[2];
	uint64_t detail = 99;

	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	ASSERT_EQ(0, rig_object(&self->rig, "kernel.so", &kernel));
	kernels[0] = kernel_of(0, PTO_CORE_AIV, &kernel);
	kernels[1] = kernel_of(1, PTO_CORE_AIV, &probe);
	EXPECT_EQ(PTO_DEV_NOEXEC, rig_load(&self->ctx, 1, &probe, ENTRY, kernels, 2, &detail));
	EXPECT_EQ(0, detail);
	EXPECT_EQ(PTO_DEV_OK, rig_load(&self->ctx, 1, &probe, ENTRY, kernels, 1, &detail));
	EXPECT_EQ(1, detail);
}

static unsigned int descriptors(void)
{
	unsigned int count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Nothing of an unloaded object stays. */
TEST_F(device, nothing_left)
{
	unsigned int before = descriptors();
	struct rig_object probe;
	char line[512];
	FILE *maps;
	int i;

	if (variant->isolate)
		SKIP(return, "the maps to be looked at are another process's");
	ASSERT_EQ(0, rig_unload(&self->ctx, 0));
	ASSERT_EQ(0, rig_object(&self->rig, "probe.so", &probe));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, rig_load(&self->ctx, 0, &probe, ENTRY, NULL, 0, NULL));
		ASSERT_EQ(0, rig_unload(&self->ctx, 0));
	}
	EXPECT_EQ(before, descriptors());
	maps = fopen("/proc/self/maps", "r");
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps))
		EXPECT_EQ(NULL, strstr(line, "pto-object"));
	fclose(maps);
}

/* Runs the probe with one thing changed about its arguments. */
static int run_with(struct rig_ctx *ctx, void (*change)(struct pto_dev_cmd_run *,
							struct pto_run_args *, struct pto_tensor *))
{
	const uint64_t scalars[] = { PROBE_ECHO, 5 };
	struct pto_run_args *args = (void *)ctx->args;
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN,
		.ctx = ctx->id,
		.args_addr = rig_addr(ctx->rig, ctx->args),
		.args_size = rig_args(ctx, scalars, 2),
		.epoch = ++ctx->epoch,
		.arena_addr = ctx->arena,
	};

	if (change)
		change(&cmd, args, (struct pto_tensor *)(args + 1));
	return rig_do(ctx->rig, ctx->stream, &cmd, NULL);
}

#define CHANGE(name, what) \
	static void name(struct pto_dev_cmd_run *cmd, struct pto_run_args *args, \
			 struct pto_tensor *t) \
	{ \
		what; \
	}

CHANGE(no_args, cmd->args_addr = 0; cmd->args_size = 0)
CHANGE(null_args, cmd->args_addr = 0)
CHANGE(low_args, cmd->args_addr = 4096)
CHANGE(odd_args, cmd->args_addr += 8)
CHANGE(far_args, cmd->args_addr += 64ULL << 20)
CHANGE(long_args, cmd->args_size += 8)
CHANGE(short_args, cmd->args_size -= 8)
CHANGE(tiny_args, cmd->args_size = 32)
CHANGE(huge_args, cmd->args_size = ~0u)
CHANGE(no_epoch, cmd->epoch = 0)
CHANGE(no_arena, cmd->arena_addr = 0)
CHANGE(other_arena, cmd->arena_addr += 4096)
CHANGE(many_tensors, args->tensor_count = PTO_RUN_MAX_TENSORS + 1)
CHANGE(most_tensors, args->tensor_count = ~0u)
CHANGE(many_scalars, args->scalar_count = PTO_RUN_MAX_SCALARS + 1)
CHANGE(more_tensors, args->tensor_count = 2)
CHANGE(bad_dtype, t->dtype = PTO_DTYPE_COUNT)
CHANGE(no_dims, t->ndims = 0)
CHANGE(many_dims, t->ndims = 6)
CHANGE(bad_stride, t->strides[0] = 0)
CHANGE(bad_extent, t->extent = 2)
CHANGE(not_contiguous, t->is_contiguous = 0)
CHANGE(bad_flag, t->manual_dep = 2)
CHANGE(beyond, t->start_offset = 1)
CHANGE(wide, t->shapes[0] = 2; t->extent = 2)
CHANGE(overflow, t->start_offset = UINT64_MAX)
CHANGE(unmapped, t->addr += 64ULL << 20)
CHANGE(foreign, t->addr = 4096)
CHANGE(too_large, t->size = 1ULL << 40)
CHANGE(wraps, t->size = UINT64_MAX)

TEST_F(device, run_arguments)
{
	static const struct {
		void (*change)(struct pto_dev_cmd_run *, struct pto_run_args *,
			       struct pto_tensor *);
		const char *text;
	} rows[] = {
		{ null_args, "arguments: none can be" },
		{ low_args, "arguments: none can be" },
		{ odd_args, "arguments: none can be" },
		{ far_args, "arguments: none can be" },
		{ tiny_args, "arguments: none can be" },
		{ huge_args, "arguments: none can be" },
		{ long_args, "are 208 bytes, given are 216" },
		{ short_args, "are 208 bytes, given are 200" },
		{ no_epoch, "epoch is 0" },
		{ no_arena, "no arena is bound" },
		{ other_arena, "no arena is bound" },
		{ many_tensors, "257 tensors" },
		{ most_tensors, "4294967295 tensors" },
		{ many_scalars, "129 scalars" },
		{ more_tensors, "2 tensors and 2 scalars are 336 bytes" },
		{ bad_dtype, "tensor 0: unknown data type 15" },
		{ no_dims, "tensor 0: 0 dimensions" },
		{ many_dims, "tensor 0: 6 dimensions" },
		{ bad_stride, "tensor 0: a stride is 0" },
		{ bad_extent, "tensor 0: extent is 2 elements, its shape makes 1" },
		{ bad_flag, "tensor 0: a flag" },
		{ not_contiguous, "tensor 0: is_contiguous is 0" },
		{ beyond, "tensor 0: elements 1 to 2 are beyond" },
		{ wide, "tensor 0: elements 0 to 2 are beyond" },
		{ overflow, "tensor 0:" },
		{ unmapped, "is not memory of this context" },
		{ foreign, "is not memory of this context" },
		{ too_large, "is not memory of this context" },
		{ wraps, "is not memory of this context" },
	};
	size_t i;

	ASSERT_EQ(PTO_DEV_OK, run_with(&self->ctx, NULL));
	ASSERT_EQ(PTO_DEV_OK, run_with(&self->ctx, no_args));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(PTO_DEV_INVALID, run_with(&self->ctx, rows[i].change))
			TH_LOG("row %zu", i);
		EXPECT_WHY(rows[i].text, 2);
	}
	ASSERT_EQ(PTO_DEV_OK, run_with(&self->ctx, NULL));
}

TEST_F(device, arenas)
{
	struct rig *rig = &self->rig;
	struct pto_dev_arena_plan *plan = rig_alloc(rig, 1 << 20);
	struct pto_dev_cmd_arena cmd = {
		.opcode = PTO_DEV_ARENA_BUILD,
		.addr = rig_addr(rig, plan),
		.size = sizeof(*plan),
	};
	uint64_t detail;
	int i;

	plan->size = sizeof(*plan);
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 0, &cmd, NULL));
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		plan->task_window[i] = 16;
		plan->heap[i] = 65536;
		plan->dep_pool[i] = 64;
	}
	EXPECT_EQ(PTO_DEV_NOSPACE, rig_do(rig, 0, &cmd, &detail));
	EXPECT_EQ(plan->image_size, detail);
	EXPECT_NE(0, plan->arena_size);
	cmd.size += detail;
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 0, &cmd, NULL));
	plan->flags = 1;
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 0, &cmd, NULL));
	plan->flags = 0;
	cmd = (struct pto_dev_cmd_arena){
		.opcode = PTO_DEV_ARENA_BIND,
		.ctx = 1,
		.addr = self->ctx.arena,
		.size = plan->arena_size,
		.image_addr = rig_addr(rig, plan + 1),
		.image_size = plan->image_size,
	};
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &cmd, NULL));
	EXPECT_WHY("one is bound already", 1);
	cmd.addr = rig_addr(rig, rig_alloc(rig, plan->arena_size));
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &cmd, NULL));
	EXPECT_WHY("not pages that this context may write", 1);
	EXPECT_EQ(PTO_DEV_INVALID,
		  rig_map(rig, &self->ctx, PTO_DEV_UNMAP,
			  rig->base + (self->ctx.arena - rig->ident->memory_base),
			  (plan->arena_size + 4095) & ~4095ULL));
	EXPECT_WHY("an arena is bound", 1);
}

/* --- bases of arenas ------------------------------------------------------------------ */

/**
 * struct bases - where there is what a bind needs, and what it does not
 * @plan: a plan, and its image behind it
 * @bind: a command that is right
 * @unmapped: as much memory as an arena takes, which the context may not touch
 * @readonly: the same which it may only read
 */
struct bases {
	struct pto_dev_arena_plan *plan;
	struct pto_dev_cmd_arena bind;
	uint64_t unmapped;
	uint64_t readonly;
};

static int build(struct rig *rig, struct bases *b, uint64_t heap)
{
	struct pto_dev_cmd_arena cmd = {
		.opcode = PTO_DEV_ARENA_BUILD,
		.addr = rig_addr(rig, b->plan),
		.size = PTO_DEV_PAGE_SIZE,
	};
	int i;

	*b->plan = (struct pto_dev_arena_plan){ .size = sizeof(*b->plan) };
	for (i = 0; i < PTO_RING_DEPTHS; i++) {
		b->plan->task_window[i] = 4;
		b->plan->heap[i] = heap;
		b->plan->dep_pool[i] = 4;
	}
	return rig_do(rig, 0, &cmd, NULL);
}

static int bases_make(struct rig_ctx *ctx, struct bases *b)
{
	struct rig *rig = ctx->rig;
	struct pto_dev_cmd_map map = {
		.opcode = PTO_DEV_MAP,
		.ctx = ctx->id,
		.prot = PTO_DEV_PROT_READ,
	};
	uint64_t *readonly;
	void *arena;
	int ret;

	b->plan = rig_alloc(rig, PTO_DEV_PAGE_SIZE);
	ret = build(rig, b, 4096);
	if (ret)
		return ret;
	arena = rig_alloc(rig, b->plan->arena_size);
	b->unmapped = rig_addr(rig, rig_alloc(rig, b->plan->arena_size));
	readonly = rig_alloc(rig, b->plan->arena_size);
	b->readonly = rig_addr(rig, readonly);
	map.addr = b->readonly;
	map.length = b->plan->arena_size;
	b->bind = (struct pto_dev_cmd_arena){
		.opcode = PTO_DEV_ARENA_BIND,
		.ctx = ctx->id,
		.addr = rig_addr(rig, arena),
		.size = b->plan->arena_size,
		.image_addr = rig_addr(rig, b->plan + 1),
		.image_size = b->plan->image_size,
	};
	ret = rig_do(rig, ctx->control, &map, NULL);
	return ret ? ret : rig_map(rig, ctx, PTO_DEV_MAP, arena, b->plan->arena_size);
}

#define ARENA_BASE "not pages that this context may write"
#define IMAGE_BASE "no image can be at"
#define MISFIT "is not one for"

/* Each line changes the command that is right in one way. */
TEST_F(device, bases_that_are_none)
{
	struct rig *rig = &self->rig;
	struct bases b;

	ASSERT_EQ(PTO_DEV_OK, bases_make(&self->ctx, &b));
#define REFUSED(change, text) do { \
	struct pto_dev_cmd_arena cmd = b.bind; \
	change; \
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &cmd, NULL)) \
		TH_LOG("%s", #change); \
	EXPECT_WHY(text, 1); \
} while (0)
	REFUSED(cmd.addr = 0, ARENA_BASE);
	REFUSED(cmd.addr += 8, ARENA_BASE);
	REFUSED(cmd.addr -= PTO_DEV_PAGE_SIZE, ARENA_BASE);
	REFUSED(cmd.addr = 4096, ARENA_BASE);
	REFUSED(cmd.addr = ~0ULL << 12, ARENA_BASE);
	REFUSED(cmd.addr = b.unmapped, ARENA_BASE);
	REFUSED(cmd.addr = b.readonly, ARENA_BASE);
	REFUSED(cmd.size = 0, ARENA_BASE);
	REFUSED(cmd.size += PTO_DEV_PAGE_SIZE, ARENA_BASE);
	REFUSED(cmd.size = ~0ULL, ARENA_BASE);
	REFUSED(cmd.addr = self->ctx.arena; cmd.size = PTO_DEV_PAGE_SIZE, "one is bound already");
	REFUSED(cmd.addr = self->ctx.arena + PTO_DEV_PAGE_SIZE; cmd.size = PTO_DEV_PAGE_SIZE,
		"one is bound already");
	REFUSED(cmd.image_addr = 0, IMAGE_BASE);
	REFUSED(cmd.image_addr += 4, IMAGE_BASE);
	REFUSED(cmd.image_addr = rig->ident->memory_base, IMAGE_BASE);
	REFUSED(cmd.image_addr = rig->ident->memory_base + rig->ident->window_size, IMAGE_BASE);
	REFUSED(cmd.image_addr = ~7ULL, IMAGE_BASE);
	REFUSED(cmd.image_size = 0, IMAGE_BASE);
	REFUSED(cmd.image_size = ~0ULL, IMAGE_BASE);
	REFUSED(cmd.image_size -= 1, MISFIT);
	REFUSED(cmd.size -= PTO_DEV_PAGE_SIZE, MISFIT);
	REFUSED(cmd.image_addr = b.unmapped, MISFIT);
	REFUSED(cmd.image_addr += 8, MISFIT);
#undef REFUSED
	ASSERT_EQ(PTO_DEV_OK, rig_do(rig, 1, &b.bind, NULL));
	ASSERT_EQ(PTO_DEV_OK, run_with(&self->ctx, NULL));
}

/* An image that somebody has written to: no word of it can be changed without being noticed. */
TEST_F(device, images_that_are_none)
{
	struct rig *rig = &self->rig;
	struct bases b;
	uint64_t *image;
	size_t i;

	ASSERT_EQ(PTO_DEV_OK, bases_make(&self->ctx, &b));
	image = (uint64_t *)(b.plan + 1);
	for (i = 0; i < b.plan->image_size / sizeof(*image); i++) {
		image[i] ^= 1ULL << (i * 7 % 64);
		EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &b.bind, NULL))
			TH_LOG("word %zu", i);
		EXPECT_WHY(MISFIT, 1);
		image[i] ^= 1ULL << (i * 7 % 64);
	}
	/* One of larger rings does not fit into the arena, one of smaller ones does. */
	ASSERT_EQ(PTO_DEV_OK, build(rig, &b, 8192));
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 1, &b.bind, NULL));
	EXPECT_WHY(MISFIT, 1);
	ASSERT_EQ(PTO_DEV_OK, build(rig, &b, 1024));
	EXPECT_EQ(PTO_DEV_OK, rig_do(rig, 1, &b.bind, NULL));
}

TEST_F(device, plans_that_are_none)
{
	struct rig *rig = &self->rig;
	struct pto_dev_cmd_arena cmd = { .opcode = PTO_DEV_ARENA_BUILD };
	const uint64_t end = rig->ident->memory_base + rig->ident->window_size;
	struct bases b = { .plan = rig_alloc(rig, PTO_DEV_PAGE_SIZE) };
	const uint64_t at = rig_addr(rig, b.plan);
	const struct { uint64_t addr, size; } rows[] = {
		{ 0, 4096 }, { at + 4, 256 }, { at, sizeof(*b.plan) - 1 }, { at, ~0ULL },
		{ rig->ident->memory_base, 4096 }, { end - 8, 256 }, { end, 256 }, { ~7ULL, 256 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cmd.addr = rows[i].addr;
		cmd.size = rows[i].size;
		EXPECT_EQ(PTO_DEV_INVALID, rig_do(rig, 0, &cmd, NULL))
			TH_LOG("row %zu", i);
		EXPECT_WHY("no plan can be at", 0);
	}
	EXPECT_EQ(PTO_DEV_INVALID, build(rig, &b, 1023));
	EXPECT_WHY("the ring configuration: Invalid argument", 0);
	/* No mistake, but more than any device has. */
	EXPECT_EQ(PTO_DEV_NOMEM, build(rig, &b, 1ULL << 62));
	EXPECT_EQ(PTO_DEV_OK, build(rig, &b, 1ULL << 60));
	EXPECT_GT(b.plan->arena_size, 1ULL << 62);
}

TEST_F(device, too_many_arenas)
{
	struct rig *rig = &self->rig;
	struct pto_dev_cmd_arena cmd;
	struct bases b;
	uint64_t size;
	char *arenas;
	int ret, i;

	ASSERT_EQ(PTO_DEV_OK, bases_make(&self->ctx, &b));
	cmd = b.bind;
	size = (cmd.size + PTO_DEV_PAGE_SIZE - 1) & ~(PTO_DEV_PAGE_SIZE - 1ULL);
	arenas = rig_alloc(rig, 100 * size);
	ASSERT_EQ(PTO_DEV_OK, rig_map(rig, &self->ctx, PTO_DEV_MAP, arenas, 100 * size));
	cmd.addr = rig_addr(rig, arenas);
	for (i = 0, ret = PTO_DEV_OK; ret == PTO_DEV_OK && i < 100; i++) {
		ret = rig_do(rig, 1, &cmd, NULL);
		cmd.addr += size;
	}
	EXPECT_EQ(PTO_DEV_NOSPACE, ret);
	EXPECT_WHY("arena: a context has at most", 1);
}

TEST_F(device, protections)
{
	struct pto_dev_cmd_map cmd = {
		.opcode = PTO_DEV_MAP,
		.ctx = 1,
		.addr = rig_addr(&self->rig, rig_alloc(&self->rig, 4096)),
		.length = 4096,
		.prot = 8,
	};

	EXPECT_EQ(PTO_DEV_INVALID, rig_do(&self->rig, 1, &cmd, NULL));
	EXPECT_WHY("map: unknown protection 0x8", 1);
	cmd.prot = 0;
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(&self->rig, 1, &cmd, NULL));
	cmd.prot = PTO_DEV_PROT_READ;
	EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, 1, &cmd, NULL));
}

TEST_HARNESS_MAIN
