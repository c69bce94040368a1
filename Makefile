# SPDX-License-Identifier: MIT
#
# pto: driver stack for PTO accelerators. "make help" lists the targets.

.DEFAULT_GOAL := all
include tools/make/common.mk

# What each folder builds is said in its build.mk, which adds to these lists.
LIBS :=
PROGRAMS :=
EXAMPLES :=
INSTALL_HEADERS :=
INSTALL_LIBS :=
INSTALL_MANS :=
INSTALL_PKGCONFIG :=
include libpto/build.mk sim/build.mk tools/build.mk examples/build.mk

DEPS := tools/setup/deps.sh
SUBMAKE := $(MAKE) --no-print-directory

.PHONY: all libs tools examples
all: libs tools examples modules-if-possible ## everything; the module if kernel headers are there
libs: $(LIBS) ## libpto and the simulator
tools: $(PROGRAMS) ## ptod, ptoctl, benchmarks
examples: $(EXAMPLES) ## callables and their host programs

.PHONY: demo
demo: ## build, then prepare and run vector_example on the simulator
	@$(DEPS) build
	@$(SUBMAKE) -j$$(nproc) libs examples
	@LD_LIBRARY_PATH=$(O)/lib LD_PRELOAD=$(O)/lib/libptosim.so \
		$(O)/examples/vector_example/vector_example

.PHONY: test test-full test-rest
test: ## STAGES="...": the tests to run before a clone is trusted
	@tools/test/run-all --build $(O) $(or $(STAGES),basic)
test-full: ## STAGES="...": every test, on all kernels and with all sanitizers
	@tools/test/run-all --build $(O) $(or $(STAGES),full)
test-rest: ## STAGES="...": those of test-full that test does not run
	@tools/test/run-all --build $(O) $(or $(STAGES),rest)

.PHONY: bench
bench: ## BENCH="...": latencies on the simulator; the task runtime beside others (task_runtimes --help)
	@$(DEPS) build bench
	@$(SUBMAKE) -j$$(nproc) libs tools bench-peers
	@LD_LIBRARY_PATH=$(O)/lib LD_PRELOAD=$(O)/lib/libptosim.so $(O)/bin/run_latency
	@echo
	@$(O)/bin/task_runtimes $(or $(BENCH),--quick)

# --- installation ---------------------------------------------------------------------

DESTDIR ?=
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
# udev reads no rules below other prefixes.
UDEVDIR ?= /usr/lib/udev
INSTALL ?= install

.PHONY: install
install: libs tools modules-if-possible ## DESTDIR= PREFIX= KDIR=: library, headers, tools, man pages, udev rule, module
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
		$(DESTDIR)$(INCLUDEDIR)/pto $(DESTDIR)$(INCLUDEDIR)/linux
	$(INSTALL) -m 755 $(filter-out %.a,$(INSTALL_LIBS)) $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 644 $(filter %.a,$(INSTALL_LIBS)) $(DESTDIR)$(LIBDIR)
	ln -sf libpto.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libpto.so
	ln -sf libpto-ffi.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libpto-ffi.so
	ln -sf libpto-drm.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libpto-drm.so
	$(INSTALL) -m 644 $(INSTALL_HEADERS) $(DESTDIR)$(INCLUDEDIR)/pto
	$(INSTALL) -m 644 uapi/linux/pto.h uapi/linux/pto_device.h $(DESTDIR)$(INCLUDEDIR)/linux
	for pc in $(INSTALL_PKGCONFIG); do \
		sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
			-e 's|@VERSION@|$(VERSION)|; s|@CALLABLE_CFLAGS@|$(CALLABLE_CFLAGS)|' \
			-e 's|@CALLABLE_LIBS@|$(CALLABLE_LIBS)|' $$pc.in \
			> $(DESTDIR)$(LIBDIR)/pkgconfig/$${pc##*/} || exit; \
	done
	$(INSTALL) -m 755 $(O)/bin/ptoctl $(DESTDIR)$(PREFIX)/bin
	$(INSTALL) -m 755 $(O)/bin/ptod $(DESTDIR)$(PREFIX)/sbin
	for page in $(INSTALL_MANS); do \
		$(INSTALL) -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit; \
	done
	$(INSTALL) -D -m 644 kmod/60-pto.rules $(DESTDIR)$(UDEVDIR)/rules.d/60-pto.rules
	@[ ! -e "$(KDIR)/Makefile" ] || { ko=$$(tools/make/kmod.sh $(KDIR) $(O)/kmod) && \
		$(INSTALL) -D -m 644 $$ko \
			$(DESTDIR)/lib/modules/$$(basename $$(dirname $$ko))/updates/pto.ko; }

.PHONY: uninstall
uninstall: ## DESTDIR= PREFIX= KDIR=: remove what install with the same variables has put there
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(notdir $(INSTALL_LIBS)) libpto.so libpto-ffi.so libpto-drm.so \
			$(addprefix pkgconfig/,$(notdir $(INSTALL_PKGCONFIG)))) \
		$(addprefix $(DESTDIR)$(INCLUDEDIR)/pto/,$(notdir $(INSTALL_HEADERS))) \
		$(addprefix $(DESTDIR)$(INCLUDEDIR)/linux/,pto.h pto_device.h) \
		$(DESTDIR)$(PREFIX)/bin/ptoctl $(DESTDIR)$(PREFIX)/sbin/ptod \
		$(DESTDIR)$(UDEVDIR)/rules.d/60-pto.rules
	for page in $(INSTALL_MANS); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done
	-rmdir $(DESTDIR)$(INCLUDEDIR)/pto
	@[ ! -e "$(KDIR)/Makefile" ] || rm -f $(DESTDIR)/lib/modules/$$($(MAKE) -s -C $(KDIR) kernelrelease)/updates/pto.ko

.PHONY: print-version
print-version:
	@echo "VERSION=$(VERSION)"

.PHONY: clean
clean: ## remove what was built
	rm -rf $(O)

.PHONY: help
help: ## this list
	@echo "Targets:"
	@grep -hE '^[a-z-]+:.*##' Makefile tools/build.mk | sort -u | \
		sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | \
		while IFS=$$(printf '\t') read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done
	@echo "Variables:"
	@sed -nE 's/^#   ([A-Z]+=.*)/  \1/p' tools/make/common.mk

-include $(all_objs:.o=.d) $(device_deps)
