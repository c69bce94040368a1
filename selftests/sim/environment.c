// SPDX-License-Identifier: GPL-2.0
/* The simulator's environment variables: how many devices, which, and what shall go wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define ACTION "PTO_SELFTEST_ACTION"

static const struct pt_callable empty = { .orch = "orch_empty" };

/* --- what the program does when it is started again with other variables -------- */

/* Digits: the architecture of each device that can be opened. */
static int act_list(void)
{
	struct pto_device_info info;
	char path[32];
	int fd, i, digits = 0;

	for (i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/dev/pto%d", i);
		fd = pt_open_path(path);
		if (fd < 0)
			break;
		if (pt_info(fd, &info) || info.index != (uint32_t)i)
			return 255;
		digits = digits * 3 + info.arch;
		close(fd);
	}
	return digits;
}

/* Runs until the device is gone; how many have ended well. */
static int act_run_until_gone(void)
{
	struct pto_context_stats stats;
	int fd = pt_open(0), count = 0, err = 0;

	if (fd < 0 || pt_prepare(fd, 0, &empty, NULL))
		return 255;
	while (count < 100) {
		err = pt_run(fd, 0, NULL, 0);
		if (err)
			break;
		count++;
	}
	if (count < 100 && err != -ENODEV && err != -EIO && err != -ECANCELED)
		return 254;
	if (count < 100 && (pt_stats(fd, &stats) || stats.state != PTO_CTX_GONE))
		return 253;
	if (count < 100 && pt_run(fd, 0, NULL, 0) != -ENODEV)
		return 252;
	close(fd);
	return count;
}

/* Runs that all must end well, whatever gets lost on the way. */
static int act_run_all(void)
{
	int fd = pt_open(0), count;

	if (fd < 0 || pt_prepare(fd, 0, &empty, NULL))
		return 255;
	for (count = 0; count < 50; count++) {
		if (pt_run(fd, 0, NULL, 0))
			break;
		usleep(1000);	/* long enough for either side to fall asleep */
	}
	close(fd);
	return count;
}

static uint32_t state_of(int fd)
{
	struct pto_context_stats stats;

	return pt_stats(fd, &stats) ? UINT32_MAX : stats.state;
}

/* PTO_RUN of @count runs of the callable 0. Return: its error */
static int run_many(int fd, uint32_t stream, uint32_t count)
{
	struct pto_run_entry entries[8] = { 0 };
	struct pto_ioc_run run = {
		.size = sizeof(run),
		.stream = stream,
		.count = count,
		.stride = sizeof(entries[0]),
		.accepted = 8,	/* of a run that is refused, nothing counts */
		.entries_ptr = (uintptr_t)entries,
	};

	return pt_ioctl(fd, PTO_RUN, &run);
}

/*
 * Runs in arrays of so many, and as many that are refused. Return: how many were accepted when the
 * device had gone, 200 and more for what was not as it should be
 */
static int run_arrays_until_gone(uint32_t array)
{
	int fd = pt_open(0), count = 0;

	if (fd < 0 || pt_prepare(fd, 0, &empty, NULL))
		return 255;
	while (count < 100 && state_of(fd) == PTO_CTX_OK) {
		if (!run_many(fd, 77, array))
			return 254;
		if (state_of(fd) != PTO_CTX_OK)
			return 253;
		if (run_many(fd, PTO_STREAM_DEFAULT, array))
			return 252;
		count += array;
		if (state_of(fd) == PTO_CTX_OK &&
		    pt_stream_wait(fd, PTO_STREAM_DEFAULT, pt_deadline()))
			return 251;
	}
	close(fd);
	return count;
}

/* The bound of a device's runs, in units of 1/4 s. */
static int act_timeout(void)
{
	struct pto_device_info info;
	int fd = pt_open(0);

	if (fd < 0 || pt_info(fd, &info) || info.default_timeout_ns % (PT_SECOND / 4))
		return 255;
	return info.default_timeout_ns / (PT_SECOND / 4);
}

