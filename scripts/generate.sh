#!/usr/bin/env bash
# Writes every generated file anew: typed queries, views, the OpenAPI document, the table of configuration keys.
#
# The order matters: document and table are printed by the program, which needs the queries and views.
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

	echo "generate: docs/operate/configuration.md"
	page=docs/operate/configuration.md
	go run -buildvcs=false ./cmd/counterfoil config keys >"$page.keys"
	awk -v keys="$page.keys" '
		/^<!-- end of keys -->/ { print ""; between = 0 }
		!between { print }
		/^<!-- keys: / { print ""; while ((getline line <keys) > 0) print line; between = 1 }
	' "$page" >"$page.new"
	rm "$page.keys"
	mv "$page.new" "$page"
fi
