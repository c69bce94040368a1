// SPDX-License-Identifier: GPL-2.0
/*
 * Constructors, destructors and configuration functions: they are called, in the order that the
 * dynamic loader has, and those that hang cost their command and nothing else. Those that
 * cannot be left cost the context, and no other one.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "homes.h"
#include "phases.h"
#include "../../sim/device/engine_internal.h"
#include "../../sim/device/internal.h"

#define ENTRY "aicpu_orchestration_entry"
#define MS 1000000ULL
#define BOUND (1000 * MS)	/* what the device of these tests gives them */

/* An image of phases.so that behaves as @what says. Return: 0 or a negative errno */
static int phases_object(struct rig *rig, const struct phases *what, struct rig_object *object)
{
	int ret = rig_object(rig, "phases.so", object);
	struct phases *in_image;

	if (ret)
		return ret;
	in_image = memmem((void *)(uintptr_t)object->addr, object->size, PHASES_MAGIC,
			  sizeof(PHASES_MAGIC));
	if (!in_image)
		return -EBADMSG;
	*in_image = *what;
	memcpy(in_image->magic, PHASES_MAGIC, sizeof(PHASES_MAGIC));
	return 0;
}

/* Loads it. Return: as rig_do() */
static int load_phases(struct rig_ctx *ctx, uint32_t handle, const struct phases *what)
{
	struct rig_object object;
	int ret = phases_object(ctx->rig, what, &object);

	return ret ? ret : rig_load(ctx, handle, &object, ENTRY, NULL, 0, NULL);
}

/* The same as a kernel of the probe. */
static int load_kernel(struct rig_ctx *ctx, uint32_t handle, const struct phases *what)
{
	struct rig_object probe, object;
	struct pto_dev_kernel list;
	int ret = rig_object(ctx->rig, "probe.so", &probe);

	if (!ret)
		ret = phases_object(ctx->rig, what, &object);
	list = (struct pto_dev_kernel){ 5, PTO_CORE_AIV, object.addr, object.size, object.id };
	return ret ? ret : rig_load(ctx, handle, &probe, ENTRY, &list, 1, NULL);
}

static const char *why(struct rig_ctx *ctx)
{
	return rig_why(ctx->rig, ctx->control, rig_queue(ctx->rig, ctx->control)->sq_tail - 1);
}

#define EXPECT_WHY(text) \
	EXPECT_NE(NULL, strstr(why(&self->ctx), text)) \
		TH_LOG("report: %s", why(&self->ctx))

/* All is as it was: the callable that was there, and a new one. */
#define EXPECT_SOUND(ctx) do { \
	const struct phases sound_ = { .init = PHASE_SOUND }; \
	EXPECT_EQ(PTO_DEV_OK, rig_run(ctx, 0, PROBE_ECHO, 4711, 0)); \
	EXPECT_EQ(4711, *(ctx)->page); \
	ASSERT_EQ(PTO_DEV_OK, load_phases(ctx, 9, &sound_)); \
	EXPECT_EQ(PTO_DEV_OK, rig_run(ctx, 9, 0, 0, 0)); \
	EXPECT_EQ(PHASES_BEGUN, *(ctx)->page); \
	EXPECT_EQ(PTO_DEV_OK, rig_unload(ctx, 9)); \
} while (0)

/* The same device with bounds that end soon, and two contexts. */
#define RESTART_BOUNDED(other) do { \
	rig_destroy(&self->rig); \
	ASSERT_EQ(0, rig_create_bounded(&self->rig, PTO_ARCH_A2A3, 4, variant->isolate, BOUND)); \
	ASSERT_EQ(0, rig_ctx_open(&self->rig, &self->ctx, 1)); \
	ASSERT_EQ(0, rig_ctx_probe(&self->ctx, 0)); \
	ASSERT_EQ(0, rig_ctx_open(&self->rig, other, 2)); \
	ASSERT_EQ(0, rig_ctx_probe(other, 0)); \
} while (0)

TEST_F(device, phases_in_order)
{
	struct phases what = { .trace = rig_addr(&self->rig, self->ctx.page) };

	ASSERT_EQ(PTO_DEV_OK, load_phases(&self->ctx, 1, &what));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 1, 0, 0, 0));
	EXPECT_EQ(PHASES_BEGUN, *self->ctx.page);
	EXPECT_EQ(PTO_DEV_OK, rig_unload(&self->ctx, 1));
	EXPECT_EQ(PHASES_ENDED, *self->ctx.page);
	*self->ctx.page = 0;
	ASSERT_EQ(PTO_DEV_OK, load_kernel(&self->ctx, 1, &what));
	EXPECT_EQ(PTO_DEV_OK, rig_unload(&self->ctx, 1));
	EXPECT_EQ(PHASES_ENDED, *self->ctx.page);
}

