// SPDX-License-Identifier: GPL-2.0
/*
 * What libpto says of objects: with either hash table, made by a linker or byte by byte
 * (elfmaker.h), whose every table is spoilt in turn. The answer tells what is wrong and with
 * which number, and nothing is read past the end (fence.h). And files that are none, that
 * change while they are read, or that somebody has to write to first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"
#include "elfmaker.h"
#include "fence.h"

#define GIB (1ull << 30)

/* --- reading that does not go well: libpto's read() is this one ------------------------ */

static struct {
	int signals;	/* so many reads end with EINTR */
	int error;	/* then they end with this */
	size_t most;	/* or bring no more than so many bytes; 0: all */
	bool ended;	/* the file ends after that */
} reading;

ssize_t read(int fd, void *to, size_t bytes)
{
	size_t most = reading.most;

	if (reading.signals || reading.error) {
		errno = reading.signals ? EINTR : reading.error;
		reading.signals -= !!reading.signals;
		return -1;
	}
	if (reading.ended && !most)
		return 0;
	if (most && bytes > most)
		bytes = most;
	if (reading.ended)
		reading.most = 0;
	return syscall(SYS_read, fd, to, bytes);
}

/* --- objects in files ----------------------------------------------------------------------- */

FIXTURE(objects) {
	struct made made;
	char path[32];
	int fd;
	struct pto_object_info info;
	char error[300];
};

FIXTURE_SETUP(objects)
{
	memset(&reading, 0, sizeof(reading));
	made_new(&self->made);
	self->fd = memfd_create("made", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
}

FIXTURE_TEARDOWN(objects)
{
	close(self->fd);
}

/* Writes @bytes of the object. Return: pto_object_inspect() of it. */
static int inspect_part(FIXTURE_DATA(objects) *self, size_t bytes)
{
	int rc;

	if (ftruncate(self->fd, bytes) ||
	    pwrite(self->fd, &self->made, bytes, 0) != (ssize_t)bytes)
		return -EIO;
	memset(self->error, 'x', sizeof(self->error));
	fence_begin();
	rc = pto_object_inspect(self->path, &self->info, self->error, sizeof(self->error));
	fence_end();
	return rc;
}

static int inspect(FIXTURE_DATA(objects) *self)
{
	return inspect_part(self, sizeof(self->made));
}

/* The first of @words, which NULL ends, that is not in @text. */
static const char *missing(const char *text, const char * const *words)
{
	while (*words && strstr(text, *words))
		words++;
	return *words;
}

/* EXPECT that the object is refused with these words in the text. */
#define REFUSED(rc, ...) do { \
	const char *missing_; \
\
	EXPECT_EQ(-ENOEXEC, rc); \
	missing_ = missing(self->error, (const char * const []) { __VA_ARGS__, NULL }); \
	EXPECT_EQ(NULL, missing_) { \
		TH_LOG("\"%s\" says nothing of \"%s\"", self->error, missing_); \
	} \
} while (0)

/* --- what is in an object --------------------------------------------------------------- */

/**
 * struct seen - names of functions
 * @names: what was seen
 * @count: how many
 * @stop_at: the visit ends with this one, and returns @stop_with; 0: never
 * @stop_with: see @stop_at
 */
struct seen {
	char names[16][32];
	uint32_t count;
	uint32_t stop_at;
	int stop_with;
};

static int see(const char *name, void *arg)
{
	struct seen *seen = arg;

	snprintf(seen->names[seen->count++ % 16], sizeof(seen->names[0]), "%s", name);
	return seen->count == seen->stop_at ? seen->stop_with : 0;
}

static bool sees_all(FIXTURE_DATA(objects) *self)
{
	struct seen seen = { .count = 0 };
	unsigned int i;
	int rc;

	fence_begin();
	rc = pto_object_visit_symbols(self->path, see, &seen);
	fence_end();
	if (rc || seen.count != MADE_FUNCTIONS)
		return false;
	for (i = 0; i < MADE_FUNCTIONS; i++)
		if (strcmp(seen.names[i], made_functions[i]))
			return false;
	return true;
}