/* Leaves a context with two buffers open, or closes what it had. */
static int act_leave(bool open)
{
	int fd = pt_open(0);
	struct pt_buf buf[2];

	if (fd < 0 || pt_buf_new(fd, 4096, &buf[0]) || pt_buf_new(fd, 8192, &buf[1]))
		return 255;
	if (!open) {
		pt_buf_free(fd, &buf[0]);
		pt_buf_free(fd, &buf[1]);
		close(fd);
	}
	return 0;
}

/* Calls for which PTO_SIM_TRACE has lines. */
static int act_trace(void)
{
	struct pto_ioc_bo_create bo = { .size = sizeof(bo) };
	int fd = pt_open(0);
	void *at;

	if (fd < 0 || pt_ioctl(fd, PTO_BO_CREATE, &bo) != -EINVAL)
		return 255;
	bo.length = 4096;
	if (pt_ioctl(fd, PTO_BO_CREATE, &bo))
		return 254;
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, bo.mmap_offset);
	if (at == MAP_FAILED || munmap(at, 4096))
		return 253;
	if (pt_prepare(fd, 3, &empty, NULL) != 3 || pt_run(fd, 3, NULL, 0))
		return 252;
	close(fd);
	return 0;
}

static int wait_run(int fd, uint64_t id, uint64_t deadline, int *status)
{
	struct pto_ioc_wait wait = { .size = sizeof(wait), .run = id, .timeout_ns = deadline };
	int err = pt_ioctl(fd, PTO_WAIT, &wait);

	*status = wait.status;
	return err;
}

/*
 * The second run of the device does not come back. Other contexts go on; a reset ends it, and
 * then this one goes on as well. Return: how many runs were executed by then, 200 and more
 * for what was not as it should be
 */
static int act_mishap(void)
{
	struct pto_ioc_ctx_reset reset = { .size = sizeof(reset) };
	int fd = pt_open(0), other = pt_open(0), status, executed;
	bool lost = strstr(getenv("PTO_SIM_FAIL"), "lost");
	struct pt_gate gate, free_gate;
	uint64_t id;

	if (fd < 0 || other < 0 || pt_gate_new(fd, NULL, &gate) ||
	    pt_gate_new(other, NULL, &free_gate))
		return 255;
	pt_gate_set(&gate, true);
	pt_gate_set(&free_gate, true);
	if (pt_gate_submit(fd, &gate, PTO_STREAM_DEFAULT, &id) || pt_finish(fd, id))
		return 254;
	if (pt_gate_submit(fd, &gate, PTO_STREAM_DEFAULT, &id))
		return 253;
	while (lost && pt_gate_passed(&gate) < 2)
		pt_pause();
	if (wait_run(fd, id, pt_now() + PT_SECOND / 5, &status) != -ETIMEDOUT)
		return 252;
	executed = pt_gate_passed(&gate);
	if (pt_gate_submit(other, &free_gate, PTO_STREAM_DEFAULT, &id) || pt_finish(other, id))
		return 251;
	if (pt_ioctl(fd, PTO_CTX_RESET, &reset))
		return 250;
	if (pt_gate_submit(fd, &gate, PTO_STREAM_DEFAULT, &id) || pt_finish(fd, id))
		return 249;
	if (wait_run(fd, id - 1, pt_deadline(), &status) || status != -ECANCELED)
		return 248;
	close(fd);
	close(other);
	return executed;
}

/* Device memory, in units of 16 MiB, rounded up. */
static int act_memory(void)
{
	struct pto_device_info info;
	int fd = pt_open(0);

	if (fd < 0 || pt_info(fd, &info))
		return 255;
	return (info.memory_size + (1 << 24) - 1) >> 24;
}

/*
 * Does the memory hold what a context needs by default? Return: 0; 1 if its rings are smaller than
 * usual; 200 and more for what was not as it should be
 */
static int act_rings(void)
{
	struct pto_ioc_prewarm prewarm = { .size = sizeof(prewarm) };
	struct pto_device_info info;
	struct pto_context_stats stats;
	int fd = pt_open(0);

	if (fd < 0 || pt_info(fd, &info))
		return 255;
	if (pt_prepare(fd, 0, &empty, NULL) || pt_run(fd, 0, NULL, 0))
		return 254;
	/* The arena of the defaults is the one that the run had. */
	if (pt_ioctl(fd, PTO_PREWARM, &prewarm) || pt_stats(fd, &stats) || stats.arena_misses != 1)
		return 253;
	if (!info.default_heap || !info.default_task_window || !info.default_dep_pool)
		return 252;
	if (PTO_RING_DEPTHS * info.default_heap > prewarm.arena_size ||
	    prewarm.arena_size > info.memory_size / 8 * 7)
		return 251;
	return info.default_heap < 256u << 20 || info.default_task_window < 16384 ||
	       info.default_dep_pool < 16384;
}

