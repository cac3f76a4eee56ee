#!/usr/bin/env bash
# Runs every fuzz target of every module for FUZZTIME.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
for module in $(scripts/modules.sh); do
	cd "$root/$module"
	while IFS=: read -r file name; do
		[ -n "$file" ] || continue
		echo "== $module $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" "./$(dirname "$file")"
	done < <({ grep -roH --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . || true; } | sed 's/func //')
done
