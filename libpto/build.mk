# SPDX-License-Identifier: MIT
#
# libpto: the library for applications. It contains the part of the task runtime that builds graphs;
# devices execute them.

LIBPTO_SRC := $(wildcard libpto/*.c) \
	$(filter-out libpto/runtime/graph_load.c,$(wildcard libpto/runtime/*.c))
LIBPTO_SO := libpto.so.$(SOVERSION)
# A function of the application does not replace one that the library calls.
LIBPTO_FLAGS := -Wl,-soname,$(LIBPTO_SO) -Wl,-Bsymbolic-functions -Wl,--version-script=libpto/libpto.map \
	$(if $(SAN),,-Wl$(comma)-z$(comma)defs)

$(eval $(call shared,$(LIBPTO_SO),$(LIBPTO_SRC),-lelf,$$(LIBPTO_FLAGS),libpto/libpto.map))

$(O)/lib/libpto.so: $(O)/lib/$(LIBPTO_SO)
	$(call quiet,LN,ln -sf $(LIBPTO_SO) $@)

$(O)/lib/libpto.a: $(call objs,$(LIBPTO_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	$(call quiet,AR,$(AR) rcs $@ $^)

# --- libpto-ffi: the headers' inline functions as symbols (ffi/ffi.c) -------------------

LIBPTO_FFI := libpto-ffi.so.$(SOVERSION)
FFI_HEADERS := $(addprefix $(O)/ffi/pto-ffi/,pto.h tensor.h)
# It depends on libpto, so dlsym() finds the functions of libpto through it, too.
FFI_FLAGS := -Wl,-soname,$(LIBPTO_FFI) -Wl,--version-script=libpto/ffi/libpto-ffi.map \
	-L$(O)/lib -Wl,--no-as-needed -lpto -Wl,--as-needed
FLAG_DIRS += libpto/ffi
CFLAGS-libpto/ffi := -I$(O)/ffi -Wno-missing-prototypes

$(FFI_HEADERS): $(O)/ffi/pto-ffi/%: libpto/include/pto/% libpto/build.mk
	@mkdir -p $(@D)
	@sed 's/^static inline /__attribute__((visibility("default"))) /' $< > $@

$(O)/obj/libpto/ffi/ffi.o: $(FFI_HEADERS)

$(eval $(call shared,$(LIBPTO_FFI),libpto/ffi/ffi.c,,$$(FFI_FLAGS),libpto/ffi/libpto-ffi.map $(O)/lib/libpto.so))

$(O)/lib/libpto-ffi.so: $(O)/lib/$(LIBPTO_FFI)
	$(call quiet,LN,ln -sf $(LIBPTO_FFI) $@)

# --- libpto-drm: buffers and fences of DRM devices, so that libpto does not need libdrm --------

LIBPTO_DRM := libpto-drm.so.$(SOVERSION)
DRM_CFLAGS := $(shell pkg-config --cflags libdrm 2>/dev/null)
DRM_FLAGS := -Wl,-soname,$(LIBPTO_DRM) -Wl,--version-script=libpto/drm/libpto-drm.map -L$(O)/lib
FLAG_DIRS += libpto/drm
CFLAGS-libpto/drm := $(DRM_CFLAGS)

$(eval $(call shared,$(LIBPTO_DRM),libpto/drm/drm.c,-lpto -ldrm,$$(DRM_FLAGS),libpto/drm/libpto-drm.map $(O)/lib/libpto.so))

$(O)/lib/libpto-drm.so: $(O)/lib/$(LIBPTO_DRM)
	$(call quiet,LN,ln -sf $(LIBPTO_DRM) $@)

# --- manual pages -----------------------------------------------------------------------

# A page describes several functions; the others' pages only lead to it. Names are those
# in the page's NAME section.
LIBPTO_PAGES := $(wildcard libpto/man/*.3)
page_names = $(filter-out $(basename $(notdir $(1))),$(shell sed -n 's/^\.Nm \(pto_[a-z0-9_]*\).*/\1/p' $(1)))

define page_aliases
$(patsubst %,$(O)/man/%.3,$(call page_names,$(1))): $(1)
	@mkdir -p $$(@D)
	@echo '.so man3/$(notdir $(1))' > $$@
LIBPTO_ALIASES += $(patsubst %,$(O)/man/%.3,$(call page_names,$(1)))
endef
$(foreach page,$(LIBPTO_PAGES),$(eval $(call page_aliases,$(page))))

LIBS += $(O)/lib/libpto.so $(O)/lib/libpto.a $(O)/lib/libpto-ffi.so $(O)/lib/libpto-drm.so \
	$(LIBPTO_ALIASES)
INSTALL_LIBS += $(O)/lib/$(LIBPTO_SO) $(O)/lib/$(LIBPTO_FFI) $(O)/lib/$(LIBPTO_DRM) $(O)/lib/libpto.a
INSTALL_HEADERS += $(wildcard libpto/include/pto/*.h)
INSTALL_PKGCONFIG += $(patsubst %.in,%,$(wildcard libpto/*.pc.in))
INSTALL_MANS += $(wildcard libpto/man/*.[0-9]) $(LIBPTO_ALIASES)

# $(call same_symbols,LIBRARY,LIST): a command
same_symbols = nm -D --defined-only --with-symbol-versions $(1) | \
	awk '$$2 == "T" { sub("@@", " ", $$3); print $$3 }' | sort | \
	diff -u $(2) - --ignore-matching-lines='^\#' || \
	{ echo "$(1): exports differ from $(2)" >&2; exit 1; }

.PHONY: check-symbols
check-symbols: $(O)/lib/$(LIBPTO_SO) $(O)/lib/$(LIBPTO_DRM)
	@$(call same_symbols,$(O)/lib/$(LIBPTO_SO),libpto/libpto.symbols)
	@$(call same_symbols,$(O)/lib/$(LIBPTO_DRM),libpto/drm/libpto-drm.symbols)
