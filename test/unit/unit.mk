# Unit tests of the pure code: every test/unit/test_*.c with all of mod_osproxy/parse (test_audit with
# the pure part of mod_osproxy/audit as well), built and run twice, plainly and under AddressSanitizer and UndefinedBehaviorSanitizer. Included from the top;
# `make -f test/unit/unit.mk unit` works as well. UNIT_CC=clang takes the other compiler.

OUT ?= build/out
UNIT_CC ?= gcc
UNIT_OUT := $(OUT)/unit
UNIT_TESTS := $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))
UNIT_PARSE := $(patsubst mod_osproxy/parse/%.c,%,$(wildcard mod_osproxy/parse/*.c))
UNIT_AUDIT := rule $(patsubst mod_osproxy/%.c,%,$(filter-out $(addprefix mod_osproxy/audit/, \
	audit.c collect.c certificate.c settle.c),$(wildcard mod_osproxy/audit/*.c)))

# the pure part of the live page
UNIT_PAGE := watch/model $(patsubst mod_osproxy/%.c,%,$(filter-out mod_osproxy/status/status.c, \
	$(wildcard mod_osproxy/status/*.c)))

include build/libraries.mk
UNIT_CFLAGS := -std=c11 -g -O1 -Wall -Wextra -Wshadow -Wconversion -Werror -Imod_osproxy -MMD -MP \
	$(LIBRARY_INCLUDES)
UNIT_LIBS := -lcmocka $(LIBRARIES)
# past this a test hangs
UNIT_SECONDS ?= 120
# see test/unit/work.h
UNIT_COUNTED := -fsanitize-coverage=trace-pc -Dmemchr=work_memchr -Dmemcmp=work_memcmp \
	-Dmemcpy=work_memcpy
UNIT_FLAGS_plain :=
UNIT_FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: unit unit-plain unit-asan
unit: unit-plain unit-asan

# $(1) is the variant
define UNIT_VARIANT
unit-$(1): $(UNIT_TESTS:%=$(UNIT_OUT)/$(1)/%)
	@test -n "$(UNIT_TESTS)" || { echo "unit: no test/unit/test_*.c" >&2; exit 1; }
	@for program in $$^; do \
		log=$$$$program.log; \
		if timeout $(UNIT_SECONDS) $$$$program > $$$$log 2>&1; then \
			echo "unit ($(1)) $$$$(basename $$$$program):" \
				"$$$$(sed -n 's/.*PASSED  \] \([0-9]*\).*/\1/p' $$$$log | tail -n 1) passed"; \
		else \
			cat $$$$log; echo "unit ($(1)) $$$$(basename $$$$program): failed"; exit 1; \
		fi; \
	done

$(UNIT_TESTS:%=$(UNIT_OUT)/$(1)/%): $(UNIT_OUT)/$(1)/%: $(UNIT_OUT)/$(1)/%.o \
		$(UNIT_OUT)/$(1)/work.o $(UNIT_PARSE:%=$(UNIT_OUT)/$(1)/parse/%.o)
	@echo "  LINK  $$@"
	$(Q)$(UNIT_CC) $(UNIT_FLAGS_$(1)) -o $$@ $$^ $(UNIT_LIBS)

$(UNIT_OUT)/$(1)/test_audit: $(UNIT_AUDIT:%=$(UNIT_OUT)/$(1)/%.o)

$(UNIT_OUT)/$(1)/test_page: $(UNIT_AUDIT:%=$(UNIT_OUT)/$(1)/%.o) $(UNIT_PAGE:%=$(UNIT_OUT)/$(1)/%.o)

$(UNIT_PAGE:%=$(UNIT_OUT)/$(1)/%.o): $(UNIT_OUT)/$(1)/%.o: mod_osproxy/%.c
	@mkdir -p $$(@D)
	@echo "  CC    $$< ($(1))"
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_$(1)) $(UNIT_COUNTED) -c -o $$@ $$<

$(UNIT_AUDIT:%=$(UNIT_OUT)/$(1)/%.o): $(UNIT_OUT)/$(1)/%.o: mod_osproxy/%.c
	@mkdir -p $$(@D)
	@echo "  CC    $$< ($(1))"
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_$(1)) -c -o $$@ $$<

$(UNIT_OUT)/$(1)/%.o: test/unit/%.c
	@mkdir -p $$(@D)
	@echo "  CC    $$< ($(1))"
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_$(1)) -c -o $$@ $$<

$(UNIT_OUT)/$(1)/parse/%.o: mod_osproxy/parse/%.c
	@mkdir -p $$(@D)
	@echo "  CC    $$< ($(1))"
	$(Q)$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_$(1)) $(UNIT_COUNTED) -c -o $$@ $$<
endef
$(foreach variant,plain asan,$(eval $(call UNIT_VARIANT,$(variant))))

.PRECIOUS: $(UNIT_OUT)/plain/%.o $(UNIT_OUT)/asan/%.o
-include $(wildcard $(UNIT_OUT)/*/*.d $(UNIT_OUT)/*/parse/*.d $(UNIT_OUT)/*/audit/*.d \
	$(UNIT_OUT)/*/status/*.d $(UNIT_OUT)/*/watch/*.d)
