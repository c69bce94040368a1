// SPDX-License-Identifier: GPL-2.0
/*
 * The readers of objects, on objects of the build with bytes changed: libpto's (object.c), which
 * says what is in one, and the device's (elf.c), which looks at one before the dynamic loader
 * gets it. Neither may read past the end, and what they say must be so.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
#include "ptotest.h"
#include "guard.h"
#include "mutate.h"
#include "report.h"

/* The readers' own headers, each of which has a struct pto_device or the like of its own. */
#include "libpto/pto_private.h"
#include "libpto/runtime/image.h"

struct object_code {
	uint64_t init;
	uint64_t init_array;
	uint64_t init_count;
	uint64_t fini;
	uint64_t fini_array;
	uint64_t fini_count;
};

int elf_check(const void *image, uint64_t size, const char **why);
void elf_take_code(void *image, struct object_code *code);

#define CASES		20000
#define MAX_SOURCES	64
#define MAX_REGIONS	16
#define MAX_REASONS	64
#define LARGEST		65536	/* of the objects that are taken: small ones are changed more */

/**
 * struct source - an object of the build
 * @name: its file name
 * @data: its bytes
 * @bytes: how many
 * @regions: what a reader goes by: headers, tables
 * @region_count: how many
 * @functions: functions that it defines, by its section headers
 */
struct source {
	char name[64];
	uint8_t *data;
	size_t bytes;
	struct region regions[MAX_REGIONS];
	unsigned int region_count;
	uint32_t functions;
};

static struct source sources[MAX_SOURCES];
static unsigned int source_count;

/**
 * struct tally - how the cases went
 * @accepted: libpto took it
 * @loadable: the device would give it to the dynamic loader
 * @reasons: what libpto has said against one, up to the first digit
 * @reason_count: how many different ones
 */
static struct tally {
	uint64_t accepted;
	uint64_t loadable;
	char reasons[MAX_REASONS][48];
	unsigned int reason_count;
} tally;

/* --- what is changed --------------------------------------------------------------------- */

static void add_region(struct source *s, uint64_t offset, uint64_t bytes)
{
	if (s->region_count < MAX_REGIONS && bytes)
		s->regions[s->region_count++] = (struct region) { offset, bytes };
}

static uint32_t count_functions(const Elf64_Sym *symbols, uint64_t bytes)
{
	uint32_t count = 0;
	uint64_t i;

	for (i = 0; i < bytes / sizeof(*symbols); i++)
		count += symbols[i].st_shndx != SHN_UNDEF &&
			 ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC &&
			 ELF64_ST_BIND(symbols[i].st_info) != STB_LOCAL;
	return count;
}

/* By the section headers of an object that the build has just made, which no reader looks at. */
static void find_regions(struct source *s)
{
	const Elf64_Ehdr *elf = (const void *)s->data;
	const Elf64_Shdr *section = (const void *)(s->data + elf->e_shoff);
	unsigned int i;

	add_region(s, 0, sizeof(*elf));
	add_region(s, elf->e_phoff, elf->e_phnum * sizeof(Elf64_Phdr));
	for (i = 0; i < elf->e_shnum; i++, section++) {
		switch (section->sh_type) {
		case SHT_STRTAB:
			if (!(section->sh_flags & SHF_ALLOC))
				continue;
			break;
		case SHT_DYNSYM:
			s->functions = count_functions((const void *)(s->data + section->sh_offset),
						       section->sh_size);
			break;
		case SHT_DYNAMIC:
		case SHT_HASH:
		case SHT_GNU_HASH:
		case SHT_NOTE:
			break;
		default:
			continue;
		}
		add_region(s, section->sh_offset, section->sh_size);
	}
}

static void read_source(const char *path, const char *name)
{
	struct source *s = &sources[source_count];
	FILE *file = fopen(path, "re");
	long bytes = -1;

	if (!file)
		return;
	if (!fseek(file, 0, SEEK_END))
		bytes = ftell(file);
	rewind(file);
	if (bytes > (long)sizeof(Elf64_Ehdr) && bytes <= LARGEST) {
		s->data = malloc(bytes);
		s->bytes = bytes;
		if (s->data && fread(s->data, bytes, 1, file) == 1) {
			snprintf(s->name, sizeof(s->name), "%.63s", name);
			find_regions(s);
			source_count++;
		}
	}
	fclose(file);
}

