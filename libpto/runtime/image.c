// SPDX-License-Identifier: MIT
/*
 * Changes an object so that it uses its own definitions. By rules of ELF, the dynamic loader would
 * give it the data or the code of another object, or give its to others:
 *
 *  - a definition of binding STB_GNU_UNIQUE (C++: statics of templates and of inline functions,
 *    inline variables) exists once in the process, and its object is never unmapped;
 *  - a definition of the program, or of a library that it was linked with, takes precedence over
 *    that of an object which is loaded later;
 *  - an object that is loaded is taken for the library of its DT_SONAME.
 *
 * So in the copy of the file for the loader, unique definitions become weak, symbols are looked up
 * in the object itself first (DT_SYMBOLIC), and there is no DT_SONAME. RTLD_DEEPBIND is no
 * alternative: it also prefers the object's libraries to the program's, which would bypass an
 * allocator of the program, and sanitizers reject it.
 *
 * The function that registers destructors of thread_local objects becomes an absolute local symbol
 * of the object, so that they are registered with thread_exit.c.
 *
 * This follows the program headers and the dynamic section, as the loader does. libelf finds
 * symbols by way of section headers, which the loader ignores and an object need not have.
 *
 * The file is not trusted. If an offset or a count exceeds the file, the affected table is left
 * unchanged, and the loader or its caller reports the error.
 */
#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "image.h"

/**
 * struct image - a file that is changed
 * @bytes: its bytes
 * @size: number of bytes
 * @header: copy of its header
 * @dynamic: offset of the dynamic section
 * @entries: number of its entries before DT_NULL
 */
struct image {
	uint8_t *bytes;
	uint64_t size;
	Elf64_Ehdr header;
	uint64_t dynamic;
	uint64_t entries;
};

/* Copy @length bytes at @offset. Return: false if they are not in the file */
static bool get(const struct image *image, uint64_t offset, void *to, uint64_t length)
{
	if (offset > image->size || length > image->size - offset)
		return false;
	memcpy(to, image->bytes + offset, length);
	return true;
}

static bool get_segment(const struct image *image, uint32_t i, Elf64_Phdr *segment)
{
	return image->header.e_phoff <= image->size &&
	       get(image, image->header.e_phoff + (uint64_t)i * sizeof(*segment), segment,
		   sizeof(*segment));
}

/* Offset in the file of an address of the object; 0 (the header's) if it has none. */
static uint64_t offset_of(const struct image *image, uint64_t addr)
{
	Elf64_Phdr segment;
	uint32_t i;

	for (i = 0; i < image->header.e_phnum && get_segment(image, i, &segment); i++)
		if (segment.p_type == PT_LOAD && addr >= segment.p_vaddr &&
		    addr - segment.p_vaddr < segment.p_filesz)
			return segment.p_offset + (addr - segment.p_vaddr);
	return 0;
}

static bool get_entry(const struct image *image, uint64_t i, Elf64_Dyn *entry)
{
	return get(image, image->dynamic + i * sizeof(*entry), entry, sizeof(*entry));
}

static void put_entry(const struct image *image, uint64_t i, const Elf64_Dyn *entry)
{
	memcpy(image->bytes + image->dynamic + i * sizeof(*entry), entry, sizeof(*entry));
}

static bool find_dynamic(struct image *image)
{
	Elf64_Phdr segment;
	Elf64_Dyn entry;
	uint32_t i;

	if (!get(image, 0, &image->header, sizeof(image->header)))
		return false;
	for (i = 0; i < image->header.e_phnum && get_segment(image, i, &segment); i++) {
		if (segment.p_type != PT_DYNAMIC || segment.p_offset > image->size)
			continue;
		image->dynamic = segment.p_offset;
		while (image->entries < segment.p_filesz / sizeof(entry) &&
		       get_entry(image, image->entries, &entry) && entry.d_tag != DT_NULL)
			image->entries++;
		return true;
	}
	return false;
}

/* Find the entry with a tag. Return: its index, or -1 if there is none */
static int64_t find_entry(const struct image *image, int64_t tag, Elf64_Dyn *entry)
{
	uint64_t i;

	for (i = 0; i < image->entries && get_entry(image, i, entry); i++)
		if (entry->d_tag == tag)
			return (int64_t)i;
	return -1;
}

/* Offset in the file of the table that the entry with a tag points to; 0 if there is none. */
static uint64_t find_table(const struct image *image, int64_t tag)
{
	Elf64_Dyn entry;

	if (find_entry(image, tag, &entry) < 0)
		return 0;
	return offset_of(image, entry.d_un.d_ptr);
}

/* --- definitions ----------------------------------------------------------- */

/* Number of symbols according to a DT_GNU_HASH table; 0 if it is damaged. */
static uint64_t count_gnu(const struct image *image, uint64_t table)
{
	uint32_t head[4];	/* buckets, first symbol, words of the filter, shift */
	uint64_t at, i, chains;
	uint32_t word, last = 0;

	if (!get(image, table, head, sizeof(head)))
		return 0;
	at = table + sizeof(head) + head[2] * sizeof(uint64_t);
	for (i = 0; i < head[0]; i++, at += sizeof(word)) {
		if (!get(image, at, &word, sizeof(word)))
			return 0;
		last = word > last ? word : last;
	}
	if (last < head[1])
		return 0;
	chains = at;
	for (i = last;; i++) {
		if (!get(image, chains + (i - head[1]) * sizeof(word), &word, sizeof(word)))
			return 0;
		if (word & 1)
			return i + 1;
	}
}

