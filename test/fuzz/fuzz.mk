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
FUZZ_PARSE := $(wildcard mod_osproxy/parse/*.c)
FUZZ_AUDIT := mod_osproxy/rule.c $(filter-out $(addprefix mod_osproxy/audit/,audit.c collect.c \
	certificate.c settle.c),$(wildcard mod_osproxy/audit/*.c))
FUZZ_PAGE := mod_osproxy/watch/model.c $(filter-out mod_osproxy/status/status.c, \
	$(wildcard mod_osproxy/status/*.c))
FUZZ_HEADERS := $(wildcard mod_osproxy/parse/*.h test/fuzz/*.h)

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

$(FUZZ_OUT)/replay_audit $(FUZZ_OUT)/fuzz_audit: $(FUZZ_AUDIT) $(wildcard mod_osproxy/audit/*.h) \
	test/unit/config.h

$(FUZZ_OUT)/replay_page $(FUZZ_OUT)/fuzz_page: $(FUZZ_AUDIT) $(FUZZ_PAGE) \
	$(wildcard mod_osproxy/*/*.h) test/unit/config.h test/unit/view.h

$(FUZZ_OUT)/replay_%: test/fuzz/fuzz_%.c test/fuzz/standalone.c $(FUZZ_PARSE) $(FUZZ_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=$(FUZZ_SANITIZE) -fno-sanitize-recover=all -o $@ \
		$(filter %.c,$^) $(LIBRARIES)

$(FUZZ_OUT)/fuzz_%: test/fuzz/fuzz_%.c $(FUZZ_PARSE) $(FUZZ_HEADERS)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(FUZZ_CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,$(FUZZ_SANITIZE) -fno-sanitize-recover=all -o $@ \
		$(filter %.c,$^) $(LIBRARIES)
