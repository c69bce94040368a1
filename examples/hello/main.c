// SPDX-License-Identifier: MIT
/* hello: open a device, prepare the smallest callable there is, run it. */
#include <stdio.h>

#include "../common/example.h"

int main(int argc, char **argv)
{
	struct example ex = {
		.name = "hello",
		.about = "Opens a device and runs an orchestration that submits no task.",
		.repetitions = 1,
	};
	struct pto_callable *callable;
	struct pto_device_info info;
	struct pto_result result;
	int cid;

	example_start(&ex, argc, argv);
	if (pto_query_device(ex.ctx, &info))
		example_fail(&ex, "%s", pto_context_error(ex.ctx));
	callable = example_load(&ex, "orch.so");
	cid = example_register(&ex, callable);
	for (unsigned long i = 0; i < ex.repetitions; i++)
		if (pto_run(ex.ctx, cid, NULL, NULL, &result))
			example_fail(&ex, "%s", pto_context_error(ex.ctx));
	printf("hello: /dev/pto%u (%.16s, %u clusters) ran cid %d %lu times; the last run took %.1f us on the device\n",
	       info.index, (const char *)info.arch_name, info.cluster_count, cid, ex.repetitions,
	       (result.end_ns - result.start_ns) / 1e3);
	pto_callable_free(callable);
	pto_close(ex.ctx);
	return 0;
}
