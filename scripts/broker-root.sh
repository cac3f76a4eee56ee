#!/usr/bin/env bash
# Makes a root folder with a current RabbitMQ (4) for the tests, from Debian's
# packages, where it is not there yet, and prints its path as the last line:
#
#   BELFRY_TEST_RABBITMQ=$(scripts/broker-root.sh) go test ./...
#
# The folder is below the user's cache (BELFRY_TEST_CACHE, XDG_CACHE_HOME/belfry,
# ~/.cache/belfry; remove it to start afresh) or is the first
# argument. It takes about a minute and 500 MB, once. Only root can make one, and
# only root can start nodes in it; nothing of this system changes but that the
# package debootstrap is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian-root.sh

folder=${1:-$(debian_cache)/rabbitmq-trixie}
debian_root trixie "$folder" rabbitmq-server
echo "$folder"
