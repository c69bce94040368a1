// SPDX-License-Identifier: GPL-2.0
/*
 * Results against a model: runs that end in random ways, when the test lets them, and whose
 * results are read in random order, again and again, until they are too old to be kept. Nobody
 * gets the result or the report of another run.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ptotest.h"
#include "rig.h"

#define STEPS	3000
#define RUNS	4096	/* at most, and records of the model */

/**
 * struct ended - how a run ends
 * @cqe: its completion
 * @reported: with a report
 * @report: the report
 */
struct ended {
	struct pto_dev_cqe cqe;
	bool reported;
	struct pto_dev_report report;
};

static struct ended model[RUNS + 1];	/* by number, from 1 */
static uint64_t submitted, completed, latest_read;
static unsigned int seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&seed) % n;
}

FIXTURE(waits) {
	struct rig *rig;
	struct pto_ctx *ctx;
	struct pto_ioc_bo_create bo;
	uint32_t stream;
	unsigned int first;
	long memory;
};

/* As the model has it. */
static void end_run(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	struct ended *ended = &model[++completed];
	struct pto_dev_report *report;
	uint32_t id = cqe->id;

	*cqe = ended->cqe;
	cqe->id = id;
	if (!ended->reported)
		return;
	rig_report(rig, queue, id, (const char *)ended->report.text);
	report = rig_report_at(rig, queue, id);
	report->task = ended->report.task;
	report->func_id = ended->report.func_id;
	report->core = ended->report.core;
}

FIXTURE_SETUP(waits)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	seed = given ? strtoul(given, NULL, 10) : pt_now();
	self->first = seed;
	submitted = 0;
	completed = 0;
	latest_read = 0;
	memset(model, 0, sizeof(model));
	self->memory = rig_memory();
	self->rig = rig_new();
	ASSERT_EQ(0, rig_start(self->rig));
	ASSERT_EQ(0, rig_open(self->rig, &self->ctx));
	ASSERT_EQ(0, rig_ready(self->ctx, &self->bo));
	self->stream = rig_last_bound(self->rig);
	self->rig->held = 1u << self->stream;
	self->rig->opcode = PTO_DEV_RUN;
	self->rig->spoil = end_run;
}

FIXTURE_TEARDOWN(waits)
{
	self->rig->held = 0;
	rig_release(self->rig, self->stream, RIG_DEPTH);
	rig_close(self->ctx);
	rig_free(self->rig);
	EXPECT_EQ(self->memory, rig_memory());
}

/* --- the model ------------------------------------------------------------------------ */

static struct ended random_end(uint64_t number)
{
	static const uint32_t statuses[] = {
		PTO_DEV_PROGRAM, PTO_DEV_TIMEOUT, PTO_DEV_INVALID, PTO_DEV_NOMEM, 99,
	};
	struct ended ended = { 0 };

	ended.cqe.start_ns = 1000000 * number;
	ended.cqe.end_ns = 1000000 * number + 1 + below(100);
	ended.cqe.detail = (uint64_t)rand_r(&seed) << 32 | below(1 << 30);
	if (below(2))
		return ended;
	ended.cqe.status = statuses[below(ARRAY_SIZE(statuses))];
	ended.reported = below(3);
	ended.report.task = 1000 + number;
	ended.report.func_id = 2000 + number;
	ended.report.core = 3000 + number;
	snprintf((char *)ended.report.text, sizeof(ended.report.text), "run %llu has failed",
		 (unsigned long long)number);
	return ended;
}

