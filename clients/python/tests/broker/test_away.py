"""A broker that is away, or does not let the emitter in."""

import logging
import socket
import threading
import time
import unittest
import unittest.mock

import belfry
from rig import DRIVER, PATIENCE, URL, BrokerTest, in_thread


def url(port=None, login=None, vhost=None):
    address = belfry.address.parse(URL)
    return (f"amqp://{login or f'{address.user}:{address.password}'}@127.0.0.1:{port or address.port}/"
            f"{address.vhost if vhost is None else vhost}")


def nobodys_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lines(logging.Handler):
    """Every line of any logger, as an application's root logger gets them at INFO."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.name}: {record.getMessage()}")


class Away(BrokerTest):
    def setUp(self):
        super().setUp()
        root, handler = logging.getLogger(), Lines()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        self.addCleanup(root.removeHandler, handler)
        self.addCleanup(root.setLevel, level)
        self.lines = handler.lines
        self.lines.clear()

    def events_of(self, emitter, number):
        for _ in range(number):
            self.assertIs(emitter.emit("jobs-a", {}), False)

    def test_only_the_first_of_many_events_takes_its_time(self):
        # 200 events that took 1 s each would take longer than the run may.
        emitter = self.open(url(port=nobodys_port()), timeout=1)
        self.events_of(emitter, 200)
        self.assertEqual(emitter.failed, 200)
        self.assertIn("the connection was refused", self.lines[0])
        self.assertLess(len(self.lines), 5)
        self.assertNotIn("pika", "".join(self.lines))

    def test_a_broker_that_accepts_and_says_nothing(self):
        emitter = self.open(self.proxy(silent=True).url(), timeout=1)
        self.events_of(emitter, 200)
        self.assertIn("it did not answer within the time of this call", self.lines[0])

    def test_many_threads_do_not_wait_one_after_the_other(self):
        emitter = self.open(self.proxy(silent=True).url(), timeout=2)
        for wait in [in_thread(emitter.emit, "jobs-a", {}) for _ in range(60)]:
            self.assertIs(wait(), False)

    def test_a_wrong_password_is_told_in_words_and_once(self):
        proxy = self.proxy()
        address = belfry.address.parse(URL)
        emitter = self.open(url(port=proxy.port, login=f"{address.user}:hush"), timeout=PATIENCE)
        self.events_of(emitter, 100)
        self.assertIn("refused the login of 'guest': correct user and password", self.lines[0])
        self.assertLess(len(self.lines), 4)
        self.assertNotIn("hush", "".join(self.lines))
        self.assertLessEqual(len(proxy.links), 2)  # it was not tried again at each event

    def test_a_virtual_host_that_is_not_there_is_told_in_words_and_once(self):
        proxy = self.proxy()
        emitter = self.open(url(port=proxy.port, vhost="nowhere"), timeout=PATIENCE)
        self.events_of(emitter, 100)
        self.assertIn("virtual host 'nowhere': does it exist", self.lines[0])
        self.assertLess(len(self.lines), 4)
        self.assertLessEqual(len(proxy.links), 2)

    def test_a_name_that_nobody_knows_is_told_in_words(self):
        emitter = self.open("amqp://guest:guest@nowhere.invalid/", timeout=1)
        self.events_of(emitter, 50)
        self.assertIn("its host name is not known", self.lines[0])

    def test_errors_have_a_class(self):
        for wrong, what, timeout in ((url(login="guest:hush"), belfry.AccessRefused, PATIENCE),
                                     (url(vhost="nowhere"), belfry.AccessRefused, PATIENCE),
                                     (url(port=nobodys_port()), belfry.LinkLost, 1)):
            emitter = self.open(wrong, timeout=timeout, raise_errors=True)
            for _ in range(2):
                with self.subTest(what.__name__), self.assertRaises(what):
                    emitter.emit("jobs-a", {})

    def test_a_cut_while_the_login_is_decided_is_no_refusal(self):
        proxy = self.proxy(hold=True)
        emitter = self.open(proxy.url(), raise_errors=True)
        emitting = in_thread(emitter.emit, "jobs-a", {})
        self.assertTrue(proxy.link(0).withheld.wait(PATIENCE))
        proxy.hold = False
        proxy.link(0).cut()
        self.assertTrue(emitting())

    def test_events_go_again_when_the_broker_is_there(self):
        port = nobodys_port()
        emitter = self.open(url(port=port), timeout=1)
        self.events_of(emitter, 20)
        proxy = self.proxy(port=port)
        self.hurry(emitter, PATIENCE)  # logging in may take longer than 1 s on a busy machine
        self.until_it_goes(emitter, "jobs-a", {"n": 1})
        self.assertTrue(emitter.emit("jobs-a", {"n": 2}))
        self.assertEqual([b for _, _, b in self.received()], [b'{"n":1}', b'{"n":2}'])
        self.assertEqual(len(proxy.links), 1)
        self.assertIn("the broker accepts events again", "".join(self.lines))

    def test_of_a_clusters_nodes_the_next_one_is_tried(self):
        silent = self.proxy(silent=True)
        emitter = self.open(f"{url(port=nobodys_port())},{silent.url()},{URL}", timeout=6)
        self.assertIs(emitter.emit("jobs-a", {"n": 1}), True)
        self.assertEqual([b for _, _, b in self.received()], [b'{"n":1}'])
        self.assertEqual(self.lines, [])

    def test_an_applications_own_lines_of_the_library_stay(self):
        emitter = self.open(url(port=nobodys_port()), timeout=1)
        self.events_of(emitter, 1)
        logging.getLogger(f"{'pika' if DRIVER == 'pika' else 'amqp'}.connection").warning("the application's")
        self.assertIn("the application's", self.lines[-1])

    def test_a_look_up_that_hangs_is_bounded(self):
        hang = threading.Event()
        self.addCleanup(hang.set)
        original = socket.getaddrinfo

        def getaddrinfo(host, *rest):
            if host == "slow.example":
                hang.wait(PATIENCE)
            return original("127.0.0.1" if host == "slow.example" else host, *rest)
        with unittest.mock.patch("socket.getaddrinfo", getaddrinfo):
            began = time.monotonic()
            self.events_of(self.open("amqp://guest:guest@slow.example/", timeout=1), 50)
        self.assertLess(time.monotonic() - began, PATIENCE / 2)  # the look-up itself has not ended yet


if __name__ == "__main__":
    unittest.main()
