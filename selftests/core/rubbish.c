// SPDX-License-Identifier: GPL-2.0
/*
 * A device that writes rubbish: into completions, before and after they are published, into
 * indices, flags and reports, arena plans and its identification. Whatever it does the driver
 * answers each call, with an error of those that there are, nothing is lost or overrun, and no
 * memory is given to anybody while a context may touch it. What is worth a sanitizer's time.
 *
 *	PTO_SELFTEST_SEED=N rubbish	begins with another seed
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "rig.h"

#define SEEDS	1000
#define STEPS	60

static unsigned int seed, dose;	/* one command in so many is spoilt */

static unsigned int below(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static uint64_t rubbish(void)
{
	static const uint64_t odd[] = {
		0, 1, 2, ~0ULL, 1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL >> 1, 0xffffffff, 64, 63,
	};

	if (below(2))
		return odd[below(sizeof(odd) / sizeof(odd[0]))];
	return (uint64_t)below(1u << 31) << 33 ^ below(1u << 31);
}

static void fill(void *p, size_t bytes)
{
	unsigned char *byte = p;

	while (bytes--)
		*byte++ = below(4) ? below(256) : 0xff;
}

static void spoil_completion(struct pto_dev_cqe *cqe)
{
	switch (below(6)) {
	case 0:
		cqe->id = (uint32_t)rubbish();
		break;
	case 1:
		cqe->detail = rubbish();
		break;
	case 2:
		cqe->start_ns = rubbish();
		cqe->end_ns = rubbish();
		break;
	default:
		cqe->status = below(3) ? below(12) : (uint32_t)rubbish();
	}
}

/* Not sq_tail, which the rig believes. */
static void spoil_indices(struct pto_dev_queue *q)
{
	switch (below(7)) {
	case 0:
		q->cq_tail += below(5) - 2;
		break;
	case 1:
		q->cq_tail = (uint32_t)rubbish();
		break;
	case 2:
		q->sq_head = (uint32_t)rubbish();
		break;
	case 3:
		q->cq_head = (uint32_t)rubbish();
		break;
	case 4:
		q->sq_flags = (uint32_t)rubbish();
		break;
	case 5:
		q->cq_flags = (uint32_t)rubbish();
		break;
	default:
		q->progress = (uint32_t)rubbish();
	}
}

static void spoil_ident(struct pto_dev_ident *id)
{
	switch (below(8)) {
	case 0:
		id->state = (uint32_t)rubbish();
		break;
	case 1:
		id->queue_depth = (uint32_t)rubbish();
		break;
	case 2:
		id->heap_offset = rubbish();
		break;
	case 3:
		id->window_size = rubbish();
		break;
	case 4:
		id->queue_offset = rubbish();
		break;
	case 5:
		id->heartbeat = (uint32_t)rubbish();
		break;
	default:
		fill(id->name, sizeof(id->name));
	}
}

/* What an ARENA_BUILD has left, or anything else at its place. */
static void spoil_memory(struct rig *rig)
{
	const struct rig_log_entry *entry = rig_last(rig, PTO_DEV_ARENA_BUILD);
	struct pto_dev_cmd_arena cmd;
	struct pto_dev_arena_plan *plan;

	if (!entry)
		return;
	memcpy(&cmd, &entry->cmd, sizeof(cmd));
	plan = (void *)(rig->window + (cmd.addr - (uintptr_t)rig->window));
	plan->arena_size = rubbish();
	plan->image_size = rubbish();
}

static void before(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	if (below(dose))
		return;
	switch (below(4)) {
	case 0:
		fill(rig_report_at(rig, queue, cqe->id), sizeof(struct pto_dev_report));
		if (below(4))
			rig_report_at(rig, queue, cqe->id)->id = cqe->id;
		cqe->status = PTO_DEV_PROGRAM;
		break;
	case 1:
		spoil_memory(rig);
		break;
	default:
		spoil_completion(cqe);
	}
}

/* One that may have been read, or not. What was refused stays so: the rig remembers. */
static void spoil_published(struct rig *rig, uint32_t queue)
{
	uint32_t last = rig_queue(rig, queue)->cq_tail - 1;
	struct pto_dev_cqe *cqe = rig_cqe(rig, queue, last - below(4));
	uint32_t status = cqe->status;

	spoil_completion(cqe);
	if (!status != !cqe->status)
		cqe->status = status;
}

static void after(struct rig *rig, uint32_t queue)
{
	if (below(dose))
		return;
	switch (below(4)) {
	case 0:
		spoil_published(rig, queue);
		break;
	case 1:
		if (!below(4))
			spoil_ident(rig->ident);
		break;
	default:
		spoil_indices(rig_queue(rig, queue));
	}
}

static bool is_known(int err)
{
	static const int known[] = {
		0, -EINVAL, -ENOEXEC, -ENOMEM, -ENOSPC, -EIO, -ETIMEDOUT, -ECANCELED, -EREMOTEIO,
		-EOPNOTSUPP, -ENODEV, -ENOENT, -EBUSY, -EAGAIN, -ESTALE, -EEXIST,
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == err)
			return true;
	return false;
}

/* A context of the application, and what it remembers. */
struct user {
	struct pto_ctx *ctx;
	uint32_t bos[8];
	uint32_t images[4];
	uint64_t run;
};

static int make_stream(struct user *user)
{
	struct pto_ioc_stream_create create = { .size = sizeof(create) };
	struct pto_ioc_stream_destroy destroy = { .size = sizeof(destroy) };
	int err = rig_ioctl(user->ctx, PTO_STREAM_CREATE, &create);

	destroy.id = create.id;
	return err ? err : rig_ioctl(user->ctx, PTO_STREAM_DESTROY, &destroy);
}

static int prewarm(struct user *user)
{
	uint64_t heap = 1024ULL << below(6);
	struct pto_ioc_prewarm arg = { .size = sizeof(arg), .heap = { heap, heap, heap, heap } };

	return rig_ioctl(user->ctx, PTO_PREWARM, &arg);
}

static int reset(struct user *user)
{
	struct pto_ioc_ctx_reset arg = { .size = sizeof(arg) };

	return rig_ioctl(user->ctx, PTO_CTX_RESET, &arg);
}

static int await(struct user *user)
{
	char text[300];
	struct pto_ioc_wait arg = { .log_ptr = (uintptr_t)text, .log_size = sizeof(text) };

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	return rig_wait(user->ctx, user->run, rig_now() + RIG_SECOND, &arg);
}

static int image(struct user *user)
{
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "object %u", below(5));
	return rig_image(user->ctx, bytes, &user->images[below(4)]);
}

