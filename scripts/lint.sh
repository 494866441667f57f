#!/usr/bin/env bash
# Format, vet, staticcheck, and known vulnerabilities, each over the whole module.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/tools.sh gofumpt staticcheck govulncheck

echo "lint: gofumpt"
# Generated files look as their generator writes them; make verify holds those.
mapfile -t sources < <(find . -name '*.go' -not -path './.cache/*' -not -path './.git/*' -exec grep -LE '^// Code generated ' {} +)
unformatted=$(.cache/bin/gofumpt -l "${sources[@]}")
if [ -n "$unformatted" ]; then
	printf 'lint: not formatted; run .cache/bin/gofumpt -w on\n%s\n' "$unformatted" >&2
	exit 1
fi

echo "lint: go vet"
go vet ./...

echo "lint: staticcheck"
.cache/bin/staticcheck ./...

scripts/vulncheck.sh
