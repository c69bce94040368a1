/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small shared objects made byte by byte, so that a test can make each of their tables as no
 * linker would.
 */
#ifndef ELFMAKER_H
#define ELFMAKER_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define MADE_DYNAMIC	512	/* entries of the dynamic section that there is room for */
#define MADE_SYMBOLS	8
#define MADE_FUNCTIONS	4	/* of them, that are defined and visible */
#define MADE_BUCKETS	2	/* of either hash table */
#define MADE_BLOOM	1	/* words of the Bloom filter */

/* Segments, by index. The tables are split between the first two. */
enum { MADE_LOAD_LOW, MADE_LOAD_HIGH, MADE_PT_DYNAMIC, MADE_NOTE, MADE_NOTE_AGAIN, MADE_SEGMENTS };

/* Entries of the dynamic section, by index; DT_NULL follows. */
enum { MADE_SYMTAB, MADE_STRTAB, MADE_STRSZ, MADE_HASH, MADE_GNU_HASH, MADE_FLAGS_1, MADE_TAGS };

/**
 * struct made_hash - DT_HASH
 * @buckets: how many buckets
 * @chains: how many symbols
 * @bucket: first symbol of each
 * @chain: next symbol
 */
struct made_hash {
	uint32_t buckets;
	uint32_t chains;
	uint32_t bucket[MADE_BUCKETS];
	uint32_t chain[MADE_SYMBOLS];
};

/**
 * struct made_gnu_hash - DT_GNU_HASH
 * @buckets: how many buckets
 * @first: the first symbol that it has
 * @bloom_words: words of the filter
 * @bloom_shift: of the filter
 * @bloom: the filter
 * @bucket: first symbol of each
 * @chain: hashes from @first on; an odd one ends a chain
 */
struct made_gnu_hash {
	uint32_t buckets;
	uint32_t first;
	uint32_t bloom_words;
	uint32_t bloom_shift;
	uint64_t bloom[MADE_BLOOM];
	uint32_t bucket[MADE_BUCKETS];
	uint32_t chain[MADE_SYMBOLS - 1];
	uint32_t behind;	/* belongs to nothing */
};

/**
 * struct made_note - a note
 * @head: its sizes and its type
 * @owner: who it is from
 * @data: what it says
 */
struct made_note {
	Elf64_Nhdr head;
	char owner[4];
	uint8_t data[48];
};

/**
 * struct made - an object
 * @elf: header
 * @segment: program headers
 * @note: notes, one in each PT_NOTE
 * @dynamic: dynamic section
 * @hash: hash tables, the last of the lower segment
 * @gnu_hash: see @hash
 * @symbol: symbols, the first of the upper one
 * @strings: their names
 * @rest: zeroes
 */
struct made {
	Elf64_Ehdr elf;
	Elf64_Phdr segment[MADE_SEGMENTS];
	struct made_note note[2];
	Elf64_Dyn dynamic[MADE_DYNAMIC];
	struct made_hash hash;
	struct made_gnu_hash gnu_hash __attribute__((aligned(8)));
	Elf64_Sym symbol[MADE_SYMBOLS] __attribute__((aligned(8)));
	char strings[128];
	char rest[64];
};

/* What is_function() is about: the defined and visible ones are these, in this order. */
extern const char * const made_functions[MADE_FUNCTIONS];

/** made_new() - an object that is sound, with both hash tables */
void made_new(struct made *made);

/** made_string() - index of a name in @strings */
uint32_t made_string(const struct made *made, const char *name);

#endif /* ELFMAKER_H */
