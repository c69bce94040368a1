// SPDX-License-Identifier: GPL-2.0
/*
 * Serial equivalence, by property: random programs, executed by the runtime without threads
 * in random orders and on engines of one to four workers, leave what executing their
 * tasks one after the other in the order of submission leaves.
 *
 *	random_graph [-p] [-s DIR] [COUNT [SEED]]
 *	random_graph -f FILE [COUNT]
 *
 * executes COUNT programs from SEED on; -p shows how far it is, an interrupt ends it
 * early. A failure names the seed, and prints the program, made as small as it will be and
 * still fail; -s keeps that in a file of DIR, which -f executes COUNT times.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "minimise.h"

#define DEFAULT_COUNT	2000

struct session {
	uint64_t count;
	uint64_t seed;
	bool progress;
	const char *save;
	const char *file;
	struct program program;
	uint64_t tasks;
	uint64_t host;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	interrupted = 1;
}

static uint32_t seconds(void)
{
	static time_t start;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!start)
		start = now.tv_sec;
	return (uint32_t)(now.tv_sec - start);
}

static void show_progress(const struct session *s, uint64_t done)
{
	static uint32_t shown;

	if (!s->progress || seconds() < shown + 5)
		return;
	shown = seconds();
	printf("# %llu of %llu programs, %llu tasks, %u s\n", (unsigned long long)done,
	       (unsigned long long)s->count, (unsigned long long)s->tasks, shown);
	fflush(stdout);
}

static void save_program(const struct session *s)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s/seed-%llu", s->save, (unsigned long long)s->program.seed);
	file = fopen(name, "w");
	if (!file || fwrite(&s->program, sizeof(s->program), 1, file) != 1 || fclose(file))
		printf("# cannot write %s\n", name);
	else
		printf("# kept in %s: random_graph -f executes it\n", name);
}

static void load_program(struct session *s)
{
	FILE *file = fopen(s->file, "r");

	if (!file || fread(&s->program, sizeof(s->program), 1, file) != 1) {
		printf("Bail out! cannot read %s, or another build has written it\n", s->file);
		exit(1);
	}
	fclose(file);
}

static void report_failure(struct session *s, struct trial *t, struct verdict v)
{
	printf("# seed %llu: %s\n", (unsigned long long)s->program.seed, v.why);
	printf("# repeat: random_graph 1 %llu\n", (unsigned long long)s->program.seed);
	fflush(stdout);
	if (!s->file)
		minimise(t, &s->program, &v);
	printf("# minimised: %s\n", v.why);
	program_print(&s->program, stdout);
	if (s->save)
		save_program(s);
	printf("not ok 1 serial_equivalence\n");
}

/* Return: the programs that were executed, or -1 after a failure */
static int64_t execute_all(struct session *s, struct trial *t)
{
	struct verdict v;
	uint64_t i;
	uint32_t k;

	for (i = 0; i < s->count && !interrupted; i++) {
		if (!s->file)
			generate(&s->program, s->seed + i, KIND_ANY);
		v = trial_run(t, &s->program, SHUFFLES, THREADED);
		if (!v.good) {
			report_failure(s, t, v);
			return -1;
		}
		for (k = 0; k < s->program.op_count; k++)
			s->tasks += s->program.op[k].kind == OP_SUBMIT;
		s->host += s->program.kind == KIND_HOST;
		show_progress(s, i + 1);
	}
	return (int64_t)i;
}

static void parse(struct session *s, int argc, char **argv)
{
	int option;

	s->count = DEFAULT_COUNT;
	s->seed = 1;
	while ((option = getopt(argc, argv, "pf:s:")) != -1) {
		if (option == 'p')
			s->progress = true;
		else if (option == 'f')
			s->file = optarg;
		else if (option == 's')
			s->save = optarg;
		else
			exit(2);
	}
	if (optind < argc)
		s->count = strtoull(argv[optind++], NULL, 0);
	if (optind < argc)
		s->seed = strtoull(argv[optind], NULL, 0);
	if (s->file)
		load_program(s);
}

int main(int argc, char **argv)
{
	static struct session s;
	struct trial *t;
	int64_t done;

	parse(&s, argc, argv);
	printf("TAP version 13\n1..1\n");
	if (getenv("PTO_SELFTEST") && !strcmp(getenv("PTO_SELFTEST"), "kernel")) {
		printf("ok 1 serial_equivalence # SKIP no kernel takes part in it\n");
		return 4;
	}
	signal(SIGINT, on_interrupt);
	seconds();
	t = trial_create();
	done = execute_all(&s, t);
	if (done < 0)
		return 1;
	trial_destroy(t);
	printf("# %lld programs from seed %llu, %llu of them orchestrated on the host, %llu tasks\n",
	       (long long)done, (unsigned long long)s.seed, (unsigned long long)s.host,
	       (unsigned long long)s.tasks);
	printf("# each in %u orders and on %u engine, %u s\n", SHUFFLES, THREADED, seconds());
	printf("ok 1 serial_equivalence\n");
	return 0;
}
