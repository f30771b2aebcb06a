# redlatch: `make` alone lists the goals. What a goal needs is installed first, inside this folder (.tools/,
# node_modules/); only a missing Rust target or component, redis-server and chromium go into the system, and say so.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Every long step here is parallel in itself; two at a time would only mix their output. Installations are the exception.
ifndef INSTALLING
.NOTPARALLEL:
endif
# The paths below are those of the default target folder; cargo and npm are not make's children.
unexport CARGO_TARGET_DIR MAKEFLAGS MFLAGS

TARGET := wasm32-unknown-unknown
# Read from Cargo.lock: the tool's version must equal the crate's, and thus cannot differ from it.
BINDGEN_VERSION := $(shell awk -F'"' '$$1 == "name = " && $$2 == "wasm-bindgen" { getline; print $$2; exit }' Cargo.lock)
BINDGEN := target/tool/redlatch-bindgen
# A part of the whole tool, which takes longer to compile.
TEST_RUNNER := .tools/wasm-bindgen-$(BINDGEN_VERSION)/bin/wasm-bindgen-test-runner
NODE_TOOLS := pkg-template/node_modules/.package-lock.json
BENCH_PEERS := tests/bench/node_modules/.package-lock.json
RUNTIMES := tests/runtimes/node_modules/.package-lock.json
BUNDLERS := tests/packaging/node_modules/.package-lock.json
CLIENTS := tests/clients/node_modules/.package-lock.json
PROGRAMS := tests/programs/node_modules/.package-lock.json
FRAMEWORKS := tests/frameworks/node_modules/.package-lock.json
BIN := pkg-template/node_modules/.bin
CORE := target/wasm/redlatch_core_bg.wasm
MEMORY := target/wasm/redlatch_memory_bg.wasm
PACKAGE := pkg/package.json
# By which the tests import the package by its name, as any program does.
LINK := tests/js/node_modules/redlatch

# Folders are listed too: their time changes when a file is added or removed.
CORE_SOURCES := Cargo.toml Cargo.lock $(shell find src lua)
SHELL_SOURCES := $(shell find pkg-template -mindepth 1 -name node_modules -prune -o -print)
DOCUMENTS := README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
# As seen from pkg-template, where biome finds its settings.
# The decorators in NestJS's program are more than biome reads.
SCRIPTS := . ../tests/js ../tests/demo ../tests/bench ../tests/packaging ../tests/programs ../tests/frameworks/next \
  ../tests/frameworks/bullmq ../tests/runtimes ../tests/soak ../tests/lint ../tests/planted/patches.js ../tests/planted/run.js

# The features that rustc uses and every supported runtime has; wasm-opt refuses the code without them.
WASM_FEATURES := --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
  --enable-mutable-globals --enable-multivalue --enable-reference-types
# For speed: -Oz would be no smaller. The lowest 1 024 bytes are the end of the stack, where no pointer wraps around to.
WASM_OPT := -O3 --converge --low-memory-unused
WASM_STRIP := --strip-debug --strip-producers --strip-target-features

##@ Goals
.PHONY: help build demo demo-runtimes test test-all bench sim search soak fuzz fuzz-short fmt lint size clean
help: ## this list of goals
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: build-tools $(PACKAGE) $(LINK) ## the npm package, ready to install, in pkg/

demo: redis-server build ## processes share one counter, without a lock and with each lock; then holders, waiters, servers and a primary of a cluster are killed
	@node tests/demo/demo.js

demo-runtimes: redis-server chromium build $(RUNTIMES) ## Node.js, Deno, Bun, workerd and Chromium share one counter
	@node tests/demo/demo.js runtimes

test: redis-server new-log lint test-rust test-wasm build test-js test-fuzz ## every check that a change must pass (what .ci/run does)
	@.ci/tally target/test.log

test-all: JS_SET := --all
test-all: FUZZ_SECONDS := 20
test-all: export SEEDS := 10000
test-all: $(FRAMEWORKS) test ## as make test, with every test file on every runtime, 10 000 simulated worlds, and more fuzzing

