# mod_osproxy: `make run` shows it at work, `make test` checks all of it, `make help` lists the rest.
# V=1 prints whole commands; CC=clang takes the other compiler; OUT=<folder> builds elsewhere.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
Q := $(if $(V),,@)
OUT ?= build/out
MODULE := $(OUT)/mod_osproxy.so
PYTHON := /usr/bin/python3
ifeq ($(origin CC),default)
CC := gcc
endif

# ---- how httpd was built ------------------------------------------------------------------------

APXS ?= $(firstword $(shell command -v apxs apxs2 2>/dev/null))
ifneq ($(APXS),)
APR_CONFIG := $(or $(shell $(APXS) -q APR_CONFIG),apr-1-config)
APU_CONFIG := $(or $(shell $(APXS) -q APU_CONFIG),apu-1-config)
# The spec files of RHEL's gcc mean nothing to clang, and its package builds set them anyway.
CFLAGS ?= $(filter-out -specs=%,$(shell $(APXS) -q CFLAGS))
CPPFLAGS ?= $(shell $(APXS) -q CPPFLAGS)
HTTPD_FLAGS := $(shell $(APXS) -q EXTRA_CPPFLAGS) $(shell $(APR_CONFIG) --cppflags)
# System folders, so that warnings stay ours; /usr/include is searched anyway.
HTTPD_INCLUDES := $(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(sort \
	-I$(shell $(APXS) -q INCLUDEDIR) \
	$(shell $(APR_CONFIG) --includes) $(shell $(APU_CONFIG) --includes))))
endif

# ---- the module ---------------------------------------------------------------------------------

SOURCES := $(wildcard mod_osproxy/*.c mod_osproxy/*/*.c)
OBJECTS := $(SOURCES:mod_osproxy/%.c=$(OUT)/obj/%.o)
LIBS ?=
include build/libraries.mk
NEEDED := $(LIBRARIES)
SANITIZE ?= # for example -fsanitize=address,undefined; httpd then needs LD_PRELOAD=libasan.so
STRICT := -Wall -Wextra -Wshadow -Werror
COMMON = -fPIC -fvisibility=hidden $(STRICT) -Imod_osproxy $(CPPFLAGS) $(CFLAGS) $(SANITIZE)
# A table of httpd's ends with {NULL}, an idiom that clang would warn about.
GLUE = -std=gnu11 $(COMMON) -Wno-missing-field-initializers $(HTTPD_FLAGS) $(HTTPD_INCLUDES)
PURE = -std=c11 -Wconversion $(COMMON) $(LIBRARY_INCLUDES)
LINK = -shared -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS) $(SANITIZE)
# What compiles a source file: parse/, and audit/ and status/ but for their glue, know no httpd header.
AUDIT_GLUE := $(addprefix mod_osproxy/audit/,audit.c collect.c certificate.c settle.c)
OTHER_GLUE := mod_osproxy/status/status.c
flags_of = $(if $(filter-out $(AUDIT_GLUE) $(OTHER_GLUE),$(filter mod_osproxy/parse/% mod_osproxy/audit/% \
	mod_osproxy/status/% mod_osproxy/watch/model.c,$(1))),$(PURE),$(GLUE))

all: $(MODULE) ## build the module: build/out/mod_osproxy.so

$(MODULE): $(OBJECTS) $(OUT)/obj/flags
	@echo "  LINK  $@"
	$(Q)$(CC) $(LINK) -o $@ $(OBJECTS) $(LIBS) $(NEEDED)

$(OUT)/obj/%.o: mod_osproxy/%.c $(OUT)/obj/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(call flags_of,$<) -MMD -MP -c -o $@ $<