/* A load from another thread, which waits for it. */
struct loading {
	struct rig_ctx *ctx;
	const struct phases *what;
	int ret;
};

static void *load_beside(void *arg)
{
	struct loading *loading = arg;

	loading->ret = load_phases(loading->ctx, 1, loading->what);
	return NULL;
}

/* A constructor takes its time, and runs of the same context do not wait for it. */
TEST_F(device, runs_beside_a_constructor)
{
	struct phases what = { .init = PHASE_WAIT };
	struct loading loading = { .ctx = &self->ctx, .what = &what };
	uint64_t *words = self->ctx.page + 8;
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0, served;
	pthread_t thread;

	words[0] = 0;
	words[1] = 0;
	what.begun = rig_addr(&self->rig, &words[0]);
	what.until = rig_addr(&self->rig, &words[1]);
	ASSERT_EQ(0, pthread_create(&thread, NULL, load_beside, &loading));
	while (!__atomic_load_n((uint32_t *)&words[0], __ATOMIC_ACQUIRE) && rig_now() < until)
		rig_pause(&tries);
	for (served = 0; served < 20; served++) {
		if (rig_run(&self->ctx, 0, PROBE_ECHO, 100 + served, 0) != PTO_DEV_OK)
			break;
		EXPECT_EQ(100 + served, *self->ctx.page);
	}
	EXPECT_EQ(20, served);
	/* It is not there before its constructors have returned. */
	EXPECT_EQ(PTO_DEV_INVALID, rig_run(&self->ctx, 1, 0, 0, 0));
	__atomic_store_n((uint32_t *)&words[1], 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(PTO_DEV_OK, loading.ret);
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 1, 0, 0, 0));
	EXPECT_EQ(PHASES_BEGUN, *self->ctx.page);
}

/* A run takes its time: what it does not use can be changed, what it uses stays. */
TEST_F(device, control_commands_beside_a_run)
{
	struct pto_dev_cmd_arena drop = {
		.opcode = PTO_DEV_ARENA_DROP, .ctx = 1, .addr = self->ctx.arena,
		.size = self->ctx.plan->arena_size,
	};
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	const struct phases sound = { .init = PHASE_SOUND };
	struct pto_dev_cqe cqe;
	unsigned int served;
	uint32_t id;

	*self->ctx.page = 0;
	id = rig_submit_run(&self->ctx, 0, scalars, 2);
	ASSERT_TRUE(rig_started(&self->ctx));
	for (served = 0; served < 5; served++)
		if (load_phases(&self->ctx, 1, &sound) != PTO_DEV_OK ||
		    rig_unload(&self->ctx, 1) != PTO_DEV_OK)
			break;
	EXPECT_EQ(5, served);
	EXPECT_EQ(PTO_DEV_INVALID, rig_unload(&self->ctx, 0));
	EXPECT_WHY("a run executes the callable with handle 0");
	EXPECT_EQ(PTO_DEV_INVALID, rig_do(&self->rig, self->ctx.control, &drop, NULL));
	EXPECT_WHY("a run executes in that at");
	__atomic_store_n(self->ctx.page, 99, __ATOMIC_RELEASE);
	ASSERT_EQ(0, rig_wait(&self->rig, self->ctx.stream, id, &cqe));
	EXPECT_EQ(PTO_DEV_OK, cqe.status);
	EXPECT_SOUND(&self->ctx);
	EXPECT_EQ(PTO_DEV_OK, rig_unload(&self->ctx, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_do(&self->rig, self->ctx.control, &drop, NULL));
}

/* A constructor that hangs is left, and costs the run beside it nothing. */
TEST_F(device, constructor_that_hangs_beside_a_run)
{
	const struct phases hangs = { .init = PHASE_HANG };
	const uint64_t scalars[] = { PROBE_LATE, 99 };
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN, .ctx = 1, .epoch = 1000, .timeout_ms = 60000,
	};
	struct pto_dev_cqe cqe;
	struct rig_ctx other;
	uint32_t id;

	RESTART_BOUNDED(&other);
	*self->ctx.page = 0;
	cmd.arena_addr = self->ctx.arena;
	cmd.args_addr = rig_addr(&self->rig, self->ctx.args);
	cmd.args_size = rig_args(&self->ctx, scalars, 2);
	id = rig_submit(&self->rig, self->ctx.stream, &cmd);
	ASSERT_TRUE(rig_started(&self->ctx));
	EXPECT_EQ(PTO_DEV_TIMEOUT, load_phases(&self->ctx, 1, &hangs));
	__atomic_store_n(self->ctx.page, 99, __ATOMIC_RELEASE);
	ASSERT_EQ(0, rig_wait(&self->rig, self->ctx.stream, id, &cqe));
	EXPECT_EQ(PTO_DEV_OK, cqe.status);
	EXPECT_SOUND(&self->ctx);
}

