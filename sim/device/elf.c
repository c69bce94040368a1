// SPDX-License-Identifier: MIT
/*
 * Checks an object before the dynamic loader gets it. The loader trusts its input, and would crash
 * the home process if a file was truncated. So the headers are checked here, and errors are
 * explained.
 *
 * The loader would also call the object's constructors and destructors, while it holds a lock that
 * all loads in the process need. If one hangs, leaving it would leave the lock held. So their
 * entries are hidden from the loader: they get a tag in the dynamic section that it ignores, and
 * object.c calls the functions.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "internal.h"

#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#else
#error "which ELF machine is this?"
#endif

static const char *elf_check_header(const Elf64_Ehdr *elf)
{
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG))
		return "not an ELF object";
	if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != ELFDATA2LSB)
		return "not a 64-bit little-endian object";
	if (elf->e_machine != ELF_MACHINE)
		return "made for another machine than this device's";
	if (elf->e_type == ET_REL)
		return "a relocatable object; link it with -shared";
	if (elf->e_type != ET_DYN)
		return "not a shared object";
	if (elf->e_phentsize != sizeof(Elf64_Phdr) || !elf->e_phnum || elf->e_phnum == PN_XNUM)
		return "its program headers make no sense";
	return NULL;
}

static const char *elf_check_segment(const Elf64_Phdr *segment, uint64_t size)
{
	uint64_t end;

	if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC)
		return NULL;
	if (__builtin_add_overflow(segment->p_offset, segment->p_filesz, &end) || end > size)
		return "cut off: a segment ends after the file does";
	if (segment->p_memsz < segment->p_filesz)
		return "a segment is smaller in memory than in the file";
	return NULL;
}

/* Check an image for the dynamic loader. Return: 0, or -ENOEXEC and the reason in @why */
int elf_check(const void *image, uint64_t size, const char **why)
{
	Elf64_Phdr segment;
	bool dynamic = false;
	Elf64_Ehdr elf;
	uint32_t i;

	*why = "cut off: shorter than an ELF header";
	if (size < sizeof(elf))
		return -ENOEXEC;
	memcpy(&elf, image, sizeof(elf));
	*why = elf_check_header(&elf);
	if (*why)
		return -ENOEXEC;
	*why = "cut off: its program headers are missing";
	if (elf.e_phoff > size || (size - elf.e_phoff) / sizeof(segment) < elf.e_phnum)
		return -ENOEXEC;
	for (i = 0; i < elf.e_phnum; i++) {
		memcpy(&segment, (const char *)image + elf.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		*why = elf_check_segment(&segment, size);
		if (*why)
			return -ENOEXEC;
		dynamic |= segment.p_type == PT_DYNAMIC;
	}
	*why = "not a dynamic object: it has no dynamic section";
	return dynamic ? 0 : -ENOEXEC;
}

/* A tag that loaders ignore: the first ones of the range for operating systems are unused. */
#define TAG_TAKEN (DT_LOOS + 0x707470)

/* Read one entry of a dynamic section. Return: true if it has to be hidden */
static bool elf_take_entry(const Elf64_Dyn *entry, struct object_code *code)
{
	switch (entry->d_tag) {
	case DT_INIT:
		code->init = entry->d_un.d_ptr;
		return true;
	case DT_INIT_ARRAY:
		code->init_array = entry->d_un.d_ptr;
		return true;
	case DT_INIT_ARRAYSZ:
		code->init_count = entry->d_un.d_val / sizeof(Elf64_Addr);
		return true;
	case DT_FINI:
		code->fini = entry->d_un.d_ptr;
		return true;
	case DT_FINI_ARRAY:
		code->fini_array = entry->d_un.d_ptr;
		return true;
	case DT_FINI_ARRAYSZ:
		code->fini_count = entry->d_un.d_val / sizeof(Elf64_Addr);
		return true;
	default:
		return false;
	}
}

static void elf_take_section(char *section, uint64_t size, struct object_code *code)
{
	Elf64_Dyn entry;

	for (; size >= sizeof(entry); size -= sizeof(entry), section += sizeof(entry)) {
		memcpy(&entry, section, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			return;
		if (!elf_take_entry(&entry, code))
			continue;
		entry.d_tag = TAG_TAKEN;
		memcpy(section, &entry, sizeof(entry));
	}
}

/* Take constructors and destructors out of an image that elf_check() has accepted. */
void elf_take_code(void *image, struct object_code *code)
{
	Elf64_Phdr segment;
	Elf64_Ehdr elf;
	uint32_t i;

	memset(code, 0, sizeof(*code));
	memcpy(&elf, image, sizeof(elf));
	for (i = 0; i < elf.e_phnum; i++) {
		memcpy(&segment, (const char *)image + elf.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type == PT_DYNAMIC)
			elf_take_section((char *)image + segment.p_offset, segment.p_filesz, code);
	}
}
