#!/usr/bin/env bash
# Writes the generated files again from the configuration structs of all
# programs: docs/configuration.md and pkg/settings/known.go; and the ports, paths,
# users and periods in docker-compose.yml, .env and deploy/.
set -euo pipefail
cd "$(dirname "$0")/.."
go generate ./cmd/belfry/...