/* In the order of their names: the same number is to mean the same object everywhere. */
static void read_sources(void)
{
	char folder[4096], path[4096 + 256];
	struct dirent **list;
	int count, i;

	snprintf(folder, sizeof(folder), "%s", pt_path("../device"));
	count = scandir(folder, &list, NULL, alphasort);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
		if (strstr(list[i]->d_name, ".so") && source_count < MAX_SOURCES)
			read_source(path, list[i]->d_name);
		free(list[i]);
	}
	if (count > 0)
		free(list);
}

/* --- what must be so ------------------------------------------------------------------------ */

/**
 * struct names - the names that libpto gives away
 * @object: of which object
 * @count: names
 * @entry: one is that of an orchestration's entry, @config, @kernel: of the others
 */
struct names {
	const struct pto_object *object;
	uint32_t count;
	bool entry;
	bool config;
	bool kernel;
};

static int see_name(const char *name, void *arg)
{
	struct names *names = arg;
	const char *data = names->object->data, *end = data + names->object->bytes;

	if (name < data || name >= end || !memchr(name, '\0', end - name))
		trial_fail("a name is not in the object");
	names->count++;
	names->entry |= !strcmp(name, "aicpu_orchestration_entry");
	names->config |= !strcmp(name, "aicpu_orchestration_config");
	names->kernel |= !strcmp(name, "kernel_entry");
	return 0;
}

static void check_accepted(const struct pto_object *obj, const struct source *s, bool changed)
{
	const struct pto_object_info *info = &obj->info;
	struct names names = { .object = obj };

	if (pto_object_symbols(obj, see_name, &names))
		trial_fail("an object that was taken is not taken a second time");
	if (names.count != info->symbol_count || names.entry != info->has_entry ||
	    names.config != info->has_config || names.kernel != info->has_kernel)
		trial_fail("%u names, and %u were counted", names.count, info->symbol_count);
	if (info->build_id_len > PTO_BUILD_ID_MAX || info->elf_class != 64 ||
	    info->bytes != obj->bytes)
		trial_fail("a Build-ID of %u bytes, class %u", info->build_id_len,
			   info->elf_class);
	if (info->build_id_len &&
	    !memmem(obj->data, obj->bytes, info->build_id, info->build_id_len))
		trial_fail("a Build-ID that is not in the object");
	if (!changed && names.count != s->functions)
		trial_fail("%s has %u functions, and %u names were given", s->name, s->functions,
			   names.count);
}

/* Reasons differ in their words; numbers and names of tables end what counts. */
static void note_reason(const char *text)
{
	struct tally *t = &tally;
	char reason[sizeof(t->reasons[0])];
	unsigned int i;

	text += strlen("case: ");
	snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(text, "0123456789"), text);
	for (i = 0; i < t->reason_count; i++)
		if (!strcmp(t->reasons[i], reason))
			return;
	if (t->reason_count < MAX_REASONS)
		memcpy(t->reasons[t->reason_count++], reason, sizeof(reason));
}

static void read_by_libpto(const uint8_t *data, size_t bytes, const struct source *s, bool changed)
{
	struct pto_object obj;
	char text[400];
	int err;

	memset(text, 'x', sizeof(text));
	err = pto_object_copy(&obj, data, bytes, "case", text, sizeof(text));
	if (!err) {
		check_accepted(&obj, s, changed);
		tally.accepted++;
	} else if (err != -ENOEXEC || obj.data || !memchr(text, '\0', sizeof(text)) ||
		   strncmp(text, "case: ", 6) || strlen(text) < 12) {
		trial_fail("error %d, text \"%.100s\"", err, text);
	} else {
		note_reason(text);
	}
	pto_object_drop(&obj);
}

/* Nothing that the dynamic loader would call is left to it. */
static void check_taken(const uint8_t *data)
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	Elf64_Dyn entry;
	uint64_t at;
	unsigned int i;

	memcpy(&elf, data, sizeof(elf));
	for (i = 0; i < elf.e_phnum; i++) {
		memcpy(&segment, data + elf.e_phoff + i * sizeof(segment), sizeof(segment));
		for (at = 0; segment.p_type == PT_DYNAMIC && at + sizeof(entry) <= segment.p_filesz;
		     at += sizeof(entry)) {
			memcpy(&entry, data + segment.p_offset + at, sizeof(entry));
			if (entry.d_tag == DT_NULL)
				break;
			if (entry.d_tag == DT_INIT || entry.d_tag == DT_INIT_ARRAY ||
			    entry.d_tag == DT_FINI || entry.d_tag == DT_FINI_ARRAY)
				trial_fail("tag %llu is left", (unsigned long long)entry.d_tag);
		}
	}
}

