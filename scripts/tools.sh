#!/usr/bin/env bash
# Builds the tools that tools/go.mod pins, once: scripts/tools.sh NAME… puts them into .cache/bin.
#
# They are built with the project's own toolchain, because analysers built with an older one cannot
# read a newer standard library. A tool is built again when its module's go.sum or the toolchain changes.
# Caddy, which the tests of the proxy snippets run, has a module of its own (tools/caddy): its hundred
# dependencies must not decide the versions of the analysers.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A packages=(
	[caddy]=github.com/caddyserver/caddy/v2/cmd/caddy
	[gofumpt]=mvdan.cc/gofumpt
	[govulncheck]=golang.org/x/vuln/cmd/govulncheck
	[sqlc]=github.com/sqlc-dev/sqlc/cmd/sqlc
	[staticcheck]=honnef.co/go/tools/cmd/staticcheck
	[templ]=github.com/a-h/templ/cmd/templ
)

bin=$PWD/.cache/bin
mkdir -p "$bin"
# Packages that are tested at the same time may ask for the same tool.
exec 9>"$bin/.lock"
flock 9
for name in "$@"; do
	package=${packages[$name]:-}
	if [ -z "$package" ]; then
		echo "tools: there is no tool $name; there are: ${!packages[*]}" >&2
		exit 2
	fi
	module=tools
	if [ "$name" = caddy ]; then module=tools/caddy; fi
	key=$({ cat "$module/go.mod" "$module/go.sum"; cd "$module" && go env GOVERSION; } | sha256sum | cut -c1-16)
	if [ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.key" 2>/dev/null)" = "$key" ]; then continue; fi
	echo "tools: building $name"
	(cd "$module" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$bin/$name" "$package")
	echo "$key" >"$bin/.$name.key"
done
