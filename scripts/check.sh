#!/usr/bin/env bash
# What every module must pass before its tests run: gofmt, `go vet`, a build on
# its own (GOWORK=off: a workspace build hides a missing require) and a tidy
# go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

status=0
for module in $(scripts/modules.sh); do
	started=$SECONDS
	cd "$root/$module"
	failed=()
	unformatted=$(gofmt -l .)
	[ -z "$unformatted" ] || { echo "not formatted (make fmt): $unformatted" >&2; failed+=(gofmt); }
	GOWORK=off go build ./... || failed+=(build)
	GOWORK=off go vet -tags drills,containers ./... || failed+=(vet)
	GOWORK=off go mod tidy -diff || failed+=(tidy)
	if [ ${#failed[@]} -gt 0 ]; then
		echo "FAIL check $module: ${failed[*]}"
		status=1
	else
		echo "ok   check $module ($((SECONDS - started)) s)"
	fi
done
exit "$status"
