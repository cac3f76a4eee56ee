#!/usr/bin/env bash
# Installs what `make build` made, and the configuration for production:
# programs and static files below PREFIX (/usr), the rest below /etc and /var, all
# of it below DESTDIR. A file of /etc that somebody has changed stays, and the
# shipped one is laid beside it as NAME.new. docs/deployment.md says what to do
# then. `make install` calls it; `make uninstall` with the argument uninstall, which
# takes everything away again but what somebody has changed or made.
#
# EXAMPLE=yes brings the example application along. RUNBOOK is the address of the
# operations guide in the alerts: the installed file, unless it is set.
set -euo pipefail
cd "$(dirname "$0")/.."

dest=${DESTDIR:-}
prefix=${PREFIX:-/usr}
bin=${BIN:-bin}
example=${EXAMPLE:-no}
runbook=${RUNBOOK:-file://$prefix/share/doc/belfry/operations.md}
action=${1:-install}

case $action in install | uninstall) ;; *) echo "usage: $0 [uninstall]; example: DESTDIR=/tmp/package $0" >&2; exit 2 ;; esac
case $example in yes | no) ;; *) echo "EXAMPLE is yes or no, not '$example'" >&2; exit 2 ;; esac
case $runbook in *[\|\&\\\ \"]*) echo "RUNBOOK is an address without spaces, quotes, |, & and \\, not '$runbook'" >&2; exit 2 ;; esac
needed=(gateway worker belfry)
[ "$example" = no ] || needed+=(tower)
for program in "${needed[@]}"; do
	[ "$action" = uninstall ] || [ -x "$bin/$program" ] || { echo "$bin/$program is missing: run make build first, as a user who has Go" >&2; exit 1; }
done

# put installs a file, or takes it away.
put() { # mode, source, destination
	if [ "$action" = uninstall ]; then
		rm -f "$dest$3"
	else
		install -D -m "$1" "$2" "$dest$3"
	fi
}

# adapted writes a file with the paths that PREFIX gives, the runbook's address,
# and without the parts of the example where that is not wanted.
adapted() { # source
	local without=()
	if [ "$example" = no ]; then
		without=(-e '/^; The application\. This is the example/,/^$/d' -e '/^    location \/static\/ {$/,/^    }$/d' -e 's|worker\.env and api\.env|and worker.env|')
	fi
	sed "${without[@]}" -e "s|file:///usr/share/doc/belfry/operations\.md|$runbook|; s|/usr/bin/belfry|$prefix/bin/belfry|g; s|/usr/share/\(doc/\)\{0,1\}belfry|$prefix/share/\1belfry|g" "$1"
}

copy() { # mode, source, destination
	local text
	text=$(mktemp)
	adapted "$2" >"$text"
	put "$1" "$text" "$3"
	rm -f "$text"
}

# config leaves alone what somebody has changed.
config() { # mode, source, destination
	local text
	text=$(mktemp)
	adapted "$2" >"$text"
	if [ ! -e "$dest$3" ] || cmp -s "$dest$3" "$text"; then
		put "$1" "$text" "$3"
	elif [ "$action" = uninstall ]; then
		echo "kept $dest$3, which is not as it was shipped"
	else
		put "$1" "$text" "$3.new"
		echo "kept $dest$3; the shipped one is $dest$3.new"
	fi
	[ "$action" = install ] || rm -f "$dest$3.new"
	rm -f "$text"
}

# said installs what the command line says of itself.
said() { # destination, words of belfry
	local text destination=$1
	shift
	text=$(mktemp)
	[ "$action" = uninstall ] || "$bin/belfry" "$@" >"$text"
	put 0644 "$text" "$prefix/share/$destination"
	rm -f "$text"
}

# The example is installed where it is asked for, and taken away in any case.
with_example() { [ "$example" = yes ] || [ "$action" = uninstall ]; }

for program in gateway worker; do
	put 0755 "$bin/$program" "$prefix/bin/belfry-$program"
done
put 0755 "$bin/belfry" "$prefix/bin/belfry"
for file in docs/*.md; do
	put 0644 "$file" "$prefix/share/doc/belfry/$(basename "$file")"
done
said man/man1/belfry.1 man
said bash-completion/completions/belfry completion bash
said zsh/site-functions/_belfry completion zsh
said fish/vendor_completions.d/belfry.fish completion fish
put 0644 deploy/grafana/belfry.json "$prefix/share/belfry/grafana/belfry.json"
for file in deploy/prometheus/*.yml; do
	copy 0644 "$file" "$prefix/share/belfry/prometheus/$(basename "$file")"
done
for unit in gateway@ worker@ supervisord; do
	copy 0644 "deploy/systemd/belfry-$unit.service" "$prefix/lib/systemd/system/belfry-$unit.service"
done
copy 0644 deploy/systemd/belfry.sysusers "$prefix/lib/sysusers.d/belfry.conf"
copy 0644 deploy/systemd/belfry.tmpfiles "$prefix/lib/tmpfiles.d/belfry.conf"

[ "$action" = uninstall ] || install -d -m 0750 "$dest/etc/belfry" "$dest/var/log/belfry" "$dest/var/lib/belfry"
for file in gateway worker; do
	config 0640 "deploy/etc/$file.env" "/etc/belfry/$file.env"
done
config 0644 configs/policy.tower-application.json /etc/belfry/policy.json
config 0644 deploy/supervisord/supervisord.conf /etc/belfry/supervisord.conf
for part in production http log locations tls; do
	config 0644 "deploy/nginx/$part.conf" "/etc/nginx/belfry/$part.conf"
done

if with_example; then
	put 0755 "$bin/tower" "$prefix/bin/belfry-tower"
	copy 0644 deploy/systemd/belfry-api.service "$prefix/lib/systemd/system/belfry-api.service"
	config 0640 deploy/etc/api.env /etc/belfry/api.env
	for file in examples/tower/web/*; do
		case $file in *.go | *.json) continue ;; esac # what builds and tests the page
		put 0644 "$file" "$prefix/share/belfry/static/$(basename "$file")"
	done
fi

if [ "$action" = uninstall ]; then
	rm -rf "$dest$prefix/share/belfry" "$dest$prefix/share/doc/belfry" # also of other versions
	for folder in /etc/belfry /etc/nginx/belfry /var/log/belfry /var/lib/belfry; do
		[ ! -d "$dest$folder" ] || rmdir "$dest$folder" 2>/dev/null || echo "kept $dest$folder, which is not empty"
	done
fi
