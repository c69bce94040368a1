// SPDX-License-Identifier: MIT
/* ptoctl: what PTO devices there are, what they do, and what is in an object. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptoctl.h"

#define OPT_DEBUG 256	/* no character: there is no short form */

static const struct command {
	const char *name;
	int (*fn)(const struct options *opt);
	bool takes_device;
	bool takes_files;
	bool takes_debug;
} commands[] = {
	{ "list", cmd_list, false, false, false },
	{ "info", cmd_info, true, false, false },
	{ "stats", cmd_stats, true, false, true },
	{ "inspect", cmd_inspect, false, true, false },
	{ "errors", cmd_errors, false, false, false },
};

static void usage(FILE *out)
{
	fputs("Usage: ptoctl COMMAND [OPTION...] [FILE...]\n"
	      "\n"
	      "Commands:\n"
	      "  list              devices, and why one cannot be opened\n"
	      "  info              what a device is\n"
	      "  stats             what is in use on a device\n"
	      "  inspect FILE...   what is in an orchestration or kernel object\n"
	      "  errors            the codes with which a run can fail, with a hint for each\n"
	      "\n"
	      "Options:\n"
	      "  -d, --device=DEV  device node or number; $PTO_DEVICE or /dev/pto0 without it\n"
	      "  -j, --json        answer in JSON\n"
	      "      --debug       stats: also what the driver counts to debug itself; not stable\n"
	      "  -h, --help        this text\n"
	      "  -V, --version     version\n"
	      "\n"
	      "Exit status: 0 success, 1 a device or an object is not usable, 2 wrong usage.\n",
	      out);
}

static int wrong_usage(const char *what, const char *arg)
{
	fprintf(stderr, "ptoctl: %s%s%s\nTry 'ptoctl --help'.\n", what, arg ? ": " : "",
		arg ? arg : "");
	return EXIT_USAGE;
}

/* "3" stands for /dev/pto3. */
static const char *device_path(const char *device)
{
	static char path[64];

	if (!device || !*device || device[strspn(device, "0123456789")])
		return device;
	snprintf(path, sizeof(path), "/dev/pto%.16s", device);
	return path;
}

struct pto_context *open_device(const struct options *opt)
{
	struct pto_context *ctx;

	if (pto_open(opt->device, &ctx)) {
		fprintf(stderr, "ptoctl: %s\n", pto_open_error());
		return NULL;
	}
	return ctx;
}

const char *human_size(uint64_t bytes, char *text)
{
	static const char * const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	int unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(text, 16, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

const char *hex(const uint8_t *bytes, size_t len, char *text)
{
	text[0] = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

const char *arch_name(const struct pto_device_info *info, char *text)
{
	snprintf(text, 17, "%.16s", (const char *)info->arch_name);
	return text;
}

static int run_command(const char *name, struct options *opt)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, name))
			continue;
		if (opt->device && !command->takes_device)
			return wrong_usage("no device is used by this command", name);
		if (opt->debug && !command->takes_debug)
			return wrong_usage("nothing to debug in this command", name);
		if (opt->file_count && !command->takes_files)
			return wrong_usage("unexpected argument", opt->files[0]);
		if (!opt->file_count && command->takes_files)
			return wrong_usage("no file to inspect", NULL);
		return command->fn(opt);
	}
	return wrong_usage("unknown command", name);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "debug", no_argument, NULL, OPT_DEBUG },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct options opt = { 0 };
	int c, rc;

	while ((c = getopt_long(argc, argv, "d:jhV", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt.device = device_path(optarg);
			break;
		case 'j':
			opt.json = true;
			break;
		case OPT_DEBUG:
			opt.debug = true;
			break;
		case 'h':
			usage(stdout);
			return fflush(stdout) ? EXIT_FAILED : 0;
		case 'V':
			printf("ptoctl %s\n", pto_version());
			return fflush(stdout) ? EXIT_FAILED : 0;
		default:
			fputs("Try 'ptoctl --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return wrong_usage("no command", NULL);
	opt.files = argv + optind + 1;
	opt.file_count = argc - optind - 1;
	rc = run_command(argv[optind], &opt);
	if (fflush(stdout) || ferror(stdout)) {
		perror("ptoctl: standard output");
		return EXIT_FAILED;
	}
	return rc;
}
