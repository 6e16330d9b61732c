# The targets are contract: run, stop, test, test-genuine, lint, check-asan,
# check-compat, fault, fuzz, bench, install.  Everything built goes under
# $(BUILD).

BUILD        ?= build
CC           ?= gcc
DESTDIR      ?=
PREFIX       ?= /usr
MODULES_DIR  ?= $(PREFIX)/lib/nginx/modules
NGINX_SRC    ?= /usr/share/nginx/src

# the caller's CFLAGS and LDFLAGS are appended, never lost
SETTER_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Wstrict-prototypes \
                -Wwrite-strings -Wmissing-prototypes -fno-strict-aliasing \
                -D_GNU_SOURCE -I. -Isrc -Iworkers \
                -I/usr/include/postgresql $(CFLAGS)
SETTER_LIBS   = -luv -lcurl -lpq -lyajl -l:libhiredis.a -lssl -lcrypto -lm

SHARED_SRCS   = $(wildcard src/setter_*.c)
WORKER_SRCS   = $(wildcard workers/runtime/*.c workers/queue/*.c \
                workers/reply/*.c workers/llm/*.c workers/channel/*.c \
                workers/ctl/*.c)
# the queue's library: one file for Redis, its parts in this order
LANES         = keys store jobs tenants ready sort due turn claim settings \
                pace look register
LANES_PARTS   = $(LANES:%=workers/queue/lanes/%.lua)
EMBEDDED      = $(BUILD)/lanes.lua $(sort $(wildcard workers/sql/*.sql))
SHARED_OBJS   = $(SHARED_SRCS:%.c=$(BUILD)/%.o)
WORKER_OBJS   = $(WORKER_SRCS:%.c=$(BUILD)/%.o)
PROGRAMS      = $(patsubst workers/%.c,$(BUILD)/%,$(wildcard workers/*.c))
UNIT_TESTS    = $(patsubst t/unit/%.c,$(BUILD)/t/unit/%,$(wildcard t/unit/*.c))
# what runs a fuzzer: over its corpus, or (scripts/fuzz) nothing of ours
FUZZ_MAIN     = $(BUILD)/t/fuzz/replay.o
FUZZERS       = $(patsubst t/fuzz/%.c,$(BUILD)/t/fuzz/%,\
                $(filter-out t/fuzz/replay.c,$(wildcard t/fuzz/*.c)))
MODULE        = $(BUILD)/ngx_http_setter_module.so
# allocators that fail, and a module that asks them for nginx's memory
MEMORY        = $(BUILD)/t/memory/preload.so \
                $(BUILD)/t/memory/ngx_http_setter_module.so
MODULE_SRCS   = config ngx_http_setter_module.c $(wildcard src/*)

.PHONY: all module workers unit fuzzers memory run stop test test-genuine lint \
        check-asan check-compat fault fuzz bench install clean

all: module workers

module: $(MODULE)

workers: $(PROGRAMS)

unit: $(UNIT_TESTS) $(FUZZERS)

fuzzers: $(FUZZERS)

memory: $(MEMORY)

$(MODULE): $(MODULE_SRCS)
	@BUILD=$(BUILD) NGINX_SRC=$(NGINX_SRC) scripts/build-module

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SETTER_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lanes.lua: $(LANES_PARTS) Makefile
	@mkdir -p $(@D)
	awk 'FNR == 1 && NR > 1 { print "" } { print }' $(LANES_PARTS) > $@

# lanes.lua and the migrations travel inside the programs
$(BUILD)/embedded.o: $(EMBEDDED) scripts/embed
	@mkdir -p $(@D)
	scripts/embed $(EMBEDDED) > $(@:.o=.S)
	$(CC) -c -o $@ $(@:.o=.S)

$(BUILD)/libsetter.a: $(SHARED_OBJS) $(WORKER_OBJS) $(BUILD)/embedded.o
	@rm -f $@
	ar rcs $@ $^

$(PROGRAMS): $(BUILD)/%: $(BUILD)/workers/%.o $(BUILD)/libsetter.a
	$(CC) -o $@ $^ $(LDFLAGS) $(SETTER_LIBS)

$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(BUILD)/libsetter.a
	$(CC) -o $@ $^ $(LDFLAGS) -lcmocka $(SETTER_LIBS)

$(FUZZERS): $(BUILD)/t/fuzz/%: $(BUILD)/t/fuzz/%.o $(FUZZ_MAIN) \
            $(BUILD)/libsetter.a
	$(CC) -o $@ $^ $(LDFLAGS) $(SETTER_LIBS)

$(BUILD)/t/memory/preload.so: t/lib/memory/preload.c t/lib/memory/memory.h
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -shared -fPIC -o $@ $<

$(BUILD)/t/memory/ngx_http_setter_module.so: $(MODULE) \
                t/lib/memory/pool.c t/lib/memory/memory.h scripts/build-memory
	@mkdir -p $(@D)
	@BUILD=$(BUILD) NGINX_SRC=$(NGINX_SRC) scripts/build-memory

run:
	@scripts/setup
	@scripts/run

stop:
	@scripts/stop

test:
	@scripts/setup
	@$(MAKE) --no-print-directory all unit memory
	@scripts/test

test-genuine:
	@scripts/setup
	@$(MAKE) --no-print-directory all
	@SETTER_GENUINE=1 scripts/test

lint:
	@SETTER_CFLAGS='$(SETTER_CFLAGS)' scripts/lint

check-asan:
	@scripts/setup
	@scripts/check-asan

check-compat:
	@scripts/setup
	@scripts/check-compat

fuzz:
	@scripts/setup
	@scripts/fuzz

fault:
	@scripts/setup
	@$(MAKE) --no-print-directory all memory
	@scripts/fault

bench:
	@scripts/setup
	@$(MAKE) --no-print-directory all
	@scripts/bench

install: all
	install -D -m 644 $(MODULE) $(DESTDIR)$(MODULES_DIR)/$(notdir $(MODULE))
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/setter
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	cp -r nginx $(DESTDIR)$(PREFIX)/share/setter

clean:
	rm -rf $(BUILD) t/servroot_*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