bench: redis-server build $(BENCH_PEERS) $(RUNTIMES) chromium ## redlatch beside other lock libraries: speed, waiting, memory, cold starts (ARGS=--quick, ARGS=--help)
	@node tests/bench/bench.js $(ARGS)

fuzz: nightly ## fuzzes for an hour, in turns of 5 minutes for each target (DURATION=seconds)
	@tests/fuzz/run 300 $${DURATION:-3600}

fuzz-short: nightly ## fuzzes each target for 20 seconds
	@tests/fuzz/run 20 20

sim: redis-server toolchain ## random commands on real servers, simulated worlds (SEEDS=100000, SEED_BASE=0), and every planted bug (an hour)
	FIDELITY_COMMANDS=1000000 cargo test --locked --test fidelity -- --nocapture
	SEEDS=$(or $(SEEDS),100000) SEED_BASE=$(or $(SEED_BASE),0) cargo test --locked --test sim -- --nocapture
	node tests/planted/run.js hunt

search: toolchain ## every order of events in small worlds, in full size (an hour)
	SEARCH=full cargo test --locked --test search -- --nocapture --test-threads=1

soak: redis-server build $(RUNTIMES) ## five runtimes and real servers under faults for half an hour: no two hold one lock (TOPOLOGY=single|cluster|sentinel, DURATION=seconds, SEED=n)
	@node tests/soak/soak.js

fmt: rust-components $(NODE_TOOLS) ## formats Rust, TypeScript and JavaScript
	cargo fmt
	cargo fmt --manifest-path tests/fuzz/Cargo.toml
	cd pkg-template && node_modules/.bin/biome check --write $(SCRIPTS)

lint: rust-components wasm-target $(NODE_TOOLS) ## formatting, clippy (native and wasm32), biome, tsc, imports, planted bugs
	@.ci/step 'rustfmt' cargo fmt --check
	@.ci/step 'rustfmt, tests/fuzz' cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	@.ci/step 'clippy, native' cargo clippy --locked --all-targets -- -D warnings
	@.ci/step 'clippy, wasm32' cargo clippy --locked --target $(TARGET) --lib $(WASM_TESTS) -- -D warnings
	@.ci/step 'clippy, wasm32, memory server' \
	  cargo clippy --locked --target $(TARGET) --lib --features memory-wasm -- -D warnings
	@cd pkg-template && ../.ci/step 'biome' node_modules/.bin/biome ci --colors=off $(SCRIPTS)
	@.ci/step 'tsc' $(BIN)/tsc --noEmit --project pkg-template
	@.ci/step 'imports' node tests/lint/imports.js
	@.ci/step 'planted bugs' node tests/planted/run.js check

size: build ## the sizes of the package, raw and gzipped
	@node pkg-template/build/size.mjs

clean: ## removes what was built and npm packages; the tools in .tools/ stay
	rm -rf target pkg pkg-template/node_modules tests/js/node_modules tests/bench/node_modules \
	  tests/runtimes/node_modules tests/packaging/node_modules tests/clients/node_modules tests/programs/node_modules \
	  tests/frameworks/node_modules

##@ Steps of `make test`
.PHONY: new-log test-rust test-wasm test-js test-fuzz
# What `make test-all` sets otherwise: empty, or --all (tests/runtimes/plan.js); for each fuzz target.
JS_SET :=
FUZZ_SECONDS := 5
# Which of the tests run as wasm; the others are native only.
WASM_TESTS := --test 'wasm*' --test sim

new-log:
	@mkdir -p target
	@rm -f target/test.log

test-rust: toolchain
	@.ci/step 'cargo test' cargo test --locked

# The simulation is compared with the traces that `cargo test` has left behind: SIM_TRACES is read when the test is compiled.
# USE_BROWSER runs the tests in Chromium, as webdriver.json sets it up. The simulation would be the same there: V8 runs both.
WASM_TEST := CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/$(TEST_RUNNER)" SIM_TRACES="$$(cat target/tmp/sim-traces)"
test-wasm: test-rust wasm-target chromium $(TEST_RUNNER)
	@$(WASM_TEST) .ci/step 'wasm in Node.js' .ci/ran cargo test --locked --target $(TARGET) $(WASM_TESTS)
	@$(WASM_TEST) WASM_BINDGEN_USE_BROWSER=1 CHROMEDRIVER="$$(command -v chromedriver)" \
	  .ci/step 'wasm in Chromium' .ci/ran cargo test --locked --target $(TARGET) --test 'wasm*'

