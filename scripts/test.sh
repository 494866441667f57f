#!/usr/bin/env bash
# Everything that must hold before a change is taken, cheapest first. Called by make test.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s)\n' "$1" "$(date -u +%H:%M:%S)"; }

step "what the tests need"
scripts/setup-test.sh

step "the program builds"
CGO_ENABLED=0 go build ./...
# The oldest Go that go.mod admits must build it too; where it is the one that is installed.
if installed=$(GOTOOLCHAIN=local go env GOVERSION) && [[ $installed == go1.26* ]]; then
	echo "and with the installed $installed"
	CGO_ENABLED=0 GOTOOLCHAIN=local go build ./...
fi

step "lint"
scripts/lint.sh

step "generated files"
scripts/verify.sh

step "tests"
go test -timeout 20m ./...

step "tests under the race detector"
# Without the packages that drive browsers and whole processes: what they race is tested here too.
mapfile -t racing < <(go list ./... | grep -vE "${RACE_LEAVES_OUT:-/(cmd/counterfoil|internal/console|internal/console/view|examples/.*)$}")
CGO_ENABLED=1 go test -race -short -timeout 20m "${racing[@]}"

step "fuzz targets, briefly"
scripts/fuzz.sh "${FUZZTIME:-5s}"

step "done"
