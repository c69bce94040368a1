# SPDX-License-Identifier: MIT
#
# The tools, the module, the virtual machines and the tests.

include $(wildcard tools/*/build.mk)

# --- module ---------------------------------------------------------------------------

KDIR ?= /lib/modules/$(shell uname -r)/build

.PHONY: modules modules-if-possible
modules: ## KDIR=DIR: build pto.ko for the kernel whose build tree this is
	@if [ ! -e "$(KDIR)/Makefile" ]; then \
		echo "There is no kernel build tree at $(KDIR)." >&2; \
		echo "Install the headers of the running kernel (apt install linux-headers-$$(uname -r))," >&2; \
		echo "or name another kernel's: make modules KDIR=DIR, such as" >&2; \
		echo '  make modules KDIR=$$(tools/setup/kernel.sh stock-6.1)/build' >&2; \
		exit 1; \
	fi
	@tools/setup/deps.sh module
	@tools/make/kmod.sh $(KDIR) $(O)/kmod

modules-if-possible:
	@if [ -e "$(KDIR)/Makefile" ]; then \
		tools/make/kmod.sh $(KDIR) $(O)/kmod; \
	else \
		echo "  (pto.ko is not built: no headers of the running kernel; see make modules)"; \
	fi

# --- virtual machines -----------------------------------------------------------------

KERNEL ?= stock-6.1

.PHONY: vm-shell
vm-shell: ## KERNEL=NAME: a shell in a virtual machine with the module loaded and ptod running
	@tools/setup/deps.sh build module vm
	@$(MAKE) --no-print-directory libs tools examples
	@tools/vm/run --build $(O) --kernel $(KERNEL) --shell

# --- tests ----------------------------------------------------------------------------

.PHONY: selftests
selftests: ## build the selftests
	@tools/setup/deps.sh build test
	@$(MAKE) --no-print-directory libs tools examples
	@$(MAKE) --no-print-directory -C selftests O=$(abspath $(O)) \
		KSELFTEST_DIR=$(or $(KSELFTEST_DIR),$$(tools/setup/kernel.sh src-6.12)/tools/testing/selftests)

N ?= 20000
SEED ?= $(shell date +%s)

.PHONY: fuzz-runtime
fuzz-runtime: ## N=COUNT SEED=FIRST: random programs on the task runtime, against serial execution
	@tools/setup/deps.sh build test
	@mkdir -p $(O)/selftests/runtime $(O)/fuzz
	@$(MAKE) -s --no-print-directory -C selftests/runtime O=$(abspath $(O)) \
		OUTPUT=$(abspath $(O))/selftests/runtime USERCFLAGS="$(SANFLAGS)" USERLDFLAGS="$(SANFLAGS)" \
		KSELFTEST_DIR=$(or $(KSELFTEST_DIR),$$(tools/setup/kernel.sh src-6.12)/tools/testing/selftests) \
		$(abspath $(O))/selftests/runtime/random_graph
	@exec $(O)/selftests/runtime/random_graph -p -s $(O)/fuzz $(N) $(SEED)

.PHONY: fuzz-objects
fuzz-objects: ## N=COUNT SEED=SEED: objects and host-built graphs with bytes changed, for their readers
	@tools/setup/deps.sh build test
	@$(MAKE) -s --no-print-directory -C selftests TARGETS=fuzz O=$(abspath $(O)) \
		USERCFLAGS="$(SANFLAGS)" USERLDFLAGS="$(SANFLAGS)" \
		KSELFTEST_DIR=$(or $(KSELFTEST_DIR),$$(tools/setup/kernel.sh src-6.12)/tools/testing/selftests)
	@$(O)/selftests/fuzz/objects -p $(N) $(SEED)
	@$(O)/selftests/fuzz/graphs -p $(N) $(SEED)

.PHONY: coverage
coverage: ## which lines of driver core, libpto, runtime and device the selftests execute
	@tools/setup/deps.sh build test
	@MAKE="$(MAKE)" tools/test/coverage --build $(O)-coverage

JOBS ?= 2

.PHONY: mutants
mutants: ## JOBS=N ONLY="PATTERN...": do the selftests find faults that are put into the sources?
	@tools/setup/deps.sh build test
	@tools/mutants/run --build $(abspath $(O))/mutants --jobs $(JOBS) $(ONLY)

.PHONY: fresh
fresh: ## make demo, build, the module for both of Debian's kernels, a virtual machine: on a fresh system
	@tools/test/fresh-root -- tools/test/first-steps

.PHONY: check-style
check-style: ## checkpatch, sparse, floors, header tests, shellcheck, man pages, licence lines
	@tools/setup/deps.sh build module style
	@tools/style/check --build $(O)
