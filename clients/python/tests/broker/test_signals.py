"""Signals that raise in the middle of a call, as time limits do."""

import signal
import threading
import unittest

import pika

from rig import DRIVER, PATIENCE, BrokerTest


class TimeLimit(Exception):
    """As Celery's SoftTimeLimitExceeded."""


class DisguisedLimit(TimeoutError):
    """As those of other libraries, which derive from what they find."""


class Signals(BrokerTest):
    def raising(self, what):
        """Raises it in this thread at the next SIGUSR1."""
        def handler(*_):
            raise what
        former = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, former)

    def when_withheld(self, link, inside=None):
        """Sends the signal when the broker has said something that is kept back,
        and, where that may be before, when inside is set."""
        main = threading.get_ident()

        def send():
            link().withheld.wait(PATIENCE)
            if inside is not None:
                inside.wait(PATIENCE)
            signal.pthread_kill(main, signal.SIGUSR1)
        threading.Thread(target=send, daemon=True).start()

    def test_it_goes_through_and_the_next_event_has_a_new_connection(self):
        for what in (TimeLimit, DisguisedLimit, KeyboardInterrupt):
            with self.subTest(what.__name__):
                proxy = self.proxy()
                emitter = self.open(proxy.url())
                self.assertTrue(emitter.emit("jobs-a", {"n": 1}))
                proxy.link(0).keep_back()
                self.raising(what)
                self.when_withheld(lambda proxy=proxy: proxy.link(0))
                with self.assertRaises(what):
                    emitter.emit("jobs-a", {"n": 2})
                self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))
                self.assertEqual((emitter.emitted, emitter.failed), (1, 1))
                proxy.link(0).let_go()
                # The late confirm must not be taken for that of the third.
                self.channel.queue_unbind(self.queue, "belfry.emit", "#")
                self.assertFalse(emitter.emit("jobs-a", {"n": 3}))
                self.channel.queue_bind(self.queue, "belfry.emit", "#")
                self.assertTrue(emitter.emit("jobs-a", {"n": 4}))
                self.assertEqual([b for _, _, b in self.received()], [b'{"n":1}', b'{"n":2}', b'{"n":4}'])

    def test_it_goes_through_while_connecting(self):
        proxy = self.proxy(hold=True)
        emitter = self.open(proxy.url())
        self.raising(TimeLimit)
        self.when_withheld(lambda: proxy.link(0))
        with self.assertRaises(TimeLimit):
            emitter.emit("jobs-a", {})
        self.assertTrue(proxy.link(0).client_left.wait(PATIENCE))
        proxy.hold = False
        self.assertTrue(emitter.emit("jobs-a", {}))

    def test_it_goes_through_while_waiting_for_another_thread(self):
        proxy = self.proxy()
        emitter = self.open(proxy.url())
        self.assertTrue(emitter.emit("jobs-a", {}))
        proxy.link(0).keep_back()
        other = threading.Thread(target=emitter.emit, args=("jobs-a", {}), daemon=True)
        other.start()
        self.raising(TimeLimit)
        inside = threading.Event()
        self.when_withheld(lambda: proxy.link(0), inside)
        with self.assertRaises(TimeLimit):
            inside.set()
            while True:  # in here the signal comes: the other thread has the connection
                emitter.emit("jobs-a", {})
        proxy.link(0).let_go()
        other.join(PATIENCE)
        self.assertTrue(emitter.emit("jobs-a", {}))

    @unittest.skipUnless(DRIVER == "pika", "pika takes what is raised while it reads for a broken stream")
    def test_it_goes_through_where_pika_reads(self):
        self.assertTrue(self.emitter.emit("jobs-a", {"n": 1}))

        def interrupted(_frame):  # called after the emitter has noted the confirm
            raise TimeLimit
        channel = self.emitter._driver._channel
        channel.callbacks.add(channel.channel_number, pika.spec.Basic.Ack, interrupted, one_shot=False)
        with self.assertRaises(TimeLimit):
            self.emitter.emit("jobs-a", {"n": 2})
        self.assertTrue(self.emitter.emit("jobs-a", {"n": 3}))


if __name__ == "__main__":
    unittest.main()
