#!/usr/bin/env bash
# Lays what the container tests need below the user's cache (BELFRY_TEST_CACHE,
# XDG_CACHE_HOME/belfry, ~/.cache/belfry; remove it to start afresh), where it is not there
# yet, and prints the folder as the last line: Debian's container engine
# (docker.io, containerd, runc) unpacked and not installed, compose built from its
# Go module, and the root folders of the stand-in images.
#
#   cd e2e && go test -tags containers ./containers ./blackbox -run Containers
#
# calls it. It takes some five minutes, once, and with the images 4 GB. Of this system nothing
# changes but that the packages iptables and debootstrap are installed. Only root
# can run an engine.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian-root.sh

COMPOSE=v2.32.4
DEBS=(docker.io containerd runc)

folder=$(debian_cache)/engine
mkdir -p "$folder"
exec 8>"$folder/making.lock"
flock 8 # another run may be at it

for program in iptables ip ldd; do
	command -v "$program" >/dev/null || missing=1
done
if [ "${missing:-}" = 1 ]; then
	echo "== installing iptables and iproute2" >&2
	apt-get update -qq
	apt-get install -y -q --no-install-recommends iptables iproute2 >"$folder/install.log" 2>&1 || { tail -5 "$folder/install.log" >&2; exit 1; }
fi

if [ ! -d "$folder/programs" ]; then
	echo "== unpacking Debian's container engine: ${DEBS[*]}" >&2
	rm -rf "$folder/debs" "$folder/programs.making"
	mkdir -p "$folder/debs" "$folder/programs.making"
	(cd "$folder/debs" && { apt-get download -q "${DEBS[@]}" || { apt-get update -qq && apt-get download -q "${DEBS[@]}"; }; }) >"$folder/download.log" 2>&1 ||
		{ tail -5 "$folder/download.log" >&2; exit 1; }
	for deb in "$folder"/debs/*.deb; do dpkg-deb -x "$deb" "$folder/programs.making"; done
	rm -rf "$folder/debs"
	if lacking=$(ldd "$folder"/programs.making/usr/sbin/{dockerd,runc} "$folder"/programs.making/usr/bin/{docker,containerd} | grep 'not found'); then
		echo "The engine's programs need libraries that are not here; install libdevmapper1.02.1, libsystemd0 and libseccomp2:" >&2
		echo "$lacking" >&2
		exit 1
	fi
	mv "$folder/programs.making" "$folder/programs"
fi

if [ ! -x "$folder/docker-compose-$COMPOSE" ]; then
	echo "== building compose $COMPOSE from its Go module (some minutes)" >&2
	source=$(cd "$folder" && GOWORK=off GOFLAGS=-mod=mod go mod download -json "github.com/docker/compose/v2@$COMPOSE" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	rm -rf "$folder/compose"
	cp -r "$source" "$folder/compose"
	chmod -R u+w "$folder/compose"
	(cd "$folder/compose" && GOWORK=off GOFLAGS=-mod=mod CGO_ENABLED=0 go build -trimpath \
		-ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$COMPOSE" -o "$folder/docker-compose.making" ./cmd) >"$folder/compose.log" 2>&1 ||
		{ tail -5 "$folder/compose.log" >&2; exit 1; }
	rm -rf "$folder/compose"
	mv "$folder/docker-compose.making" "$folder/docker-compose-$COMPOSE"
fi
ln -sf "docker-compose-$COMPOSE" "$folder/docker-compose"

[ -x /bin/busybox ] || { echo "There is no /bin/busybox: scripts/needs.sh installs it." >&2; exit 1; }
debian_root bookworm "$folder/bookworm" ca-certificates
broker=$(scripts/broker-root.sh)
ln -sfn "$broker" "$folder/rabbitmq"
echo "$folder"
