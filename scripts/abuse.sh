#!/usr/bin/env bash
# Measures what an honest user waits beside an attacker (e2e/bench/abuse) and prints a
# table. BEFORE=folder takes turns with the programs gateway and worker of another
# version, so that both have the same machine; RUN=name is one attack; ROUNDS=n (1).
set -euo pipefail
cd "$(dirname "$0")/../e2e"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
measure() { # label, folder of programs; empty: this tree's
  BELFRY_ABUSE_LABEL=$1 BELFRY_TEST_PROGRAMS=$2 GOWORK=off go test -tags drills -count=1 -timeout 30m -run "TestAbuse.*${RUN:-}" ./bench/abuse 2>&1 | tee -a "$out" >&2 || [ "$1" = before ] || status=1
}
for _ in $(seq "${ROUNDS:-1}"); do
  [ -z "${BEFORE:-}" ] || measure before "$BEFORE"
  measure now ""
done
echo
echo "| attack | honest user's | version | alone p50 (ms) | p99 | refused | beside p50 (ms) | p99 | refused |"
echo "|---|---|---|---|---|---|---|---|---|"
grep '^| .*|.*|.*|.*|.*|.*|.*|.*|' "$out" || true
echo
grep '^| ' "$out" | grep -v '|.*|.*|.*|.*|.*|' || true
exit $status