TEST_F(device, constructor_that_hangs)
{
	struct phases what = { .init = PHASE_HANG };
	struct rig_ctx other;

	RESTART_BOUNDED(&other);
	what.trace = rig_addr(&self->rig, self->ctx.page);
	*self->ctx.page = 0;
	EXPECT_EQ(PTO_DEV_TIMEOUT, load_phases(&self->ctx, 1, &what));
	EXPECT_WHY("orchestration: ");
	EXPECT_WHY("its constructors have not returned for 1000 ms");
	EXPECT_EQ(PTO_DEV_TIMEOUT, load_kernel(&self->ctx, 1, &what));
	EXPECT_WHY("kernel of func_id 5: ");
	/* What was not begun is not ended. */
	EXPECT_EQ(0, *self->ctx.page);
	EXPECT_SOUND(&self->ctx);
	EXPECT_SOUND(&other);
}

/* Where a thread executes it, it is left for the abort, and the load says so itself. */
TEST_F(device, constructor_that_is_aborted)
{
	uint32_t *begun = (uint32_t *)self->ctx.page;
	const struct phases what = {
		.init = PHASE_HANG, .begun = rig_addr(&self->rig, begun),
	};
	struct loading loading = { .ctx = &self->ctx, .what = &what };
	uint64_t until = rig_now() + RIG_BOUND_NS;
	unsigned int tries = 0;
	pthread_t thread;

	*begun = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, load_beside, &loading));
	while (!__atomic_load_n(begun, __ATOMIC_ACQUIRE) && rig_now() < until)
		rig_pause(&tries);
	EXPECT_EQ(1, *begun);
	EXPECT_EQ(PTO_DEV_OK, rig_simple(&self->rig, 0, PTO_DEV_ABORT, 1));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(PTO_DEV_ABORTED, loading.ret);
	EXPECT_WHY("aborted");
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 0));
	EXPECT_SOUND(&self->ctx);
}

/* The handle is free, and the objects are gone. */
TEST_F(device, destructor_that_hangs)
{
	const struct phases what = { .fini = PHASE_HANG };
	struct rig_ctx other;

	RESTART_BOUNDED(&other);
	ASSERT_EQ(PTO_DEV_OK, load_phases(&self->ctx, 1, &what));
	EXPECT_EQ(PTO_DEV_OK, rig_run(&self->ctx, 1, 0, 0, 0));
	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_unload(&self->ctx, 1));
	EXPECT_WHY("handle 1 is free, but a destructor has not returned for 1000 ms");
	EXPECT_SOUND(&self->ctx);
	EXPECT_SOUND(&other);
	/* At the end of the context, too. */
	ASSERT_EQ(PTO_DEV_OK, load_phases(&self->ctx, 1, &what));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	EXPECT_SOUND(&other);
}

/* Behind a destructor that hangs no other one is called: one command takes one bound. */
TEST_F(device, destructors_behind_one_that_hangs)
{
	struct phases hangs = { .fini = PHASE_HANG }, what = { .fini = PHASE_SOUND };
	struct rig_object orch, object;
	struct pto_dev_kernel list;
	struct rig_ctx other;

	RESTART_BOUNDED(&other);
	what.trace = rig_addr(&self->rig, self->ctx.page);
	ASSERT_EQ(0, phases_object(&self->rig, &what, &orch));
	ASSERT_EQ(0, phases_object(&self->rig, &hangs, &object));
	list = (struct pto_dev_kernel){ 5, PTO_CORE_AIV, object.addr, object.size, object.id };
	*self->ctx.page = 0;
	ASSERT_EQ(PTO_DEV_OK, rig_load(&self->ctx, 1, &orch, ENTRY, &list, 1, NULL));
	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_unload(&self->ctx, 1));
	EXPECT_EQ(0, *self->ctx.page);
	EXPECT_SOUND(&self->ctx);
}

