// SPDX-License-Identifier: MIT
/*
 * Start user-mode Linux on a processor with large vector or tile registers.
 *
 *   uml-start PROGRAM ARGUMENTS...
 *
 * UML saves and restores its processes' extended registers with ptrace's NT_X86_XSTATE, in a
 * buffer that suits AVX-512. The host accepts only a whole register state, which with AMX is
 * larger, so on such a machine the first process of every UML dies. If reading the state fails
 * when UML tries it for the first time, UML does without it and keeps only what FXSAVE has.
 * A seccomp filter makes it fail. The C library in UML must then be told to use no AVX
 * (GLIBC_TUNABLES, see boot_uml() in tools/vm/run).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		LOAD(nr),
		SKIP_UNLESS(__NR_ptrace, 3),
		LOAD(args[0]),
		SKIP_UNLESS(PTRACE_GETREGSET, 1),
		RETURN(SECCOMP_RET_ERRNO | EIO),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (argc < 2) {
		fprintf(stderr, "usage: uml-start PROGRAM ARGUMENTS...\n");
		return 125;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
		perror("uml-start: seccomp");
		return 125;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 125;
}
