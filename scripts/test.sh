#!/usr/bin/env bash
# Runs the checks and then the tests of every module, and ends with a table.
#
#   scripts/test.sh          all tests: -race, and a broker must be there
#   scripts/test.sh -short   those that need Go alone, without -race (cgo)
#
# Packages of NO_RACE run without the race detector in the full run.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# The end-to-end packages test separate processes: the race detector would only
# watch the checker, and slow it down to where it disturbs what it measures.
# The simulation runs on one goroutine at a time, and thousands of schedules.
# Their code is covered with -race by the unit tests of the rooms they drive.
NO_RACE='^belfry/e2e/'

flags=(-shuffle=on -timeout 15m)
short=false
if [ "${1:-}" = -short ]; then
	short=true
	flags=(-short -shuffle=on -timeout 5m)
fi

if [ "$short" = false ]; then
	scripts/needs.sh || exit 1
fi

results=()
status=0
note() { # verdict, name, seconds
	results+=("$(printf '%-4s  %-28s %4d s' "$1" "$2" "$3")")
	[ "$1" = ok ] || status=1
	echo "== ${results[-1]}"
}

run() { # name, command...
	local name=$1 started=$SECONDS
	shift
	echo "== $name"
	if "$@"; then note ok "$name" $((SECONDS - started)); else note FAIL "$name" $((SECONDS - started)); fi
}

run checks scripts/check.sh

for module in $(scripts/modules.sh); do
	cd "$root/$module" || exit 1
	raced=()
	plain=()
	for package in $(GOWORK=off go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
		if [ "$short" = true ] || [[ $package =~ $NO_RACE ]]; then plain+=("$package"); else raced+=("$package"); fi
	done
	export GOWORK=off
	if [ ${#raced[@]} -gt 0 ]; then run "$module" go test -race "${flags[@]}" "${raced[@]}"; fi
	# One package after another: each starts brokers and processes of its own.
	if [ ${#plain[@]} -gt 0 ]; then run "$module (no -race)" go test -p 1 "${flags[@]}" "${plain[@]}"; fi
	unset GOWORK
	cd "$root" || exit 1
done

if [ "$short" = false ]; then
	run clients/js scripts/browser-clients.sh client
	run examples/tower/browser scripts/browser-clients.sh tower
fi

echo
printf '%s\n' "${results[@]}"
if [ "$status" -ne 0 ]; then echo "FAILED"; else echo "all passed in $SECONDS s"; fi
exit "$status"
