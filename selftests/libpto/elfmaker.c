// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "elfmaker.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "which ELF machine is this?"
#endif

const char * const made_functions[MADE_FUNCTIONS] = {
	"weak_function", "protected_function", "kernel_entry", "chosen_at_load",
};

static const char strings[] =
	"\0used\0variable\0hidden\0weak_function\0protected_function\0kernel_entry\0chosen_at_load";

uint32_t made_string(const struct made *made, const char *name)
{
	size_t length = strlen(name) + 1, i;

	for (i = 1; i + length <= sizeof(made->strings); i++)
		if (!made->strings[i - 1] && !memcmp(made->strings + i, name, length))
			return i;
	abort();
}

static void set_symbol(struct made *made, unsigned int i, const char *name, int bind, int type,
		       int visibility)
{
	made->symbol[i] = (Elf64_Sym) {
		.st_name = made_string(made, name),
		.st_info = ELF64_ST_INFO(bind, type),
		.st_other = visibility,
		.st_shndx = 1,
	};
}

static void set_symbols(struct made *made)
{
	memcpy(made->strings, strings, sizeof(strings));
	set_symbol(made, 1, "used", STB_GLOBAL, STT_FUNC, STV_DEFAULT);
	made->symbol[1].st_shndx = SHN_UNDEF;
	set_symbol(made, 2, "variable", STB_GLOBAL, STT_OBJECT, STV_DEFAULT);
	set_symbol(made, 3, "hidden", STB_GLOBAL, STT_FUNC, STV_HIDDEN);
	set_symbol(made, 4, "weak_function", STB_WEAK, STT_FUNC, STV_DEFAULT);
	set_symbol(made, 5, "protected_function", STB_GLOBAL, STT_FUNC, STV_PROTECTED);
	set_symbol(made, 6, "kernel_entry", STB_GLOBAL, STT_FUNC, STV_DEFAULT);
	set_symbol(made, 7, "chosen_at_load", STB_GLOBAL, STT_GNU_IFUNC, STV_DEFAULT);
}

/* The chain with the highest symbol is that of the first bucket. */
static void set_hashes(struct made *made)
{
	struct made_gnu_hash *gnu = &made->gnu_hash;
	unsigned int i;

	made->hash.buckets = MADE_BUCKETS;
	made->hash.chains = MADE_SYMBOLS;
	*gnu = (struct made_gnu_hash) {
		.buckets = MADE_BUCKETS,
		.first = 1,
		.bloom_words = MADE_BLOOM,
		.bucket = { 6, 1 },
		.behind = 1,
	};
	for (i = 0; i < MADE_SYMBOLS - 1; i++)
		gnu->chain[i] = 2;
	gnu->chain[5 - 1] = 3;
	gnu->chain[7 - 1] = 3;
}

static void set_segment(struct made *made, unsigned int i, uint32_t type, size_t start, size_t end)
{
	made->segment[i] = (Elf64_Phdr) {
		.p_type = type,
		.p_flags = PF_R,
		.p_offset = start,
		.p_vaddr = start,
		.p_filesz = end - start,
		.p_memsz = end - start,
		.p_align = type == PT_NOTE ? 4 : 8,
	};
}

static void set_segments(struct made *made)
{
	size_t split = offsetof(struct made, symbol), note = offsetof(struct made, note);

	made->elf = (Elf64_Ehdr) {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = MACHINE,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct made, segment),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = MADE_SEGMENTS,
	};
	set_segment(made, MADE_LOAD_LOW, PT_LOAD, 0, split);
	set_segment(made, MADE_LOAD_HIGH, PT_LOAD, split, sizeof(*made));
	set_segment(made, MADE_PT_DYNAMIC, PT_DYNAMIC, offsetof(struct made, dynamic),
		    offsetof(struct made, dynamic) + sizeof(made->dynamic));
	set_segment(made, MADE_NOTE, PT_NOTE, note, note + sizeof(made->note[0]));
	set_segment(made, MADE_NOTE_AGAIN, PT_NOTE, note + sizeof(made->note[0]),
		    note + sizeof(made->note));
}

static void set_dynamic(struct made *made)
{
	static const Elf64_Dyn entries[MADE_TAGS] = {
		[MADE_SYMTAB] = { DT_SYMTAB, { offsetof(struct made, symbol) } },
		[MADE_STRTAB] = { DT_STRTAB, { offsetof(struct made, strings) } },
		[MADE_STRSZ] = { DT_STRSZ, { sizeof(strings) } },
		[MADE_HASH] = { DT_HASH, { offsetof(struct made, hash) } },
		[MADE_GNU_HASH] = { DT_GNU_HASH, { offsetof(struct made, gnu_hash) } },
		[MADE_FLAGS_1] = { DT_FLAGS_1, { 0 } },
	};

	memcpy(made->dynamic, entries, sizeof(entries));
}

static void set_note(struct made_note *note, uint8_t first)
{
	unsigned int i;

	*note = (struct made_note) {
		.head = { sizeof(note->owner), 20, NT_GNU_BUILD_ID },
		.owner = ELF_NOTE_GNU,
	};
	for (i = 0; i < sizeof(note->data); i++)
		note->data[i] = first + i;
}

void made_new(struct made *made)
{
	memset(made, 0, sizeof(*made));
	set_symbols(made);
	set_hashes(made);
	set_segments(made);
	set_dynamic(made);
	set_note(&made->note[0], 0x10);
	set_note(&made->note[1], 0x90);
}
