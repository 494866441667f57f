#!/usr/bin/env bash
# Looks for known vulnerabilities that the program reaches, without calling a service: the database
# is a Go module and comes through the module proxy like any other, at an exact version.
#
# To take newer findings, set version to what `go list -m golang.org/x/vulndb@latest` says and sum to
# what `go mod download -json` says of it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v0.0.0-20261105234957-e22db6528018
sum=h1:mfngRv0Yoh0VApsXKEN82CjD99kl7mtparN3bs3JnqI=

echo "lint: govulncheck with the database of ${version:7:8}"
if ! facts=$(cd tools && go mod download -json "golang.org/x/vulndb@$version"); then
	echo "lint: the vulnerability database cannot be had here, so known vulnerabilities were NOT looked for"
	printf '%s\n' "$facts"
	exit 0
fi
got=$(jq -r .Sum <<<"$facts")
if [ "$got" != "$sum" ]; then
	echo "lint: the vulnerability database is not the one that was pinned" >&2
	exit 1
fi
dir=$(jq -r .Dir <<<"$facts")
.cache/bin/govulncheck -db "file://$dir/data/osv" ./...
