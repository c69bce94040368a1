// SPDX-License-Identifier: MIT
/*
 * Reading ELF objects. Like the device's loader, this uses program headers and the dynamic
 * segment, not sections, which may be stripped. The data are not trusted: libelf checks the
 * headers, and all data at an offset are read with elf_getdata_rawchunk(), which checks bounds.
 */
#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pto_private.h"

#define OBJECT_MAX	(1ull << 30)

#if defined(__x86_64__)
#define HOST_MACHINE	EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE	EM_AARCH64
#elif defined(__riscv)
#define HOST_MACHINE	EM_RISCV
#else
#error "which e_machine does this host execute?"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HOST_DATA	ELFDATA2LSB
#else
#define HOST_DATA	ELFDATA2MSB
#endif

/* An object being parsed. Addresses are those of the object's own address space. */
struct parse {
	const struct pto_object *obj;
	struct pto_object_info *info;
	Elf *elf;
	GElf_Ehdr ehdr;
	size_t segments;
	GElf_Phdr dynamic;
	bool has_dynamic;
	uint64_t symtab;
	uint64_t strtab;
	uint64_t strsz;
	uint64_t hash;
	uint64_t gnu_hash;
	uint64_t flags_1;
	const char *strings;	/* strsz bytes */
	Elf_Data *symbols;
	char *error;
	size_t error_size;
};

static int bad(struct parse *p, const char *fmt, ...) PTO_PRINTF(2, 3);

static int bad(struct parse *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!p->error || !p->error_size)
		return -ENOEXEC;
	n = snprintf(p->error, p->error_size, "%s: ", p->obj->name);
	if (n < 0 || (size_t)n >= p->error_size)
		return -ENOEXEC;
	va_start(ap, fmt);
	vsnprintf(p->error + n, p->error_size - n, fmt, ap);
	va_end(ap);
	return -ENOEXEC;
}

static void machine_name(uint16_t machine, char *name, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{ EM_X86_64, "x86-64" }, { EM_AARCH64, "AArch64" }, { EM_RISCV, "RISC-V" },
		{ EM_386, "i386" },	 { EM_ARM, "ARM" },	    { EM_PPC64, "PowerPC64" },
		{ EM_S390, "S/390" },	 { EM_MIPS, "MIPS" },	    { EM_LOONGARCH, "LoongArch" },
		{ EM_NONE, "none" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].machine == machine) {
			snprintf(name, size, "%s", names[i].name);
			return;
		}
	}
	snprintf(name, size, "machine %u", machine);
}

static const char *wrong_type(uint16_t type)
{
	switch (type) {
	case ET_REL:
		return "a relocatable object (ET_REL), not a shared one; link it with -shared";
	case ET_EXEC:
		return "an executable (ET_EXEC), not a shared object; build it with -fPIC -shared";
	case ET_CORE:
		return "a core dump (ET_CORE), not a shared object";
	default:
		return "of an unknown ELF type, not a shared object";
	}
}

static int check_ident(struct parse *p)
{
	const unsigned char *ident = p->obj->data;
	size_t bytes = p->obj->bytes;

	if (!bytes)
		return bad(p, "the file is empty");
	if (bytes < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG))
		return bad(p, "not an ELF object: begins with byte 0x%02x, and ELF with 0x7f 'ELF'",
			   ident[0]);
	if (ident[EI_CLASS] == ELFCLASS32) {
		p->info->elf_class = 32;
		return bad(p, "a 32-bit ELF object; the device loads 64-bit ones");
	}
	if (ident[EI_CLASS] != ELFCLASS64)
		return bad(p, "ELF class %u is neither 32 nor 64 bit", ident[EI_CLASS]);
	p->info->elf_class = 64;
	if (ident[EI_DATA] != HOST_DATA)
		return bad(p, "a %s-endian ELF object; the device is %s-endian",
			   ident[EI_DATA] == ELFDATA2MSB ? "big" :
			   ident[EI_DATA] == ELFDATA2LSB ? "little" : "neither big- nor little",
			   HOST_DATA == ELFDATA2LSB ? "little" : "big");
	if (ident[EI_VERSION] != EV_CURRENT)
		return bad(p, "ELF version %u; known is %u", ident[EI_VERSION], EV_CURRENT);
	return 0;
}

