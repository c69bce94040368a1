# SPDX-License-Identifier: MIT

bench-src := tools/bench/run_latency.c tools/bench/counters.c tools/bench/pingpong.c
FLAG_DIRS += tools/bench
CFLAGS-tools/bench := -Itools/bench -fno-builtin-malloc

bench-libs = -L$(O)/lib -lpto -Wl,-rpath,'$$ORIGIN/../lib'

$(eval $(call program,run_latency,$(bench-src),$$(bench-libs),$(O)/lib/libpto.so))
$(eval $(call device_object,bench/empty_orch.so,tools/bench/empty_orch.c))
PROGRAMS += $(O)/bin/run_latency $(O)/bench/empty_orch.so
