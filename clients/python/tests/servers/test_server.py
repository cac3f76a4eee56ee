"""Events from under one web server, which the environment names: each arrives,
once, and a broker that is slow does not hold up other requests."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "broker"))

import rows  # noqa: E402
from rig import DRIVER, PATIENCE, URL, BrokerTest, in_thread  # noqa: E402

ROW = os.environ["BELFRY_TEST_ROW"]
CLIENTS, EVENTS = 8, 6


class Server(BrokerTest):
    def setUp(self):
        super().setUp()
        self.slow = self.proxy(hold=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o777)  # Apache's processes are another user's
        self.folder = pathlib.Path(folder.name)
        self.output = open(self.folder / "output", "wb")
        self.addCleanup(self.output.close)
        self.process = subprocess.Popen(
            rows.HTTP[ROW](self.port, self.folder), cwd=HERE, stdout=self.output, stderr=subprocess.STDOUT,
            start_new_session=True, env={
                **os.environ, "BELFRY_AMQP_URL": URL, "BELFRY_TEST_SLOW": self.slow.url(),
                "PYTHONPATH": f"{HERE.parents[1]}:{HERE}"})
        self.addCleanup(self.end)
        self.wait_until_it_answers()

    def end(self):
        """In order, as an operator ends it; it must not hang."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise

    def said(self):
        return "\n".join(p.read_text(errors="replace") for p in (self.folder / "output", self.folder / "error.log") if p.exists())

    def wait_until_it_answers(self):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.assertEqual(self.get("/ping"), "pong")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"{ROW} does not answer:\n{self.said()}") from None
                threading.Event().wait(0.05)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as response:
                return response.read().decode()
        except urllib.error.HTTPError as err:
            raise AssertionError(f"{path}: {err.read().decode(errors='replace')}\n{self.said()}") from None

    def emits(self, client, first, number):
        return [self.get(f"/emit?group=job_events-{client}&n={n}") for n in range(first, first + number)]

    def all_clients_emit(self, first):
        with ThreadPoolExecutor(CLIENTS) as clients:
            for answers in clients.map(lambda c: self.emits(c, first, EVENTS), range(CLIENTS)):
                self.assertEqual(answers, ["true"] * EVENTS)

    def test_every_event_arrives_and_nobody_waits_for_a_slow_broker(self):
        self.all_clients_emit(0)
        arrived = {}
        for key, _, body in self.received():
            arrived.setdefault(key, []).append(json.loads(body)["n"])
        self.assertEqual(arrived, {f"job_events-{c}": list(range(EVENTS)) for c in range(CLIENTS)})
        with self.subTest("another request"):
            if ROW not in rows.ONE_AT_A_TIME:
                slow = in_thread(self.get, "/slow")
                self.assertTrue(self.slow.link(0).withheld.wait(PATIENCE))  # it is in the middle of it
                for client in range(CLIENTS):
                    self.assertEqual(self.get("/ping"), "pong")
                    self.assertEqual(self.emits(client, 100, 1), ["true"])
                self.slow.link(0).let_go()
                self.assertEqual(slow(), "true")


if __name__ == "__main__":
    unittest.main()
