# The targets that people and CI call; `make help` lists them. Everything is built into bin/, which is not committed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X flashsale/app.version=$(VERSION) -X flashsale/app.commit=$(COMMIT)

# Tools are pinned, because another version gives other results.
K6       := go.k6.io/k6@v1.8.1
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOBIN    := $(CURDIR)/bin
FUZZTIME ?= 20s
ARGS     ?=

# The end-to-end suite runs alone, after the rest: it measures what happens within a second and starts a dozen processes. The
# fault suites run two packages at a time: the simulator takes what the others leave of the cores. The rest runs three
# packages at a time, because each may start servers and then mostly waits.
SUITE  := ./test/e2e/...
FAULTS := ./test/sim ./test/model ./test/bugs ./test/chaos
REST    = $$(go list ./... | grep -vE '/test/(e2e|sim|model|bugs|chaos)$$')

# Percent of the statements of the production rooms that the tests of REST run; what the other suites run comes on top.
COVERED := 85

# Size and random seed of a fault suite.
N    ?= 1000
SEED ?= 1

.PHONY: help build dev test unit e2e race fuzz chaos crash sim model seeded-bugs compat bench profile lint k6 cover docker clean

help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  %-11s %s\n' "$$name" "$$text"; done

build: ## bin/flashsale: one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/flashsale ./cmd/flashsale

dev: build ## a live sale in one process on embedded engines (ARGS="--demo" adds buyers and a line per second)
	bin/flashsale dev $(ARGS)

test: ## everything: house rules, unit, contract and end to end on real Redis, Kafka and MariaDB
	go vet ./...
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted by gofmt: $$unformatted"; exit 1; fi
	@mkdir -p bin
	go test -count=1 -p 3 -timeout 20m -coverpkg=./... -coverprofile=bin/coverage.out $(REST)
	go run ./test/coverage -least $(COVERED) bin/coverage.out
	go test -count=1 -p 2 -timeout 20m $(FAULTS)
	go test -count=1 -timeout 30m $(SUITE)

unit: ## tests without the end-to-end and fault suites, results cached
	go test -p 2 -timeout 10m $(REST)
	go test -run '^TestTable' ./test/bugs

e2e: ## the end-to-end suite alone (ARGS="-v -run TestRush" for a part)
	go test -count=1 -timeout 30m $(SUITE) $(ARGS)

race: ## unit tests and simulator under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -count=1 -p 1 -timeout 20m $(REST) ./test/sim

fuzz: ## every fuzz target for FUZZTIME (20s each)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed -E 's|/[^/]*:func | |' | \
		while read -r folder name; do \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$folder"; done

chaos: ## N faults in real processes, chosen by SEED; checks every promise (ARGS="-only Redis" for one kind)
	go test -count=1 -timeout 0 -v -run '^TestFaults$$' ./test/chaos -args -faults $(N) -kills 0 -long -seed $(SEED) $(ARGS)

crash: ## kill real processes at every named point, at the first and the third pass
	go test -count=1 -timeout 0 -v -run '^TestKilledAtEveryPoint$$' ./test/chaos -args -crash.budget 0 -crash.seed $(SEED) $(ARGS)

sim: ## N sales in virtual time with faults between any two steps, seeds from SEED (ARGS=-sim.trace prints one)
	go test -count=1 -timeout 0 -v -run '^TestSales$$' ./test/sim -args -sim.n $(N) -sim.seed $(SEED) $(ARGS)

model: ## prove that each rule of the protocol is needed, then search further (ARGS="-seconds 600" for longer ones)
	go run ./test/model/cmd -rules
	go run ./test/model/cmd $(ARGS)

seeded-bugs: ## compile in each bug of test/bugs and require its check to catch it
	go test -count=1 -timeout 20m -v -run '^TestEverySeededBugIsCaught$$' ./test/bugs

compat: ## the suites on the servers that shops run: fetches or builds each, three to five hours (ARGS="-only mysql97" for a part)
	go run ./test/compat/cmd $(ARGS)

bench: build ## measure every figure and its baseline on private servers (ARGS="-only sold-out,accept" for some parts, "-only servers,databases" for other kinds of them)
	go test -count=1 -timeout 40m -run '^$$' -bench '^BenchmarkEngine$$' -benchtime 1x ./loadtest/bench -args $(ARGS)

profile: ## CPU and allocation profiles of gateway and settle during a rush, in bin/profile
	go test -count=1 -run '^$$' -bench '^BenchmarkProfile$$' -benchtime 1x ./loadtest/bench -args -into $(CURDIR)/bin/profile

lint: bin/golangci-lint ## golangci-lint by .golangci.yml, and the OpenAPI documents by redocly and spectral
	bin/golangci-lint run ./...
	go test -count=1 ./test/openapi

k6: bin/k6 ## bin/k6 at the pinned version; ARGS="-e TOKENS=… -e URLS=…" runs rush.js against a running gateway
	@if [ -n '$(ARGS)' ]; then bin/k6 run $(ARGS) loadtest/rush.js; fi

cover: ## coverage without the end-to-end suite, as bin/coverage.html
	@mkdir -p bin
	go test -count=1 -p 2 -timeout 15m -coverpkg=./... -coverprofile=bin/coverage.out $(REST)
	go run ./test/coverage bin/coverage.out
	go tool cover -html=bin/coverage.out -o bin/coverage.html

docker: ## the container image flashsale:VERSION
	docker build -f deploy/Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t flashsale:$(VERSION) .

clean: ## remove what was built
	rm -rf bin dist

bin/k6: Makefile
	GOBIN=$(GOBIN) go install $(K6)
	@touch $@

bin/golangci-lint: Makefile
	GOBIN=$(GOBIN) go install $(LINTER)
	@touch $@
