"""What the tests against a real broker share. The project's test command runs
them once for each AMQP library and tells, in the environment, where the broker
is and whom to ask to pause it, to kill it and so on."""

import dataclasses
import faulthandler
import os
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import pika

import belfry

URL = os.environ["BELFRY_TEST_AMQP_URL"]
DRIVER = os.environ["BELFRY_TEST_DRIVER"]

# What the project's quick run leaves out.
only_in_full = unittest.skipUnless(os.environ.get("BELFRY_TEST_FULL"), "runs with BELFRY_TEST_FULL=1, as make verify does")

# How long to wait for what must happen. Whatever hangs for longer fails the
# run, and shows where.
PATIENCE = 60
faulthandler.dump_traceback_later(280, exit=True)


def command(name):
    """pause, resume, kill, start, close-connections, memory-alarm, disk-alarm or
    no-alarm; returns when it is done."""
    with urllib.request.urlopen(f"{os.environ['BELFRY_TEST_CONTROL']}/{name}", data=b"", timeout=90):
        pass


def url_through(port):
    """URL, with another port of this host."""
    parts = urllib.parse.urlsplit(URL)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


def recipe(word, **given):
    """Runs the one example of the README that has word in it, with given
    defined, and returns what it defines."""
    readme = pathlib.Path(belfry.__file__).parents[1] / "README.md"
    [example] = [e for e in re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL) if word in e]
    exec(compile(example, readme.name, "exec"), given)  # noqa: S102 - our own
    return given


def in_thread(work, *args):
    """Starts work and returns a function that waits for its result."""
    result = []
    thread = threading.Thread(target=lambda: result.append(work(*args)), daemon=True)
    thread.start()

    def wait():
        thread.join(PATIENCE)
        if not result:
            raise AssertionError("it did not come to an end")
        return result[0]

    return wait


class BrokerTest(unittest.TestCase):
    """A queue that is bound to every group, and an emitter that raises."""

    def setUp(self):
        self.connection = pika.BlockingConnection(pika.URLParameters(URL))
        self.addCleanup(self.connection.close)
        self.channel = self.connection.channel()
        self.channel.exchange_declare("belfry.emit", "topic", durable=True)
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.queue_bind(self.queue, "belfry.emit", "#")
        self.emitter = self.open(raise_errors=True)

    def open(self, url=URL, **options):
        # What waits in the queue for a test's end outlives a busy machine's patience.
        emitter = belfry.Emitter(url, driver=DRIVER, **{"timeout": PATIENCE, "expiration": 10 * PATIENCE, **options})
        self.addCleanup(emitter.close)
        return emitter

    def hurry(self, emitter, seconds):
        """Lets calls take so long from now on."""
        emitter._settings = dataclasses.replace(emitter._settings, timeout=seconds)

    def until_it_goes(self, emitter, group, payload):
        """Emits until the emitter has found out that the broker is back; an
        event that fails at once is not sent."""
        until = time.monotonic() + PATIENCE
        while not emitter.emit(group, payload):
            if time.monotonic() > until:
                raise AssertionError("the emitter did not find out that the broker is back")
            threading.Event().wait(0.05)

    def proxy(self, **options):
        proxy = Proxy(**options)
        self.addCleanup(proxy.close)
        return proxy

    def certificate(self, name):
        """A server's context with a certificate for name, which is also trusted."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        cert, key = os.path.join(folder.name, "cert.pem"), os.path.join(folder.name, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=belfry test", "-addext", f"subjectAltName={name}", "-keyout", key, "-out", cert],
            check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.trust(cert)
        return context

    def trust(self, cert):
        former = os.environ.get("SSL_CERT_FILE")

        def restore():
            os.environ.pop("SSL_CERT_FILE")
            if former is not None:
                os.environ["SSL_CERT_FILE"] = former
        os.environ["SSL_CERT_FILE"] = cert
        self.addCleanup(restore)

    def received(self):
        out = []
        while True:
            method, properties, body = self.channel.basic_get(self.queue, auto_ack=True)
            if method is None:
                return out
            out.append((method.routing_key, properties, body))


class Proxy:
    """Stands between an emitter and the broker.

    hold: new links keep back what the broker says
    tls: an ssl.SSLContext with which clients are spoken to
    silent: links are accepted, and nothing more
    port: where it listens; 0 for any
    """

    def __init__(self, hold=False, tls=None, silent=False, receive_buffer=None, port=0):
        self.hold, self.tls, self.silent = hold, tls, silent
        self.reading = True
        self.links = []
        self._new = threading.Condition()
        self._listener = socket.socket()
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self):
        return url_through(self.port)

    def link(self, n):
        """The n-th connection, from 0, as soon as it is there."""
        with self._new:
            if not self._new.wait_for(lambda: len(self.links) > n, PATIENCE):
                raise AssertionError(f"there were {len(self.links)} connections")
            return self.links[n]

    def stop_reading(self):
        """Takes nothing from clients any more, also not from new ones."""
        self.reading = False
        for link in self.links:
            link.stop_reading()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # so that accept ends as well
        except OSError:
            pass
        self._listener.close()
        for link in self.links:
            link.cut()
            if self.silent:
                link.end()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._new:
                self.links.append(Link(client, self))
                self._new.notify_all()


class Link:
    """One connection through the proxy."""

    def __init__(self, client, proxy):
        self.withheld = threading.Event()  # the broker said something, and it is kept back
        self.client_left = threading.Event()  # the client's end is closed
        self.said = b""  # the newest of what the client has said
        self.refusal = None  # why the client did not want to speak TLS
        self._client = client
        self._server = None
        self._holding = proxy.hold
        self._reading = proxy.reading
        self._over = False
        self._changed = threading.Condition()
        if not proxy.silent:
            threading.Thread(target=self._run, args=(proxy.tls,), daemon=True).start()

    def keep_back(self):
        """Keeps back what the broker says from now on."""
        self._set(holding=True)

    def stop_reading(self):
        """Takes nothing from the client any more."""
        self._set(reading=False)

    def let_go(self):
        self._set(holding=False, reading=True)

    def cut(self):
        """Ends the connection on both sides. What is kept back is thrown away."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for sock in (self._client, self._server):
            if sock is not None:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def end(self):
        """Closes what no thread reads."""
        self._client.close()

    def _set(self, holding=None, reading=None):
        with self._changed:
            self._holding = self._holding if holding is None else holding
            self._reading = self._reading if reading is None else reading
            self._changed.notify_all()

    def _run(self, tls):
        with self._client:
            try:
                if tls is not None:
                    self._client = tls.wrap_socket(self._client, server_side=True)
            except OSError as err:
                self.refusal = err
                self.client_left.set()
                return
            parts = urllib.parse.urlsplit(URL)
            with self._client, socket.create_connection((parts.hostname, parts.port)) as self._server:
                back = threading.Thread(target=self._answers, daemon=True)
                back.start()
                self._events()
                back.join()

    def _events(self):
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._reading or self._over)
                data = self._client.recv(4096)
                with self._changed:
                    self._changed.wait_for(lambda: self._reading or self._over)
                    if self._over:
                        break
                if not data:
                    break
                self.said = (self.said + data)[-4096:]
                self._server.sendall(data)
        except OSError:
            pass
        self.client_left.set()
        self.cut()

    def _answers(self):
        try:
            while True:
                data = self._server.recv(65536)
                if not data:
                    break
                with self._changed:
                    if self._holding:
                        self.withheld.set()
                    self._changed.wait_for(lambda: not self._holding or self._over)
                    if self._over:
                        break
                self._client.sendall(data)
        except OSError:
            pass
        self.cut()
