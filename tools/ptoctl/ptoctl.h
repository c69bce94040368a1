/* SPDX-License-Identifier: MIT */
/* ptoctl: commands and the JSON writer they share. */
#ifndef PTOCTL_H
#define PTOCTL_H

#include <stdbool.h>
#include <stdint.h>

#include <pto/pto.h>

/* Exit status. */
#define EXIT_FAILED	1	/* a device cannot be opened, an object is bad */
#define EXIT_USAGE	2	/* the command line is wrong */

/**
 * struct options - what the command line says
 * @device: device node, or NULL for the default
 * @json: answer in JSON
 * @debug: with what is not stable
 * @files: arguments behind the command
 * @file_count: how many
 */
struct options {
	const char *device;
	bool json;
	bool debug;
	char **files;
	int file_count;
};

/* Commands. Return: exit status. */
int cmd_list(const struct options *opt);
int cmd_info(const struct options *opt);
int cmd_stats(const struct options *opt);
int cmd_inspect(const struct options *opt);
int cmd_errors(const struct options *opt);

/* open_device() - the device of -d. NULL, and a message is printed, if it fails. */
struct pto_context *open_device(const struct options *opt);

/* human_size() - "16.0 GiB"; @text has at least 16 bytes. Return: @text */
const char *human_size(uint64_t bytes, char *text);

/* hex() - @len bytes as digits; @text has 2 * @len + 1. Return: @text */
const char *hex(const uint8_t *bytes, size_t len, char *text);

/* arch_name() - its name with a NUL behind it; @text has 17 bytes. Return: @text */
const char *arch_name(const struct pto_device_info *info, char *text);

/*
 * JSON on standard output. @key is NULL in an array and for the outermost value. Text that
 * is not UTF-8 is made so: each byte that does not belong there becomes U+FFFD.
 */
void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_string(const char *key, const char *value);
void json_u64(const char *key, uint64_t value);
void json_i64(const char *key, int64_t value);
void json_bool(const char *key, bool value);

/* json_device() - the members of a device's description */
void json_device(const struct pto_device_info *info);

#endif /* PTOCTL_H */
