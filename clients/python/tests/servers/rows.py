"""Each web server and pool of Debian's, and how it is started. Run as a program
it prints their names."""

import pathlib

HERE = pathlib.Path(__file__).parent

APACHE = """
ServerRoot "{folder}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile "{folder}/pid"
ErrorLog "{folder}/error.log"
User nobody
Group nogroup
LoadModule mpm_{mpm}_module /usr/lib/apache2/modules/mod_mpm_{mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so
WSGISocketPrefix "{folder}/wsgi"
{daemon}
WSGIPythonPath "{package}:{here}"
WSGIScriptAlias / "{here}/app.py"
<Directory "{here}">
  Require all granted
</Directory>
"""


def _gunicorn(*options, app="app:wsgi"):
    return lambda port, folder: ["/usr/bin/gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2",
                                 "--worker-tmp-dir", str(folder), *options, app]


def _uwsgi(*options):
    return lambda port, folder: ["/usr/bin/uwsgi", "--plugin", "python3", "--http-socket", f"127.0.0.1:{port}", "--master",
                                 "--need-app", "--die-on-term", "--wsgi-file", str(HERE / "app.py"), "--callable", "wsgi",
                                 *options]


def _apache(mpm, daemon=""):
    def command(port, folder):
        config = folder / "apache.conf"
        config.write_text(APACHE.format(folder=folder, port=port, mpm=mpm, daemon=daemon, here=HERE, package=HERE.parents[1]))
        return ["/usr/sbin/apache2", "-f", str(config), "-D", "FOREGROUND"]
    return command


HTTP = {
    "gunicorn-sync": _gunicorn("-k", "sync"),
    "gunicorn-threads": _gunicorn("-k", "gthread", "--threads", "4"),
    "gunicorn-gevent": _gunicorn("-k", "gevent"),
    "gunicorn-gevent-preload": _gunicorn("-k", "gevent", "--preload"),
    "gunicorn-eventlet": _gunicorn("-k", "eventlet"),
    "gunicorn-tornado": _gunicorn("-k", "tornado"),
    "gunicorn-uvicorn": _gunicorn("-k", "uvicorn.workers.UvicornWorker", app="app:asgi"),
    "uwsgi-prefork": _uwsgi("--processes", "2"),
    "uwsgi-lazy": _uwsgi("--processes", "2", "--lazy-apps"),
    "uwsgi-threads": _uwsgi("--processes", "2", "--threads", "4"),
    "uwsgi-gevent": _uwsgi("--processes", "2", "--plugin", "gevent_python3", "--gevent", "20", "--gevent-monkey-patch"),
    "waitress": lambda port, _: ["/usr/bin/waitress-serve", f"--listen=127.0.0.1:{port}", "--threads=8", "app:wsgi"],
    "cheroot": lambda port, _: ["/usr/bin/python3", "-m", "cheroot", "--bind", f"127.0.0.1:{port}", "app:wsgi"],
    "mod-wsgi-prefork": _apache("prefork"),
    "mod-wsgi-threads": _apache("event"),
    "mod-wsgi-daemon": _apache("event", "WSGIDaemonProcess belfry processes=2 threads=4 python-path={0}:{1}\n"
                               "WSGIProcessGroup belfry".format(HERE.parents[1], HERE)),
    "daphne": lambda port, _: ["/usr/bin/daphne", "-b", "127.0.0.1", "-p", str(port), "app:asgi"],
    "uvicorn": lambda port, _: ["/usr/bin/uvicorn", "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "app:asgi"],
}

# The number of requests that one process of it answers at the same time, where
# that is one: then a slow request takes a worker, and nobody can help it.
ONE_AT_A_TIME = {"gunicorn-sync", "gunicorn-tornado", "uwsgi-prefork", "uwsgi-lazy", "mod-wsgi-prefork"}

# tests/broker/test_celery.py is what runs in these.
CELERY = {f"celery-{pool}": pool for pool in ("prefork", "threads", "gevent", "eventlet", "solo")}

if __name__ == "__main__":
    print("\n".join([*HTTP, *CELERY]))
