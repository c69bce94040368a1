/* SPDX-License-Identifier: GPL-2.0 */
/* The table of ioctls and their results (uapi/table), as a child of the test that includes this. */
#ifndef PTO_TEST_WHOLE_TABLE_H
#define PTO_TEST_WHOLE_TABLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pttest.h"

/* EXPECT that all rows of the table hold in the environment that the caller has made. */
static inline void expect_whole_table(struct __test_metadata *_metadata)
{
	char line[256];
	FILE *table;

	unsetenv("PTO_TABLE");
	table = popen(pt_path("../uapi/table"), "r");
	ASSERT_NE(NULL, table);
	while (fgets(line, sizeof(line), table)) {
		if (!strncmp(line, "not ok", 6))
			TH_LOG("%s", line);
	}
	EXPECT_EQ(0, pclose(table));
}

#endif /* PTO_TEST_WHOLE_TABLE_H */
