#!/usr/bin/env bash
# Prints the directories of the workspace's modules, in the order of go.work.
set -euo pipefail
cd "$(dirname "$0")/.."
awk '/^use \(/ {inside=1; next} /^\)/ {inside=0} inside {print $1} /^use [^(]/ {print $2}' go.work
