// SPDX-License-Identifier: GPL-2.0
/*
 * What the device is told to load: the description, as it is in device memory while the
 * command is executed, against what the application asked for.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define KERNELS	3

FIXTURE(loads) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t images[KERNELS + 1];
	long memory;
};

/* What the device has read. */
static struct pto_dev_cmd_load cmd;
static struct {
	struct pto_dev_load head;
	struct pto_dev_kernel kernels[KERNELS];
} desc;

static void *at(struct rig *rig, uint64_t addr)
{
	return rig->window + (addr - rig->ident->memory_base);
}

static void read_load(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	memcpy(&cmd, &rig_last(rig, PTO_DEV_LOAD)->cmd, sizeof(cmd));
	memset(&desc, 0, sizeof(desc));
	memcpy(&desc, at(rig, cmd.desc_addr),
	       cmd.desc_size < sizeof(desc) ? cmd.desc_size : sizeof(desc));
}

/* Objects of different lengths, each of its own; one of several pages. */
static char long_one[3 * 4096 + 77];
static const char *const bytes[KERNELS + 1] = {
	"the orchestration", "a kernel", "another kernel", long_one,
};

static int begin(FIXTURE_DATA(loads) *self, uint32_t abi_version)
{
	unsigned int i;
	int err;

	self->rig = rig_new();
	self->rig->ident->abi_version = abi_version;
	self->rig->ident->features |= PTO_FEATURE_HOST_GRAPH;
	self->rig->opcode = PTO_DEV_LOAD;
	self->rig->spoil = read_load;
	err = rig_start(self->rig);
	if (!err)
		err = rig_open(self->rig, &self->ctx);
	if (!err)
		err = rig_ready(self->ctx, &self->bo);
	for (i = 0; !err && i <= KERNELS; i++)
		err = rig_image(self->ctx, bytes[i], &self->images[i]);
	return err;
}

static void end(FIXTURE_DATA(loads) *self)
{
	rig_close(self->ctx);
	rig_free(self->rig);
}

FIXTURE_SETUP(loads)
{
	unsigned int i;

	for (i = 0; i < sizeof(long_one) - 1; i++)
		long_one[i] = 'a' + (i * 7 + i / 4096) % 26;
	self->memory = rig_memory();
	ASSERT_EQ(0, begin(self, PTO_DEV_ABI_VERSION));
}

FIXTURE_TEARDOWN(loads)
{
	end(self);
	EXPECT_EQ(self->memory, rig_memory());
}

static int prepare(FIXTURE_DATA(loads) *self, uint32_t kind, const char *entry, const char *config)
{
	struct pto_kernel kernels[KERNELS] = {
		{ 7, PTO_CORE_AIC, self->images[1], 0 },
		{ 0, PTO_CORE_AIV, self->images[2], 0 },
		{ 1023, PTO_CORE_AIV, self->images[3], 0 },
	};
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg),
		.cid = -1,
		.kind = kind,
		.image = kind == PTO_KIND_DEVICE_ORCH ? self->images[0] : 0,
		.kernel_count = KERNELS,
		.kernel_stride = sizeof(kernels[0]),
		.kernels_ptr = (uintptr_t)kernels,
	};

	strcpy((char *)arg.entry, entry);
	strcpy((char *)arg.config, config);
	return rig_ioctl(self->ctx, PTO_PREPARE, &arg);
}

/* The images are where the device was told, and as long. */
static bool image_is(struct rig *rig, uint64_t addr, uint64_t size, const char *what)
{
	return size == strlen(what) && !memcmp(at(rig, addr), what, size);
}

/* Devices before minor version 3 know no labels, and may insist on 0. */
TEST_F(loads, labels_are_cids)
{
	uint32_t cid;

	/* rig_ready() prepares cid 0. */
	EXPECT_EQ(1, cmd.label);
	for (cid = 1; cid < 4; cid++) {
		ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
		EXPECT_EQ(cid + 1, cmd.label);
		EXPECT_EQ(0, cmd.pad);
	}
	end(self);
	ASSERT_EQ(0, begin(self, PTO_DEV_ABI_MAJOR << 16 | 2));
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	EXPECT_EQ(0, cmd.label);
}

TEST_F(loads, orchestration_and_kernels)
{
	int i;

	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	EXPECT_EQ(sizeof(desc), cmd.desc_size);
	EXPECT_EQ(sizeof(desc.head), desc.head.size);
	EXPECT_EQ(PTO_KIND_DEVICE_ORCH, desc.head.kind);
	EXPECT_EQ(KERNELS, desc.head.kernel_count);
	EXPECT_TRUE(image_is(self->rig, desc.head.image_addr, desc.head.image_size, bytes[0]));
	for (i = 0; i < KERNELS; i++)
		EXPECT_TRUE(image_is(self->rig, desc.kernels[i].image_addr,
				     desc.kernels[i].image_size, bytes[i + 1]));
	EXPECT_EQ(7, desc.kernels[0].func_id);
	EXPECT_EQ(0, desc.kernels[1].func_id);
	EXPECT_EQ(1023, desc.kernels[2].func_id);
	EXPECT_EQ(PTO_CORE_AIC, desc.kernels[0].core_type);
	EXPECT_EQ(PTO_CORE_AIV, desc.kernels[1].core_type);
	EXPECT_EQ(PTO_CORE_AIV, desc.kernels[2].core_type);
	/* Numbers of images are as different as the images. */
	for (i = 0; i < KERNELS; i++) {
		EXPECT_NE(desc.head.image_id, desc.kernels[i].image_id);
		EXPECT_NE(desc.kernels[i].image_id, desc.kernels[(i + 1) % KERNELS].image_id);
	}
}