# Changes when the compiler, its flags or the list of files do: then everything is built again.
$(OUT)/obj/flags: FORCE
	@test -n "$(APXS)" || { echo "make: apxs was not found, so httpd's headers are missing;" \
		"'build/setup.sh build' installs them" >&2; exit 1; }
	@test -n "$(OBJECTS)" || { echo "make: mod_osproxy/ has no C files" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(CC) $(GLUE) $(PURE) $(LINK) $(LIBS) $(NEEDED) $(OBJECTS)' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

-include $(OBJECTS:.o=.d)

# ---- run, install -------------------------------------------------------------------------------

run: ## show it at work; BACKEND=http://… DOMAIN=…: your own farm
	@build/setup.sh build run
	@$(MAKE) --no-print-directory all
	@exec build/run.sh

audit: ## check a server's present configuration; CONF=/etc/apache2/apache2.conf, FORMAT=json
	@build/setup.sh build
	@$(MAKE) --no-print-directory -s all
	@APXS="$(APXS)" MODULE="$(MODULE)" CONF="$(CONF)" FORMAT="$(FORMAT)" build/audit.sh

check-live: ## ask a running proxy what is missing; DOMAIN=…, STATUS=http://127.0.0.1/osproxy-status
	@test -n "$(DOMAIN)" || { echo "make: write DOMAIN=<host name of the apps>" >&2; exit 2; }
	@$(PYTHON) build/check_live.py --domain "$(DOMAIN)" $(if $(STATUS),--status "$(STATUS)")

drain: ## take an app server out of a balancer; DOMAIN=…, SERVER=app1.internal, STATE=drain|disable|enable
	@test -n "$(DOMAIN)" || { echo "make: write DOMAIN=<host name of the apps>" >&2; exit 2; }
	@$(PYTHON) build/drain.py --domain "$(DOMAIN)" $(if $(SERVER),--server "$(SERVER)") \
		$(if $(STATE),--state "$(STATE)") $(if $(MANAGER),--manager "$(MANAGER)")

install: all ## install and enable the module; DESTDIR is honoured
	@APXS="$(APXS)" MODULE="$(MODULE)" build/install.sh install

uninstall: ## undo what make install did
	@APXS="$(APXS)" build/install.sh uninstall

setup: ## install the packages that all of this needs
	@build/setup.sh build run package test bench

# ---- packages ----------------------------------------------------------------------------------

dist: ## the source archive: build/out/mod_osproxy-<version>.tar.gz
	@OUT="$(OUT)" build/package.sh dist

deb: ## a Debian package: build/out/packages/libapache2-mod-osproxy_*.deb
	@build/setup.sh build package
	@OUT="$(OUT)" build/package.sh deb

rpm: ## an RPM in the layout of RHEL: build/out/packages/mod_osproxy-*.rpm
	@build/setup.sh build package
	@OUT="$(OUT)" APXS="$(APXS)" build/package.sh rpm

# ---- test ---------------------------------------------------------------------------------------

# Two at a time, in this order; each is a target of its own.
STAGES := all audit-test clang check unit fuzz-replay farm install-test recipes asan http

test: ## everything that gates: a line per stage, a sum at the end
	@build/setup.sh build test
	@$(PYTHON) build/test.py $(STAGES)

clang: ## build with clang as well, into build/out/clang
	@$(MAKE) --no-print-directory CC=clang OUT=$(OUT)/clang CFLAGS=-O0 CPPFLAGS= all

check: $(MODULE) ## do directives, messages, rules, docs, links, symbols agree? spelling, man pages
	@$(PYTHON) build/check_docs.py
	@build/check_text.sh
	@build/check_symbols.sh $(MODULE)

unit: ## unit tests of the pure code, plain and under ASan and UBSan
fuzz-replay: ## run the fuzz corpora as tests
fuzz: ## look for new inputs with libFuzzer (FUZZ_SECONDS=30 per target)
# Both files are included below; without them make says that they are missing.
unit fuzz-replay fuzz: | test/unit/unit.mk test/fuzz/fuzz.mk
-include test/unit/unit.mk test/fuzz/fuzz.mk

farm: ## self test of the demo farm
	@$(PYTHON) -m pytest -q test/farm

http: $(MODULE) ## tests on real httpd, three MPMs (ARGS='-k keep_alive')
	@$(PYTHON) -m pytest -q -n $(JOBS) test/http $(ARGS)
JOBS ?= 4

# What parses foreign bytes, and pins in trouble; ARGS=test/http asks everything.
asan: ## tests on real httpd with the module under ASan and UBSan
	@$(MAKE) --no-print-directory OUT=$(OUT)/asan all CFLAGS=-O1 CPPFLAGS= \
		SANITIZE="-g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
	@OSPROXY_SANITIZE=1 $(PYTHON) -m pytest -q -n $(JOBS) $(or $(ARGS),$(ASAN_TESTS))
ASAN_TESTS := test/http -k "event and not keep_alive and not browser and ((not pinned and (challenge or hostile or walk or \
	every_level or rewritten or compressed or referrer)) or (pinned and faults))"

lab-valgrind: $(MODULE) ## sign-ins through the module under valgrind (some minutes)
	@build/setup.sh test
	@$(PYTHON) test/lab memcheck --mpm prefork
	@$(PYTHON) test/lab memcheck --mpm event

audit-test: $(MODULE) ## the audit over its corpus, its fixes, mutated files
	@$(PYTHON) -m pytest -q -n $(JOBS) --dist=loadgroup test/audit $(ARGS)

recipes: $(MODULE) ## every recipe of conf.d/recipes with real traffic (ARGS='--mpm all': on each of the MPMs)
	@$(PYTHON) -m pytest -q -n $(JOBS) --dist=loadfile test/recipes $(ARGS)

install-test: $(MODULE) ## install and uninstall, Debian's layout and RHEL's
	@test/install/test_install.sh $(MODULE)

packages-test: ## the packages, built, installed, upgraded, purged on a copy of this machine
	@test/packages/test_deb.sh
	@test/packages/test_rpm.sh
	@test/packages/test_container.sh
	@test/packages/test_image.sh

bare-test: ## make run and make test on a Debian that has nothing but git and make (half an hour)
	@test/packages/test_bare.sh

lint: ## gcc, clang; cppcheck, clang-tidy, shellcheck if installed
	@build/lint.sh $(SOURCES)

# ---- measure ------------------------------------------------------------------------------------

bench: $(MODULE) ## what the module costs: instructions and throughput
	@build/setup.sh bench
	@$(PYTHON) test/bench/bench.py $(ARGS)

bench-gate: $(MODULE) ## instructions only; fails above the bar
	@build/setup.sh bench
	@$(PYTHON) test/bench/bench.py --gate $(ARGS)

capacity: ## MPM settings for CLIENTS=9000; MPM=event|worker|prefork, CORES=, MEMORY=MB, BUSY=, PINS=
	@test -n "$(CLIENTS)" || { echo "make: write CLIENTS=<connections at one time>" >&2; exit 2; }
	@$(PYTHON) build/capacity.py --clients "$(CLIENTS)" $(if $(MPM),--mpm "$(MPM)") \
		$(if $(CORES),--cores "$(CORES)") $(if $(MEMORY),--memory "$(MEMORY)") \
		$(if $(BUSY),--busy "$(BUSY)") $(if $(PINS),--pins "$(PINS)")

capacity-test: $(MODULE) ## measure thousands of idle clients: places, newcomers, memory (some minutes)
	@build/setup.sh test
	@$(PYTHON) test/bench/idle_clients.py $(ARGS)

# ---- the rest -----------------------------------------------------------------------------------

compile_commands: compile_commands.json ## compile_commands.json, for clangd and clang-tidy
compile_commands.json: $(OUT)/obj/flags
	@{ echo '['; comma=; $(foreach source,$(SOURCES),printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' \
		"$$comma" '$(CURDIR)' '$(source)' '$(CC) $(call flags_of,$(source)) -c $(source)'; comma=',';) \
		echo ']'; } > $@

clean: ## remove build/out and compile_commands.json
	rm -rf build/out compile_commands.json

help: ## this list
	@awk -F':.*## ' '/^[a-z_-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: all run audit check-live drain install uninstall setup dist deb rpm packages-test bare-test test clang check unit fuzz-replay fuzz \
	farm http asan audit-test recipes lab-valgrind install-test lint bench bench-gate capacity capacity-test \
	compile_commands clean help FORCE
