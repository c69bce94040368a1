// SPDX-License-Identifier: MIT
/* ptoctl inspect: what libpto sees in an object. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ptoctl.h"

#define SYMBOLS_SHOWN	12	/* names in the text answer; the JSON answer has all */

static const char *kind(const struct pto_object_info *info)
{
	if (info->has_entry && info->has_kernel)
		return "orchestration and kernel";
	if (info->has_entry)
		return "orchestration";
	if (info->has_kernel)
		return "kernel";
	return "shared object without a default entry";
}

static int print_symbol(const char *name, void *arg)
{
	unsigned int *shown = arg;

	if (*shown == SYMBOLS_SHOWN)
		return 1;
	printf("%s%s", *shown ? ", " : "", name);
	(*shown)++;
	return 0;
}

static void print_object(const char *path, const struct pto_object_info *info)
{
	char text[2 * PTO_BUILD_ID_MAX + 1];
	unsigned int shown = 0;

	printf("%s: %s\n", path, kind(info));
	printf("  %-12s%" PRIu64 " bytes, ELF%u, %s\n", "file", info->bytes, info->elf_class,
	       info->machine_name);
	printf("  %-12s%s\n", "Build-ID",
	       info->build_id_len ? hex(info->build_id, info->build_id_len, text) : "none");
	printf("  %-12s%u\n", "libraries", info->needed_count);
	if (info->has_entry)
		printf("  %-12s%s\n", "kinds", "DEVICE_ORCH, HOST_GRAPH (where the device takes it)");
	printf("  %-12s%u", "functions", info->symbol_count);
	if (info->symbol_count) {
		fputs(": ", stdout);
		pto_object_visit_symbols(path, print_symbol, &shown);
		if (shown < info->symbol_count)
			printf(" and %u more", info->symbol_count - shown);
	}
	putchar('\n');
}

static int json_symbol(const char *name, void *arg)
{
	json_string(NULL, name);
	return 0;
}

static void json_object(const char *path, const struct pto_object_info *info, int rc,
			const char *error)
{
	char text[2 * PTO_BUILD_ID_MAX + 1];

	json_open(NULL, '{');
	json_string("file", path);
	json_bool("loadable", !rc);
	if (rc) {
		json_i64("error", rc);
		json_string("reason", error);
	}
	json_u64("bytes", info->bytes);
	json_u64("elf_class", info->elf_class);
	json_u64("machine", info->machine);
	json_string("machine_name", info->machine_name);
	json_u64("type", info->type);
	json_string("build_id", hex(info->build_id, info->build_id_len, text));
	json_bool("orchestration", info->has_entry);
	json_bool("orchestration_config", info->has_config);
	json_bool("kernel", info->has_kernel);
	json_u64("needed", info->needed_count);
	json_open("functions", '[');
	if (!rc)
		pto_object_visit_symbols(path, json_symbol, NULL);
	json_close(']');
	json_close('}');
}

int cmd_inspect(const struct options *opt)
{
	struct pto_object_info info;
	char error[400];
	int status = 0;

	if (opt->json) {
		json_open(NULL, '{');
		json_open("objects", '[');
	}
	for (int i = 0; i < opt->file_count; i++) {
		const char *path = opt->files[i];
		int rc = pto_object_inspect(path, &info, error, sizeof(error));

		if (rc)
			status = EXIT_FAILED;
		if (opt->json)
			json_object(path, &info, rc, error);
		else if (rc)
			fprintf(stderr, "ptoctl: %s\n", error);
		else
			print_object(path, &info);
	}
	if (opt->json) {
		json_close(']');
		json_close('}');
	}
	return status;
}
