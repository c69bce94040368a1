// SPDX-License-Identifier: GPL-2.0
/*
 * A crash of code of a callable in the process of the application: it is said which code it was,
 * and everything else is as without the simulator: how the process ends, and which handlers the
 * application gets to see.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pto/pto.h>

#include "pttest.h"
#include "../device/crash.h"

#define CID	9

/* When the application installs its handler. */
enum handler { NEVER, BEFORE, AFTER, BEFORE_RETURNS, BEFORE_JUMPS };

struct crash {
	uint32_t kind;
	enum crash_where where;
	enum crash_how how;
	enum handler handler;
};

/* --- the child, which crashes -------------------------------------------------------- */

static const int all[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static sigjmp_buf back;

static void end_handler(int signal, siginfo_t *info, void *ucontext)
{
	static const char said[] = "handler of the application\n";

	if (write(STDERR_FILENO, said, sizeof(said) - 1) < 0 || !ucontext)
		_exit(1);
	_exit(info->si_signo == signal ? 42 : 1);
}

/* As many runtimes do: not mine, so the default. */
static void return_handler(int number)
{
	signal(number, SIG_DFL);
}

static void jump_handler(int signal)
{
	siglongjmp(back, signal);
}

static void install(enum handler handler)
{
	struct sigaction action = { .sa_sigaction = end_handler, .sa_flags = SA_SIGINFO };
	size_t i;

	if (handler == BEFORE_RETURNS)
		action = (struct sigaction) { .sa_handler = return_handler };
	if (handler == BEFORE_JUMPS)
		action = (struct sigaction) { .sa_handler = jump_handler };
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigaction(all[i], &action, NULL);
}

/* The place that constructors and destructors ask for. */
static void set_place(int where)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", where);
	setenv(CRASH_WHERE, text, 1);
}

static int prepare(struct pto_context *ctx, uint32_t kind)
{
	struct pto_callable *callable;

	if (pto_callable_load(pt_object("orch_crashes"), &callable) ||
	    pto_callable_add_kernel(callable, 5, PTO_CORE_AIV, pt_object("kernel_crashes")) ||
	    pto_callable_set_kind(callable, kind))
		return -1;
	return pto_prepare(ctx, CID, callable);
}

/*
 * Nothing has crashed in a run. The object is unloaded when the driver has seen that the run is
 * over, at the latest when it next looks after the device by itself. An object that is prepared
 * meanwhile shares what is still loaded.
 */
static int crash_when_unloaded(struct pto_context *ctx)
{
	set_place(IN_DESTRUCTOR);
	if (pto_unprepare(ctx, CID))
		return 3;
	alarm(60);
	pause();
	return 4;
}

static int child(const struct crash *crash)
{
	static const struct rlimit none;
	struct pto_args *args = pto_args_new();
	struct pto_context *ctx;
	size_t i;

	setrlimit(RLIMIT_CORE, &none);
	/* Without those of a sanitizer */
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		signal(all[i], SIG_DFL);
	if (crash->handler != NEVER && crash->handler != AFTER)
		install(crash->handler);
	if (crash->where == IN_CONSTRUCTOR)
		set_place(IN_CONSTRUCTOR);
	if (pto_open("/dev/pto0", &ctx) || prepare(ctx, crash->kind) < 0)
		return 1;
	if (crash->handler == AFTER)
		install(AFTER);
	pto_args_add_scalar(args, crash->where);
	pto_args_add_scalar(args, crash->how);
	if (crash->handler == BEFORE_JUMPS && sigsetjmp(back, 1))
		return 43;
	if (pto_run(ctx, CID, args, NULL, NULL))
		return 2;
	return crash_when_unloaded(ctx);
}

/* --- the tests -------------------------------------------------------------------------- */

