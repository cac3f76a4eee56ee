#!/usr/bin/env bash
# Runs the tests and ends with a table of times (e2e/gate says what is in it).
#
#   scripts/test.sh            the gate; installs what is missing through apt
#   scripts/test.sh -short     what needs Go alone
#   scripts/test.sh -verify    everything; -part NAMES runs some of its parts
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" = -short ] || scripts/needs.sh "${1:-}"
cd e2e
GOWORK=off go build -o ../tmp/gate ./gate
exec ../tmp/gate "$@"
