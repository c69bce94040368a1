// SPDX-License-Identifier: MIT
/* Prepares a callable and runs it: minimal vector_add/orch.so vector_add/kernel_add.so */
#include <stdio.h>
#include <pto/pto.h>

int main(int argc, char **argv)
{
	float a[4] = { 1, 2, 3, 4 }, b[4] = { 10, 20, 30, 40 }, sum[4];
	uint32_t shape[] = { 4 };
	struct pto_callable *add;
	struct pto_context *ctx;
	struct pto_args *args;
	int cid, rc;

	if (argc != 3)
		return fprintf(stderr, "usage: %s ORCH.so KERNEL.so\n", argv[0]), 2;
	if (pto_callable_load(argv[1], &add) ||
	    pto_callable_add_kernel(add, 0, PTO_CORE_AIV, argv[2]))
		return fprintf(stderr, "%s\n", pto_callable_error()), 1;
	if (pto_open(NULL, &ctx))
		return fprintf(stderr, "%s\n", pto_open_error()), 1;
	cid = pto_register(ctx, add);			/* once: slow */
	args = pto_args_new();
	pto_args_add_host(args, PTO_IN, a, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_IN, b, PTO_DTYPE_FLOAT32, 1, shape);
	pto_args_add_host(args, PTO_OUT, sum, PTO_DTYPE_FLOAT32, 1, shape);
	rc = cid < 0 ? cid : pto_run(ctx, cid, args, NULL, NULL);	/* often: fast */
	if (rc)
		fprintf(stderr, "%s\n", pto_context_error(ctx));
	else
		printf("%g %g %g %g\n", sum[0], sum[1], sum[2], sum[3]);
	pto_args_free(args);
	pto_callable_free(add);
	pto_close(ctx);
	return rc != 0;
}