static uint64_t count_symbols(const struct image *image)
{
	uint64_t table = find_table(image, DT_GNU_HASH);
	uint32_t head[2];

	if (table)
		return count_gnu(image, table);
	table = find_table(image, DT_HASH);
	return table && get(image, table, head, sizeof(head)) ? head[1] : 0;
}

/* Is @name the name of the symbol? */
static bool is_named(const struct image *image, const Elf64_Sym *symbol, const char *name)
{
	uint64_t table = find_table(image, DT_STRTAB);
	size_t length = strlen(name) + 1;

	return table && table + symbol->st_name <= image->size &&
	       length <= image->size - table - symbol->st_name &&
	       !memcmp(image->bytes + table + symbol->st_name, name, length);
}

/* The functions by which C++ and the C library register destructors of thread_local objects. */
static bool is_thread_atexit(const struct image *image, const Elf64_Sym *symbol)
{
	return symbol->st_shndx == SHN_UNDEF &&
	       (is_named(image, symbol, "__cxa_thread_atexit") ||
		is_named(image, symbol, "__cxa_thread_atexit_impl"));
}

/*
 * Make a STB_GNU_UNIQUE definition weak, so that it belongs to the object, and define the function
 * that registers destructors as @thread_atexit. Return: has @symbol been changed?
 */
static bool change_symbol(const struct image *image, pto_atexit_fn thread_atexit,
			  struct pto_image_facts *facts, Elf64_Sym *symbol)
{
	if (ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE) {
		symbol->st_info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(symbol->st_info));
		return true;
	}
	if (!is_thread_atexit(image, symbol))
		return false;
	symbol->st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC);
	symbol->st_shndx = SHN_ABS;
	symbol->st_value = (uintptr_t)thread_atexit;
	facts->exits = true;
	return true;
}

static void change_symbols(const struct image *image, pto_atexit_fn thread_atexit,
			   struct pto_image_facts *facts)
{
	uint64_t table = find_table(image, DT_SYMTAB);
	uint64_t count = table ? count_symbols(image) : 0;
	Elf64_Sym symbol;
	uint64_t i;

	for (i = 0; i < count && get(image, table + i * sizeof(symbol), &symbol, sizeof(symbol));
	     i++)
		if (change_symbol(image, thread_atexit, facts, &symbol))
			memcpy(image->bytes + table + i * sizeof(symbol), &symbol, sizeof(symbol));
}

/* --- references ------------------------------------------------------------ */

/*
 * Set DF_SYMBOLIC. If there is no DT_FLAGS, DT_SYMBOLIC replaces DT_SYMENT, which every object has
 * and whose value is known anyway.
 */
static void look_in_itself_first(const struct image *image)
{
	Elf64_Dyn entry;
	int64_t i = find_entry(image, DT_FLAGS, &entry);

	if (i >= 0) {
		entry.d_un.d_val |= DF_SYMBOLIC;
	} else {
		i = find_entry(image, DT_SYMENT, &entry);
		entry = (Elf64_Dyn){ .d_tag = DT_SYMBOLIC };
	}
	if (i >= 0)
		put_entry(image, (uint64_t)i, &entry);
}

/* A tag that loaders ignore: the first tags of the range for operating systems are unused. */
#define TAG_DROPPED	(DT_LOOS + 0x707471)

/* Hide the object's symbols and name from other objects, and allow it to be unloaded. */
static void keep_to_itself(const struct image *image)
{
	Elf64_Dyn entry;
	int64_t i = find_entry(image, DT_FLAGS_1, &entry);

	if (i >= 0) {
		entry.d_un.d_val &= ~(uint64_t)(DF_1_NODELETE | DF_1_GLOBAL);
		put_entry(image, (uint64_t)i, &entry);
	}
	i = find_entry(image, DT_SONAME, &entry);
	if (i >= 0) {
		entry.d_tag = TAG_DROPPED;
		put_entry(image, (uint64_t)i, &entry);
	}
}

static uint64_t find_span(const struct image *image)
{
	Elf64_Phdr segment;
	uint64_t span = 0;
	uint32_t i;

	for (i = 0; i < image->header.e_phnum && get_segment(image, i, &segment); i++)
		if (segment.p_type == PT_LOAD && segment.p_vaddr + segment.p_memsz > span)
			span = segment.p_vaddr + segment.p_memsz;
	return span;
}

/**
 * pto_image_own() - change the copy of an object's file so that it uses its own definitions
 * @image: the file, a shared object for this machine
 * @size: its bytes
 * @thread_atexit: function that it shall call to register a destructor of a thread_local object
 * @facts: out: its properties
 */
void pto_image_own(void *image, uint64_t size, pto_atexit_fn thread_atexit,
		   struct pto_image_facts *facts)
{
	struct image file = { .bytes = image, .size = size };

	memset(facts, 0, sizeof(*facts));
	if (!find_dynamic(&file))
		return;
	facts->span = find_span(&file);
	change_symbols(&file, thread_atexit, facts);
	look_in_itself_first(&file);
	keep_to_itself(&file);
}
