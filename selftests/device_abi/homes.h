/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fixture of these tests: a device whose contexts are threads, or processes. With
 * SANITIZE=thread only the first: that sanitizer knows no threads after fork().
 */
#ifndef HOMES_H
#define HOMES_H

#include "harness.h"
#include "rig.h"

FIXTURE(device)
{
	struct rig rig;
	struct rig_ctx ctx;
};

FIXTURE_VARIANT(device)
{
	bool isolate;
};

FIXTURE_VARIANT_ADD(device, threads)
{
	.isolate = false,
};

#ifndef __SANITIZE_THREAD__
FIXTURE_VARIANT_ADD(device, processes)
{
	.isolate = true,
};
#endif

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, rig_create(&self->rig, PTO_ARCH_A2A3, 16, variant->isolate));
	ASSERT_EQ(0, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(0, rig_ctx_probe(&self->ctx, 0));
}

FIXTURE_TEARDOWN(device)
{
	rig_destroy(&self->rig);
}

#endif /* HOMES_H */