static void expect_sound(struct __test_metadata *_metadata, FIXTURE_DATA(objects) *self)
{
	unsigned int i;

	ASSERT_EQ(0, inspect(self)) {
		TH_LOG("%s", self->error);
	}
	EXPECT_EQ(sizeof(self->made), self->info.bytes);
	EXPECT_EQ(MADE_FUNCTIONS, self->info.symbol_count);
	EXPECT_EQ(1, self->info.has_kernel);
	EXPECT_EQ(0, self->info.has_entry);
	EXPECT_EQ(0, self->info.has_config);
	EXPECT_EQ(64, self->info.elf_class);
	EXPECT_EQ(self->made.elf.e_machine, self->info.machine);
	EXPECT_EQ(ET_DYN, self->info.type);
	EXPECT_NE('\0', self->info.machine_name[0]);
	EXPECT_TRUE(sees_all(self));
	ASSERT_EQ(20, self->info.build_id_len);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0x10 + i, self->info.build_id[i]);
}

/* Leaves one hash table, or both. */
static void keep_hashes(struct made *made, bool gnu, bool sysv)
{
	made->dynamic[MADE_GNU_HASH].d_tag = gnu ? DT_GNU_HASH : DT_DEBUG;
	made->dynamic[MADE_HASH].d_tag = sysv ? DT_HASH : DT_DEBUG;
}

TEST_F(objects, with_either_hash_table)
{
	expect_sound(_metadata, self);
	keep_hashes(&self->made, true, false);
	expect_sound(_metadata, self);
	keep_hashes(&self->made, false, true);
	expect_sound(_metadata, self);
	keep_hashes(&self->made, false, false);
	REFUSED(inspect(self), "no dynamic symbol table");
	EXPECT_EQ(-ENOEXEC, pto_object_visit_symbols(self->path, see, NULL));
}

/* The text is cut to the room that there is for it, which may be none. */
TEST_F(objects, refused_with_little_room_for_the_reason)
{
	char text[sizeof(self->error)], untouched[sizeof(text)];
	size_t length, room;

	keep_hashes(&self->made, false, false);
	REFUSED(inspect(self), "no dynamic symbol table");
	length = strlen(self->error);
	memset(untouched, 'x', sizeof(untouched));
	for (room = 0; room <= length + 1; room++) {
		memset(text, 'x', sizeof(text));
		ASSERT_EQ(-ENOEXEC, pto_object_inspect(self->path, &self->info, text, room));
		ASSERT_EQ(0, memcmp(text + room, untouched, sizeof(text) - room));
		if (!room)
			continue;
		ASSERT_EQ(room - 1, strlen(text));
		ASSERT_EQ(0, memcmp(self->error, text, room - 1));
	}
	EXPECT_EQ(-ENOEXEC, pto_object_inspect(self->path, &self->info, NULL, 0));
	EXPECT_EQ(-ENOEXEC, pto_object_inspect(self->path, &self->info, NULL, sizeof(text)));
}

TEST_F(objects, visit_ends_when_it_is_told_to)
{
	struct seen seen = { .stop_at = 2, .stop_with = 4711 };

	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(4711, pto_object_visit_symbols(self->path, see, &seen));
	EXPECT_EQ(2, seen.count);
	EXPECT_STREQ(made_functions[1], seen.names[1]);
	seen = (struct seen) { .stop_at = 1, .stop_with = -5 };
	EXPECT_EQ(-5, pto_object_visit_symbols(self->path, see, &seen));
	EXPECT_EQ(1, seen.count);
	EXPECT_EQ(-ENOENT, pto_object_visit_symbols("/no/such/object", see, &seen));
	EXPECT_EQ(1, seen.count);
}

/* What the linker has made of one source in three ways is the same to us. */
TEST_F(objects, of_the_linker)
{
	static const char * const names[] = { "orch_vec", "orch_vec_sysv", "orch_vec_both" };
	struct pto_object_info first, info;
	struct seen want = { .count = 0 }, seen;
	int i;

	ASSERT_EQ(0, pto_object_inspect(pt_object(names[0]), &first, NULL, 0));
	ASSERT_EQ(0, pto_object_visit_symbols(pt_object(names[0]), see, &want));
	EXPECT_LE(2, first.symbol_count);
	EXPECT_EQ(first.symbol_count, want.count);
	for (i = 1; i < 3; i++) {
		memset(&seen, 0, sizeof(seen));
		ASSERT_EQ(0, pto_object_inspect(pt_object(names[i]), &info, NULL, 0));
		ASSERT_EQ(0, pto_object_visit_symbols(pt_object(names[i]), see, &seen));
		EXPECT_EQ(first.symbol_count, info.symbol_count);
		EXPECT_EQ(1, info.has_entry);
		EXPECT_EQ(1, info.has_config);
		EXPECT_EQ(0, info.has_kernel);
		EXPECT_EQ(first.needed_count, info.needed_count);
	}
	ASSERT_EQ(0, pto_object_inspect(pt_object("kernel_add_sysv"), &info, NULL, 0));
	EXPECT_EQ(1, info.has_kernel);
}

