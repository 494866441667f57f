#!/usr/bin/env bash
# Installs what the tests need beside Go, on Debian 12 or newer, and nothing when all is there.
#
# The tests use the real things: Chromium for the pages, nginx, HAProxy (whose package brings its Lua)
# and Caddy (built from its module) for the doors, PostgreSQL for the store, a C compiler for the race detector, axe-core for accessibility. Run as root or with
# sudo at hand; as neither, it says what is missing and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"

axe_version=4.14.1
axe_sha256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c # of axe.min.js

say() { printf 'setup: %s\n' "$*"; }

# missing lists the Debian packages whose part is not there, however it was installed.
missing() {
	local package probe
	while read -r package probe; do
		eval "$probe" >/dev/null 2>&1 || echo "$package"
	done <<-'LIST'
		ca-certificates  test -s /etc/ssl/certs/ca-certificates.crt
		git              command -v git
		make             command -v make
		gcc              command -v gcc
		libc6-dev        test -e /usr/include/stdlib.h
		curl             command -v curl
		jq               command -v jq
		chromium         command -v chromium
		fonts-liberation test -d /usr/share/fonts/truetype/liberation
		nginx            command -v nginx
		haproxy          command -v haproxy
		postgresql       ls /usr/lib/postgresql/*/bin/initdb
		nodejs           command -v node
		npm              command -v npm
	LIST
}

# may_be_root tells whether as_root will work. At a terminal sudo may ask for a password; elsewhere it
# must not need one.
may_be_root() {
	[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null && sudo -v; }
}

# as_root runs a command as root.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# update_lists refreshes the package lists. Mirrors answer badly now and then, so it tries three times.
update_lists() {
	local try
	for try in 1 2 3; do
		if as_root apt-get -q update; then return 0; fi
		if [ "$try" -lt 3 ]; then
			say "the package lists could not be read; trying again in $((try * 5)) seconds"
			sleep $((try * 5))
		fi
	done
	say "the package lists could not be read in three tries"
	return 1
}

# install_packages installs without starting the servers: the tests start their own, on ports of
# their own, and a web server that appears on port 80 of a developer's machine is no gift.
install_packages() {
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		made=1
		trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
	if [ -n "$made" ]; then
		as_root rm -f "$policy"
		trap - EXIT
	fi
}

# axe fetches the accessibility checker that the browser tests load into each page.
axe() {
	local dir=.cache/npm file=.cache/npm/node_modules/axe-core/axe.min.js
	if [ -f "$file" ] && echo "$axe_sha256  $file" | sha256sum --check --status; then return 0; fi
	say "installing axe-core $axe_version into $dir"
	mkdir -p "$dir"
	npm install --prefix "$dir" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "axe-core@$axe_version"
	if ! echo "$axe_sha256  $file" | sha256sum --check --status; then
		say "axe-core $axe_version is not the file that was reviewed; its SHA-256 differs"
		return 1
	fi
}

if ! command -v go >/dev/null; then
	say "Go is missing. Install Go 1.26 or newer; it fetches the version that go.mod names."
	exit 1
fi

mapfile -t wanted < <(missing)
if [ "${#wanted[@]}" -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		say "this is no Debian: please install what these packages hold: ${wanted[*]}"
		exit 1
	fi
	if ! may_be_root; then
		say "not root, and sudo is no help here. Please run: apt-get install ${wanted[*]}"
		exit 1
	fi
	say "installing ${wanted[*]}"
	update_lists
	install_packages "${wanted[@]}"
	mapfile -t wanted < <(missing)
	if [ "${#wanted[@]}" -gt 0 ]; then
		say "still missing after the installation: ${wanted[*]}"
		exit 1
	fi
fi
axe
scripts/tools.sh caddy # the tests of the proxy snippets run it
say "all that the tests need is there"
