// SPDX-License-Identifier: MIT
/*
 * Changes an object so that it uses its own definitions. By two rules of ELF, the dynamic loader
 * would give it the data or the code of another object:
 *
 *  - a definition of binding STB_GNU_UNIQUE (C++: statics of templates and of inline functions,
 *    inline variables) exists once in the process, and its object is never unmapped;
 *  - a definition of the program, or of a library that it was linked with, takes precedence over
 *    that of an object which is loaded later.
 *
 * So in the copy of the file for the loader, unique definitions become weak, and symbols are
 * looked up in the object itself first (DT_SYMBOLIC). RTLD_DEEPBIND is no alternative: it also
 * prefers the object's libraries to the program's, which would bypass an allocator of the program,
 * and sanitizers reject it.
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

/* Turn STB_GNU_UNIQUE definitions into weak ones, which belong to the object. */
static void lower_unique(const struct image *image)
{
	uint64_t table = find_table(image, DT_SYMTAB);
	uint64_t count = table ? count_symbols(image) : 0;
	Elf64_Sym symbol;
	uint64_t i;

	for (i = 0; i < count && get(image, table + i * sizeof(symbol), &symbol, sizeof(symbol));
	     i++) {
		if (ELF64_ST_BIND(symbol.st_info) != STB_GNU_UNIQUE)
			continue;
		symbol.st_info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(symbol.st_info));
		memcpy(image->bytes + table + i * sizeof(symbol), &symbol, sizeof(symbol));
	}
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

/* Its symbols are not visible to other objects, and it can be unloaded. */
static void keep_to_itself(const struct image *image)
{
	Elf64_Dyn entry;
	int64_t i = find_entry(image, DT_FLAGS_1, &entry);

	if (i < 0)
		return;
	entry.d_un.d_val &= ~(uint64_t)(DF_1_NODELETE | DF_1_GLOBAL);
	put_entry(image, (uint64_t)i, &entry);
}

/**
 * pto_image_own() - change the copy of an object's file so that it uses its own definitions
 * @image: the file, a shared object for this machine
 * @size: its bytes
 */
void pto_image_own(void *image, uint64_t size)
{
	struct image file = { .bytes = image, .size = size };

	if (!find_dynamic(&file))
		return;
	lower_unique(&file);
	look_in_itself_first(&file);
	keep_to_itself(&file);
}
