#!/usr/bin/env bash
# Installs through apt what `make test` needs beside Go, git and make, where it
# is missing; with -verify also what `make verify` needs. The tests start a RabbitMQ node of their own (own name, ports and
# data folder); the system's node, if there is one, is neither used nor touched.
set -euo pipefail

packages=()
reasons=()
need() { # package, reason
	packages+=("$1")
	reasons+=("$(printf '  %-16s %s' "$1" "$2")")
}

compiles() {
	local dir
	dir=$(mktemp -d)
	printf 'int main(void){return 0;}\n' >"$dir/a.c"
	gcc -o "$dir/a" -lpthread "$dir/a.c" >/dev/null 2>&1
	local status=$?
	rm -rf "$dir"
	return "$status"
}

broker() { compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' >/dev/null || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; }
pika() { /usr/bin/python3 -c 'import pika' >/dev/null 2>&1; }
kombu() { /usr/bin/python3 -c 'import kombu' >/dev/null 2>&1; }
django() { /usr/bin/python3 -c 'import django' >/dev/null 2>&1; }
celery() { /usr/bin/python3 -c 'import celery' >/dev/null 2>&1; }
module() { /usr/bin/python3 -c "import $1" >/dev/null 2>&1; }
program() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }

broker || need rabbitmq-server 'a private broker for the tests'
pika || need python3-pika 'the foreign AMQP client that emits in a test'
kombu || need python3-kombu 'the other AMQP library of the Python emitter'
django || need python3-django 'its documented way to emit from Django, in Django'
celery || need python3-celery 'the same from Celery, in a worker that forks'
module gevent || need python3-gevent 'green threads that the Python emitter runs in'
module eventlet || need python3-eventlet 'the other kind of them'
program nginx || need nginx 'TLS in front of the gateways, with the shipped configuration'
program openssl || need openssl 'a certificate for it'
program supervisord || need supervisor 'the shipped configuration for production, started'
program systemd-analyze || need systemd 'reads the units; it is not started'
[ -x /bin/busybox ] || need busybox-static 'the health check of the images, as it runs there'
program docker-compose || need docker-compose 'reads docker-compose.yml'
program foreman || need ruby-foreman 'runs the Procfile'
program node || need nodejs 'the browser client, built and tested'
program npm || need npm 'its dependencies for tests'
[ -x /usr/bin/chromium ] || need chromium 'the browser client and the example application, in a real browser'
if ! command -v gcc >/dev/null || ! compiles; then
	need gcc 'the race detector is linked with it'
	need libc6-dev 'its headers'
fi

if [ "${1:-}" = -verify ] || [ -n "${BELFRY_TEST_FULL:-}" ]; then
	program gunicorn || need gunicorn 'the Python emitter under it, with each of its kinds of workers'
	module tornado || need python3-tornado 'one of these kinds'
	program uvicorn || need uvicorn 'another, and a server of its own: asyncio'
	program uwsgi || need uwsgi-core 'the Python emitter under it: forks and threads'
	compgen -G '/usr/lib/uwsgi/plugins/python3_plugin.so' >/dev/null || need uwsgi-plugin-python3 'its Python'
	compgen -G '/usr/lib/uwsgi/plugins/gevent_python3_plugin.so' >/dev/null || need uwsgi-plugin-gevent-python3 'its green threads'
	program daphne || need daphne 'the Python emitter under it: asyncio'
	module waitress || need python3-waitress 'the Python emitter under it: threads'
	module cheroot || need python3-cheroot 'the same'
	program apache2 || need apache2-bin 'the Python emitter under mod_wsgi'
	[ -e /usr/lib/apache2/modules/mod_wsgi.so ] || need libapache2-mod-wsgi-py3 'that, with processes, threads and a daemon'
	program mypy || need mypy 'the Python emitter in a program with types'
fi

[ ${#packages[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
echo "Missing for the tests, to be installed through apt:"
printf '%s\n' "${reasons[@]}"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		as_root=(sudo -n)
	else
		echo "This user is not root and has no sudo without a password. Run this once, then make test again:" >&2
		echo "  sudo sh -c 'apt-get update && $install'" >&2
		exit 1
	fi
fi
if ! command -v apt-get >/dev/null; then
	echo "There is no apt-get here. Install with the system's own tools: ${packages[*]}" >&2
	exit 1
fi

"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install

broker && pika && kombu && django && celery && compiles || {
	echo "apt installed the packages, but something of them is still not found." >&2
	exit 1
}