static void __attribute__((constructor)) act(void)
{
	const char *action = getenv(ACTION);

	if (!action)
		return;
	if (!strcmp(action, "list"))
		_exit(act_list());
	if (!strcmp(action, "run until gone"))
		_exit(act_run_until_gone());
	if (!strcmp(action, "run all"))
		_exit(act_run_all());
	if (!strcmp(action, "mishap"))
		_exit(act_mishap());
	if (!strcmp(action, "memory"))
		_exit(act_memory());
	if (!strcmp(action, "rings"))
		_exit(act_rings());
	if (!strcmp(action, "arrays of 1"))
		_exit(run_arrays_until_gone(1));
	if (!strcmp(action, "arrays of 3"))
		_exit(run_arrays_until_gone(3));
	if (!strcmp(action, "timeout"))
		_exit(act_timeout());
	if (!strcmp(action, "trace"))
		_exit(act_trace());
	/* What is left is looked for at a regular end. */
	if (!strcmp(action, "leave open"))
		exit(act_leave(true));
	if (!strcmp(action, "close"))
		exit(act_leave(false));
	_exit(255);
}

/* --- the tests ------------------------------------------------------------------ */

FIXTURE(environment) {
	int fd;	/* only says that there is something to test */
};

FIXTURE_SETUP(environment)
{
	self->fd = -1;
	if (!pt_simulator())
		SKIP(return, "not on the simulator");
	self->fd = 0;
}

FIXTURE_TEARDOWN(environment)
{
}

struct variable {
	const char *name;
	const char *value;
};

