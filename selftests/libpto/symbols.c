// SPDX-License-Identifier: GPL-2.0
/* libpto.so exports what libpto.symbols lists: with the versions said there, and no more. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"

#define MAX_SYMBOLS 1024

FIXTURE(symbols) {
	char names[MAX_SYMBOLS][64];
	char versions[MAX_SYMBOLS][32];
	int count;
	const char *image;
	size_t bytes;
};

static const char *library_path(void)
{
	Dl_info info;

	return dladdr((void *)pto_version, &info) ? info.dli_fname : "";
}

FIXTURE_SETUP(symbols)
{
	FILE *list = fopen(pt_path("libpto.symbols"), "re");
	char line[256];
	struct stat st;
	int fd, fields;

	ASSERT_NE(NULL, list);
	while (self->count < MAX_SYMBOLS && fgets(line, sizeof(line), list)) {
		if (line[0] == '#')
			continue;
		fields = sscanf(line, "%63s %31s", self->names[self->count],
				self->versions[self->count]);
		ASSERT_EQ(2, fields);
		self->count++;
	}
	fclose(list);
	ASSERT_GT(self->count, 0);
	fd = open(library_path(), O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	self->bytes = st.st_size;
	self->image = mmap(NULL, self->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, self->image);
	close(fd);
}

FIXTURE_TEARDOWN(symbols)
{
	munmap((void *)self->image, self->bytes);
}

TEST_F(symbols, all_of_the_list_are_there)
{
	void *handle = dlopen(library_path(), RTLD_NOW | RTLD_NOLOAD);
	int i;

	ASSERT_NE(NULL, handle);
	for (i = 0; i < self->count; i++) {
		EXPECT_NE(NULL, dlvsym(handle, self->names[i], self->versions[i])) {
			TH_LOG("%s@%s is missing", self->names[i], self->versions[i]);
		}
	}
	dlclose(handle);
}

static bool listed(FIXTURE_DATA(symbols) *self, const char *name)
{
	int i;

	for (i = 0; i < self->count; i++) {
		if (!strcmp(self->names[i], name))
			return true;
	}
	return false;
}

static const Elf64_Shdr *section(const char *image, unsigned int type)
{
	const Elf64_Ehdr *ehdr = (const void *)image;
	const Elf64_Shdr *shdr = (const void *)(image + ehdr->e_shoff);
	int i;

	for (i = 0; i < ehdr->e_shnum; i++) {
		if (shdr[i].sh_type == type)
			return &shdr[i];
	}
	return NULL;
}

TEST_F(symbols, nothing_else_is_there)
{
	const Elf64_Shdr *dynsym = section(self->image, SHT_DYNSYM);
	const Elf64_Ehdr *ehdr = (const void *)self->image;
	const Elf64_Shdr *sections = (const void *)(self->image + ehdr->e_shoff);
	const char *strings;
	const Elf64_Sym *sym;
	size_t i, exported = 0;

	ASSERT_NE(NULL, dynsym);
	sym = (const void *)(self->image + dynsym->sh_offset);
	strings = self->image + sections[dynsym->sh_link].sh_offset;
	for (i = 0; i < dynsym->sh_size / sizeof(*sym); i++) {
		if (sym[i].st_shndx == SHN_UNDEF || sym[i].st_shndx == SHN_ABS ||
		    ELF64_ST_BIND(sym[i].st_info) == STB_LOCAL)
			continue;
		exported++;
		EXPECT_TRUE(listed(self, strings + sym[i].st_name)) {
			TH_LOG("%s is exported", strings + sym[i].st_name);
		}
	}
	EXPECT_EQ(self->count, (int)exported);
}

TEST_HARNESS_MAIN
