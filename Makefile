# ndring: everything a developer or packager runs. Go, git and make are enough;
# a step that needs more says SKIP and names the Debian package.
#
# NDRING_REQUIRE_ALL=1 turns every such SKIP into a failure, in this file and in
# the tests: a test that misses a tool calls t.Skip("… apt-get install PACKAGE"),
# or t.Fatal with the same words when the variable is set. CI=true sets it.

GO         ?= go
PREFIX     ?= /usr/local
DESTDIR    ?=
# Passed to go test, e.g. make test TESTFLAGS='-run TestWriter -p 1'
TESTFLAGS  ?=
# Go duration a whole package may take before its goroutines are dumped
TIMEOUT    ?= 5m
# Go duration for each fuzz target
FUZZTIME   ?= 5s
NIGHTLY    ?= 20m
# How long soak-ring goes on: frames, sleeps, cycles, histories
LOSSY      ?= 1e9
PARKS      ?= 1e7
EVICTIONS  ?= 2e3
HISTORIES  ?= 1e5
# How long the crash laboratory does harm
DURATION   ?= 60s
# Passed to ndring bench, e.g. make bench ARGS=--json
ARGS       ?=
# File to which test and race append their events (go doc test2json)
TEST_EVENTS ?=

ifeq ($(CI),true)
export NDRING_REQUIRE_ALL := 1
endif
export GO

# The go command leaves folders that begin with a dot out of "./...".
packages := ./... ./.ci/testsummary
# What only starts programs in C and Python, or plain ones, the detector sees nothing of.
racepackages = $$($(GO) list ./... | grep -vE '/(conformance|proto/c|torture|torture/lab|stepper)$$') ./.ci/testsummary
summary   = $(GO) run ./.ci/testsummary $(if $(TEST_EVENTS),-record $(TEST_EVENTS))

.DEFAULT_GOAL := build

##@ Everyday
.PHONY: build
build: need-go ## build bin/ndring
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ndring ./cmd/ndring

.PHONY: demo
demo: build ## the five-minute tour: three processes and a bridge over one ring
	bin/ndring demo

.PHONY: install
install: build ## install the binary and shell completion below DESTDIR/PREFIX
	bin/ndring completion bash > bin/completion.bash
	bin/ndring completion zsh > bin/completion.zsh
	bin/ndring completion fish > bin/completion.fish
	install -D -m 755 bin/ndring "$(DESTDIR)$(PREFIX)/bin/ndring"
	install -D -m 644 bin/completion.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ndring"
	install -D -m 644 bin/completion.zsh "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ndring"
	install -D -m 644 bin/completion.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ndring.fish"

.PHONY: clean
clean: ## remove what the build made
	rm -rf bin

##@ Checks
.PHONY: test
test: need-go ## every test; prints what was skipped and why
	@$(GO) test -json -timeout $(TIMEOUT) $(TESTFLAGS) $(packages) | $(summary)

# Left out: tests in which files are cut under running readers and writers. The race
# detector does atomic operations in code of its own, which no fault may interrupt. A
# process under it waits a second before it ends unless told otherwise.
.PHONY: race
race: need-go ## every test of shared memory in one process under the race detector (needs gcc)
	@if command -v "$$($(GO) env CC)" >/dev/null; then \
	  CGO_ENABLED=1 GORACE=atexit_sleep_ms=50 $(GO) test -race -skip '^(TestRingCutUnderBridge|TestDamageUnderTraffic)$$' -json -timeout $(TIMEOUT) $(TESTFLAGS) $(racepackages) | $(summary); \
	else \
	  echo "SKIP race: the race detector needs a C compiler: apt-get install gcc"; \
	  test -z "$$NDRING_REQUIRE_ALL"; \
	fi

.PHONY: lint
lint: need-go ## gofmt, vet (also noasm and arm64), staticcheck, house rules
	@.ci/lint

.PHONY: every-syscall
every-syscall: need-go ## fail each system call of start-up in turn (needs strace)
	NDRING_EVERY_SYSCALL=1 $(GO) test -timeout $(TIMEOUT) -run StartUpCallsFail -v ./ipc

.PHONY: generate
generate: need-go ## write the C and Python constants from the Go source of the contract
	$(GO) generate ./proto/gen

.PHONY: conformance
conformance: need-go ## vectors and live matrix, every language against every other
	$(GO) test -timeout $(TIMEOUT) $(TESTFLAGS) ./proto/... ./cmd/ndring/conformance/...

