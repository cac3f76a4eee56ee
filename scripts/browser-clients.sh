#!/usr/bin/env bash
# Tests what runs in browsers: the JavaScript client (types, size, package) and
# the example application, both in headless Chromium. `make test` calls it.
#
#   scripts/browser-clients.sh client    clients/js, also against a real gateway
#   scripts/browser-clients.sh consumers the packed client in what people use: Jest,
#                                        bundlers, TypeScript, React; 700 MB of packages
#   scripts/browser-clients.sh tower     examples/tower/browser: the example, and the page of `belfry dev`
#   scripts/browser-clients.sh picture   draws docs/picture.gif (`make picture`)
set -euo pipefail
cd "$(dirname "$0")/.."

quiet=(--silent --no-audit --no-fund --no-update-notifier)

# The test runner needs Node.js 20; Debian 12 has 18. A later one comes as an npm
# package, into npm's own cache.
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
	PATH=$(npm exec --yes --package=node@22 -- sh -c 'dirname "$(command -v node)"'):$PATH
	export PATH
fi

case "${1:-}" in
client)
	make --silent build
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
consumers)
	make --silent build
	cd clients/js
	npm ci "${quiet[@]}"
	npm run --silent test:consumers
	;;
picture)
	make --silent build
	cd examples/tower/browser
	npm ci "${quiet[@]}"
	node picture.mjs ../../../docs/picture.gif
	;;
tower)
	make --silent build
	cd examples/tower/browser
	npm ci "${quiet[@]}"
	npm test --silent
	;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
