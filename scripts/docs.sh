#!/usr/bin/env bash
# Writes the generated documentation again: docs/configuration.md from the
# configuration structs of gateway and worker.
set -euo pipefail
cd "$(dirname "$0")/.."
go generate ./cmd/belfry/...