TEST_F(loads, host_graph_has_no_orchestration)
{
	ASSERT_EQ(0, prepare(self, PTO_KIND_HOST_GRAPH, "", ""));
	EXPECT_EQ(PTO_KIND_HOST_GRAPH, desc.head.kind);
	EXPECT_EQ(0, desc.head.image_addr);
	EXPECT_EQ(0, desc.head.image_size);
	EXPECT_EQ(0, desc.head.image_id);
	EXPECT_EQ(0, desc.head.flags);
	EXPECT_EQ(0, desc.head.entry[0]);
	EXPECT_EQ(0, desc.head.config[0]);
	EXPECT_TRUE(image_is(self->rig, desc.kernels[2].image_addr, desc.kernels[2].image_size,
			     bytes[3]));
}

/* Only the default configuration function may be absent. */
TEST_F(loads, symbols)
{
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	EXPECT_EQ(0, strcmp("aicpu_orchestration_entry", (char *)desc.head.entry));
	EXPECT_EQ(0, strcmp("aicpu_orchestration_config", (char *)desc.head.config));
	EXPECT_EQ(PTO_DEV_LOAD_CONFIG_OPTIONAL, desc.head.flags);
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "my_entry", ""));
	EXPECT_EQ(0, strcmp("my_entry", (char *)desc.head.entry));
	EXPECT_EQ(0, strcmp("aicpu_orchestration_config", (char *)desc.head.config));
	EXPECT_EQ(PTO_DEV_LOAD_CONFIG_OPTIONAL, desc.head.flags);
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", "my_config"));
	EXPECT_EQ(0, strcmp("aicpu_orchestration_entry", (char *)desc.head.entry));
	EXPECT_EQ(0, strcmp("my_config", (char *)desc.head.config));
	EXPECT_EQ(0, desc.head.flags);
}

/* A name has an end. The longest one leaves room for it. */
TEST_F(loads, longest_symbols)
{
	struct pto_ioc_prepare arg = {
		.size = sizeof(arg), .cid = 9, .kind = PTO_KIND_DEVICE_ORCH,
		.image = self->images[0],
	};

	memset(arg.entry, 'e', sizeof(arg.entry));
	EXPECT_EQ(-EINVAL, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	arg.entry[PTO_SYMBOL_MAX - 1] = '\0';
	memset(arg.config, 'c', sizeof(arg.config));
	EXPECT_EQ(-EINVAL, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	arg.config[PTO_SYMBOL_MAX - 1] = '\0';
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_PREPARE, &arg));
	EXPECT_EQ(PTO_SYMBOL_MAX - 1, strlen((char *)desc.head.entry));
	EXPECT_EQ(PTO_SYMBOL_MAX - 1, strlen((char *)desc.head.config));
}

/* The description is the device's while it reads it, and then nobody's. */
TEST_F(loads, descriptions_take_no_memory)
{
	struct pto_device_usage before, after;

	ASSERT_EQ(0, rig_usage(self->ctx, &before));
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	ASSERT_EQ(0, rig_usage(self->ctx, &after));
	EXPECT_EQ(before.memory_used, after.memory_used);
}

static void many_kernels(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->detail = 1000;
}

/* More than there are have not been loaded, whatever the device says. */
TEST_F(loads, counts_are_possible)
{
	struct pto_context_stats before, after;
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };

	self->rig->spoil = many_kernels;
	ASSERT_EQ(0, rig_stats(self->ctx, &before));
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	ASSERT_EQ(0, rig_stats(self->ctx, &after));
	EXPECT_EQ(before.kernel_load_count + KERNELS, after.kernel_load_count);
	EXPECT_EQ(before.aicpu_dlopen_count + 1, after.aicpu_dlopen_count);
	/* After a reset there are this callable and rig_ready()'s. */
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	ASSERT_EQ(0, rig_stats(self->ctx, &after));
	EXPECT_EQ(before.kernel_load_count + 2 * KERNELS, after.kernel_load_count);
	EXPECT_EQ(before.aicpu_dlopen_count + 3, after.aicpu_dlopen_count);
}

/* A context is not as good as before if one of its callables is missing. */
TEST_F(loads, reset_loads_all_or_fails)
{
	struct rig_rule rule = {
		.opcode = PTO_DEV_LOAD, .times = 1, .status = PTO_DEV_NOMEM,
	};
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	unsigned int before;

	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "", ""));
	ASSERT_EQ(0, prepare(self, PTO_KIND_DEVICE_ORCH, "third", ""));
	before = self->rig->logged;
	ASSERT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
	EXPECT_EQ(3, rig_count(self->rig, PTO_DEV_LOAD, before));
	for (rule.skip = 0; rule.skip < 3; rule.skip++) {
		rig_rule(self->rig, &rule);
		EXPECT_NE(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
		rig_no_rules(self->rig);
	}
	EXPECT_EQ(0, rig_ioctl(self->ctx, PTO_CTX_RESET, &reset));
}

TEST_HARNESS_MAIN
