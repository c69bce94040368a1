# SPDX-License-Identifier: MIT

bench-src := $(addprefix tools/bench/,run_latency.c counters.c floors.c pingpong.c)
FLAG_DIRS += tools/bench
CFLAGS-tools/bench := -Itools/bench -fno-builtin-malloc

bench-libs = -L$(O)/lib -lpto -Wl,-rpath,'$$ORIGIN/../lib'

$(eval $(call program,run_latency,$(bench-src),$$(bench-libs),$(O)/lib/libpto.so))
$(eval $(call device_object,bench/empty_orch.so,tools/bench/empty_orch.c))
PROGRAMS += $(O)/bin/run_latency $(O)/bench/empty_orch.so

# --- task_runtimes --------------------------------------------------------------------
#
# The driver, and a program for each runtime, in bench/. Other runtimes than ours need
# packages (tools/setup/deps.sh bench), so only "make bench" builds their programs.

tr := tools/bench/task_runtimes
tr-src := $(addprefix $(tr)/,task_runtimes.c measure.c peer.c report.c plot.c graph.c kernel.c)
tr-common := $(addprefix $(tr)/,backend_main.c graph.c kernel.c)
tr-engine := $(wildcard libpto/runtime/*.c) $(wildcard sim/device/engine*.c) \
	$(addprefix sim/device/,aicpu.c aicore.c)

# Its headers are not up to our warnings.
tr-starpu-cflags = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags starpu-1.3))
tr-starpu-libs = $(shell pkg-config --libs starpu-1.3)

$(eval $(call program,task_runtimes,$(tr-src),-lm))

# $(call runtime,NAME,BACKEND.c,COMPILER,COMPILER FLAGS,LINKER FLAGS,MORE SOURCES)
define runtime
$(O)/obj/$(tr)/$(1).o: $(tr)/$(2)
	@mkdir -p $$(@D)
	$$(call quiet,CC,$(3) $$(PTO_CFLAGS) $(4) $$(CFLAGS) -c $$< -o $$@)

$(O)/bench/task_runtimes-$(1): $(O)/obj/$(tr)/$(1).o $(call objs,$(tr-common) $(6))
	@mkdir -p $$(@D)
	$$(call quiet,LD,$(3) $$(PTO_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $(5))

device_deps += $(O)/obj/$(tr)/$(1).d
all_objs += $(call objs,$(tr-common) $(6))
endef

$(eval $(call runtime,pto,backend_pto.c,$$(CC),,,$(tr-engine)))
$(eval $(call runtime,pto-views,backend_pto.c,$$(CC),-DPTO_VIEWS,,$(tr-engine)))
$(eval $(call runtime,libgomp,backend_openmp.c,gcc,-fopenmp,-fopenmp))
$(eval $(call runtime,libomp,backend_openmp.c,clang,-fopenmp=libomp,-fopenmp=libomp))
$(eval $(call runtime,starpu,backend_starpu.c,$$(CC),$$(tr-starpu-cflags),$$(tr-starpu-libs)))

BENCH_PEERS := $(addprefix $(O)/bench/task_runtimes-,libgomp libomp starpu)
PROGRAMS += $(O)/bin/task_runtimes $(addprefix $(O)/bench/task_runtimes-,pto pto-views)

.PHONY: bench-peers
bench-peers: $(BENCH_PEERS)