/* It is a part of the run, and has the run's bounds. */
TEST_F(device, configuration_that_hangs)
{
	const struct phases what = { .config = PHASE_HANG };
	const struct pto_dev_report *report;
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN, .ctx = 1, .handle = 1, .arena_addr = self->ctx.arena,
		.args_addr = rig_addr(&self->rig, self->ctx.args), .epoch = 1000,
	};
	uint64_t scalars[1] = { 0 };
	uint32_t i;

	ASSERT_EQ(PTO_DEV_OK, load_phases(&self->ctx, 1, &what));
	for (i = 0; i < 2; i++) {
		cmd.args_size = rig_args(&self->ctx, scalars, 1);
		cmd.epoch++;
		cmd.sched_timeout_ms = i ? 0 : 100;
		cmd.timeout_ms = i ? 100 : 0;
		EXPECT_EQ(PTO_DEV_TIMEOUT, rig_do(&self->rig, self->ctx.stream, &cmd, NULL));
		report = rig_report(&self->rig, self->ctx.stream,
				    rig_queue(&self->rig, self->ctx.stream)->sq_tail - 1);
		EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, report->code);
		EXPECT_EQ(5, report->subcode);
		EXPECT_NE(NULL, strstr((const char *)report->text,
				       "the configuration function has not returned for 100 ms")) {
			TH_LOG("%s", report->text);
		}
		EXPECT_SOUND(&self->ctx);
	}
}

/* It cannot be left when its time is up, but before the watchdog gives the context up. */
TEST_F(device, configuration_that_ends_late)
{
	struct phases what = { .config = PHASE_LATE };
	struct pto_dev_cmd_run cmd = {
		.opcode = PTO_DEV_RUN, .ctx = 1, .handle = 1, .arena_addr = self->ctx.arena,
		.args_addr = rig_addr(&self->rig, self->ctx.args), .epoch = 1000,
		.timeout_ms = 100,
	};
	const struct pto_dev_report *report;
	uint64_t scalars[1] = { 0 };
	struct pto_engine *engine;

	if (variant->isolate)
		SKIP(return, "the watchdog tells a process by a signal, which is blocked");
	engine = self->rig.dev->contexts[1].context->engine;
	what.until = (uintptr_t)&engine->callers[CALLER_RUNS].abort;
	ASSERT_EQ(PTO_DEV_OK, load_phases(&self->ctx, 1, &what));
	cmd.args_size = rig_args(&self->ctx, scalars, 1);
	EXPECT_EQ(PTO_DEV_TIMEOUT, rig_do(&self->rig, self->ctx.stream, &cmd, NULL));
	report = rig_report(&self->rig, self->ctx.stream, cmd.id);
	EXPECT_EQ(PTO_FATAL_SCHEDULER_TIMEOUT, report->code);
	EXPECT_NE(NULL, strstr((const char *)report->text,
			       "the run has not ended within its bound of 100 ms")) {
		TH_LOG("%s", report->text);
	}
	EXPECT_SOUND(&self->ctx);
}

/* One that cannot be left costs the context, and holds nothing that others need. */
TEST_F(device, constructor_that_is_deaf)
{
	const struct phases what = { .init = PHASE_DEAF };
	struct rig_ctx other;

	RESTART_BOUNDED(&other);
	EXPECT_EQ(PTO_DEV_TIMEOUT, load_phases(&self->ctx, 1, &what));
	EXPECT_WHY("code of the callable has not ended within its bound");
	EXPECT_SOUND(&other);
	EXPECT_EQ(PTO_DEV_FAULT, rig_run(&self->ctx, 0, PROBE_ECHO, 0, 0));
	EXPECT_EQ(PTO_DEV_OK, rig_ctx_close(&self->ctx));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_open(&self->rig, &self->ctx, 1));
	ASSERT_EQ(PTO_DEV_OK, rig_ctx_probe(&self->ctx, 0));
	EXPECT_SOUND(&self->ctx);
}

/* Where contexts are processes the device says where it was. */
TEST_F(device, constructor_that_crashes)
{
	const struct phases what = { .init = PHASE_CRASH };
	struct rig_ctx other;

	if (!variant->isolate)
		SKIP(return, "a crash is the application's here");
	ASSERT_EQ(0, rig_ctx_open(&self->rig, &other, 2));
	ASSERT_EQ(0, rig_ctx_probe(&other, 0));
	EXPECT_EQ(PTO_DEV_FAULT, load_phases(&self->ctx, 1, &what));
	EXPECT_WHY("SIGSEGV at address 0x18, in a constructor, a destructor or the dynamic loader");
	EXPECT_SOUND(&other);
}

TEST_F(device, constructor_that_uses_its_stack_up)
{
	const struct phases what = { .init = PHASE_OVERFLOW };

	if (!variant->isolate)
		SKIP(return, "a crash is the application's here");
	EXPECT_EQ(PTO_DEV_FAULT, load_phases(&self->ctx, 1, &what));
	EXPECT_WHY("SIGSEGV at address 0x");
	EXPECT_WHY("in a constructor, a destructor or the dynamic loader");
}

TEST_HARNESS_MAIN
