// SPDX-License-Identifier: MIT
/*
 * The simulator's environment variables, read once at the first use of a device.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pto.h>

#include "preload.h"
#include "raw.h"

#define SIM_MAX_WORKERS 256
#define SIM_MIN_MEMORY (64ULL << 20)
#define SIM_MAX_MEMORY (1ULL << 44)
#define SIM_MAX_TIMEOUT_MS (24ULL * 3600 * 1000)

static struct sim_config config = { .devices = 1 };
static pthread_once_t config_once = PTHREAD_ONCE_INIT;

void sim_say(const char *format, ...)
{
	int saved = errno;
	char line[512];
	va_list args;
	int length;

	length = snprintf(line, sizeof(line), "pto: ");
	va_start(args, format);
	length += vsnprintf(line + length, sizeof(line) - 1 - (size_t)length, format, args);
	va_end(args);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	sim_raw(SYS_write, 2, line, length);
	errno = saved;
}

static void wrong(const char *name, const char *value, const char *expected)
{
	if (!config.error)
		sim_say("%s=\"%s\" is not valid: %s", name, value, expected);
	config.error = -EINVAL;
}

/*
 * A decimal number in [min, max]. Text may follow it only if the caller passes @end, which then
 * points to that text.
 */
static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out, const char **end)
{
	uint64_t value = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	if (end)
		*end = text;
	else if (*text)
		return false;
	*out = value;
	return value >= min && value <= max;
}

static bool size(const char *text, uint64_t *out)
{
	unsigned int shift = 0;
	uint64_t value;
	const char *end;

	if (!number(text, 1, UINT64_MAX, &value, &end))
		return false;
	switch (*end) {
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	}
	if (end[shift != 0] || value > SIM_MAX_MEMORY >> shift)
		return false;
	*out = value << shift;
	return *out >= SIM_MIN_MEMORY;
}

static uint32_t arch_of(const char *text, size_t length)
{
	if (length == 4 && !memcmp(text, "a2a3", 4))
		return PTO_ARCH_A2A3;
	if (length == 2 && !memcmp(text, "a5", 2))
		return PTO_ARCH_A5;
	return 0;
}

static void read_arch(const char *name, const char *value)
{
	const char *item = value;
	unsigned int count = 0;
	unsigned int i;

	for (;;) {
		size_t length = strcspn(item, ",");
		uint32_t arch = arch_of(item, length);

		if (!arch || count == config.devices) {
			count = 0;
			break;
		}
		config.arch[count++] = arch;
		if (!item[length])
			break;
		item += length + 1;
	}
	for (i = count; count == 1 && i < config.devices; i++)
		config.arch[i] = config.arch[0];
	if (count != 1 && count != config.devices)
		wrong(name, value, "a2a3 or a5, or a list with one of them for each device");
}

static bool read_fault(const char *item, size_t length)
{
	static const struct {
		const char *name;
		uint64_t *value;
	} faults[] = {
		{ "alloc:", &config.fail_alloc },
		{ "gone:", &config.fail_gone },
		{ "hang:", &config.fail_hang },
		{ "interrupt:", &config.fail_interrupt },
		{ "kick:", &config.fail_kick },
		{ "lost:", &config.fail_lost },
	};
	const char *end;
	size_t i, name;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		name = strlen(faults[i].name);
		if (length > name && !memcmp(item, faults[i].name, name))
			return number(item + name, 1, UINT64_MAX, faults[i].value, &end) &&
			       end == item + length;
	}
	return false;
}

static void read_faults(const char *name, const char *value)
{
	const char *item = value;
	size_t length;

	for (;;) {
		length = strcspn(item, ",");
		if (!read_fault(item, length)) {
			wrong(name, value,
			      "a list of alloc:N, gone:N, hang:N, interrupt:N, kick:N, lost:N, with N from 1");
			return;
		}
		if (!item[length])
			return;
		item += length + 1;
	}
}

/* NULL if the variable is unset or empty: both mean the default. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static void read_numbers(void)
{
	const char *name, *value;
	uint64_t n;

	name = "PTO_SIM_DEVICES";
	value = variable(name);
	if (value && !number(value, 1, SIM_MAX_DEVICES, &n, NULL))
		wrong(name, value, "a number from 1 to 16");
	else if (value)
		config.devices = (unsigned int)n;

	name = "PTO_SIM_MEMORY";
	value = variable(name);
	if (value && !size(value, &config.memory_size))
		wrong(name, value, "a size from 64M to 16384G, such as 512M or 4G");

	name = "PTO_SIM_WORKERS";
	value = variable(name);
	if (value && !number(value, 1, SIM_MAX_WORKERS, &n, NULL))
		wrong(name, value, "a number from 1 to 256");
	else if (value)
		config.workers = (uint32_t)n;

	name = "PTO_SIM_TIMEOUT_MS";
	value = variable(name);
	if (value && !number(value, 1, SIM_MAX_TIMEOUT_MS, &n, NULL))
		wrong(name, value, "milliseconds, from 1 to 86400000");
	else if (value)
		config.timeout_ns = n * 1000000;
}

static void read_environment(void)
{
	const char *value;
	unsigned int i;

	read_numbers();
	for (i = 0; i < SIM_MAX_DEVICES; i++)
		config.arch[i] = PTO_ARCH_A2A3;
	value = variable("PTO_SIM_ARCH");
	if (value)
		read_arch("PTO_SIM_ARCH", value);
	value = variable("PTO_SIM_FAIL");
	if (value)
		read_faults("PTO_SIM_FAIL", value);
	value = variable("PTO_SIM_CHECK");
	if (value && !strcmp(value, "1"))
		config.check = 1;
	else if (value && !strcmp(value, "abort"))
		config.check = 2;
	else if (value && strcmp(value, "0"))
		wrong("PTO_SIM_CHECK", value, "0, 1 or abort");
	value = variable("PTO_SIM_TRACE");
	if (value && strcmp(value, "0"))
		config.trace = value;
}

const struct sim_config *sim_config(void)
{
	pthread_once(&config_once, read_environment);
	return &config;
}