static int check_header(struct parse *p)
{
	char host[32];

	p->elf = elf_memory(p->obj->data, p->obj->bytes);
	if (!p->elf || !gelf_getehdr(p->elf, &p->ehdr))
		return bad(p, "damaged ELF header: %s", elf_errmsg(-1));
	p->info->machine = p->ehdr.e_machine;
	p->info->type = p->ehdr.e_type;
	machine_name(p->ehdr.e_machine, p->info->machine_name, sizeof(p->info->machine_name));
	machine_name(HOST_MACHINE, host, sizeof(host));
	if (p->ehdr.e_machine != HOST_MACHINE)
		return bad(p, "built for %s; the device executes %s", p->info->machine_name, host);
	if (p->ehdr.e_type != ET_DYN)
		return bad(p, "%s", wrong_type(p->ehdr.e_type));
	p->segments = p->ehdr.e_phnum;
	if (!p->segments)
		return bad(p, "no program headers, so nothing can be loaded");
	if (p->ehdr.e_phentsize != sizeof(Elf64_Phdr))
		return bad(p, "program headers of %u bytes instead of %zu", p->ehdr.e_phentsize,
			   sizeof(Elf64_Phdr));
	if (p->ehdr.e_phoff > p->obj->bytes ||
	    p->segments > (p->obj->bytes - p->ehdr.e_phoff) / sizeof(Elf64_Phdr))
		return bad(p, "cut short: the program headers lie past the end at byte %zu",
			   p->obj->bytes);
	return 0;
}

/* The GNU Build-ID, if this note segment has it. The first one found counts. */
static void read_notes(struct parse *p, const GElf_Phdr *phdr)
{
	Elf_Type type = phdr->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
	size_t pos = 0, next, name, desc;
	GElf_Nhdr note;
	Elf_Data *data;

	if (p->info->build_id_len)
		return;
	data = elf_getdata_rawchunk(p->elf, phdr->p_offset, phdr->p_filesz, type);
	while (data && (next = gelf_getnote(data, pos, &note, &name, &desc)) > 0) {
		const char *bytes = data->d_buf;
		size_t len = note.n_descsz;

		pos = next;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(bytes + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)))
			continue;
		if (len > PTO_BUILD_ID_MAX)
			len = PTO_BUILD_ID_MAX;
		memcpy(p->info->build_id, bytes + desc, len);
		p->info->build_id_len = len;
		return;
	}
}

static int check_segments(struct parse *p)
{
	GElf_Phdr phdr;

	for (size_t i = 0; i < p->segments; i++) {
		if (!gelf_getphdr(p->elf, i, &phdr))
			return bad(p, "damaged program header %zu: %s", i, elf_errmsg(-1));
		if (phdr.p_type != PT_LOAD && phdr.p_type != PT_DYNAMIC && phdr.p_type != PT_NOTE)
			continue;
		if (phdr.p_offset > p->obj->bytes ||
		    phdr.p_filesz > p->obj->bytes - phdr.p_offset)
			return bad(p,
				   "cut short: segment %zu has %llu bytes at %llu, the file ends at %zu",
				   i, (unsigned long long)phdr.p_filesz,
				   (unsigned long long)phdr.p_offset, p->obj->bytes);
		if (phdr.p_type == PT_DYNAMIC) {
			p->dynamic = phdr;
			p->has_dynamic = true;
		} else if (phdr.p_type == PT_NOTE) {
			read_notes(p, &phdr);
		}
	}
	return 0;
}

static int read_dynamic(struct parse *p)
{
	unsigned int needed = 0;
	Elf_Data *data;
	GElf_Dyn dyn;

	if (!p->has_dynamic)
		return bad(p, "no dynamic segment; link it with -shared");
	data = elf_getdata_rawchunk(p->elf, p->dynamic.p_offset, p->dynamic.p_filesz, ELF_T_DYN);
	if (!data)
		return bad(p, "damaged dynamic segment: %s", elf_errmsg(-1));
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		switch (dyn.d_tag) {
		case DT_NEEDED:
			needed++;
			break;
		case DT_SYMTAB:
			p->symtab = dyn.d_un.d_ptr;
			break;
		case DT_STRTAB:
			p->strtab = dyn.d_un.d_ptr;
			break;
		case DT_STRSZ:
			p->strsz = dyn.d_un.d_val;
			break;
		case DT_HASH:
			p->hash = dyn.d_un.d_ptr;
			break;
		case DT_GNU_HASH:
			p->gnu_hash = dyn.d_un.d_ptr;
			break;
		case DT_FLAGS_1:
			p->flags_1 = dyn.d_un.d_val;
			break;
		}
	}
	p->info->needed_count = needed > UINT8_MAX ? UINT8_MAX : needed;
	if (p->flags_1 & DF_1_PIE)
		return bad(p, "a position-independent executable, not a shared object; build it with -fPIC -shared");
	return 0;
}