TEST_F(objects, many_libraries)
{
	unsigned int i;

	for (i = MADE_TAGS; i < MADE_TAGS + 3; i++)
		self->made.dynamic[i].d_tag = DT_NEEDED;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(3, self->info.needed_count);
	for (; i < MADE_TAGS + 300; i++)
		self->made.dynamic[i].d_tag = DT_NEEDED;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(UINT8_MAX, self->info.needed_count);
}

TEST_F(objects, build_ids)
{
	struct made_note *note = self->made.note;

	note[0].head.n_descsz = 48;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(PTO_BUILD_ID_MAX, self->info.build_id_len);
	EXPECT_EQ(0x10 + PTO_BUILD_ID_MAX - 1, self->info.build_id[PTO_BUILD_ID_MAX - 1]);
	EXPECT_EQ(0, self->info.symbol_count - MADE_FUNCTIONS);
	note[0].owner[2] = 'X';
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(20, self->info.build_id_len);
	EXPECT_EQ(0x90, self->info.build_id[0]);
	note[1].head.n_type = NT_GNU_ABI_TAG;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(0, self->info.build_id_len);
}

/* --- objects whose tables are spoilt -------------------------------------------------------- */

TEST_F(objects, headers_that_are_wrong)
{
	Elf64_Ehdr *elf = &self->made.elf;

	elf->e_phentsize = sizeof(Elf64_Phdr) + 1;
	REFUSED(inspect(self), "57 bytes instead of 56");
	elf->e_phentsize = sizeof(Elf64_Phdr);
	elf->e_phnum = 0;
	REFUSED(inspect(self), "no program headers");
	elf->e_phnum = 0x1000;
	REFUSED(inspect(self), "cut short", "program headers", "past the end");
	elf->e_phnum = MADE_SEGMENTS;
	elf->e_phoff = sizeof(self->made) + 1;
	REFUSED(inspect(self), "cut short", "program headers", "past the end");
	elf->e_phoff = UINT64_MAX - 7;
	REFUSED(inspect(self), "cut short");
	elf->e_phoff = sizeof(*elf);
	elf->e_machine = EM_S390;
	REFUSED(inspect(self), "S/390");
	elf->e_machine = 0x1234;
	REFUSED(inspect(self), "machine 4660");
}

TEST_F(objects, identifications_that_are_wrong)
{
	unsigned char *ident = self->made.elf.e_ident;

	ident[EI_DATA] = ELFDATA2MSB;
	REFUSED(inspect(self), "big-endian");
	ident[EI_DATA] = 9;
	REFUSED(inspect(self), "neither");
	ident[EI_DATA] = ELFDATA2LSB;
	ident[EI_VERSION] = 2;
	REFUSED(inspect(self), "version 2");
	ident[EI_CLASS] = 7;
	REFUSED(inspect(self), "class 7");
	ident[EI_CLASS] = ELFCLASS32;
	REFUSED(inspect(self), "32-bit");
	EXPECT_EQ(32, self->info.elf_class);
	ident[0] = 'M';
	REFUSED(inspect(self), "0x4d");
}