test-js: redis-server chromium build $(BENCH_PEERS) $(RUNTIMES) $(CLIENTS) $(BUNDLERS) $(PROGRAMS)
	@.ci/step 'JavaScript, on Node.js, Deno and Bun' node tests/runtimes/run.js $(JS_SET) $(ARGS)

test-fuzz: toolchain
	@if $(NIGHTLY); then .ci/step 'every fuzz target for $(FUZZ_SECONDS) seconds' tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_SECONDS); \
	else printf '\n=== Nothing is fuzzed: the nightly toolchain is missing.\n'; fi

##@ The package
# Panics name source files: the flags keep this machine's folders, and its registry's, out of the package. Where the sources
# of the standard library are installed (rust-src), they would be named too.
# Both have the same name in target/: each call of cargo puts the one there that it was asked for.
# Inlining a quarter of what LLVM would by default, for the size: see the log in tests/bench/README.md.
define build-wasm
@echo '$(1): cargo build, wasm-bindgen, wasm-opt'
@cargo fetch --quiet --locked --target $(TARGET)
@flags="$${RUSTFLAGS:-} -C llvm-args=-inline-threshold=50 --remap-path-prefix=$$(rustc --print sysroot)=rust"; \
  for crates in "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*; do \
  flags+=" --remap-path-prefix=$$crates=crates"; done; \
  RUSTFLAGS=$$flags cargo build --locked --release --target $(TARGET) --lib $(2)
@rm -rf target/bindgen
@$(BINDGEN) target/$(TARGET)/release/redlatch.wasm target/bindgen $(1)
@mkdir -p target/wasm
@cp target/bindgen/$(1).js target/bindgen/$(1).d.ts target/wasm/
@node pkg-template/build/panics.mjs target/bindgen/$(1)_bg.wasm
@$(BIN)/wasm-opt $(WASM_OPT) $(WASM_FEATURES) $(WASM_STRIP) target/bindgen/$(1)_bg.wasm -o $@
endef

$(CORE): $(CORE_SOURCES) $(BINDGEN) $(NODE_TOOLS) pkg-template/build/panics.mjs | toolchain wasm-target
	$(call build-wasm,redlatch_core)

$(MEMORY): $(CORE_SOURCES) $(BINDGEN) $(NODE_TOOLS) pkg-template/build/panics.mjs | toolchain wasm-target
	$(call build-wasm,redlatch_memory,--features memory-wasm)

$(PACKAGE): $(CORE) $(MEMORY) $(SHELL_SOURCES) $(DOCUMENTS) | toolchain
	@echo 'package: TypeScript, documents'
	@node pkg-template/build/package.mjs
	@touch $@

$(LINK):
	@mkdir -p $(@D)
	@ln -sfn ../../../pkg $@

##@ Tools
.PHONY: build-tools toolchain nightly rust-components wasm-target redis-server chromium
toolchain:
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust (https://rustup.rs).' >&2; exit 1; }
	@command -v npm >/dev/null || { echo 'npm is missing: install Node.js 20.10 or later with npm.' >&2; exit 1; }
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(100 * major + +minor < 2010 ? 1 : 0)' || \
	  { echo "Node.js 20.10 or later is needed; node here is $$(node --version || true)." >&2; exit 1; }

# A line with $(MAKE) runs in spite of `make -n`, and the other make does not see MAKEFLAGS.
DRY_RUN = $(if $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),-n)
# npm waits for the network while cargo compiles.
build-tools:
	@$(MAKE) $(DRY_RUN) --no-print-directory -j2 INSTALLING=1 $(BINDGEN) $(NODE_TOOLS)

# Not installed: it is hundreds of megabytes, and only the fuzzer needs it.
NIGHTLY := cargo +nightly --version >/dev/null 2>&1
nightly: toolchain
	@$(NIGHTLY) || { \
	  echo 'Nothing was fuzzed: the nightly toolchain is missing (rustup toolchain install nightly).' >&2; exit 1; }

