// SPDX-License-Identifier: GPL-2.0
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest.h"
#include "report.h"

#define SHOW_EVERY 10000

static uint64_t current_seed, current_number;

static _Noreturn void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-p] [N [SEED[:CASE]]]\n", name);
	exit(2);
}

struct trials trials_parse(int argc, char **argv, uint64_t count)
{
	struct trials trials = { .seed = 1, .count = count };
	char *end = "";
	int option;

	while ((option = getopt(argc, argv, "p")) != -1) {
		if (option != 'p')
			usage(argv[0]);
		trials.progress = true;
	}
	if (optind < argc)
		trials.count = strtoull(argv[optind++], &end, 0);
	if (!*end && optind < argc)
		trials.seed = strtoull(argv[optind++], &end, 0);
	if (*end == ':')
		trials.first = strtoull(end + 1, &end, 0);
	if (*end || optind < argc)
		usage(argv[0]);
	return trials;
}

/* By then nothing can be relied on but this thread's stack and the kernel. */
static void on_signal(int number)
{
	char text[160];
	int length = snprintf(text, sizeof(text), "not ok 1 signal %d\n# repeat it: 1 %llu:%llu\n",
			      number, (unsigned long long)current_seed,
			      (unsigned long long)current_number);

	if (write(STDOUT_FILENO, text, length) != length)
		_exit(3);
	_exit(1);
}

/* A sanitizer has reports of its own. */
static void catch_signals(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_handler = on_signal };
	unsigned int i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
#else
	(void)on_signal;
#endif
}

void trial_begin(const struct trials *trials, uint64_t number)
{
	static bool caught;

	if (!caught)
		catch_signals();
	caught = true;
	current_seed = trials->seed;
	current_number = number;
	number -= trials->first;
	if (trials->progress && number && number % SHOW_EVERY == 0) {
		printf("# %llu of %llu\n", (unsigned long long)number,
		       (unsigned long long)trials->count);
		fflush(stdout);
	}
}

void trial_fail(const char *format, ...)
{
	va_list args;

	printf("# repeat it: 1 %llu:%llu\n# ", (unsigned long long)current_seed,
	       (unsigned long long)current_number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	ksft_exit_fail_msg("a case has failed\n");
}
