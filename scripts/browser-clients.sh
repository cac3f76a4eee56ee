#!/usr/bin/env bash
# Tests what runs in browsers: the JavaScript client (types, size, package), and
# the example application in headless Chromium. `make test` calls it.
#
#   scripts/browser-clients.sh client    clients/js
#   scripts/browser-clients.sh tower     examples/tower/browser, after make build
set -euo pipefail
cd "$(dirname "$0")/.."

quiet=(--silent --no-audit --no-fund --no-update-notifier)

case "${1:-}" in
client)
	cd clients/js
	npm ci "${quiet[@]}"
	npm run --silent check
	npm run --silent build
	npm test --silent
	if ! cmp -s dist/belfry.min.js ../../examples/tower/web/belfry.min.js; then
		echo "examples/tower/web/belfry.min.js is not the client's build: copy clients/js/dist/belfry.min.js there" >&2
		exit 1
	fi
	;;
tower)
	make --silent build
	cd examples/tower/browser
	npm ci "${quiet[@]}"
	npm test --silent
	;;
*)
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