.PHONY: every-instruction
every-instruction: need-go ## stop the writer after each instruction of its paths and judge the ring (ptrace, amd64)
	$(GO) build -trimpath -o bin/stepper ./cmd/stepper
	bin/stepper $(ARGS)

.PHONY: gc-race
gc-race: need-go ## six processes own one ring 10,000 times each, die or end, and collect what is left
	NDRING_GC_ROUNDS=10000 $(GO) test -count=1 -timeout 30m -run TestCollectRace -v ./ipc

.PHONY: fuzz
fuzz: need-go ## every fuzz target, FUZZTIME each
	@.ci/fuzz $(FUZZTIME)

##@ Measurements
.PHONY: bench
bench: build ## measure ndring and this machine's limits in one run, into docs/benchmarks.md
	bin/ndring bench --update docs/benchmarks.md $(ARGS)

.PHONY: bench-smoke
bench-smoke: need-go ## run every Go benchmark once, to see that it runs
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout $(TIMEOUT) $(packages)

# A module of its own; ZeroMQ is linked in when libzmq and a C compiler are here.
.PHONY: peerbench
peerbench: need-go ## the same work over sockets, gRPC, ZeroMQ, NATS; without ARGS writes docs/peers.md
	@if pkg-config --exists libzmq 2>/dev/null && test "$$($(GO) env CGO_ENABLED)" = 1; then \
	  tags=zmq; \
	else \
	  echo "SKIP ZeroMQ: it needs libzmq and a C compiler: apt-get install libzmq3-dev pkg-config gcc" >&2; \
	  test -z "$$NDRING_REQUIRE_ALL" || exit 1; \
	  tags=; \
	fi; \
	$(GO) build -C cmd/peerbench -trimpath -tags "$$tags" -o ../../bin/peerbench .
	bin/peerbench $(if $(ARGS),$(ARGS),-markdown docs/peers.md)

.PHONY: crowd
crowd: build ## hold 10,000 TCP clients, good and bad, on one bridge; ARGS as for cmd/crowd
	$(GO) run ./cmd/crowd $(ARGS)

.PHONY: model
model: ## check the Promela models of docs/model and that their mutants fail (needs spin, gcc)
	@docs/model/run

.PHONY: torture
torture: build ## kill, stop and cut real processes for DURATION, prove that no frame was harmed (ARGS=-seed=7)
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/torture ./cmd/torture
	bin/torture -ndring bin/ndring -duration $(DURATION) $(ARGS)

.PHONY: soak
soak: build ## little load and seldom harm for DURATION: memory and descriptors must stay flat
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/torture ./cmd/torture
	bin/torture -soak -rooms calm,restart -duration $(DURATION) $(ARGS)

# The long forms of tests that make test runs for a moment; counts like 1e9 will do.
.PHONY: soak-ring
soak-ring: need-go ## LOSSY frames past an observer, PARKS wake-ups, EVICTIONS, HISTORIES against the model
	NDRING_LOSSY_FRAMES=$(LOSSY) NDRING_PARKS=$(PARKS) NDRING_HISTORIES=$(HISTORIES) $(GO) test -count 1 -timeout 0 -v \
	  -run '^(TestLossyObserverIsNeverTorn|TestPingPongOfSleepers|TestAgainstModel)$$' ./ring
	NDRING_EVICTIONS=$(EVICTIONS) NDRING_PROCESS_PARKS=$(PARKS) $(GO) test -count 1 -timeout 0 -v \
	  -run '^(TestStopEvictResume|TestSleepersOfTwoProcesses)$$' ./ipc

.PHONY: mutants
mutants: need-go ## take each fence, check, bound and swap out, break each promise: a test must fail
	NDRING_MUTANTS=1 $(GO) test -p 1 -count 1 -timeout 0 -v -run '^Test(Mutants|BrokenPromises)' \
	  ./ring ./ipc ./cmd/stepper ./cmd/torture

.PHONY: nightly-fuzz
nightly-fuzz: need-go ## every fuzz target, NIGHTLY each; says how many executions
	@.ci/fuzz $(NIGHTLY)

##@ Other
.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: need-go
need-go:
	@command -v $(GO) >/dev/null || { echo "$(GO) is not installed: see https://go.dev/dl/ (version: the go line of go.mod), or apt-get install golang" >&2; exit 1; }
