#!/bin/sh
# Runs the scripts that are mounted below /docker-entrypoint.d, and then nginx.
set -e
for script in /docker-entrypoint.d/*.sh; do
	[ ! -x "$script" ] || "$script"
done
exec "$@"
