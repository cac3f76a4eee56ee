# Belfry's commands. `make help` lists them. Three need nothing but Go, git and
# make: `make dev`, `make demo` and `make test-short`. `make test` installs what it needs
# through apt, and says what.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Pinned where it is used. Built from source by `go run`, so it always speaks
# the Go version that builds Belfry.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X belfry/pkg/daemon.Version=$(VERSION)
FUZZTIME ?= 20s
SCHEDULES ?= 100000
DRILLS ?= .
MODELSECONDS ?= 10

.PHONY: help dev demo up down build install uninstall test test-short verify simulate model drills check fmt lint bench abuse fuzz picture docs clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: ## gateway and worker in one process, nothing to install; prints a URL with a token
	@echo 'building bin/belfry: a minute or two for the first time'
	@mkdir -p bin && go build -ldflags '$(LDFLAGS)' -o bin/belfry ./cmd/belfry
	@exec bin/belfry dev

up: ## the same as separate processes beside a RabbitMQ, in containers
	docker compose up --build

down: ## stop what `make up` started
	docker compose down

demo: build ## the example application with a Belfry of its own: a page to log in to
	@exec bin/tower demo

build: ## bin/gateway, bin/worker, bin/belfry, and the example bin/tower: static
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/gateway ./services/gateway
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/worker ./services/worker
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/belfry ./cmd/belfry
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/tower ./examples/tower

install: ## what make build made, for production, below DESTDIR; programs below PREFIX (/usr); EXAMPLE=yes: the example, too
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BIN='$(BIN)' EXAMPLE='$(EXAMPLE)' RUNBOOK='$(RUNBOOK)' scripts/install.sh

uninstall: ## what make install brought; not what somebody changed or made. With the same DESTDIR, PREFIX and EXAMPLE
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' EXAMPLE='$(EXAMPLE)' RUNBOOK='$(RUNBOOK)' scripts/install.sh uninstall

test: ## the gate: what a change must pass, with a private RabbitMQ; installs what is missing through apt
	@scripts/test.sh

test-short: ## the tests that need Go alone
	@scripts/test.sh -short

verify: ## everything that can be tested, for hours; PART=fuzz,drills runs these parts, an unknown PART lists them
	@scripts/test.sh -verify -part '$(PART)'

simulate: ## the rules of the log under SCHEDULES (100000) schedules of faults
	@cd e2e && BELFRY_TEST_SIM_SCHEDULES=$(SCHEDULES) go test -count=1 -v -timeout 2h -run TestSchedules ./logsim

model: ## the log's rules as a small model: its states, random schedules, and planted errors; a few minutes
	@cd e2e && BELFRY_TEST_MODEL_SECONDS=$(MODELSECONDS) GOWORK=off go test -count=1 -v -timeout 1h ./logmodel

drills: ## the faults that take too long for the tests; DRILLS=Alarm runs those of that name
	@scripts/needs.sh
	@cd e2e && GOWORK=off go test -tags drills -count=1 -v -timeout 3h -run 'TestDrill.*($(DRILLS))' ./faults

check: ## formatting, vet, go.mod files; no tests
	@scripts/check.sh

fmt: ## format every Go file
	@scripts/modules.sh | while read -r m; do gofmt -w "$$m"; done

lint: ## golangci-lint, pinned; the reasons are in .golangci.yml
	@failed=; for m in $$(scripts/modules.sh); do echo "== lint $$m"; (cd "$$m" && GOWORK=off go run $(GOLANGCI) run --config "$(CURDIR)/.golangci.yml" ./...) || failed+=" $$m"; done; [ -z "$$failed" ] || { echo "lint:$$failed"; exit 1; }

bench: build ## memory, CPU and throughput beside bare baselines; a few minutes
	@scripts/needs.sh
	@cd e2e && go run ./bench -bin ../bin

abuse: ## what an honest user waits beside attackers; BEFORE=folder takes turns with other programs
	@scripts/needs.sh
	@BEFORE=$(BEFORE) RUN=$(RUN) ROUNDS=$(ROUNDS) scripts/abuse.sh

fuzz: ## each fuzz target for FUZZTIME (20s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

picture: build ## docs/picture.gif, the README's moving picture, from the real page
	@scripts/browser-clients.sh picture

docs: ## write the generated files again: settings, and the values in deploy/
	@scripts/docs.sh

clean: ## remove bin/ and tmp/
	@rm -rf bin tmp
