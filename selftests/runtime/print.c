// SPDX-License-Identifier: GPL-2.0
/*
 * Programs as text, for people who look for what goes wrong in one.
 */
#include "program.h"

static const char * const type_names[] = { "in", "out", "inout", "existing", "no_dep" };

static const char * const dtype_names[] = {
	"f32", "f16", "i32", "i16", "i8", "u8", "bf16", "i64", "u64", "u16", "u32", "bool",
	"f8e4m3fn", "f8e8m0", "f4e2m1",
};

static const char * const compare_names[] = { "==", "!=", "<", "<=", ">", ">=" };

static void print_list(const char *name, const uint32_t *values, uint32_t count, FILE *to)
{
	uint32_t i;

	fprintf(to, "%s[", name);
	for (i = 0; i < count; i++)
		fprintf(to, "%s%u", i ? "," : "", values[i]);
	fprintf(to, "]");
}

static void print_view(const struct arg *arg, FILE *to)
{
	const struct pto_tensor *t = &arg->view;

	fprintf(to, "b%u as %s", arg->base, dtype_names[t->dtype]);
	print_list("", t->shapes, t->ndims, to);
	print_list(" strides ", t->strides, t->ndims, to);
	fprintf(to, " offset %llu%s", (unsigned long long)t->start_offset,
		t->manual_dep ? " manual_dep" : "");
	if (t->version)
		fprintf(to, " version %d", t->version);
}

static void print_new(const struct arg *arg, FILE *to)
{
	fprintf(to, "b%u = new %s", arg->base, dtype_names[arg->create.dtype]);
	print_list("", arg->create.shapes, arg->create.ndims, to);
	if (arg->create.has_initial_value)
		fprintf(to, " of 0x%llx", (unsigned long long)arg->create.initial_value);
}

static void print_args(const struct op *op, FILE *to)
{
	uint32_t i;

	for (i = 0; i < op->arg_count; i++) {
		fprintf(to, "\n#        %-8s ", type_names[op->arg[i].type]);
		if (op->arg[i].type == PTO_ARG_OUTPUT)
			print_new(&op->arg[i], to);
		else
			print_view(&op->arg[i], to);
	}
}

static void print_submit(const struct op *op, FILE *to)
{
	fprintf(to, "submit%s%s%s%s", op->parts & 1 ? " AIC" : "", op->parts & 2 ? " AIV0" : "",
		op->parts & 4 ? " AIV1" : "", op->parts ? "" : " dummy");
	if (op->blocks > 1)
		fprintf(to, ", %u blocks", op->blocks);
	fprintf(to, "%s%s%s%s", op->ways & WAY_SYNC ? ", sync_start" : "",
		op->ways & WAY_MEET ? ", kernels meet" : "", op->ways & WAY_SPIN ? ", spinning" : "",
		op->ways & WAY_LATER ? ", results come later" : "");
	if (op->dep_count > op->extra_count)
		print_list(", needs tasks ", op->dep + op->extra_count,
			   op->dep_count - op->extra_count, to);
	if (op->extra_count)
		print_list(", after tasks ", op->dep, op->extra_count, to);
	if (op->conditional) {
		fprintf(to, "\n#        if       ");
		print_view(&op->condition, to);
		print_list(" at ", op->index, op->condition.view.ndims, to);
		fprintf(to, " %s %lld", compare_names[op->compare], (long long)op->value);
	}
	print_args(op, to);
}

static void print_op(const struct op *op, FILE *to)
{
	switch (op->kind) {
	case OP_NONE:
		break;
	case OP_SUBMIT:
		print_submit(op, to);
		break;
	case OP_ALLOC:
		fprintf(to, "alloc");
		print_args(op, to);
		break;
	case OP_GET:
	case OP_SET:
		fprintf(to, op->kind == OP_GET ? "get " : "set ");
		print_view(&op->arg[0], to);
		print_list(" at ", op->index, op->arg[0].view.ndims, to);
		break;
	case OP_BEGIN:
		fprintf(to, op->mode == PTO_SCOPE_AUTO ? "AUTO scope" : "MANUAL scope");
		break;
	case OP_END:
		fprintf(to, "scope ends");
		break;
	}
}

/** program_print() - write a program as comments of TAP */
void program_print(const struct program *p, FILE *to)
{
	uint32_t i, depth = 0;

	fprintf(to, "# program of seed %llu: %s, orchestrated on the %s, %u workers\n",
		(unsigned long long)p->seed, p->arch == PTO_ARCH_A5 ? "a5" : "a2a3",
		p->kind == KIND_HOST ? "host" : "device", p->workers);
	for (i = 0; i < PTO_RING_DEPTHS; i++)
		fprintf(to, "# ring %u: window %llu, heap %llu, dep_pool %llu\n", i,
			(unsigned long long)p->rings.task_window[i],
			(unsigned long long)p->rings.heap[i],
			(unsigned long long)p->rings.dep_pool[i]);
	for (i = 0; i < p->external_count; i++) {
		fprintf(to, "# b%u is %s", i, dtype_names[p->external[i].dtype]);
		print_list("", p->external[i].shapes, p->external[i].ndims, to);
		fprintf(to, " from outside\n");
	}
	for (i = 0; i < p->op_count; i++) {
		if (p->op[i].kind == OP_NONE)
			continue;
		depth -= p->op[i].kind == OP_END;
		fprintf(to, "# %4u: %*s", i, 2 * (int)depth, "");
		print_op(&p->op[i], to);
		fprintf(to, "\n");
		depth += p->op[i].kind == OP_BEGIN;
	}
}