TEST_F(objects, kinds_that_cannot_be_loaded)
{
	static const struct { uint16_t type; const char *word; } kinds[] = {
		{ ET_NONE, "unknown ELF type" }, { ET_REL, "-shared" }, { ET_EXEC, "executable" },
		{ ET_CORE, "core dump" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		self->made.elf.e_type = kinds[i].type;
		REFUSED(inspect(self), kinds[i].word);
		EXPECT_EQ(kinds[i].type, self->info.type);
	}
	self->made.elf.e_type = ET_DYN;
	self->made.dynamic[MADE_FLAGS_1].d_un.d_val = DF_1_PIE;
	REFUSED(inspect(self), "executable");
	self->made.dynamic[MADE_FLAGS_1].d_un.d_val = DF_1_NOW;
	EXPECT_EQ(0, inspect(self));
}

TEST_F(objects, that_are_cut_off)
{
	char end[32];
	size_t bytes;

	REFUSED(inspect_part(self, 0), "empty");
	REFUSED(inspect_part(self, SELFMAG), "not an ELF object");
	REFUSED(inspect_part(self, EI_NIDENT - 1), "not an ELF object");
	REFUSED(inspect_part(self, sizeof(Elf64_Ehdr) - 1), "damaged ELF header");
	for (bytes = sizeof(Elf64_Ehdr); bytes < sizeof(self->made); bytes += 24) {
		snprintf(end, sizeof(end), "%zu", bytes);
		REFUSED(inspect_part(self, bytes), "cut short", end);
	}
}

TEST_F(objects, segments_that_leave_the_file)
{
	Elf64_Phdr *segment = &self->made.segment[MADE_LOAD_HIGH];
	uint64_t bytes = segment->p_filesz;

	segment->p_filesz++;
	REFUSED(inspect(self), "cut short: segment 1");
	segment->p_filesz = UINT64_MAX - segment->p_offset + 1;
	REFUSED(inspect(self), "cut short: segment 1");
	segment->p_offset = sizeof(self->made) + 1;
	segment->p_filesz = 0;
	REFUSED(inspect(self), "cut short: segment 1");
	segment->p_offset = offsetof(struct made, symbol);
	segment->p_filesz = bytes;
	EXPECT_EQ(0, inspect(self));
	self->made.segment[MADE_PT_DYNAMIC].p_type = PT_NULL;
	REFUSED(inspect(self), "no dynamic segment");
}

TEST_F(objects, string_tables_that_are_wrong)
{
	Elf64_Dyn *strsz = &self->made.dynamic[MADE_STRSZ];
	Elf64_Dyn *strtab = &self->made.dynamic[MADE_STRTAB];

	strsz->d_un.d_val -= 2;
	REFUSED(inspect(self), "damaged dynamic string table");
	strsz->d_un.d_val = sizeof(self->made);
	REFUSED(inspect(self), "damaged dynamic string table");
	strsz->d_un.d_val = UINT64_MAX;
	REFUSED(inspect(self), "damaged dynamic string table");
	strsz->d_un.d_val = 0;
	REFUSED(inspect(self), "no dynamic symbol table");
	strsz->d_un.d_val = 8;
	strtab->d_un.d_ptr = sizeof(self->made);
	REFUSED(inspect(self), "damaged dynamic string table");
}

/* A name that is not in the table is none, and what lies behind it is not read. */
TEST_F(objects, names_behind_the_string_table)
{
	self->made.symbol[6].st_name = self->made.dynamic[MADE_STRSZ].d_un.d_val;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(MADE_FUNCTIONS - 1, self->info.symbol_count);
	EXPECT_EQ(0, self->info.has_kernel);
	self->made.symbol[6].st_name = UINT32_MAX;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(MADE_FUNCTIONS - 1, self->info.symbol_count);
	self->made.symbol[6].st_name = self->made.dynamic[MADE_STRSZ].d_un.d_val - 1;
	ASSERT_EQ(0, inspect(self));
	EXPECT_EQ(MADE_FUNCTIONS, self->info.symbol_count);
}

/* The symbol table is the first thing in its segment, and may be the last that fits. */
TEST_F(objects, symbol_tables_that_are_too_short)
{
	Elf64_Phdr *high = &self->made.segment[MADE_LOAD_HIGH];

	self->made.dynamic[MADE_STRTAB].d_un.d_ptr = offsetof(struct made, note);
	self->made.dynamic[MADE_STRSZ].d_un.d_val = 1;
	memset(self->made.note, 0, sizeof(self->made.note));
	high->p_filesz = sizeof(self->made.symbol);
	high->p_memsz = high->p_filesz;
	ASSERT_EQ(0, inspect(self));
	high->p_filesz--;
	REFUSED(inspect(self), "damaged dynamic symbol table", "8 symbols");
	keep_hashes(&self->made, false, true);
	self->made.hash.chains = sizeof(self->made) / sizeof(Elf64_Sym);
	REFUSED(inspect(self), "damaged dynamic symbol table");
	self->made.hash.chains++;
	REFUSED(inspect(self), "damaged symbol hash table");
	self->made.hash.chains = UINT32_MAX;
	REFUSED(inspect(self), "damaged symbol hash table", "4294967295");
	self->made.dynamic[MADE_SYMTAB].d_un.d_ptr = UINT64_MAX;
	self->made.hash.chains = 1;
	REFUSED(inspect(self), "damaged dynamic symbol table");
}

/* A hash table that leads nowhere is one of an object that defines nothing. */
static void expect_no_symbols(struct __test_metadata *_metadata, FIXTURE_DATA(objects) *self,
			      const char *what)
{
	EXPECT_EQ(0, inspect(self)) {
		TH_LOG("%s: %s", what, self->error);
	}
	EXPECT_EQ(0, self->info.symbol_count) {
		TH_LOG("%s", what);
	}
}

TEST_F(objects, gnu_hash_tables_that_are_wrong)
{
	struct made_gnu_hash *hash = &self->made.gnu_hash, good;

	keep_hashes(&self->made, true, false);
	good = *hash;
	hash->buckets = 1 << 30;
	expect_no_symbols(_metadata, self, "more buckets than memory");
	hash->buckets = (sizeof(*hash) - offsetof(struct made_gnu_hash, bucket)) / 4 + 1;
	expect_no_symbols(_metadata, self, "one bucket too many");
	*hash = good;
	hash->bloom_words = UINT32_MAX;
	expect_no_symbols(_metadata, self, "a filter without an end");
	*hash = good;
	hash->chain[7 - 1] = 2;
	hash->behind = 2;
	expect_no_symbols(_metadata, self, "a chain without an end");
	*hash = good;
	hash->bucket[0] = UINT32_MAX;
	expect_no_symbols(_metadata, self, "a bucket of a symbol far away");
	*hash = good;
	hash->bucket[0] = 7;
	hash->first = 9;
	expect_no_symbols(_metadata, self, "a bucket before the first symbol");
	*hash = good;
	memset(hash->bucket, 0, sizeof(hash->bucket));
	expect_no_symbols(_metadata, self, "no symbol in any bucket");
}

/* The table itself may lie nowhere, or end before it has begun. */
TEST_F(objects, hash_tables_that_are_not_there)
{
	size_t end = offsetof(struct made, symbol);
	Elf64_Dyn *gnu = &self->made.dynamic[MADE_GNU_HASH];
	Elf64_Dyn *sysv = &self->made.dynamic[MADE_HASH];

	gnu->d_un.d_ptr = end - 12;
	expect_no_symbols(_metadata, self, "the head of a table");
	gnu->d_un.d_ptr = sizeof(self->made) + 0x1000;
	expect_no_symbols(_metadata, self, "outside");
	keep_hashes(&self->made, false, true);
	sysv->d_un.d_ptr = end - 4;
	expect_no_symbols(_metadata, self, "the head of an old table");
	sysv->d_un.d_ptr = UINT64_MAX;
	expect_no_symbols(_metadata, self, "outside, too");
}

/* --- files ---------------------------------------------------------------------------------- */

TEST_F(objects, files_that_are_read_in_pieces)
{
	reading.signals = 3;
	reading.most = 100;
	EXPECT_EQ(0, inspect(self));
	EXPECT_EQ(MADE_FUNCTIONS, self->info.symbol_count);
	EXPECT_EQ(0, reading.signals);
}

TEST_F(objects, files_that_become_shorter)
{
	reading.most = 200;
	reading.ended = true;
	REFUSED(inspect(self), "cut short", "200");
	EXPECT_EQ(200, self->info.bytes);
}

TEST_F(objects, files_that_cannot_be_read)
{
	reading.error = EIO;
	EXPECT_EQ(-EIO, inspect(self));
	EXPECT_TRUE(!!strstr(self->error, "Input/output error"));
	reading.error = 0;
	EXPECT_EQ(-EINVAL, pto_object_inspect(NULL, &self->info, self->error, 300));
	EXPECT_TRUE(!!strstr(self->error, "no path"));
	EXPECT_EQ(-ENOENT, pto_object_inspect("/no/such", &self->info, self->error, 300));
	EXPECT_TRUE(!!strstr(self->error, "/no/such"));
	EXPECT_EQ(-EISDIR, pto_object_inspect("/proc", &self->info, self->error, 300));
	EXPECT_TRUE(!!strstr(self->error, "not a regular file"));
	EXPECT_EQ(-EINVAL, pto_object_inspect("/dev/null", &self->info, self->error, 300));
	EXPECT_TRUE(!!strstr(self->error, "not a regular file"));
}

/* Whoever opens a FIFO to read it waits for somebody who writes. */
TEST_F(objects, fifos)
{
	char folder[] = "/tmp/pto-selftest-XXXXXX", path[64];

	ASSERT_NE(NULL, mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_EQ(-EINVAL, pto_object_inspect(path, &self->info, self->error, 300));
	unlink(path);
	rmdir(folder);
}

TEST_F(objects, files_that_are_too_large)
{
	struct pto_callable *callable = NULL;

	ASSERT_EQ(0, ftruncate(self->fd, GIB + 1));
	EXPECT_EQ(-EFBIG, pto_object_inspect(self->path, &self->info, self->error, 300));
	EXPECT_TRUE(!!strstr(self->error, "1073741825"));
	EXPECT_TRUE(!!strstr(self->error, "1073741824"));
	EXPECT_EQ(-EFBIG, pto_callable_from_memory(&self->made, GIB + 1, "large", &callable));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "large: 1073741825"));
	EXPECT_EQ(NULL, callable);
}

