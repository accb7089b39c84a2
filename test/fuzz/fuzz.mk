# Fuzz targets of the pure code: every test/fuzz/fuzz_<target>.c with its corpus, test/fuzz/corpus/
# <target>. fuzz-replay runs the corpora as ordinary tests with gcc and the sanitizers; fuzz looks
# for new inputs with clang's libFuzzer, FUZZ_SECONDS for each target, and leaves what it finds in
# $(OUT)/fuzz. Included from the top; `make -f test/fuzz/fuzz.mk fuzz-replay` works as well.

OUT ?= build/out
FUZZ_CC ?= gcc
FUZZ_CLANG ?= clang
FUZZ_SECONDS ?= 30
# past this a replay hangs
FUZZ_REPLAY_SECONDS ?= 120
FUZZ_OUT := $(OUT)/fuzz
FUZZ_TARGETS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
# All pure code, compiled once for each of the two: what a target does not need is not linked.
FUZZ_SOURCES := mod_osproxy/rule.c mod_osproxy/watch/model.c $(wildcard mod_osproxy/parse/*.c) \
	$(filter-out $(addprefix mod_osproxy/audit/,audit.c collect.c certificate.c settle.c), \
	$(wildcard mod_osproxy/audit/*.c)) \
	$(filter-out mod_osproxy/status/status.c,$(wildcard mod_osproxy/status/*.c))

include build/libraries.mk
FUZZ_CFLAGS := -std=c11 -D_POSIX_C_SOURCE=200809L -g -O1 -Wall -Wextra -Wshadow -Wconversion \
	-Werror -Imod_osproxy -Itest/fuzz -fno-omit-frame-pointer $(LIBRARY_INCLUDES)
FUZZ_SANITIZE := address,undefined

.PHONY: fuzz fuzz-replay $(FUZZ_TARGETS:%=fuzz-%) $(FUZZ_TARGETS:%=fuzz-replay-%)
fuzz: $(FUZZ_TARGETS:%=fuzz-%)
fuzz-replay: $(FUZZ_TARGETS:%=fuzz-replay-%)

$(FUZZ_TARGETS:%=fuzz-replay-%): fuzz-replay-%: $(FUZZ_OUT)/replay_%
	@timeout $(FUZZ_REPLAY_SECONDS) $< test/fuzz/corpus/$*

$(FUZZ_TARGETS:%=fuzz-%): fuzz-%: $(FUZZ_OUT)/fuzz_%
	@mkdir -p $(FUZZ_OUT)/found_$*
	$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		-artifact_prefix=$(FUZZ_OUT)/$*- $(FUZZ_OUT)/found_$* test/fuzz/corpus/$*

FUZZ_COMPILER_replay = $(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=$(FUZZ_SANITIZE) -fno-sanitize-recover=all
FUZZ_COMPILER_fuzz = $(FUZZ_CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZE) \
	-fno-sanitize-recover=all
FUZZ_MAIN_replay := test/fuzz/standalone.c
FUZZ_MAIN_fuzz :=

# $(1): replay or fuzz
define FUZZ_VARIANT
$(FUZZ_OUT)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$(Q)$$(subst fuzzer$$(comma),fuzzer-no-link$$(comma),$$(FUZZ_COMPILER_$(1))) -MMD -MP -c -o $$@ $$<

$(FUZZ_OUT)/$(1)/pure.a: $(FUZZ_SOURCES:%.c=$(FUZZ_OUT)/$(1)/%.o)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^

$(FUZZ_TARGETS:%=$(FUZZ_OUT)/$(1)_%): $(FUZZ_OUT)/$(1)_%: test/fuzz/fuzz_%.c $$(FUZZ_MAIN_$(1)) \
		$(FUZZ_OUT)/$(1)/pure.a test/fuzz/fuzz.h test/unit/config.h test/unit/view.h
	@echo "  CC    $$@"
	$(Q)$$(FUZZ_COMPILER_$(1)) -o $$@ $$(filter %.c %.a,$$^) $$(LIBRARIES)
endef
comma := ,
$(foreach variant,replay fuzz,$(eval $(call FUZZ_VARIANT,$(variant))))

.SECONDARY: $(foreach variant,replay fuzz,$(FUZZ_SOURCES:%.c=$(FUZZ_OUT)/$(variant)/%.o))
-include $(wildcard $(FUZZ_OUT)/*/mod_osproxy/*.d $(FUZZ_OUT)/*/mod_osproxy/*/*.d)
