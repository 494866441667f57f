# Counterfoil. Start with: make demo
#
# Everything is built, tested and analysed with one toolchain, since older ones have known holes in
# the HTTP server. Go fetches it by itself.
export GOTOOLCHAIN := go1.27.3
export PATH := $(PATH):/usr/local/go/bin

# The commit goes into the binary where git can tell it, and a build without git still works.
VCS := $(shell git rev-parse --verify -q HEAD >/dev/null 2>&1 && echo auto || echo false)
export GOFLAGS := $(GOFLAGS) -buildvcs=false

FUZZTIME ?= 60s
BENCHFLAGS ?=

.PHONY: demo test help run test-fast lint generate verify bench fuzz screenshots build clean

demo: build ## try it: sample accounts, tokens and an API behind the gateway, in demo-data
	bin/counterfoil demo --data demo-data

test: ## everything that must hold; installs what it needs first (Debian, root or sudo)
	scripts/test.sh

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: build ## serve on a local folder, run-data
	bin/counterfoil serve --data run-data

test-fast: ## the short tests alone, with what is installed
	go test -short ./...

lint: ## format, vet, staticcheck, known vulnerabilities
	scripts/lint.sh

generate: ## write the generated files anew
	scripts/generate.sh

verify: ## prove that the generated files are fresh
	scripts/verify.sh

bench: ## the check beside its floors, four minutes; more rounds with BENCHFLAGS=-count=5
	go test -p 1 -run '^$$' -bench . -benchmem -timeout 1h $(BENCHFLAGS) \
		./internal/decide ./internal/verify ./internal/doors ./internal/gateway ./internal/extauthz

fuzz: ## every fuzz target, FUZZTIME (60s) each
	scripts/fuzz.sh $(FUZZTIME)

screenshots: ## make docs/screenshots from the browser tests
	scripts/setup-test.sh
	mkdir -p docs/screenshots
	COUNTERFOIL_SCREENSHOTS=$(CURDIR)/docs/screenshots go test -count=1 -run TestScreenshots ./internal/console

build: ## bin/counterfoil
	CGO_ENABLED=0 go build -buildvcs=$(VCS) -trimpath -o bin/ ./cmd/counterfoil

clean: ## remove what make made, but no data
	rm -rf bin .cache