/* --- callables from memory ------------------------------------------------------------------- */

TEST_F(objects, callables_from_memory)
{
	struct pto_callable *callable = NULL;
	struct pto_object_info info;

	ASSERT_EQ(0, pto_callable_from_memory(&self->made, sizeof(self->made), "folder/it",
					      &callable));
	ASSERT_EQ(0, pto_callable_info(callable, &info));
	EXPECT_EQ(sizeof(self->made), info.bytes);
	EXPECT_EQ(MADE_FUNCTIONS, info.symbol_count);
	/* It has its own copy. */
	memset(&self->made.elf, 0, sizeof(self->made.elf));
	EXPECT_EQ(0, pto_callable_info(callable, &info));
	EXPECT_EQ(20, info.build_id_len);
	pto_callable_free(callable);
	EXPECT_EQ(-ENOEXEC, pto_callable_from_memory(&self->made, sizeof(self->made), "folder/it",
						     &callable));
	EXPECT_TRUE(!strncmp(pto_callable_error(), "it: not an ELF object", 21)) {
		TH_LOG("%s", pto_callable_error());
	}
	EXPECT_EQ(-ENOEXEC, pto_callable_from_memory(NULL, 0, NULL, &callable));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "object in memory: the file is empty"));
	EXPECT_EQ(-EINVAL, pto_callable_from_memory(NULL, 1, NULL, &callable));
}