rust-components: toolchain
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || { \
	  echo 'Adding rustfmt and clippy to the Rust toolchain, for the checks (seconds).'; \
	  rustup component add rustfmt clippy || \
	  { echo 'They could not be fetched: install rustfmt and clippy the way Rust was installed.' >&2; exit 1; }; }

wasm-target: toolchain
	@compgen -G "$$(rustc --print target-libdir --target $(TARGET))/libcore-*.rlib" >/dev/null || { \
	  echo 'Adding the Rust target $(TARGET), for the core (seconds).'; \
	  rustup target add $(TARGET) || \
	  { echo 'It could not be fetched. HACKING.md, "Without rustup", says how to build it.' >&2; exit 1; }; }

$(BINDGEN): Cargo.lock pkg-template/build/bindgen/Cargo.toml pkg-template/build/bindgen/main.rs | toolchain
	@echo 'Compiling wasm-bindgen, to make the JavaScript glue of the core (about half a minute).'
	@cargo build --locked --package redlatch-bindgen --profile tool
	@touch $@

# --locked is left out: the lock file of this tool names a crate that the registry no longer has. Unoptimised, it is compiled in
# half of the time, and still takes seconds for the largest test.
$(TEST_RUNNER): | toolchain
	@echo 'Installing wasm-bindgen-cli $(BINDGEN_VERSION) in .tools/, to run the tests that are compiled to wasm (about a minute).'
	@CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --quiet --no-track --root .tools/wasm-bindgen-$(BINDGEN_VERSION) \
	  --version $(BINDGEN_VERSION) wasm-bindgen-cli

$(NODE_TOOLS): WHAT := tsc, biome, esbuild and wasm-opt
$(BENCH_PEERS): WHAT := other lock libraries, to compare with and to share keys with,
$(CLIENTS): WHAT := other Redis clients, to lock over,
$(RUNTIMES): WHAT := Deno, Bun, workerd and Node.js 22 and 24, to run the package on (740 MB),
$(BUNDLERS): WHAT := Vite, webpack, rollup, publint and attw, to put the package through (100 MB),
$(PROGRAMS): WHAT := Express, Jest, ts-jest and Vitest, for programs that use the package (130 MB),
$(FRAMEWORKS): WHAT := NestJS, Next and BullMQ, for larger programs that use the package (400 MB),
$(NODE_TOOLS) $(BENCH_PEERS) $(CLIENTS) $(RUNTIMES) $(BUNDLERS) $(PROGRAMS) $(FRAMEWORKS): \
  %/node_modules/.package-lock.json: %/package.json %/package-lock.json | toolchain
	@echo 'Installing $(WHAT) in $*/node_modules (half a minute at most).'
	@cd $* && npm ci --no-audit --no-fund
	@touch $@

# Demo and tests start servers of their own, so the one that Debian starts on installation is stopped.
redis-server:
	@command -v redis-server >/dev/null || { \
	  if [[ $$EUID -eq 0 ]] && command -v apt-get >/dev/null; then \
	    echo 'Installing redis-server with apt-get: demo and tests run real servers (about 20 seconds).'; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -qq --no-install-recommends redis-server >/dev/null; \
	    { systemctl disable --now redis-server || service redis-server stop; } >/dev/null 2>&1 || true; \
	  fi; \
	  command -v redis-server >/dev/null || { echo 'redis-server is missing: install Redis 6 or later, such as with' \
	    '"apt-get install redis-server" (as root) or "brew install redis".' >&2; exit 1; }; }

# chromedriver steers Chromium for the wasm tests, and must be of the same version.
chromium:
	@browser() { command -v chromium && command -v chromedriver; }; browser >/dev/null || { \
	  if [[ $$EUID -eq 0 ]] && command -v apt-get >/dev/null; then \
	    echo 'Installing chromium and chromium-driver with apt-get: tests and demo run the package in a real browser (about a minute).'; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	  fi; \
	  browser >/dev/null || { for program in chromium chromedriver; do \
	    command -v $$program >/dev/null || echo "$$program is missing." >&2; done; \
	    echo 'Install both, such as with "apt-get install chromium chromium-driver" (as root).' >&2; exit 1; }; }