/* Start this program again; its stderr is @err, if that is not -1. Return: exit status */
static int started(const char *action, const struct variable *variables, int err)
{
	int status, i;
	pid_t child = fork();

	if (child < 0)
		return -1;
	if (!child) {
		if (err >= 0)
			dup2(err, STDERR_FILENO);
		/* So that what is wrong is the variable of the test. */
		unsetenv("PTO_SIM_DEVICES");
		unsetenv("PTO_SIM_ARCH");
		setenv(ACTION, action, 1);
		for (i = 0; variables[i].name; i++)
			setenv(variables[i].name, variables[i].value, 1);
		execl("/proc/self/exe", "environment", NULL);
		_exit(255);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* The same; @quiet: what it says on stderr is expected. */
static int again(const char *action, const struct variable *variables, bool quiet)
{
	int null = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
	int ret = started(action, variables, null);

	if (quiet)
		close(null);
	return ret;
}

/* The same; what it says on stderr goes to @text. */
static int again_said(const char *action, const char *name, const char *value, char *text,
		      size_t size)
{
	const struct variable variables[] = { { name, value }, { NULL, NULL } };
	int file = memfd_create("stderr", MFD_CLOEXEC), ret = started(action, variables, file);
	ssize_t length = pread(file, text, size - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
	close(file);
	return ret;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

#define AGAIN(action, quiet, ...) \
	again(action, (const struct variable[]) { __VA_ARGS__, { NULL, NULL } }, quiet)

PT_TEST_F(environment, devices_and_architectures)
{
	EXPECT_EQ(1, AGAIN("list", false, { "PTO_SIM_DEVICES", "1" }, { "PTO_SIM_ARCH", "a2a3" }));
	EXPECT_EQ(2, AGAIN("list", false, { "PTO_SIM_DEVICES", "1" }, { "PTO_SIM_ARCH", "a5" }));
	EXPECT_EQ(1 * 3 + 2, AGAIN("list", false, { "PTO_SIM_DEVICES", "2" },
				   { "PTO_SIM_ARCH", "a2a3,a5" }));
	EXPECT_EQ((2 * 3 + 2) * 3 + 2, AGAIN("list", false, { "PTO_SIM_DEVICES", "3" },
					     { "PTO_SIM_ARCH", "a5" }));
	EXPECT_EQ(1, AGAIN("list", false, { "PTO_SIM_DEVICES", "" }, { "PTO_SIM_ARCH", "" }));
}

PT_TEST_F(environment, wrong_values_open_nothing)
{
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "0" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "17" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "two" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_ARCH", "a4" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "3" },
			   { "PTO_SIM_ARCH", "a2a3,a5" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_FAIL", "everything" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "1x" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", " 1" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "18446744073709551617" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "184467440737095516161" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_DEVICES", "1" },
			   { "PTO_SIM_ARCH", "a2a3,a5" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_ARCH", "a5," }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_MEMORY", "63M" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_MEMORY", "1GB" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_MEMORY", "16385G" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_WORKERS", "257" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_WORKERS", "0" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_TIMEOUT_MS", "86400001" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_FAIL", "gone:0" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_FAIL", "gone:1x" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_FAIL", "gone:1,,kick:2" }));
	EXPECT_EQ(0, AGAIN("list", true, { "PTO_SIM_CHECK", "yes" }));
}

PT_TEST_F(environment, wrong_value_is_named_once)
{
	char text[1024], *newline;

	EXPECT_EQ(0, again_said("list", "PTO_SIM_MEMORY", "63M", text, sizeof(text)));
	EXPECT_TRUE(begins(text, "pto: PTO_SIM_MEMORY=\"63M\"")) {
		TH_LOG("'%s'", text);
	}
	newline = strchr(text, '\n');
	EXPECT_TRUE(newline && !newline[1]);
}

PT_TEST_F(environment, device_goes_away_when_told_to)
{
	EXPECT_EQ(100, AGAIN("run until gone", false, { "PTO_SIM_FAIL", "" }));
	EXPECT_LT(AGAIN("run until gone", true, { "PTO_SIM_FAIL", "gone:5" }), 6);
	EXPECT_LT(AGAIN("run until gone", true, { "PTO_SIM_FAIL", "gone:1" }), 2);
	/* With the run that is told, also when that is one in the middle of an array. */
	EXPECT_EQ(1, AGAIN("arrays of 1", true, { "PTO_SIM_FAIL", "gone:1" }));
	EXPECT_EQ(5, AGAIN("arrays of 1", true, { "PTO_SIM_FAIL", "gone:5" }));
	EXPECT_EQ(6, AGAIN("arrays of 3", true, { "PTO_SIM_FAIL", "gone:5" }));
	EXPECT_EQ(6, AGAIN("arrays of 3", true, { "PTO_SIM_FAIL", "gone:6" }));
	EXPECT_EQ(9, AGAIN("arrays of 3", true, { "PTO_SIM_FAIL", "gone:7" }));
}

PT_TEST_F(environment, lost_interrupts_and_doorbells_are_made_up_for)
{
	EXPECT_EQ(50, AGAIN("run all", true, { "PTO_SIM_FAIL", "interrupt:3" }));
	EXPECT_EQ(50, AGAIN("run all", true, { "PTO_SIM_FAIL", "kick:7" }));
}

PT_TEST_F(environment, runs_that_do_not_come_back_are_reset)
{
	EXPECT_EQ(1, AGAIN("mishap", true, { "PTO_SIM_FAIL", "hang:2" }));
	EXPECT_EQ(2, AGAIN("mishap", true, { "PTO_SIM_FAIL", "lost:2" }));
}

PT_TEST_F(environment, memory_size)
{
	int units = AGAIN("memory", false, { "PTO_SIM_MEMORY", "1G" });

	EXPECT_GT(units, 32);
	EXPECT_LE(units, 64);
	EXPECT_EQ(units, AGAIN("memory", false, { "PTO_SIM_MEMORY", "1024m" }));
	EXPECT_EQ(units, AGAIN("memory", false, { "PTO_SIM_MEMORY", "1048576K" }));
	EXPECT_EQ(units, AGAIN("memory", false, { "PTO_SIM_MEMORY", "1073741824" }));
	EXPECT_LT(AGAIN("memory", false, { "PTO_SIM_MEMORY", "64M" }), 5);
}

/* What a context has by default fits, and is as usual where there is room for that. */
PT_TEST_F(environment, rings_fit_the_memory)
{
	char size[16];
	int megabytes, smaller, last = 1;

	for (megabytes = 64; megabytes <= 2048; megabytes += megabytes < 256 ? 16 : 128) {
		snprintf(size, sizeof(size), "%dM", megabytes);
		smaller = AGAIN("rings", false, { "PTO_SIM_MEMORY", size });
		EXPECT_LE(smaller, last) {
			TH_LOG("memory of %s: %d", size, smaller);
		}
		last = smaller;
	}
	EXPECT_EQ(0, last);
	EXPECT_EQ(1, AGAIN("rings", false, { "PTO_SIM_MEMORY", "1500M" }));
}

PT_TEST_F(environment, bound_of_runs)
{
	EXPECT_EQ(1, AGAIN("timeout", false, { "PTO_SIM_TIMEOUT_MS", "250" }));
	EXPECT_EQ(120, AGAIN("timeout", false, { "PTO_SIM_TIMEOUT_MS", "30000" }));
}

/* What is left open is said, and nothing else is; a program that leaves nothing is not told. */
PT_TEST_F(environment, what_is_open_at_exit)
{
	char text[1024], *newline;

	EXPECT_EQ(0, again_said("leave open", "PTO_SIM_CHECK", "1", text, sizeof(text)));
	EXPECT_TRUE(begins(text, "pto: open at exit: fd "));
	EXPECT_NE(NULL, strstr(text, "2 buffers (12288 bytes)"));
	newline = strchr(text, '\n');
	EXPECT_TRUE(newline && !newline[1]) {
		TH_LOG("'%s'", text);
	}
	EXPECT_EQ(0, again_said("leave open", "PTO_SIM_CHECK", "abort", text, sizeof(text)));
	EXPECT_EQ(0, again_said("leave open", "PTO_SIM_CHECK", "0", text, sizeof(text)));
	EXPECT_STREQ("", text);
	EXPECT_EQ(0, again_said("close", "PTO_SIM_CHECK", "1", text, sizeof(text)));
	EXPECT_STREQ("", text);
}

/* What must be in a trace, each behind the one before. */
static const char *missing_of(const char *text)
{
	static const char *const parts[] = {
		"pto-sim[", "]: pto0 context 1 opened as fd ", "PTO_BO_CREATE = EINVAL (", " us)\n",
		"PTO_BO_CREATE id=1 length=4096 device_addr=0x", " = 0 (",
		"pto0 mmap offset 0x", " length 4096 = 0x", "munmap 0x", " length 4096 = 0\n",
		"PTO_PREPARE cid=3 image=", " = 0 (", "PTO_RUN stream=", " count=1 accepted=1 first_id=",
		"PTO_WAIT run=", " status=0 code=0 = 0 (", "pto0 context 1 closed\n",
	};
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		text = strstr(text, parts[i]);
		if (!text)
			return parts[i];
		text += strlen(parts[i]);
	}
	return NULL;
}

PT_TEST_F(environment, trace)
{
	char path[] = "/tmp/pto-selftest-XXXXXX", text[8192];
	int file = mkstemp(path), i;
	ssize_t length, before = 0;

	ASSERT_LE(0, file);
	EXPECT_EQ(0, again_said("trace", "PTO_SIM_TRACE", "1", text, sizeof(text)));
	EXPECT_EQ(NULL, missing_of(text)) {
		TH_LOG("no \"%s\" in: %s", missing_of(text), text);
	}
	/* To the end of a file, and then nothing is said. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, again_said("trace", "PTO_SIM_TRACE", path, text, sizeof(text)));
		EXPECT_STREQ("", text);
		length = pread(file, text, sizeof(text) - 1, before);
		text[length < 0 ? 0 : length] = '\0';
		EXPECT_EQ(NULL, missing_of(text));
		before += length;
	}
	EXPECT_EQ(0, again_said("trace", "PTO_SIM_TRACE", "0", text, sizeof(text)));
	EXPECT_STREQ("", text);
	close(file);
	unlink(path);
}

TEST_HARNESS_MAIN