static int add_kernel(struct pto_callable *callable, uint32_t func_id, uint32_t core_type,
		      const struct made *made, size_t bytes)
{
	return pto_callable_add_kernel_memory(callable, func_id, core_type, made, bytes, "a kernel");
}

TEST_F(objects, kernels_from_memory)
{
	struct pto_callable *callable;
	size_t bytes = sizeof(self->made);

	ASSERT_EQ(0, pto_callable_load(pt_object("orch_vec"), &callable));
	EXPECT_EQ(0, add_kernel(callable, 3, PTO_CORE_AIC, &self->made, bytes));
	EXPECT_EQ(-EEXIST, add_kernel(callable, 3, PTO_CORE_AIC, &self->made, bytes));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "func_id 3 is a kernel already"));
	EXPECT_EQ(-EINVAL, add_kernel(callable, PTO_MAX_FUNC_ID, PTO_CORE_AIC, &self->made, bytes));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "not below"));
	EXPECT_EQ(-EINVAL, add_kernel(callable, 4, 77, &self->made, bytes));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "core type 77 of func_id 4"));
	EXPECT_EQ(-ENOEXEC, add_kernel(callable, 4, PTO_CORE_AIC, &self->made, 100));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "a kernel: cut short"));
	EXPECT_EQ(-EFBIG, add_kernel(callable, 4, PTO_CORE_AIC, &self->made, GIB + 1));
	self->made.symbol[6].st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
	EXPECT_EQ(-ENOEXEC, add_kernel(callable, 4, PTO_CORE_AIC, &self->made, bytes));
	EXPECT_TRUE(!!strstr(pto_callable_error(),
			     "a kernel: defines no function \"kernel_entry\""));
	EXPECT_EQ(-EINVAL, pto_callable_set_kind(callable, 99));
	EXPECT_TRUE(!!strstr(pto_callable_error(), "kind 99"));
	pto_callable_free(callable);
}

