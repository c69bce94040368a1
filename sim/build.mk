# SPDX-License-Identifier: MIT
#
# The simulator: lib/libptosim.so (driver core, device and interposer in one), the same as an
# archive, and bin/ptod (the device as a process).
#
#   OBJCOPY=PROGRAM   default: the one that belongs to $(CC)

SIM_CORE_SRC := $(wildcard kmod/core/*/*.c)
SIM_KERNEL_SRC := $(wildcard sim/kernel/*.c)
SIM_DEVICE_SRC := $(wildcard sim/device/*.c) $(wildcard libpto/runtime/*.c)
SIM_PRELOAD_SRC := $(wildcard sim/preload/*.c)
SIM_SRC := $(SIM_CORE_SRC) $(SIM_KERNEL_SRC) $(SIM_DEVICE_SRC) $(SIM_PRELOAD_SRC)
SIM_PTOD_SRC := $(wildcard sim/ptod/*.c)
SIM_LIBS := -lnettle -ldl -lm

# The core is compiled with the simulator's version of the kernel's headers, and so are its callers.
FLAG_DIRS += kmod/core sim/kernel sim/device sim/preload sim/ptod
# Kernel code relies on the absence of type-based alias analysis.
SIM_KERNEL_FLAGS := -Isim/kernel/include -Isim/kernel -Ikmod/core -fno-strict-aliasing
CFLAGS-kmod/core := $(SIM_KERNEL_FLAGS)
CFLAGS-sim/kernel := $(SIM_KERNEL_FLAGS)
# Fortification would replace the functions that the interposer defines.
CFLAGS-sim/preload := -Isim/device $(SIM_KERNEL_FLAGS) -U_FORTIFY_SOURCE
CFLAGS-sim/ptod := -Isim/device

SIM_MAP := sim/preload/libptosim.map
# The library binds its calls to its own functions, even if another library is preloaded before it
# (a sanitizer's runtime).
SIM_FLAGS := -Wl,--version-script=$(SIM_MAP) -Wl,-Bsymbolic-functions $(if $(SAN),,-Wl$(comma)-z$(comma)defs)
# ThreadSanitizer starts with the first constructor of what is instrumented. In a program that is not,
# the constructor of another library may call an interposed function before (libselinux: statfs()).
SIM_FLAGS += $(if $(findstring thread,$(SAN)),-Wl$(comma)-z$(comma)initfirst)

$(eval $(call shared,libptosim.so,$(SIM_SRC),$(SIM_LIBS),$$(SIM_FLAGS),$(SIM_MAP)))

# The archive is one object in which only the interposed functions are global: libpto has the task
# runtime, too, and the names of the rest are nobody else's business.
OBJCOPY ?= $(shell $(CC) -print-prog-name=objcopy)
# With -flto, gcc must be told to generate machine code here; clang with its own linker does so.
RELOCATABLE = $(shell $(CC) -flinker-output=nolto-rel -E -x c /dev/null >/dev/null 2>&1 && \
	echo -flinker-output=nolto-rel) $(filter -fuse-ld=%,$(LDFLAGS))

$(O)/obj/sim/interposed: $(SIM_MAP)
	@mkdir -p $(@D)
	@sed '1,/^global:/d; /^local:/,$$d' $< | tr -d '\t\n' | tr ';' '\n' | tr -d ' ' >$@

$(O)/obj/sim/libptosim.o: $(O)/obj/sim/interposed $(call objs,$(SIM_SRC))
	$(call quiet,LD,$(CC) -r -nostdlib $(RELOCATABLE) -o $@.all $(filter %.o,$^))
	@$(OBJCOPY) --keep-global-symbols=$< $@.all $@
	@rm $@.all

$(O)/lib/libptosim.a: $(O)/obj/sim/libptosim.o
	@mkdir -p $(@D)
	@rm -f $@
	$(call quiet,AR,$(AR) rcs $@ $^)

LIBS += $(O)/lib/libptosim.so $(O)/lib/libptosim.a
INSTALL_LIBS += $(O)/lib/libptosim.so $(O)/lib/libptosim.a
INSTALL_MANS += $(wildcard sim/preload/*.7 sim/ptod/*.[0-9])

ifneq ($(SIM_PTOD_SRC),)
$(eval $(call program,ptod,$(SIM_PTOD_SRC) $(SIM_DEVICE_SRC),$(SIM_LIBS)))
PROGRAMS += $(O)/bin/ptod
endif
