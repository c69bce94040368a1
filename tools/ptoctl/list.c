// SPDX-License-Identifier: MIT
/* ptoctl list: the devices of this host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptoctl.h"

static void print_device(const struct pto_device_desc *desc)
{
	const struct pto_device_info *info = &desc->info;
	char size[16], arch[17];

	if (desc->error) {
		printf("%-12s cannot be opened: %s\n", desc->path, desc->reason);
		return;
	}
	printf("%-12s %-5s %u clusters (%u AIC + %u AIV), %u AICPU threads, %s, %.32s%s\n",
	       desc->path, arch_name(info, arch), info->cluster_count, info->aic_count,
	       info->aiv_count, info->aicpu_threads, human_size(info->memory_size, size),
	       (const char *)info->name,
	       info->features & PTO_FEATURE_SIMULATED ? " (simulated)" : "");
}

static void json_entry(const struct pto_device_desc *desc)
{
	json_open(NULL, '{');
	json_u64("index", desc->index);
	json_string("path", desc->path);
	json_bool("usable", !desc->error);
	if (desc->error) {
		json_i64("error", desc->error);
		json_string("reason", desc->reason);
	} else {
		json_open("device", '{');
		json_device(&desc->info);
		json_close('}');
	}
	json_close('}');
}

/* Why there is none: what opening the first one says. */
static void print_none(const struct options *opt)
{
	struct pto_context *ctx;

	if (!pto_open_index(0, &ctx)) {	/* it came since */
		pto_close(ctx);
		return;
	}
	if (opt->json)
		json_string("reason", pto_open_error());
	else
		printf("no devices (%s)\n", pto_open_error());
}

static int print_list(const struct options *opt, const struct pto_device_desc *list, int count)
{
	if (opt->json) {
		json_open(NULL, '{');
		json_open("devices", '[');
	}
	for (int i = 0; i < count; i++) {
		if (opt->json)
			json_entry(&list[i]);
		else
			print_device(&list[i]);
	}
	if (opt->json)
		json_close(']');
	if (!count)
		print_none(opt);
	if (opt->json)
		json_close('}');
	return 0;
}

int cmd_list(const struct options *opt)
{
	struct pto_device_desc *list = NULL;
	int room = 0, count, rc;

	/* Devices may come between the two calls. */
	while ((count = pto_list_devices(list, room)) > room) {
		free(list);
		room = count;
		list = calloc(room, sizeof(*list));
		if (!list)
			count = -ENOMEM;
		if (count < 0)
			break;
	}
	if (count < 0) {
		fprintf(stderr, "ptoctl: listing devices: %s\n", strerror(-count));
		rc = EXIT_FAILED;
	} else {
		rc = print_list(opt, list, count);
	}
	free(list);
	return rc;
}