/* --- on a device ------------------------------------------------------------------------------ */

FIXTURE(device) {
	int fd;	/* only says whether there is a device */
	struct pto_context *ctx;
};

FIXTURE_SETUP(device)
{
	char path[32];

	memset(&reading, 0, sizeof(reading));
	PT_FIND(self->fd, 0, path);
	ASSERT_EQ(0, pto_open(path, &self->ctx));
}

FIXTURE_TEARDOWN(device)
{
	if (self->fd >= 0)
		pto_close(self->ctx);
}

/* A callable whose orchestration and kernel have old hash tables and come from memory computes. */
PT_TEST_F(device, callable_from_memory_runs)
{
	struct pt_file orch, kernel;
	struct pto_callable *callable;
	struct pto_args *args = pto_args_new();
	float a[8], b[8], f[8];
	uint32_t count = 8, i;
	int cid;

	ASSERT_EQ(0, pt_file_read("orch_vec_sysv", &orch));
	ASSERT_EQ(0, pt_file_read("kernel_add_sysv", &kernel));
	ASSERT_EQ(0, pto_callable_from_memory(orch.data, orch.bytes, "orch", &callable));
	ASSERT_EQ(0, pto_callable_add_kernel_memory(callable, 0, PTO_CORE_AIV, kernel.data,
						    kernel.bytes, "kernel"));
	pt_file_free(&orch);
	pt_file_free(&kernel);
	cid = pto_register(self->ctx, callable);
	ASSERT_LE(0, cid) {
		TH_LOG("%s", pto_context_error(self->ctx));
	}
	pto_callable_free(callable);
	for (i = 0; i < count; i++) {
		a[i] = i;
		b[i] = 10 * i;
		f[i] = -1;
	}
	ASSERT_EQ(0, pto_args_add_host(args, PTO_IN, a, PTO_DTYPE_FLOAT32, 1, &count));
	ASSERT_EQ(0, pto_args_add_host(args, PTO_IN, b, PTO_DTYPE_FLOAT32, 1, &count));
	ASSERT_EQ(0, pto_args_add_host(args, PTO_OUT, f, PTO_DTYPE_FLOAT32, 1, &count));
	EXPECT_EQ(0, pto_run(self->ctx, cid, args, NULL, NULL));
	for (i = 0; i < count; i++)
		EXPECT_EQ(11.0f * i, f[i]);
	pto_args_free(args);
}

PT_TEST_F(device, buffers_are_copied_and_named)
{
	struct pto_buffer *one, *two;
	struct pto_ioc_bo_info info = { .size = sizeof(info) };
	uint32_t words[4] = { 1, 2, 3, 4 }, back[4] = { 0 };

	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 8192, PTO_PLACE_DEVICE, &one));
	ASSERT_EQ(0, pto_buffer_alloc(self->ctx, 4096, PTO_PLACE_HOST, &two));
	info.id = pto_buffer_id(two);
	ASSERT_EQ(0, pt_ioctl(pto_context_fd(self->ctx), PTO_BO_INFO, &info));
	EXPECT_EQ(pto_buffer_device_addr(two), info.device_addr);
	EXPECT_EQ(pto_buffer_size(two), info.length);
	EXPECT_NE(pto_buffer_id(one), pto_buffer_id(two));
	ASSERT_EQ(0, pto_buffer_write(one, 8192 - 16, words, 16));
	ASSERT_EQ(0, pto_buffer_copy(two, 4, one, 8192 - 16, 16));
	ASSERT_EQ(0, pto_buffer_read(two, 4, back, 16));
	EXPECT_EQ(0, memcmp(words, back, 16));
	EXPECT_EQ(-EINVAL, pto_buffer_copy(two, 4096 - 15, one, 0, 16));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "4081"));
	EXPECT_EQ(-EINVAL, pto_buffer_copy(two, 0, one, 8192 - 15, 16));
	EXPECT_TRUE(!!strstr(pto_context_error(self->ctx), "8177"));
	pto_buffer_free(one);
	pto_buffer_free(two);
}

TEST_HARNESS_MAIN
