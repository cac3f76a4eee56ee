#!/usr/bin/env bash
# Installs what `make build` made, and the configuration for production:
# programs and static files below PREFIX (/usr), the rest below /etc and /var, all
# of it below DESTDIR. A file of /etc that somebody has changed stays, and the
# shipped one is laid beside it as NAME.new. docs/deployment.md says what to do
# then. `make install` calls it.
set -euo pipefail
cd "$(dirname "$0")/.."

dest=${DESTDIR:-}
prefix=${PREFIX:-/usr}
bin=${BIN:-bin}

for program in gateway worker belfry tower; do
	[ -x "$bin/$program" ] || { echo "$bin/$program is missing: run make build first, as a user who has Go" >&2; exit 1; }
done

# copy writes a file with the paths that PREFIX gives.
copy() { # mode, source, destination
	local text
	text=$(mktemp)
	sed -e "s|/usr/bin/belfry|$prefix/bin/belfry|g; s|/usr/share/\(doc/\)\{0,1\}belfry|$prefix/share/\1belfry|g" "$2" >"$text"
	install -D -m "$1" "$text" "$dest$3"
	rm -f "$text"
}

config() { # mode, source, destination
	if [ ! -e "$dest$3" ]; then
		copy "$1" "$2" "$3"
		return
	fi
	copy "$1" "$2" "$3.new"
	if cmp -s "$dest$3" "$dest$3.new"; then rm -f "$dest$3.new"; else echo "kept $dest$3; the shipped one is $dest$3.new"; fi
}

for program in gateway worker tower; do
	install -D -m 0755 "$bin/$program" "$dest$prefix/bin/belfry-$program"
done
install -D -m 0755 "$bin/belfry" "$dest$prefix/bin/belfry"

for file in examples/tower/web/*; do
	case $file in *.go | *.json) continue ;; esac # what builds and tests the page
	install -D -m 0644 "$file" "$dest$prefix/share/belfry/static/$(basename "$file")"
done
for file in docs/*.md; do
	install -D -m 0644 "$file" "$dest$prefix/share/doc/belfry/$(basename "$file")"
done
# said writes what the command line says of itself.
said() { # destination, words of belfry
	local text destination=$1
	shift
	text=$(mktemp)
	"$bin/belfry" "$@" >"$text"
	install -D -m 0644 "$text" "$dest$prefix/share/$destination"
	rm -f "$text"
}
said man/man1/belfry.1 man
said bash-completion/completions/belfry completion bash
said zsh/site-functions/_belfry completion zsh
said fish/vendor_completions.d/belfry.fish completion fish
for unit in deploy/systemd/*.service; do
	copy 0644 "$unit" "$prefix/lib/systemd/system/$(basename "$unit")"
done
copy 0644 deploy/systemd/belfry.sysusers "$prefix/lib/sysusers.d/belfry.conf"
copy 0644 deploy/systemd/belfry.tmpfiles "$prefix/lib/tmpfiles.d/belfry.conf"

install -d -m 0750 "$dest/etc/belfry" "$dest/var/log/belfry" "$dest/var/lib/belfry"
for file in deploy/etc/*.env; do
	config 0640 "$file" "/etc/belfry/$(basename "$file")"
done
config 0644 configs/policy.tower-application.json /etc/belfry/policy.json
config 0644 deploy/supervisord/supervisord.conf /etc/belfry/supervisord.conf
for part in production http log locations tls; do
	config 0644 "deploy/nginx/$part.conf" "/etc/nginx/belfry/$part.conf"
done