/* Bytes of the file at @addr of the object's address space, to the end of its segment. */
static uint64_t file_range(struct parse *p, uint64_t addr, uint64_t *offset)
{
	GElf_Phdr phdr;

	*offset = 0;
	for (size_t i = 0; i < p->segments; i++) {
		if (!gelf_getphdr(p->elf, i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		if (addr >= phdr.p_vaddr && addr - phdr.p_vaddr < phdr.p_filesz) {
			*offset = phdr.p_offset + (addr - phdr.p_vaddr);
			return phdr.p_filesz - (addr - phdr.p_vaddr);
		}
	}
	return 0;
}

/* At least @min and at most @max bytes at @addr, whole words, or NULL. */
static Elf_Data *chunk_at(struct parse *p, uint64_t addr, uint64_t min, uint64_t max,
			  Elf_Type type)
{
	uint64_t offset, length = file_range(p, addr, &offset);

	if (!length || length < min)
		return NULL;
	if (length > max)
		length = max;
	if (type == ELF_T_WORD)
		length &= ~3ull;
	return elf_getdata_rawchunk(p->elf, offset, length, type);
}

/* Symbols behind a GNU hash table: it has no count, so follow the last bucket's chain. */
static uint64_t gnu_hash_count(struct parse *p)
{
	Elf_Data *data = chunk_at(p, p->gnu_hash, 16, UINT64_MAX, ELF_T_WORD);
	uint64_t words, first, last = 0;
	const uint32_t *word;

	if (!data)
		return 0;
	word = data->d_buf;
	words = data->d_size / 4;
	first = 4 + (uint64_t)word[2] * 2;	/* the buckets, behind header and Bloom filter */
	if (first > words || word[0] > words - first)
		return 0;
	for (uint64_t i = first; i < first + word[0]; i++)
		if (word[i] > last)
			last = word[i];
	if (last < word[1])
		return 0;
	for (uint64_t i = first + word[0] + last - word[1]; i < words; i++, last++)
		if (word[i] & 1)
			return last + 1;
	return 0;
}

static uint64_t hash_count(struct parse *p)
{
	Elf_Data *data = chunk_at(p, p->hash, 8, 8, ELF_T_WORD);

	return data ? ((const uint32_t *)data->d_buf)[1] : 0;
}

static int find_symbols(struct parse *p)
{
	uint64_t count;
	Elf_Data *data;

	if (!p->symtab || !p->strtab || !p->strsz || (!p->hash && !p->gnu_hash))
		return bad(p, "no dynamic symbol table, so no function can be found in it");
	data = chunk_at(p, p->strtab, p->strsz, p->strsz, ELF_T_BYTE);
	if (!data || !data->d_size || ((char *)data->d_buf)[data->d_size - 1])
		return bad(p, "damaged dynamic string table");
	p->strings = data->d_buf;
	count = p->gnu_hash ? gnu_hash_count(p) : hash_count(p);
	if (!count)
		return 0;	/* a table without any definition */
	if (count > p->obj->bytes / sizeof(Elf64_Sym))
		return bad(p, "damaged symbol hash table: it claims %llu symbols",
			   (unsigned long long)count);
	p->symbols = chunk_at(p, p->symtab, count * sizeof(Elf64_Sym), count * sizeof(Elf64_Sym),
			      ELF_T_SYM);
	if (!p->symbols)
		return bad(p, "damaged dynamic symbol table: %llu symbols do not fit the file",
			   (unsigned long long)count);
	return 0;
}

static bool is_function(const GElf_Sym *sym)
{
	int type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);
	int visibility = GELF_ST_VISIBILITY(sym->st_other);

	return sym->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC) &&
	       (bind == STB_GLOBAL || bind == STB_WEAK) &&
	       (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

static int visit(struct parse *p, pto_symbol_fn fn, void *arg)
{
	GElf_Sym sym;
	int rc;

	for (int i = 0; p->symbols && gelf_getsym(p->symbols, i, &sym); i++) {
		if (!is_function(&sym) || sym.st_name >= p->strsz)
			continue;
		rc = fn(p->strings + sym.st_name, arg);
		if (rc)
			return rc;
	}
	return 0;
}

static int note_symbol(const char *name, void *arg)
{
	struct pto_object_info *info = arg;

	info->symbol_count++;
	if (!strcmp(name, "aicpu_orchestration_entry"))
		info->has_entry = 1;
	else if (!strcmp(name, "aicpu_orchestration_config"))
		info->has_config = 1;
	else if (!strcmp(name, "kernel_entry"))
		info->has_kernel = 1;
	return 0;
}

static int parse_begin(struct parse *p)
{
	int rc;

	elf_version(EV_CURRENT);
	p->info->bytes = p->obj->bytes;
	rc = check_ident(p);
	if (!rc)
		rc = check_header(p);
	if (!rc)
		rc = check_segments(p);
	if (!rc)
		rc = read_dynamic(p);
	if (!rc)
		rc = find_symbols(p);
	return rc;
}

/* Fill in @obj->info; only in part if the object is invalid. */
static int parse_object(struct pto_object *obj, char *error, size_t size)
{
	struct parse p = {
		.obj = obj, .info = &obj->info, .error = error, .error_size = size,
	};
	int rc;

	memset(&obj->info, 0, sizeof(obj->info));
	rc = parse_begin(&p);
	if (!rc)
		visit(&p, note_symbol, &obj->info);
	elf_end(p.elf);
	return rc;
}

int pto_object_symbols(const struct pto_object *obj, pto_symbol_fn fn, void *arg)
{
	struct pto_object_info info;
	struct parse p = { .obj = obj, .info = &info };
	int rc;

	memset(&info, 0, sizeof(info));
	rc = parse_begin(&p);
	if (!rc)
		rc = visit(&p, fn, arg);
	elf_end(p.elf);
	return rc;
}

void pto_object_drop(struct pto_object *obj)
{
	free(obj->data);
	obj->data = NULL;
	obj->bytes = 0;
}

static int read_error(const char *name, int rc, char *error, size_t size)
{
	if (error && size)
		snprintf(error, size, "%s: %s", name, strerrordesc_np(-rc) ?: "cannot be read");
	return rc;
}

static int read_all(struct pto_object *obj, int fd)
{
	size_t done = 0;

	while (done < obj->bytes) {
		ssize_t n = read(fd, (char *)obj->data + done, obj->bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	obj->bytes = done;
	return 0;
}

static int check_bytes(uint64_t bytes, const char *name, char *error, size_t size)
{
	if (bytes <= OBJECT_MAX)
		return 0;
	if (error && size)
		snprintf(error, size, "%s: %llu bytes are more than the limit of %llu", name,
			 (unsigned long long)bytes, OBJECT_MAX);
	return -EFBIG;
}

static int read_fd(struct pto_object *obj, int fd, char *error, size_t size)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return read_error(obj->name, -errno, error, size);
	if (!S_ISREG(st.st_mode)) {
		if (error && size)
			snprintf(error, size, "%s: not a regular file", obj->name);
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	}
	rc = check_bytes(st.st_size, obj->name, error, size);
	if (rc)
		return rc;
	obj->bytes = st.st_size;
	obj->data = malloc(obj->bytes + 1);
	if (!obj->data)
		return read_error(obj->name, -ENOMEM, error, size);
	rc = read_all(obj, fd);
	return rc ? read_error(obj->name, rc, error, size) : 0;
}

static void name_object(struct pto_object *obj, const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t length = strlen(name);

	snprintf(obj->name, sizeof(obj->name), "%s", slash && slash[1] ? slash + 1 : name);
	if (length < sizeof(obj->path))
		memcpy(obj->path, name, length + 1);
	else
		snprintf(obj->path, sizeof(obj->path), "...%s",
			 name + length - (sizeof(obj->path) - sizeof("...")));
}

int pto_object_read(struct pto_object *obj, const char *path, char *error, size_t size)
{
	int fd, rc;

	memset(obj, 0, sizeof(*obj));
	if (!path)
		return read_error("no path", -EINVAL, error, size);
	name_object(obj, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return read_error(path, -errno, error, size);
	rc = read_fd(obj, fd, error, size);
	close(fd);
	if (!rc)
		rc = parse_object(obj, error, size);
	if (rc)
		pto_object_drop(obj);
	return rc;
}

int pto_object_copy(struct pto_object *obj, const void *data, size_t bytes, const char *name,
		    char *error, size_t size)
{
	int rc;

	memset(obj, 0, sizeof(*obj));
	name_object(obj, name ? name : "object in memory");
	if (!data && bytes)
		return read_error(obj->name, -EINVAL, error, size);
	rc = check_bytes(bytes, obj->name, error, size);
	if (rc)
		return rc;
	obj->data = malloc(bytes + 1);
	if (!obj->data)
		return read_error(obj->name, -ENOMEM, error, size);
	/* @data may be NULL if @bytes is 0. */
	if (bytes)
		memcpy(obj->data, data, bytes);
	obj->bytes = bytes;
	rc = parse_object(obj, error, size);
	if (rc)
		pto_object_drop(obj);
	return rc;
}

PTO_API int pto_object_inspect_sized(const char *path, struct pto_object_info *info, size_t size,
				     char *error, size_t error_size)
{
	PTO_KEEP_ERRNO;
	struct pto_object obj;
	int rc;

	if (error && error_size)
		error[0] = '\0';
	rc = pto_object_read(&obj, path, error, error_size);
	pto_give(info, size, &obj.info, sizeof(obj.info));
	pto_object_drop(&obj);
	return rc;
}

PTO_API int pto_object_visit_symbols(const char *path, int (*fn)(const char *name, void *arg),
				     void *arg)
{
	PTO_KEEP_ERRNO;
	struct pto_object obj;
	int rc;

	rc = pto_object_read(&obj, path, NULL, 0);
	if (rc)
		return rc;
	rc = pto_object_symbols(&obj, fn, arg);
	pto_object_drop(&obj);
	return rc;
}
