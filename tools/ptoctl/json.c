// SPDX-License-Identifier: MIT
/* A JSON writer: indents, escapes, sets commas. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ptoctl.h"

static int depth;
static bool empty = true;	/* the innermost object or array has no element yet */

/* Bytes of the UTF-8 character that @s begins with; 0 if it is none. */
static int utf8_length(const unsigned char *s)
{
	int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		s[0] < 0xf5 ? 4 : 0;

	for (int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;	/* too long a form, a surrogate, beyond Unicode */
	return n;
}

static void put_text(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	putchar('"');
	while (*s) {
		int n = utf8_length(s);

		if (!n) {
			fputs("\\ufffd", stdout);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			printf("\\%c", *s);
		} else if (*s < 0x20 || *s == 0x7f) {
			printf("\\u%04x", *s);
		} else {
			fwrite(s, 1, n, stdout);
		}
		s += n;
	}
	putchar('"');
}

static void begin_value(const char *key)
{
	if (depth) {
		if (!empty)
			putchar(',');
		printf("\n%*s", 2 * depth, "");
	}
	empty = false;
	if (key) {
		put_text(key);
		fputs(": ", stdout);
	}
}

void json_open(const char *key, char bracket)
{
	begin_value(key);
	putchar(bracket);
	depth++;
	empty = true;
}

void json_close(char bracket)
{
	depth--;
	if (!empty)
		printf("\n%*s", 2 * depth, "");
	putchar(bracket);
	empty = false;
	if (!depth)
		putchar('\n');
}

void json_string(const char *key, const char *value)
{
	begin_value(key);
	put_text(value);
}

void json_u64(const char *key, uint64_t value)
{
	begin_value(key);
	printf("%" PRIu64, value);
}

void json_i64(const char *key, int64_t value)
{
	begin_value(key);
	printf("%" PRId64, value);
}

void json_bool(const char *key, bool value)
{
	begin_value(key);
	fputs(value ? "true" : "false", stdout);
}
