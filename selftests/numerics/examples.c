// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of examples/, as a user would start them, in a matrix of both architectures and
 * both kinds of callables. Each program checks every element itself, against plain C; here it
 * gets random inputs and sizes, and must say that all was right.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pttest.h"

#define MAX_ARGS 16
#define ARG_BYTES 64
#define OUTPUT_BYTES 4096

FIXTURE(examples) {
	int fd;	/* only says whether there is a device */
	char path[32];
	unsigned int seed;
	int status;
	char output[OUTPUT_BYTES];
};

FIXTURE_VARIANT(examples) {
	uint32_t arch;
	const char *kind;
};

FIXTURE_VARIANT_ADD(examples, a2a3_device) { .arch = PTO_ARCH_A2A3, .kind = "device" };
FIXTURE_VARIANT_ADD(examples, a2a3_host) { .arch = PTO_ARCH_A2A3, .kind = "host" };
FIXTURE_VARIANT_ADD(examples, a5_device) { .arch = PTO_ARCH_A5, .kind = "device" };
FIXTURE_VARIANT_ADD(examples, a5_host) { .arch = PTO_ARCH_A5, .kind = "host" };

FIXTURE_SETUP(examples)
{
	const char *given = getenv("PTO_SELFTEST_SEED");

	PT_FIND(self->fd, variant->arch, self->path);
	self->seed = given ? strtoul(given, NULL, 10) : pt_now();
	TH_LOG("PTO_SELFTEST_SEED=%u", self->seed);
}

FIXTURE_TEARDOWN(examples)
{
}

/* A command line: the words of @options after the ones that all examples get. */
struct command {
	char words[MAX_ARGS][ARG_BYTES];
	char *argv[MAX_ARGS + 1];
	int argc;
};

static void add_word(struct command *cmd, const char *format, const char *text)
{
	snprintf(cmd->words[cmd->argc], ARG_BYTES, format, text);
	cmd->argv[cmd->argc] = cmd->words[cmd->argc];
	cmd->argc++;
}

static void add_options(struct command *cmd, const char *options)
{
	char copy[256], *save = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", options);
	for (word = strtok_r(copy, " ", &save); word && cmd->argc < MAX_ARGS;
	     word = strtok_r(NULL, " ", &save))
		add_word(cmd, "%s", word);
}

static void execute(const char *example, char **argv, int out)
{
	char relative[128];

	snprintf(relative, sizeof(relative), "../../examples/%s/%s", example, example);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(pt_path(relative), argv);
	dprintf(out, "%s: %s", relative, strerror(errno));
	_exit(127);
}

/* What the program prints, cut to what fits; all of it is read. */
static void collect(FIXTURE_DATA(examples) *self, int in)
{
	size_t used = 0;
	char rest[256];
	ssize_t n;

	while (used < OUTPUT_BYTES - 1 &&
	       (n = read(in, self->output + used, OUTPUT_BYTES - 1 - used)) > 0)
		used += n;
	self->output[used] = '\0';
	while (read(in, rest, sizeof(rest)) > 0)
		;
}

/* Runs a command line, keeps its output and its exit status. */
static void start_command(struct __test_metadata *_metadata, FIXTURE_DATA(examples) *self,
			  struct command *cmd)
{
	int ends[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(ends));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		execute(cmd->argv[0], cmd->argv, ends[1]);
	close(ends[1]);
	collect(self, ends[0]);
	close(ends[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	self->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(examples) *self,
		  const FIXTURE_VARIANT(examples) *variant, const char *example,
		  const char *options)
{
	struct command cmd = { .argc = 0 };
	char seed[16];

	snprintf(seed, sizeof(seed), "%u", rand_r(&self->seed));
	add_word(&cmd, "%s", example);
	add_word(&cmd, "--device=%s", self->path);
	add_word(&cmd, "--kind=%s", variant->kind);
	add_word(&cmd, "--seed=%s", seed);
	add_options(&cmd, options);
	start_command(_metadata, self, &cmd);
}

/* Runs an example that must find all to be right. */
#define RIGHT(example, options) do { \
	start(_metadata, self, variant, example, options); \
	EXPECT_EQ(0, self->status) { \
		TH_LOG("%s %s: %s", example, options, self->output); \
	} \
} while (0)

static bool on_host(const FIXTURE_VARIANT(examples) *variant)
{
	return !strcmp(variant->kind, "host");
}

/* "--size=N", for one of several ranges. */
static const char *random_size(FIXTURE_DATA(examples) *self, uint32_t least, uint32_t most)
{
	static char option[32];

	snprintf(option, sizeof(option), "--runs=3 --size=%u",
		 least + rand_r(&self->seed) % (most - least + 1));
	return option;
}

PT_TEST_F(examples, hello)
{
	RIGHT("hello", "--runs=2");
}

/* The program of the README, which takes files and has no options. */
PT_TEST_F(examples, minimal)
{
	struct command cmd = { .argc = 0 };

	if (on_host(variant))
		return;
	setenv("PTO_DEVICE", self->path, 1);
	add_word(&cmd, "%s", "minimal");
	start_command(_metadata, self, &cmd);
	EXPECT_EQ(2, self->status);
	EXPECT_EQ(0, strncmp("usage: minimal ORCH.so KERNEL.so", self->output, 32)) {
		TH_LOG("%s", self->output);
	}
	cmd.argv[1] = strdup(pt_path("../../examples/vector_add/orch.so"));
	cmd.argv[2] = strdup(pt_path("../../examples/vector_add/kernel_add.so"));
	start_command(_metadata, self, &cmd);
	EXPECT_EQ(0, self->status);
	EXPECT_EQ(0, strcmp("11 22 33 44\n", self->output));
	free(cmd.argv[1]);
	free(cmd.argv[2]);
}

PT_TEST_F(examples, bo_roundtrip)
{
	RIGHT("bo_roundtrip", random_size(self, 1, 70000));
}

PT_TEST_F(examples, vector_add)
{
	RIGHT("vector_add", random_size(self, 1, 64));
	RIGHT("vector_add", random_size(self, 1, 70000));
}

PT_TEST_F(examples, vector_example)
{
	RIGHT("vector_example", random_size(self, 1, 70000));
}

/* It reads what tasks have written, which no host can before the device has run. */
PT_TEST_F(examples, scalar_data)
{
	if (!on_host(variant)) {
		RIGHT("scalar_data", random_size(self, 101, 20000));
		return;
	}
	start(_metadata, self, variant, "scalar_data", "--runs=1");
	EXPECT_EQ(1, self->status);
	EXPECT_NE(NULL, strstr(self->output, "INVALID_ARGS")) {
		TH_LOG("%s", self->output);
	}
}

PT_TEST_F(examples, paged_attention)
{
	static const char * const cases[] = { "small1", "small2", "varseq2", "varseq4" };
	char options[64];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(options, sizeof(options), "--runs=2 --case=%s", cases[i]);
		RIGHT("paged_attention", options);
	}
	RIGHT("paged_attention", "--case=random");
}