/* Before the simulator makes threads: after a fork ThreadSanitizer allows none. */
static int crashed(const struct crash *crash, char *text, size_t size)
{
	int status = 0, said = memfd_create("said", MFD_CLOEXEC);
	pid_t pid = fork();
	ssize_t length;

	if (!pid) {
		dup2(said, STDERR_FILENO);
		_exit(child(crash));
	}
	waitpid(pid, &status, 0);
	length = pread(said, text, size - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(said);
	return status;
}

static void expect_crash(struct __test_metadata *_metadata, const struct crash *crash, int signal,
			 const char *name, const char *place)
{
	char text[2048], begin[64];
	int status = crashed(crash, text, sizeof(text));

	if (crash->handler == NEVER || crash->handler == BEFORE_RETURNS) {
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) {
			TH_LOG("%s: wait status 0x%x: %s", name, status, text);
		}
	} else {
		EXPECT_TRUE(WIFEXITED(status));
		EXPECT_EQ(crash->handler == BEFORE_JUMPS ? 43 : 42, WEXITSTATUS(status)) {
			TH_LOG("%s: %s", name, text);
		}
	}
	if (crash->handler == BEFORE || crash->handler == AFTER)
		EXPECT_NE(NULL, strstr(text, "handler of the application\n"));
	snprintf(begin, sizeof(begin), "pto: %s", name);
	/* A handler that is installed later is the only one. */
	if (crash->handler == AFTER) {
		EXPECT_EQ(NULL, strstr(text, begin));
		return;
	}
	EXPECT_EQ(0, strncmp(text, begin, strlen(begin))) {
		TH_LOG("%s: \"%s\"", name, text);
	}
	EXPECT_NE(NULL, strstr(text, place)) {
		TH_LOG("%s: no \"%s\" in \"%s\"", name, place, text);
	}
	/* Once */
	EXPECT_EQ(NULL, strstr(text + 1, "pto: "));
}

static const char in_kernel[] = "in the kernel of func_id 5, task 0x";
static const char in_orchestration[] = "in the orchestration, callable cid 9 of context ";
static const char in_config[] = "in the configuration function, callable cid 9 of context ";
static const char in_call[] =
	"in a constructor or destructor of a callable's object, instruction 0x";
static const char in_graph[] = "in the orchestration orch_crashes.so, host graph, cid 9, ";

/* With a driver the code is not in this process, except that of host graphs. */
#define ON_SIMULATOR() do { \
	int found_ = access("/dev/pto0", F_OK); \
	PT_NEED(found_, 0); \
	if (!pt_simulator()) \
		SKIP(return, "not on the simulator"); \
} while (0)

#define EXPECT_CRASH(signal, place, ...) \
	expect_crash(_metadata, &(const struct crash) { __VA_ARGS__ }, signal, #signal, place)

TEST(kernel_is_named)
{
	ON_SIMULATOR();
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_ADDRESS, NEVER);
	EXPECT_CRASH(SIGSEGV, "callable cid 9 of context ", PTO_KIND_DEVICE_ORCH, IN_KERNEL,
		     BY_ADDRESS, NEVER);
	EXPECT_CRASH(SIGSEGV, " at address 0x10 in the kernel", PTO_KIND_DEVICE_ORCH, IN_KERNEL,
		     BY_ADDRESS, NEVER);
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_HOST_GRAPH, IN_KERNEL, BY_ADDRESS, NEVER);
	EXPECT_CRASH(SIGILL, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_TRAP, NEVER);
	EXPECT_CRASH(SIGABRT, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_ABORT, NEVER);
	EXPECT_CRASH(SIGFPE, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_FPE, NEVER);
	EXPECT_CRASH(SIGBUS, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_BUS, NEVER);
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_STACK, NEVER);
}

TEST(orchestration_is_named)
{
	ON_SIMULATOR();
	EXPECT_CRASH(SIGSEGV, in_orchestration, PTO_KIND_DEVICE_ORCH, IN_ORCHESTRATION, BY_ADDRESS,
		     NEVER);
	EXPECT_CRASH(SIGABRT, in_orchestration, PTO_KIND_DEVICE_ORCH, IN_ORCHESTRATION, BY_ABORT,
		     NEVER);
	EXPECT_CRASH(SIGSEGV, in_orchestration, PTO_KIND_DEVICE_ORCH, IN_ORCHESTRATION, BY_STACK,
		     NEVER);
	EXPECT_CRASH(SIGILL, in_config, PTO_KIND_DEVICE_ORCH, IN_CONFIG, BY_TRAP, NEVER);
}

