#!/usr/bin/env bash
# Writes every generated file anew: typed queries, views, the OpenAPI document.
#
# The order matters: the document is printed by the program, which needs the queries and views.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -f internal/store/sqlc.yaml ]; then
	scripts/tools.sh sqlc
	echo "generate: queries"
	.cache/bin/sqlc generate -f internal/store/sqlc.yaml
fi
if [ -d internal/console/view ]; then
	scripts/tools.sh templ
	echo "generate: views"
	.cache/bin/templ generate -log-level warn -path internal/console/view
fi
if [ -d cmd/counterfoil ]; then
	echo "generate: api/openapi.json"
	# By way of another file, so that a program that fails does not leave an empty document.
	go run -buildvcs=false ./cmd/counterfoil openapi >api/openapi.json.new
	mv api/openapi.json.new api/openapi.json
fi