static int no_atexit(void (*fn)(void *), void *arg, void *dso)
{
	return -1;
}

static void read_by_device(uint8_t *data, size_t bytes, bool changed)
{
	struct pto_image_facts facts;
	struct object_code code;
	const char *why = NULL;
	int err = elf_check(data, bytes, &why);

	if (err && (err != -ENOEXEC || !why || !*why || !changed))
		trial_fail("the device answers %d, \"%s\"", err, why ? why : "");
	if (err)
		return;
	elf_take_code(data, &code);
	/* Tables that overlap may undo each other: only what the linker made is looked at. */
	if (!changed)
		check_taken(data);
	pto_image_own(data, bytes, no_atexit, &facts);
	tally.loadable++;
}

/* --- cases ------------------------------------------------------------------------------------ */

/* Now and then it is cut off, mostly where a table ends or begins. */
static size_t cut(struct mutator *m, const struct source *s)
{
	const struct region *r = &s->regions[mutate_below(m, s->region_count)];
	size_t at;

	switch (mutate_below(m, 16)) {
	case 0:
		return mutate_below(m, s->bytes);
	case 1:
		at = r->offset + (mutate_below(m, 2) ? r->bytes : 0) + mutate_below(m, 9) - 4;
		return at < s->bytes ? at : s->bytes;
	default:
		return s->bytes;
	}
}

/* Reads @bytes of an object, which end where the memory ends. */
static void read_object(const uint8_t *data, size_t bytes, const struct source *s, bool changed)
{
	unsigned long before = guard_live();
	uint8_t *copy = guard_new(bytes, 1);

	memcpy(copy, data, bytes);
	read_by_libpto(copy, bytes, s, changed);
	read_by_device(copy, bytes, changed);
	guard_free(copy);
	if (guard_live() != before)
		trial_fail("memory of a reader is left");
}

static void try_case(const struct trials *trials, uint64_t number, uint8_t *work)
{
	struct mutator m = mutate_begin(trials->seed, number);
	const struct source *s = &sources[mutate_below(&m, source_count)];
	size_t bytes;

	memcpy(work, s->data, s->bytes);
	mutate(&m, work, s->bytes, s->regions, s->region_count);
	bytes = cut(&m, s);
	trial_begin(trials, number);
	read_object(work, bytes, s, true);
}

/* That the cases reach what they are for: reasons of every check, and not everything refused. */
static void say_tally(uint64_t count)
{
	const struct tally *t = &tally;
	unsigned int i;

	for (i = 0; i < t->reason_count; i++)
		ksft_print_msg("said: %s\n", t->reasons[i]);
	ksft_test_result(t->accepted > count / 20 && t->accepted < count * 19 / 20 &&
			 t->loadable > count / 20 && t->loadable < count * 19 / 20,
			 "%llu of %llu objects were taken by libpto, %llu by the device\n",
			 (unsigned long long)t->accepted, (unsigned long long)count,
			 (unsigned long long)t->loadable);
	ksft_test_result(t->reason_count >= 20, "%u reasons were given against the others\n",
			 t->reason_count);
}

int main(int argc, char **argv)
{
	struct trials trials = trials_parse(argc, argv, CASES);
	static uint8_t work[LARGEST];
	const char *where = getenv("PTO_SELFTEST");
	uint64_t i;

	ksft_print_header();
	if (where && !strcmp(where, "kernel"))
		ksft_exit_skip("what it tests calls no kernel\n");
	read_sources();
	if (source_count < 10)
		ksft_exit_fail_msg("%u objects to change\n", source_count);
	ksft_set_plan(trials.count < CASES ? 1 : 3);
	for (i = 0; i < source_count; i++)
		read_object(sources[i].data, sources[i].bytes, &sources[i], false);
	tally = (struct tally) { 0 };
	for (i = trials.first; i < trials.first + trials.count; i++)
		try_case(&trials, i, work);
	ksft_test_result_pass("%llu objects with changes did no harm\n",
			      (unsigned long long)trials.count);
	if (trials.count >= CASES)
		say_tally(trials.count);
	ksft_finished();
}