TEST(host_graph_is_named)
{
	ON_SIMULATOR();
	EXPECT_CRASH(SIGSEGV, in_graph, PTO_KIND_HOST_GRAPH, IN_ORCHESTRATION, BY_ADDRESS,
		     NEVER);
	EXPECT_CRASH(SIGABRT, in_graph, PTO_KIND_HOST_GRAPH, IN_ORCHESTRATION, BY_ABORT,
		     NEVER);
	EXPECT_CRASH(SIGILL, in_graph, PTO_KIND_HOST_GRAPH, IN_CONFIG, BY_TRAP, NEVER);
}

TEST(constructors_and_destructors_are_named)
{
	ON_SIMULATOR();
	EXPECT_CRASH(SIGSEGV, in_call, PTO_KIND_DEVICE_ORCH, IN_CONSTRUCTOR, BY_NOTHING, NEVER);
	EXPECT_CRASH(SIGSEGV, in_call, PTO_KIND_DEVICE_ORCH, IN_DESTRUCTOR, BY_NOTHING, NEVER);
	EXPECT_CRASH(SIGSEGV, "in a constructor of orch_crashes.so, host graph, ",
		     PTO_KIND_HOST_GRAPH, IN_CONSTRUCTOR, BY_NOTHING, NEVER);
	EXPECT_CRASH(SIGSEGV, "in a destructor of orch_crashes.so, host graph, ",
		     PTO_KIND_HOST_GRAPH, IN_DESTRUCTOR, BY_NOTHING, NEVER);
}

TEST(handlers_of_the_application_are_called)
{
	ON_SIMULATOR();
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_ADDRESS, BEFORE);
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_ADDRESS, AFTER);
	EXPECT_CRASH(SIGSEGV, in_graph, PTO_KIND_HOST_GRAPH, IN_ORCHESTRATION, BY_ADDRESS, BEFORE);
	EXPECT_CRASH(SIGABRT, in_orchestration, PTO_KIND_DEVICE_ORCH, IN_ORCHESTRATION, BY_ABORT,
		     BEFORE);
	EXPECT_CRASH(SIGSEGV, in_kernel, PTO_KIND_DEVICE_ORCH, IN_KERNEL, BY_ADDRESS,
		     BEFORE_RETURNS);
	EXPECT_CRASH(SIGSEGV, in_graph, PTO_KIND_HOST_GRAPH, IN_ORCHESTRATION, BY_ADDRESS,
		     BEFORE_JUMPS);
}

/* What crashes outside of a callable, beside a device. */
static int crash_of_the_application(int how, char *text, size_t size)
{
	int status, said = memfd_create("said", MFD_CLOEXEC);
	pid_t pid = fork();
	static const struct rlimit none;
	struct pto_context *ctx;
	ssize_t length;

	if (!pid) {
		dup2(said, STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, how == 3 ? SIG_IGN : SIG_DFL);
		if (pto_open("/dev/pto0", &ctx) || prepare(ctx, PTO_KIND_HOST_GRAPH) < 0)
			_exit(1);
		if (how == 0)
			*(volatile char *)(uintptr_t)getpid() = 0;
		if (how == 1)
			kill(getpid(), SIGSEGV);
		if (how == 2)
			abort();
		raise(SIGABRT);
		_exit(44);
	}
	waitpid(pid, &status, 0);
	length = pread(said, text, size - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	close(said);
	return status;
}

TEST(crashes_of_the_application_are_its_own)
{
	static const int signals[] = { SIGSEGV, SIGSEGV, SIGABRT };
	char text[1024];
	int i, status;

	ON_SIMULATOR();
	for (i = 0; i < 3; i++) {
		status = crash_of_the_application(i, text, sizeof(text));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]) {
			TH_LOG("%d: wait status 0x%x", i, status);
		}
		EXPECT_STREQ("", text);
	}
	/* What is ignored stays so. */
	status = crash_of_the_application(3, text, sizeof(text));
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 44);
}

TEST_HARNESS_MAIN
