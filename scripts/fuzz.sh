#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each: scripts/fuzz.sh 5s
#
# Targets are found by asking the test binaries, so a new one runs from its first commit on.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:?usage: scripts/fuzz.sh TIME, for example 5s}

mapfile -t folders < <(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u)
ran=0
for folder in "${folders[@]}"; do
	while read -r target; do
		echo "fuzz: $folder $target for $each"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$folder"
		ran=$((ran + 1))
	done < <(go test -list '^Fuzz' "$folder" | grep '^Fuzz' || true)
done
echo "fuzz: $ran targets held"