static int errno_of(uint32_t status)
{
	switch (status) {
	case PTO_DEV_OK:
		return 0;
	case PTO_DEV_PROGRAM:
		return -EREMOTEIO;
	case PTO_DEV_TIMEOUT:
		return -ETIMEDOUT;
	case PTO_DEV_INVALID:
		return -EINVAL;
	case PTO_DEV_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Is its report still there? A later one may have taken its place. */
static bool report_is_kept(uint64_t number)
{
	uint64_t later;

	for (later = number + PTO_DEV_REPORTS; later <= completed; later += PTO_DEV_REPORTS)
		if (model[later].reported)
			return false;
	return model[number].reported;
}

static bool result_is(const struct pto_ioc_wait *wait, uint64_t number)
{
	const struct ended *e = &model[number];
	bool tells = e->cqe.status == PTO_DEV_PROGRAM || e->cqe.status == PTO_DEV_TIMEOUT;
	uint64_t detail = tells ? e->cqe.detail : 0;

	return wait->status == errno_of(e->cqe.status) && wait->code == (uint32_t)detail &&
	       wait->subcode == detail >> 32 && wait->user_data == 7 * number &&
	       wait->start_ns == e->cqe.start_ns && wait->end_ns == e->cqe.end_ns;
}

static bool report_is(const struct pto_ioc_wait *wait, const char *text, uint64_t number)
{
	const struct pto_dev_report *r = &model[number].report;

	if (!model[number].cqe.status)
		return !strcmp(text, "untouched") && wait->task == ~0ull;
	if (!report_is_kept(number))
		return !*text && wait->task == ~0ull && wait->func_id == ~0u && wait->core == ~0u;
	return !strcmp(text, (const char *)r->text) && wait->task == r->task &&
	       wait->func_id == r->func_id && wait->core == r->core;
}

/* --- random steps ------------------------------------------------------------------------ */

static int submit(FIXTURE_DATA(waits) *self)
{
	struct pto_run_entry entry = { .user_data = 7 * (submitted + 1) };
	struct pto_ioc_run arg = {
		.size = sizeof(arg),
		.stream = PTO_STREAM_DEFAULT,
		.count = 1,
		.stride = sizeof(entry),
		.entries_ptr = (uintptr_t)&entry,
	};
	int err = rig_ioctl(self->ctx, PTO_RUN, &arg);

	if (submitted - completed == RIG_DEPTH)
		return err == -EAGAIN ? 0 : -EBADMSG;
	if (err)
		return err;
	submitted++;
	return arg.first_id == ((uint64_t)PTO_STREAM_DEFAULT << 48 | submitted) ? 0 : -EBADMSG;
}

/* Reports lie in the window until somebody looks: one after the other, so that all are seen. */
static int end_one(FIXTURE_DATA(waits) *self)
{
	struct pto_context_stats stats;
	int err;

	if (submitted == completed)
		return 0;
	model[completed + 1] = random_end(completed + 1);
	rig_release(self->rig, self->stream, 1);
	err = rig_stats(self->ctx, &stats);
	return !err && stats.runs_completed == completed && stats.runs_submitted == submitted ? 0 :
	       -EBADMSG;
}

static int read_one(FIXTURE_DATA(waits) *self)
{
	uint64_t number = below(4) ? submitted - below(submitted < 140 ? submitted + 1 : 140) :
				     below(submitted + 3);
	struct pto_ioc_wait wait = { .log_size = 224 };
	char text[224] = "untouched";
	int err, want = 0;

	wait.log_ptr = (uintptr_t)text;
	err = rig_wait(self->ctx, (uint64_t)PTO_STREAM_DEFAULT << 48 | number, 0, &wait);
	if (!number || number > submitted)
		want = -ENOENT;
	else if (number > completed)
		want = -ETIMEDOUT;
	else if (completed - number >= RIG_DEPTH)
		want = -ESTALE;
	if (err != want)
		return -EBADMSG;
	if (err)
		return 0;
	if (number > latest_read)
		latest_read = number;
	return result_is(&wait, number) && report_is(&wait, text, number) ? 0 : -EBADMSG;
}

static int wait_for_stream(FIXTURE_DATA(waits) *self)
{
	struct pto_ioc_stream_wait arg = { .size = sizeof(arg), .id = PTO_STREAM_DEFAULT };
	int err = rig_ioctl(self->ctx, PTO_STREAM_WAIT, &arg);

	return err == (submitted == completed ? 0 : -ETIMEDOUT) ? 0 : -EBADMSG;
}

static int look(FIXTURE_DATA(waits) *self)
{
	return !!(rig_poll(self->ctx) & POLLIN) == (completed > latest_read) ? 0 : -EBADMSG;
}

/* The stream fills, and then drains. */
TEST_F(waits, random_reading)
{
	bool draining;
	int i, err = 0;

	for (i = 0; i < STEPS && submitted < RUNS; i++) {
		draining = i / 100 % 2;
		switch (below(7)) {
		case 0:
			err = draining && below(2) ? end_one(self) : submit(self);
			break;
		case 1:
			err = draining ? end_one(self) : submit(self);
			break;
		case 2:
			err = end_one(self);
			break;
		case 3:
			err = look(self);
			break;
		case 4:
			err = wait_for_stream(self);
			break;
		default:
			err = read_one(self);
		}
		ASSERT_EQ(0, err) {
			TH_LOG("seed %u, step %d", self->first, i);
		}
	}
}

/* --- texts ------------------------------------------------------------------------------- */

/* Cut to fit, always with an end, and not a byte further. */
TEST_F(waits, text_fits_its_room)
{
	const char *whole = "a text of 23 characters";
	struct pto_ioc_wait wait;
	char room[40];
	uint32_t size;

	model[1].cqe.status = PTO_DEV_PROGRAM;
	model[1].reported = true;
	strcpy((char *)model[1].report.text, whole);
	ASSERT_EQ(0, submit(self));
	rig_release(self->rig, self->stream, 1);
	for (size = 0; size < sizeof(room) - 1; size++) {
		memset(room, 'x', sizeof(room));
		wait.log_ptr = (uintptr_t)room;
		wait.log_size = size;
		ASSERT_EQ(0, rig_wait(self->ctx, (uint64_t)PTO_STREAM_DEFAULT << 48 | 1, 0, &wait));
		EXPECT_EQ(-EREMOTEIO, wait.status);
		if (!size) {
			EXPECT_EQ('x', room[0]);
			continue;
		}
		EXPECT_EQ(0, strncmp(room, whole, size - 1));
		EXPECT_EQ('\0', room[size <= 23 ? size - 1 : 23]);
		EXPECT_EQ('x', room[size <= 23 ? size : 24]);
	}
}

/* --- what cannot be -------------------------------------------------------------------------- */

static void earlier_lap(struct rig *rig, uint32_t queue, struct pto_dev_cqe *cqe)
{
	cqe->id -= RIG_DEPTH;
}

/* The completion that was in this place a lap ago is none of this run. */
TEST_F(waits, completion_of_an_earlier_lap)
{
	struct pto_ioc_wait wait = { 0 };
	uint64_t id;
	int i;

	self->rig->spoil = NULL;
	for (i = 0; i < RIG_DEPTH; i++) {
		ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
		rig_release(self->rig, self->stream, 1);
		ASSERT_EQ(0, rig_wait(self->ctx, id, 0, &wait));
	}
	self->rig->spoil = earlier_lap;
	ASSERT_EQ(0, rig_run(self->ctx, 0, 0, &id));
	rig_release(self->rig, self->stream, 1);
	EXPECT_EQ(-ENODEV, rig_wait(self->ctx, id, PTO_WAIT_FOREVER, &wait));
}

TEST_HARNESS_MAIN