static int buffer(struct user *user)
{
	struct pto_ioc_bo_create bo;
	unsigned int i = below(8);
	int err;

	if (user->bos[i]) {
		err = rig_bo_destroy(user->ctx, user->bos[i]);
		user->bos[i] = 0;
		return err;
	}
	err = rig_bo(user->ctx, 4096ULL << below(4), &bo);
	if (!err)
		user->bos[i] = bo.id;
	return err;
}

static int step(struct user *user)
{
	switch (below(12)) {
	case 0:
		return image(user);
	case 1:
		return rig_prepare(user->ctx, (int)below(4), user->images[below(4)]);
	case 2:
		return rig_unprepare(user->ctx, (int)below(4));
	case 3:
		return make_stream(user);
	case 4:
		return prewarm(user);
	case 5:
		return below(4) ? 0 : reset(user);
	case 6:
	case 7:
		return await(user);
	case 8:
	case 9:
		return buffer(user);
	default:
		return rig_run(user->ctx, (int)below(4), user->bos[below(8)], &user->run);
	}
}

static int open_context(struct rig *rig, struct user *user)
{
	struct pto_ctx *ctx;
	int err = rig_open(rig, &ctx);

	memset(user, 0, sizeof(*user));
	if (!err)
		user->ctx = ctx;
	return err;
}

static void spoil_all(struct rig *rig)
{
	static const uint16_t opcodes[] = {
		PTO_DEV_CTX_CREATE, PTO_DEV_CTX_DESTROY, PTO_DEV_QUEUE_BIND, PTO_DEV_QUEUE_UNBIND,
		PTO_DEV_ABORT, PTO_DEV_ARENA_BUILD, PTO_DEV_MAP, PTO_DEV_UNMAP, PTO_DEV_LOAD,
		PTO_DEV_UNLOAD, PTO_DEV_ARENA_BIND, PTO_DEV_ARENA_DROP, PTO_DEV_RUN,
	};
	struct rig_rule rule = { .spoil = before, .after = after };
	size_t i;

	for (i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		rule.opcode = opcodes[i];
		rig_rule(rig, &rule);
	}
}

/* Return: an errno that there is not, 0 if there was none. */
static int live(struct rig *rig)
{
	struct user users[2] = { 0 };
	int i, err, odd = 0;

	for (i = 0; i < STEPS && !odd; i++) {
		struct user *user = &users[below(2)];

		err = user->ctx ? step(user) : open_context(rig, user);
		if (!is_known(err))
			odd = err;
	}
	for (i = 0; i < 2; i++)
		if (users[i].ctx)
			rig_close(users[i].ctx);
	return odd;
}

/* A run that never ends may hold up a call for ever, if nobody kills its caller. */
static void give_up(struct rig *rig)
{
	rig->ident->state = PTO_DEV_STATE_FAILED;
}

TEST(whatever_it_says)
{
	const char *given = getenv("PTO_SELFTEST_SEED");
	unsigned int first = given ? (unsigned int)strtoul(given, NULL, 10) : 1;
	long memory = rig_memory();
	unsigned int i;
	struct rig *rig;

	rig_log(false);
	for (i = first; i < first + SEEDS; i++) {
		seed = i;
		dose = 1 + below(60);
		rig = rig_new();
		rig_virtual_time(rig, 1);
		ASSERT_EQ(0, rig_start(rig));
		spoil_all(rig);
		rig_later(rig, 3600 * RIG_SECOND, give_up);
		ASSERT_EQ(0, live(rig)) {
			TH_LOG("seed %u", i);
		}
		EXPECT_EQ(0, rig_early(rig)) {
			TH_LOG("seed %u: memory was given away early", i);
		}
		rig_free(rig);
		ASSERT_EQ(memory, rig_memory()) {
			TH_LOG("seed %u", i);
		}
	}
}

TEST_HARNESS_MAIN