/* More heads than one task takes; both scopes of the orchestration. */
PT_TEST_F(examples, paged_attention_tiles)
{
	RIGHT("paged_attention", "--runs=1 --case=tiles");
	RIGHT("paged_attention", "--runs=1 --case=tiles --variant=manual");
}

PT_TEST_F(examples, paged_attention_manual_scope)
{
	RIGHT("paged_attention", "--variant=manual --case=varseq4");
	RIGHT("paged_attention", "--variant=manual --case=random");
}

/* More tasks than the rings hold: they turn. A graph of the host has to fit, so it may not. */
PT_TEST_F(examples, paged_attention_small_rings)
{
	if (!on_host(variant)) {
		RIGHT("paged_attention", "--rings=small --case=varseq4");
		RIGHT("paged_attention", "--rings=small --case=random");
		return;
	}
	RIGHT("paged_attention", "--rings=small --case=small1");
	start(_metadata, self, variant, "paged_attention", "--rings=small --case=varseq4");
	EXPECT_EQ(1, self->status);
	EXPECT_NE(NULL, strstr(self->output, "all of which has to fit")) {
		TH_LOG("%s", self->output);
	}
}

PT_TEST_F(examples, mixed_example)
{
	RIGHT("mixed_example", "--runs=1 --size=2");
}

PT_TEST_F(examples, dummy_task)
{
	RIGHT("dummy_task", "--runs=3");
}

PT_TEST_F(examples, matmul_diamond)
{
	RIGHT("matmul_diamond", random_size(self, 1, 40));
}

PT_TEST_F(examples, early_exit)
{
	RIGHT("early_exit", random_size(self, 1, 5000));
}

PT_TEST_F(examples, spmd_barrier)
{
	RIGHT("spmd_barrier", random_size(self, 1, 20000));
}

PT_TEST_F(examples, async_copy)
{
	RIGHT("async_copy", random_size(self, 1, 2000));
}

PT_TEST_F(examples, orch_so_cache)
{
	RIGHT("orch_so_cache", random_size(self, 1, 2000));
}

/*
 * One of its kernels hangs without calling anything: ThreadSanitizer keeps the signal back that
 * would end it.
 */
#ifndef __SANITIZE_THREAD__
PT_TEST_F(examples, fatal_codes)
{
	RIGHT("fatal_codes", "");
}
#endif

/* What a user types wrongly is answered, and with status 2. */
PT_TEST_F(examples, wrong_usage)
{
	static const char * const wrong[] = {
		"--size=0", "--kind=moon", "--case=none", "more",
	};
	unsigned int i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		start(_metadata, self, variant,
		      strstr(wrong[i], "case") ? "paged_attention" : "vector_add", wrong[i]);
		EXPECT_EQ(2, self->status) {
			TH_LOG("%s: %s", wrong[i], self->output);
		}
		EXPECT_NE('\0', self->output[0]);
	}
}

/* Without a device the message says what to do. */
PT_TEST_F(examples, no_device)
{
	start(_metadata, self, variant, "vector_add", "--device=/dev/pto-not-here");
	EXPECT_EQ(1, self->status);
	EXPECT_NE(NULL, strstr(self->output, "/dev/pto-not-here")) {
		TH_LOG("%s", self->output);
	}
}

TEST_HARNESS_MAIN
